//! Where people decide about a job: its snapshot, who decides and when, and the history that each decision enters.
//!
//! Guarantee: a decision and its history entries are one transaction. What it is about is read under the writer's lock, so that a
//! cycle that runs beside it cannot change that in between.

use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;

use super::actor::Actor;
use super::error::AppError;
use super::install;
use super::lookup::Named;
use super::rules::Rules;
use super::site::Site;
use crate::engine::job::Job;
use crate::mapping::Mapping;
use crate::model::clock::Clock;
use crate::model::clock::SystemClock;
use crate::model::clock::Timestamp;
use crate::model::id::SourceId;
use crate::ports::Durability;
use crate::ports::TargetDirectory;
use crate::settings;
use crate::settings::Settings;
use crate::snapshot::folder::StateFolder;
use crate::snapshot::history::NewEntry;
use crate::snapshot::history::Values;
use crate::snapshot::maintenance::copies;
use crate::snapshot::state::{FINGERPRINT, StateReads};
use crate::snapshot::store::Snapshot;
use crate::snapshot::tx::Tx;

/// A job's snapshot, opened for what people ask and decide.
pub struct Desk {
    /// The job's name.
    pub job: String,
    /// Its snapshot.
    pub snapshot: Snapshot,
    /// Who asks.
    pub actor: Actor,
    /// When.
    pub now: Timestamp,
    /// The state folder, held until the decision is on disk.
    pub folder: StateFolder,
    /// What the settings ask of whoever decides.
    pub rules: Rules,
    /// The enrolled group that the settings name.
    pub enrolled_group: Option<SourceId>,
    equipment: Equipment,
}

/// Where the mapping and the way to the target come from, for the few questions that need them.
enum Equipment {
    /// From the settings file, once they are needed.
    Settings(PathBuf),
    /// From a job that is ready.
    Job(Box<Job>),
}

/// A decision, as the history keeps it.
pub struct Decision {
    /// `release`, `hold` and so on.
    pub verb: &'static str,
    /// What it is about, where it is about one object.
    pub object: Option<Named>,
    /// What was decided, without a personal value in it.
    pub reason: String,
    /// What the person said.
    pub comment: Option<String>,
}

impl Desk {
    /// The desk of a job that is ready, as a daemon has it.
    #[must_use]
    pub fn of(job: &Job, site: &Site, actor: Actor) -> Self {
        Self {
            folder: site.folder().clone(),
            rules: Rules::of(&site.settings()),
            enrolled_group: job.enrolled_group(),
            job: job.name.clone(),
            snapshot: job.snapshot.clone(),
            actor,
            now: job.clock.now(),
            equipment: Equipment::Job(Box::new(job.clone())),
        }
    }

    /// The desk of a job whose installation is held already: a daemon's, for a job that cannot run.
    pub fn at(site: &Site, job: &str, actor: Actor) -> Result<Self, AppError> {
        let settings = site.settings();
        let of_job = settings.jobs.get(job);
        Ok(Self {
            enrolled_group: of_job.and_then(settings::job::Job::enrolled_group),
            rules: Rules::of(&settings),
            job: job.to_owned(),
            snapshot: site.known(job)?,
            actor,
            now: SystemClock.now(),
            folder: site.folder().clone(),
            equipment: Equipment::Settings(site.config().to_owned()),
        })
    }

    /// Opens the job that stands first among the names, or the only one. Returns the names that are left.
    pub fn open(config: &Path, names: &[String], actor: Actor) -> Result<(Self, Vec<String>), AppError> {
        let settings = install::settings(config, true)?;
        let first = names.first().filter(|name| settings.jobs.contains_key(*name));
        let desk = Self::chosen(config, &settings, first.map(String::as_str), actor)?;
        Ok((
            desk,
            names.iter().skip(usize::from(first.is_some())).cloned().collect(),
        ))
    }

    /// Opens a job for verbs that take a job and nothing else.
    pub fn open_job(config: &Path, job: Option<&str>, actor: Actor) -> Result<Self, AppError> {
        Self::chosen(config, &install::settings(config, true)?, job, actor)
    }

    fn chosen(config: &Path, settings: &Settings, job: Option<&str>, actor: Actor) -> Result<Self, AppError> {
        let (job, of_job) = install::choose(settings, job)?;
        let folder = install::hold(settings)?;
        Ok(Self {
            enrolled_group: of_job.enrolled_group(),
            job: job.to_owned(),
            snapshot: install::known(&folder, job)?,
            actor,
            now: SystemClock.now(),
            equipment: Equipment::Settings(config.to_owned()),
            rules: Rules::of(settings),
            folder,
        })
    }

    /// The mapping that the job's cycles use.
    pub fn mapping(&self) -> Result<Arc<Mapping>, AppError> {
        match &self.equipment {
            Equipment::Job(job) => Ok(Arc::clone(&job.mapping)),
            Equipment::Settings(config) => {
                let settings = install::settings(config, true)?;
                let (name, job) = install::choose(&settings, Some(&self.job))?;
                let mapping = install::pinned_mapping(config, &job.provisioning.mapping, &self.snapshot)?;
                install::with_ways_back(name, job, mapping).map(Arc::new)
            }
        }
    }

    /// The way to the target.
    pub fn target(&self) -> Result<Arc<dyn TargetDirectory>, AppError> {
        match &self.equipment {
            Equipment::Job(job) => Ok(Arc::clone(&job.target)),
            Equipment::Settings(config) => {
                let settings = install::settings(config, false)?;
                let (_, job) = install::choose(&settings, Some(&self.job))?;
                let mapping = self.mapping()?;
                Ok(Arc::new(install::target(job, &mapping)?))
            }
        }
    }

    /// Notes where a file with values of the job was written.
    pub fn note_copy(&self, what: &str, out: &Path) -> Result<(), AppError> {
        copies::note(&self.folder.job(&self.job), what, out, self.now)?;
        Ok(())
    }

    /// Writes what `work` decides with its history entries, all of it or nothing, and makes it durable. Nothing is written where
    /// it decides nothing.
    pub fn decide<T>(
        &self,
        work: impl FnOnce(&mut Tx<'_>) -> Result<(Vec<Decision>, T), AppError>,
    ) -> Result<T, AppError> {
        let config = self.snapshot.state(&FINGERPRINT)?.unwrap_or_default();
        let mut tx = self.snapshot.tx()?;
        let (decisions, done) = work(&mut tx)?;
        if decisions.is_empty() {
            return Ok(done);
        }
        for decision in &decisions {
            self.rules.commented(decision.verb, decision.comment.as_deref())?;
        }
        let entries = decisions.into_iter().map(|decision| NewEntry {
            time: self.now,
            cycle: None,
            actor: self.actor.to_string(),
            operation: decision.verb.to_owned(),
            kind: decision.object.as_ref().map(|object| object.kind),
            object: decision.object.as_ref().map(|object| object.id),
            target: decision.object.and_then(|object| object.target),
            reason: decision.reason,
            result: "done".to_owned(),
            config: config.clone(),
            values: Values {
                changes: Vec::new(),
                detail: decision.comment,
            },
            salt: rand::random(),
        });
        tx.append_history(entries.collect());
        tx.commit(Durability::Synced)?;
        Ok(done)
    }
}
