//! One use of a form that changes members, watched.
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
use super::dialect::Update;
use super::learning::Learned;
use super::learning::Trial;
use super::learning::showing::Shows;
use super::membership::Held;
use super::membership::Used;
use super::membership::Way;
use super::miss::Miss;
use super::miss::not_carried_out;
use crate::model::id::ObjectKind;
use crate::model::id::TargetId;
use crate::ports::MembersBefore;
use crate::ports::Patch;
use crate::ports::TargetDirectory;
use crate::ports::TargetError;
use crate::reconcile::members_of;
use crate::reconcile::shown_members::ShownMembers;

/// The most members that are asked for one by one after a change that is not seen.
const MOST_ASKED: usize = 20;

impl ScimTarget {
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
        self.begin_trial(id, patch, before).await?;
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
            let put_back = self.put_back(kind, id, lost.clone(), whole).await;
            // The note of the members stays; and no other group may lose its members to this form meanwhile.
            if put_back.is_err() && !patch.remove_members.is_empty() {
                let form = dialect.form(Aspect::MemberRemoval);
                self.harmed(form, id, "are still to be put back");
                self.experience.keep_durably().await?;
            }
            now = put_back?;
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

    /// Notes the members of a group on disk, before a form is used on it. An error where those of another group are still to be
    /// put back.
    async fn begin_trial(
        &self,
        id: &TargetId,
        patch: &Patch,
        before: &ShownMembers,
    ) -> Result<(), TargetError> {
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
        self.experience.keep_durably().await
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
