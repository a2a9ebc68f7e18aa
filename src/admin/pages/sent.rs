//! How pages are sent: as text that nothing unseen leaves in, with the policy of our own pages.

use askama::Template;
use axum::extract::Request;
use axum::http::HeaderMap;
use axum::http::HeaderName;
use axum::http::HeaderValue;
use axum::http::StatusCode;
use axum::http::header::CONTENT_SECURITY_POLICY;
use axum::http::header::CONTENT_TYPE;
use axum::http::header::LOCATION;
use axum::http::header::REFERRER_POLICY;
use axum::middleware::Next;
use axum::response::IntoResponse;
use axum::response::Response;

use crate::app::error::AppError;
use crate::app::error::ErrorKind;
use crate::app::error::ErrorText;
use crate::model::shown::shown_lines;

/// A page as text: whatever was forgotten in it, nothing unseen leaves.
pub(super) fn render(page: &impl Template) -> Result<String, AppError> {
    let text = page.render().map_err(|error| {
        let shown = ErrorText {
            what: "the page could not be made".to_owned(),
            causes: vec![error.to_string()],
            ..ErrorText::default()
        };
        AppError::new(
            ErrorKind::Failed,
            shown.advise("report this with the daemon's log"),
        )
    })?;
    Ok(shown_lines(&text).into_owned())
}

/// A page.
pub(super) fn html(status: StatusCode, text: String) -> Response {
    let kind = [(CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"))];
    (status, kind, text).into_response()
}

/// Sends a browser to a page of ours.
pub(super) fn go(to: &str) -> Response {
    let to = HeaderValue::try_from(to).unwrap_or(HeaderValue::from_static("/"));
    (StatusCode::SEE_OTHER, HeaderMap::from_iter([(LOCATION, to)])).into_response()
}

/// What our pages may do in a browser: load what is ours, ask us, and send forms to us. Markup that a script makes passes one
/// policy of one name.
const OWN: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; \
                   form-action 'self'; base-uri 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; \
                   trusted-types melonsync";

/// The headers of our own pages. With `no-referrer` a browser would send the forms of a page with the origin `null`, as those of
/// strangers; this tells other sites as little.
const SAID: [(HeaderName, HeaderValue); 4] = [
    (CONTENT_SECURITY_POLICY, HeaderValue::from_static(OWN)),
    (REFERRER_POLICY, HeaderValue::from_static("same-origin")),
    (
        HeaderName::from_static("cross-origin-opener-policy"),
        HeaderValue::from_static("same-origin"),
    ),
    (
        HeaderName::from_static("cross-origin-resource-policy"),
        HeaderValue::from_static("same-origin"),
    ),
];

/// Adds the headers of our own pages.
pub(super) async fn own_policy(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    response.headers_mut().extend(SAID);
    response
}
