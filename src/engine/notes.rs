//! What the steps of a cycle note for later ones.

use std::collections::BTreeSet;
use std::collections::HashSet;
use std::sync::Arc;

use crate::model::clock::Timestamp;
use crate::model::id::ObjectKind;
use crate::model::id::SourceId;
use crate::model::id::TargetId;
use crate::model::name::Name;
use crate::model::value::Value;
use crate::reconcile::refresh::Sweep;

/// A linked object with its resource.
pub(super) type Linked = (ObjectKind, SourceId, TargetId);

/// What is to be read again.
#[derive(Debug, Default)]
pub(super) struct Due {
    pub(super) resources: Vec<Linked>,
    /// The sweep as it stands once they were read.
    pub(super) sweep: Option<Sweep>,
}

impl Due {
    pub(super) const fn is_empty(&self) -> bool {
        self.resources.is_empty()
    }
}

/// What a cycle looks at, and what it came to.
#[derive(Debug, Default)]
pub(super) struct Looked {
    /// Types whose listing was whole.
    pub(super) whole: BTreeSet<ObjectKind>,
    /// Objects whose resources were read by themselves.
    pub(super) read: Vec<(ObjectKind, SourceId)>,
    /// Objects of which something is to be put right.
    pub(super) heals: BTreeSet<(ObjectKind, SourceId)>,
    /// Objects whose resource was found gone, and that nobody has looked for since.
    pub(super) lost: BTreeSet<(ObjectKind, SourceId)>,
    /// Objects whose resource is gone, which is only reported.
    pub(super) missing: Vec<(ObjectKind, SourceId)>,
    /// The users among them.
    pub(super) missing_users: Arc<HashSet<SourceId>>,
    /// Resources of refused members that were asked for.
    pub(super) doubted: BTreeSet<TargetId>,
    /// True once a link of this cycle was found to be lost.
    pub(super) losses: bool,
    /// Values that the target did not keep as they were healed: how many, and the first of them.
    pub(super) not_kept: (u64, Vec<String>),
    /// Values that look like another writer's.
    pub(super) suspects: Vec<Suspect>,
    /// How many more.
    pub(super) more_suspects: u64,
}

impl Looked {
    /// True when readings of this type are compared with.
    pub(super) fn is_looked_for(&self, kind: ObjectKind) -> bool {
        self.whole.contains(&kind) || self.read.iter().any(|(of, _)| *of == kind)
    }

    /// True when readings are compared with at all.
    pub(super) fn is_any(&self) -> bool {
        !(self.whole.is_empty() && self.read.is_empty())
    }
}

/// One value that somebody else seems to have written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Suspect {
    pub(super) kind: ObjectKind,
    pub(super) id: SourceId,
    pub(super) attribute: Name,
    pub(super) value: Value,
}

/// When the source's users were looked at again, and what came of it.
#[derive(Debug)]
pub(super) struct Overtaking {
    /// When they were last looked at.
    pub(super) looked: Timestamp,
    /// True once looking at them again in this cycle failed.
    pub(super) blind: bool,
    /// True once users were disabled who need not wait for requests without an answer.
    pub(super) disabled_meanwhile: bool,
}

impl Overtaking {
    /// The users were read when the cycle began.
    pub(super) const fn new(looked: Timestamp) -> Self {
        Self {
            looked,
            blind: false,
            disabled_meanwhile: false,
        }
    }
}
