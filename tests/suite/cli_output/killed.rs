//! SIGKILL at any moment of a `sync`: the next one converges, and nobody is there twice.

use std::thread::sleep;
use std::time::Duration;

use melonsync::sandbox::Fault;
use serde_json::json;

use super::world::World;
use super::world::finished;
use crate::simulation::dice::Dice;

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
    let mut child = world.start(&["sync", "-q"]);
    // Twenty seconds at most.
    for _ in 0..20_000 {
        if world.workspace.request_count() >= requests || child.try_wait().unwrap().is_some() {
            break;
        }
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

/// So many kills in one world before it is looked at.
const KILLS_A_WORLD: u64 = 30;

/// SIGKILL at any moment, again and again, while the tenant goes on changing; then everybody is there once. 150 kills;
/// `KILLS=n` for more, `SEED=n` to begin with other chances.
#[test]
fn sync_that_is_killed_again_and_again_loses_nobody_and_doubles_nobody() {
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    let (kills, first) = (number("KILLS").unwrap_or(150), number("SEED").unwrap_or(1));
    let worlds = kills.div_ceil(KILLS_A_WORLD);
    for group in (0..worlds).collect::<Vec<_>>().chunks(5) {
        let threads = group.iter().map(|world| {
            let seed = first + world;
            std::thread::spawn(move || (seed, std::panic::catch_unwind(|| killed_world(seed))))
        });
        for thread in threads.collect::<Vec<_>>() {
            let (seed, ended) = thread.join().unwrap();
            let struck =
                ended.unwrap_or_else(|_| panic!("seed {seed} broke: repeat it with `SEED={seed} KILLS=1`"));
            assert!(
                struck == KILLS_A_WORLD,
                "seed {seed}: only {struck} kills met a running sync"
            );
        }
    }
}

/// One world, killed so many times while the program runs. A kill that came too late, because the program had ended by
/// itself, does not count.
fn killed_world(seed: u64) -> u64 {
    let mut dice = Dice::new(seed);
    let world = slow_world();
    let mut struck = 0;
    for _ in 0..KILLS_A_WORLD * 10 {
        let mut child = world.start(&["sync", "-q"]);
        // Long enough now and then for an open create to be resolved, which waits for twice `request_timeout`.
        let most = if dice.chance(10) { 2_500 } else { 150 };
        sleep(Duration::from_millis(dice.between(10, most)));
        struck += u64::from(child.try_wait().unwrap().is_none());
        child.kill().unwrap();
        finished(child);
        if struck == KILLS_A_WORLD {
            break;
        }
        for _ in 0..3 {
            change(&world, &mut dice);
        }
    }
    world
        .workspace
        .update_faults(|faults| faults.slow = Fault::never());
    sleep(Duration::from_millis(1100));
    world.converges();
    struck
}

fn change(world: &World, dice: &mut Dice) {
    let (users, groups) = (world.tenant.user_ids(), world.tenant.group_ids());
    let number = dice.number() % 1_000_000;
    let (user, group) = (dice.pick(&users).unwrap(), dice.pick(&groups).unwrap());
    match dice.below(5) {
        0 => world
            .tenant
            .set_user(user, json!({"jobTitle": format!("Job {number}")})),
        1 => world.tenant.set_user(
            user,
            json!({"userPrincipalName": format!("renamed{number}@corp.example")}),
        ),
        2 => world.tenant.remove_member(group, user),
        3 => world.tenant.add_member(group, user),
        _ => {
            let name = format!("new{number}@corp.example");
            let user = world
                .tenant
                .add_user(json!({"userPrincipalName": name, "displayName": name}));
            world.tenant.add_member(group, &user);
        }
    }
}
