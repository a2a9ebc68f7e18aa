//! A store over another one that must not be written: what is committed stays in memory and hides what lies below.
//!
//! For looking at one object as a cycle would: the cycle runs as always, and leaves nothing behind. The scratch tables of what
//! is read at the target are its own from the beginning: a cycle that runs over the store below has its readings there.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::ports::Durability;
use crate::ports::KeyValue;
use crate::ports::SnapshotStore;
use crate::ports::StoreError;
use crate::ports::Table;
use crate::ports::WriteBatch;

/// The value written over the one below, by key; `None` where the value was removed.
pub(super) type Written = BTreeMap<(Table, Vec<u8>), Option<Vec<u8>>>;

/// A store over another one: see the module.
#[derive(Debug)]
pub struct Overlay {
    below: Arc<dyn SnapshotStore>,
    written: Mutex<Written>,
}

impl Overlay {
    /// Creates an overlay over this store, with nothing written yet.
    #[must_use]
    pub fn over(below: Arc<dyn SnapshotStore>) -> Self {
        Self {
            below,
            written: Mutex::default(),
        }
    }

    fn written(&self) -> MutexGuard<'_, Written> {
        self.written.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Returns true for a table that every cycle empties at its beginning and reads only after writing it.
const fn is_scratch(table: Table) -> bool {
    matches!(table, Table::Readings | Table::ReadingIndex)
}

/// A page of what lies below, with what lies over it in its place.
pub(super) fn merged(
    below: Vec<KeyValue>,
    over: &Written,
    (table, prefix, after): (Table, &[u8], Option<&[u8]>),
    limit: usize,
) -> Vec<KeyValue> {
    let from = match after {
        Some(after) if after >= prefix => Bound::Excluded((table, after.to_vec())),
        _ => Bound::Included((table, prefix.to_vec())),
    };
    let mut page: BTreeMap<Vec<u8>, Vec<u8>> = below.into_iter().collect();
    let mut put = 0;
    let mine = over
        .range((from, Bound::Unbounded))
        .take_while(|((of, key), _)| *of == table && key.starts_with(prefix));
    for ((_, key), value) in mine {
        match value {
            Some(value) => {
                put += 1;
                page.insert(key.clone(), value.clone());
            }
            None => drop(page.remove(key)),
        }
        // Everything after this one is beyond the page.
        if put == limit {
            break;
        }
    }
    page.into_iter().take(limit).collect()
}

impl SnapshotStore for Overlay {
    fn get(&self, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        match self.written().get(&(table, key.to_vec())) {
            Some(written) => Ok(written.clone()),
            None if is_scratch(table) => Ok(None),
            None => self.below.get(table, key),
        }
    }

    fn scan(
        &self,
        table: Table,
        prefix: &[u8],
        after: Option<&[u8]>,
        limit: usize,
    ) -> Result<Vec<KeyValue>, StoreError> {
        let written = self.written();
        // Each removed entry uses up one place of what is read below; an added entry uses none.
        let more = limit.saturating_add(written.values().filter(|value| value.is_none()).count());
        let below = if is_scratch(table) {
            Vec::new()
        } else {
            self.below.scan(table, prefix, after, more)?
        };
        Ok(merged(below, &written, (table, prefix, after), limit))
    }

    fn commit(&self, batch: WriteBatch, _durability: Durability) -> Result<(), StoreError> {
        let mut written = self.written();
        for (table, key, value) in batch.writes {
            written.insert((table, key), value);
        }
        Ok(())
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

    #[test]
    fn what_is_written_over_a_store_is_seen_and_never_reaches_it() {
        let below = MemoryStore::new();
        let mut batch = WriteBatch::default();
        for key in ["a", "b", "d"] {
            batch.put(Table::Dirty, key, "below");
        }
        below.commit(batch, Durability::Synced).unwrap();
        let held = below.contents();
        let overlay = Overlay::over(Arc::new(below.clone()));
        let mut batch = WriteBatch::default();
        batch.put(Table::Dirty, "c", "over");
        batch.delete(Table::Dirty, "a");
        overlay.commit(batch, Durability::Synced).unwrap();
        let keys = |after: Option<&[u8]>, limit| -> Vec<String> {
            let page = overlay.scan(Table::Dirty, b"", after, limit).unwrap();
            page.into_iter()
                .map(|(key, _)| String::from_utf8(key).unwrap())
                .collect()
        };
        assert_eq!(keys(None, 9), ["b", "c", "d"]);
        assert_eq!(keys(None, 2), ["b", "c"]);
        assert_eq!(keys(Some(b"b"), 1), ["c"]);
        assert_eq!(keys(Some(b"c"), 9), ["d"]);
        assert_eq!(overlay.get(Table::Dirty, b"a").unwrap(), None);
        assert_eq!(overlay.get(Table::Dirty, b"d").unwrap().unwrap(), b"below");
        assert_eq!(below.contents(), held);
    }
}
