//! Objects listed with how they stand, and the cycles that a job remembers.

use serde_json::Value;

use super::world::World;

fn lines(world: &World, args: &[&str]) -> Vec<Value> {
    let ran = world.run(&[&["list"], args, &["-o", "json"]].concat()).exits(0);
    let lines = ran.out.lines();
    lines.map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn objects_are_listed_with_how_they_stand_and_named_by_the_beginning_of_an_id() {
    let world = World::new(6, 2);
    world.converges();
    let ids = world.tenant.user_ids();
    assert_eq!(lines(&world, &["users"]).len(), ids.len());
    let standing = |state: &str| lines(&world, &["users", "--state", state]).len();
    assert!(standing("linked") > 0);
    assert_eq!(standing("linked") + standing("unlinked"), ids.len());
    assert_eq!(standing("held"), 0);
    // The beginning of an id names an object: as much of it as no other id begins with.
    let beginning = (4..ids[0].len())
        .map(|length| &ids[0][..length])
        .find(|beginning| ids.iter().filter(|id| id.starts_with(*beginning)).count() == 1)
        .unwrap();
    world.run(&["hold", beginning, "--comment", "looked at"]).exits(0);
    let held = lines(&world, &["users", "--state", "held"]);
    assert_eq!(held.len(), 1);
    assert_eq!(held[0]["object"], ids[0].as_str());
    let name = held[0]["name"].as_str().unwrap();
    let found = lines(&world, &["users", "--search", &name.to_uppercase()]);
    assert_eq!(found, held);
    assert_eq!(lines(&world, &["users", "--limit", "2"]).len(), 2);
    assert_eq!(lines(&world, &["groups"]).len(), 2);
    let text = world.run(&["list", "users", "--search", name]).exits(0).out;
    assert!(text.contains(&ids[0]) && text.contains("held"), "{text}");
}

#[test]
fn the_cycles_that_ran_are_listed_newest_first() {
    let world = World::new(4, 1);
    world.run(&["history", "cycles"]).exits(2);
    world.converges();
    let all = world.run(&["history", "cycles", "-o", "json"]).exits(0).json();
    let cycles = all["cycles"].as_array().unwrap();
    assert!(cycles.len() > 1, "{all}");
    let last = &world.run(&["status", "-o", "json"]).exits(0).json()["jobs"][0]["last_cycle"];
    assert_eq!(&cycles[0], last);
    let text = world.run(&["history", "cycles"]).exits(0).out;
    assert_eq!(text.lines().count(), cycles.len(), "{text}");
}
