//! The encoding of keys: a kind byte and the sixteen bytes of an id, so that order by key is order by id.
//!
//! Part of the format: a change here needs a migration.

use crate::model::id::ObjectKind;
use crate::model::id::SourceId;
use crate::model::id::TargetId;

/// Returns the byte that stands for a kind.
#[must_use]
pub const fn kind_byte(kind: ObjectKind) -> u8 {
    match kind {
        ObjectKind::User => 1,
        ObjectKind::Group => 2,
    }
}

/// Returns the kind that a byte stands for.
#[must_use]
pub const fn kind_of(byte: u8) -> Option<ObjectKind> {
    match byte {
        1 => Some(ObjectKind::User),
        2 => Some(ObjectKind::Group),
        _ => None,
    }
}

/// Encodes the key of Objects, Dirty, Forecast and Removals: kind and id.
#[must_use]
pub fn object(kind: ObjectKind, id: &SourceId) -> Vec<u8> {
    let mut key = Vec::with_capacity(17);
    key.push(kind_byte(kind));
    key.extend_from_slice(id.as_bytes());
    key
}

/// Decodes a key of [`object`].
#[must_use]
pub fn parse_object(key: &[u8]) -> Option<(ObjectKind, SourceId)> {
    let (&kind, id) = key.split_first()?;
    Some((kind_of(kind)?, parse_id(id)?))
}

/// Decodes sixteen bytes as an id.
#[must_use]
pub fn parse_id(bytes: &[u8]) -> Option<SourceId> {
    Some(SourceId::from_bytes(bytes.try_into().ok()?))
}

/// Encodes the key of Edges: group, then member.
#[must_use]
pub fn edge(group: &SourceId, member: &SourceId) -> Vec<u8> {
    [group.as_bytes().as_slice(), member.as_bytes()].concat()
}

/// Decodes a key of [`edge`].
#[must_use]
pub fn parse_edge(key: &[u8]) -> Option<(SourceId, SourceId)> {
    (key.len() == 32).then_some(())?;
    Some((parse_id(&key[..16])?, parse_id(&key[16..])?))
}

/// Encodes the key of Referrers: the object referred to, then the object that refers to it (a user as a report, a group
/// by a membership).
#[must_use]
pub fn referrer(referred: &SourceId, kind: ObjectKind, by: &SourceId) -> Vec<u8> {
    let mut key = Vec::with_capacity(33);
    key.extend_from_slice(referred.as_bytes());
    key.push(kind_byte(kind));
    key.extend_from_slice(by.as_bytes());
    key
}

/// Decodes a key of [`referrer`]: the object referred to, then the object that refers to it.
#[must_use]
pub fn parse_referrer(key: &[u8]) -> Option<(SourceId, ObjectKind, SourceId)> {
    (key.len() == 33).then_some(())?;
    let (kind, by) = parse_object(&key[16..])?;
    Some((parse_id(&key[..16])?, kind, by))
}

/// Encodes the key of Owners and Readings: kind and target id.
#[must_use]
pub fn resource(kind: ObjectKind, target: &TargetId) -> Vec<u8> {
    let mut key = Vec::with_capacity(1 + target.as_str().len());
    key.push(kind_byte(kind));
    key.extend_from_slice(target.as_str().as_bytes());
    key
}

/// Decodes a key of [`resource`].
#[must_use]
pub fn parse_resource(key: &[u8]) -> Option<(ObjectKind, TargetId)> {
    let (&kind, target) = key.split_first()?;
    Some((kind_of(kind)?, TargetId::new(std::str::from_utf8(target).ok()?)?))
}

/// Encodes the key of Intents, History and Cycles: a running number, big-endian.
#[must_use]
pub fn number(n: u64) -> Vec<u8> {
    n.to_be_bytes().to_vec()
}

/// Decodes a key of [`number`].
#[must_use]
pub fn parse_number(key: &[u8]) -> Option<u64> {
    Some(u64::from_be_bytes(key.try_into().ok()?))
}

/// Returns the prefix of all readings that hold `value` (already folded) at `path`. Lengths are written before both
/// texts, so that no value is the beginning of another.
#[must_use]
pub fn reading_index(kind: ObjectKind, path: &str, value: &str) -> Vec<u8> {
    let mut key = Vec::with_capacity(9 + path.len() + value.len());
    key.push(kind_byte(kind));
    for text in [path, value] {
        let length = u32::try_from(text.len()).unwrap_or(u32::MAX);
        key.extend_from_slice(&length.to_be_bytes());
        key.extend_from_slice(text.as_bytes());
    }
    key
}

/// The names in Meta that this module's code uses; all others start with `FREE`.
pub mod meta {
    /// The format's number, four bytes, big-endian. The only record that every future format keeps here.
    pub const FORMAT: &[u8] = b"format";
    /// The tenant and the target.
    pub const BINDING: &[u8] = b"binding";
    /// Counters and running numbers.
    pub const HEADS: &[u8] = b"heads";
    /// The prefix of the names that the engine gives.
    pub const FREE: &[u8] = b"free/";

    use crate::model::id::ObjectKind;

    /// Returns the name of the stream of a kind.
    #[must_use]
    pub const fn stream(kind: ObjectKind) -> &'static [u8] {
        match kind {
            ObjectKind::User => b"stream/user",
            ObjectKind::Group => b"stream/group",
        }
    }

    /// Returns the name of the progress of a full round's end, while that is under way.
    #[must_use]
    pub const fn finishing(kind: ObjectKind) -> &'static [u8] {
        match kind {
            ObjectKind::User => b"finishing/user",
            ObjectKind::Group => b"finishing/group",
        }
    }

    /// Returns the full key of a name that the engine gives.
    #[must_use]
    pub fn free(name: &str) -> Vec<u8> {
        [FREE, name.as_bytes()].concat()
    }
}
