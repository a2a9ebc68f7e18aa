//! When linked resources are read again between full cycles: a sweep round the key space, spread over time.
//!
//! Pure: times in, a number out. What is kept is one small value for a job, not a time for each resource.
//! Promise: each linked resource is read at least once within the window, as long as cycles come often enough for
//! [`MOST`] at a time. Nothing is due before half of the window has passed since everything was read at once (the
//! first cycle, a full cycle), so that quiet cycles cost the target nothing; the second half is used to read a
//! few at a time rather than all together at its end.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::model::clock::Timestamp;
use crate::model::id::ObjectKind;
use crate::model::id::SourceId;

/// As many resources as one cycle reads again: at 50 ms and 16 at a time, a few seconds.
pub const MOST: u64 = 1000;

/// Where the sweep stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sweep {
    /// When the sweep begins; until then nothing is due.
    pub due_from: Timestamp,
    /// When it began, once it did.
    pub began: Option<Timestamp>,
    /// Everything up to here was read since it began.
    pub after: Option<(ObjectKind, SourceId)>,
    /// How many that were.
    pub done: u64,
}

impl Sweep {
    /// Everything linked was read, or written, just now.
    #[must_use]
    pub fn all_read(now: Timestamp, window: Duration) -> Self {
        Self {
            due_from: now.plus(window / 2),
            began: None,
            after: None,
            done: 0,
        }
    }

    /// How many resources are to be read now, of so many that are linked.
    #[must_use]
    pub fn due(&self, now: Timestamp, window: Duration, linked: u64) -> u64 {
        if now < self.due_from || window.is_zero() {
            return 0;
        }
        // A tenth of the second half is left over: for cycles that come late.
        let takes = (window * 9 / 20).as_millis().max(1);
        let passed = now.since(self.due_from).as_millis().min(takes);
        let wanted = (u128::from(linked) * passed).div_ceil(takes);
        let wanted = u64::try_from(wanted).unwrap_or(u64::MAX);
        wanted.saturating_sub(self.done).min(MOST)
    }

    /// The sweep after these were read in key order; `end` when none was left behind the last one.
    #[must_use]
    pub fn read(
        self,
        now: Timestamp,
        window: Duration,
        count: u64,
        last: Option<(ObjectKind, SourceId)>,
        end: bool,
    ) -> Self {
        let began = self.began.unwrap_or(now);
        if end {
            // The first ones of this sweep are as old as its beginning, the last ones are fresh.
            let due_from = began.plus(window).min(now.plus(window / 2));
            return Self {
                due_from,
                began: None,
                after: None,
                done: 0,
            };
        }
        Self {
            due_from: self.due_from,
            began: Some(began),
            after: last.or(self.after),
            done: self.done + count,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: Duration = Duration::from_secs(86_400);
    const MINUTES: u64 = 60_000;

    fn at(minutes: u64) -> Timestamp {
        Timestamp(i64::try_from(minutes * MINUTES).unwrap())
    }

    #[test]
    fn nothing_is_due_before_half_of_the_window_then_a_few_at_a_time() {
        let sweep = Sweep::all_read(at(0), DAY);
        for (minutes, linked, expected) in [
            (0, 1000, 0),
            (719, 1000, 0),
            (720, 1000, 0),
            (725, 1000, 8),
            (725, 1, 1),
            (1044, 1000, 500),
            (1368, 1000, 1000),
            (9999, 1000, 1000),
            (1440, 100_000, MOST),
            (1440, 0, 0),
        ] {
            assert_eq!(
                sweep.due(at(minutes), DAY, linked),
                expected,
                "{minutes} min, {linked} linked"
            );
        }
        assert_eq!(sweep.due(at(9999), Duration::ZERO, 1000), 0, "switched off");
    }

    /// Cycles every five minutes for ten days: nobody is ever older than the window.
    #[test]
    fn each_is_read_within_the_window() {
        const LINKED: usize = 1234;
        let mut sweep = Sweep::all_read(at(0), DAY);
        let mut read_at = vec![0_u64; LINKED];
        let (mut reads, mut quiet) = (0, 0);
        for minutes in (0..10 * 1440).step_by(7) {
            let due = usize::try_from(sweep.due(at(minutes), DAY, LINKED as u64)).unwrap();
            let from = usize::try_from(sweep.done).unwrap();
            let to = (from + due).min(LINKED);
            read_at[from..to].fill(minutes);
            reads += due;
            quiet += usize::from(due == 0);
            if due > 0 {
                sweep = sweep.read(at(minutes), DAY, due as u64, None, to == LINKED);
            }
            let oldest = read_at.iter().min().unwrap();
            assert!(
                minutes - oldest <= 1440,
                "at {minutes} one was read {} minutes ago",
                minutes - oldest
            );
        }
        assert!(reads < LINKED * 12, "each about once a day: {reads}");
        assert!(quiet > 900, "half of the cycles ask nothing: {quiet}");
    }
}
