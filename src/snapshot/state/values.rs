//! The values that have no other home than their name.

use serde::{Deserialize, Serialize};

use crate::model::clock::Timestamp;
use crate::model::id::ObjectKind;
use crate::model::id::SourceId;
use crate::model::id::TargetId;
use crate::reconcile::guard::Sent;

/// What was sent at one moment, of what the guard window counts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SentAt {
    /// When.
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
    /// The resource that it takes over for an object that has none yet.
    pub adopts: Option<TargetId>,
    /// When its batch was sent.
    pub at: Timestamp,
    /// True when an earlier request for it is open too: that a later one was not sent settles nothing.
    #[serde(default)]
    pub earlier: bool,
    /// True when it was answered, and the answer does not tell what the target holds: it is read back, and not waited for.
    #[serde(default)]
    pub answered: bool,
}

/// A create that was answered, in a way that does not tell whether there is a resource now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AnsweredCreate {
    /// User or group.
    pub kind: ObjectKind,
    /// The source object.
    pub id: SourceId,
    /// When that was recorded: a create sent later is another one.
    pub at: Timestamp,
}

/// What a cycle found of another writer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AnotherWriter {
    /// The cycle.
    pub cycle: String,
    /// When, RFC 3339.
    pub found: String,
    /// How many values.
    pub values: u64,
    /// The first of them, as `title of user ID`.
    pub examples: Vec<String>,
    /// The snapshot was restored: they may be our own, sent after the backup.
    pub restored: bool,
}

/// How large a type was at the target when it was last listed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct TargetSize {
    /// Resources.
    pub resources: u64,
    /// Pages that they came in.
    pub pages: u64,
}
