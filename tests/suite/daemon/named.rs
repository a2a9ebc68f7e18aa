//! Named orders: what they report on each person, how they are united, and what goes between two requests of a running cycle.

use melonsync::model::clock::Stopwatch;
use melonsync::sandbox::Fault;
use serde_json::Value;
use serde_json::json;
use std::time::Duration;

use super::world::Daemon;
use crate::wiring::stage::until;

const SYNC: &str = "/api/v1/jobs/idmelon/sync";
const RESYNC: &str = "/api/v1/jobs/idmelon/resync";

/// What a request and two looks at the store take on a machine that builds beside this.
const AT_ONCE: Duration = Duration::from_secs(5);

fn ended(daemon: &Daemon, cycle: &str) -> Value {
    let path = format!("/api/v1/cycles/{cycle}");
    let mut state = json!(null);
    until("it ends", || {
        state = daemon.get(&path).is(200).json();
        state["state"] == "ended"
    });
    state
}

fn people(events: &[(String, Value)]) -> Vec<&Value> {
    let those = events.iter().filter(|(name, _)| name == "person");
    those.map(|(_, person)| person).collect()
}

#[test]
fn a_resync_reports_on_each_person_it_was_asked_for() {
    let daemon = Daemon::new(6, 1);
    let (world, ids) = (&daemon.world, daemon.world.tenant.user_ids());
    world.run(&["sync"]).exits(0);
    world.tenant.set_user(&ids[0], json!({"jobTitle": "Captain"}));
    let told = world
        .run(&["resync", &ids[0], &ids[1], "-o", "json"])
        .exits(0)
        .json();
    let [first, second] = [&told["people"][0], &told["people"][1]];
    assert_eq!(
        (&first["object"], &first["source"]),
        (&json!(ids[0]), &json!("changed"))
    );
    assert_eq!(first["verdict"], "at the target now: update user", "{first}");
    assert_eq!(first["sent"][0]["result"], "done", "{first}");
    assert!(first["planned"].to_string().contains("Captain"), "{first}");
    // Whom Entra answers as before is told so, and when it is looked at again.
    assert_eq!(
        (&second["object"], &second["source"]),
        (&json!(ids[1]), &json!("unchanged"))
    );
    assert_eq!(second["verdict"], "in step: nothing to do", "{second}");
    assert_eq!(second["again"].as_array().unwrap().len(), 4, "{second}");
    world.tenant.set_user(&ids[1], json!({"jobTitle": "Cook"}));
    let dry = world.run(&["resync", &ids[1], "--dry-run"]).exits(0).out;
    assert!(
        dry.contains("planned only: update user") && dry.contains("Cook"),
        "{dry}"
    );
    let words = world.run(&["resync", "idmelon", &ids[1]]).exits(0).out;
    assert!(
        words.contains("answered at") && words.contains("update user done"),
        "{words}"
    );
    world.run(&["resync"]).exits(2);
    world.run(&["resync", &ids[1], "--all"]).exits(2);
    world.run(&["resync", "nobody@nowhere"]).exits(2);
    // Without a daemon it is the same, but for the looks that nobody is there for.
    let Daemon { running, world } = daemon;
    drop(running);
    let told = world.run(&["resync", &ids[1], "-o", "json"]).exits(0).json();
    let person = &told["people"][0];
    assert_eq!(
        (&person["source"], &person["again"]),
        (&json!("unchanged"), &Value::Null)
    );
}

#[test]
fn two_orders_for_named_people_that_wait_are_one() {
    let daemon = Daemon::new(6, 0);
    let (world, ids) = (&daemon.world, daemon.world.tenant.user_ids());
    world.run(&["sync"]).exits(0);
    for id in &ids {
        world.tenant.set_user(id, json!({"jobTitle": "Captain"}));
    }
    world.workspace.update_faults(|faults| {
        faults.slow = Fault::always();
        faults.slow_ms = Some(1500);
    });
    let order = |id: &str| daemon.post(RESYNC, &json!({"users": [id]})).is(202).json();
    let first = order(&ids[0]);
    until("it runs", || {
        daemon.get("/api/v1/jobs/idmelon").is(200).json()["daemon"]["state"] == "running"
    });
    let (second, third) = (order(&ids[1]), order(&ids[2]));
    assert_eq!(
        (&second["joined"], &third["joined"]),
        (&json!(false), &json!(true))
    );
    assert_eq!(second["cycle"], third["cycle"]);
    assert_ne!(first["cycle"], second["cycle"]);
    world
        .workspace
        .update_faults(|faults| faults.slow = Fault::never());
    let both = ended(&daemon, second["cycle"].as_str().unwrap());
    let asked: Vec<&Value> = both["people"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| &one["object"])
        .collect();
    assert_eq!(asked, [&json!(ids[1]), &json!(ids[2])], "{both}");
    for id in &ids[..3] {
        assert_eq!(world.workspace.users_by_external_id(id)[0]["title"], "Captain");
    }
}

/// A slow initial cycle under way; the id of its order, and somebody who is there already.
fn in_an_initial_cycle() -> (Daemon, String, String) {
    let daemon = Daemon::new(120, 0);
    let workspace = &daemon.world.workspace;
    workspace.update_faults(|faults| {
        faults.writes_per_minute = Some(300);
        faults.burst = Some(20);
    });
    let ticket = daemon.post(SYNC, &json!({})).is(202).json();
    until("some are there", || workspace.user_count() > 25);
    let ids = daemon.world.tenant.user_ids();
    let is_there = |id: &&String| !workspace.users_by_external_id(id).is_empty();
    let id = ids.iter().find(is_there).unwrap().clone();
    (daemon, ticket["cycle"].as_str().unwrap().to_owned(), id)
}

#[test]
fn an_initial_cycle_that_made_way_stays_one_and_its_stretches_are_stopped() {
    let (daemon, cycle, id) = in_an_initial_cycle();
    daemon.world.tenant.disable_user(&id);
    let events = daemon.followed(RESYNC, &json!({"users": [id]}));
    assert_eq!(
        people(&events)[0]["verdict"],
        "at the target now: disable user",
        "{events:?}"
    );
    assert_eq!(events.last().unwrap().1["outcome"], "converged");
    daemon
        .world
        .workspace
        .update_faults(|faults| faults.writes_per_minute = None);
    ended(&daemon, &cycle);
    let all = daemon.get("/api/v1/jobs/idmelon/cycles").is(200).json();
    let stretches = all["cycles"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|one| one["cycle"] == cycle.as_str());
    let mut said: Vec<(&Value, &Value)> = stretches.map(|one| (&one["kind"], &one["outcome"])).collect();
    said.reverse();
    let initial = json!("initial");
    assert_eq!(said.first(), Some(&(&initial, &json!("stopped"))), "{all}");
    assert_eq!(said.last(), Some(&(&initial, &json!("converged"))), "{all}");
    daemon.stopped().exits(0);
}

#[test]
fn what_is_released_is_sent_in_the_middle_of_a_cycle() {
    let daemon = Daemon::new(120, 0);
    let (world, ids) = (&daemon.world, daemon.world.tenant.user_ids());
    world.run(&["sync"]).exits(0);
    for id in &ids[..10] {
        world.tenant.disable_user(id);
    }
    world.run(&["sync"]).exits(4);
    for id in &ids[10..] {
        world.tenant.set_user(id, json!({"jobTitle": "Captain"}));
    }
    world.workspace.update_faults(|faults| {
        faults.writes_per_minute = Some(300);
        faults.burst = Some(10);
    });
    let ticket = daemon.post(SYNC, &json!({})).is(202).json();
    let captains = || {
        let is_one = |id: &&String| world.workspace.users_by_external_id(id)[0]["title"] == "Captain";
        ids.iter().filter(is_one).count()
    };
    until("some are written", || captains() > 5);
    let watch = Stopwatch::start();
    world.run(&["withheld", "release", &ids[0]]).exits(0);
    until("it is sent", || {
        world.workspace.users_by_external_id(&ids[0])[0]["active"] == false
    });
    let took = watch.elapsed();
    assert!(captains() < 110, "the cycle was over before");
    assert!(took < AT_ONCE, "{took:?}");
    // Exactly that one.
    assert_eq!(world.workspace.users_by_external_id(&ids[1])[0]["active"], true);
    world
        .workspace
        .update_faults(|faults| faults.writes_per_minute = None);
    let state = ended(&daemon, ticket["cycle"].as_str().unwrap());
    assert_eq!(state["summary"]["outcome"], "withheld", "{state}");
    assert_eq!(world.workspace.users_by_external_id(&ids[1])[0]["active"], true);
    daemon.stopped().exits(0);
}
