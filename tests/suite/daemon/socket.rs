//! The control socket: who may come in, and what a client may cost.

use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use melonsync::model::clock::Stopwatch;
use serde_json::json;

use super::http;
use super::world::Daemon;

#[test]
fn the_socket_is_its_owners_alone_and_replaced_by_the_next_daemon() {
    let daemon = Daemon::new(2, 0);
    let mode = fs::metadata(daemon.socket()).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    assert_eq!(daemon.get("/healthz").is(200).json()["status"], "alive");
    let Daemon { mut running, world } = daemon;
    running.kill().unwrap();
    drop(running);
    assert!(world.path("state/control.sock").exists(), "nothing tidied up");
    Daemon::over(world).stopped().exits(0);
}

#[test]
fn an_answer_is_not_kept_and_not_guessed_at() {
    let daemon = Daemon::new(1, 0);
    for path in ["/healthz", "/api/v1/jobs", "/nothing"] {
        let head = daemon.get(path).head.to_lowercase();
        for line in [
            "cache-control: no-store",
            "x-content-type-options: nosniff",
            "frame-ancestors 'none'; sandbox",
            "referrer-policy: no-referrer",
        ] {
            assert!(head.contains(line), "{path}: {head}");
        }
    }
}

#[test]
fn bodies_that_are_too_large_compressed_or_no_json_go_no_further() {
    let daemon = Daemon::new(1, 0);
    let path = "/api/v1/jobs/idmelon/resync";
    let send = |headers: &str, body: &[u8]| {
        let mut request = format!(
            "POST {path} HTTP/1.1\r\nHost: melonsync\r\nConnection: close\r\n{headers}Content-Length: {}\r\n\r\n",
            body.len()
        )
        .into_bytes();
        request.extend_from_slice(body);
        http::raw(&daemon.socket(), &request)
    };
    let json = "Content-Type: application/json\r\n";
    send(json, &vec![b' '; (1 << 20) + 1]).problem(413);
    send(&format!("{json}Content-Encoding: gzip\r\n"), b"{}").problem(415);
    send("Content-Type: text/plain\r\n", br#"{"all":true}"#).problem(415);
    send("", br#"{"all":true}"#).problem(415);
    let deep = "[".repeat(10_000);
    send(json, format!("{{\"users\":{deep}").as_bytes()).problem(400);
    send(json, b"{\"users\":\xff}").problem(400);
    assert_eq!(daemon.world.tenant.request_count(), 0);
}

/// A bound on how long a client may say nothing; the door's own is shorter.
const SILENT: Duration = Duration::from_secs(25);

#[test]
fn a_client_that_says_nothing_or_half_of_it_is_hung_up_on() {
    let daemon = Daemon::new(1, 0);
    let body = "POST /api/v1/jobs/idmelon/sync HTTP/1.1\r\nHost: m\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n{";
    let silent = ["", "GET /healthz HTTP/1.1\r\nHost: me", body];
    let watch = Stopwatch::start();
    let mut streams = silent.map(|part| {
        let mut stream = http::connect(&daemon.socket());
        stream.write_all(part.as_bytes()).unwrap();
        stream
    });
    for stream in &mut streams {
        http::read_all(stream);
    }
    let waited = watch.elapsed();
    assert!(waited < SILENT, "{waited:?}");
    daemon.get("/healthz").is(200);
}

#[test]
fn more_connections_than_there_are_places_wait_and_are_served() {
    let daemon = Daemon::new(1, 0);
    let silent: Vec<_> = (0..127).map(|_| http::connect(&daemon.socket())).collect();
    daemon.get("/healthz").is(200);
    let more: Vec<_> = (0..40).map(|_| http::connect(&daemon.socket())).collect();
    drop(silent);
    drop(more);
    daemon.get("/healthz").is(200);
    daemon.stopped().exits(0);
}

#[test]
fn requests_that_two_servers_read_in_two_ways_are_refused() {
    let daemon = Daemon::new(1, 0);
    let smuggled = "GET /api/v1/jobs HTTP/1.1\r\nHost: m\r\n\r\n";
    for (name, request) in [
        (
            "two lengths",
            "POST /healthz HTTP/1.1\r\nHost: m\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab"
                .to_owned(),
        ),
        (
            "a space before the colon",
            format!(
                "POST /healthz HTTP/1.1\r\nHost: m\r\nTransfer-Encoding : chunked\r\n\r\n0\r\n\r\n{smuggled}"
            ),
        ),
        (
            "a length and chunks",
            format!(
                "POST /healthz HTTP/1.1\r\nHost: m\r\nContent-Length: 6\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n{smuggled}"
            ),
        ),
    ] {
        let answer = http::raw(&daemon.socket(), request.as_bytes());
        assert!(answer.status >= 400, "{name}: {answer:?}");
        assert!(!answer.body.contains("jobs"), "{name}: {answer:?}");
    }
}

#[test]
fn who_asks_is_whom_the_kernel_names_and_claims_are_marked() {
    let daemon = Daemon::new(1, 0);
    let headers =
        "X-Melonsync-Claims: SUDO_USER=ceo&USER=x%29%0Aboss&ROLE=approver\r\nAccept: text/event-stream\r\n";
    let request = http::request("POST", "/api/v1/jobs/idmelon/sync", headers, Some(&json!({})));
    let answer = http::raw(&daemon.socket(), request.as_bytes()).is(200);
    let events = http::events(&answer.body);
    let started = events.iter().find(|(name, _)| name == "started").unwrap();
    let actor = started.1["actor"].as_str().unwrap();
    let uid = format!("uid {}", rustix::process::getuid().as_raw());
    assert!(actor.contains(&uid), "{actor}");
    assert!(
        actor.contains("claimed SUDO_USER=ceo") && actor.contains("claimed USER=x??boss"),
        "{actor}"
    );
    assert!(!actor.contains("ROLE"), "{actor}");
}
