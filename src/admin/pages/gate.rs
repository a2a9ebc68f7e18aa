//! What is checked before a page is made: whether somebody is logged in who may see it, and the query. Who is not logged in is
//! sent to the login, and from there back.

use axum::extract::Request;
use axum::extract::State;
use axum::http::Method;
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::middleware::Next;
use axum::response::Response;
use url::form_urlencoded;

use super::assets;
use super::frame;
use super::sent;
use crate::admin::caller::Least;
use crate::admin::cookie;
use crate::admin::gate::Rule;
use crate::admin::problem::Problem;

/// A link from another site brings a request without the cookie, which is for our own pages only. This page asks again, as our
/// own, and the browser sends it then.
fn again() -> String {
    format!(
        "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><meta http-equiv=\"refresh\" content=\"0\">\
         <link rel=\"icon\" type=\"image/svg+xml\" href=\"{}\"><title>melonsync</title></head><body></body></html>\n",
        assets::path("icon.svg")
    )
}

/// Lets a request through to its page.
pub(super) async fn check(State(rule): State<Rule>, request: Request, next: Next) -> Response {
    let (mut parts, body) = request.into_parts();
    // Nobody is logged in at a form of another site either.
    if rule.least == Least::Anybody && !cookie::is_of_own_page(&parts) {
        return frame::refused(&Problem::of_status(StatusCode::FORBIDDEN));
    }
    match rule.admit(&mut parts).await {
        Ok(()) => next.run(Request::from_parts(parts, body)).await,
        Err(problem) => refused(&parts, &problem),
    }
}

/// A page is answered with the login where nobody is logged in; anything else with what it lacks.
fn refused(parts: &Parts, problem: &Problem) -> Response {
    let asks_for_a_page = parts.method == Method::GET && !parts.headers.contains_key("authorization");
    if !problem.is_unauthorized() || !asks_for_a_page {
        return frame::refused(problem);
    }
    let site = parts.headers.get("sec-fetch-site").map(|site| site.as_bytes());
    if site == Some(b"cross-site") && cookie::session(&parts.headers).is_none() {
        return sent::html(StatusCode::OK, again());
    }
    let here = parts.uri.path_and_query().map_or("/", |here| here.as_str());
    if here == "/" {
        return sent::go("/login");
    }
    let next: String = form_urlencoded::byte_serialize(here.as_bytes()).collect();
    sent::go(&format!("/login?next={next}"))
}
