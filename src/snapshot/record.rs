//! The encoding of the store's values: postcard behind a version byte.
//!
//! A record of a version that this program does not know is an error that names the version, never a guess.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::model::clock::Timestamp;
use crate::model::id::ObjectKind;
use crate::model::id::SourceId;
use crate::model::id::TargetId;
use crate::model::link::Link;
use crate::model::link::LinkOrigin;
use crate::model::name::Name;
use crate::model::object::Generation;
use crate::model::object::Life;
use crate::model::object::SourceObject;
use crate::model::value::Attributes;

use super::coded::{CodedKept, CodedValues, DecodedKept, DecodedValues};

/// The version that is written today, for every type of record but an object's.
pub const VERSION: u8 = 1;

/// The version of an object's record: known names are numbers in it ([`super::coded`]). Records of version 1, with all
/// names as texts, are read as well.
const OBJECT_VERSION: u8 = 2;

/// A SHA-256 hash.
pub type Hash = [u8; 32];

/// The end of the history's chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Head {
    /// The number of the next entry.
    pub next: u64,
    /// The hash of the last record; zero before the first.
    pub hash: Hash,
}

/// Writes the hash in hexadecimal, as logged with each cycle.
impl std::fmt::Display for Head {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.hash.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// One object as stored: the source's values, and its resource at the target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// Source values, life and generations.
    pub object: SourceObject,
    /// The resource with what was sent and kept, once there is one.
    pub link: Option<Link>,
}

impl Record {
    /// Creates a living object of which nothing is known yet.
    #[must_use]
    pub fn new(kind: ObjectKind, id: SourceId, generation: Generation) -> Self {
        let object = SourceObject {
            kind,
            id,
            attributes: Attributes::new(),
            manager: None,
            life: Life::Alive,
            gone_since: None,
            generation,
            manager_generation: 0,
        };
        Self { object, link: None }
    }

    /// Returns true for a tombstone.
    #[must_use]
    pub const fn is_gone(&self) -> bool {
        matches!(self.object.life, Life::Gone(_))
    }
}

/// The beginning of a record: everything that the end of a round needs, so that it need not read the values.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecordHead {
    /// See [`SourceObject::life`].
    pub life: Life,
    /// See [`SourceObject::generation`].
    pub generation: Generation,
    /// See [`SourceObject::manager_generation`].
    pub manager_generation: Generation,
    /// See [`SourceObject::manager`].
    pub manager: Option<SourceId>,
    /// See [`SourceObject::gone_since`].
    pub gone_since: Option<Timestamp>,
}

impl RecordHead {
    /// Reads only the beginning of a record.
    pub fn decode(bytes: &[u8]) -> Result<Self, Undecodable> {
        let (_, body) = object_version(bytes)?;
        take(body).map(|(head, _)| head)
    }
}

/// The beginning of a record: enough to decide whether, and as what, an object can be referred to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Brief {
    /// Life, generations, manager.
    pub head: RecordHead,
    /// Its resource, once there is one.
    pub target: Option<TargetId>,
}

/// The first field of a [`Link`]: the rest of it is not read.
#[derive(Deserialize)]
struct LinkHead {
    target: TargetId,
}

impl Brief {
    /// Reads only the beginning of a record: postcard writes fields in their order, and the target id is the link's
    /// first.
    pub fn decode(bytes: &[u8]) -> Result<Self, Undecodable> {
        let (_, body) = object_version(bytes)?;
        let ((head, link), _): ((RecordHead, Option<LinkHead>), _) = take(body)?;
        Ok(Self {
            head,
            target: link.map(|link| link.target),
        })
    }
}

impl Record {
    /// Encodes the record; kind and id are in its key.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let object = &self.object;
        let head = RecordHead {
            life: object.life,
            generation: object.generation,
            manager_generation: object.manager_generation,
            manager: object.manager,
            gone_since: object.gone_since,
        };
        let link = self.link.as_ref().map(|link| {
            let (sent, kept) = (CodedValues(&link.sent), CodedKept(&link.kept));
            (&link.target, &link.origin, link.since, sent, kept)
        });
        let record = (head, link, CodedValues(&object.attributes));
        let mut bytes = Vec::with_capacity(1024);
        bytes.push(OBJECT_VERSION);
        encode_onto(bytes, &record)
    }

    /// Decodes a record.
    pub fn decode(kind: ObjectKind, id: SourceId, bytes: &[u8]) -> Result<Self, Undecodable> {
        let (version, body) = object_version(bytes)?;
        let (head, link, attributes) = if version == OBJECT_VERSION {
            type Coded = (TargetId, LinkOrigin, Timestamp, DecodedValues, DecodedKept);
            let (head, link, attributes): (RecordHead, Option<Coded>, DecodedValues) = take_all(body)?;
            let link = link.map(|(target, origin, since, sent, kept)| Link {
                target,
                origin,
                since,
                sent: sent.into(),
                kept: kept.into(),
            });
            (head, link, attributes.into())
        } else {
            take_all::<(RecordHead, Option<Link>, Attributes)>(body)?
        };
        let RecordHead {
            life,
            generation,
            manager_generation,
            manager,
            gone_since,
        } = head;
        let object = SourceObject {
            kind,
            id,
            attributes,
            manager,
            life,
            gone_since,
            generation,
            manager_generation,
        };
        Ok(Self { object, link })
    }
}

/// Why an object is dirty, as bits, because several causes meet. The upper half are facts beside the causes: what
/// changed since the object was last settled, for its reasons to name. A fact alone makes nothing due.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct DirtyCause(pub u16);

impl DirtyCause {
    /// The source's values, life, members or manager changed.
    pub const SOURCE: Self = Self(1);
    /// An object that it refers to was linked, relinked or deleted, or left.
    pub const REFERENCE: Self = Self(2);
    /// Mapping, scope or policy changed.
    pub const CONFIG: Self = Self(4);
    /// The target's answer or reading differs from what was stored.
    pub const TARGET: Self = Self(8);
    /// A person asked for it.
    pub const MANUAL: Self = Self(16);
    /// A delta round brought it for the first time, and incomplete: it must be read by id before it is planned.
    pub const UNREAD: Self = Self(32);
    /// It was set aside after a failure: with no other cause, it waits for its next try.
    pub const ESCROW: Self = Self(64);
    /// A cycle that may not write looked at it: nothing that another cycle would not do anyway, and no reason to try an
    /// entry in escrow again.
    pub const LOOK: Self = Self(128);
    /// Fact: properties at the source changed; which ones is stored beside the mark ([`Mark::moved`]).
    pub const PROPERTIES: Self = Self(1 << 8);
    /// Fact: it was deleted at the source, and was restored.
    pub const RESTORED: Self = Self(1 << 9);
    /// Fact: it was out of scope, and came back.
    pub const RETURNED: Self = Self(1 << 10);
    /// Fact: a person released what an undo held.
    pub const RELEASED: Self = Self(1 << 11);
    /// Fact: its assignments and their roles were looked at again because they changed.
    pub const ROLES: Self = Self(1 << 12);
    /// Fact: the mapping changed.
    pub const MAPPING: Self = Self(1 << 13);
    /// Fact: the rules of the scope changed.
    pub const RULES: Self = Self(1 << 14);
    /// Fact: the policy changed.
    pub const POLICY: Self = Self(1 << 15);
    /// Every fact.
    pub const FACTS: Self = Self(0xff00);

    /// Each cause with its name in an export.
    pub(super) const NAMES: [(&'static str, Self); 16] = [
        ("source", Self::SOURCE),
        ("reference", Self::REFERENCE),
        ("config", Self::CONFIG),
        ("target", Self::TARGET),
        ("manual", Self::MANUAL),
        ("unread", Self::UNREAD),
        ("escrow", Self::ESCROW),
        ("look", Self::LOOK),
        ("properties", Self::PROPERTIES),
        ("restored", Self::RESTORED),
        ("returned", Self::RETURNED),
        ("released", Self::RELEASED),
        ("roles", Self::ROLES),
        ("mapping", Self::MAPPING),
        ("rules", Self::RULES),
        ("policy", Self::POLICY),
    ];

    /// Decodes the causes of a mark.
    #[must_use]
    pub fn decode(bytes: &[u8]) -> Self {
        let low = bytes.first().copied().unwrap_or_default();
        let high = bytes.get(1).copied().unwrap_or_default();
        Self(u16::from_le_bytes([low, high]))
    }

    /// Returns only the facts among them.
    #[must_use]
    pub const fn facts(self) -> Self {
        Self(self.0 & Self::FACTS.0)
    }

    /// Returns the union of both.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Returns true when every cause of `other` is among these.
    #[must_use]
    pub const fn has(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// Returns these causes without those of `other`.
    #[must_use]
    pub const fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }
}

/// A dirty mark: its causes, and which properties of the source changed.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Mark {
    /// Causes and facts.
    pub cause: DirtyCause,
    /// The Graph properties that changed since the object was last settled; for an object with a link only.
    pub moved: BTreeSet<Name>,
}

impl Mark {
    /// Encodes the mark as one byte where it has no facts (as in older formats), else as two bytes and the names of
    /// properties.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let [low, high] = self.cause.0.to_le_bytes();
        if high == 0 {
            return vec![low];
        }
        let names: Vec<&str> = self.moved.iter().map(Name::as_str).collect();
        [&[low, high], names.join("\n").as_bytes()].concat()
    }

    /// Decodes a mark. Returns `None` where the bytes are not a mark.
    #[must_use]
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let names = match bytes {
            [] => return None,
            [_] => "",
            [_, _, names @ ..] => std::str::from_utf8(names).ok()?,
        };
        Some(Self {
            cause: DirtyCause::decode(bytes),
            moved: names
                .split('\n')
                .filter(|name| !name.is_empty())
                .map(Name::from)
                .collect(),
        })
    }
}

/// What a store belongs to: it must never be used to write to another tenant or target.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Binding {
    /// Entra tenant id.
    pub tenant_id: String,
    /// Host and path of the target's URL.
    pub target: String,
}

impl std::fmt::Display for Binding {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "tenant {} and target {}", self.tenant_id, self.target)
    }
}

/// How far the end of a full round has come (see [`super::round`]).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finishing {
    /// Where the next round begins, once this end is done.
    pub delta_link: String,
    /// The last key that was looked at, in the table of the phase.
    pub after: Option<Vec<u8>>,
    /// Objects first, then edges.
    pub phase: FinishPhase,
}

/// Which table the end of a round goes through.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum FinishPhase {
    /// Objects and managers that the round did not bring.
    Objects,
    /// Edges that the round did not bring.
    Edges,
}

/// The error for a value that could not be read; its caller adds the folder and turns it into a `StoreError`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Undecodable(pub String);

/// Encodes a value: the version byte, then postcard.
///
/// Types with `skip_serializing_if`, `untagged` or `flatten` are not allowed: postcard cannot read them back.
#[must_use]
pub fn encode<T: Serialize + ?Sized>(value: &T) -> Vec<u8> {
    encode_onto(vec![VERSION], value)
}

/// Appends a value without a version to what is there.
pub(super) fn encode_onto<T: Serialize + ?Sized>(bytes: Vec<u8>, value: &T) -> Vec<u8> {
    // As a writer, because postcard's own vectors of a given beginning take texts in byte by byte.
    postcard::to_io(value, bytes).expect("postcard writes every derived type into a vector")
}

/// Decodes a value that [`encode`] wrote, to its last byte.
///
/// # Errors
/// When the version is unknown, or the bytes are not a value of this type.
pub fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Undecodable> {
    match bytes.split_first() {
        None => Err(empty()),
        Some((&VERSION, body)) => take_all(body),
        Some((other, _)) => Err(unknown(*other)),
    }
}

/// Splits an object's record into its version and what follows.
fn object_version(bytes: &[u8]) -> Result<(u8, &[u8]), Undecodable> {
    match bytes.split_first() {
        None => Err(empty()),
        Some((&version @ (VERSION | OBJECT_VERSION), body)) => Ok((version, body)),
        Some((other, _)) => Err(unknown(*other)),
    }
}

pub(super) fn take_all<T: DeserializeOwned>(body: &[u8]) -> Result<T, Undecodable> {
    match take(body)? {
        (value, []) => Ok(value),
        (_, rest) => Err(Undecodable(format!("{} bytes too many in a record", rest.len()))),
    }
}

fn take<T: DeserializeOwned>(body: &[u8]) -> Result<(T, &[u8]), Undecodable> {
    postcard::take_from_bytes(body)
        .map_err(|error| Undecodable(format!("a record that does not decode ({error})")))
}

fn empty() -> Undecodable {
    Undecodable("an empty record".to_owned())
}

fn unknown(version: u8) -> Undecodable {
    Undecodable(format!("a record of version {version}"))
}
