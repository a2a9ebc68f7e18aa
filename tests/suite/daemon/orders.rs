//! Orders: asked for, joined, followed, cancelled; and what a lost connection does to them.

use std::io::Write;
use std::time::Duration;

use melonsync::model::clock::Stopwatch;
use melonsync::sandbox::Fault;
use serde_json::Value;
use serde_json::json;

use super::http;
use super::world::Daemon;
use crate::wiring::stage::until;

const SYNC: &str = "/api/v1/jobs/idmelon/sync";
const RESYNC: &str = "/api/v1/jobs/idmelon/resync";

fn names(events: &[(String, Value)]) -> Vec<&str> {
    let mut names: Vec<&str> = events.iter().map(|(name, _)| name.as_str()).collect();
    names.dedup();
    names
}

#[test]
fn an_order_is_followed_to_its_summary() {
    let daemon = Daemon::new(8, 2);
    let events = daemon.followed(SYNC, &json!({}));
    assert_eq!(names(&events)[..2], ["accepted", "started"], "{events:?}");
    let (last, summary) = events.last().unwrap();
    assert_eq!(last, "summary");
    let ticket = &events[0].1;
    assert_eq!((&ticket["place"], &ticket["joined"]), (&json!(0), &json!(false)));
    assert_eq!(
        (&summary["cycle"], &summary["outcome"]),
        (&ticket["cycle"], &json!("converged"))
    );
    assert_eq!(daemon.world.workspace.user_count(), 8);
    // Whoever comes late gets the same end.
    let path = format!("/api/v1/cycles/{}", ticket["cycle"].as_str().unwrap());
    let request = http::request("GET", &path, "Accept: text/event-stream\r\n", None);
    let again = http::events(&http::raw(&daemon.socket(), request.as_bytes()).is(200).body);
    assert_eq!(again.last(), events.last());
    assert_eq!(daemon.get(&path).is(200).json()["state"], "ended");
}

#[test]
fn an_order_without_a_stream_is_answered_at_once() {
    let daemon = Daemon::new(3, 0);
    let answer = daemon.post(SYNC, &json!({"full": true})).is(202);
    let ticket = answer.json();
    let place = format!("location: /api/v1/cycles/{}", ticket["cycle"].as_str().unwrap());
    assert!(answer.head.contains(&place), "{}", answer.head);
    assert_eq!(ticket["mode"], "enforce");
    until("it is carried out", || daemon.world.workspace.user_count() == 3);
}

#[test]
fn what_cannot_be_asked_is_a_problem() {
    let daemon = Daemon::new(2, 0);
    for (path, body, status) in [
        ("/api/v1/jobs/nobody/sync", json!({}), 404),
        (SYNC, json!({"fool": true}), 400),
        // A list is not what its members would be in their order.
        (SYNC, json!([true]), 400),
        (SYNC, json!("full"), 400),
        ("/api/v1/jobs/idmelon/escrow/drop", json!([null, null]), 400),
        (RESYNC, json!({}), 400),
        (RESYNC, json!({"all": true, "users": ["ada"]}), 400),
        (RESYNC, json!({"users": vec!["x"; 1001]}), 400),
        ("/api/v1/nothing", json!({}), 404),
        (
            "/api/v1/cycles/01923000-0000-7000-8000-000000000000/cancel",
            json!({}),
            404,
        ),
        ("/api/v1/cycles/nonsense/cancel", json!({}), 404),
    ] {
        daemon.post(path, &body).problem(status);
    }
    let refused = daemon.get(SYNC);
    assert!(
        refused.head.to_lowercase().contains("allow: post"),
        "{}",
        refused.head
    );
    refused.problem(405);
    assert_eq!(daemon.world.tenant.request_count(), 0, "nothing was begun");
}

#[test]
fn a_named_person_who_is_not_there_is_the_orders_own_problem() {
    let daemon = Daemon::new(2, 0);
    let events = daemon.followed(RESYNC, &json!({"users": ["nobody@example"]}));
    let (last, problem) = events.last().unwrap();
    assert_eq!(last, "problem", "{events:?}");
    assert!(
        problem["detail"].as_str().unwrap().contains("nobody@example"),
        "{problem}"
    );
}

/// Many users, and a target that takes its time for each.
fn slow() -> Daemon {
    let daemon = Daemon::new(120, 0);
    daemon.world.workspace.update_faults(|faults| {
        faults.slow = Fault::always();
        faults.slow_ms = Some(150);
    });
    daemon
}

fn waiting(daemon: &Daemon) -> usize {
    let job = daemon.get("/api/v1/jobs/idmelon").is(200).json();
    job["daemon"]["waiting"].as_array().unwrap().len()
}

fn is_running(daemon: &Daemon) -> bool {
    daemon.get("/api/v1/jobs/idmelon").is(200).json()["daemon"]["state"] == "running"
}

#[test]
fn equal_orders_are_one_and_named_people_go_first() {
    let daemon = slow();
    daemon.post(SYNC, &json!({})).is(202);
    until("the first one runs", || is_running(&daemon));
    let second = daemon.post(SYNC, &json!({})).is(202).json();
    let third = daemon.post(SYNC, &json!({})).is(202).json();
    assert_eq!(
        (&second["joined"], &third["joined"]),
        (&json!(false), &json!(true))
    );
    assert_eq!(second["cycle"], third["cycle"]);
    assert_eq!((&second["place"], waiting(&daemon)), (&json!(1), 1));
    let id = daemon.world.tenant.user_ids()[0].clone();
    let named = daemon.post(RESYNC, &json!({"users": [id]})).is(202).json();
    assert_eq!(named["place"], 0, "the cycle under way makes way");
    until("it has its turn", || waiting(&daemon) == 1);
    let running = || daemon.get("/api/v1/jobs/idmelon").is(200).json()["daemon"]["running"].clone();
    until("the cycle goes on", || running()["work"] == "sync");
    // One of two who asked does not want it any more; the other one does.
    let path = format!("/api/v1/cycles/{}/cancel", second["cycle"].as_str().unwrap());
    let mine = json!({"mine": true});
    assert_eq!(daemon.post(&path, &mine).is(200).json()["cancelled"], false);
    assert_eq!(waiting(&daemon), 1);
    assert_eq!(daemon.post(&path, &mine).is(200).json()["cancelled"], true);
    assert_eq!(waiting(&daemon), 0);
    daemon.stopped().exits(0);
}

#[test]
fn a_running_cycle_is_cancelled_between_two_requests() {
    let daemon = slow();
    let ticket = daemon.post(SYNC, &json!({})).is(202).json();
    until("some are there", || daemon.world.workspace.user_count() > 3);
    let path = format!("/api/v1/cycles/{}", ticket["cycle"].as_str().unwrap());
    assert_eq!(
        daemon.post(&format!("{path}/cancel"), &json!({})).is(200).json()["cancelled"],
        true
    );
    until("it has ended", || {
        daemon.get(&path).is(200).json()["state"] == "ended"
    });
    let done = daemon.world.workspace.user_count();
    assert!(done < 120, "{done}");
    daemon
        .world
        .workspace
        .update_faults(|faults| faults.slow = Fault::never());
    let events = daemon.followed(SYNC, &json!({}));
    assert_eq!(events.last().unwrap().1["outcome"], "converged", "{events:?}");
    daemon.world.has_everybody_once();
}

#[test]
fn a_lost_connection_cancels_nothing() {
    let daemon = slow();
    let mut stream = http::connect(&daemon.socket());
    let request = http::request("POST", SYNC, "Accept: text/event-stream\r\n", Some(&json!({})));
    stream.write_all(request.as_bytes()).unwrap();
    until("it runs", || is_running(&daemon));
    drop(stream);
    until("it goes on to its end", || {
        daemon.world.workspace.user_count() == 120
    });
}

#[test]
fn more_than_the_queue_holds_is_refused_and_told_to_come_again() {
    let daemon = slow();
    daemon.post(SYNC, &json!({})).is(202);
    until("it runs", || is_running(&daemon));
    let other = |number: u64| json!({"allow_deletions": number});
    for number in 0..32 {
        daemon.post(SYNC, &other(number)).is(202);
    }
    let refused = daemon.post(SYNC, &other(40));
    assert!(
        refused.head.to_lowercase().contains("retry-after"),
        "{}",
        refused.head
    );
    refused.problem(429);
    // The same as one that waits needs no place.
    let joined = daemon.post(SYNC, &other(3)).is(202).json();
    assert_eq!(joined["joined"], true);
    daemon.stopped().exits(0);
}

#[test]
fn a_stop_ends_what_runs_and_answers_those_who_wait() {
    let daemon = slow();
    let mut stream = http::connect(&daemon.socket());
    let request = http::request("POST", SYNC, "Accept: text/event-stream\r\n", Some(&json!({})));
    stream.write_all(request.as_bytes()).unwrap();
    until("some are there", || daemon.world.workspace.user_count() > 3);
    let mut second = http::connect(&daemon.socket());
    let full = http::request(
        "POST",
        SYNC,
        "Accept: text/event-stream\r\n",
        Some(&json!({"full": true})),
    );
    second.write_all(full.as_bytes()).unwrap();
    until("one waits", || waiting(&daemon) == 1);
    let Daemon { running, world } = daemon;
    rustix::process::kill_process(
        rustix::process::Pid::from_child(&running),
        rustix::process::Signal::TERM,
    )
    .unwrap();
    running.finished().exits(0);
    let ends = |stream: &mut std::os::unix::net::UnixStream| {
        let all = String::from_utf8(http::read_all(stream)).unwrap();
        let at = all.rfind("event: ").unwrap_or_else(|| panic!("{all}"));
        all[at..].to_owned()
    };
    let (first, second) = (ends(&mut stream), ends(&mut second));
    assert!(first.starts_with("event: problem"), "{first}");
    assert!(second.contains("the daemon is stopping"), "{second}");
    assert!(world.workspace.user_count() < 120);
    world
        .workspace
        .update_faults(|faults| faults.slow = Fault::never());
    world.converges();
}

#[test]
fn what_is_explained_beside_a_cycle_changes_nothing_of_it() {
    let daemon = Daemon::new(40, 2);
    daemon.world.run(&["sync"]).exits(0);
    let ids = daemon.world.tenant.user_ids();
    for id in &ids {
        daemon.world.tenant.set_user(id, json!({"jobTitle": "Captain"}));
    }
    daemon.world.workspace.update_faults(|faults| {
        faults.slow = Fault::always();
        faults.slow_ms = Some(300);
    });
    let ticket = daemon.post(SYNC, &json!({"full": true})).is(202).json();
    let path = format!("/api/v1/cycles/{}", ticket["cycle"].as_str().unwrap());
    let ended = || daemon.get(&path).is(200).json()["state"] == "ended";
    let mut explained = 0;
    while !ended() {
        let shown = daemon.get(&format!(
            "/api/v1/jobs/idmelon/objects/{}/explain",
            ids[explained % 40]
        ));
        assert_eq!(shown.is(200).json()["object"], ids[explained % 40].as_str());
        explained += 1;
    }
    assert!(explained > 1, "the cycle was over before anything was explained");
    let summary = daemon.get(&path).is(200).json()["summary"].clone();
    assert_eq!(summary["outcome"], "converged", "{summary}");
    assert_eq!(summary["operations"]["update_user"], 40, "{summary}");
    assert_eq!(summary["operations"]["create_user"], 0, "{summary}");
    assert_eq!(summary["drift"]["missing"], 0, "{summary}");
    daemon.world.has_everybody_once();
}

/// What a request and two looks at the store take on a machine that builds beside this; without making way, it would be the
/// time of all requests that wait for their moment.
const AT_ONCE: Duration = Duration::from_secs(5);

#[test]
fn a_named_person_is_disabled_in_the_middle_of_an_initial_cycle_of_a_slow_target() {
    let daemon = Daemon::new(120, 0);
    let (tenant, workspace) = (&daemon.world.tenant, &daemon.world.workspace);
    workspace.update_faults(|faults| {
        faults.writes_per_minute = Some(300);
        faults.burst = Some(20);
    });
    let ticket = daemon.post(SYNC, &json!({})).is(202).json();
    until("some are there", || workspace.user_count() > 25);
    let ids = tenant.user_ids();
    let is_there = |id: &&String| !workspace.users_by_external_id(id).is_empty();
    let id = ids.iter().find(is_there).unwrap();
    tenant.disable_user(id);
    let watch = Stopwatch::start();
    let events = daemon.followed(RESYNC, &json!({"users": [id]}));
    let took = watch.elapsed();
    assert_eq!(workspace.users_by_external_id(id)[0]["active"], false);
    assert!(workspace.user_count() < 120, "the cycle was over before");
    assert!(took < AT_ONCE, "{took:?}");
    let (last, summary) = events.last().unwrap();
    assert_eq!(
        (last.as_str(), &summary["operations"]["disable_user"]),
        ("summary", &json!(1))
    );
    // The cycle goes on, and its summary is of all of it.
    let path = format!("/api/v1/cycles/{}", ticket["cycle"].as_str().unwrap());
    let mut state = json!(null);
    until("it goes on to its end", || {
        state = daemon.get(&path).is(200).json();
        state["state"] == "ended"
    });
    let summary = &state["summary"];
    assert_eq!(
        (&summary["outcome"], &summary["kind"]),
        (&json!("converged"), &json!("initial"))
    );
    assert_eq!(summary["operations"]["create_user"], 120, "{summary}");
    assert_eq!(workspace.user_count(), 120);
    daemon.stopped().exits(0);
}
