//! Routing: faults before the work, the token, the work, faults after it.

use std::time::Duration;

use serde_json::Value;

use super::BASE_PATH;
use super::Core;
use super::LocationForm;
use super::UnauthorizedBody;
use super::clock;
use super::discovery;
use super::error::SCIM_JSON;
use super::error::ScimError;
use super::keys;
use super::list;
use super::odd;
use super::odd_writes;
use super::resources;
use super::schema::Type;
use crate::sandbox::faults::retry_after_value;
use crate::sandbox::server::Answer;
use crate::sandbox::server::Call;

/// The writes that may come at once where the faults set no other number.
const DEFAULT_BURST: u32 = 10;

pub(super) fn answer(core: &mut Core, call: &Call) -> Answer {
    let latency = Duration::from_millis(core.options.latency_ms);
    let slow = Duration::from_millis(core.faults.slow_ms.unwrap_or(1000));
    let slow_this = core.faults.slow.strikes_on(call.method.as_str());
    let answer = match before(core, call) {
        Some(fault) => fault,
        None => {
            let done = carry_out(core, call);
            let done = mixed_up(core, call, done);
            let done = repeats_id(core, call, done);
            after(core, call, done)
        }
    };
    answer.after(latency + if slow_this { slow } else { Duration::ZERO })
}

/// Returns the answer to the request before, where a proxy mixes them up.
fn mixed_up(core: &mut Core, call: &Call, done: Answer) -> Answer {
    if done.status >= 300 || !core.faults.mixed_up.is_armed() {
        return done;
    }
    let collection = call.path.trim_start_matches(BASE_PATH).split('/').next();
    let key = format!("{} {}", call.method.as_str(), collection.unwrap_or_default());
    let own = done.twin();
    let earlier = core.earlier.insert(key, own);
    match earlier {
        Some(earlier) if core.faults.mixed_up.strikes_on(call.method.as_str()) => earlier,
        _ => done,
    }
}

/// Returns the answer to a create, with the id of the one before it.
fn repeats_id(core: &mut Core, call: &Call, mut done: Answer) -> Answer {
    if call.method.as_str() != "POST" || done.status != 201 || !core.faults.create_repeats_id.is_armed() {
        return done;
    }
    let Ok(mut body) = serde_json::from_slice::<Value>(&done.body) else {
        return done;
    };
    let own = body["id"].as_str().unwrap_or_default().to_owned();
    let before = core.created.insert(call.path.clone(), own);
    if let Some(before) = before.filter(|_| core.faults.create_repeats_id.strikes()) {
        body["id"] = before.into();
        done.body = body.to_string().into_bytes();
    }
    done
}

/// Applies faults that keep the request from being carried out.
fn before(core: &mut Core, call: &Call) -> Option<Answer> {
    let method = call.method.as_str();
    let faults = &mut core.faults;
    let wait = faults.retry_after.clone();
    let answer = if faults.drop_before.strikes_on(method) {
        return Some(Answer::empty(200).cut());
    } else if faults.html_error.strikes_on(method) {
        return Some(Answer::html(502));
    } else if faults.html_success.strikes_on(method) {
        return Some(Answer::html(200));
    } else if faults.server_error.strikes_on(method) {
        return Some(ScimError::new(500, "", "something broke").answer());
    } else if faults.forbidden.strikes_on(method) {
        return Some(ScimError::new(403, "", "not allowed").answer());
    } else if call.is_write() && faults.refuse_quoting.strikes_on(method) {
        let sent = String::from_utf8_lossy(&call.body);
        return Some(ScimError::value(&format!("cannot accept {sent}")).answer());
    } else if faults.unauthorized.strikes_on(method) {
        return Some(unauthorized(core));
    } else if faults.throttle.strikes_on(method) {
        ScimError::new(429, "tooMany", "too many requests").answer()
    } else if faults.unavailable.strikes_on(method) {
        ScimError::new(503, "", "down for maintenance").answer()
    } else {
        return over_rate(core, call);
    };
    Some(match wait {
        Some(setting) => answer.with("retry-after", retry_after_value(&setting)),
        None => answer,
    })
}

/// Applies a token bucket over writes (fault `writes_per_minute`).
fn over_rate(core: &mut Core, call: &Call) -> Option<Answer> {
    let rate = core.faults.writes_per_minute.filter(|_| call.is_write())?;
    let (per_second, burst) = (
        f64::from(rate.max(1)) / 60.0,
        f64::from(core.faults.burst.unwrap_or(DEFAULT_BURST).max(1)),
    );
    let now = clock::instant();
    let (left, since) = core.bucket.unwrap_or((burst, now));
    let left = (left + now.duration_since(since).as_secs_f64() * per_second).min(burst);
    let allowed = left >= 1.0;
    core.bucket = Some((if allowed { left - 1.0 } else { left }, now));
    if allowed {
        return None;
    }
    let wait = format!("{:.3}", (1.0 - left) / per_second);
    Some(
        ScimError::new(429, "tooMany", "too many writes")
            .answer()
            .with("retry-after", wait),
    )
}

fn unauthorized(core: &Core) -> Answer {
    let answer = match core.options.unauthorized_body {
        UnauthorizedBody::Scim => {
            ScimError::new(401, "", "authorization failure: the token is missing or wrong").answer()
        }
        UnauthorizedBody::Plain => Answer::raw(401, "text/plain", b"Unauthorized\n".to_vec()),
        UnauthorizedBody::Empty => Answer::empty(401),
    };
    answer.with("www-authenticate", "Bearer")
}

/// Applies faults of requests that were carried out.
fn after(core: &mut Core, call: &Call, done: Answer) -> Answer {
    if !call.is_write() || done.status >= 400 {
        return done;
    }
    let method = call.method.as_str();
    let faults = &mut core.faults;
    if faults.drop_after.strikes_on(method) {
        return done.cut();
    }
    if faults.server_error_after.strikes_on(method) {
        return ScimError::new(500, "", "something broke afterwards").answer();
    }
    if faults.slow_after.strikes_on(method) {
        return done.after(Duration::from_millis(faults.slow_ms.unwrap_or(1000)));
    }
    if method == "POST" && faults.create_without_id.strikes() {
        return Answer::raw(201, SCIM_JSON, b"{}".to_vec());
    }
    done
}

fn carry_out(core: &mut Core, call: &Call) -> Answer {
    if keys::is_mine(call) {
        return keys::answer(core, call);
    }
    let bearer = call
        .header("authorization")
        .and_then(|header| header.strip_prefix("Bearer "));
    if bearer != Some(core.token.as_str()) {
        return unauthorized(core);
    }
    let mut path = call.path.clone();
    if path.contains("//") {
        if core.options.strict_slashes {
            return ScimError::not_found(&call.path).answer();
        }
        while path.contains("//") {
            path = path.replace("//", "/");
        }
    }
    let Some(resource) = path.strip_prefix(BASE_PATH.trim_end_matches('/')) else {
        return ScimError::not_found(&call.path).answer();
    };
    let parts: Vec<&str> = resource.trim_matches('/').split('/').collect();
    let decoded: Vec<String> = parts.iter().map(|part| odd::decoded(part)).collect();
    let parts: Vec<&str> = decoded.iter().map(String::as_str).collect();
    match route(core, call, &parts) {
        Ok(answer) => answer,
        Err(refusal) => odd::worded(&core.options, &refusal),
    }
}

fn route(core: &mut Core, call: &Call, parts: &[&str]) -> Result<Answer, ScimError> {
    let found = |body: Option<serde_json::Value>| {
        body.map(|body| Answer::json(200, SCIM_JSON, &body))
            .ok_or_else(|| ScimError::not_found(&call.path))
    };
    if let Some(refusal) = odd_writes::request_refused(core, call) {
        return Err(refusal);
    }
    let options = &core.options;
    let (kind, id) = match *parts {
        ["ServiceProviderConfig"] if !call.is_write() => {
            return found(Some(discovery::service_provider_config(options)));
        }
        ["Schemas", ..] if options.odd.no_schemas => return Err(ScimError::not_found(&call.path)),
        ["Schemas"] if !call.is_write() => return found(discovery::schemas(None, options)),
        ["Schemas", id] if !call.is_write() => return found(discovery::schemas(Some(id), options)),
        ["ResourceTypes"] if !call.is_write() => return found(discovery::resource_types(None, options)),
        ["ResourceTypes", id] if !call.is_write() => {
            return found(discovery::resource_types(Some(id), options));
        }
        ["Users"] => (Type::User, None),
        ["Users", id] => (Type::User, Some(id)),
        ["Groups"] => (Type::Group, None),
        ["Groups", id] => (Type::Group, Some(id)),
        _ => return Err(ScimError::not_found(&call.path)),
    };
    if odd_writes::is_broken(core, call, kind, id) {
        return Err(ScimError::new(500, "", "something broke"));
    }
    match (call.method.as_str(), id) {
        ("GET", None) => list::list(core, call, kind),
        ("GET", Some(id)) => resources::read(core, call, kind, id),
        ("POST", None) => resources::create(core, call, kind),
        ("PUT", Some(id)) => resources::replace(core, call, kind, id),
        ("PATCH", Some(id)) => resources::patch(core, call, kind, id),
        ("DELETE", Some(id)) => resources::delete(core, kind, id),
        _ => Err(ScimError::new(405, "", "method not allowed here")),
    }
}

/// Returns the address of a resource, in the form that is set.
pub(super) fn location(core: &Core, call: &Call, kind: Type, id: &str) -> Option<String> {
    let path = format!("{BASE_PATH}{}/{id}", kind.endpoint());
    match core.options.location {
        LocationForm::Absolute => Some(format!("{}{path}", call.origin())),
        LocationForm::Relative => Some(path),
        LocationForm::Missing => None,
    }
}
