//! Hints are tried: the trouble, the hint that is shown, what it says done, and the trouble is gone.

use std::fs;

use serde_json::Value;
use serde_json::json;

use super::world::World;

/// A sync that leaves one object undone: its finding.
#[track_caller]
fn finding(world: &World, reason: &str) -> Value {
    let done = world.run(&["sync", "-o", "json"]).exits(3).json();
    let failed = done["failed"].as_array().unwrap();
    let found = failed.iter().find(|one| one["reason"] == reason);
    found.unwrap_or_else(|| panic!("no {reason} in {done}")).clone()
}

fn resource_of(world: &World, user: &str) -> Value {
    let mut held = world.workspace.users_by_external_id(user);
    assert_eq!(held.len(), 1, "{user} has {} resources", held.len());
    held.remove(0)
}

fn add(world: &World, upn: &str) -> String {
    world.tenant.add_user(json!({
        "userPrincipalName": upn, "displayName": "New", "mail": upn, "accountEnabled": true, "userType": "Member",
    }))
}

/// Somebody who left, whose address a newcomer has: the leaver, and the finding.
fn address_used_again(world: &World) -> (String, String, Value) {
    let leaver = world.tenant.user_ids()[2].clone();
    let upn = world.tenant.user(&leaver).unwrap()["userPrincipalName"].clone();
    world.tenant.soft_delete_user(&leaver);
    world.run(&["sync"]).exits(0);
    let newcomer = add(world, upn.as_str().unwrap());
    let found = finding(world, "owned_by_another");
    assert_eq!(found["name"], upn, "{found}");
    (leaver, newcomer, found)
}

#[test]
fn an_address_used_again_is_handed_over_by_unlink_and_link() {
    let world = World::new(8, 1);
    world.converges();
    let held = resource_of(&world, &world.tenant.user_ids()[2]);
    let target = held["id"].as_str().unwrap();
    let (leaver, newcomer, found) = address_used_again(&world);
    let hint = found["hint"].as_str().unwrap();
    for word in [
        format!("melonsync unlink {leaver}"),
        format!("melonsync link OBJECT {target}"),
        "rehire_by".to_owned(),
    ] {
        assert!(hint.contains(&word), "{word} is not in {hint}");
    }
    world.run(&["unlink", &leaver]).exits(0);
    world.run(&["link", &newcomer, target, "--force"]).exits(0);
    world.run(&["sync"]).exits(0);
    assert_eq!(resource_of(&world, &newcomer)["id"], *target);
    assert_eq!(resource_of(&world, &newcomer)["active"], true);
}

#[test]
fn an_address_used_again_is_handed_over_by_rehire_by() {
    let world = World::new(8, 1);
    let config = world.config() + "\n[jobs.idmelon.provisioning]\nrehire_by = \"employeeId\"\n";
    world.write(&config);
    let leaver = world.tenant.user_ids()[2].clone();
    world.tenant.set_user(&leaver, json!({"employeeId": "E-1"}));
    world.run(&["sync"]).exits(0);
    let held = resource_of(&world, &leaver)["id"].clone();
    let upn = world.tenant.user(&leaver).unwrap()["userPrincipalName"].clone();
    world.tenant.soft_delete_user(&leaver);
    world.run(&["sync"]).exits(0);
    let newcomer = add(&world, upn.as_str().unwrap());
    world.tenant.set_user(&newcomer, json!({"employeeId": "E-1"}));
    world.run(&["sync"]).exits(0);
    assert_eq!(resource_of(&world, &newcomer)["id"], held);
}

/// A newcomer whose name a resource has that carries another externalId.
fn foreign(world: &World) -> (String, String) {
    world.converges();
    let newcomer = add(world, "nick@corp.example");
    let resource = world
        .workspace
        .insert_user(json!({"userName": "nick@corp.example", "externalId": "nick"}));
    let found = finding(world, "foreign_external_id");
    let hint = found["hint"].as_str().unwrap();
    assert!(
        hint.contains(&format!("melonsync link OBJECT {resource}")) && hint.contains("adopt = \"any\""),
        "{hint}"
    );
    (newcomer, resource)
}

#[test]
fn a_foreign_external_id_is_taken_over_as_the_hint_says() {
    for way in ["link", "clear", "any"] {
        let world = World::new(6, 1);
        let (newcomer, resource) = foreign(&world);
        match way {
            "link" => {
                world.run(&["link", &newcomer, &resource]).exits(0);
            }
            "clear" => assert!(world.workspace.edit_user(&resource, json!({"externalId": null}))),
            _ => {
                let any = world.config() + "\n[jobs.idmelon.provisioning]\nadopt = \"any\"\n";
                world.write(&any);
            }
        }
        world.run(&["sync"]).exits(0);
        assert_eq!(resource_of(&world, &newcomer)["id"], resource, "{way}");
    }
}

#[test]
fn a_resource_that_adopt_never_leaves_is_taken_over_or_renamed() {
    for way in ["unclaimed", "rename"] {
        let world = World::new(6, 1);
        let never = world.config() + "\n[jobs.idmelon.provisioning]\nadopt = \"never\"\n";
        world.write(&never);
        world.run(&["sync"]).exits(0);
        let newcomer = add(&world, "nick@corp.example");
        let resource = world
            .workspace
            .insert_user(json!({"userName": "nick@corp.example"}));
        let found = finding(&world, "adopt_never");
        assert!(
            found["hint"].as_str().unwrap().contains("adopt = \"unclaimed\""),
            "{found}"
        );
        let same = way == "unclaimed";
        if same {
            world.write(&never.replace("\"never\"", "\"unclaimed\""));
        } else {
            assert!(
                world
                    .workspace
                    .edit_user(&resource, json!({"userName": "other@corp.example"}))
            );
        }
        world.run(&["sync"]).exits(0);
        assert_eq!(
            resource_of(&world, &newcomer)["id"] == resource.as_str(),
            same,
            "{way}"
        );
    }
}

#[test]
fn two_resources_of_one_name_are_told_apart_by_renaming_one() {
    let world = World::new(6, 1);
    world.write(&(world.config() + "\n[jobs.idmelon.provisioning]\ngroups.adopt = \"unclaimed\"\n"));
    world.converges();
    let group = world
        .tenant
        .add_group(json!({"displayName": "Twins", "mailEnabled": false, "securityEnabled": true}));
    let twins: Vec<String> = (0..2)
        .map(|_| world.workspace.insert_group(json!({"displayName": "Twins"})))
        .collect();
    let found = finding(&world, "ambiguous");
    assert!(
        found["hint"].as_str().unwrap().contains("rename all but one"),
        "{found}"
    );
    assert!(
        world
            .workspace
            .edit_group(&twins[1], json!({"displayName": "Other"}))
    );
    world.run(&["sync"]).exits(0);
    assert_eq!(
        world.workspace.groups_by_external_id(&group)[0]["id"],
        twins[0].as_str()
    );
}

#[test]
fn what_is_wrapped_around_a_token_is_named_and_taken_off() {
    let world = World::new(6, 1);
    let token = world.workspace.token();
    let utf16 = |text: &str| -> Vec<u8> {
        let units = std::iter::once(0xfeff).chain(text.encode_utf16());
        units.flat_map(u16::to_le_bytes).collect()
    };
    world.change("{ env = \"IDMELON_SCIM_TOKEN\" }", "{ file = \"token.txt\" }");
    for (bytes, what, hint) in [
        (
            format!("\u{feff}{token}\r\n").into_bytes(),
            "byte order mark",
            "without a byte order mark",
        ),
        (
            format!("\"{token}\"\n").into_bytes(),
            "in quotes",
            "without the quotes",
        ),
        (
            format!("'{token}'").into_bytes(),
            "in quotes",
            "without the quotes",
        ),
        (
            format!("Bearer {token}").into_bytes(),
            "\"Bearer \" in front",
            "the token alone",
        ),
        (utf16(&token), "UTF-16", "as UTF-8"),
    ] {
        fs::write(world.path("token.txt"), bytes).unwrap();
        let said = world.run(&["plan"]).exits(2).err;
        assert!(said.contains(what) && said.contains(hint), "{what}: {said}");
        assert!(!said.contains(&token), "the token is shown: {said}");
    }
    fs::write(world.path("token.txt"), format!("{token}\r\n")).unwrap();
    world.converges();
}

#[test]
fn an_entry_in_escrow_is_tried_at_once_with_escrow_retry() {
    let world = World::new(6, 1);
    world.converges();
    let bad = add(&world, "bad@corp.example");
    let refuse = |names: Vec<String>| {
        world
            .workspace
            .update_faults(|faults| faults.refuse_user_names = names)
    };
    refuse(vec!["bad@corp.example".to_owned()]);
    world.run(&["sync"]).exits(3);
    let said = world.run(&["sync"]).exits(3).out;
    assert!(
        said.contains("escrow    1 entry waits") && said.contains("bad@corp.example") && said.contains("400"),
        "{said}"
    );
    let plan = world.run(&["plan"]).exits(0).out;
    assert!(
        plan.contains("user bad@corp.example") && plan.contains("in escrow"),
        "{plan}"
    );
    let explained = world.run(&["explain", &bad]).exits(0).out;
    assert!(
        explained.contains("in escrow since create_user failed") && !explained.contains("+ create user"),
        "{explained}"
    );
    refuse(Vec::new());
    world.run(&["escrow", "retry", &bad]).exits(0);
    world.converges();
}

#[test]
fn json_has_names_and_codes_beside_ids() {
    let world = World::new(8, 2);
    world.converges();
    let group = world.tenant.group_ids()[0].clone();
    let member = world.tenant.user_members(&group)[0].clone();
    let name = world.tenant.user(&member).unwrap()["userPrincipalName"].clone();
    world.tenant.set_user(&member, json!({"jobTitle": "Captain"}));
    world.tenant.remove_member(&group, &member);
    let plan = world.run(&["plan", "-o", "json"]).exits(0).json();
    let of = |verb: &str| {
        let all = plan["plan"].as_array().unwrap();
        all.iter().find(|one| one["operation"] == verb).unwrap().clone()
    };
    let update = of("update_user");
    assert_eq!(
        (&update["name"], &update["reason"]),
        (&name, &json!("source_changed"))
    );
    let removal = of("remove_member");
    let change = &removal["changes"][0];
    assert_eq!(
        (&change["name"], &change["reason"]),
        (&name, &json!("member_left"))
    );
    world.run(&["sync"]).exits(0);
    let history = world.run(&["history", "-o", "json"]).exits(0).json();
    let entries = history["entries"].as_array().unwrap();
    let update = entries
        .iter()
        .find(|one| one["operation"] == "update_user")
        .unwrap();
    assert_eq!(
        (&update["name"], &update["reason"]),
        (&name, &json!("source_changed"))
    );
    let removal = entries
        .iter()
        .find(|one| one["operation"] == "remove_member")
        .unwrap();
    assert_eq!(removal["changes"][0]["members"][0]["name"], name, "{removal}");
    let explained = world.run(&["explain", &member, "-o", "json"]).exits(0).json();
    assert_eq!(explained["history"][0]["reason"], "source_changed", "{explained}");
}

#[test]
fn what_an_undo_held_is_asked_for_again_for_that_reason() {
    let world = World::new(8, 1);
    world.converges();
    let id = world.tenant.user_ids()[2].clone();
    world.tenant.set_user(&id, json!({"jobTitle": "Captain"}));
    let done = world.run(&["sync", "-o", "json"]).exits(0).json();
    world.run(&["undo", done["cycle"].as_str().unwrap()]).exits(0);
    world.run(&["hold", "release", &id]).exits(0);
    let plan = world.run(&["plan", "-o", "json"]).exits(0).json();
    assert_eq!(plan["plan"][0]["reason"], "hold_released", "{plan}");
    world.run(&["sync"]).exits(0);
    assert_eq!(resource_of(&world, &id)["title"], "Captain");
}

/// What fails with a hint, and what the hint says instead.
type Try<'t> = (&'t [&'t str], &'t str, &'t [&'t str]);

#[test]
fn what_a_command_is_told_to_be_given_it_takes() {
    let world = World::new(8, 1);
    let early: &[Try<'_>] = &[(
        &["hold", "somebody"],
        "the first `melonsync plan` or `melonsync sync` makes one",
        &["plan"],
    )];
    tried(&world, early);
    world.converges();
    let ids = world.tenant.user_ids();
    let upn = world.tenant.user(&ids[2]).unwrap()["userPrincipalName"].clone();
    let (id, upn) = (ids[2].as_str(), upn.as_str().unwrap());
    let target = resource_of(&world, id)["id"].as_str().unwrap().to_owned();
    let free = world
        .workspace
        .insert_user(json!({"userName": "free@corp.example"}));
    fs::create_dir(world.path("full")).unwrap();
    fs::write(world.path("full/file"), "x").unwrap();
    let given: &[Try<'_>] = &[
        (
            &["hold", "idmelon"],
            "name users or groups by object id, UPN",
            &["hold", upn],
        ),
        (
            &["hold", id, "--until", "2001-01-01"],
            "leave --until out",
            &["hold", id],
        ),
        (
            &["hold", "release", &ids[3]],
            "`melonsync hold list` shows what is",
            &["hold", "list"],
        ),
        (
            &["hold", "release", "nobody"],
            "UPN, mail or display name as Entra has it",
            &["hold", "release", upn],
        ),
        (&["sync", "nojob"], "name one of: idmelon", &["sync", "idmelon"]),
        (
            &["link", "idmelon", upn],
            "melonsync link OBJECT RESOURCE",
            &["link", upn, &target],
        ),
        (
            &["link", &ids[3], &target],
            &format!("`melonsync unlink {id}` first"),
            &["unlink", id],
        ),
        (&["unlink", id], "nothing to do", &["sync"]),
        (
            &["link", id, ""],
            "give the `id` that the target gave it",
            &["link", id, &target],
        ),
        (
            &["unlink", "idmelon"],
            "melonsync unlink OBJECT",
            &["unlink", &ids[4]],
        ),
        (
            &["escrow", "retry", upn],
            "`melonsync escrow list` shows who is",
            &["escrow", "list"],
        ),
        (
            &["withheld", "release"],
            "--all with --expect and their number",
            &["withheld", "list"],
        ),
        (
            &["withheld", "release", id],
            "`melonsync withheld list` shows those",
            &["withheld", "list"],
        ),
        (
            &["explain", "nobody"],
            "give its object id, or its UPN",
            &["explain", upn],
        ),
        (
            &["history", "--object", "nobody"],
            "give an object id, or a name",
            &["history", "--object", upn],
        ),
        (
            &["history", "--since", "soon"],
            "or how long ago (30m, 24h, 7d)",
            &["history", "--since", "24h"],
        ),
        (
            &["history", "export", "--out", "full"],
            "that is empty or does not exist",
            &["history", "export", "--out", "new"],
        ),
        (
            &["history", "verify", "full"],
            "name a folder that `melonsync history export --out DIR` wrote",
            &["history", "verify", "new"],
        ),
        (
            &["mapping", "test", "ToUpper(givenName"],
            "attributes stand in square brackets",
            &[
                "mapping",
                "test",
                "ToUpper([givenName])",
                "--attributes",
                r#"{"givenName": "Ada"}"#,
            ],
        ),
        (
            &["mapping", "test", "[givenName]", "--attributes", "Ada"],
            "write it as in --attributes",
            &[
                "mapping",
                "test",
                "[givenName]",
                "--attributes",
                r#"{"givenName": "Ada"}"#,
            ],
        ),
        (
            &["state", "backup", "--out", "full/file"],
            "name a file with --out that does not exist",
            &["state", "backup", "--out", "backup"],
        ),
        (
            &["state", "restore", "--from", "none", "--force"],
            "name a file that `melonsync state backup --out FILE` wrote",
            &["state", "restore", "--from", "backup", "--force"],
        ),
    ];
    tried(&world, given);
    assert!(!free.is_empty());
}

/// Each of them fails with its hint, and what the hint says goes through.
#[track_caller]
fn tried(world: &World, tries: &[Try<'_>]) {
    let mut wrong = Vec::new();
    for (args, hint, instead) in tries {
        let ran = world.run(args);
        let failed = matches!(ran.code, Some(1 | 2));
        if !failed || !ran.err.contains(hint) {
            wrong.push(format!(
                "{args:?} exits {:?} without \"{hint}\": {}",
                ran.code, ran.err
            ));
        }
        let ran = world.run(instead);
        if ran.code != Some(0) {
            wrong.push(format!("{instead:?} exits {:?}: {}", ran.code, ran.err));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
