//! `drift`: what the last reading found, what the target holds now, and putting it right.

use serde_json::Value;
use serde_json::json;

use super::world::World;
use super::world::is_tester;

/// In sync, then a title, a membership and a whole user are changed at the target, and it gets a user of its own.
fn drifted() -> World {
    let world = World::new(12, 2);
    world.converges();
    let ids = world.tenant.user_ids();
    let id = |resource: &Value| resource["id"].as_str().unwrap().to_owned();
    let user = |at: usize| world.workspace.users_by_external_id(&ids[at]).first().cloned();
    let enabled: Vec<Value> = (0..12)
        .filter_map(user)
        .filter(|user| user["active"] == true)
        .collect();
    world
        .workspace
        .edit_user(&id(&enabled[0]), json!({"title": "Pirate"}));
    let group = world.workspace.group_by_name("Finance 2").unwrap();
    let members = group["members"].as_array().unwrap();
    let thora = world
        .workspace
        .user_by_name("thora.mueller.10@corp.example")
        .unwrap();
    let stay: Vec<Value> = members
        .iter()
        .filter(|member| member["value"] != thora["id"])
        .cloned()
        .collect();
    world.workspace.edit_group(&id(&group), json!({"members": stay}));
    // Nobody whom the group holds, or held.
    let inside: Vec<&str> = members
        .iter()
        .map(|member| member["value"].as_str().unwrap())
        .collect();
    let outside = enabled[1..]
        .iter()
        .find(|user| !inside.contains(&user["id"].as_str().unwrap()));
    world
        .workspace
        .remove_user(&id(outside.expect("somebody outside")));
    world
        .workspace
        .insert_user(json!({"userName": "local@idmelon.example"}));
    world
}

/// The config with this line under `provisioning`.
fn provide(world: &World, line: &str) {
    world.write(&format!(
        "{}\n[jobs.idmelon.provisioning]\n{line}\n",
        world.config()
    ));
}

#[test]
fn drift_is_shown_as_it_was_read_and_put_right_when_asked() {
    let world = drifted();
    provide(&world, "unmanaged = \"report\"");
    let unread = world.run(&["drift", "--detailed-exitcode"]).exits(0);
    assert!(
        unread.out.contains("never listed") && unread.out.contains("No drift."),
        "{}",
        unread.out
    );
    world.workspace.clear_requests();
    let read = world
        .run(&["drift", "--refresh", "--detailed-exitcode"])
        .exits(10);
    assert_eq!(world.workspace.writes(), 0);
    insta::assert_snapshot!("drift_refreshed", world.shown(&read));
    world.workspace.clear_requests();
    let known = world
        .run(&["drift", "-o", "json", "--detailed-exitcode"])
        .exits(10)
        .json();
    assert_eq!(world.workspace.request_count(), 0, "as it was read");
    let classes = json!({"missing": 1, "orphaned": 0, "modified": 1, "membership": known["drift"]["membership"], "unmanaged": 1});
    assert_eq!(known["drift"], classes);
    assert_eq!(known["summary"], Value::Null);
    let nobodys = world
        .run(&["list", "users", "--state", "unmanaged", "-o", "json"])
        .exits(0)
        .json();
    assert_eq!(nobodys["name"], "local@idmelon.example");
    assert_eq!(
        (&nobodys["object"], &nobodys["states"]),
        (&Value::Null, &json!(["unmanaged"]))
    );
    let none = world.run(&["list", "groups", "--state", "unmanaged"]).exits(0);
    assert!(
        none.out.is_empty() && none.err.contains("a full cycle looks for them"),
        "{}",
        none.err
    );
    let modified = known["objects"]
        .as_array()
        .unwrap()
        .iter()
        .find(|one| one["classes"] == json!(["modified"]));
    assert_eq!(modified.unwrap()["attributes"][0]["held"], "Pirate");
    let status = world.run(&["status", "-o", "json"]).exits(0).json();
    assert_eq!(status["jobs"][0]["drift"], classes);
    assert!(
        world
            .run(&["status"])
            .exits(0)
            .out
            .contains("`melonsync drift` shows it")
    );
    let healed = world.run(&["drift", "--heal", "--detailed-exitcode"]).exits(10);
    insta::assert_snapshot!("drift_healed", world.shown(&healed));
    let history = world.run(&["history", "-o", "json"]).exits(0).json();
    let because = |entry: &&Value| entry["because"] == "it was changed at the target, and is put right";
    let by_us: Vec<&Value> = history["entries"]
        .as_array()
        .unwrap()
        .iter()
        .filter(because)
        .collect();
    assert_eq!(by_us.len(), 2, "a title and a membership");
    assert!(by_us.iter().all(|entry| is_tester(&entry["actor"])));
    world.workspace.clear_requests();
    let again = world.run(&["drift", "--heal", "-o", "json"]).exits(0).json();
    assert_eq!(
        (&again["drift"]["modified"], &again["summary"]["outcome"]),
        (&json!(0), &json!("converged"))
    );
    assert_eq!(world.workspace.writes(), 0);
}

#[test]
fn a_policy_for_what_is_not_sent_is_refused() {
    let world = World::new(3, 1);
    provide(&world, "drift = { default = \"report\", titel = \"heal\" }");
    let refused = world.run(&["plan"]).exits(2);
    insta::assert_snapshot!("drift_policy_of_an_unknown_attribute", world.shown(&refused));
}

#[test]
fn a_cycle_says_what_it_found_and_heals_by_the_policy() {
    let world = drifted();
    let reported = world.run(&["sync", "--full"]).exits(0).out;
    assert!(reported.contains("1 missing, 1 modified"), "{reported}");
    provide(&world, "drift = \"heal\"");
    let plan = world.run(&["plan", "--full"]).exits(0).out;
    assert!(
        plan.contains("it was changed at the target, and is put right"),
        "{plan}"
    );
    world.run(&["sync", "--full"]).exits(0);
    assert!(world.run(&["drift"]).exits(0).out.contains("No drift."));
    world.workspace.clear_requests();
    world.run(&["sync", "--full"]).exits(0);
    assert_eq!(world.workspace.writes(), 0, "the second one writes nothing");
    world.has_everybody_once();
}
