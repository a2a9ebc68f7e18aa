//! The address over TLS: only those who trust its certificate are served, and a renewed one is used without a restart.

use std::fs;
use std::time::Duration;

use super::world::Door;
use super::world::VIEWER;
use super::world::world_with;
use crate::cli_output::world::World;
use crate::daemon::world::Daemon;
use crate::tls::Identity;
use crate::tls::issued;
use crate::wiring::stage::until;

/// Puts a certificate and a key where the settings name them.
pub fn put(world: &World, certificate: &Identity, key: &Identity) {
    fs::write(world.path("cert.pem"), &certificate.pem).unwrap();
    let der = key.key.secret_der();
    let pem = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, der);
    let lines: Vec<&str> = pem
        .as_bytes()
        .chunks(64)
        .map(|line| std::str::from_utf8(line).unwrap())
        .collect();
    let text = format!(
        "-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n",
        lines.join("\n")
    );
    fs::write(world.path("key.pem"), text).unwrap();
}

/// The status for whoever trusts this certificate; none where it does not come to an answer.
fn asked(port: u16, trusts: &Identity) -> Option<u16> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let root = reqwest::Certificate::from_pem(trusts.pem.as_bytes()).unwrap();
        let client = reqwest::Client::builder()
            .no_proxy()
            .add_root_certificate(root)
            .timeout(Duration::from_secs(20))
            .build()
            .unwrap();
        let url = format!("https://127.0.0.1:{port}/api/v1/jobs");
        let answer = client.get(url).bearer_auth(VIEWER).send().await.ok()?;
        Some(answer.status().as_u16())
    })
}

#[test]
fn a_certificate_serves_those_who_trust_it_and_is_renewed_by_its_files() {
    let (world, port) = world_with("tls = { cert = \"cert.pem\", key = \"key.pem\" }");
    let [first, second, third] = [(); 3].map(|()| issued(None, "127.0.0.1", (2020, 2040)));
    put(&world, &first, &first);
    let door = Door {
        daemon: Daemon::over(world),
        port,
    };
    assert_eq!(asked(port, &first), Some(200));
    assert_eq!(asked(port, &second), None);
    // In clear nobody is answered.
    let mut stream = door.connect();
    std::io::Write::write_all(&mut stream, b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n").unwrap();
    let mut all = Vec::new();
    let _ = std::io::Read::read_to_end(&mut stream, &mut all);
    assert!(!String::from_utf8_lossy(&all).contains("HTTP/1.1"), "{all:?}");
    put(&door.daemon.world, &second, &second);
    until("the renewed certificate is used", || {
        asked(port, &second) == Some(200)
    });
    // A key of another certificate: the settings are refused, and the old ones stay.
    put(&door.daemon.world, &third, &first);
    door.reload();
    std::thread::sleep(Duration::from_millis(500));
    assert_eq!(asked(port, &second), Some(200));
    let ended = door.daemon.stopped().exits(0);
    assert!(ended.err.contains("do not go together"), "{}", ended.err);
}
