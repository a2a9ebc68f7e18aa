//! The propagation clock: how long changes of the source took to the target.
//!
//! Entra says of no change when it was made. A change that an incremental cycle carried out was made after the pull before had
//! begun, or that would have brought it: so it took at most from there to the end of the cycle. That is what is counted, for each
//! operation: never less than it took.

use serde::Serialize;
use serde_json::Value as Json;
use utoipa::ToSchema;

use crate::model::clock::Timestamp;

/// A day, in milliseconds.
const DAY: i64 = 24 * 60 * 60 * 1000;

/// How long changes took to the target.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = PropagationClock)]
pub struct Clock {
    /// Over the last day.
    pub day: Took,
    /// Over the last seven days.
    pub week: Took,
}

/// How long changes took within a time.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = PropagationTimes)]
pub struct Took {
    /// How many operations that is.
    pub operations: u64,
    /// Half of them took at most so many seconds.
    pub p50_seconds: Option<u64>,
    /// 95 of 100.
    pub p95_seconds: Option<u64>,
    /// 99 of 100.
    pub p99_seconds: Option<u64>,
    /// The first of the cycles that count; later than the time asked for where older summaries are not kept.
    pub since: Option<String>,
}

/// What a cycle carried over.
struct Carried {
    started: Timestamp,
    seconds: u64,
    operations: u64,
}

/// Reads the clock from the summaries of a job's cycles, oldest first.
#[must_use]
pub fn clock(cycles: &[Json], now: Timestamp) -> Clock {
    let mut before: Option<Timestamp> = None;
    let mut carried = Vec::new();
    for cycle in cycles {
        // Only these read the source for what changed.
        let kind = cycle["kind"].as_str().unwrap_or_default();
        let Some(started) = started(cycle).filter(|_| matches!(kind, "initial" | "incremental" | "full"))
        else {
            continue;
        };
        if let Some(before) = before.filter(|_| kind == "incremental" && wrote(cycle)) {
            let took = started.0.saturating_sub(before.0);
            let took =
                u64::try_from(took).unwrap_or_default() + cycle["duration_ms"].as_u64().unwrap_or_default();
            carried.push(Carried {
                started,
                seconds: took.div_ceil(1000),
                operations: operations(cycle),
            });
        }
        // What failed before it read everything says nothing of what came until then.
        if matches!(
            cycle["outcome"].as_str(),
            Some("converged" | "partial" | "withheld" | "planned")
        ) {
            before = Some(started);
        }
    }
    let within = |days: i64| took(&carried, Timestamp(now.0 - days * DAY));
    Clock {
        day: within(1),
        week: within(7),
    }
}

fn started(cycle: &Json) -> Option<Timestamp> {
    let at = chrono::DateTime::parse_from_rfc3339(cycle["started"].as_str()?).ok()?;
    Some(Timestamp(at.timestamp_millis()))
}

fn wrote(cycle: &Json) -> bool {
    cycle["mode"] == "enforce" && cycle["outcome"] != "planned" && operations(cycle) > 0
}

/// How many operations a cycle carried out, or planned.
pub(super) fn operations(cycle: &Json) -> u64 {
    let counts = cycle["operations"].as_object().into_iter().flatten();
    counts.filter_map(|(_, count)| count.as_u64()).sum()
}

fn took(carried: &[Carried], since: Timestamp) -> Took {
    let mut those: Vec<&Carried> = carried.iter().filter(|one| one.started >= since).collect();
    let first = those.iter().map(|one| one.started).min();
    those.sort_by_key(|one| one.seconds);
    let all: u64 = those.iter().map(|one| one.operations).sum();
    let percentile = |percent: u64| {
        let rank = (all * percent).div_ceil(100);
        let mut seen = 0;
        let found = those.iter().find(|one| {
            seen += one.operations;
            seen >= rank
        });
        found.map(|one| one.seconds)
    };
    Took {
        operations: all,
        p50_seconds: percentile(50),
        p95_seconds: percentile(95),
        p99_seconds: percentile(99),
        since: first.map(|first| first.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const MINUTE: i64 = 60_000;

    fn cycle(minute: i64, kind: &str, outcome: &str, creates: u64) -> Json {
        json!({
            "started": Timestamp(minute * MINUTE).to_string(), "kind": kind, "outcome": outcome, "mode": "enforce",
            "duration_ms": 2500, "operations": {"create_user": creates, "update_user": 0},
        })
    }

    #[test]
    fn a_change_took_at_most_from_the_pull_before_it_to_the_end_of_its_cycle() {
        let now = Timestamp(10 * DAY);
        let at = |minute: i64| 10 * 24 * 60 - minute;
        let cycles = [
            // Before the week, and the first one, which carried no change.
            cycle(at(12_000), "initial", "converged", 1000),
            // Three days ago: five minutes after the one before.
            cycle(at(4000), "incremental", "converged", 0),
            cycle(at(3995), "incremental", "converged", 4),
            // One that failed before, a heal, and one that only planned, count for nothing.
            cycle(at(100), "incremental", "converged", 0),
            cycle(at(97), "incremental", "failed", 0),
            cycle(at(96), "on-demand", "converged", 50),
            cycle(at(95), "incremental", "partial", 90),
            cycle(at(90), "full", "converged", 70),
            cycle(at(80), "incremental", "converged", 10),
        ];
        let Clock { day, week } = clock(&cycles, now);
        assert_eq!(day.operations, 100);
        // 90 took at most 5 minutes and 2.5 s, ten took 10 minutes and 2.5 s.
        assert_eq!(
            [day.p50_seconds, day.p95_seconds, day.p99_seconds],
            [Some(303), Some(603), Some(603)]
        );
        assert_eq!((week.operations, week.p50_seconds), (104, Some(303)));
        assert_eq!(week.since, Some(Timestamp(at(3995) * MINUTE).to_string()));
        assert_eq!(clock(&[], now).day, Took::default());
    }
}
