//! Problem documents (RFC 9457): the one error of all surfaces as HTTP shows it, with `do`.

use axum::http::HeaderValue;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::http::header::RETRY_AFTER;
use axum::response::IntoResponse;
use axum::response::Response;
use serde::Serialize;

use crate::app::error::AppError;
use crate::app::error::ErrorKind;
use crate::app::error::ErrorText;
use crate::model::shown::shown_json;

/// When it is worth asking again, in seconds: an order takes about that.
const AGAIN_AFTER_SECONDS: &str = "5";

/// Why a request was not carried out.
#[derive(Debug, Clone)]
pub(super) struct Problem {
    status: StatusCode,
    error: AppError,
}

/// As it is written.
#[derive(Serialize)]
struct Document<'p> {
    #[serde(rename = "type")]
    kind_uri: String,
    title: &'static str,
    status: u16,
    detail: &'p str,
    #[serde(rename = "do")]
    advice: Option<&'p str>,
    kind: ErrorKind,
    errors: &'p [ErrorText],
}

impl Problem {
    /// A request that this route does not take.
    pub(super) fn usage(what: &str, cause: String) -> Self {
        let shown = ErrorText {
            what: what.to_owned(),
            causes: vec![cause],
            ..ErrorText::default()
        };
        AppError::new(ErrorKind::Usage, shown.advise(DOCUMENTED)).into()
    }

    /// A request with a status of HTTP's own.
    pub(super) fn of_status(status: StatusCode) -> Self {
        let what = match status {
            StatusCode::NOT_FOUND => "there is nothing under this path",
            StatusCode::METHOD_NOT_ALLOWED => "this path does not take this method",
            StatusCode::PAYLOAD_TOO_LARGE => "the body is larger than any request needs",
            StatusCode::REQUEST_TIMEOUT => "the body did not come in time",
            StatusCode::UNSUPPORTED_MEDIA_TYPE => "the body must be JSON, and not compressed",
            _ => "the request is not answered",
        };
        Self {
            status,
            error: AppError::usage(what, DOCUMENTED),
        }
    }

    /// A request without anybody behind it.
    pub(super) fn nobody() -> Self {
        let what = "nobody is known to ask this";
        Self {
            status: StatusCode::UNAUTHORIZED,
            error: AppError::usage(what, DOCUMENTED),
        }
    }

    /// The document as text.
    pub(super) fn text(&self) -> String {
        let first = self.error.errors.first();
        let document = Document {
            kind_uri: format!("urn:melonsync:problem:{}", slug(self.error.kind)),
            title: title(self.error.kind),
            status: self.status.as_u16(),
            detail: first.map_or("", |error| &error.what),
            advice: first.and_then(|error| error.advice.as_deref()),
            kind: self.error.kind,
            errors: &self.error.errors,
        };
        let text = serde_json::to_string(&document).expect("its keys are texts");
        shown_json(&text).into_owned()
    }
}

/// Where a caller finds what is taken.
const DOCUMENTED: &str = "see the page of the API in the documentation";

impl From<AppError> for Problem {
    fn from(error: AppError) -> Self {
        let status = match error.kind {
            ErrorKind::Usage => StatusCode::BAD_REQUEST,
            ErrorKind::Absent => StatusCode::NOT_FOUND,
            ErrorKind::Conflict | ErrorKind::NotBegun | ErrorKind::Held | ErrorKind::Differs => {
                StatusCode::CONFLICT
            }
            ErrorKind::Busy => StatusCode::TOO_MANY_REQUESTS,
            ErrorKind::Failed => StatusCode::INTERNAL_SERVER_ERROR,
        };
        Self { status, error }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut response = (self.status, self.text()).into_response();
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        if self.error.kind == ErrorKind::Busy {
            headers.insert(RETRY_AFTER, HeaderValue::from_static(AGAIN_AFTER_SECONDS));
        }
        response
    }
}

/// A path that no route has.
pub(super) async fn no_route() -> Problem {
    Problem::of_status(StatusCode::NOT_FOUND)
}

/// A method that the route does not have; the answer names those that it has.
pub(super) async fn no_method() -> Problem {
    Problem::of_status(StatusCode::METHOD_NOT_ALLOWED)
}

const fn slug(kind: ErrorKind) -> &'static str {
    match kind {
        ErrorKind::Usage => "usage",
        ErrorKind::Absent => "absent",
        ErrorKind::Conflict => "conflict",
        ErrorKind::NotBegun | ErrorKind::Held => "not-begun",
        ErrorKind::Busy => "busy",
        ErrorKind::Failed => "failed",
        ErrorKind::Differs => "differs",
    }
}

const fn title(kind: ErrorKind) -> &'static str {
    match kind {
        ErrorKind::Usage => "What is asked for cannot be",
        ErrorKind::Absent => "What is named is not there",
        ErrorKind::Conflict => "It does not fit how things are by now",
        ErrorKind::NotBegun | ErrorKind::Held => "It was not begun",
        ErrorKind::Busy => "Too much is asked for at once",
        ErrorKind::Failed => "It failed",
        ErrorKind::Differs => "It is not what was agreed on",
    }
}
