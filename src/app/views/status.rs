//! The jobs: their last and next cycles, and what is still to be done.

use std::collections::BTreeMap;

use serde::Serialize;
use utoipa::ToSchema;

use super::enrolled::EnrolledView;
use super::pause::PauseView;
use super::quarantine::QuarantineView;
pub use super::standing::Credentials;
pub use super::standing::JobStatus;
pub use super::standing::KeptBack;
pub use super::standing::SnapshotSize;
pub use super::standing::Waiting;
use crate::app::credentials;
use crate::app::error::AppError;
use crate::app::install;
use crate::app::install::Installation;
use crate::engine::reached::Reached;
use crate::engine::record::after_write;
use crate::mapping::TargetPath;
use crate::model::clock::Timestamp;
use crate::model::id::ObjectKind;
use crate::model::id::SourceId;
use crate::model::object::Life;
use crate::model::value::Value;
use crate::ports::StoreError;
use crate::settings::StoreKind;
use crate::settings::job::Job;
use crate::snapshot::escrow;
use crate::snapshot::kept_back::Hold;
use crate::snapshot::kept_back::KeptBackReads;
use crate::snapshot::kv::sled::SLED_IS_GOOD_BELOW;
use crate::snapshot::quarantine::QuarantineReads;
use crate::snapshot::read::Reads;
use crate::snapshot::scope::ScopeEntry;
use crate::snapshot::scope::ScopeReads;
use crate::snapshot::store::Snapshot;

/// Each job.
#[derive(Debug, Serialize, ToSchema)]
pub struct Status {
    /// By name.
    pub jobs: Vec<JobStatus>,
}

impl Status {
    /// The exit code of each job, as `status --exit-code` has it.
    pub fn exit_codes(&self) -> impl Iterator<Item = u8> {
        self.jobs.iter().map(|job| job.verdict.exit_code)
    }
}

/// Shows one job, or all.
pub fn status(installation: &Installation, job: Option<&str>, now: Timestamp) -> Result<Status, AppError> {
    let Installation { settings, folder, .. } = installation;
    if let Some(job) = job {
        install::choose(settings, Some(job))?;
    }
    let started = folder.jobs()?;
    let mut jobs = Vec::new();
    for (name, of_job) in settings
        .jobs
        .iter()
        .filter(|(name, _)| job.is_none_or(|job| job == *name))
    {
        let snapshot = if started.contains(name) {
            Some(install::open(folder, name)?)
        } else {
            None
        };
        jobs.push(of(name, of_job, settings.state.store, snapshot.as_ref(), now)?);
    }
    Ok(Status { jobs })
}

/// Shows a job with its snapshot, where it has one.
pub fn of(
    name: &str,
    job: &Job,
    store: StoreKind,
    snapshot: Option<&Snapshot>,
    now: Timestamp,
) -> Result<JobStatus, AppError> {
    let beat = job.schedule.as_ref().filter(|_| job.enabled);
    let full = job.full_schedule.as_ref().filter(|_| job.enabled);
    let expires = |date: Option<&chrono::NaiveDate>| date.map(ToString::to_string);
    let mode = job.mode.name();
    let settled = JobStatus {
        credentials: Credentials {
            source: expires(credentials::last_day(&job.source.credential).as_ref()),
            target: expires(job.target.expires.as_ref()),
            writer: expires(credentials::writers_last_day(job).as_ref()),
        },
        enabled: job.enabled,
        next_cycle: beat.and_then(|beat| beat.next_after(now)),
        next_full_cycle: full.and_then(|schedule| schedule.next_after(now)),
        ..JobStatus::new(name, mode)
    };
    let status = match snapshot {
        None => settled,
        Some(snapshot) => with_snapshot(settled, (store, job.enrolled_group()), snapshot, now)?,
    };
    Ok(status.judged(now))
}

/// Adds what the snapshot knows.
fn with_snapshot(
    settled: JobStatus,
    (store, group): (StoreKind, Option<SourceId>),
    snapshot: &Snapshot,
    now: Timestamp,
) -> Result<JobStatus, AppError> {
    let counts = snapshot.counts()?;
    let last_cycle = snapshot.cycles(1)?.into_iter().next_back();
    let intents = snapshot.intents()?;
    let mut complete = BTreeMap::new();
    for kind in [ObjectKind::User, ObjectKind::Group] {
        let stream = snapshot.stream(kind)?;
        complete.insert(kind.word(), stream.complete_since.map(|at| at.to_string()));
    }
    let holds = snapshot.holds()?;
    Ok(JobStatus {
        drift: Some(snapshot.drift_counts()?.into()),
        escrow: Some(escrow::entries(snapshot)?.len()),
        holds: Some(holds.iter().filter(|(_, _, hold)| hold.holds_at(now)).count()),
        kept_back: Some(kept_back(snapshot, &holds, now)?),
        lag_seconds: Reached::of(snapshot)?.lag(now).map(|lag| lag.as_secs()),
        last_cycle,
        not_kept: Some(after_write::not_kept(snapshot)?),
        paused: snapshot.pause_at(now)?.map(PauseView::from),
        quarantine: QuarantineView::of(snapshot.quarantine()?),
        snapshot: Some(SnapshotSize {
            advice: advice(store, counts.users + counts.groups),
            bytes: snapshot.size_on_disk()?,
            enrolled: group.map(|group| EnrolledView::of(snapshot, group)).transpose()?,
            groups: counts.groups,
            linked_groups: counts.linked_groups,
            linked_users: counts.linked_users,
            memberships: counts.edges,
            users: counts.users,
        }),
        source_complete_since: Some(complete),
        waiting: Some(Waiting {
            groups: counts.dirty_groups,
            open_creates: intents.iter().map(|(_, batch)| batch.len()).sum(),
            users: counts.dirty_users,
        }),
        ..settled
    })
}

/// Counts what is kept back. A hold of a leaver is one of somebody who is to be disabled, and is enabled at the target.
fn kept_back(
    snapshot: &Snapshot,
    holds: &[(ObjectKind, SourceId, Hold)],
    now: Timestamp,
) -> Result<KeptBack, StoreError> {
    let mut counts = KeptBack::default();
    snapshot.each_withheld(|_, entry| {
        if entry.released_by.is_none() {
            counts.withheld += entry.count;
        }
        Ok(())
    })?;
    let of_users = holds
        .iter()
        .filter(|(kind, _, hold)| *kind == ObjectKind::User && hold.holds_at(now))
        .filter(|(_, _, hold)| {
            hold.attribute
                .as_deref()
                .is_none_or(|path| path == TargetPath::active().as_str())
        });
    for (kind, id, _) in of_users {
        let Some(record) = snapshot.record(*kind, id)? else {
            continue;
        };
        let out = matches!(snapshot.scope_entry(*kind, id)?, Some(ScopeEntry::Out));
        let leaves = out || !record.object.account_enabled() || record.object.life != Life::Alive;
        let enabled = record
            .link
            .is_some_and(|link| link.sent.get(TargetPath::active().as_str()) != Some(&Value::Bool(false)));
        counts.leavers_held += u64::from(leaves && enabled);
    }
    Ok(counts)
}

/// What is to be said of the engine at this size: nothing mostly.
fn advice(store: StoreKind, objects: u64) -> Option<String> {
    let outgrown = store == StoreKind::Sled && objects >= SLED_IS_GOOD_BELOW;
    outgrown.then(|| {
        format!(
            "with {SLED_IS_GOOD_BELOW} objects and more `store = \"redb\"` opens faster and takes less memory; \
             docs/operations/state.md says how to move over"
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_large_directory_in_sled_is_told_of_the_other_engine() {
        let told = |store, objects| advice(store, objects).is_some();
        assert!(told(StoreKind::Sled, SLED_IS_GOOD_BELOW));
        assert!(!told(StoreKind::Sled, SLED_IS_GOOD_BELOW - 1));
        assert!(!told(StoreKind::Redb, SLED_IS_GOOD_BELOW));
    }
}
