//! What a request says, or a problem document that names what it does not.

use axum::extract::FromRequest;
use axum::extract::FromRequestParts;
use axum::extract::Request;
use axum::http::StatusCode;
use axum::http::Uri;
use axum::http::request::Parts;
use serde::de::DeserializeOwned;
use url::form_urlencoded;

use super::problem::Problem;
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
        serde_json::from_slice(text)
            .map(Self)
            .map_err(|cause| Problem::usage("the body is not what this route takes", cause.to_string()))
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

/// The parameters of a query of which every one has one of these names.
pub(super) fn parameters(uri: &Uri, names: &[&str]) -> Result<Query, Problem> {
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
    let Some((unknown, _)) = all.iter().find(|(name, _)| !names.contains(&name.as_str())) else {
        return Ok(Query(all));
    };
    let known = match names {
        [] => "it has none".to_owned(),
        names => format!("it has: {}", names.join(", ")),
    };
    let what = format!("this route has no parameter `{}`", shown(unknown));
    Err(Problem::usage(&what, known))
}

impl Query {
    /// Every value of a parameter.
    pub(super) fn all(&self, name: &str) -> Vec<String> {
        let those = self.0.iter().filter(|(given, _)| given == name);
        those.map(|(_, value)| value.clone()).collect()
    }

    /// The value of a parameter; the last one, where it is given more than once.
    pub(super) fn one(&self, name: &str) -> Option<String> {
        self.all(name).pop()
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
