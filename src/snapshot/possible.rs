//! The keys that may exist, in a store that was empty when it was opened.
//!
//! An initial cycle looks up every object in three tables before anything is written, and in a large directory each
//! such look-up is a read from the disk. The keys remembered include every written one, so "not there" is certain, and
//! "possible" is for the store to answer.

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

/// The tables that are asked for keys which do not exist.
const TABLES: [Table; 3] = [Table::Objects, Table::Dirty, Table::Owners];

/// The most keys of a table that are remembered; with more, none are. Bounds memory: some 5 MB a table.
const MOST: usize = 400_000;

/// Hashes of the keys of a table; `None` where they are not known.
type Keys = Option<HashSet<u64>>;

/// The keys that may exist.
#[derive(Debug)]
pub(super) struct Possible(RwLock<[Keys; TABLES.len()]>);

impl Possible {
    /// Reads the keys of a store that no other process writes to.
    pub(super) fn of(store: &dyn SnapshotStore) -> Result<Self, StoreError> {
        let mut known = [const { None }; TABLES.len()];
        for (table, keys) in TABLES.into_iter().zip(&mut known) {
            *keys = store.scan(table, &[], None, 1)?.is_empty().then(HashSet::new);
        }
        Ok(Self(RwLock::new(known)))
    }

    /// Returns true when this key certainly does not exist.
    pub(super) fn excludes(&self, table: Table, key: &[u8]) -> bool {
        let Some(at) = TABLES.iter().position(|known| *known == table) else {
            return false;
        };
        let known = self.0.read().unwrap_or_else(PoisonError::into_inner);
        known[at].as_ref().is_some_and(|keys| !keys.contains(&hash(key)))
    }

    /// Notes the keys of a batch before it is carried out: whatever comes of it, they are possible.
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

/// Hashes a key. Two keys with one hash only make each other possible.
fn hash(key: &[u8]) -> u64 {
    BuildHasherDefault::<DefaultHasher>::default().hash_one(key)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ports::Durability;
    use crate::snapshot::kv::memory::MemoryStore;

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
