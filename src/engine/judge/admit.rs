//! Which operations of a plan are carried out now: what is on hold, or what the guard withholds, is left and said.

use crate::engine::judge::Judge;
use crate::engine::judge::kept_back::Met;
use crate::engine::judge::kept_back::class_of;
use crate::engine::run::Run;
use crate::engine::standing::Fact;
use crate::engine::work::Pass;
use crate::engine::work::Work;
use crate::engine::work::empties;
use crate::engine::work::is_active;
use crate::mapping::TargetPath;
use crate::model::id::ObjectKind;
use crate::model::id::SourceId;
use crate::model::verb::GuardClass;
use crate::reconcile::explain::omission::Omission;
use crate::reconcile::guard;
use crate::reconcile::guard::Approval;
use crate::reconcile::guard::Class;
use crate::reconcile::operation::Member;
use crate::reconcile::operation::Operation;
use crate::reconcile::operation::Verb;
use crate::snapshot::kept_back::Withheld;

/// The path of a group's members, as holds name it.
const MEMBERS: &str = "members";

impl Judge {
    /// Lets one operation through, or keeps it (or a part of it) back. False: what follows it waits for it.
    pub(in crate::engine) fn admit(
        &mut self,
        run: &mut Run<'_>,
        pass: Pass,
        operation: Operation,
        counted: bool,
        work: &mut Work,
    ) -> bool {
        let Some(mut operation) = self.without_held(run, pass, operation, work) else {
            return true;
        };
        match operation.verb.guard_class() {
            GuardClass::Members => self.admit_members(run, pass, operation, work),
            GuardClass::Create => return self.admit_create(run, operation, work),
            GuardClass::Adoption => return self.admit_link(run, operation, work),
            GuardClass::Removal => {
                self.withhold_identity(run, &mut operation, work);
                self.admit_removal(run, pass, operation, counted, work);
            }
            // It ends with the last of our members, and takes nothing from anybody by itself.
            GuardClass::LetGo
                if work.left
                    || run
                        .standing
                        .is((operation.kind, operation.source), Fact::MembersJudged) =>
            {
                work.left = true;
            }
            GuardClass::Changes => {
                self.withhold_identity(run, &mut operation, work);
                if !operation.changes.is_empty() {
                    work.run.push(operation);
                }
            }
            GuardClass::Free | GuardClass::LetGo => work.run.push(operation),
            // What goes to the source is judged on the way back, and is none of the target's.
            GuardClass::WriteBack | GuardClass::Join | GuardClass::Leave | GuardClass::Unknown => {
                withhold_unknown(run, &operation, work);
                return false;
            }
        }
        true
    }

    /// The operation without what is on hold; `None` where nothing is left of it.
    pub(in crate::engine) fn without_held(
        &self,
        run: &mut Run<'_>,
        pass: Pass,
        mut operation: Operation,
        work: &mut Work,
    ) -> Option<Operation> {
        let (kind, id) = (operation.kind, operation.source);
        if let Some(hold) = self.kept_back.whole(kind, id) {
            let why = hold.words();
            report_hold(run, pass, &operation, (operation.count(), why), work);
            return None;
        }
        if operation.verb.moves_members()
            && let Some(hold) = self.kept_back.attribute(kind, id, MEMBERS)
        {
            let why = hold.words();
            report_hold(run, pass, &operation, (operation.count(), why), work);
            return None;
        }
        if operation.verb == Verb::RemoveMember {
            return self.without_held_members(run, pass, operation, work);
        }
        if !operation.verb.updates() {
            return Some(operation);
        }
        let mut why = None;
        let held = &self.kept_back;
        operation
            .changes
            .retain(|change| match held.attribute(kind, id, &change.attribute) {
                Some(hold) => {
                    why = Some(format!("{} is on {}", change.attribute.as_str(), hold.words()));
                    false
                }
                None => true,
            });
        if let Some(why) = why {
            report_hold(run, pass, &operation, (1, why), work);
            operation.narrow_reason();
            let sets_active = operation.changes.iter().any(is_active);
            if operation.verb.switches() && !sets_active {
                operation.verb = Verb::update(kind);
            }
        }
        (!operation.changes.is_empty()).then_some(operation)
    }

    /// Members that go because their user goes stay while that user is on hold, or its `active`, unless it is deleted.
    fn without_held_members(
        &self,
        run: &mut Run<'_>,
        pass: Pass,
        mut operation: Operation,
        work: &mut Work,
    ) -> Option<Operation> {
        let held = &self.kept_back;
        let hold_on = |member: &Member| {
            let (kind, id) = (ObjectKind::User, member.source);
            let deleted = work.removals.get(&id).is_some_and(|verb| verb.deletes());
            let active = || {
                held.attribute(kind, id, TargetPath::active().as_str())
                    .filter(|_| !deleted)
            };
            held.whole(kind, id).or_else(active)
        };
        let is_held = |member: &Member| member.with_user && hold_on(member).is_some();
        let (stay, go): (Vec<_>, Vec<_>) = operation.members.drain(..).partition(is_held);
        if let Some(member) = stay.first() {
            let why = hold_on(member);
            let why = format!(
                "its user is on {}",
                why.map_or_else(String::new, |hold| hold.words())
            );
            report_hold(run, pass, &operation, (stay.len() as u64, why), work);
        }
        operation.members = go;
        operation.narrow_reason();
        (!operation.members.is_empty()).then_some(operation)
    }

    fn admit_removal(
        &mut self,
        run: &mut Run<'_>,
        pass: Pass,
        mut operation: Operation,
        counted: bool,
        work: &mut Work,
    ) {
        let (kind, id) = (operation.kind, operation.source);
        match self.approval(kind) {
            Approval::Withheld(why) if !self.kept_back.lets_through(kind, id, operation.verb) => {
                let mut disable = operation.clone();
                if operation.verb == Verb::DisableUser {
                    disable.changes.retain(is_active);
                    disable.narrow_reason();
                }
                let over = self.over.as_ref().filter(|(over, _)| over.contains(&id));
                let why = over.map_or(why, |(_, over)| over.clone());
                self.withhold(run, &disable, (Class::Removal, Vec::new()), why, work);
                // What does not take access away goes on.
                if operation.verb == Verb::DisableUser {
                    operation.verb = Verb::UpdateUser;
                    operation.changes.retain(|change| !is_active(change));
                    operation.narrow_reason();
                    if !operation.changes.is_empty() {
                        work.run.push(operation);
                    }
                }
            }
            word if counted => {
                if word.withheld().is_some() {
                    self.met.push(((kind, id, Class::Removal), Met::Released));
                }
                // Deletes have their own pass; until then the object stays as it is.
                if operation.verb.deletes() && pass != Pass::Deletes {
                    work.left = true;
                } else {
                    // Access first; the rest, and references that are yet to come, in the users' pass. An
                    // adoption stays whole: only now is it known what the resource holds.
                    let adopts = work.run.iter().any(|other| other.verb == Verb::LinkUser);
                    if pass == Pass::Disables && !adopts {
                        let all = operation.changes.len();
                        operation.changes.retain(is_active);
                        operation.narrow_reason();
                        work.left |= operation.changes.len() < all || work.plan.pending_references > 0;
                    }
                    work.run.push(operation);
                }
            }
            _ => {
                work.left = true;
                work.plan
                    .omissions
                    .push(Omission::NotCounted { verb: operation.verb });
            }
        }
    }

    fn admit_create(&mut self, run: &mut Run<'_>, operation: Operation, work: &mut Work) -> bool {
        let key = (operation.kind, operation.source, Class::Create);
        let word = self.approvals.as_ref().map(|approvals| approvals.creates.clone());
        if let Some(Approval::Withheld(why)) = word {
            if self.kept_back.released(&key, operation.verb).is_none() {
                self.withhold(run, &operation, (Class::Create, Vec::new()), why, work);
                return false;
            }
            self.met.push((key, Met::Released));
        }
        work.run.push(operation);
        true
    }

    /// An adoption by a value that its owner can choose waits for a person, whatever the thresholds say.
    fn admit_link(&mut self, run: &mut Run<'_>, operation: Operation, work: &mut Work) -> bool {
        if let Some(alike) = operation.alike() {
            if !self.kept_back.lets_link(&operation) {
                let why = alike.words();
                self.withhold(run, &operation, (Class::Adoption, Vec::new()), why, work);
                return false;
            }
            let key = (operation.kind, operation.source, Class::Adoption);
            self.met.push((key, Met::Released));
        }
        work.run.push(operation);
        true
    }

    /// Takes changes of userName, externalId and roles out of an update while they are withheld.
    fn withhold_identity(&mut self, run: &mut Run<'_>, operation: &mut Operation, work: &mut Work) {
        if !guard::changes_identity(operation) {
            return;
        }
        let word = self
            .approvals
            .as_ref()
            .map(|approvals| approvals.identities.clone());
        let Some(Approval::Withheld(why)) = word else {
            return;
        };
        let enables = operation.verb == Verb::EnableUser;
        let mut change = operation.clone();
        change.verb = Verb::update(operation.kind);
        let key = (operation.kind, operation.source, Class::Identity);
        if self.kept_back.released(&key, change.verb).is_some() {
            self.met.push((key, Met::Released));
            return;
        }
        operation
            .changes
            .retain(|change| !guard::is_identity(change, enables));
        operation.narrow_reason();
        change
            .changes
            .retain(|change| guard::is_identity(change, enables));
        change.narrow_reason();
        self.withhold(run, &change, (Class::Identity, Vec::new()), why, work);
    }

    /// Members that go with their user are counted with the user, those of a deleted group with the group;
    /// the others by the group's own threshold.
    fn admit_members(&mut self, run: &mut Run<'_>, pass: Pass, mut operation: Operation, work: &mut Work) {
        let (kind, id) = (operation.kind, operation.source);
        if pass == Pass::Groups && run.standing.is((kind, id), Fact::MembersJudged) {
            work.left = true;
            return;
        }
        let class = class_of(&operation).unwrap_or(Class::Members);
        let (through, rest) = self.released_members(class, &mut operation);
        if !through.is_empty() {
            self.met.push(((kind, id, class), Met::Released));
        }
        let (with_user, own): (Vec<_>, Vec<_>) = rest.into_iter().partition(|member| member.with_user);
        let (named, with_user): (Vec<_>, Vec<_>) = with_user.into_iter().partition(|member| {
            let removal = work.removals.get(&member.source).copied();
            self.kept_back.lets_member_through(member.source, removal)
        });
        operation.members.extend(through);
        operation.members.extend(named);
        let own_word = self.word_on_members(run, &operation, own.len() as u64, work.plan.members_held);
        let user_word = self.approval(ObjectKind::User);
        let (mut back, mut words, mut kept) = (Vec::new(), Vec::new(), Vec::new());
        for (members, word) in [(with_user, user_word), (own, own_word)] {
            match word {
                _ if members.is_empty() => {}
                Approval::Approved => operation.members.extend(members),
                Approval::Withheld(why) => {
                    back.extend(members.iter().map(|member| member.source));
                    kept.extend(members);
                    words.push(why);
                }
            }
        }
        if !back.is_empty() {
            run.standing.note((kind, id), Fact::MembersJudged);
            words.dedup();
            let mut held = operation.clone();
            held.members = kept;
            held.narrow_reason();
            self.withhold(run, &held, (class, back), words.join("; "), work);
        }
        if !operation.members.is_empty() {
            operation.narrow_reason();
            work.run.push(operation);
        }
    }

    /// The members that a release lets go, and the rest.
    fn released_members(&self, class: Class, operation: &mut Operation) -> (Vec<Member>, Vec<Member>) {
        let key = (operation.kind, operation.source, class);
        let members = std::mem::take(&mut operation.members);
        match self.kept_back.released(&key, Verb::RemoveMember) {
            Some(entry) if !self.kept_back.removals_paused() => {
                let named: std::collections::BTreeSet<SourceId> = entry.members.iter().copied().collect();
                members
                    .into_iter()
                    .partition(|member| named.contains(&member.source))
            }
            _ => (Vec::new(), members),
        }
    }

    pub(in crate::engine) fn word_on_members(
        &self,
        run: &Run<'_>,
        operation: &Operation,
        asked: u64,
        holds: u64,
    ) -> Approval {
        if let Some(word) = self.standing_word(run) {
            return word;
        }
        if empties(operation) {
            return self.approval(ObjectKind::Group);
        }
        let approvals = self.approvals.as_ref();
        if let Some(word) = approvals.map(|approvals| approvals.members.clone())
            && word.withheld().is_some()
        {
            return word;
        }
        let allowed = approvals.and_then(|approvals| approvals.allowed);
        guard::approve_members(
            operation.source,
            asked,
            holds,
            &self.sent,
            &run.job.policy,
            allowed,
        )
    }

    /// Says that an operation is held back, and counts it, once an object: a later sweep meets it again.
    fn withhold(
        &mut self,
        run: &mut Run<'_>,
        operation: &Operation,
        (class, members): (Class, Vec<SourceId>),
        why: String,
        work: &mut Work,
    ) {
        let count = if operation.verb == Verb::RemoveMember {
            members.len() as u64
        } else {
            1
        };
        work.left = true;
        if !run
            .standing
            .is((operation.kind, operation.source), Fact::Reported)
        {
            run.summary.withhold(operation, count);
        }
        work.plan.omissions.push(Omission::Withheld {
            verb: operation.verb,
            why: why.clone(),
        });
        let entry = Withheld {
            verb: operation.verb,
            reason: operation.because.label().to_owned(),
            because: operation.because.to_string(),
            why,
            count,
            members,
            since: run.now,
            cycle: run.order.id,
            released_by: None,
            alike: operation.alike().cloned(),
        };
        let key = (operation.kind, operation.source, class);
        self.met.push((key, Met::Withheld(Box::new(entry))));
    }
}

/// Reports that a part of a work is on hold.
fn report_hold(
    run: &mut Run<'_>,
    pass: Pass,
    operation: &Operation,
    (count, why): (u64, String),
    work: &mut Work,
) {
    work.left = true;
    // The groups' own pass meets it again, and says it.
    if pass == Pass::MembersOut {
        return;
    }
    if !run
        .standing
        .is((operation.kind, operation.source), Fact::Reported)
    {
        run.summary.held += count;
    }
    work.plan.omissions.push(Omission::Held {
        verb: operation.verb,
        why,
    });
}

/// What the guard does not know is not sent, whatever is allowed: a person cannot let it through either.
fn withhold_unknown(run: &mut Run<'_>, operation: &Operation, work: &mut Work) {
    work.left = true;
    if !run
        .standing
        .is((operation.kind, operation.source), Fact::Reported)
    {
        run.summary.withhold(operation, operation.count());
    }
    work.plan.omissions.push(Omission::Withheld {
        verb: operation.verb,
        why: guard::unknown(operation.verb),
    });
}

#[cfg(test)]
mod tests;
