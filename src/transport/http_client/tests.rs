//! Real HTTP on loopback.

use std::{io::Write, net::SocketAddr};

use axum::{
    Router,
    http::{HeaderMap, StatusCode},
    response::Redirect,
    routing::get,
};

use super::*;
use crate::sandbox::limit::until_the_runtime_ends;
use crate::transport::unreached::Cause;

async fn serve(router: Router) -> SocketAddr {
    until_the_runtime_ends();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    address
}

async fn ask(options: &NetworkOptions, address: SocketAddr, path: &str) -> Result<Answer, TransportError> {
    let client = HttpClient::new(options).unwrap();
    let url = format!("http://user:secret@{address}{path}?$skiptoken=opaque");
    let answer = client.send(client.builder().get(url).build().unwrap()).await;
    assert_eq!(client.traffic().read().requests, 1);
    answer
}

fn short() -> NetworkOptions {
    NetworkOptions {
        request_timeout: Duration::from_millis(200),
        largest_body: 1000,
        ..NetworkOptions::default()
    }
}

#[tokio::test]
async fn an_answer_is_read_whole_and_names_its_client() {
    let echo = |headers: HeaderMap| async move { headers["user-agent"].to_str().unwrap().to_owned() };
    let address = serve(Router::new().route("/", get(echo))).await;
    let answer = ask(&NetworkOptions::default(), address, "/").await.unwrap();
    assert_eq!(answer.status, StatusCode::OK);
    assert_eq!(answer.body, concat!("melonsync/", env!("CARGO_PKG_VERSION")));
}

#[tokio::test]
async fn a_redirect_is_an_answer_not_a_journey() {
    let router = Router::new()
        .route("/", get(|| async { Redirect::temporary("/elsewhere") }))
        .route("/elsewhere", get(|| async { "followed" }));
    let answer = ask(&NetworkOptions::default(), serve(router).await, "/")
        .await
        .unwrap();
    assert_eq!(answer.status, StatusCode::TEMPORARY_REDIRECT);
}

#[tokio::test]
async fn a_body_beyond_the_limit_is_refused_announced_or_not() {
    let chunked = || async {
        let chunks = (0..20).map(|_| Ok::<_, std::io::Error>(Bytes::from_static(&[b'x'; 100])));
        axum::body::Body::from_stream(futures::stream::iter(chunks))
    };
    let router = Router::new()
        .route("/announced", get(|| async { "x".repeat(2000) }))
        .route("/chunked", get(chunked));
    let address = serve(router).await;
    for path in ["/announced", "/chunked"] {
        let error = ask(&short(), address, path).await.unwrap_err();
        assert!(
            matches!(error, TransportError::TooLarge { limit: 1000, .. }),
            "{path}: {error:?}"
        );
    }
}

#[tokio::test]
async fn silence_is_a_timeout_and_leaves_open_what_happened() {
    let address = serve(Router::new().route("/", get(std::future::pending::<()>))).await;
    let error = ask(&short(), address, "/").await.unwrap_err();
    assert!(
        matches!(error, TransportError::Timeout { .. }) && error.may_have_been_carried_out(),
        "{error:?}"
    );
}

#[tokio::test]
async fn a_closed_port_is_named_and_nothing_was_sent() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let error = ask(&short(), address, "/").await.unwrap_err();
    assert!(!error.may_have_been_carried_out());
    assert_eq!(error.to_string(), format!("cannot connect to {address}"));
    assert!(
        matches!(&error, TransportError::Connect { why, .. } if why.cause == Cause::Refused),
        "{error:?}"
    );
    assert!(
        !format!("{error:?}").contains("secret") && !format!("{error:?}").contains("opaque"),
        "{error:?}"
    );
}

#[tokio::test]
async fn a_broken_connection_leaves_open_what_happened() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        use tokio::io::{AsyncReadExt, AsyncWriteExt};
        let (mut socket, _) = listener.accept().await.unwrap();
        let _ = socket.read(&mut [0; 1024]).await;
        let _ = socket
            .write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf")
            .await;
    });
    let error = ask(&short(), address, "/").await.unwrap_err();
    assert!(
        matches!(error, TransportError::Broken { .. }) && error.may_have_been_carried_out(),
        "{error:?}"
    );
}

#[tokio::test]
async fn loopback_never_uses_the_proxy() {
    let address = serve(Router::new().route("/", get(|| async { "direct" }))).await;
    let options = NetworkOptions {
        proxy: Some("http://127.0.0.1:9".parse().unwrap()),
        ..short()
    };
    assert_eq!(ask(&options, address, "/").await.unwrap().body, "direct");
}

#[tokio::test]
async fn any_other_host_uses_the_configured_proxy() {
    let seen = |uri: axum::http::Uri| async move { uri.to_string() };
    let proxy = serve(Router::new().fallback(seen)).await;
    let options = NetworkOptions {
        proxy: Some(format!("http://{proxy}").parse().unwrap()),
        ..short()
    };
    let client = HttpClient::new(&options).unwrap();
    let request = client
        .builder()
        .get("http://target.invalid/Users")
        .build()
        .unwrap();
    assert_eq!(
        client.send(request).await.unwrap().body,
        "http://target.invalid/Users"
    );
}

#[test]
fn a_bad_proxy_is_named_without_its_password() {
    for (setting, value) in [
        ("HTTPS_PROXY", "ht tp://me:hunter2@:x"),
        ("https_proxy", "http://me:hunter2@[bad"),
    ] {
        let environment = |name: &str| (name == setting).then(|| value.to_owned());
        let error = with_proxy(reqwest::Client::builder(), None, environment).unwrap_err();
        assert!(
            error.is_configuration() && error.to_string().contains("`HTTPS_PROXY`"),
            "{error}"
        );
        assert!(!format!("{error:?}{error}").contains("hunter2"), "{error:?}");
    }
    assert!(
        with_proxy(reqwest::Client::builder(), None, |_| Some(String::new())).is_ok(),
        "empty is absent"
    );
}

#[test]
fn a_bad_ca_file_is_named_with_what_is_wrong() {
    let dir = tempfile::tempdir().unwrap();
    let missing = NetworkOptions {
        ca_file: Some(dir.path().join("none.pem")),
        ..short()
    };
    assert!(matches!(
        HttpClient::new(&missing),
        Err(TransportError::CaFileUnreadable { .. })
    ));
    for text in [
        "",
        "not a certificate",
        "-----BEGIN CERTIFICATE-----\n!!!\n-----END CERTIFICATE-----\n",
    ] {
        let path = dir.path().join("bad.pem");
        std::fs::File::create(&path)
            .unwrap()
            .write_all(text.as_bytes())
            .unwrap();
        let error = HttpClient::new(&NetworkOptions {
            ca_file: Some(path),
            ..short()
        })
        .unwrap_err();
        assert!(
            matches!(error, TransportError::CaFileNotPem { .. }),
            "{text:?}: {error:?}"
        );
    }
}

/// Builds the gzip, a thousand times smaller, of the same three bytes repeated: fixed codes of RFC 1951, one match of
/// 258 bytes in 13 bits.
fn bomb(unit: &[u8; 3], matches: usize) -> Vec<u8> {
    let (mut bits, mut held, mut out) = (0_u32, 0, vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff]);
    let mut put = |value: u32, count: u32| {
        bits |= value << held;
        held += count;
        while held >= 8 {
            out.push(bits as u8);
            bits >>= 8;
            held -= 8;
        }
    };
    let code = |value: u32, count: u32| value.reverse_bits() >> (32 - count);
    put(0b011, 3); // the last block, with the fixed codes
    unit.iter()
        .for_each(|byte| put(code(0x30 + u32::from(*byte), 8), 8));
    for _ in 0..matches {
        put(code(0b1100_0101, 8), 8); // 258 bytes
        put(code(2, 5), 5); // from three bytes back
    }
    put(0, 7 + 7); // the end, and up to a whole byte
    let whole = unit.repeat((3 + 258 * matches) / 3);
    out.extend(crc32fast::hash(&whole).to_le_bytes());
    out.extend((whole.len() as u32).to_le_bytes());
    out
}

#[tokio::test]
async fn gzip_that_grows_a_thousand_times_is_refused_while_it_grows() {
    let served = |status: u16, unit: &'static [u8; 3], bytes: usize| {
        get(move || async move {
            let status = StatusCode::from_u16(status).unwrap();
            (status, [("content-encoding", "gzip")], bomb(unit, bytes / 258))
        })
    };
    let router = Router::new()
        .route("/small", served(200, b"xyz", 3000))
        .route("/large", served(200, b"xyz", 100 << 20))
        .route("/resource", served(200, b"xyz", 5 << 20))
        .route("/dense", served(200, b"[],", 60 << 20))
        .route("/error", served(500, b"xyz", 60 << 20));
    let address = serve(router).await;
    let client = HttpClient::new(&NetworkOptions::default()).unwrap();
    let ask = async |path: &str, size| {
        let url = format!("http://{address}{path}");
        client
            .send_for(client.builder().get(url).build().unwrap(), size)
            .await
    };
    let page = ask("/small", Size::Page).await.unwrap().body;
    assert_eq!((page.len(), &page[..4]), (3 + 3000 / 258 * 258, &b"xyzx"[..]));
    for (path, size, limit) in [
        ("/large", Size::Page, 64 << 20),
        ("/resource", Size::Resource, 4 << 20),
    ] {
        let refused = ask(path, size).await.unwrap_err();
        assert!(
            matches!(refused, TransportError::TooLarge { limit: at, .. } if at == limit),
            "{refused:?}"
        );
    }
    assert!(ask("/resource", Size::Page).await.is_ok());
    let refused = ask("/dense", Size::Page).await.unwrap_err();
    assert!(
        matches!(refused, TransportError::Bloated { .. }) && refused.may_have_been_carried_out(),
        "{refused:?}"
    );
    let error = ask("/error", Size::Page).await.unwrap();
    assert_eq!((error.status.as_u16(), error.body.len()), (500, 64 << 10));
}

#[test]
fn who_asks_to_slow_down_says_429_or_when_to_come_back() {
    for (status, headers, throttled) in [
        (429, &[][..], true),
        (429, &[("retry-after", "1")], true),
        (503, &[("retry-after", "1")], true),
        (503, &[], false),
        (500, &[("retry-after", "1")], false),
        (200, &[("retry-after", "1")], false),
    ] {
        let named = headers
            .iter()
            .map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap()));
        let answer = Answer {
            status: StatusCode::from_u16(status).unwrap(),
            headers: named.collect::<HeaderMap>(),
            body: Bytes::new(),
        };
        assert_eq!(answer.is_throttled(), throttled, "{status} {headers:?}");
    }
}
