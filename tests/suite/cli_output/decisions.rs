//! What people decide at the command line: releases, rejects, holds, pauses, links.

use melonsync::sandbox::Fault;
use serde_json::Value;
use serde_json::json;

use super::world::World;

fn upn(world: &World, n: usize) -> (String, String) {
    let id = world.tenant.user_ids()[n].clone();
    let name = world.tenant.user(&id).unwrap()["userPrincipalName"]
        .as_str()
        .unwrap()
        .to_owned();
    (id, name)
}

#[test]
fn withheld_operations_are_listed_released_and_rejected() {
    let world = World::new(20, 2);
    world.converges();
    world.run(&["withheld", "list"]).exits(0);
    let users = world.tenant.user_ids();
    for user in &users[..7] {
        world.tenant.disable_user(user);
    }
    let sync = world.run(&["sync"]).exits(4);
    assert!(sync.out.contains("melonsync withheld list"), "{}", sync.out);
    let list = world
        .run(&["withheld", "list", "idmelon", "-o", "json"])
        .exits(0)
        .json();
    assert_eq!(
        (&list["count"], &list["by_reason"]),
        (&json!(7), &json!({"account_disabled": 7}))
    );
    let text = world
        .run(&["withheld", "list", "--reason-is", "account disabled"])
        .exits(0)
        .out;
    assert!(
        text.contains("--expect 7") && text.contains("disable user"),
        "{text}"
    );

    for refused in [
        &["withheld", "release"][..],
        &["withheld", "release", "--all"],
        &["withheld", "release", "--all", "--expect", "6"],
        &["withheld", "release", "nobody@corp.example"],
        &["withheld", "release", "--reason-is", "hard_deleted"],
    ] {
        world.run(refused).exits(2);
    }
    let (_, first) = upn(&world, 0);
    world
        .run(&["withheld", "reject", &first, "--comment", "on leave"])
        .exits(0);
    let holds = world.run(&["hold", "list", "-o", "json"]).exits(0).json();
    assert_eq!(
        (&holds["holds"][0]["cause"], &holds["holds"][0]["comment"]),
        (&json!("reject"), &json!("on leave"))
    );
    let released = world
        .run(&["withheld", "release", "--all", "--expect", "6", "-o", "json"])
        .exits(0)
        .json();
    assert_eq!(released["count"], 6);
    let summary = world.run(&["sync", "-o", "json"]).exits(0).json();
    assert_eq!(
        (
            &summary["operations"]["disable_user"],
            &summary["held"],
            &summary["withheld"]["count"]
        ),
        (&json!(6), &json!(1), &json!(0))
    );
    world.run(&["hold", "release", &first]).exits(0);
    world.run(&["hold", "release", &first]).exits(2);
    world.run(&["sync", "--allow-deletions", "1"]).exits(0);
    world.converges();
    let export = world.run(&["state", "export"]).exits(0).out;
    for verb in ["\"release\"", "\"reject\"", "\"hold_release\""] {
        assert!(export.contains(verb), "{verb} is not in the history");
    }
}

#[test]
fn holds_pauses_and_links_are_made_and_ended() {
    let world = World::new(10, 2);
    world.converges();
    let (id, name) = upn(&world, 1);
    world.tenant.set_user(&id, json!({"jobTitle": "Later"}));
    world
        .run(&[
            "hold",
            &name,
            "--attribute",
            "title",
            "--until",
            "2199-01-01",
            "--comment",
            "asked to",
        ])
        .exits(0);
    world.run(&["hold", &name, "--until", "2001-01-01"]).exits(2);
    world.run(&["hold", &name, "--until", "soon"]).exits(2);
    world.run(&["hold"]).exits(2);
    let sync = world.run(&["sync"]).exits(0).out;
    assert!(sync.contains("held      1 operation on"), "{sync}");
    let list = world.run(&["hold", "list"]).exits(0).out;
    assert!(list.contains("title") && list.contains("asked to"), "{list}");
    let plan = world.run(&["plan"]).exits(0).out;
    assert!(
        plan.contains("update_user held: title is on hold by ") && plan.contains("claimed USER=tester)"),
        "{plan}"
    );

    world
        .run(&["pause", "--for", "4h", "--comment", "cut-over"])
        .exits(0);
    world.run(&["pause", "--for", "long"]).exits(2);
    world.run(&["hold", "release", &id]).exits(0);
    let paused = world.run(&["sync", "-o", "json"]).exits(0).json();
    assert_eq!(
        (&paused["outcome"], &paused["operations"]["update_user"]),
        (&json!("planned"), &json!(1))
    );
    let status = world.run(&["status", "-o", "json"]).exits(0).json();
    assert_eq!(status["jobs"][0]["paused"]["comment"], "cut-over");
    world.run(&["resume"]).exits(0);
    let again = world.run(&["resume"]).exits(0).out;
    assert!(again.contains("was not paused"), "{again}");
    world.converges();

    let (_, other) = upn(&world, 2);
    let resource = world.workspace.users_by_external_id(&id)[0]["id"]
        .as_str()
        .unwrap()
        .to_owned();
    let taken = world.run(&["link", &other, &resource]).exits(2);
    assert!(taken.err.contains("has one owner"), "{}", taken.err);
    world.run(&["unlink", &name, "--comment", "wrong pair"]).exits(0);
    world.run(&["unlink", &name]).exits(2);
    world.run(&["link", "idmelon", &name, &resource]).exits(0);
    world.run(&["link", &name]).exits(2);
    world.converges();
    world.run(&["pause", "--removals-only"]).exits(0);
    world.tenant.disable_user(&id);
    let withheld = world.run(&["sync"]).exits(4).out;
    assert!(withheld.contains("1 operation, by the guard"), "{withheld}");
    world.run(&["resume", "idmelon"]).exits(0);
    world.converges();
}

#[test]
fn a_hold_of_an_attribute_that_is_not_sent_is_refused_with_a_suggestion() {
    let world = World::new(6, 1);
    world.converges();
    let (id, name) = upn(&world, 1);
    let group = world.tenant.group_ids()[0].clone();
    for (object, attribute, meant) in [
        (&name, "tilte", "`title`"),
        (&name, "emails", "emails[type eq"),
        (&name, "usrName", "`userName`"),
        (&name, "members", "name one of"),
        (&group, "member", "`members`"),
        (&group, "title", "name one of"),
        (&name, "", "name one of"),
    ] {
        let refused = world.run(&["hold", object, "--attribute", attribute]).exits(2);
        assert!(refused.err.contains(meant), "{attribute}: {}", refused.err);
    }
    let list = world.run(&["hold", "list"]).exits(0).out;
    assert!(list.contains("Nothing is on hold"), "{list}");
    for (object, attribute) in [
        (&id, "TITLE"),
        (&id, "active"),
        (&group, "members"),
        (&group, "displayName"),
    ] {
        world.run(&["hold", object, "--attribute", attribute]).exits(0);
    }
}

#[test]
fn a_pause_says_which_pause_it_replaces() {
    let world = World::new(4, 1);
    world.converges();
    let first = world
        .run(&["pause", "--for", "4h", "--comment", "cut-over"])
        .exits(0)
        .out;
    assert!(!first.contains("in place of"), "{first}");
    let second = world.run(&["pause", "--removals-only"]).exits(0).out;
    assert!(
        second.contains("in place of the pause until 20") && second.contains("cut-over"),
        "{second}"
    );
    let third = world.run(&["pause", "-o", "json"]).exits(0).json();
    assert_eq!(
        (&third["replaces"]["removals_only"], &third["replaces"]["until"]),
        (&json!(true), &Value::Null)
    );
    let history = world.run(&["history", "--operation", "pause"]).exits(0).out;
    assert!(
        history.contains("in place of the pause of removals without an end"),
        "{history}"
    );
    world.run(&["resume"]).exits(0);
    let after = world.run(&["pause", "-o", "json"]).exits(0).json();
    assert_eq!(after["replaces"], Value::Null);
}

#[test]
fn a_link_is_made_with_a_resource_that_is_there_and_nobody_elses() {
    let world = World::new(6, 1);
    world.converges();
    let ((id, name), (other, _)) = (upn(&world, 1), upn(&world, 2));
    let resource = |id: &str| {
        world.workspace.users_by_external_id(id)[0]["id"]
            .as_str()
            .unwrap()
            .to_owned()
    };
    let (own, theirs) = (resource(&id), resource(&other));
    let group = world.workspace.groups()[0]["id"].as_str().unwrap().to_owned();
    for object in [&id, &other] {
        world.run(&["unlink", object]).exits(0);
    }
    for nothing in ["XXX", &group, "a/b", "..%2f"] {
        let refused = world.run(&["link", &name, nothing]).exits(2);
        assert!(refused.err.contains("the target has no user"), "{}", refused.err);
    }
    let refused = world.run(&["link", &name, &theirs]).exits(2);
    assert!(
        refused.err.contains("is another's") && refused.err.contains(&other),
        "{}",
        refused.err
    );
    world
        .workspace
        .update_faults(|faults| faults.unauthorized = Fault::always());
    world.run(&["link", &name, &own]).exits(1);
    world
        .workspace
        .update_faults(|faults| faults.unauthorized = Fault::never());
    world.workspace.clear_requests();
    world.run(&["link", &name, &own]).exits(0);
    world.run(&["unlink", &name]).exits(0);
    world.run(&["link", "--force", &name, &theirs]).exits(0);
    assert_eq!(world.workspace.writes(), 0, "linking reads and writes nothing");
}
