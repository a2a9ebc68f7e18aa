//! An attribute that the target refuses waits alone: the rest of its object is kept equal, and nobody else notices.

use std::time::Duration;

use melonsync::engine::job::Extent;
use melonsync::engine::summary::Outcome;
use melonsync::reconcile::operation::Verb;
use melonsync::sandbox::Oddities;
use melonsync::sandbox::Tenant;
use melonsync::snapshot::escrow;
use melonsync::snapshot::refused;
use serde_json::json;

use crate::support::world::World;

const MINUTE: Duration = Duration::from_secs(60);

/// One user and one group at a target with these ways; after the first cycle.
async fn at(odd: impl FnOnce(&mut Oddities)) -> (World, String, String) {
    let world = World::new(Tenant::empty()).await;
    world.workspace.update_faults(|faults| odd(&mut faults.odd));
    let user = world.tenant.add_user(json!({
        "userPrincipalName": "ada@corp.example", "displayName": "Ada", "jobTitle": "Engineer", "department": "R&D",
        "givenName": "Ada", "surname": "Byron", "mobilePhone": "+49 1", "city": "London",
    }));
    let group = world.tenant.add_group(json!({"displayName": "Poets"}));
    world.cycle().await.expect(Outcome::Converged);
    (world, user, group)
}

/// The object's refused attributes, with how often each was.
fn waiting(world: &World, user: &str) -> Vec<(String, u32)> {
    let id = user.parse().unwrap();
    let rows = refused::refusals(&world.job.snapshot, melonsync::model::id::ObjectKind::User, &id).unwrap();
    rows.into_iter()
        .map(|row| (row.attribute, row.failures))
        .collect()
}

fn immutable(paths: &[&str]) -> Vec<String> {
    paths.iter().map(|path| (*path).to_owned()).collect()
}

#[tokio::test]
async fn the_rest_goes_the_refused_one_waits_named_and_only_its_own_gap_tries_it() {
    for (name, unnamed, no_schemas) in [
        ("announced and named", false, false),
        ("named", false, true),
        ("neither announced nor named", true, true),
    ] {
        let (world, user, _) = at(|odd| {
            odd.immutable_attributes = immutable(&["userName"]);
            odd.unnamed_refusals = unnamed;
            odd.no_schemas = no_schemas;
        })
        .await;
        let news = json!({"userPrincipalName": "ada.byron@corp.example", "jobTitle": "Countess", "surname": "Lovelace",
            "mobilePhone": "+49 2"});
        world.tenant.set_user(&user, news);
        let ran = world.cycle().await;
        ran.expect(Outcome::Partial);
        let held = world.resource(&user);
        assert_eq!(held["userName"], "ada@corp.example", "{name}");
        assert_eq!(held["title"], "Countess", "{name}: {}", ran.story());
        assert_eq!(held["name"]["familyName"], "Lovelace", "{name}");
        assert_eq!(held["phoneNumbers"][0]["value"], "+49 2", "{name}");
        assert_eq!(ran.summary.escrow, 1, "{name}");
        assert!(
            ran.summary.failed[0].error.contains("`userName`"),
            "{name}: {:?}",
            ran.summary.failed
        );
        assert_eq!(waiting(&world, &user), [("userName".to_owned(), 1)], "{name}");
        // Quiet, and still said.
        world.workspace.clear_requests();
        let again = world.cycle().await;
        again.expect(Outcome::Partial);
        assert_eq!(
            (again.summary.escrow, world.workspace.requests().len()),
            (1, 0),
            "{name}"
        );
        // Another attribute goes at once, and the refused one is not sent along.
        world.tenant.set_user(&user, json!({"jobTitle": "Analyst"}));
        world.workspace.clear_requests();
        let ran = world.cycle().await;
        ran.expect(Outcome::Partial);
        assert_eq!(world.resource(&user)["title"], "Analyst", "{name}");
        assert_eq!(ran.omitted("attribute_refused"), 1, "{name}: {}", ran.story());
        let patches = world
            .workspace
            .requests()
            .iter()
            .filter(|r| r.method == "PATCH")
            .count();
        assert_eq!((patches, waiting(&world, &user)[0].1), (1, 1), "{name}");
        // Its own gap has passed: tried again, alone.
        world.clock.advance(MINUTE * 6);
        world.cycle().await.expect(Outcome::Partial);
        assert_eq!(waiting(&world, &user), [("userName".to_owned(), 2)], "{name}");
        // And taken, once the target takes it.
        world
            .workspace
            .update_faults(|faults| faults.odd.immutable_attributes.clear());
        world.clock.advance(MINUTE * 11);
        world.cycle().await.expect(Outcome::Converged);
        assert_eq!(
            world.resource(&user)["userName"],
            "ada.byron@corp.example",
            "{name}"
        );
        assert!(waiting(&world, &user).is_empty(), "{name}");
        assert!(escrow::entries(&world.job.snapshot).unwrap().is_empty(), "{name}");
        world.assert_equal();
        world.expect_quiet().await;
    }
}

#[tokio::test]
async fn a_disable_is_not_held_up_by_another_attribute() {
    for unnamed in [false, true] {
        let (world, user, _) = at(|odd| {
            odd.immutable_attributes = immutable(&["userName", "title"]);
            odd.unnamed_refusals = unnamed;
        })
        .await;
        let news =
            json!({"userPrincipalName": "b@corp.example", "jobTitle": "Gone", "accountEnabled": false});
        world.tenant.set_user(&user, news);
        let ran = world.cycle().await;
        ran.expect(Outcome::Partial);
        assert_eq!(ran.count(Verb::DisableUser), 1, "{}", ran.story());
        assert_eq!(world.resource(&user)["active"], false);
        assert_eq!(ran.summary.escrow, 1);
    }
}

#[tokio::test]
async fn what_goes_back_to_what_the_target_holds_waits_no_longer() {
    let (world, user, _) = at(|odd| odd.immutable_attributes = immutable(&["userName"])).await;
    world.tenant.set_user(
        &user,
        json!({"userPrincipalName": "b@corp.example", "jobTitle": "Countess"}),
    );
    world.cycle().await.expect(Outcome::Partial);
    world
        .tenant
        .set_user(&user, json!({"userPrincipalName": "ada@corp.example"}));
    world.cycle().await.expect(Outcome::Converged);
    assert!(waiting(&world, &user).is_empty());
    world.expect_quiet().await;
}

#[tokio::test]
async fn a_value_is_cleared_in_another_way_where_remove_is_refused() {
    for null_refused in [false, true] {
        let (world, user, _) = at(|odd| {
            odd.remove_refused = true;
            odd.null_refused = null_refused;
        })
        .await;
        let news = json!({"jobTitle": null, "department": null, "mobilePhone": null, "surname": "King"});
        world.tenant.set_user(&user, news);
        let ran = world.cycle().await;
        assert_eq!(ran.summary.outcome, Outcome::Converged, "{}", ran.story());
        let held = world.resource(&user);
        assert_eq!(held["name"]["familyName"], "King");
        assert!(held["title"].as_str().is_none_or(str::is_empty), "{held}");
        world.assert_equal();
        world.expect_quiet().await;
    }
}

#[tokio::test]
async fn members_do_not_wait_for_a_refused_name_of_their_group() {
    let (world, user, group) = at(|odd| odd.immutable_attributes = immutable(&["displayName"])).await;
    world.tenant.set_group(&group, json!({"displayName": "Painters"}));
    world.tenant.add_member(&group, &user);
    let ran = world.cycle().await;
    ran.expect(Outcome::Partial);
    let held = world.group_resource(&group);
    assert_eq!(held["displayName"], "Poets");
    assert_eq!(
        held["members"].as_array().map(Vec::len),
        Some(1),
        "{}",
        ran.story()
    );
    world.workspace.clear_requests();
    world.cycle().await.expect(Outcome::Partial);
    assert!(world.workspace.requests().is_empty());
}

#[tokio::test]
async fn a_create_goes_without_an_optional_attribute_that_its_refusal_names() {
    let world = World::new(Tenant::empty()).await;
    world
        .workspace
        .update_faults(|faults| faults.odd.refused_in_create = immutable(&["title", "addresses"]));
    let user = world.tenant.add_user(
        json!({"userPrincipalName": "ada@corp.example", "jobTitle": "Countess",
        "city": "London", "surname": "Byron"}),
    );
    let ran = world.cycle().await;
    ran.expect(Outcome::Partial);
    assert_eq!(ran.count(Verb::CreateUser), 1, "{}", ran.story());
    let held = world.resource(&user);
    assert_eq!(
        (held.get("title"), &held["name"]["familyName"]),
        (None, &json!("Byron"))
    );
    assert!(!waiting(&world, &user).is_empty());
    // By PATCH it is welcome.
    world.clock.advance(MINUTE * 6);
    world.cycle().await.expect(Outcome::Converged);
    world.assert_equal();
    world.expect_quiet().await;
}

#[tokio::test]
async fn a_create_that_cannot_be_without_what_is_refused_is_sent_once() {
    let world = World::new(Tenant::empty()).await;
    world
        .workspace
        .update_faults(|faults| faults.odd.refused_in_create = immutable(&["userName"]));
    world
        .tenant
        .add_user(json!({"userPrincipalName": "ada@corp.example", "jobTitle": "Countess"}));
    let ran = world.cycle().await;
    ran.expect(Outcome::Partial);
    assert_eq!((ran.count(Verb::CreateUser), ran.summary.escrow), (0, 1));
}

#[tokio::test]
async fn an_admin_who_names_the_object_and_a_new_config_try_it_at_once() {
    let (mut world, user, _) = at(|odd| odd.immutable_attributes = immutable(&["userName"])).await;
    world.tenant.set_user(
        &user,
        json!({"userPrincipalName": "b@corp.example", "jobTitle": "Countess"}),
    );
    world.cycle().await.expect(Outcome::Partial);
    let extent = Extent::Objects {
        users: vec![user.clone()],
        groups: vec![],
    };
    world.run(extent, true, None).await;
    assert_eq!(waiting(&world, &user), [("userName".to_owned(), 2)]);
    world.job.fingerprint = "another".to_owned();
    world.cycle().await.expect(Outcome::Partial);
    assert_eq!(waiting(&world, &user), [("userName".to_owned(), 3)]);
}

#[tokio::test]
async fn managers_in_a_circle_come_although_somebody_else_waits_in_part() {
    let (world, user, _) = at(|odd| odd.immutable_attributes = immutable(&["userName"])).await;
    let news = json!({"userPrincipalName": "ada.byron@corp.example", "jobTitle": "Countess"});
    world.tenant.set_user(&user, news);
    let pair = ["one@corp.example", "two@corp.example"]
        .map(|name| world.tenant.add_user(json!({"userPrincipalName": name})));
    world.tenant.set_manager(&pair[0], Some(&pair[1]));
    world.tenant.set_manager(&pair[1], Some(&pair[0]));
    let ran = world.cycle().await;
    ran.expect(Outcome::Partial);
    assert_eq!(ran.count(Verb::CreateUser), 2, "{}", ran.story());
    assert_eq!(waiting(&world, &user), [("userName".to_owned(), 1)]);
    for (report, manager) in [(0, 1), (1, 0)] {
        let held =
            &world.resource(&pair[report])["urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"];
        let id = &world.resource(&pair[manager])["id"];
        assert_eq!(held["manager"]["value"], *id, "{held}");
    }
}
