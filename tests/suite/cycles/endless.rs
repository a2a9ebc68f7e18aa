//! A source whose pages do not end, or break off: that is said, and whom it named as disabled before loses access.

use std::time::Duration;

use melonsync::engine::error::CycleError;
use melonsync::engine::summary::Outcome;
use melonsync::ports::SourceError;
use melonsync::reconcile::operation::Verb;
use melonsync::reconcile::policy::Policy;
use melonsync::reconcile::policy::Threshold;
use melonsync::sandbox::Fault;
use melonsync::sandbox::GraphFaults;
use serde_json::json;

use super::incremental::synced;
use crate::support::world::Ran;
use crate::support::world::World;

/// Throws one switch of the sample tenant.
type Breaks = fn(&mut GraphFaults);

/// A cycle that ends, or this test does.
async fn cycle(world: &World) -> Ran {
    tokio::time::timeout(Duration::from_secs(120), world.cycle())
        .await
        .expect("a cycle ends, whatever the source does")
}

/// Everybody's title changes, a few are disabled, one is deleted, and the source breaks. Who lost access.
async fn broken(world: &World, breaks: Breaks) -> Vec<String> {
    let ids = world.tenant.user_ids();
    let leavers = vec![ids[3].clone(), ids[8].clone(), ids[11].clone()];
    world.tenant.disable_user(&leavers[0]);
    world.tenant.disable_user(&leavers[1]);
    world.tenant.soft_delete_user(&leavers[2]);
    for id in ids.iter().filter(|id| !leavers.contains(id)) {
        world.tenant.set_user(id, json!({"jobTitle": "Another"}));
    }
    world.tenant.update_faults(|faults| {
        faults.page_size = Some(4);
        breaks(faults);
    });
    leavers
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whom_a_source_without_an_end_named_as_disabled_loses_access() {
    let cases: &[(&str, Breaks, &str)] = &[
        // The whole round was read before it is known that it does not end.
        (
            "a last page that leads to itself",
            |f| f.endless = Fault::always(),
            "brought nothing new",
        ),
        (
            "a circle behind all of them",
            |f| f.circle = Fault::always().after(5),
            "leads back",
        ),
    ];
    for (name, breaks, why) in cases {
        let world = synced().await;
        let leavers = broken(&world, *breaks).await;
        let ran = cycle(&world).await;
        let Some(CycleError::Source(error @ SourceError::Malformed { .. })) = &ran.error else {
            panic!("{name}: {}", ran.story());
        };
        assert!(error.to_string().contains(why), "{name}: {error}");
        assert_eq!(ran.summary.outcome, Outcome::Failed, "{name}");
        // Only what takes access away, and only by what a user's own entry says.
        assert_eq!(ran.count(Verb::DisableUser), 3, "{name}: {}", ran.story());
        assert_eq!(ran.operations.len(), 3, "{name}: {}", ran.story());
        for leaver in &leavers {
            assert_eq!(world.resource(leaver)["active"], false, "{name}");
        }
        world
            .tenant
            .update_faults(|faults| *faults = GraphFaults::default());
        let next = cycle(&world).await;
        assert!(next.error.is_none(), "{name}: {}", next.story());
        world.assert_equal();
        world.expect_quiet().await;
    }
}

#[tokio::test]
async fn a_circle_is_left_by_the_next_cycle_though_the_link_was_kept() {
    let world = synced().await;
    broken(&world, |faults| faults.circle = Fault::once().after(2)).await;
    let ran = cycle(&world).await;
    assert!(ran.error.is_some(), "{}", ran.story());
    cycle(&world).await.expect(Outcome::Converged);
    world.assert_equal();
    world.expect_quiet().await;
}

#[tokio::test]
async fn who_was_read_before_a_page_that_cannot_be_read_is_disabled_all_the_same() {
    let cases: &[(&str, Breaks)] = &[
        ("cut", |f| f.truncated = Fault::always().after(4)),
        ("gone", |f| f.unavailable = Fault::always().after(5)),
        ("groups may not be read", |f| {
            f.missing_permissions = vec!["GroupMember.Read.All".to_owned(), "Group.Read.All".to_owned()]
        }),
    ];
    for (name, breaks) in cases {
        let mut world = synced().await;
        world.retry.budget = Duration::from_millis(50);
        world.restart();
        let leavers = broken(&world, *breaks).await;
        let ran = cycle(&world).await;
        assert!(ran.error.is_some(), "{name}: {}", ran.story());
        let disabled = leavers.iter().filter(|id| world.resource(id)["active"] == false);
        assert!(disabled.count() >= 2, "{name}: {}", ran.story());
        assert_eq!(ran.count(Verb::UpdateUser), 0, "{name}: {}", ran.story());
    }
}

#[tokio::test]
async fn the_guard_judges_them_too() {
    let mut world = synced().await;
    world.job.policy = Policy {
        deletion_threshold: Threshold::count(2),
        ..Policy::default()
    };
    let leavers = broken(&world, |faults| faults.circle = Fault::always().after(5)).await;
    let ran = cycle(&world).await;
    assert_eq!(ran.count(Verb::DisableUser), 0, "{}", ran.story());
    assert_eq!(ran.summary.withheld.count, 3, "{}", ran.story());
    for leaver in &leavers {
        assert_eq!(world.resource(leaver)["active"], true);
    }
}
