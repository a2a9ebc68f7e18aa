//! A plan that is saved, reviewed and carried out: what is still wanted, and nothing else.

use std::fs;

use serde_json::Value;
use serde_json::json;

use super::world::World;

fn title(world: &World, id: &str) -> Value {
    world.workspace.users_by_external_id(id)[0]["title"].clone()
}

fn set_title(world: &World, id: &str, title: &str) {
    world.tenant.set_user(id, json!({"jobTitle": title}));
}

#[test]
fn what_is_still_wanted_is_carried_out_and_the_rest_is_listed_and_left() {
    let world = World::new(20, 3);
    world.converges();
    let ids = world.tenant.user_ids();
    let (same, moved, back, new) = (&ids[1], &ids[2], &ids[3], &ids[4]);
    let before = title(&world, back);
    set_title(&world, same, "Captain");
    set_title(&world, moved, "Captain");
    set_title(&world, back, "Captain");
    let shown = world.run(&["plan", "--out", "plan.json"]).exits(0).out;
    assert!(shown.contains("→ \"Captain\""), "{shown}");
    let saved: Value = serde_json::from_str(&fs::read_to_string(world.path("plan.json")).unwrap()).unwrap();
    assert_eq!(saved["plan"].as_array().unwrap().len(), 3, "{saved}");

    set_title(&world, moved, "Admiral");
    set_title(&world, back, before.as_str().unwrap_or_default());
    set_title(&world, new, "Bosun");
    let old_new = title(&world, new);
    let refused = world.run(&["sync", "--plan", "plan.json", "--exact"]).exits(3);
    for id in [moved, back, new] {
        assert!(refused.err.contains(id.as_str()), "{refused:?}");
    }
    assert!(!refused.err.contains(same.as_str()), "{refused:?}");
    assert_ne!(title(&world, same), "Captain", "nothing was sent");

    let done = world
        .run(&["sync", "--plan", "plan.json", "-o", "json"])
        .exits(3)
        .json();
    assert_eq!(done["operations"]["update_user"], 1, "{done}");
    assert_eq!(title(&world, same), "Captain");
    assert_eq!(title(&world, new), old_new);
    assert_ne!(title(&world, moved), "Captain");
    let names = |member: &str| -> Vec<&str> {
        let entries = done[member].as_array().unwrap().iter();
        entries.map(|entry| entry["object"].as_str().unwrap()).collect()
    };
    let mut left = names("left");
    left.sort_unstable();
    let mut expected = [moved.as_str(), new.as_str()];
    expected.sort_unstable();
    assert_eq!(left, expected);
    assert!(names("not_wanted").contains(&back.as_str()), "{done}");

    world.run(&["plan", "--out", "plan.json", "-q"]).exits(0);
    world.run(&["sync", "--plan", "plan.json", "--exact"]).exits(0);
    assert_eq!(
        (title(&world, moved), title(&world, new)),
        (json!("Admiral"), json!("Bosun"))
    );
    world.run(&["plan", "--detailed-exitcode"]).exits(0);
}

#[test]
fn a_first_sync_by_a_saved_plan_is_the_whole_first_sync() {
    let world = World::new(40, 5);
    world
        .run(&["plan", "--full", "--out", "plan.json", "-q"])
        .exits(0);
    world.run(&["sync", "--plan", "plan.json", "--exact"]).exits(0);
    world.has_everybody_once();
    world.converges();
}

#[test]
fn a_plan_of_another_mapping_scope_state_or_job_is_refused() {
    let world = World::new(12, 2);
    world.run(&["plan", "--out", "plan.json", "-q"]).exits(0);
    let refused = |world: &World, why: &str| {
        let ran = world.run(&["sync", "--plan", "plan.json"]).exits(2);
        assert!(ran.err.contains(why), "{why}: {ran:?}");
        assert_eq!(world.workspace.writes(), 0);
    };
    world.change(
        "[jobs.idmelon.source]",
        "[jobs.idmelon.source]\nguests = \"exclude\"",
    );
    refused(&world, "scope");
    world.write(&world.config());
    fs::rename(world.path("state"), world.path("other")).unwrap();
    refused(&world, "another snapshot");
    fs::remove_dir_all(world.path("state")).unwrap();
    fs::rename(world.path("other"), world.path("state")).unwrap();
    let text = fs::read_to_string(world.path("plan.json")).unwrap();
    fs::write(
        world.path("plan.json"),
        text.replace("\"job\":\"idmelon\"", "\"job\":\"acme\""),
    )
    .unwrap();
    refused(&world, "acme");
    for (text, why) in [
        ("{}", "not a saved plan"),
        ("operation,object", "not a saved plan"),
        (&text[..text.len() / 2], "not a saved plan"),
    ] {
        fs::write(world.path("plan.json"), text).unwrap();
        refused(&world, why);
    }
    fs::write(world.path("plan.json"), &text).unwrap();
    world.run(&["sync", "--plan", "plan.json"]).exits(0);
    world.run(&["sync", "--exact"]).exits(2);
}

#[test]
fn plans_come_as_table_and_page_too() {
    let world = World::new(12, 2);
    let csv = world.run(&["plan", "--format", "csv"]).exits(0).out;
    let mut lines = csv.lines();
    assert_eq!(
        lines.next(),
        Some("operation,object,name,target,because,attribute,before,after")
    );
    assert!(lines.any(|line| line.starts_with("\"create_user\",")), "{csv}");
    let page = world.run(&["plan", "--format", "html"]).exits(0).out;
    assert!(
        page.starts_with("<!DOCTYPE html>") && page.trim_end().ends_with("</html>"),
        "{page}"
    );
    assert!(
        !page.contains("{{")
            && !page.contains("unsafe-inline")
            && page.contains("data-verb=\"create_group\""),
        "{page}"
    );
    for outside in ["http://", "https://", "src=", "<link"] {
        assert!(
            !page.contains(&format!("{outside}\"")) && !page.contains(&format!("=\"{outside}")),
            "{outside}"
        );
    }
    let saved = world
        .run(&["plan", "--format", "html", "--out", "plan.html"])
        .exits(0);
    assert!(saved.out.starts_with("Plan ("), "{saved:?}");
    assert!(
        fs::read_to_string(world.path("plan.html"))
            .unwrap()
            .contains("<article")
    );
    let ran = world.run(&["plan", "-o", "json", "--out", "plan.json"]).exits(0);
    assert!(
        ran.json()["saved"].is_null(),
        "what is shown is the plan of the contract"
    );
    world.run(&["plan", "--out", "/proc/plan.json"]).exits(1);
}
