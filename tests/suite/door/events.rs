//! Those who look on: what they see, how they come back, and that nobody waits for them.

use std::io::Read;
use std::io::Write;
use std::net::TcpStream;

use melonsync::model::clock::Stopwatch;
use serde_json::Value;
use serde_json::json;

use super::world::APPROVER;
use super::world::Door;
use super::world::VIEWER;
use super::world::bearer;

const SYNC: &str = "/api/v1/jobs/idmelon/sync";

/// A stream of events, begun.
fn look_on(door: &Door, query: &str, seen: &str) -> TcpStream {
    let mut stream = door.connect();
    let head = format!(
        "GET /api/v1/events{query} HTTP/1.1\r\nHost: 127.0.0.1\r\n{}{seen}\r\n",
        bearer(VIEWER)
    );
    stream.write_all(head.as_bytes()).unwrap();
    stream
}

/// What comes until this does.
#[track_caller]
fn until_seen(stream: &mut TcpStream, marker: &str) -> String {
    let mut all = Vec::new();
    let mut some = [0; 4096];
    loop {
        let read = stream.read(&mut some).unwrap();
        all.extend(&some[..read]);
        let text = String::from_utf8_lossy(&all).into_owned();
        // An event ends with an empty line.
        if text.find(marker).is_some_and(|at| text[at..].contains("\n\n")) {
            return text;
        }
        assert!(read > 0, "it ended without {marker}: {text}");
    }
}

/// The ids, names and data of the events.
fn events(text: &str) -> Vec<(String, String, Value)> {
    let of = |block: &str| {
        let field = |name: &str| {
            block
                .lines()
                .find_map(|line| line.strip_prefix(name))
                .map(str::to_owned)
        };
        let data = serde_json::from_str(&field("data: ")?).unwrap();
        Some((field("id: ")?, field("event: ")?, data))
    };
    text.split("\n\n").filter_map(of).collect()
}

fn order(door: &Door) -> String {
    let taken = door
        .with_token(APPROVER, "POST", SYNC, Some(&json!({})))
        .is(202)
        .json();
    taken["cycle"].as_str().unwrap().to_owned()
}

#[test]
fn who_looks_on_sees_what_happens_and_comes_back_where_they_were() {
    let door = Door::new();
    let mut stream = look_on(&door, "", "");
    until_seen(&mut stream, "text/event-stream");
    let cycle = order(&door);
    let seen = events(&until_seen(&mut stream, "event: ended"));
    let names: Vec<&str> = seen.iter().map(|(_, name, _)| name.as_str()).collect();
    assert_eq!(names.first(), Some(&"accepted"), "{names:?}");
    assert!(
        names.contains(&"started") && names.contains(&"phase"),
        "{names:?}"
    );
    let (_, _, ended) = seen.last().unwrap();
    assert_eq!(
        (&ended["cycle"], &ended["job"]),
        (&json!(cycle), &json!("idmelon"))
    );
    assert_eq!(ended["data"]["outcome"], "converged", "{ended}");
    drop(stream);
    // With what was seen last, the rest follows, and nothing twice.
    let last = format!("Last-Event-ID: {}\r\n", seen[0].0);
    let again = events(&until_seen(&mut look_on(&door, "", &last), "event: ended"));
    assert_eq!(again, seen[1..]);
    // From the beginning, for whoever asks for the cycle; nothing of another job.
    let whole = look_on(&door, &format!("?cycle={cycle}&job=idmelon"), "");
    let mut whole = whole;
    assert_eq!(events(&until_seen(&mut whole, "event: ended")), seen);
    // What another daemon called an event is nothing here.
    for unknown in ["0192-7", "nonsense", "-"] {
        let last = format!("Last-Event-ID: {unknown}\r\n");
        let told = events(&until_seen(&mut look_on(&door, "", &last), "event: reset"));
        assert_eq!(told[0].1, "reset", "{unknown}");
    }
}

#[test]
fn who_looks_on_and_reads_nothing_holds_nothing_back() {
    let door = Door::new();
    let mut idle: Vec<_> = (0..64).map(|_| look_on(&door, "", "")).collect();
    for stream in &mut idle {
        until_seen(stream, "text/event-stream");
    }
    let refused = door.get("/api/v1/events").problem(429);
    assert!(
        refused["do"]
            .as_str()
            .unwrap()
            .starts_with("close one, or ask again"),
        "{refused}"
    );
    for _ in 0..3 {
        order(&door);
    }
    crate::wiring::stage::until("the cycles ran", || door.daemon.world.workspace.user_count() == 3);
    // Whoever closes one makes place for another.
    idle.truncate(32);
    crate::wiring::stage::until("there is a place again", || {
        let mut stream = look_on(&door, "", "");
        let mut head = [0; 15];
        stream.read_exact(&mut head).unwrap();
        head.ends_with(b"200 OK") || head.ends_with(b"200") || String::from_utf8_lossy(&head).contains("200")
    });
    let watch = Stopwatch::start();
    door.daemon.stopped().exits(0);
    assert!(
        watch.elapsed().as_secs() < 10,
        "open streams end with the daemon: {:?}",
        watch.elapsed()
    );
}
