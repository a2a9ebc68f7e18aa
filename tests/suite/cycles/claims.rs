//! A batch of which one result cannot be recorded, and results that were never recorded: the history has them all the same.

use std::time::Duration;

use melonsync::engine::summary::Outcome;
use melonsync::model::id::SourceId;
use melonsync::reconcile::operation::Verb;
use melonsync::sandbox::Fault;
use melonsync::sandbox::Tenant;
use melonsync::snapshot::history::Entry;
use melonsync::snapshot::history::Values;
use serde_json::json;

use super::incremental::synced;
use crate::support::world::World;

/// The history of an operation, oldest first.
fn entries(world: &World, operation: &str, result: &str) -> Vec<(Entry, Values)> {
    let all = world.job.snapshot.history(0, usize::MAX).unwrap().into_iter();
    let of = all.filter(|(entry, _)| entry.operation == operation && entry.result == result);
    of.map(|(entry, values)| (entry, values.unwrap())).collect()
}

fn objects(entries: &[(Entry, Values)]) -> Vec<SourceId> {
    let mut ids: Vec<SourceId> = entries.iter().filter_map(|(entry, _)| entry.object).collect();
    ids.sort_unstable();
    ids
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_id_that_is_given_out_twice_is_one_objects_failure_and_the_others_have_their_history() {
    for (batch, kind) in [(500, "user"), (50, "user"), (500, "group")] {
        let mut world = World::new(Tenant::empty()).await;
        world.job.batch = batch;
        for n in 0..500 {
            match kind {
                "user" => world
                    .tenant
                    .add_user(json!({"userPrincipalName": format!("u{n}@corp.example")})),
                _ => world
                    .tenant
                    .add_group(json!({"displayName": format!("Team {n}")})),
            };
        }
        world
            .workspace
            .update_faults(|faults| faults.create_repeats_id = Fault::once().after(250));
        let (verb, operation) = match kind {
            "user" => (Verb::CreateUser, "create_user"),
            _ => (Verb::CreateGroup, "create_group"),
        };
        let ran = world.cycle().await;
        assert!(ran.error.is_none(), "{}", ran.story());
        assert_eq!(ran.summary.outcome, Outcome::Partial, "{}", ran.story());
        // Whichever of the two was recorded first: the resource says whose it is.
        assert_eq!(ran.count(verb), 499, "{}", ran.story());
        let failed = &ran.summary.failed;
        assert!((1..=2).contains(&failed.len()), "{}", ran.story());
        assert!(
            failed.iter().any(|one| one.error.contains("is linked to")),
            "{}",
            ran.story()
        );
        let (done, failed) = (
            entries(&world, operation, "done"),
            entries(&world, operation, "failed"),
        );
        assert_eq!((done.len(), failed.len()), (499, 1), "batches of {batch}");
        assert!(!objects(&done).contains(&objects(&failed)[0]));
        // What became of it is looked up, and is in the history then.
        world.clock.advance(world.request_timeout * 2);
        world.cycle().await.expect(Outcome::Converged);
        let done = entries(&world, operation, "done");
        assert_eq!(objects(&done).len(), 500);
        assert!(objects(&done).contains(&objects(&failed)[0]));
        world.assert_equal();
        world.expect_quiet().await;
    }
}

/// A cycle in which every write is carried out and no answer comes back, and one that finds what it did.
async fn unanswered(world: &mut World) {
    world.retry.budget = Duration::from_millis(40);
    world.restart();
    world
        .workspace
        .update_faults(|faults| faults.drop_after = Fault::always());
    world.cycle().await;
    world.workspace.set_faults(Default::default());
    world.clock.advance(world.request_timeout * 2);
    world.cycle().await.expect(Outcome::Converged);
}

#[tokio::test]
async fn what_was_done_without_an_answer_is_in_the_history_once_it_is_found() {
    let mut world = synced().await;
    let (users, group) = (world.tenant.user_ids(), world.tenant.group_ids()[0].clone());
    let members = world.tenant.members(&group);
    let joins = users.iter().find(|id| !members.contains(id)).unwrap().clone();
    let new = world.tenant.add_user(
        json!({"userPrincipalName": "new@corp.example", "displayName": "New", "accountEnabled": true}),
    );
    let leaver = users
        .iter()
        .rev()
        .find(|id| **id != joins && !members.contains(id))
        .unwrap()
        .clone();
    world.tenant.disable_user(&leaver);
    world.tenant.set_user(&joins, json!({"jobTitle": "Interim"}));
    world.tenant.add_member(&group, &joins);
    world.tenant.remove_member(&group, &members[0]);
    unanswered(&mut world).await;
    for (operation, object, shown) in [
        ("create_user", &new, "new@corp.example"),
        ("disable_user", &leaver, "false"),
        ("update_user", &joins, "Interim"),
        ("add_member", &group, joins.as_str()),
        ("remove_member", &group, members[0].as_str()),
    ] {
        let done = entries(&world, operation, "done");
        let of = |(entry, values): &&(Entry, Values)| {
            entry.object.is_some_and(|id| id.to_string() == **object)
                && format!("{:?}", values.changes).contains(shown)
        };
        let found: Vec<_> = done.iter().filter(of).collect();
        assert_eq!(found.len(), 1, "{operation} of {object}: {done:#?}");
        assert!(found[0].0.target.is_some(), "{operation}");
    }
    world.assert_equal();
}

/// The answer to the second of two creates has the id that the first one's resource has, and the one whose resource it is not is
/// recorded first: the link is taken back, and what is theirs is found.
#[tokio::test]
async fn a_link_to_the_resource_of_somebody_else_is_taken_back_and_looked_for_again() {
    let mut seen = 0;
    for slow_first in [true, false] {
        let mut world = synced().await;
        world.job.max_concurrency = 2;
        for name in ["ada", "eve"] {
            world.tenant.add_user(
                json!({"userPrincipalName": format!("{name}@corp.example"), "displayName": name, "accountEnabled": true}),
            );
        }
        world.workspace.update_faults(|faults| {
            faults.create_repeats_id = Fault::once();
            faults.slow_ms = Some(200);
            let slow = Fault::once().only("POST");
            *(if slow_first {
                &mut faults.slow
            } else {
                &mut faults.slow_after
            }) = slow;
        });
        let words = world.cycle().await.story();
        seen += usize::from(words.contains("nothing to do: the next cycle looks for its resource again"));
        world.workspace.set_faults(Default::default());
        world.clock.advance(world.request_timeout * 2);
        world.cycle().await.expect(Outcome::Converged);
        world.assert_equal();
        world.expect_quiet().await;
    }
    assert!(seen > 0);
}
