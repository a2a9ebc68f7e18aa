//! One path: what `plan` shows is what `sync` then does, operation by operation, and `plan` itself does nothing.

use melonsync::engine::job::Extent;
use melonsync::engine::summary::Outcome;
use melonsync::mapping::Drift;
use melonsync::reconcile::drift_policy::DriftPolicy;
use melonsync::reconcile::operation::Operation;
use melonsync::reconcile::policy::Adopt;
use melonsync::reconcile::policy::AdoptGroup;
use melonsync::reconcile::policy::Policy;
use melonsync::reconcile::policy::Threshold;
use melonsync::sandbox::Tenant;
use serde_json::json;

use crate::cycles::CHANGES;
use crate::cycles::synced;
use crate::support::world::Ran;
use crate::support::world::World;

/// Operations in an order of their own, without the ids that only a create's answer brings.
fn told(ran: &Ran) -> Vec<String> {
    let mut all: Vec<String> = ran.operations.iter().map(tell).collect();
    all.extend(
        ran.omissions
            .iter()
            .map(|(kind, id, omission)| format!("{kind} {id}: {omission}")),
    );
    all.sort();
    all
}

fn tell(operation: &Operation) -> String {
    let mut members: Vec<String> = operation
        .members
        .iter()
        .map(|member| format!("{} {}", member.source, member.with_user))
        .collect();
    members.sort();
    format!(
        "{} {} because {}: {:?} members {members:?}",
        operation.verb, operation.source, operation.because, operation.changes
    )
}

/// Plans twice, which writes nothing and says the same twice; then syncs, which does exactly that.
async fn plan_then_sync(world: &World, extent: Extent, allow: Option<u64>) -> Ran {
    let held = |world: &World| (world.workspace.users(), world.workspace.groups());
    let before = held(world);
    world.workspace.clear_requests();
    let first = world.run(extent.clone(), false, allow).await;
    let second = world.run(extent.clone(), false, allow).await;
    assert!(first.error.is_none(), "{}", first.story());
    assert_eq!(told(&first), told(&second), "a plan changes the next plan");
    assert_eq!(world.workspace.writes(), 0, "a plan writes");
    assert_eq!(held(world), before);
    let applied = world.run(extent, true, allow).await;
    assert!(applied.error.is_none(), "{}", applied.story());
    let (planned, done) = (told(&first), told(&applied));
    let only_planned: Vec<_> = planned.iter().filter(|line| !done.contains(line)).collect();
    let only_done: Vec<_> = done.iter().filter(|line| !planned.contains(line)).collect();
    assert!(
        planned == done,
        "planned and not done: {only_planned:#?}\ndone and not planned: {only_done:#?}"
    );
    assert_eq!(first.summary.operations, applied.summary.operations);
    assert_eq!(first.summary.withheld, applied.summary.withheld);
    assert_eq!(first.summary.skipped, applied.summary.skipped);
    applied
}

#[tokio::test]
async fn initial_plan_is_what_is_synced() {
    let world = World::sample(60, 8).await;
    plan_then_sync(&world, Extent::Changes, None)
        .await
        .expect(Outcome::Converged);
    world.assert_equal();
}

#[tokio::test]
async fn plan_for_a_half_filled_workspace_is_what_is_synced() {
    for adopt in [Adopt::Any, Adopt::Unclaimed, Adopt::Never] {
        let mut world = World::sample(60, 8).await;
        world.workspace.half_fill(&world.tenant, 0.6);
        world.job.policy.adopt = adopt;
        if adopt != Adopt::Unclaimed {
            world.job.policy.groups.adopt = AdoptGroup::Unclaimed;
        }
        plan_then_sync(&world, Extent::Changes, None).await;
    }
}

#[tokio::test]
async fn plan_for_every_kind_of_change_is_what_is_synced() {
    let world = synced().await;
    let (users, groups) = (world.tenant.user_ids(), world.tenant.group_ids());
    for (_, change, _) in CHANGES {
        change(&world.tenant, &users, &groups);
        plan_then_sync(&world, Extent::Changes, None).await;
        world.expect_quiet().await;
    }
    world.assert_equal();
}

#[tokio::test]
async fn plan_for_many_changes_at_once_is_what_is_synced() {
    let mut world = World::sample(50, 6).await;
    world.job.policy.deletion_threshold = Threshold::count(1000);
    world.job.policy.groups.deletion_threshold = Threshold::count(1000);
    world.cycle().await.expect(Outcome::Converged);
    for step in 0..6 {
        world.tenant.mutate(0.8, step);
        plan_then_sync(&world, Extent::Changes, None).await;
        world.expect_quiet().await;
        world.assert_equal();
    }
}

#[tokio::test]
async fn plan_for_managers_in_a_circle_is_what_is_synced() {
    let world = World::new(Tenant::empty()).await;
    let ids: Vec<String> = ["ada", "bob", "cem"]
        .iter()
        .map(|name| {
            world
                .tenant
                .add_user(json!({"userPrincipalName": format!("{name}@corp.example")}))
        })
        .collect();
    for (report, manager) in [(0, 1), (1, 2), (2, 0)] {
        world.tenant.set_manager(&ids[report], Some(&ids[manager]));
    }
    plan_then_sync(&world, Extent::Changes, None)
        .await
        .expect(Outcome::Converged);
    world.assert_equal();
    world.expect_quiet().await;
}

/// One with reports and memberships, and a whole group, are gone; others drifted; the source moves too.
async fn disturbed() -> World {
    let world = synced().await;
    let (users, groups) = (world.tenant.user_ids(), world.tenant.group_ids());
    let id = |resource: serde_json::Value| resource["id"].as_str().unwrap().to_owned();
    world.workspace.remove_user(&id(world.resource(&users[10])));
    world
        .workspace
        .remove_group(&id(world.group_resource(&groups[1])));
    for user in &users[11..15] {
        let edit = json!({"title": "Pirate", "active": false, "userName": format!("{user}@pirates.example")});
        world.workspace.edit_user(&id(world.resource(user)), edit);
    }
    world
        .workspace
        .edit_group(&id(world.group_resource(&groups[2])), json!({"members": []}));
    world.tenant.mutate(0.2, 3);
    world
}

#[tokio::test]
async fn plan_of_a_full_cycle_that_reports_drift_is_what_is_synced() {
    let world = disturbed().await;
    let done = plan_then_sync(&world, Extent::Full, None).await;
    assert_eq!(done.summary.drift.missing, 2, "{}", done.story());
    world.expect_quiet().await;
}

#[tokio::test]
async fn plan_of_a_full_cycle_that_heals_drift_is_what_is_synced() {
    let mut world = disturbed().await;
    world.job.policy.drift = DriftPolicy::all(Drift::Heal);
    plan_then_sync(&world, Extent::Full, None)
        .await
        .expect(Outcome::Converged);
    world.assert_equal();
    world.expect_quiet().await;
}

#[tokio::test]
async fn plan_of_a_guarded_cycle_is_what_is_synced() {
    let mut world = synced().await;
    world.job.policy = Policy::default();
    let (users, groups) = (world.tenant.user_ids(), world.tenant.group_ids());
    for user in &users[..7] {
        world.tenant.disable_user(user);
    }
    world.tenant.hard_delete_user(&users[8]);
    world.tenant.set_user(&users[1], json!({"jobTitle": "Goes on"}));
    world.tenant.soft_delete_group(&groups[0]);
    plan_then_sync(&world, Extent::Changes, None)
        .await
        .expect(Outcome::Withheld);
    plan_then_sync(&world, Extent::Changes, Some(100))
        .await
        .expect(Outcome::Converged);
    world.assert_equal();
}

#[tokio::test]
async fn plan_of_a_resync_is_what_is_synced() {
    let world = synced().await;
    let user = world.tenant.user_ids()[3].clone();
    let resource = world.resource(&user);
    world.workspace.edit_user(
        resource["id"].as_str().unwrap(),
        json!({"title": "Drifted", "active": false}),
    );
    let extent = Extent::Objects {
        users: vec![user],
        groups: vec![],
    };
    plan_then_sync(&world, extent, None)
        .await
        .expect(Outcome::Converged);
    world.assert_equal();
}

#[tokio::test]
async fn job_that_observes_writes_nothing() {
    let mut world = World::sample(20, 3).await;
    world.job.enforce = false;
    let ran = world.cycle().await;
    ran.expect(Outcome::Planned);
    assert!(!ran.operations.is_empty());
    assert_eq!((world.workspace.writes(), world.workspace.user_count()), (0, 0));
    world.job.enforce = true;
    world.cycle_twice().await;
    world.assert_equal();
}
