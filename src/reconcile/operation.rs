//! Operations and their reasons: what is to be done to one object, and why.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::model::id::ObjectKind;
use crate::model::id::SourceId;
use crate::model::id::TargetId;
use crate::model::value::Value;

/// One attribute that changes at the target.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    /// Target path, as the mapping writes it.
    pub attribute: String,
    /// What the target held, as far as known.
    pub before: Value,
    /// What it shall hold; `Null` removes it. A reference is shown as the source id until apply puts the target id in.
    pub after: Value,
}

/// The name of an operation in summaries, history and metrics (INTERFACE section 3).
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
