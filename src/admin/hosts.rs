//! Which requests of the network are for us at all: those to our own address or a name of ours (others are another site's
//! name that leads here), and those that no page of another site makes.

use std::net::IpAddr;
use std::net::SocketAddr;

use axum::extract::Request;
use axum::http::HeaderMap;
use axum::http::Method;
use axum::http::StatusCode;
use axum::http::header::HOST;
use axum::http::header::ORIGIN;
use axum::http::request::Parts;
use axum::http::uri::Authority;
use axum::middleware::Next;
use axum::response::IntoResponse;
use axum::response::Response;
use tracing::warn;

use super::caller::Peer;
use super::problem::Problem;
use crate::app::access::Access;

/// What asks whether we live has no name for us.
const PROBES: [&str; 2] = ["/healthz", "/readyz"];

/// Lets a request through that is for us.
pub(super) async fn check(request: Request, next: Next) -> Response {
    let (parts, body) = request.into_parts();
    if let Some(Peer::Network {
        local,
        remote,
        entrance,
    }) = parts.extensions.get()
        && !PROBES.contains(&parts.uri.path())
        && let Err(status) = fits(&parts, *local, &entrance.access())
    {
        let status_code = status.as_u16();
        warn!(
            status = status_code,
            peer = %remote.ip(),
            "A request for another host, or of another site, was refused with {status_code}"
        );
        return Problem::of_status(status).into_response();
    }
    next.run(Request::from_parts(parts, body)).await
}

fn fits(parts: &Parts, local: SocketAddr, access: &Access) -> Result<(), StatusCode> {
    let host = host(parts).ok_or(StatusCode::MISDIRECTED_REQUEST)?;
    if !is_ours(&host, local, access) {
        return Err(StatusCode::MISDIRECTED_REQUEST);
    }
    if !is_own_page(&parts.headers, &parts.method, &host, access) {
        return Err(StatusCode::FORBIDDEN);
    }
    Ok(())
}

/// The one host that a request names.
fn host(parts: &Parts) -> Option<Authority> {
    let mut all = parts.headers.get_all(HOST).iter();
    let (one, None) = (all.next()?, all.next()) else {
        return None;
    };
    let named = Authority::try_from(one.as_bytes()).ok()?;
    // A proxy's form of the request line names one too: it must be the same.
    let fits = parts.uri.authority().is_none_or(|other| *other == named);
    (fits && !named.as_str().contains('@')).then_some(named)
}

/// Our own address, a configured name, or, where only this machine reaches us, its own name for itself. Ports are the
/// tunnel's: what leads another site here is a name.
fn is_ours(host: &Authority, local: SocketAddr, access: &Access) -> bool {
    let name = host.host().to_ascii_lowercase();
    let bare = name.trim_start_matches('[').trim_end_matches(']');
    if let Ok(address) = bare.parse::<IpAddr>() {
        return address.to_canonical() == local.ip();
    }
    (local.ip().is_loopback() && name == "localhost") || access.hosts.contains(&name)
}

/// False for what a page of another site makes a browser send.
fn is_own_page(headers: &HeaderMap, method: &Method, host: &Authority, access: &Access) -> bool {
    let mut origins = headers.get_all(ORIGIN).iter();
    let origin = match (origins.next(), origins.next()) {
        (None, _) => None,
        (Some(origin), None) => Some(origin.to_str().unwrap_or_default()),
        (Some(_), Some(_)) => return false,
    };
    if let Some(origin) = origin {
        let secure = access.tls.is_some() || access.behind_proxy;
        let clear = access.tls.is_none();
        let own = |scheme: &str| origin.eq_ignore_ascii_case(&format!("{scheme}://{host}"));
        return (secure && own("https")) || (clear && own("http"));
    }
    let site = headers.get("sec-fetch-site").map(|site| site.as_bytes());
    let reads = matches!(*method, Method::GET | Method::HEAD);
    reads || !matches!(site, Some(b"cross-site" | b"same-site"))
}
