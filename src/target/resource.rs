//! Resources and listings as targets really write them: tolerant in reading, never guessing an absence.
//!
//! RFC 7644 section 3.4.2 is the rule; servers in the field vary the case of `Resources`, write numbers as texts, leave
//! out `totalResults`, `startIndex`, `Location` or the `id`.

use serde_json::Map;
use serde_json::Value as Json;

use super::path::ENTERPRISE_USER;
use super::replace::key_of;
use super::urls::percent_decoded;
use crate::model::id::ObjectKind;
use crate::model::id::TargetId;
use crate::ports::Resource;

/// A listing as it was answered.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Listing {
    /// The resources that have an id.
    pub resources: Vec<Resource>,
    /// How many entries the answer had, those without an id included: what paging goes on by.
    pub entries: u64,
    /// `totalResults`, where said.
    pub total: Option<u64>,
    /// `nextCursor` (RFC 9865), where said.
    pub next_cursor: Option<String>,
}

impl Listing {
    /// Reads a ListResponse, a bare array, or a single resource. `None` for anything else, and for an answer that
    /// announces results but does not hold them: that is never an empty listing.
    #[must_use]
    pub fn from_json(body: Json) -> Option<Self> {
        let mut object = match body {
            Json::Array(items) => return Some(Self::of(items, None, None)),
            Json::Object(object) => object,
            _ => return None,
        };
        let total = field(&object, "totalResults").and_then(number);
        let next_cursor = field(&object, "nextCursor")
            .and_then(Json::as_str)
            .filter(|c| !c.is_empty())
            .map(str::to_owned);
        match key_of(&object, "Resources").and_then(|key| object.remove(&key)) {
            Some(Json::Array(items)) => Some(Self::of(items, total, next_cursor)),
            None | Some(Json::Null) if total == Some(0) => Some(Self::of(Vec::new(), total, next_cursor)),
            None if total.is_none() && id_of(&object).is_some() => {
                Some(Self::of(vec![Json::Object(object)], None, None))
            }
            _ => None,
        }
    }

    fn of(items: Vec<Json>, total: Option<u64>, next_cursor: Option<String>) -> Self {
        let entries = items.len() as u64;
        Self {
            resources: items.into_iter().filter_map(resource).collect(),
            entries,
            total,
            next_cursor,
        }
    }
}

/// A resource with its id; `None` without one.
#[must_use]
pub fn resource(body: Json) -> Option<Resource> {
    let id = id_of(body.as_object()?)?;
    Some(Resource { id, body })
}

fn id_of(object: &Map<String, Json>) -> Option<TargetId> {
    id_in(field(object, "id")?)
}

/// What an `id` says.
pub(super) fn id_in(id: &Json) -> Option<TargetId> {
    match id {
        Json::String(id) => TargetId::new(id),
        Json::Number(id) => TargetId::new(&id.to_string()),
        _ => None,
    }
}

/// The id at the end of a `Location`, absolute or relative, if it names a resource of this collection.
#[must_use]
pub fn id_in_location(location: &str, collection: &str) -> Option<TargetId> {
    let path = location.split(['?', '#']).next()?.trim_end_matches('/');
    let (parent, last) = path.rsplit_once('/').unwrap_or(("", path));
    let in_collection = parent.is_empty() || parent.rsplit('/').next()?.eq_ignore_ascii_case(collection);
    if !in_collection || last.eq_ignore_ascii_case(collection) {
        return None;
    }
    TargetId::new(&percent_decoded(last)?)
}

/// A field whatever the case of its name.
#[must_use]
pub fn field<'a>(object: &'a Map<String, Json>, name: &str) -> Option<&'a Json> {
    object.get(name).or_else(|| {
        object
            .iter()
            .find(|(key, _)| key.eq_ignore_ascii_case(name))
            .map(|(_, value)| value)
    })
}

/// A count, also where it is written as a text.
#[must_use]
pub fn number(value: &Json) -> Option<u64> {
    match value {
        Json::Number(n) => n.as_u64(),
        Json::String(text) => text.trim().parse().ok(),
        _ => None,
    }
}

/// Makes `schemas` say what the body holds: the core schema always, the extensions in use where the dialect lists them.
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

/// As Entra: its own enterprise schema is named, a custom one is not.
fn is_plain(urn: &str, core: &str) -> bool {
    urn == core || urn == ENTERPRISE_USER
}

/// The extensions in use that are to be listed.
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
                "an entry without an id",
                json!({"totalResults": 2, "Resources": [{"id": "a"}, {"x": 1}]}),
                vec!["a"],
                Some(2),
            ),
        ] {
            let listing = Listing::from_json(body).unwrap_or_else(|| panic!("{name}"));
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
            json!({"error": 1}),
        ] {
            assert_eq!(Listing::from_json(body.clone()), None, "{body}");
        }
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
