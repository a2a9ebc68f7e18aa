//! What is shown, and how much of it: the options of the verbs that answer.

use std::fs;
use std::io::BufRead;
use std::io::BufReader;

use serde_json::Value;
use serde_json::json;

use super::world::World;

fn upn(world: &World, n: usize) -> String {
    let user = world.tenant.user(&world.tenant.user_ids()[n]).unwrap();
    user["userPrincipalName"].as_str().unwrap().to_owned()
}

#[test]
fn a_plan_begins_and_ends_with_its_summary() {
    let world = World::new(12, 2);
    let plan = world.run(&["plan"]).exits(0).out;
    let head = plan.lines().next().unwrap();
    assert!(
        head.starts_with("Plan (initial): 11 users to create, 2 groups to create"),
        "{plan}"
    );
    assert_eq!(plan.matches(head).count(), 2, "{plan}");
    assert!(
        plan.contains("\nAdds: 15 entries\n") && !plan.contains("because in scope"),
        "{plan}"
    );
    let details = world.run(&["plan", "--details", "--limit", "1"]).exits(0).out;
    assert!(
        details.contains("because in scope")
            && details.contains("    userName: ")
            && details.contains("  … and 14 more, which --limit leaves out"),
        "{details}"
    );
    let only = format!("user={}", upn(&world, 3));
    let one = world
        .run(&["plan", "--only", &only, "-o", "json"])
        .exits(0)
        .json();
    let entries = one["plan"].as_array().unwrap();
    let creates: Vec<&Value> = entries
        .iter()
        .filter(|entry| entry["operation"] == "create_user")
        .collect();
    assert_eq!(creates.len(), 1, "{one:#}");
    assert_eq!(creates[0]["name"], json!(upn(&world, 3)));
    world.run(&["plan", "--only", "nonsense"]).exits(2);

    world.converges();
    let empty = world.run(&["plan", "--full"]).exits(0).out;
    assert!(!empty.contains(&upn(&world, 0)), "{empty}");
    let all = world.run(&["plan", "--full", "--omitted"]).exits(0).out;
    assert!(all.contains(&format!("user {}", upn(&world, 0))), "{all}");
    for user in &world.tenant.user_ids()[..7] {
        world.tenant.disable_user(user);
    }
    let withheld = world.run(&["plan", "--detailed-exitcode"]).exits(4).out;
    assert!(withheld.contains("\nWithheld: 7 entries\n! user "), "{withheld}");
}

#[test]
fn signs_are_coloured_where_that_is_asked_for() {
    let world = World::new(2, 0);
    let coloured = world.run(&["plan", "--color", "always"]).exits(0).out;
    assert!(
        coloured.contains("\u{1b}[32m+\u{1b}[0m create user"),
        "{coloured}"
    );
    for plain in [&["plan"][..], &["plan", "--color", "never"]] {
        let plain = world.run(plain).exits(0).out;
        assert!(!plain.contains('\u{1b}'), "{plain}");
    }
}

#[test]
fn status_says_first_what_needs_a_person() {
    let world = World::new(20, 1);
    world.run(&["status", "--exit-code"]).exits(0);
    world.converges();
    let well = world.run(&["status", "--exit-code"]).exits(0).out;
    assert!(well.starts_with("idmelon  (enforce): in step, "), "{well}");
    for user in &world.tenant.user_ids()[..7] {
        world.tenant.disable_user(user);
    }
    world.run(&["sync"]).exits(4);
    let held = world.run(&["status", "--exit-code"]).exits(4).out;
    assert!(
        held.starts_with("idmelon  (enforce): 7 operations withheld by the guard\n"),
        "{held}"
    );
    world.run(&["status"]).exits(0);
    world.run(&["pause"]).exits(0);
    world.run(&["status", "--exit-code"]).exits(5);

    let mut watching = world.start(&["status", "--watch", "1s"]);
    let lines = BufReader::new(watching.stdout.take().unwrap()).lines();
    let firsts = lines
        .map(Result::unwrap)
        .filter(|line| line.starts_with("idmelon  ("));
    assert_eq!(firsts.take(2).count(), 2);
    drop(watching);
}

#[test]
fn a_hold_that_keeps_a_leaver_enabled_needs_a_person() {
    let world = World::new(6, 0);
    world.converges();
    world.run(&["hold", &upn(&world, 0)]).exits(0);
    world.tenant.disable_user(&world.tenant.user_ids()[0]);
    world.run(&["sync"]);
    let said = world.run(&["status", "--exit-code"]).exits(4).out;
    assert!(said.contains("1 hold keeps a leaver enabled"), "{said}");
}

#[test]
fn the_newest_entries_stand_first() {
    let world = World::new(3, 0);
    world.converges();
    let id = world.tenant.user_ids()[0].clone();
    world.tenant.set_user(&id, json!({"jobTitle": "Captain"}));
    world.run(&["sync"]).exits(0);
    let verbs = |args: &[&str]| -> Vec<String> {
        let shown = world
            .run(&[&["history", "-o", "json"], args].concat())
            .exits(0)
            .json();
        let entries = shown["entries"].as_array().unwrap().iter();
        entries
            .map(|entry| entry["operation"].as_str().unwrap().to_owned())
            .collect()
    };
    assert_eq!(verbs(&["-n", "2"]), ["update_user", "create_user"]);
    assert_eq!(verbs(&["-n", "2", "--reverse"]), ["create_user", "update_user"]);
    assert_eq!(verbs(&["--cycle", "last"]), ["update_user"]);
    let text = world.run(&["history", "-n", "1"]).exits(0).out;
    assert!(
        text.contains("update user") && text.ends_with("-n 0 all\n"),
        "{text}"
    );
    let counted = world.run(&["history", "summary", "--since", "24h", "-o", "json"]);
    assert_eq!(counted.exits(0).json()["entries"], json!(4));
}

#[test]
fn a_script_is_not_asked_and_says_yes_where_it_wants_to() {
    let world = World::new(3, 0);
    world.converges();
    let id = world.tenant.user_ids()[0].clone();
    world.tenant.set_user(&id, json!({"jobTitle": "Captain"}));
    world.run(&["sync"]).exits(0);
    world.run(&["undo", "last", "--yes"]).exits(0);
    world.run(&["drift", "--heal", "-y"]).exits(0);
}

#[test]
fn what_comes_with_the_program_can_be_had_from_it() {
    let world = World::new(1, 0);
    let mapping = world.run(&["mapping", "show", "--toml"]).exits(0).out;
    let preset = fs::read_to_string(concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/config/mappings/idmelon.toml"
    ));
    assert_eq!(mapping, preset.unwrap());
    let example = world.run(&["init", "--example"]).exits(0).out;
    let kept = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/config/example.toml"));
    assert_eq!(example, kept.unwrap());
    fs::remove_file(world.path("melonsync.toml")).unwrap();
    let id = world.tenant.tenant_id();
    let args = [
        "init",
        "--tenant-id",
        &id,
        "--client-id",
        &id,
        "--scope",
        "assigned",
        "--service-principal-id",
        &id,
        "--guests",
        "accepted",
        "--secrets",
        "file",
    ];
    let said = world.run(&args).exits(0).out;
    assert!(
        said.contains("Application.Read.All") && said.contains("melonsync -c melonsync.toml check"),
        "{said}"
    );
    let written = fs::read_to_string(world.path("melonsync.toml")).unwrap();
    for line in [
        format!("service_principal_id = \"{id}\""),
        "guests    = \"accepted\"".to_owned(),
        "client_secret = { file = \"entra-client-secret\" }".to_owned(),
    ] {
        assert!(written.contains(&line), "{line}: {written}");
    }
}
