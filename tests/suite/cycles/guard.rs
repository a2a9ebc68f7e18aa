//! The guard: what goes over a threshold is held back, all of it, and the rest is applied.

use std::sync::Arc;
use std::time::Duration;

use melonsync::engine::job::Extent;
use melonsync::engine::summary::Outcome;
use melonsync::mapping::Filter;
use melonsync::model::id::ObjectKind;
use melonsync::ports::Durability;
use melonsync::reconcile::operation::Verb;
use melonsync::reconcile::policy::OnRemoval;
use melonsync::reconcile::policy::Policy;
use melonsync::reconcile::policy::Threshold;
use melonsync::reconcile::scope::ScopeRules;
use melonsync::sandbox::Fault;
use melonsync::sandbox::GraphFaults;
use melonsync::sandbox::Tenant;
use melonsync::snapshot::kept_back::Hold;
use melonsync::snapshot::kept_back::HoldCause;
use serde_json::json;

use super::incremental::synced;
use super::kept_back::release;
use super::kept_back::source;
use crate::support::announced::plan_is_announced;
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

/// Reports who are in scope with their managers, and how each has its manager at the target.
fn managers(world: &World, reports: &[String]) -> Vec<serde_json::Value> {
    let extension = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";
    reports
        .iter()
        .map(|id| world.resource(id)[extension]["manager"]["value"].clone())
        .collect()
}

/// Those who have a manager, and that manager.
fn reports(world: &World) -> Vec<(String, String)> {
    let users = world.tenant.user_ids().into_iter();
    users
        .filter_map(|id| {
            let manager = world.tenant.manager(&id)?;
            Some((id, manager))
        })
        .collect()
}

#[tokio::test]
async fn a_wrong_filter_takes_no_managers_along() {
    let mut world = guarded().await;
    let all = reports(&world);
    let bosses: Vec<String> = all.iter().map(|(_, manager)| manager.clone()).collect();
    let mine: Vec<String> = all
        .iter()
        .filter(|(id, _)| !bosses.contains(id))
        .map(|(id, _)| id.clone())
        .take(12)
        .collect();
    assert!(!mine.is_empty());
    for id in &mine {
        world.tenant.set_user(id, json!({"jobTitle": "In"}));
    }
    world.cycle_twice().await;
    let before = managers(&world, &mine);
    assert!(before.iter().all(|manager| !manager.is_null()));
    let filter = Filter::parse(ObjectKind::User, r#"jobTitle EQUALS "In""#).unwrap();
    world.job.scope = Arc::new(ScopeRules {
        user_filter: Some(filter),
        ..ScopeRules::default()
    });
    world.job.fingerprint = "wrong".to_owned();
    for _ in 0..2 {
        let plan = plan_is_announced(&world).await;
        assert_eq!(plan.count(Verb::UpdateUser), 0, "{}", plan.story());
        let ran = world.expect_no_write().await;
        ran.expect(Outcome::Withheld);
        assert_eq!(managers(&world, &mine), before);
    }
    // Let through, they go with their users.
    world
        .run(Extent::Changes, true, Some(1000))
        .await
        .expect(Outcome::Converged);
    world.cycle_twice().await;
    let after = managers(&world, &mine);
    assert!(after.iter().all(serde_json::Value::is_null), "{after:?}");
}

/// A report, and its manager, who is about to leave the scope.
async fn with_a_leaving_manager(on_out_of_scope: OnRemoval) -> (World, String, String) {
    let mut world = guarded().await;
    world.job.policy.on_out_of_scope = on_out_of_scope;
    let filter = Filter::parse(ObjectKind::User, r#"jobTitle NOT EQUALS "Out""#).unwrap();
    world.job.scope = Arc::new(ScopeRules {
        user_filter: Some(filter),
        ..ScopeRules::default()
    });
    world.job.fingerprint = "filtered".to_owned();
    world.cycle_twice().await;
    let (report, manager) = reports(&world).remove(0);
    (world, report, manager)
}

/// Where only `active` is held, the rest of a user goes on.
async fn one_user_is_written_at_most(world: &World) {
    world.workspace.clear_requests();
    world.cycle().await;
    assert!(world.workspace.writes() <= 1, "{:#?}", world.workspace.requests());
}

/// Puts this user on hold, or one attribute of it, or ends that.
fn hold(world: &World, id: &str, attribute: Option<&str>, holds: bool) {
    let now = melonsync::model::clock::Clock::now(&world.clock);
    let id = id.parse().unwrap();
    let mut tx = world.job.snapshot.tx().unwrap();
    let hold = Hold {
        attribute: attribute.map(str::to_owned),
        until: None,
        since: now,
        actor: "test".to_owned(),
        comment: None,
        cause: HoldCause::Hand,
    };
    if holds {
        tx.put_hold(ObjectKind::User, &id, &hold);
    } else {
        tx.delete_hold(ObjectKind::User, &id, attribute);
    }
    tx.commit(Durability::Synced).unwrap();
}

/// The manager of this report at the target, and all groups.
fn referring(world: &World, report: &String) -> (Vec<serde_json::Value>, Vec<serde_json::Value>) {
    (
        managers(world, std::slice::from_ref(report)),
        world.workspace.groups(),
    )
}

#[tokio::test]
async fn a_user_who_is_held_stays_a_manager_and_a_member() {
    let (disable, delete) = (OnRemoval::Disable, OnRemoval::Delete);
    for (attribute, removal) in [(None, disable), (None, delete), (Some("active"), disable)] {
        let (world, report, manager) = with_a_leaving_manager(removal).await;
        let before = referring(&world, &report);
        hold(&world, &manager, attribute, true);
        world.tenant.set_user(&manager, json!({"jobTitle": "Out"}));
        for _ in 0..2 {
            plan_is_announced(&world).await;
            one_user_is_written_at_most(&world).await;
            assert_eq!(referring(&world, &report), before);
        }
        hold(&world, &manager, attribute, false);
        world.cycle_twice().await;
        assert!(managers(&world, &[report])[0].is_null());
        assert_ne!(world.workspace.groups(), before.1);
    }
}

/// Who stays a manager only while they are held is not recorded as one: the source said that there is none.
#[tokio::test]
async fn a_manager_who_was_kept_for_a_while_is_none_when_they_are_back() {
    let (mut world, report, manager) = with_a_leaving_manager(OnRemoval::Disable).await;
    world.job.policy.on_soft_delete = OnRemoval::Disable;
    hold(&world, &manager, None, true);
    world.tenant.set_manager(&report, None);
    world.tenant.soft_delete_user(&manager);
    world.tenant.set_user(&report, json!({"displayName": "Renamed"}));
    world.cycle_twice().await;
    assert!(!managers(&world, std::slice::from_ref(&report))[0].is_null());
    hold(&world, &manager, None, false);
    world.cycle_twice().await;
    assert!(managers(&world, std::slice::from_ref(&report))[0].is_null());
    world.tenant.restore_user(&manager);
    world.cycle_twice().await;
    assert!(managers(&world, &[report])[0].is_null());
    world.assert_equal();
}

/// There is nothing to keep in a group that is made anew.
#[tokio::test]
async fn a_user_who_is_held_does_not_join_a_group_that_is_made_anew() {
    let (mut world, _, manager) = with_a_leaving_manager(OnRemoval::Disable).await;
    world.job.policy.drift.missing = Some(melonsync::mapping::Drift::Heal);
    hold(&world, &manager, None, true);
    world.tenant.set_user(&manager, json!({"jobTitle": "Out"}));
    world.cycle().await;
    for group in world.tenant.group_ids() {
        let held = world.group_resource(&group)["id"].clone();
        assert!(world.workspace.remove_group(held.as_str().unwrap()));
    }
    for apply in [false, true] {
        let ran = world.run(Extent::Full, apply, None).await;
        assert!(ran.count(Verb::CreateGroup) > 0, "{}", ran.story());
        let mut members = ran.operations.iter().flat_map(|operation| &operation.members);
        assert!(
            members.all(|member| member.source != source(&manager)),
            "{}",
            ran.story()
        );
    }
}

#[tokio::test]
async fn a_hold_on_active_holds_no_delete_and_no_membership_of_who_is_deleted() {
    let (world, report, manager) = with_a_leaving_manager(OnRemoval::Delete).await;
    hold(&world, &manager, Some("active"), true);
    world.tenant.set_user(&manager, json!({"jobTitle": "Out"}));
    plan_is_announced(&world).await;
    let ran = world.cycle().await;
    let verbs = [Verb::RemoveMember, Verb::UpdateUser, Verb::DeleteUser].map(|verb| ran.count(verb) > 0);
    assert_eq!(verbs, [true; 3], "{}", ran.story());
    assert_eq!(ran.summary.held, 0, "{}", ran.story());
    assert!(managers(&world, &[report])[0].is_null());
    world.cycle_twice().await;
}

#[tokio::test]
async fn what_lets_a_disable_through_takes_no_membership_of_who_is_deleted() {
    for named in [false, true] {
        let (mut world, report, manager) = with_a_leaving_manager(OnRemoval::Disable).await;
        world.job.policy.deletion_threshold = Threshold::count(0);
        let before = referring(&world, &report);
        world.tenant.set_user(&manager, json!({"jobTitle": "Out"}));
        world.expect_no_write().await.expect(Outcome::Withheld);
        if !named {
            release(&world, |key| key.1 == source(&manager));
        }
        world.tenant.hard_delete_user(&manager);
        for _ in 0..2 {
            let ran = world.cycle().await;
            ran.expect(Outcome::Withheld);
            assert_eq!(referring(&world, &report), before, "{}", ran.story());
        }
        let extent = Extent::Objects {
            users: vec![manager],
            groups: world.tenant.group_ids(),
        };
        let ran = world.run(extent, true, None).await;
        assert_eq!(ran.count(Verb::DeleteUser), 0, "{}", ran.story());
        assert_eq!(referring(&world, &report), before, "{}", ran.story());
    }
}

#[tokio::test]
async fn a_report_that_is_named_keeps_a_manager_whom_the_cycle_does_not_take_away() {
    for removal in [OnRemoval::Disable, OnRemoval::Delete] {
        let (mut world, report, manager) = with_a_leaving_manager(removal).await;
        let before = referring(&world, &report);
        let threshold = std::mem::replace(&mut world.job.policy.deletion_threshold, Threshold::count(0));
        world.tenant.set_user(&manager, json!({"jobTitle": "Out"}));
        world.expect_no_write().await.expect(Outcome::Withheld);
        world.job.policy.deletion_threshold = threshold;
        let extent = Extent::Objects {
            users: vec![report.clone()],
            groups: Vec::new(),
        };
        let ran = world.run(extent, true, None).await;
        assert_eq!(referring(&world, &report), before, "{}", ran.story());
        world.cycle_twice().await;
        assert!(managers(&world, &[report])[0].is_null());
    }
}

/// What the delta says of a manager is contradicted by what answers when the manager is asked for; a quarter of an hour later
/// it agrees.
async fn waits_for_a_second_look(how: &str, deletes: impl Fn(&Tenant, &str)) {
    let (mut world, report, manager) = with_a_leaving_manager(OnRemoval::Delete).await;
    world.job.policy.on_soft_delete = OnRemoval::Delete;
    world.job.policy.on_hard_delete = OnRemoval::Delete;
    let before = (
        managers(&world, std::slice::from_ref(&report)),
        world.workspace.groups(),
    );
    deletes(&world.tenant, &manager);
    // By its id it still answers: a replica that is behind, perhaps.
    world
        .tenant
        .update_faults(|faults| faults.batch_behind = Fault::always());
    for _ in 0..2 {
        plan_is_announced(&world).await;
        world.expect_no_write().await;
        let now = (
            managers(&world, std::slice::from_ref(&report)),
            world.workspace.groups(),
        );
        assert_eq!(now, before, "{how}");
    }
    world.tenant.set_faults(GraphFaults::default());
    world.clock.advance(Duration::from_secs(16 * 60));
    // What refers to the user goes first, in the same cycle.
    let ran = world.cycle().await;
    let verbs = [Verb::RemoveMember, Verb::UpdateUser, Verb::DeleteUser].map(|verb| ran.count(verb) > 0);
    assert_eq!(verbs, [true; 3], "{how}: {}", ran.story());
    assert!(managers(&world, &[report])[0].is_null());
    assert!(world.workspace.users_by_external_id(&manager).is_empty());
    world.cycle_twice().await;
}

#[tokio::test]
async fn a_user_who_waits_for_a_second_look_stays_a_manager_and_a_member() {
    waits_for_a_second_look("soft", Tenant::soft_delete_user).await;
    waits_for_a_second_look("for good", Tenant::hard_delete_user).await;
}

#[tokio::test]
async fn references_to_a_user_whose_delete_is_released_go_before_them() {
    let (mut world, report, manager) = with_a_leaving_manager(OnRemoval::Delete).await;
    world.job.policy.deletion_threshold = Threshold::count(0);
    let before = (
        managers(&world, std::slice::from_ref(&report)),
        world.workspace.groups(),
    );
    world.tenant.set_user(&manager, json!({"jobTitle": "Out"}));
    for _ in 0..2 {
        world.expect_no_write().await.expect(Outcome::Withheld);
        let now = (
            managers(&world, std::slice::from_ref(&report)),
            world.workspace.groups(),
        );
        assert_eq!(now, before);
    }
    let ran = world.run(Extent::Changes, true, Some(1000)).await;
    ran.expect(Outcome::Converged);
    let verbs = [Verb::RemoveMember, Verb::UpdateUser, Verb::DeleteUser].map(|verb| ran.count(verb) > 0);
    assert_eq!(verbs, [true; 3], "{}", ran.story());
    assert!(managers(&world, &[report])[0].is_null());
    world.cycle_twice().await;
}
