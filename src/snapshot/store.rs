//! The typed snapshot over any engine: opening, binding, counters.
//!
//! One writer at a time, any number of readers. All calls block: do not call them from an async worker.

use std::{
    path::Path,
    sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard},
};

use crate::model::id::ObjectKind;
use crate::model::id::SourceId;
use crate::ports::Durability;
use crate::ports::KeyValue;
use crate::ports::SnapshotStore;
use crate::ports::StoreError;
use crate::ports::Table;
use crate::ports::WriteBatch;

use super::called::CalledMemory;
use super::called::Looking;
use super::counts::Counts;
use super::counts::Heads;
use super::keys;
use super::pages::raw_pages;
use super::pages::until_empty;
use super::possible::Possible;
use super::read::Reads;
use super::recent::News;
use super::recent::Recent;
use super::record;
use super::record::Binding;
use super::record::Brief;
use super::record::DirtyCause;
use super::record::Head;
use super::tx::Tx;
use crate::snapshot::kv::moment::Moments;
use crate::snapshot::kv::overlay::Overlay;
use crate::snapshot::maintenance::migrate;
use crate::snapshot::maintenance::migrate::FORMAT;

/// A job's snapshot. Clones share it.
#[derive(Debug, Clone)]
pub struct Snapshot(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    store: Arc<dyn SnapshotStore>,
    path: String,
    /// Held by a transaction from beginning to end.
    writer: Mutex<()>,
    /// `None` after a commit that failed: it may have been carried out, so the store is asked again.
    heads: RwLock<Option<Heads>>,
    recent: Recent,
    possible: Possible,
    called: CalledMemory,
    /// What is looked at aside.
    moments: Moments,
}

impl Reads for Snapshot {
    fn raw(&self, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        if self.0.possible.excludes(table, key) {
            return Ok(None);
        }
        self.0.store.get(table, key)
    }

    fn raw_scan(
        &self,
        table: Table,
        prefix: &[u8],
        after: Option<&[u8]>,
        limit: usize,
    ) -> Result<Vec<KeyValue>, StoreError> {
        self.0.store.scan(table, prefix, after, limit)
    }

    fn path(&self) -> &str {
        &self.0.path
    }

    fn brief(&self, kind: ObjectKind, id: &SourceId) -> Result<Option<Brief>, StoreError> {
        let key = keys::object(kind, id);
        self.0.recent.brief(&key, || self.read_brief(kind, id))
    }

    fn dirty_cause(&self, kind: ObjectKind, id: &SourceId) -> Result<Option<DirtyCause>, StoreError> {
        let key = keys::object(kind, id);
        self.0.recent.mark(&key, || self.read_dirty_cause(kind, id))
    }
}

impl Snapshot {
    /// Opens an engine's store as a snapshot; an empty one gets today's format. `path` is for messages.
    ///
    /// # Errors
    /// [`StoreError::TooNew`], [`StoreError::Damaged`]. A store of an older format is refused as damaged here:
    /// [`super::folder::StateFolder::open_job`] migrates it first.
    pub fn open(store: Arc<dyn SnapshotStore>, path: &Path) -> Result<Self, StoreError> {
        let path = path.display().to_string();
        match migrate::format_of(&*store, &path)? {
            None => {
                let mut batch = WriteBatch::default();
                batch.put(Table::Meta, keys::meta::FORMAT, FORMAT.to_be_bytes());
                store.commit(batch, Durability::Synced)?;
            }
            Some(FORMAT) => {}
            Some(found) if found > FORMAT => {
                return Err(StoreError::TooNew {
                    path,
                    found,
                    known: FORMAT,
                });
            }
            Some(found) => {
                let what = format!("it has format {found}, which was not migrated to {FORMAT}");
                return Err(StoreError::Damaged { path, what });
            }
        }
        let (writer, heads) = (Mutex::default(), RwLock::default());
        let possible = Possible::of(&*store)?;
        let snapshot = Self(Arc::new(Inner {
            store,
            path,
            writer,
            heads,
            recent: Recent::default(),
            possible,
            called: CalledMemory::default(),
            moments: Moments::default(),
        }));
        snapshot.current_heads()?;
        Ok(snapshot)
    }

    /// Returns the same snapshot, but with everything written from now on in memory and dropped with it.
    ///
    /// What others write meanwhile is not seen: it is the snapshot of this moment.
    pub fn aside(&self) -> Result<Self, StoreError> {
        let moment = {
            let _no_commit = self.0.writer.lock().unwrap_or_else(PoisonError::into_inner);
            self.0.moments.open(&self.0.store)
        };
        let overlay = Overlay::over(moment);
        Self::open(Arc::new(overlay), Path::new(&self.0.path))
    }

    /// Returns the engine below, for backup and self-check.
    #[must_use]
    pub fn store(&self) -> &dyn SnapshotStore {
        &*self.0.store
    }

    /// Binds the store to a tenant and a target at first use, and compares them ever after (docs/design/cycle.md,
    /// "Holding the job").
    ///
    /// # Errors
    /// [`StoreError::Bound`] where it belongs to another one.
    pub fn bind(&self, wanted: &Binding) -> Result<(), StoreError> {
        match self.binding()? {
            Some(bound) if bound == *wanted => Ok(()),
            Some(bound) => Err(StoreError::Bound {
                path: self.path().to_owned(),
                bound: bound.to_string(),
                wanted: wanted.to_string(),
            }),
            None => {
                let mut tx = self.tx()?;
                tx.put(Table::Meta, keys::meta::BINDING.to_vec(), record::encode(wanted));
                tx.commit(Durability::Synced)
            }
        }
    }

    /// Begins a transaction, after the one before it has ended.
    ///
    /// # Errors
    /// When the counters cannot be read.
    pub fn tx(&self) -> Result<Tx<'_>, StoreError> {
        let guard = self.0.writer.lock().unwrap_or_else(PoisonError::into_inner);
        let heads = self.current_heads()?;
        Ok(Tx::new(self, guard, heads))
    }

    /// Returns the counters as of the last commit.
    ///
    /// # Errors
    /// Only after a failed commit, when the counters must be read again and cannot be.
    pub fn counts(&self) -> Result<Counts, StoreError> {
        Ok(self.current_heads()?.counts)
    }

    /// Returns the number of dirty objects of a kind.
    pub fn dirty_count(&self, kind: ObjectKind) -> Result<u64, StoreError> {
        Ok(self.counts()?.dirty(kind))
    }

    /// Returns the number of the next history entry, and the hash over all records so far.
    pub fn history_head(&self) -> Result<Head, StoreError> {
        let heads = self.current_heads()?;
        Ok(Head {
            next: heads.next_history,
            hash: heads.history_hash,
        })
    }

    /// Returns the summaries of the last `n` cycles, oldest first.
    pub fn cycles(&self, n: u64) -> Result<Vec<serde_json::Value>, StoreError> {
        let next = self.current_heads()?.next_cycle;
        let after = next.checked_sub(n + 1).map(keys::number);
        self.raw_scan(Table::Cycles, &[], after.as_deref(), usize::MAX)?
            .iter()
            .map(|(_, json)| serde_json::from_slice(json).map_err(|error| self.damaged(error)))
            .collect()
    }

    /// Marks every known object of a kind dirty, a page a commit.
    pub fn mark_all_dirty(&self, kind: ObjectKind, cause: DirtyCause) -> Result<(), StoreError> {
        let prefix = [keys::kind_byte(kind)];
        let mut pages = raw_pages();
        let mut marks = Vec::new();
        while let Some(page) = pages.next_page(|after, limit| {
            let after = after.map(Vec::as_slice);
            // The existing marks, read together: only known objects have one, so a page of marks reaches as far.
            marks = self.raw_scan(Table::Dirty, &prefix, after, limit)?;
            self.raw_scan(Table::Objects, &prefix, after, limit)
        })? {
            let mut marks = std::mem::take(&mut marks).into_iter().peekable();
            let mut tx = self.tx()?;
            for (key, _) in &page {
                while marks.next_if(|(other, _)| other < key).is_some() {}
                let before = marks.next_if(|(other, _)| other == key);
                tx.mark_over(
                    kind,
                    key,
                    before.map(|(_, bits)| DirtyCause::decode(&bits)),
                    cause,
                );
            }
            tx.commit(Durability::Lazy)?;
        }
        self.sync()
    }

    /// Deletes the readings of a kind that target listings brought.
    pub fn clear_readings(&self, kind: ObjectKind) -> Result<(), StoreError> {
        for table in [Table::Readings, Table::ReadingIndex] {
            self.clear(table, &[keys::kind_byte(kind)])?;
        }
        Ok(())
    }

    /// Deletes the forecast.
    pub fn clear_forecast(&self) -> Result<(), StoreError> {
        self.clear(Table::Forecast, &[])
    }

    /// Deletes the removals of the first pass.
    pub fn clear_removals(&self) -> Result<(), StoreError> {
        self.clear(Table::Removals, &[])
    }

    pub(super) fn clear(&self, table: Table, prefix: &[u8]) -> Result<(), StoreError> {
        let read = |limit| self.raw_scan(table, prefix, None, limit);
        until_empty(read, |page| {
            let mut tx = self.tx()?;
            for (key, _) in page {
                tx.delete(table, key);
            }
            tx.commit(Durability::Lazy)
        })
    }

    /// Makes every commit so far durable.
    pub fn sync(&self) -> Result<(), StoreError> {
        self.0.store.sync()
    }

    /// Returns the bytes on disk (metric `melonsync_snapshot_bytes`).
    pub fn size_on_disk(&self) -> Result<u64, StoreError> {
        self.0.store.size_on_disk()
    }

    /// Returns the ids of all who may be looked for by a name; others may be among them. `None` where that is not remembered.
    ///
    /// # Errors
    /// As every read.
    pub fn may_be_called(&self, looking: &Looking<'_>) -> Result<Option<Vec<SourceId>>, StoreError> {
        self.0.called.find(self, looking)
    }

    /// What objects are called, as far as it is remembered.
    #[cfg(test)]
    pub(super) fn called(&self) -> &CalledMemory {
        &self.0.called
    }

    /// The number that the next cycle gets.
    pub(super) fn next_cycle(&self) -> Result<u64, StoreError> {
        Ok(self.current_heads()?.next_cycle)
    }

    fn current_heads(&self) -> Result<Heads, StoreError> {
        if let Some(heads) = &*self.read_heads() {
            return Ok(heads.clone());
        }
        let heads: Heads = self.decoded(Table::Meta, keys::meta::HEADS)?.unwrap_or_default();
        *self.write_heads() = Some(heads.clone());
        Ok(heads)
    }

    fn read_heads(&self) -> RwLockReadGuard<'_, Option<Heads>> {
        self.0.heads.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write_heads(&self) -> RwLockWriteGuard<'_, Option<Heads>> {
        self.0.heads.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// Ends a transaction, called while it still holds the writer's lock.
    pub(super) fn carry_out(
        &self,
        batch: WriteBatch,
        heads: Heads,
        durability: Durability,
        _writer: &MutexGuard<'_, ()>,
    ) -> Result<(), StoreError> {
        let news = News::of(&batch);
        self.0.possible.note(&batch);
        self.0.called.note(&batch);
        self.0.moments.keep(&batch);
        let done = self.0.store.commit(batch, durability);
        match &done {
            Ok(()) => self.0.recent.committed(news),
            Err(_) => self.0.recent.clear(),
        }
        *self.write_heads() = done.is_ok().then_some(heads);
        done
    }
}
