//! What a request says, or a problem document that names what it does not.

use axum::extract::FromRequest;
use axum::extract::FromRequestParts;
use axum::extract::Request;
use axum::http::StatusCode;
use axum::http::Uri;
use axum::http::request::Parts;
use serde::de::DeserializeOwned;
use url::form_urlencoded;
use uuid::Uuid;

use super::parameter::Kind;
use super::parameter::Parameter;
use super::problem::Problem;
use crate::model::clock::Timestamp;
use crate::model::shown::shown;

/// A JSON body; no body is an empty object. Unknown members are refused by the types themselves.
pub(super) struct Json<T>(pub(super) T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Json<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let body = axum::body::Bytes::from_request(request, state)
            .await
            .map_err(|cause| Problem::usage("the body could not be read", cause.to_string()))?;
        let text: &[u8] = if body.is_empty() { b"{}" } else { &body };
        let refused = |cause: String| Problem::usage("the body is not what this route takes", cause);
        // Members by their names only: a list in their order would be taken for them, and what it leaves out for nothing.
        if text.iter().find(|byte| !byte.is_ascii_whitespace()) != Some(&b'{') {
            return Err(refused("it is no object".to_owned()));
        }
        serde_json::from_slice(text)
            .map(Self)
            .map_err(|cause| refused(cause.to_string()))
    }
}

/// The parameters of a query: the gate of the route saw that it has no others.
#[derive(Debug, Clone)]
pub(super) struct Query(Vec<(String, String)>);

impl<S: Sync> FromRequestParts<S> for Query {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Problem> {
        Ok(parts.extensions.get().cloned().unwrap_or(Self(Vec::new())))
    }
}

/// As many parameters as a query has.
const MOST_PARAMETERS: usize = 1000;

/// The parameters of a query, where each is one that the route knows, and holds what it says.
pub(super) fn parameters(uri: &Uri, known: &[Parameter]) -> Result<Query, Problem> {
    let text = uri.query().unwrap_or_default().as_bytes();
    let all: Vec<(String, String)> = form_urlencoded::parse(text)
        .into_owned()
        .take(MOST_PARAMETERS + 1)
        .collect();
    if all.len() > MOST_PARAMETERS {
        return Err(Problem::usage(
            "too many parameters",
            format!("at most {MOST_PARAMETERS}"),
        ));
    }
    for (at, (name, value)) in all.iter().enumerate() {
        let Some(parameter) = known.iter().find(|known| known.name == name) else {
            return Err(unknown(name, known));
        };
        if parameter.kind != Kind::Texts && all[..at].iter().any(|(before, _)| before == name) {
            let what = format!("`{name}` is given more than once");
            return Err(Problem::usage(&what, "it is one thing".to_owned()));
        }
        if !holds(parameter.kind, value) {
            let what = format!("`{name}` cannot be `{}`", shown(value));
            return Err(Problem::usage(&what, parameter.what.to_owned()));
        }
    }
    Ok(Query(all))
}

fn unknown(name: &str, known: &[Parameter]) -> Problem {
    let names: Vec<&str> = known.iter().map(|known| known.name).collect();
    let known = match names.as_slice() {
        [] => "it has none".to_owned(),
        names => format!("it has: {}", names.join(", ")),
    };
    Problem::usage(&format!("this route has no parameter `{}`", shown(name)), known)
}

fn holds(kind: Kind, value: &str) -> bool {
    match kind {
        Kind::Text | Kind::Texts => true,
        Kind::Id => Uuid::parse_str(value).is_ok(),
        Kind::Moment => chrono::DateTime::parse_from_rfc3339(value).is_ok(),
        Kind::Number => value.bytes().all(|byte| byte.is_ascii_digit()) && value.parse::<u32>().is_ok(),
        Kind::Flag => matches!(value, "true" | "false"),
    }
}

impl Query {
    /// Every value of a parameter.
    pub(super) fn all(&self, name: &str) -> Vec<String> {
        let those = self.0.iter().filter(|(given, _)| given == name);
        those.map(|(_, value)| value.clone()).collect()
    }

    /// Those that hold something: a form sends the fields that nobody filled in too.
    pub(super) fn filled(self) -> Self {
        Self(
            self.0
                .into_iter()
                .filter(|(_, value)| !value.is_empty())
                .collect(),
        )
    }

    /// The query as it is sent, without one parameter.
    pub(super) fn without(&self, name: &str) -> String {
        let others = self.0.iter().filter(|(given, _)| given != name);
        form_urlencoded::Serializer::new(String::new())
            .extend_pairs(others)
            .finish()
    }

    /// The value of a parameter; the last one, where it is given more than once.
    pub(super) fn one(&self, name: &str) -> Option<String> {
        self.all(name).pop()
    }

    /// True where a parameter that is `true` or `false` says so.
    pub(super) fn is(&self, name: &str) -> bool {
        self.one(name).as_deref() == Some("true")
    }

    /// The moment that a parameter has; that it is one was checked.
    pub(super) fn moment(&self, name: &str) -> Option<Timestamp> {
        let text = self.one(name)?;
        let at = chrono::DateTime::parse_from_rfc3339(&text).ok()?;
        Some(Timestamp(at.timestamp_millis()))
    }

    /// The number that a parameter has.
    pub(super) fn number(&self, name: &str) -> Result<Option<u64>, Problem> {
        let Some(text) = self.one(name) else {
            return Ok(None);
        };
        let read = text.parse().map(Some);
        read.map_err(|_| {
            let what = format!("`{name}` is no number");
            Problem::usage(&what, shown(&text).into_owned())
        })
    }
}

/// The parts of a path.
pub(super) struct Path<T>(pub(super) T);

impl<S: Send + Sync, T: DeserializeOwned + Send> FromRequestParts<S> for Path<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        axum::extract::Path::from_request_parts(parts, state)
            .await
            .map(|axum::extract::Path(path)| Self(path))
            .map_err(|_| Problem::of_status(StatusCode::NOT_FOUND))
    }
}
