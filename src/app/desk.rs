//! Where people decide about single objects: the job, the objects by their names, the history.

use std::path::Path;

use super::actor;
use super::error::AppError;
use super::install;
use crate::mapping::Mapping;
use crate::model::clock::Clock;
use crate::model::clock::SystemClock;
use crate::model::clock::Timestamp;
use crate::model::id::ObjectKind;
use crate::model::id::SourceId;
use crate::model::shown::shown as printable;
use crate::ports::Durability;
use crate::ports::StoreError;
use crate::snapshot::folder::StateFolder;
use crate::snapshot::history::NewEntry;
use crate::snapshot::history::Values;
pub use crate::snapshot::named::Named;
use crate::snapshot::read::Reads;
use crate::snapshot::state::{FINGERPRINT, StateReads};
use crate::snapshot::store::Snapshot;
use crate::snapshot::tx::Tx;

/// A job's snapshot, opened for a person's decision.
pub struct Desk {
    /// The job's name.
    pub job: String,
    /// Its snapshot.
    pub snapshot: Snapshot,
    /// What was named beside the job.
    pub names: Vec<String>,
    /// Who decides.
    pub actor: String,
    /// When.
    pub now: Timestamp,
    /// Held until the decision is on disk.
    _folder: StateFolder,
}

/// A decision, as the history keeps it.
pub struct Decision<'a> {
    /// `release`, `hold` and so on.
    pub verb: &'static str,
    /// What it is about, where it is about one object.
    pub object: Option<&'a Named>,
    /// What was decided, without a personal value in it.
    pub reason: String,
    /// What the person said.
    pub comment: Option<&'a str>,
}

impl Desk {
    /// Opens the job that stands first among the names, or the only one.
    pub fn open(config: &Path, names: &[String]) -> Result<Self, AppError> {
        let settings = install::settings(config, true)?;
        let first = names.first().filter(|name| settings.jobs.contains_key(*name));
        let (job, _) = install::choose(&settings, first.map(String::as_str))?;
        let folder = install::hold(&settings)?;
        if !folder.job(job).exists() {
            return Err(AppError::usage(
                format!("job `{job}` has no snapshot in {} yet", folder.root().display()),
                "check `path` under [state]; the first `melonsync plan` or `melonsync sync` makes one",
            ));
        }
        let snapshot = install::open(&folder, job)?;
        Ok(Self {
            job: job.to_owned(),
            snapshot,
            names: names.iter().skip(usize::from(first.is_some())).cloned().collect(),
            actor: actor::local_user(),
            now: SystemClock.now(),
            _folder: folder,
        })
    }

    /// The mapping that the job's cycles use.
    pub fn mapping(&self, config: &Path) -> Result<Mapping, AppError> {
        let settings = install::settings(config, true)?;
        let (_, job) = install::choose(&settings, Some(&self.job))?;
        install::pinned_mapping(config, &job.provisioning.mapping, &self.snapshot)
    }

    /// For verbs that take a job and nothing else.
    pub fn open_job(config: &Path, job: Option<&str>) -> Result<Self, AppError> {
        let names: Vec<String> = job.map(str::to_owned).into_iter().collect();
        let desk = Self::open(config, &names)?;
        match desk.names.first() {
            Some(name) => Err(AppError::usage(
                format!("no job `{}` in the settings", printable(name)),
                "leave it out where the settings have one job",
            )),
            None => Ok(desk),
        }
    }

    /// The objects of these names: object id, UPN, mail or display name, in any case.
    pub fn find(&self, names: &[String]) -> Result<Vec<Named>, AppError> {
        let found = self
            .snapshot
            .one_named(&[ObjectKind::User, ObjectKind::Group], names);
        let found = found.map_err(|error| install::store_failure(&error))?;
        found.map_err(|error| AppError::from(&error))
    }

    /// An object by its id, as well as it is known.
    pub fn known(&self, kind: ObjectKind, id: SourceId) -> Result<Named, AppError> {
        let record = self
            .snapshot
            .record(kind, &id)
            .map_err(|error| install::store_failure(&error))?;
        let name = record
            .as_ref()
            .map_or_else(|| id.to_string(), |record| record.object.name());
        let target = record.and_then(|record| record.link).map(|link| link.target);
        Ok(Named {
            kind,
            id,
            name,
            target,
        })
    }

    /// Writes decisions with their history, all of them or none, and makes them durable.
    pub fn decide(
        &self,
        decisions: &[Decision<'_>],
        write: impl FnOnce(&mut Tx<'_>) -> Result<(), StoreError>,
    ) -> Result<(), AppError> {
        let done = || {
            let config = self.snapshot.state(&FINGERPRINT)?.unwrap_or_default();
            let mut tx = self.snapshot.tx()?;
            write(&mut tx)?;
            let entries = decisions.iter().map(|decision| NewEntry {
                time: self.now,
                cycle: None,
                actor: self.actor.clone(),
                operation: decision.verb.to_owned(),
                kind: decision.object.map(|object| object.kind),
                object: decision.object.map(|object| object.id),
                target: decision.object.and_then(|object| object.target.clone()),
                reason: decision.reason.clone(),
                result: "done".to_owned(),
                config: config.clone(),
                values: Values {
                    changes: Vec::new(),
                    detail: decision.comment.map(str::to_owned),
                },
                salt: rand::random(),
            });
            tx.append_history(entries.collect());
            tx.commit(Durability::Synced)
        };
        done().map_err(|error| install::store_failure(&error))
    }
}
