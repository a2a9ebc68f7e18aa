//! One record that is answered 500 while others are answered well: it is that record's trouble, and it waits like any refused one.
//! Where all are answered 500 it is the target's.

use std::time::Duration;

use melonsync::engine::summary::Outcome;
use melonsync::model::id::ObjectKind;
use melonsync::reconcile::operation::Verb;
use melonsync::sandbox::Fault;
use melonsync::sandbox::Oddities;
use melonsync::sandbox::Tenant;
use melonsync::snapshot::escrow;
use serde_json::json;

use crate::support::world::World;

const MINUTE: Duration = Duration::from_secs(60);

fn name(n: usize) -> String {
    format!("user{n}@corp.example")
}

fn add(world: &World, n: usize) -> String {
    world.tenant.add_user(
        json!({"userPrincipalName": name(n), "displayName": format!("User {n}"),
        "jobTitle": "Engineer", "givenName": "Given", "surname": "Family"}),
    )
}

/// Five users, in step.
async fn synced() -> (World, Vec<String>) {
    let world = World::new(Tenant::empty()).await;
    let users = (0..5).map(|n| add(&world, n)).collect();
    world.cycle().await.expect(Outcome::Converged);
    (world, users)
}

fn odd(world: &World, odd: impl FnOnce(&mut Oddities)) {
    world.workspace.update_faults(|faults| odd(&mut faults.odd));
}

fn rename(world: &World, users: &[String], title: &str) {
    for user in users {
        world
            .tenant
            .set_user(user, json!({"jobTitle": title, "givenName": title}));
    }
}

/// How often each entry in escrow failed.
fn waiting(world: &World) -> Vec<(ObjectKind, String, u32)> {
    let entries = escrow::entries(&world.job.snapshot).unwrap();
    let one = |entry: escrow::Entry| (entry.kind, entry.id.to_string(), entry.escrowed.failures);
    entries.into_iter().map(one).collect()
}

#[tokio::test]
async fn a_record_that_always_breaks_waits_with_growing_gaps_and_is_named() {
    let (world, users) = synced().await;
    odd(&world, |odd| odd.broken_records = vec![name(2)]);
    rename(&world, &users, "Captain");
    let ran = world.cycle().await;
    ran.expect(Outcome::Partial);
    assert_eq!(
        waiting(&world),
        [(ObjectKind::User, users[2].clone(), 1)],
        "{}",
        ran.story()
    );
    let resource = world.resource(&users[2])["id"].as_str().unwrap().to_owned();
    let [failed] = ran.summary.failed.as_slice() else {
        panic!("{}", ran.story());
    };
    assert!(
        failed.hint.contains("this record") && failed.hint.contains(&resource),
        "{failed:?}"
    );
    for (n, user) in users.iter().enumerate() {
        let title = if n == 2 { "Engineer" } else { "Captain" };
        assert_eq!(world.resource(user)["title"], title);
    }
    // It waits, and nobody asks.
    world.workspace.clear_requests();
    world.cycle().await.expect(Outcome::Partial);
    assert_eq!(world.workspace.writes(), 0);
    // Alone in a cycle it is still its own trouble.
    world.clock.advance(MINUTE * 6);
    let ran = world.cycle().await;
    ran.expect(Outcome::Partial);
    assert_eq!(waiting(&world)[0].2, 2, "{}", ran.story());
    odd(&world, |odd| odd.broken_records.clear());
    world.clock.advance(MINUTE * 11);
    world.cycle_twice().await;
    world.assert_equal();
}

#[tokio::test]
async fn a_record_that_cannot_be_created_does_not_come_up_as_trouble_of_the_target() {
    let (world, _) = synced().await;
    odd(&world, |odd| {
        odd.broken_records = vec![name(6), "Broken".to_owned()]
    });
    let users = [add(&world, 5), add(&world, 6)];
    let group = world.tenant.add_group(json!({"displayName": "Broken"}));
    world.tenant.add_member(&group, &users[0]);
    let ran = world.cycle().await;
    ran.expect(Outcome::Partial);
    assert_eq!(ran.count(Verb::CreateUser), 1, "{}", ran.story());
    assert_eq!(waiting(&world).len(), 2, "{}", ran.story());
    assert!(
        ran.story()
            .contains("look for what it sends for this object in the target's own log"),
        "{}",
        ran.story()
    );
    odd(&world, |odd| odd.broken_records.clear());
    world.clock.advance(MINUTE * 6);
    world.cycle_twice().await;
    world.assert_equal();
}

#[tokio::test]
async fn where_all_break_it_is_the_target_and_nobody_is_set_aside() {
    let (world, users) = synced().await;
    world
        .workspace
        .update_faults(|faults| faults.server_error = Fault::always());
    rename(&world, &users[..3], "Captain");
    let ran = world.cycle().await;
    assert_ne!(ran.summary.outcome, Outcome::Converged);
    assert!(waiting(&world).is_empty(), "{}", ran.story());
    world
        .workspace
        .update_faults(|faults| faults.server_error = Fault::never());
    world.clock.advance(world.request_timeout * 2);
    world.cycle_twice().await;
    world.assert_equal();
}

#[tokio::test]
async fn one_attribute_at_which_the_target_breaks_waits_alone_or_goes_in_another_form() {
    // By PUT it is welcome.
    let (world, users) = synced().await;
    odd(&world, |odd| odd.patch_breaks = vec!["title".to_owned()]);
    world.tenant.set_user(&users[0], json!({"jobTitle": "Captain"}));
    world.cycle_twice().await;
    world.assert_equal();
    // Beside others it is named, and the others go.
    rename(&world, &users[1..2], "Captain");
    let ran = world.cycle().await;
    assert_eq!(
        world.resource(&users[1])["name"]["givenName"],
        "Captain",
        "{}",
        ran.story()
    );
}
