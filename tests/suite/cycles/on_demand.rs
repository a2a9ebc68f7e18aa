//! `--full`, `resync`, and mappings that change.

use std::time::Duration;

use melonsync::engine::job::Extent;
use melonsync::engine::summary::Outcome;
use melonsync::mapping::Mapping;
use melonsync::reconcile::operation::Verb;
use melonsync::reconcile::policy::OnRemoval;
use melonsync::sandbox::Fault;
use melonsync::sandbox::GraphFaults;
use serde_json::json;

use super::incremental::synced;
use crate::support::world::World;

#[tokio::test]
async fn full_cycle_that_heals_missing_creates_a_user_and_a_group_again() {
    let mut world = synced().await;
    world.job.policy.drift.missing = Some(melonsync::mapping::Drift::Heal);
    let (user, group) = (
        world.tenant.user_ids()[10].clone(),
        world.tenant.group_ids()[1].clone(),
    );
    let gone = world.resource(&user)["id"].as_str().unwrap().to_owned();
    world.workspace.remove_user(&gone);
    world
        .workspace
        .remove_group(world.group_resource(&group)["id"].as_str().unwrap());
    world.expect_quiet().await;
    let full = world.run(Extent::Full, true, None).await;
    full.expect(Outcome::Converged);
    assert_eq!(full.summary.drift.missing, 2);
    assert_eq!(
        (full.count(Verb::CreateUser), full.count(Verb::CreateGroup)),
        (1, 1)
    );
    world.assert_equal();
    world.expect_quiet().await;
    let again = world.run(Extent::Full, true, None).await;
    again.expect(Outcome::Converged);
    assert!(again.operations.is_empty(), "{:#?}", again.operations);
}

#[tokio::test]
async fn full_cycle_without_drift_writes_nothing() {
    let world = synced().await;
    world.workspace.clear_requests();
    let full = world.run(Extent::Full, true, None).await;
    full.expect(Outcome::Converged);
    assert_eq!(world.workspace.writes(), 0);
    assert!(full.operations.is_empty());
    world.expect_quiet().await;
}

#[tokio::test]
async fn changed_mapping_is_applied_to_everybody_and_links_stay() {
    let mut world = synced().await;
    let text = include_str!("../../../config/mappings/idmelon.toml")
        .replace("\"[jobTitle]\"", "\"ToUpper([jobTitle])\"");
    world.map_by(Mapping::from_toml("other", &text).unwrap_or_else(|problems| panic!("{problems}")));
    let before: Vec<_> = world
        .workspace
        .users()
        .iter()
        .map(|user| user["id"].clone())
        .collect();
    let ran = world.cycle_twice().await;
    assert!(ran.count(Verb::UpdateUser) > 30, "{}", ran.story());
    assert_eq!(ran.count(Verb::CreateUser), 0);
    let after: Vec<_> = world.workspace.users();
    assert_eq!(
        before,
        after.iter().map(|user| user["id"].clone()).collect::<Vec<_>>()
    );
    assert!(
        after
            .iter()
            .all(|user| user["title"].as_str().unwrap().chars().all(|c| !c.is_lowercase()))
    );
}

#[tokio::test]
async fn row_taken_out_of_the_mapping_leaves_the_value_alone() {
    let mut world = synced().await;
    let text = include_str!("../../../config/mappings/idmelon.toml")
        .replace("[[user]]\ntarget   = \"title\"\nsource   = \"[jobTitle]\"\n", "");
    world.map_by(Mapping::from_toml("other", &text).unwrap_or_else(|problems| panic!("{problems}")));
    world.workspace.clear_requests();
    world.cycle().await.expect(Outcome::Converged);
    assert_eq!(world.workspace.writes(), 0);
    world.assert_equal();
}

#[tokio::test]
async fn mapping_that_needs_a_new_property_reads_the_source_afresh() {
    let mut world = synced().await;
    let text = include_str!("../../../config/mappings/idmelon.toml").to_owned()
        + "\n[[user]]\ntarget = \"nickName\"\nsource = \"[companyName]\"\n";
    world.map_by(Mapping::from_toml("other", &text).unwrap_or_else(|problems| panic!("{problems}")));
    let ran = world.cycle_twice().await;
    assert_eq!(ran.count(Verb::UpdateUser), 40, "{}", ran.story());
    assert!(
        world
            .workspace
            .users()
            .iter()
            .all(|user| user["nickName"] == "Corp Example")
    );
}

#[tokio::test]
async fn resync_of_one_user_repairs_it_and_leaves_the_others_as_they_are() {
    let world = synced().await;
    let users = world.tenant.user_ids();
    let (mine, other) = (world.resource(&users[3]), world.resource(&users[4]));
    world
        .workspace
        .edit_user(mine["id"].as_str().unwrap(), json!({"title": "Pirate"}));
    world
        .workspace
        .edit_user(other["id"].as_str().unwrap(), json!({"title": "Pirate"}));
    world.tenant.set_user(&users[5], json!({"jobTitle": "Waiting"}));
    let name = world.tenant.user(&users[3]).unwrap()["userPrincipalName"]
        .as_str()
        .unwrap()
        .to_uppercase();
    let extent = Extent::Objects {
        users: vec![name],
        groups: vec![],
    };
    let ran = world.run(extent, true, None).await;
    ran.expect(Outcome::Converged);
    assert_eq!(ran.operations.len(), 1, "{:#?}", ran.operations);
    assert_eq!(world.resource(&users[3])["title"], mine["title"]);
    assert_eq!(world.resource(&users[4])["title"], "Pirate");
    assert_ne!(
        world.resource(&users[5])["title"],
        "Waiting",
        "the others' work waits for its own cycle"
    );
    world.cycle().await.expect(Outcome::Converged);
    assert_eq!(world.resource(&users[5])["title"], "Waiting");
    world.expect_quiet().await;
}

#[tokio::test]
async fn resync_of_one_group_repairs_its_members() {
    let world = synced().await;
    let group = world.tenant.group_ids()[2].clone();
    let resource = world.group_resource(&group);
    let outsider = world.resource(&world.tenant.user_ids()[0])["id"].clone();
    let mut members: Vec<_> = resource["members"].as_array().unwrap()[1..].to_vec();
    members.push(json!({"value": outsider}));
    world.workspace.edit_group(
        resource["id"].as_str().unwrap(),
        json!({"members": members, "displayName": "Drifted"}),
    );
    let extent = Extent::Objects {
        users: vec![],
        groups: vec![group],
    };
    world.run(extent, true, None).await.expect(Outcome::Converged);
    world.assert_equal();
    world.expect_quiet().await;
}

#[tokio::test]
async fn resync_of_a_user_whose_resource_is_gone_creates_it_again() {
    let world = synced().await;
    let user = world.tenant.user_ids()[7].clone();
    world
        .workspace
        .remove_user(world.resource(&user)["id"].as_str().unwrap());
    let extent = Extent::Objects {
        users: vec![user],
        groups: vec![],
    };
    let ran = world.run(extent, true, None).await;
    assert!(ran.error.is_none(), "{}", ran.story());
    world.cycle().await.expect(Outcome::Converged);
    world.assert_equal();
    world.expect_quiet().await;
}

fn named(user: &str) -> Extent {
    Extent::Objects {
        users: vec![user.to_owned()],
        groups: vec![],
    }
}

#[tokio::test]
async fn resync_of_a_user_in_the_bin_disables_it_before_the_delta_query_brings_that() {
    let world = synced().await;
    let user = world.tenant.user_ids()[7].clone();
    world
        .tenant
        .update_faults(|faults| faults.replication_delay = Fault::always());
    world.tenant.soft_delete_user(&user);
    let ran = world.run(named(&user), true, None).await;
    assert_eq!(ran.count(Verb::DisableUser), 1, "{}", ran.story());
    assert_eq!(world.resource(&user)["active"], false);
    world.tenant.set_faults(GraphFaults::default());
    world.cycle_twice().await;
    assert_eq!(world.resource(&user)["active"], false);
    world.assert_equal();
}

/// A user who was restored, while a replica that is behind says that it is still among the deleted items.
async fn restored_but_for_a_replica() -> (World, String) {
    let world = synced().await;
    let user = world.tenant.user_ids()[7].clone();
    world.tenant.soft_delete_user(&user);
    world.cycle_twice().await;
    world.tenant.restore_user(&user);
    world.cycle_twice().await;
    assert_eq!(world.resource(&user)["active"], true);
    world
        .tenant
        .update_faults(|faults| faults.batch_behind = Fault::always());
    (world, user)
}

const LATER: Duration = Duration::from_secs(16 * 60);

#[tokio::test]
async fn a_named_user_whom_a_replica_wrongly_said_to_be_in_the_bin_is_enabled_again() {
    let (world, user) = restored_but_for_a_replica().await;
    // What only looks leaves it as it was.
    let plan = world.run(named(&user), false, None).await;
    assert_eq!(plan.summary.operation(Verb::DisableUser), 1, "{}", plan.story());
    world.expect_no_write().await;
    world.run(named(&user), true, None).await;
    assert_eq!(world.resource(&user)["active"], false);
    world.cycle().await;
    world.expect_no_write().await;
    world.tenant.set_faults(GraphFaults::default());
    world.clock.advance(LATER);
    world.cycle_twice().await;
    assert_eq!(world.resource(&user)["active"], true);
    world.assert_equal();
}

#[tokio::test]
async fn a_named_user_in_the_bin_is_deleted_only_after_a_second_look() {
    let (mut world, user) = restored_but_for_a_replica().await;
    world.job.policy.on_soft_delete = OnRemoval::Delete;
    world.workspace.clear_requests();
    let ran = world.run(named(&user), true, None).await;
    assert!(ran.operations.is_empty(), "{}", ran.story());
    assert_eq!(ran.summary.pending.len(), 1, "{}", ran.story());
    world.expect_no_write().await;
    world.clock.advance(LATER);
    let ran = world.cycle().await;
    assert_eq!(ran.count(Verb::DeleteUser), 1, "{}", ran.story());
    assert!(world.workspace.users_by_external_id(&user).is_empty());
}

#[tokio::test]
async fn resync_of_nobody_says_so() {
    let world = synced().await;
    let extent = Extent::Objects {
        users: vec!["nobody@corp.example".to_owned()],
        groups: vec![],
    };
    let ran = world.run(extent, true, None).await;
    let error = ran.error.expect("nobody is no user");
    assert!(error.to_string().contains("nobody@corp.example"), "{error}");
}

#[tokio::test]
async fn resync_of_all_and_restart_write_nothing_where_nothing_changed() {
    let world = synced().await;
    for extent in [Extent::All, Extent::Restart] {
        world.workspace.clear_requests();
        let ran = world.run(extent, true, None).await;
        ran.expect(Outcome::Converged);
        assert_eq!(world.workspace.writes(), 0);
        world.expect_quiet().await;
    }
    world.tenant.mutate(0.3, 5);
    world
        .run(Extent::Restart, true, Some(100))
        .await
        .expect(Outcome::Converged);
    // Of whoever was deleted for good a new round does not tell: absence counts when it is seen again.
    world.clock.advance(std::time::Duration::from_secs(15 * 60));
    world
        .run(Extent::Changes, true, Some(100))
        .await
        .expect(Outcome::Converged);
    world.assert_equal();
}
