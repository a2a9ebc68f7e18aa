//! A bounded memory of lately read or written objects: which are linked, and which are dirty.
//!
//! A cycle asks the same few questions about the same objects again and again: whether a manager is linked, whether a
//! group waits. The answers follow every commit, so they equal the store's.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::model::id::SourceId;
use crate::model::id::TargetId;
use crate::ports::StoreError;
use crate::ports::Table;
use crate::ports::WriteBatch;

use super::record::{Brief, DirtyCause, RecordHead};

/// How many written answers one generation holds; there are two. As many as a map of 65,536 places takes before it
/// doubles. Bounds memory: some 20 MB in all, at 114,688 objects.
const WRITTEN: usize = 57_344;

/// How many answers that were asked for, and not lately written, one generation holds.
const ASKED: usize = 14_336;

/// Keys as in the tables: kind and id.
type Key = [u8; 17];

/// The newer and the older half of the answers remembered: when the newer one is full, the older one is dropped.
#[derive(Debug)]
struct Generations<T, const SIZE: usize> {
    young: HashMap<Key, T>,
    old: HashMap<Key, T>,
}

impl<T, const SIZE: usize> Default for Generations<T, SIZE> {
    fn default() -> Self {
        Self {
            young: HashMap::new(),
            old: HashMap::new(),
        }
    }
}

impl<T, const SIZE: usize> Generations<T, SIZE> {
    fn put(&mut self, key: Key, answer: T) {
        if self.young.len() >= SIZE {
            self.old = std::mem::take(&mut self.young);
        }
        self.old.remove(&key);
        self.young.insert(key, answer);
    }

    fn take(&mut self, key: &Key) -> Option<T> {
        let young = self.young.remove(key);
        let old = self.old.remove(key);
        young.or(old)
    }
}

/// The answers that were asked for, apart from those that were only written: a cycle writes every object once, and
/// would in a large directory push out the few that are asked for again and again, the managers.
#[derive(Debug)]
struct Answers<T> {
    asked: Generations<T, ASKED>,
    written: Generations<T, WRITTEN>,
}

impl<T> Default for Answers<T> {
    fn default() -> Self {
        Self {
            asked: Generations::default(),
            written: Generations::default(),
        }
    }
}

impl<T: Clone> Answers<T> {
    fn get(&mut self, key: &Key) -> Option<T> {
        let known = [&self.written.young, &self.written.old, &self.asked.young];
        if let Some(answer) = known.into_iter().find_map(|part| part.get(key)) {
            return Some(answer.clone());
        }
        // An answer that is asked for again stays.
        let answer = self.asked.old.remove(key)?;
        self.asked.put(*key, answer.clone());
        Some(answer)
    }

    /// Remembers an answer that was read.
    fn put(&mut self, key: Key, answer: T) {
        self.asked.put(key, answer);
    }

    /// Remembers an answer that was written.
    fn follow(&mut self, key: Key, answer: T) {
        self.asked.take(&key);
        self.written.put(key, answer);
    }

    fn forget(&mut self, key: &Key) {
        self.asked.take(key);
        self.written.take(key);
    }
}

/// A [`Brief`] in little memory.
#[derive(Debug, Clone)]
struct Held {
    head: RecordHead,
    target: Option<HeldTarget>,
}

/// Most target ids are UUIDs, in the one spelling that source ids have.
#[derive(Debug, Clone)]
enum HeldTarget {
    Uuid(SourceId),
    Other(TargetId),
}

impl From<Brief> for Held {
    fn from(brief: Brief) -> Self {
        let target = brief
            .target
            .map(|target| match target.as_str().parse::<SourceId>() {
                Ok(uuid) if uuid.to_string() == target.as_str() => HeldTarget::Uuid(uuid),
                _ => HeldTarget::Other(target),
            });
        Self {
            head: brief.head,
            target,
        }
    }
}

impl From<Held> for Brief {
    fn from(held: Held) -> Self {
        let target = held.target.and_then(|target| match target {
            HeldTarget::Uuid(uuid) => TargetId::new(&uuid.to_string()),
            HeldTarget::Other(target) => Some(target),
        });
        Self {
            head: held.head,
            target,
        }
    }
}

#[derive(Debug, Default)]
struct State {
    /// Counts commits: an answer read before a commit must not be remembered after it.
    version: u64,
    briefs: Answers<Option<Held>>,
    marks: Answers<Option<DirtyCause>>,
}

/// The answers that a batch changes.
#[derive(Debug, Default)]
pub(super) struct News {
    /// `None` if it cannot be read from the bytes, and must be read again.
    briefs: Vec<(Key, Option<Option<Brief>>)>,
    marks: Vec<(Key, Option<DirtyCause>)>,
}

impl News {
    /// Collects the answers from a batch before it is carried out.
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
    /// Returns the beginning of an object's record: from memory, or read and remembered.
    pub(super) fn brief(
        &self,
        key: &[u8],
        read: impl FnOnce() -> Result<Option<Brief>, StoreError>,
    ) -> Result<Option<Brief>, StoreError> {
        let held = self.ask(key, |state| &mut state.briefs, || Ok(read()?.map(Held::from)))?;
        Ok(held.map(Brief::from))
    }

    /// Returns why an object is dirty, as [`Self::brief`] does.
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
        part: impl Fn(&mut State) -> &mut Answers<T>,
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

    /// Follows a commit that was carried out, given what it wrote.
    pub(super) fn committed(&self, news: News) {
        let mut state = self.state();
        state.version += 1;
        for (key, brief) in news.briefs {
            match brief {
                Some(brief) => state.briefs.follow(key, brief.map(Held::from)),
                None => state.briefs.forget(&key),
            }
        }
        for (key, cause) in news.marks {
            state.marks.follow(key, cause);
        }
    }

    /// Forgets every answer: a commit failed, and may have been carried out all the same.
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
