//! The engines that a law is tried on: each by default, and sled with a journal that is folded every few changes, which
//! happens within a test's few commits.

use std::path::Path;
use std::sync::Arc;

use crate::ports::SnapshotStore;
use crate::ports::StoreError;
use crate::snapshot::kv::embedded::Engine;
use crate::snapshot::kv::sled::SledStore;

const CACHE: u64 = 1 << 20;

/// An engine, and how it is opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tried {
    /// The engine with its default settings.
    Plain(Engine),
    /// sled with a journal of at most so many bytes.
    Folding(usize),
}

impl Tried {
    /// A commit of twenty small changes goes into the journal, and every thirtieth folds it.
    pub const FOLDING: Self = Self::Folding(64_000);

    /// All of them, also with an empty journal, and one that takes in commits of a hundred larger changes.
    pub const ALL: [Self; 5] = [
        Self::Plain(Engine::Sled),
        Self::Folding(0),
        Self::FOLDING,
        Self::Folding(1_000_000),
        Self::Plain(Engine::Redb),
    ];

    /// Returns the name, for messages and to find it again.
    pub fn name(self) -> String {
        match self {
            Self::Plain(engine) => engine.name().to_owned(),
            Self::Folding(size) => format!("sled-folded-at-{size}"),
        }
    }

    /// Opens the store in `folder`, or creates one.
    pub fn open(self, folder: &Path) -> Result<Arc<dyn SnapshotStore>, StoreError> {
        match self {
            Self::Plain(engine) => engine.open(folder, CACHE),
            Self::Folding(size) => Ok(Arc::new(SledStore::open_with(folder, CACHE, size)?)),
        }
    }
}
