//! What was lately read or written of who is linked and who is dirty, in memory and bounded.
//!
//! A cycle asks the same few things of the same objects again and again: whether a manager is linked, whether a
//! group waits. The answers follow every commit, so they are those of the store.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::ports::StoreError;
use crate::ports::Table;
use crate::ports::WriteBatch;

use super::record::{Brief, DirtyCause};

/// Answers of one kind in one generation; two generations are held. Bounds memory: some 6 MB in all.
const GENERATION: usize = 16_384;

/// Keys as in the tables: kind and id.
type Key = [u8; 17];

/// The newer and the older half of what is remembered: when the newer one is full, the older one goes.
#[derive(Debug)]
struct Generations<T> {
    young: HashMap<Key, T>,
    old: HashMap<Key, T>,
}

impl<T> Default for Generations<T> {
    fn default() -> Self {
        Self {
            young: HashMap::new(),
            old: HashMap::new(),
        }
    }
}

impl<T: Clone> Generations<T> {
    fn get(&self, key: &Key) -> Option<T> {
        self.young.get(key).or_else(|| self.old.get(key)).cloned()
    }

    fn put(&mut self, key: Key, answer: T) {
        if self.young.len() >= GENERATION {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(key, answer);
    }

    fn forget(&mut self, key: &Key) {
        self.young.remove(key);
        self.old.remove(key);
    }
}

#[derive(Debug, Default)]
struct State {
    /// Counts commits: what was read before one must not be remembered after it.
    version: u64,
    briefs: Generations<Option<Brief>>,
    marks: Generations<Option<DirtyCause>>,
}

/// What a batch writes, as far as it is remembered.
#[derive(Debug, Default)]
pub(super) struct News {
    /// `None`: not readable from the bytes, to be read again.
    briefs: Vec<(Key, Option<Option<Brief>>)>,
    marks: Vec<(Key, Option<DirtyCause>)>,
}

impl News {
    /// Taken from a batch before it is carried out.
    pub(super) fn of(batch: &WriteBatch) -> Self {
        let mut news = Self::default();
        for (table, key, value) in &batch.writes {
            let Ok(key) = Key::try_from(key.as_slice()) else {
                continue;
            };
            match table {
                Table::Objects => {
                    let brief = value.as_deref().map(Brief::decode).transpose();
                    news.briefs.push((key, brief.ok()));
                }
                Table::Dirty => {
                    let cause = value.as_deref().map(DirtyCause::decode);
                    news.marks.push((key, cause));
                }
                _ => {}
            }
        }
        news
    }
}

/// The memory of a snapshot.
#[derive(Debug, Default)]
pub(super) struct Recent(Mutex<State>);

impl Recent {
    /// The beginning of an object's record: remembered, or read and remembered.
    pub(super) fn brief(
        &self,
        key: &[u8],
        read: impl FnOnce() -> Result<Option<Brief>, StoreError>,
    ) -> Result<Option<Brief>, StoreError> {
        self.ask(key, |state| &mut state.briefs, read)
    }

    /// Why an object is dirty, as [`Self::brief`].
    pub(super) fn mark(
        &self,
        key: &[u8],
        read: impl FnOnce() -> Result<Option<DirtyCause>, StoreError>,
    ) -> Result<Option<DirtyCause>, StoreError> {
        self.ask(key, |state| &mut state.marks, read)
    }

    fn ask<T: Clone>(
        &self,
        key: &[u8],
        part: impl Fn(&mut State) -> &mut Generations<T>,
        read: impl FnOnce() -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let Ok(key) = Key::try_from(key) else {
            return read();
        };
        let version = {
            let mut state = self.state();
            if let Some(answer) = part(&mut state).get(&key) {
                return Ok(answer);
            }
            state.version
        };
        let answer = read()?;
        let mut state = self.state();
        if state.version == version {
            part(&mut state).put(key, answer.clone());
        }
        Ok(answer)
    }

    /// A commit was carried out: this is what it wrote.
    pub(super) fn committed(&self, news: News) {
        let mut state = self.state();
        state.version += 1;
        for (key, brief) in news.briefs {
            match brief {
                Some(brief) => state.briefs.put(key, brief),
                None => state.briefs.forget(&key),
            }
        }
        for (key, cause) in news.marks {
            state.marks.put(key, cause);
        }
    }

    /// Nothing is known any more: a commit failed, and may have been carried out all the same.
    pub(super) fn clear(&self) {
        let mut state = self.state();
        let version = state.version + 1;
        *state = State {
            version,
            ..State::default()
        };
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
