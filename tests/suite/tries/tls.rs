//! Networks, proxies and certificates: what the hint says to set, and that it is all that was missing.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use melonsync::transport::NetworkOptions;
use rcgen::CertificateParams;
use rcgen::ExtendedKeyUsagePurpose;
use rcgen::KeyPair;
use tokio::io::AsyncReadExt;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;
use tokio_rustls::rustls::version::TLS12;
use tokio_rustls::rustls::version::TLS13;
use url::Url;

use crate::cli_output::world::World;
use crate::tls::Identity;
use crate::tls::Issuer;
use crate::tls::NOW;
use crate::tls::StandIn;
use crate::tls::answer;
use crate::tls::authority;
use crate::tls::issued;
use crate::tls::read_both;
use crate::tls::read_through;
use crate::tls::serve;

/// A good server, and the file of its authority.
struct Good {
    ours: Issuer,
    ca_file: Option<PathBuf>,
    server: StandIn,
    _folder: tempfile::TempDir,
}

impl Good {
    async fn new() -> Self {
        let (ours, folder) = (authority("ours"), tempfile::tempdir().unwrap());
        let ca_file = folder.path().join("ours.pem");
        fs::write(&ca_file, ours.pem()).unwrap();
        let server = StandIn::tls(&issued(Some(&ours), "localhost", NOW), &[&TLS13, &TLS12]).await;
        Self {
            ours,
            ca_file: Some(ca_file),
            server,
            _folder: folder,
        }
    }

    async fn is_read(&self) {
        let read = read_both(&self.server.url(), self.ca_file.clone()).await;
        assert_eq!(read, [Ok(()), Ok(())]);
    }
}

#[track_caller]
fn says(name: &str, read: [Result<(), String>; 2], hint: &str) {
    for (side, read) in ["source", "target"].iter().zip(read) {
        let key = if *side == "source" {
            "graph_url|login_url"
        } else {
            "url"
        };
        let any = key.split('|').any(|key| {
            read.as_ref().is_err_and(|said| {
                said.contains(&hint.replace("{url}", &format!("`jobs.idmelon.side.{key}`")))
            })
        });
        assert!(any, "{name}, {side}: no \"{hint}\" in {read:?}");
    }
}

/// A certificate for clients, which no server may show.
fn for_clients(ours: &Issuer) -> Identity {
    let mut params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    let key = KeyPair::generate().unwrap();
    let certificate = params.signed_by(&key, ours).unwrap();
    Identity {
        pem: certificate.pem(),
        certificate: certificate.der().clone(),
        key: PrivateKeyDer::try_from(key.serialize_der()).unwrap(),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_certificate_is_put_right_as_its_hint_says() {
    let good = Good::new().await;
    let none = read_both(&good.server.url(), None).await;
    says(
        "no ca_file",
        none,
        "name a PEM file with its root in `jobs.idmelon.side.network.ca_file`",
    );
    let by_address: Url = format!("https://127.0.0.1:{}", good.server.port).parse().unwrap();
    says(
        "by address",
        read_both(&by_address, good.ca_file.clone()).await,
        "write in {url} the host name for which the certificate is made",
    );
    for (name, identity, hint) in [
        (
            "expired",
            issued(Some(&good.ours), "localhost", (2001, 2020)),
            "renew the certificate of the host in {url}; check the clock of this machine",
        ),
        (
            "for clients",
            for_clients(&good.ours),
            "check the certificate of the host in {url}, and `jobs.idmelon.side.network.ca_file`",
        ),
    ] {
        let server = StandIn::tls(&identity, &[&TLS13, &TLS12]).await;
        says(name, read_both(&server.url(), good.ca_file.clone()).await, hint);
    }
    let old = StandIn::old(1, Arc::default()).await;
    says(
        "TLS 1.0",
        read_both(&old.url(), good.ca_file.clone()).await,
        "the host in {url} must speak TLS 1.2 or 1.3 with a current cipher",
    );
    let plain = StandIn::plain().await;
    says(
        "no TLS",
        read_both(&plain.url(), good.ca_file.clone()).await,
        "check port and scheme in {url}: https wants a port that speaks TLS",
    );
    good.is_read().await;
}

fn at(port: u16) -> Url {
    format!("https://localhost:{port}").parse().unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_host_that_is_not_reached_is_named_anew() {
    let good = Good::new().await;
    let nowhere: Url = "https://side.invalid".parse().unwrap();
    says(
        "unknown",
        read_both(&nowhere, good.ca_file.clone()).await,
        "check the host name in {url}, and the name resolution of this machine",
    );
    let silent = serve(|stream, _| async move {
        tokio::time::sleep(Duration::from_secs(60)).await;
        drop(stream);
    })
    .await;
    let hasty = NetworkOptions {
        connect_timeout: Duration::from_millis(300),
        ..NetworkOptions::default()
    };
    says(
        "silent",
        read_through(&at(silent), hasty).await,
        "check host and port in {url}, and that a firewall lets this machine through; where only a proxy leads out, set \
         `jobs.idmelon.side.network.proxy`",
    );
    let hangs_up = serve(|stream, _| async move { drop(stream) }).await;
    says(
        "hangs up",
        read_both(&at(hangs_up), good.ca_file.clone()).await,
        "check {url}, firewall, `jobs.idmelon.side.network.proxy` and `jobs.idmelon.side.network.ca_file`",
    );
    good.is_read().await;
}

/// A proxy that leads every CONNECT to this port, or refuses it with this status line.
async fn proxy(to: Option<u16>, refusal: &'static str) -> Url {
    let port = serve(move |mut client, _| async move {
        let mut said = [0; 4096];
        let _ = client.read(&mut said).await;
        let Some(to) = to else {
            let text = format!("HTTP/1.1 {refusal}\r\ncontent-length: 0\r\n\r\n");
            let _ = client.write_all(text.as_bytes()).await;
            return;
        };
        let _ = client.write_all(b"HTTP/1.1 200 Connected\r\n\r\n").await;
        if let Ok(mut server) = TcpStream::connect(SocketAddr::from(([127, 0, 0, 1], to))).await {
            let _ = tokio::io::copy_bidirectional(&mut client, &mut server).await;
        }
    })
    .await;
    format!("http://127.0.0.1:{port}").parse().unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_proxy_in_the_way_is_named_anew() {
    let good = Good::new().await;
    let elsewhere: Url = "https://side.example".parse().unwrap();
    let server = StandIn::tls(&issued(Some(&good.ours), "side.example", NOW), &[&TLS13]).await;
    let through = |proxy: Url| {
        let network = NetworkOptions {
            proxy: Some(proxy),
            ca_file: good.ca_file.clone(),
            ..NetworkOptions::default()
        };
        let elsewhere = elsewhere.clone();
        async move { read_through(&elsewhere, network).await }
    };
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = closed.local_addr().unwrap();
    drop(closed);
    says(
        "closed",
        through(format!("http://{address}").parse().unwrap()).await,
        "check host and port in `jobs.idmelon.side.network.proxy`, and that the proxy runs",
    );
    for refusal in ["407 Proxy Authentication Required", "403 Forbidden"] {
        says(
            refusal,
            through(proxy(None, refusal).await).await,
            "check `jobs.idmelon.side.network.proxy`: address, user and password, and that the proxy may reach the host in {url}",
        );
    }
    let read = through(proxy(Some(server.port), "").await).await;
    assert_eq!(read, [Ok(()), Ok(())]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slow_answer_comes_in_a_longer_time_and_a_broken_one_from_a_better_network() {
    let slow = serve(|stream, port| async move {
        tokio::time::sleep(Duration::from_millis(900)).await;
        answer(stream, port, &Default::default()).await;
    })
    .await;
    let plain = |port: u16| -> Url { format!("http://localhost:{port}").parse().unwrap() };
    let within = |request_timeout: Duration| NetworkOptions {
        request_timeout,
        ..NetworkOptions::default()
    };
    let [source, target] = read_through(&plain(slow), within(Duration::from_millis(300))).await;
    let (source, target) = (source.unwrap_err(), target.unwrap_err());
    let hint = "the target is slow: raise `jobs.idmelon.side.request_timeout`, or lower `jobs.idmelon.side.max_concurrency`";
    assert!(target.contains(hint), "{target}");
    let hint = "check the network between here and the host in `jobs.idmelon.side.login_url`; the next cycle goes on";
    assert!(source.contains(hint), "{source}");
    let [_, target] = read_through(&plain(slow), within(Duration::from_secs(20))).await;
    assert_eq!(target, Ok(()));
    let breaks = serve(|mut stream, _| async move {
        let mut said = [0; 4096];
        let _ = stream.read(&mut said).await;
        let _ = stream
            .write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n{")
            .await;
    })
    .await;
    let [source, target] = read_through(&plain(breaks), within(Duration::from_secs(20))).await;
    for (side, said) in [("login_url", source), ("url", target)] {
        let hint = format!(
            "check the network between here and the host in `jobs.idmelon.side.{side}`; the next cycle goes on"
        );
        let said = said.unwrap_err();
        assert!(said.contains(&hint), "{said}");
    }
    Good::new().await.is_read().await;
}

/// The variable leads to one certificate that nobody can read, and then to a good one.
#[test]
fn a_store_of_the_system_without_a_certificate_is_put_right() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let good = runtime.block_on(Good::new());
    let world = World::new(1, 0);
    let bad = world.path("system.pem");
    fs::write(
        &bad,
        "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
    )
    .unwrap();
    let url = good.server.url();
    let config = world
        .config()
        .replace(&world.graph.url, url.as_str().trim_end_matches('/'))
        .replace(
            "[jobs.idmelon.source]\n",
            "[jobs.idmelon.source]\ngroups = false\n",
        );
    world.write(&config);
    let sync = |store: &Path| world.run_with("SSL_CERT_FILE", store.to_str().unwrap(), &["sync"]);
    let said = sync(&bad).exits(2).err;
    let hint = "install the system's certificates; where SSL_CERT_FILE or SSL_CERT_DIR is set, let it lead to certificates in PEM";
    assert!(said.contains(hint), "{said}");
    sync(good.ca_file.as_ref().unwrap()).exits(0);
}
