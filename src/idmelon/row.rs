//! A page of security keys, decoded: what is not understood is an error, never fewer keys.

use serde_json::Map;
use serde_json::Value as Json;

use crate::reconcile::back::keys::KeyState;
use crate::reconcile::back::keys::SecurityKey;

/// A page.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Page {
    pub(super) keys: Vec<SecurityKey>,
    /// The number of keys that the service announces, where it does.
    pub(super) total: Option<u64>,
}

/// Decodes a page. The name of the list is documented nowhere, so there has to be exactly one.
pub(super) fn page(body: &[u8]) -> Result<Page, String> {
    let json: Json = serde_json::from_slice(body).map_err(|_| "no JSON".to_owned())?;
    let (rows, total) = match &json {
        Json::Array(rows) => (rows, None),
        Json::Object(fields) => {
            let inside = fields.get("data").and_then(Json::as_object);
            let fields = inside.unwrap_or(fields);
            (sole_list(fields)?, fields.get("total").and_then(Json::as_u64))
        }
        _ => return Err("neither an object nor a list".to_owned()),
    };
    let keys: Result<Vec<SecurityKey>, String> = rows.iter().map(key).collect();
    Ok(Page { keys: keys?, total })
}

fn sole_list(fields: &Map<String, Json>) -> Result<&Vec<Json>, String> {
    let mut lists = fields.values().filter_map(Json::as_array);
    match (lists.next(), lists.next()) {
        (Some(list), None) => Ok(list),
        (None, _) => Err("no list of keys".to_owned()),
        (Some(_), Some(_)) => Err("more than one list".to_owned()),
    }
}

fn key(row: &Json) -> Result<SecurityKey, String> {
    let id = row.get("_id").and_then(Json::as_str).filter(|id| !id.is_empty());
    let Some(id) = id else {
        return Err("a key without `_id`".to_owned());
    };
    let owner = row.pointer("/token/owner").and_then(Json::as_str);
    let state = match (
        row.get("isBlocked").and_then(Json::as_bool),
        row.get("status").and_then(Json::as_u64),
    ) {
        (Some(true), _) => KeyState::Blocked,
        (Some(false), Some(20)) => KeyState::Active,
        (Some(false), Some(30)) => KeyState::Pending,
        // A field that is missing says nothing.
        (Some(false), _) | (None, _) => KeyState::Other,
    };
    Ok(SecurityKey {
        id: id.to_owned(),
        owner: owner.map(str::to_owned),
        state,
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(body: &Json) -> Result<Page, String> {
        page(body.to_string().as_bytes())
    }

    #[test]
    fn a_page_is_understood_whole_or_not_at_all() {
        let row = |id: &str| json!({"_id": id, "token": {"owner": "a@x"}, "status": 20, "isBlocked": false});
        for (name, body, keys, total) in [
            ("a list", json!([row("1")]), 1, None),
            (
                "in an envelope",
                json!({"data": [row("1"), row("2")], "total": 9}),
                2,
                Some(9),
            ),
            (
                "under another name",
                json!({"devices": [row("1")], "statistics": {}}),
                1,
                None,
            ),
            (
                "an envelope inside",
                json!({"data": {"rows": [row("1")], "total": 1}}),
                1,
                Some(1),
            ),
            ("empty", json!({"data": [], "total": 0}), 0, Some(0)),
        ] {
            let page = read(&body).unwrap();
            assert_eq!((page.keys.len(), page.total), (keys, total), "{name}");
        }
        for (name, body) in [
            ("no list", json!({"total": 0})),
            ("two lists", json!({"data": [], "others": []})),
            ("a key without an id", json!({"data": [{"status": 20}]})),
            ("a text", json!("ok")),
        ] {
            assert!(read(&body).is_err(), "{name}");
        }
        assert!(page(b"<html>").is_err());
    }

    #[test]
    fn a_state_that_is_not_known_is_no_state() {
        for (row, expected) in [
            (
                json!({"_id": "1", "status": 20, "isBlocked": false}),
                KeyState::Active,
            ),
            (
                json!({"_id": "1", "status": 30, "isBlocked": false}),
                KeyState::Pending,
            ),
            (
                json!({"_id": "1", "status": 20, "isBlocked": true}),
                KeyState::Blocked,
            ),
            (
                json!({"_id": "1", "status": 40, "isBlocked": false}),
                KeyState::Other,
            ),
            (json!({"_id": "1", "status": 20}), KeyState::Other),
            (json!({"_id": "1", "isBlocked": false}), KeyState::Other),
        ] {
            assert_eq!(key(&row).unwrap().state, expected, "{row}");
        }
    }
}
