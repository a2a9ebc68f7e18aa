//! What a verb refuses, and the command that its hint names.

use serde_json::Value;
use serde_json::json;

use crate::cli_output::world::World;

fn retitle(world: &World, n: usize, title: &str) {
    let id = &world.tenant.user_ids()[n];
    world.tenant.set_user(id, json!({"jobTitle": title}));
}

fn title(world: &World, n: usize) -> Value {
    let id = &world.tenant.user_ids()[n];
    world.workspace.users_by_external_id(id)[0]["title"].clone()
}

#[test]
fn a_job_that_is_not_there_is_left_out() {
    let world = World::new(2, 1);
    world.converges();
    for args in [
        &["pause"][..],
        &["resume"],
        &["hold", "list"],
        &["quarantine", "release"],
    ] {
        let said = world.run(&[args, &["nojob"]].concat()).exits(2).err;
        assert!(said.contains("name one of: idmelon"), "{args:?}: {said}");
        world.run(args).exits(0);
    }
}

#[test]
fn an_attribute_that_is_misspelt_is_held_as_the_hint_spells_it() {
    let world = World::new(3, 1);
    world.converges();
    let id = world.tenant.user_ids()[0].clone();
    let said = world.run(&["hold", &id, "--attribute", "tilte"]).exits(2).err;
    let hint = "did you mean `title`? `melonsync mapping show` lists all of them";
    assert!(said.contains(hint), "{said}");
    let shown = world.run(&["mapping", "show"]).exits(0).out;
    assert!(shown.contains("title"), "{shown}");
    world.run(&["hold", &id, "--attribute", "title"]).exits(0);
    retitle(&world, 0, "Captain");
    world.run(&["sync"]).exits(0);
    assert_ne!(title(&world, 0), "Captain", "it is on hold");
}

#[test]
fn a_saved_plan_that_is_not_for_here_is_made_anew() {
    let world = World::new(4, 1);
    world.converges();
    retitle(&world, 0, "Captain");
    world.run(&["plan", "--out", "plan.json"]).exits(0);
    world.change(
        "[jobs.idmelon.source]\n",
        "[jobs.idmelon.source]\nguests = \"exclude\"\n",
    );
    let said = world.run(&["sync", "--plan", "plan.json"]).exits(2).err;
    assert!(
        said.contains("make a new one with `melonsync plan --out FILE`, and read it again"),
        "{said}"
    );
    world.run(&["plan", "--out", "plan.json"]).exits(0);
    world.run(&["sync", "--plan", "plan.json"]).exits(0);
    assert_eq!(title(&world, 0), "Captain");
}

#[test]
fn a_saved_plan_that_is_out_of_date_is_made_anew_or_carried_out_in_part() {
    for way in ["anew", "in part"] {
        let world = World::new(4, 1);
        world.converges();
        retitle(&world, 0, "Captain");
        world.run(&["plan", "--out", "plan.json"]).exits(0);
        retitle(&world, 2, "Bosun");
        let exact = ["sync", "--plan", "plan.json", "--exact"];
        let said = world.run(&exact).exits(3).err;
        let hint = "plan again and review that, or leave out --exact to carry out what is still the same";
        assert!(said.contains(hint), "{said}");
        assert_ne!(title(&world, 0), "Captain");
        if way == "anew" {
            world.run(&["plan", "--out", "plan.json"]).exits(0);
            world.run(&exact).exits(0);
            assert_eq!(title(&world, 2), "Bosun");
        } else {
            world.run(&exact[..3]).exits(3);
            assert_ne!(title(&world, 2), "Bosun");
        }
        assert_eq!(title(&world, 0), "Captain");
    }
}

#[test]
fn a_cycle_that_no_history_has_is_found_by_history() {
    let world = World::new(3, 1);
    world.converges();
    retitle(&world, 0, "Captain");
    let done = world.run(&["sync", "-o", "json"]).exits(0).json();
    let nowhere = "01890000-0000-7000-8000-000000000000";
    let said = world.run(&["undo", nowhere]).exits(2).err;
    let hint = "`melonsync history` names the cycles that did something; what is older than `history_retention` is gone";
    assert!(said.contains(hint), "{said}");
    let history = world
        .run(&["history", "-o", "json", "--operation", "update_user"])
        .exits(0)
        .json();
    let cycle = history["entries"][0]["cycle"].as_str().unwrap().to_owned();
    assert_eq!(done["cycle"], cycle.as_str());
    world.run(&["undo", &cycle]).exits(0);
    assert_ne!(title(&world, 0), "Captain");
}

#[test]
fn withheld_operations_that_grew_are_looked_at_again() {
    let world = World::new(20, 2);
    world.converges();
    for user in &world.tenant.user_ids()[..7] {
        world.tenant.disable_user(user);
    }
    world.run(&["sync"]).exits(4);
    let said = world
        .run(&["withheld", "release", "--all", "--expect", "6"])
        .exits(2)
        .err;
    assert!(
        said.contains("look at them again with `melonsync withheld list`"),
        "{said}"
    );
    let list = world.run(&["withheld", "list", "-o", "json"]).exits(0).json();
    let count = list["count"].to_string();
    world
        .run(&["withheld", "release", "--all", "--expect", &count])
        .exits(0);
    world.run(&["sync"]).exits(0);
    world.converges();
}

#[test]
fn drift_is_put_right_by_heal_and_what_is_left_by_whoever_keeps_it() {
    let world = World::new(4, 1);
    world.converges();
    let id = world.tenant.user_ids()[0].clone();
    let held = world.workspace.users_by_external_id(&id)[0]["id"]
        .as_str()
        .unwrap()
        .to_owned();
    let before = title(&world, 0);
    world.workspace.edit_user(&held, json!({"title": "Pirate"}));
    let said = world.run(&["drift", "--refresh"]).exits(0).out;
    let hint = "`melonsync drift --heal` puts missing, modified and membership right; the policy is `drift`";
    assert!(said.contains(hint), "{said}");
    world.run(&["hold", &id]).exits(0);
    let said = world.run(&["drift", "--heal"]).out;
    assert!(
        said.contains("What is left could not be put right now: see above why."),
        "{said}"
    );
    assert!(said.contains("on hold"), "{said}");
    world.run(&["hold", "release", &id]).exits(0);
    let said = world.run(&["drift", "--heal"]).exits(0).out;
    assert!(said.contains("No drift."), "{said}");
    assert_eq!(title(&world, 0), before);
}

#[test]
fn a_quarantined_job_is_tried_at_once_by_sync() {
    let world = World::new(3, 1);
    world.converges();
    world.tenant.revoke_permission("User.Read.All");
    retitle(&world, 0, "Captain");
    world.run(&["sync"]).exits(1);
    let said = world.run(&["sync"]).exits(5).err;
    let hint = "; each cycle tries again, and `melonsync sync` does at once";
    assert!(said.contains(hint) && said.contains("User.Read.All"), "{said}");
    world.tenant.grant_permission("User.Read.All");
    world.run(&["sync"]).exits(0);
    assert_eq!(title(&world, 0), "Captain");
}

#[test]
fn app_roles_are_sent_once_their_application_is_named() {
    let world = World::new(4, 1);
    let rows = "[[user]]\ntarget = 'userName'\nsource = '[userPrincipalName]'\nmatching = 1\n\n\
                [[user]]\ntarget = 'roles[primary eq \"True\"].value'\nsource = 'SingleAppRoleAssignment([appRoleAssignments])'\n\n\
                [[group]]\ntarget = 'displayName'\nsource = '[displayName]'\nmatching = 1\n";
    std::fs::write(world.path("roles.toml"), rows).unwrap();
    let config = format!(
        "{}\n[jobs.idmelon.provisioning]\nmapping = \"roles.toml\"\n",
        world.config()
    );
    world.write(&config);
    let said = world.run(&["sync"]).exits(2).err;
    assert!(
        said.contains("add `service_principal_id` to [jobs.idmelon.source]: \"Object ID\""),
        "{said}"
    );
    world.tenant.grant_permission("Application.Read.All");
    world.write(&config.replace("# service_principal_id", "service_principal_id"));
    world.run(&["sync"]).exits(0);
}

/// The page of a plan says what to do about each finding, as the text does.
#[test]
fn a_page_of_a_plan_says_what_to_do() {
    let world = World::new(6, 1);
    world.converges();
    let group = json!({"displayName": "Twins", "mailEnabled": false, "securityEnabled": true});
    world.tenant.add_group(group);
    let twins: Vec<String> = (0..2)
        .map(|_| world.workspace.insert_group(json!({"displayName": "Twins"})))
        .collect();
    let page = || world.run(&["plan", "--format", "html"]).exits(0).out;
    let text = || world.run(&["plan"]).exits(0).out;
    let hint = "remove or rename all but one of them at the target";
    assert!(
        page().contains(&format!("<span class=\"do\">Do: {hint}</span>")),
        "{}",
        page()
    );
    assert!(text().contains(&format!("do: {hint}")), "{}", text());
    world.workspace.remove_group(&twins[0]);
    assert!(!page().contains(hint) && !text().contains(hint));
}
