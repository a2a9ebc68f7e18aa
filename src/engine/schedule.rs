//! When to run a job: its schedules, with jitter, and whether it is to be tried at once.

use std::time::Duration;

use tracing::error;
use tracing::warn;

use super::error::chain;
use super::job::Extent;
use super::job::Job;
use super::run::blocking;
use super::warnings;
use crate::model::clock::Timestamp;
use crate::settings::schedule::Beat;
use crate::settings::schedule::Schedule;
use crate::snapshot::quarantine::QuarantineReads;

/// The schedules of a job.
#[derive(Debug, Clone, Default)]
pub struct Schedules {
    /// Incremental cycles.
    pub incremental: Option<Beat>,
    /// Full cycles.
    pub full: Option<Schedule>,
    /// The way back alone. A full cycle does it too.
    pub back: Option<Schedule>,
    /// A number of the job's own: how late in its gap a cycle runs, so that not everybody asks Entra in the same second.
    pub seed: u16,
}

/// What is known of the cycles before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Past {
    /// When the last one over all objects ended, or the daemon began.
    pub ended: Timestamp,
    /// When one last read a change, or the daemon began: somebody is at work then.
    pub changed: Timestamp,
    /// When the last full one ended, or the daemon began.
    pub full: Timestamp,
    /// When the last one ended that did the way back, or the daemon began.
    pub back: Timestamp,
}

impl Past {
    /// Returns the past of a daemon that begins now.
    #[must_use]
    pub const fn begun(now: Timestamp) -> Self {
        Self {
            ended: now,
            changed: now,
            full: now,
            back: now,
        }
    }
}

/// No cycle runs later than this because of its jitter.
const MOST_JITTER: Duration = Duration::from_secs(10);

/// Returns the next cycle after `now`: when, and what it looks at. Where some fall together, the full one runs: it does all that the
/// others would. One that fell due while another ran is due still: its moments are counted from when it was last done.
#[must_use]
pub fn next(schedules: &Schedules, past: Past, now: Timestamp) -> Option<(Timestamp, Extent)> {
    let seed = schedules.seed;
    let soon = match &schedules.incremental {
        Some(Beat::Cron(schedule)) => spread(schedule, seed, now),
        Some(Beat::Auto) => Some(past.ended.plus(gap(past, now))),
        None => None,
    };
    // The clock may have been put back since.
    let after =
        |schedule: &Option<Schedule>, last: Timestamp| spread(schedule.as_ref()?, seed, last.min(now));
    let (full, back) = (
        after(&schedules.full, past.full),
        after(&schedules.back, past.back),
    );
    // Of those that are due together, the one that does most.
    [
        (full, Extent::Full),
        (soon, Extent::Changes),
        (back, Extent::Back),
    ]
    .into_iter()
    .filter_map(|(due, extent)| Some((due?, extent)))
    .min_by_key(|(due, _)| (*due).max(now))
}

/// Returns the gap of `auto`.
fn gap(past: Past, now: Timestamp) -> Duration {
    if now.since(past.changed) < Beat::BUSY_FOR {
        Beat::BUSY
    } else {
        Beat::QUIET
    }
}

/// Returns the next moment of a schedule, later by the job's share of the gap to the one after it: of a tenth of it, or of
/// [`MOST_JITTER`].
fn spread(schedule: &Schedule, seed: u16, now: Timestamp) -> Option<Timestamp> {
    let mut tick = schedule.next_after(now.minus(MOST_JITTER))?;
    loop {
        let after = schedule.next_after(tick);
        let gap = after.map_or(MOST_JITTER, |after| after.since(tick));
        let most = (gap / 10).min(MOST_JITTER);
        let late = most * u32::from(seed) / (u32::from(u16::MAX) + 1);
        let due = tick.plus(Duration::from_millis(
            u64::try_from(late.as_millis()).unwrap_or(0),
        ));
        if due > now {
            return Some(due);
        }
        tick = after?;
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
            incremental: every.map(Beat::Cron),
            full: daily.clone(),
            ..Schedules::default()
        };
        let next = |schedules: &Schedules, now| next(schedules, Past::begun(now), now);
        assert_eq!(next(&both, before), Some((Timestamp(10_800_000), Extent::Full)));
        assert_eq!(next(&both, after), Some((Timestamp(14_400_000), Extent::Changes)));
        let full = Schedules {
            full: daily,
            ..Schedules::default()
        };
        assert_eq!(next(&full, before).map(|(_, extent)| extent), Some(Extent::Full));
        assert_eq!(next(&Schedules::default(), before), None);
    }

    #[test]
    fn the_way_back_gives_way_to_what_does_more() {
        let (often, hourly, daily) = (
            schedule("0 */15 * * * *"),
            schedule("0 0 * * * *"),
            schedule("0 0 3 * * *"),
        );
        let all = Schedules {
            incremental: hourly.map(Beat::Cron),
            full: daily,
            back: often,
            seed: 0,
        };
        let minute = |minutes: i64| Timestamp(minutes * 60_000);
        for (name, last, now, due, expected) in [
            ("between", 150, 150, 165, Extent::Back),
            ("beside a full cycle", 165, 165, 180, Extent::Full),
            ("beside a cycle", 225, 225, 240, Extent::Changes),
            ("fallen due while another one ran", 225, 241, 240, Extent::Back),
        ] {
            let past = Past {
                full: minute(200).min(minute(last)),
                back: minute(last),
                ..Past::begun(minute(now))
            };
            assert_eq!(
                next(&all, past, minute(now)),
                Some((minute(due), expected)),
                "{name}"
            );
        }
    }

    const PAST: Past = Past::begun(Timestamp(0));

    #[test]
    fn auto_follows_a_source_that_changes_more_closely() {
        let auto = Schedules {
            incremental: Some(Beat::Auto),
            ..Schedules::default()
        };
        let minute = |minutes: i64| Timestamp(minutes * 60_000);
        for (name, ended, changed, now, expected) in [
            ("just changed", 10, 10, 10, 10 * 60 + 30),
            ("changed within the hour", 65, 10, 65, 65 * 60 + 30),
            ("quiet", 75, 10, 75, 80 * 60),
            ("due while an order ran", 10, 10, 12, 10 * 60 + 30),
        ] {
            let (ended, changed) = (minute(ended), minute(changed));
            let due = next(
                &auto,
                Past {
                    ended,
                    changed,
                    ..PAST
                },
                minute(now),
            );
            assert_eq!(due, Some((Timestamp(expected * 1000), Extent::Changes)), "{name}");
        }
    }

    /// In the middle of a minute, and long after three o'clock.
    const START: Timestamp = Timestamp(86_400_000 - 30_000);

    #[test]
    fn jitter_is_late_by_a_tenth_at_most_and_loses_no_tick() {
        for (name, cron, most) in [
            ("minutely", "0 * * * * *", 6_000),
            ("daily", "0 0 3 * * *", 10_000),
        ] {
            for seed in [0, 1, 30_000, u16::MAX] {
                let jittered = Schedules {
                    incremental: schedule(cron).map(Beat::Cron),
                    seed,
                    ..Schedules::default()
                };
                let plain = schedule(cron).expect("a schedule");
                let tick = plain.next_after(START).expect("a tick");
                let (due, _) = next(&jittered, PAST, START).expect("a tick");
                let late = due.since(tick).as_millis();
                assert!(due >= tick && late <= most, "{name} {seed}: {late}");
                // Asked again between the tick and its turn, it is still to come; after it the next one is.
                let asked = |at| next(&jittered, PAST, Timestamp(at)).map(|(due, _)| due);
                assert_eq!(asked(due.0 - 1), Some(due), "{name} {seed}");
                assert_eq!(
                    asked(due.0),
                    plain.next_after(tick).map(|next| next.plus(due.since(tick)))
                );
            }
        }
    }
}
