//! What was learned of a target's dialect, as the verbs show it.

use serde_json::Value;
use serde_json::json;

use super::world::World;

/// The lines of `check` about the dialect.
fn checked(world: &World) -> Vec<String> {
    let checked = world.run(&["check", "-o", "json"]).exits(0).json();
    let lines = checked["checks"].as_array().unwrap().iter();
    lines
        .filter(|line| line["what"] == "dialect")
        .map(|line| line["text"].as_str().unwrap().to_owned())
        .collect()
}

#[test]
fn check_shows_each_form_and_where_it_comes_from_and_sends_only_get() {
    let world = World::new(20, 3);
    let defaults = "by default: op_case = lower, booleans = json, member_removal = path, manager = object, \
                    extension_urn_in_schemas = true, new_element = whole, update = patch, media_type = scim, paging = as_announced, \
                    members_shown = true, members_in_create = true, page_size = as_announced";
    assert_eq!(checked(&world), [defaults]);
    world.run(&["sync"]).exits(0);
    world
        .workspace
        .update_faults(|faults| faults.odd.capital_ops_only = true);
    for user in &world.tenant.user_ids()[..4] {
        world.tenant.set_user(user, json!({"department": "Flight"}));
    }
    let sync = world.run(&["sync"]).exits(0).out;
    assert!(
        sync.contains("note      learned that this target wants op_case = \"capital\""),
        "{sync}"
    );
    world.workspace.clear_requests();
    let shown = checked(&world);
    assert!(
        shown[0].starts_with("op_case = capital, learned on 20"),
        "{shown:?}"
    );
    assert!(
        shown[0].contains("`lower` was refused with 400 for 3 objects"),
        "{shown:?}"
    );
    let writes: Vec<_> = world
        .workspace
        .requests()
        .into_iter()
        .filter(|one| one.method != "GET")
        .collect();
    assert!(writes.is_empty(), "{writes:?}");
    world.change(
        "kind  = \"idmelon\"",
        "kind  = \"idmelon\"\ndialect = { op_case = \"lower\", update = \"put\" }",
    );
    let shown = checked(&world);
    assert_eq!(
        shown[..2],
        ["op_case = lower, configured", "update = put, configured"]
    );
    let exported = world.run(&["state", "export"]).exits(0).out;
    let kept = exported
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap());
    assert!(
        kept.into_iter().any(|row| row.to_string().contains("dialect")),
        "the export has it too"
    );
}
