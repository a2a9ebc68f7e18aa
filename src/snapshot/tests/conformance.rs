//! One suite over every engine.

use std::sync::Arc;

use crate::ports::Durability;
use crate::ports::SnapshotStore;
use crate::ports::Table;
use crate::ports::WriteBatch;
use crate::snapshot::kv::memory::MemoryStore;

use super::engines::Tried;

/// Runs a law over every engine; each gets a fresh store.
fn on_every_engine(law: impl Fn(&str, Arc<dyn SnapshotStore>)) {
    law("memory", Arc::new(MemoryStore::new()));
    for engine in Tried::ALL {
        let folder = tempfile::tempdir().unwrap();
        law(&engine.name(), engine.open(folder.path()).unwrap());
    }
}

fn batch(writes: &[(Table, &str, Option<&str>)]) -> WriteBatch {
    let mut batch = WriteBatch::default();
    for (table, key, value) in writes {
        match value {
            Some(value) => batch.put(*table, *key, *value),
            None => batch.delete(*table, *key),
        }
    }
    batch
}

fn keys(
    store: &dyn SnapshotStore,
    table: Table,
    prefix: &str,
    after: Option<&str>,
    limit: usize,
) -> Vec<String> {
    let found = store
        .scan(table, prefix.as_bytes(), after.map(str::as_bytes), limit)
        .unwrap();
    found
        .into_iter()
        .map(|(key, _)| String::from_utf8(key).unwrap())
        .collect()
}

#[test]
fn what_was_written_is_read_in_its_own_table_only() {
    on_every_engine(|name, store| {
        store
            .commit(batch(&[(Table::Objects, "a", Some("1"))]), Durability::Lazy)
            .unwrap();
        assert_eq!(
            store.get(Table::Objects, b"a").unwrap().as_deref(),
            Some(b"1".as_slice()),
            "{name}"
        );
        assert_eq!(store.get(Table::Edges, b"a").unwrap(), None, "{name}");
        assert_eq!(
            keys(&*store, Table::Edges, "", None, 9),
            Vec::<String>::new(),
            "{name}"
        );
    });
}

#[test]
fn the_last_write_of_a_key_in_a_batch_wins() {
    on_every_engine(|name, store| {
        let writes = [
            (Table::Meta, "k", Some("1")),
            (Table::Meta, "k", None),
            (Table::Meta, "k", Some("2")),
            (Table::Meta, "gone", Some("1")),
            (Table::Meta, "gone", None),
            (Table::Meta, "never there", None),
        ];
        store.commit(batch(&writes), Durability::Synced).unwrap();
        assert_eq!(
            store.get(Table::Meta, b"k").unwrap().as_deref(),
            Some(b"2".as_slice()),
            "{name}"
        );
        assert_eq!(store.get(Table::Meta, b"gone").unwrap(), None, "{name}");
    });
}

#[test]
fn a_scan_keeps_order_prefix_position_and_limit() {
    on_every_engine(|name, store| {
        let all = ["a", "b", "ba", "bb", "bc", "c"];
        let writes: Vec<_> = all
            .iter()
            .rev()
            .map(|key| (Table::Edges, *key, Some("v")))
            .collect();
        store.commit(batch(&writes), Durability::Lazy).unwrap();
        store
            .commit(
                batch(&[(Table::Objects, "b", None), (Table::Referrers, "b", Some("v"))]),
                Durability::Lazy,
            )
            .unwrap();
        for (prefix, after, limit, expected) in [
            ("", None, 99, &all[..]),
            ("", None, 2, &all[..2]),
            ("b", None, 99, &all[1..5]),
            ("b", Some("b"), 99, &all[2..5]),
            ("b", Some("ba"), 1, &all[3..4]),
            ("b", Some("a"), 99, &all[1..5]),
            ("b", Some("bz"), 99, &[]),
            ("", Some("c"), 99, &[]),
            ("x", None, 99, &[]),
            ("", None, 0, &[]),
        ] {
            assert_eq!(
                keys(&*store, Table::Edges, prefix, after, limit),
                expected,
                "{name} {prefix} {after:?}"
            );
        }
    });
}

#[test]
fn keys_of_bytes_at_the_border_are_found() {
    on_every_engine(|name, store| {
        let mut writes = WriteBatch::default();
        for key in [vec![], vec![0], vec![0xff], vec![0xff, 0xff], vec![0xff, 0xff, 0]] {
            writes.put(Table::History, key, vec![]);
        }
        store.commit(writes, Durability::Lazy).unwrap();
        assert_eq!(
            store.scan(Table::History, &[], None, 99).unwrap().len(),
            5,
            "{name}"
        );
        assert_eq!(
            store.scan(Table::History, &[0xff], None, 99).unwrap().len(),
            3,
            "{name}"
        );
        assert_eq!(
            store.scan(Table::History, &[], Some(&[0xff]), 99).unwrap().len(),
            2,
            "{name}"
        );
        assert_eq!(store.get(Table::History, &[]).unwrap(), Some(vec![]), "{name}");
    });
}

#[test]
fn large_values_come_back_whole() {
    on_every_engine(|name, store| {
        for size in [7_000, 131_072, 1_000_000] {
            let mut writes = WriteBatch::default();
            writes.put(Table::Cycles, "big", vec![7; size]);
            store.commit(writes, Durability::Synced).unwrap();
            assert_eq!(
                store.get(Table::Cycles, b"big").unwrap().unwrap().len(),
                size,
                "{name}"
            );
        }
    });
}

#[test]
fn a_batch_is_seen_whole_or_not_at_all_while_it_is_written() {
    on_every_engine(|name, store| {
        let writer = Arc::clone(&store);
        let handle = std::thread::spawn(move || {
            for n in 0..200_u32 {
                let mut writes = WriteBatch::default();
                writes.put(Table::Meta, "first", n.to_be_bytes());
                for k in 0..50_u32 {
                    writes.put(Table::Edges, k.to_be_bytes(), n.to_be_bytes());
                }
                writes.put(Table::Owners, "last", n.to_be_bytes());
                writer.commit(writes, Durability::Lazy).unwrap();
            }
        });
        while !handle.is_finished() {
            // `last` is read first: whatever batch it is from, `first` must be from that one or a later one.
            let last = store.get(Table::Owners, b"last").unwrap();
            let first = store.get(Table::Meta, b"first").unwrap();
            assert!(last <= first, "{name}: {last:?} {first:?}");
        }
        handle.join().unwrap();
    });
}

#[test]
fn everything_is_there_over_a_reopening_right_after_a_drop() {
    for engine in Tried::ALL {
        let folder = tempfile::tempdir().unwrap();
        for n in 0..10_u8 {
            let store = engine.open(folder.path()).unwrap();
            assert_eq!(
                store.scan(Table::Objects, &[], None, 99).unwrap().len(),
                usize::from(n),
                "{}",
                engine.name()
            );
            let durability = [Durability::Synced, Durability::Lazy][usize::from(n % 2)];
            let mut writes = WriteBatch::default();
            writes.put(Table::Objects, vec![n], vec![n; 100]);
            store.commit(writes, durability).unwrap();
            assert!(store.size_on_disk().unwrap() > 0, "{}", engine.name());
        }
    }
}

#[test]
fn syncing_is_repeatable_and_changes_nothing() {
    on_every_engine(|name, store| {
        for durability in [Durability::Lazy, Durability::Synced] {
            store
                .commit(batch(&[(Table::Meta, "k", Some("1"))]), durability)
                .unwrap();
            store.sync().unwrap();
            store.sync().unwrap();
            assert_eq!(keys(&*store, Table::Meta, "", None, 9), ["k"], "{name}");
        }
    });
}

#[test]
fn an_empty_batch_is_a_commit_too() {
    on_every_engine(|name, store| {
        store.commit(WriteBatch::default(), Durability::Synced).unwrap();
        assert_eq!(
            keys(&*store, Table::Meta, "", None, 9),
            Vec::<String>::new(),
            "{name}"
        );
    });
}

#[test]
fn memory_loses_in_a_power_cut_only_what_was_not_synced() {
    let store = MemoryStore::new();
    store
        .commit(batch(&[(Table::Meta, "a", Some("1"))]), Durability::Lazy)
        .unwrap();
    store
        .commit(batch(&[(Table::Meta, "b", Some("1"))]), Durability::Synced)
        .unwrap();
    store
        .commit(
            batch(&[(Table::Meta, "b", None), (Table::Meta, "c", Some("1"))]),
            Durability::Lazy,
        )
        .unwrap();
    store.kill();
    assert_eq!(keys(&store, Table::Meta, "", None, 9), ["a", "c"]);
    store.crash();
    assert_eq!(keys(&store, Table::Meta, "", None, 9), ["a", "b"]);
    store
        .commit(batch(&[(Table::Meta, "d", Some("1"))]), Durability::Lazy)
        .unwrap();
    store.sync().unwrap();
    store.crash();
    assert_eq!(keys(&store, Table::Meta, "", None, 9), ["a", "b", "d"]);
}
