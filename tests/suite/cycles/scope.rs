//! Scope: filters, guests and memberships, end to end. Who falls out is disabled and keeps its link; who comes back
//! is as before.

use std::sync::Arc;

use melonsync::engine::summary::Outcome;
use melonsync::mapping::Filter;
use melonsync::model::id::ObjectKind;
use melonsync::model::id::SourceId;
use melonsync::reconcile::explain::omission::Omission;
use melonsync::reconcile::operation::Verb;
use melonsync::reconcile::policy::GroupRemoval;
use melonsync::reconcile::policy::OnRemoval;
use melonsync::reconcile::policy::Threshold;
use melonsync::reconcile::scope::Guests;
use melonsync::reconcile::scope::ScopeRules;
use melonsync::sandbox::SampleOptions;
use melonsync::sandbox::Tenant;
use melonsync::snapshot::kv::memory::LastCommit;
use serde_json::Value;
use serde_json::json;

use super::synced;
use crate::support::world::Ran;
use crate::support::world::World;

/// Another scope; its fingerprint is another, too.
fn scope(world: &mut World, rules: ScopeRules) {
    world.job.fingerprint = rules.canonical();
    world.job.scope = Arc::new(rules);
}

fn users(filter: &str) -> ScopeRules {
    ScopeRules {
        user_filter: Some(Filter::parse(ObjectKind::User, filter).unwrap()),
        ..ScopeRules::default()
    }
}

/// Ten users, in one group of all and one of the first two; the first user is everybody's manager.
async fn small() -> World {
    let tenant = Tenant::sample_with(SampleOptions {
        users: 10,
        groups: 0,
        plain: true,
        ..SampleOptions::default()
    });
    let ids = tenant.user_ids();
    for (name, count) in [("all", 10), ("pilot", 2)] {
        let group = tenant.add_group(json!({"displayName": name}));
        for id in &ids[..count] {
            tenant.add_member(&group, id);
        }
    }
    for id in &ids {
        tenant.set_user(id, json!({"department": "Sales"}));
    }
    let mut world = World::new(tenant).await;
    world.job.policy.deletion_threshold = Threshold::count(1000);
    world.job.policy.groups.deletion_threshold = Threshold::count(1000);
    world.job.policy.membership_removal_threshold = Threshold::count(1000);
    world
}

fn group(world: &World, name: &str) -> String {
    let groups = world.tenant.group_ids();
    let found = groups
        .into_iter()
        .find(|id| world.tenant.group(id).unwrap()["displayName"] == name);
    found.unwrap()
}

fn members(world: &World, name: &str) -> usize {
    let resource = world.group_resource(&group(world, name));
    resource["members"].as_array().map_or(0, Vec::len)
}

fn reasons(ran: &Ran, verb: Verb) -> Vec<String> {
    let of = ran.operations.iter().filter(|operation| operation.verb == verb);
    of.map(|operation| operation.because.to_string()).collect()
}

#[tokio::test]
async fn only_who_passes_the_filter_is_created_and_nobody_else_is_looked_up() {
    let mut world = small().await;
    let ids = world.tenant.user_ids();
    world.tenant.set_user(&ids[3], json!({"department": "IT"}));
    scope(&mut world, users("department EQUALS \"Sales\""));
    let first = world.cycle().await;
    first.expect(Outcome::Converged);
    assert_eq!(first.count(Verb::CreateUser), 9);
    assert_eq!(first.summary.skipped.out_of_scope, 1);
    assert_eq!(world.workspace.users().len(), 9);
    assert_eq!(members(&world, "all"), 9);
    world.expect_quiet().await;

    // Somebody who is not ours changes: the target is not asked for him.
    world.tenant.set_user(&ids[3], json!({"jobTitle": "Director"}));
    world.workspace.clear_requests();
    world.cycle().await.expect(Outcome::Converged);
    let asked = world.workspace.requests();
    assert!(
        asked.iter().all(|request| !request.path.contains("/Users")),
        "{asked:#?}"
    );
}

#[tokio::test]
async fn who_falls_out_of_scope_is_disabled_and_comes_back_with_all_references() {
    let mut world = small().await;
    scope(&mut world, users("department EQUALS \"Sales\""));
    world.cycle_twice().await;
    world.assert_equal();
    let ids = world.tenant.user_ids();
    // The manager of the others leaves the scope, and is renamed meanwhile.
    world
        .tenant
        .set_user(&ids[0], json!({"department": "IT", "jobTitle": "Director"}));
    let title = world.resource(&ids[0])["title"].clone();
    let plan = world.plan().await;
    assert_eq!(plan.count(Verb::DisableUser), 1, "{}", plan.story());
    let out = world.cycle().await;
    out.expect(Outcome::Converged);
    assert_eq!(
        reasons(&out, Verb::DisableUser),
        ["out of scope: user_filter: `department EQUALS \"Sales\"` does not hold"]
    );
    let held = world.resource(&ids[0]);
    assert_eq!(
        (&held["active"], &held["title"]),
        (&json!(false), &title),
        "only active is ours"
    );
    assert_eq!((members(&world, "all"), members(&world, "pilot")), (9, 1));
    assert_eq!(world.resource(&ids[1])[ENTERPRISE]["manager"], Value::Null);
    assert_eq!(
        plan.count(Verb::RemoveMember),
        out.count(Verb::RemoveMember),
        "plan is what sync does"
    );
    assert_eq!(plan.count(Verb::UpdateUser), out.count(Verb::UpdateUser));
    world.expect_quiet().await;

    world.tenant.set_user(&ids[0], json!({"department": "Sales"}));
    let back = world.cycle().await;
    back.expect(Outcome::Converged);
    assert_eq!(back.count(Verb::EnableUser), 1);
    assert_eq!(back.count(Verb::AddMember), 2);
    world.assert_equal();
    world.expect_quiet().await;
}

const ENTERPRISE: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";

#[tokio::test]
async fn a_changed_filter_looks_at_everybody_again_and_drops_no_link() {
    let mut world = synced().await;
    let before = world.workspace.users().len();
    scope(
        &mut world,
        users("city EQUALS \"Paris\" OR city EQUALS \"Kraków\""),
    );
    let narrowed = world.cycle().await;
    narrowed.expect(Outcome::Converged);
    let disabled = narrowed.count(Verb::DisableUser);
    assert!(disabled > 5, "{}", narrowed.story());
    assert_eq!(world.workspace.users().len(), before);
    world.expect_no_write().await;
    scope(&mut world, ScopeRules::default());
    let widened = world.cycle().await;
    widened.expect(Outcome::Converged);
    assert_eq!(
        (widened.count(Verb::EnableUser), widened.count(Verb::CreateUser)),
        (disabled, 0)
    );
    world.assert_equal();
    world.expect_quiet().await;
}

#[tokio::test]
async fn too_many_who_leave_the_scope_are_withheld() {
    let mut world = synced().await;
    world.job.policy.deletion_threshold = Threshold::count(5);
    scope(&mut world, users("city EQUALS \"Paris\""));
    let ran = world.cycle().await;
    ran.expect(Outcome::Withheld);
    assert_eq!(ran.count(Verb::DisableUser), 0);
    assert!(
        ran.summary.withheld.by_reason.contains_key("out_of_scope"),
        "{}",
        ran.story()
    );
}

#[tokio::test]
async fn the_policy_deletes_or_keeps_who_leaves_the_scope() {
    for (policy, active, left) in [(OnRemoval::Delete, None, 9), (OnRemoval::Keep, Some(true), 10)] {
        let mut world = small().await;
        world.job.policy.on_out_of_scope = policy;
        scope(&mut world, users("department EQUALS \"Sales\""));
        world.cycle_twice().await;
        let ids = world.tenant.user_ids();
        world.tenant.set_user(&ids[0], json!({"department": "IT"}));
        let ran = world.cycle().await;
        ran.expect(Outcome::Converged);
        assert_eq!(world.workspace.users().len(), left, "{policy:?}: {}", ran.story());
        assert_eq!(members(&world, "all"), 9, "{policy:?}");
        let held = world.workspace.users_by_external_id(&ids[0]);
        assert_eq!(
            held.first().and_then(|user| user["active"].as_bool()),
            active,
            "{policy:?}"
        );
        world.expect_quiet().await;
        world.tenant.set_user(&ids[0], json!({"department": "Sales"}));
        world.cycle().await.expect(Outcome::Converged);
        world.assert_equal();
    }
}

#[tokio::test]
async fn groups_out_of_scope_are_kept_emptied_or_deleted() {
    for (policy, expected) in [
        (GroupRemoval::Keep, Some(2)),
        (GroupRemoval::Empty, Some(0)),
        (GroupRemoval::Delete, None),
    ] {
        let mut world = small().await;
        world.job.policy.groups.on_out_of_scope = policy;
        let rules = ScopeRules {
            group_filter: Some(
                Filter::parse(ObjectKind::Group, "displayName NOT REGEX MATCH \"^x-\"").unwrap(),
            ),
            ..ScopeRules::default()
        };
        scope(&mut world, rules);
        world.cycle_twice().await;
        let pilot = group(&world, "pilot");
        world.tenant.set_group(&pilot, json!({"displayName": "x-pilot"}));
        let ran = world.cycle().await;
        ran.expect(Outcome::Converged);
        let held = world.workspace.groups_by_external_id(&pilot);
        let members = held
            .first()
            .map(|group| group["members"].as_array().map_or(0, Vec::len));
        assert_eq!(members, expected, "{policy:?}: {}", ran.story());
        if let Some(group) = held.first() {
            assert_eq!(group["displayName"], "pilot", "the rest freezes");
        }
        world.expect_quiet().await;
        world.tenant.set_group(&pilot, json!({"displayName": "pilot"}));
        world.cycle().await.expect(Outcome::Converged);
        world.assert_equal();
    }
}

#[tokio::test]
async fn a_loss_through_a_membership_counts_when_two_cycles_agree() {
    for nested in [false, true] {
        let mut world = small().await;
        let ids = world.tenant.user_ids();
        let pilot = group(&world, "pilot");
        let asked = if nested {
            let outer = world.tenant.add_group(json!({"displayName": "outer"}));
            world.tenant.add_member(&outer, &pilot);
            format!("TRANSITIVE_MEMBER_OF \"{outer}\"")
        } else {
            format!("memberOf EQUALS \"{pilot}\"")
        };
        scope(&mut world, users(&asked));
        let first = world.cycle().await;
        first.expect(Outcome::Converged);
        assert_eq!(first.count(Verb::CreateUser), 2, "{}", first.story());
        world.expect_quiet().await;

        // Joining counts at once; leaving waits for a second cycle.
        world.tenant.add_member(&pilot, &ids[5]);
        world.tenant.remove_member(&pilot, &ids[1]);
        let moved = world.cycle().await;
        moved.expect(Outcome::Converged);
        assert_eq!(
            (moved.count(Verb::CreateUser), moved.count(Verb::DisableUser)),
            (1, 0)
        );
        assert_eq!(moved.omitted("scope_loss_unconfirmed"), 1, "{}", moved.story());
        let agreed = world.cycle().await;
        agreed.expect(Outcome::Converged);
        assert_eq!(agreed.count(Verb::DisableUser), 1, "{}", agreed.story());
        assert_eq!(world.resource(&ids[1])["active"], json!(false));
        world.expect_quiet().await;

        // Somebody who is back before the second cycle was never out.
        world.tenant.remove_member(&pilot, &ids[0]);
        world.cycle().await.expect(Outcome::Converged);
        world.tenant.add_member(&pilot, &ids[0]);
        let returned = world.cycle().await;
        returned.expect(Outcome::Converged);
        assert_eq!(
            returned.count(Verb::DisableUser) + returned.count(Verb::EnableUser),
            0
        );
        world.expect_quiet().await;
    }
}

#[tokio::test]
async fn the_members_of_a_group_that_leaves_a_group_leave_the_scope_with_it() {
    let mut world = small().await;
    let pilot = group(&world, "pilot");
    let outer = world.tenant.add_group(json!({"displayName": "outer"}));
    world.tenant.add_member(&outer, &pilot);
    world.tenant.add_member(&pilot, &outer);
    scope(&mut world, users(&format!("TRANSITIVE_MEMBER_OF \"{outer}\"")));
    world.cycle_twice().await;
    assert_eq!(
        world.workspace.users().len(),
        2,
        "groups in a circle are looked into once"
    );
    world.tenant.remove_member(&outer, &pilot);
    world.cycle().await.expect(Outcome::Converged);
    let agreed = world.cycle().await;
    assert_eq!(agreed.count(Verb::DisableUser), 2, "{}", agreed.story());
}

#[tokio::test]
async fn an_unknown_or_deleted_group_in_a_filter_stops_the_cycle_and_removes_nobody() {
    let mut world = small().await;
    let pilot = group(&world, "pilot");
    scope(&mut world, users(&format!("memberOf EQUALS \"{pilot}\"")));
    world.cycle_twice().await;
    let ids = world.tenant.user_ids();
    world.tenant.set_user(&ids[0], json!({"jobTitle": "Pilot"}));
    world.tenant.soft_delete_group(&pilot);
    for why in ["it was deleted in Entra"; 3] {
        let ran = world.cycle().await;
        ran.expect(Outcome::Partial);
        assert_eq!(
            ran.count(Verb::DisableUser) + ran.count(Verb::UpdateUser),
            0,
            "{}",
            ran.story()
        );
        assert!(
            ran.summary.failed.iter().any(|failed| failed.error.contains(why)),
            "{}",
            ran.story()
        );
    }
    scope(
        &mut world,
        users("memberOf EQUALS \"00000000-0000-4000-8000-00000000dead\""),
    );
    let ran = world.cycle().await;
    ran.expect(Outcome::Partial);
    assert!(
        ran.summary.failed[0]
            .error
            .contains("the tenant has no such group"),
        "{}",
        ran.story()
    );
    assert_eq!(
        world
            .workspace
            .users()
            .iter()
            .filter(|user| user["active"] == json!(true))
            .count(),
        2
    );
}

#[tokio::test]
async fn a_nested_group_whose_members_are_hidden_stops_everything_too() {
    let mut world = small().await;
    let pilot = group(&world, "pilot");
    let secret = world
        .tenant
        .add_group(json!({"displayName": "secret", "visibility": "HiddenMembership"}));
    world.tenant.add_member(&pilot, &secret);
    scope(&mut world, users(&format!("TRANSITIVE_MEMBER_OF \"{pilot}\"")));
    let ran = world.cycle().await;
    ran.expect(Outcome::Partial);
    assert!(ran.operations.is_empty(), "{}", ran.story());
    assert!(ran.summary.failed[0].error.contains("hidden"), "{}", ran.story());
    scope(&mut world, users(&format!("memberOf EQUALS \"{pilot}\"")));
    let direct = world.cycle().await;
    direct.expect(Outcome::Converged);
    assert_eq!(direct.count(Verb::CreateUser), 2, "direct members are known");
}

#[tokio::test]
async fn a_scope_that_was_only_looked_at_changes_nothing_afterwards() {
    let mut world = small().await;
    world.cycle_twice().await;
    for asked in [
        "city IS NULL",
        "memberOf EQUALS \"00000000-0000-4000-8000-00000000dead\"",
    ] {
        let others = ["department EQUALS \"IT\"", asked];
        for filter in others {
            scope(&mut world, users(filter));
            world.plan().await;
        }
        // The last one cannot be told: nothing is done on what the first one said.
        if asked.contains("dead") {
            let ran = world.cycle().await;
            assert!(ran.operations.is_empty(), "{}", ran.story());
        }
        scope(&mut world, ScopeRules::default());
        world.expect_no_write().await.expect(Outcome::Converged);
        world.assert_equal();
    }
}

#[tokio::test]
async fn groups_are_read_for_a_filter_even_where_none_is_managed() {
    let mut world = small().await;
    let pilot = group(&world, "pilot");
    world.job.managed.remove(&ObjectKind::Group);
    scope(&mut world, users(&format!("memberOf EQUALS \"{pilot}\"")));
    let first = world.cycle().await;
    first.expect(Outcome::Converged);
    assert_eq!(first.count(Verb::CreateUser), 2);
    assert!(world.workspace.groups().is_empty());
    let ids = world.tenant.user_ids();
    world.tenant.add_member(&pilot, &ids[7]);
    let joined = world.cycle().await;
    joined.expect(Outcome::Converged);
    assert_eq!(joined.count(Verb::CreateUser), 1, "{}", joined.story());
}

#[tokio::test]
async fn guests_are_provisioned_as_the_setting_says() {
    for (guests, expected) in [
        (Guests::Include, 12),
        (Guests::Accepted, 11),
        (Guests::Exclude, 10),
    ] {
        let mut world = small().await;
        for (index, state) in ["Accepted", "PendingAcceptance"].iter().enumerate() {
            world.tenant.add_user(json!({"userType": "Guest", "externalUserState": state, "accountEnabled": true,
                "userPrincipalName": format!("g{index}_home.example#EXT#@corp.example"), "displayName": "Guest"}));
        }
        scope(
            &mut world,
            ScopeRules {
                guests,
                ..ScopeRules::default()
            },
        );
        let first = world.cycle().await;
        first.expect(Outcome::Converged);
        assert_eq!(first.count(Verb::CreateUser), expected, "{guests:?}");
        if guests == Guests::Accepted {
            let waiting: Vec<SourceId> = first
                .omissions
                .iter()
                .filter(|(_, _, omission)| matches!(omission, Omission::OutOfScope { .. }))
                .map(|(_, id, _)| *id)
                .collect();
            world
                .tenant
                .set_user(&waiting[0].to_string(), json!({"externalUserState": "Accepted"}));
            let accepted = world.cycle().await;
            assert_eq!(accepted.count(Verb::CreateUser), 1, "{}", accepted.story());
        }
        assert_eq!(
            world
                .workspace
                .users()
                .iter()
                .filter(|user| user["userName"] == "g0@home.example")
                .count(),
            usize::from(guests != Guests::Exclude)
        );
    }
}

#[tokio::test]
async fn a_filter_on_a_new_property_costs_one_full_round_and_decides_nothing_before() {
    let mut world = synced().await;
    let ids = world.tenant.user_ids();
    world
        .tenant
        .set_user(&ids[2], json!({"employeeType": "Contractor"}));
    scope(&mut world, users("employeeType IS NULL"));
    let plan = world.plan().await;
    assert_eq!(
        plan.findings,
        [
            "mapping, scope or policy changed since the last cycle: 40 users and 5 groups are looked at again; links stay",
            "mapping or scope need employeeType of users, which was not read before: that costs one full round, in which all users are read from the beginning",
        ]
    );
    let ran = world.cycle().await;
    ran.expect(Outcome::Converged);
    assert_eq!(ran.count(Verb::DisableUser), 1, "{}", ran.story());
    world.expect_quiet().await;
}

/// Who passes `memberOf pilot AND department Sales`, at the target; then one leaves by an attribute, one by the
/// membership, and one joins.
async fn moving() -> World {
    let mut world = small().await;
    world.job.batch = 3;
    let (ids, pilot) = (world.tenant.user_ids(), group(&world, "pilot"));
    let filter = format!("memberOf EQUALS \"{pilot}\" AND department EQUALS \"Sales\"");
    scope(&mut world, users(&filter));
    world.cycle().await.expect(Outcome::Converged);
    world.tenant.set_user(&ids[0], json!({"department": "IT"}));
    world.tenant.remove_member(&pilot, &ids[1]);
    world.tenant.add_member(&pilot, &ids[5]);
    world
}

#[tokio::test]
async fn a_change_of_scope_survives_a_stop_after_every_store_write() {
    for (last, power_cut) in [
        (LastCommit::Done, false),
        (LastCommit::Lost, false),
        (LastCommit::Done, true),
        (LastCommit::Lost, true),
    ] {
        for n in 0.. {
            let at = format!("commit {n} {last:?}, power cut: {power_cut}");
            let mut world = moving().await;
            world.store.fail_after(n, last);
            let ran = world.cycle().await;
            if !world.store.stopped() {
                ran.expect(Outcome::Converged);
                assert!(n > 8, "only {n} commits in a cycle: is the store watched?");
                break;
            }
            if power_cut {
                world.store.crash();
            } else {
                world.store.kill();
            }
            world.restart();
            // The loss through the membership takes two cycles of its own.
            for _ in 0..3 {
                world.cycle().await;
            }
            let ids = world.tenant.user_ids();
            let active = [0, 1, 5].map(|user| world.resource(&ids[user])["active"].clone());
            assert_eq!(active, [json!(false), json!(false), json!(true)], "{at}");
            assert_eq!((members(&world, "all"), members(&world, "pilot")), (1, 1), "{at}");
            world.expect_no_write().await.expect(Outcome::Converged);
        }
    }
}

#[tokio::test]
async fn who_leaves_the_scope_while_its_create_is_open_is_linked_and_then_disabled() {
    let mut world = small().await;
    scope(&mut world, users("department EQUALS \"Sales\""));
    // The creates reach the target, and their results are never recorded.
    world.job.batch = 100;
    for n in 0.. {
        world.store.fail_after(n, LastCommit::Done);
        world.cycle().await;
        assert!(world.store.stopped(), "the cycle came through");
        world.store.kill();
        world.restart();
        if world.workspace.users().len() == 10 {
            break;
        }
    }
    let ids = world.tenant.user_ids();
    world.tenant.set_user(&ids[3], json!({"department": "IT"}));
    world.cycle().await;
    let last = world.cycle().await;
    last.expect(Outcome::Converged);
    assert_eq!(
        world.resource(&ids[3])["active"],
        json!(false),
        "{}",
        last.story()
    );
    assert_eq!(members(&world, "all"), 9, "{}", last.story());
    world.expect_quiet().await;
}
