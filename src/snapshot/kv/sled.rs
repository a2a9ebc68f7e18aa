//! sled 0.34 behind the store port; the rules are those of docs/design/stores.md, "Rules for sled", each cited where it
//! is kept.
//!
//! One sled tree holds all tables, with the table's number before the key: one `apply_batch` is then one atomic step
//! over all of them, recovered whole or not at all, and cheaper than a transaction over several trees. Tables of small
//! entries are kept in [`blocks`], because sled copies a whole node for every key that it writes, and are written by
//! way of a journal, because a block is written whole. Calls block: never call it from an async worker.

use std::{
    collections::{BTreeMap, HashSet},
    fs::{self, File},
    io,
    panic::{AssertUnwindSafe, catch_unwind},
    path::{Path, PathBuf},
    sync::{
        Mutex, PoisonError, RwLock, RwLockReadGuard,
        atomic::{AtomicBool, Ordering},
    },
    thread::sleep,
    time::Duration,
};

use crate::ports::Durability;
use crate::ports::KeyValue;
use crate::ports::SnapshotStore;
use crate::ports::StoreError;
use crate::ports::Table;
use crate::ports::WriteBatch;

use crate::snapshot::kv::blocks;
use crate::snapshot::lock::create_private;
use crate::snapshot::lock::sync_names;
use crate::snapshot::pages::until_empty;

/// The default size of sled's page cache in bytes; its resident size is three to four times as much. Measured:
/// docs/performance.md.
pub const DEFAULT_CACHE_BYTES: u64 = 24 * 1024 * 1024;

/// The number of users and groups from which redb is the better engine: sled reads its own index when it is opened, and
/// keeps it in memory. Measured: docs/performance.md.
pub const SLED_IS_GOOD_BELOW: u64 = 300_000;

/// How often sled flushes by itself. Never "never": its resident size would explode (rule 4).
const FLUSH_EVERY_MS: u64 = 500;

/// The waits before opening again: sled releases its own file lock some time after a drop (rule 7).
const REOPEN_WAITS_MS: [u64; 8] = [5, 10, 20, 40, 80, 160, 320, 640];

/// The file names of sled 0.34: its log, its own settings, and the folder of values too large for the log.
pub(super) const LOG_FILE: &str = "db";
const CONFIG_FILE: &str = "conf";
const BLOB_FOLDER: &str = "blobs";

mod journal;
mod small;
mod unfinished;

use journal::{Change, Changes, FOLDED_AT, Journal, SmallChanges, Step};
use small::{BLOCKED, block_of, first_from, in_blocks};

/// A sled database in a folder of its own.
pub struct SledStore {
    /// `None` only during the drop.
    db: Option<::sled::Db>,
    /// Our own handle to the log: sled's `flush()` is `sync_file_range`, which survives no power cut (rule 1).
    log: File,
    folder: PathBuf,
    /// One commit at a time: a block is read, changed and written back.
    committing: Mutex<()>,
    /// Small changes that are in no block yet. Its lock is also held by a scan of blocks: a commit cuts and joins
    /// blocks, and sled's ranges are not of one moment, so a concurrent scan would meet an entry twice, in its old
    /// block and in the one that was cut off. No scan of blocks runs beside the one step that writes them.
    journal: RwLock<Journal>,
    /// True while tables of small entries still have entries outside of blocks, as format 1 stored them.
    scattered: AtomicBool,
    /// Large values that are on disk already: sled writes them beside the log and never syncs them.
    synced_blobs: Mutex<HashSet<std::ffi::OsString>>,
    /// Set once sled panicked: its inner state can no longer be trusted.
    broken: AtomicBool,
}

impl std::fmt::Debug for SledStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SledStore")
            .field("folder", &self.folder)
            .finish_non_exhaustive()
    }
}

impl SledStore {
    /// Opens the database in `folder`, or creates one.
    ///
    /// # Errors
    /// [`StoreError::Damaged`] where sled cannot read its own files (or panics over them); [`StoreError::Io`].
    pub fn open(folder: &Path, cache_bytes: u64) -> Result<Self, StoreError> {
        Self::open_with(folder, cache_bytes, FOLDED_AT)
    }

    /// Opens as [`Self::open`] does, but folds the journal at another size: for tests, which see both without a million
    /// changes.
    pub(in crate::snapshot) fn open_with(
        folder: &Path,
        cache_bytes: u64,
        folded_at: usize,
    ) -> Result<Self, StoreError> {
        create_private(folder)?;
        unfinished::remove_torn(folder)
            .map_err(|error| io_error(folder, "remove half-written files", error))?;
        let db = open_patiently(folder, cache_bytes)?;
        let log =
            File::open(folder.join(LOG_FILE)).map_err(|error| io_error(folder, "open the log", error))?;
        // Written once, when the database is created, and never synced by sled; if it is torn, the database no longer
        // opens.
        File::open(folder.join(CONFIG_FILE))
            .and_then(|config| config.sync_all())
            .and_then(|()| sync_names(folder))
            .map_err(|error| io_error(folder, "sync sled's own settings", error))?;
        let store = Self {
            db: Some(db),
            log,
            folder: folder.to_owned(),
            committing: Mutex::default(),
            journal: RwLock::new(Journal::new(folded_at)),
            scattered: AtomicBool::new(false),
            synced_blobs: Mutex::default(),
            broken: AtomicBool::new(false),
        };
        let scattered = store.call("a look for scattered entries", |db| {
            let mut found = BLOCKED
                .iter()
                .map(|table| Ok(first_from(db, &[*table as u8])?.is_some()));
            found.try_fold(false, |any, one: ::sled::Result<bool>| Ok(any | one?))
        })?;
        store.scattered.store(scattered, Ordering::Release);
        let journal = store
            .call("reading the journal", |db| Journal::read(db, folded_at))?
            .map_err(|error| store.undecodable(error))?;
        *store.journal.write().unwrap_or_else(PoisonError::into_inner) = journal;
        Ok(store)
    }

    /// Runs a call of sled; a panic inside it becomes "damaged", now and for every later call (rule 6).
    fn call<T>(
        &self,
        what: &str,
        run: impl FnOnce(&::sled::Db) -> ::sled::Result<T>,
    ) -> Result<T, StoreError> {
        let db = self
            .db
            .as_ref()
            .expect("the database is there until the store is dropped");
        self.intact()?;
        match catch_unwind(AssertUnwindSafe(|| run(db))) {
            Ok(done) => done.map_err(|error| sled_error(&self.folder, what, error)),
            Err(_) => {
                self.broken.store(true, Ordering::Release);
                Err(damaged(&self.folder, &format!("sled panicked at {what}")))
            }
        }
    }

    /// Returns an error if an earlier call left open what the store holds, or panicked while it held the journal.
    fn intact(&self) -> Result<(), StoreError> {
        if self.broken.load(Ordering::Acquire) || self.journal.is_poisoned() {
            return Err(damaged(&self.folder, "an earlier call failed beyond repair"));
        }
        Ok(())
    }

    fn sync_to_disk(&self) -> Result<(), StoreError> {
        self.sync_blobs()
            .map_err(|error| io_error(&self.folder, "sync large values", error))?;
        self.log
            .sync_data()
            .map_err(|error| io_error(&self.folder, "sync the log", error))
    }

    fn sync_blobs(&self) -> io::Result<()> {
        let folder = self.folder.join(BLOB_FOLDER);
        let mut present = HashSet::new();
        let mut synced = self.synced_blobs.lock().unwrap_or_else(PoisonError::into_inner);
        let mut new = false;
        for entry in fs::read_dir(&folder)? {
            let entry = entry?;
            if !synced.contains(&entry.file_name()) {
                new = true;
                match File::open(entry.path()) {
                    Ok(file) => file.sync_data()?,
                    // Removed by sled in the meantime: nothing refers to it any more.
                    Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                    Err(error) => return Err(error),
                }
            }
            present.insert(entry.file_name());
        }
        if new {
            File::open(&folder)?.sync_all()?;
        }
        *synced = present;
        Ok(())
    }
}

impl Drop for SledStore {
    fn drop(&mut self) {
        let db = self.db.take();
        // A damaged database may panic here too; nothing is left to report it to.
        let _ = catch_unwind(AssertUnwindSafe(|| drop(db)));
    }
}

impl SnapshotStore for SledStore {
    fn get(&self, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        if !in_blocks(table) {
            let key = prefixed(table as u8, key);
            return self.call("a read", |db| Ok(db.get(key)?.map(|value| value.to_vec())));
        }
        let newer = self.journal().newer(table, key).cloned();
        if let Some(newer) = newer {
            return self.intact().map(|()| newer);
        }
        let block = self.call("a read", |db| block_of(db, table, key))?;
        let held = block.map(|(_, block)| blocks::find(&block, key).map(|value| value.map(<[u8]>::to_vec)));
        match held
            .transpose()
            .map_err(|error| self.undecodable(error))?
            .flatten()
        {
            None if self.is_scattered() => {
                let key = prefixed(table as u8, key);
                self.call("a read", |db| Ok(db.get(key)?.map(|value| value.to_vec())))
            }
            held => Ok(held),
        }
    }

    fn scan(
        &self,
        table: Table,
        prefix: &[u8],
        after: Option<&[u8]>,
        limit: usize,
    ) -> Result<Vec<KeyValue>, StoreError> {
        if !in_blocks(table) {
            return self.scan_plain(table, prefix, after, limit);
        }
        let journal = self.journal();
        let newer = journal.newer_in(table, prefix, after);
        let found = self.scan_blocks(table, prefix, after, limit, newer)?;
        if !self.is_scattered() {
            return Ok(found);
        }
        let mut both: BTreeMap<Vec<u8>, Vec<u8>> = self
            .scan_plain(table, prefix, after, limit)?
            .into_iter()
            .collect();
        both.extend(found);
        Ok(both.into_iter().take(limit).collect())
    }

    fn commit(&self, batch: WriteBatch, durability: Durability) -> Result<(), StoreError> {
        let _one = self.committing.lock().unwrap_or_else(PoisonError::into_inner);
        let mut writes = ::sled::Batch::default();
        let mut small: BTreeMap<Table, Vec<Change>> = BTreeMap::new();
        for (table, key, value) in batch.writes {
            if in_blocks(table) {
                small.entry(table).or_default().push((key, value));
            } else {
                put(&mut writes, prefixed(table as u8, &key), value);
            }
        }
        // They come in order, and building a map of many at once is faster than one by one.
        let small = small
            .into_iter()
            .map(|(table, changes)| (table, Changes::from_iter(changes)));
        let step = self.write_small(small.collect(), &mut writes)?;
        self.call("a commit", |db| {
            self.apply(db, writes, step)?;
            // Without this a killed process loses what sits in sled's buffers.
            db.flush().map(drop)
        })?;
        match durability {
            Durability::Synced => self.sync_to_disk(),
            Durability::Lazy => Ok(()),
        }
    }

    fn sync(&self) -> Result<(), StoreError> {
        self.call("a flush", |db| db.flush().map(drop))?;
        self.sync_to_disk()
    }

    fn size_on_disk(&self) -> Result<u64, StoreError> {
        self.call("asking for the size", ::sled::Db::size_on_disk)
    }

    fn renew_layout(&self) -> Result<(), StoreError> {
        for table in BLOCKED {
            until_empty(
                |limit| self.scan_plain(*table, &[], None, limit),
                |page| {
                    let _one = self.committing.lock().unwrap_or_else(PoisonError::into_inner);
                    let mut writes = ::sled::Batch::default();
                    for (key, _) in &page {
                        writes.remove(prefixed(*table as u8, key));
                    }
                    let moved: Changes = page.into_iter().map(|(key, value)| (key, Some(value))).collect();
                    let moved = SmallChanges::from([(*table, moved)]);
                    let step = self.fold(&moved, &mut writes)?;
                    self.call("moving entries into blocks", |db| self.apply(db, writes, step))
                },
            )?;
        }
        self.scattered.store(false, Ordering::Release);
        self.sync()
    }
}

impl SledStore {
    fn journal(&self) -> RwLockReadGuard<'_, Journal> {
        self.journal.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds to `writes` these changes to tables of small entries, in the journal or in the blocks.
    fn write_small(&self, changes: SmallChanges, writes: &mut ::sled::Batch) -> Result<Step, StoreError> {
        if self.journal().folds(&changes) {
            self.fold(&changes, writes)
        } else {
            Ok(self.journal().note(changes, writes))
        }
    }

    /// Adds to `writes` the fold of the journal and these changes into the blocks.
    fn fold(&self, changes: &SmallChanges, writes: &mut ::sled::Batch) -> Result<Step, StoreError> {
        let journal = self.journal();
        for (table, changes) in journal.fold(changes, writes) {
            self.change_blocks(table, &changes, writes)?;
        }
        Ok(Step::Folded)
    }

    /// Applies a commit as one atomic step, for readers too: the journal follows what sled holds.
    fn apply(&self, db: &::sled::Db, writes: ::sled::Batch, step: Step) -> ::sled::Result<()> {
        let mut journal = self.journal.write().unwrap_or_else(PoisonError::into_inner);
        // Whether it was carried out is unknown then, and the journal in memory might be older.
        db.apply_batch(writes)
            .inspect_err(|_| self.broken.store(true, Ordering::Release))?;
        journal.follow(step);
        Ok(())
    }

    fn scan_plain(
        &self,
        table: Table,
        prefix: &[u8],
        after: Option<&[u8]>,
        limit: usize,
    ) -> Result<Vec<KeyValue>, StoreError> {
        let prefix = prefixed(table as u8, prefix);
        let mut from = after.map_or_else(Vec::new, |after| prefixed(table as u8, after));
        if from < prefix {
            from.clone_from(&prefix);
        } else {
            from.push(0); // the least key that is greater than `after`
        }
        self.call("a scan", |db| {
            let mut found = Vec::with_capacity(limit.min(1024));
            for entry in db.range(from..).take(limit) {
                let (key, value) = entry?;
                if !key.starts_with(&prefix) {
                    break;
                }
                // Copied: an IVec kept for long keeps its whole page in memory (rule 8).
                found.push((key[1..].to_vec(), value.to_vec()));
            }
            Ok(found)
        })
    }
}

fn put(writes: &mut ::sled::Batch, key: Vec<u8>, value: Option<Vec<u8>>) {
    match value {
        Some(value) => writes.insert(key, value),
        None => writes.remove(key),
    }
}

fn prefixed(number: u8, key: &[u8]) -> Vec<u8> {
    let mut whole = Vec::with_capacity(key.len() + 2);
    whole.push(number);
    whole.extend_from_slice(key);
    whole
}

fn open_patiently(folder: &Path, cache_bytes: u64) -> Result<::sled::Db, StoreError> {
    let mut waits = REOPEN_WAITS_MS.iter();
    loop {
        let config = ::sled::Config::new()
            .path(folder)
            .mode(::sled::Mode::LowSpace)
            .cache_capacity(cache_bytes)
            .flush_every_ms(Some(FLUSH_EVERY_MS))
            .use_compression(false);
        let opened = catch_unwind(AssertUnwindSafe(|| config.open()));
        match opened {
            Ok(Ok(db)) => return Ok(db),
            Ok(Err(error)) => match waits.next() {
                Some(wait) if still_locked(&error) => sleep(Duration::from_millis(*wait)),
                _ => return Err(sled_error(folder, "open the snapshot", error)),
            },
            Err(_) => return Err(damaged(folder, "sled panicked at opening it")),
        }
    }
}

/// Returns true for the WouldBlock of sled's own lock, which sled wraps into an error of kind `Other`.
fn still_locked(error: &::sled::Error) -> bool {
    matches!(error, ::sled::Error::Io(cause)
        if cause.kind() == io::ErrorKind::WouldBlock || cause.to_string().contains("WouldBlock"))
}

fn sled_error(folder: &Path, action: &str, error: ::sled::Error) -> StoreError {
    match error {
        ::sled::Error::Io(cause) if cause.kind() == io::ErrorKind::UnexpectedEof => {
            damaged(folder, &format!("a file ends too early ({cause})"))
        }
        ::sled::Error::Io(cause) => io_error(folder, action, cause),
        other => damaged(folder, &other.to_string()),
    }
}

fn io_error(folder: &Path, action: &str, cause: io::Error) -> StoreError {
    StoreError::Io {
        action: action.to_owned(),
        path: folder.display().to_string(),
        cause: cause.into(),
    }
}

fn damaged(folder: &Path, what: &str) -> StoreError {
    StoreError::Damaged {
        path: folder.display().to_string(),
        what: what.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn once_a_commit_broke_off_nothing_is_answered_from_the_journal_either() {
        let folder = tempfile::tempdir().unwrap();
        let store = SledStore::open(folder.path(), 1 << 20).unwrap();
        let mut batch = WriteBatch::default();
        batch.put(Table::Dirty, "k", [1]);
        store.commit(batch, Durability::Lazy).unwrap();
        assert_eq!(store.get(Table::Dirty, b"k").unwrap(), Some(vec![1]));
        store.broken.store(true, Ordering::Release);
        let error = store.get(Table::Dirty, b"k").unwrap_err();
        assert!(matches!(error, StoreError::Damaged { .. }), "{error:?}");
    }
}
