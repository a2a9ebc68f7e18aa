//! sled's journal: whatever is folded when, a store reads as a map does, also when it is opened again.

use std::collections::BTreeMap;
use std::sync::Arc;

use proptest::prelude::*;

use crate::ports::Durability;
use crate::ports::SnapshotStore;
use crate::ports::Table;
use crate::ports::WriteBatch;
use crate::snapshot::kv::sled::SledStore;

const TABLES: [Table; 2] = [Table::Dirty, Table::Edges];

type Key = Vec<u8>;
type Map = BTreeMap<(Table, Key), Vec<u8>>;

/// The arguments of a scan: prefix, after, limit.
type Question = (Key, Option<Key>, usize);

#[derive(Debug, Clone)]
struct Round {
    writes: Vec<(Table, Key, Option<Vec<u8>>)>,
    questions: Vec<Question>,
    reopens: bool,
}

fn key() -> impl Strategy<Value = Key> {
    prop::collection::vec(prop_oneof![Just(0u8), Just(1), Just(127), Just(255)], 0..4)
}

fn rounds() -> impl Strategy<Value = Vec<Round>> {
    let value = prop::option::weighted(0.7, prop::collection::vec(any::<u8>(), 0..150));
    let writes = prop::collection::vec((prop::sample::select(&TABLES), key(), value), 0..40);
    let question = (key(), prop::option::of(key()), 0..60_usize);
    let round = (
        writes,
        prop::collection::vec(question, 4),
        prop::bool::weighted(0.2),
    );
    let round = round.prop_map(|(writes, questions, reopens)| Round {
        writes,
        questions,
        reopens,
    });
    prop::collection::vec(round, 1..8)
}

fn scan(map: &Map, table: Table, (prefix, after, limit): &Question) -> Vec<(Key, Vec<u8>)> {
    map.iter()
        .filter(|((of, key), _)| {
            *of == table && key.starts_with(prefix) && after.as_ref().is_none_or(|after| key > after)
        })
        .map(|((_, key), value)| (key.clone(), value.clone()))
        .take(*limit)
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    #[test]
    fn a_store_with_a_journal_reads_as_a_map_does(
        rounds in rounds(),
        folded_at in prop_oneof![Just(0_usize), Just(9_000), Just(40_000), Just(4_000_000)],
    ) {
        let folder = tempfile::tempdir().unwrap();
        let open = || -> Arc<dyn SnapshotStore> {
            Arc::new(SledStore::open_with(folder.path(), 1 << 20, folded_at).unwrap())
        };
        let (mut store, mut map) = (open(), Map::new());
        for round in rounds {
            let mut batch = WriteBatch::default();
            for (table, key, value) in &round.writes {
                match value {
                    Some(value) => {
                        batch.put(*table, key.clone(), value.clone());
                        map.insert((*table, key.clone()), value.clone());
                    }
                    None => {
                        batch.delete(*table, key.clone());
                        map.remove(&(*table, key.clone()));
                    }
                }
            }
            store.commit(batch, Durability::Lazy).unwrap();
            if round.reopens {
                drop(store);
                store = open();
            }
            for table in TABLES {
                for question in &round.questions {
                    let (prefix, after, limit) = question;
                    let found = store.scan(table, prefix, after.as_deref(), *limit).unwrap();
                    prop_assert_eq!(found, scan(&map, table, question));
                    let held = store.get(table, prefix).unwrap();
                    prop_assert_eq!(held.as_ref(), map.get(&(table, prefix.clone())));
                }
            }
        }
    }
}

/// What waits in the journal does not grow without end, and a fold leaves none of its values behind.
#[test]
fn a_fold_leaves_nothing_in_the_journal() {
    let folder = tempfile::tempdir().unwrap();
    let put = |store: &SledStore, n: u32| {
        let mut batch = WriteBatch::default();
        batch.put(Table::Dirty, n.to_be_bytes(), [1]);
        store.commit(batch, Durability::Lazy).unwrap();
    };
    let waiting = || {
        let db = ::sled::open(folder.path()).unwrap();
        let (journal, blocks) = (
            db.scan_prefix([0x7f]).count(),
            db.scan_prefix([0x80 | Table::Dirty as u8]).count(),
        );
        (journal, blocks)
    };
    let store = SledStore::open_with(folder.path(), 1 << 20, 9_000).unwrap();
    put(&store, 1);
    put(&store, 2);
    drop(store);
    assert_eq!(waiting(), (2, 0), "two commits, beside the blocks");
    let store = SledStore::open_with(folder.path(), 1 << 20, 0).unwrap();
    put(&store, 3);
    drop(store);
    assert_eq!(waiting(), (0, 1), "all three in one block");
}
