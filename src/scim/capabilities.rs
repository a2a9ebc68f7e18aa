//! What a service announces about itself (RFC 7644 section 4): read tolerantly, every part optional.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde::Serialize;
use serde_json::Map;
use serde_json::Value as Json;

use super::resource::{field, number};
use crate::reconcile::target_schema::Attribute;
use crate::reconcile::target_schema::Mutability;
use crate::reconcile::target_schema::Schemas;

/// The parts of ServiceProviderConfig that concern us.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Advertised {
    /// True if PATCH is supported. True where it is not stated, because Entra itself needs it.
    pub patch: bool,
    /// True if filters are supported. True where it is not stated, for the same reason; what a filter proves is found
    /// out elsewhere.
    pub filter: bool,
    /// The most results of one answer.
    pub max_results: Option<u64>,
    /// True if cursor paging (RFC 9865) is supported. False where it is not stated.
    pub cursor: bool,
}

impl Default for Advertised {
    fn default() -> Self {
        Self {
            patch: true,
            filter: true,
            max_results: None,
            cursor: false,
        }
    }
}

impl Advertised {
    /// Reads ServiceProviderConfig; a field that is not stated keeps its default.
    #[must_use]
    pub fn from_json(config: &Json) -> Self {
        let part = |name: &str| {
            config
                .as_object()
                .and_then(|c| field(c, name))
                .and_then(Json::as_object)
        };
        let supported = |name: &str| {
            part(name)
                .and_then(|part| field(part, "supported"))
                .and_then(boolean)
        };
        let limit = |part: Option<&Map<String, Json>>, name: &str| {
            part.and_then(|part| field(part, name))
                .and_then(number)
                .filter(|n| *n > 0)
        };
        let (filter, pagination) = (part("filter"), part("pagination"));
        let limits = [limit(filter, "maxResults"), limit(pagination, "maxPageSize")];
        Self {
            patch: supported("patch").unwrap_or(true),
            filter: supported("filter").unwrap_or(true),
            max_results: limits.into_iter().flatten().min(),
            cursor: pagination
                .and_then(|p| field(p, "cursor"))
                .and_then(boolean)
                .unwrap_or(false),
        }
    }
}

fn boolean(value: &Json) -> Option<bool> {
    match value {
        Json::Bool(b) => Some(*b),
        Json::String(text) if text.eq_ignore_ascii_case("true") => Some(true),
        Json::String(text) if text.eq_ignore_ascii_case("false") => Some(false),
        _ => None,
    }
}

/// Reads `/Schemas` as a listing, a bare array or one schema.
#[must_use]
pub fn schemas(body: &Json) -> Schemas {
    let listed = body
        .as_object()
        .and_then(|object| field(object, "Resources"))
        .or(Some(body));
    let items = match listed {
        Some(Json::Array(items)) => items.as_slice(),
        Some(one) => std::slice::from_ref(one),
        None => &[],
    };
    items
        .iter()
        .filter_map(Json::as_object)
        .filter_map(schema)
        .collect()
}

fn schema(schema: &Map<String, Json>) -> Option<(String, BTreeMap<String, Attribute>)> {
    let urn = field(schema, "id")?.as_str()?.to_owned();
    let mut attributes = BTreeMap::new();
    collect_attributes("", field(schema, "attributes"), &mut attributes);
    Some((urn, attributes))
}

fn collect_attributes(prefix: &str, attributes: Option<&Json>, into: &mut BTreeMap<String, Attribute>) {
    for attribute in attributes
        .and_then(Json::as_array)
        .into_iter()
        .flatten()
        .filter_map(Json::as_object)
    {
        if let Some(name) = field(attribute, "name").and_then(Json::as_str) {
            let path = format!("{prefix}{}", name.to_ascii_lowercase());
            // RFC 7643 section 7 has one level of sub-attributes; anything deeper is not read.
            if prefix.is_empty() {
                collect_attributes(&format!("{path}."), field(attribute, "subAttributes"), into);
            }
            into.insert(path, characteristics(attribute));
        }
    }
}

/// Reads the characteristics of an attribute, with the defaults of RFC 7643 section 2.2.
fn characteristics(attribute: &Map<String, Json>) -> Attribute {
    let word = |name: &str| {
        let word = field(attribute, name).and_then(Json::as_str).unwrap_or_default();
        word.trim().to_ascii_lowercase()
    };
    Attribute {
        mutability: match word("mutability").as_str() {
            "readonly" => Mutability::ReadOnly,
            "immutable" => Mutability::Immutable,
            "writeonly" => Mutability::WriteOnly,
            _ => Mutability::ReadWrite,
        },
        required: field(attribute, "required").and_then(boolean) == Some(true),
        returned: !matches!(word("returned").as_str(), "never" | "request"),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_not_said_keeps_its_default() {
        assert_eq!(Advertised::from_json(&json!({})), Advertised::default());
        assert_eq!(Advertised::from_json(&json!([])), Advertised::default());
        let said = json!({"Patch": {"supported": "False"}, "filter": {"supported": true, "maxResults": "200"},
            "pagination": {"cursor": true, "maxPageSize": 100}});
        let expected = Advertised {
            patch: false,
            filter: true,
            max_results: Some(100),
            cursor: true,
        };
        assert_eq!(Advertised::from_json(&said), expected);
    }

    #[test]
    fn schemas_give_their_paths_in_lower_case_and_what_they_say_of_each() {
        let user = json!({"id": "urn:u", "attributes": [
            {"name": "userName", "required": "True", "mutability": "Immutable"},
            {"name": "password", "mutability": "writeOnly", "returned": "never"},
            {"name": "name", "subAttributes": [{"name": "givenName", "mutability": "readonly"}]}]});
        let said = |mutability, required, returned| Attribute {
            mutability,
            required,
            returned,
        };
        for body in [
            json!({"totalResults": 1, "Resources": [user]}),
            json!([user]),
            user,
        ] {
            let expected = BTreeMap::from([
                ("username".to_owned(), said(Mutability::Immutable, true, true)),
                ("password".to_owned(), said(Mutability::WriteOnly, false, false)),
                ("name".to_owned(), Attribute::default()),
                (
                    "name.givenname".to_owned(),
                    said(Mutability::ReadOnly, false, true),
                ),
            ]);
            assert_eq!(schemas(&body), BTreeMap::from([("urn:u".to_owned(), expected)]));
        }
        assert!(schemas(&json!("x")).is_empty());
    }
}
