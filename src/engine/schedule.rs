//! When to run a job: its two schedules, and whether it is to be tried at once.

use tracing::error;
use tracing::warn;

use super::error::chain;
use super::job::Extent;
use super::job::Job;
use super::run::blocking;
use super::warnings;
use crate::model::clock::Timestamp;
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

/// True for a job in quarantine, which is logged.
pub async fn is_stopped(job: &Job) -> bool {
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
