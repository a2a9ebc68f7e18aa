//! What the cycles of a job did, counted as they end: what a metric of them cannot be looked up from later.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::Duration;

use super::load::Loaded;
use crate::engine::summary::Outcome;
use crate::engine::summary::Summary;
use crate::model::side::Side;
use crate::ports::MethodTraffic;
use crate::ports::Spread;
use crate::ports::Traffic;

/// What was counted of a job.
pub(in crate::app) struct Told {
    /// Of its cycles.
    pub(in crate::app) cycles: Totals,
    /// The requests to both sides; none where it cannot run.
    pub(in crate::app) sides: Vec<Sent>,
}

/// The requests to one side.
pub(in crate::app) struct Sent {
    /// The side.
    pub(in crate::app) side: Side,
    /// Them, by their method.
    pub(in crate::app) methods: BTreeMap<&'static str, MethodTraffic>,
    /// All of them.
    pub(in crate::app) traffic: Traffic,
}

impl Told {
    pub(super) fn of(counted: &Counted, loaded: &Loaded) -> Self {
        let sides = match loaded {
            Loaded::Ready(ready) => {
                let (source, target) = (&ready.job.source, &ready.job.target);
                vec![
                    Sent {
                        side: Side::Source,
                        methods: source.requests(),
                        traffic: source.traffic(),
                    },
                    Sent {
                        side: Side::Target,
                        methods: target.requests(),
                        traffic: target.traffic(),
                    },
                ]
            }
            Loaded::Off | Loaded::Broken(_) => Vec::new(),
        };
        Self {
            cycles: counted.totals(),
            sides,
        }
    }
}

/// The bounds of the times of cycles, in seconds: a quiet one takes less than one, a first one of 100,000 users hours.
const CYCLE_SECONDS: &[f64] = &[
    0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 900.0, 3600.0, 14400.0,
];

/// The counters of a job, since the daemon began.
#[derive(Debug, Default)]
pub(super) struct Counted(Mutex<Totals>);

/// Their values.
#[derive(Debug, Clone, Default)]
pub(in crate::app) struct Totals {
    /// Cycles, by kind and outcome.
    pub(in crate::app) cycles: BTreeMap<(String, String), u64>,
    /// How long they took, by kind.
    pub(in crate::app) durations: BTreeMap<String, Spread>,
    /// Operations, by their name and `done` or `failed`.
    pub(in crate::app) operations: BTreeMap<(String, &'static str), u64>,
}

impl Counted {
    /// Counts a cycle that ended.
    pub(super) fn add(&self, summary: &Summary) {
        let (kind, outcome) = (summary.kind.word().to_owned(), summary.outcome.word().to_owned());
        let mut totals = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *totals.cycles.entry((kind.clone(), outcome)).or_default() += 1;
        let times = totals.durations.entry(kind);
        times
            .or_insert_with(|| Spread::of(CYCLE_SECONDS))
            .add(Duration::from_millis(summary.duration_ms).as_secs_f64());
        // Operations of a cycle that only plans were not done.
        if summary.outcome == Outcome::Planned {
            return;
        }
        for (operation, count) in summary.operations.iter().filter(|(_, count)| **count > 0) {
            *totals.operations.entry((operation.clone(), "done")).or_default() += count;
        }
        // What has a reason is a finding: no request of it failed.
        for failure in summary.failed.iter().filter(|failure| failure.reason.is_none()) {
            let key = (failure.operation.clone(), "failed");
            *totals.operations.entry(key).or_default() += 1;
        }
    }

    /// Returns what was counted so far.
    fn totals(&self) -> Totals {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::summary::Kind;
    use crate::model::clock::Timestamp;

    #[test]
    fn what_is_only_planned_is_a_cycle_and_no_operation() {
        let counted = Counted::default();
        let mut summary = Summary::new("acme", "1".to_owned(), "enforce", Kind::OnDemand, Timestamp(0));
        summary.operations.insert("create_user".to_owned(), 3);
        summary.outcome = Outcome::Planned;
        counted.add(&summary);
        assert!(counted.totals().operations.is_empty());
        summary.outcome = Outcome::Converged;
        counted.add(&summary);
        let totals = counted.totals();
        let done = ("create_user".to_owned(), "done");
        assert_eq!(totals.operations, BTreeMap::from([(done, 3)]));
        let kinds: Vec<_> = totals
            .cycles
            .keys()
            .map(|(kind, outcome)| format!("{kind} {outcome}"))
            .collect();
        assert_eq!(kinds, ["on-demand converged", "on-demand planned"]);
        assert_eq!(totals.durations["on-demand"].count(), 2);
    }
}
