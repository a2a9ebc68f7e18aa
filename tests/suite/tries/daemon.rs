//! What the daemon refuses, and what its hints say: done, it does what was asked.

use crate::cli_output::world::World;
use crate::daemon::world::Daemon;
use crate::wiring::stage::Stage;

/// A socket has a path of 107 bytes at most.
#[test]
fn a_state_path_that_is_too_long_for_a_socket_is_put_right_by_its_hint() {
    let stage = Stage::new(1, 0).with("state.path", &"s".repeat(108));
    let ran = stage.run(&["run"]).exits(2);
    assert!(ran.err.contains("name a shorter `path` under [state]"), "{ran:?}");
    let daemon = Daemon::over(stage.world);
    daemon.is_ready();
    daemon.stopped().exits(0);
}

#[test]
fn a_cycle_that_is_not_the_only_one_of_its_beginning_is_found_by_more_of_its_id() {
    let world = World::new(1, 0);
    let mut last = String::new();
    for _ in 0..2 {
        let summary = world.run(&["sync", "-o", "json"]).exits(0).json();
        summary["cycle"].as_str().unwrap().clone_into(&mut last);
    }
    let ran = world.run(&["undo", &last[..2], "--dry-run"]).exits(2);
    assert!(ran.err.contains("give more of the id"), "{ran:?}");
    world.run(&["undo", &last, "--dry-run"]).exits(0);
}
