//! The types of values that are stored under a name and belong nowhere else.

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::model::clock::Timestamp;
use crate::model::condition::Condition;
use crate::model::id::ObjectKind;
use crate::model::id::SourceId;
use crate::model::id::TargetId;
use crate::reconcile::guard::Sent;

/// What was sent at one moment, of what the guard window counts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SentAt {
    /// When it was sent.
    pub at: Timestamp,
    /// How many of each.
    pub sent: Sent,
}

/// One request whose outcome is not recorded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OpenWrite {
    /// User or group.
    pub kind: ObjectKind,
    /// The source object.
    pub id: SourceId,
    /// The target paths that it sets.
    pub paths: Vec<String>,
    /// True when it adds or removes members.
    pub members: bool,
    /// The resource that it adopts for an object that has none yet.
    pub adopts: Option<TargetId>,
    /// The members that it puts into a group that it adopts: any other one was in it before.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub put_in: BTreeSet<SourceId>,
    /// When its batch was sent.
    pub at: Timestamp,
    /// True when an earlier request for the object is open too: that a later one was not sent settles nothing.
    #[serde(default)]
    pub earlier: bool,
    /// True when it was answered, and the answer does not show what the target holds: the resource is read back without
    /// waiting.
    #[serde(default)]
    pub answered: bool,
}

/// The rules that a job runs by, as its settings have them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConfigTaken {
    /// Who owns the file that was written last; empty for the first config, which nobody changed.
    pub by: String,
    /// The fingerprint of mapping, scope and policy.
    pub fingerprint: String,
    /// The keys that they are written with.
    pub keys: BTreeMap<String, String>,
    /// Since when they are in force.
    pub since: Timestamp,
}

/// A create whose answer does not show whether the resource exists now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AnsweredCreate {
    /// User or group.
    pub kind: ObjectKind,
    /// The source object.
    pub id: SourceId,
    /// When that was recorded: a create sent later is another one.
    pub at: Timestamp,
}

/// Values of another writer that a cycle found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AnotherWriter {
    /// The cycle.
    pub cycle: String,
    /// When they were found, RFC 3339.
    pub found: String,
    /// The number of values.
    pub values: u64,
    /// The first values, as `title of user ID`.
    pub examples: Vec<String>,
    /// True if the snapshot was restored: the values may be our own, sent after the backup.
    pub restored: bool,
}

/// The size of a type at the target when it was last listed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct TargetSize {
    /// The number of resources.
    pub resources: u64,
    /// The number of pages that they came in.
    pub pages: u64,
}

/// A state of the job that people were told of, and that lasts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notice {
    /// The state.
    pub condition: Condition,
    /// When it began.
    pub since: Timestamp,
    /// How bad it is: each step further is told at once.
    pub step: u32,
}
