//! Names that move from one user to another within a cycle.

use melonsync::engine::summary::Outcome;
use melonsync::model::clock::Clock;
use melonsync::model::id::ObjectKind;
use melonsync::ports::Durability;
use melonsync::reconcile::operation::Verb;
use melonsync::snapshot::kept_back::Hold;
use melonsync::snapshot::kept_back::HoldCause;
use serde_json::json;

use super::incremental::synced;
use crate::support::world::World;

fn upn(world: &World, id: &str) -> String {
    let user = world.tenant.user(id).unwrap();
    user["userPrincipalName"].as_str().unwrap().to_owned()
}

fn rename(world: &World, id: &str, name: &str) {
    world.tenant.set_user(id, json!({"userPrincipalName": name}));
}

#[tokio::test]
async fn two_users_swap_their_names_through_a_temporary_one() {
    let world = synced().await;
    let users = world.tenant.user_ids();
    let (a, b) = (upn(&world, &users[3]), upn(&world, &users[4]));
    rename(&world, &users[3], "elsewhere@corp.example");
    rename(&world, &users[4], &a);
    rename(&world, &users[3], &b);
    let plan = world.plan().await;
    let ran = world.cycle_twice().await;
    assert_eq!(ran.count(Verb::UpdateUser), 3, "{}", ran.story());
    assert_eq!(plan.count(Verb::UpdateUser), 3, "{}", plan.story());
    assert_eq!(world.resource(&users[3])["userName"], b);
    assert_eq!(world.resource(&users[4])["userName"], a);
    world.assert_equal();
}

#[tokio::test]
async fn names_move_along_a_chain_and_round_a_circle_of_four() {
    let world = synced().await;
    let users = world.tenant.user_ids();
    let names: Vec<String> = users[..4].iter().map(|id| upn(&world, id)).collect();
    for (n, user) in users[..4].iter().enumerate() {
        rename(&world, user, &format!("moving{n}@corp.example"));
    }
    for (n, user) in users[..4].iter().enumerate() {
        rename(&world, user, &names[(n + 1) % 4]);
    }
    let ran = world.cycle_twice().await;
    assert_eq!(ran.count(Verb::UpdateUser), 5, "{}", ran.story());
    world.assert_equal();
    // A chain: each takes the name of the next, the last a new one. No temporary name is needed, and no refusal met.
    rename(&world, &users[3], "last@corp.example");
    for (n, user) in users[..3].iter().enumerate() {
        rename(&world, user, &format!("chain{n}@corp.example"));
    }
    for (n, user) in users[..3].iter().enumerate() {
        rename(&world, user, &names[(n + 2) % 4]);
    }
    let ran = world.cycle_twice().await;
    assert_eq!(ran.count(Verb::UpdateUser), 4, "{}", ran.story());
    world.assert_equal();
}

#[tokio::test]
async fn newcomer_with_the_name_that_a_renamed_user_gives_up_is_created_in_the_same_cycle() {
    let world = synced().await;
    let users = world.tenant.user_ids();
    let name = upn(&world, &users[5]);
    rename(&world, &users[5], "married@corp.example");
    let newcomer = world.tenant.add_user(json!({"userPrincipalName": name}));
    let plan = world.plan().await;
    assert_eq!(plan.count(Verb::CreateUser), 1, "{}", plan.story());
    let ran = world.cycle_twice().await;
    assert_eq!(ran.count(Verb::CreateUser), 1, "{}", ran.story());
    assert_ne!(world.resource(&newcomer)["id"], world.resource(&users[5])["id"]);
    world.assert_equal();
}

#[tokio::test]
async fn newcomer_with_the_name_of_a_deleted_user_gets_a_resource_of_its_own() {
    let world = synced().await;
    let users = world.tenant.user_ids();
    let (name, group) = (upn(&world, &users[6]), world.tenant.group_ids()[0].clone());
    let before = world.resource(&users[6])["id"].clone();
    world.tenant.hard_delete_user(&users[6]);
    let newcomer = world.tenant.add_user(json!({"userPrincipalName": name}));
    world.tenant.add_member(&group, &newcomer);
    let ran = world.cycle_twice().await;
    assert_eq!(
        (ran.count(Verb::CreateUser), ran.count(Verb::DeleteUser)),
        (1, 1),
        "{}",
        ran.story()
    );
    assert_ne!(
        world.resource(&newcomer)["id"],
        before,
        "nobody inherits a predecessor's keys"
    );
    world.assert_equal();
}

#[tokio::test]
async fn user_whose_name_is_not_given_up_waits_and_says_for_whom() {
    let world = synced().await;
    let users = world.tenant.user_ids();
    let name = upn(&world, &users[7]);
    let holder = users[7].parse().unwrap();
    let mut tx = world.job.snapshot.tx().unwrap();
    let hold = Hold {
        attribute: Some("userName".to_owned()),
        until: None,
        since: world.clock.now(),
        actor: "test".to_owned(),
        comment: None,
        cause: HoldCause::Hand,
    };
    tx.put_hold(ObjectKind::User, &holder, &hold);
    tx.commit(Durability::Synced).unwrap();
    rename(&world, &users[7], "later@corp.example");
    rename(&world, &users[8], &name);
    let ran = world.expect_no_write().await;
    ran.expect(Outcome::Partial);
    assert_eq!(ran.omitted("waits_for_value"), 1, "{}", ran.story());
    let mut tx = world.job.snapshot.tx().unwrap();
    tx.delete_hold(ObjectKind::User, &holder, Some("userName"));
    tx.commit(Durability::Synced).unwrap();
    world.cycle_twice().await;
    world.assert_equal();
}
