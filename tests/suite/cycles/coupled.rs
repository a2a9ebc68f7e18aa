//! Attributes that are one at the target: the one that is earlier in the mapping is kept, the other is named, and neither is
//! written again and again.

use std::time::Duration;

use melonsync::engine::job::Extent;
use melonsync::engine::summary::Outcome;
use melonsync::mapping::Drift;
use melonsync::reconcile::drift_policy::DriftPolicy;
use melonsync::sandbox::Fault;
use melonsync::sandbox::ScimFaults;
use melonsync::sandbox::Tenant;
use serde_json::json;

use crate::support::world::Ran;
use crate::support::world::World;

/// Three users at a target where displayName and name.formatted are one.
async fn at(drift: Drift) -> (World, Vec<String>) {
    let mut world = World::new(Tenant::empty()).await;
    world.job.policy.drift = DriftPolicy::all(drift);
    world.workspace.update_faults(|faults| {
        faults.odd.twins = Some(("displayName".to_owned(), "name.formatted".to_owned()));
    });
    let user = |n: usize| {
        let user = json!({"userPrincipalName": format!("user{n}@corp.example"), "displayName": format!("User {n}"),
            "jobTitle": "Engineer", "givenName": format!("Given{n}"), "surname": "Family"});
        world.tenant.add_user(user)
    };
    let users = (0..3).map(user).collect();
    (world, users)
}

fn not_kept(ran: &Ran) -> Vec<&str> {
    ran.summary
        .not_kept
        .iter()
        .map(|one| one.attribute.as_str())
        .collect()
}

/// Whoever is there has the name that the source gives, and no further cycle writes.
async fn settled(world: &World, users: &[String], names: &[&str]) {
    for extent in [Extent::Changes, Extent::Full, Extent::Full] {
        let writes = world.workspace.writes();
        let ran = world.run(extent, true, None).await;
        assert!(ran.error.is_none(), "{}", ran.story());
        assert_eq!(world.workspace.writes(), writes, "{:#?}", ran.operations);
        assert_eq!(ran.summary.drift.modified, 0, "{}", ran.story());
        assert!(
            not_kept(&ran).iter().all(|path| *path == "name.formatted"),
            "{}",
            ran.story()
        );
    }
    for (user, name) in users.iter().zip(names) {
        assert_eq!(world.resource(user)["displayName"], *name);
    }
}

#[tokio::test]
async fn the_earlier_of_two_that_are_one_is_kept_and_the_other_is_named() {
    for drift in [Drift::Heal, Drift::Report] {
        let (world, users) = at(drift).await;
        world.cycle().await;
        settled(&world, &users, &["User 0", "User 1", "User 2"]).await;
        // The earlier one moves, then the later one, then both.
        world
            .tenant
            .set_user(&users[0], json!({"displayName": "Admiral"}));
        let ran = world.cycle().await;
        ran.expect(Outcome::Partial);
        settled(&world, &users, &["Admiral", "User 1", "User 2"]).await;
        world.tenant.set_user(&users[1], json!({"surname": "Other"}));
        let ran = world.cycle().await;
        ran.expect(Outcome::Partial);
        assert!(not_kept(&ran).contains(&"name.formatted"), "{}", ran.story());
        settled(&world, &users, &["Admiral", "User 1", "User 2"]).await;
        world
            .tenant
            .set_user(&users[2], json!({"displayName": "Captain", "surname": "Other"}));
        world.cycle().await.expect(Outcome::Partial);
        settled(&world, &users, &["Admiral", "User 1", "Captain"]).await;
    }
}

#[tokio::test]
async fn a_heal_that_undoes_another_is_sent_once() {
    let (world, users) = at(Drift::Heal).await;
    world.cycle().await;
    let id = world.resource(&users[0])["id"].as_str().unwrap().to_owned();
    for _ in 0..2 {
        world.workspace.edit_user(
            &id,
            json!({"displayName": "Pirate", "name": {"formatted": "Pirate"}}),
        );
        world.run(Extent::Full, true, None).await.expect(Outcome::Partial);
        settled(&world, &users, &["User 0", "User 1", "User 2"]).await;
    }
}

/// Runs a cycle with a fault at the target, and waits until nothing of it can be under way.
async fn through(world: &mut World, fault: fn(&mut ScimFaults)) -> Ran {
    world.retry.budget = Duration::from_millis(40);
    // What may be under way is waited for by the clock on the wall.
    world.request_timeout = Duration::from_millis(500);
    world.restart();
    world.workspace.update_faults(fault);
    let ran = world.cycle().await;
    world.workspace.update_faults(|faults| {
        faults.drop_after = Fault::never();
        faults.unavailable = Fault::never();
    });
    world.clock.advance(world.request_timeout);
    ran
}

#[tokio::test]
async fn what_a_write_without_an_answer_undid_is_sent_again() {
    let (mut world, users) = at(Drift::Report).await;
    world.cycle().await;
    world.tenant.set_user(&users[1], json!({"surname": "Other"}));
    through(&mut world, |faults| faults.drop_after = Fault::always()).await;
    assert_eq!(
        world.resource(&users[1])["displayName"],
        "Given1 Other",
        "it was carried out, and took the earlier one along"
    );
    let ran = world.cycle().await;
    ran.expect(Outcome::Partial);
    assert!(not_kept(&ran).contains(&"name.formatted"), "{}", ran.story());
    settled(&world, &users, &["User 0", "User 1", "User 2"]).await;
}

#[tokio::test]
async fn what_cannot_be_sent_again_at_once_is_not_taken_for_kept() {
    let (mut world, users) = at(Drift::Report).await;
    let ran = through(&mut world, |faults| {
        faults.unavailable = Fault::always().only("PATCH");
    })
    .await;
    assert!(not_kept(&ran).is_empty(), "{}", ran.story());
    assert_eq!(ran.summary.failed.len(), 3, "{}", ran.story());
    let ran = world.cycle().await;
    ran.expect(Outcome::Partial);
    settled(&world, &users, &["User 0", "User 1", "User 2"]).await;
    // And of a change.
    world.tenant.set_user(&users[1], json!({"surname": "Other"}));
    through(&mut world, |faults| {
        faults.unavailable = Fault::always().only("PATCH").after(1);
    })
    .await;
    world.cycle().await.expect(Outcome::Partial);
    settled(&world, &users, &["User 0", "User 1", "User 2"]).await;
}

#[tokio::test]
async fn a_write_that_disables_too_couples_as_any_other() {
    let (world, users) = at(Drift::Report).await;
    world.cycle().await;
    world
        .tenant
        .set_user(&users[1], json!({"surname": "Other", "accountEnabled": false}));
    world.cycle().await.expect(Outcome::Partial);
    assert_eq!(world.resource(&users[1])["active"], false);
    settled(&world, &users, &["User 0", "User 1", "User 2"]).await;
}

/// Which of them the target keeps is not known while one of them is refused: that one waits alone, and is tried again.
#[tokio::test]
async fn one_that_is_refused_beside_another_waits_alone() {
    let (mut world, users) = at(Drift::Report).await;
    let immutable = |world: &World, paths: &[&str]| {
        let paths: Vec<String> = paths.iter().map(|path| (*path).to_owned()).collect();
        world
            .workspace
            .update_faults(|faults| faults.odd.immutable_attributes = paths.clone());
    };
    immutable(&world, &["displayName"]);
    let ran = world.cycle().await;
    ran.expect(Outcome::Partial);
    assert_ne!(world.resource(&users[0])["displayName"], "User 0");
    immutable(&world, &[]);
    world.restart();
    world.clock.advance(Duration::from_secs(25 * 60 * 60));
    world.cycle().await;
    settled(&world, &users, &["User 0", "User 1", "User 2"]).await;
}
