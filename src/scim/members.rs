//! Adding and removing members of a group, where a form is new here or was refused.
//!
//! Promise: no member leaves a group that was not named. A server that follows the RFC takes a removal with a value
//! array for the removal of all members (RFC 7644 section 3.5.2.2), and some do worse. So the first use of a form is
//! made by one group at a time: its members are read and noted on disk, the request is sent, and the group is read
//! again. If more than the named ones left, they are put back at once and the form is not used again. If the program
//! ends in between, the next process finds the note and puts them back before it writes anything else.

use std::collections::BTreeSet;

use super::client::ScimTarget;
use super::dialect::Aspect;
use super::dialect::Dialect;
use super::dialect::MemberRemoval;
use super::dialect::Update;
use super::learning::Failing;
use super::learning::Learned;
use super::learning::Trial;
use super::learning::Witness;
use super::membership::Held;
use super::membership::TakenMembers;
use super::membership::Used;
use super::membership::Way;
use super::membership::shows_the_form;
use super::miss::Miss;
use super::miss::not_carried_out;
use super::showing::Shows;
use super::usage;
use crate::model::id::ObjectKind;
use crate::model::id::TargetId;
use crate::ports::MembersBefore;
use crate::ports::Patch;
use crate::ports::RefusedMember;
use crate::ports::TargetDirectory;
use crate::ports::TargetError;
use crate::reconcile::members_of;
use crate::reconcile::shown_members::ShownMembers;

/// The most members that are asked for one by one after a change that is not seen.
const MOST_ASKED: usize = 20;

impl ScimTarget {
    /// Changes the members of a group, removals first. The error is a refusal of all of them.
    pub(super) async fn change_members(
        &self,
        kind: ObjectKind,
        id: &TargetId,
        patch: &Patch,
        dialect: &Dialect,
        known: Option<TargetError>,
    ) -> Result<TakenMembers, TargetError> {
        if self.trusts_members(patch)
            && let Some(taken) = self.change_taken_members(kind, id, patch, dialect, known).await?
        {
            self.ask_for_leavers(kind, id, &taken.gone(patch)).await?;
            return Ok(taken);
        }
        let _turn = self.experience.first_use.lock().await;
        let (mut found, mut held) = self.held(kind, id).await?;
        let mut refused = Vec::new();
        // Members that are not seen are removed all the same, unless as many are shown as were put in.
        let all_shown = held.there.len() as u64 >= patch.members_before.sent;
        let leavers = distinct(&patch.remove_members, |id| !(all_shown && held.lacks(id)));
        let mut none = None;
        if !leavers.is_empty() {
            let removal = Way::Out.patch(leavers, patch.members_before);
            match self.remove(kind, id, &removal, held.clone(), dialect).await {
                Ok((now, left)) => {
                    (found, held) = now;
                    refused.extend(left);
                }
                // Additions do not wait for removals that are refused.
                Err(error @ TargetError::Refused { .. }) => {
                    refused.extend(RefusedMember::all(&removal.remove_members, &error));
                    none = Some(error);
                }
                Err(error) => return Err(error),
            }
        }
        let joiners = distinct(&patch.add_members, |id| !held.holds(id));
        if joiners.is_empty() {
            return none.map_or(
                Ok(TakenMembers {
                    last: Some(found),
                    refused,
                }),
                Err,
            );
        }
        let addition = Way::In.patch(joiners, patch.members_before);
        match self.add(kind, id, &addition, held, dialect).await {
            Ok((now, left)) => {
                found = now.0;
                refused.extend(left);
            }
            Err(error @ TargetError::Refused { .. }) => {
                let gone = patch.remove_members.len() > refused.len();
                if !gone {
                    return Err(none.unwrap_or(error));
                }
                refused.extend(RefusedMember::all(&addition.add_members, &error));
            }
            Err(error) => return Err(error),
        }
        Ok(TakenMembers {
            last: Some(found),
            refused,
        })
    }

    async fn remove(
        &self,
        kind: ObjectKind,
        id: &TargetId,
        removal: &Patch,
        mut held: ShownMembers,
        dialect: &Dialect,
    ) -> Result<(Held, Vec<RefusedMember>), TargetError> {
        let (aspect, witness) = (Aspect::MemberRemoval, Witness::of(kind, id));
        let (current, unsafe_now) = self.experience.ask(|learned| {
            let form = learned.form(aspect);
            (
                form,
                learned.is_harmful(aspect, form) && !learned.is_pinned(aspect),
            )
        });
        let mut forms = std::collections::VecDeque::new();
        if !unsafe_now {
            forms.push_back((aspect, current));
        }
        let mut error = not_carried_out(kind, id, "removed members are still in it");
        while let Some((of, form)) = forms.pop_front() {
            let used_in = dialect.clone().with(aspect, current).with(of, form);
            let first = of == aspect && form == current;
            let used = self.use_in_parts(kind, id, Way::Out, removal, &held, &used_in);
            let (used, now) = used.await?;
            match used {
                Used::Right => {
                    if shows_the_form(Way::Out, &removal.remove_members, &held) {
                        self.right(usage::MEMBERS_REMOVED, (of, form), first, &witness);
                    }
                    return Ok((now, Vec::new()));
                }
                Used::InPart(refused) => {
                    self.right(usage::MEMBERS_REMOVED, (of, form), first, &witness);
                    return Ok((now, refused));
                }
                Used::Harmful => {
                    self.harmed(form, id, "were put back");
                    let left = removal.remove_members.iter().any(|member| now.1.holds(member));
                    if !left {
                        return Ok((now, Vec::new()));
                    }
                    held = now.1;
                    if first {
                        forms.extend(self.other_removals(&witness, &used_in, Failing::Silent, &held));
                    }
                }
                Used::Silent if first => {
                    forms.extend(self.other_removals(&witness, &used_in, Failing::Silent, &held))
                }
                Used::Refused(refusal, status) if !may_be_of_the_form(status) => return Err(refusal),
                Used::Refused(refusal, status) if first => {
                    error = refusal;
                    forms.extend(self.other_removals(&witness, &used_in, Failing::Refused(status), &held));
                }
                Used::Silent | Used::Refused(..) => {
                    self.experience.add(|learned| learned.futile(of, form, &witness));
                }
            }
        }
        self.experience.say(
            "the target takes members out of a group in no form that was tried; until it does, whoever leaves a group stays \
             in it there"
                .to_owned(),
        );
        Err(error)
    }

    /// Returns the other forms of a removal, a PUT last: another case of `op` cannot remove anyone else. Forms that
    /// could remove other members are not tried where no reading would show it.
    fn other_removals(
        &self,
        witness: &Witness,
        used: &Dialect,
        how: Failing,
        held: &ShownMembers,
    ) -> Vec<(Aspect, usize)> {
        let blind = !held.whole && held.there.is_empty();
        self.experience.add(|learned| {
            let alone = match how {
                Failing::Refused(status) => Failing::Alone(status),
                how => how,
            };
            let case = learned.failed(Aspect::OpCase, used.form(Aspect::OpCase), witness, how);
            let removals = learned.failed(
                Aspect::MemberRemoval,
                used.form(Aspect::MemberRemoval),
                witness,
                alone,
            );
            let mut forms: Vec<(Aspect, usize)> = removals
                .into_iter()
                .filter(|_| !blind)
                .map(|form| (Aspect::MemberRemoval, form))
                .collect();
            let put = forms
                .iter()
                .position(|(_, form)| *form == MemberRemoval::Put as usize);
            let before = put.unwrap_or(forms.len());
            forms.splice(
                before..before,
                case.into_iter().map(|form| (Aspect::OpCase, form)),
            );
            forms
        })
    }

    async fn add(
        &self,
        kind: ObjectKind,
        id: &TargetId,
        addition: &Patch,
        held: ShownMembers,
        dialect: &Dialect,
    ) -> Result<(Held, Vec<RefusedMember>), TargetError> {
        let (aspect, witness) = (Aspect::OpCase, Witness::of(kind, id));
        let by_patch = dialect.update == Update::Patch;
        if by_patch
            && self
                .experience
                .ask(|learned| learned.is_barred(usage::MEMBERS_ADDED))
        {
            return Err(replaces(id));
        }
        let current = self.experience.ask(|learned| learned.form(aspect));
        let mut forms = vec![current];
        let mut error = not_carried_out(kind, id, "added members are not in it");
        while let Some(form) = forms.pop() {
            let used_in = dialect.clone().with(aspect, form);
            let used = self.use_in_parts(kind, id, Way::In, addition, &held, &used_in);
            let (used, now) = used.await?;
            match used {
                Used::Right => {
                    self.right(usage::MEMBERS_ADDED, (aspect, form), form == current, &witness);
                    return Ok((now, Vec::new()));
                }
                Used::InPart(refused) => {
                    self.right(usage::MEMBERS_ADDED, (aspect, form), form == current, &witness);
                    return Ok((now, refused));
                }
                Used::Harmful => {
                    let at = self.experience.now();
                    self.experience
                        .add(|learned| learned.bar(usage::MEMBERS_ADDED, at));
                    self.experience.say(
                        "the target replaces all members of a group where one is added; they were put back, and nobody is \
                         added by PATCH any more: set dialect = { update = \"put\" } under the job's [target]"
                            .to_owned(),
                    );
                    return if addition.add_members.iter().all(|member| now.1.holds(member)) {
                        Ok((now, Vec::new()))
                    } else {
                        Err(replaces(id))
                    };
                }
                Used::Silent if form == current => {}
                Used::Refused(refusal, status) if !may_be_of_the_form(status) => return Err(refusal),
                Used::Refused(refusal, status) if form == current => {
                    error = refusal;
                    let how = Failing::Refused(status);
                    forms = self
                        .experience
                        .add(|learned| learned.failed(aspect, form, &witness, how));
                }
                Used::Silent | Used::Refused(..) => {
                    self.experience
                        .add(|learned| learned.futile(aspect, form, &witness));
                }
            }
        }
        Err(error)
    }

    fn right(&self, usage: &'static str, form: (Aspect, usize), in_force: bool, witness: &Witness) {
        if in_force {
            self.experience.note(|learned| {
                let news = learned.seen(usage);
                learned.worked(form.0) | news
            });
        } else {
            self.helped(&[form], witness);
        }
    }

    fn harmed(&self, form: usize, group: &TargetId, they: &str) {
        let (now, aspect) = (self.experience.now(), Aspect::MemberRemoval);
        let what = format!("it removed more members from group {group} than were named; they {they}");
        let finding = self
            .experience
            .add(|learned| learned.harmed(aspect, form, now, &what));
        self.experience.say(finding);
    }

    /// Uses a form once for one group, watched: reads before, sends, reads after, and puts back members that were not
    /// named.
    pub(super) async fn use_once(
        &self,
        kind: ObjectKind,
        id: &TargetId,
        patch: &Patch,
        before: &ShownMembers,
        dialect: &Dialect,
    ) -> Result<(Used, Held), TargetError> {
        let unfinished = self
            .experience
            .ask(|learned| learned.trial().map(|trial| trial.group.clone()));
        if let Some(other) = unfinished {
            return Err(TargetError::Refused {
                what: format!(
                    "the change of members of group {id} was not sent: members of group {other} are still to be put back, and \
                     come first"
                ).into(),
                status: 0,
                hint: "the next cycle puts them back; if this stays, check that group at the target"
                    .to_owned(),
            });
        }
        let trial = Trial {
            group: id.as_str().to_owned(),
            before: before.there.iter().map(|id| id.as_str().to_owned()).collect(),
            named: patch
                .remove_members
                .iter()
                .map(|id| id.as_str().to_owned())
                .collect(),
        };
        self.experience.add(|learned| learned.set_trial(Some(trial)));
        self.experience.keep_durably().await?;
        let sent = self.send(kind, id, patch, dialect).await;
        // Read whatever the answer: a refusal, too, may have been carried out in part. Where that fails, the note
        // stays.
        let mut now = self.held(kind, id).await?;
        let named: BTreeSet<&TargetId> = patch.remove_members.iter().collect();
        let stays = |member: &&TargetId| !named.contains(*member);
        let lost: Vec<TargetId> = before
            .there
            .iter()
            .filter(stays)
            .filter(|member| now.1.lacks(member))
            .cloned()
            .collect();
        if !lost.is_empty() {
            let mut whole: BTreeSet<TargetId> = before.there.iter().filter(stays).cloned().collect();
            whole.extend(patch.add_members.iter().cloned());
            now = match self.put_back(kind, id, lost.clone(), whole).await {
                Ok(now) => now,
                // The note of the members stays; and no other group may lose its members to this form meanwhile.
                Err(error) => {
                    if !patch.remove_members.is_empty() {
                        self.harmed(
                            dialect.form(Aspect::MemberRemoval),
                            id,
                            "are still to be put back",
                        );
                        self.experience.keep_durably().await?;
                    }
                    return Err(error);
                }
            };
        }
        self.experience.add(|learned| learned.set_trial(None));
        let harmful = !lost.is_empty();
        let used = match sent.map_err(Miss::of) {
            _ if harmful => Used::Harmful,
            _ if is_right(patch, before, &now.1) => Used::Right,
            Ok(_) => {
                let used = self.unseen(id, patch, before, &mut now).await?;
                if matches!(used, Used::Right) {
                    used
                } else {
                    Used::Silent
                }
            }
            Err(Miss::Silent(..)) => Used::Silent,
            Err(Miss::Refused(error, status)) => Used::Refused(error, status),
            Err(Miss::Failed(error)) => {
                let error = self.about_members(kind, id, error).await?;
                let status = error.status();
                Used::Refused(error, status)
            }
        };
        Ok((used, now))
    }

    /// Judges a change that was answered with 2xx and is not seen. Where a group shows all its members, it was not
    /// done. Where it does not, the acceptance counts, unless a query to the target proves otherwise.
    async fn unseen(
        &self,
        id: &TargetId,
        patch: &Patch,
        before: &ShownMembers,
        now: &mut Held,
    ) -> Result<Used, TargetError> {
        let shows = |learned: &Learned| learned.shows_members();
        let nobody = before.there.is_empty() && now.1.there.is_empty();
        if nobody && self.experience.ask(shows) == Shows::Unknown && self.shows_by_name(&now.0).await? {
            *now = self.held(ObjectKind::Group, id).await?;
            return Ok(if is_right(patch, before, &now.1) {
                Used::Right
            } else {
                Used::Silent
            });
        }
        // As many as before although more were added, and no others: the number shown is limited.
        let same = !before.there.is_empty() && now.1.there == before.there && patch.remove_members.is_empty();
        if now.1.whole && !same {
            return Ok(Used::Silent);
        }
        let mut told = None;
        for (members, wanted) in [(&patch.add_members, true), (&patch.remove_members, false)] {
            for member in members
                .iter()
                .filter(|member| now.1.holds(member) != wanted)
                .take(MOST_ASKED)
            {
                told = self.is_in(id, member).await?;
                if told == Some(!wanted) {
                    return Ok(Used::Silent);
                }
            }
        }
        // Without a query that can answer: more were accepted before than are shown, so this one may be there as well.
        let more = patch.members_before.sent > now.1.there.len() as u64;
        if same && told.is_none() && now.1.whole && !more {
            return Ok(Used::Silent);
        }
        let (at, count) = (self.experience.now(), now.1.there.len());
        let finding = self.experience.add(|learned| match (nobody, same) {
            (true, _) => learned.hides_members(at),
            (false, true) => learned.shows_at_most(count),
            (false, false) => None,
        });
        finding
            .into_iter()
            .for_each(|finding| self.experience.say(finding));
        Ok(Used::Right)
    }

    /// Checks by a query that removed members are out, after a removal that was answered with 2xx by a target that
    /// shows no members.
    pub(super) async fn ask_for_leavers(
        &self,
        kind: ObjectKind,
        id: &TargetId,
        leavers: &[TargetId],
    ) -> Result<(), TargetError> {
        let asks =
            |learned: &Learned| learned.shows_members() == Shows::Not && learned.showing.question.is_some();
        if leavers.is_empty() || !self.experience.ask(asks) {
            return Ok(());
        }
        for leaver in leavers.iter().take(MOST_ASKED) {
            if self.is_in(id, leaver).await? == Some(true) {
                let what = "removed members are still in it, as a filter shows";
                return Err(not_carried_out(kind, id, what));
            }
        }
        Ok(())
    }

    /// Puts members back: the lost ones; all of them at once, where adding replaces; by PUT, where nothing else helps.
    async fn put_back(
        &self,
        kind: ObjectKind,
        id: &TargetId,
        lost: Vec<TargetId>,
        whole: BTreeSet<TargetId>,
    ) -> Result<Held, TargetError> {
        tracing::warn!(
            target.id = id.as_str(),
            members.restored = lost.len(),
            "The target took more members out of group {id} than were named; they are put back"
        );
        let dialect = self.dialect().await?;
        let all: Vec<TargetId> = whole.iter().cloned().collect();
        let by_put = Dialect {
            update: Update::Put,
            ..dialect.clone()
        };
        for (members, dialect) in [(lost, &dialect), (all.clone(), &dialect), (all, &by_put)] {
            // A refusal is followed by the next way; what it did is read.
            let sent = self
                .send(
                    kind,
                    id,
                    &Way::In.patch(members, MembersBefore::default()),
                    dialect,
                )
                .await;
            let now = self.held(kind, id).await?;
            if whole.iter().all(|member| now.1.holds(member)) {
                return Ok(now);
            }
            if let Err(error) = sent
                && !matches!(error, TargetError::Refused { .. })
            {
                return Err(error);
            }
        }
        self.experience.say(format!(
            "members of group {id} that the target took out by itself could not be put back; the next cycle tries again"
        ));
        Err(not_carried_out(
            kind,
            id,
            "members that it lost could not be put back",
        ))
    }

    /// Finishes a first use that an earlier process left unfinished.
    pub(super) async fn finish_trial(&self) -> Result<(), TargetError> {
        if self.experience.ask(|learned| learned.trial().is_none()) || self.experience.gave_up() {
            return Ok(());
        }
        let _turn = self.experience.first_use.lock().await;
        let Some(trial) = self.experience.ask(|learned| learned.trial().cloned()) else {
            return Ok(());
        };
        let kind = ObjectKind::Group;
        if let Some(id) = TargetId::new(&trial.group) {
            let now = match self.held(kind, &id).await {
                Ok((_, now)) => Some(now),
                Err(TargetError::NotFound { .. }) => None,
                Err(error) => return Err(error),
            };
            let whole: BTreeSet<TargetId> = trial
                .before
                .iter()
                .filter(|member| !trial.named.contains(member))
                .filter_map(|member| TargetId::new(member))
                .collect();
            if let Some(now) = now {
                let lost: Vec<TargetId> = whole.iter().filter(|member| now.lacks(member)).cloned().collect();
                if !lost.is_empty() {
                    match self.put_back(kind, &id, lost, whole).await {
                        Ok(_) => {}
                        // Reported already; the next cycle tries again, and this one does not keep everything else
                        // waiting.
                        Err(TargetError::Refused { .. }) => {
                            self.experience.give_up();
                            return Ok(());
                        }
                        Err(error) => return Err(error),
                    }
                    let form = self.experience.ask(|learned| learned.form(Aspect::MemberRemoval));
                    self.experience.say(format!(
                        "the first use of `{}` for member removal was cut short; members of group {id} that were gone were \
                         put back",
                        Aspect::MemberRemoval.forms()[form]
                    ));
                }
            }
        }
        self.experience.add(|learned| learned.set_trial(None));
        self.experience.keep_durably().await
    }

    pub(super) async fn held(&self, kind: ObjectKind, id: &TargetId) -> Result<Held, TargetError> {
        let Some(group) = self.read(kind, id).await? else {
            return Err(TargetError::NotFound {
                what: format!("group {id} is gone at the target").into(),
            });
        };
        let members = members_of(&group.body);
        Ok((group, members))
    }
}

/// Returns true where a reading shows that this was done: every added member is seen, and every removed one is not, and
/// was seen before or would be.
fn is_right(patch: &Patch, before: &ShownMembers, now: &ShownMembers) -> bool {
    let out = |member: &TargetId| now.lacks(member) || (before.holds(member) && !now.holds(member));
    patch.remove_members.iter().all(out) && patch.add_members.iter().all(|member| now.holds(member))
}

/// Returns true for statuses that may be about the form; others are about a named member, or the group.
const fn may_be_of_the_form(status: u16) -> bool {
    matches!(status, 400 | 501)
}

fn replaces(id: &TargetId) -> TargetError {
    TargetError::Refused {
        what: format!(
            "members were not added to group {id}: this target replaces all members where one is added"
        )
        .into(),
        status: 200,
        hint: "set dialect = { update = \"put\" } under the job's [target]".to_owned(),
    }
}

fn distinct(ids: &[TargetId], wanted: impl Fn(&TargetId) -> bool) -> Vec<TargetId> {
    let mut seen = BTreeSet::new();
    ids.iter()
        .filter(|id| wanted(id) && seen.insert(*id))
        .cloned()
        .collect()
}
