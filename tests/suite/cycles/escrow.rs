//! Escrow: one entry that the target refuses waits with growing gaps, and the rest goes on.

use std::time::Duration;

use melonsync::engine::job::Extent;
use melonsync::engine::summary::Outcome;
use melonsync::model::value::Value;
use melonsync::reconcile::operation::Verb;
use melonsync::sandbox::Fault;
use melonsync::sandbox::Tenant;
use melonsync::snapshot::escrow;
use melonsync::snapshot::query::Query;
use serde_json::json;

use crate::support::world::World;

const MINUTE: Duration = Duration::from_secs(60);

/// A tenant of two, of whom the target refuses one; after the first cycle.
async fn refusing() -> (World, String) {
    let world = World::new(Tenant::empty()).await;
    let refused = world
        .tenant
        .add_user(json!({"userPrincipalName": "bad@corp.example"}));
    world
        .tenant
        .add_user(json!({"userPrincipalName": "good@corp.example"}));
    refuse(&world, &["bad@corp.example"]);
    let ran = world.cycle().await;
    ran.expect(Outcome::Partial);
    assert_eq!((ran.count(Verb::CreateUser), ran.summary.escrow), (1, 1));
    (world, refused)
}

fn refuse(world: &World, names: &[&str]) {
    let names = names.iter().map(|name| (*name).to_owned()).collect();
    world
        .workspace
        .update_faults(|faults| faults.refuse_user_names = names);
}

fn failures(world: &World) -> Vec<u32> {
    let entries = escrow::entries(&world.job.snapshot).unwrap();
    entries.iter().map(|entry| entry.escrowed.failures).collect()
}

#[tokio::test]
async fn a_refused_entry_waits_and_its_gap_doubles() {
    let (world, _) = refusing().await;
    for (wait, tried) in [(4, 1), (2, 2), (9, 2), (2, 3), (19, 3), (2, 4)] {
        world.clock.advance(MINUTE * wait);
        let ran = world.cycle().await;
        ran.expect(Outcome::Partial);
        assert_eq!(
            (failures(&world), ran.summary.escrow),
            (vec![tried], 1),
            "after {wait} minutes more"
        );
    }
    assert_eq!(world.plan().await.omitted("in_escrow"), 1);
    refuse(&world, &[]);
    world.clock.advance(MINUTE * 60);
    let ran = world.cycle().await;
    ran.expect(Outcome::Converged);
    assert_eq!((ran.count(Verb::CreateUser), failures(&world)), (1, vec![]));
    world.assert_equal();
    world.expect_quiet().await;
}

#[tokio::test]
async fn while_it_waits_the_target_is_not_asked() {
    let (world, _) = refusing().await;
    world.workspace.clear_requests();
    world.cycle().await.expect(Outcome::Partial);
    assert!(world.workspace.requests().is_empty());
}

#[tokio::test]
async fn a_change_of_the_source_object_tries_it_at_once() {
    let (world, refused) = refusing().await;
    world
        .tenant
        .set_user(&refused, json!({"userPrincipalName": "better@corp.example"}));
    let ran = world.cycle().await;
    ran.expect(Outcome::Converged);
    assert_eq!((ran.count(Verb::CreateUser), failures(&world)), (1, vec![]));
}

#[tokio::test]
async fn a_new_config_and_a_resync_by_hand_try_it_at_once() {
    let (mut world, refused) = refusing().await;
    world.job.fingerprint = "another".to_owned();
    world.cycle().await.expect(Outcome::Partial);
    assert_eq!(failures(&world), [2]);
    let extent = Extent::Objects {
        users: vec![refused],
        groups: vec![],
    };
    world.run(extent, true, None).await;
    assert_eq!(failures(&world), [3]);
}

#[tokio::test]
async fn a_target_in_trouble_sets_nobody_aside() {
    for fault in ["500", "503", "429", "401", "broken"] {
        let mut world = World::new(Tenant::sample(10, 2)).await;
        // The fault does not end: it is tried again for the whole budget.
        world.retry.budget = Duration::from_millis(50);
        world.restart();
        world.workspace.update_faults(|faults| {
            let always = Fault::always();
            match fault {
                "500" => faults.server_error = always,
                "503" => faults.unavailable = always,
                "429" => faults.throttle = always,
                "401" => faults.unauthorized = always,
                _ => faults.drop_before = always,
            }
        });
        let ran = world.cycle().await;
        assert!(ran.error.is_some(), "{fault}");
        assert_eq!((ran.summary.escrow, failures(&world)), (0, vec![]), "{fault}");
    }
}

#[tokio::test]
async fn a_partial_success_does_not_begin_the_gaps_anew() {
    let world = World::new(Tenant::empty()).await;
    let id = world
        .tenant
        .add_user(json!({"userPrincipalName": "good@corp.example", "accountEnabled": true}));
    world.cycle().await.expect(Outcome::Converged);
    refuse(&world, &["bad@corp.example"]);
    world
        .tenant
        .set_user(&id, json!({"userPrincipalName": "bad@corp.example"}));
    world.cycle().await.expect(Outcome::Partial);
    assert_eq!(failures(&world), [1]);
    world.tenant.disable_user(&id);
    let ran = world.cycle().await;
    assert_eq!(world.resource(&id)["active"], false, "{}", ran.story());
    assert_eq!(
        failures(&world),
        [2],
        "the update failed again, whatever else went through"
    );
    refuse(&world, &[]);
    world.clock.advance(MINUTE * 11);
    world.cycle().await.expect(Outcome::Converged);
    assert!(failures(&world).is_empty());
}

#[tokio::test]
async fn a_group_whose_members_did_not_all_fit_is_created_in_the_history() {
    let world = World::new(Tenant::empty()).await;
    let group = world.tenant.add_group(json!({"displayName": "Everybody"}));
    for n in 0..1003 {
        let user = world
            .tenant
            .add_user(json!({"userPrincipalName": format!("user{n}@corp.example")}));
        world.tenant.add_member(&group, &user);
    }
    world
        .workspace
        .update_faults(|faults| faults.forbidden = Fault::always().only("PATCH"));
    let ran = world.cycle().await;
    world
        .workspace
        .update_faults(|faults| faults.forbidden = Fault::never());
    ran.expect(Outcome::Partial);
    assert_eq!(
        (ran.count(Verb::CreateGroup), ran.count(Verb::AddMember)),
        (1, 1000)
    );
    let mut entries = Vec::new();
    let id = group.parse().unwrap();
    let query = Query {
        objects: Some([id].into()),
        ..Query::default()
    };
    world
        .job
        .snapshot
        .search_history(&query, |entry, values| {
            let members = values
                .iter()
                .flat_map(|values| &values.changes)
                .map(|change| match &change.after {
                    Value::List(ids) if change.attribute == "members" => ids.len(),
                    _ => 0,
                })
                .sum::<usize>();
            entries.push((entry.operation.clone(), entry.result.clone(), members));
            Ok(())
        })
        .unwrap();
    let sum = |operation: &str, result: &str| {
        let same = entries
            .iter()
            .filter(|(of, ended, _)| of == operation && ended == result);
        same.map(|(_, _, members)| *members).sum::<usize>()
    };
    assert!(
        entries.contains(&("create_group".to_owned(), "done".to_owned(), 0)),
        "{entries:?}"
    );
    assert_eq!(
        (sum("add_member", "done"), sum("add_member", "failed")),
        (1000, 3)
    );
    let set_aside = escrow::entries(&world.job.snapshot).unwrap();
    assert_eq!(set_aside[0].escrowed.operation, "add_member");
    world.clock.advance(MINUTE * 6);
    let ran = world.cycle().await;
    ran.expect(Outcome::Converged);
    assert_eq!(ran.count(Verb::AddMember), 3);
    world.expect_quiet().await;
}
