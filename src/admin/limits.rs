//! What a request may cost: its body's size, its time and its form; and that no answer is kept on the way.

use std::time::Duration;

use axum::body::Body;
use axum::extract::Request;
use axum::http::HeaderValue;
use axum::http::StatusCode;
use axum::http::header::CACHE_CONTROL;
use axum::http::header::CONTENT_ENCODING;
use axum::http::header::CONTENT_SECURITY_POLICY;
use axum::http::header::CONTENT_TYPE;
use axum::http::header::HeaderName;
use axum::http::header::REFERRER_POLICY;
use axum::http::header::X_CONTENT_TYPE_OPTIONS;
use axum::middleware::Next;
use axum::response::IntoResponse;
use axum::response::Response;
use http_body_util::BodyExt;
use http_body_util::LengthLimitError;
use http_body_util::Limited;

use super::problem::Problem;

/// The largest body: a thousand names take a tenth of it.
const LARGEST_BODY_BYTES: usize = 1 << 20;

/// The largest saved plan that is to be carried out: a hundred thousand operations take a tenth of it.
const LARGEST_PLAN_BYTES: usize = 32 << 20;

/// The largest body that a path takes.
fn largest(path: &str) -> usize {
    if path.ends_with("/sync") {
        LARGEST_PLAN_BYTES
    } else {
        LARGEST_BODY_BYTES
    }
}

/// As long as a body may take to come.
const BODY_WITHIN: Duration = Duration::from_secs(10);

/// Reads the body whole before a handler sees the request. What is too large, too slow, compressed or no JSON goes no further.
pub(super) async fn whole_body(request: Request, next: Next) -> Response {
    whole("application/json", request, next).await
}

/// As [`whole_body`], of a form.
pub(super) async fn whole_form(request: Request, next: Next) -> Response {
    whole("application/x-www-form-urlencoded", request, next).await
}

async fn whole(kind: &str, request: Request, next: Next) -> Response {
    let (parts, body) = request.into_parts();
    if parts.headers.contains_key(CONTENT_ENCODING) {
        return Problem::of_status(StatusCode::UNSUPPORTED_MEDIA_TYPE).into_response();
    }
    let read = Limited::new(body, largest(parts.uri.path())).collect();
    let bytes = match tokio::time::timeout(BODY_WITHIN, read).await {
        Err(_) => return Problem::of_status(StatusCode::REQUEST_TIMEOUT).into_response(),
        Ok(Err(cause)) if cause.is::<LengthLimitError>() => {
            return Problem::of_status(StatusCode::PAYLOAD_TOO_LARGE).into_response();
        }
        Ok(Err(cause)) => {
            return Problem::usage("the body could not be read", cause.to_string()).into_response();
        }
        Ok(Ok(body)) => body.to_bytes(),
    };
    if !bytes.is_empty() && !is_of_kind(parts.headers.get(CONTENT_TYPE), kind) {
        return Problem::of_status(StatusCode::UNSUPPORTED_MEDIA_TYPE).into_response();
    }
    next.run(Request::from_parts(parts, Body::from(bytes))).await
}

fn is_of_kind(given: Option<&HeaderValue>, kind: &str) -> bool {
    let text = given.and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let essence = text.split(';').next().unwrap_or_default().trim();
    essence.eq_ignore_ascii_case(kind)
}

/// What a page of ours may do in a browser: nothing but show itself. A plan as HTML has its style in it, and names that people chose.
const SHOWN: &str = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; sandbox";

/// What each answer says of itself: nobody keeps it, nobody guesses what it is, and no page has it in a frame or runs it.
const SAID: [(HeaderName, HeaderValue); 4] = [
    (CONTENT_SECURITY_POLICY, HeaderValue::from_static(SHOWN)),
    (REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
    (CACHE_CONTROL, HeaderValue::from_static("no-store")),
    (X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
];

/// Adds what each answer says of itself.
pub(super) async fn no_store(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    for (name, value) in SAID {
        // The pages of the dashboard have a policy of their own.
        headers.entry(name).or_insert(value);
    }
    response
}
