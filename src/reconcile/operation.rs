//! Operations and their reasons: what is to be done to one object, and why.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::model::id::ObjectKind;
use crate::model::id::SourceId;
use crate::model::id::TargetId;
use crate::model::name::Name;
use crate::model::value::Value;

/// The name under which memberships stand among attributes, in plans and in the history.
pub const MEMBERS: &str = "members";

/// One attribute that changes at the target.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    /// Target path, as the mapping writes it.
    pub attribute: Name,
    /// What the target held, as far as known.
    pub before: Value,
    /// What it shall hold; `Null` removes it. A reference is shown as the source id until apply puts the target id in.
    pub after: Value,
}

/// The name of an operation in summaries, history and metrics.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verb {
    /// POST of a user.
    CreateUser,
    /// PATCH of a user that leaves `active` as it is or has none.
    UpdateUser,
    /// `active` from true to false.
    DisableUser,
    /// `active` from false to true.
    EnableUser,
    /// DELETE of a user.
    DeleteUser,
    /// POST of a group.
    CreateGroup,
    /// PATCH of a group's own attributes.
    UpdateGroup,
    /// DELETE of a group.
    DeleteGroup,
    /// One membership more.
    AddMember,
    /// One membership less.
    RemoveMember,
    /// Adoption of an existing user; no request of its own.
    LinkUser,
    /// Adoption of an existing group; no request of its own.
    LinkGroup,
}

impl Verb {
    /// As written in JSON: `create_user` and so on.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::CreateUser => "create_user",
            Self::UpdateUser => "update_user",
            Self::DisableUser => "disable_user",
            Self::EnableUser => "enable_user",
            Self::DeleteUser => "delete_user",
            Self::CreateGroup => "create_group",
            Self::UpdateGroup => "update_group",
            Self::DeleteGroup => "delete_group",
            Self::AddMember => "add_member",
            Self::RemoveMember => "remove_member",
            Self::LinkUser => "link_user",
            Self::LinkGroup => "link_group",
        }
    }
}

impl fmt::Display for Verb {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// An identified side of an operation, for showing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Subject {
    /// User or group.
    pub kind: ObjectKind,
    /// Source object.
    pub source: SourceId,
    /// Its resource, once there is one.
    pub target: Option<TargetId>,
}

/// One step of a plan: what to do to one object, and why. Names source ids; apply puts the target ids in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Operation {
    /// What to do.
    pub verb: Verb,
    /// User or group.
    pub kind: ObjectKind,
    /// The source object.
    pub source: SourceId,
    /// The name that people know it by, for showing; never logged.
    pub name: String,
    /// Its resource; `None` while there is none.
    pub target: Option<TargetId>,
    /// Why.
    pub because: Reason,
    /// Attributes that change; for a create, all that are sent; for a link, those found equal and recorded.
    pub changes: Vec<Change>,
    /// Memberships that change; for a link of a group, those found there and recorded.
    pub members: Vec<Member>,
}

/// One membership of an operation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Member {
    /// The member at the source.
    pub source: SourceId,
    /// The target id to remove, where it is another than the one now linked.
    pub target: Option<TargetId>,
    /// True when it goes because the member itself goes: counted with the user, not with the group.
    pub with_user: bool,
}

impl Operation {
    /// True for what takes access away from a person: counted and held back by the guard.
    #[must_use]
    pub const fn removes_user(&self) -> bool {
        matches!(self.verb, Verb::DisableUser | Verb::DeleteUser)
    }

    /// How many operations it counts for in a summary: one, or one a membership.
    #[must_use]
    pub fn count(&self) -> u64 {
        match self.verb {
            Verb::AddMember | Verb::RemoveMember => self.members.len() as u64,
            _ => 1,
        }
    }
}

/// Why an operation is planned.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Reason {
    /// In scope, and absent at the target.
    New {
        /// How absence was established.
        absence: String,
    },
    /// Linked, but its resource is gone at the target.
    MissingAtTarget,
    /// An existing resource is this object's.
    Matched {
        /// The target attribute that matched.
        by: String,
    },
    /// The resource of a deleted or disabled object with the same value.
    Rehired {
        /// The source property.
        by: String,
        /// The object that had it.
        from: SourceId,
    },
    /// The resource was adopted and differs in these attributes.
    AdoptedDiffers,
    /// The source moved.
    SourceChanged,
    /// A forced resync found the target different.
    TargetDiffers,
    /// `accountEnabled` is false.
    AccountDisabled,
    /// `accountEnabled` is true again, the object was restored, or it is back in scope.
    AccountEnabled,
    /// The mapping's own expression for `active` says so.
    MappedActive,
    /// Soft-deleted in Entra.
    SoftDeleted,
    /// Permanently deleted in Entra.
    HardDeleted,
    /// Members of the source group that the target's group lacks.
    MemberJoined,
    /// No longer a member of the source group.
    MemberLeft,
    /// The member itself is gone, or out of scope.
    MemberGone,
    /// A temporary name, because users want each other's.
    MakesWay,
    /// Alive at the source, and not ours to provision.
    OutOfScope {
        /// The rule that leaves it out.
        why: String,
    },
    /// The target was changed there, and is put right.
    Drifted,
    /// Enabled at the target, though it is to be disabled.
    ReenabledAtTarget,
    /// The source changed, and so did the target: the source wins.
    Conflict,
    /// The inverse of what a cycle did.
    Undone {
        /// The cycle.
        cycle: String,
    },
}

impl Reason {
    /// True for an operation that puts drift right: read back once it is carried out.
    #[must_use]
    pub const fn heals(&self) -> bool {
        matches!(self, Self::Drifted | Self::ReenabledAtTarget)
    }

    /// The word it is grouped by in JSON (`withheld.by_reason`) and metrics.
    #[must_use]
    pub const fn label(&self) -> &'static str {
        match self {
            Self::New { .. } => "new",
            Self::MissingAtTarget => "missing_at_target",
            Self::Matched { .. } => "matched",
            Self::Rehired { .. } => "rehired",
            Self::AdoptedDiffers => "adopted_differs",
            Self::SourceChanged => "source_changed",
            Self::TargetDiffers => "target_differs",
            Self::AccountDisabled => "account_disabled",
            Self::AccountEnabled => "account_enabled",
            Self::MappedActive => "mapped_active",
            Self::SoftDeleted => "soft_deleted",
            Self::HardDeleted => "hard_deleted",
            Self::MemberJoined => "member_joined",
            Self::MemberLeft => "member_left",
            Self::MemberGone => "member_gone",
            Self::MakesWay => "makes_way",
            Self::OutOfScope { .. } => "out_of_scope",
            Self::Drifted => "drifted",
            Self::ReenabledAtTarget => "reenabled_at_target",
            Self::Conflict => "conflict",
            Self::Undone { .. } => "undone",
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::New { absence } => write!(f, "in scope, and not at the target: {absence}"),
            Self::MissingAtTarget => f.write_str("it was linked, but its resource is gone at the target"),
            Self::Matched { by } => write!(f, "an existing resource has the same {by}"),
            Self::Rehired { by, from } => {
                write!(
                    f,
                    "it takes over the link of {from}, deleted or disabled, which has the same {by}"
                )
            }
            Self::AdoptedDiffers => f.write_str("the adopted resource differs from the source"),
            Self::SourceChanged => f.write_str("the source changed"),
            Self::TargetDiffers => f.write_str("the target differs, and a resync was asked for"),
            Self::AccountDisabled => {
                f.write_str("the account is disabled in Entra (accountEnabled is false)")
            }
            Self::AccountEnabled => f.write_str("the account is enabled in Entra, and in scope"),
            Self::MappedActive => f.write_str("the mapping's expression for `active` says so"),
            Self::SoftDeleted => f.write_str("deleted in Entra, restorable for 30 days"),
            Self::HardDeleted => f.write_str("permanently deleted in Entra"),
            Self::MemberJoined => f.write_str("members of the group in Entra"),
            Self::MemberLeft => f.write_str("not a member of the group in Entra any more"),
            Self::MemberGone => f.write_str("the members themselves are deleted in Entra, or out of scope"),
            Self::MakesWay => f.write_str(
                "a temporary name: users take each other's, and one of them has to make way first",
            ),
            Self::OutOfScope { why } => write!(f, "out of scope: {why}"),
            Self::Drifted => f.write_str("it was changed at the target, and is put right"),
            Self::ReenabledAtTarget => f.write_str(
                "it was enabled at the target, and is to be disabled: that is put right whatever the drift policy",
            ),
            Self::Conflict => f.write_str("the source changed, and so did the target: the source wins"),
            Self::Undone { cycle } => write!(f, "it undoes what cycle {cycle} did"),
        }
    }
}
