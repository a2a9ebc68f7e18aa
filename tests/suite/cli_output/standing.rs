//! A warning of what lasts is logged when it begins, by whichever process, and `check` shows it while it stands.

use serde_json::json;

use super::world::Ran;
use super::world::World;

fn warned(ran: &Ran) -> usize {
    let lines = ran.err.lines();
    lines
        .filter(|line| line.contains("Nothing is written for user"))
        .count()
}

#[test]
fn a_warning_that_stands_is_logged_once_and_shown_by_check() {
    let world = World::new(6, 1);
    let never = world.config() + "\n[jobs.idmelon.provisioning]\nadopt = \"never\"\n";
    world.write(&never);
    world.run(&["sync"]).exits(0);
    world
        .tenant
        .add_user(json!({"userPrincipalName": "nick@corp.example", "displayName": "Nick"}));
    let resource = world
        .workspace
        .insert_user(json!({"userName": "nick@corp.example"}));
    let sync = |code: i32| world.run(&["sync", "--log-level", "warn"]).exits(code);
    let logged: Vec<usize> = (0..4).map(|_| warned(&sync(3))).collect();
    assert_eq!(logged, [1, 0, 0, 0]);
    let standing = || world.run(&["check"]).out.contains("Nothing is written for user");
    assert!(standing());
    let other = json!({"userName": "other@corp.example"});
    assert!(world.workspace.edit_user(&resource, other));
    sync(0);
    assert!(!standing());
}
