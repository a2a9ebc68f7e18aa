//! redb 4 behind the store port: a tree for each table in one file, one write transaction over all of them.
//!
//! Readers see the last commit whole and never wait for a writer. Both durabilities reach the disk before a commit
//! returns: what redb calls `Durability::None` is lost when the process is killed, which [`Durability::Lazy`] must
//! survive. They differ in how the file opens after a crash. A synced commit saves the allocator's state with it (quick
//! repair, two writes to disk), and opens at once. A lazy one does not (one write to disk); after a crash on top of it
//! every page is read once, which for a large file takes seconds. Calls block: never call it from an async worker.

use std::{
    collections::BTreeMap,
    fs::OpenOptions,
    io,
    ops::Bound,
    panic::{AssertUnwindSafe, catch_unwind},
    path::{Path, PathBuf},
    sync::atomic::{AtomicBool, Ordering},
};

use ::redb::{
    Builder, Database, DatabaseError, ReadableDatabase, StorageError, TableDefinition, TableError,
    backends::FileBackend,
};

use crate::files::open_ours;
use crate::ports::Durability;
use crate::ports::KeyValue;
use crate::ports::SnapshotStore;
use crate::ports::StoreError;
use crate::ports::Table;
use crate::ports::WriteBatch;

use crate::snapshot::lock::create_private;
use crate::snapshot::lock::sync_names;

/// The file in the store's folder.
pub(super) const FILE: &str = "snapshot.redb";

type Definition = TableDefinition<'static, &'static [u8], &'static [u8]>;

/// A redb database in a folder of its own.
pub struct RedbStore {
    /// `None` only during the drop.
    db: Option<Database>,
    folder: PathBuf,
    /// True while the last commit did not save the allocator's state: the next open after a crash is a slow one.
    opens_slowly: AtomicBool,
    /// Set once redb panicked: its inner state can no longer be trusted.
    broken: AtomicBool,
}

impl std::fmt::Debug for RedbStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RedbStore")
            .field("folder", &self.folder)
            .finish_non_exhaustive()
    }
}

impl RedbStore {
    /// Opens the database in `folder`, or creates one, with mode 0600. `cache_bytes` bounds how much of it redb holds
    /// in memory.
    ///
    /// # Errors
    /// [`StoreError::Damaged`] where redb cannot read its own file (or panics over it); [`StoreError::Io`].
    pub fn open(folder: &Path, cache_bytes: u64) -> Result<Self, StoreError> {
        create_private(folder)?;
        let refused = |error| failed(folder, "open the snapshot", StorageError::Io(error).into());
        let path = folder.join(FILE);
        let fresh = !path.exists();
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false);
        let file = open_ours(&path, &mut options).map_err(refused)?;
        let opened = catch_unwind(AssertUnwindSafe(|| {
            let mut builder = Builder::new();
            builder.set_cache_size(usize::try_from(cache_bytes).unwrap_or(usize::MAX));
            builder.create_with_backend(FileBackend::new(file)?)
        }));
        let db = match opened {
            Ok(opened) => opened.map_err(|error| not_opened(folder, error))?,
            Err(_) => return Err(damaged(folder, "redb panicked at opening it")),
        };
        if fresh {
            // The file's name must be on disk as well as its content.
            sync_names(folder).map_err(refused)?;
        }
        Ok(Self {
            db: Some(db),
            folder: folder.to_owned(),
            opens_slowly: AtomicBool::new(false),
            broken: AtomicBool::new(false),
        })
    }

    /// Runs calls of redb; a panic inside them becomes "damaged", now and for every later call.
    fn call<T>(
        &self,
        what: &str,
        run: impl FnOnce(&Database) -> Result<T, ::redb::Error>,
    ) -> Result<T, StoreError> {
        let db = self
            .db
            .as_ref()
            .expect("the database is there until the store is dropped");
        if self.broken.load(Ordering::Acquire) {
            return Err(damaged(&self.folder, "an earlier call failed beyond repair"));
        }
        match catch_unwind(AssertUnwindSafe(|| run(db))) {
            Ok(done) => done.map_err(|error| failed(&self.folder, what, error)),
            Err(_) => {
                self.broken.store(true, Ordering::Release);
                Err(damaged(&self.folder, &format!("redb panicked at {what}")))
            }
        }
    }

    fn write(&self, batch: WriteBatch, quick_repair: bool) -> Result<(), StoreError> {
        let mut tables: BTreeMap<Table, BTreeMap<Vec<u8>, Option<Vec<u8>>>> = BTreeMap::new();
        for (table, key, value) in batch.writes {
            tables.entry(table).or_default().insert(key, value);
        }
        self.call("a commit", |db| {
            let mut writing = db.begin_write()?;
            writing.set_quick_repair(quick_repair);
            for (table, changes) in &tables {
                let mut table = writing.open_table(definition(*table))?;
                for (key, value) in changes {
                    match value {
                        Some(value) => table.insert(key.as_slice(), value.as_slice())?,
                        None => table.remove(key.as_slice())?,
                    };
                }
            }
            // Inside the transaction, of which there is one at a time: otherwise a writer after this one could be
            // undone.
            self.opens_slowly.store(!quick_repair, Ordering::Release);
            Ok(writing.commit()?)
        })
    }
}

impl Drop for RedbStore {
    fn drop(&mut self) {
        let db = self.db.take();
        // A damaged database may panic here too; nothing is left to report it to.
        let _ = catch_unwind(AssertUnwindSafe(|| drop(db)));
    }
}

impl SnapshotStore for RedbStore {
    fn get(&self, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        self.call("a read", |db| {
            let Some(table) = unless_new(db.begin_read()?.open_table(definition(table)))? else {
                return Ok(None);
            };
            Ok(table.get(key)?.map(|value| value.value().to_vec()))
        })
    }

    fn scan(
        &self,
        table: Table,
        prefix: &[u8],
        after: Option<&[u8]>,
        limit: usize,
    ) -> Result<Vec<KeyValue>, StoreError> {
        let from = match after {
            Some(after) if after >= prefix => Bound::Excluded(after),
            _ => Bound::Included(prefix),
        };
        self.call("a scan", |db| {
            let Some(table) = unless_new(db.begin_read()?.open_table(definition(table)))? else {
                return Ok(Vec::new());
            };
            let mut found = Vec::with_capacity(limit.min(64));
            for entry in table.range::<&[u8]>((from, Bound::Unbounded))?.take(limit) {
                let (key, value) = entry?;
                if !key.value().starts_with(prefix) {
                    break;
                }
                found.push((key.value().to_vec(), value.value().to_vec()));
            }
            Ok(found)
        })
    }

    fn commit(&self, batch: WriteBatch, durability: Durability) -> Result<(), StoreError> {
        self.write(batch, durability == Durability::Synced)
    }

    /// Saves the allocator's state where the last commit did not: every commit is on disk already.
    fn sync(&self) -> Result<(), StoreError> {
        if self.opens_slowly.load(Ordering::Acquire) {
            self.write(WriteBatch::default(), true)?;
        }
        Ok(())
    }

    fn size_on_disk(&self) -> Result<u64, StoreError> {
        let size = std::fs::metadata(self.folder.join(FILE)).map(|file| file.len());
        size.map_err(|error| failed(&self.folder, "ask for the size", StorageError::Io(error).into()))
    }
}

/// Returns the definition of a table. Its name is part of the format.
const fn definition(table: Table) -> Definition {
    TableDefinition::new(match table {
        Table::Meta => "meta",
        Table::Objects => "objects",
        Table::Edges => "edges",
        Table::Referrers => "referrers",
        Table::Dirty => "dirty",
        Table::Owners => "owners",
        Table::Intents => "intents",
        Table::History => "history",
        Table::HistoryValues => "history-values",
        Table::Readings => "readings",
        Table::ReadingIndex => "reading-index",
        Table::Forecast => "forecast",
        Table::Cycles => "cycles",
        Table::Removals => "removals",
        Table::Scope => "scope",
        Table::Assignments => "assignments",
        Table::KeptBack => "kept-back",
        Table::Drift => "drift",
        Table::Escrow => "escrow",
        Table::Refused => "refused",
        Table::Cells => "cells",
        Table::Enrolments => "enrolments",
        Table::Observed => "observed",
        Table::HistoryMarks => "history-marks",
    })
}

/// Returns `None` for a table that does not exist yet: the first write creates it, until then it reads as empty.
fn unless_new<T>(opened: Result<T, TableError>) -> Result<Option<T>, TableError> {
    match opened {
        Ok(table) => Ok(Some(table)),
        Err(TableError::TableDoesNotExist(_)) => Ok(None),
        Err(error) => Err(error),
    }
}

fn not_opened(folder: &Path, error: DatabaseError) -> StoreError {
    match error {
        DatabaseError::UpgradeRequired(_) => damaged(folder, "its file has a format of redb that is too old"),
        other => failed(folder, "open the snapshot", other.into()),
    }
}

/// Builds the error of a failed call: damaged where the file is not what redb wrote; everything else is a refusal of
/// the disk or the folder.
fn failed(folder: &Path, action: &str, error: ::redb::Error) -> StoreError {
    use ::redb::Error;
    match error {
        Error::Io(cause)
            if matches!(
                cause.kind(),
                io::ErrorKind::UnexpectedEof | io::ErrorKind::InvalidData
            ) =>
        {
            damaged(folder, &format!("its file is not whole ({cause})"))
        }
        Error::Io(cause) => io_error(folder, action, cause.into()),
        refused @ (Error::PreviousIo | Error::DatabaseAlreadyOpen | Error::ValueTooLarge(_)) => {
            io_error(folder, action, refused.into())
        }
        other => damaged(folder, &other.to_string()),
    }
}

fn io_error(folder: &Path, action: &str, cause: crate::ports::Cause) -> StoreError {
    StoreError::Io {
        action: action.to_owned(),
        path: folder.display().to_string(),
        cause,
    }
}

fn damaged(folder: &Path, what: &str) -> StoreError {
    StoreError::Damaged {
        path: folder.display().to_string(),
        what: what.to_owned(),
    }
}
