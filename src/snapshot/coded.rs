//! The encoding of attributes in an object's record, and of changes in the history: known names as numbers.
//!
//! An entry is the number of its name plus one, or zero and the name, then the value. Part of the format.

use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;

use serde::de::{Error as _, SeqAccess, Visitor};
use serde::ser::SerializeTuple;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::model::link::Kept;
use crate::model::name::Name;
use crate::model::value::Attributes;
use crate::model::value::Value;
use crate::reconcile::operation::Change;

/// Attributes to be written.
pub(super) struct CodedValues<'a>(pub(super) &'a Attributes);

impl Serialize for CodedValues<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.iter().map(|(name, value)| Entry(name, value)))
    }
}

/// The values that the target kept, to be written.
pub(super) struct CodedKept<'a>(pub(super) &'a BTreeMap<Name, Kept>);

impl Serialize for CodedKept<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.iter().map(|(name, kept)| Entry(name, kept)))
    }
}

/// Changes of the history, to be written.
pub(super) struct CodedChanges<'a>(pub(super) &'a [Change]);

/// Names with a smaller number are written as numbers in the history. A digest is computed again when it is verified,
/// so a name that became a known one later must stay text there: this number never changes.
const LASTING: u16 = 77;

impl Serialize for CodedChanges<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let lasting = |change: &Change| change.attribute.code().filter(|code| *code < LASTING);
        let changes = self.0.iter();
        serializer.collect_seq(changes.map(|change| Coded {
            code: lasting(change),
            name: &change.attribute,
            value: (&change.before, &change.after),
        }))
    }
}

struct Entry<'a, T>(&'a Name, &'a T);

impl<T: Serialize> Serialize for Entry<'_, T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self(name, value) = *self;
        let code = name.code();
        Coded { code, name, value }.serialize(serializer)
    }
}

struct Coded<'a, T> {
    code: Option<u16>,
    name: &'a Name,
    value: T,
}

impl<T: Serialize> Serialize for Coded<'_, T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        // A tuple has no length on the wire, so it may have two fields or three.
        let mut tuple = serializer.serialize_tuple(3)?;
        match self.code {
            Some(code) => tuple.serialize_element(&(code + 1))?,
            None => {
                tuple.serialize_element(&0u16)?;
                tuple.serialize_element(self.name.as_str())?;
            }
        }
        tuple.serialize_element(&self.value)?;
        tuple.end()
    }
}

/// One entry, as read.
pub(super) struct Decoded<T>(pub(super) Name, pub(super) T);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Decoded<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Fields<T>(PhantomData<T>);
        impl<'de, T: Deserialize<'de>> Visitor<'de> for Fields<T> {
            type Value = Decoded<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a name and its value")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut fields: A) -> Result<Decoded<T>, A::Error> {
                let short = || A::Error::custom("an entry that ends too early");
                let name = match fields.next_element::<u16>()?.ok_or_else(short)? {
                    0 => fields.next_element::<Name>()?.ok_or_else(short)?,
                    code => Name::from_code(code - 1)
                        .ok_or_else(|| A::Error::custom("a name of a newer melonsync"))?,
                };
                Ok(Decoded(name, fields.next_element()?.ok_or_else(short)?))
            }
        }
        deserializer.deserialize_tuple(3, Fields(PhantomData))
    }
}

/// Attributes as read.
#[derive(Deserialize)]
pub(super) struct DecodedValues(Vec<Decoded<Value>>);

impl From<DecodedValues> for Attributes {
    fn from(read: DecodedValues) -> Self {
        read.0
            .into_iter()
            .map(|Decoded(name, value)| (name, value))
            .collect()
    }
}

/// Changes of the history as read.
#[derive(Deserialize)]
pub(super) struct DecodedChanges(Vec<Decoded<(Value, Value)>>);

impl From<DecodedChanges> for Vec<Change> {
    fn from(read: DecodedChanges) -> Self {
        let change = |Decoded(attribute, (before, after))| Change {
            attribute,
            before,
            after,
        };
        read.0.into_iter().map(change).collect()
    }
}

/// The values that the target kept, as read.
#[derive(Deserialize)]
pub(super) struct DecodedKept(Vec<Decoded<Kept>>);

impl From<DecodedKept> for BTreeMap<Name, Kept> {
    fn from(read: DecodedKept) -> Self {
        read.0
            .into_iter()
            .map(|Decoded(name, kept)| (name, kept))
            .collect()
    }
}
