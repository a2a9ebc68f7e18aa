//! Attributes that go back: `read → decide → look → guard → open → send → record`.
//!
//! What the target holds comes from a complete listing of it, what Entra holds from the snapshot, and before anything is written from
//! one question to Entra. The decision is [`decide`](crate::reconcile::back::decide::decide)'s alone.
//! Guarantees: nothing is written at first contact; a write is open on disk before it is sent; a cycle that only plans writes
//! nothing and remembers nothing.
//! After a crash the next cycle goes on at the echo filter: an open write is waited for and looked for, and sent once more only where
//! Entra was seen twice not to have it.

mod admit;
mod findings;
mod look;
mod person;
mod scan;
mod send;
mod task;
mod undo;

use std::collections::BTreeSet;
use std::sync::Arc;

use super::WayBack;
use crate::engine::error::CycleError;
use crate::engine::intake::scoping::Scoping;
use crate::engine::judge::Judge;
use crate::engine::run::Run;
use crate::model::id::SourceId;
use crate::ports::Durability;
use crate::reconcile::back::cell::ReadingId;
use crate::snapshot::cells::CellReads;
use crate::snapshot::cells::WAY_BACK;
use crate::snapshot::cells::WayBackState;
use crate::snapshot::escrow;
use crate::snapshot::read::Reads;
use crate::snapshot::state::StateReads;

use person::KIND;
use person::Reading;
use scan::Scanned;
use scan::readable;
use scan::scan;
pub(in crate::engine) use undo::take_back;

/// Carries values of the target back, after a complete listing of it that this cycle holds.
pub(super) async fn carry_back(
    run: &mut Run<'_>,
    judge: &mut Judge,
    back: &Arc<WayBack>,
) -> Result<(), CycleError> {
    if back.attributes.is_empty() {
        return Ok(());
    }
    let (mut state, reading) = begin(run, judge, back).await?;
    let (ways, of, keeps) = (Arc::clone(back), reading.clone(), run.order.apply);
    let mut scanned = run
        .store(move |snapshot| scan(snapshot, &ways.attributes, &of, keeps))
        .await?;
    let tasks = look::look(run, &back.attributes, &reading, &mut scanned).await?;
    admit::withhold_waiting(run, judge, &scanned.waiting);
    let tasks = admit::guard(run, judge, (back.clear_threshold, &reading), tasks).await?;
    let tasks = admit::only_planned(run, tasks);
    let tasks = admit::brake(run, &state, tasks);
    let sent = carry_out(run, back, &mut state, &mut scanned, tasks).await?;
    judge.keep_withheld(run).await?;
    admit::forget_unasked(run, sent).await?;
    scanned.tally.report(run);
    if run.order.apply {
        keep_state(run, state).await?;
    }
    Ok(())
}

/// Forgets every cell, where nothing is written back any more: what is configured again later begins with first contact.
pub(super) async fn forget_all(run: &Run<'_>) -> Result<(), CycleError> {
    run.keep(|snapshot| {
        let mut all = Vec::new();
        snapshot.each_cells(|id, _| {
            all.push(id);
            Ok(())
        })?;
        if all.is_empty() {
            return Ok(());
        }
        let mut tx = snapshot.tx()?;
        all.iter().for_each(|id| tx.delete_cells(id));
        tx.commit(Durability::Lazy)
    })
    .await
}

/// Begins a reading: its number, and what can be read at all.
async fn begin(
    run: &Run<'_>,
    judge: &Judge,
    back: &Arc<WayBack>,
) -> Result<(WayBackState, Reading), CycleError> {
    let ways = Arc::clone(back);
    let (mut state, in_escrow, source_read) = run
        .store(move |snapshot| {
            let mut state = snapshot.state(&WAY_BACK)?.unwrap_or_default();
            state.readable = readable(snapshot, &ways.attributes, &state.readable)?;
            let waiting = escrow::entries(snapshot)?.into_iter();
            let users = waiting.filter(|entry| entry.kind == KIND).map(|entry| entry.id);
            let source_read = snapshot.stream(KIND)?.complete_since;
            Ok((state, users.collect::<BTreeSet<_>>(), source_read))
        })
        .await?;
    state.reading += 1;
    let reading = Reading {
        id: ReadingId(state.reading),
        now: run.now,
        source_read,
        readable: state.readable.clone(),
        paused: run.paused,
        kept_back: judge.kept_back.clone(),
        protect: run.job.policy.protect.clone(),
        in_escrow,
        // Who is assigned is known by the entries that a cycle keeps.
        scope: Scoping::new(&run.job.scope, None, false),
    };
    if run.order.apply {
        // A reading has its number before anything refers to it.
        keep_state(run, state.clone()).await?;
    }
    Ok((state, reading))
}

async fn keep_state(run: &Run<'_>, state: WayBackState) -> Result<(), CycleError> {
    run.store(move |snapshot| {
        let mut tx = snapshot.tx()?;
        tx.put_state(&WAY_BACK, &state);
        tx.commit(Durability::Lazy)
    })
    .await
}

/// Sends what was admitted, or shows it. Returns the users of whom something was sent.
async fn carry_out(
    run: &mut Run<'_>,
    back: &WayBack,
    state: &mut WayBackState,
    scanned: &mut Scanned,
    tasks: Vec<task::Task>,
) -> Result<BTreeSet<SourceId>, CycleError> {
    let ended = send::send(run, back, state, tasks).await?;
    let users = ended.users();
    for (id, row) in &ended.rows {
        scanned.tally.add(*id, row);
    }
    ended.refused.iter().for_each(|id| scanned.tally.refused(*id));
    Ok(users)
}
