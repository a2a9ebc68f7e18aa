//! What the target says of itself is kept for a day, and read anew before that where a refusal may come of a change of it.

use std::time::Duration;

use melonsync::engine::job::Extent;
use melonsync::engine::summary::Outcome;
use melonsync::mapping::Mapping;
use serde_json::json;

use super::incremental::synced;
use crate::support::world::World;

/// How often ServiceProviderConfig and Schemas were asked for in a cycle after a change.
async fn asked_after_a_change(world: &World, title: &str) -> (usize, usize) {
    let user = &world.tenant.user_ids()[0];
    world.tenant.set_user(user, json!({"jobTitle": title}));
    world.workspace.clear_requests();
    world.cycle().await.expect(Outcome::Converged);
    world.assert_equal();
    asked(world)
}

fn asked(world: &World) -> (usize, usize) {
    let requests = world.workspace.requests();
    let of = |name: &str| {
        requests
            .iter()
            .filter(|request| request.path.ends_with(name))
            .count()
    };
    (of("/ServiceProviderConfig"), of("/Schemas"))
}

#[tokio::test]
async fn they_are_read_once_a_day_by_whatever_process() {
    let mut world = synced().await;
    assert_eq!(asked_after_a_change(&world, "One").await, (0, 0));
    world.restart();
    assert_eq!(
        asked_after_a_change(&world, "Two").await,
        (0, 0),
        "another process"
    );
    world.clock.advance(Duration::from_secs(25 * 60 * 60));
    assert_eq!(
        asked_after_a_change(&world, "Three").await,
        (1, 1),
        "the next day"
    );
    assert_eq!(asked_after_a_change(&world, "Four").await, (0, 0));
}

#[tokio::test]
async fn a_refusal_has_them_read_anew_and_only_once_for_one_complaint() {
    let world = synced().await;
    world
        .workspace
        .update_options(|options| options.group_description = false);
    let groups = world.tenant.group_ids();
    world
        .tenant
        .set_group(&groups[0], json!({"description": "Another"}));
    world.workspace.clear_requests();
    world.cycle().await.expect(Outcome::Partial);
    assert_eq!(asked(&world), (0, 0), "nothing spoke against them yet");
    world
        .tenant
        .set_group(&groups[0], json!({"description": "Yet another"}));
    world.workspace.clear_requests();
    world.cycle().await.expect(Outcome::Converged);
    assert_eq!(asked(&world), (1, 1), "the target has no `description` any more");
}

#[tokio::test]
async fn a_changed_mapping_has_them_read_anew() {
    let mut world = synced().await;
    let rows = include_str!("../../../config/mappings/idmelon.toml")
        .replace("\"[jobTitle]\"", "'ToUpper([jobTitle])'");
    world.map_by(Mapping::from_toml("changed", &rows).expect("a mapping"));
    world.workspace.clear_requests();
    world
        .run(Extent::Changes, true, None)
        .await
        .expect(Outcome::Converged);
    assert_eq!(asked(&world), (1, 1));
}
