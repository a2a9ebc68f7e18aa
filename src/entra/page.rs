//! One page on the wire (docs/design/graph.md, "Shapes"): tolerant in what it does not need, strict in what
//! decides. A page is taken whole or not at all.

use std::{borrow::Cow, fmt};

use serde::{
    Deserialize, Deserializer,
    de::{DeserializeSeed, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor},
};

use super::convert::{self, JsonValue};
use crate::model::id::ObjectKind;
use crate::model::id::SourceId;
use crate::model::object::DeltaObject;
use crate::model::object::MemberKind;
use crate::model::object::ReferenceChange;
use crate::model::value::Attributes;
use crate::ports::DeltaPage;
use crate::ports::NextPage;

/// Reads a page.
///
/// # Errors
/// A description of the fault, without quoting values.
pub fn read(kind: ObjectKind, body: &[u8]) -> Result<DeltaPage, String> {
    let mut json = serde_json::Deserializer::from_slice(body);
    let page = PageSeed(kind)
        .deserialize(&mut json)
        .map_err(|error| unquoted(&error))?;
    json.end().map_err(|error| unquoted(&error))?;
    let objects = page.value.ok_or("the page has no `value`")?;
    let next = match (page.next_link, page.delta_link) {
        (Some(next_link), None) => NextPage::More { next_link },
        (None, Some(delta_link)) => NextPage::Complete { delta_link },
        (None, None) => return Err("the page has neither @odata.nextLink nor @odata.deltaLink".to_owned()),
        (Some(_), Some(_)) => return Err("the page has both @odata.nextLink and @odata.deltaLink".to_owned()),
    };
    Ok(DeltaPage { objects, next })
}

/// Removes values from serde's own messages, which quote the offending one: it may be a name.
pub(super) fn unquoted(error: &serde_json::Error) -> String {
    let place = format!("line {} column {}", error.line(), error.column());
    match error.classify() {
        serde_json::error::Category::Eof => format!("the answer ends in the middle, at {place}"),
        serde_json::error::Category::Syntax => format!("the answer is not JSON, at {place}"),
        _ => {
            let text = error.to_string();
            // A missing field is one that we ask for: its name is not a value.
            let ours = text
                .strip_prefix(OURS)
                .or_else(|| text.starts_with("missing field ").then_some(text.as_str()))
                .and_then(|text| text.split(" at line ").next());
            format!(
                "{}, at {place}",
                ours.unwrap_or("a property has an unexpected type")
            )
        }
    }
}

/// Marks messages of this module, which quote nothing.
const OURS: &str = "page: ";

#[derive(Default)]
struct WirePage {
    value: Option<Vec<DeltaObject>>,
    next_link: Option<String>,
    delta_link: Option<String>,
}

struct PageSeed(ObjectKind);

impl<'de> DeserializeSeed<'de> for PageSeed {
    type Value = WirePage;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<WirePage, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for PageSeed {
    type Value = WirePage;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a delta page")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<WirePage, A::Error> {
        let mut page = WirePage::default();
        while let Some(key) = map.next_key::<Cow<'_, str>>()? {
            match key.as_ref() {
                "value" if page.value.is_some() => {
                    return Err(A::Error::custom("page: `value` occurs twice"));
                }
                "value" => page.value = Some(map.next_value_seed(ObjectsSeed(self.0))?),
                "@odata.nextLink" => page.next_link = map.next_value()?,
                "@odata.deltaLink" => page.delta_link = map.next_value()?,
                "@odata.context" => {
                    let context = map.next_value::<Option<Text<'_>>>()?;
                    if context.is_some_and(|Text(context)| is_of_other(self.0, &context)) {
                        return Err(A::Error::custom("page: it is a page of another stream"));
                    }
                }
                _ => _ = map.next_value::<IgnoredAny>()?,
            }
        }
        Ok(page)
    }
}

struct ObjectsSeed(ObjectKind);

impl<'de> DeserializeSeed<'de> for ObjectsSeed {
    type Value = Vec<DeltaObject>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for ObjectsSeed {
    type Value = Vec<DeltaObject>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of objects")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        let mut objects = Vec::new();
        while let Some(object) = seq.next_element_seed(ObjectSeed(self.0))? {
            objects.push(object);
        }
        Ok(objects)
    }
}

struct ObjectSeed(ObjectKind);

impl<'de> DeserializeSeed<'de> for ObjectSeed {
    type Value = DeltaObject;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<DeltaObject, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for ObjectSeed {
    type Value = DeltaObject;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a directory object")
    }

    /// Reads an object. `x@odata.type` and the like are annotations, not properties; `manager` and `members` themselves
    /// only come expanded, which a delta query does not do.
    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<DeltaObject, A::Error> {
        let (mut id, mut removed, mut attributes) = (None, None, Attributes::new());
        let (mut manager, mut members) = (Vec::new(), Vec::new());
        while let Some(Text(key)) = map.next_key()? {
            match key.as_ref() {
                "id" => id = Some(map.next_value::<WireId>()?.0),
                "@removed" => removed = map.next_value::<Option<WireRemoved<'_>>>()?,
                "manager@delta" => manager = references(map.next_value()?),
                "members@delta" => members = references(map.next_value()?),
                "@odata.type" => {
                    let named = map.next_value::<Option<Text<'_>>>()?;
                    if named.is_some_and(|Text(named)| is_other_kind(self.0, &named)) {
                        return Err(A::Error::custom("page: an object is of another kind"));
                    }
                }
                name if name.contains('@') || convert::is_reference(name) => {
                    _ = map.next_value::<IgnoredAny>()?
                }
                _ => {
                    let JsonValue(value) = map.next_value()?;
                    attributes.insert(key.as_ref(), value);
                }
            }
        }
        Ok(DeltaObject {
            kind: self.0,
            id: id.ok_or_else(|| A::Error::custom("page: an object has no `id`"))?,
            attributes,
            removed: removed.map(|removed| convert::removed(removed.reason.as_deref())),
            manager,
            members,
        })
    }
}

/// Returns whether a page's context names the other stream: a proxy that mixes answers up must not turn users into
/// groups.
fn is_of_other(kind: ObjectKind, context: &str) -> bool {
    let set = context.rsplit_once('#').map_or("", |(_, set)| set);
    let set = set.split(['(', '/']).next().unwrap_or_default();
    set.eq_ignore_ascii_case(match kind {
        ObjectKind::User => "groups",
        ObjectKind::Group => "users",
    })
}

/// Returns whether an object states that it is of the other kind.
fn is_other_kind(kind: ObjectKind, named: &str) -> bool {
    let other = match kind {
        ObjectKind::User => MemberKind::Group,
        ObjectKind::Group => MemberKind::User,
    };
    convert::member_kind(Some(named)) == other
}

/// A text, borrowed where it is written without escapes.
#[derive(Deserialize)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

struct WireId(SourceId);

impl<'de> Deserialize<'de> for WireId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Text(text) = Text::deserialize(deserializer)?;
        text.parse()
            .map(Self)
            .map_err(|_| D::Error::custom("page: an `id` is not a GUID"))
    }
}

#[derive(Deserialize)]
struct WireRemoved<'a> {
    #[serde(borrow, default)]
    reason: Option<Cow<'a, str>>,
}

#[derive(Deserialize)]
struct WireReference<'a> {
    id: WireId,
    #[serde(borrow, default, rename = "@odata.type")]
    odata_type: Option<Cow<'a, str>>,
    #[serde(default, rename = "@removed")]
    removed: Option<IgnoredAny>,
}

/// Returns references in page order; null is an empty increment.
fn references(wire: Option<Vec<WireReference<'_>>>) -> Vec<ReferenceChange> {
    let change = |reference: WireReference<'_>| ReferenceChange {
        id: reference.id.0,
        kind: convert::member_kind(reference.odata_type.as_deref()),
        removed: reference.removed.is_some(),
    };
    wire.unwrap_or_default().into_iter().map(change).collect()
}

#[cfg(test)]
mod tests;
