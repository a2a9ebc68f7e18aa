//! A job that only observes, beside Azure's own provisioning job: what its cycles want is kept, and what Azure's log says of the same
//! objects, so that the two can be compared over time (`reconcile/observe`).
//!
//! The log is read at the end of a cycle, at most once in ten minutes: it is minutes behind anyway, and five requests in ten seconds
//! are all that the service answers. Where it may not be read, that is kept, and observing goes on.

use std::time::Duration;

use tracing::debug;

use super::error::CycleError;
use super::job::Extent;
use super::run::Run;
use crate::model::azure_job::LogEntry;
use crate::model::clock::Timestamp;
use crate::model::id::ObjectKind;
use crate::model::id::SourceId;
use crate::ports::Durability;
use crate::ports::StoreError;
use crate::reconcile::observe::Deed;
use crate::reconcile::observe::Effects;
use crate::reconcile::observe::Salt;
use crate::reconcile::observe::of_entry;
use crate::reconcile::observe::of_operation;
use crate::reconcile::operation::Operation;
use crate::snapshot::observed::OBSERVATION;
use crate::snapshot::observed::Observation;
use crate::snapshot::observed::watched;
use crate::snapshot::state::StateReads;
use crate::snapshot::store::Snapshot;

/// The log is not read more often.
const READ_EVERY: Duration = Duration::from_secs(600);
/// What was read last is read again by so much: entries come late.
const OVERLAP: Duration = Duration::from_secs(3600);
/// So long does Entra keep its log, with a day to spare.
const LOG_KEPT: Duration = Duration::from_secs(29 * 24 * 3600);

/// Notes what a cycle wants of each object.
pub(super) async fn note<'o>(
    run: &Run<'_>,
    operations: impl Iterator<Item = &'o Operation>,
) -> Result<(), CycleError> {
    if run.observes().is_none() {
        return Ok(());
    }
    let salt = run
        .store(|snapshot| Ok(snapshot.state(&OBSERVATION)?.map(|held| held.salt)))
        .await?;
    let salt = match salt {
        Some(salt) => salt,
        None => begin(run).await?.salt,
    };
    let wanted: Vec<(ObjectKind, SourceId, Effects)> = operations
        .map(|operation| {
            (
                operation.kind,
                operation.source,
                of_operation(operation, Salt(&salt)),
            )
        })
        .filter(|(_, _, effects)| !effects.is_empty())
        .collect();
    let cycle = run.now;
    run.store(move |snapshot| want(snapshot, wanted, cycle)).await
}

fn want(
    snapshot: &Snapshot,
    wanted: Vec<(ObjectKind, SourceId, Effects)>,
    cycle: Timestamp,
) -> Result<(), StoreError> {
    if wanted.is_empty() {
        return Ok(());
    }
    let mut tx = snapshot.tx()?;
    for (kind, id, effects) in wanted {
        let mut held = watched(&tx, kind, &id)?;
        held.want(effects, cycle);
        tx.put_watched(kind, &id, &held);
    }
    tx.commit(Durability::Lazy)
}

/// Begins to observe.
async fn begin(run: &Run<'_>) -> Result<Observation, CycleError> {
    let begun = Observation {
        since: run.now,
        cycle: run.now,
        log_until: None,
        log_tried: None,
        log_problem: None,
        holes: Vec::new(),
        salt: (run.job.entropy)(),
    };
    let kept = begun.clone();
    run.store(move |snapshot| put(snapshot, &kept)).await?;
    Ok(begun)
}

fn put(snapshot: &Snapshot, observation: &Observation) -> Result<(), StoreError> {
    let mut tx = snapshot.tx()?;
    tx.put_state(&OBSERVATION, observation);
    tx.commit(Durability::Lazy)
}

/// Ends a cycle that observed: that everything was looked at is kept, and what Azure's log says since it was last read.
pub(super) async fn end(run: &Run<'_>) -> Result<(), CycleError> {
    let Some(application) = run.observes() else {
        return Ok(());
    };
    let held = run.store(|snapshot| snapshot.state(&OBSERVATION)).await?;
    let mut now = match held {
        Some(held) => held,
        None => begin(run).await?,
    };
    if !run.order.extent.is_partial() && run.order.extent != Extent::Explain {
        now.cycle = run.now;
    }
    let due = now
        .log_tried
        .is_none_or(|tried| run.now.since(tried) >= READ_EVERY);
    let mut deeds = Vec::new();
    if let Some(azure) = run.job.source.azure_jobs().filter(|_| due) {
        let from = now
            .log_until
            .unwrap_or(now.since)
            .minus(OVERLAP)
            .max(run.now.minus(LOG_KEPT));
        match azure.log(application, from, run.now).await {
            Ok(entries) => {
                if let Some(until) = now.log_until.filter(|until| run.now.since(*until) > LOG_KEPT) {
                    now.holes.push((until, run.now.minus(LOG_KEPT)));
                }
                deeds = entries
                    .iter()
                    .filter_map(|entry| deed(entry, Salt(&now.salt)))
                    .collect();
                (now.log_until, now.log_problem) = (Some(run.now), None);
            }
            Err(error) => {
                debug!(job = %run.job.name, "Azure's provisioning log was not read: {error}");
                now.log_problem = Some(format!("{error}; {}", error.hint()));
            }
        }
        now.log_tried = Some(run.now);
    }
    let at = run.now;
    run.store(move |snapshot| keep(snapshot, &now, deeds, at)).await
}

fn deed(entry: &LogEntry, salt: Salt<'_>) -> Option<(ObjectKind, SourceId, Deed)> {
    let (kind, id) = (entry.kind?, entry.object?);
    let effects = of_entry(entry, salt);
    // What was skipped, and what changed nothing, is no deed.
    let counts = (entry.is_done() || entry.status == "failure") && !effects.is_empty();
    counts.then(|| {
        let deed = Deed {
            id: entry.id,
            at: entry.at,
            done: entry.is_done(),
            effects,
            target: entry.target.clone(),
            agreed: None,
        };
        (kind, id, deed)
    })
}

fn keep(
    snapshot: &Snapshot,
    observation: &Observation,
    deeds: Vec<(ObjectKind, SourceId, Deed)>,
    now: Timestamp,
) -> Result<(), StoreError> {
    let mut tx = snapshot.tx()?;
    for (kind, id, deed) in deeds {
        let mut held = watched(&tx, kind, &id)?;
        held.note(deed, now);
        tx.put_watched(kind, &id, &held);
    }
    tx.put_state(&OBSERVATION, observation);
    tx.commit(Durability::Lazy)
}
