//! Leaves others alone: what no source object is linked to is never changed, deleted or taken from somebody.

use melonsync::engine::job::Extent;
use melonsync::engine::summary::Outcome;
use melonsync::reconcile::policy::Adopt;
use melonsync::reconcile::policy::AdoptGroup;
use melonsync::sandbox::Tenant;
use serde_json::json;

use crate::cycles::synced;
use crate::support::world::World;

#[tokio::test]
async fn resources_that_belong_to_nobody_are_never_touched() {
    let world = synced().await;
    let stranger = world
        .workspace
        .insert_user(json!({"userName": "stranger@corp.example", "active": true}));
    let team = world
        .workspace
        .insert_group(json!({"displayName": "Local team", "members": [{"value": stranger}]}));
    let held = |world: &World| (world.workspace.user(&stranger), world.workspace.group(&team));
    let before = held(&world);
    for step in 0..3 {
        world.tenant.mutate(0.2, step);
        world.cycle().await.expect(Outcome::Converged);
        world
            .run(Extent::Full, true, None)
            .await
            .expect(Outcome::Converged);
        world
            .run(Extent::Restart, true, None)
            .await
            .expect(Outcome::Converged);
        assert_eq!(held(&world), before);
    }
}

#[tokio::test]
async fn members_that_nobody_is_linked_to_stay_in_an_adopted_group() {
    let mut world = World::new(Tenant::empty()).await;
    world.job.policy.groups.adopt = AdoptGroup::Unclaimed;
    let stranger = world
        .workspace
        .insert_user(json!({"userName": "stranger@corp.example"}));
    let team = world
        .workspace
        .insert_group(json!({"displayName": "Pilots", "members": [{"value": stranger}]}));
    let ada = world
        .tenant
        .add_user(json!({"userPrincipalName": "ada@corp.example"}));
    let group = world.tenant.add_group(json!({"displayName": "Pilots"}));
    world.tenant.add_member(&group, &ada);
    world.cycle_twice().await;
    let held = world.group_resource(&group);
    assert_eq!(held["id"], team.as_str());
    let members: Vec<_> = held["members"]
        .as_array()
        .unwrap()
        .iter()
        .map(|m| m["value"].clone())
        .collect();
    assert_eq!(members.len(), 2, "{members:?}");
    assert!(members.contains(&stranger.into()));
    world.assert_equal();
}

#[tokio::test]
async fn resource_with_somebody_elses_external_id_is_not_adopted_by_name() {
    let mut world = World::new(Tenant::empty()).await;
    let theirs = world.workspace.insert_user(
        json!({"userName": "ada@corp.example", "externalId": "somebody-else", "title": "Owner"}),
    );
    let before = world.workspace.user(&theirs);
    world
        .tenant
        .add_user(json!({"userPrincipalName": "ada@corp.example", "jobTitle": "Heir"}));
    let ran = world.cycle().await;
    ran.expect(Outcome::Partial);
    assert_eq!(ran.omitted("foreign_external_id"), 1, "{}", ran.story());
    assert_eq!(world.workspace.user(&theirs), before);
    assert_eq!(world.workspace.user_count(), 1);
    world.expect_no_write().await;
    world.job.policy.adopt = Adopt::Never;
    world.expect_no_write().await;
    world.job.policy.adopt = Adopt::Any;
    world.cycle().await.expect(Outcome::Converged);
    world.assert_equal();
}

#[tokio::test]
async fn linked_resource_is_not_stolen_by_name() {
    let world = synced().await;
    let users = world.tenant.user_ids();
    let old = world.tenant.user(&users[3]).unwrap()["userPrincipalName"].clone();
    let keys = world.resource(&users[3])["id"].clone();
    // The first owner of the name is gone for a moment at the target: renamed there by hand, still linked.
    world
        .workspace
        .edit_user(keys.as_str().unwrap(), json!({"externalId": null}));
    world
        .tenant
        .set_user(&users[3], json!({"userPrincipalName": "moved.away@corp.example"}));
    let heir = world.tenant.add_user(json!({"userPrincipalName": old}));
    let ran = world.cycle().await;
    assert!(ran.error.is_none(), "{}", ran.story());
    world.cycle().await.expect(Outcome::Converged);
    assert_ne!(
        world.resource(&heir)["id"],
        keys,
        "a re-used address inherits nobody's keys"
    );
    assert_eq!(
        world.workspace.user(keys.as_str().unwrap()).unwrap()["userName"],
        "moved.away@corp.example"
    );
}

#[tokio::test]
async fn two_resources_for_one_user_and_two_users_for_one_resource_are_findings() {
    let world = World::new(Tenant::empty()).await;
    let ada = world
        .tenant
        .add_user(json!({"userPrincipalName": "ada@corp.example"}));
    let twins = ["one@idmelon.example", "two@idmelon.example"].map(|name| {
        world
            .workspace
            .insert_user(json!({"userName": name, "externalId": ada}))
    });
    let team = world.workspace.insert_group(json!({"displayName": "Team"}));
    world.tenant.add_group(json!({"displayName": "Team"}));
    world.tenant.add_group(json!({"displayName": "team"}));
    let before: Vec<_> = twins.iter().map(|twin| world.workspace.user(twin)).collect();
    let ran = world.cycle().await;
    ran.expect(Outcome::Partial);
    assert_eq!(ran.omitted("ambiguous"), 1, "{}", ran.story());
    assert_eq!(ran.omitted("owned_by_another"), 2, "{}", ran.story());
    assert_eq!(
        twins
            .iter()
            .map(|twin| world.workspace.user(twin))
            .collect::<Vec<_>>(),
        before
    );
    assert_eq!(world.workspace.group(&team).unwrap()["externalId"], json!(null));
    assert_eq!(
        (world.workspace.user_count(), world.workspace.group_count()),
        (2, 1)
    );
}

#[tokio::test]
async fn protected_user_is_never_touched() {
    let mut world = synced().await;
    let users = world.tenant.user_ids();
    let name = world.tenant.user(&users[3]).unwrap()["userPrincipalName"]
        .as_str()
        .unwrap()
        .to_uppercase();
    world.job.policy.protect = vec![name];
    let before = world.resource(&users[3]);
    world
        .tenant
        .set_user(&users[3], json!({"jobTitle": "Changed", "accountEnabled": false}));
    let ran = world.cycle().await;
    assert!(ran.error.is_none(), "{}", ran.story());
    assert_eq!(ran.omitted("protected"), 1);
    assert_eq!(world.resource(&users[3]), before);
}
