//! Who asks: on the socket, the user whom the kernel names, with what that user's program claims beside it; over the network,
//! who holds the token.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::extract::MatchedPath;
use axum::http::HeaderMap;
use axum::http::StatusCode;
use axum::http::header::AUTHORIZATION;
use axum::http::request::Parts;

use super::cookie;
use super::entrance::Entrance;
use super::problem::Problem;
use crate::app::access::Access;
use crate::app::actor::Actor;
use crate::model::role::Role;
use tracing::debug;
use tracing::warn;

/// The header in which a command sends what its environment claims about its user (`SUDO_USER=ada&USER=root`). It is shown
/// as a claim, beside what the kernel knows.
const CLAIMS: &str = "x-melonsync-claims";

/// A longer list of claims is none.
const LONGEST_CLAIMS: usize = 1024;

/// A longer header has no token of ours.
const LONGEST_TOKEN: usize = 1024;

/// How the connection came in; each door adds it to its requests.
#[derive(Clone)]
pub(super) enum Peer {
    /// Through the control socket.
    Socket {
        /// The user at its other end.
        uid: u32,
    },
    /// Over the network.
    Network {
        /// Our own end of the connection.
        local: SocketAddr,
        /// Theirs.
        remote: SocketAddr,
        /// What is known of that door.
        entrance: Arc<Entrance>,
    },
}

/// Who may call a route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Least {
    /// Anybody who reaches the door: a probe.
    Anybody,
    /// Anybody, or where the metrics have a token, whoever has that one or one of the API.
    Metrics,
    /// Whoever has this role, or a later one.
    Role(Role),
}

/// Whoever tries tokens gets slower answers. What is refused stands in the log, of what tries tokens the first ones only.
pub(super) async fn slow_down(parts: &Parts, problem: &Problem) {
    let Some(Peer::Network { remote, entrance, .. }) = parts.extensions.get() else {
        return;
    };
    let shows_one = bearer(&parts.headers).is_some();
    let is_login = shows_one && problem.is_unauthorized();
    if is_login && !entrance.logins.failed().await {
        return;
    }
    let path = parts
        .extensions
        .get::<MatchedPath>()
        .map_or("", MatchedPath::as_str);
    let (status, cause, method) = (problem.status(), problem.cause(), parts.method.as_str());
    if shows_one {
        warn!(peer = %remote.ip(), method, path, status, cause, "A request was refused with {status}: {cause}");
    } else {
        debug!(peer = %remote.ip(), method, path, status, cause, "A request was refused with {status}: {cause}");
    }
}

/// Who asks, as the history names them, and what they may do.
#[derive(Debug, Clone)]
pub(super) struct Caller {
    /// The name for the history.
    pub(super) actor: Actor,
    /// What they may do.
    pub(super) role: Role,
}

impl Caller {
    /// Who is behind a request. One that no door brought in has nobody behind it.
    pub(super) fn of(parts: &Parts) -> Result<Self, Problem> {
        match parts.extensions.get() {
            Some(Peer::Socket { uid }) => Ok(Self::at_the_socket(*uid, &parts.headers)),
            Some(Peer::Network { entrance, .. }) if parts.headers.contains_key(AUTHORIZATION) => {
                Self::by_token(&entrance.access(), &parts.headers)
            }
            Some(Peer::Network { entrance, .. }) => match cookie::session(&parts.headers) {
                Some(id) => Self::by_session(entrance, &id, parts),
                None => Self::by_token(&entrance.access(), &parts.headers),
            },
            None => Err(Problem::nobody()),
        }
    }

    /// Refuses what is for another role.
    pub(super) fn may(&self, least: Role) -> Result<(), Problem> {
        if self.role >= least {
            Ok(())
        } else {
            Err(Problem::role(least, self.role))
        }
    }

    fn at_the_socket(uid: u32, headers: &HeaderMap) -> Self {
        let header = headers.get(CLAIMS).map(|value| value.as_bytes());
        let claims = header
            .filter(|text| text.len() <= LONGEST_CLAIMS)
            .unwrap_or_default();
        let claims: Vec<(String, String)> = url::form_urlencoded::parse(claims).into_owned().collect();
        Self {
            actor: Actor::peer(uid, &claims),
            // Who reaches the socket can read and write the state folder.
            role: Role::Approver,
        }
    }

    /// Whoever logged in. A browser sends the cookie whoever makes it ask: what changes something must come from our own page.
    fn by_session(entrance: &Entrance, id: &str, parts: &Parts) -> Result<Self, Problem> {
        let holder = entrance
            .sessions()
            .holder(id, &entrance.access())
            .ok_or_else(Problem::no_session)?;
        if !cookie::is_of_own_page(parts) {
            return Err(Problem::of_status(StatusCode::FORBIDDEN));
        }
        Ok(Self {
            actor: Actor::token(&holder.name),
            role: holder.role,
        })
    }

    fn by_token(access: &Access, headers: &HeaderMap) -> Result<Self, Problem> {
        if access.has_no_token() {
            return Err(Problem::no_tokens());
        }
        let given = bearer(headers).ok_or_else(Problem::no_token)?;
        let holder = access.holder(given).ok_or_else(Problem::wrong_token)?;
        Ok(Self {
            actor: Actor::token(&holder.name),
            role: holder.role,
        })
    }
}

/// The token that a request shows: in one `Authorization` header, and nowhere else.
pub(super) fn bearer(headers: &HeaderMap) -> Option<&[u8]> {
    let mut all = headers.get_all(AUTHORIZATION).iter();
    let (one, None) = (all.next()?, all.next()) else {
        return None;
    };
    let (scheme, token) = one.as_bytes().split_at_checked(7)?;
    let fits = !token.is_empty() && token.len() <= LONGEST_TOKEN;
    (scheme.eq_ignore_ascii_case(b"bearer ") && fits).then_some(token)
}

impl<S: Sync> FromRequestParts<S> for Caller {
    type Rejection = Problem;

    /// The gate of the route found out who asks; a route without one has no caller.
    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Problem> {
        let caller = parts.extensions.get::<Self>().cloned();
        caller.ok_or_else(Problem::nobody)
    }
}
