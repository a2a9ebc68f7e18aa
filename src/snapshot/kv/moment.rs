//! A store as it was at one moment, while others go on writing to it.
//!
//! Who writes keeps for each open moment the values that a commit is about to replace ([`Moments::keep`]); a moment that nobody
//! holds any more costs nothing. A value is read below first and looked for among those kept then: whatever was replaced
//! before it was read has been kept before that.

use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::sync::Weak;

use super::overlay::Written;
use super::overlay::merged;
use crate::ports::Durability;
use crate::ports::KeyValue;
use crate::ports::SnapshotStore;
use crate::ports::StoreError;
use crate::ports::Table;
use crate::ports::WriteBatch;

/// The store at one moment; it is only read.
#[derive(Debug)]
pub struct Moment {
    below: Arc<dyn SnapshotStore>,
    kept: Mutex<Kept>,
}

#[derive(Debug, Default)]
struct Kept {
    /// What was there, by key, of everything that was replaced since; `None` where nothing was.
    values: Written,
    /// Something that was replaced could not be read.
    lost: bool,
}

/// The moments that somebody looks at.
#[derive(Debug, Default)]
pub struct Moments(Mutex<Vec<Weak<Moment>>>);

impl Moments {
    /// Opens a moment. The caller sees to it that no commit is under way.
    pub fn open(&self, below: &Arc<dyn SnapshotStore>) -> Arc<Moment> {
        let moment = Arc::new(Moment {
            below: Arc::clone(below),
            kept: Mutex::default(),
        });
        let mut open = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        open.retain(|moment| moment.strong_count() > 0);
        open.push(Arc::downgrade(&moment));
        moment
    }

    /// Keeps what a batch is about to replace, for each moment that is open.
    pub fn keep(&self, batch: &WriteBatch) {
        let open = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for moment in open.iter().filter_map(Weak::upgrade) {
            moment.keep(batch);
        }
    }
}

impl Moment {
    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn keep(&self, batch: &WriteBatch) {
        for (table, key, _) in &batch.writes {
            let place = (*table, key.clone());
            if self.kept().values.contains_key(&place) {
                continue;
            }
            match self.below.get(*table, key) {
                Ok(value) => drop(self.kept().values.insert(place, value)),
                Err(_) => self.kept().lost = true,
            }
        }
    }

    fn whole(&self) -> Result<MutexGuard<'_, Kept>, StoreError> {
        let kept = self.kept();
        if kept.lost {
            return Err(StoreError::Damaged {
                path: "the snapshot".to_owned(),
                what: "a value that was replaced meanwhile could not be read".to_owned(),
            });
        }
        Ok(kept)
    }
}

impl SnapshotStore for Moment {
    fn get(&self, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        let below = self.below.get(table, key)?;
        let kept = self.whole()?;
        Ok(match kept.values.get(&(table, key.to_vec())) {
            Some(value) => value.clone(),
            None => below,
        })
    }

    fn scan(
        &self,
        table: Table,
        prefix: &[u8],
        after: Option<&[u8]>,
        limit: usize,
    ) -> Result<Vec<KeyValue>, StoreError> {
        loop {
            let count = self.whole()?.values.len();
            // Each entry that came since uses up one place of what is read below.
            let below = self
                .below
                .scan(table, prefix, after, limit.saturating_add(count))?;
            let kept = self.whole()?;
            // Else something was replaced while it was read, and the page may be too short.
            if kept.values.len() == count {
                return Ok(merged(below, &kept.values, (table, prefix, after), limit));
            }
        }
    }

    fn commit(&self, _batch: WriteBatch, _durability: Durability) -> Result<(), StoreError> {
        Err(StoreError::Damaged {
            path: "the snapshot".to_owned(),
            what: "what it was at a moment cannot be written".to_owned(),
        })
    }

    fn sync(&self) -> Result<(), StoreError> {
        Ok(())
    }

    fn size_on_disk(&self) -> Result<u64, StoreError> {
        self.below.size_on_disk()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::snapshot::kv::memory::MemoryStore;

    fn keys(store: &dyn SnapshotStore, after: Option<&[u8]>, limit: usize) -> Vec<String> {
        let page = store.scan(Table::Dirty, b"", after, limit).unwrap();
        let text = |(key, value): KeyValue| {
            let (key, value) = (String::from_utf8(key).unwrap(), String::from_utf8(value).unwrap());
            format!("{key}={value}")
        };
        page.into_iter().map(text).collect()
    }

    #[test]
    fn a_moment_stays_as_it_was_whatever_is_written() {
        let below: Arc<dyn SnapshotStore> = Arc::new(MemoryStore::new());
        let moments = Moments::default();
        let write = |put: &[(&str, &str)], gone: &[&str]| {
            let mut batch = WriteBatch::default();
            for (key, value) in put {
                batch.put(Table::Dirty, *key, *value);
            }
            for key in gone {
                batch.delete(Table::Dirty, *key);
            }
            moments.keep(&batch);
            below.commit(batch, Durability::Lazy).unwrap();
        };
        write(&[("b", "1"), ("d", "1"), ("f", "1")], &[]);
        let moment = moments.open(&below);
        write(&[("a", "2"), ("b", "2"), ("c", "2")], &["d"]);
        write(&[("b", "3"), ("d", "3"), ("e", "3")], &["f"]);
        let later = moments.open(&below);
        write(&[], &["a", "b", "c", "d", "e"]);
        assert_eq!(keys(&*moment, None, 9), ["b=1", "d=1", "f=1"]);
        assert_eq!(keys(&*moment, None, 2), ["b=1", "d=1"]);
        assert_eq!(keys(&*moment, Some(b"b"), 1), ["d=1"]);
        assert_eq!(keys(&*later, None, 9), ["a=2", "b=3", "c=2", "d=3", "e=3"]);
        assert!(keys(&*below, None, 9).is_empty());
        let get = |key: &str| moment.get(Table::Dirty, key.as_bytes()).unwrap();
        assert_eq!(get("b"), Some(b"1".to_vec()));
        assert_eq!(get("a"), None);
        assert!(moment.commit(WriteBatch::default(), Durability::Lazy).is_err());
    }
}
