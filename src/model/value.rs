//! Attribute values, on both sides, in one type that is compared, stored and shown.

use std::{collections::BTreeMap, fmt};

use serde::Serialize;

mod decode;

/// One attribute value. `Null` is a value that was read and is empty; an attribute that was never read is absent from
/// its map, and nothing may be derived from it (docs/design/cycle.md, "Reading the source").
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Default)]
pub enum Value {
    /// Read, and empty.
    #[default]
    Null,
    /// A JSON boolean.
    Bool(bool),
    /// A whole number.
    Integer(i64),
    /// A text; also a number that is not whole, as it was written.
    String(String),
    /// A JSON array.
    List(Vec<Value>),
    /// A JSON object, with its keys sorted.
    Map(BTreeMap<String, Value>),
}

pub use super::attributes::Attributes;

impl Value {
    /// Creates a text value.
    pub fn text(text: impl Into<String>) -> Self {
        Self::String(text.into())
    }

    /// Returns true for `Null`.
    #[must_use]
    pub const fn is_null(&self) -> bool {
        matches!(self, Self::Null)
    }

    /// Returns true for `Null`, an empty text, list or map: SCIM treats them alike (RFC 7643 section 2.5).
    #[must_use]
    pub fn is_unassigned(&self) -> bool {
        match self {
            Self::Null => true,
            Self::String(text) => text.is_empty(),
            Self::List(items) => items.is_empty(),
            Self::Map(map) => map.is_empty(),
            Self::Bool(_) | Self::Integer(_) => false,
        }
    }

    /// Returns the text, if this is one.
    #[must_use]
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Self::String(text) => Some(text),
            _ => None,
        }
    }

    /// Returns the boolean, if this is one; the texts `True` and `False` in any case count, because Entra prints
    /// booleans so.
    #[must_use]
    pub fn as_bool(&self) -> Option<bool> {
        match self {
            Self::Bool(b) => Some(*b),
            Self::String(text) if text.eq_ignore_ascii_case("true") => Some(true),
            Self::String(text) if text.eq_ignore_ascii_case("false") => Some(false),
            _ => None,
        }
    }

    /// Converts from JSON; numbers that are not whole keep their text.
    #[must_use]
    pub fn from_json(json: &serde_json::Value) -> Self {
        match json {
            serde_json::Value::Null => Self::Null,
            serde_json::Value::Bool(b) => Self::Bool(*b),
            serde_json::Value::Number(n) => n
                .as_i64()
                .map_or_else(|| Self::String(n.to_string()), Self::Integer),
            serde_json::Value::String(text) => Self::String(text.clone()),
            serde_json::Value::Array(items) => Self::List(items.iter().map(Self::from_json).collect()),
            serde_json::Value::Object(map) => {
                Self::Map(map.iter().map(|(k, v)| (k.clone(), Self::from_json(v))).collect())
            }
        }
    }

    /// Converts to JSON.
    #[must_use]
    pub fn to_json(&self) -> serde_json::Value {
        match self {
            Self::Null => serde_json::Value::Null,
            Self::Bool(b) => (*b).into(),
            Self::Integer(n) => (*n).into(),
            Self::String(text) => text.as_str().into(),
            Self::List(items) => items.iter().map(Self::to_json).collect(),
            Self::Map(map) => {
                serde_json::Value::Object(map.iter().map(|(k, v)| (k.clone(), v.to_json())).collect())
            }
        }
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::text(text)
    }
}

impl From<bool> for Value {
    fn from(b: bool) -> Self {
        Self::Bool(b)
    }
}

/// Writes the value for people: texts in quotes, `null`, JSON otherwise.
impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.to_json(), f)
    }
}

impl fmt::Debug for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
