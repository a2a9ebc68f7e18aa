//! The security keys of the workspace, and the part of IDmelon's REST API that lists them. The header is the bare API key; the order of
//! rows is nobody's promise.

use serde_json::Value;
use serde_json::json;

use super::Core;
use super::Workspace;
use crate::sandbox::server::Answer;
use crate::sandbox::server::Call;

/// The API key that a new workspace accepts.
pub const DEFAULT_API_KEY: &str = "sandbox-api-key";
const JSON: &str = "application/json; charset=utf-8";
const PATH: &str = "/administrator/securityDevice";
/// Active; 30 is pending.
const ACTIVE: u64 = 20;
const USUAL_LIMIT: usize = 50;

/// The keys of a workspace.
#[derive(Default)]
pub(super) struct Keys {
    rows: Vec<Value>,
    made: u64,
}

/// Returns true for a path of the REST API.
pub(super) fn is_mine(call: &Call) -> bool {
    call.path.starts_with("/administrator/")
}

/// Answers a request to the REST API.
pub(super) fn answer(core: &mut Core, call: &Call) -> Answer {
    if call.header("authorization") != Some(DEFAULT_API_KEY) {
        return Answer::json(401, JSON, &json!({"message": "Unauthorized"}));
    }
    if call.path.trim_end_matches('/') != PATH || call.is_write() {
        return Answer::json(404, JSON, &json!({"message": "Not found"}));
    }
    let number = |name: &str| call.option(name).and_then(|text| text.parse::<usize>().ok());
    let status = number("status");
    let matches = |row: &&Value| status.is_none_or(|status| row["status"].as_u64() == Some(status as u64));
    let mut rows: Vec<Value> = core.keys.rows.iter().filter(matches).cloned().collect();
    let total = rows.len();
    let (limit, skip) = (
        number("limit").unwrap_or(USUAL_LIMIT),
        number("skip").unwrap_or(0),
    );
    if skip > 0 && core.faults.keys_shift.strikes() {
        rows.rotate_right(1);
    }
    let mut page: Vec<Value> = rows.into_iter().skip(skip).take(limit).collect();
    if core.faults.keys_omitted.strikes() {
        page.pop();
    }
    let mut body = json!({"data": page, "statistics": {"active": total}});
    if !core.faults.keys_without_total {
        body["total"] = total.into();
    }
    Answer::json(200, JSON, &body)
}

impl Workspace {
    /// Enrols a security key for the person with this address. Returns its id.
    pub fn enrol_key(&self, owner: &str) -> String {
        let mut core = self.core();
        core.keys.made += 1;
        let id = format!("66f0{:020x}", core.keys.made);
        let name = format!("Key {}", core.keys.made);
        core.keys.rows.push(json!({
            "_id": id, "name": name, "token": {"owner": owner, "name": owner}, "status": ACTIVE, "type": "badge",
            "lastActivity": {"createdAt": "2026-01-01T00:00:00.000Z"}, "totalActivities": 1, "isBlocked": false,
        }));
        id
    }

    /// Sets fields of a key, such as `isBlocked` or `status`.
    pub fn set_key(&self, id: &str, fields: &Value) {
        let mut core = self.core();
        let row = core.keys.rows.iter_mut().find(|row| row["_id"] == id);
        if let (Some(row), Some(fields)) = (row.and_then(Value::as_object_mut), fields.as_object()) {
            row.extend(fields.clone());
        }
    }

    /// Returns the ids of the keys of the person with this address.
    pub fn keys_of(&self, owner: &str) -> Vec<String> {
        let core = self.core();
        let theirs = core.keys.rows.iter().filter(|row| row["token"]["owner"] == owner);
        theirs
            .filter_map(|row| row["_id"].as_str().map(str::to_owned))
            .collect()
    }

    /// Deletes the keys of the person with this address.
    pub fn delete_keys_of(&self, owner: &str) {
        self.core().keys.rows.retain(|row| row["token"]["owner"] != owner);
    }

    /// Deletes a key.
    pub fn delete_key(&self, id: &str) {
        self.core().keys.rows.retain(|row| row["_id"] != id);
    }
}
