//! Findings: what cannot go on by itself, and what the hint says to do.

use std::fs;

use melonsync::sandbox::Fault;
use serde_json::Value;
use serde_json::json;

use crate::cli_output::world::World;

/// A sync that leaves something undone, with this hint.
#[track_caller]
fn hints(world: &World, hint: &str) -> Value {
    let ran = world.run(&["sync", "-o", "json"]).exits(3);
    assert!(ran.out.contains(hint), "no \"{hint}\" in {}", ran.out);
    ran.json()
}

/// A mapping in which users are told apart by another attribute than their principal name.
fn map(world: &World, user_name: &str, title: &str) {
    let text = format!(
        "[[user]]\ntarget = \"userName\"\nsource = '{user_name}'\nmatching = 1\n\n\
         [[user]]\ntarget = \"title\"\nsource = '{title}'\n\n\
         [[group]]\ntarget = \"displayName\"\nsource = \"[displayName]\"\nmatching = 1\n"
    );
    fs::write(world.path("own.toml"), text).unwrap();
    world.write(&format!(
        "{}\n[jobs.idmelon.provisioning]\nmapping = \"own.toml\"\n",
        world.config()
    ));
}

fn add(world: &World, props: Value) -> String {
    let mut all = json!({"displayName": "New", "accountEnabled": true, "userType": "Member"});
    for (key, value) in props.as_object().unwrap() {
        all[key] = value.clone();
    }
    world.tenant.add_user(all)
}

fn resources(world: &World, user: &str) -> Vec<Value> {
    world.workspace.users_by_external_id(user)
}

#[test]
fn whoever_has_no_matching_value_gets_one_in_entra() {
    let world = World::new(0, 0);
    map(&world, "[mail]", "[jobTitle]");
    let user = add(&world, json!({"userPrincipalName": "new@corp.example"}));
    hints(&world, "give the object a value for this attribute in Entra");
    world.tenant.set_user(&user, json!({"mail": "new@corp.example"}));
    world.run(&["sync"]).exits(0);
    assert!(world.workspace.user_by_name("new@corp.example").is_some());
}

#[test]
fn an_expression_that_fails_is_corrected_or_its_value_is() {
    let dated = r#"FormatDateTime([jobTitle], , "yyyy-MM-dd", "yyyy")"#;
    for way in ["the value", "the mapping"] {
        let world = World::new(0, 0);
        map(&world, "[userPrincipalName]", dated);
        let user = add(
            &world,
            json!({"userPrincipalName": "new@corp.example", "jobTitle": "Captain"}),
        );
        hints(&world, "correct the mapping's expression, or the value in Entra");
        if way == "the value" {
            world.tenant.set_user(&user, json!({"jobTitle": "2026-11-30"}));
        } else {
            map(&world, "[userPrincipalName]", "[jobTitle]");
        }
        world.run(&["sync"]).exits(0);
        let title = world.workspace.user_by_name("new@corp.example").unwrap()["title"].clone();
        assert_eq!(title, if way == "the value" { "2026" } else { "Captain" });
    }
    let world = World::new(0, 0);
    let test = |given: &str| world.run(&["mapping", "test", dated, "--attributes", given]);
    let said = test(r#"{"jobTitle": "Captain"}"#).exits(1).err;
    assert!(
        said.contains("correct the expression, or the attributes"),
        "{said}"
    );
    assert_eq!(test(r#"{"jobTitle": "2026-11-30"}"#).exits(0).out, "2026\n");
}

/// A group in Entra, of whose absence neither a filter nor the listing of the target's 25 groups proves anything.
fn group_beside_an_incomplete_listing(world: &World, name: &str) -> String {
    for n in 0..25 {
        world
            .workspace
            .insert_group(json!({"displayName": format!("Theirs {n}")}));
    }
    world.workspace.update_faults(|faults| {
        faults.odd.no_filters = true;
        faults.odd.ignored_paging = true;
    });
    world
        .tenant
        .add_group(json!({"displayName": name, "mailEnabled": false, "securityEnabled": true}))
}

#[test]
fn a_group_whose_absence_is_not_proven_comes_when_the_target_answers_completely() {
    let world = World::new(2, 0);
    let group = group_beside_an_incomplete_listing(&world, "Ours");
    hints(
        &world,
        "make the target's listing or filter answer completely, or create the group there by hand",
    );
    world
        .workspace
        .update_faults(|faults| faults.odd.ignored_paging = false);
    world.run(&["sync"]).exits(0);
    assert_eq!(world.workspace.groups_by_external_id(&group).len(), 1);
}

#[test]
fn a_group_whose_absence_is_not_proven_is_made_by_hand_and_let_through() {
    let world = World::new(2, 0);
    let group = group_beside_an_incomplete_listing(&world, "Theirs 3");
    world.run(&["sync"]).exits(4);
    let list = world.run(&["withheld", "list"]).exits(0).out;
    assert!(list.contains("Theirs 3"), "{list}");
    world.run(&["withheld", "release", &group]).exits(0);
    world.run(&["sync"]).exits(0);
    assert_eq!(world.workspace.groups_by_external_id(&group).len(), 1);
}

#[test]
fn a_name_that_somebody_still_has_comes_free_with_what_keeps_their_change_back() {
    let world = World::new(0, 0);
    let names = ["a@corp.example", "b@corp.example", "c@corp.example"];
    let [first, second] = [0, 1].map(|n: usize| add(&world, json!({"userPrincipalName": names[n]})));
    world.converges();
    world
        .workspace
        .update_faults(|faults| faults.refuse_user_names = vec![names[2].to_owned()]);
    world
        .tenant
        .set_user(&second, json!({"userPrincipalName": names[2]}));
    world
        .tenant
        .set_user(&first, json!({"userPrincipalName": names[1]}));
    hints(
        &world,
        "see what keeps the change of the other one back: withheld, on hold, or failed",
    );
    let list = world.run(&["escrow", "list"]).exits(0).out;
    assert!(list.contains(&second), "{list}");
    world
        .workspace
        .update_faults(|faults| faults.refuse_user_names.clear());
    world.run(&["escrow", "retry"]).exits(0);
    world.run(&["sync"]).exits(0);
    assert_eq!(resources(&world, &first)[0]["userName"], names[1]);
    assert_eq!(resources(&world, &second)[0]["userName"], names[2]);
}

#[test]
fn a_filter_that_asks_about_no_group_asks_about_the_right_one() {
    let world = World::new(6, 2);
    let group = world.tenant.group_ids()[0].clone();
    let filter = |id: &str| {
        let line = format!("[jobs.idmelon.source]\nuser_filter = 'memberOf EQUALS \"{id}\"'\n");
        world.change("[jobs.idmelon.source]\n", &line);
    };
    filter("6f1c8d1e-0000-4000-8000-00000000dead");
    hints(
        &world,
        "correct the group's object id in user_filter; the scope is never taken to be empty",
    );
    assert_eq!(world.workspace.writes(), 0);
    filter(&group);
    world.run(&["sync"]).exits(0);
    assert!(world.workspace.user_count() <= world.tenant.user_members(&group).len());
}

/// Answers that are mixed up on the way: nothing is taken from them, and the next cycle looks.
#[test]
fn an_answer_about_somebody_else_is_looked_up_by_the_next_cycle() {
    for (fault, hint) in [
        (
            "mixed up",
            "the next cycle looks at the target for what became of it; if this stays, look for a proxy or cache",
        ),
        (
            "an id twice",
            "the next cycle looks at the target for what became of it; if this stays, report it",
        ),
    ] {
        let world = World::new(2, 0);
        world.converges();
        let url = format!("url   = \"{}/api/scim/v2/\"", world.scim.url);
        world.change(&url, &format!("{url}\nrequest_timeout = \"1s\""));
        world.workspace.update_faults(|faults| match fault {
            "mixed up" => faults.mixed_up = Fault::always().after(1).only("POST"),
            _ => faults.create_repeats_id = Fault::once().after(1),
        });
        let new: Vec<String> = (0..3)
            .map(|n| {
                add(
                    &world,
                    json!({"userPrincipalName": format!("new{n}@corp.example")}),
                )
            })
            .collect();
        hints(&world, hint);
        world.workspace.set_faults(Default::default());
        world.run(&["sync"]);
        world.run(&["sync"]).exits(0);
        for user in new {
            assert_eq!(resources(&world, &user).len(), 1, "{fault}: {user}");
        }
    }
}
