//! The parts of a created resource that are needed at once: its id, its externalId, and whether it is an error instead.
//! The rest is read where it is compared with what was sent.

use std::fmt;

use serde::Deserialize;
use serde::Deserializer;
use serde::de::DeserializeSeed;
use serde::de::IgnoredAny;
use serde::de::MapAccess;
use serde::de::SeqAccess;
use serde::de::Visitor;
use serde_json::Value as Json;

use super::fault::Content;
use super::fault::ERROR_SCHEMA;
use super::fault::status_in;
use super::resource::id_in;
use crate::model::id::TargetId;

/// The parts seen of a body.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Glance {
    id: Option<Json>,
    external_id: Option<Json>,
    status: Option<Json>,
    is_error: bool,
}

impl Glance {
    /// Returns the resource's id, or `None` where there is none.
    #[must_use]
    pub fn id(&self) -> Option<TargetId> {
        id_in(self.id.as_ref()?)
    }

    /// Returns true where both hold the same externalId: the quick way to recognise a resource, and the usual one.
    #[must_use]
    pub fn is_known_as(&self, sent: &Self) -> bool {
        let held = self.external_id.as_ref().and_then(Json::as_str);
        held.is_some_and(|held| !held.is_empty()) && self.external_id == sent.external_id
    }
}

impl Content for Glance {
    fn read(body: &[u8]) -> serde_json::Result<Self> {
        serde_json::from_slice(body)
    }

    fn error_status(&self) -> Option<Option<u16>> {
        self.is_error.then(|| self.status.as_ref().and_then(status_in))
    }
}

impl<'de> Deserialize<'de> for Glance {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Look)
    }
}

struct Look;

impl<'de> Visitor<'de> for Look {
    type Value = Glance;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a SCIM resource")
    }

    // JSON, but not a resource.
    fn visit_unit<E>(self) -> Result<Glance, E> {
        Ok(Glance::default())
    }

    fn visit_bool<E>(self, _: bool) -> Result<Glance, E> {
        Ok(Glance::default())
    }

    fn visit_i64<E>(self, _: i64) -> Result<Glance, E> {
        Ok(Glance::default())
    }

    fn visit_u64<E>(self, _: u64) -> Result<Glance, E> {
        Ok(Glance::default())
    }

    fn visit_f64<E>(self, _: f64) -> Result<Glance, E> {
        Ok(Glance::default())
    }

    fn visit_str<E>(self, _: &str) -> Result<Glance, E> {
        Ok(Glance::default())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Glance, A::Error> {
        while items.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Glance::default())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Glance, A::Error> {
        let mut seen = Glance::default();
        // A field with the exact name wins over one in another case.
        let mut exact = [false; 4];
        while let Some((field, is_exact)) = map.next_key_seed(FieldSeed)? {
            let Some(at) = field
                .map(|field| field as usize)
                .filter(|at| is_exact || !exact[*at])
            else {
                map.next_value::<IgnoredAny>()?;
                continue;
            };
            exact[at] |= is_exact;
            match field {
                Some(Field::Id) => seen.id = Some(map.next_value()?),
                Some(Field::ExternalId) => seen.external_id = Some(map.next_value()?),
                Some(Field::Status) => seen.status = Some(map.next_value()?),
                _ => {
                    let schemas: Json = map.next_value()?;
                    let schemas = schemas.as_array().map_or(&[][..], Vec::as_slice);
                    seen.is_error = schemas.iter().any(|schema| schema == ERROR_SCHEMA);
                }
            }
        }
        Ok(seen)
    }
}

#[derive(Clone, Copy)]
enum Field {
    Id,
    Status,
    Schemas,
    ExternalId,
}

/// Reads the field that a key names, whatever its case, and whether it is spelled exactly.
struct FieldSeed;

impl<'de> DeserializeSeed<'de> for FieldSeed {
    type Value = (Option<Field>, bool);

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for FieldSeed {
    type Value = (Option<Field>, bool);

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a name")
    }

    fn visit_str<E>(self, key: &str) -> Result<Self::Value, E> {
        let known = [
            ("id", Field::Id),
            ("status", Field::Status),
            ("schemas", Field::Schemas),
            ("externalId", Field::ExternalId),
        ];
        let found = known.into_iter().find(|(name, _)| name.eq_ignore_ascii_case(key));
        Ok(found.map_or((None, false), |(name, field)| (Some(field), name == key)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scim::resource::resource;

    #[test]
    fn a_glance_sees_what_a_reading_of_the_whole_sees() {
        for text in [
            r#"{"id": "a", "userName": "x", "meta": {"id": "no"}}"#,
            r#"{"userName": "x"}"#,
            r#"{"ID": 7}"#,
            r#"{"ID": "other", "id": "exact"}"#,
            r#"{"id": "exact", "Id": "other"}"#,
            r#"{"id": "first", "id": "last"}"#,
            r#"{"id": null}"#,
            r#"{"id": ["a"]}"#,
            r#"{"id": ""}"#,
            r#"{"schemas": ["urn:ietf:params:scim:api:messages:2.0:Error"], "status": "409"}"#,
            r#"{"Schemas": ["urn:ietf:params:scim:api:messages:2.0:Error"], "status": {"code": 404}}"#,
            r#"{"schemas": ["urn:ietf:params:scim:api:messages:2.0:Error"]}"#,
            r#"{"schemas": "x", "status": 500, "id": "a\u0041"}"#,
            r#"{"i\u0064": "escaped"}"#,
            "{}",
            "[{\"id\": 1}]",
            "null",
            "\"id\"",
            "-7.5",
        ] {
            let (whole, seen): (Json, Glance) = (
                serde_json::from_str(text).unwrap(),
                Content::read(text.as_bytes()).unwrap(),
            );
            assert_eq!(seen.error_status(), whole.error_status(), "{text}");
            assert_eq!(seen.id(), resource(whole).map(|resource| resource.id), "{text}");
        }
        for text in [
            "",
            "<html>",
            "{\"id\": \"a\"",
            "{\"id\": \"a\"} x",
            "{\"a\": tru}",
        ] {
            assert!(Glance::read(text.as_bytes()).is_err(), "{text}");
        }
    }
}
