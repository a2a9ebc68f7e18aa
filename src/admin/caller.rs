//! Who asks: on the socket, the user whom the kernel names, with what that user's program claims beside it.

use axum::extract::FromRequestParts;
use axum::http::request::Parts;

use super::problem::Problem;
use crate::app::actor::Actor;

/// The header in which a command sends what its environment claims about its user (`SUDO_USER=ada&USER=root`). It is shown
/// as a claim, beside what the kernel knows.
const CLAIMS: &str = "x-melonsync-claims";

/// A longer list of claims is none.
const LONGEST_CLAIMS: usize = 1024;

/// How the connection came in; each door adds it to its requests.
#[derive(Debug, Clone, Copy)]
pub(super) struct Peer {
    /// The user at the other end of the socket.
    pub(super) uid: u32,
}

/// Who asks, as the history names them.
#[derive(Debug, Clone)]
pub(super) struct Caller {
    /// The name for the history.
    pub(super) actor: Actor,
}

impl<S: Sync> FromRequestParts<S> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Problem> {
        // A request that no door brought in has nobody behind it.
        let peer = parts
            .extensions
            .get::<Peer>()
            .copied()
            .ok_or_else(Problem::nobody)?;
        let header = parts.headers.get(CLAIMS).map(|value| value.as_bytes());
        let claims = header
            .filter(|text| text.len() <= LONGEST_CLAIMS)
            .unwrap_or_default();
        let claims: Vec<(String, String)> = url::form_urlencoded::parse(claims).into_owned().collect();
        Ok(Self {
            actor: Actor::peer(peer.uid, &claims),
        })
    }
}
