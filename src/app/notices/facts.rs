//! The states that a job is in now, each from what its snapshot and its settings say.

use std::collections::BTreeMap;

use chrono::NaiveDate;
use serde_json::Value as Json;

use super::rules::Fact;
use super::rules::Facts;
use crate::app::credentials;
use crate::engine::reached;
use crate::engine::record::after_write;
use crate::model::clock::Timestamp;
use crate::model::condition::Condition;
use crate::ports::StoreError;
use crate::settings::job::Job;
use crate::settings::schedule::Beat;
use crate::snapshot::kept_back::KeptBackReads;
use crate::snapshot::quarantine::Quarantine;
use crate::snapshot::quarantine::QuarantineReads;
use crate::snapshot::store::Snapshot;

/// The days before the end of a credential on which people are told (docs/operations/notifications.md), nearest last.
const DAYS: [i64; 4] = [30, 14, 7, 1];

/// As many cycles are looked back at for a good one.
const CYCLES_LOOKED_AT: u64 = 50;

/// As many moments of its schedule may pass without a good cycle.
const SCHEDULES_WITHOUT: usize = 3;

/// Finds the states of a job. `begun`: when the daemon began, for a job that never ran.
///
/// # Errors
/// What the store reports.
pub fn of(job: &Job, snapshot: &Snapshot, now: Timestamp, begun: Timestamp) -> Result<Facts, StoreError> {
    let cycles = snapshot.cycles(CYCLES_LOOKED_AT)?;
    let held = snapshot.quarantine()?;
    let found = [
        (Condition::Withheld, withheld(snapshot)?),
        (Condition::Quarantine, quarantine(&held)),
        (Condition::Credential, credential(job, &held, now)),
        (Condition::Lag, lag(job, &cycles, now, begun)),
        (Condition::Drift, drift(snapshot)?),
        (Condition::Failed, failed(&cycles)),
        (Condition::NotKept, not_kept(snapshot)?),
    ];
    Ok(found
        .into_iter()
        .filter_map(|(condition, fact)| Some((condition, fact?)))
        .collect())
}

/// Returns the one state of a job that cannot run.
#[must_use]
pub fn of_broken() -> Facts {
    Facts::from([(Condition::Failed, Fact::default())])
}

fn counted(counts: impl IntoIterator<Item = (String, u64)>) -> Option<Fact> {
    let counts: BTreeMap<String, u64> = counts.into_iter().filter(|(_, number)| *number > 0).collect();
    (!counts.is_empty()).then(|| Fact {
        counts,
        ..Fact::default()
    })
}

/// What waits for a person, by its operation.
fn withheld(snapshot: &Snapshot) -> Result<Option<Fact>, StoreError> {
    let mut counts = BTreeMap::<String, u64>::new();
    snapshot.each_withheld(|_, entry| {
        if entry.released_by.is_none() {
            *counts.entry(entry.verb.name().to_owned()).or_default() += entry.count;
        }
        Ok(())
    })?;
    Ok(counted(counts))
}

fn quarantine(held: &Quarantine) -> Option<Fact> {
    let job = held.job.as_ref().map(|_| ("jobs".to_owned(), 1));
    let kinds = u64::try_from(held.kinds.len()).unwrap_or(u64::MAX);
    counted(job.into_iter().chain([("operations".to_owned(), kinds)]))
}

fn credential(job: &Job, held: &Quarantine, now: Timestamp) -> Option<Fact> {
    if held.job.as_ref().is_some_and(|stop| stop.credential) {
        return Some(Fact {
            counts: BTreeMap::from([("refused".to_owned(), 1)]),
            step: u32::try_from(DAYS.len()).unwrap_or(u32::MAX) + 1,
            only_by_step: false,
        });
    }
    let ends = [
        credentials::last_day(&job.source.credential),
        job.target.expires,
        credentials::writers_last_day(job),
    ];
    expiry(ends.into_iter().flatten().min()?, now)
}

/// A credential that ends within the days of [`DAYS`].
fn expiry(last_day: NaiveDate, now: Timestamp) -> Option<Fact> {
    let days = (last_day - now.to_utc().date_naive()).num_days();
    let step = DAYS.iter().filter(|limit| days <= **limit).count();
    (step > 0).then(|| Fact {
        counts: BTreeMap::from([("days_left".to_owned(), u64::try_from(days).unwrap_or(0))]),
        step: u32::try_from(step).unwrap_or(u32::MAX),
        only_by_step: true,
    })
}

/// No good cycle ([`reached::is_good`]) although its schedule came three times.
fn lag(job: &Job, cycles: &[Json], now: Timestamp, begun: Timestamp) -> Option<Fact> {
    let full = job.full_schedule.clone().map(Beat::Cron);
    let schedule = job.schedule.clone().or(full).filter(|_| job.enabled)?;
    let last = cycles
        .iter()
        .rev()
        .find(|cycle| reached::is_good(cycle))
        .or_else(|| cycles.first());
    let since = last.and_then(reached::started).unwrap_or(begun);
    let mut due = since;
    for _ in 0..SCHEDULES_WITHOUT {
        due = schedule.next_after(due)?;
    }
    (now > due).then(|| Fact {
        counts: BTreeMap::from([("seconds".to_owned(), now.since(since).as_secs())]),
        ..Fact::default()
    })
}

fn drift(snapshot: &Snapshot) -> Result<Option<Fact>, StoreError> {
    let counts = snapshot.drift_counts()?;
    let all = [
        ("membership", counts.membership),
        ("missing", counts.missing),
        ("modified", counts.modified),
        ("orphaned", counts.orphaned),
    ];
    Ok(counted(all.map(|(class, number)| (class.to_owned(), number))))
}

fn failed(cycles: &[Json]) -> Option<Fact> {
    let outcome = cycles.last()?.get("outcome")?.as_str()?;
    (outcome == "failed").then(Fact::default)
}

fn not_kept(snapshot: &Snapshot) -> Result<Option<Fact>, StoreError> {
    let values = u64::try_from(after_write::not_kept(snapshot)?.len()).unwrap_or(u64::MAX);
    Ok(counted([("values".to_owned(), values)]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_expiry_is_told_by_its_days() {
        let day = |text: &str| text.parse::<NaiveDate>().expect("a date");
        let now = Timestamp(1_790_000_000_000); // 2026-09-21
        let step = |date| expiry(day(date), now).map(|fact| (fact.step, fact.counts["days_left"]));
        assert_eq!(step("2026-10-22"), None);
        assert_eq!(step("2026-10-21"), Some((1, 30)));
        assert_eq!(step("2026-10-05"), Some((2, 14)));
        assert_eq!(step("2026-09-28"), Some((3, 7)));
        assert_eq!(step("2026-09-22"), Some((4, 1)));
        assert_eq!(step("2026-09-01"), Some((4, 0)));
    }
}
