//! Every operation and every omission says why, in the plan and in the history alike.

use std::collections::BTreeSet;

use melonsync::reconcile::policy::Policy;
use melonsync::reconcile::undo::ids_of;

use crate::cycles::synced;
use crate::support::world::Ran;
use crate::support::world::World;

/// Each object of the tenant ended in an operation or in an omission, and each of these says why.
fn every_object_is_accounted_for(world: &World, ran: &Ran) {
    let said: BTreeSet<String> = ran
        .operations
        .iter()
        .map(|operation| operation.source.to_string())
        .chain(ran.omissions.iter().map(|(_, id, _)| id.to_string()))
        .collect();
    for id in world
        .tenant
        .user_ids()
        .into_iter()
        .chain(world.tenant.group_ids())
    {
        assert!(said.contains(&id), "nothing is said of {id}");
    }
    for operation in &ran.operations {
        assert!(!operation.because.to_string().is_empty(), "{operation:?}");
    }
    for (_, id, omission) in &ran.omissions {
        assert!(!omission.to_string().is_empty(), "{id}");
        assert!(
            !omission.is_finding() || !omission.hint().is_empty(),
            "{omission:?} has no advice"
        );
    }
}

#[tokio::test]
async fn every_object_ends_in_an_operation_or_in_an_omission_that_says_why() {
    let world = World::sample(60, 8).await;
    world.workspace.half_fill(&world.tenant, 0.4);
    for ran in [world.plan().await, world.cycle().await] {
        every_object_is_accounted_for(&world, &ran);
    }
    let world = synced().await;
    let all = world.run(melonsync::engine::job::Extent::All, true, None).await;
    every_object_is_accounted_for(&world, &all);
}

#[tokio::test]
async fn history_holds_every_operation_with_its_reason() {
    let world = synced().await;
    world.tenant.mutate(0.5, 4);
    let before = world.job.snapshot.history_head().unwrap().next;
    let ran = world.cycle().await;
    let entries = world.job.snapshot.history(before, 1000).unwrap();
    assert_eq!(entries.len(), ran.operations.len());
    for (operation, (entry, values)) in ran.operations.iter().zip(&entries) {
        assert_eq!(entry.operation, operation.verb.name());
        assert_eq!(entry.object, Some(operation.source));
        assert_eq!(entry.reason, operation.because.to_string());
        assert_eq!(entry.result, "done");
        let changes = &values.as_ref().unwrap().changes;
        if operation.members.is_empty() {
            assert_eq!(*changes, operation.changes);
            continue;
        }
        let [change] = changes.as_slice() else {
            panic!("{changes:?}")
        };
        let held = [ids_of(&change.before), ids_of(&change.after)].concat();
        let moved = operation.members.iter().map(|member| member.source);
        assert_eq!(
            held,
            moved.collect::<Vec<_>>(),
            "memberships are in the history too"
        );
    }
    assert_eq!(world.job.snapshot.verify_chain().unwrap(), Vec::<String>::new());
}

#[tokio::test]
async fn what_is_withheld_names_the_threshold_and_the_way_out() {
    let mut world = synced().await;
    world.job.policy = Policy::default();
    for user in &world.tenant.user_ids()[..9] {
        world.tenant.disable_user(user);
    }
    for ran in [world.plan().await, world.cycle().await] {
        let said: Vec<String> = ran
            .omissions
            .iter()
            .filter(|(_, _, omission)| omission.label() == "withheld")
            .map(|(_, _, omission)| omission.to_string())
            .collect();
        assert_eq!(said.len(), 9);
        assert!(
            said[0].contains("deletion_threshold") && said[0].contains("--allow-deletions 9"),
            "{said:?}"
        );
    }
}

#[tokio::test]
async fn members_that_are_withheld_are_said_too() {
    let mut world = synced().await;
    world.job.policy.membership_removal_threshold = melonsync::reconcile::policy::Threshold::count(1);
    let group = world.tenant.group_ids()[0].clone();
    for user in &world.tenant.user_ids()[..4] {
        world.tenant.remove_member(&group, user);
    }
    for ran in [world.plan().await, world.cycle().await] {
        assert_eq!(ran.summary.withheld.count, 4, "{}", ran.story());
        assert_eq!(ran.omitted("withheld"), 1, "{}", ran.story());
    }
}
