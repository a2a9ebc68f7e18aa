//! The embedded engines, and where each stores what in a job's folder.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use crate::ports::SnapshotStore;
use crate::ports::StoreError;

use crate::snapshot::kv::redb;
use crate::snapshot::kv::redb::RedbStore;
use crate::snapshot::kv::sled;
use crate::snapshot::kv::sled::SledStore;

/// An embedded engine; `[state] store` chooses it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Engine {
    /// sled, the default.
    #[default]
    Sled,
    /// redb.
    Redb,
}

impl Engine {
    /// All engines.
    pub const ALL: [Self; 2] = [Self::Sled, Self::Redb];

    /// Returns its name: the value in the settings, and the folder within a job's folder.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Sled => "sled",
            Self::Redb => "redb",
        }
    }

    /// Returns its folder within a job's folder.
    #[must_use]
    pub fn folder(self, job: &Path) -> PathBuf {
        job.join(self.name())
    }

    /// Returns the file that exists once a store was created in a job's folder.
    #[must_use]
    pub fn file(self, job: &Path) -> PathBuf {
        self.folder(job).join(match self {
            Self::Sled => sled::LOG_FILE,
            Self::Redb => redb::FILE,
        })
    }

    /// Opens the store in `folder`, or creates one.
    ///
    /// # Errors
    /// [`StoreError::Damaged`], [`StoreError::Io`].
    pub fn open(self, folder: &Path, cache_bytes: u64) -> Result<Arc<dyn SnapshotStore>, StoreError> {
        Ok(match self {
            Self::Sled => Arc::new(SledStore::open(folder, cache_bytes)?),
            Self::Redb => Arc::new(RedbStore::open(folder, cache_bytes)?),
        })
    }
}
