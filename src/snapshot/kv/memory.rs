//! The engine for tests and simulation: in memory, and it loses what was not synced.
//!
//! [`MemoryStore::crash`] is a power cut, [`MemoryStore::kill`] the end of the process. [`MemoryStore::fail_after`]
//! stops the world at a chosen commit, so that a test can walk through every crash point.

use std::{
    collections::BTreeMap,
    ops::Bound,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use crate::ports::Durability;
use crate::ports::KeyValue;
use crate::ports::SnapshotStore;
use crate::ports::StoreError;
use crate::ports::Table;
use crate::ports::WriteBatch;

type Entries = BTreeMap<(Table, Vec<u8>), Vec<u8>>;

/// The outcome of the commit at which a [`MemoryStore`] stops.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LastCommit {
    /// The commit is carried out, but its caller gets an error.
    Done,
    /// The commit is not carried out.
    Lost,
}

#[derive(Debug, Default)]
struct State {
    live: Entries,
    /// What a power cut leaves, plus `unsynced`, is `live`.
    durable: Entries,
    unsynced: Vec<WriteBatch>,
    commits: u64,
    stop: Option<(u64, LastCommit)>,
    stopped: bool,
}

/// A store in memory. Clones share it, as a process that starts again shares the disk.
#[derive(Debug, Clone, Default)]
pub struct MemoryStore {
    state: Arc<Mutex<State>>,
}

impl MemoryStore {
    /// Creates an empty store.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Lets `n` more commits pass. The one after them meets `last`, and from then on every call is an error, until
    /// [`Self::kill`] or [`Self::crash`].
    pub fn fail_after(&self, n: u64, last: LastCommit) {
        let mut state = self.state();
        state.stop = Some((state.commits + n, last));
    }

    /// Returns the number of commits carried out so far.
    #[must_use]
    pub fn commits(&self) -> u64 {
        self.state().commits
    }

    /// Returns true once [`Self::fail_after`] has taken effect.
    #[must_use]
    pub fn stopped(&self) -> bool {
        self.state().stopped
    }

    /// Ends the process: everything that was committed is still there.
    pub fn kill(&self) {
        let mut state = self.state();
        (state.stop, state.stopped) = (None, false);
    }

    /// Cuts the power: what was not synced is lost.
    pub fn crash(&self) {
        let mut state = self.state();
        (state.stop, state.stopped) = (None, false);
        state.unsynced.clear();
        state.live = state.durable.clone();
    }

    /// Returns everything in the store, for comparing two stores byte by byte.
    #[must_use]
    pub fn contents(&self) -> BTreeMap<(Table, Vec<u8>), Vec<u8>> {
        self.state().live.clone()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn running(&self) -> Result<MutexGuard<'_, State>, StoreError> {
        let state = self.state();
        if state.stopped { Err(stopped()) } else { Ok(state) }
    }
}

fn stopped() -> StoreError {
    StoreError::Io {
        action: "go on".to_owned(),
        path: "memory".to_owned(),
        cause: "the store was stopped at this commit".into(),
    }
}

fn carry_out(entries: &mut Entries, batch: WriteBatch) {
    for (table, key, value) in batch.writes {
        match value {
            Some(value) => entries.insert((table, key), value),
            None => entries.remove(&(table, key)),
        };
    }
}

impl SnapshotStore for MemoryStore {
    fn get(&self, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        Ok(self.running()?.live.get(&(table, key.to_vec())).cloned())
    }

    fn scan(
        &self,
        table: Table,
        prefix: &[u8],
        after: Option<&[u8]>,
        limit: usize,
    ) -> Result<Vec<KeyValue>, StoreError> {
        let state = self.running()?;
        let from = match after {
            Some(after) if after >= prefix => Bound::Excluded((table, after.to_vec())),
            _ => Bound::Included((table, prefix.to_vec())),
        };
        Ok(state
            .live
            .range((from, Bound::Unbounded))
            .take_while(|((t, key), _)| *t == table && key.starts_with(prefix))
            .take(limit)
            .map(|((_, key), value)| (key.clone(), value.clone()))
            .collect())
    }

    fn commit(&self, batch: WriteBatch, durability: Durability) -> Result<(), StoreError> {
        let mut state = self.running()?;
        let last = state
            .stop
            .filter(|(at, _)| state.commits >= *at)
            .map(|(_, last)| last);
        if last == Some(LastCommit::Lost) {
            state.stopped = true;
            return Err(stopped());
        }
        state.commits += 1;
        carry_out(&mut state.live, batch.clone());
        state.unsynced.push(batch);
        if durability == Durability::Synced {
            settle(&mut state);
        }
        if last == Some(LastCommit::Done) {
            state.stopped = true;
            return Err(stopped());
        }
        Ok(())
    }

    fn sync(&self) -> Result<(), StoreError> {
        settle(&mut *self.running()?);
        Ok(())
    }

    fn blocks(&self) -> bool {
        false
    }

    fn size_on_disk(&self) -> Result<u64, StoreError> {
        Ok(0)
    }
}

fn settle(state: &mut State) {
    for batch in std::mem::take(&mut state.unsynced) {
        carry_out(&mut state.durable, batch);
    }
}
