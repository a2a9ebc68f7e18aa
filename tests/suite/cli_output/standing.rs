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
    world.converges();
    let user = world.tenant.user_ids()[0].clone();
    let odd = |frozen: &[&str]| {
        let frozen = frozen.iter().map(|path| (*path).to_owned()).collect();
        world.workspace.update_faults(|faults| faults.odd.frozen = frozen);
    };
    odd(&["title"]);
    world.tenant.set_user(&user, json!({"jobTitle": "Captain"}));
    let sync = |code: i32| world.run(&["sync", "--log-level", "warn"]).exits(code);
    let logged: Vec<usize> = (0..4).map(|_| warned(&sync(3))).collect();
    assert_eq!(logged.iter().sum::<usize>(), 1, "{logged:?}");
    let standing = || {
        world
            .run(&["check"])
            .exits(0)
            .out
            .contains("Nothing is written for user")
    };
    assert!(standing());
    odd(&[]);
    world.run(&["escrow", "retry", &user]).exits(0);
    sync(0);
    assert!(!standing());
}
