//! The text of an error body, whatever its shape: frameworks nest it, list it, or answer with plain text or a web page.

use serde_json::Value as Json;

use super::is_html;
use crate::model::secret::Secret;
use crate::model::shown::shown_within;
use crate::scim::resource::field;
use crate::transport::Answer;

/// Longest text that is kept of a field that is known to be words, in characters as they are shown.
const LONGEST_DETAIL: usize = 300;

/// How much is kept of a body in which no such field is, in characters as they are shown.
const LONGEST_BODY: usize = 200;

/// The fields that hold a message.
const DETAILS: [&str; 5] = ["detail", "message", "error_description", "title", "error"];

/// The fields that add nothing to the status.
const EMPTY_FIELDS: [&str; 3] = ["schemas", "status", "scimType"];

/// Returns scimType and detail, or an excerpt of the body: ` uniqueness: userName is taken`.
pub(super) fn said(answer: &Answer, token: &Secret) -> String {
    let text = String::from_utf8_lossy(&answer.body);
    let text = text.trim_start_matches('\u{feff}');
    let body = serde_json::from_str::<Json>(text).ok();
    let words = |name: &str| {
        let object = body.as_ref()?.as_object()?;
        let words = field(object, name)?.as_str()?.trim();
        (!words.is_empty()).then_some(words)
    };
    let kind = words("scimType").unwrap_or_default();
    let detail = match (DETAILS.iter().find_map(|name| words(name)), &body) {
        (Some(detail), _) => clean(detail, token),
        // Serialized again, so that the token is found in whatever way it was escaped.
        (None, Some(body)) if says_something(body) => shortened(&body.to_string(), token, LONGEST_BODY),
        (None, Some(_)) => String::new(),
        (None, None) if is_html(answer) => {
            let page = shortened(text, token, LONGEST_BODY);
            format!("a web page (HTML), not SCIM: {page}")
        }
        (None, None) => shortened(text, token, LONGEST_BODY),
    };
    match (kind.is_empty(), detail.is_empty()) {
        (true, true) => String::new(),
        (true, false) => format!(": {detail}"),
        (false, true) => format!(" {}", clean(kind, token)),
        (false, false) => format!(" {}: {detail}", clean(kind, token)),
    }
}

fn says_something(body: &Json) -> bool {
    match body {
        Json::Object(object) => object
            .keys()
            .any(|name| !EMPTY_FIELDS.iter().any(|empty| empty.eq_ignore_ascii_case(name))),
        Json::Array(items) => !items.is_empty(),
        Json::String(text) => !text.is_empty(),
        Json::Null => false,
        Json::Bool(_) | Json::Number(_) => true,
    }
}

/// Returns the text on one line, short, and without the token even if the service echoes it.
pub(super) fn clean(text: &str, token: &Secret) -> String {
    shortened(text, token, LONGEST_DETAIL)
}

fn shortened(text: &str, token: &Secret, longest: usize) -> String {
    let words = token
        .hidden_in(text)
        .split_whitespace()
        .collect::<Vec<_>>()
        .join(" ");
    shown_within(&words, longest)
}
