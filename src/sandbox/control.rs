//! The sandbox's remote control: paths under `/sandbox/` on both sample servers, for checks and measurements that run the
//! servers in a process of their own. They need no token, are not in the request log, and meet no fault.
//!
//! | on | request | effect |
//! | --- | --- | --- |
//! | both | `GET /sandbox/requests[?list=true]` | counts since the last clearing; with `list` the requests themselves |
//! | both | `POST /sandbox/requests/clear` | clears the request log |
//! | tenant | `GET /sandbox/credentials` | `tenant_id`, `client_id`, `client_secret`, `service_principal_id` |
//! | tenant | `GET /sandbox/tenant` | the full truth: users with manager, groups with members, deleted ones too, and the assignments |
//! | tenant | `POST /sandbox/tenant {"users":N,"groups":N,"members_per_group":N,"plain":true,"nested":true,"assigned":true}` | another tenant |
//! | tenant | `POST /sandbox/mutate {"attributes":N}` | changes the title of N users |
//! | tenant | `POST /sandbox/mutate {"joiners":N}` | N new users |
//! | tenant | `POST /sandbox/mutate {"every_kind":true,"step":N}` | changes of every kind, the same for the same step |
//! | tenant | `POST /sandbox/assign {"principal":ID,"role":VALUE}`, `POST /sandbox/unassign`, where no role means all | assignments to the enterprise application; an empty role is default access |
//! | tenant | `POST /sandbox/member {"group":ID,"member":ID,"present":false}` | a membership |
//! | tenant | `POST /sandbox/user {"id":ID,"set":{…}}` | Graph properties of a user or group |
//! | tenant | `POST /sandbox/permission {"name":P,"granted":false}` | grants an application permission, or takes it away |
//! | tenant | `POST /sandbox/azure {"do":"start"}`, `pause`, `cycle`, `begin`, `end` | Azure's own provisioning job, which provisions into the workspace |
//! | tenant | `POST /sandbox/forget-tokens` | every delta token is refused from now on |
//! | workspace | `GET /sandbox/workspace` | all users and groups as they are stored |
//! | workspace | `POST /sandbox/enrol {"owner":ADDRESS,"present":false}` | a security key for the person with this address, or none |
//! | workspace | `POST /sandbox/record-bodies` | the request log keeps the bodies of writes from now on |

use std::collections::BTreeMap;

use axum::http::Method;
use serde_json::Value;
use serde_json::json;

use super::server::Answer;
use super::server::Call;
use super::server::RequestLog;

/// The path prefix of the remote control on both servers.
pub(super) const PREFIX: &str = "/sandbox/";

/// Returns method and the rest of the path, ready for a `match`.
pub(super) fn asked(call: &Call) -> (&str, &str) {
    let verb = if call.method == Method::GET { "GET" } else { "POST" };
    (verb, call.path.strip_prefix(PREFIX).unwrap_or_default())
}

/// Returns the body of a request as an object; an empty or broken one has no fields.
pub(super) fn fields(call: &Call) -> Value {
    serde_json::from_slice(&call.body).unwrap_or_default()
}

/// Returns a whole number in the body.
pub(super) fn number(fields: &Value, name: &str) -> Option<usize> {
    fields[name]
        .as_u64()
        .and_then(|number| usize::try_from(number).ok())
}

/// Answers 200 with this document.
pub(super) fn answer(body: &Value) -> Answer {
    Answer::json(200, "application/json", body)
}

/// Answers requests about the request log, which both servers have. Any other is not found.
pub(super) fn common(log: &RequestLog, call: &Call) -> Answer {
    match asked(call) {
        ("GET", "requests") => answer(&requests(log, call.option("list").is_some())),
        ("POST", "requests/clear") => {
            log.clear();
            answer(&json!({}))
        }
        _ => Answer::json(404, "application/json", &json!({"error": "no such control"})),
    }
}

fn requests(log: &RequestLog, list: bool) -> Value {
    let all = log.all();
    let mut methods: BTreeMap<&str, usize> = BTreeMap::new();
    for request in &all {
        *methods.entry(&request.method).or_default() += 1;
    }
    let mut shown = json!({"total": log.total(), "writes": log.writes(), "methods": methods});
    if list {
        let lines = all
            .iter()
            .map(|r| json!({"method": r.method, "path": r.path, "status": r.status, "body": r.body}));
        shown["requests"] = lines.collect();
    }
    shown
}
