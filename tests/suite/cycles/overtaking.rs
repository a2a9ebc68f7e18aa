//! Access is taken away first: after an outage, and in the middle of a cycle that takes long.

use std::sync::Arc;
use std::sync::Mutex;
use std::time::Duration;

use melonsync::engine::forward;
use melonsync::engine::job::Extent;
use melonsync::engine::job::Order;
use melonsync::engine::job::Report;
use melonsync::engine::job::Watcher;
use melonsync::engine::summary::Outcome;
use melonsync::model::id::CycleId;
use melonsync::reconcile::operation::Operation;
use melonsync::reconcile::operation::Verb;
use melonsync::reconcile::policy::Policy;
use melonsync::reconcile::policy::Threshold;
use melonsync::sandbox::Fault;
use melonsync::sandbox::Tenant;
use melonsync::snapshot::escrow;
use serde_json::json;
use tokio_util::sync::CancellationToken;

use super::incremental::synced;
use crate::support::world::World;

/// Does something once, when so many operations are recorded.
struct AfterSome<F>(Mutex<(usize, Option<F>)>);

impl<F: FnOnce() + Send> Watcher for AfterSome<F> {
    fn operation(&self, _: &Operation) {
        let mut left = self.0.lock().unwrap();
        left.0 = left.0.saturating_sub(1);
        if left.0 == 0
            && let Some(then) = left.1.take()
        {
            then();
        }
    }
}

/// A cycle during which this happens after so many operations.
async fn meanwhile(world: &World, operations: usize, then: impl FnOnce() + Send + 'static) -> Report {
    let order = Order {
        id: CycleId(uuid::Uuid::now_v7()),
        extent: Extent::Changes,
        apply: true,
        only: None,
        allow_deletions: None,
        allow_creations: None,
        actor: "test".to_owned(),
        stop: CancellationToken::new(),
        watcher: Arc::new(AfterSome(Mutex::new((operations, Some(then))))),
    };
    world
        .limit
        .holds(Box::pin(forward::run(&world.job, &order)))
        .await
}

/// The paths that were written, in order.
fn writes(world: &World) -> Vec<String> {
    let requests = world.workspace.requests().into_iter();
    let writes = requests.filter(|request| request.method != "GET" && request.status < 400);
    writes.map(|request| request.path).collect()
}

#[tokio::test]
async fn after_an_outage_of_six_hours_the_leaver_goes_first_and_nobody_is_in_escrow() {
    let mut world = synced().await;
    world.job.policy = Policy::default();
    let ids = world.tenant.user_ids();
    let leaver = ids[30].clone();
    for fault in [Fault::always(), Fault::never()] {
        for (n, id) in ids.iter().enumerate() {
            world
                .tenant
                .set_user(id, json!({"jobTitle": format!("Title {n} {}", fault.is_armed())}));
        }
        world
            .tenant
            .add_user(json!({"userPrincipalName": format!("new{}@corp.example", fault.is_armed())}));
        world
            .workspace
            .update_faults(|faults| faults.unavailable = fault.clone());
        if !fault.is_armed() {
            break;
        }
        for half_hour in 0..12 {
            if half_hour == 5 {
                world.tenant.disable_user(&leaver);
            }
            world.clock.advance(Duration::from_secs(1800));
            let ran = world.cycle().await;
            assert_eq!(ran.summary.outcome, Outcome::Failed, "{}", ran.story());
            assert_eq!(escrow::entries(&world.job.snapshot).unwrap(), []);
        }
    }
    world.workspace.clear_requests();
    world.cycle().await.expect(Outcome::Converged);
    let target = world.resource(&leaver)["id"].as_str().unwrap().to_owned();
    let written = writes(&world);
    assert!(written.len() > 40, "{written:?}");
    assert!(written[0].contains(&target), "{} is first", written[0]);
    assert_eq!(world.resource(&leaver)["active"], false);
    world.assert_equal();
    world.expect_quiet().await;
}

/// Linked users who are all to get another title, in batches of fifty.
async fn long_update(users: usize) -> (World, Vec<String>) {
    let mut world = World::new(Tenant::empty()).await;
    for n in 0..users {
        world
            .tenant
            .add_user(json!({"userPrincipalName": format!("user{n}@corp.example"), "accountEnabled": true}));
    }
    world.cycle().await.expect(Outcome::Converged);
    world.job.batch = 50;
    let mut ids = world.tenant.user_ids();
    ids.sort();
    for id in &ids {
        world.tenant.set_user(id, json!({"jobTitle": "Another"}));
    }
    world.workspace.clear_requests();
    (world, ids)
}

#[tokio::test]
async fn a_dismissal_during_a_large_update_is_at_the_target_within_two_batches() {
    let (world, ids) = long_update(2000).await;
    let leaver = ids.last().unwrap().clone();
    let (tenant, clock, id) = (world.tenant.clone(), world.clock.clone(), leaver.clone());
    let report = meanwhile(&world, 120, move || {
        tenant.disable_user(&id);
        clock.advance(Duration::from_secs(20));
    })
    .await;
    assert_eq!(report.summary.outcome, Outcome::Converged, "{report:?}");
    let target = world.resource(&leaver)["id"].as_str().unwrap().to_owned();
    let written = writes(&world);
    let at = written.iter().position(|path| path.contains(&target)).unwrap();
    assert!((120..=220).contains(&at), "write {at} of {}", written.len());
    assert_eq!(world.resource(&leaver)["active"], false);
    assert_eq!(report.summary.operation(Verb::DisableUser), 1);
    // What else there is of it follows in the next cycle.
    let next = world.cycle().await;
    next.expect(Outcome::Converged);
    assert!(next.count(Verb::UpdateUser) <= 1);
    world.assert_equal();
    world.expect_quiet().await;
}

#[tokio::test]
async fn dismissals_over_the_threshold_are_withheld_in_the_middle_of_a_cycle_too() {
    let (mut world, ids) = long_update(300).await;
    world.job.policy.deletion_threshold = Threshold::count(6);
    world.tenant.disable_user(&ids[0]);
    let gone: Vec<String> = ids[200..206].to_vec();
    let (tenant, clock, many) = (world.tenant.clone(), world.clock.clone(), gone.clone());
    let report = meanwhile(&world, 60, move || {
        many.iter().for_each(|id| tenant.disable_user(id));
        clock.advance(Duration::from_secs(20));
    })
    .await;
    // One was sent before: with six more it would be seven.
    assert_eq!(report.summary.outcome, Outcome::Withheld, "{report:?}");
    assert_eq!(report.summary.withheld.count, 6);
    assert_eq!(world.resource(&ids[0])["active"], false);
    for id in &gone {
        assert_eq!(world.resource(id)["active"], true);
    }
    let next = world.cycle().await;
    next.expect(Outcome::Withheld);
    assert_eq!(next.summary.withheld.count, 6);
    let release = world.run(Extent::Changes, true, Some(6)).await;
    release.expect(Outcome::Converged);
    world.assert_equal();
}

#[tokio::test]
async fn whoever_comes_in_the_middle_of_a_cycle_is_the_next_ones() {
    let (world, _) = long_update(200).await;
    // At the target by the same name, and not known to be: nothing proves its absence in this cycle.
    world
        .workspace
        .insert_user(json!({"userName": "late@corp.example", "active": true}));
    let (tenant, clock) = (world.tenant.clone(), world.clock.clone());
    let report = meanwhile(&world, 60, move || {
        tenant.add_user(json!({"userPrincipalName": "late@corp.example", "accountEnabled": true}));
        clock.advance(Duration::from_secs(20));
    })
    .await;
    assert_eq!(report.summary.outcome, Outcome::Converged, "{report:?}");
    assert_eq!(report.summary.operation(Verb::CreateUser), 0);
    let next = world.cycle().await;
    next.expect(Outcome::Converged);
    assert_eq!((next.count(Verb::LinkUser), next.count(Verb::CreateUser)), (1, 0));
    assert_eq!(world.workspace.user_count(), 201);
    world.expect_quiet().await;
}

#[tokio::test]
async fn a_disable_that_was_not_answered_is_sent_again_at_the_first_good_answer() {
    let (world, ids) = long_update(200).await;
    world.tenant.disable_user(&ids[150]);
    // Three attempts, which is all that a request gets.
    world
        .workspace
        .update_faults(|faults| faults.server_error = Fault::times(3).only("PATCH"));
    let ran = world.cycle().await;
    ran.expect(Outcome::Converged);
    let target = world.resource(&ids[150])["id"].as_str().unwrap().to_owned();
    let written = writes(&world);
    let at = written.iter().position(|path| path.contains(&target)).unwrap();
    assert!(at <= 60, "write {at}");
    assert_eq!(world.resource(&ids[150])["active"], false);
    world.assert_equal();
    world.expect_quiet().await;
}
