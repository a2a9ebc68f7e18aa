//! How keys are written: a kind byte and the sixteen bytes of an id, so that order by key is order by id.
//!
//! Part of the format: a change here needs a migration.

use crate::model::id::ObjectKind;
use crate::model::id::SourceId;
use crate::model::id::TargetId;

/// The byte that stands for a kind.
#[must_use]
pub const fn kind_byte(kind: ObjectKind) -> u8 {
    match kind {
        ObjectKind::User => 1,
        ObjectKind::Group => 2,
    }
}

/// The kind that a byte stands for.
#[must_use]
pub const fn kind_of(byte: u8) -> Option<ObjectKind> {
    match byte {
        1 => Some(ObjectKind::User),
        2 => Some(ObjectKind::Group),
        _ => None,
    }
}

/// Objects, Dirty, Forecast, Removals: kind and id.
#[must_use]
pub fn object(kind: ObjectKind, id: &SourceId) -> Vec<u8> {
    let mut key = Vec::with_capacity(17);
    key.push(kind_byte(kind));
    key.extend_from_slice(id.as_bytes());
    key
}

/// Reads [`object`] back.
#[must_use]
pub fn parse_object(key: &[u8]) -> Option<(ObjectKind, SourceId)> {
    let (&kind, id) = key.split_first()?;
    Some((kind_of(kind)?, parse_id(id)?))
}

/// Sixteen bytes as an id.
#[must_use]
pub fn parse_id(bytes: &[u8]) -> Option<SourceId> {
    Some(SourceId::from_bytes(bytes.try_into().ok()?))
}

/// Edges: group, then member.
#[must_use]
pub fn edge(group: &SourceId, member: &SourceId) -> Vec<u8> {
    [group.as_bytes().as_slice(), member.as_bytes()].concat()
}

/// Reads [`edge`] back.
#[must_use]
pub fn parse_edge(key: &[u8]) -> Option<(SourceId, SourceId)> {
    (key.len() == 32).then_some(())?;
    Some((parse_id(&key[..16])?, parse_id(&key[16..])?))
}

/// Referrers: the object referred to, then who refers to it. A user refers as a report, a group by a membership.
#[must_use]
pub fn referrer(referred: &SourceId, kind: ObjectKind, by: &SourceId) -> Vec<u8> {
    let mut key = Vec::with_capacity(33);
    key.extend_from_slice(referred.as_bytes());
    key.push(kind_byte(kind));
    key.extend_from_slice(by.as_bytes());
    key
}

/// Reads [`referrer`] back: who is referred to, and by whom.
#[must_use]
pub fn parse_referrer(key: &[u8]) -> Option<(SourceId, ObjectKind, SourceId)> {
    (key.len() == 33).then_some(())?;
    let (kind, by) = parse_object(&key[16..])?;
    Some((parse_id(&key[..16])?, kind, by))
}

/// Owners, Readings: kind and target id.
#[must_use]
pub fn resource(kind: ObjectKind, target: &TargetId) -> Vec<u8> {
    let mut key = Vec::with_capacity(1 + target.as_str().len());
    key.push(kind_byte(kind));
    key.extend_from_slice(target.as_str().as_bytes());
    key
}

/// Reads [`resource`] back.
#[must_use]
pub fn parse_resource(key: &[u8]) -> Option<(ObjectKind, TargetId)> {
    let (&kind, target) = key.split_first()?;
    Some((kind_of(kind)?, TargetId::new(std::str::from_utf8(target).ok()?)?))
}

/// Intents, History, Cycles: a running number, big-endian.
#[must_use]
pub fn number(n: u64) -> Vec<u8> {
    n.to_be_bytes().to_vec()
}

/// Reads [`number`] back.
#[must_use]
pub fn parse_number(key: &[u8]) -> Option<u64> {
    Some(u64::from_be_bytes(key.try_into().ok()?))
}

/// The prefix of all readings that hold `value` (already folded) at `path`. Lengths are written before both
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

/// Meta: the names that this module's code keeps; all others start with `FREE`.
pub mod meta {
    /// The format's number, four bytes, big-endian. The only record that every future format keeps here.
    pub const FORMAT: &[u8] = b"format";
    /// Tenant and target.
    pub const BINDING: &[u8] = b"binding";
    /// Counters and running numbers.
    pub const HEADS: &[u8] = b"heads";
    /// Before the names that the engine gives.
    pub const FREE: &[u8] = b"free/";

    use crate::model::id::ObjectKind;

    /// The stream of a kind.
    #[must_use]
    pub const fn stream(kind: ObjectKind) -> &'static [u8] {
        match kind {
            ObjectKind::User => b"stream/user",
            ObjectKind::Group => b"stream/group",
        }
    }

    /// How far the end of a full round has come, while it is under way.
    #[must_use]
    pub const fn finishing(kind: ObjectKind) -> &'static [u8] {
        match kind {
            ObjectKind::User => b"finishing/user",
            ObjectKind::Group => b"finishing/group",
        }
    }

    /// A name of the engine's.
    #[must_use]
    pub fn free(name: &str) -> Vec<u8> {
        [FREE, name.as_bytes()].concat()
    }
}
