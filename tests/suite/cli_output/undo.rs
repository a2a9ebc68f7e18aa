//! A cycle taken back: values, memberships and active flags as they were, and the next cycle leaves it so.

use serde_json::Value;
use serde_json::json;

use super::world::World;

fn sync(world: &World) -> String {
    let done = world.run(&["sync", "-o", "json"]).exits(0).json();
    done["cycle"].as_str().unwrap().to_owned()
}

fn user(world: &World, id: &str) -> Value {
    world.workspace.users_by_external_id(id)[0].clone()
}

#[track_caller]
fn same(before: &[Value], now: &[Value]) {
    for (before, now) in before.iter().zip(now) {
        assert_eq!(before, now);
    }
    assert_eq!(before.len(), now.len());
}

/// Without what every write moves.
fn content(mut resource: Value) -> Value {
    resource.as_object_mut().unwrap().remove("meta");
    if let Some(members) = resource["members"].as_array_mut() {
        members.sort_by_key(|member| member["value"].as_str().unwrap().to_owned());
    }
    resource
}

#[test]
fn a_cycle_is_undone_and_the_next_one_does_not_undo_the_undo() {
    let world = World::new(20, 3);
    world.converges();
    let ids = world.tenant.user_ids();
    let (titled, disabled, member) = (&ids[1], &ids[2], &ids[3]);
    let group = &world.tenant.group_ids()[0];
    let was_in = world.tenant.user_members(group).contains(member);
    let everything = || -> Vec<Value> {
        let held = world
            .workspace
            .users()
            .into_iter()
            .chain(world.workspace.groups());
        held.map(content).collect()
    };
    let before = everything();
    world
        .tenant
        .set_user(titled, json!({"jobTitle": "Captain", "department": "Bridge"}));
    world.tenant.set_user(disabled, json!({"accountEnabled": false}));
    if was_in {
        world.tenant.remove_member(group, member);
    } else {
        world.tenant.add_member(group, member);
    }
    let cycle = sync(&world);
    let after = everything();
    assert_ne!(before, after);

    world.workspace.clear_requests();
    let shown = world.run(&["undo", &cycle, "--dry-run"]).exits(0).out;
    assert!(
        shown.contains("enable user") && shown.contains("\"Captain\" → "),
        "{shown}"
    );
    assert_eq!((world.workspace.writes(), everything()), (0, after));

    let done = world
        .run(&["undo", &cycle, "--comment", "wrong list", "-o", "json"])
        .exits(0)
        .json();
    assert_eq!(
        (&done["outcome"], &done["undone"]),
        (&json!("converged"), &json!(cycle))
    );
    same(&before, &everything());
    world.run(&["state", "verify"]).exits(0);
    let noted = world.run(&["history", "--operation", "undo"]).exits(0).out;
    assert!(noted.contains("wrong list") && noted.contains(&cycle), "{noted}");

    // Held: nothing of it comes back, whatever is looked at.
    world.workspace.clear_requests();
    for args in [
        &["sync"] as &[&str],
        &["sync", "--full"],
        &["resync", "--all"],
        &["resync", "--restart"],
    ] {
        world.run(args).exits(0);
        same(&before, &everything());
    }
    assert_eq!(world.workspace.writes(), 0);
    let full = world.run(&["plan", "--full", "-o", "json"]).exits(0).json();
    assert!(full["held"].as_u64().unwrap() >= 3, "{full}");

    // The source says something else: that goes through, the rest stays held.
    world.tenant.set_user(titled, json!({"jobTitle": "Admiral"}));
    sync(&world);
    assert_eq!(user(&world, titled)["title"], "Admiral");
    assert_eq!(user(&world, disabled)["active"], true);
    world.tenant.set_user(disabled, json!({"accountEnabled": true}));
    sync(&world);
    world.tenant.set_user(disabled, json!({"accountEnabled": false}));
    sync(&world);
    assert_eq!(
        user(&world, disabled)["active"],
        false,
        "released when the source moved"
    );

    let again = world.run(&["undo", &cycle]).exits(0).out;
    assert!(again.contains("changed again since"), "{again}");
    world
        .run(&["undo", "018f3c2e-0000-7000-8000-000000000000"])
        .exits(2);
}

#[test]
fn a_create_is_undone_by_a_delete_and_a_delete_only_with_recreate() {
    let world = World::new(20, 3);
    world.converges();
    let new = world.tenant.add_user(json!({
        "userPrincipalName": "new@corp.example", "displayName": "New", "mail": "new@corp.example", "accountEnabled": true,
    }));
    let cycle = sync(&world);
    assert_eq!(world.workspace.users_by_external_id(&new).len(), 1);
    world.run(&["undo", &cycle]).exits(0);
    assert!(world.workspace.users_by_external_id(&new).is_empty());
    for args in [&["sync"] as &[&str], &["resync", "--all"]] {
        world.run(args).exits(0);
        assert!(
            world.workspace.users_by_external_id(&new).is_empty(),
            "held: {args:?}"
        );
    }
    world.tenant.set_user(&new, json!({"displayName": "Newer"}));
    sync(&world);
    assert_eq!(
        world.workspace.users_by_external_id(&new).len(),
        1,
        "the source moved"
    );

    let held = user(&world, &new);
    world.tenant.hard_delete_user(&new);
    let cycle = sync(&world);
    assert!(world.workspace.users_by_external_id(&new).is_empty());
    let said = world.run(&["undo", &cycle]).exits(0).out;
    assert!(
        said.contains("security keys are lost") && said.contains("new@corp.example"),
        "{said}"
    );
    assert!(world.workspace.users_by_external_id(&new).is_empty());
    let done = world
        .run(&["undo", &cycle, "--recreate", "-o", "json"])
        .exits(0)
        .json();
    assert_eq!(done["operations"]["create_user"], 1, "{done}");
    let made = user(&world, &new);
    assert_ne!(made["id"], held["id"]);
    assert_eq!(
        (&made["userName"], &made["displayName"]),
        (&held["userName"], &held["displayName"])
    );
    for args in [
        &["sync"] as &[&str],
        &["sync", "--full"],
        &["resync", "--restart"],
    ] {
        world.run(args).exits(0);
        assert_eq!(
            world.workspace.users_by_external_id(&new).len(),
            1,
            "held: {args:?}"
        );
    }
    world.run(&["state", "verify"]).exits(0);
}

#[test]
fn an_undo_is_guarded_like_anything_else() {
    let world = World::new(40, 3);
    world.write(&format!(
        "{}\n[jobs.idmelon.provisioning]\ndeletion_threshold = 5\n",
        world.config()
    ));
    let cycle = sync(&world);
    let users = world.workspace.users().len();
    let done = world.run(&["undo", &cycle, "-o", "json"]).exits(4).json();
    assert_eq!(done["operations"]["delete_user"], 0, "{done}");
    assert!(done["withheld"]["count"].as_u64().unwrap() > 5, "{done}");
    assert_eq!(world.workspace.users().len(), users);
}

#[test]
fn what_an_undo_holds_is_listed_and_goes_on_once_it_is_released() {
    let world = World::new(20, 3);
    world.converges();
    let id = &world.tenant.user_ids()[1];
    world.tenant.set_user(id, json!({"jobTitle": "Captain"}));
    let cycle = sync(&world);
    world.run(&["undo", &cycle]).exits(0);
    let listed = world.run(&["hold", "list", "-o", "json"]).exits(0).json();
    assert_eq!(
        (&listed["holds"][0]["object"], &listed["holds"][0]["cause"]),
        (&json!(id), &json!("undo"))
    );
    let shown = world.run(&["hold", "list"]).exits(0).out;
    assert!(shown.contains("taken back by an undo"), "{shown}");
    assert_ne!(user(&world, id)["title"], "Captain");

    world.run(&["hold", "release", id]).exits(0);
    assert_eq!(
        world.run(&["hold", "list", "-o", "json"]).exits(0).json()["holds"],
        json!([])
    );
    sync(&world);
    assert_eq!(user(&world, id)["title"], "Captain", "the source's word goes on");
    world.workspace.clear_requests();
    sync(&world);
    assert_eq!(world.workspace.writes(), 0);
}

#[test]
fn holds_outlive_an_export_and_its_import() {
    let world = World::new(20, 3);
    world.converges();
    let id = &world.tenant.user_ids()[1];
    world.run(&["hold", id, "--comment", "on leave"]).exits(0);
    let export = world.run(&["state", "export"]).exits(0).out;
    std::fs::write(world.path("export.jsonl"), export).unwrap();
    let file = world.path("export.jsonl").display().to_string();
    world
        .run(&["state", "import", "--from", &file, "--force"])
        .exits(0);
    let listed = world.run(&["hold", "list", "-o", "json"]).exits(0).json();
    assert_eq!(listed["holds"][0]["comment"], "on leave");
}
