//! What surfaces show: structs that a CLI prints as JSON and an API answers with, the same for both.
//!
//! Fields stand in the order of the alphabet, as in every document so far. Moments are RFC 3339 in UTC.

pub mod active;
pub mod changes;
pub mod clock;
pub mod common;
pub mod cycles;
pub mod drift;
pub mod enrolled;
pub mod entra_job;
pub mod entra_verdict;
pub mod escrow;
pub mod explain;
pub mod figures;
pub mod health;
pub mod history;
pub mod holds;
pub mod needs;
pub mod objects;
pub mod pause;
pub mod quarantine;
pub mod search;
pub mod standing;
pub mod status;
pub mod timeline;
pub mod verdict;
pub mod withheld;

use std::fmt::Display;

use serde::Serialize;
use serde::Serializer;
use serde::ser::Error;
use serde_json::Value as Json;

use super::lookup::Named;

/// What is known of something that there is: null where nothing is.
#[derive(Debug, Clone, Serialize)]
pub struct Known(pub Option<String>);

/// Writes a value as it is shown: a moment, an id.
pub(super) fn text<S: Serializer>(value: &impl Display, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(value)
}

/// Writes a value as it is shown, or null.
pub(super) fn text_or_null<T: Display, S: Serializer>(
    value: &Option<T>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    match value {
        Some(value) => serializer.collect_str(value),
        None => serializer.serialize_none(),
    }
}

/// Writes objects by their ids.
pub(super) fn ids<S: Serializer>(objects: &[Named], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(objects.iter().map(|object| object.id.to_string()))
}

/// Writes what an inner layer defines with its fields in the order of the alphabet.
fn sorted<S: Serializer>(value: &impl Serialize, serializer: S) -> Result<S::Ok, S::Error> {
    let value = serde_json::to_value(value).map_err(S::Error::custom)?;
    value.serialize(serializer)
}

/// Writes what an inner layer defines with these members more, all in the order of the alphabet.
pub(super) fn with_members<const N: usize, S: Serializer>(
    value: &impl Serialize,
    more: [(&str, Json); N],
    serializer: S,
) -> Result<S::Ok, S::Error> {
    let mut value = serde_json::to_value(value).map_err(S::Error::custom)?;
    for (name, member) in more {
        value[name] = member;
    }
    value.serialize(serializer)
}

/// A moment that a request may name: RFC 3339.
pub mod moment {
    use chrono::DateTime;
    use serde::Deserialize;
    use serde::Deserializer;
    use serde::Serializer;
    use serde::de::Error;

    use crate::model::clock::Timestamp;

    /// Writes it.
    pub fn serialize<S: Serializer>(at: &Option<Timestamp>, serializer: S) -> Result<S::Ok, S::Error> {
        super::text_or_null(at, serializer)
    }

    /// Reads it; anything else is an error.
    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Timestamp>, D::Error> {
        let Some(text) = Option::<String>::deserialize(from)? else {
            return Ok(None);
        };
        let at = DateTime::parse_from_rfc3339(&text)
            .map_err(|_| D::Error::custom(format!("`{text}` is no moment as 2026-11-30T12:00:00Z")))?;
        Ok(Some(Timestamp(at.timestamp_millis())))
    }
}
