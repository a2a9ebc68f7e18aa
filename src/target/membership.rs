//! What became of members who were to come or to go.

use crate::model::id::TargetId;
use crate::ports::MembersBefore;
use crate::ports::Patch;
use crate::ports::RefusedMember;
use crate::ports::Resource;
use crate::ports::TargetError;
use crate::reconcile::shown_members::ShownMembers;

/// Who is seen in a group, and the resource that says so.
pub(super) type Held = (Resource, ShownMembers);

/// How one use of a form ended.
pub(super) enum Used {
    /// The named ones, and only they, went or came.
    Right,
    /// Some of them did, and nobody else; these were refused.
    InPart(Vec<RefusedMember>),
    /// Some are not as they should be.
    Silent,
    /// Others went too, and were put back.
    Harmful,
    /// Refused.
    Refused(TargetError, u16),
}

/// What became of members who were to come or to go.
#[derive(Debug, Default)]
pub(super) struct TakenMembers {
    /// The group as it was answered or read last.
    pub(super) last: Option<Resource>,
    /// Who was refused.
    pub(super) refused: Vec<RefusedMember>,
}

impl TakenMembers {
    /// Those of a patch who went.
    pub(super) fn gone(&self, patch: &Patch) -> Vec<TargetId> {
        let stayed = |leaver: &&TargetId| !self.refused.iter().any(|one| one.member == **leaver);
        patch.remove_members.iter().filter(stayed).cloned().collect()
    }
}

/// Which way members go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    Out,
    In,
}

impl Way {
    /// These members, and nothing else.
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

    /// Those of the named who are not where they were to be.
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

    /// Those of a patch who go this way.
    pub(super) fn of(self, patch: &Patch) -> &[TargetId] {
        match self {
            Self::In => &patch.add_members,
            Self::Out => &patch.remove_members,
        }
    }
}

/// True where what happened to these tells of the form: who was not there before is out whatever was sent.
pub(super) fn shows_the_form(way: Way, members: &[TargetId], before: &ShownMembers) -> bool {
    way == Way::In || !before.whole || members.iter().any(|member| before.holds(member))
}
