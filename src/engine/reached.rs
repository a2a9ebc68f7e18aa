//! How far a job came: the cycles that its snapshot remembers, read for what they leave known.

use std::time::Duration;

use serde_json::Value as Json;

use crate::model::clock::Timestamp;
use crate::ports::StoreError;
use crate::snapshot::store::Snapshot;
use crate::snapshot::work::CYCLES_KEPT;

/// As many cycles are looked at first: mostly the last one was good.
const LOOKED_AT: u64 = 50;

/// How far a job came.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Reached {
    /// Every change of the source up to this moment is known to be at the target: when the last whole cycle began that ended
    /// converged. Where none of all that are kept did, the moment when the oldest of them began is as late as it can be.
    pub up_to: Option<Timestamp>,
    /// When the last good cycle ended.
    pub good: Option<Timestamp>,
}

impl Reached {
    /// Reads it from the cycles of a snapshot.
    ///
    /// # Errors
    /// What the store reports.
    pub fn of(snapshot: &Snapshot) -> Result<Self, StoreError> {
        let last = Self::in_these(&snapshot.cycles_in_short(LOOKED_AT)?);
        if last.up_to.is_some() && last.good.is_some() {
            return Ok(last);
        }
        let all = snapshot.cycles_in_short(CYCLES_KEPT)?;
        let mut reached = Self::in_these(&all);
        if u64::try_from(all.len()).is_ok_and(|kept| kept >= CYCLES_KEPT) {
            reached.up_to = reached.up_to.or_else(|| started(all.first()?));
        }
        Ok(reached)
    }

    /// Returns how far behind the target may be; `None` where nothing is known.
    #[must_use]
    pub fn lag(self, now: Timestamp) -> Option<Duration> {
        self.up_to.map(|up_to| now.since(up_to))
    }

    fn in_these(cycles: &[Json]) -> Self {
        let newest_first = || cycles.iter().rev();
        let converged = newest_first().find(|cycle| is_whole(cycle) && cycle["outcome"] == "converged");
        Self {
            up_to: converged.and_then(started),
            good: newest_first().find(|cycle| is_good(cycle)).and_then(ended),
        }
    }
}

/// Returns for each of these cycles, oldest first, how far behind the target was when it ended: since the last whole cycle before it
/// began that converged. `None` where none of these did.
#[must_use]
pub fn fallen_behind(cycles: &[Json]) -> Vec<Option<Duration>> {
    let mut up_to: Option<Timestamp> = None;
    let behind = |cycle: &Json| {
        let behind = up_to.zip(ended(cycle)).map(|(up_to, ended)| ended.since(up_to));
        if is_whole(cycle) && cycle["outcome"] == "converged" {
            up_to = started(cycle);
        }
        behind
    };
    cycles.iter().map(behind).collect()
}

/// True for a cycle that was of all objects. On-demand ones are of some only.
fn is_whole(cycle: &Json) -> bool {
    cycle["kind"].as_str().is_some_and(|kind| kind != "on-demand")
}

/// True for a whole cycle that ended converged, or applied all but what the guard withholds (that is a state of its own), or planned,
/// for a job that only observes.
#[must_use]
pub fn is_good(cycle: &Json) -> bool {
    let outcome = cycle["outcome"].as_str();
    is_whole(cycle) && outcome.is_some_and(|outcome| matches!(outcome, "converged" | "withheld" | "planned"))
}

/// Returns when a cycle began.
#[must_use]
pub fn started(cycle: &Json) -> Option<Timestamp> {
    let started = chrono::DateTime::parse_from_rfc3339(cycle["started"].as_str()?).ok()?;
    Some(Timestamp(started.timestamp_millis()))
}

fn ended(cycle: &Json) -> Option<Timestamp> {
    let took = Duration::from_millis(cycle["duration_ms"].as_u64()?);
    Some(started(cycle)?.plus(took))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn cycle(kind: &str, outcome: &str, minute: u32) -> Json {
        json!({"kind": kind, "outcome": outcome, "started": format!("2026-11-30T10:{minute:02}:00.000Z"), "duration_ms": 1000})
    }

    #[test]
    fn what_is_known_to_be_at_the_target_stays_known_when_a_later_cycle_fails() {
        let whole = cycle("incremental", "converged", 0);
        let (began, seconds) = (started(&whole).unwrap(), |seconds| Duration::from_secs(seconds));
        for (name, later, good_seconds) in [
            ("nothing", vec![], 1),
            ("a failure", vec![cycle("incremental", "failed", 5)], 1),
            ("one person", vec![cycle("on-demand", "converged", 5)], 1),
            ("withheld", vec![cycle("full", "withheld", 5)], 301),
            ("a partial one", vec![cycle("incremental", "partial", 5)], 1),
        ] {
            let all: Vec<Json> = std::iter::once(whole.clone()).chain(later).collect();
            let reached = Reached::in_these(&all);
            assert_eq!(reached.up_to, Some(began), "{name}");
            assert_eq!(reached.good, Some(began.plus(seconds(good_seconds))), "{name}");
        }
        assert_eq!(
            Reached::in_these(&[cycle("initial", "failed", 0)]),
            Reached::default()
        );
    }
}
