//! What is sent to the address by those who mean no good: each class of attack on such surfaces, as it was seen elsewhere.

use std::io::Write;

use serde_json::json;

use super::world::APPROVER;
use super::world::Door;
use super::world::VIEWER;
use super::world::bearer;

/// Names of other sites that lead here (DNS rebinding), and requests that name no host, or two.
#[test]
fn a_request_for_another_host_is_not_answered() {
    let door = Door::with("hosts = [\"melonsync.corp.example\"]");
    let port = door.port;
    let token = bearer(APPROVER);
    let ask = |line: &str, hosts: &str| {
        door.raw(format!("{line} HTTP/1.1\r\n{hosts}Connection: close\r\n{token}\r\n").as_bytes())
    };
    let own = format!("Host: 127.0.0.1:{port}\r\n");
    for path in ["/", "/api", "/api/v1/jobs", "/api/v1/session", "/api/v1/events"] {
        for hosts in [
            String::new(),
            "Host:\r\n".to_owned(),
            format!("{own}{own}"),
            format!("{own}Host: evil\r\n"),
            format!("Host: evil:{port}\r\n"),
            "Host: evil\r\n".to_owned(),
            format!("Host: localhost.evil:{port}\r\n"),
            "Host: localhost.evil\r\n".to_owned(),
            format!("Host: 127.0.0.1.evil:{port}\r\n"),
            format!("Host: [::1]:{port}\r\n"),
            "Host: [::1]\r\n".to_owned(),
            "Host: 127.0.0.2\r\n".to_owned(),
            format!("Host: evil@127.0.0.1:{port}\r\n"),
            "Host: melonsync.corp.example.evil\r\n".to_owned(),
            format!("Host: evil\r\nX-Forwarded-Host: 127.0.0.1:{port}\r\nForwarded: host=127.0.0.1\r\n"),
        ] {
            ask(&format!("GET {path}"), &hosts).problem(421);
        }
        ask(&format!("GET http://evil{path}"), &own).problem(421);
        ask(&format!("GET http://evil{path}"), "Host: evil\r\n").problem(421);
    }
    for hosts in [
        own,
        "Host: 127.0.0.1\r\n".to_owned(),
        format!("Host: LOCALHOST:{port}\r\n"),
        "Host: Melonsync.corp.example\r\n".to_owned(),
    ] {
        ask("GET /api/v1/jobs", &hosts).is(200);
    }
    for probe in ["/healthz", "/readyz"] {
        ask(&format!("GET {probe}"), "Host: 10.0.0.1\r\n").is(200);
    }
}

/// A page of another site that makes a browser send something (CSRF): even with a token nothing happens.
#[test]
fn a_page_of_another_site_changes_nothing() {
    let door = Door::new();
    let port = door.port;
    let pause = "/api/v1/jobs/idmelon/pause";
    let token = bearer(APPROVER);
    for origin in [
        "Origin: http://evil\r\n".to_owned(),
        "Origin: null\r\n".to_owned(),
        "Origin:\r\n".to_owned(),
        format!("Origin: http://127.0.0.1:{}\r\n", port ^ 1),
        format!("Origin: https://127.0.0.1:{port}\r\n"),
        format!("Origin: http://127.0.0.1:{port}\r\nOrigin: http://evil\r\n"),
        "Sec-Fetch-Site: same-site\r\n".to_owned(),
        "Sec-Fetch-Site: cross-site\r\n".to_owned(),
    ] {
        door.ask("POST", pause, &format!("{token}{origin}"), Some(&json!({})))
            .problem(403);
    }
    let plain = format!("{token}Content-Type: text/plain\r\nContent-Length: 2\r\n\r\n{{}}");
    let request = format!("POST {pause} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: close\r\n{plain}");
    door.raw(request.as_bytes()).problem(415);
    let status = door.get("/api/v1/jobs/idmelon").is(200).json();
    assert!(
        status["paused"].is_null() && status["pause"].is_null(),
        "{status}"
    );
    let own = format!("{token}Origin: http://127.0.0.1:{port}\r\nSec-Fetch-Site: same-origin\r\n");
    door.ask("POST", pause, &own, Some(&json!({}))).is(200);
}

/// Paths that lead elsewhere (path traversal).
#[test]
fn a_path_leads_nowhere_else() {
    let door = Door::new();
    let long = format!("/api/v1/jobs/{}", "a".repeat(8 << 10));
    for path in [
        "/../etc/passwd",
        "/api/v1/../../etc/passwd",
        "/api/v1/jobs/..%2f..%2fetc%2fpasswd",
        "/api/v1/jobs/%2e%2e",
        "/api/v1/jobs/idmelon%00",
        "/api/v1/jobs/idmelon/../idmelon",
        "//api/v1/jobs",
        "/api/v1/jobs//holds",
        "/api/v1/jobs/idmelon/objects/..%2f..%2fstate/explain",
        "/api/v1/cycles/..%2f..%2f",
        "/api/v1/jobs/%ff",
        "/assets/../../state/control.sock",
        long.as_str(),
    ] {
        let answer = door.get(path);
        assert!(!answer.body.contains("root:"), "{path}: {answer:?}");
        answer.problem(404);
    }
}

/// What a proxy may have added, or somebody before it: it changes nothing.
#[test]
fn forwarded_headers_change_nothing() {
    let door = Door::new();
    let forged = "X-Forwarded-Host: evil\r\nX-Forwarded-Proto: https\r\nX-Forwarded-For: 127.0.0.1\r\n\
                  Forwarded: for=127.0.0.1;host=evil;proto=https\r\nX-Original-URL: /healthz\r\nX-Real-IP: ::1\r\n\
                  X-HTTP-Method-Override: GET\r\n";
    door.ask("GET", "/api/v1/jobs", forged, None).problem(401);
    let headers = format!("{}{forged}", bearer(APPROVER));
    let taken = door
        .ask("POST", "/api/v1/jobs/idmelon/sync", &headers, Some(&json!({})))
        .is(202);
    assert!(taken.head.contains("location: /api/v1/cycles/"), "{taken:?}");
    assert!(!format!("{taken:?}").contains("evil"), "{taken:?}");
    let login = door.get("/login?next=//evil").is(200);
    assert!(!format!("{login:?}").contains("evil"), "{login:?}");
    for path in ["/login?to=//evil", "/api/v1/jobs?next=/%5Cevil"] {
        let answer = door.get(path);
        assert!(
            answer.status >= 400 && !answer.head.to_lowercase().contains("location"),
            "{answer:?}"
        );
    }
}

/// What costs much and gives nothing (exhaustion).
#[test]
fn much_of_anything_is_refused_and_the_rest_are_served() {
    let door = Door::new();
    let many = (0..10_000).map(|n| format!("object={n}&")).collect::<String>();
    let refused = door.get(&format!(
        "/api/v1/jobs/idmelon/withheld?{}",
        &many[..many.len() / 4]
    ));
    assert!(matches!(refused.status, 400 | 414 | 431), "{refused:?}");
    let resync = "/api/v1/jobs/idmelon/resync";
    let deep = format!("{{\"users\":{}", "[".repeat(10_000));
    let send = |headers: &str, body: &str| {
        let length = body.len();
        door.raw(
            format!(
                "POST {resync} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n{}{headers}Content-Length: {length}\r\n\r\n{body}",
                bearer(APPROVER)
            )
            .as_bytes(),
        )
    };
    let json = "Content-Type: application/json\r\n";
    send(json, &deep).problem(400);
    send(json, &" ".repeat((1 << 20) + 1)).problem(413);
    send(&format!("{json}Content-Encoding: gzip\r\n"), "{}").problem(415);
    let names: Vec<String> = (0..1001).map(|n| n.to_string()).collect();
    send(json, &json!({"users": names}).to_string()).problem(400);
    // Three hundred come at once, and say nothing: whoever asks is served as soon as they are hung up on.
    let mut silent: Vec<_> = (0..300).map(|_| door.connect()).collect();
    for stream in &mut silent {
        let _ = stream.write_all(b"GET / HTTP/1.1\r\n");
    }
    door.daemon.get("/healthz").is(200);
    drop(silent);
    door.get("/api/v1/jobs").is(200);
    assert_eq!(door.daemon.world.tenant.request_count(), 0);
}

/// Requests that two servers read in two ways (smuggling).
#[test]
fn what_two_servers_read_in_two_ways_is_refused() {
    let door = Door::new();
    let token = bearer(VIEWER);
    let smuggled = format!("GET /api/v1/jobs HTTP/1.1\r\nHost: 127.0.0.1\r\n{token}\r\n");
    let head = format!("POST /api/v1/jobs HTTP/1.1\r\nHost: 127.0.0.1\r\n{token}");
    for (name, rest) in [
        (
            "two lengths",
            "Content-Length: 1\r\nContent-Length: 2\r\n\r\nab".to_owned(),
        ),
        (
            "a space before the colon",
            format!("Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n{smuggled}"),
        ),
        (
            "a length and chunks",
            format!("Content-Length: 6\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n{smuggled}"),
        ),
        (
            "chunks that are not last",
            format!("Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n{smuggled}"),
        ),
        (
            "a length with a sign",
            format!("Content-Length: +5\r\n\r\n{smuggled}"),
        ),
    ] {
        let answer = door.raw(format!("{head}{rest}").as_bytes());
        assert!(answer.status >= 400, "{name}: {answer:?}");
        assert!(!answer.body.contains("\"jobs\""), "{name}: {answer:?}");
    }
}
