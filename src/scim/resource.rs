//! Resources and listings as targets really write them: tolerant in reading, never guessing an absence.
//!
//! RFC 7644 section 3.4.2 is the rule; servers in the field vary the case of `Resources`, write numbers as texts, leave
//! out `totalResults`, `startIndex`, `Location` or the `id`.

use serde_json::Map;
use serde_json::Value as Json;

use super::path::ENTERPRISE_USER;
use super::path::key_of;
use crate::model::id::ObjectKind;
use crate::model::id::TargetId;
use crate::model::percent;
use crate::ports::Resource;

/// The schema of a listing.
const LIST_SCHEMA: &str = "urn:ietf:params:scim:api:messages:2.0:ListResponse";

/// A listing as it was answered.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Listing {
    /// The resources that have an id.
    pub resources: Vec<Resource>,
    /// The number of entries of the answer, including those without an id: paging goes on by it.
    pub entries: u64,
    /// `totalResults`, where stated.
    pub total: Option<u64>,
    /// `startIndex`, where stated.
    pub start: Option<u64>,
    /// `nextCursor` (RFC 9865), where stated.
    pub next_cursor: Option<String>,
}

impl Listing {
    /// Reads a ListResponse, a bare array, or a single resource. Returns `None` for anything else, and for an answer
    /// that announces results but does not hold them: that is never an empty listing, except behind the last entry
    /// (`later`), where services leave out `Resources` and go on announcing the total.
    #[must_use]
    pub fn from_json(body: Json, later: bool) -> Option<Self> {
        let mut object = match body {
            Json::Array(items) => return Some(Self::default().holding(items)),
            Json::Object(object) => object,
            Json::Null | Json::Bool(_) | Json::Number(_) | Json::String(_) => return None,
        };
        let counted = |name: &str| field(&object, name).and_then(number);
        let listing = Self {
            total: counted("totalResults"),
            start: counted("startIndex"),
            next_cursor: field(&object, "nextCursor").and_then(cursor_in),
            ..Self::default()
        };
        let says_none = listing.total == Some(0)
            || counted("itemsPerPage") == Some(0)
            || (listing.total.is_none() && is_list_response(&object))
            || (later && listing.total.is_some());
        let held = key_of(&object, "Resources").and_then(|key| object.remove(&key));
        match held {
            Some(Json::Array(items)) => Some(listing.holding(items)),
            Some(Json::Object(one)) => Some(listing.holding(single_or_numbered(one)?)),
            None | Some(Json::Null) if says_none => Some(listing),
            None if listing.total.is_none() && id_of(&object).is_some() => {
                Some(Self::default().holding(vec![Json::Object(object)]))
            }
            None | Some(Json::Null | Json::Bool(_) | Json::Number(_) | Json::String(_)) => None,
        }
    }

    fn holding(self, items: Vec<Json>) -> Self {
        Self {
            entries: items.len() as u64,
            resources: items.into_iter().filter_map(resource).collect(),
            ..self
        }
    }
}

fn is_list_response(object: &Map<String, Json>) -> bool {
    let names = |schema: &Json| {
        schema
            .as_str()
            .is_some_and(|urn| urn.eq_ignore_ascii_case(LIST_SCHEMA))
    };
    match field(object, "schemas") {
        Some(Json::Array(schemas)) => schemas.iter().any(names),
        Some(one) => names(one),
        None => false,
    }
}

/// Reads one resource where a list of one belongs, or a list that a service wrote as an object of numbered entries, or
/// as an empty one (PHP's arrays).
fn single_or_numbered(object: Map<String, Json>) -> Option<Vec<Json>> {
    if id_of(&object).is_some() {
        return Some(vec![Json::Object(object)]);
    }
    let numbered = object
        .iter()
        .all(|(key, value)| key.parse::<u64>().is_ok() && value.is_object());
    numbered.then(|| object.into_iter().map(|(_, value)| value).collect())
}

fn cursor_in(value: &Json) -> Option<String> {
    match value {
        Json::String(cursor) if !cursor.is_empty() => Some(cursor.clone()),
        Json::Number(cursor) => Some(cursor.to_string()),
        Json::String(_) | Json::Null | Json::Bool(_) | Json::Array(_) | Json::Object(_) => None,
    }
}

/// Reads a resource with its id. Returns `None` where it has none.
#[must_use]
pub fn resource(body: Json) -> Option<Resource> {
    let id = id_of(body.as_object()?)?;
    Some(Resource { id, body })
}

fn id_of(object: &Map<String, Json>) -> Option<TargetId> {
    id_in(field(object, "id")?)
}

/// Reads the value of an `id`.
pub(super) fn id_in(id: &Json) -> Option<TargetId> {
    match id {
        Json::String(id) => TargetId::new(id),
        Json::Number(id) => TargetId::new(&id.to_string()),
        _ => None,
    }
}

/// Returns the id at the end of a `Location`, absolute or relative, if it names a resource of this collection.
#[must_use]
pub fn id_in_location(location: &str, collection: &str) -> Option<TargetId> {
    let path = location.split(['?', '#']).next()?.trim_end_matches('/');
    let (parent, last) = path.rsplit_once('/').unwrap_or(("", path));
    let in_collection = parent.is_empty() || parent.rsplit('/').next()?.eq_ignore_ascii_case(collection);
    if !in_collection || last.eq_ignore_ascii_case(collection) {
        return None;
    }
    TargetId::new(&percent::decoded(last)?)
}

/// Returns a field whatever the case of its name.
#[must_use]
pub fn field<'a>(object: &'a Map<String, Json>, name: &str) -> Option<&'a Json> {
    object.get(name).or_else(|| {
        object
            .iter()
            .find(|(key, _)| key.eq_ignore_ascii_case(name))
            .map(|(_, value)| value)
    })
}

/// Reads a count, also where it is written as a text or with a point.
#[must_use]
pub fn number(value: &Json) -> Option<u64> {
    // Exact up to 2^53; a greater count is invalid.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "whole, not negative and below 2^53: see the guard"
    )]
    let whole = |n: f64| (n.fract() == 0.0 && (0.0..9e15).contains(&n)).then_some(n as u64);
    match value {
        Json::Number(n) => n.as_u64().or_else(|| n.as_f64().and_then(whole)),
        Json::String(text) => text.trim().parse().ok(),
        _ => None,
    }
}

/// Sets `schemas` to what the body holds: the core schema always, the extensions in use where the dialect lists them.
pub fn complete_schemas(kind: ObjectKind, body: &mut Json, list_extensions: bool) {
    if let Json::Object(object) = body {
        let schemas = schemas_of(kind, object, list_extensions);
        object.insert("schemas".to_owned(), Json::Array(schemas));
    }
}

const fn core_schema(kind: ObjectKind) -> &'static str {
    match kind {
        ObjectKind::User => "urn:ietf:params:scim:schemas:core:2.0:User",
        ObjectKind::Group => "urn:ietf:params:scim:schemas:core:2.0:Group",
    }
}

/// Returns true where `schemas` is as Entra writes it: its own enterprise schema is named, a custom one is not.
fn is_plain(urn: &str, core: &str) -> bool {
    urn == core || urn == ENTERPRISE_USER
}

/// Returns the extensions in use that are to be listed.
fn extensions_in(object: &Map<String, Json>, list_extensions: bool) -> impl Iterator<Item = &str> {
    let used = object.keys().filter(|key| {
        key.get(..4)
            .is_some_and(|scheme| scheme.eq_ignore_ascii_case("urn:"))
    });
    used.map(String::as_str)
        .filter(move |urn| list_extensions || *urn == ENTERPRISE_USER)
}

fn is_listed(schemas: &[Json], urn: &str) -> bool {
    let mut listed = schemas.iter().filter_map(Json::as_str);
    listed.any(|listed| listed.eq_ignore_ascii_case(urn))
}

fn schemas_of(kind: ObjectKind, object: &Map<String, Json>, list_extensions: bool) -> Vec<Json> {
    let core = core_schema(kind);
    let listed = object.get("schemas").and_then(Json::as_array);
    let mut schemas = listed.cloned().unwrap_or_default();
    if !list_extensions {
        schemas.retain(|urn| urn.as_str().is_some_and(|urn| is_plain(urn, core)));
    }
    for urn in std::iter::once(core).chain(extensions_in(object, list_extensions)) {
        if !is_listed(&schemas, urn) {
            schemas.push(urn.into());
        }
    }
    schemas
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn listings_are_read_whatever_their_spelling() {
        for (name, body, ids, total) in [
            (
                "as the RFC has it",
                json!({"totalResults": 2, "Resources": [{"id": "a"}, {"id": "b"}]}),
                vec!["a", "b"],
                Some(2),
            ),
            (
                "lower case and texts",
                json!({"totalresults": "1", "resources": [{"ID": 7}]}),
                vec!["7"],
                Some(1),
            ),
            ("no total", json!({"Resources": []}), vec![], None),
            (
                "no Resources because there are none",
                json!({"totalResults": 0}),
                vec![],
                Some(0),
            ),
            ("a bare array", json!([{"id": "a"}]), vec!["a"], None),
            (
                "one resource",
                json!({"id": "a", "userName": "x"}),
                vec!["a"],
                None,
            ),
            (
                "no Resources and no total because there are none",
                json!({"schemas": ["urn:ietf:params:scim:api:messages:2.0:ListResponse"]}),
                vec![],
                None,
            ),
            (
                "no entries on the page",
                json!({"totalResults": 5, "itemsPerPage": 0, "Resources": null}),
                vec![],
                Some(5),
            ),
            (
                "a single element instead of a list",
                json!({"totalResults": 1.0, "Resources": {"id": 3}}),
                vec!["3"],
                Some(1),
            ),
            (
                "numbered entries",
                json!({"Resources": {"0": {"id": "a"}, "2": {"id": "b"}}}),
                vec!["a", "b"],
                None,
            ),
            ("an empty object", json!({"Resources": {}}), vec![], None),
            (
                "an entry without an id",
                json!({"totalResults": 2, "Resources": [{"id": "a"}, {"x": 1}]}),
                vec!["a"],
                Some(2),
            ),
        ] {
            let listing = Listing::from_json(body, false).unwrap_or_else(|| panic!("{name}"));
            let found: Vec<&str> = listing.resources.iter().map(|r| r.id.as_str()).collect();
            assert_eq!((found, listing.total), (ids, total), "{name}");
        }
    }

    #[test]
    fn an_answer_without_its_results_is_not_an_empty_listing() {
        for body in [
            json!({"totalResults": 3}),
            json!({}),
            json!("x"),
            json!({"Resources": "x"}),
            json!({"Resources": {"x": 1}}),
            json!({"error": 1}),
        ] {
            assert_eq!(Listing::from_json(body.clone(), false), None, "{body}");
        }
        let behind = Listing::from_json(json!({"totalResults": 3}), true);
        assert_eq!(
            behind.map(|listing| (listing.entries, listing.total)),
            Some((0, Some(3)))
        );
    }

    #[test]
    fn location_gives_the_id_absolute_or_relative() {
        for (location, id) in [
            ("https://x.example/scim/v2/Users/u-1", Some("u-1")),
            ("/Users/a%40b", Some("a@b")),
            ("Users/u-1/", Some("u-1")),
            ("u-1", Some("u-1")),
            ("https://x.example/login", None),
            ("https://x.example/scim/v2/Users", None),
        ] {
            assert_eq!(
                id_in_location(location, "Users"),
                id.and_then(TargetId::new),
                "{location}"
            );
        }
    }

    #[test]
    fn schemas_name_the_extensions_in_use_or_not_as_the_dialect_says() {
        let body = json!({"userName": "a", "urn:x:2.0:User": {"a": 1}, ENTERPRISE_USER: {"department": "d"}});
        let listed = |list| {
            let mut body = body.clone();
            complete_schemas(ObjectKind::User, &mut body, list);
            body["schemas"].clone()
        };
        let core = "urn:ietf:params:scim:schemas:core:2.0:User";
        assert_eq!(listed(false), json!([core, ENTERPRISE_USER]));
        let all = listed(true);
        assert_eq!(all[0], core);
        assert_eq!(all.as_array().unwrap().len(), 3);
    }
}
