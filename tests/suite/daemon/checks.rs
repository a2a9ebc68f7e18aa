//! Checked by the daemon, with its secrets; and a job that is handed over while the daemon runs.

use serde_json::json;

use super::world::Daemon;
use crate::cli_output::world::World;
use crate::cli_output::world::finished;

#[test]
fn a_daemon_checks_with_its_own_secrets_and_over_its_own_snapshot() {
    let daemon = Daemon::new(4, 1);
    let world = &daemon.world;
    world.run(&["sync"]).exits(0);
    let mut command = world.command(&["check", "-o", "json"]);
    command
        .env_remove("ENTRA_CLIENT_SECRET")
        .env_remove("IDMELON_SCIM_TOKEN");
    let checked = finished(command.spawn().unwrap()).exits(0).json();
    assert_eq!(checked["ok"], true, "{checked}");
    let state = checked["checks"]
        .as_array()
        .unwrap()
        .iter()
        .find(|line| line["what"] == "state");
    assert_eq!(state.unwrap()["level"], "ok", "{checked}");
    assert!(world.run(&["check"]).exits(0).out.contains("verdict"));
    // Another config is checked from here: the daemon does not have it.
    let ran = world
        .run_with(
            "MELONSYNC__JOBS__IDMELON__TARGET__TOKEN",
            "{ env = \"NO_SUCH_TOKEN\" }",
            &["check"],
        )
        .exits(2);
    assert!(ran.err.contains("NO_SUCH_TOKEN"), "{}", ran.err);
    let ran = world
        .run_with("MELONSYNC__JOBS__IDMELON__MODE", "observe", &["check"])
        .exits(0);
    assert!(ran.err.contains("checked from here"), "{}", ran.err);
    assert!(ran.out.contains("warn  state"), "{}", ran.out);
    daemon
        .get("/api/v1/jobs/idmelon/check?settings=other")
        .problem(400);
}

#[test]
fn a_job_is_handed_over_while_the_daemon_runs() {
    let daemon = Daemon::new(4, 1);
    let world = &daemon.world;
    world.run(&["sync"]).exits(0);
    // With a backup that is not the last word, nothing is handed over.
    let old = json!({"out": "/srv/backup", "history": "none"});
    daemon.post("/api/v1/state/handover", &old).problem(409);
    let file = world.path("job.backup");
    let file = file.to_str().unwrap();
    let ran = world
        .run(&["state", "backup", "--handover", "--out", file])
        .exits(0);
    assert!(ran.err.contains("handed over"), "{}", ran.err);
    world.run(&["sync"]).exits(5);
    let job = daemon.get("/api/v1/jobs/idmelon").is(200).json();
    assert_eq!(job["daemon"]["state"], "broken", "{job}");
    let before = world.tenant.request_count();
    // Nothing runs after a reload either.
    daemon.signal(rustix::process::Signal::HUP);
    world.run(&["resync", "--all"]).exits(5);
    assert_eq!(world.tenant.request_count(), before);
    world.run(&["status"]).exits(0);
    let Daemon { running, world } = daemon;
    drop(running);
    world.run(&["sync"]).exits(5);
    let other = World::of(world.tenant);
    other
        .run(&["state", "restore", "--from", file, "--force"])
        .exits(0);
}
