//! `[admin]`: where the API is served, and to whom.

use std::fs;
use std::io::Read;
use std::io::Write;
use std::net::TcpStream;
use std::time::Duration;

use super::stage::Stage;
use super::stage::until;
use crate::door::tls::put;
use crate::door::world::APPROVER;
use crate::door::world::VIEWER;
use crate::door::world::free_port;
use crate::support::program::Running;
use crate::tls::issued;

super::rows! {
    "admin.listen" => listen;
    "admin.token", "admin.token.env", "admin.token.file" => token;
    "admin.tokens.name", "admin.tokens.role" => tokens;
    "admin.tokens.token", "admin.tokens.token.env", "admin.tokens.token.file" => places;
    "admin.hosts" => hosts;
    "admin.tls.cert", "admin.tls.key" => tls;
    "admin.behind_proxy" => behind_proxy;
    "admin.two_person" => two_person;
    "admin.comment_required" => comment_required;
    "admin.metrics_token", "admin.metrics_token.env", "admin.metrics_token.file" => metrics_token;
}

/// A stage that listens, with the admin's token; the daemon on it, once it does.
fn listening(stage: Stage) -> (Stage, Running, u16) {
    let port = free_port();
    let stage = stage
        .with("admin.listen", &format!("127.0.0.1:{port}"))
        .with("jobs.idmelon.schedule", "")
        .with("jobs.idmelon.full_schedule", "");
    let running = Running::start(stage.command(&["run"]).env("LOOKOUT_TOKEN", VIEWER));
    until("the address answers", || {
        TcpStream::connect(("127.0.0.1", port)).is_ok()
    });
    (stage, running, port)
}

/// The status of a request with this host and this token.
fn asked(port: u16, method: &str, path: &str, host: &str, token: &str) -> u16 {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    let request = format!(
        "{method} {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\nAuthorization: Bearer {token}\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).unwrap();
    let mut text = String::new();
    let _ = stream.read_to_string(&mut text);
    text.split(' ')
        .nth(1)
        .and_then(|status| status.parse().ok())
        .unwrap_or(0)
}

fn jobs(port: u16, token: &str) -> u16 {
    asked(port, "GET", "/api/v1/jobs", "127.0.0.1", token)
}

fn listen() {
    let (_stage, running, port) = listening(Stage::new(1, 0));
    assert_eq!(asked(port, "GET", "/healthz", "127.0.0.1", ""), 200);
    drop(running);
    for wrong in ["8465", "localhost:8465", "http://127.0.0.1:8465"] {
        let ran = Stage::new(1, 0)
            .with("admin.listen", wrong)
            .run(&["run"])
            .exits(2);
        assert!(
            ran.err.contains("no address with a port") || ran.err.contains("must be"),
            "{wrong}: {ran:?}"
        );
    }
    // Others than this host only with a token, and not in clear.
    let ran = Stage::new(1, 0)
        .with("admin.listen", "0.0.0.0:8465")
        .run(&["run"])
        .exits(2);
    for said in ["without encryption", "without a token"] {
        assert!(ran.err.contains(said), "{ran:?}");
    }
}

fn token() {
    let (_stage, _running, port) = listening(Stage::new(1, 0).with("admin.token", APPROVER));
    assert_eq!(jobs(port, APPROVER), 200);
    assert_eq!(jobs(port, VIEWER), 401);
    for place in ["{ file = \"approver\" }", "{ env = \"LOOKOUT_TOKEN\" }"] {
        let stage = Stage::new(1, 0).with("admin.token", place);
        fs::write(stage.world.path("approver"), APPROVER).unwrap();
        let known = if place.contains("file") { APPROVER } else { VIEWER };
        let (_stage, _running, port) = listening(stage);
        assert_eq!(jobs(port, known), 200, "{place}");
    }
    let written = Stage::new(1, 0);
    let config = written.world.config();
    written
        .world
        .write(&format!("[admin]\ntoken = \"{APPROVER}\"\n{config}"));
    let ran = written.run(&["status"]).exits(2);
    assert!(
        ran.err.contains("plain text") && !ran.err.contains(APPROVER),
        "{ran:?}"
    );
}

fn tokens() {
    let stage = Stage::new(1, 0).with(
        "admin.tokens",
        "[{ name = \"helpdesk\", role = \"viewer\", token = { file = \"viewer\" } }]",
    );
    fs::write(stage.world.path("viewer"), VIEWER).unwrap();
    let (_stage, _running, port) = listening(stage);
    assert_eq!(jobs(port, VIEWER), 200);
    let resync = "/api/v1/jobs/idmelon/resync";
    assert_eq!(asked(port, "POST", resync, "127.0.0.1", VIEWER), 403);
    for (wrong, said) in [
        ("name = \"a b\", role = \"viewer\"", "no name for a token"),
        ("name = \"admin\", role = \"viewer\"", "cannot be \"admin\""),
        ("name = \"schedule\", role = \"viewer\"", "cannot be \"schedule\""),
        ("name = \"a\", role = \"king\"", "cannot be \"king\""),
        ("role = \"viewer\"", "is missing"),
    ] {
        let list = format!("[{{ {wrong}, token = {{ file = \"viewer\" }} }}]");
        let ran = Stage::new(1, 0)
            .with("admin.tokens", &list)
            .run(&["status"])
            .exits(2);
        assert!(ran.err.contains(said), "{wrong}: {ran:?}");
    }
}

/// Where a token is: in a file, or in a variable.
fn places() {
    for place in ["{ file = \"viewer\" }", "{ env = \"LOOKOUT_TOKEN\" }"] {
        let list = format!("[{{ name = \"helpdesk\", role = \"viewer\", token = {place} }}]");
        let stage = Stage::new(1, 0).with("admin.tokens", &list);
        fs::write(stage.world.path("viewer"), VIEWER).unwrap();
        let (_stage, _running, port) = listening(stage);
        assert_eq!(jobs(port, VIEWER), 200, "{place}");
    }
}

fn hosts() {
    let stage = Stage::new(1, 0).with("admin.token", APPROVER);
    let (_stage, _running, port) = listening(stage.with("admin.hosts", "[\"melonsync.corp.example\"]"));
    let named = |host: &str| asked(port, "GET", "/api/v1/jobs", host, APPROVER);
    assert_eq!(named("melonsync.corp.example"), 200);
    assert_eq!(named("other.corp.example"), 421);
    for wrong in ["[\"http://a.example\"]", "[\"a.example:8465\"]", "\"a.example\""] {
        Stage::new(1, 0)
            .with("admin.hosts", wrong)
            .run(&["status"])
            .exits(2);
    }
}

fn tls() {
    let stage = Stage::new(1, 0)
        .with("admin.token", APPROVER)
        .with("admin.tls.cert", "cert.pem")
        .with("admin.tls.key", "key.pem");
    let identity = issued(None, "127.0.0.1", (2020, 2040));
    put(&stage.world, &identity, &identity);
    let (_stage, _running, port) = listening(stage);
    assert_ne!(jobs(port, APPROVER), 200, "in clear nobody is answered");
    let ran = Stage::new(1, 0)
        .with("admin.tls.cert", "cert.pem")
        .run(&["status"])
        .exits(2);
    assert!(ran.err.contains("`admin.tls.key` is missing"), "{ran:?}");
}

fn behind_proxy() {
    let open = |value: &str| {
        Stage::new(1, 0)
            .with("admin.listen", "0.0.0.0:0")
            .with("admin.token", APPROVER)
            .with("admin.behind_proxy", value)
    };
    open("false").run(&["status"]).exits(2);
    let ran = open("true").run(&["status"]);
    assert_ne!(ran.code, Some(2), "{ran:?}");
}

/// Absent, `/metrics` needs none; with it, that one or the one of somebody who may look.
fn metrics_token() {
    let asked = |port: u16, token: &str| asked(port, "GET", "/metrics", "127.0.0.1", token);
    let (_stage, running, port) = listening(Stage::new(1, 0).with("admin.token", APPROVER));
    assert_eq!(asked(port, ""), 200);
    drop(running);
    for place in ["{ file = \"viewer\" }", "{ env = \"LOOKOUT_TOKEN\" }"] {
        let stage = Stage::new(1, 0)
            .with("admin.token", APPROVER)
            .with("admin.metrics_token", place);
        fs::write(stage.world.path("viewer"), VIEWER).unwrap();
        let (_stage, _running, port) = listening(stage);
        let statuses = [VIEWER, APPROVER, "", "another"].map(|token| asked(port, token));
        assert_eq!(statuses, [200, 200, 401, 401], "{place}");
        assert_eq!(jobs(port, VIEWER), 401, "it opens nothing else");
    }
}

/// The status of a POST with this body.
fn sent(port: u16, path: &str, body: &str) -> u16 {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    let length = body.len();
    let request = format!(
        "POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\nAuthorization: Bearer {APPROVER}\r\n\
         Content-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}"
    );
    stream.write_all(request.as_bytes()).unwrap();
    let mut text = String::new();
    let _ = stream.read_to_string(&mut text);
    text.split(' ')
        .nth(1)
        .and_then(|status| status.parse().ok())
        .unwrap_or(0)
}

/// Who owns the config lets through what it did not cause, and nothing that was first withheld since it changed; somebody else does.
fn two_person() {
    let mut stage = Stage::new(12, 0)
        .provisioning("deletion_threshold", "1")
        .with("admin.two_person", "true")
        .with("admin.token", APPROVER);
    stage.converges();
    let expected = |stage: &Stage| {
        let list = stage.run(&["withheld", "list", "-o", "json"]).exits(0).json();
        list["count"].as_u64().unwrap().to_string()
    };
    for n in 0..3 {
        stage.world.tenant.disable_user(&stage.user(n));
    }
    stage.run(&["sync"]).exits(4);
    let count = expected(&stage);
    stage
        .run(&["withheld", "release", "--all", "--expect", &count])
        .exits(0);
    stage.converges();
    for n in 4..8 {
        let set = serde_json::json!({"department": "Sales"});
        stage.world.tenant.set_user(&stage.user(n), set);
    }
    stage.set(
        "jobs.idmelon.source.user_filter",
        "department NOT EQUALS \"Sales\"",
    );
    stage.run(&["sync"]);
    stage.run(&["sync"]).exits(4);
    let noted = stage
        .run(&["history", "--operation", "config", "-o", "json"])
        .exits(0);
    assert!(noted.out.contains("user_filter"), "{}", noted.out);
    let count = expected(&stage);
    let release = ["withheld", "release", "--all", "--expect", &count];
    let ran = stage.run(&release).exits(2);
    assert!(ran.err.contains("is owned by whoever decides here"), "{ran:?}");
    let ran = stage.run(&["sync", "--allow-deletions", "9", "--yes"]).exits(2);
    assert!(ran.err.contains("have somebody else release it"), "{ran:?}");
    let (stage, _running, port) = listening(stage);
    stage.run(&release).exits(2);
    assert_eq!(expected(&stage), count);
    let path = "/api/v1/jobs/idmelon/withheld/release";
    assert_eq!(sent(port, path, "{\"all\": true}"), 200);
}

/// Each of these decisions says why, at the command line, over the API, and on a page.
fn comment_required() {
    let stage = Stage::new(2, 0)
        .with("admin.comment_required", "true")
        .with("admin.token", APPROVER);
    stage.converges();
    let id = stage.user(0);
    for refused in [
        vec!["hold", &id],
        vec!["hold", &id, "--comment", " "],
        vec!["undo", "last", "--yes"],
    ] {
        let ran = stage.run(&refused).exits(2);
        assert!(
            ran.err.contains("a comment is required here"),
            "{refused:?}: {ran:?}"
        );
    }
    stage.run(&["undo", "last", "--dry-run"]);
    stage.run(&["hold", &id, "--comment", "on leave"]).exits(0);
    stage.run(&["hold", "release", &id]).exits(2);
    stage.run(&["hold", "release", &id, "--comment", "back"]).exits(0);
    let (stage, _running, port) = listening(stage);
    let holds = "/api/v1/jobs/idmelon/holds";
    let body = |more: &str| format!("{{\"objects\": [\"{id}\"]{more}}}");
    assert_eq!(sent(port, holds, &body("")), 400);
    assert_eq!(sent(port, holds, &body(", \"comment\": \"on leave\"")), 200);
    assert_eq!(sent(port, "/api/v1/cycles/last/undo", "{}"), 400);
    stage.run(&["undo", "last", "--yes"]).exits(2);
}
