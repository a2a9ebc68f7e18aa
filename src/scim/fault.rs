//! The meaning of an answer that is not the hoped-for one: turns status and body into a [`TargetError`]. Pure.
//!
//! Error bodies are SCIM (RFC 7644 section 3.12), any other JSON, HTML, plain text or empty; `status` in them is a
//! text, a number or an object. The excerpt that is kept (`said.rs`) is short, on one line, and never contains the
//! token.

use serde_json::Value as Json;

use self::said::clean;
use self::said::said;
use super::resource::field;
use crate::model::secret::Secret;
use crate::ports::Exchange;
use crate::ports::TargetError;
use crate::ports::What;
use crate::transport::Answer;
use crate::transport::Size;
use crate::transport::TransportError;
use crate::transport::unreached::Keys;

/// The schema of an error body.
pub(super) const ERROR_SCHEMA: &str = "urn:ietf:params:scim:api:messages:2.0:Error";

/// How much of the target's own text an error keeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Words {
    /// The text is kept, short and on one line.
    Kept,
    /// The text is left out: servers quote the value that they refuse, and the mapping has rows whose values must not
    /// be kept.
    LeftOut,
}

/// The kinds of error that RFC 7644 names (table 9).
const SCIM_TYPES: [&str; 10] = [
    "invalidFilter",
    "tooMany",
    "uniqueness",
    "mutability",
    "invalidSyntax",
    "invalidPath",
    "noTarget",
    "invalidValue",
    "invalidVers",
    "sensitive",
];

/// The request, as named in messages: ids and attribute names, never values.
#[derive(Debug, Clone)]
pub struct Asked {
    /// HTTP method.
    pub method: &'static str,
    /// Path below the base URL.
    pub path: String,
    /// True when the request named one resource, so that a 404 is about it.
    pub one_resource: bool,
}

impl Asked {
    fn writes(&self) -> bool {
        self.method != "GET"
    }

    fn name(&self) -> String {
        format!("{} {}", self.method, self.path)
    }

    fn exchange(&self, status: Option<u16>, request_id: Option<String>) -> Exchange {
        Exchange {
            method: self.method,
            path: self.path.clone(),
            status,
            request_id,
        }
    }

    /// Describes what is wrong with an answer that looks good.
    fn answered(&self, answer: &Answer, wrong: &str) -> What {
        let status = answer.status.as_u16();
        let text = format!("{} answered {status}, {wrong}", self.name());
        What::of(text, self.exchange(Some(status), None))
    }

    /// Returns how large the answer may be: a group grows with its members.
    #[must_use]
    pub fn size(&self) -> Size {
        let listing = self.method == "GET" && !self.one_resource;
        if listing || self.path.starts_with("/Groups") {
            Size::Page
        } else {
            Size::Resource
        }
    }
}

/// Returns true when the same request may succeed later: the server failed, and did not refuse.
#[must_use]
pub fn is_stumble(status: u16) -> bool {
    status == 408 || (status >= 500 && status != 501 && status != 505)
}

/// The content that is read of an answer's body.
pub trait Content: Sized + Send + 'static {
    /// Reads the body.
    ///
    /// # Errors
    /// When it is not JSON.
    fn read(body: &[u8]) -> serde_json::Result<Self>;

    /// Returns the `status` of a SCIM error body, or `None` for a body that is not one.
    fn error_status(&self) -> Option<Option<u16>>;
}

impl Content for Json {
    fn read(body: &[u8]) -> serde_json::Result<Self> {
        serde_json::from_slice(body)
    }

    fn error_status(&self) -> Option<Option<u16>> {
        let object = self.as_object()?;
        let schemas = field(object, "schemas")?.as_array()?;
        let is_error = schemas.iter().any(|schema| schema == ERROR_SCHEMA);
        is_error.then(|| field(object, "status").and_then(status_in))
    }
}

/// Returns the status that counts: an error body in a 2xx answer is still an error.
#[must_use]
pub fn status_of(answer: &Answer, body: Option<&impl Content>) -> u16 {
    match body.and_then(Content::error_status) {
        Some(status) if answer.status.is_success() => status.filter(|status| *status >= 400).unwrap_or(500),
        _ => answer.status.as_u16(),
    }
}

/// Reads a status from `"409"`, `409` or `{"code": "409"}`.
pub(super) fn status_in(value: &Json) -> Option<u16> {
    match value {
        Json::String(text) => text.trim().parse().ok(),
        Json::Number(number) => number.as_u64().and_then(|n| u16::try_from(n).ok()),
        Json::Object(object) => object.values().find_map(status_in),
        _ => None,
    }
}

/// Builds the error that an answer stands for.
#[must_use]
pub fn fault(asked: &Asked, status: u16, answer: &Answer, token: &Secret, words: Words) -> TargetError {
    let said = match words {
        Words::Kept => said(answer, token),
        Words::LeftOut => kind_alone(answer),
    };
    let request_id = request_id(answer, token);
    let id = request_id.as_deref();
    let shown_id = id.map_or_else(String::new, |id| format!(" (request {id})"));
    let text = format!("{} answered {status}{said}{shown_id}", asked.name());
    let what = What::of(text, asked.exchange(Some(status), request_id));
    match status {
        401 => TargetError::Unauthorized {
            what,
            hint: "the SCIM token is wrong or expired: generate a new one at the target and set `token`"
                .to_owned(),
        },
        409 if asked.writes() => TargetError::Conflict { what },
        404 | 410 if asked.one_resource => TargetError::NotFound { what },
        429 => TargetError::Unavailable {
            what,
            status,
            hint: "the target asks to slow down: lower `max_concurrency`, or wait; the next cycle goes on"
                .to_owned(),
            maybe_done: false,
            cause: None,
        },
        503 if answer.is_throttled() => TargetError::Unavailable {
            what,
            status,
            hint: "the target is busy or in maintenance; the next cycle goes on".to_owned(),
            maybe_done: false,
            cause: None,
        },
        status if is_stumble(status) => TargetError::Unavailable {
            what,
            status,
            hint: "the target is in trouble: look at its own status page or log; the next cycle goes on"
                .to_owned(),
            maybe_done: asked.writes(),
            cause: None,
        },
        _ => TargetError::Refused {
            what,
            status,
            hint: hint_for(status).to_owned(),
        },
    }
}

fn hint_for(status: u16) -> &'static str {
    match status {
        300..=399 => {
            "the target points elsewhere: set `url` to the SCIM base URL itself; redirects are not followed"
        }
        400 | 422 => {
            "the target does not take this value or form: look at the detail, then at the mapping row that it names"
        }
        403 => "the token may not do this: give it the right to write users and groups at the target",
        404 => "check `url`: it must be the SCIM base URL, below which /Users and /Groups are served",
        405 | 501 => "the target does not support this request: look at `dialect` for another form",
        412 | 428 => "the target wants a version check that it does not announce: ask its maker",
        413 => {
            "the target takes smaller bodies only: shorten this object's longest value in Entra, or take its row out of the mapping"
        }
        415 => {
            "the target does not take this media type: `media_type` under the target's `dialect` is \"scim\" \
             (application/scim+json) or \"json\" (application/json)"
        }
        _ => "see the detail; the target's own log may show more",
    }
}

/// Builds the error for a request without a whole answer.
#[must_use]
pub fn no_answer(asked: &Asked, error: TransportError, keys: &Keys<'_>) -> TargetError {
    let maybe_done = asked.writes() && error.may_have_been_carried_out();
    let hint = match &error {
        TransportError::Timeout { .. } => format!(
            "the target is slow: raise {}, or lower {}",
            keys.key("request_timeout"),
            keys.key("max_concurrency")
        ),
        _ => error.advice(keys),
    };
    let what = What::of(
        format!("{} got no answer", asked.name()),
        asked.exchange(None, None),
    );
    TargetError::Unavailable {
        what,
        status: 0,
        hint,
        maybe_done,
        cause: Some(Box::new(error)),
    }
}

/// Builds the error for a request that was not sent because the target asked for a long pause.
#[must_use]
pub fn paused(asked: &Asked, left: std::time::Duration) -> TargetError {
    TargetError::Unavailable {
        what: format!(
            "{} was not sent: the target asked for a pause of {} s more",
            asked.name(),
            left.as_secs()
        )
        .into(),
        status: 0,
        hint: "nothing to do: a later cycle goes on".to_owned(),
        maybe_done: false,
        cause: None,
    }
}

/// Builds the error for a good status with a body of the wrong shape.
#[must_use]
pub fn malformed(asked: &Asked, answer: &Answer, wrong: &str) -> TargetError {
    let hint = if is_html(answer) {
        "a web page answers there, not SCIM: check `url` (the SCIM base URL, not the panel), and any proxy in between"
    } else {
        "check that `url` is the SCIM base URL; if it is, report this to the target's maker"
    };
    TargetError::Malformed {
        what: asked.answered(answer, &format!("but {wrong}")),
        hint: hint.to_owned(),
        maybe_done: asked.writes(),
    }
}

/// Builds the error for a good answer about another resource than the one asked for: nothing is taken from it.
#[must_use]
pub fn foreign(asked: &Asked, answer: &Answer, wrong: &str) -> TargetError {
    TargetError::Malformed {
        what: asked.answered(answer, &format!("but {wrong}; nothing was taken from it")),
        hint: "the next cycle looks at the target for what became of it; if this stays, look for a proxy or cache that \
               mixes answers up, or report it to the target's maker"
            .to_owned(),
        maybe_done: asked.writes(),
    }
}

/// The length of the shortest token that is looked for in answers: a shorter one could occur by chance.
const SHORTEST_TOKEN: usize = 8;

/// Returns true where an answer repeats our token. Parts of answers go into the snapshot, logs and plans, and none of
/// those may contain the token.
#[must_use]
pub fn echoes(answer: &Answer, token: &Secret) -> bool {
    let token = token.expose().trim();
    if token.len() < SHORTEST_TOKEN {
        return false;
    }
    let in_headers = || answer.header("location").is_some_and(|text| text.contains(token));
    if let Ok(text) = std::str::from_utf8(&answer.body)
        && !text.contains(token)
    {
        // Some writers of JSON escape `/`, `+` and `=`, of which tokens are made.
        let escaped = text.contains('\\') && !token.bytes().all(|byte| byte.is_ascii_alphanumeric());
        let hidden = || serde_json::from_str::<Json>(text).is_ok_and(|body| holds(&body, token));
        return (escaped && hidden()) || in_headers();
    }
    answer
        .body
        .windows(token.len())
        .any(|part| part == token.as_bytes())
        || in_headers()
}

fn holds(value: &Json, text: &str) -> bool {
    match value {
        Json::String(held) => held.contains(text),
        Json::Array(items) => items.iter().any(|item| holds(item, text)),
        Json::Object(map) => map
            .iter()
            .any(|(key, value)| key.contains(text) || holds(value, text)),
        Json::Null | Json::Bool(_) | Json::Number(_) => false,
    }
}

/// Describes what is wrong with a body that is not JSON.
#[must_use]
pub fn not_json(answer: &Answer) -> &'static str {
    if is_html(answer) {
        "with a web page (HTML)"
    } else if answer.body.is_empty() {
        "without a body"
    } else {
        "the body is not JSON"
    }
}

fn is_html(answer: &Answer) -> bool {
    let typed = answer
        .header("content-type")
        .is_some_and(|kind| kind.to_ascii_lowercase().contains("html"));
    typed || answer.body.trim_ascii_start().starts_with(b"<")
}

/// Returns the scimType, where it is one of the protocol's, and a note that the text is left out.
fn kind_alone(answer: &Answer) -> String {
    let body = serde_json::from_slice::<Json>(&answer.body).ok();
    let kind = body
        .as_ref()
        .and_then(Json::as_object)
        .and_then(|object| field(object, "scimType"))
        .and_then(Json::as_str)
        .and_then(|kind| {
            SCIM_TYPES
                .into_iter()
                .find(|known| known.eq_ignore_ascii_case(kind))
        });
    let kind = kind.map_or_else(String::new, |kind| format!(" {kind}"));
    format!(
        "{kind} (the target's text is left out: a refusal may quote a value that a row with Redact hides)"
    )
}

fn request_id(answer: &Answer, token: &Secret) -> Option<String> {
    let names = [
        "x-request-id",
        "request-id",
        "x-correlation-id",
        "x-amzn-requestid",
        "cf-ray",
    ];
    let id = names.iter().find_map(|name| answer.header(name));
    id.map(|id| clean(id, token))
}

mod said;

#[cfg(test)]
mod tests;
