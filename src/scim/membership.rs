//! The outcome for members that were added or removed.

use crate::model::id::TargetId;
use crate::ports::MembersBefore;
use crate::ports::Patch;
use crate::ports::RefusedMember;
use crate::ports::Resource;
use crate::ports::TargetError;
use crate::reconcile::shown_members::ShownMembers;

/// The members seen in a group, and the resource that shows them.
pub(super) type Held = (Resource, ShownMembers);

/// How one use of a form ended.
pub(super) enum Used {
    /// The named members, and only they, were added or removed.
    Right,
    /// Some of them were, and no others; these were refused.
    InPart(Vec<RefusedMember>),
    /// Some of them were not.
    Silent,
    /// Other members left too, and were put back.
    Harmful,
    /// Refused.
    Refused(TargetError, u16),
}

/// The outcome for members that were to be added or removed.
#[derive(Debug, Default)]
pub(super) struct TakenMembers {
    /// The group as it was answered or read last.
    pub(super) last: Option<Resource>,
    /// The members that were refused.
    pub(super) refused: Vec<RefusedMember>,
}

impl TakenMembers {
    /// Returns those removed members of a patch that left.
    pub(super) fn gone(&self, patch: &Patch) -> Vec<TargetId> {
        let stayed = |leaver: &&TargetId| !self.refused.iter().any(|one| one.member == **leaver);
        patch.remove_members.iter().filter(stayed).cloned().collect()
    }
}

/// Whether members are added or removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    Out,
    In,
}

impl Way {
    /// Builds the patch of these members, and nothing else.
    pub(super) fn patch(self, members: Vec<TargetId>, before: MembersBefore) -> Patch {
        let (add_members, remove_members) = match self {
            Self::In => (members, Vec::new()),
            Self::Out => (Vec::new(), members),
        };
        Patch {
            changes: Vec::new(),
            held: Default::default(),
            add_members,
            remove_members,
            members_before: before,
        }
    }

    /// Returns those of the named members that are not where they were to be.
    pub(super) fn undone(
        self,
        named: &[TargetId],
        before: &ShownMembers,
        now: &ShownMembers,
    ) -> Vec<TargetId> {
        let done = |member: &&TargetId| match self {
            Self::In => now.holds(member),
            Self::Out => before.holds(member) && !now.holds(member),
        };
        named.iter().filter(|member| !done(member)).cloned().collect()
    }

    /// Returns those members of a patch that go this way.
    pub(super) fn of(self, patch: &Patch) -> &[TargetId] {
        match self {
            Self::In => &patch.add_members,
            Self::Out => &patch.remove_members,
        }
    }
}

/// Returns true where the outcome for these members proves something about the form: a member that was not there before
/// is out whatever was sent.
pub(super) fn shows_the_form(way: Way, members: &[TargetId], before: &ShownMembers) -> bool {
    way == Way::In || !before.whole || members.iter().any(|member| before.holds(member))
}
