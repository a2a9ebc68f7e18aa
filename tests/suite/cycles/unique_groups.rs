//! Groups that take each other's names, at a target where a name is unique and at one where it is not.

use melonsync::engine::summary::Outcome;
use melonsync::sandbox::Fault;
use melonsync::sandbox::Tenant;
use serde_json::Value;
use serde_json::json;

use crate::support::world::World;

/// Groups with these names, in step with a target that refuses a name twice.
async fn at(unique: bool, names: &[&str]) -> (World, Vec<String>) {
    let world = World::new(Tenant::empty()).await;
    world
        .workspace
        .update_faults(|faults| faults.odd.unique_group_names = unique);
    let groups = names
        .iter()
        .map(|name| world.tenant.add_group(json!({"displayName": name})))
        .collect();
    world.cycle_twice().await;
    (world, groups)
}

fn rename(world: &World, groups: &[String], names: &[&str]) {
    for (group, name) in groups.iter().zip(names) {
        world.tenant.set_group(group, json!({"displayName": name}));
    }
}

fn temporary(world: &World) -> usize {
    let groups = world.workspace.groups();
    let moving = |group: &&Value| {
        group["displayName"]
            .as_str()
            .is_some_and(|name| name.starts_with("moving-"))
    };
    groups.iter().filter(moving).count()
}

#[tokio::test]
async fn groups_that_take_each_others_names_get_them_in_one_cycle() {
    for (unique, names, news) in [
        (true, &["A", "B"][..], &["B", "A"][..]),
        (true, &["A", "B", "C"], &["B", "C", "A"]),
        (true, &["A", "B", "C"], &["B", "C", "D"]),
        (false, &["A", "B"], &["B", "A"]),
    ] {
        let (world, groups) = at(unique, names).await;
        rename(&world, &groups, news);
        world.cycle_twice().await;
        world.assert_equal();
        assert_eq!(temporary(&world), 0);
    }
}

#[tokio::test]
async fn where_names_are_not_unique_no_group_makes_way() {
    let (world, groups) = at(false, &["A", "B"]).await;
    rename(&world, &groups, &["B", "A"]);
    world.workspace.clear_requests();
    world.cycle().await.expect(Outcome::Converged);
    let patches = world.workspace.requests();
    assert_eq!(patches.iter().filter(|one| one.method == "PATCH").count(), 2);
}

#[tokio::test]
async fn a_name_that_is_given_up_can_be_taken_by_a_new_group() {
    let (world, groups) = at(true, &["A"]).await;
    rename(&world, &groups, &["B"]);
    world.tenant.add_group(json!({"displayName": "A"}));
    world.cycle_twice().await;
    world.assert_equal();
    // And the name of one that goes.
    world.tenant.soft_delete_group(&groups[0]);
    world.tenant.add_group(json!({"displayName": "B"}));
    world.cycle().await;
    world.cycle().await.expect(Outcome::Converged);
    world.assert_equal();
}

#[tokio::test]
async fn a_process_that_ends_in_the_middle_of_a_swap_goes_on_with_it() {
    for lost in 1..6 {
        let (mut world, groups) = at(true, &["A", "B"]).await;
        rename(&world, &groups, &["B", "A"]);
        world
            .workspace
            .update_faults(|faults| faults.drop_after = Fault::times(lost).only("PATCH"));
        world.cycle().await;
        world
            .workspace
            .update_faults(|faults| faults.drop_after = Fault::never());
        world.restart();
        world.cycle().await;
        world.clock.advance(world.request_timeout * 30);
        world.cycle().await.expect(Outcome::Converged);
        world.assert_equal();
        assert_eq!(temporary(&world), 0, "{lost}");
    }
}
