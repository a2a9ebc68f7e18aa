//! Group members to add and to remove: what the source says and can be referred to, against what was sent.

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use crate::model::id::SourceId;
use crate::model::id::TargetId;
use crate::model::object::MemberKind;
use crate::reconcile::forward::view::MemberView;
use crate::reconcile::forward::view::Reference;
use crate::reconcile::operation::Member;
use crate::reconcile::operation::Reason;
use crate::reconcile::shown_members::ShownMembers;

/// The difference for one group.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MembershipDiff {
    /// To add.
    pub add: Vec<Member>,
    /// To remove. Removing what is not there is done.
    pub remove: Vec<Member>,
    /// At the target already, found at adoption: to be recorded, not sent.
    pub found: Vec<Member>,
    /// How many the target holds through us.
    pub sent: u64,
    /// Members that cannot be referred to: users that are not at the target, devices and the like.
    pub skipped: u64,
    /// Members whose turn comes in this cycle.
    pub pending: u64,
    /// Those of `add` and `remove` that the source did not move: the target lost or took them by itself.
    pub drift: BTreeSet<SourceId>,
}

impl MembershipDiff {
    /// Nothing of it counts as drift: what differs at the target differs for this reason.
    pub(in crate::reconcile) fn not_drift(&mut self, because: &Reason) {
        self.drift.clear();
        for member in self.add.iter_mut().chain(&mut self.remove) {
            if member.because.heals() {
                member.because = because.clone();
            }
        }
    }
}

/// Compares the memberships of one group. `observed` is what the group holds at the target, where it was read:
/// members there that belong to linked users who are not in the source group are removed, members that nobody
/// is linked to are left alone (promise 4), and who was sent and is surely not there is sent again.
#[must_use]
pub fn compare(
    members: &[MemberView],
    observed: Option<&ShownMembers>,
    owners: &BTreeMap<TargetId, SourceId>,
) -> MembershipDiff {
    let mut diff = MembershipDiff::default();
    let mut desired = BTreeSet::new();
    for member in members {
        diff.sent += u64::from(member.sent.is_some());
        if member.present && matches!(member.state, Reference::Linked(_) | Reference::Expected(_)) {
            desired.insert(member.id);
        }
        compare_one(member, observed, &mut diff);
    }
    let recorded: BTreeSet<&TargetId> = members.iter().filter_map(|member| member.sent.as_ref()).collect();
    for target in observed.into_iter().flat_map(|shown| &shown.there) {
        if let Some(owner) = owners.get(target)
            && !desired.contains(owner)
            && !recorded.contains(target)
        {
            diff.drift.insert(*owner);
            diff.remove.push(Member {
                source: *owner,
                target: Some(target.clone()),
                with_user: false,
                because: Reason::Drifted,
            });
        }
    }
    diff
}

fn compare_one(member: &MemberView, observed: Option<&ShownMembers>, diff: &mut MembershipDiff) {
    let wanted = match (&member.state, member.present, member.kind) {
        (_, false, _) => None,
        (Reference::Linked(target), true, MemberKind::User) => Some(Some(target)),
        (Reference::Expected(target), true, MemberKind::User) => Some(target.as_ref()),
        (Reference::Pending, true, MemberKind::User) => {
            diff.pending += 1;
            // Whether it gets the same resource again, or another, is not known before its turn came.
            if member.sent.is_some() {
                return;
            }
            None
        }
        (_, true, _) => {
            diff.skipped += 1;
            None
        }
    };
    let plain = |target: Option<TargetId>, because: Reason| Member {
        source: member.id,
        target,
        with_user: matches!(member.state, Reference::Gone | Reference::Out),
        because,
    };
    match (wanted, &member.sent) {
        (None, None) => {}
        // What was sent went with a resource that is made anew in this cycle: known by its new id, it is replaced at once.
        (None, Some(_)) if member.present && member.state == Reference::Pending => {}
        (Some(Some(target)), Some(sent)) if target == sent => {
            if observed.is_some_and(|shown| shown.lacks(sent)) {
                diff.drift.insert(member.id);
                diff.add.push(plain(None, Reason::Drifted));
            }
        }
        (Some(Some(target)), None) if observed.is_some_and(|shown| shown.holds(target)) => {
            diff.found.push(plain(Some(target.clone()), Reason::MemberJoined));
        }
        (Some(_), None) => diff.add.push(plain(None, Reason::MemberJoined)),
        (Some(_), Some(sent)) => {
            diff.remove
                .push(plain(Some(sent.clone()), Reason::MemberRelinked));
            diff.add.push(plain(None, Reason::MemberRelinked));
        }
        (None, Some(sent)) => diff.remove.push(plain(Some(sent.clone()), left_because(member))),
    }
}

/// Why a member that was put in goes: what the source says of the membership first, then what became of the member.
fn left_because(member: &MemberView) -> Reason {
    match (&member.state, member.present) {
        (_, false) if !matches!(member.state, Reference::Gone) => Reason::MemberLeft,
        (Reference::Gone, _) => Reason::MemberDeleted,
        (Reference::Out, _) => Reason::MemberOutOfScope,
        // Its turn comes: it gets another resource in this very cycle.
        (Reference::Pending, _) => Reason::MemberRelinked,
        (Reference::Absent | Reference::None, _) => Reason::MemberUnlinked,
        (Reference::Linked(_) | Reference::Expected(_), _) => Reason::MemberLeft,
    }
}

#[cfg(test)]
mod tests;
