//! What is decided for each user, and the operations that are due by it.

use std::collections::BTreeMap;

use super::evidence::Evidence;
use super::people::People;
use super::people::Person;
use crate::engine::back::EnrolledRules;
use crate::engine::back::Requires;
use crate::engine::back::findings::Findings;
use crate::engine::judge::kept_back::KeptBack;
use crate::model::clock::Timestamp;
use crate::model::id::ObjectKind;
use crate::model::id::SourceId;
use crate::model::name::Name;
use crate::model::value::Value;
use crate::reconcile::back::cell::ReadingId;
use crate::reconcile::back::echo::LOOK_AFTER;
use crate::reconcile::back::enrolled;
use crate::reconcile::back::enrolled::Decided;
use crate::reconcile::back::enrolled::EnrolledFinding;
use crate::reconcile::back::enrolled::MEMBER_OF;
use crate::reconcile::back::enrolled::Move;
use crate::reconcile::back::enrolled::OwnerStanding;
use crate::reconcile::back::enrolled::Passkey;
use crate::reconcile::back::enrolled::Seen;
use crate::reconcile::back::enrolled::Still;
use crate::reconcile::back::keys::KeyEvidence;
use crate::reconcile::back::outcome::Earlier;
use crate::reconcile::back::outcome::earlier;
use crate::reconcile::back::passkeys::combined;
use crate::reconcile::back::standing::Standing;
use crate::reconcile::guard::Class;
use crate::reconcile::operation::Change;
use crate::reconcile::operation::Operation;
use crate::reconcile::operation::Reason;
use crate::reconcile::operation::Verb;
use crate::snapshot::enrolments::Enrolled;
use crate::snapshot::kept_back::HoldCause;

/// A change that is due.
#[derive(Debug)]
pub(super) struct Due {
    pub(super) operation: Operation,
    /// A person let it through.
    pub(super) released: bool,
    /// Why it waits for a person, whatever the thresholds say.
    pub(super) waits: Option<&'static str>,
}

/// What a cycle comes to.
#[derive(Debug, Default)]
pub(super) struct Weighed {
    /// What is remembered of each user from now on.
    pub(super) kept: BTreeMap<SourceId, Enrolled>,
    /// Of whom that is other than before.
    pub(super) changed: Vec<SourceId>,
    pub(super) due: Vec<Due>,
    /// What an earlier cycle sent, got no answer to, and is seen to be done.
    pub(super) found: Vec<Operation>,
    /// Whose hold by an undo is over: they are in the group, or out of it, as their key has it by now.
    pub(super) settled: Vec<SourceId>,
}

/// What is weighed.
pub(super) struct Weighing<'a> {
    pub(super) rules: &'a EnrolledRules,
    pub(super) read: &'a Evidence,
    pub(super) people: &'a People,
    pub(super) reading: u64,
    pub(super) now: Timestamp,
    pub(super) kept_back: &'a KeptBack,
}

impl Weighing<'_> {
    /// Whose passkeys are asked for alone: newcomers of whom none was seen. Others go first in each cycle.
    pub(super) fn to_ask(&self) -> Vec<SourceId> {
        if self.rules.requires == Requires::Key {
            return Vec::new();
        }
        let wanted = |(user, person): &(&SourceId, &Person)| {
            person.owner == OwnerStanding::Enabled
                && self.key_of(**user) == KeyEvidence::Active
                && self.is_member(**user) == Some(false)
                && self.reported(**user, person) != Some(true)
        };
        let mut users: Vec<SourceId> = self
            .people
            .all
            .iter()
            .filter(wanted)
            .map(|(user, _)| *user)
            .collect();
        if !users.is_empty() {
            let first = usize::try_from(self.reading).unwrap_or(0).wrapping_mul(50) % users.len();
            users.rotate_left(first);
        }
        users
    }

    /// Decides for each user.
    pub(super) fn weigh(&self, alone: &BTreeMap<SourceId, Passkey>, findings: &mut Findings) -> Weighed {
        let mut weighed = Weighed::default();
        for (user, person) in &self.people.all {
            let before = person.before.as_ref();
            let mut kept = before.cloned().unwrap_or_else(|| Enrolled::new(self.now));
            let passkey = self.passkey(*user, person, alone);
            let (step, due) = self.weigh_one((*user, person), passkey, &mut kept, findings);
            if step == Move::Nothing(Still::AsItShouldBe) && self.is_held_by_undo(*user) {
                weighed.settled.push(*user);
            }
            if let Some(operation) = self.found((*user, person), &kept) {
                weighed.found.push(operation);
                kept.answered = false;
            }
            weighed.due.extend(due);
            let fresh = before.is_none() && kept.is_empty();
            if !fresh {
                if before != Some(&kept) {
                    weighed.changed.push(*user);
                }
                weighed.kept.insert(*user, kept);
            }
        }
        weighed
    }

    /// Decides for one user. Returns the step, and what is due.
    fn weigh_one(
        &self,
        (user, person): (SourceId, &Person),
        passkey: Passkey,
        kept: &mut Enrolled,
        findings: &mut Findings,
    ) -> (Move, Option<Due>) {
        kept.addresses.extend(person.addresses.iter().cloned());
        if let Some(report) = &self.read.report {
            kept.passkey = report.get(&user).copied();
        }
        let released = [true, false].map(|add| self.is_released(user, add));
        if released.contains(&true) {
            kept.enrolment = kept.enrolment.released();
        }
        let seen = self.seen(user, person, passkey);
        let decided = enrolled::decide(&kept.enrolment, &seen, self.rules.leave_after);
        kept.enrolment = decided.enrolment;
        let has_passkey = passkey == Passkey::Yes && person.owner == OwnerStanding::Enabled;
        let standing = Standing::of(&decided, seen.member, has_passkey);
        let change = change(&decided);
        let refusal = self.refusal(person).filter(|_| change.is_some());
        // What is not known now stands as it did.
        let blind = decided.step == Move::Nothing(Still::NoEvidence) && person.before.is_some();
        if !blind {
            let refused = refusal == Some(Earlier::Stands);
            kept.stands(if refused { Standing::Refused } else { standing }, self.now);
            // Of what is not wanted any more nothing was refused; and a refusal that may have come too early is known until the next.
            kept.refused = kept
                .refused
                .filter(|_| refusal.is_some_and(|refusal| refusal != Earlier::Over));
        }
        if let Some(finding) = decided.finding {
            findings.note(finding.code(), user);
        }
        if standing == Standing::PasskeyWithoutKey {
            findings.note(Standing::PasskeyWithoutKey.code(), user);
        }
        let may_go = match refusal {
            Some(Earlier::Stands) => {
                findings.note(Standing::Refused.code(), user);
                false
            }
            Some(Earlier::NotThereYet) => false,
            Some(Earlier::OnceMore | Earlier::Over) | None => true,
        };
        let due = change.filter(|_| may_go).map(|(add, waits)| Due {
            operation: self.operation((user, person), add, waits.is_some()),
            released: released[usize::from(!add)],
            waits,
        });
        (decided.step, due)
    }

    /// True where an undo holds the membership, and was long enough ago for every replica to show what it did.
    fn is_held_by_undo(&self, user: SourceId) -> bool {
        let hold = self.kept_back.attribute(ObjectKind::User, user, MEMBER_OF);
        hold.is_some_and(|hold| hold.cause == HoldCause::Undo && self.now.since(hold.since) >= LOOK_AFTER)
    }

    fn seen(&self, user: SourceId, person: &Person, passkey: Passkey) -> Seen {
        Seen {
            key: self.key_of(user),
            passkey: (self.rules.requires == Requires::KeyAndPasskey).then_some(passkey),
            owner: person.owner,
            never: self.rules.never.contains(&user),
            member: self.is_member(user),
            // The members were read whole, just now.
            looked: true,
            reading: ReadingId(self.reading),
            names_read: self.people.names_read,
            now: self.now,
        }
    }

    fn key_of(&self, user: SourceId) -> KeyEvidence {
        let keys = self.people.keys.as_ref();
        keys.map_or(KeyEvidence::Unknown, |keys| keys.of_user(user))
    }

    fn is_member(&self, user: SourceId) -> Option<bool> {
        self.read.members.as_ref().map(|members| members.contains(&user))
    }

    /// What the report has of a user: now, or when it was last read.
    fn reported(&self, user: SourceId, person: &Person) -> Option<bool> {
        match &self.read.report {
            Some(report) => report.get(&user).copied(),
            None => person.before.as_ref().and_then(|before| before.passkey),
        }
    }

    fn passkey(&self, user: SourceId, person: &Person, alone: &BTreeMap<SourceId, Passkey>) -> Passkey {
        let report = self
            .reported(user, person)
            .map(|has| if has { Passkey::Yes } else { Passkey::NotSeen });
        combined(report.into_iter().chain(alone.get(&user).copied()))
    }

    fn is_released(&self, user: SourceId, add: bool) -> bool {
        let class = if add { Class::Join } else { Class::Leave };
        self.kept_back
            .released(&(ObjectKind::User, user, class), Verb::enrol(add))
            .is_some()
    }

    /// What an earlier refusal means by now.
    fn refusal(&self, person: &Person) -> Option<Earlier> {
        let before = person.before.as_ref()?;
        let stands = before.standing == Standing::Refused;
        let refused = before.refused?;
        Some(earlier(refused.status, refused.at, stands, self.now))
    }

    /// The operation that an earlier cycle got no answer to, where the members show that it was carried out.
    fn found(&self, (user, person): (SourceId, &Person), kept: &Enrolled) -> Option<Operation> {
        let before = person.before.as_ref()?;
        let open = before.enrolment.open.filter(|_| !before.answered)?;
        let arrived = kept.enrolment.open.is_none() && self.is_member(user) == Some(open.add);
        arrived.then(|| self.operation((user, person), open.add, false))
    }

    fn operation(&self, (user, person): (SourceId, &Person), add: bool, waits: bool) -> Operation {
        let group = Value::text(self.rules.group.to_string());
        let (before, after) = if add {
            (Value::Null, group)
        } else {
            (group, Value::Null)
        };
        Operation {
            verb: Verb::enrol(add),
            kind: ObjectKind::User,
            source: user,
            name: person.name.clone(),
            target: None,
            because: self.because((user, person), add, waits),
            changes: vec![Change {
                attribute: Name::from(MEMBER_OF),
                before,
                after,
            }],
            members: Vec::new(),
        }
    }

    fn because(&self, (user, person): (SourceId, &Person), add: bool, waits: bool) -> Reason {
        match (add, waits, person.removed) {
            (true, false, _) => Reason::HoldsKey,
            (true, true, _) => Reason::RemovedByHand,
            (false, true, _) => Reason::ForeignMember,
            (false, false, _) if self.rules.never.contains(&user) => Reason::NeverMember,
            (false, false, Some(removed)) => Reason::of_removal(removed),
            (false, false, None) if person.owner == OwnerStanding::Disabled => Reason::AccountDisabled,
            (false, false, None) if self.key_of(user) == KeyEvidence::Blocked => Reason::KeyBlocked,
            (false, false, None) => Reason::KeyGone,
        }
    }
}

/// The change that is wanted: whether it adds, and why it waits for a person.
fn change(decided: &Decided) -> Option<(bool, Option<&'static str>)> {
    match (decided.step, decided.finding) {
        (Move::Add, _) => Some((true, None)),
        (Move::Remove, _) => Some((false, None)),
        (_, Some(EnrolledFinding::RemovedByHand)) => Some((
            true,
            Some("somebody took the member out by hand: it is put back after 24 hours, or once released"),
        )),
        (_, Some(EnrolledFinding::ForeignMember)) => Some((
            false,
            Some("melonsync did not add this member: it is taken out once released"),
        )),
        _ => None,
    }
}
