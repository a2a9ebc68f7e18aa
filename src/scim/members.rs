//! Adding and removing members of a group, where a form is new here or was refused.
//!
//! Each form is used once, watched (`watched_members.rs`), before it is trusted; where the one in force does not work, the
//! others are tried.

use std::collections::BTreeSet;
use std::collections::VecDeque;

use super::client::ScimTarget;
use super::dialect::Aspect;
use super::dialect::Dialect;
use super::dialect::MemberRemoval;
use super::dialect::Update;
use super::learning::Failing;
use super::learning::Learned;
use super::learning::Witness;
use super::membership::Held;
use super::membership::TakenMembers;
use super::membership::Used;
use super::membership::Way;
use super::membership::shows_the_form;
use super::miss::not_carried_out;
use super::usage;
use crate::model::id::ObjectKind;
use crate::model::id::TargetId;
use crate::ports::Patch;
use crate::ports::RefusedMember;
use crate::ports::TargetError;
use crate::reconcile::shown_members::ShownMembers;

/// Reported where no form of a removal works.
const NO_REMOVAL: &str = "the target takes members out of a group in no form that was tried; until it does, whoever leaves a \
                          group stays in it there";

/// Reported where adding one member takes the others out.
const REPLACES_ALL: &str = "the target replaces all members of a group where one is added; they were put back, and nobody is \
                            added by PATCH any more: set dialect = { update = \"put\" } under the job's [target]";

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
            && let Some(taken) = self.change_taken_members(id, patch, dialect, known).await?
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
            let last = Some(found);
            return none.map_or(Ok(TakenMembers { last, refused }), Err);
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
        let last = Some(found);
        Ok(TakenMembers { last, refused })
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
        let (current, in_force) = self.removal_in_force();
        let mut forms: VecDeque<(Aspect, usize)> = in_force.into_iter().collect();
        let mut error = not_carried_out(kind, id, "removed members are still in it");
        let right = |of, form, first| self.right(usage::MEMBERS_REMOVED, (of, form), first, &witness);
        while let Some((of, form)) = forms.pop_front() {
            let used_in = dialect.clone().with(aspect, current).with(of, form);
            let first = of == aspect && form == current;
            let used = self.use_in_parts(id, Way::Out, removal, &held, &used_in);
            let (used, now) = used.await?;
            match used {
                Used::Right => {
                    if shows_the_form(Way::Out, &removal.remove_members, &held) {
                        right(of, form, first);
                    }
                    return Ok((now, Vec::new()));
                }
                Used::InPart(refused) => {
                    right(of, form, first);
                    return Ok((now, refused));
                }
                Used::Harmful => {
                    self.harmed(form, id, "were put back");
                    if !removal.remove_members.iter().any(|member| now.1.holds(member)) {
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
        self.experience.say(NO_REMOVAL.to_owned());
        Err(error)
    }

    /// Returns the form of a removal in force; and it as one to begin with, unless it is known to take others out too.
    fn removal_in_force(&self) -> (usize, Option<(Aspect, usize)>) {
        let aspect = Aspect::MemberRemoval;
        self.experience.ask(|learned| {
            let form = learned.form(aspect);
            let is_unsafe = learned.is_harmful(aspect, form) && !learned.is_pinned(aspect);
            (form, (!is_unsafe).then_some((aspect, form)))
        })
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
        let is_barred = |learned: &Learned| learned.is_barred(usage::MEMBERS_ADDED);
        if dialect.update == Update::Patch && self.experience.ask(is_barred) {
            return Err(replaces(id));
        }
        let current = self.experience.ask(|learned| learned.form(aspect));
        let mut forms = vec![current];
        let mut error = not_carried_out(kind, id, "added members are not in it");
        while let Some(form) = forms.pop() {
            let used_in = dialect.clone().with(aspect, form);
            let used = self.use_in_parts(id, Way::In, addition, &held, &used_in);
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
                    self.experience.say(REPLACES_ALL.to_owned());
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

    /// Notes that a removal took others out too.
    pub(super) fn harmed(&self, form: usize, group: &TargetId, they: &str) {
        let (now, aspect) = (self.experience.now(), Aspect::MemberRemoval);
        let what = format!("it removed more members from group {group} than were named; they {they}");
        let finding = self
            .experience
            .add(|learned| learned.harmed(aspect, form, now, &what));
        self.experience.say(finding);
    }
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
