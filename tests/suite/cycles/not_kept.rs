//! Writes that are answered 2xx and not done: another way is tried once, and what stays undone is named and not taken for done.

use std::time::Duration;

use melonsync::engine::job::Extent;
use melonsync::engine::summary::Outcome;
use melonsync::model::dialect::PinnedDialect;
use melonsync::model::dialect::Update;
use melonsync::model::id::ObjectKind;
use melonsync::sandbox::Oddities;
use melonsync::sandbox::Tenant;
use serde_json::Value;
use serde_json::json;

use crate::support::world::Ran;
use crate::support::world::World;

const MINUTE: Duration = Duration::from_secs(60);

fn paths(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

/// Five users at a target with these ways; after the first cycle.
async fn at(odd: impl FnOnce(&mut Oddities)) -> (World, Vec<String>) {
    let world = World::new(Tenant::empty()).await;
    world.workspace.update_faults(|faults| odd(&mut faults.odd));
    let user = |n: usize| {
        let user = json!({"userPrincipalName": format!("user{n}@corp.example"), "displayName": format!("User {n}"),
            "jobTitle": "Engineer", "department": "R&D", "givenName": "Given", "surname": "Family", "mobilePhone": "+49 1"});
        world.tenant.add_user(user)
    };
    let users = (0..5).map(user).collect();
    world.cycle().await.expect(Outcome::Converged);
    (world, users)
}

fn writes(world: &World, method: &str) -> usize {
    let requests = world.workspace.requests();
    requests.iter().filter(|request| request.method == method).count()
}

fn thaw(world: &World) {
    world.workspace.update_faults(|faults| faults.odd.frozen.clear());
}

/// What a summary lists, as `attribute sent holds`.
fn listed(ran: &Ran) -> Vec<String> {
    let all = ran.summary.not_kept.iter();
    all.map(|one| format!("{} {} {}", one.attribute, one.sent, one.holds))
        .collect()
}

fn row(world: &World, user: &str) -> Option<melonsync::snapshot::drift::Row> {
    let id = user.parse().unwrap();
    world.job.snapshot.drift(ObjectKind::User, &id).unwrap()
}

#[tokio::test]
async fn what_no_patch_carries_out_goes_by_one_put_and_is_learned() {
    for (name, silent, news) in [
        ("a sub-attribute", "name.givenName", json!({"givenName": "Other"})),
        ("a phone that goes", "phoneNumbers", json!({"mobilePhone": null})),
        ("active", "active", json!({"accountEnabled": false})),
    ] {
        let (world, users) = at(|odd| odd.silent_by_patch = paths(&[silent])).await;
        for user in &users[..3] {
            world.tenant.set_user(user, news.clone());
            world.cycle_twice().await;
            world.assert_equal();
        }
        world.workspace.clear_requests();
        world.tenant.set_user(&users[3], news);
        world.cycle_twice().await;
        world.assert_equal();
        world.workspace.clear_requests();
        world
            .tenant
            .set_user(&users[4], json!({"jobTitle": "Still by PATCH"}));
        world.cycle().await.expect(Outcome::Converged);
        assert_eq!((writes(&world, "PATCH"), writes(&world, "PUT")), (1, 0), "{name}");
        world.assert_equal();
    }
}

#[tokio::test]
async fn what_is_not_kept_in_any_form_is_named_until_it_is_and_holds_up_nothing() {
    let (world, users) = at(|odd| odd.frozen = paths(&["title"])).await;
    world
        .tenant
        .set_user(&users[0], json!({"jobTitle": "Captain", "department": "Sea"}));
    let ran = world.cycle().await;
    ran.expect(Outcome::Partial);
    assert_eq!(
        listed(&ran),
        ["title \"Captain\" \"Engineer\""],
        "{}",
        ran.story()
    );
    assert_eq!(ran.summary.not_kept[0].name, "user0@corp.example");
    assert!(
        ran.summary.failed[0].error.contains("did not keep it"),
        "{}",
        ran.story()
    );
    let department = &world.resource(&users[0])["urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"]
        ["department"];
    assert_eq!(department, "Sea");
    // Quiet, and still said.
    world.workspace.clear_requests();
    let again = world.cycle().await;
    again.expect(Outcome::Partial);
    assert_eq!((listed(&again).len(), world.workspace.requests().len()), (1, 0));
    // Others are as ever, and a full cycle takes nothing for kept.
    world.tenant.set_user(&users[1], json!({"department": "Sea"}));
    let full = world.run(Extent::Full, true, None).await;
    full.expect(Outcome::Partial);
    assert_eq!(
        listed(&full),
        ["title \"Captain\" \"Engineer\""],
        "{}",
        full.story()
    );
    assert_eq!(full.summary.drift.modified, 0, "{}", full.story());
    // Another value is tried at once.
    world.tenant.set_user(&users[0], json!({"jobTitle": "Admiral"}));
    world.workspace.clear_requests();
    let ran = world.cycle().await;
    assert_eq!(
        listed(&ran),
        ["title \"Admiral\" \"Engineer\""],
        "{}",
        ran.story()
    );
    assert!(writes(&world, "PATCH") > 0);
    // Taken, once the target keeps it and its time has come.
    thaw(&world);
    world.clock.advance(MINUTE * 25 * 60);
    let ran = world.cycle().await;
    ran.expect(Outcome::Converged);
    assert!(listed(&ran).is_empty());
    assert_eq!(row(&world, &users[0]), None);
    world.assert_equal();
    world.expect_quiet().await;
}

#[tokio::test]
async fn what_is_not_kept_is_forgotten_once_the_two_sides_agree() {
    // The source takes it back.
    let (world, users) = at(|odd| odd.frozen = paths(&["title"])).await;
    world.tenant.set_user(&users[0], json!({"jobTitle": "Captain"}));
    world.cycle().await.expect(Outcome::Partial);
    world.tenant.set_user(&users[0], json!({"jobTitle": "Engineer"}));
    let ran = world.cycle().await;
    ran.expect(Outcome::Converged);
    assert!(listed(&ran).is_empty(), "{}", ran.story());
    world.expect_quiet().await;
    // Somebody does it at the target.
    world.tenant.set_user(&users[0], json!({"jobTitle": "Captain"}));
    world.cycle().await.expect(Outcome::Partial);
    let id = world.resource(&users[0])["id"].as_str().unwrap().to_owned();
    thaw(&world);
    world.workspace.edit_user(&id, json!({"title": "Captain"}));
    world
        .run(Extent::Full, true, None)
        .await
        .expect(Outcome::Converged);
    assert_eq!(row(&world, &users[0]), None);
    world.assert_equal();
    world.expect_quiet().await;
}

#[tokio::test]
async fn where_the_configuration_says_patch_no_put_is_tried() {
    let (mut world, users) = at(|odd| odd.silent_by_patch = paths(&["name.givenName"])).await;
    world.dialect = PinnedDialect {
        update: Some(Update::Patch),
        ..PinnedDialect::default()
    };
    world.restart();
    world.tenant.set_user(&users[0], json!({"givenName": "Other"}));
    world.workspace.clear_requests();
    let ran = world.cycle().await;
    ran.expect(Outcome::Partial);
    assert_eq!((listed(&ran).len(), writes(&world, "PUT")), (1, 0));
}

#[tokio::test]
async fn what_the_target_never_shows_is_sent_and_is_not_called_not_kept() {
    let (world, users) = at(|_| {}).await;
    world.workspace.update_options(|options| {
        options.drop_attributes = vec!["nickName".to_owned(), "preferredLanguage".to_owned()]
    });
    for (n, user) in users.iter().enumerate() {
        let news: Value = json!({"preferredLanguage": format!("de-{n}")});
        world.tenant.set_user(user, news);
        let ran = world.cycle_twice().await;
        assert!(listed(&ran).is_empty(), "{}", ran.story());
    }
}
