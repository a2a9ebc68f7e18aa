//! Linked resources that are read again in ordinary cycles: a few of those read longest ago, and those of which
//! something found is still to be put right.

use futures::StreamExt;
use futures::stream;
use tracing::warn;

use crate::engine::error::CycleError;
use crate::engine::error::chain;
use crate::engine::job::Extent;
use crate::engine::notes::Linked;
use crate::engine::readings::Given;
use crate::engine::readings::Readings;
use crate::engine::run::Run;
use crate::engine::standing::Fact;
use crate::engine::summary::Kind;
use crate::model::id::ObjectKind;
use crate::model::id::SourceId;
use crate::ports::Disposition;
use crate::ports::Durability;
use crate::ports::Resource;
use crate::ports::StoreError;
use crate::ports::TargetError;
use crate::reconcile::refresh::Sweep;
use crate::snapshot::pages::Pages;
use crate::snapshot::read::Reads;
use crate::snapshot::record::Brief;
use crate::snapshot::record::DirtyCause;
use crate::snapshot::state::{SWEEP, StateReads};
use crate::snapshot::store::Snapshot;

/// Answers in trouble after which no more is read in this cycle: the next one goes on.
const TROUBLE: usize = 5;

/// Resources held in memory together.
const AT_A_TIME: usize = 100;

impl Readings {
    /// Finds out what is due, before it is known whether there is anything to do at all.
    pub(in crate::engine) async fn find_due(
        &mut self,
        run: &Run<'_>,
        given: &Given<'_>,
    ) -> Result<(), CycleError> {
        let (now, window) = (run.now, run.job.policy.refresh_within);
        let managed = run.job.managed.clone();
        let standing = run.standing.clone();
        let asks = matches!(run.order.extent, Extent::Changes | Extent::Explain);
        if !asks || run.summary.kind == Kind::Initial {
            return Ok(());
        }
        let focus = given.intake.focus.clone();
        let (pending, sweep, swept) = run
            .store(move |snapshot| {
                let chosen =
                    |key: &(ObjectKind, SourceId)| focus.as_ref().is_none_or(|focus| focus.contains(key));
                let pending = pending(snapshot, |key| {
                    managed.contains(&key.0) && !standing.is(key, Fact::InEscrow) && chosen(&key)
                })?;
                let Some(sweep) = snapshot.state(&SWEEP)? else {
                    return Ok((pending, Some(Sweep::all_read(now, window)), Vec::new()));
                };
                let counts = snapshot.counts()?;
                let linked = managed.iter().map(|kind| counts.linked(*kind)).sum();
                let due = usize::try_from(sweep.due(now, window, linked)).unwrap_or(usize::MAX);
                if due == 0 {
                    return Ok((pending, None, Vec::new()));
                }
                let kinds: Vec<ObjectKind> = managed.iter().copied().collect();
                let (swept, end) = next_linked(snapshot, &kinds, sweep.after, due)?;
                let last = swept.last().map(|(kind, id, _)| (*kind, *id));
                let sweep = sweep.read(now, window, swept.len() as u64, last, end);
                let swept = swept.into_iter().filter(|(kind, id, _)| chosen(&(*kind, *id)));
                Ok((pending, Some(sweep), swept.collect()))
            })
            .await?;
        self.due.resources = pending;
        for one in swept {
            if !self.due.resources.contains(&one) {
                self.due.resources.push(one);
            }
        }
        self.due.sweep = sweep;
        if self.due.is_empty() {
            self.keep_sweep(run).await?;
        }
        Ok(())
    }

    /// Reads what is due, single resources by GET. One that does not answer is read the next time round.
    pub(in crate::engine) async fn read_due(&mut self, run: &mut Run<'_>) -> Result<(), CycleError> {
        let due = std::mem::take(&mut self.due.resources);
        if due.is_empty() {
            return Ok(());
        }
        let (of, mut done, mut trouble) = (due.len() as u64, 0, 0);
        for part in due.chunks(AT_A_TIME) {
            run.order
                .watcher
                .progress("reading the target again", done, Some(of));
            run.check_stop()?;
            trouble += self.read_again(run, part).await?;
            if trouble >= TROUBLE {
                return Ok(());
            }
            done += part.len() as u64;
        }
        self.keep_sweep(run).await
    }

    /// Reads these; how often the target as a whole was in trouble.
    async fn read_again(&mut self, run: &mut Run<'_>, part: &[Linked]) -> Result<usize, CycleError> {
        let target = &run.job.target;
        let answers: Vec<_> = stream::iter(part.iter().cloned())
            .map(|(kind, id, resource)| async move {
                let read = target.read(kind, &resource).await;
                (kind, id, resource, read)
            })
            .buffer_unordered(run.job.max_concurrency.max(1))
            .collect()
            .await;
        let mut trouble = 0;
        for (kind, id, resource, answer) in answers {
            match answer {
                Ok(Some(body)) => self.keep_reading(run, kind, id, body).await?,
                Ok(None) => self.note_missing(run, kind, id, resource, false).await?,
                Err(error) if error.disposition() == Disposition::Quarantine => {
                    return Err(CycleError::Target(error));
                }
                Err(error) => {
                    warn!(object = %id, "Cannot read the resource of {kind} {id} again: {}", chain(&error));
                    trouble += usize::from(matches!(error, TargetError::Unavailable { .. }));
                }
            }
        }
        Ok(trouble)
    }

    /// Everything linked was read: the sweep begins anew.
    pub(in crate::engine) async fn note_all_read(&mut self, run: &Run<'_>) -> Result<(), CycleError> {
        self.due.sweep = Some(Sweep::all_read(run.now, run.job.policy.refresh_within));
        self.keep_sweep(run).await
    }

    /// A plan reads the same, and leaves the sweep where it is.
    async fn keep_sweep(&mut self, run: &Run<'_>) -> Result<(), CycleError> {
        let Some(sweep) = self.due.sweep.take().filter(|_| run.order.apply) else {
            return Ok(());
        };
        run.store(move |snapshot| {
            let mut tx = snapshot.tx()?;
            tx.put_state(&SWEEP, &sweep);
            tx.commit(Durability::Lazy)
        })
        .await
    }

    /// Takes a resource that was read by itself as a reading to compare with.
    pub(in crate::engine) async fn keep_reading(
        &mut self,
        run: &Run<'_>,
        kind: ObjectKind,
        id: SourceId,
        resource: Resource,
    ) -> Result<(), CycleError> {
        let paths = run.key_paths(kind);
        self.drift.read.push((kind, id));
        run.store(move |snapshot| {
            crate::engine::readings::stored::keep_readings(snapshot, kind, &[resource], &paths)
        })
        .await?;
        Ok(())
    }
}

/// Dirty objects of which something found is still to be put right, or whose resource was found gone and only reported: what
/// was found may have moved since, and nothing is sent to a resource that is not there.
fn pending(
    snapshot: &Snapshot,
    wanted: impl Fn((ObjectKind, SourceId)) -> bool,
) -> Result<Vec<Linked>, StoreError> {
    let mut found = Vec::new();
    snapshot.each_drift(|kind, id, row| {
        if (row.pending || row.missing)
            && wanted((kind, id))
            && let Some(cause) = snapshot.dirty_cause(kind, &id)?
            // That somebody looked at it wants nothing of it.
            && (row.pending || cause != DirtyCause::LOOK)
        {
            found.push((kind, id, row.target));
        }
        Ok(())
    })?;
    Ok(found)
}

/// The next linked objects in key order, and whether none is left behind them.
pub(in crate::engine) fn next_linked(
    snapshot: &Snapshot,
    kinds: &[ObjectKind],
    after: Option<(ObjectKind, SourceId)>,
    count: usize,
) -> Result<(Vec<Linked>, bool), StoreError> {
    let mut found = Vec::new();
    let mut at = after;
    for kind in kinds {
        if at.is_some_and(|(of, _)| of > *kind) {
            continue;
        }
        let after = at.take().filter(|(of, _)| of == kind).map(|(_, id)| id);
        let mut pages = Pages::fixed(|(id, _): &(SourceId, Brief)| *id).behind(after);
        while let Some(page) = pages.next_page(|after, limit| snapshot.scan_briefs(*kind, after, limit))? {
            let linked = page
                .into_iter()
                .filter_map(|(id, brief)| Some((*kind, id, brief.target?)));
            for one in linked {
                if found.len() == count {
                    return Ok((found, false));
                }
                found.push(one);
            }
        }
    }
    Ok((found, true))
}
