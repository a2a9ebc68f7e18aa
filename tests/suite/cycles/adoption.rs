//! Whose a resource is: rehires, and objects that want the same one.

use melonsync::engine::linking;
use melonsync::engine::open::open_writes;
use melonsync::engine::summary::Outcome;
use melonsync::model::clock::Clock;
use melonsync::model::id::ObjectKind;
use melonsync::ports::Durability;
use melonsync::reconcile::operation::Verb;
use melonsync::reconcile::policy::Adopt;
use melonsync::sandbox::Tenant;
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
async fn a_leaver_does_not_wait_where_another_resource_bears_the_newcomers_name() {
    let (world, user) = employed().await;
    world
        .workspace
        .insert_user(json!({"userName": "back@corp.example", "active": true}));
    world.tenant.soft_delete_user(&user);
    let back = world
        .tenant
        .add_user(json!({"userPrincipalName": "back@corp.example", "employeeId": "E-17"}));
    let kept = world.resource(&user)["id"].clone();
    let ran = world.cycle().await;
    ran.expect(Outcome::Converged);
    assert_eq!(world.resource(&user)["active"], false, "{}", ran.story());
    assert_ne!(world.resource(&back)["id"], kept, "{}", ran.story());
    let said = ran.findings.iter().any(|text| text.contains("does not take"));
    assert!(said, "{:?}", ran.findings);
    world.expect_no_write().await.expect(Outcome::Converged);
}

#[tokio::test]
async fn a_leaver_does_not_wait_for_a_newcomer_whose_turn_does_not_come() {
    let (world, user) = employed().await;
    world
        .workspace
        .update_faults(|faults| faults.refuse_user_names = vec!["back@corp.example".to_owned()]);
    world
        .tenant
        .add_user(json!({"userPrincipalName": "back@corp.example", "employeeId": "E-17"}));
    let ran = world.cycle().await;
    assert_eq!(ran.summary.escrow, 1, "{}", ran.story());
    world.tenant.soft_delete_user(&user);
    let ran = world.cycle().await;
    assert_eq!(world.resource(&user)["active"], false, "{}", ran.story());
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

#[tokio::test]
async fn adoption_leaves_no_write_open() {
    for answers in [true, false] {
        let world = World::new(Tenant::empty()).await;
        world
            .workspace
            .update_options(|options| options.patch_answers_body = answers);
        for n in 0..3 {
            let name = format!("u{n}@corp.example");
            world
                .tenant
                .add_user(json!({"userPrincipalName": name, "jobTitle": "New"}));
            world
                .workspace
                .insert_user(json!({"userName": name, "active": true}));
        }
        let ran = world.cycle().await;
        ran.expect(Outcome::Converged);
        assert_eq!((ran.count(Verb::LinkUser), ran.count(Verb::UpdateUser)), (3, 3));
        let open = open_writes(&world.job.snapshot).unwrap();
        assert!(open.is_empty(), "answered {answers}: {open:?}");
    }
}

#[tokio::test]
async fn unlinked_and_adopted_again_loses_nothing_and_gets_nothing() {
    for kind in [ObjectKind::User, ObjectKind::Group] {
        let world = synced().await;
        let (users, groups) = (world.tenant.user_ids(), world.tenant.group_ids());
        world.tenant.add_member(&groups[0], &users[0]);
        world.tenant.set_manager(&users[1], Some(&users[0]));
        world.cycle().await.expect(Outcome::Converged);
        let id = match kind {
            ObjectKind::User => &users[0],
            ObjectKind::Group => &groups[0],
        };
        let mut tx = world.job.snapshot.tx().unwrap();
        linking::relink(&mut tx, kind, &id.parse().unwrap(), None, world.clock.now()).unwrap();
        tx.commit(Durability::Synced).unwrap();
        let plan = world.plan().await;
        let ran = world.expect_no_write().await;
        ran.expect(Outcome::Converged);
        for ran in [&plan, &ran] {
            assert_eq!(
                ran.count(Verb::LinkUser) + ran.count(Verb::LinkGroup),
                1,
                "{}",
                ran.story()
            );
            for verb in [
                Verb::AddMember,
                Verb::RemoveMember,
                Verb::UpdateUser,
                Verb::UpdateGroup,
            ] {
                assert_eq!(ran.count(verb), 0, "{kind}, {verb}: {}", ran.story());
            }
        }
        world.assert_equal();
        world.expect_quiet().await;
    }
}

#[tokio::test]
async fn whoever_takes_a_resource_over_inherits_no_title_and_no_manager() {
    let (world, user) = employed().await;
    let users = world.tenant.user_ids();
    world
        .tenant
        .set_user(&user, json!({"jobTitle": "Head of Payroll"}));
    world.tenant.set_manager(&user, Some(&users[5]));
    world.cycle().await.expect(Outcome::Converged);
    world.tenant.hard_delete_user(&user);
    let back = world
        .tenant
        .add_user(json!({"userPrincipalName": "back@corp.example", "employeeId": "e-17"}));
    world.cycle().await.expect(Outcome::Converged);
    let held = world.resource(&back);
    assert_eq!(held["title"], json!(null), "{held}");
    let enterprise = &held["urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"];
    assert_eq!(enterprise["manager"], json!(null), "{held}");
    world.assert_equal();
    world.expect_quiet().await;
}
