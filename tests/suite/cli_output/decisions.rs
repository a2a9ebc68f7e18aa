//! What people decide at the command line: releases, rejects, holds, pauses, links.

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
    assert!(sync.contains("held      1 operations"), "{sync}");
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
    assert!(withheld.contains("1 operations, by the guard"), "{withheld}");
    world.run(&["resume", "idmelon"]).exits(0);
    world.converges();
}
