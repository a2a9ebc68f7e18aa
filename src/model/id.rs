//! Identifiers are types: a [`SourceId`] and a [`TargetId`] never swap places.

use std::{fmt, str::FromStr, sync::Arc};

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// Which of the two managed types an object is. Groups refer to users, so users sort first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ObjectKind {
    /// A person: Graph `user`, SCIM `User`.
    User,
    /// A group: Graph `group`, SCIM `Group`.
    Group,
}

impl ObjectKind {
    /// Returns the name shown to people: `user` or `group`.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Group => "group",
        }
    }
}

impl fmt::Display for ObjectKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

/// The object id of an Entra directory object: a GUID, compared without case (docs/design/graph.md, "Delta query").
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct SourceId(Uuid);

impl SourceId {
    /// Returns the sixteen bytes of the GUID, in the order that sorts like its text.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 16] {
        self.0.as_bytes()
    }

    /// Builds the id with these sixteen bytes.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(Uuid::from_bytes(bytes))
    }
}

impl fmt::Debug for SourceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl fmt::Display for SourceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

/// The error for a text that is not a GUID where an object id was expected.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not an object id: a GUID such as 6f1c8d1e-0000-4000-8000-000000000001 is expected")]
pub struct NotAnId(pub String);

impl FromStr for SourceId {
    type Err = NotAnId;

    fn from_str(text: &str) -> Result<Self, NotAnId> {
        Uuid::try_parse(text)
            .map(Self)
            .map_err(|_| NotAnId(text.chars().take(80).collect()))
    }
}

/// The `id` of a SCIM resource (RFC 7643 section 3.1): opaque, case-exact, given by the service.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct TargetId(Arc<str>);

impl TargetId {
    /// The longest accepted id, in bytes. No service needs more, and each of them occurs in URLs, keys and logs.
    pub const LONGEST: usize = 2048;

    /// Builds an id as the service wrote it. Returns `None` for a text that cannot name one resource: an empty text,
    /// `.` and `..` (a URL takes them for steps, so that a write would reach the collection), a control character, and
    /// more than [`Self::LONGEST`] bytes.
    #[must_use]
    pub fn new(text: &str) -> Option<Self> {
        let names = !matches!(text, "" | "." | "..")
            && text.len() <= Self::LONGEST
            && !text.chars().any(char::is_control);
        names.then(|| Self(text.into()))
    }

    /// Returns true for the same id: written alike, or the same GUID in another case.
    #[must_use]
    pub fn is(&self, other: &Self) -> bool {
        let guid = |id: &Self| Uuid::try_parse(id.as_str()).ok();
        self == other || guid(self).is_some_and(|id| guid(other) == Some(id))
    }

    /// Returns the id as the service wrote it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for TargetId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for TargetId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The name of a provisioning cycle: a version 7 UUID, so that names sort by time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct CycleId(pub Uuid);

impl fmt::Display for CycleId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_that_names_no_single_resource_is_never_taken() {
        let long = "x".repeat(TargetId::LONGEST);
        for good in ["u-1", "...", "a/../b", "zo\u{eb} k", "%2e%2e", long.as_str()] {
            assert!(TargetId::new(good).is_some(), "{good:?}");
        }
        let longer = format!("{long}x");
        for bad in [
            "",
            ".",
            "..",
            "a\nb",
            "a\u{0}",
            "\u{7f}",
            "\u{9b}31m",
            longer.as_str(),
        ] {
            assert!(TargetId::new(bad).is_none(), "{bad:?}");
        }
    }

    #[test]
    fn a_guid_is_the_same_in_another_case_and_nothing_else_is() {
        let is = |a: &str, b: &str| TargetId::new(a).unwrap().is(&TargetId::new(b).unwrap());
        assert!(is("u1", "u1"));
        assert!(is(
            "6F1C8D1E-0000-4000-8000-00000000000A",
            "6f1c8d1e-0000-4000-8000-00000000000a"
        ));
        assert!(!is("u1", "U1"));
        assert!(!is("u1", "u2"));
    }
}
