//! An installation that this process holds: its settings, its state folder, and the snapshots that were opened in it.
//!
//! A command holds one for as long as it runs; the daemon holds one until it ends, and shares it between its jobs and
//! all who ask it. A snapshot is opened once: a store that was just closed does not always open again at once.

use std::collections::BTreeMap;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::RwLock;

use super::error::AppError;
use super::install;
use crate::settings::Settings;
use crate::settings::job;
use crate::snapshot::folder::StateFolder;
use crate::snapshot::store::Snapshot;

/// The name of the daemon's control socket in the state folder.
pub const CONTROL_SOCKET: &str = "control.sock";

/// An installation, held by this process.
#[derive(Debug)]
pub struct Site {
    config: PathBuf,
    folder: StateFolder,
    settings: RwLock<Arc<Settings>>,
    opened: Mutex<BTreeMap<String, Snapshot>>,
}

impl Site {
    /// Takes the state folder of the settings, which came from `config`; exit 5 where another process holds it. `role`:
    /// what this process does, where it stays.
    pub fn hold(config: &Path, settings: Settings, role: Option<&str>) -> Result<Self, AppError> {
        Ok(Self {
            config: config.to_owned(),
            folder: install::hold_as(&settings, role)?,
            settings: RwLock::new(Arc::new(settings)),
            opened: Mutex::default(),
        })
    }

    /// The file that the settings came from.
    #[must_use]
    pub fn config(&self) -> &Path {
        &self.config
    }

    /// The state folder.
    #[must_use]
    pub const fn folder(&self) -> &StateFolder {
        &self.folder
    }

    /// Where a daemon's control socket is.
    #[must_use]
    pub fn socket(&self) -> PathBuf {
        self.folder.root().join(CONTROL_SOCKET)
    }

    /// The settings in force.
    #[must_use]
    pub fn settings(&self) -> Arc<Settings> {
        Arc::clone(&self.settings.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Puts other settings in force, for the same state folder.
    pub(super) fn renew(&self, settings: Settings) {
        *self.settings.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(settings);
    }

    /// The snapshot of a job that has one; a job that never ran is a wrong use.
    pub fn known(&self, name: &str) -> Result<Snapshot, AppError> {
        self.opened(name, || install::known(&self.folder, name))
    }

    /// As [`Self::known`]; `None` for a job that never ran.
    pub fn there(&self, name: &str) -> Result<Option<Snapshot>, AppError> {
        let has_one = self.folder.jobs()?.iter().any(|job| job == name);
        has_one.then(|| self.known(name)).transpose()
    }

    /// The snapshot of a job, made where there is none, for its tenant and target ([`install::open_for`]).
    pub fn snapshot(&self, name: &str, job: &job::Job) -> Result<Snapshot, AppError> {
        self.opened(name, || install::open_for(&self.folder, name, job))
    }

    fn opened(
        &self,
        name: &str,
        open: impl FnOnce() -> Result<Snapshot, AppError>,
    ) -> Result<Snapshot, AppError> {
        // Held while it is opened: a second opening of the same store fails.
        let mut opened = self.opened.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(snapshot) = opened.get(name) {
            return Ok(snapshot.clone());
        }
        let snapshot = open()?;
        opened.insert(name.to_owned(), snapshot.clone());
        Ok(snapshot)
    }
}
