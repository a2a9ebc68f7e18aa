//! What is asked of the daemon: its jobs, their cycles, and how they do.

use std::sync::PoisonError;

use super::CycleState;
use super::Service;
use crate::app::check;
use crate::app::check::Checked;
use crate::app::check::Subject;
use crate::app::error::AppError;
use crate::app::install;
use crate::app::views::clock;
use crate::app::views::cycles;
use crate::app::views::health::ConfigInForce;
use crate::app::views::health::GoodCycle;
use crate::app::views::health::Health;
use crate::app::views::health::SideHealth;
use crate::app::views::health::ToldReceiver;
use crate::app::views::status;
use crate::app::views::status::Status;
use crate::model::clock::Clock;
use crate::model::clock::SystemClock;
use crate::model::id::CycleId;
use crate::model::side::Side;
use crate::settings::StoreKind;
use crate::snapshot::state::StateReads;
use crate::snapshot::state::TAKEN;
use crate::snapshot::store::Snapshot;

impl Service {
    /// Finds a cycle to be undone, and its job ([`crate::app::cycles::find`]).
    pub fn find(&self, name: &str) -> Result<(String, CycleId), AppError> {
        crate::app::cycles::find(&self.snapshots()?, name)
    }

    /// A cycle that is over, as a job keeps it: by its id, or as [`crate::app::cycles::find`] takes it.
    pub fn kept(&self, name: &str) -> Result<CycleState, AppError> {
        let jobs = self.snapshots()?;
        if name.parse::<uuid::Uuid>().is_ok()
            && let Some((job, summary)) = jobs
                .iter()
                .find_map(|(job, snapshot)| Some((job, cycles::cycle(snapshot, name).ok()?)))
        {
            return Ok(CycleState::kept(job, name, Some(summary)));
        }
        // By the history, or by another name than the id; with the errors of both.
        let (job, cycle) = crate::app::cycles::find(&jobs, name)?;
        let cycle = cycle.to_string();
        let snapshot = jobs.iter().find(|(of, _)| *of == job);
        let summary = snapshot.and_then(|(_, snapshot)| cycles::cycle(snapshot, &cycle).ok());
        Ok(CycleState::kept(&job, &cycle, summary))
    }

    /// The jobs that have a snapshot, with that.
    fn snapshots(&self) -> Result<Vec<(String, Snapshot)>, AppError> {
        let settings = self.site.settings();
        let mut jobs = Vec::new();
        for job in settings.jobs.keys() {
            if let Some(snapshot) = self.site.there(job)? {
                jobs.push((job.clone(), snapshot));
            }
        }
        Ok(jobs)
    }

    /// Shows one job, or all, with what the daemon does for them now.
    pub fn status(&self, job: Option<&str>) -> Result<Status, AppError> {
        let settings = self.site.settings();
        let wanted = match job {
            Some(job) => Some(install::choose(&settings, Some(job))?.0),
            None => None,
        };
        let now = SystemClock.now();
        let mut jobs = Vec::new();
        for state in self.jobs() {
            if wanted.is_some_and(|wanted| wanted != state.job) {
                continue;
            }
            let (name, of_job) = install::choose(&settings, Some(&state.job))?;
            let snapshot = self.site.there(name)?;
            let status = status::of(name, of_job, settings.state.store, snapshot.as_ref(), now)?;
            jobs.push(status.beside(state, now));
        }
        Ok(Status { jobs })
    }

    /// Shows how a job does.
    pub fn health(&self, job: &str) -> Result<Health, AppError> {
        let settings = self.site.settings();
        let (name, _) = install::choose(&settings, Some(job))?;
        let snapshot = self.site.there(name)?;
        let status = self.status(Some(name))?.jobs.remove(0);
        let (mut cycles, mut taken) = (Vec::new(), None);
        if let Some(snapshot) = &snapshot {
            cycles = snapshot.cycles_in_short(ALL)?;
            taken = snapshot.state(&TAKEN)?;
        }
        let good = cycles.iter().rev().find(|cycle| cycle["outcome"] == "converged");
        let text = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
        let sides = self.told(name)?.sides.into_iter().map(|sent| SideHealth {
            credential_ends: match sent.side {
                Side::Source => status.credentials.source.clone(),
                Side::Target => status.credentials.target.clone(),
            },
            requests: sent.traffic.requests,
            retries: sent.traffic.retries,
            side: sent.side.word(),
            throttled: sent.traffic.throttled,
        });
        Ok(Health {
            clock: clock::clock(&cycles, SystemClock.now()),
            config: taken.map(|taken| ConfigInForce {
                by: Some(taken.by).filter(|by| !by.is_empty()),
                fingerprint: taken.fingerprint,
                since: taken.since.to_string(),
            }),
            job: name.to_owned(),
            last_good_cycle: good.map(|cycle| GoodCycle {
                cycle: text(&cycle["cycle"]),
                started: text(&cycle["started"]),
            }),
            receivers: self.notified(),
            running_since: self.begun.to_string(),
            sides: sides.collect(),
            status,
            store: match settings.state.store {
                StoreKind::Sled => "sled",
                StoreKind::Redb => "redb",
            },
            version: env!("CARGO_PKG_VERSION"),
        })
    }

    /// The receivers in force, with what became of what they were to be told.
    fn notified(&self) -> Vec<ToldReceiver> {
        let tallies = self.tallies.lock().unwrap_or_else(PoisonError::into_inner);
        let told = tallies.iter().map(|(ready, tally)| {
            let counts = tally.counts();
            let (at, failure) = counts.last_failure.unzip();
            ToldReceiver {
                delivered: counts.delivered,
                dropped: counts.dropped,
                failed: counts.failed,
                last_failure: failure,
                last_failure_at: at.map(|at| at.to_string()),
                name: ready.label.clone(),
                on: ready
                    .written
                    .on
                    .iter()
                    .map(|condition| condition.name())
                    .collect(),
            }
        });
        told.collect()
    }

    /// Checks a job, with the daemon's secrets and over its snapshot. Sends the target only GET.
    pub async fn checked(&self, job: &str) -> Result<Checked, AppError> {
        let settings = self.site.settings();
        let (name, job) = install::choose(&settings, Some(job))?;
        let snapshot = self.site.there(name)?;
        let subject = Subject {
            config: self.site.config(),
            settings: &settings,
            name,
            job,
            held: snapshot.as_ref(),
        };
        Ok(check::check(&subject).await)
    }
}

/// More than are kept.
const ALL: u64 = 1 << 32;
