//! Looking changes nothing: any number of `plan`, `explain` or `drift` before a `sync` leave that `sync` the same.

use std::sync::Arc;

use melonsync::engine::explain;
use melonsync::engine::job::Extent;
use melonsync::engine::job::NoWatcher;
use melonsync::engine::job::Order;
use melonsync::engine::summary::Outcome;
use melonsync::model::id::CycleId;
use melonsync::reconcile::operation::Verb;
use melonsync::reconcile::scope::assignment::Nesting;
use serde_json::json;
use tokio_util::sync::CancellationToken;

use super::assigned::assigned;
use crate::support::world::Ran;
use crate::support::world::World;

/// Everything that only looks.
async fn look(world: &World, object: &str) -> Ran {
    for extent in [Extent::Full, Extent::Drift { heal: false }, Extent::All] {
        let ran = world.run(extent, false, None).await;
        assert!(ran.error.is_none(), "{}", ran.story());
    }
    let order = Order {
        id: CycleId(uuid::Uuid::now_v7()),
        extent: Extent::Changes,
        apply: false,
        only: None,
        allow_deletions: None,
        allow_creations: None,
        actor: "test".to_owned(),
        stop: CancellationToken::new(),
        watcher: Arc::new(NoWatcher),
    };
    explain::explain(&world.job, &order, object).await.unwrap();
    world.plan().await.expect(Outcome::Planned);
    world.plan().await
}

#[tokio::test]
async fn no_number_of_looks_is_the_first_of_two() {
    let world = assigned(Nesting::default()).await;
    world.cycle_twice().await;
    let ids = world.tenant.user_ids();
    world.tenant.unassign(&ids[7], None);
    let plan = look(&world, &ids[7]).await;
    assert_eq!(plan.summary.operation(Verb::DisableUser), 0);
    let [pending] = plan.summary.pending.as_slice() else {
        panic!("{}", plan.story())
    };
    assert_eq!(
        (pending.object.as_str(), pending.operation.as_str()),
        (ids[7].as_str(), "disable_user")
    );
    assert!(pending.because.contains("scope = \"assigned\""), "{pending:?}");
    assert!(!pending.name.is_empty());

    let first = world.expect_no_write().await;
    first.expect(Outcome::Converged);
    assert_eq!(first.summary.pending, plan.summary.pending);
    // The first look was made by a cycle that may write: now a plan shows what the next one does.
    let plan = look(&world, &ids[7]).await;
    assert_eq!(plan.summary.operation(Verb::DisableUser), 1, "{}", plan.story());
    assert_eq!(plan.summary.pending, []);
    let second = world.cycle_twice().await;
    assert_eq!(second.count(Verb::DisableUser), 1);
}

#[tokio::test]
async fn a_look_takes_no_look_back() {
    let world = assigned(Nesting::default()).await;
    world.cycle_twice().await;
    let ids = world.tenant.user_ids();
    world.tenant.unassign(&ids[7], None);
    world.expect_no_write().await;
    // Back for a moment in which only a plan looks: the two cycles that may write still agree.
    world.tenant.assign(&ids[7], "");
    look(&world, &ids[7]).await;
    world.tenant.unassign(&ids[7], None);
    let second = world.cycle_twice().await;
    assert_eq!(second.count(Verb::DisableUser), 1);
}

#[tokio::test]
async fn a_scope_that_was_only_planned_with_counts_for_nothing() {
    let mut world = assigned(Nesting::default()).await;
    world.cycle_twice().await;
    let ids = world.tenant.user_ids();
    world.tenant.unassign(&ids[7], None);
    // Out by attributes under another filter, which somebody tries with `plan`.
    let filter = r#"jobTitle EQUALS "nobody has this""#;
    let filter =
        melonsync::mapping::filter::Filter::parse(melonsync::model::id::ObjectKind::User, filter).unwrap();
    let (scope, print) = (Arc::clone(&world.job.scope), world.job.fingerprint.clone());
    world.job.scope = Arc::new(melonsync::reconcile::scope::ScopeRules {
        user_filter: Some(filter),
        ..Default::default()
    });
    world.job.fingerprint = "second".to_owned();
    let plan = look(&world, &ids[7]).await;
    assert_eq!(plan.summary.operation(Verb::DisableUser), 4, "{}", plan.story());
    (world.job.scope, world.job.fingerprint) = (scope, print);
    let first = world.expect_no_write().await;
    first.expect(Outcome::Converged);
    assert_eq!(first.summary.pending.len(), 1, "{}", first.story());
}

#[tokio::test]
async fn a_paused_job_only_looks() {
    let world = assigned(Nesting::default()).await;
    world.cycle_twice().await;
    let ids = world.tenant.user_ids();
    world.tenant.unassign(&ids[7], None);
    let mut tx = world.job.snapshot.tx().unwrap();
    tx.put_pause(Some(&melonsync::snapshot::kept_back::Pause {
        removals_only: false,
        until: None,
        actor: "test".to_owned(),
        comment: None,
        since: melonsync::model::clock::Clock::now(&world.clock),
    }));
    tx.commit(melonsync::ports::Durability::Synced).unwrap();
    for _ in 0..3 {
        let ran = world.cycle().await;
        ran.expect(Outcome::Planned);
        assert_eq!((ran.count(Verb::DisableUser), ran.summary.pending.len()), (0, 1));
    }
    let mut tx = world.job.snapshot.tx().unwrap();
    tx.put_pause(None);
    tx.commit(melonsync::ports::Durability::Synced).unwrap();
    world.expect_no_write().await;
    assert_eq!(world.cycle_twice().await.count(Verb::DisableUser), 1);
}

#[tokio::test]
async fn a_look_wakes_nobody_in_escrow() {
    let world = World::sample(6, 0).await;
    let ids = world.tenant.user_ids();
    world
        .tenant
        .set_user(&ids[2], json!({"userPrincipalName": "bad@corp.example"}));
    let refused = vec!["bad@corp.example".to_owned()];
    world
        .workspace
        .update_faults(|faults| faults.refuse_user_names = refused);
    world.cycle().await.expect(Outcome::Partial);
    let plan = world.plan().await;
    assert_eq!(plan.count(Verb::CreateUser), 0, "{}", plan.story());
    look(&world, &ids[2]).await;
    world.expect_no_write().await.expect(Outcome::Partial);
}
