//! Who may do what: tokens, roles, and what each shows in the history.

use std::fs;
use std::time::Duration;

use melonsync::model::clock::Stopwatch;
use serde_json::json;

use super::world::APPROVER;
use super::world::Door;
use super::world::OPERATOR;
use super::world::VIEWER;
use super::world::bearer;
use crate::wiring::stage::until;

#[test]
fn a_token_opens_what_its_role_may_and_the_history_names_its_holder() {
    let door = Door::new();
    let pause = "/api/v1/jobs/idmelon/pause";
    let retry = "/api/v1/jobs/idmelon/escrow/retry";
    door.get("/api/v1/jobs").is(200);
    door.with_token(VIEWER, "POST", retry, Some(&json!({})))
        .problem(403);
    door.with_token(OPERATOR, "POST", retry, Some(&json!({}))).is(200);
    for token in [VIEWER, OPERATOR] {
        door.with_token(token, "POST", pause, Some(&json!({})))
            .problem(403);
    }
    door.with_token(APPROVER, "POST", pause, Some(&json!({}))).is(200);
    let sync = "/api/v1/jobs/idmelon/sync";
    // What lets the guard's threshold go is a decision.
    let lax = json!({"allow_deletions": 10_000});
    door.with_token(OPERATOR, "POST", sync, Some(&lax)).problem(403);
    let history = door
        .get("/api/v1/jobs/idmelon/history")
        .is(200)
        .json()
        .to_string();
    assert!(history.contains("\"actor\":\"admin\""), "{history}");
    let resume = "/api/v1/jobs/idmelon/resume";
    door.with_token(APPROVER, "POST", resume, Some(&json!({})))
        .is(200);
    let taken = door.with_token(OPERATOR, "POST", sync, Some(&json!({})));
    assert!(taken.head.contains("location: /api/v1/cycles/"), "{taken:?}");
    until("the history has the cycle", || {
        let history = door.get("/api/v1/jobs/idmelon/history?actor=helpdesk");
        history.body.contains("create_user")
    });
}

#[test]
fn whoever_shows_no_token_or_not_one_gets_no_further() {
    let door = Door::new();
    let good = bearer(APPROVER);
    for (name, headers) in [
        ("none", String::new()),
        ("wrong", bearer("wrong-0123456789abcdef0123456789abcdef")),
        ("empty", bearer("")),
        ("without a scheme", format!("Authorization: {APPROVER}\r\n")),
        ("another scheme", format!("Authorization: Basic {APPROVER}\r\n")),
        ("nearly", bearer(&APPROVER[1..])),
        ("twice", format!("{good}{good}")),
        ("one that is wrong beside it", format!("{good}{}", bearer(VIEWER))),
        ("in a cookie", format!("Cookie: token={APPROVER}\r\n")),
        ("malformed", "Authorization: Bearer \u{e9}\u{e9}\r\n".to_owned()),
    ] {
        let answer = door.ask("GET", "/api/v1/jobs", &headers, None);
        assert!(
            answer.head.to_lowercase().contains("www-authenticate: bearer"),
            "{name}: {answer:?}"
        );
        answer.problem(401);
    }
    let refused = door.ask(
        "GET",
        &format!("/api/v1/jobs?access_token={APPROVER}"),
        &good,
        None,
    );
    assert!(!refused.body.contains(APPROVER), "{refused:?}");
    refused.problem(400);
    // Nobody's body is read who may not send one.
    let large = "Content-Length: 999999999\r\nContent-Type: application/json\r\n";
    door.ask("POST", "/api/v1/jobs/idmelon/sync", large, None)
        .problem(401);
    for probe in ["/healthz", "/readyz"] {
        door.ask("GET", probe, "", None).is(200);
    }
    assert_eq!(door.daemon.world.tenant.request_count(), 0);
}

#[test]
fn who_guesses_is_slowed_down_and_who_knows_is_not() {
    let door = Door::new();
    let guess = || {
        door.ask("GET", "/api/v1/jobs", &bearer("guess"), None)
            .problem(401)
    };
    for _ in 0..10 {
        guess();
    }
    let watch = Stopwatch::start();
    guess();
    assert!(watch.elapsed() >= Duration::from_secs(1), "{:?}", watch.elapsed());
    // While others wait for their refusal, a right token is answered.
    std::thread::scope(|scope| {
        for _ in 0..5 {
            scope.spawn(guess);
        }
        let watch = Stopwatch::start();
        door.get("/api/v1/jobs").is(200);
        assert!(
            watch.elapsed() < Duration::from_millis(900),
            "{:?}",
            watch.elapsed()
        );
    });
}

#[test]
fn a_token_that_is_renewed_takes_effect_and_a_bad_one_changes_nothing() {
    let door = Door::new();
    let renewed = "renewed-0123456789abcdef0123456789abcdef";
    fs::write(door.daemon.world.path("viewer"), renewed).unwrap();
    // Without a signal: the files are looked at.
    until("the new token is known", || {
        door.with_token(renewed, "GET", "/api/v1/jobs", None).status == 200
    });
    door.get("/api/v1/jobs").problem(401);
    fs::write(door.daemon.world.path("viewer"), "short").unwrap();
    door.reload();
    std::thread::sleep(Duration::from_millis(500));
    door.with_token(renewed, "GET", "/api/v1/jobs", None).is(200);
    let ended = door.daemon.stopped().exits(0);
    assert!(ended.err.contains("a token has 32 at least"), "{}", ended.err);
}
