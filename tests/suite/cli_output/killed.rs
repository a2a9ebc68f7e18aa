//! SIGKILL at any moment of a `sync`: the next one converges, and nobody is there twice.

use std::thread::sleep;
use std::time::Duration;
use std::time::Instant;

use melonsync::sandbox::Fault;

use super::world::World;
use super::world::finished;

fn slow_world() -> World {
    let world = World::new(30, 3);
    world.change(
        "kind  = \"idmelon\"",
        "kind  = \"idmelon\"\nrequest_timeout = \"1s\"\nmax_concurrency = 2",
    );
    // Every answer late: the kill finds requests under way at any moment.
    world.workspace.update_faults(|faults| {
        faults.slow = Fault::always();
        faults.slow_ms = Some(15);
    });
    world
}

/// Ten kills, each after another number of requests at the target; each time a fresh world.
#[test]
fn killed_sync_goes_on_without_duplicates() {
    let threads = (0..10).map(|at| std::thread::spawn(move || kill_after(1 + at * 3)));
    for thread in threads.collect::<Vec<_>>() {
        thread.join().unwrap();
    }
}

fn kill_after(requests: usize) {
    let world = slow_world();
    let mut child = world.command(&["sync", "-q"]).spawn().unwrap();
    let begun = Instant::now();
    while world.workspace.request_count() < requests
        && child.try_wait().unwrap().is_none()
        && begun.elapsed() < Duration::from_secs(20)
    {
        sleep(Duration::from_millis(1));
    }
    child.kill().unwrap();
    let killed = finished(child);
    assert_eq!(killed.code, None, "it ended by itself before {requests} requests");
    world
        .workspace
        .update_faults(|faults| faults.slow = Fault::never());
    // An open create is not judged before `request_timeout` has passed since it was sent.
    sleep(Duration::from_millis(1100));
    world.converges();
}
