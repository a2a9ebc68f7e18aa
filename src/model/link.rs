//! The stored pair of a source object and a target resource, with what was sent and what was kept of it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{
    clock::Timestamp,
    id::TargetId,
    name::Name,
    value::{Attributes, Value},
};

/// The target's answer for one attribute after a write.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Kept {
    /// The target holds exactly what was sent.
    AsSent,
    /// The target holds this value instead (it trims, lower-cases or drops).
    Other(Value),
    /// Not known yet: a 204, or the attribute was not in the answer. The next read fills it.
    Unknown,
}

/// The text in a link's origin in place of the attribute that matched, where a person linked the objects.
pub const BY_HAND: &str = "by hand";

/// The origin of a link.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum LinkOrigin {
    /// melonsync created the resource.
    Created,
    /// The resource existed, and matched by this target attribute.
    Adopted(String),
}

/// One source object's resource at the target.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Link {
    /// The resource.
    pub target: TargetId,
    /// Whether it was created or adopted.
    pub origin: LinkOrigin,
    /// When the objects were linked.
    pub since: Timestamp,
    /// The values as we last sent them, or found them equal at adoption, by target path. References are target ids.
    pub sent: Attributes,
    /// The values that the target kept, by target path, only where that is not [`Kept::AsSent`].
    pub kept: BTreeMap<Name, Kept>,
}

/// A create that was, or is about to be, sent and whose outcome is not yet recorded (docs/design/cycle.md, "Creates and
/// crashes").
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Intent {
    /// `externalId` as sent.
    pub external_id: Option<String>,
    /// Matching attributes as sent: target path and value, in order of precedence.
    pub matching: Vec<(String, Value)>,
    /// When it was sent. Nothing is concluded before the request timeout has passed since.
    pub sent_at: Timestamp,
}
