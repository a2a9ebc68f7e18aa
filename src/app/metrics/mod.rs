//! The metrics of the daemon: each with its sentence, in one place.
//!
//! Labels have few values: jobs, sides, kinds, outcomes, reasons; never an id or a name from a directory. What cycles and requests
//! did is counted as they end; everything else is looked up when somebody asks, so that it cannot differ from what `status` shows.

mod page;

use std::collections::BTreeMap;
use std::time::Duration;

use super::error::AppError;
use super::install;
use super::service::Sent;
use super::service::Service;
use super::service::Told;
use super::views::enrolled::key;
use super::views::status::JobStatus;
use crate::engine::reached::Reached;
use crate::model::clock::Clock;
use crate::model::clock::SystemClock;
use crate::model::clock::Timestamp;
use crate::ports::StoreError;
use crate::reconcile::back::standing::Standing;
use crate::snapshot::kept_back::KeptBackReads;
use crate::snapshot::store::Snapshot;
use page::Metric;

/// What is known of a job when somebody asks for the metrics.
struct Sample {
    /// Its state, as `status` shows it.
    status: JobStatus,
    /// What its worker counted.
    told: Told,
    /// What the guard holds back, by reason.
    withheld: BTreeMap<String, u64>,
    /// How far it came.
    reached: Reached,
    /// The last day of each credential, in Unix seconds.
    ends: BTreeMap<&'static str, f64>,
}

/// Writes the metrics of a daemon, as Prometheus reads them.
///
/// # Errors
/// What the store reports.
pub fn metrics(service: &Service) -> Result<String, AppError> {
    let jobs = service.status(None)?.jobs;
    let samples: Result<Vec<Sample>, AppError> =
        jobs.into_iter().map(|status| sample(service, status)).collect();
    Ok(text(&samples?, SystemClock.now()))
}

fn sample(service: &Service, status: JobStatus) -> Result<Sample, AppError> {
    let settings = service.site().settings();
    let (name, _) = install::choose(&settings, Some(&status.job))?;
    let snapshot = service.site().there(name)?;
    let (withheld, reached) = match &snapshot {
        Some(snapshot) => (withheld(snapshot)?, Reached::of(snapshot)?),
        None => Default::default(),
    };
    let dates = [
        ("source", &status.credentials.source),
        ("target", &status.credentials.target),
        ("writer", &status.credentials.writer),
    ];
    let end =
        |(credential, date): (&'static str, &Option<String>)| Some((credential, end_of(date.as_deref()?)?));
    Ok(Sample {
        ends: dates.into_iter().filter_map(end).collect(),
        told: service.told(name)?,
        withheld,
        reached,
        status,
    })
}

/// Counts what waits for a person, by its reason.
fn withheld(snapshot: &Snapshot) -> Result<BTreeMap<String, u64>, StoreError> {
    let mut by_reason = BTreeMap::new();
    snapshot.each_withheld(|_, entry| {
        if entry.released_by.is_none() {
            *by_reason.entry(entry.reason).or_default() += entry.count;
        }
        Ok(())
    })?;
    Ok(by_reason)
}

/// Writes the metrics of these jobs.
fn text(samples: &[Sample], now: Timestamp) -> String {
    let mut metrics = of_cycles(samples);
    metrics.extend(of_requests(samples));
    metrics.extend(of_states(samples));
    metrics.extend(of_snapshots(samples));
    metrics.extend(of_times(samples, now));
    let mut version = Metric::gauge("build_info", "The version that runs; always 1");
    version.value([("version", env!("CARGO_PKG_VERSION"))], 1.0);
    metrics.push(version);
    page::text(metrics)
}

fn of_cycles(samples: &[Sample]) -> Vec<Metric> {
    let mut durations = Metric::histogram("cycle_duration_seconds", "How long cycles took, by kind");
    let mut cycles = Metric::counter("cycles", "Cycles that ended, by kind and outcome");
    let mut operations = Metric::counter(
        "operations",
        "Operations that were done or failed; of the failures at most 1000 a cycle",
    );
    for Sample { status, told, .. } in samples {
        let job = status.job.as_str();
        for (kind, times) in &told.cycles.durations {
            durations.spread([("job", job), ("kind", kind)], times);
        }
        for ((kind, outcome), count) in &told.cycles.cycles {
            cycles.count([("job", job), ("kind", kind), ("outcome", outcome)], *count);
        }
        for ((operation, result), count) in &told.cycles.operations {
            operations.count(
                [("job", job), ("operation", operation), ("result", result)],
                *count,
            );
        }
    }
    vec![durations, cycles, operations]
}

/// Returns the requests to each side of a job, with its name.
fn sent_by(sample: &Sample) -> impl Iterator<Item = (&str, &Sent)> {
    let job = sample.status.job.as_str();
    sample.told.sides.iter().map(move |sent| (job, sent))
}

fn of_requests(samples: &[Sample]) -> Vec<Metric> {
    let mut requests = Metric::counter(
        "requests",
        "Requests by side, method and status; `none` where no answer came",
    );
    let mut times = Metric::histogram(
        "request_duration_seconds",
        "How long requests took, to the end of the answer",
    );
    let mut throttled = Metric::counter(
        "throttled",
        "Answers that asked to slow down, those inside a batch included",
    );
    for (job, sent) in samples.iter().flat_map(sent_by) {
        let side = sent.side.word();
        throttled.count([("job", job), ("side", side)], sent.traffic.throttled);
        for (method, sent) in &sent.methods {
            times.spread([("job", job), ("side", side), ("method", method)], &sent.times);
            for (status, count) in &sent.answers {
                let status = status.map_or_else(|| "none".to_owned(), |status| status.to_string());
                requests.count(
                    [
                        ("job", job),
                        ("side", side),
                        ("method", method),
                        ("status", &status),
                    ],
                    *count,
                );
            }
        }
    }
    vec![requests, times, throttled]
}

fn of_states(samples: &[Sample]) -> Vec<Metric> {
    let mut drift = Metric::gauge(
        "drift_objects",
        "Objects that differ at the target, as the last readings found it",
    );
    let mut escrow = Metric::gauge("escrow_entries", "Entries set aside after failures");
    let mut withheld = Metric::gauge(
        "withheld_operations",
        "Operations that the guard holds back for a person, by reason",
    );
    let mut quarantined = Metric::gauge("job_quarantined", "1 while the job is stopped, else 0");
    for Sample {
        status,
        withheld: held,
        ..
    } in samples
    {
        let job = status.job.as_str();
        if let Some(found) = &status.drift {
            for (class, count) in [
                ("missing", found.missing),
                ("orphaned", found.orphaned),
                ("modified", found.modified),
                ("membership", found.membership),
                ("unmanaged", found.unmanaged),
            ] {
                drift.value([("job", job), ("class", class)], number(count));
            }
        }
        for (standing, count) in enrolled(status).filter(|(standing, _)| standing.is_drift()) {
            drift.value([("job", job), ("class", standing.code())], number(count));
        }
        if let Some(entries) = status.escrow {
            escrow.value([("job", job)], number(entries as u64));
        }
        for (reason, count) in held {
            withheld.value([("job", job), ("reason", reason)], number(*count));
        }
        let stopped = status
            .quarantine
            .as_ref()
            .is_some_and(|stopped| stopped.job.is_some());
        quarantined.value([("job", job)], if stopped { 1.0 } else { 0.0 });
    }
    vec![drift, escrow, withheld, quarantined]
}

/// How many users stand how with the enrolled group, where that is known.
fn enrolled(status: &JobStatus) -> impl Iterator<Item = (Standing, u64)> {
    let counted = |standing| Some((standing, status.enrolled()?.count(standing)?));
    Standing::ALL.into_iter().filter_map(counted)
}

fn of_snapshots(samples: &[Sample]) -> Vec<Metric> {
    let mut objects = Metric::gauge("snapshot_objects", "What the snapshot holds, by type");
    let mut bytes = Metric::gauge("snapshot_bytes", "Bytes of the snapshot on disk");
    for Sample { status, .. } in samples {
        let job = status.job.as_str();
        let Some(size) = &status.snapshot else { continue };
        bytes.value([("job", job)], number(size.bytes));
        for (kind, count) in [
            ("user", size.users),
            ("group", size.groups),
            ("membership", size.memberships),
        ] {
            objects.value([("job", job), ("type", kind)], number(count));
        }
        for (standing, count) in enrolled(status).filter(|(standing, _)| !standing.is_drift()) {
            let kind = key(standing);
            objects.value([("job", job), ("type", &kind)], number(count));
        }
    }
    vec![objects, bytes]
}

fn of_times(samples: &[Sample], now: Timestamp) -> Vec<Metric> {
    let mut success = Metric::gauge(
        "last_success_timestamp_seconds",
        "When the last good cycle ended: converged, all but what is withheld, or planned where the job observes",
    );
    let mut lag = Metric::gauge(
        "sync_lag_seconds",
        "Now minus the moment up to which every change of the source is known to be at the target",
    );
    let mut expiry = Metric::gauge(
        "credential_expiry_timestamp_seconds",
        "The last day of a credential, where it is known",
    );
    for Sample {
        status,
        reached,
        ends,
        ..
    } in samples
    {
        let job = status.job.as_str();
        if let Some(ended) = reached.good {
            success.value([("job", job)], ended.since(Timestamp(0)).as_secs_f64());
        }
        if let Some(moment) = reached.up_to {
            lag.value([("job", job)], now.since(moment).as_secs_f64());
        }
        for (credential, end) in ends {
            expiry.value([("job", job), ("credential", credential)], *end);
        }
    }
    vec![success, lag, expiry]
}

/// Returns the beginning of a day, in Unix seconds.
fn end_of(date: &str) -> Option<f64> {
    let day = date.parse::<chrono::NaiveDate>().ok()?;
    let seconds = day.and_hms_opt(0, 0, 0)?.and_utc().timestamp();
    Some(Duration::from_secs(u64::try_from(seconds).ok()?).as_secs_f64())
}

/// Converts a count to what a gauge shows.
#[expect(
    clippy::cast_precision_loss,
    reason = "a gauge is a float, and shows no more than 53 bits"
)]
const fn number(count: u64) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_is_the_moment_at_which_it_begins() {
        assert_eq!(end_of("2027-08-18"), Some(1_818_547_200.0));
        assert_eq!(end_of("soon"), None);
    }
}
