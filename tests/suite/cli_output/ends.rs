//! Promises with several exits, of which other tests take one: what ends by itself, what a resume is for, what mode observe means.

use std::fs;
use std::time::Duration;

use melonsync::model::clock::Clock;
use melonsync::model::clock::SystemClock;
use melonsync::model::clock::Timestamp;
use serde_json::Value;
use serde_json::json;

use super::world::World;

fn now() -> Timestamp {
    SystemClock.now()
}

fn wait_until(moment: Timestamp) {
    while now() <= moment {
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// A world in sync, and a user whose title is about to be another one.
fn retitled() -> (World, String) {
    let world = World::new(3, 0);
    world.converges();
    let id = world.tenant.user_ids()[1].clone();
    world.tenant.set_user(&id, json!({"jobTitle": "Captain"}));
    (world, id)
}

fn title(world: &World, id: &str) -> Value {
    world.workspace.users_by_external_id(id)[0]["title"].clone()
}

#[test]
fn a_hold_ends_by_itself() {
    let (world, id) = retitled();
    let until = now().plus(Duration::from_secs(6));
    world.run(&["hold", &id, "--until", &until.to_string()]).exits(0);
    world.run(&["sync"]).exits(0);
    // On a machine too busy for that the hold was over before.
    if now() < until {
        assert_ne!(title(&world, &id), "Captain", "it is on hold");
    }
    wait_until(until);
    world.run(&["sync"]).exits(0);
    assert_eq!(title(&world, &id), "Captain");
}

#[test]
fn a_pause_ends_by_itself() {
    let (world, id) = retitled();
    world.run(&["pause", "--for", "6s"]).exits(0);
    let until = now().plus(Duration::from_secs(6));
    world.run(&["sync"]).exits(0);
    if now().plus(Duration::from_secs(1)) < until {
        assert_ne!(title(&world, &id), "Captain", "it is paused");
    }
    wait_until(until);
    world.run(&["sync"]).exits(0);
    assert_eq!(title(&world, &id), "Captain");
}

#[test]
fn after_a_restore_removals_wait_until_somebody_says_resume() {
    let world = World::new(12, 1);
    world.converges();
    world.run(&["state", "backup", "--out", "before"]).exits(0);
    let leaver = world.tenant.user_ids()[1].clone();
    world.tenant.disable_user(&leaver);
    world
        .run(&["state", "restore", "--from", "before", "--force"])
        .exits(0);
    let is_active = || world.workspace.users_by_external_id(&leaver)[0]["active"].clone();
    world.run(&["sync"]).exits(4);
    assert_eq!(is_active(), true);
    world.run(&["resume", "--comment", "looked at"]).exits(0);
    world.run(&["sync"]).exits(0);
    assert_eq!(is_active(), false);
}

#[test]
fn an_undo_in_mode_observe_writes_nothing() {
    let (world, id) = retitled();
    let cycle = world.run(&["sync", "-o", "json"]).exits(0).json()["cycle"].clone();
    let before = world.workspace.users();
    world.workspace.clear_requests();
    let observe = ("MELONSYNC__JOBS__IDMELON__MODE", "observe");
    let args = ["undo", cycle.as_str().unwrap(), "-o", "json"];
    world.run_with(observe.0, observe.1, &args).exits(0);
    assert_eq!(world.workspace.writes(), 0);
    assert_eq!(world.workspace.users(), before);
    world.run(&args).exits(0);
    assert_ne!(title(&world, &id), "Captain", "in mode enforce it does");
}

#[test]
fn what_somebody_is_looked_for_by_is_hidden_where_the_mapping_hides_it() {
    let world = World::new(3, 0);
    let preset = include_str!("../../../config/mappings/idmelon.toml");
    let hiding = preset.replacen("\"[userPrincipalName]\"", "\"Redact([userPrincipalName])\"", 1);
    assert_ne!(hiding, preset);
    fs::write(world.path("hiding.toml"), hiding).unwrap();
    world.write(&format!(
        "{}\n[jobs.idmelon.provisioning]\nmapping = \"hiding.toml\"\n",
        world.config()
    ));
    world.run(&["plan"]).exits(0);
    let id = world.tenant.user_ids()[1].clone();
    let shown = world.run(&["explain", &id]).exits(0).out;
    assert!(shown.contains("looked for by userName = \"[Redact]\""), "{shown}");
}
