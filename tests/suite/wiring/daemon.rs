//! A job's own keys: whether it runs, when, and whether it writes. Its name is a key too.

use std::time::Duration;

use chrono::Timelike;

use super::stage::Stage;
use super::stage::until;

super::rows! {
    "jobs.idmelon.enabled" => enabled;
    "jobs.idmelon.mode" => mode;
    "jobs.idmelon.schedule" => schedule;
    "jobs.idmelon.full_schedule" => full_schedule;
    "jobs.idmelon.timezone" => timezone;
}

const EVERY_SECOND: &str = "* * * * * *";

fn often() -> Stage {
    Stage::new(2, 0)
        .with("jobs.idmelon.schedule", EVERY_SECOND)
        .with("jobs.idmelon.full_schedule", "")
}

fn enabled() {
    let stage = often().with("jobs.idmelon.enabled", "false");
    let running = stage.start(&["run"]);
    std::thread::sleep(Duration::from_millis(2500));
    drop(running);
    assert_eq!(stage.world.tenant.request_count(), 0, "`run` leaves it alone");
    let status = stage.run(&["status", "-o", "json"]).exits(0).json();
    assert!(status.to_string().contains("\"enabled\":false"), "{status:#}");
    let stage = often().with("jobs.idmelon.enabled", "true");
    let _running = stage.start(&["run"]);
    until("both users are created", || {
        stage.world.workspace.user_count() == 2
    });
}

fn mode() {
    let stage = Stage::new(2, 0).with("jobs.idmelon.mode", "observe");
    let summary = stage.sync(&[]);
    assert_eq!(summary["outcome"], "planned", "{summary:#}");
    assert_eq!(stage.world.workspace.writes(), 0);
    let stage = Stage::new(2, 0).with("jobs.idmelon.mode", "enforce");
    stage.converges();
    assert_eq!(stage.world.workspace.user_count(), 2);
}

/// How many full cycles there were, and how many others.
fn cycles_of(stage: &Stage) -> (usize, usize) {
    stage.world.tenant.clear_requests();
    stage.world.workspace.clear_requests();
    let running = stage.start(&["run"]);
    let asked = || stage.world.tenant.request_count();
    until("two cycles ran", || asked() > 6);
    drop(running);
    let requests = stage.world.workspace.requests();
    let listed = requests
        .iter()
        .filter(|one| one.method == "GET" && one.path.contains("startIndex=1&"));
    (listed.count(), asked())
}

fn schedule() {
    let stage = often();
    stage.converges();
    let (listings, _) = cycles_of(&stage);
    assert_eq!(listings, 0, "no cycle is a full one");
}

fn full_schedule() {
    let stage = Stage::new(2, 0)
        .with("jobs.idmelon.schedule", "")
        .with("jobs.idmelon.full_schedule", EVERY_SECOND);
    stage.converges();
    let (listings, _) = cycles_of(&stage);
    assert!(listings > 0, "full cycles list the target");
}

/// Tokyo is nine hours ahead all the year: of its hour and the next one, neither is UTC's.
fn timezone() {
    let here = chrono::DateTime::from_timestamp(unix_seconds(), 0).unwrap();
    let there = (here.hour() + 9) % 24;
    let every = format!("* * {there},{} * * *", (there + 1) % 24);
    let soon = |zone: &str| {
        let stage = Stage::new(2, 0)
            .with("jobs.idmelon.schedule", &every)
            .with("jobs.idmelon.full_schedule", &every)
            .with("jobs.idmelon.timezone", zone);
        let status = stage.run(&["status", "-o", "json"]).exits(0).json();
        let text = status.to_string();
        ["next_cycle", "next_full_cycle"].map(|key| {
            let (_, rest) = text.split_once(&format!("\"{key}\":\"")).unwrap();
            let at = chrono::DateTime::parse_from_rfc3339(&rest[..rest.find('"').unwrap()]).unwrap();
            at.timestamp() - unix_seconds() < 60
        })
    };
    assert_eq!(soon("Asia/Tokyo"), [true, true]);
    assert_eq!(soon("UTC"), [false, false]);
}

fn unix_seconds() -> i64 {
    use melonsync::model::clock::Clock;
    melonsync::model::clock::SystemClock.now().0 / 1000
}

/// A name is part of paths: one that leads out of the state folder names no job.
#[test]
fn a_jobs_name_leads_nowhere() {
    for name in [
        "../idmelon",
        "..",
        ".",
        "/etc",
        "a/b",
        "a b",
        "",
        "a__b",
        "a.b",
        "ä",
    ] {
        let stage = Stage::new(1, 0);
        let config = stage.world.config();
        stage
            .world
            .write(&config.replace("[jobs.idmelon", &format!("[jobs.\"{name}\"")));
        let ran = stage.run(&["sync"]).exits(2);
        assert!(ran.err.contains("is no name for a job"), "{name}: {ran:?}");
        assert!(!stage.world.path("state").exists(), "{name}");
        assert!(!stage.world.path("idmelon").exists(), "{name}");
    }
    let stage = Stage::new(1, 0);
    let config = stage.world.config();
    stage
        .world
        .write(&config.replace("[jobs.idmelon", "[jobs.North-side_2"));
    stage.converges();
    assert!(stage.world.path("state/North-side_2").is_dir());
}
