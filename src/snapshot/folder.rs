//! The layout of the state folder, and how a job's snapshot is opened in it.
//!
//! ```text
//! <state.path>/lock                 one melonsync process holds the whole folder
//! <state.path>/<job>/sled/          the job's store, or redb/: named by its engine
//! <state.path>/<job>/created        written once the store has its format: an empty store beside it is damage;
//!                                   in it, where that was ([`crate::snapshot::maintenance::place`])
//! <state.path>/<job>/moved          the job goes on elsewhere (`state backup --handover`)
//! <state.path>/<job>/copies         where files with its values were written ([`crate::snapshot::maintenance::copies`])
//! <state.path>/<job>/forgotten      whose personal values were erased: a restore repeats it
//! <state.path>/<job>/sled.replaced/ what a restore or an import set aside
//! <state.path>/<job>/before-format-N.backup   written before a migration
//! ```

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::Arc,
};

use crate::files;
use crate::ports::StoreError;

use super::again::begin_again;
use super::io::CREATED;
use super::io::OLD;
use super::io::beside;
use super::io::io_error;
use super::lock::StateLock;
use super::lock::create_private;
use super::store::Snapshot;
use crate::snapshot::kv::embedded::Engine;
use crate::snapshot::maintenance::forget::FORGOTTEN;
use crate::snapshot::maintenance::migrate;
use crate::snapshot::maintenance::migrate::FORMAT;
use crate::snapshot::maintenance::migrate::STEPS;
use crate::snapshot::maintenance::place;

/// The state folder, locked by this process.
#[derive(Debug, Clone)]
pub struct StateFolder {
    root: PathBuf,
    engine: Engine,
    _lock: Arc<StateLock>,
}

impl StateFolder {
    /// Locks the folder, and creates it with mode 0700 where needed.
    ///
    /// # Errors
    /// [`StoreError::InUse`] with the holder's pid (exit 5), [`StoreError::Io`].
    pub fn hold(root: &Path) -> Result<Self, StoreError> {
        Self::hold_as(root, None)
    }

    /// Locks the folder as [`Self::hold`] does, for a process that stays: `role` records for other processes what it does,
    /// in one line.
    pub fn hold_as(root: &Path, role: Option<&str>) -> Result<Self, StoreError> {
        let lock = Arc::new(StateLock::acquire(root, role)?);
        Ok(Self {
            root: root.to_owned(),
            engine: Engine::default(),
            _lock: lock,
        })
    }

    /// Sets the engine of the folder's stores; sled by default.
    #[must_use]
    pub fn with_engine(self, engine: Engine) -> Self {
        Self { engine, ..self }
    }

    /// Returns the engine of the stores in it.
    #[must_use]
    pub const fn engine(&self) -> Engine {
        self.engine
    }

    /// Returns the folder's path.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Returns the folder of a job.
    #[must_use]
    pub fn job(&self, job: &str) -> PathBuf {
        self.root.join(job)
    }

    /// Returns the names of the jobs that have a snapshot here, of whichever engine.
    ///
    /// # Errors
    /// [`StoreError::Io`].
    pub fn jobs(&self) -> Result<Vec<String>, StoreError> {
        let refused = |error| io_error(&self.root, "list the jobs", error);
        let mut jobs = Vec::new();
        for entry in fs::read_dir(&self.root).map_err(refused)? {
            let entry = entry.map_err(refused)?;
            let has = |engine: &Engine| {
                let live = engine.folder(&entry.path());
                live.is_dir() || beside(&live, OLD).is_dir()
            };
            if Engine::ALL.iter().any(has) {
                jobs.push(entry.file_name().to_string_lossy().into_owned());
            }
        }
        jobs.sort();
        Ok(jobs)
    }

    /// Removes a job's store, which no process may have open. For a store that holds nothing worth keeping.
    ///
    /// # Errors
    /// [`StoreError::Io`].
    pub fn forget(&self, job: &str) -> Result<(), StoreError> {
        let folder = self.job(job);
        let refused = |error| io_error(&folder, "begin afresh", error);
        // The marker first: a store without a marker is created anew, a marker without a store is damage.
        fs::remove_file(folder.join(CREATED)).map_err(refused)?;
        fs::remove_dir_all(self.engine.folder(&folder)).map_err(refused)
    }

    /// Returns when and by whom the job was handed over to another host, or `None` while it runs here.
    ///
    /// # Errors
    /// [`StoreError::Io`].
    pub fn moved(&self, job: &str) -> Result<Option<String>, StoreError> {
        let mark = self.job(job).join(MOVED);
        match fs::read_to_string(&mark) {
            Ok(text) => Ok(Some(text)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(io_error(&mark, "see whether the job was handed over", error)),
        }
    }

    /// Marks a job as handed over; `text` states when, by whom and in which backup.
    ///
    /// # Errors
    /// [`StoreError::Io`].
    pub fn hand_over(&self, job: &str, text: &str) -> Result<(), StoreError> {
        let mark = self.job(job).join(MOVED);
        let written = files::write_ours(&mark, text.as_bytes()).and_then(|file| file.sync_all());
        written.map_err(|error| io_error(&mark, "mark the job as handed over", error))
    }

    /// Takes back a job that was handed over. What the other host did is not known, so everything is read again and
    /// removals wait. Returns false where it was not handed over.
    pub fn take_back(&self, job: &str, cache_bytes: u64) -> Result<bool, StoreError> {
        if self.moved(job)?.is_none() {
            return Ok(false);
        }
        begin_again(&self.open_job(job, cache_bytes)?, "taken back from another host")?;
        let mark = self.job(job).join(MOVED);
        fs::remove_file(&mark).map_err(|error| io_error(&mark, "take the job back", error))?;
        Ok(true)
    }

    /// Opens a job's snapshot, after creating or migrating it where needed. `cache_bytes`:
    /// [`crate::snapshot::kv::sled::DEFAULT_CACHE_BYTES`].
    ///
    /// # Errors
    /// [`StoreError::TooNew`]; [`StoreError::OtherEngine`]; [`StoreError::Damaged`], and then nothing was overwritten;
    /// [`StoreError::Io`].
    pub fn open_job(&self, job: &str, cache_bytes: u64) -> Result<Snapshot, StoreError> {
        let folder = self.job(job);
        // Before anything is created: an empty store beside the existing one would know no object.
        self.refuse_other_engine(&folder)?;
        create_private(&folder)?;
        let marker = folder.join(CREATED);
        let live = self.engine.folder(&folder);
        let old = beside(&live, OLD);
        if old.exists() && !live.exists() {
            // The compaction ended between its two renames.
            fs::rename(&old, &live).map_err(|error| io_error(&folder, "put the snapshot back", error))?;
        }
        let existed = marker.exists();
        if existed && !self.engine.file(&folder).exists() {
            return Err(lost(&folder, "its files are gone"));
        }
        let opened = self.engine.open(&self.engine.folder(&folder), cache_bytes);
        let store = opened.map_err(|error| of_job(&folder, error))?;
        let path = folder.display().to_string();
        match migrate::format_of(&*store, &path)? {
            None if existed => return Err(lost(&folder, "it is empty, though it was in use")),
            Some(format) if format < FORMAT => {
                let backup = folder.join(format!("before-format-{FORMAT}.backup"));
                migrate::migrate(&*store, &path, &backup, STEPS, FORMAT)?;
            }
            _ => {}
        }
        let snapshot = Snapshot::open(store, &folder)?;
        let note = |error| io_error(&marker, "note where the snapshot is", error);
        if !existed {
            files::write_ours(&marker, b"").map_err(note)?;
        }
        let moved = place::compare(&marker).map_err(note)?;
        if let Some(why) = moved {
            tracing::warn!(
                snapshot.path = path,
                "The snapshot in {path} was {why}: everything is read again, and removals are withheld until a person has looked"
            );
            begin_again(&snapshot, why)?;
        }
        place::note(&marker).map_err(note)?;
        Ok(snapshot)
    }

    fn refuse_other_engine(&self, folder: &Path) -> Result<(), StoreError> {
        let mut others = Engine::ALL.into_iter().filter(|other| *other != self.engine);
        let has = |other: &Engine| other.file(folder).exists() || beside(&other.folder(folder), OLD).exists();
        match others.find(has) {
            None => Ok(()),
            Some(found) => Err(StoreError::OtherEngine {
                path: folder.display().to_string(),
                found: found.name(),
                wanted: self.engine.name(),
            }),
        }
    }
}

/// The files of a job's folder that hold no values: the marks of this file and of [`crate::snapshot::maintenance::forget`].
pub(super) const MARKS: [&str; 3] = [CREATED, MOVED, FORGOTTEN];
/// The file that marks a job as handed over.
const MOVED: &str = "moved";

fn lost(folder: &Path, what: &str) -> StoreError {
    StoreError::Damaged {
        path: folder.display().to_string(),
        what: what.to_owned(),
    }
}

/// Replaces the store's folder by the job's in an error: the job's folder is what a person sets aside.
fn of_job(folder: &Path, error: StoreError) -> StoreError {
    match error {
        StoreError::Damaged { what, .. } => lost(folder, &what),
        other => other,
    }
}
