//! `POST /v1.0/$batch`: at most 20 requests, each with a status of its own (json-batching.md).

use std::collections::HashSet;

use axum::body::Bytes;
use axum::http::HeaderMap;
use axum::http::Method;
use serde_json::Value;
use serde_json::json;

use super::Core;
use super::page;
use super::read;
use super::write;
use crate::sandbox::faults::retry_after_value;
use crate::sandbox::server::Answer;
use crate::sandbox::server::Call;

const MOST_REQUESTS: usize = 20;

pub(super) fn answer(core: &mut Core, call: &Call) -> Answer {
    let body: Value = serde_json::from_slice(&call.body).unwrap_or_default();
    let Some(requests) = body
        .get("requests")
        .and_then(Value::as_array)
        .filter(|list| !list.is_empty())
    else {
        return page::error(400, "BadRequest", "Invalid batch payload format.");
    };
    if requests.len() > MOST_REQUESTS {
        return page::error(
            400,
            "BadRequest",
            "Number of batch request steps exceeds the maximum value of 20.",
        );
    }
    let mut seen = HashSet::new();
    let mut responses = Vec::new();
    for request in requests {
        let id = request.get("id").and_then(Value::as_str).unwrap_or_default();
        if id.is_empty() || !seen.insert(id.to_lowercase()) {
            return page::error(400, "BadRequest", "Every batch request needs an id of its own.");
        }
        responses.push(one(core, call, id, request));
    }
    // "In any order": a client that counts positions must not pass.
    responses.reverse();
    page::ok(&json!({"responses": responses}))
}

fn one(core: &mut Core, outer: &Call, id: &str, request: &Value) -> Value {
    if core.faults.batch_throttle.strikes() {
        let mut headers = json!({"Content-Type": "application/json"});
        if let Some(setting) = &core.faults.retry_after {
            headers["Retry-After"] = retry_after_value(setting).into();
        }
        return json!({"id": id, "status": 429, "headers": headers, "body": page::error_body("TooManyRequests", "Too many requests.")});
    }
    if core.faults.batch_denied.strikes() {
        let body = page::error_body("Authorization_RequestDenied", "Insufficient privileges.");
        return json!({"id": id, "status": 403, "headers": {"Content-Type": "application/json"}, "body": body});
    }
    let url = request.get("url").and_then(Value::as_str).unwrap_or_default();
    let method = request.get("method").and_then(Value::as_str).unwrap_or_default();
    let answer = match Method::from_bytes(method.to_uppercase().as_bytes()) {
        Ok(method) if !url.contains("://") => inner(core, outer, method, (url, request)),
        _ => page::error(400, "BadRequest", "Only relative URLs are known to this sandbox."),
    };
    let body: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
    json!({"id": id, "status": answer.status, "headers": {"Content-Type": "application/json"}, "body": body})
}

/// Answers one inner request: a read, or a write.
fn inner(core: &mut Core, outer: &Call, method: Method, (url, request): (&str, &Value)) -> Answer {
    let (path, query) = url.split_once('?').unwrap_or((url, ""));
    let path = format!("/v1.0/{}", path.trim_start_matches('/'));
    let body = request.get("body").map(Value::to_string).unwrap_or_default();
    let inner = Call {
        method,
        query: query.to_owned(),
        headers: HeaderMap::clone(&outer.headers),
        body: Bytes::from(body),
        path,
    };
    let resource = inner
        .path
        .trim_start_matches("/v1.0/")
        .trim_end_matches('/')
        .to_owned();
    if inner.is_write() {
        return write::answer(core, &inner, &resource)
            .unwrap_or_else(|| page::error(400, "BadRequest", "Resource not found for the segment."));
    }
    core.directory.behind = core.faults.batch_behind.strikes();
    let answer = read::answer(core, &inner, &resource);
    core.directory.behind = false;
    answer
}
