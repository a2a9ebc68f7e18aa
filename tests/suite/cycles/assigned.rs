//! Scope "assigned": who is assigned, through which groups, and what happens when that moves.

use std::collections::BTreeSet;

use melonsync::engine::job::Assigning;
use melonsync::engine::job::Extent;
use melonsync::engine::summary::Outcome;
use melonsync::model::id::ObjectKind;
use melonsync::ports::Durability;
use melonsync::reconcile::operation::Verb;
use melonsync::reconcile::policy::Threshold;
use melonsync::reconcile::scope::assignment::Nesting;
use melonsync::sandbox::Fault;
use melonsync::sandbox::SampleOptions;
use melonsync::sandbox::Tenant;
use melonsync::snapshot::kv::memory::LastCommit;
use melonsync::snapshot::quarantine::Quarantine;
use serde_json::json;

use crate::support::world::Ran;
use crate::support::world::World;

const DIRECT: Nesting = Nesting {
    scope: false,
    members: false,
};
const TRANSITIVE: Nesting = Nesting {
    scope: true,
    members: false,
};
const FLATTEN: Nesting = Nesting {
    scope: true,
    members: true,
};

/// Twelve users. Group alpha holds 0 to 2 and group beta; beta holds 3, 4 and group gamma; gamma holds 5 and, in a circle,
/// alpha. Group delta holds 6. Alpha and user 7 are assigned.
pub(super) async fn assigned(nesting: Nesting) -> World {
    let tenant = Tenant::sample_with(SampleOptions {
        users: 12,
        groups: 0,
        plain: true,
        ..SampleOptions::default()
    });
    let ids = tenant.user_ids();
    // Managers are another story: an assigned user's may be out of scope.
    ids.iter().for_each(|id| tenant.set_manager(id, None));
    let group = |name: &str, members: &[usize]| {
        let group = tenant.add_group(json!({"displayName": name}));
        members.iter().for_each(|at| tenant.add_member(&group, &ids[*at]));
        group
    };
    let (alpha, beta) = (group("alpha", &[0, 1, 2]), group("beta", &[3, 4]));
    let gamma = group("gamma", &[5]);
    group("delta", &[6]);
    tenant.add_member(&alpha, &beta);
    tenant.add_member(&beta, &gamma);
    tenant.add_member(&gamma, &alpha);
    tenant.assign(&alpha, "");
    tenant.assign(&ids[7], "");
    tenant.grant_permission("Application.Read.All");
    let application = tenant.service_principal_id().parse().unwrap();
    let mut world = World::new(tenant).await;
    world.job.assigning = Assigning {
        application: Some(application),
        scope: true,
        nesting,
    };
    world.job.policy.deletion_threshold = Threshold::count(1000);
    world.job.policy.membership_removal_threshold = Threshold::count(1000);
    world
}

fn group(world: &World, name: &str) -> String {
    let groups = world.tenant.group_ids();
    let named = |id: &String| world.tenant.group(id).unwrap()["displayName"] == name;
    groups.into_iter().find(named).unwrap()
}

/// Numbers of the users with an active resource.
fn active(world: &World) -> Vec<usize> {
    let ids = world.tenant.user_ids();
    let holds = |at: &usize| {
        let held = world.workspace.users_by_external_id(&ids[*at]);
        assert!(held.len() < 2, "user {at} twice");
        held.iter().any(|user| user["active"] == true)
    };
    (0..ids.len()).filter(holds).collect()
}

/// Numbers of the users in a group at the target.
fn members(world: &World, name: &str) -> Vec<usize> {
    let ids = world.tenant.user_ids();
    let resource = world.group_resource(&group(world, name));
    let held: Vec<&str> = resource["members"]
        .as_array()
        .map(|list| {
            list.iter()
                .map(|member| member["value"].as_str().unwrap())
                .collect()
        })
        .unwrap_or_default();
    let is_member = |at: &usize| {
        let user = world.workspace.users_by_external_id(&ids[*at]);
        user.first()
            .is_some_and(|user| held.contains(&user["id"].as_str().unwrap()))
    };
    let found: Vec<usize> = (0..ids.len()).filter(is_member).collect();
    assert_eq!(found.len(), held.len(), "{name} holds strangers");
    found
}

fn groups(world: &World) -> Vec<String> {
    let groups = world.workspace.groups().into_iter();
    let mut names: Vec<String> = groups
        .map(|group| group["displayName"].as_str().unwrap().to_owned())
        .collect();
    names.sort();
    names
}

/// Numbers of the users that a cycle looked at.
fn looked_at(world: &World, ran: &Ran) -> BTreeSet<usize> {
    let ids = world.tenant.user_ids();
    let left = ran
        .omissions
        .iter()
        .filter(|(kind, ..)| *kind == ObjectKind::User)
        .map(|(_, id, _)| *id);
    let done = ran
        .operations
        .iter()
        .filter(|operation| operation.kind == ObjectKind::User);
    let touched = left.chain(done.map(|operation| operation.source));
    touched
        .filter_map(|id| ids.iter().position(|text| *text == id.to_string()))
        .collect()
}

/// `sync` with nobody out yet, then the one that agrees, then a quiet one.
async fn two_agree(world: &World) -> Ran {
    let first = world.expect_no_write().await;
    first.expect(Outcome::Converged);
    assert!(first.omitted("scope_loss_unconfirmed") > 0, "{}", first.story());
    world.cycle_twice().await
}

#[tokio::test]
async fn only_the_assigned_and_direct_members_of_assigned_groups_are_provisioned() {
    let world = assigned(DIRECT).await;
    let plan = world.plan().await;
    assert_eq!(
        (plan.count(Verb::CreateUser), plan.count(Verb::CreateGroup)),
        (4, 1)
    );
    let first = world.cycle_twice().await;
    assert_eq!(
        (first.count(Verb::CreateUser), first.count(Verb::CreateGroup)),
        (4, 1)
    );
    assert_eq!(first.count(Verb::AddMember), plan.count(Verb::AddMember));
    assert_eq!(first.summary.skipped.out_of_scope, 8 + 3);
    assert_eq!(active(&world), [0, 1, 2, 7]);
    assert_eq!(
        (groups(&world), members(&world, "alpha")),
        (vec!["alpha".to_owned()], vec![0, 1, 2])
    );
}

#[tokio::test]
async fn nested_groups_count_for_the_scope_and_for_members_each_alone() {
    for (name, nesting, in_scope, in_alpha) in [
        (
            "transitive scope",
            TRANSITIVE,
            vec![0, 1, 2, 3, 4, 5, 7],
            vec![0, 1, 2],
        ),
        ("both", FLATTEN, vec![0, 1, 2, 3, 4, 5, 7], vec![0, 1, 2, 3, 4, 5]),
        (
            "members alone",
            Nesting {
                scope: false,
                members: true,
            },
            vec![0, 1, 2, 7],
            vec![0, 1, 2],
        ),
    ] {
        let world = assigned(nesting).await;
        let plan = world.plan().await;
        let first = world.cycle_twice().await;
        assert_eq!(
            plan.summary.operations, first.summary.operations,
            "{name}: plan is what sync does"
        );
        assert_eq!(active(&world), in_scope, "{name}");
        assert_eq!(
            groups(&world),
            ["alpha"],
            "{name}: groups in an assigned group are not assigned"
        );
        assert_eq!(members(&world, "alpha"), in_alpha, "{name}");
    }
}

#[tokio::test]
async fn without_the_assigned_scope_every_group_in_a_circle_holds_the_users_of_all() {
    let mut world = assigned(Nesting {
        scope: false,
        members: true,
    })
    .await;
    world.job.assigning.scope = false;
    world.job.assigning.application = None;
    world.tenant.revoke_permission("Application.Read.All");
    world.cycle_twice().await;
    for name in ["alpha", "beta", "gamma"] {
        assert_eq!(members(&world, name), [0, 1, 2, 3, 4, 5], "{name}");
    }
    assert_eq!(members(&world, "delta"), [6]);
    // Deep inside somebody comes and somebody goes.
    let ids = world.tenant.user_ids();
    world.tenant.add_member(&group(&world, "gamma"), &ids[8]);
    world.tenant.remove_member(&group(&world, "beta"), &ids[3]);
    world.cycle_twice().await;
    for name in ["alpha", "beta", "gamma"] {
        assert_eq!(members(&world, name), [0, 1, 2, 4, 5, 8], "{name}");
    }
    // A whole branch goes, and a user of it is deleted and restored.
    world
        .tenant
        .remove_member(&group(&world, "alpha"), &group(&world, "beta"));
    world.cycle_twice().await;
    assert_eq!(members(&world, "alpha"), [0, 1, 2]);
    assert_eq!(
        members(&world, "beta"),
        [0, 1, 2, 4, 5, 8],
        "through gamma, which holds alpha"
    );
    world.tenant.soft_delete_user(&ids[0]);
    world.cycle_twice().await;
    assert_eq!(world.tenant.user_ids().len(), 11);
    world.tenant.restore_user(&ids[0]);
    world.cycle_twice().await;
    assert_eq!(members(&world, "beta"), [0, 1, 2, 4, 5, 8]);
    // The rule is taken back.
    world.job.assigning.nesting = DIRECT;
    world.cycle_twice().await;
    assert_eq!(
        (members(&world, "beta"), members(&world, "gamma")),
        (vec![4], vec![5, 8])
    );
}

#[tokio::test]
async fn whoever_is_assigned_or_joins_comes_at_once_and_only_they_are_looked_at() {
    let world = assigned(TRANSITIVE).await;
    world.cycle_twice().await;
    let ids = world.tenant.user_ids();
    world.tenant.assign(&ids[8], "");
    let ran = world.cycle_twice().await;
    assert_eq!(
        (ran.count(Verb::CreateUser), looked_at(&world, &ran)),
        (1, BTreeSet::from([8]))
    );
    world.tenant.add_member(&group(&world, "gamma"), &ids[9]);
    let ran = world.cycle_twice().await;
    assert_eq!(
        (ran.count(Verb::CreateUser), looked_at(&world, &ran)),
        (1, BTreeSet::from([9]))
    );
    world.tenant.add_member(&group(&world, "delta"), &ids[10]);
    let ran = world.cycle_twice().await;
    assert_eq!(looked_at(&world, &ran), BTreeSet::new(), "delta is not assigned");
    world
        .tenant
        .add_member(&group(&world, "beta"), &group(&world, "delta"));
    let ran = world.cycle_twice().await;
    assert_eq!(
        (ran.count(Verb::CreateUser), looked_at(&world, &ran)),
        (2, BTreeSet::from([6, 10]))
    );
    world.tenant.assign(&group(&world, "delta"), "");
    let ran = world.cycle_twice().await;
    assert_eq!(
        (ran.count(Verb::CreateUser), ran.count(Verb::CreateGroup)),
        (0, 1)
    );
    assert_eq!(members(&world, "delta"), [6, 10]);
}

#[tokio::test]
async fn whoever_is_no_longer_assigned_is_disabled_when_two_complete_cycles_agree() {
    let world = assigned(DIRECT).await;
    world.cycle_twice().await;
    let ids = world.tenant.user_ids();
    world.tenant.unassign(&ids[7], None);
    let ran = two_agree(&world).await;
    assert_eq!((ran.count(Verb::DisableUser), active(&world)), (1, vec![0, 1, 2]));
    assert!(
        ran.operations[0]
            .because
            .to_string()
            .contains("scope = \"assigned\""),
        "{:?}",
        ran.operations
    );

    world.tenant.remove_member(&group(&world, "alpha"), &ids[1]);
    let first = world.cycle().await;
    first.expect(Outcome::Converged);
    assert_eq!(
        (first.count(Verb::DisableUser), first.count(Verb::RemoveMember)),
        (0, 1)
    );
    let ran = world.cycle_twice().await;
    assert_eq!((ran.count(Verb::DisableUser), active(&world)), (1, vec![0, 2]));
    assert_eq!(looked_at(&world, &ran), BTreeSet::from([1]));

    // The link stays: who is assigned again is as before, with all groups.
    world.tenant.add_member(&group(&world, "alpha"), &ids[1]);
    let ran = world.cycle_twice().await;
    assert_eq!((ran.count(Verb::CreateUser), ran.count(Verb::EnableUser)), (0, 1));
    assert_eq!(
        (active(&world), members(&world, "alpha")),
        (vec![0, 1, 2], vec![0, 1, 2])
    );
}

#[tokio::test]
async fn a_person_who_moves_from_one_group_to_another_loses_nothing() {
    let world = assigned(DIRECT).await;
    world.tenant.assign(&group(&world, "delta"), "");
    world.cycle_twice().await;
    let ids = world.tenant.user_ids();
    world.tenant.remove_member(&group(&world, "alpha"), &ids[2]);
    let between = world.cycle().await;
    between.expect(Outcome::Converged);
    assert_eq!(between.omitted("scope_loss_unconfirmed"), 1, "in neither group");
    world.tenant.add_member(&group(&world, "delta"), &ids[2]);
    let after = world.cycle_twice().await;
    assert_eq!(
        (after.count(Verb::DisableUser), after.count(Verb::EnableUser)),
        (0, 0)
    );
    assert_eq!(
        (active(&world), members(&world, "delta")),
        (vec![0, 1, 2, 6, 7], vec![2, 6])
    );
    // The other way round: from the group to an assignment of one's own, the list a cycle late.
    world.tenant.remove_member(&group(&world, "delta"), &ids[2]);
    world.cycle().await.expect(Outcome::Converged);
    world.tenant.assign(&ids[2], "");
    let after = world.cycle_twice().await;
    assert_eq!(after.count(Verb::DisableUser), 0);
    assert!(active(&world).contains(&2));
}

#[tokio::test]
async fn a_group_that_is_no_longer_assigned_is_kept_and_its_members_go() {
    let world = assigned(DIRECT).await;
    world.tenant.assign(&group(&world, "delta"), "");
    world.cycle_twice().await;
    world.tenant.unassign(&group(&world, "delta"), None);
    two_agree(&world).await;
    assert_eq!(active(&world), [0, 1, 2, 7]);
    assert_eq!(
        groups(&world),
        ["alpha", "delta"],
        "a rename or an assignment must not delete a group"
    );
    world.tenant.assign(&group(&world, "delta"), "");
    world.cycle_twice().await;
    assert_eq!(
        (active(&world), members(&world, "delta")),
        (vec![0, 1, 2, 6, 7], vec![6])
    );
}

#[tokio::test]
async fn a_list_that_is_not_read_whole_keeps_the_last_one_and_removes_nobody() {
    let world = assigned(DIRECT).await;
    world.cycle_twice().await;
    let ids = world.tenant.user_ids();
    world.tenant.unassign(&group(&world, "alpha"), None);
    world.tenant.set_user(&ids[0], json!({"jobTitle": "Director"}));
    world.tenant.assign(&ids[8], "");
    world
        .tenant
        .update_options(|options| options.assignments_per_page = 1);
    world
        .tenant
        .update_faults(|faults| faults.assignment_no_value = Fault::always());
    for _ in 0..3 {
        let ran = world.cycle().await;
        ran.expect(Outcome::Partial);
        assert!(
            ran.findings
                .iter()
                .any(|text| text.contains("the last one stays in force")),
            "{:?}",
            ran.findings
        );
        assert_eq!(ran.count(Verb::DisableUser) + ran.count(Verb::CreateUser), 0);
    }
    assert_eq!(
        world.resource(&ids[0])["title"],
        "Director",
        "everything else goes on"
    );
    // Somebody who leaves a group meanwhile is seen to leave, but not by a complete cycle.
    world.tenant.remove_member(&group(&world, "alpha"), &ids[1]);
    for _ in 0..3 {
        world.cycle().await.expect(Outcome::Partial);
    }
    assert_eq!(active(&world), [0, 1, 2, 7]);
    world
        .tenant
        .update_faults(|faults| faults.assignment_no_value = Fault::never());
    let first = world.cycle().await;
    first.expect(Outcome::Converged);
    assert_eq!(
        (first.count(Verb::DisableUser), first.count(Verb::CreateUser)),
        (0, 1)
    );
    world.cycle().await.expect(Outcome::Converged);
    assert_eq!(active(&world), [7, 8]);
}

#[tokio::test]
async fn pages_that_fail_for_a_moment_or_are_throttled_are_read_again() {
    let world = assigned(DIRECT).await;
    world.tenant.update_faults(|faults| {
        faults.assignment_error = Fault::times(2);
        faults.assignment_throttle = Fault::once();
        faults.retry_after = Some("0.01".into());
    });
    let ran = world.cycle().await;
    ran.expect(Outcome::Converged);
    assert_eq!(ran.summary.source.throttled, 1);
    assert_eq!(active(&world), [0, 1, 2, 7]);
    // The list moves while it is read.
    world
        .tenant
        .update_options(|options| options.assignments_per_page = 1);
    world
        .tenant
        .update_faults(|faults| faults.assignment_torn = Fault::once());
    world.cycle().await.expect(Outcome::Converged);
}

#[tokio::test]
async fn without_a_list_nothing_is_planned() {
    let mut world = assigned(DIRECT).await;
    world
        .tenant
        .update_faults(|faults| faults.assignment_truncated = Fault::always());
    let ran = world.cycle().await;
    assert!(ran.error.is_some(), "{}", ran.story());
    assert_eq!(ran.summary.outcome, Outcome::Failed);
    world
        .tenant
        .update_faults(|faults| faults.assignment_truncated = Fault::never());
    world.tenant.revoke_permission("Application.Read.All");
    let ran = world.cycle().await;
    assert_eq!(ran.summary.outcome, Outcome::Quarantined);
    assert!(ran.error.unwrap().hint().contains("Application.Read.All"));
    world.tenant.grant_permission("Application.Read.All");
    let mut tx = world.job.snapshot.tx().unwrap();
    tx.put_quarantine(&Quarantine::default());
    tx.commit(Durability::Synced).unwrap();
    let real = world.job.assigning.application;
    world.job.assigning.application = Some("5a3d0b0c-7e57-4000-8000-00000000dead".parse().unwrap());
    let ran = world.cycle().await;
    assert_eq!(ran.summary.outcome, Outcome::Failed, "{}", ran.story());
    assert!(world.workspace.users().is_empty());
    world.job.assigning.application = real;
    world.cycle_twice().await;
    // An application that is another one has another list: the old one is not taken for it.
    world.job.assigning.application = Some("5a3d0b0c-7e57-4000-8000-00000000dead".parse().unwrap());
    assert!(world.cycle().await.error.is_some());
    assert_eq!(active(&world), [0, 1, 2, 7]);
}

#[tokio::test]
async fn a_list_of_fewer_than_half_withholds_removals_until_they_are_let_through() {
    let world = assigned(DIRECT).await;
    let ids = world.tenant.user_ids();
    ids[3..].iter().for_each(|id| world.tenant.assign(id, ""));
    world.cycle_twice().await;
    assert_eq!(active(&world).len(), 12);
    ids[4..].iter().for_each(|id| world.tenant.unassign(id, None));
    let first = world.expect_no_write().await;
    assert_eq!(first.omitted("scope_loss_unconfirmed"), 8);
    for _ in 0..3 {
        let ran = world.expect_no_write().await;
        ran.expect(Outcome::Withheld);
        assert_eq!(ran.summary.withheld.count, 8);
        let why = ran
            .omissions
            .iter()
            .find(|(.., omission)| omission.label() == "withheld")
            .unwrap();
        assert!(
            why.2.to_string().contains("fewer than half of the 10"),
            "{}",
            why.2
        );
    }
    world
        .run(Extent::Changes, true, Some(8))
        .await
        .expect(Outcome::Converged);
    assert_eq!(active(&world), [0, 1, 2, 3]);
    world.expect_quiet().await;
    // Now this list is what the next one is compared with.
    world.tenant.unassign(&ids[3], None);
    two_agree(&world).await;
    assert_eq!(active(&world), [0, 1, 2]);
}

#[tokio::test]
async fn memberships_decide_also_where_groups_are_not_managed() {
    let mut world = assigned(TRANSITIVE).await;
    world.job.managed = [ObjectKind::User].into();
    world.cycle_twice().await;
    assert_eq!(
        (active(&world), world.workspace.group_count()),
        (vec![0, 1, 2, 3, 4, 5, 7], 0)
    );
    let ids = world.tenant.user_ids();
    world.tenant.remove_member(&group(&world, "beta"), &ids[4]);
    two_agree(&world).await;
    assert_eq!(active(&world), [0, 1, 2, 3, 5, 7]);
}

#[tokio::test]
async fn a_full_round_after_a_reset_comes_to_the_same_scope() {
    let world = assigned(FLATTEN).await;
    world.cycle_twice().await;
    let ids = world.tenant.user_ids();
    world.tenant.forget_tokens();
    world.tenant.remove_member(&group(&world, "gamma"), &ids[5]);
    world.tenant.add_member(&group(&world, "gamma"), &ids[11]);
    let first = world.cycle().await;
    first.expect(Outcome::Converged);
    assert_eq!(
        (first.count(Verb::CreateUser), first.count(Verb::DisableUser)),
        (1, 0)
    );
    world.cycle_twice().await;
    assert_eq!(active(&world), [0, 1, 2, 3, 4, 7, 11]);
    assert_eq!(members(&world, "alpha"), [0, 1, 2, 3, 4, 11]);
}

#[tokio::test]
async fn a_scope_that_becomes_everybody_and_back_keeps_every_link() {
    let mut world = assigned(DIRECT).await;
    world.cycle_twice().await;
    let change = |world: &mut World, scope, name: &str| {
        world.job.assigning.scope = scope;
        world.job.fingerprint = name.to_owned();
    };
    change(&mut world, false, "all");
    world.cycle_twice().await;
    assert_eq!(active(&world).len(), 12);
    let before = world.workspace.users();
    change(&mut world, true, "assigned");
    two_agree(&world).await;
    assert_eq!(active(&world), [0, 1, 2, 7]);
    change(&mut world, false, "all again");
    let ran = world.cycle_twice().await;
    assert_eq!(ran.count(Verb::CreateUser), 0);
    assert_eq!(world.workspace.users().len(), before.len());
}

/// Ids of the users in these groups, and in the groups in them where those count, by the tenant's own truth.
fn users_in(truth: &serde_json::Value, groups: &[String], transitive: bool) -> BTreeSet<String> {
    let text = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
    let mut users = BTreeSet::new();
    let mut open = groups.to_vec();
    let mut seen: BTreeSet<String> = open.iter().cloned().collect();
    while let Some(group) = open.pop() {
        let mut all = truth["groups"].as_array().unwrap().iter();
        let Some(found) = all.find(|other| other["id"] == group.as_str() && other["life"] == "live") else {
            continue;
        };
        for member in found["members"].as_array().unwrap() {
            let id = text(&member["id"]);
            match member["kind"].as_str().unwrap() {
                "user" => drop(users.insert(id)),
                "group" if transitive && seen.insert(id.clone()) => open.push(id),
                _ => {}
            }
        }
    }
    users
}

/// Ids of the assigned users, or groups.
fn principals(truth: &serde_json::Value, kind: &str) -> Vec<String> {
    let entries = truth["assignments"].as_array().unwrap().iter();
    let of_kind = entries.filter(|entry| entry["principalType"] == kind);
    of_kind
        .map(|entry| entry["principalId"].as_str().unwrap().to_owned())
        .collect()
}

/// Ids of everybody in scope, whether enabled or not.
fn in_scope(truth: &serde_json::Value, transitive: bool) -> BTreeSet<String> {
    let mut users = users_in(truth, &principals(truth, "Group"), transitive);
    users.extend(principals(truth, "User"));
    users
}

/// Every assigned group holds whom the tenant says, as far as they are at the target.
fn assert_members(world: &World, nesting: Nesting, place: &str) {
    let truth = world.tenant.truth();
    let in_scope = in_scope(&truth, nesting.scope);
    let live = |id: &String| world.tenant.user(id).is_some();
    for group in principals(&truth, "Group") {
        let resource = world.group_resource(&group);
        let holds = |member: &serde_json::Value| {
            let user = world.workspace.user(member["value"].as_str().unwrap()).unwrap();
            user["externalId"].as_str().unwrap().to_owned()
        };
        let list = resource["members"].as_array().cloned().unwrap_or_default();
        let held: BTreeSet<String> = list.iter().map(holds).collect();
        let expected = users_in(&truth, std::slice::from_ref(&group), nesting.members).into_iter();
        let at_target = |id: &String| !world.workspace.users_by_external_id(id).is_empty();
        let expected: BTreeSet<String> = expected
            .filter(|id| in_scope.contains(id) && live(id) && at_target(id))
            .collect();
        assert_eq!(held, expected, "{place}: members of {group}");
    }
}

/// Whom the tenant says to be provisioned and enabled.
fn expected(world: &World, transitive: bool) -> BTreeSet<String> {
    let truth = world.tenant.truth();
    let in_scope = in_scope(&truth, transitive);
    let users = truth["users"].as_array().unwrap().iter();
    let enabled = users.filter(|user| user["life"] == "live" && user["accountEnabled"] != false);
    let ids = enabled.map(|user| user["id"].as_str().unwrap().to_owned());
    ids.filter(|id| in_scope.contains(id)).collect()
}

fn held(world: &World) -> BTreeSet<String> {
    let users = world
        .workspace
        .users()
        .into_iter()
        .filter(|user| user["active"] == true);
    let ids: Vec<String> = users
        .map(|user| user["externalId"].as_str().unwrap().to_owned())
        .collect();
    let distinct: BTreeSet<String> = ids.iter().cloned().collect();
    assert_eq!(distinct.len(), ids.len(), "somebody is there twice");
    distinct
}

#[tokio::test]
async fn random_changes_of_everything_come_to_what_the_tenant_says() {
    for (seed, nesting) in [(1, DIRECT), (2, TRANSITIVE), (3, FLATTEN)] {
        let tenant = Tenant::sample_with(SampleOptions {
            users: 60,
            groups: 12,
            seed,
            nested: true,
            assigned: true,
            ..SampleOptions::default()
        });
        tenant.grant_permission("Application.Read.All");
        let application = tenant.service_principal_id().parse().unwrap();
        let mut world = World::new(tenant).await;
        world.job.assigning = Assigning {
            application: Some(application),
            scope: true,
            nesting,
        };
        world.job.policy.deletion_threshold = Threshold::count(1000);
        world.job.policy.groups.deletion_threshold = Threshold::count(1000);
        world.job.policy.membership_removal_threshold = Threshold::count(1000);
        world.cycle_twice().await;
        assert_eq!(
            held(&world),
            expected(&world, nesting.scope),
            "seed {seed}, initial"
        );
        assert_members(&world, nesting, "initial");
        let mut moved = [0; 4];
        for step in 0..8_usize {
            world.tenant.mutate(0.1, step as u64 + seed);
            let (users, groups) = (world.tenant.user_ids(), world.tenant.group_ids());
            let at = step * 7 + seed as usize;
            world.tenant.assign(&users[at % users.len()], "");
            world.tenant.unassign(&users[(at * 3) % users.len()], None);
            world
                .tenant
                .assign(&groups[at % groups.len()], "BillingAdministrator");
            world.tenant.unassign(&groups[(at + 5) % groups.len()], None);
            world.tenant.add_member(
                &groups[(at * 5) % groups.len()],
                &groups[(at * 11) % groups.len()],
            );
            if step == 4 {
                world.tenant.forget_tokens();
            }
            // The second cycle agrees with what the first one saw, late enough for replicas to have caught up.
            for _ in 0..2 {
                world.clock.advance(std::time::Duration::from_secs(15 * 60));
                let ran = world.run(Extent::Changes, true, Some(1000)).await;
                assert!(ran.error.is_none(), "seed {seed}, step {step}: {}", ran.story());
                let verbs = [
                    Verb::CreateUser,
                    Verb::DisableUser,
                    Verb::EnableUser,
                    Verb::RemoveMember,
                ];
                for (sum, verb) in moved.iter_mut().zip(verbs) {
                    *sum += ran.count(verb);
                }
            }
            assert_eq!(
                held(&world),
                expected(&world, nesting.scope),
                "seed {seed}, step {step}"
            );
            assert_members(&world, nesting, &format!("seed {seed}, step {step}"));
            world.expect_no_write().await;
        }
        assert!(
            moved.iter().all(|count| *count > 0),
            "seed {seed} is no test: {moved:?}"
        );
    }
}

#[tokio::test]
async fn an_assigned_group_with_hidden_members_removes_nobody() {
    let mut world = assigned(DIRECT).await;
    world.job.assigning.scope = false;
    world
        .tenant
        .set_group(&group(&world, "delta"), json!({"visibility": "HiddenMembership"}));
    world.cycle_twice().await;
    assert_eq!(active(&world).len(), 12);
    world.job.assigning.scope = true;
    world.tenant.assign(&group(&world, "delta"), "");
    for _ in 0..3 {
        let ran = world.expect_no_write().await;
        ran.expect(Outcome::Partial);
        assert!(
            ran.findings
                .iter()
                .any(|text| text.contains("Member.Read.Hidden")),
            "{:?}",
            ran.findings
        );
    }
    assert_eq!(active(&world).len(), 12, "any of them could be in delta");
    // Who is disabled in Entra is disabled all the same.
    world.tenant.disable_user(&world.tenant.user_ids()[11]);
    let ran = world.cycle().await;
    ran.expect(Outcome::Partial);
    assert_eq!((ran.count(Verb::DisableUser), active(&world).len()), (1, 11));
    world.tenant.grant_permission("Member.Read.Hidden");
    world.tenant.expire_access_tokens();
    world.run(Extent::Restart, true, None).await;
    world.cycle().await.expect(Outcome::Converged);
    world.cycle_twice().await;
    assert_eq!(active(&world), [0, 1, 2, 6, 7]);
}

/// People and groups on the move: in the assignments, in memberships, and in groups within groups.
async fn moving() -> World {
    let world = assigned(FLATTEN).await;
    world.cycle().await.expect(Outcome::Converged);
    let ids = world.tenant.user_ids();
    world.tenant.unassign(&ids[7], None);
    world.tenant.assign(&ids[8], "");
    world.tenant.add_member(&group(&world, "gamma"), &ids[9]);
    world.tenant.remove_member(&group(&world, "beta"), &ids[4]);
    world.tenant.assign(&group(&world, "delta"), "");
    world
}

#[tokio::test]
async fn a_change_of_assignments_survives_a_stop_after_every_store_write() {
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
            // What seems to be lost through an assignment or a membership takes two cycles.
            for _ in 0..3 {
                world.cycle().await;
            }
            assert_eq!(active(&world), [0, 1, 2, 3, 5, 6, 8, 9], "{at}");
            assert_eq!(members(&world, "alpha"), [0, 1, 2, 3, 5, 9], "{at}");
            assert_eq!(members(&world, "delta"), [6], "{at}");
            world.expect_no_write().await.expect(Outcome::Converged);
        }
    }
}
