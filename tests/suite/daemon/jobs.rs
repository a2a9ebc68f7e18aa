//! Jobs are apart from each other, and new settings come without work being lost.

use std::fs;

use rustix::process::Signal;
use serde_json::json;

use super::world::Daemon;
use super::world::SELDOM;
use crate::cli_output::world::World;
use crate::wiring::stage::until;

/// The world's config with a second job, whose secret is in a file.
fn with_a_second_job(world: &World) -> String {
    let config = world.config();
    let at = config.find("[jobs.idmelon]").unwrap();
    let job = config[at..].replace("jobs.idmelon", "jobs.other");
    let job = job.replacen("{ env = \"ENTRA_CLIENT_SECRET\" }", "{ file = \"secret\" }", 1);
    let both = format!("{config}\n{job}");
    both.replace("mode = \"enforce\"", &format!("mode = \"enforce\"\n{SELDOM}"))
}

#[test]
fn a_job_that_cannot_start_is_a_state_and_the_others_run() {
    let world = World::new(4, 1);
    world.write(&with_a_second_job(&world));
    let daemon = Daemon::over(world);
    let jobs = daemon.get("/api/v1/jobs").is(200).json();
    let [first, other] = jobs["jobs"].as_array().unwrap().as_slice() else {
        panic!("{jobs}")
    };
    assert_eq!(
        (&first["job"], &first["daemon"]["state"]),
        (&json!("idmelon"), &json!("idle"))
    );
    assert_eq!(
        (&other["job"], &other["daemon"]["state"]),
        (&json!("other"), &json!("broken"))
    );
    let problem = other["daemon"]["problem"].to_string();
    assert!(problem.contains("secret"), "{problem}");
    // Asked for, it says why; the other one works.
    let refused = daemon.post("/api/v1/jobs/other/sync", &json!({})).problem(400);
    assert!(
        refused["detail"].as_str().unwrap().contains("secret"),
        "{refused}"
    );
    let events = daemon.followed("/api/v1/jobs/idmelon/sync", &json!({}));
    assert_eq!(events.last().unwrap().0, "summary", "{events:?}");
    // Once the secret is there, a reload is enough.
    fs::write(daemon.world.path("secret"), daemon.world.tenant.client_secret()).unwrap();
    daemon.signal(Signal::HUP);
    until("the other job runs too", || {
        daemon.get("/api/v1/jobs/other").is(200).json()["daemon"]["state"] == "idle"
    });
    daemon.stopped().exits(0);
}

#[test]
fn without_a_job_that_runs_the_daemon_does_not_start() {
    let world = World::new(2, 0);
    let config = world.config();
    let ran = {
        let broken = config.replacen("{ env = \"ENTRA_CLIENT_SECRET\" }", "{ file = \"secret\" }", 1);
        world.write(&broken);
        world.run(&["run"]).exits(2)
    };
    assert!(ran.err.contains("secret"), "{}", ran.err);
    assert!(!world.path("state/control.sock").exists());
}

#[test]
fn bad_settings_change_nothing_and_good_ones_bring_and_take_jobs() {
    let daemon = Daemon::new(3, 0);
    fs::write(daemon.world.path("secret"), daemon.world.tenant.client_secret()).unwrap();
    let names = || {
        let jobs = daemon.get("/api/v1/jobs").is(200).json();
        let each = jobs["jobs"].as_array().unwrap().iter();
        each.map(|job| job["job"].as_str().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    let good = daemon.world.config();
    daemon
        .world
        .write(&good.replace("[jobs.idmelon]", "[jobs.idmelon]\nmood = 1"));
    daemon.signal(Signal::HUP);
    std::thread::sleep(std::time::Duration::from_millis(300));
    assert_eq!(names(), ["idmelon"]);
    daemon.world.write(&with_a_second_job(&daemon.world));
    daemon.signal(Signal::HUP);
    until("the new job is there", || names() == ["idmelon", "other"]);
    let events = daemon.followed("/api/v1/jobs/other/sync", &json!({}));
    assert_eq!(events.last().unwrap().0, "summary", "{events:?}");
    daemon.world.write(&good);
    daemon.signal(Signal::HUP);
    until("it is gone", || names() == ["idmelon"]);
    daemon.post("/api/v1/jobs/other/sync", &json!({})).problem(404);
    let ended = daemon.stopped().exits(0);
    assert!(ended.err.contains("mood"), "{}", ended.err);
}

#[test]
fn a_job_that_is_not_enabled_runs_when_it_is_asked_to() {
    let world = World::new(3, 0);
    world.change("mode = \"enforce\"", "mode = \"enforce\"\nenabled = false");
    let daemon = Daemon::over(world);
    assert_eq!(
        daemon.get("/api/v1/jobs/idmelon").is(200).json()["daemon"]["state"],
        "off"
    );
    assert_eq!(daemon.world.tenant.request_count(), 0);
    let events = daemon.followed("/api/v1/jobs/idmelon/sync", &json!({}));
    assert_eq!(events.last().unwrap().1["outcome"], "converged", "{events:?}");
    assert_eq!(daemon.world.workspace.user_count(), 3);
}
