//! The instance metadata service of a virtual machine, as far as it gives tokens: `GET /metadata/identity/oauth2/token`.

use serde_json::json;

use super::Core;
use super::auth;
use crate::sandbox::clock;
use crate::sandbox::server::Answer;
use crate::sandbox::server::Call;

const JSON: &str = "application/json; charset=utf-8";

/// The identities of the machine.
#[derive(Default)]
pub(super) struct Identities {
    /// True where it has one of its own.
    pub system: bool,
    /// Client ids of those that were assigned to it.
    pub assigned: Vec<String>,
}

pub(super) const PATH: &str = "metadata/identity/oauth2/token";

pub(super) fn answer(core: &mut Core, call: &Call) -> Answer {
    let refused = |status, error: &str, text: &str| {
        Answer::json(status, JSON, &json!({"error": error, "error_description": text}))
    };
    // A machine asks with the one header, an app with the other.
    let inside = call.header("metadata") == Some("true") || call.header("x-identity-header").is_some();
    if !inside || call.header("x-forwarded-for").is_some() {
        return refused(400, "bad_request_102", "Required metadata header not specified");
    }
    let Some(resource) = call.option("resource").filter(|resource| !resource.is_empty()) else {
        return refused(
            400,
            "bad_request_101",
            "Required parameter 'resource' not specified",
        );
    };
    let identities = &core.identities;
    let known = match call.option("client_id") {
        Some(id) => identities
            .assigned
            .iter()
            .any(|known| known.eq_ignore_ascii_case(&id)),
        None => identities.system || identities.assigned.len() == 1,
    };
    if !known {
        return refused(400, "invalid_request", "Identity not found");
    }
    let seconds = core.options.token_seconds;
    let token = auth::issue(core, seconds);
    // Both are texts there.
    let ends = clock::utc().timestamp() + i64::try_from(seconds).unwrap_or(i64::MAX);
    let body = json!({
        "access_token": token, "expires_in": seconds.to_string(), "expires_on": ends.to_string(),
        "resource": resource, "token_type": "Bearer",
    });
    Answer::json(200, JSON, &body)
}
