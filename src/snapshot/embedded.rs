//! The embedded engines: which there are, and what each keeps where in a job's folder.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use crate::ports::SnapshotStore;
use crate::ports::StoreError;

use super::{
    redb::{self, RedbStore},
    sled::{self, SledStore},
};

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
    /// All of them.
    pub const ALL: [Self; 2] = [Self::Sled, Self::Redb];

    /// Its name: the word in the settings, and the folder in a job's folder.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Sled => "sled",
            Self::Redb => "redb",
        }
    }

    /// Its folder in a job's folder.
    #[must_use]
    pub fn folder(self, job: &Path) -> PathBuf {
        job.join(self.name())
    }

    /// The file that is there once a store was made in a job's folder.
    #[must_use]
    pub fn file(self, job: &Path) -> PathBuf {
        self.folder(job).join(match self {
            Self::Sled => sled::LOG_FILE,
            Self::Redb => redb::FILE,
        })
    }

    /// Opens the store in `folder`, or makes one.
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
