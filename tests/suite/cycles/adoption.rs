//! Whose a resource is: rehires, and objects that want the same one.

use melonsync::engine::summary::Outcome;
use melonsync::reconcile::operation::Verb;
use melonsync::reconcile::policy::Adopt;
use serde_json::json;

use super::incremental::synced;
use crate::support::world::World;

/// Synced, with `rehire_by`, and one user with an employee number.
async fn employed() -> (World, String) {
    let mut world = synced().await;
    world.job.policy.rehire_by = Some("employeeId".to_owned());
    let user = world.tenant.user_ids()[3].clone();
    world.tenant.set_user(&user, json!({"employeeId": "E-17"}));
    world.cycle().await.expect(Outcome::Converged);
    (world, user)
}

#[tokio::test]
async fn whoever_comes_back_under_a_new_account_takes_the_old_resource_over() {
    for leaves in ["soft-deleted", "disabled", "hard-deleted in the same cycle"] {
        let (world, user) = employed().await;
        let group = world.tenant.group_ids()[0].clone();
        world.tenant.add_member(&group, &user);
        world.cycle().await.expect(Outcome::Converged);
        let resource = world.resource(&user)["id"].clone();
        match leaves {
            "soft-deleted" => world.tenant.soft_delete_user(&user),
            "disabled" => world.tenant.disable_user(&user),
            _ => world.tenant.hard_delete_user(&user),
        }
        if leaves != "hard-deleted in the same cycle" {
            world.cycle().await.expect(Outcome::Converged);
        }
        let back = world
            .tenant
            .add_user(json!({"userPrincipalName": "back@corp.example", "employeeId": "e-17"}));
        world.tenant.add_member(&group, &back);
        let plan = world.plan().await;
        assert_eq!(
            (plan.count(Verb::LinkUser), plan.count(Verb::DeleteUser)),
            (1, 0),
            "{leaves}: {}",
            plan.story()
        );
        let ran = world.cycle().await;
        ran.expect(Outcome::Converged);
        assert_eq!(
            (
                ran.count(Verb::LinkUser),
                ran.count(Verb::CreateUser),
                ran.count(Verb::DeleteUser)
            ),
            (1, 0, 0),
            "{leaves}: {}",
            ran.story()
        );
        assert_eq!(world.resource(&back)["id"], resource, "{leaves}");
        assert_eq!(world.resource(&back)["active"], true, "{leaves}");
        world.expect_no_write().await.expect(Outcome::Converged);
        let members = world.group_resource(&group)["members"].to_string();
        assert!(
            members.contains(resource.as_str().unwrap()),
            "{leaves}: {members}"
        );
    }
}

#[tokio::test]
async fn two_newcomers_with_one_number_take_nothing_over() {
    let (world, user) = employed().await;
    world.tenant.soft_delete_user(&user);
    for n in 0..2 {
        let name = format!("back{n}@corp.example");
        world
            .tenant
            .add_user(json!({"userPrincipalName": name, "employeeId": "E-17"}));
    }
    let ran = world.cycle().await;
    ran.expect(Outcome::Converged);
    assert_eq!(
        (ran.count(Verb::LinkUser), ran.count(Verb::CreateUser)),
        (0, 2),
        "{}",
        ran.story()
    );
    assert!(
        ran.findings
            .iter()
            .any(|text| text.contains("nobody takes a link over")),
        "{:?}",
        ran.findings
    );
    assert_eq!(world.resource(&user)["active"], false);
    world.expect_no_write().await;
}

#[tokio::test]
async fn resource_that_names_one_object_and_looks_like_another_goes_to_the_one_it_names() {
    let mut world = synced().await;
    world.job.policy.adopt = Adopt::Any;
    let named = world
        .tenant
        .add_user(json!({"userPrincipalName": "named@corp.example"}));
    let other = world
        .tenant
        .add_user(json!({"userPrincipalName": "other@corp.example"}));
    world.workspace.insert_user(json!({
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"],
        "userName": "other@corp.example", "externalId": named, "active": true,
    }));
    let ran = world.cycle().await;
    assert!(ran.error.is_none(), "{}", ran.story());

    assert_eq!(
        world.workspace.users_by_external_id(&named).len(),
        1,
        "{}",
        ran.story()
    );
    assert!(world.workspace.users_by_external_id(&other).len() <= 1);
    for _ in 0..2 {
        world.cycle().await;
    }
    world.expect_quiet().await;
    world.assert_equal();
}
