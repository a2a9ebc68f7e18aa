//! Targets that differ: less schema, other paging, other values, other answers.

use melonsync::engine::summary::Outcome;
use melonsync::model::id::ObjectKind;
use melonsync::model::id::TargetId;
use melonsync::model::value::Value;
use melonsync::ports::Patch;
use melonsync::reconcile::operation::Change;
use melonsync::reconcile::operation::Verb;
use melonsync::sandbox::Tenant;
use serde_json::json;

use super::incremental::synced;
use crate::support::world::World;

#[tokio::test]
async fn target_without_group_description_is_a_finding_and_no_failure() {
    let mut world = World::sample(20, 4).await;
    world
        .workspace
        .update_options(|options| options.group_description = false);
    world.allow.without = ["description".to_owned()].into();
    let ran = world.cycle().await;
    ran.expect(Outcome::Converged);
    assert!(
        ran.findings.iter().any(|text| text.contains("description")),
        "{:?}",
        ran.findings
    );
    world.assert_equal();
    world.expect_quiet().await;
}

#[tokio::test]
async fn listing_that_stops_short_creates_users_but_no_groups_and_says_why() {
    let world = World::new(Tenant::empty()).await;
    for n in 0..30 {
        world
            .workspace
            .insert_user(json!({"userName": format!("local{n}@idmelon.example")}));
        world
            .workspace
            .insert_group(json!({"displayName": format!("Local {n}")}));
    }
    world.workspace.update_options(|options| options.paging = false);
    let ada = world
        .tenant
        .add_user(json!({"userPrincipalName": "ada@corp.example"}));
    let group = world.tenant.add_group(json!({"displayName": "Pilots"}));
    world.tenant.add_member(&group, &ada);
    let ran = world.cycle().await;
    ran.expect(Outcome::Partial);
    assert_eq!(ran.count(Verb::CreateUser), 1);
    assert_eq!(ran.count(Verb::CreateGroup), 0);
    assert_eq!(ran.omitted("absence_unproven"), 1);
    assert_eq!(world.workspace.group_count(), 30);
    world.expect_no_write().await;
}

#[tokio::test]
async fn conflict_on_create_adopts_the_resource_that_was_there() {
    let world = World::new(Tenant::empty()).await;
    for n in 0..30 {
        world
            .workspace
            .insert_user(json!({"userName": format!("local{n}@idmelon.example")}));
    }
    let there = world
        .workspace
        .insert_user(json!({"userName": "ADA@corp.example", "active": true}));
    world.workspace.update_options(|options| options.paging = false);
    let ada = world
        .tenant
        .add_user(json!({"userPrincipalName": "ada@corp.example", "displayName": "Ada"}));
    let ran = world.cycle().await;
    ran.expect(Outcome::Converged);
    assert_eq!(ran.count(Verb::LinkUser), 1, "{}", ran.story());
    assert_eq!(world.resource(&ada)["id"], there.as_str());
    assert_eq!(world.resource(&ada)["displayName"], "Ada");
    world.expect_quiet().await;
}

#[tokio::test]
async fn conflict_that_no_filter_explains_is_a_failure_that_says_so() {
    let world = World::new(Tenant::empty()).await;
    for n in 0..30 {
        world
            .workspace
            .insert_user(json!({"userName": format!("local{n}@idmelon.example")}));
    }
    world
        .workspace
        .insert_user(json!({"userName": "ADA@corp.example"}));
    world.workspace.update_options(|options| {
        options.paging = false;
        options.case_sensitive_filters = true;
    });
    world
        .tenant
        .add_user(json!({"userPrincipalName": "ada@corp.example"}));
    let bob = world
        .tenant
        .add_user(json!({"userPrincipalName": "bob@corp.example"}));
    let ran = world.cycle().await;
    ran.expect(Outcome::Partial);
    assert_eq!(ran.summary.failed.len(), 1, "{}", ran.story());
    assert!(ran.summary.failed[0].error.contains("409"), "{}", ran.story());
    world.resource(&bob);
    assert_eq!(world.workspace.user_count(), 32);
}

#[tokio::test]
async fn resource_deleted_at_the_target_is_created_again_when_its_user_changes() {
    let world = synced().await;
    let user = world.tenant.user_ids()[10].clone();
    world
        .workspace
        .remove_user(world.resource(&user)["id"].as_str().unwrap());
    world.tenant.set_user(&user, json!({"jobTitle": "Back"}));
    let ran = world.cycle().await;
    ran.expect(Outcome::Converged);
    assert_eq!(ran.count(Verb::CreateUser), 1, "{}", ran.story());
    world.assert_equal();
    world.expect_quiet().await;
}

#[tokio::test]
async fn group_deleted_at_the_target_is_created_again_when_it_changes() {
    let world = synced().await;
    let group = world.tenant.group_ids()[1].clone();
    world
        .workspace
        .remove_group(world.group_resource(&group)["id"].as_str().unwrap());
    world.tenant.set_group(&group, json!({"description": "Back"}));
    world.cycle().await.expect(Outcome::Converged);
    world.assert_equal();
    world.expect_quiet().await;
}

#[tokio::test]
async fn target_that_answers_without_a_body_converges() {
    let world = World::sample(30, 4).await;
    world
        .workspace
        .update_options(|options| options.patch_answers_body = false);
    world.cycle_twice().await;
    for step in 0..3 {
        world.tenant.mutate(0.2, step);
        world.cycle_twice().await;
        world.assert_equal();
    }
}

#[tokio::test]
async fn target_that_trims_and_lowers_values_looks_unchanged() {
    let mut world = World::sample(30, 4).await;
    world.workspace.update_options(|options| {
        options.trim = true;
        options.lower_case = true;
    });
    let user = world.tenant.user_ids()[0].clone();
    world.tenant.set_user(
        &user,
        json!({"jobTitle": "  Spaced  ", "mail": "Loud@Corp.example"}),
    );
    world.allow.loosely = true;
    world.cycle_twice().await;
    world.assert_equal();
    world.tenant.set_user(&user, json!({"department": "Other"}));
    let ran = world.cycle_twice().await;
    assert_eq!(ran.operations[0].changes.len(), 1, "{:#?}", ran.operations);
    world.assert_equal();
}

#[tokio::test]
async fn target_that_drops_an_attribute_is_not_written_again_and_again() {
    let mut world = World::sample(20, 2).await;
    world
        .workspace
        .update_options(|options| options.drop_attributes = vec!["preferredLanguage".to_owned()]);
    world.allow.without = ["preferredLanguage".to_owned()].into();
    world.cycle_twice().await;
    world.assert_equal();
}

#[tokio::test]
async fn target_without_patch_is_written_by_put() {
    let world = World::sample(20, 3).await;
    world
        .workspace
        .update_options(|options| options.patch_supported = false);
    world.cycle_twice().await;
    world.tenant.mutate(0.3, 2);
    world.cycle_twice().await;
    world.assert_equal();
}

#[tokio::test]
async fn target_without_filters_is_listed() {
    let world = synced().await;
    world.workspace.update_options(|options| options.filters = false);
    world
        .tenant
        .add_user(json!({"userPrincipalName": "new@corp.example"}));
    world.tenant.add_group(json!({"displayName": "New"}));
    world.cycle_twice().await;
    world.assert_equal();
}

#[tokio::test]
async fn listing_over_many_pages_is_read_whole() {
    let mut world = World::sample(60, 8).await;
    world.workspace.update_options(|options| options.max_results = 7);
    world.workspace.half_fill(&world.tenant, 1.0);
    world.remember_workspace();
    world.job.policy.adopt = melonsync::reconcile::policy::Adopt::Any;
    world.job.policy.groups.adopt = melonsync::reconcile::policy::AdoptGroup::Unclaimed;
    world.cycle_twice().await;
    world.assert_equal();
}

/// No target column that a mapping takes leads here: the edge looks by itself at what it is told to write.
#[tokio::test]
async fn a_path_that_cannot_be_written_is_corrected() {
    let world = synced().await;
    let user = world.tenant.user_ids()[0].clone();
    let id = TargetId::new(world.resource(&user)["id"].as_str().unwrap()).unwrap();
    let write = |path: &str| {
        let change = Change {
            attribute: path.into(),
            before: Value::Null,
            after: Value::text("Captain"),
        };
        let patch = Patch {
            changes: vec![change],
            ..Patch::default()
        };
        let (target, id) = (world.job.target.clone(), id.clone());
        async move { target.patch(ObjectKind::User, &id, &patch).await }
    };
    let refused = write("emails[value co \"x\"].value").await.unwrap_err();
    assert_eq!(refused.hint(), "correct the target column of this mapping row");
    write("title").await.unwrap();
    assert_eq!(world.resource(&user)["title"], "Captain");
}
