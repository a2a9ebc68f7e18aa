//! Login and logout. A token is sent once, in a form; from then on a cookie says who asks (`app/access/sessions.rs`).

use std::sync::Arc;

use askama::Template;
use axum::Extension;
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::SET_COOKIE;
use axum::response::Response;
use tracing::warn;

use super::filters;
use super::form::Form;
use super::frame;
use super::frame::Frame;
use super::sent;
use super::visit::Visit;
use crate::admin::caller::Peer;
use crate::admin::cookie;
use crate::admin::extract::Query;
use crate::admin::parameter::Parameter;
use crate::admin::parameter::text;
use crate::admin::problem::Problem;
use crate::app::access::sessions::Notice;
use crate::app::service::Service;
use crate::model::role::Role;

/// What the login is asked for.
pub(super) const QUERY: &[Parameter] = &[text("next", "the page to go to afterwards")];

#[derive(Template)]
#[template(path = "login.html")]
struct Login {
    frame: Frame,
    /// Where to go afterwards.
    next: String,
    /// True after a token that nobody has.
    failed: bool,
}

/// `GET /login`.
pub(super) async fn page(query: Query) -> Response {
    shown(query.one("next"), false)
}

fn shown(next: Option<String>, failed: bool) -> Response {
    let mut frame = Frame::bare();
    "Log in".clone_into(&mut frame.title);
    let page = Login {
        frame,
        next: own_page(next),
        failed,
    };
    let status = if failed {
        StatusCode::UNAUTHORIZED
    } else {
        StatusCode::OK
    };
    match sent::render(&page) {
        Ok(text) => sent::html(status, text),
        Err(error) => frame::refused(&Problem::from(error)),
    }
}

/// A page of ours: any other text is the overview.
fn own_page(next: Option<String>) -> String {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/-_.~%?=&+:@".contains(&byte);
    next.filter(|next| next.starts_with('/') && !next.starts_with("//") && next.bytes().all(is_plain))
        .unwrap_or_else(|| "/".to_owned())
}

/// `POST /session`: begins a session, with a token or with the code of a link that is good once.
pub(super) async fn begin(
    State(service): State<Arc<Service>>,
    peer: Option<Extension<Peer>>,
    form: Form,
) -> Response {
    let Some(Extension(Peer::Network { remote, entrance, .. })) = peer else {
        return frame::refused(&Problem::nobody());
    };
    let access = service.access();
    if access.has_no_token() {
        return frame::refused(&Problem::no_tokens());
    }
    let by_token = form.one("token").and_then(|token| access.proof(token.as_bytes()));
    let by_code = || form.one("code").and_then(|code| service.sessions().accept(&code));
    let proof = by_token.or_else(by_code);
    let Some((proof, holder)) = proof.and_then(|proof| Some((proof, access.still(proof)?))) else {
        if entrance.logins.failed().await {
            warn!(peer = %remote.ip(), status = 401, "A login with a token that nobody has was refused with 401");
        }
        return shown(form.one("next"), true);
    };
    let id = service.sessions().begin(proof);
    let notice = Notice {
        good: true,
        text: format!("Logged in as {}: {}.", holder.name, may(holder.role)),
        advice: None,
    };
    service.sessions().leave(&id, notice);
    let mut response = sent::go(&own_page(form.one("next")));
    response.headers_mut().insert(SET_COOKIE, cookie::given(&id));
    response
}

/// What a role may do, in words.
const fn may(role: Role) -> &'static str {
    match role {
        Role::Viewer => "a viewer may look at everything",
        Role::Operator => "an operator may look at everything, order cycles, and have entries tried again",
        Role::Approver => "an approver may do everything, decisions about removals among it",
    }
}

/// `POST /session/end`.
pub(super) async fn end(visit: Visit) -> Response {
    if let Some(id) = visit.session() {
        visit.service.sessions().end(id);
    }
    let mut response = sent::go("/login");
    response.headers_mut().insert(SET_COOKIE, cookie::taken());
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_login_leads_to_a_page_of_ours_and_nowhere_else() {
        for (next, expected) in [
            (
                "/jobs/idmelon/withheld?reason=a%20b",
                "/jobs/idmelon/withheld?reason=a%20b",
            ),
            ("", "/"),
            ("//evil", "/"),
            ("/\\evil", "/"),
            ("https:evil", "/"),
            ("https://evil/", "/"),
            ("/\u{9}/evil", "/"),
            ("/a\r\nSet-Cookie: a=b", "/"),
            ("javascript:alert(1)", "/"),
        ] {
            assert_eq!(own_page(Some(next.to_owned())), expected, "{next}");
        }
    }
}
