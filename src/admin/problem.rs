//! Problem documents (RFC 9457): the one error of all surfaces as HTTP shows it, with `do`.

use axum::http::HeaderValue;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::http::header::RETRY_AFTER;
use axum::http::header::WWW_AUTHENTICATE;
use axum::response::IntoResponse;
use axum::response::Response;
use serde::Serialize;
use utoipa::ToSchema;

use crate::app::error::AppError;
use crate::app::error::ErrorKind;
use crate::app::error::ErrorText;
use crate::model::role::Role;
use crate::model::shown::shown_json;

/// When it is worth asking again, in seconds: an order takes about that.
const AGAIN_AFTER_SECONDS: &str = "5";

/// Why a request was not carried out.
#[derive(Debug, Clone)]
pub(super) struct Problem {
    status: StatusCode,
    error: AppError,
}

/// Why a request was not carried out (RFC 9457).
#[derive(Serialize, ToSchema)]
#[schema(as = Problem)]
pub(super) struct ProblemDocument<'p> {
    /// What kind of problem it is.
    #[serde(rename = "type")]
    kind_uri: String,
    /// The same in words.
    #[schema(value_type = String)]
    title: &'static str,
    /// The status of the answer.
    status: u16,
    /// What happened.
    #[schema(value_type = String)]
    detail: &'p str,
    /// What to do about it.
    #[serde(rename = "do")]
    #[schema(value_type = Option<String>)]
    advice: Option<&'p str>,
    /// What kind of error it is, in one word.
    kind: ErrorKind,
    /// Every error, with its place and causes.
    #[schema(value_type = Vec<ErrorText>)]
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
            StatusCode::MISDIRECTED_REQUEST => {
                return Self {
                    status,
                    error: AppError::usage(
                        "this is not the host that the request is for",
                        "use the address itself, or add the name to `hosts` under [admin]",
                    ),
                };
            }
            StatusCode::FORBIDDEN => "a page of another site may not ask this",
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

    /// A request over the network where the settings have no token at all.
    pub(super) fn no_tokens() -> Self {
        let what = "over the network nothing is answered without a token, and the settings have none";
        let advice = "add `token = { env = \"MELONSYNC_ADMIN_TOKEN\" }` to [admin]; on this host, `melonsync` asks without one";
        Self {
            status: StatusCode::UNAUTHORIZED,
            error: AppError::usage(what, advice),
        }
    }

    /// A request that shows no token, or not in the one way.
    pub(super) fn no_token() -> Self {
        let what = "this needs a token";
        let advice = "send it in one header, `Authorization: Bearer TOKEN`";
        Self {
            status: StatusCode::UNAUTHORIZED,
            error: AppError::usage(what, advice),
        }
    }

    /// A request with a token that nobody has.
    pub(super) fn wrong_token() -> Self {
        let what = "nobody has this token";
        let advice = "check the token; one that was renewed is known after a reload";
        Self {
            status: StatusCode::UNAUTHORIZED,
            error: AppError::usage(what, advice),
        }
    }

    /// A request with a session that is over, or never was.
    pub(super) fn no_session() -> Self {
        let what = "this session is over";
        Self {
            status: StatusCode::UNAUTHORIZED,
            error: AppError::usage(what, "log in again"),
        }
    }

    /// The status of the answer.
    pub(super) const fn status_code(&self) -> StatusCode {
        self.status
    }

    /// What it is about, as all surfaces show it.
    pub(super) fn error(&self) -> &AppError {
        &self.error
    }

    /// True where nobody is known to ask.
    pub(super) fn is_unauthorized(&self) -> bool {
        self.status == StatusCode::UNAUTHORIZED
    }

    /// A request of somebody who may not make it.
    pub(super) fn role(least: Role, has: Role) -> Self {
        let what = format!(
            "this is for the role {}, and the token has the role {}",
            least.as_str(),
            has.as_str()
        );
        Self {
            status: StatusCode::FORBIDDEN,
            error: AppError::usage(
                what,
                "use a token of that role, or have it done by somebody who has one",
            ),
        }
    }

    /// The status of the answer.
    pub(super) fn status(&self) -> u16 {
        self.status.as_u16()
    }

    /// What happened, in words.
    pub(super) fn cause(&self) -> &str {
        self.error.errors.first().map_or("", |error| &error.what)
    }

    /// The document as text.
    pub(super) fn text(&self) -> String {
        let first = self.error.errors.first();
        let document = ProblemDocument {
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
            ErrorKind::Usage | ErrorKind::OtherSettings => StatusCode::BAD_REQUEST,
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
        if self.status == StatusCode::UNAUTHORIZED {
            headers.insert(
                WWW_AUTHENTICATE,
                HeaderValue::from_static("Bearer realm=\"melonsync\""),
            );
        }
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
        ErrorKind::OtherSettings => "other-settings",
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
        ErrorKind::Usage | ErrorKind::OtherSettings => "What is asked for cannot be",
        ErrorKind::Absent => "What is named is not there",
        ErrorKind::Conflict => "It does not fit how things are by now",
        ErrorKind::NotBegun | ErrorKind::Held => "It was not begun",
        ErrorKind::Busy => "Too much is asked for at once",
        ErrorKind::Failed => "It failed",
        ErrorKind::Differs => "It is not what was agreed on",
    }
}
