//! A linked resource that is found gone is gone in the snapshot, whatever found it: the next thing that wants it there
//! creates it.

use std::time::Duration;

use melonsync::engine::job::Extent;
use melonsync::engine::summary::Outcome;
use melonsync::mapping::Drift;
use melonsync::model::id::ObjectKind;
use melonsync::reconcile::drift_policy::DriftPolicy;
use melonsync::reconcile::operation::Verb;
use melonsync::snapshot::read::Reads;
use serde_json::Value;
use serde_json::json;

use super::incremental::synced;
use crate::support::announced::plan_is_announced;
use crate::support::world::World;

fn target_id(resource: &Value) -> String {
    resource["id"].as_str().unwrap().to_owned()
}

fn lose_user(world: &World, id: &str) {
    world.workspace.remove_user(&target_id(&world.resource(id)));
}

fn is_linked(world: &World, kind: ObjectKind, id: &str) -> bool {
    let record = world.job.snapshot.record(kind, &id.parse().unwrap()).unwrap();
    record.unwrap().link.is_some()
}

/// The way back in, for whoever was found gone on the way out.
#[tokio::test]
async fn whoever_was_found_gone_when_disabled_is_created_when_enabled() {
    type Takes = fn(&World, &str);
    let ways: [(&str, Takes, Takes); 2] = [
        (
            "disabled",
            |world, id| world.tenant.disable_user(id),
            |world, id| world.tenant.enable_user(id),
        ),
        (
            "deleted",
            |world, id| world.tenant.soft_delete_user(id),
            |world, id| world.tenant.restore_user(id),
        ),
    ];
    for (name, leave, come) in ways {
        let world = synced().await;
        let user = world.tenant.user_ids()[2].clone();
        lose_user(&world, &user);
        leave(&world, &user);
        world.cycle().await.expect(Outcome::Converged);
        world.expect_quiet().await;
        come(&world, &user);
        let plan = plan_is_announced(&world).await;
        assert_eq!(plan.count(Verb::CreateUser), 1, "{name}: {}", plan.story());
        world.cycle_twice().await;
        world.assert_equal();
    }
}

#[tokio::test]
async fn whoever_is_gone_and_cannot_be_created_at_once_is_created_later() {
    let world = synced().await;
    let user = world.tenant.user_ids()[2].clone();
    lose_user(&world, &user);
    world.tenant.set_user(&user, json!({"jobTitle": "Captain"}));
    let name = world.tenant.user(&user).unwrap()["userPrincipalName"].clone();
    world
        .workspace
        .update_faults(|faults| faults.refuse_user_names = vec![name.as_str().unwrap().to_owned()]);
    world.cycle().await.expect(Outcome::Partial);
    assert!(!is_linked(&world, ObjectKind::User, &user), "it is gone");
    world.workspace.set_faults(Default::default());
    world.clock.advance(Duration::from_secs(3600));
    let plan = plan_is_announced(&world).await;
    assert_eq!(plan.count(Verb::CreateUser), 1, "{}", plan.story());
    world.cycle_twice().await;
    world.assert_equal();
}

/// A group that is gone takes what was sent into it along.
#[tokio::test]
async fn group_found_gone_when_it_is_renamed_is_made_anew_with_its_members() {
    let world = synced().await;
    let group = world.tenant.group_ids()[1].clone();
    world
        .workspace
        .remove_group(&target_id(&world.group_resource(&group)));
    world.tenant.set_group(&group, json!({"displayName": "Renamed"}));
    world.cycle_twice().await;
    world.assert_equal();
}

/// `drift.missing` is about what a reading found while the source did not move: then it is only reported. Once the source
/// wants something of it, there is nothing to change, and it is created.
#[tokio::test]
async fn what_a_full_cycle_only_reported_is_created_once_the_source_moves() {
    let world = synced().await;
    let users = world.tenant.user_ids();
    lose_user(&world, &users[2]);
    lose_user(&world, &users[3]);
    let full = world.run(Extent::Full, true, None).await;
    full.expect(Outcome::Converged);
    assert_eq!((full.summary.drift.missing, full.count(Verb::CreateUser)), (2, 0));
    world.tenant.set_user(&users[2], json!({"jobTitle": "Captain"}));
    let plan = plan_is_announced(&world).await;
    assert_eq!(
        (plan.count(Verb::CreateUser), plan.count(Verb::UpdateUser)),
        (1, 0),
        "{}",
        plan.story()
    );
    let ran = world.cycle().await;
    ran.expect(Outcome::Converged);
    assert_eq!(ran.count(Verb::CreateUser), 1, "{}", ran.story());
    let again = world.run(Extent::Full, true, None).await;
    assert_eq!(again.summary.drift.missing, 1, "{}", again.story());
    // Back by itself: then it is there, and is written to.
    let held = world.workspace.users_by_external_id(&users[3]);
    assert!(held.is_empty());
}

/// Promise 6: a full plan under a healing policy leaves the next incremental cycle as it was.
#[tokio::test]
async fn looking_for_drift_makes_no_later_cycle_put_it_right() {
    let mut world = synced().await;
    world.job.policy.drift = DriftPolicy::all(Drift::Heal);
    let (users, groups) = (world.tenant.user_ids(), world.tenant.group_ids());
    lose_user(&world, &users[2]);
    world
        .workspace
        .remove_group(&target_id(&world.group_resource(&groups[1])));
    world
        .workspace
        .edit_user(&target_id(&world.resource(&users[3])), json!({"title": "Pirate"}));
    world.workspace.edit_group(
        &target_id(&world.group_resource(&groups[2])),
        json!({"displayName": "Pirates"}),
    );
    for extent in [Extent::Full, Extent::Drift { heal: false }, Extent::Full] {
        world.run(extent, false, None).await;
        plan_is_announced(&world).await;
    }
    world.workspace.clear_requests();
    let ran = world.cycle().await;
    ran.expect(Outcome::Converged);
    assert_eq!(ran.operations, [], "{}", ran.story());
    assert_eq!(world.workspace.writes(), 0);
    let full = world.run(Extent::Full, true, None).await;
    full.expect(Outcome::Converged);
    world.assert_equal();
}
