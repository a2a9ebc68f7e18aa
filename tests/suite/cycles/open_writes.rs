//! Writes that were carried out and never answered, where the source goes back on its change before the next cycle: the
//! target must not keep what nobody wants any more.

use std::time::Duration;

use melonsync::engine::summary::Outcome;
use melonsync::model::clock::Stopwatch;
use melonsync::reconcile::policy::GroupRemoval;
use melonsync::sandbox::Fault;
use serde_json::json;

use super::incremental::synced;
use crate::support::world::World;

/// Runs a cycle in which every write is carried out and no answer comes back.
async fn unanswered(world: &mut World) {
    world.retry.budget = Duration::from_millis(40);
    world.restart();
    world
        .workspace
        .update_faults(|faults| faults.drop_after = Fault::always());
    world.cycle().await;
    world.workspace.set_faults(Default::default());
    world.clock.advance(world.request_timeout);
}

async fn converges(world: &World) {
    let ran = world.cycle().await;
    ran.expect(Outcome::Converged);
    world.expect_quiet().await;
    world.assert_equal();
}

#[tokio::test]
async fn disable_without_an_answer_is_taken_back_when_the_user_is_enabled_again() {
    let mut world = synced().await;
    let user = world.tenant.user_ids()[2].clone();
    world.tenant.set_user(&user, json!({"accountEnabled": false}));
    unanswered(&mut world).await;
    assert_eq!(world.resource(&user)["active"], false, "it was carried out");
    world.tenant.set_user(&user, json!({"accountEnabled": true}));
    converges(&world).await;
    assert_eq!(world.resource(&user)["active"], true);
}

#[tokio::test]
async fn value_without_an_answer_is_cleared_when_the_source_clears_it() {
    let mut world = synced().await;
    let user = world.tenant.user_ids()[2].clone();
    world.tenant.set_user(&user, json!({"jobTitle": null}));
    converges(&world).await;
    world.tenant.set_user(&user, json!({"jobTitle": "Interim"}));
    unanswered(&mut world).await;
    assert_eq!(world.resource(&user)["title"], "Interim", "it was carried out");
    world.tenant.set_user(&user, json!({"jobTitle": null}));
    converges(&world).await;
}

#[tokio::test]
async fn members_without_an_answer_are_as_the_source_has_them() {
    let mut world = synced().await;
    let (users, group) = (world.tenant.user_ids(), world.tenant.group_ids()[0].clone());
    let member = users[1].clone();
    for joins in [false, true, false] {
        let change = |world: &World, joins: bool| {
            if joins {
                world.tenant.add_member(&group, &member);
            } else {
                world.tenant.remove_member(&group, &member);
            }
        };
        change(&world, !joins);
        converges(&world).await;
        change(&world, joins);
        unanswered(&mut world).await;
        change(&world, !joins);
        converges(&world).await;
    }
}

#[tokio::test]
async fn adoption_without_an_answer_is_found_when_the_user_has_left_meanwhile() {
    let mut world = synced().await;
    let held = world
        .workspace
        .insert_user(json!({"userName": "local@corp.example", "active": true}));
    let user = world
        .tenant
        .add_user(json!({"userPrincipalName": "local@corp.example", "displayName": "Local"}));
    unanswered(&mut world).await;
    assert_eq!(world.resource(&user)["id"], held.as_str(), "it was carried out");
    world.tenant.soft_delete_user(&user);
    world.cycle().await.expect(Outcome::Converged);
    world.expect_quiet().await;
    assert_eq!(world.resource(&user)["active"], false);
}

/// The resource bears the newcomer's id already: it is no longer the leaver's, who would have it disabled.
#[tokio::test]
async fn rehire_without_an_answer_leaves_the_leaver_no_resource() {
    let mut world = synced().await;
    world.job.policy.rehire_by = Some("employeeId".to_owned());
    let leaver = world.tenant.user_ids()[3].clone();
    world.tenant.set_user(&leaver, json!({"employeeId": "E-17"}));
    converges(&world).await;
    let held = world.resource(&leaver)["id"].clone();
    let newcomer = |name: &str| json!({"userPrincipalName": name, "displayName": name, "employeeId": "E-17"});
    let back = world.tenant.add_user(newcomer("back@corp.example"));
    world.tenant.soft_delete_user(&leaver);
    unanswered(&mut world).await;
    assert_eq!(world.resource(&back)["id"], held, "it was carried out");
    // With two of them nobody would take it over any more.
    world.tenant.add_user(newcomer("second@corp.example"));
    converges(&world).await;
    assert_eq!(world.resource(&back)["id"], held);
    assert_eq!(world.resource(&back)["active"], true);
}

#[tokio::test]
async fn user_deleted_for_good_while_the_tokens_were_lost_is_asked_for_and_deleted() {
    let world = synced().await;
    let user = world.tenant.user_ids()[2].clone();
    world.tenant.soft_delete_user(&user);
    world.cycle_twice().await;
    assert_eq!(world.resource(&user)["active"], false);
    world.tenant.hard_delete_user(&user);
    world.tenant.forget_tokens();
    world.cycle().await.expect(Outcome::Converged);
    assert_eq!(world.workspace.users_by_external_id(&user).len(), 1);
    // That it was purged only absence tells: that counts when it is seen again.
    world.clock.advance(Duration::from_secs(15 * 60));
    world.cycle().await.expect(Outcome::Converged);
    world.expect_quiet().await;
    assert!(world.workspace.users_by_external_id(&user).is_empty());
}

/// The replica that answers is behind, and after the new round no page tells of the purge; nor does a plan's look settle it.
#[tokio::test]
async fn purge_that_a_replica_does_not_show_yet_is_asked_for_again() {
    for plans in [false, true] {
        let world = synced().await;
        let user = world.tenant.user_ids()[2].clone();
        world.tenant.soft_delete_user(&user);
        world.cycle_twice().await;
        world.tenant.hard_delete_user(&user);
        world.tenant.forget_tokens();
        let behind = |fault: Fault| {
            world
                .tenant
                .update_faults(|faults| faults.batch_behind = fault.clone());
        };
        behind(Fault::always());
        if plans {
            world.plan().await.expect(Outcome::Planned);
        } else {
            world.cycle().await.expect(Outcome::Converged);
        }
        behind(Fault::default());
        for _ in 0..3 {
            world.clock.advance(Duration::from_secs(15 * 60));
            world.cycle().await.expect(Outcome::Converged);
        }
        world.expect_quiet().await;
        assert!(world.workspace.users_by_external_id(&user).is_empty(), "{plans}");
    }
}

/// What was sent into the resource that is gone is forgotten with it.
#[tokio::test]
async fn group_deleted_without_an_answer_has_its_members_again_when_it_comes_back() {
    let mut world = synced().await;
    world.job.policy.groups.delete_after = Duration::ZERO;
    world.job.policy.groups.on_delete = GroupRemoval::Delete;
    let group = world.tenant.group_ids()[0].clone();
    world.tenant.soft_delete_group(&group);
    // Nor can it be asked for at once.
    world
        .workspace
        .update_faults(|faults| faults.html_success = Fault::always().only("GET"));
    unanswered(&mut world).await;
    assert!(
        world.workspace.groups_by_external_id(&group).is_empty(),
        "it was carried out"
    );
    let ran = world.cycle().await;
    ran.expect(Outcome::Converged);
    assert_eq!(ran.summary.target.requests, 1, "it is read back: {}", ran.story());
    world.tenant.restore_group(&group);
    converges(&world).await;
}

/// How long a cycle took on the machine's own clock, which is what requests without an answer are waited for by.
async fn timed(world: &World) -> Duration {
    let watch = Stopwatch::start();
    world.cycle().await;
    watch.elapsed()
}

#[tokio::test]
async fn answered_requests_are_not_waited_for() {
    let mut world = synced().await;
    world.retry.budget = Duration::from_millis(40);
    world.restart();
    let users = world.tenant.user_ids();
    for (name, method, after) in [
        ("500", "PATCH", false),
        ("500, carried out", "PATCH", true),
        ("500", "POST", true),
    ] {
        world
            .tenant
            .set_user(&users[1], json!({"jobTitle": format!("{name} {after}")}));
        world.tenant.disable_user(&users[2]);
        if method == "POST" {
            world
                .tenant
                .add_user(json!({"userPrincipalName": "new@corp.example", "displayName": "New"}));
        }
        world.workspace.update_faults(|faults| match after {
            true => faults.server_error_after = Fault::always().only(method),
            false => faults.server_error = Fault::always().only(method),
        });
        world.cycle().await;
        world.workspace.set_faults(Default::default());
        let took = timed(&world).await;
        assert!(took < world.request_timeout / 4, "{name} {method}: {took:?}");
        world.clock.advance(Duration::from_secs(24 * 3600));
        world.cycle().await.expect(Outcome::Converged);
        world.assert_equal();
        world.tenant.enable_user(&users[2]);
        world.cycle().await.expect(Outcome::Converged);
    }
}

#[tokio::test]
async fn nobodys_disable_waits_for_another_objects_request() {
    let mut world = synced().await;
    world.request_timeout = Duration::from_secs(6);
    world.retry.budget = Duration::from_millis(40);
    world.restart();
    let users = world.tenant.user_ids();
    world.tenant.set_user(&users[1], json!({"jobTitle": "Open"}));
    world
        .workspace
        .update_faults(|faults| faults.drop_after = Fault::always());
    world.cycle().await;
    world.workspace.set_faults(Default::default());
    world.tenant.disable_user(&users[2]);
    let watch = Stopwatch::start();
    let disabled = async {
        while world.resource(&users[2])["active"] == true {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        watch.elapsed()
    };
    let (ran, disabled) = tokio::join!(world.cycle(), disabled);
    assert!(
        disabled < Duration::from_secs(3),
        "{disabled:?} of {:?}",
        watch.elapsed()
    );
    assert!(
        watch.elapsed() >= Duration::from_secs(5),
        "the open write was waited for"
    );
    ran.expect(Outcome::Converged);
    world.expect_quiet().await;
    world.assert_equal();
}
