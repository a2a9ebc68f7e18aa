//! A small world stops at every point where it can stop, starts again, and converges: nobody twice, nobody lost.

use std::time::Duration;

use melonsync::engine::summary::Outcome;
use melonsync::reconcile::policy::Threshold;
use melonsync::sandbox::Fault;
use melonsync::sandbox::SampleOptions;
use melonsync::sandbox::Tenant;
use melonsync::snapshot::kv::memory::LastCommit;
use serde_json::json;

use crate::support::truth::differences;
use crate::support::world::World;

/// Where a story begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Story {
    /// The first cycle, into a workspace that holds two of the users already.
    Initial,
    /// A cycle with changes of many kinds.
    Changes,
}

const STORIES: [Story; 2] = [Story::Initial, Story::Changes];

async fn begin(story: Story) -> World {
    let tenant = Tenant::sample_with(SampleOptions {
        users: 7,
        groups: 2,
        plain: true,
        ..SampleOptions::default()
    });
    let mut world = World::new(tenant).await;
    world.job.batch = 3;
    world.job.policy.adopt = melonsync::reconcile::policy::Adopt::Any;
    world.job.policy.groups.adopt = melonsync::reconcile::policy::AdoptGroup::Unclaimed;
    world.job.policy.deletion_threshold = Threshold::count(100);
    world.workspace.half_fill(&world.tenant, 0.3);
    world.remember_workspace();
    if story == Story::Changes {
        world.cycle().await.expect(Outcome::Converged);
        change(&world.tenant);
    }
    world
}

fn change(tenant: &Tenant) {
    let (users, groups) = (tenant.user_ids(), tenant.group_ids());
    tenant.set_user(
        &users[1],
        json!({"jobTitle": "Changed", "userPrincipalName": "renamed@corp.example"}),
    );
    tenant.disable_user(&users[2]);
    tenant.hard_delete_user(&users[3]);
    tenant.soft_delete_user(&users[4]);
    let boss = tenant.add_user(json!({"userPrincipalName": "boss@corp.example"}));
    let clerk = tenant.add_user(json!({"userPrincipalName": "clerk@corp.example"}));
    tenant.set_manager(&clerk, Some(&boss));
    tenant.add_member(&groups[0], &clerk);
    tenant.remove_member(&groups[0], &users[0]);
    tenant.soft_delete_group(&groups[1]);
    let group = tenant.add_group(json!({"displayName": "Newcomers"}));
    tenant.add_member(&group, &boss);
    tenant.add_member(&group, &users[5]);
}

/// The program starts again and converges, at the latest in its second cycle.
async fn recover(world: &mut World, at: &str) {
    world.restart();
    let mut last = world.cycle().await;
    if last.summary.outcome != Outcome::Converged {
        world.restart();
        last = world.cycle().await;
    }
    assert!(
        last.error.is_none() && last.summary.outcome == Outcome::Converged,
        "{at}: {}",
        last.story()
    );
    let found = differences(&world.tenant, &world.workspace, &world.allow);
    assert!(found.is_empty(), "{at}: {found:#?}");
    let again = world.expect_no_write().await;
    assert_eq!(
        again.summary.outcome,
        Outcome::Converged,
        "{at}: {}",
        again.story()
    );
}

async fn stop_at_every_commit(story: Story, last: LastCommit, power_cut: bool) {
    for n in 0.. {
        let mut world = begin(story).await;
        world.store.fail_after(n, last);
        let ran = world.cycle().await;
        if !world.store.stopped() {
            ran.expect(Outcome::Converged);
            assert!(n > 15, "only {n} commits in a cycle: is the store watched?");
            return;
        }
        assert!(
            ran.error.is_some(),
            "{story:?}: the store stopped and nobody noticed"
        );
        if power_cut {
            world.store.crash();
        } else {
            world.store.kill();
        }
        recover(
            &mut world,
            &format!("{story:?}, commit {n} {last:?}, power cut: {power_cut}"),
        )
        .await;
    }
}

#[tokio::test]
async fn stopping_after_every_store_write_loses_nothing() {
    for story in STORIES {
        stop_at_every_commit(story, LastCommit::Done, false).await;
        stop_at_every_commit(story, LastCommit::Lost, false).await;
    }
}

#[tokio::test]
async fn power_cut_after_every_store_write_loses_nothing() {
    for story in STORIES {
        stop_at_every_commit(story, LastCommit::Done, true).await;
        stop_at_every_commit(story, LastCommit::Lost, true).await;
    }
}

/// The service gave a resource that was there the user's id and values: whoever leaves before they are linked is disabled all the
/// same, and what was sent is known to be theirs.
#[tokio::test]
async fn create_that_met_a_resource_is_followed_wherever_the_process_stops() {
    for n in 0.. {
        let mut world = World::new(Tenant::empty()).await;
        world.job.policy.deletion_threshold = Threshold::count(100);
        world
            .workspace
            .update_faults(|faults| faults.odd.create_meets = true);
        world
            .workspace
            .insert_user(json!({"userName": "a.da@corp.example", "active": true}));
        let ada = world
            .tenant
            .add_user(json!({"userPrincipalName": "ada@corp.example", "jobTitle": "Engineer"}));
        // As many others that the guard lets her go.
        for n in 0..3 {
            let other = json!({"userPrincipalName": format!("other{n}@corp.example")});
            world.tenant.add_user(other);
        }
        world.store.fail_after(n, LastCommit::Done);
        world.cycle().await;
        if !world.store.stopped() {
            assert!(n > 5, "only {n} commits in a cycle");
            return;
        }
        world.store.kill();
        world.tenant.set_user(&ada, json!({"jobTitle": null}));
        world.tenant.soft_delete_user(&ada);
        let mut told = Vec::new();
        for _ in 0..2 {
            world.restart();
            told.push(world.cycle().await.story());
        }
        let held = world.workspace.users_by_external_id(&ada);
        assert!(
            held.iter().all(|held| held["active"] == false),
            "commit {n}: {held:?}\n{}",
            told.join("\n")
        );
        world.tenant.restore_user(&ada);
        world.cycle().await.expect(Outcome::Converged);
        assert!(
            world.resource(&ada).get("title").is_none(),
            "commit {n}: {:?}",
            world.resource(&ada)
        );
    }
}

#[tokio::test]
async fn being_killed_at_every_request_loses_nothing() {
    for story in STORIES {
        for k in 1.. {
            let mut world = begin(story).await;
            world.workspace.clear_requests();
            if !killed_at(&world, k).await {
                assert!(k > 8, "only {k} requests in a cycle");
                break;
            }
            recover(&mut world, &format!("{story:?}, killed at request {k}")).await;
        }
    }
}

/// Lets a cycle go on until the workspace has answered `k` requests, then ends it between two instructions.
/// False where it came to its end before.
async fn killed_at(world: &World, k: usize) -> bool {
    let cycle = world.cycle();
    tokio::pin!(cycle);
    loop {
        tokio::select! {
            biased;
            () = tokio::task::yield_now() => {}
            _ = &mut cycle => return false,
        }
        if world.workspace.request_count() >= k {
            break;
        }
    }
    // What a thread of the dead process was about to commit never happens.
    world.store.fail_after(0, LastCommit::Lost);
    tokio::time::sleep(Duration::from_millis(5)).await;
    world.store.kill();
    true
}

#[tokio::test]
async fn connection_that_breaks_after_a_write_was_carried_out_makes_no_duplicate() {
    for story in STORIES {
        for k in 0.. {
            let mut world = begin(story).await;
            world.workspace.clear_requests();
            world
                .workspace
                .update_faults(|faults| faults.drop_after = Fault::once().after(k));
            world.cycle().await;
            let mut struck = false;
            world
                .workspace
                .update_faults(|faults| struck = !faults.drop_after.is_armed());
            if !struck {
                assert!(k > 5, "only {k} writes in a cycle");
                break;
            }
            recover(
                &mut world,
                &format!("{story:?}, write {k} carried out and dropped"),
            )
            .await;
        }
    }
}

#[tokio::test]
async fn target_that_carries_everything_out_and_answers_nothing_gets_no_duplicate() {
    for story in STORIES {
        for k in 0..12 {
            let mut world = begin(story).await;
            let faults = Fault::always().after(k);
            world.workspace.update_faults(|held| held.drop_after = faults);
            world.retry.budget = Duration::from_millis(50);
            world.restart();
            world.cycle().await;
            world.workspace.set_faults(Default::default());
            recover(&mut world, &format!("{story:?}, no answer from write {k} on")).await;
        }
    }
}

/// A world in which the create of one user was carried out and never answered.
async fn unanswered_create() -> (World, String) {
    let world = World::new(Tenant::empty()).await;
    let bob = world
        .tenant
        .add_user(json!({"userPrincipalName": "bob@corp.example"}));
    world.cycle().await.expect(Outcome::Converged);
    world.resource(&bob);
    let ada = world
        .tenant
        .add_user(json!({"userPrincipalName": "ada@corp.example", "displayName": "Ada"}));
    world
        .workspace
        .update_faults(|faults| faults.drop_after = Fault::once().only("POST"));
    let ran = world.cycle().await;
    assert_eq!(ran.summary.outcome, Outcome::Partial, "{}", ran.story());
    assert_eq!(world.workspace.user_count(), 2);
    (world, ada)
}

#[tokio::test]
async fn create_that_was_carried_out_but_timed_out_is_found_again() {
    let mut world = World::new(Tenant::empty()).await;
    world.request_timeout = Duration::from_millis(300);
    world.restart();
    let ada = world
        .tenant
        .add_user(json!({"userPrincipalName": "ada@corp.example"}));
    world.workspace.update_faults(|faults| {
        faults.slow_after = Fault::once().only("POST");
        faults.slow_ms = Some(900);
    });
    let ran = world.cycle().await;
    ran.expect(Outcome::Partial);
    assert_eq!(world.workspace.user_count(), 1);
    recover(&mut world, "timed out").await;
    world.resource(&ada);
    let posts = world
        .workspace
        .requests()
        .iter()
        .filter(|request| request.method == "POST")
        .count();
    assert_eq!(posts, 0, "it was not created a second time");
}

#[tokio::test]
async fn open_create_is_not_judged_before_the_request_timeout_has_passed() {
    let (mut world, _) = unanswered_create().await;
    world.job.request_timeout = Duration::from_millis(250);
    let started = melonsync::model::clock::Stopwatch::start();
    world.cycle().await.expect(Outcome::Converged);
    assert!(
        started.elapsed() >= Duration::from_millis(250),
        "{:?}",
        started.elapsed()
    );
    recover(&mut world, "waited").await;
}

#[tokio::test]
async fn user_renamed_between_an_unanswered_create_and_the_restart_is_found_by_what_was_sent() {
    let (mut world, ada) = unanswered_create().await;
    let names = json!({"userPrincipalName": "lovelace@corp.example", "displayName": "Lovelace"});
    world.tenant.set_user(&ada, names);
    recover(&mut world, "renamed").await;
    assert_eq!(world.workspace.user_count(), 2);
    assert_eq!(world.resource(&ada)["userName"], "lovelace@corp.example");
}

#[tokio::test]
async fn name_that_passed_to_somebody_else_after_an_unanswered_create_stays_with_its_person() {
    let (mut world, ada) = unanswered_create().await;
    world
        .tenant
        .set_user(&ada, json!({"userPrincipalName": "lovelace@corp.example"}));
    let other = world
        .tenant
        .add_user(json!({"userPrincipalName": "ada@corp.example"}));
    recover(&mut world, "name passed on").await;
    assert_eq!(world.workspace.user_count(), 3);
    assert_ne!(world.resource(&ada)["id"], world.resource(&other)["id"]);
}

#[tokio::test]
async fn user_deleted_after_an_unanswered_create_is_linked_and_then_deprovisioned() {
    let (mut world, ada) = unanswered_create().await;
    world.tenant.soft_delete_user(&ada);
    recover(&mut world, "soft-deleted").await;
    assert_eq!(world.resource(&ada)["active"], false);
    let (mut world, ada) = unanswered_create().await;
    world.tenant.hard_delete_user(&ada);
    world.tenant.clear_requests();
    recover(&mut world, "hard-deleted").await;
    assert_eq!(world.workspace.user_count(), 1, "deleted after it was linked");
    let asked = world.tenant.requests();
    assert!(
        asked.iter().any(|request| request.path.contains("$batch")),
        "asked for before it was deleted"
    );
}

#[tokio::test]
async fn user_disabled_after_an_unanswered_create_is_linked_and_disabled() {
    let (mut world, ada) = unanswered_create().await;
    world.tenant.disable_user(&ada);
    recover(&mut world, "disabled").await;
    assert_eq!(world.resource(&ada)["active"], false);
}

#[tokio::test]
async fn open_create_that_cannot_be_resolved_is_never_sent_a_second_time() {
    let (mut world, _) = unanswered_create().await;
    for n in 0..30 {
        world
            .workspace
            .insert_user(json!({"userName": format!("local{n}@idmelon.example")}));
    }
    world.workspace.update_options(|options| {
        options.paging = false;
        options.filters = false;
    });
    let ada = world.workspace.user_by_name("ada@corp.example").unwrap();
    world.workspace.remove_user(ada["id"].as_str().unwrap());
    world.restart();
    let ran = world.expect_no_write().await;
    ran.expect(Outcome::Partial);
    assert_eq!(ran.summary.failed.len(), 1, "{}", ran.story());
    world.workspace.update_options(|options| options.paging = true);
    recover(&mut world, "listing is whole again").await;
    assert_eq!(world.workspace.user_count(), 32);
}
