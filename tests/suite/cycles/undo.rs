//! Undo inside the process: stopped at every store write, and undone itself.

use std::sync::Arc;

use melonsync::engine::job::Extent;
use melonsync::engine::job::NoWatcher;
use melonsync::engine::job::Order;
use melonsync::engine::job::Report;
use melonsync::engine::job::UndoRequest;
use melonsync::engine::summary::Outcome;
use melonsync::engine::undo;
use melonsync::model::clock::Clock;
use melonsync::model::id::CycleId;
use melonsync::model::id::ObjectKind;
use melonsync::ports::Durability;
use melonsync::reconcile::operation::Verb;
use melonsync::reconcile::policy::OnRemoval;
use melonsync::reconcile::policy::Policy;
use melonsync::snapshot::kept_back::Hold;
use melonsync::snapshot::kept_back::HoldCause;
use melonsync::snapshot::kv::memory::LastCommit;
use melonsync::snapshot::maintenance::verify::verify;
use serde_json::Value;
use serde_json::json;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::support::world::Ran;
use crate::support::world::World;

/// Takes a cycle back.
pub async fn undo(world: &World, cycle: CycleId) -> Report {
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
    undo::undo(&world.job, &order, &request).await
}

/// The id of a cycle that ran.
pub fn id_of(ran: &Ran) -> CycleId {
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
    world.store = melonsync::snapshot::kv::memory::MemoryStore::new();
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

/// A world whose first user got another title in one cycle and another department in the next; the two cycles.
async fn changed_twice() -> (World, String, CycleId, CycleId) {
    let world = World::sample(12, 2).await;
    let id = world.tenant.user_ids()[1].clone();
    world
        .tenant
        .set_user(&id, json!({"jobTitle": "Mate", "department": "Harbour"}));
    world.cycle_twice().await;
    world.tenant.set_user(&id, json!({"jobTitle": "Captain"}));
    let first = id_of(&world.cycle().await);
    world.tenant.set_user(&id, json!({"department": "Sea"}));
    let second = id_of(&world.cycle().await);
    (world, id, first, second)
}

#[tokio::test(flavor = "multi_thread")]
async fn two_undos_of_one_object_hold_what_both_took_back() {
    let (world, id, first, second) = changed_twice().await;
    for cycle in [second, first] {
        let undone = undo(&world, cycle).await;
        assert_eq!(undone.summary.outcome, Outcome::Converged, "{undone:?}");
    }
    let before = content(&world);
    assert_eq!(world.resource(&id)["title"], "Mate");
    let again = world.run(Extent::All, true, None).await;
    assert_eq!(again.summary.held, 1, "one update, of both");
    assert!(content(&world) == before);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_undo_holds_outlasts_a_leave_and_keeps_no_leaver_in() {
    let (mut world, id, first, _) = changed_twice().await;
    world.job.policy.on_soft_delete = OnRemoval::Disable;
    undo(&world, first).await;
    assert_eq!(world.resource(&id)["title"], "Mate");
    // Disabled, undone, and then really gone.
    world.tenant.disable_user(&id);
    let disabled = world.cycle().await;
    assert_eq!(disabled.count(Verb::DisableUser), 1, "{}", disabled.story());
    undo(&world, id_of(&disabled)).await;
    world.run(Extent::All, true, None).await;
    assert_eq!(world.resource(&id)["active"], true, "held");
    world.tenant.soft_delete_user(&id);
    world.cycle().await.expect(Outcome::Converged);
    assert_eq!(world.resource(&id)["active"], false, "gone since the undo");
    world.tenant.restore_user(&id);
    world.tenant.enable_user(&id);
    world.cycle().await.expect(Outcome::Converged);
    let held = world.resource(&id);
    assert_eq!((&held["active"], &held["title"]), (&json!(true), &json!("Mate")));
    world.expect_no_write().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_undo_leaves_an_attribute_that_is_on_hold() {
    let world = World::sample(12, 2).await;
    let id = world.tenant.user_ids()[1].clone();
    world
        .tenant
        .set_user(&id, json!({"jobTitle": "Mate", "department": "Harbour"}));
    world.cycle_twice().await;
    world
        .tenant
        .set_user(&id, json!({"jobTitle": "Captain", "department": "Sea"}));
    let cycle = id_of(&world.cycle().await);
    let mut tx = world.job.snapshot.tx().unwrap();
    let hold = Hold {
        attribute: Some("title".to_owned()),
        until: None,
        since: world.clock.now(),
        actor: "test".to_owned(),
        comment: None,
        cause: HoldCause::Hand,
    };
    tx.put_hold(ObjectKind::User, &id.parse().unwrap(), &hold);
    tx.commit(Durability::Synced).unwrap();
    let undone = undo(&world, cycle).await;
    assert_eq!(undone.summary.held, 1, "{undone:?}");
    assert_eq!(undone.summary.operation(Verb::UpdateUser), 1);
    assert_eq!(world.resource(&id)["title"], "Captain");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_undo_takes_no_member_out_while_the_source_is_small() {
    let mut world = World::sample(12, 2).await;
    world.cycle_twice().await;
    world.job.policy = Policy::default();
    let (ids, group) = (world.tenant.user_ids(), world.tenant.group_ids()[0].clone());
    let members = world.tenant.user_members(&group);
    let newcomer = ids.iter().find(|id| !members.contains(id)).unwrap();
    world.tenant.add_member(&group, newcomer);
    let cycle = id_of(&world.cycle().await);
    for id in ids.iter().filter(|id| *id != newcomer).take(8) {
        world.tenant.hard_delete_user(id);
    }
    world.cycle().await.expect(Outcome::Withheld);
    let before = content(&world);
    let undone = undo(&world, cycle).await;
    assert_eq!(undone.summary.withheld.count, 1, "{undone:?}");
    assert_eq!(content(&world), before);
}
