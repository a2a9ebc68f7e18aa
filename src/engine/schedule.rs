//! When to run a job: its two schedules, one cycle at a time, until it is told to stop or to reload.

use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;
use tracing::error;
use tracing::info;
use tracing::warn;

use super::cycle;
use super::error::chain;
use super::job::Extent;
use super::job::Job;
use super::job::NoWatcher;
use super::job::Order;
use super::run::blocking;
use super::warnings;
use crate::model::clock::Timestamp;
use crate::model::id::CycleId;
use crate::settings::schedule::Schedule;
use crate::snapshot::quarantine::QuarantineReads;

/// The two schedules of a job.
#[derive(Debug, Clone, Default)]
pub struct Schedules {
    /// Incremental cycles.
    pub incremental: Option<Schedule>,
    /// Full cycles.
    pub full: Option<Schedule>,
}

/// The next cycle after `now`: when, and what it looks at. Where both fall together, the full one runs: it
/// does all that the other would.
#[must_use]
pub fn next(schedules: &Schedules, now: Timestamp) -> Option<(Timestamp, Extent)> {
    let at = |schedule: &Option<Schedule>| schedule.as_ref().and_then(|schedule| schedule.next_after(now));
    match (at(&schedules.incremental), at(&schedules.full)) {
        (Some(soon), Some(full)) if full <= soon => Some((full, Extent::Full)),
        (Some(soon), _) => Some((soon, Extent::Changes)),
        (None, Some(full)) => Some((full, Extent::Full)),
        (None, None) => None,
    }
}

/// Longest single sleep: the clock may be set while we sleep, and schedules are by the wall clock.
const LONGEST_SLEEP: Duration = Duration::from_secs(30);

/// Runs a job on its schedules. Cycles never overlap: what falls due while one runs is skipped. `stop` ends
/// a cycle under way between two requests; `reload` ends the loop after it.
pub async fn run(
    job: Job,
    schedules: Schedules,
    new_id: fn() -> CycleId,
    stop: CancellationToken,
    reload: CancellationToken,
) {
    // Stopped when it was loaded: what was changed since may be what it stopped for.
    let mut at_once = is_stopped(&job).await;
    loop {
        let now = job.clock.now();
        let due = if std::mem::take(&mut at_once) {
            Some((now, Extent::Changes))
        } else {
            next(&schedules, now)
        };
        let Some((due, extent)) = due else {
            info!(job = %job.name, "Job {} has no schedule: it runs only when asked to", job.name);
            tokio::select! { () = stop.cancelled() => {}, () = reload.cancelled() => {} }
            return;
        };
        info!(job = %job.name, next = %due, "Job {} runs next at {due}", job.name);
        if !wait_until(&job, due, &stop, &reload).await {
            return;
        }
        let order = Order {
            id: new_id(),
            extent,
            apply: true,
            only: None,
            allow_deletions: None,
            allow_creations: None,
            actor: "schedule".to_owned(),
            stop: stop.clone(),
            watcher: Arc::new(NoWatcher),
        };
        let report = cycle::run(&job, &order).await;
        if let Some(cause) = report.error {
            error!(job = %job.name, cycle.id = %order.id, "{}: {}; {}", job.name, chain(&cause), cause.hint());
        }
    }
}

/// True for a job in quarantine; that it is, is said.
async fn is_stopped(job: &Job) -> bool {
    let read = blocking(&job.snapshot, |snapshot| snapshot.quarantine()).await;
    match read.map(|held| held.job) {
        Ok(Some(stop)) => {
            let text = format!(
                "Job {} is quarantined since {}: {}; {}",
                job.name, stop.since, stop.cause, stop.hint
            );
            let noted = text.clone();
            let news = blocking(&job.snapshot, move |snapshot| warnings::note(snapshot, &noted)).await;
            if news.unwrap_or(true) {
                warn!(job = %job.name, side = stop.side.word(), "{text}");
            }
            true
        }
        Ok(None) => false,
        Err(cause) => {
            error!(job = %job.name, "{}: {}; {}", job.name, chain(&cause), cause.hint());
            false
        }
    }
}

/// False when it was told to end meanwhile.
async fn wait_until(job: &Job, due: Timestamp, stop: &CancellationToken, reload: &CancellationToken) -> bool {
    loop {
        let left = due.since(job.clock.now());
        if left.is_zero() {
            return !(stop.is_cancelled() || reload.is_cancelled());
        }
        tokio::select! {
            () = tokio::time::sleep(left.min(LONGEST_SLEEP)) => {}
            () = stop.cancelled() => return false,
            () = reload.cancelled() => return false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn schedule(text: &str) -> Option<Schedule> {
        Some(Schedule::try_new(text, chrono_tz::UTC).expect("a schedule"))
    }

    #[test]
    fn the_full_cycle_wins_where_both_fall_together() {
        let every = schedule("0 0 * * * *");
        let daily = schedule("0 0 3 * * *");
        // 1970-01-01 02:30 and 03:30 UTC.
        let (before, after) = (Timestamp(9_000_000), Timestamp(12_600_000));
        let both = Schedules {
            incremental: every,
            full: daily.clone(),
        };
        assert_eq!(next(&both, before), Some((Timestamp(10_800_000), Extent::Full)));
        assert_eq!(next(&both, after), Some((Timestamp(14_400_000), Extent::Changes)));
        assert_eq!(
            next(
                &Schedules {
                    incremental: None,
                    full: daily
                },
                before
            )
            .map(|(_, e)| e),
            Some(Extent::Full)
        );
        assert_eq!(next(&Schedules::default(), before), None);
    }
}
