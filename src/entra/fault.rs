//! The meaning of an answer that is not a success (docs/design/graph.md, "Throttling" and "Errors"). Decided by status
//! and `code` only, never by `message`, which is shown, shortened.

use reqwest::StatusCode;
use serde_json::Value as Json;

use crate::model::secret::Secret;
use crate::model::shown::shown_within;
use crate::ports::Exchange;
use crate::ports::SourceError;
use crate::ports::What;
use crate::transport::Answer;

/// The longest part of a service's own message that is shown, in characters.
const SHOWN: usize = 240;
/// Codes that end a delta stream, compared without case.
const RESET_CODES: [&str; 2] = ["syncstatenotfound", "resyncrequired"];

/// What to do with an answer.
#[derive(Debug)]
pub(super) enum Verdict {
    /// 2xx: read it.
    Good,
    /// 401: the token is not accepted (any longer).
    StaleToken,
    /// Try again, after Retry-After where given.
    Again(SourceError),
    /// Do not try again.
    Final(SourceError),
}

/// An answer, and the description of its request.
pub(super) struct Asked<'a> {
    /// Method, path and host; no query, which holds tokens.
    pub(super) request: &'a str,
    /// HTTP method.
    pub(super) method: &'static str,
    /// Path on the host.
    pub(super) path: &'a str,
    /// Our `client-request-id`.
    pub(super) client_request_id: &'a str,
    /// The permission that the request needs.
    pub(super) permission: &'a str,
    /// What to check when there is nothing at this address.
    pub(super) not_found: &'static str,
    /// True where the request follows a link that an earlier answer brought.
    pub(super) kept_link: bool,
    /// The token that was sent: removed from every quote.
    pub(super) token: Option<&'a Secret>,
}

impl Asked<'_> {
    /// Decides what the answer means.
    pub(super) fn judge(&self, answer: &Answer) -> Verdict {
        let status = answer.status;
        if status.is_success() {
            return Verdict::Good;
        }
        let codes = codes(&answer.body);
        let what = self.describe(answer, &codes);
        if is_reset(status, &codes) {
            let location = answer.header("location").map(str::to_owned);
            return Verdict::Final(SourceError::Reset { what, location });
        }
        let unavailable = |hint: &str| SourceError::Unavailable {
            what: what.clone(),
            hint: hint.to_owned(),
            cause: None,
        };
        // In a request for a stored link only the link itself is ours: neither names of properties nor the address can
        // be wrong.
        if self.kept_link && status.is_client_error() && !matches!(status.as_u16(), 401 | 403 | 429) {
            let refused = SourceError::LinkRefused { what };
            return match status.as_u16() {
                408 | 423 => Verdict::Again(refused),
                _ => Verdict::Final(refused),
            };
        }
        match status.as_u16() {
            401 => Verdict::StaleToken,
            403 => Verdict::Final(SourceError::Forbidden {
                what,
                hint: forbidden(self.permission),
            }),
            429 => Verdict::Again(unavailable(
                "Microsoft Graph throttles this app: run cycles less often, or stop other readers of the tenant",
            )),
            408 | 423 | 500 | 502 | 503 | 504 | 509 => Verdict::Again(unavailable(
                "Microsoft Graph is in trouble: the next cycle tries again",
            )),
            404 => Verdict::Final(unavailable(self.not_found)),
            300..=399 => Verdict::Final(unavailable(
                "check `graph_url` and `proxy`: redirects are not followed",
            )),
            501 => Verdict::Final(unavailable(
                "a property of the mapping cannot be read by delta query: take it out of the mapping",
            )),
            _ => Verdict::Final(unavailable(
                "check the property names in the mapping; if they are right, report this",
            )),
        }
    }

    /// Builds the error for a 401 with a new token.
    pub(super) fn unauthorized(&self, answer: &Answer) -> SourceError {
        SourceError::Unauthorized {
            what: self.describe(answer, &codes(&answer.body)),
            hint: "a new token is refused too: check that `cloud` and `graph_url` belong together, and that the app \
                   is enabled in this tenant"
                .to_owned(),
        }
    }

    /// Describes request, status, code, ids and the shortened message, in one line.
    fn describe(&self, answer: &Answer, codes: &[String]) -> What {
        let mut text = format!("{} -> {}", self.request, answer.status.as_u16());
        if !codes.is_empty() {
            text.push_str(&format!(" {}", self.clean(&codes.join("/"))));
        } else if looks_like_html(answer) {
            text.push_str(" with an HTML page instead of JSON (from a proxy?)");
        }
        let service_id = answer.header("request-id").unwrap_or("none");
        text.push_str(&format!(
            " (request-id {}, client-request-id {})",
            self.clean(service_id),
            self.client_request_id
        ));
        if let Some(message) = message(&answer.body) {
            text.push_str(&format!(": {}", self.clean(&message)));
        }
        What::of(text, self.exchange(answer))
    }

    /// Words of the service, without the token even where the limit of their length falls into it.
    fn clean(&self, words: &str) -> String {
        match self.token {
            Some(token) => shortened(&token.hidden_in(words)),
            None => shortened(words),
        }
    }

    /// Returns the same as fields. Ids that the service wrote are cleaned as its messages are.
    fn exchange(&self, answer: &Answer) -> Exchange {
        let echoes = |id: &&str| {
            let token = self.token.map_or("", Secret::expose);
            !token.is_empty() && id.contains(token)
        };
        let id = answer.header("request-id").filter(|id| !echoes(id));
        Exchange {
            method: self.method,
            path: self.path.to_owned(),
            status: Some(answer.status.as_u16()),
            request_id: id.map(shortened),
        }
    }
}

/// Recognises an HTML page by its type, or by its first character.
pub(super) fn looks_like_html(answer: &Answer) -> bool {
    let named = answer
        .header("content-type")
        .is_some_and(|kind| kind.contains("html"));
    named || answer.body.iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b'<')
}

/// Returns true for a 410 of any code, and for the reset codes with any status of a refusal.
pub(super) fn is_reset(status: StatusCode, codes: &[String]) -> bool {
    let named = || {
        codes
            .iter()
            .any(|code| RESET_CODES.contains(&code.to_ascii_lowercase().as_str()))
    };
    status == StatusCode::GONE || (status.is_client_error() && named())
}

/// `error.code` and the codes of nested `innerError`s (in any spelling), outermost first, as they came: to be compared, and
/// cleaned where they are shown.
pub(super) fn codes(body: &[u8]) -> Vec<String> {
    serde_json::from_slice::<Json>(body).map_or_else(|_| Vec::new(), |json| codes_of(&json))
}

/// Returns the same codes of a body that is parsed already (in `$batch`).
pub(super) fn codes_of(body: &Json) -> Vec<String> {
    let (mut codes, mut level) = (Vec::new(), body.get("error"));
    while let Some(error) = level {
        if let Some(code) = error.get("code").and_then(Json::as_str)
            && !code.is_empty()
            && !codes.iter().any(|known| known == code)
        {
            codes.push(code.to_owned());
        }
        level = error.as_object().and_then(|fields| {
            fields
                .iter()
                .find(|(name, _)| name.eq_ignore_ascii_case("innererror"))
                .map(|(_, inner)| inner)
        });
    }
    codes
}

fn message(body: &[u8]) -> Option<String> {
    let json: Json = serde_json::from_slice(body).ok()?;
    json.get("error")?
        .get("message")?
        .as_str()
        .filter(|text| !text.is_empty())
        .map(str::to_owned)
}

/// Shortens a text to one line of limited length: a hostile answer must not fill the log or forge lines in it.
pub(super) fn shortened(text: &str) -> String {
    let line: String = text
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect();
    shown_within(line.trim(), SHOWN)
}

fn forbidden(permission: &str) -> String {
    format!(
        "grant the application permission {permission} in the Entra admin centre (App registrations, API permissions) \
         and give admin consent; it works from the next token on, within an hour"
    )
}

#[cfg(test)]
mod tests;
