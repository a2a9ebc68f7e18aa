//! App roles: granted by assignments of one's own and of groups, revoked with them, and sent again after a re-enable.

use melonsync::engine::job::Assigning;
use melonsync::engine::summary::Outcome;
use melonsync::mapping::Mapping;
use melonsync::reconcile::operation::Verb;
use melonsync::reconcile::policy::Threshold;
use melonsync::sandbox::Fault;
use melonsync::sandbox::SampleOptions;
use melonsync::sandbox::Tenant;
use serde_json::Value;
use serde_json::json;

use crate::support::world::World;

/// One role a user, as IDmelon asks for it (idmelon.md, "Administrator roles by SCIM").
const SINGLE: (&str, &str) = (
    r#"roles[primary eq "True"].value"#,
    "SingleAppRoleAssignment([appRoleAssignments])",
);
/// All of them.
const ALL: (&str, &str) = (
    "roles",
    "AssertiveAppRoleAssignmentsComplex([appRoleAssignments])",
);

/// Six users; group admins holds 0 and 1, group billing 1 and 2. Everybody is in scope.
async fn with_roles((target, source): (&str, &str)) -> World {
    let tenant = Tenant::sample_with(SampleOptions {
        users: 6,
        groups: 0,
        plain: true,
        ..SampleOptions::default()
    });
    let ids = tenant.user_ids();
    for (name, members) in [("admins", [0, 1]), ("billing", [1, 2])] {
        let group = tenant.add_group(json!({"displayName": name}));
        members.iter().for_each(|at| tenant.add_member(&group, &ids[*at]));
    }
    tenant.grant_permission("Application.Read.All");
    let application = tenant.service_principal_id().parse().unwrap();
    let mut world = World::new(tenant).await;
    let preset = include_str!("../../../config/mappings/idmelon.toml");
    let text = format!("{preset}\n[[user]]\ntarget = '{target}'\nsource = '{source}'\n");
    world.map_by(Mapping::from_toml("roles.toml", &text).unwrap_or_else(|problems| panic!("{problems}")));
    world.job.assigning = Assigning {
        application: Some(application),
        ..Assigning::default()
    };
    world.job.policy.deletion_threshold = Threshold::count(1000);
    world
}

fn group(world: &World, name: &str) -> String {
    let named = |id: &String| world.tenant.group(id).unwrap()["displayName"] == name;
    world.tenant.group_ids().into_iter().find(named).unwrap()
}

/// Role values of a user at the target, in order.
fn roles(world: &World, user: &str) -> Vec<String> {
    let resource = world.resource(user);
    let list = resource["roles"].as_array().cloned().unwrap_or_default();
    let mut values: Vec<String> = list
        .iter()
        .map(|role| role["value"].as_str().unwrap().to_owned())
        .collect();
    values.sort();
    values
}

#[tokio::test]
async fn a_role_comes_with_its_assignment_and_goes_with_it() {
    let world = with_roles(SINGLE).await;
    let ids = world.tenant.user_ids();
    world.tenant.assign(&ids[0], "GlobalAdministrator");
    world.tenant.assign(&ids[3], "");
    let plan = world.plan().await;
    let first = world.cycle_twice().await;
    assert_eq!(plan.summary.operations, first.summary.operations);
    assert_eq!(roles(&world, &ids[0]), ["GlobalAdministrator"]);
    assert_eq!(world.resource(&ids[0])["roles"][0]["primary"], true);
    assert_eq!(
        roles(&world, &ids[3]),
        Vec::<String>::new(),
        "default access is no role"
    );
    world.assert_equal();

    // Changed, and only that user is written.
    world.tenant.unassign(&ids[0], Some("GlobalAdministrator"));
    world.tenant.assign(&ids[0], "BillingAdministrator");
    world.workspace.clear_requests();
    let ran = world.cycle_twice().await;
    assert_eq!((ran.count(Verb::UpdateUser), ran.operations.len()), (1, 1));
    assert_eq!(roles(&world, &ids[0]), ["BillingAdministrator"]);

    // Back to default access.
    world.tenant.unassign(&ids[0], None);
    world.tenant.assign(&ids[0], "");
    let ran = world.cycle_twice().await;
    assert_eq!(ran.count(Verb::UpdateUser), 1);
    assert_eq!(roles(&world, &ids[0]), Vec::<String>::new());
}

#[tokio::test]
async fn a_user_has_every_role_of_the_assigned_groups_it_is_in() {
    let world = with_roles(ALL).await;
    let ids = world.tenant.user_ids();
    world
        .tenant
        .assign(&group(&world, "admins"), "GlobalAdministrator");
    world
        .tenant
        .assign(&group(&world, "admins"), "AuthenticationAdministrator");
    world
        .tenant
        .assign(&group(&world, "billing"), "BillingAdministrator");
    world.tenant.assign(&ids[2], "ConditionalAccessAdministrator");
    world.cycle_twice().await;
    let of = |world: &World| -> Vec<Vec<String>> { ids[..4].iter().map(|id| roles(world, id)).collect() };
    let (global, authentication, billing, access) = (
        "GlobalAdministrator",
        "AuthenticationAdministrator",
        "BillingAdministrator",
        "ConditionalAccessAdministrator",
    );
    assert_eq!(
        of(&world),
        [
            vec![authentication, global],
            vec![authentication, billing, global],
            vec![billing, access],
            vec![]
        ]
    );
    // One leaves a group: its roles go at once, the others stay.
    world.tenant.remove_member(&group(&world, "admins"), &ids[1]);
    let ran = world.cycle_twice().await;
    assert_eq!(ran.count(Verb::UpdateUser), 1);
    assert_eq!(roles(&world, &ids[1]), [billing]);
    // The group's assignment goes.
    world.tenant.unassign(&group(&world, "billing"), None);
    let ran = world.cycle_twice().await;
    assert_eq!(ran.count(Verb::UpdateUser), 2);
    assert_eq!(
        of(&world),
        [vec![authentication, global], vec![], vec![access], vec![]]
    );
    // A group that joins another one brings its roles only where nested groups count.
    world
        .tenant
        .add_member(&group(&world, "admins"), &group(&world, "billing"));
    let ran = world.cycle_twice().await;
    assert_eq!(ran.count(Verb::UpdateUser), 0);
}

#[tokio::test]
async fn roles_return_with_the_user_because_the_target_clears_them_on_deactivation() {
    for (name, row, expected) in [
        ("one", SINGLE, vec!["GlobalAdministrator"]),
        ("all", ALL, vec!["BillingAdministrator", "GlobalAdministrator"]),
    ] {
        let world = with_roles(row).await;
        let ids = world.tenant.user_ids();
        world.tenant.assign(&ids[0], "GlobalAdministrator");
        if row == ALL {
            world
                .tenant
                .assign(&group(&world, "billing"), "BillingAdministrator");
            world.tenant.add_member(&group(&world, "billing"), &ids[0]);
        }
        world.cycle_twice().await;
        assert_eq!(roles(&world, &ids[0]), expected, "{name}");
        world.tenant.disable_user(&ids[0]);
        world.cycle_twice().await;
        assert_eq!(world.resource(&ids[0])["active"], false, "{name}");
        assert_eq!(
            roles(&world, &ids[0]),
            Vec::<String>::new(),
            "{name}: the target cleared them"
        );
        // What it cleared by itself is no drift either.
        let full = world.run(melonsync::engine::job::Extent::Full, true, None).await;
        assert_eq!(
            full.summary.drift,
            melonsync::engine::summary::Drift::default(),
            "{name}"
        );
        world.tenant.enable_user(&ids[0]);
        world.cycle_twice().await;
        assert_eq!(world.resource(&ids[0])["active"], true, "{name}");
        assert_eq!(roles(&world, &ids[0]), expected, "{name}: sent again");
    }
}

/// The PATCH says nothing, and what it did besides cannot be read at once: it is read before anything else is planned.
#[tokio::test]
async fn roles_return_with_the_user_although_the_target_was_not_readable_after_it_cleared_them() {
    let mut world = with_roles(SINGLE).await;
    // The fault does not end: it is tried again for the whole budget.
    world.retry.budget = std::time::Duration::from_millis(50);
    world.restart();
    let ids = world.tenant.user_ids();
    world.tenant.assign(&ids[0], "GlobalAdministrator");
    world
        .workspace
        .update_faults(|faults| faults.odd.patch_without_body = true);
    world.cycle_twice().await;
    world.tenant.disable_user(&ids[0]);
    world
        .workspace
        .update_faults(|faults| faults.html_success = Fault::always().only("GET"));
    world.cycle().await;
    assert_eq!(world.resource(&ids[0])["active"], false);
    assert_eq!(
        roles(&world, &ids[0]),
        Vec::<String>::new(),
        "the target cleared them"
    );
    world
        .workspace
        .update_faults(|faults| faults.html_success = Fault::never());
    world.tenant.enable_user(&ids[0]);
    world.cycle_twice().await;
    assert_eq!(world.resource(&ids[0])["active"], true);
    assert_eq!(roles(&world, &ids[0]), ["GlobalAdministrator"], "sent again");
}

#[tokio::test]
async fn a_role_lost_while_disabled_does_not_return() {
    let world = with_roles(SINGLE).await;
    let ids = world.tenant.user_ids();
    world.tenant.assign(&ids[0], "GlobalAdministrator");
    world.cycle_twice().await;
    world.tenant.disable_user(&ids[0]);
    world.cycle_twice().await;
    world.tenant.unassign(&ids[0], None);
    world.cycle_twice().await;
    world.tenant.enable_user(&ids[0]);
    world.cycle_twice().await;
    assert_eq!(roles(&world, &ids[0]), Vec::<String>::new());
}

#[tokio::test]
async fn a_role_that_is_renamed_is_sent_under_its_new_value() {
    let world = with_roles(SINGLE).await;
    let ids = world.tenant.user_ids();
    world
        .tenant
        .assign(&group(&world, "billing"), "BillingAdministrator");
    world.cycle_twice().await;
    world
        .tenant
        .set_role_value("BillingAdministrator", json!("GlobalAdministrator2"));
    let ran = world.cycle_twice().await;
    assert_eq!(ran.count(Verb::UpdateUser), 2);
    assert_eq!(roles(&world, &ids[2]), ["GlobalAdministrator2"]);
    world.tenant.set_role_value("GlobalAdministrator2", Value::Null);
    world.cycle_twice().await;
    assert_eq!(roles(&world, &ids[2]), Vec::<String>::new());
}

#[tokio::test]
async fn roles_are_revoked_only_by_a_list_that_was_read() {
    let world = with_roles(SINGLE).await;
    let ids = world.tenant.user_ids();
    world.tenant.assign(&ids[0], "GlobalAdministrator");
    world.cycle_twice().await;
    world.tenant.unassign(&ids[0], None);
    world.tenant.set_user(&ids[0], json!({"jobTitle": "Director"}));
    world
        .tenant
        .update_faults(|faults| faults.assignment_no_value = melonsync::sandbox::Fault::once());
    let ran = world.cycle().await;
    ran.expect(Outcome::Partial);
    assert_eq!(world.resource(&ids[0])["title"], "Director");
    assert_eq!(roles(&world, &ids[0]), ["GlobalAdministrator"]);
    world.cycle_twice().await;
    assert_eq!(roles(&world, &ids[0]), Vec::<String>::new());
}

#[tokio::test]
async fn roles_come_through_nested_groups_where_those_count() {
    let mut world = with_roles(ALL).await;
    let ids = world.tenant.user_ids();
    world.job.assigning.nesting.scope = true;
    world
        .tenant
        .add_member(&group(&world, "admins"), &group(&world, "billing"));
    world
        .tenant
        .assign(&group(&world, "admins"), "GlobalAdministrator");
    world.cycle_twice().await;
    assert_eq!(roles(&world, &ids[2]), ["GlobalAdministrator"]);
    world
        .tenant
        .remove_member(&group(&world, "admins"), &group(&world, "billing"));
    let ran = world.cycle_twice().await;
    assert_eq!(
        ran.count(Verb::UpdateUser),
        1,
        "user 1 has it through admins itself"
    );
    assert_eq!(
        (roles(&world, &ids[1]).len(), roles(&world, &ids[2]).len()),
        (1, 0)
    );
}

#[tokio::test]
async fn whoever_leaves_the_assigned_scope_loses_the_role_with_the_account_and_has_it_again() {
    let mut world = with_roles(SINGLE).await;
    let ids = world.tenant.user_ids();
    world.job.assigning.scope = true;
    world.tenant.assign(&ids[0], "GlobalAdministrator");
    world.tenant.assign(&group(&world, "billing"), "");
    world.cycle_twice().await;
    assert_eq!(world.workspace.user_count(), 3);
    world.tenant.unassign(&ids[0], None);
    world.cycle().await.expect(Outcome::Converged);
    world.cycle_twice().await;
    assert_eq!(world.resource(&ids[0])["active"], false);
    assert_eq!(roles(&world, &ids[0]), Vec::<String>::new());
    world.tenant.assign(&ids[0], "GlobalAdministrator");
    let ran = world.cycle_twice().await;
    assert_eq!((ran.count(Verb::EnableUser), ran.count(Verb::CreateUser)), (1, 0));
    assert_eq!(roles(&world, &ids[0]), ["GlobalAdministrator"]);
}
