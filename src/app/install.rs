//! What is installed: the settings, the state folder, and the jobs of both with their real edges.

mod edges;
mod jobs;
mod mappings;
mod ways_back;

use std::path::Path;
use std::path::PathBuf;

use url::Url;

pub use self::edges::{network, options_without_credential, source, target, unusable_source};
pub use self::jobs::{application, audit, binding, digest, job, managed, reads_assignments, tried};
pub use self::mappings::{mapping, mapping_file, pinned_mapping, preset_in_force};
pub use self::mappings::{parsed as parsed_mapping, text as mapping_text};
pub use self::ways_back::{keys, with_ways_back, writer};
use super::config_changes;
use super::error::AppError;
use super::error::ErrorKind;
use super::error::ErrorText;
use crate::engine::job::Job;
use crate::model::shown::shown as printable;
use crate::ports::StoreError;
use crate::settings;
use crate::settings::Settings;
use crate::settings::StoreKind;
use crate::snapshot::folder::StateFolder;
use crate::snapshot::kv::embedded::Engine;
use crate::snapshot::kv::sled::DEFAULT_CACHE_BYTES;
use crate::snapshot::query::Query;
use crate::snapshot::read::Reads;
use crate::snapshot::store::Snapshot;

/// An installation that this process holds: its settings and its state folder.
pub struct Installation {
    /// The settings file.
    pub config: PathBuf,
    /// What it says.
    pub settings: Settings,
    /// The state folder.
    pub folder: StateFolder,
}

/// The collector that gets traces, where the settings can be read and name one.
#[must_use]
pub fn collector(config: &Path) -> Option<Url> {
    settings(config, true).ok()?.telemetry.otlp_endpoint
}

impl Installation {
    /// Opens it for work with both sides. The secrets are looked for once the folder is ours: where a daemon has it, the
    /// daemon has them.
    pub fn open(config: &Path) -> Result<Self, AppError> {
        let held = Self::open_offline(config)?;
        Ok(Self {
            settings: settings(config, false)?,
            ..held
        })
    }

    /// Opens it for work with both sides where `fits` has nothing against the settings: it is asked before the folder is taken.
    pub fn open_where(
        config: &Path,
        fits: impl FnOnce(&Settings) -> Result<(), AppError>,
    ) -> Result<Self, AppError> {
        fits(&settings(config, true)?)?;
        Self::open(config)
    }

    /// Opens it for what needs neither side: secrets are not looked for.
    pub fn open_offline(config: &Path) -> Result<Self, AppError> {
        let settings = settings(config, true)?;
        let folder = hold(&settings)?;
        Ok(Self {
            config: config.to_owned(),
            settings,
            folder,
        })
    }

    /// Returns the job that was named, or the only one.
    pub fn choose(&self, job: Option<&str>) -> Result<&str, AppError> {
        choose(&self.settings, job).map(|(name, _)| name)
    }

    /// Opens a job's snapshot that is there.
    pub fn known(&self, name: &str) -> Result<Snapshot, AppError> {
        known(&self.folder, name)
    }

    /// Opens a job's snapshot for its tenant and target.
    pub fn snapshot(&self, name: &str) -> Result<Snapshot, AppError> {
        let (name, job) = choose(&self.settings, Some(name))?;
        open_for(&self.folder, name, job)
    }

    /// Makes a job ready over its snapshot and its real edges, for what writes nothing to the target.
    pub fn job(&self, name: &str, snapshot: Snapshot) -> Result<Job, AppError> {
        let (name, settings) = choose(&self.settings, Some(name))?;
        job(&self.config, name, &self.settings.state, settings, snapshot)
    }

    /// Makes a job ready that may write, with the audit stream. With `document`, stdout holds one: audit lines go to stderr.
    pub fn acting_job(&self, name: &str, snapshot: Snapshot, document: bool) -> Result<Job, AppError> {
        let mut job = self.job(name, snapshot)?;
        config_changes::note(&self.config, &job)?;
        job.audit = audit(&self.settings, document)?;
        Ok(job)
    }
}

/// Reads the settings; `offline` for verbs that talk to neither side.
pub fn settings(config: &Path, offline: bool) -> Result<Settings, AppError> {
    let env = settings::process_environment();
    let read = if offline {
        Settings::load_offline(config, env)
    } else {
        Settings::load(config, env)
    };
    Ok(read?)
}

/// The job that was named, or the only one.
pub fn choose<'s>(
    settings: &'s Settings,
    name: Option<&str>,
) -> Result<(&'s str, &'s settings::job::Job), AppError> {
    let names = || {
        settings
            .jobs
            .keys()
            .map(String::as_str)
            .collect::<Vec<_>>()
            .join(", ")
    };
    match name {
        Some(name) => settings
            .jobs
            .get_key_value(name)
            .map(|(name, job)| (name.as_str(), job))
            .ok_or_else(|| {
                AppError::absent(
                    format!("no job `{}` in the settings", printable(name)),
                    format!("name one of: {}", names()),
                )
            }),
        None if settings.jobs.len() == 1 => {
            let (name, job) = settings.jobs.first_key_value().expect("there is one");
            Ok((name, job))
        }
        None => Err(AppError::usage(
            "the settings have several jobs",
            format!("name one of: {}", names()),
        )),
    }
}

/// Takes the state folder; another process that holds it is exit 5.
pub fn hold(settings: &Settings) -> Result<StateFolder, AppError> {
    hold_as(settings, None)
}

/// As [`hold`], by a process that stays: `role` says to others what it does.
pub fn hold_as(settings: &Settings, role: Option<&str>) -> Result<StateFolder, AppError> {
    let engine = match settings.state.store {
        StoreKind::Sled => Engine::Sled,
        StoreKind::Redb => Engine::Redb,
    };
    let held = StateFolder::hold_as(&settings.state.path, role)?;
    Ok(held.with_engine(engine))
}

/// Refuses a job that was handed over to another host (exit 5), unless it is to be taken back.
pub fn at_home(folder: &StateFolder, name: &str, take_back: bool) -> Result<(), AppError> {
    if take_back {
        return folder
            .take_back(name, DEFAULT_CACHE_BYTES)
            .map(drop)
            .map_err(AppError::from);
    }
    let Some(text) = folder.moved(name)? else {
        return Ok(());
    };
    let shown = ErrorText {
        what: format!("job `{name}` was handed over to another host"),
        place: Some(format!("{}: {}", folder.job(name).display(), text.trim())),
        ..ErrorText::default()
    };
    let advice = "run it there; to run it here again, stop it there and use --take-back: everything is then read again, and \
                  removals are withheld until you have looked";
    Err(AppError::new(ErrorKind::NotBegun, shown.advise(advice)))
}

/// Opens a job's snapshot.
pub fn open(folder: &StateFolder, name: &str) -> Result<Snapshot, AppError> {
    folder.open_job(name, DEFAULT_CACHE_BYTES).map_err(AppError::from)
}

/// Opens a job's snapshot that is there; one that is not is not made for the question's sake.
pub fn known(folder: &StateFolder, name: &str) -> Result<Snapshot, AppError> {
    // By its folder, not by its store: one that lost its store is damaged, and opening it says so.
    if !folder.job(name).exists() {
        return Err(AppError::absent(
            format!("job `{name}` has no snapshot in {} yet", folder.root().display()),
            "check `path` under [state]; the first `melonsync plan` or `melonsync sync` makes one",
        ));
    }
    open(folder, name)
}

/// Opens a job's snapshot for this tenant and target. One that was made for another, and from which nothing was
/// ever sent, is begun afresh: whoever mends a mistyped id or address has nothing to lose, and goes on.
pub fn open_for(
    folder: &StateFolder,
    name: &str,
    settings: &settings::job::Job,
) -> Result<Snapshot, AppError> {
    let snapshot = open(folder, name)?;
    let bound = snapshot.binding()?;
    if bound.is_none_or(|bound| bound == binding(settings)) || !is_untouched(&snapshot)? {
        return Ok(snapshot);
    }
    drop(snapshot);
    folder.forget(name)?;
    open(folder, name)
}

/// True while nothing was ever done at the target: no link, no open create, no history but of being refused there.
pub fn is_untouched(snapshot: &Snapshot) -> Result<bool, StoreError> {
    let counts = snapshot.counts()?;
    if counts.linked_users + counts.linked_groups > 0 || !snapshot.intents()?.is_empty() {
        return Ok(false);
    }
    let entries = snapshot.history_head()?.next;
    if entries > REFUSALS {
        return Ok(false);
    }
    let mut only_refusals = true;
    snapshot.search_history(&Query::default(), |entry, _| {
        let is_none_of_ours =
            entry.operation.starts_with("quarantine") || entry.operation == config_changes::CONFIG;
        only_refusals &= entry.object.is_none() && is_none_of_ours;
        Ok(())
    })?;
    Ok(only_refusals)
}

/// More entries than these are not those of a job that never got anywhere.
const REFUSALS: u64 = 1000;
