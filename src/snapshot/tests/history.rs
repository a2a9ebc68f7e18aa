//! The chain: appended, walked, searched by time; altered or cut is found; erased values do not break it.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering;

use sha2::Digest;
use sha2::Sha256;

use super::world::*;
use crate::model::clock::Timestamp;
use crate::model::id::ObjectKind::Group;
use crate::model::id::ObjectKind::User;
use crate::model::value::Value;
use crate::ports::Durability;
use crate::ports::KeyValue;
use crate::ports::SnapshotStore;
use crate::ports::StoreError;
use crate::ports::Table;
use crate::ports::WriteBatch;
use crate::reconcile::operation::Change;
use crate::reconcile::operation::MEMBERS;
use crate::snapshot::counts::Heads;
use crate::snapshot::history::Batch;
use crate::snapshot::history::BatchValues;
use crate::snapshot::history::Entry;
use crate::snapshot::history::NewEntry;
use crate::snapshot::history::Values;
use crate::snapshot::history::index;
use crate::snapshot::keys;
use crate::snapshot::kv::memory::MemoryStore;
use crate::snapshot::query::Query;
use crate::snapshot::record;
use crate::snapshot::store::Snapshot;

pub(super) fn entry(n: u64) -> NewEntry {
    NewEntry {
        time: Timestamp(i64::try_from(n).unwrap() * 10),
        cycle: None,
        actor: "schedule".to_owned(),
        operation: "update_user".to_owned(),
        kind: Some(User),
        object: Some(id(n)),
        target: Some(target("t")),
        reason: "the source changed".to_owned(),
        result: "done".to_owned(),
        config: "f00d".to_owned(),
        values: Values {
            changes: vec![Change {
                attribute: "title".into(),
                before: Value::Null,
                after: Value::text(n.to_string()),
            }],
            detail: None,
        },
        salt: [u8::try_from(n % 251).unwrap(); 16],
    }
}

fn append(snapshot: &Snapshot, numbers: std::ops::Range<u64>) {
    let mut tx = snapshot.tx().unwrap();
    let first = tx.append_history(numbers.clone().map(entry).collect());
    assert_eq!(first, numbers.start);
    tx.commit(Durability::Synced).unwrap();
}

fn filled() -> (MemoryStore, Snapshot) {
    let store = MemoryStore::new();
    let snapshot = open(&store);
    for range in [0..1, 1..3, 3..503, 503..504, 504..600] {
        append(&snapshot, range);
    }
    (store, snapshot)
}

#[test]
fn old_history_goes_a_prefix_at_a_time_and_the_rest_still_verifies() {
    let (_, snapshot) = filled();
    assert_eq!(snapshot.prune_history(Timestamp(0)).unwrap(), 0);
    let dropped = snapshot.prune_history(Timestamp(2_000)).unwrap();
    assert!((1..=200).contains(&dropped), "{dropped}");
    let left = snapshot.history(0, 10_000).unwrap();
    assert_eq!(left.len() as u64, 600 - dropped);
    assert_eq!(snapshot.verify_chain().unwrap(), Vec::<String>::new());
    append(&snapshot, 600..601);
    assert!(snapshot.prune_history(Timestamp(i64::MAX)).unwrap() > 0);
    assert_eq!(
        snapshot.verify_chain().unwrap(),
        Vec::<String>::new(),
        "the newest record always stays"
    );
}

/// A store that counts the history records it was asked for.
#[derive(Debug)]
struct Counting(MemoryStore, Arc<AtomicUsize>);

impl SnapshotStore for Counting {
    fn get(&self, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        self.0.get(table, key)
    }

    fn scan(
        &self,
        table: Table,
        prefix: &[u8],
        after: Option<&[u8]>,
        limit: usize,
    ) -> Result<Vec<KeyValue>, StoreError> {
        let found = self.0.scan(table, prefix, after, limit)?;
        if table == Table::History {
            self.1.fetch_add(found.len(), Ordering::Relaxed);
        }
        Ok(found)
    }

    fn commit(&self, batch: WriteBatch, durability: Durability) -> Result<(), StoreError> {
        self.0.commit(batch, durability)
    }

    fn sync(&self) -> Result<(), StoreError> {
        self.0.sync()
    }

    fn size_on_disk(&self) -> Result<u64, StoreError> {
        self.0.size_on_disk()
    }
}

#[test]
fn where_nothing_is_old_the_history_is_not_read() {
    let (counted, store) = (Arc::new(AtomicUsize::new(0)), MemoryStore::new());
    let counting = Counting(store, Arc::clone(&counted));
    let snapshot = Snapshot::open(Arc::new(counting), Path::new("counted")).unwrap();
    for number in 0..200 {
        append(&snapshot, number..number + 1);
    }
    counted.store(0, Ordering::Relaxed);
    assert_eq!(snapshot.prune_history(Timestamp(0)).unwrap(), 0);
    assert!(counted.load(Ordering::Relaxed) <= 2);
    assert_eq!(snapshot.prune_history(Timestamp(1_500)).unwrap(), 150);
    assert_eq!(snapshot.verify_chain().unwrap(), Vec::<String>::new());
}

#[test]
fn entries_come_back_in_order_from_any_number_on() {
    let (_, snapshot) = filled();
    assert_eq!(snapshot.history_head().unwrap().next, 600);
    for from in [0, 1, 2, 3, 77, 502, 503, 599, 600] {
        let found = snapshot.history(from, usize::MAX).unwrap();
        let numbers: Vec<u64> = found.iter().map(|(entry, _)| entry.seq).collect();
        assert_eq!(numbers, (from..600).collect::<Vec<_>>(), "from {from}");
        for (entry, values) in found {
            assert_eq!(
                values.unwrap().changes[0].after,
                Value::text(entry.seq.to_string())
            );
        }
    }
    assert!(snapshot.verify_chain().unwrap().is_empty());
}

#[test]
fn the_guard_window_is_found_without_reading_everything() {
    let (_, snapshot) = filled();
    for since in [0, 5, 10, 3000, 5990, 5991] {
        let mut numbers = Vec::new();
        snapshot
            .history_since(Timestamp(since), |entry| numbers.push(entry.seq))
            .unwrap();
        let expected: Vec<u64> = (0..600)
            .filter(|n| i64::try_from(*n).unwrap() * 10 >= since)
            .collect();
        assert_eq!(numbers, expected, "since {since}");
    }
}

#[test]
fn every_altered_byte_of_the_chain_is_found() {
    let (store, _) = filled();
    let records = store.scan(Table::History, &[], None, 99).unwrap();
    for (key, value) in records {
        for at in (0..value.len()).step_by(499) {
            let store = filled().0;
            let mut altered = value.clone();
            altered[at] ^= 1;
            let mut batch = WriteBatch::default();
            batch.put(Table::History, key.clone(), altered);
            store.commit(batch, Durability::Synced).unwrap();
            assert!(
                !open(&store).verify_chain().unwrap().is_empty(),
                "byte {at} of {key:?}"
            );
        }
        let store = filled().0;
        let mut batch = WriteBatch::default();
        batch.delete(Table::History, key.clone());
        store.commit(batch, Durability::Synced).unwrap();
        let dropped_prefix = key == keys::number(0);
        assert_eq!(
            open(&store).verify_chain().unwrap().is_empty(),
            dropped_prefix,
            "{key:?} deleted"
        );
    }
}

#[test]
fn values_can_be_erased_but_not_altered() {
    let (store, snapshot) = filled();
    let mut batch = WriteBatch::default();
    batch.delete(Table::HistoryValues, keys::number(1));
    store.commit(batch, Durability::Synced).unwrap();
    assert!(snapshot.verify_chain().unwrap().is_empty());
    assert_eq!(snapshot.history(1, 1).unwrap()[0].1, None);

    let mut value = store
        .get(Table::HistoryValues, &keys::number(0))
        .unwrap()
        .unwrap();
    *value.iter_mut().rev().nth(1).unwrap() ^= 1; // the title's last byte; the very last one means "no detail"
    let mut batch = WriteBatch::default();
    batch.put(Table::HistoryValues, keys::number(0), value);
    store.commit(batch, Durability::Synced).unwrap();
    assert_eq!(
        snapshot.verify_chain().unwrap(),
        ["the values of history entry 0 were altered"]
    );
}

/// The digest is in the chain, so it must not change when the values beside it are written anew, as when others of the
/// same record are erased.
#[test]
fn digests_that_formats_before_made_are_proven() {
    let store = MemoryStore::new();
    let snapshot = open(&store);
    append(&snapshot, 0..3);
    let key = keys::number(0);
    let bytes = store.get(Table::History, &key).unwrap().unwrap();
    let mut batch: Batch = record::decode(&bytes).unwrap();
    let values = BatchValues::beside(&snapshot, &key).unwrap();
    for (made, held) in batch.entries.iter_mut().zip(&values.0) {
        let (salt, values) = held.as_ref().unwrap();
        let written = record::encode(values);
        made.digest = Sha256::new()
            .chain_update(salt)
            .chain_update(written)
            .finalize()
            .into();
    }
    let bytes = record::encode(&batch);
    let head = store.get(Table::Meta, keys::meta::HEADS).unwrap().unwrap();
    let mut heads: Heads = record::decode(&head).unwrap();
    heads.history_hash = Sha256::digest(&bytes).into();
    let mut old = WriteBatch::default();
    old.put(Table::History, key.clone(), bytes);
    old.put(Table::HistoryValues, key.clone(), record::encode(&values.0));
    old.put(Table::Meta, keys::meta::HEADS, record::encode(&heads));
    store.commit(old, Durability::Synced).unwrap();

    let proven = |erased: usize| {
        let snapshot = open(&store);
        assert_eq!(snapshot.verify_chain().unwrap(), Vec::<String>::new());
        let told = snapshot.history(0, 9).unwrap();
        assert_eq!(told.iter().filter(|(_, values)| values.is_none()).count(), erased);
    };
    proven(0);
    let mut left = BatchValues::beside(&open(&store), &key).unwrap();
    assert_eq!(left, values);
    left.0[1] = None;
    let mut anew = WriteBatch::default();
    anew.put(Table::HistoryValues, key.clone(), left.encode());
    store.commit(anew, Durability::Synced).unwrap();
    proven(1);
    left.0[0].as_mut().unwrap().1.changes[0].after = Value::text("altered");
    let mut altered = WriteBatch::default();
    altered.put(Table::HistoryValues, key, left.encode());
    store.commit(altered, Durability::Synced).unwrap();
    assert_eq!(
        open(&store).verify_chain().unwrap(),
        ["the values of history entry 0 were altered"]
    );
}

/// The entries about somebody, newest first, as a walk over everything finds them.
fn walked(snapshot: &Snapshot, of: u64) -> Vec<u64> {
    let all = snapshot.history(0, usize::MAX).unwrap();
    let mine = all.iter().filter(|(entry, _)| entry.object == Some(id(of)));
    mine.map(|(entry, _)| entry.seq).rev().collect()
}

#[test]
fn the_entries_of_an_object_are_found_without_those_of_others() {
    let store = MemoryStore::new();
    let snapshot = open(&store);
    // A thousand and one entries of seven people and a group of the same id as one of them, in many records.
    for cycle in 0..13 {
        let mut tx = snapshot.tx().unwrap();
        let about = |n: u64| NewEntry {
            object: Some(id(n % 7)),
            kind: Some(if n.is_multiple_of(11) { Group } else { User }),
            ..entry(n)
        };
        tx.append_history((cycle * 77..(cycle + 1) * 77).map(about).collect());
        tx.append_history(vec![NewEntry {
            object: None,
            ..entry(cycle * 77)
        }]);
        tx.commit(Durability::Synced).unwrap();
    }
    let last = |of: u64, most: usize| -> Vec<u64> {
        let users = snapshot.last_of(User, &id(of), most).unwrap();
        let groups = snapshot.last_of(Group, &id(of), most).unwrap();
        assert!(users.iter().chain(&groups).all(|(_, values)| values.is_some()));
        let mut seqs: Vec<u64> = users.iter().chain(&groups).map(|(entry, _)| entry.seq).collect();
        seqs.sort_unstable_by(|a, b| b.cmp(a));
        seqs
    };
    for of in 0..7 {
        assert_eq!(last(of, usize::MAX), walked(&snapshot, of));
        let newest = snapshot.last_of(User, &id(of), 3).unwrap();
        let newest: Vec<u64> = newest.iter().map(|(entry, _)| entry.seq).collect();
        assert_eq!(
            newest,
            last(of, usize::MAX)
                .into_iter()
                .filter(|seq| {
                    let (entry, _) = snapshot.history(*seq, 1).unwrap().remove(0);
                    entry.kind == Some(User)
                })
                .take(3)
                .collect::<Vec<_>>()
        );
    }
    assert!(snapshot.last_of(User, &id(8), 9).unwrap().is_empty());
    assert_eq!(snapshot.verify_marks().unwrap(), Vec::<String>::new());

    // What is dropped from the chain has no marks.
    assert!(snapshot.prune_history(Timestamp(5_000)).unwrap() > 0);
    for of in 0..7 {
        assert_eq!(last(of, usize::MAX), walked(&snapshot, of));
    }
    assert_eq!(snapshot.verify_marks().unwrap(), Vec::<String>::new());

    // It is made anew of the chain alone.
    let rows = store.scan(Table::HistoryMarks, &[], None, usize::MAX).unwrap();
    let mut gone = WriteBatch::default();
    for (key, _) in &rows {
        gone.delete(Table::HistoryMarks, key.clone());
    }
    store.commit(gone, Durability::Synced).unwrap();
    assert!(!snapshot.verify_marks().unwrap().is_empty());
    index::build(&store).unwrap();
    assert_eq!(
        store.scan(Table::HistoryMarks, &[], None, usize::MAX).unwrap(),
        rows
    );
}

#[test]
fn members_who_come_and_leave_are_found() {
    let snapshot = open(&MemoryStore::new());
    let members = |before: &[u64], after: &[u64]| {
        let list = |ids: &[u64]| Value::List(ids.iter().map(|n| Value::text(id(*n).to_string())).collect());
        Change {
            attribute: MEMBERS.into(),
            before: list(before),
            after: list(after),
        }
    };
    let mut tx = snapshot.tx().unwrap();
    for n in 0..300 {
        let mut new = entry(n);
        (new.kind, new.object) = (Some(Group), Some(id(900 + n % 3)));
        new.values.changes = vec![members(&[n], &[n + 1, n + 2])];
        tx.append_history(vec![new]);
    }
    tx.commit(Durability::Synced).unwrap();
    let found = |of: &[u64]| {
        let query = Query {
            objects: Some(of.iter().map(|n| id(*n)).collect()),
            ..Query::default()
        };
        let mut seqs = Vec::new();
        let show = |entry: &Entry, _: Option<&Values>| {
            seqs.push(entry.seq);
            Ok(())
        };
        snapshot.search_history(&query, show).unwrap();
        seqs
    };
    assert_eq!(found(&[7]), [5, 6, 7]);
    assert_eq!(found(&[7, 100]), [5, 6, 7, 98, 99, 100]);
    assert_eq!(found(&[901]).len(), 100);
    assert!(found(&[500]).is_empty());
    assert_eq!(snapshot.verify_marks().unwrap(), Vec::<String>::new());
}
