//! The remembered pair of a source object and a target resource, with what was sent and what was kept of it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{
    clock::Timestamp,
    id::TargetId,
    name::Name,
    value::{Attributes, Value},
};

/// What the target answered for one attribute after a write.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Kept {
    /// The target holds exactly what was sent.
    AsSent,
    /// The target holds this instead (it trims, lower-cases or drops).
    Other(Value),
    /// Not known yet: a 204, or the attribute was not in the answer. The next read fills it.
    Unknown,
}

/// What stands in a link's origin in place of the attribute that matched, where a person linked it.
pub const BY_HAND: &str = "by hand";

/// How a link came to be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum LinkOrigin {
    /// We created the resource.
    Created,
    /// It was there, and matched by this target attribute.
    Adopted(String),
}

/// One source object's resource at the target.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Link {
    /// The resource.
    pub target: TargetId,
    /// Created or adopted.
    pub origin: LinkOrigin,
    /// When it was linked.
    pub since: Timestamp,
    /// Target path to the value as we last sent it, or found it equal at adoption. References are target ids.
    pub sent: Attributes,
    /// Target path to what the target kept, only where that is not [`Kept::AsSent`].
    pub kept: BTreeMap<Name, Kept>,
}

/// A create that was, or is about to be, sent and whose outcome is not yet recorded
/// (docs/design/cycle.md, "Creates and crashes").
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Intent {
    /// `externalId` as sent.
    pub external_id: Option<String>,
    /// Matching attributes as sent: target path and value, in order of precedence.
    pub matching: Vec<(String, Value)>,
    /// When it was sent. Nothing is concluded before the request timeout has passed since.
    pub sent_at: Timestamp,
}
