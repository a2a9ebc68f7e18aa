//! Undo inside the process: stopped at every store write, and undone itself.

use std::sync::Arc;

use melonsync::engine::cycle;
use melonsync::engine::job::Extent;
use melonsync::engine::job::NoWatcher;
use melonsync::engine::job::Order;
use melonsync::engine::job::Report;
use melonsync::engine::summary::Outcome;
use melonsync::engine::undo::UndoRequest;
use melonsync::model::id::CycleId;
use melonsync::snapshot::memory::LastCommit;
use melonsync::snapshot::verify::verify;
use serde_json::Value;
use serde_json::json;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::support::world::Ran;
use crate::support::world::World;

async fn undo(world: &World, cycle: CycleId) -> Report {
    let order = Order {
        id: CycleId(Uuid::now_v7()),
        extent: Extent::Objects {
            users: Vec::new(),
            groups: Vec::new(),
        },
        apply: true,
        only: None,
        allow_deletions: None,
        allow_creations: None,
        actor: "test".to_owned(),
        stop: CancellationToken::new(),
        watcher: Arc::new(NoWatcher),
    };
    let request = UndoRequest {
        cycle,
        recreate: false,
        comment: None,
    };
    cycle::undo(&world.job, &order, &request).await
}

fn id_of(ran: &Ran) -> CycleId {
    CycleId(ran.summary.cycle.parse().unwrap())
}

/// Everything in the workspace that an operation can change.
fn content(world: &World) -> Vec<Value> {
    let held = world
        .workspace
        .users()
        .into_iter()
        .chain(world.workspace.groups());
    held.map(|mut resource| {
        resource.as_object_mut().unwrap().remove("meta");
        if let Some(members) = resource.get_mut("members").and_then(Value::as_array_mut) {
            members.sort_by_key(|member| member["value"].to_string());
        }
        resource
    })
    .collect()
}

/// A world after two cycles, the second of which changed values, a manager, an active flag and memberships; what was
/// there before that one, and its id.
async fn changed() -> (World, Vec<Value>, CycleId) {
    let world = World::sample(12, 2).await;
    world.cycle_twice().await;
    let before = content(&world);
    let ids = world.tenant.user_ids();
    let group = &world.tenant.group_ids()[0];
    world
        .tenant
        .set_user(&ids[1], json!({"jobTitle": "Captain", "department": null}));
    world.tenant.set_user(&ids[2], json!({"accountEnabled": false}));
    world.tenant.set_manager(&ids[3], Some(&ids[1]));
    for id in &ids[3..6] {
        if world.tenant.user_members(group).contains(id) {
            world.tenant.remove_member(group, id);
        } else {
            world.tenant.add_member(group, id);
        }
    }
    let ran = world.cycle().await;
    ran.expect(Outcome::Converged);
    assert_ne!(before, content(&world));
    (world, before, id_of(&ran))
}

#[tokio::test(flavor = "multi_thread")]
async fn an_undo_of_an_undo_is_what_the_source_says() {
    let (world, before, cycle) = changed().await;
    let after = content(&world);
    let first = undo(&world, cycle).await;
    assert_eq!(first.summary.outcome, Outcome::Converged, "{first:?}");
    assert_eq!(content(&world), before);
    world.expect_quiet().await;
    let second = undo(&world, CycleId(first.summary.cycle.parse().unwrap())).await;
    assert_eq!(second.summary.outcome, Outcome::Converged, "{second:?}");
    assert_eq!(content(&world), after);
    world.assert_equal();
    assert_eq!(world.run(Extent::All, true, None).await.summary.held, 0);
    assert_eq!(content(&world), after);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_undo_that_is_stopped_at_any_store_write_is_finished_by_the_next() {
    for last in [LastCommit::Done, LastCommit::Lost] {
        for at in 0.. {
            let (mut world, before, cycle) = changed().await;
            let users = world.workspace.users().len();
            world.store.fail_after(at, last);
            let report = undo(&world, cycle).await;
            if !world.store.stopped() {
                assert!(at > 3 && report.error.is_none(), "{report:?}");
                break;
            }
            world.store.kill();
            world.restart();
            let again = undo(&world, cycle).await;
            assert_eq!(again.summary.outcome, Outcome::Converged, "write {at}: {again:?}");
            assert_eq!(content(&world), before, "write {at}, {last:?}");
            world.cycle().await.expect(Outcome::Converged);
            assert_eq!(content(&world), before, "write {at}, {last:?}: held");
            assert_eq!(world.workspace.users().len(), users);
            assert!(verify(&world.job.snapshot).unwrap().is_clean());
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_snapshot_lost_in_the_middle_of_everything_finds_everybody_again() {
    let (mut world, _, _) = changed().await;
    let new = world.tenant.add_user(json!({
        "userPrincipalName": "new@corp.example", "displayName": "New", "accountEnabled": true,
    }));
    let users = world.workspace.users().len();
    world.store = melonsync::snapshot::memory::MemoryStore::new();
    world.restart();
    let ran = world.cycle().await;
    ran.expect(Outcome::Converged);
    assert_eq!(
        world.workspace.users().len(),
        users + 1,
        "only who is new was created"
    );
    assert_eq!(world.workspace.users_by_external_id(&new).len(), 1);
    world.assert_equal();
    world.expect_quiet().await;
}
