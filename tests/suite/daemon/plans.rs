//! Plans beside a daemon: made, saved, carried out, and taken back.

use serde_json::Value;
use serde_json::json;

use super::world::Daemon;

/// A daemon whose tenant moved on since everything was there: one is disabled, one has another title.
fn moved_on() -> (Daemon, Vec<String>) {
    let daemon = Daemon::new(6, 1);
    daemon.world.run(&["sync"]).exits(0);
    let ids = daemon.world.tenant.user_ids();
    daemon.world.tenant.disable_user(&ids[0]);
    daemon
        .world
        .tenant
        .set_user(&ids[1], json!({"jobTitle": "Captain"}));
    (daemon, ids)
}

/// What a plan says, without what it cost.
fn said(plan: &Value) -> Value {
    json!([
        plan["plan"],
        plan["omitted"],
        plan["operations"],
        plan["outcome"],
        plan["withheld"]
    ])
}

#[test]
fn a_plan_is_the_same_beside_a_daemon_in_every_form() {
    let (daemon, _) = moved_on();
    // After it, everything was looked at: before the first question as before the second.
    daemon.world.run(&["plan", "--full"]).exits(0);
    let asked = |daemon: &crate::cli_output::world::World| {
        let forms = ["text", "csv", "html"].map(|form| {
            let ran = daemon
                .run(&["plan", "--format", form, "--detailed-exitcode"])
                .exits(10);
            daemon.shown(&ran)
        });
        let full = daemon.run(&["plan", "--full", "-o", "json"]).exits(0).json();
        (forms, said(&full))
    };
    let beside = asked(&daemon.world);
    let Daemon { running, world } = daemon;
    drop(running);
    assert_eq!(beside, asked(&world));
}

#[test]
fn a_plan_is_an_order_that_can_be_fetched_for_a_while() {
    let (daemon, ids) = moved_on();
    let plan = daemon.get("/api/v1/jobs/idmelon/plan").is(200).json();
    assert_eq!(plan["outcome"], "planned", "{plan}");
    assert_eq!(plan["plan"].as_array().unwrap().len(), 2, "{plan}");
    let path = format!("/api/v1/cycles/{}/plan", plan["cycle"].as_str().unwrap());
    assert_eq!(daemon.get(&path).is(200).json(), plan);
    daemon.get(&format!("{path}?format=csv")).problem(404);
    daemon.get(&format!("{path}?part=nothing")).problem(400);
    let csv = daemon.get("/api/v1/jobs/idmelon/plan?format=csv").is(200);
    assert!(csv.head.to_lowercase().contains("text/csv"), "{}", csv.head);
    assert!(csv.body.contains(&ids[0]), "{}", csv.body);
    for _ in 0..4 {
        daemon.get("/api/v1/jobs/idmelon/plan").is(200);
    }
    daemon.get(&path).problem(404);
    daemon.get("/api/v1/jobs/idmelon/plan?format=pdf").problem(400);
    daemon
        .get("/api/v1/jobs/idmelon/plan?settings=other")
        .problem(400);
    assert_eq!(
        daemon.world.workspace.users_by_external_id(&ids[0])[0]["active"],
        true
    );
}

#[test]
fn a_saved_plan_is_carried_out_as_far_as_it_still_holds() {
    let (daemon, ids) = moved_on();
    let world = &daemon.world;
    let file = world.path("plan.json");
    let file = file.to_str().unwrap();
    world.run(&["plan", "--out", file]).exits(0);
    world.tenant.set_user(&ids[1], json!({"jobTitle": "Admiral"}));
    let differs = world.run(&["sync", "--plan", file, "--exact"]).exits(3);
    assert!(differs.err.contains("not wanted any more"), "{}", differs.err);
    assert_eq!(world.workspace.users_by_external_id(&ids[0])[0]["active"], true);
    let carried = world.run(&["sync", "--plan", file, "-o", "json"]).exits(3).json();
    assert_eq!(carried["operations"]["disable_user"], 1, "{carried}");
    assert_eq!(carried["left"][0]["object"], ids[1].as_str(), "{carried}");
    assert_eq!(carried["not_wanted"][0]["object"], ids[1].as_str(), "{carried}");
    assert_ne!(
        world.workspace.users_by_external_id(&ids[1])[0]["title"],
        "Admiral"
    );
    world.run(&["plan", "--out", file]).exits(0);
    let carried = world.run(&["sync", "--plan", file, "--exact"]).exits(0).out;
    assert!(carried.contains("converged"), "{carried}");
    assert_eq!(
        world.workspace.users_by_external_id(&ids[1])[0]["title"],
        "Admiral"
    );
    world.write(&world.config().replace("mode = \"enforce\"", "mode = \"observe\""));
    let refused = world.run(&["sync", "--plan", file]).exits(2);
    assert!(refused.err.contains("with other settings"), "{}", refused.err);
    let notes = std::fs::read_to_string(world.path("state/idmelon/copies")).unwrap_or_default();
    assert!(notes.contains("plan.json"), "{notes}");
}

#[test]
fn a_cycle_is_taken_back_beside_a_daemon() {
    let (daemon, ids) = moved_on();
    let world = &daemon.world;
    world.run(&["sync"]).exits(0);
    let dry = world
        .run(&["undo", "last", "--dry-run", "-o", "json"])
        .exits(0)
        .json();
    assert_eq!(dry["plan"].as_array().unwrap().len(), 2, "{dry}");
    assert_eq!(world.workspace.users_by_external_id(&ids[0])[0]["active"], false);
    let undone = world
        .run(&["undo", "last", "--comment", "by mistake", "-o", "json"])
        .exits(0)
        .json();
    assert!(
        undone["undone"].is_string() && undone["left"].is_array(),
        "{undone}"
    );
    assert_eq!(world.workspace.users_by_external_id(&ids[0])[0]["active"], true);
    assert_ne!(
        world.workspace.users_by_external_id(&ids[1])[0]["title"],
        "Captain"
    );
    let held = world.run(&["hold", "list"]).exits(0).out;
    assert!(held.contains(&ids[0]), "{held}");
    world.run(&["sync"]).exits(0);
    assert_eq!(world.workspace.users_by_external_id(&ids[0])[0]["active"], true);
    world
        .run(&["undo", "01923000-0000-7000-8000-000000000000"])
        .exits(2);
    world.run(&["undo", "last~99"]).exits(2);
}
