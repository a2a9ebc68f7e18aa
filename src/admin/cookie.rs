//! The cookie of a session: what only its browser has, and no script there can read.

use axum::http::HeaderMap;
use axum::http::HeaderValue;
use axum::http::Method;
use axum::http::header::COOKIE;
use axum::http::header::ORIGIN;
use axum::http::request::Parts;

/// The name of the cookie. With this prefix no other host, path or plain connection can set it; browsers take loopback for
/// safe, and any other address without TLS is refused by the settings.
const NAME: &str = "__Host-melonsync";

/// The length of an id.
const ID_LENGTH: usize = 64;

/// The id of the session that a request shows: in one cookie of the name, of the form that we give, and nowhere else.
pub(super) fn session(headers: &HeaderMap) -> Option<String> {
    let pairs = headers.get_all(COOKIE).iter().flat_map(|header| {
        let text = header.to_str().unwrap_or_default();
        text.split(';').filter_map(|pair| pair.trim().split_once('='))
    });
    let mut ids = pairs.filter(|(name, _)| *name == NAME).map(|(_, id)| id);
    let (id, None) = (ids.next()?, ids.next()) else {
        return None;
    };
    let is_id = id.len() == ID_LENGTH && id.bytes().all(|byte| byte.is_ascii_hexdigit());
    is_id.then(|| id.to_owned())
}

/// The header that gives a browser its session.
pub(super) fn given(id: &str) -> HeaderValue {
    header(&format!("{NAME}={id}"))
}

/// The header that takes it away.
pub(super) fn taken() -> HeaderValue {
    header(&format!("{NAME}=; Max-Age=0"))
}

fn header(pair: &str) -> HeaderValue {
    let text = format!("{pair}; Path=/; Secure; HttpOnly; SameSite=Strict");
    HeaderValue::try_from(text).expect("hexadecimal digits and words of ours")
}

/// True for what reads, and for what a browser says that our own page asked. That the origin is ours was checked before
/// (`hosts.rs`); where a cookie says who asks, it must be there.
pub(super) fn is_of_own_page(parts: &Parts) -> bool {
    let reads = matches!(parts.method, Method::GET | Method::HEAD);
    let site = parts.headers.get("sec-fetch-site").map(|site| site.as_bytes());
    reads || (parts.headers.contains_key(ORIGIN) && site.is_none_or(|site| site == b"same-origin"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_stands_in_one_cookie_of_our_form() {
        let id = "0123456789abcdef".repeat(4);
        for (cookies, expected) in [
            (vec![format!("{NAME}={id}")], true),
            (vec![format!("a=b; {NAME}={id}; c=d")], true),
            (vec!["a=b".to_owned(), format!("{NAME}={id}")], true),
            (vec![], false),
            (vec![format!("{NAME}=")], false),
            (vec![format!("{NAME}={id}0")], false),
            (vec![format!("{NAME}={}", "x".repeat(64))], false),
            (vec![format!("{NAME}={id}; {NAME}={id}")], false),
            (vec![format!("{NAME}={id}"), format!("{NAME}={id}")], false),
            (vec![format!("melonsync={id}")], false),
        ] {
            let mut headers = HeaderMap::new();
            for cookie in &cookies {
                headers.append(COOKIE, HeaderValue::try_from(cookie).unwrap());
            }
            assert_eq!(session(&headers).is_some(), expected, "{cookies:?}");
        }
    }
}
