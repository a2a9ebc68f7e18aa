//! What people, groups and resources are called: names that fit several, and resources that are another's.

use serde_json::json;

use crate::cli_output::world::World;

/// Two groups of one name, in sync.
fn twins() -> (World, Vec<String>) {
    let world = World::new(4, 1);
    let add = |_| {
        let twin = json!({"displayName": "Twins", "mailEnabled": false, "securityEnabled": true});
        world.tenant.add_group(twin)
    };
    let ids: Vec<String> = (0..2).map(add).collect();
    world.converges();
    (world, ids)
}

#[test]
fn one_name_of_two_groups_is_told_apart_by_the_object_id() {
    let (world, ids) = twins();
    let hint = "give the object id of the one that you mean";
    for args in [
        &["hold"][..],
        &["explain"],
        &["resync", "--group"],
        &["state", "forget"],
    ] {
        let said = world.run(&[args, &["Twins"]].concat()).exits(2).err;
        assert!(said.contains(hint), "{args:?}: {said}");
        let named = |id: &String| said.contains(&format!("group Twins ({id})"));
        assert!(ids.iter().all(named), "{args:?}: {said}");
        let by_id = world.run(&[args, &[&ids[0]]].concat());
        assert!(!by_id.err.contains("Twins`"), "{args:?}: {by_id:?}");
        if args != ["state", "forget"] {
            by_id.exits(0);
        }
    }
}

#[test]
fn somebody_who_is_still_there_is_forgotten_after_what_the_hint_says() {
    let world = World::new(6, 1);
    world.converges();
    let id = world.tenant.user_ids()[1].clone();
    let forget = ["state", "forget", id.as_str()];
    let said = world.run(&forget).exits(2).err;
    let hint = "take it out of scope or delete it first";
    assert!(
        said.contains("has a resource at the target, so it is not forgotten") && said.contains(hint),
        "{said}"
    );
    let nobody = world.run(&["state", "forget", "nobody"]).exits(2).err;
    assert!(nobody.contains("give its object id"), "{nobody}");
    world.tenant.hard_delete_user(&id);
    world.run(&["sync"]).exits(0);
    world.run(&forget).exits(0);
}

#[test]
fn one_name_of_two_entries_in_escrow_is_told_apart_by_the_object_id() {
    let world = World::new(4, 1);
    world.converges();
    let names = ["one@corp.example", "two@corp.example"];
    world.workspace.update_faults(|faults| {
        faults.refuse_user_names = names.iter().map(|name| (*name).to_owned()).collect();
    });
    let add = |upn: &&str| {
        world.tenant.add_user(json!({
            "userPrincipalName": upn, "displayName": "Twin", "mail": upn, "accountEnabled": true, "userType": "Member",
        }))
    };
    let ids: Vec<String> = names.iter().map(add).collect();
    world.run(&["sync"]).exits(3);
    let said = world.run(&["escrow", "retry", "Twin"]).exits(2).err;
    let hint = "name one by its object id, as `melonsync escrow list` shows it";
    assert!(said.contains(hint), "{said}");
    let list = world.run(&["escrow", "list"]).exits(0).out;
    assert!(list.contains(&ids[0]) && list.contains(&ids[1]), "{list}");
    world
        .workspace
        .update_faults(|faults| faults.refuse_user_names.clear());
    world.run(&["escrow", "retry", &ids[0]]).exits(0);
    world.run(&["sync"]).exits(3);
    let is_there = |id: &String| world.workspace.users_by_external_id(id).len();
    assert_eq!((is_there(&ids[0]), is_there(&ids[1])), (1, 0));
}

/// The id of the resource that has this externalId.
fn resource_of(world: &World, id: &str) -> String {
    let held = world.workspace.users_by_external_id(id);
    held[0]["id"].as_str().unwrap().to_owned()
}

#[test]
fn a_resource_of_somebody_else_is_linked_only_by_force() {
    let world = World::new(6, 1);
    world.converges();
    let ids = world.tenant.user_ids();
    let resource = |id: &String| resource_of(&world, id);
    let (own, theirs) = (resource(&ids[1]), resource(&ids[2]));
    let nothing = world.run(&["link", &ids[1], "nothing"]).exits(2).err;
    let hint = "give the `id` that the target gave it, as its admin panel or its answers show it";
    assert!(nothing.contains(hint), "{nothing}");
    for id in &ids[1..3] {
        world.run(&["unlink", id]).exits(0);
    }
    let said = world.run(&["link", &ids[1], &theirs]).exits(2).err;
    let hint = "name the resource of this object; with --force it is linked all the same";
    assert!(said.contains(hint), "{said}");
    world.run(&["link", &ids[1], &own]).exits(0);
    world.converges();
    // Somebody else's, where the own one is gone: its externalId is written anew.
    for id in &ids[1..3] {
        world.run(&["unlink", id]).exits(0);
    }
    assert!(world.workspace.remove_user(&own));
    world.run(&["link", "--force", &ids[1], &theirs]).exits(0);
    world.run(&["sync"]);
    world.run(&["sync"]).exits(0);
    assert_eq!(resource(&ids[1]), theirs);
    world.has_everybody_once();
}

/// As an earlier tool may have left them: each has the resource of the other, with all that was sent to it.
#[test]
fn two_who_are_linked_crosswise_are_parted_by_force_and_a_full_cycle() {
    let world = World::new(6, 1);
    world.converges();
    let ids = world.tenant.user_ids();
    let resource = |id: &String| resource_of(&world, id);
    let (one, two) = (resource(&ids[1]), resource(&ids[2]));
    for id in &ids[1..3] {
        world.run(&["unlink", id]).exits(0);
    }
    world.run(&["link", "--force", &ids[1], &two]).exits(0);
    world.run(&["link", "--force", &ids[2], &one]).exits(0);
    let said = world.run(&["sync"]).exits(3).out;
    let hint =
        "if this stays, free the name there, or run `melonsync sync --full`, which sees who gives it up";
    assert!(said.contains(hint), "{said}");
    world.run(&["escrow", "retry"]).exits(0);
    world.run(&["sync", "--full"]).exits(0);
    assert_eq!((resource(&ids[1]), resource(&ids[2])), (two, one));
    world.has_everybody_once();
}
