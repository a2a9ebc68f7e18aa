//! What each of a job's last cycles came to, in the numbers that its charts show.

use serde::Serialize;
use serde_json::Value as Json;
use utoipa::ToSchema;

use super::clock::operations;
use crate::engine::reached::fallen_behind;

/// As many cycles as a chart has.
const SHOWN: usize = 60;

/// What a cycle came to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = CycleFigures)]
pub struct Figures {
    /// The cycle.
    pub cycle: String,
    /// Differences that it found at the target; null where it did not read the target whole.
    pub drift: Option<u64>,
    /// How long it took, in milliseconds.
    pub duration_ms: u64,
    /// How far behind the target was when it ended, in seconds: since the last whole cycle before it began that converged. Null where
    /// none of those that are kept did.
    pub lag_seconds: Option<u64>,
    /// How many operations it carried out, or planned.
    pub operations: u64,
    /// How it ended.
    pub outcome: String,
    /// When it began.
    pub started: String,
}

/// Reads the figures of the last of these cycles; both are oldest first.
#[must_use]
pub fn figures(cycles: &[Json]) -> Vec<Figures> {
    let lags = fallen_behind(cycles);
    let from = cycles.len().saturating_sub(SHOWN);
    let text = |value: &Json| value.as_str().unwrap_or_default().to_owned();
    let of = |(cycle, lag): (&Json, &Option<std::time::Duration>)| Figures {
        cycle: text(&cycle["cycle"]),
        drift: drift(cycle),
        duration_ms: cycle["duration_ms"].as_u64().unwrap_or_default(),
        lag_seconds: lag.map(|lag| lag.as_secs()),
        operations: operations(cycle),
        outcome: text(&cycle["outcome"]),
        started: text(&cycle["started"]),
    };
    cycles[from..].iter().zip(&lags[from..]).map(of).collect()
}

/// The differences that a cycle found, of those that read the target whole.
fn drift(cycle: &Json) -> Option<u64> {
    let came_through = ["converged", "partial", "planned", "withheld"];
    let is_through = cycle["outcome"]
        .as_str()
        .is_some_and(|outcome| came_through.contains(&outcome));
    let classes = ["missing", "orphaned", "modified", "membership"];
    (cycle["kind"] == "full" && is_through).then(|| {
        classes
            .iter()
            .filter_map(|class| cycle["drift"][class].as_u64())
            .sum()
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_cycle_that_did_not_read_the_target_whole_knows_of_no_drift() {
        let cycle = |kind: &str, outcome: &str, minute: u32| {
            json!({
                "cycle": format!("c{minute}"), "kind": kind, "outcome": outcome, "duration_ms": 1500,
                "started": format!("2026-11-30T10:{minute:02}:00.000Z"), "operations": {"create_user": 2, "update_user": 1},
                "drift": {"missing": 1, "orphaned": 0, "modified": 2, "membership": 0, "unmanaged": 7},
            })
        };
        let found = figures(&[
            cycle("initial", "converged", 0),
            cycle("full", "withheld", 5),
            cycle("incremental", "converged", 10),
            cycle("full", "failed", 15),
        ]);
        let shown: Vec<_> = found
            .iter()
            .map(|one| (one.drift, one.lag_seconds, one.operations))
            .collect();
        assert_eq!(
            shown,
            [
                (None, None, 3),
                (Some(3), Some(301), 3),
                (None, Some(601), 3),
                (None, Some(301), 3)
            ]
        );
        let many: Vec<Json> = (0..59)
            .chain(0..59)
            .map(|minute| cycle("full", "converged", minute))
            .collect();
        assert_eq!(figures(&many).len(), SHOWN);
        assert!(figures(&[]).is_empty());
    }
}
