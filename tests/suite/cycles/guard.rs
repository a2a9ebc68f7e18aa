//! The guard: what goes over a threshold is held back, all of it, and the rest is applied.

use std::sync::Arc;
use std::time::Duration;

use melonsync::engine::job::Extent;
use melonsync::engine::summary::Outcome;
use melonsync::mapping::filter::Filter;
use melonsync::model::id::ObjectKind;
use melonsync::reconcile::operation::Verb;
use melonsync::reconcile::policy::Policy;
use melonsync::reconcile::policy::Threshold;
use melonsync::reconcile::scope::ScopeRules;
use melonsync::sandbox::Tenant;
use serde_json::json;

use super::incremental::synced;
use crate::support::world::World;

/// Forty users and five groups at the target, with the thresholds that everybody starts with: five removals.
async fn guarded() -> World {
    let mut world = synced().await;
    world.job.policy = Policy::default();
    world
}

fn active(world: &World) -> usize {
    let users = world.workspace.users();
    users.iter().filter(|user| user["active"] == true).count()
}

#[tokio::test]
async fn disables_over_the_threshold_are_withheld_and_the_rest_is_applied() {
    let world = guarded().await;
    let users = world.tenant.user_ids();
    for user in &users[..6] {
        world.tenant.disable_user(user);
    }
    world.tenant.set_user(&users[0], json!({"jobTitle": "Goes on"}));
    world.tenant.set_user(&users[20], json!({"jobTitle": "Goes on"}));
    let newcomer = world
        .tenant
        .add_user(json!({"userPrincipalName": "new@corp.example"}));
    let ran = world.cycle().await;
    ran.expect(Outcome::Withheld);
    assert_eq!(ran.summary.withheld.count, 6, "{}", ran.story());
    assert_eq!(ran.count(Verb::DisableUser), 0);
    assert_eq!(active(&world), 41);
    assert_eq!(world.resource(&users[0])["title"], "Goes on");
    assert_eq!(world.resource(&users[20])["title"], "Goes on");
    world.resource(&newcomer);
    // Pending and counted until it is released.
    let again = world.expect_no_write().await;
    again.expect(Outcome::Withheld);
    assert_eq!(again.summary.withheld.count, 6);
    let too_few = world.run(Extent::Changes, true, Some(5)).await;
    too_few.expect(Outcome::Withheld);
    assert_eq!(active(&world), 41);
    world
        .run(Extent::Changes, true, Some(6))
        .await
        .expect(Outcome::Converged);
    assert_eq!(active(&world), 35);
    world.assert_equal();
    world.expect_quiet().await;
}

#[tokio::test]
async fn withheld_disables_are_forgotten_when_the_source_no_longer_asks_for_them() {
    let world = guarded().await;
    let users = world.tenant.user_ids();
    for user in &users[..6] {
        world.tenant.disable_user(user);
    }
    world.cycle().await.expect(Outcome::Withheld);
    for user in &users[..3] {
        world.tenant.enable_user(user);
    }
    world.cycle().await.expect(Outcome::Converged);
    assert_eq!(active(&world), 37);
    world.assert_equal();
}

#[tokio::test]
async fn removals_within_the_window_count_together() {
    let world = guarded().await;
    let users = world.tenant.user_ids();
    for user in &users[..4] {
        world.tenant.disable_user(user);
    }
    world.cycle().await.expect(Outcome::Converged);
    for user in &users[4..6] {
        world.tenant.disable_user(user);
    }
    world.clock.advance(Duration::from_secs(3600));
    world.cycle().await.expect(Outcome::Withheld);
    assert_eq!(active(&world), 36);
    world.clock.advance(Duration::from_secs(24 * 3600));
    world.cycle().await.expect(Outcome::Converged);
    assert_eq!(active(&world), 34);
    world.assert_equal();
}

#[tokio::test]
async fn source_with_fewer_than_half_of_the_linked_users_removes_nobody() {
    let mut world = guarded().await;
    world.job.policy.deletion_threshold = Threshold::count(1000);
    world.job.policy.membership_removal_threshold = Threshold::count(1000);
    for user in &world.tenant.user_ids()[..21] {
        world.tenant.hard_delete_user(user);
    }
    let ran = world.cycle().await;
    ran.expect(Outcome::Withheld);
    assert_eq!(world.workspace.user_count(), 40);
    let members: usize = world
        .workspace
        .groups()
        .iter()
        .map(|group| group["members"].as_array().map_or(0, Vec::len))
        .sum();
    assert_eq!(
        members, 40,
        "members that go with their users are withheld with them"
    );
    world
        .run(Extent::Changes, true, Some(21))
        .await
        .expect(Outcome::Converged);
    world.assert_equal();
    world.expect_quiet().await;
}

#[tokio::test]
async fn soft_and_hard_deletes_are_counted_like_disables() {
    let world = guarded().await;
    let users = world.tenant.user_ids();
    for user in &users[..2] {
        world.tenant.disable_user(user);
    }
    for user in &users[2..4] {
        world.tenant.soft_delete_user(user);
    }
    for user in &users[4..6] {
        world.tenant.hard_delete_user(user);
    }
    let ran = world.cycle().await;
    ran.expect(Outcome::Withheld);
    assert_eq!((active(&world), world.workspace.user_count()), (40, 40));
    world
        .run(Extent::Changes, true, Some(100))
        .await
        .expect(Outcome::Converged);
    assert_eq!((active(&world), world.workspace.user_count()), (34, 38));
    world.assert_equal();
    world.expect_quiet().await;
}

#[tokio::test]
async fn group_deletes_have_a_threshold_of_their_own() {
    let mut world = guarded().await;
    world.job.policy.groups.deletion_threshold = Threshold::count(1);
    let groups = world.tenant.group_ids();
    world.tenant.soft_delete_group(&groups[0]);
    world.tenant.soft_delete_group(&groups[1]);
    world.tenant.disable_user(&world.tenant.user_ids()[0]);
    let ran = world.cycle().await;
    ran.expect(Outcome::Withheld);
    assert_eq!(world.workspace.group_count(), 5);
    assert_eq!(active(&world), 39, "users are not held back with groups");
    world
        .run(Extent::Changes, true, Some(2))
        .await
        .expect(Outcome::Converged);
    assert_eq!(world.workspace.group_count(), 3);
    world.assert_equal();
    world.expect_quiet().await;
}

#[tokio::test]
async fn group_that_would_lose_most_of_its_members_keeps_them() {
    let mut world = guarded().await;
    let group = world.tenant.group_ids()[0].clone();
    for user in &world.tenant.user_ids() {
        world.tenant.add_member(&group, user);
    }
    world.cycle().await.expect(Outcome::Converged);
    for user in &world.tenant.user_ids()[..21] {
        world.tenant.remove_member(&group, user);
    }
    let newcomer = world
        .tenant
        .add_user(json!({"userPrincipalName": "new@corp.example"}));
    world.tenant.add_member(&group, &newcomer);
    let ran = world.cycle().await;
    ran.expect(Outcome::Withheld);
    assert_eq!(ran.summary.withheld.count, 21, "{}", ran.story());
    assert_eq!(
        world.group_resource(&group)["members"].as_array().unwrap().len(),
        41,
        "additions go on"
    );
    let again = world.expect_no_write().await;
    assert_eq!(again.summary.withheld.count, 21, "{}", again.story());
    world
        .run(Extent::Changes, true, Some(21))
        .await
        .expect(Outcome::Converged);
    world.assert_equal();
    world.expect_quiet().await;
    world.job.policy.membership_removal_threshold = Threshold::count(0);
    world.tenant.remove_member(&group, &newcomer);
    world.cycle().await.expect(Outcome::Withheld);
}

/// No two of its numbers are one: a hundred users are alive, fifty in scope, forty linked.
async fn uneven() -> (World, Vec<String>) {
    let mut world = World::new(Tenant::empty()).await;
    let filter = r#"department EQUALS "IT""#;
    world.job.scope = Arc::new(ScopeRules {
        user_filter: Some(Filter::parse(ObjectKind::User, filter).unwrap()),
        ..ScopeRules::default()
    });
    let mut linked = Vec::new();
    for n in 0..100 {
        let id = world.tenant.add_user(json!({
            "userPrincipalName": format!("u{n:03}@corp.example"), "accountEnabled": n >= 10,
            "department": if n < 50 { "IT" } else { "HR" },
        }));
        if (10..50).contains(&n) {
            linked.push(id);
        }
    }
    world.cycle().await.expect(Outcome::Converged);
    assert_eq!(world.workspace.user_count(), 40);
    // What the first cycle created is out of the window.
    world.clock.advance(Duration::from_secs(25 * 3_600));
    (world, linked)
}

#[tokio::test]
async fn share_is_one_of_what_is_linked_and_of_nothing_else() {
    let share = Threshold {
        count: None,
        percent: Some(20.0),
    };
    // A fifth of what is linked is 8, of what is in scope 10, of all 20.
    for (what, change) in [
        ("removals", Verb::DisableUser),
        ("identities", Verb::UpdateUser),
        ("creates", Verb::CreateUser),
    ] {
        for (count, passes) in [(8, true), (9, false)] {
            let (mut world, linked) = uneven().await;
            world.job.policy.deletion_threshold = share;
            world.job.policy.identity_change_threshold = share;
            world.job.policy.creation_threshold = Some(share);
            for (n, id) in linked.iter().enumerate().take(count) {
                match change {
                    Verb::DisableUser => world.tenant.disable_user(id),
                    Verb::UpdateUser => {
                        let name = format!("renamed{n}@corp.example");
                        world.tenant.set_user(id, json!({"userPrincipalName": name}));
                    }
                    _ => {
                        let name = format!("new{n}@corp.example");
                        let user = json!({"userPrincipalName": name, "department": "IT"});
                        world.tenant.add_user(user);
                    }
                }
            }
            let ran = world.cycle().await;
            ran.expect(if passes {
                Outcome::Converged
            } else {
                Outcome::Withheld
            });
            let (done, back) = if passes { (count, 0) } else { (0, count) };
            assert_eq!(
                (ran.count(change), ran.summary.withheld.count),
                (done as u64, back as u64),
                "{what}, {count}: {}",
                ran.story()
            );
        }
    }
}
