//! Crash points: the world stops at every single commit, with and without that commit, by kill and by power cut.

use super::world::*;
use crate::model::id::ObjectKind::Group;
use crate::model::id::ObjectKind::User;
use crate::model::value::Value;
use crate::ports::DeltaPage;
use crate::ports::Durability;
use crate::ports::SnapshotStore;
use crate::ports::StoreError;
use crate::snapshot::kv::memory::LastCommit;
use crate::snapshot::kv::memory::MemoryStore;
use crate::snapshot::maintenance::verify::verify;
use crate::snapshot::page::AfterPage;
use crate::snapshot::page::apply_page;
use crate::snapshot::read::Reads;
use crate::snapshot::round;
use crate::snapshot::store::Snapshot;

/// Returns the pages of both streams: a world larger than one page of the round's end.
fn pages(kind: crate::model::id::ObjectKind) -> Vec<DeltaPage> {
    let users: Vec<_> = (0..1200)
        .map(|n| user(n, &[("mail", Value::text("new"))]))
        .collect();
    match kind {
        User => vec![
            more(users[..700].to_vec()),
            more(vec![]),
            last(users[700..].to_vec()),
        ],
        Group => vec![
            more(vec![group(
                5000,
                &(0..600).map(|n| (n, false)).collect::<Vec<_>>(),
            )]),
            last(vec![
                group(5000, &[(1100, false)]),
                group(5001, &[(3, false), (4, true)]),
            ]),
        ],
    }
}

/// Reads a stream as an engine does: goes on wherever the store recorded that it stopped.
fn pull(snapshot: &Snapshot, kind: crate::model::id::ObjectKind, generation: u32) -> Result<(), StoreError> {
    use crate::model::cursor::Cursor;
    let pages = pages(kind);
    loop {
        if snapshot.finishing(kind)?.is_some() {
            snapshot.finish_round(kind)?;
            continue;
        }
        let stream = snapshot.stream(kind)?;
        let mut tx = snapshot.tx()?;
        if stream.generation < generation {
            round::begin_full(&mut tx, kind, &select(kind), crate::model::clock::Timestamp(1))?;
            tx.commit(Durability::Lazy)?;
            continue;
        }
        let at = match &stream.cursor {
            Cursor::Start => 0,
            Cursor::Listing { next_link } => next_link.parse().unwrap(),
            _ => return Ok(()),
        };
        let mut page = pages[at].clone();
        if let crate::ports::NextPage::More { next_link } = &mut page.next {
            *next_link = (at + 1).to_string();
        }
        let outcome = apply_page(&mut tx, kind, page, crate::model::clock::Timestamp(0))?;
        assert_eq!(outcome.next == AfterPage::Finish, at + 1 == pages.len());
        tx.commit(Durability::Lazy)?;
    }
}

fn cycle(store: &MemoryStore) -> Result<(), StoreError> {
    let snapshot = Snapshot::open(std::sync::Arc::new(store.clone()), std::path::Path::new("memory"))?;
    pull(&snapshot, User, 2)?;
    pull(&snapshot, Group, 2)?;
    snapshot.sync()
}

/// Builds a first generation that holds more than the second will bring.
fn earlier() -> MemoryStore {
    let store = MemoryStore::new();
    let snapshot = open(&store);
    full_round(&snapshot, User, (0..1500).map(|n| user(n, &[])).collect());
    full_round(
        &snapshot,
        Group,
        vec![group(5000, &(500..1500).map(|n| (n, false)).collect::<Vec<_>>())],
    );
    clear_all_dirty(&snapshot);
    snapshot.sync().unwrap();
    store
}

fn copy_of(store: &MemoryStore) -> MemoryStore {
    let copy = MemoryStore::new();
    let mut batch = crate::ports::WriteBatch::default();
    store
        .contents()
        .into_iter()
        .for_each(|((table, key), value)| batch.put(table, key, value));
    copy.commit(batch, Durability::Synced).unwrap();
    copy
}

#[test]
fn a_stop_at_any_commit_ends_in_the_same_snapshot() {
    let first = earlier();
    let store = copy_of(&first);
    let before = store.commits();
    cycle(&store).unwrap();
    let (expected, commits) = (store.contents(), store.commits() - before);
    assert!(commits > 8, "{commits}");
    for at in 0..commits {
        for last in [LastCommit::Done, LastCommit::Lost] {
            for power_cut in [false, true] {
                let store = copy_of(&first);
                store.fail_after(at, last);
                cycle(&store).unwrap_err();
                assert!(store.stopped());
                if power_cut {
                    store.crash()
                } else {
                    store.kill()
                }
                cycle(&store).unwrap();
                assert!(
                    store.contents() == expected,
                    "stopped at commit {at}, {last:?}, power cut: {power_cut}"
                );
            }
        }
    }
    assert!(verify(&open(&store)).unwrap().is_clean());
}

#[test]
fn after_a_failed_commit_the_counters_are_read_again() {
    for last in [LastCommit::Done, LastCommit::Lost] {
        let store = earlier();
        let snapshot = open(&store);
        store.fail_after(0, last);
        let mut tx = snapshot.tx().unwrap();
        tx.mark_dirty(User, &id(1), crate::snapshot::record::DirtyCause::MANUAL)
            .unwrap();
        tx.commit(Durability::Synced).unwrap_err();
        store.kill();
        assert_eq!(
            snapshot.dirty_count(User).unwrap(),
            u64::from(last == LastCommit::Done)
        );
        assert!(verify(&snapshot).unwrap().is_clean());
    }
}
