//! A law of any world: what `explain` announces of an object is what `plan` lists of it.

use std::collections::BTreeSet;
use std::sync::Arc;

use melonsync::engine::explain::ExplainError;
use melonsync::engine::explain::explain;
use melonsync::engine::job::Extent;
use melonsync::engine::job::Job;
use melonsync::engine::job::NoWatcher;
use melonsync::engine::job::Order;
use melonsync::model::id::CycleId;
use melonsync::model::id::ObjectKind;
use melonsync::model::id::SourceId;
use melonsync::reconcile::explain::omission::Omission;
use melonsync::reconcile::operation::Operation;
use melonsync::snapshot::read::Reads;
use tokio_util::sync::CancellationToken;

use super::world::Ran;
use super::world::World;

/// An order to explain.
pub fn to_explain() -> Order {
    Order {
        id: CycleId(uuid::Uuid::now_v7()),
        extent: Extent::Explain,
        apply: false,
        allow_deletions: None,
        allow_creations: None,
        only: None,
        actor: "test".to_owned(),
        stop: CancellationToken::new(),
        watcher: Arc::new(NoWatcher),
    }
}

/// Plans, and explains; the plan. Panics where what is announced is not what is listed.
pub async fn plan_is_announced(world: &World) -> Ran {
    let plan = world.plan().await;
    assert!(plan.error.is_none(), "{}", plan.story());
    let found = unannounced(&world.job, &plan.operations, &plan.omissions).await;
    assert!(found.is_empty(), "{}\n{}", found.join("\n"), plan.story());
    plan
}

/// Where `explain` announces something else than a `plan` just now listed: of whatever is planned, marked, or not as it was
/// left at the target, and of some of the others.
pub async fn unannounced(
    job: &Job,
    operations: &[Operation],
    omissions: &[(ObjectKind, SourceId, Omission)],
) -> Vec<String> {
    let mut found = Vec::new();
    let planned = operations.iter().map(|one| (one.kind, one.source));
    let left = omissions.iter().map(|(kind, id, _)| (*kind, *id));
    let all: BTreeSet<_> = known(job).into_iter().chain(planned).chain(left).collect();
    for (kind, id) in all {
        let explained = match explain(job, &to_explain(), id.to_string().as_str()).await {
            Ok(explained) => explained,
            Err(ExplainError::NotOne(_)) => continue,
            Err(error) => {
                found.push(format!("{kind} {id} is not explained: {error}"));
                continue;
            }
        };
        // It says that the source answers otherwise than it was read: the plan knows nothing of that answer yet.
        if !explained.source.moved.is_empty() {
            continue;
        }
        let mine = |one: &&Operation| (one.kind, one.source) == (kind, id);
        let listed: Vec<String> = operations.iter().filter(mine).map(words).collect();
        let announced: Vec<String> = explained.operations.iter().map(words).collect();
        if listed != announced {
            found.push(format!(
                "{kind} {id}:\n  plan lists {listed:#?}\n  explain announces {announced:#?}"
            ));
        }
        let left = omissions
            .iter()
            .filter(|(of, object, _)| (*of, *object) == (kind, id));
        let left: BTreeSet<&str> = left.map(|(_, _, omission)| omission.label()).collect();
        let said: BTreeSet<&str> = explained
            .omissions
            .iter()
            .map(|(label, ..)| label.as_str())
            .collect();
        // What waits in escrow is explained in its parts, too.
        if !left.is_subset(&said) {
            found.push(format!(
                "{kind} {id}:\n  plan leaves {left:?}\n  explain leaves {said:?}"
            ));
        }
    }
    found
}

fn known(job: &Job) -> Vec<(ObjectKind, SourceId)> {
    let snapshot = &job.snapshot;
    let mut known = Vec::new();
    for kind in [ObjectKind::User, ObjectKind::Group] {
        let all = snapshot.scan_briefs(kind, None, 10_000).unwrap();
        for (at, (id, _)) in all.into_iter().enumerate() {
            let marked = snapshot.dirty_cause(kind, &id).unwrap().is_some();
            if marked || snapshot.drift(kind, &id).unwrap().is_some() || at % 8 == 0 {
                known.push((kind, id));
            }
        }
    }
    known
}

/// All that is announced of an operation. How absence was proven may differ: one is asked for, or all are listed.
fn words(operation: &Operation) -> String {
    let (verb, because) = (operation.verb, operation.because.label());
    let changes: Vec<String> = operation
        .changes
        .iter()
        .map(|change| format!("{change:?}"))
        .collect();
    let mut members: Vec<String> = operation
        .members
        .iter()
        .map(|member| format!("{member:?}"))
        .collect();
    members.sort_unstable();
    format!(
        "{verb} at {:?} because {because}: {changes:?} {members:?}",
        operation.target
    )
}
