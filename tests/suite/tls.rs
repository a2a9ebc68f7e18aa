//! Both sides over TLS: which certificates are trusted, which versions are spoken, and that nothing is sent to anybody else.
//!
//! The stand-in speaks just enough of Graph and SCIM to be read once. It counts the requests that reach it: behind a certificate
//! that is not to be trusted, no request and so no token may arrive.

use std::error::Error;
use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering;

use melonsync::entra::GraphOptions;
use melonsync::entra::GraphSource;
use melonsync::entra::clouds::Cloud;
use melonsync::model::id::ObjectKind;
use melonsync::model::secret::Secret;
use melonsync::ports::PageRequest;
use melonsync::ports::SourceDirectory;
use melonsync::ports::TargetDirectory;
use melonsync::scim::PinnedDialect;
use melonsync::scim::ScimOptions;
use melonsync::scim::ScimTarget;
use melonsync::transport::NetworkOptions;
use melonsync::transport::RetryPolicy;
use rcgen::BasicConstraints;
use rcgen::CertificateParams;
use rcgen::CertifiedIssuer;
use rcgen::IsCa;
use rcgen::KeyPair;
use rcgen::date_time_ymd;
use serde_json::json;
use tokio::io::AsyncReadExt;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpListener;
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::SupportedProtocolVersion;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::CertificateDer;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;
use tokio_rustls::rustls::version::TLS12;
use tokio_rustls::rustls::version::TLS13;

use crate::support::manual_clock::ManualClock;

pub type Issuer = CertifiedIssuer<'static, KeyPair>;

/// A certificate and its key.
pub struct Identity {
    pub certificate: CertificateDer<'static>,
    pub key: PrivateKeyDer<'static>,
    pub pem: String,
}

/// An authority of this name.
pub fn authority(name: &str) -> Issuer {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.distinguished_name.push(rcgen::DnType::CommonName, name);
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

/// What an authority issues for a host; `None`: signed by itself. The years in which it holds.
pub fn issued(by: Option<&Issuer>, host: &str, years: (i32, i32)) -> Identity {
    let mut params = CertificateParams::new(vec![host.to_owned()]).unwrap();
    params.not_before = date_time_ymd(years.0, 1, 1);
    params.not_after = date_time_ymd(years.1, 1, 1);
    let key = KeyPair::generate().unwrap();
    let certificate = match by {
        Some(issuer) => params.signed_by(&key, issuer),
        None => params.self_signed(&key),
    };
    let certificate = certificate.unwrap();
    Identity {
        pem: certificate.pem(),
        certificate: certificate.der().clone(),
        key: PrivateKeyDer::try_from(key.serialize_der()).unwrap(),
    }
}

/// A server, and how many requests reached it.
pub struct StandIn {
    pub port: u16,
    asked: Arc<AtomicUsize>,
}

impl StandIn {
    pub async fn tls(identity: &Identity, versions: &[&'static SupportedProtocolVersion]) -> Self {
        let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_protocol_versions(versions)
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![identity.certificate.clone()], identity.key.clone_key())
            .unwrap();
        let (acceptor, asked) = (TlsAcceptor::from(Arc::new(config)), Arc::new(AtomicUsize::new(0)));
        let counter = Arc::clone(&asked);
        let port = serve(move |stream, port| {
            let (acceptor, counter) = (acceptor.clone(), Arc::clone(&counter));
            async move {
                if let Ok(stream) = acceptor.accept(stream).await {
                    answer(stream, port, &counter).await;
                }
            }
        })
        .await;
        Self { port, asked }
    }

    /// No TLS at all.
    pub async fn plain() -> Self {
        let asked = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&asked);
        let port = serve(move |stream, port| {
            let counter = Arc::clone(&counter);
            async move { answer(stream, port, &counter).await }
        })
        .await;
        Self { port, asked }
    }

    /// A server that knows nothing newer than this version, by its number on the wire. What the client says goes to `hello`.
    pub async fn old(version: u8, hello: Arc<std::sync::Mutex<Vec<u8>>>) -> Self {
        let port = serve(move |mut stream, _| {
            let hello = Arc::clone(&hello);
            async move {
                let mut said = vec![0; 4096];
                let length = stream.read(&mut said).await.unwrap_or(0);
                hello.lock().unwrap().extend(&said[..length]);
                // ServerHello: this version, a cipher of its time, no extensions.
                let mut body = vec![3, version];
                body.extend([7; 32]);
                body.extend([0, 0xc0, 0x13, 0]);
                let mut record = vec![22, 3, version, 0, 4 + body.len() as u8, 2, 0, 0, body.len() as u8];
                record.extend(body);
                let _ = stream.write_all(&record).await;
                let _ = stream.read(&mut said).await;
            }
        })
        .await;
        Self {
            port,
            asked: Arc::default(),
        }
    }

    pub fn url(&self) -> url::Url {
        format!("https://localhost:{}", self.port).parse().unwrap()
    }
}

/// Serves each connection so; the port.
pub async fn serve<F, W>(each: F) -> u16
where
    F: Fn(TcpStream, u16) -> W + Send + 'static,
    W: Future<Output = ()> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(each(stream, port));
        }
    });
    port
}

/// One request and its answer: a token, a delta page, or an empty listing.
pub async fn answer(mut stream: impl AsyncReadExt + AsyncWriteExt + Unpin, port: u16, asked: &AtomicUsize) {
    let (mut said, mut chunk) = (Vec::new(), [0; 4096]);
    while !said.windows(4).any(|end| end == b"\r\n\r\n") {
        match stream.read(&mut chunk).await {
            Ok(length @ 1..) => said.extend(&chunk[..length]),
            Ok(0) | Err(_) => return,
        }
        // What a server of plain HTTP says to a ClientHello.
        if !said.starts_with(b"GET ") && !said.starts_with(b"POST ") {
            let refusal = b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
            let _ = stream.write_all(refusal).await;
            return;
        }
    }
    let said = String::from_utf8_lossy(&said).into_owned();
    asked.fetch_add(1, Ordering::SeqCst);
    let path = said.split(' ').nth(1).unwrap_or_default();
    // As the service names itself: whoever was asked under another name answers with links to that.
    let host = said
        .lines()
        .find_map(|line| line.strip_prefix("host: "))
        .map_or_else(|| format!("localhost:{port}"), str::to_owned);
    let body = if path.ends_with("/token") {
        json!({"token_type": "Bearer", "expires_in": 3600, "access_token": "token"})
    } else if path.contains("/delta") {
        json!({"value": [], "@odata.deltaLink": format!("https://{host}/v1.0/users/delta?$deltatoken=x")})
    } else {
        json!({"schemas": ["urn:ietf:params:scim:api:messages:2.0:ListResponse"], "totalResults": 0, "Resources": []})
    };
    let body = body.to_string();
    let head = format!(
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
        body.len()
    );
    let _ = stream.write_all(head.as_bytes()).await;
    let _ = stream.write_all(body.as_bytes()).await;
    let _ = stream.shutdown().await;
}

/// One reading of each side, with this file of trusted certificates: what went wrong, in words with its causes and the hint.
pub async fn read_both(url: &url::Url, ca_file: Option<PathBuf>) -> [Result<(), String>; 2] {
    read_through(
        url,
        NetworkOptions {
            ca_file,
            ..NetworkOptions::default()
        },
    )
    .await
}

/// As [`read_both`], with these options.
pub async fn read_through(url: &url::Url, network: NetworkOptions) -> [Result<(), String>; 2] {
    let network = NetworkOptions {
        section: "jobs.idmelon.side".to_owned(),
        ..network
    };
    let clock = Arc::new(ManualClock::new());
    let source = GraphSource::new(GraphOptions {
        tenant_id: "tenant".to_owned(),
        client_id: "client".to_owned(),
        credential: Secret::new("secret".to_owned()).into(),
        cloud: Cloud::Global,
        graph_url: Some(url.clone()),
        login_url: Some(url.clone()),
        network: network.clone(),
        clock: clock.clone(),
        retry: RetryPolicy::never(),
    });
    let select = vec!["displayName".to_owned()];
    let source = source.unwrap();
    let page = source.page(ObjectKind::User, PageRequest::First { select });
    let page = page.await.map(drop).map_err(|error| words(&error, error.hint()));
    let target = ScimTarget::new(ScimOptions {
        url: url.join("/scim/v2/").unwrap(),
        tokens: vec![Secret::new("token".to_owned())],
        max_concurrency: 1,
        least_gap: None,
        request_timeout: network.request_timeout,
        network,
        retry: RetryPolicy::never(),
        dialect: PinnedDialect::default(),
        clock,
    });
    let target = target.unwrap();
    let listed = target.list(ObjectKind::User, None).await;
    [
        page,
        listed.map(drop).map_err(|error| words(&error, error.hint())),
    ]
}

fn words(error: &dyn Error, hint: &str) -> String {
    let (mut text, mut next) = (error.to_string(), error.source());
    while let Some(cause) = next {
        text = format!("{text}: {cause}");
        next = cause.source();
    }
    format!("{text}; {hint}")
}

/// The years around now, whatever the clock of the machine says within them.
pub const NOW: (i32, i32) = (2020, 2120);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_certificate_is_trusted_for_its_issuer_its_time_and_its_name_and_nothing_is_sent_before() {
    let (ours, other) = (authority("ours"), authority("other"));
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, pem: String| {
        let path = folder.path().join(name);
        fs::write(&path, pem).unwrap();
        Some(path)
    };
    let trusted = file("ours.pem", ours.pem());
    let both = file("both.pem", other.pem() + &ours.pem());
    let good = issued(Some(&ours), "localhost", NOW);
    let by_itself = issued(None, "localhost", NOW);
    let leaf = file("leaf.pem", good.pem.clone());
    for (name, identity, ca_file, expected) in [
        ("in ca_file", &good, &trusted, None),
        ("one of two in ca_file", &good, &both, None),
        ("no ca_file", &good, &None, Some("not trusted")),
        (
            "another authority",
            &issued(Some(&other), "localhost", NOW),
            &trusted,
            Some("not trusted"),
        ),
        ("signed by itself", &by_itself, &trusted, Some("not trusted")),
        (
            "an authority of the same name",
            &issued(Some(&authority("ours")), "localhost", NOW),
            &trusted,
            Some("not trusted"),
        ),
        (
            "its own certificate is no authority",
            &issued(Some(&ours), "localhost", NOW),
            &leaf,
            Some("not trusted"),
        ),
        (
            "expired",
            &issued(Some(&ours), "localhost", (2001, 2020)),
            &trusted,
            Some("has expired"),
        ),
        (
            "not begun",
            &issued(Some(&ours), "localhost", (2119, 2120)),
            &trusted,
            Some("not valid yet"),
        ),
        (
            "another host's",
            &issued(Some(&ours), "localhost.evil.example", NOW),
            &trusted,
            Some("another host's"),
        ),
        (
            "every host of a domain",
            &issued(Some(&ours), "*.example", NOW),
            &trusted,
            Some("another host's"),
        ),
    ] {
        let server = StandIn::tls(identity, &[&TLS13, &TLS12]).await;
        for (side, read) in ["source", "target"]
            .iter()
            .zip(read_both(&server.url(), ca_file.clone()).await)
        {
            match (expected, read) {
                (None, Ok(())) => {}
                (Some(reason), Err(words)) => {
                    assert!(
                        words.contains(reason) && words.contains("jobs.idmelon.side."),
                        "{name}, {side}: {words}"
                    );
                }
                (_, read) => panic!("{name}, {side}: {read:?}"),
            }
        }
        let asked = server.asked.load(Ordering::SeqCst);
        assert_eq!(asked > 0, expected.is_none(), "{name}: {asked} requests arrived");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tls_1_2_and_1_3_are_spoken_and_nothing_older() {
    let ours = authority("ours");
    let folder = tempfile::tempdir().unwrap();
    let ca_file = folder.path().join("ours.pem");
    fs::write(&ca_file, ours.pem()).unwrap();
    let good = issued(Some(&ours), "localhost", NOW);
    for versions in [&[&TLS12][..], &[&TLS13]] {
        let server = StandIn::tls(&good, versions).await;
        let read = read_both(&server.url(), Some(ca_file.clone())).await;
        assert_eq!(read, [Ok(()), Ok(())], "{versions:?}");
    }
    for (name, version) in [("SSL 3.0", 0), ("TLS 1.0", 1), ("TLS 1.1", 2)] {
        let hello = Arc::default();
        let server = StandIn::old(version, Arc::clone(&hello)).await;
        for read in read_both(&server.url(), Some(ca_file.clone())).await {
            let words = read.expect_err(name);
            assert!(
                words.contains("TLS: ") && !words.contains("hung up"),
                "{name}: {words}"
            );
        }
        // supported_versions: two, 1.3 and 1.2.
        let hello = hello.lock().unwrap().clone();
        let offered = hello.windows(9).any(|part| part == [0, 43, 0, 5, 4, 3, 4, 3, 3]);
        assert!(offered, "{name}: {hello:02x?}");
    }
    let server = StandIn::plain().await;
    for read in read_both(&server.url(), Some(ca_file.clone())).await {
        let words = read.expect_err("no TLS");
        assert!(words.contains("does not speak TLS"), "{words}");
    }
    assert_eq!(server.asked.load(Ordering::SeqCst), 0);
}
