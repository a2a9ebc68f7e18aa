//! The end of a cycle, whatever its story was: what it came to is named, kept and logged, and everything is made durable.

use std::time::Duration;

use tracing::debug;
use tracing::info;
use tracing::warn;

use super::error::CycleError;
use super::error::chain;
use super::failures::Failures;
use super::job::Job;
use super::job::Report;
use super::judge::Judge;
use super::reached::Reached;
use super::readings::dialect;
use super::record::after_write::list_not_kept;
use super::run::Run;
use super::run::blocking;
use super::set_aside;
use super::standing::Fact;
use super::summary::Drift;
use super::summary::Outcome;
use super::summary::Summary;
use super::warnings;
use crate::model::clock::Stopwatch;
use crate::model::clock::Timestamp;
use crate::model::id::CycleId;
use crate::model::side::Side;
use crate::ports::Durability;
use crate::ports::StoreError;
use crate::ports::Traffic;
use crate::snapshot::history::NewEntry;
use crate::snapshot::quarantine::Quarantine;
use crate::snapshot::quarantine::QuarantineReads;
use crate::snapshot::state::ASKED_AT;
use crate::snapshot::state::CARRIED_OUT;
use crate::snapshot::state::INITIAL_DONE;
use crate::snapshot::state::RESTORED;
use crate::snapshot::state::StateReads;
use crate::snapshot::store::Snapshot;

/// What is measured over the whole of a cycle.
pub(super) struct Frame {
    watch: Stopwatch,
    source: Traffic,
    target: Traffic,
}

impl Frame {
    /// Begins to measure.
    pub(super) fn open(job: &Job) -> Self {
        Self {
            watch: Stopwatch::start(),
            source: job.source.traffic(),
            target: job.target.traffic(),
        }
    }

    /// Ends a cycle. Returns its report, with the error that ended its story early, or the first that was met here.
    pub(super) async fn close(
        self,
        mut run: Run<'_>,
        judge: &Judge,
        mut failures: Failures,
        story: Result<(), CycleError>,
    ) -> Report {
        let (job, keeps, by_hand) = (run.job, run.order.apply, run.order.extent.is_partial());
        dialect::tell_findings(&run);
        judge.tell_pause(&run);
        if let Err(late) = set_aside::name_what_is_left(&mut run).await {
            warn!("The summary names nobody: {late}");
        }
        let story = story.and(dialect::keep_announced(&run).await);
        let story = story.and(list_not_kept(&mut run).await);
        let whole = story.is_ok() && !run.undoes && !by_hand;
        let story = story.and(keep_standing(&run, whole).await);
        let error = story.err();
        let stops = &mut failures.stops;
        stops.confirm_refusal(&run, error.as_ref()).await;
        let quarantine = stops.after(&run, error.as_ref());
        let whole = !run.undoes && !by_hand;
        let nobody_late = run.standing.count(Fact::Late) == 0;
        let (cycle, actor) = (run.order.id, run.order.actor.clone());
        let mut summary = summary_of(run, &failures, error.as_ref());
        summary.duration_ms = u64::try_from(self.watch.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.add_traffic(&mut summary, job);
        let mut reached = Reached::default();
        let error = if keeps {
            let seen = (whole, whole && nobody_late);
            let keeping = Keeping::of(job, &summary, (cycle, &actor), quarantine, seen);
            match blocking(&job.snapshot, move |snapshot| keeping.keep(snapshot)).await {
                Ok(now) => {
                    reached = now;
                    error
                }
                Err(failed) => error.or(Some(failed)),
            }
        } else {
            error
        };
        if error.is_some() && summary.outcome == Outcome::Converged {
            summary.outcome = Outcome::Failed;
        }
        log(&summary, reached.lag(job.clock.now()), error.as_ref());
        Report { summary, error }
    }

    fn add_traffic(&self, summary: &mut Summary, job: &Job) {
        let source = job.source.traffic().since(self.source);
        let target = job.target.traffic().since(self.target);
        summary.source.requests = source.requests;
        summary.source.throttled = source.throttled;
        summary.target.requests = target.requests;
        summary.target.throttled = target.throttled;
        summary.target.retries = target.retries;
    }
}

/// Returns what a cycle came to.
fn summary_of(run: Run<'_>, failures: &Failures, error: Option<&CycleError>) -> Summary {
    let applies = run.applies();
    let stops = error.is_some_and(|error| failures.stops.stops(error));
    let mut summary = run.summary;
    if error.is_some() && !applies {
        // A plan that broke off is none: what it had so far was neither done nor is it all that would be.
        summary.operations.values_mut().for_each(|count| *count = 0);
    }
    summary.escrow = failures.escrow.count() + run.standing.count(Fact::InEscrow) as u64;
    summary.outcome = match error {
        Some(_) if stops => Outcome::Quarantined,
        Some(CycleError::Stopped) => Outcome::Stopped,
        Some(_) => Outcome::Failed,
        None if !applies => Outcome::Planned,
        None if summary.withheld.count > 0 => Outcome::Withheld,
        None if summary.escrow > 0
            || !summary.not_kept.is_empty()
            || !summary.failed.is_empty()
            || !run.left.is_none()
            || run.standing.count(Fact::CreateOpen) > 0 =>
        {
            Outcome::Partial
        }
        None => Outcome::Converged,
    };
    summary
}

/// Keeps what a cycle warns of. One that did not see everything takes nothing back.
async fn keep_standing(run: &Run<'_>, whole: bool) -> Result<(), CycleError> {
    let mut now = run.warnings.now().clone();
    if !whole {
        now.extend(run.warnings.before.iter().take(warnings::MOST).cloned());
    }
    if !run.order.apply || now == run.warnings.before {
        return Ok(());
    }
    run.store(move |snapshot| warnings::put(snapshot, &now)).await
}

/// What is kept of a cycle that ended.
struct Keeping {
    cycle: CycleId,
    summary: serde_json::Value,
    fingerprint: String,
    /// History before this moment goes.
    oldest: Timestamp,
    /// It looked at all that it is there for, and came to its end, whatever it left.
    ended: bool,
    /// And it was one that writes.
    through: bool,
    /// Everything was looked at, and nothing was left to look at.
    looked: bool,
    /// The target was asked something.
    asked: bool,
    /// Now.
    ended_at: Timestamp,
    stops: Option<(Quarantine, Vec<NewEntry>)>,
}

impl Keeping {
    /// `whole`: it was no order for some objects; `looked`: and nobody was met too late to be looked at.
    fn of(
        job: &Job,
        summary: &Summary,
        (cycle, actor): (CycleId, &str),
        stops: Option<(Quarantine, Vec<NewEntry>)>,
        (whole, looked): (bool, bool),
    ) -> Self {
        let cut_short = matches!(
            summary.outcome,
            Outcome::Failed | Outcome::Quarantined | Outcome::Stopped
        );
        // What an order for some objects came to says nothing of all the others.
        let ended = whole && !cut_short;
        // With nothing held back, there was nothing left to look at.
        // Of a cycle over a few objects, or with something left undone, that cannot be said.
        let looked = looked && summary.outcome == Outcome::Converged && summary.withheld.count == 0;
        Self {
            cycle,
            summary: kept_of(summary, actor),
            fingerprint: job.fingerprint.clone(),
            oldest: job.clock.now().minus(job.history_retention),
            ended,
            through: ended && job.enforce && summary.outcome != Outcome::Planned,
            looked,
            asked: summary.target.requests > 0,
            ended_at: job.clock.now(),
            stops,
        }
    }

    /// Keeps the summary, and makes everything durable.
    fn keep(self, snapshot: &Snapshot) -> Result<Reached, StoreError> {
        let mut tx = snapshot.tx()?;
        if self.asked {
            tx.put_state(&ASKED_AT, &self.ended_at);
        }
        tx.put_cycle(&self.summary);
        if let Some((stopped, entries)) = self.stops
            && (snapshot.quarantine()? != stopped || !entries.is_empty())
        {
            tx.put_quarantine(&stopped);
            tx.append_history(entries);
        }
        if self.ended && snapshot.state(&CARRIED_OUT)?.as_ref() != Some(&self.fingerprint) {
            tx.put_state(&CARRIED_OUT, &self.fingerprint);
        }
        if self.through && !snapshot.has_state(&INITIAL_DONE)? {
            tx.put_state(&INITIAL_DONE, &());
        }
        if self.through && self.looked && snapshot.has_state(&RESTORED)? {
            tx.delete_state(&RESTORED);
        }
        tx.commit(Durability::Synced)?;
        snapshot.prune_history(self.oldest)?;
        let head = snapshot.history_head()?;
        debug!(cycle.id = %self.cycle, history.entries = head.next, history.head = %head, "The history ends before entry {} with {head}", head.next);
        Reached::of(snapshot)
    }
}

/// Returns what is kept of a summary. Names are for whoever reads it now; what is kept names objects by their ids, so that `state
/// forget` is true.
fn kept_of(summary: &Summary, actor: &str) -> serde_json::Value {
    let mut kept = summary.clone();
    kept.pending.iter_mut().for_each(|pending| pending.name.clear());
    kept.failed.iter_mut().for_each(|failure| failure.name.clear());
    // They have a table of their own.
    kept.escrowed.clear();
    for one in &mut kept.not_kept {
        one.name.clear();
        (one.sent, one.holds) = Default::default();
    }
    let mut kept = serde_json::to_value(kept).unwrap_or_default();
    kept["actor"] = actor.into();
    kept
}

/// The one line of a cycle, and one for what ended it early.
fn log(summary: &Summary, lag: Option<Duration>, error: Option<&CycleError>) {
    let done: u64 = summary.operations.values().sum();
    let (cycle, outcome) = (&summary.cycle, format!("{:?}", summary.outcome).to_lowercase());
    let Drift {
        missing,
        orphaned,
        modified,
        membership,
        unmanaged,
    } = summary.drift;
    info!(
        cycle.id = %cycle,
        job = %summary.job,
        outcome,
        operations = done,
        failed = summary.failed.len(),
        escrow = summary.escrow,
        held = summary.held,
        withheld = summary.withheld.count,
        drift = missing + orphaned + modified + membership,
        unmanaged,
        lag_seconds = lag.map(|lag| lag.as_secs()),
        source.requests = summary.source.requests,
        target.requests = summary.target.requests,
        throttled = summary.source.throttled + summary.target.throttled,
        duration_ms = summary.duration_ms,
        "Cycle {cycle} finished: {outcome}, {done} operations"
    );
    for entry in &summary.escrowed {
        let (object, operation) = (&entry.object, &entry.operation);
        info!(cycle.id = %cycle, object, op = operation, next_try = entry.next_try, "In escrow: {operation} of {object} failed: {}", entry.error);
    }
    if let Some(error) = error {
        let refused = error.exchange();
        warn!(
            cycle.id = %cycle,
            job = %summary.job,
            side = error.side().map(Side::word),
            status = refused.and_then(|refused| refused.status),
            method = refused.map(|refused| refused.method),
            path = refused.map(|refused| refused.path.as_str()),
            request.id = refused.and_then(|refused| refused.request_id.as_deref()),
            "Cycle {cycle} ended early: {}",
            chain(error)
        );
    }
}
