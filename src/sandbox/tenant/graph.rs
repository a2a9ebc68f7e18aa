//! Routing: faults first, then the token, then the resource.

use std::time::Duration;

use axum::http::Method;

use super::Core;
use super::assignments;
use super::auth;
use super::azure;
use super::batch;
use super::delta;
use super::directory::Kind;
use super::identity;
use super::methods;
use super::page;
use super::read;
use super::write;
use crate::sandbox::clock;
use crate::sandbox::faults::mix;
use crate::sandbox::faults::retry_after_value;
use crate::sandbox::server::Answer;
use crate::sandbox::server::Call;

pub(super) const READ_USERS: &[&str] = &["User.Read.All", "User.ReadWrite.All", "Directory.Read.All"];
pub(super) const READ_GROUPS: &[&str] = &[
    "GroupMember.Read.All",
    "Group.Read.All",
    "Group.ReadWrite.All",
    "Directory.Read.All",
];
/// Deleted groups need more than reading members does (directory-deleteditems-get.md).
pub(super) const READ_DELETED_GROUPS: &[&str] =
    &["Group.Read.All", "Group.ReadWrite.All", "Directory.Read.All"];
pub(super) const READ_HIDDEN: &[&str] = &["Member.Read.Hidden"];
pub(super) const READ_APPLICATIONS: &[&str] = &["Application.Read.All", "Directory.Read.All"];

pub(super) fn answer(core: &mut Core, call: &Call) -> Answer {
    let mut answer = route(core, call);
    answer.delay += Duration::from_millis(core.options.latency_ms);
    core.answered += 1;
    let request_id = format!("5a3d0b0c-7e57-4000-8000-{:012x}", mix(core.answered) >> 16);
    let answer = answer
        .with("date", clock::http_date(core.options.clock_skew_seconds))
        .with("request-id", request_id);
    match call.header("client-request-id") {
        Some(theirs) => answer.with("client-request-id", theirs),
        None => answer,
    }
}

fn route(core: &mut Core, call: &Call) -> Answer {
    let path = call.path.trim_matches('/');
    if let Some(tenant) = path.strip_suffix("/oauth2/v2.0/token") {
        return match call.method {
            Method::POST => auth::token_endpoint(core, tenant, call),
            _ => Answer::empty(405),
        };
    }
    if let Some(tenant) = path.strip_suffix("/v2.0/.well-known/openid-configuration") {
        return match call.method {
            Method::GET => auth::open_id(core, tenant),
            _ => Answer::empty(405),
        };
    }
    if let Some(answer) = azure::sign_in(core, call, path) {
        return answer;
    }
    if path == identity::PATH && call.method == Method::GET {
        return identity::answer(core, call);
    }
    if let Some(fault) = wire_fault(core, call) {
        return fault;
    }
    let Some(caller) = core.auth.accepts(call.header("authorization")) else {
        return page::error(
            401,
            "InvalidAuthenticationToken",
            "Lifetime validation failed, the token is expired.",
        );
    };
    core.caller = caller;
    let Some(resource) = path.strip_prefix("v1.0/") else {
        return page::error(400, "BadRequest", "Invalid version.");
    };
    let slow = core.faults.slow.strikes();
    let answer = match (call.method.as_str(), resource) {
        (
            "GET",
            "users/delta" | "users/microsoft.graph.delta" | "users/delta()" | "users/microsoft.graph.delta()",
        ) => delta::answer(core, call, Kind::User),
        (
            "GET",
            "groups/delta"
            | "groups/microsoft.graph.delta"
            | "groups/delta()"
            | "groups/microsoft.graph.delta()",
        ) => delta::answer(core, call, Kind::Group),
        ("POST", "$batch") => batch::answer(core, call),
        ("GET", resource) if assignments::is_list(resource) => assignments::answer(core, call),
        ("GET", "auditLogs/provisioning") => azure::log(core, call),
        ("GET", "reports/authenticationMethods/userRegistrationDetails") => methods::report(core, call),
        ("GET", resource) if passkeys_of(resource).is_some() => {
            methods::passkeys(core, call, passkeys_of(resource).unwrap_or_default())
        }
        ("GET", resource) => {
            azure::answer(core, call, resource).unwrap_or_else(|| read::answer(core, call, resource))
        }
        _ => azure::answer(core, call, resource)
            .or_else(|| write::answer(core, call, resource))
            .unwrap_or_else(|| {
                page::error(
                    405,
                    "Request_BadRequest",
                    "Specified HTTP method is not allowed for the request target.",
                )
            }),
    };
    let late = Duration::from_millis(core.faults.slow_ms.unwrap_or(1000));
    if slow { answer.after(late) } else { answer }
}

/// Returns the user whose passkeys are asked for.
fn passkeys_of(resource: &str) -> Option<&str> {
    resource
        .strip_prefix("users/")?
        .strip_suffix("/authentication/fido2Methods")
}

fn wire_fault(core: &mut Core, call: &Call) -> Option<Answer> {
    let faults = &mut core.faults;
    let method = call.method.as_str();
    let retry_after = faults.retry_after.clone();
    if faults.dropped.strikes_on(method) {
        return Some(Answer::empty(200).cut());
    }
    if faults.server_error.strikes_on(method) {
        return Some(Answer::html(faults.server_error_status.unwrap_or(502)));
    }
    if faults.unauthorized.strikes_on(method) {
        return Some(page::error(
            401,
            "InvalidAuthenticationToken",
            "Access token validation failure.",
        ));
    }
    let answer = if faults.throttle.strikes_on(method) {
        page::error(429, "TooManyRequests", "Too many requests.")
            .with("x-ms-throttle-information", "ResourceUnitLimitExceeded")
    } else if faults.unavailable.strikes_on(method) {
        page::error(
            503,
            "ServiceUnavailable",
            "The service is temporarily unavailable.",
        )
    } else {
        return None;
    };
    Some(match retry_after {
        Some(setting) => answer.with("retry-after", retry_after_value(&setting)),
        None => answer,
    })
}
