//! Operations and their reasons: what is to be done to one object, and why.

use serde::{Deserialize, Serialize};

use crate::model::id::ObjectKind;
use crate::model::id::SourceId;
use crate::model::id::TargetId;
use crate::model::name::Name;
use crate::model::value::Value;
use crate::model::verb::GuardClass;
use crate::reconcile::guard::review::Alike;
use crate::reconcile::guard::review::is_external_id;

pub use crate::model::verb::Verb;
pub use crate::reconcile::explain::reason::Reason;

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
    /// Why this one comes or goes.
    pub because: Reason,
}

impl Operation {
    /// True for what takes access away from a person: counted and held back by the guard.
    #[must_use]
    pub const fn removes_user(&self) -> bool {
        match self.verb.guard_class() {
            GuardClass::Removal => matches!(self.verb.kind(), ObjectKind::User),
            GuardClass::Members
            | GuardClass::Create
            | GuardClass::Adoption
            | GuardClass::Changes
            | GuardClass::Free
            | GuardClass::LetGo
            | GuardClass::WriteBack
            | GuardClass::Join
            | GuardClass::Leave
            | GuardClass::Unknown => false,
        }
    }

    /// Its reason again, after some of its changes or members were taken out.
    pub fn narrow_reason(&mut self) {
        if !self.members.is_empty() {
            self.because = Reason::of_members(&self.members);
        } else if !self.changes.is_empty() {
            self.because = self.because.narrowed(&self.changes);
        }
    }

    /// What a person has to review before it is carried out: for an adoption.
    #[must_use]
    pub const fn alike(&self) -> Option<&Alike> {
        match &self.because {
            Reason::Alike(alike) => Some(alike),
            _ => None,
        }
    }

    /// True for the adoption of a group that does not say whose it is: who is in it was there before us.
    #[must_use]
    pub fn takes_over(&self) -> bool {
        let is_ours = matches!(&self.because, Reason::Matched { by } if is_external_id(by));
        self.verb == Verb::link(ObjectKind::Group) && !is_ours
    }

    /// How many operations it counts for in a summary: one, or one a membership.
    #[must_use]
    pub fn count(&self) -> u64 {
        if self.verb.moves_members() {
            self.members.len() as u64
        } else {
            1
        }
    }
}
