//! What the daemon refuses, and what its hints say: done, it does what was asked.

use crate::cli_output::world::World;
use crate::daemon::world::Daemon;
use crate::wiring::stage::Stage;
use crate::wiring::stage::until;

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
    let cycle = || {
        let summary = world.run(&["sync", "-o", "json"]).exits(0).json();
        summary["cycle"].as_str().unwrap().to_owned()
    };
    let (first, second) = (cycle(), cycle());
    let undone = |name: &str| world.run(&["undo", name, "--dry-run", "-o", "json"]);
    let ran = undone(&first[..2]).exits(2);
    assert!(ran.out.contains("give more of the id"), "{ran:?}");
    let ran = undone("last~2").exits(2);
    assert!(ran.out.contains("name one by its id"), "{ran:?}");
    let alike = first
        .bytes()
        .zip(second.bytes())
        .take_while(|(a, b)| a == b)
        .count();
    for name in [&first, &first[..=alike], "last~1"] {
        let plan = undone(name).exits(0).json();
        assert_eq!(plan["operations"]["delete_user"], 1, "{name}: {plan:#}");
    }
}

#[test]
fn what_needs_a_daemon_says_so_and_works_without_that() {
    let world = World::new(1, 0);
    let ran = world.run(&["sync", "--detach"]).exits(2);
    assert!(ran.err.contains("leave --detach out"), "{ran:?}");
    let summary = world.run(&["sync", "-o", "json"]).exits(0).json();
    let cycle = summary["cycle"].as_str().unwrap();
    let ran = world.run(&["status", "--follow", cycle]).exits(2);
    assert!(
        ran.err.contains("`melonsync history` shows what was done"),
        "{ran:?}"
    );
    assert!(
        world
            .run(&["history", "-o", "json"])
            .exits(0)
            .out
            .contains("create_user")
    );
}

#[test]
fn orders_of_other_settings_are_taken_once_the_daemon_has_them() {
    let daemon = Daemon::new(3, 0);
    let world = &daemon.world;
    let config = std::fs::read_to_string(world.path("melonsync.toml")).unwrap();
    let other = config.replace(
        "[jobs.idmelon.source]",
        "[jobs.idmelon.source]\nuser_filter = 'department IS NOT NULL'",
    );
    assert_ne!(config, other);
    world.write(&other);
    let ran = world.run(&["sync"]).exits(2);
    assert!(ran.err.contains("reload the daemon (SIGHUP"), "{ran:?}");
    daemon.signal(rustix::process::Signal::HUP);
    until("the daemon has it", || world.run(&["sync"]).code == Some(0));
    daemon.stopped().exits(0);
}
