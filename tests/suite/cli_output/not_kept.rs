//! What the target took and did not keep, as each verb shows it.

use serde_json::json;

use super::world::World;

#[test]
fn sync_status_drift_and_check_say_what_the_target_did_not_keep() {
    let world = World::new(6, 1);
    world.converges();
    let user = world.tenant.user_ids()[0].clone();
    world
        .workspace
        .update_faults(|faults| faults.odd.frozen = vec!["title".to_owned()]);
    world.tenant.set_user(&user, json!({"jobTitle": "Captain"}));
    let sync = world.run(&["sync", "-o", "json"]).exits(3).json();
    assert_eq!(sync["outcome"], "partial");
    let one = &sync["not_kept"][0];
    assert_eq!(
        (&one["object"], &one["attribute"], &one["sent"]),
        (&json!(user), &json!("title"), &json!("Captain"))
    );
    assert!(one["holds"].is_string() && one["name"].is_string(), "{one}");
    let sync = world.run(&["sync"]).exits(3).out;
    assert!(sync.contains("  not kept  title of "), "{sync}");
    let status = world.run(&["status", "-o", "json"]).exits(0).json();
    let status = &status["jobs"][0];
    assert_eq!(status["not_kept"][0]["attribute"], "title", "{status}");
    let status = world.run(&["status"]).exits(0).out;
    assert!(status.contains("  not kept     1 "), "{status}");
    let drift = world.run(&["drift", "-o", "json"]).exits(0).json();
    assert_eq!(
        drift["not_kept"][0]["attributes"][0]["wanted"], "Captain",
        "{drift}"
    );
    let drift = world.run(&["drift"]).exits(0).out;
    assert!(
        drift.contains("not kept    user ") && drift.contains("did not keep something"),
        "{drift}"
    );
    let check = world.run(&["check"]).exits(0).out;
    assert!(check.contains("the target took `title` 1 times"), "{check}");
    let escrow = world.run(&["escrow", "list"]).exits(0).out;
    assert!(escrow.contains("did not keep it"), "{escrow}");
}
