//! Whole cycles against the sample tenant and the sample workspace. Each runs twice: the second is quiet.

use melonsync::reconcile::operation::Verb;

use crate::support::world::World;

#[tokio::test]
async fn initial_cycle_fills_an_empty_workspace() {
    let world = World::sample(60, 8).await;
    let first = world.cycle_twice().await;
    world.assert_equal();
    assert_eq!(first.count(Verb::CreateGroup), 8);
}
