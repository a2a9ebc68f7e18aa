//! Which keys can be there at all, in a store that was empty when it was opened.
//!
//! An initial cycle asks of everybody what is known, in three tables, before anything is written, and in a large directory
//! each such question is a read from the disk. What is remembered is at least what was written, so "not there" is certain,
//! and "possible" is for the store to say.

use std::collections::HashSet;
use std::collections::hash_map::DefaultHasher;
use std::hash::BuildHasher;
use std::hash::BuildHasherDefault;
use std::sync::PoisonError;
use std::sync::RwLock;

use crate::ports::SnapshotStore;
use crate::ports::StoreError;
use crate::ports::Table;
use crate::ports::WriteBatch;

/// The tables that are asked for keys which are not there.
const TABLES: [Table; 3] = [Table::Objects, Table::Dirty, Table::Owners];

/// Of a table with more keys nothing is remembered. Bounds memory: some 5 MB a table.
const MOST: usize = 400_000;

/// Hashes of the keys of a table; `None` where they are not known.
type Keys = Option<HashSet<u64>>;

/// What can be there.
#[derive(Debug)]
pub(super) struct Possible(RwLock<[Keys; TABLES.len()]>);

impl Possible {
    /// Of a store that nobody else writes to.
    ///
    /// # Errors
    /// As the store.
    pub(super) fn of(store: &dyn SnapshotStore) -> Result<Self, StoreError> {
        let mut known = [const { None }; TABLES.len()];
        for (table, keys) in TABLES.into_iter().zip(&mut known) {
            *keys = store.scan(table, &[], None, 1)?.is_empty().then(HashSet::new);
        }
        Ok(Self(RwLock::new(known)))
    }

    /// True when this key is certainly not there.
    pub(super) fn excludes(&self, table: Table, key: &[u8]) -> bool {
        let Some(at) = TABLES.iter().position(|known| *known == table) else {
            return false;
        };
        let known = self.0.read().unwrap_or_else(PoisonError::into_inner);
        known[at].as_ref().is_some_and(|keys| !keys.contains(&hash(key)))
    }

    /// Before a batch is carried out: whatever comes of it, its keys are possible.
    pub(super) fn note(&self, batch: &WriteBatch) {
        let mut known = self.0.write().unwrap_or_else(PoisonError::into_inner);
        for (table, key, value) in &batch.writes {
            let at = TABLES.iter().position(|known| known == table);
            if let (Some(at), Some(_)) = (at, value)
                && let Some(keys) = &mut known[at]
            {
                keys.insert(hash(key));
                if keys.len() > MOST {
                    known[at] = None;
                }
            }
        }
    }
}

/// Two keys with one hash make each other possible, no more.
fn hash(key: &[u8]) -> u64 {
    BuildHasherDefault::<DefaultHasher>::default().hash_one(key)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ports::Durability;
    use crate::snapshot::memory::MemoryStore;

    fn put(table: Table, key: u32) -> WriteBatch {
        let mut batch = WriteBatch::default();
        batch.put(table, key.to_be_bytes(), [1]);
        batch
    }

    #[test]
    fn only_what_was_never_written_is_excluded() {
        let possible = Possible::of(&MemoryStore::new()).unwrap();
        possible.note(&put(Table::Dirty, 1));
        assert!(!possible.excludes(Table::Dirty, &1_u32.to_be_bytes()));
        assert!(possible.excludes(Table::Dirty, &2_u32.to_be_bytes()));
        assert!(
            possible.excludes(Table::Objects, &1_u32.to_be_bytes()),
            "another table"
        );
        assert!(
            !possible.excludes(Table::Edges, &2_u32.to_be_bytes()),
            "not looked at"
        );
        let mut removal = WriteBatch::default();
        removal.delete(Table::Dirty, 1_u32.to_be_bytes());
        possible.note(&removal);
        assert!(
            !possible.excludes(Table::Dirty, &1_u32.to_be_bytes()),
            "the store says so"
        );
    }

    #[test]
    fn nothing_is_excluded_where_something_was_there_or_too_much_came() {
        let store = MemoryStore::new();
        store.commit(put(Table::Owners, 1), Durability::Lazy).unwrap();
        let possible = Possible::of(&store).unwrap();
        assert!(!possible.excludes(Table::Owners, &2_u32.to_be_bytes()));
        let mut many = WriteBatch::default();
        for key in 0..=u32::try_from(MOST).unwrap() {
            many.put(Table::Objects, key.to_be_bytes(), []);
        }
        possible.note(&many);
        assert!(!possible.excludes(Table::Objects, &u32::MAX.to_be_bytes()));
    }
}
