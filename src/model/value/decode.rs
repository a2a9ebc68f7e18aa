//! Decodes values as the derived code would, but with a limit on how deep they are nested.
//!
//! In the store a list within a list costs two bytes, so a crafted backup of some kilobytes would overflow the stack,
//! which no command survives. Values from JSON meet the same limit in serde_json, so that nothing that was stored is
//! refused here.

use std::collections::BTreeMap;
use std::fmt;

use serde::Deserialize;
use serde::Deserializer;
use serde::de::DeserializeSeed;
use serde::de::EnumAccess;
use serde::de::Error;
use serde::de::MapAccess;
use serde::de::SeqAccess;
use serde::de::VariantAccess;
use serde::de::Visitor;

use super::Value;

/// How many lists and maps may lie within each other: as many as serde_json reads.
const MOST_DEPTH: usize = 128;

/// The most items for which room is reserved before they are read: their number is only announced.
const MOST_RESERVED: usize = 1024;

const KINDS: [&str; 6] = ["Null", "Bool", "Integer", "String", "List", "Map"];

/// The kinds in the order of [`Value`]'s variants: the store writes their numbers.
#[derive(Deserialize)]
#[serde(variant_identifier)]
enum Kind {
    Null,
    Bool,
    Integer,
    String,
    List,
    Map,
}

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Within(0).deserialize(deserializer)
    }
}

/// A value within so many lists and maps.
#[derive(Clone, Copy)]
struct Within(usize);

impl Within {
    fn deeper<E: Error>(self) -> Result<Self, E> {
        if self.0 >= MOST_DEPTH {
            return Err(E::custom(format_args!(
                "values are nested more than {MOST_DEPTH} deep"
            )));
        }
        Ok(Self(self.0 + 1))
    }
}

impl<'de> DeserializeSeed<'de> for Within {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_enum("Value", &KINDS, self)
    }
}

impl<'de> Visitor<'de> for Within {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_enum<A: EnumAccess<'de>>(self, data: A) -> Result<Value, A::Error> {
        let (kind, content) = data.variant::<Kind>()?;
        match kind {
            Kind::Null => content.unit_variant().map(|()| Value::Null),
            Kind::Bool => content.newtype_variant().map(Value::Bool),
            Kind::Integer => content.newtype_variant().map(Value::Integer),
            Kind::String => content.newtype_variant().map(Value::String),
            Kind::List => content
                .newtype_variant_seed(Items(self.deeper()?))
                .map(Value::List),
            Kind::Map => content
                .newtype_variant_seed(Fields(self.deeper()?))
                .map(Value::Map),
        }
    }
}

struct Items(Within);

impl<'de> DeserializeSeed<'de> for Items {
    type Value = Vec<Value>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for Items {
    type Value = Vec<Value>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of values")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        let mut items = Vec::with_capacity(seq.size_hint().unwrap_or(0).min(MOST_RESERVED));
        while let Some(item) = seq.next_element_seed(self.0)? {
            items.push(item);
        }
        Ok(items)
    }
}

struct Fields(Within);

impl<'de> DeserializeSeed<'de> for Fields {
    type Value = BTreeMap<String, Value>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Fields {
    type Value = BTreeMap<String, Value>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a map of values")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut fields = BTreeMap::new();
        while let Some(name) = map.next_key::<String>()? {
            fields.insert(name, map.next_value_seed(self.0)?);
        }
        Ok(fields)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Writes so many lists within each other, as the store does: the number of the kind, the number of items.
    fn nested(depth: usize) -> Vec<u8> {
        let mut bytes = [4, 1].repeat(depth);
        bytes.push(0);
        bytes
    }

    #[test]
    fn a_value_that_is_nested_too_deep_is_damage_and_no_stack_overflow() {
        let read = |depth| postcard::from_bytes::<Value>(&nested(depth));
        assert!(read(MOST_DEPTH).is_ok());
        for depth in [MOST_DEPTH + 1, 5_000_000] {
            assert!(read(depth).is_err(), "{depth}");
        }
        let maps = [&[5, 1, 1, b'a'].repeat(1_000_000)[..], &[0]].concat();
        assert!(postcard::from_bytes::<Value>(&maps).is_err());
    }

    #[test]
    fn json_that_is_nested_too_deep_is_no_json() {
        let text = "[".repeat(1_000_000);
        assert!(serde_json::from_str::<serde_json::Value>(&text).is_err());
        // The deepest value that serde_json reads is also read back from the store.
        let deepest = format!("{}{}", "[".repeat(127), "]".repeat(127));
        let json = serde_json::from_str(&deepest).unwrap();
        let value = Value::from_json(&json);
        let bytes = postcard::to_stdvec(&value).unwrap();
        assert_eq!(postcard::from_bytes::<Value>(&bytes).unwrap(), value);
    }

    #[test]
    fn every_kind_of_value_is_read_back_as_it_was_written() {
        let json = serde_json::json!({"a": [null, true, -7, "x", {}, []], "b": {"c": {"d": [[1]]}}});
        let value = Value::from_json(&json);
        let bytes = postcard::to_stdvec(&value).unwrap();
        assert_eq!(postcard::from_bytes::<Value>(&bytes).unwrap(), value);
        let text = serde_json::to_string(&value).unwrap();
        assert_eq!(serde_json::from_str::<Value>(&text).unwrap(), value);
    }
}
