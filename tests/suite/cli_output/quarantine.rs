//! A job that is refused everything, at the command line and in the daemon.

use std::fs;
use std::time::Duration;

use melonsync::sandbox::Fault;
use serde_json::json;

use super::world::World;
use super::world::is_tester;

fn refuse(world: &World, fault: Fault) {
    world
        .workspace
        .update_faults(|faults| faults.unauthorized = fault);
}

#[test]
fn a_stopped_job_exits_with_5_says_why_and_goes_on_when_it_may() {
    let world = World::new(8, 1);
    world.converges();
    let id = world.tenant.user_ids()[0].clone();
    world.tenant.set_user(&id, json!({"jobTitle": "Captain"}));
    let status = || world.run(&["status", "-o", "json"]).exits(0).json()["jobs"][0]["quarantine"].clone();
    assert_eq!(status(), json!(null));
    refuse(&world, Fault::always());
    let met = world.run(&["sync", "-o", "json"]);
    assert_eq!(met.code, Some(1), "{met:?}");
    let again = world.run(&["sync"]).exits(5);
    assert!(
        again.err.contains("quarantined since") && again.err.contains("401") && again.err.contains("token"),
        "{}",
        again.err
    );
    world.run(&["resync", "--all"]).exits(5);
    let shown = status();
    assert_eq!(shown["job"]["side"], "target");
    assert!(is_tester(&shown["job"]["actor"]), "{shown}");
    let text = world.run(&["status"]).exits(0).out;
    assert!(text.contains("quarantined") && text.contains("do:"), "{text}");

    // Released, the cycle begins, and meets the trouble again.
    let released = world
        .run(&[
            "quarantine",
            "release",
            "--comment",
            "new token ordered",
            "-o",
            "json",
        ])
        .exits(0)
        .json();
    assert_eq!(released["was_quarantined"], true);
    world.run(&["sync"]).exits(1);
    world.run(&["sync"]).exits(5);
    refuse(&world, Fault::never());
    world.converges();
    assert_eq!(world.workspace.users_by_external_id(&id)[0]["title"], "Captain");
    assert_eq!(status(), json!(null));
    let nothing = world.run(&["quarantine", "release"]).exits(0).out;
    assert!(nothing.contains("was not quarantined"), "{nothing}");

    let history = world.run(&["history", "-o", "json"]).exits(0).json();
    let entries = history["entries"].as_array().unwrap();
    let count = |operation: &str| {
        entries
            .iter()
            .filter(|entry| entry["operation"] == operation)
            .count()
    };
    assert_eq!(
        (
            count("quarantine"),
            count("quarantine_release"),
            count("quarantine_end")
        ),
        (2, 1, 1),
        "{history}"
    );
}

#[test]
fn the_daemon_tries_at_once_when_a_credential_file_changes() {
    let world = World::new(8, 1);
    world.change(
        "token = { env = \"IDMELON_SCIM_TOKEN\" }",
        "token = { file = \"token\" }",
    );
    // A schedule that does not come: whatever runs was started by something else.
    let config = fs::read_to_string(world.path("melonsync.toml")).unwrap();
    let config: Vec<String> = config
        .lines()
        .map(|line| match line.split_once('=') {
            Some((key, _)) if key.trim() == "schedule" => "schedule = \"0 0 0 29 2 *\"".to_owned(),
            Some((key, _)) if key.trim() == "full_schedule" => String::new(),
            _ => line.to_owned(),
        })
        .collect();
    world.write(&config.join("\n"));
    fs::write(world.path("token"), "wrong").unwrap();
    world.run(&["sync"]).exits(1);
    let daemon = world.start(&["run"]);
    std::thread::sleep(Duration::from_secs(2));
    fs::write(world.path("token"), world.workspace.token()).unwrap();
    // A minute at most.
    for _ in 0..600 {
        if world.workspace.user_count() >= 7 {
            break;
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    let users = world.workspace.user_count();
    rustix::process::kill_process(
        rustix::process::Pid::from_child(&daemon),
        rustix::process::Signal::TERM,
    )
    .unwrap();
    daemon.finished();
    assert!(users >= 7, "{users} users");
}
