//! What a form sends: fields by their names.

use axum::body::Bytes;
use axum::extract::FromRequest;
use axum::extract::Request;
use axum::response::Response;
use url::form_urlencoded;

use super::frame;
use crate::admin::problem::Problem;

/// As many fields as a form of ours has: each of ten thousand lines of a list, and the rest.
const MOST_FIELDS: usize = 10_100;

/// The fields of a form.
pub(super) struct Form(Vec<(String, String)>);

impl<S: Send + Sync> FromRequest<S> for Form {
    type Rejection = Response;

    async fn from_request(request: Request, state: &S) -> Result<Self, Response> {
        let refused = |what: &str, cause: String| frame::refused(&Problem::usage(what, cause));
        let body = Bytes::from_request(request, state)
            .await
            .map_err(|cause| refused("the form could not be read", cause.to_string()))?;
        let fields: Vec<_> = form_urlencoded::parse(&body)
            .into_owned()
            .take(MOST_FIELDS + 1)
            .collect();
        if fields.len() > MOST_FIELDS {
            return Err(refused("too many fields", format!("at most {MOST_FIELDS}")));
        }
        Ok(Self(fields))
    }
}

impl Form {
    /// The value of a field; none where it is absent, empty or not alone.
    pub(super) fn one(&self, name: &str) -> Option<String> {
        let mut all = self.all(name);
        let one = all.pop().map(|text| text.trim().to_owned())?;
        (all.is_empty() && !one.is_empty()).then_some(one)
    }

    /// Every value of a field.
    pub(super) fn all(&self, name: &str) -> Vec<String> {
        let those = self.0.iter().filter(|(given, _)| given == name);
        those.map(|(_, value)| value.clone()).collect()
    }
}
