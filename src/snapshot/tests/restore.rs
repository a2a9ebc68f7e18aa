//! A restore that is interrupted anywhere: never an older snapshot without the mark that it is one.

use std::fs;
use std::path::Path;

use super::files::fill;
use super::world::*;
use crate::model::clock::Timestamp;
use crate::model::id::ObjectKind::User;
use crate::ports::Durability;
use crate::ports::SnapshotStore;
use crate::ports::StoreError;
use crate::ports::Table;
use crate::snapshot::again;
use crate::snapshot::folder::StateFolder;
use crate::snapshot::keys;
use crate::snapshot::kv::embedded::Engine;
use crate::snapshot::kv::memory::LastCommit;
use crate::snapshot::kv::memory::MemoryStore;
use crate::snapshot::maintenance::forget;
use crate::snapshot::maintenance::transfer;
use crate::snapshot::read::Reads;
use crate::snapshot::state::{LEARNED, RESTORED, StateReads};

const CACHE: u64 = 1 << 20;

fn backup_of(state: &StateFolder, job: &str, file: &Path) {
    let snapshot = state.open_job(job, CACHE).unwrap();
    transfer::backup(snapshot.store(), snapshot.path(), file).unwrap();
}

#[test]
fn a_restored_store_never_holds_everything_without_the_mark() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("b.backup");
    let full = MemoryStore::new();
    fill(&open(&full));
    transfer::backup(&full, "memory", &file).unwrap();
    let records = |store: &MemoryStore| store.scan(Table::Objects, &[], None, usize::MAX).unwrap();
    for at in 0.. {
        let store = MemoryStore::new();
        store.fail_after(at, LastCommit::Done);
        let loaded = transfer::load(&file, &store, folder.path());
        let stopped = store.stopped();
        store.kill();
        let whole = records(&store) == records(&full);
        let marked = store
            .get(Table::Meta, &keys::meta::free(RESTORED.name()))
            .unwrap()
            .is_some();
        assert!(marked || !whole, "commit {at}");
        if !stopped {
            loaded.unwrap();
            assert!(whole && marked);
            break;
        }
    }
}

#[test]
fn what_takes_the_place_of_the_store_has_forgotten_already_who_was_forgotten() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("b.backup");
    for engine in Engine::ALL {
        let root = folder.path().join(engine.name());
        let state = StateFolder::hold(&root).unwrap().with_engine(engine);
        fill(&state.open_job("j", CACHE).unwrap());
        let _ = fs::remove_file(&file);
        backup_of(&state, "j", &file);
        let snapshot = state.open_job("j", CACHE).unwrap();
        forget::forget(&snapshot, &root.join("j"), id(2), Timestamp(1)).unwrap();
        drop(snapshot);
        transfer::restore(&file, &state, "j", true).unwrap();
        // Opened as it is on disk, without what opening a job does.
        let store = engine.open(&engine.folder(&root.join("j")), CACHE).unwrap();
        assert!(
            store
                .get(Table::Objects, &keys::object(User, &id(2)))
                .unwrap()
                .is_none(),
            "{}",
            engine.name()
        );
        assert!(
            store
                .get(Table::Meta, &keys::meta::free(RESTORED.name()))
                .unwrap()
                .is_some()
        );
    }
}

#[test]
fn a_store_that_a_compaction_left_under_its_old_name_is_not_restored_over() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("b.backup");
    let state = StateFolder::hold(&folder.path().join("state")).unwrap();
    fill(&state.open_job("j", CACHE).unwrap());
    backup_of(&state, "j", &file);
    let job = folder.path().join("state/j");
    fs::rename(job.join("sled"), job.join("sled.old")).unwrap();
    assert_eq!(state.jobs().unwrap(), ["j"]);
    let error = transfer::restore(&file, &state, "j", false).unwrap_err();
    assert!(matches!(error, StoreError::Io { .. }), "{error:?}");
    let other = state.clone().with_engine(Engine::Redb).open_job("j", CACHE);
    assert!(matches!(other, Err(StoreError::OtherEngine { .. })), "{other:?}");
    transfer::restore(&file, &state, "j", true).unwrap();
    assert!(job.join("sled.replaced").is_dir() && !job.join("sled.old").exists());
    let restored = state.open_job("j", CACHE).unwrap();
    assert!(restored.has_state(&RESTORED).unwrap());
}

#[test]
fn a_trial_of_before_is_not_finished_with_the_members_of_then() {
    let store = MemoryStore::new();
    let snapshot = open(&store);
    for (learned, left) in [
        (r#"{"proven":["a"],"trial":{"group":"g"}}"#, r#"{"proven":["a"]}"#),
        (r#"{"proven":["a"]}"#, r#"{"proven":["a"]}"#),
        ("not ours", "not ours"),
    ] {
        let mut tx = snapshot.tx().unwrap();
        tx.put_state(&LEARNED, &learned.to_owned());
        tx.commit(Durability::Lazy).unwrap();
        again::begin_again(&snapshot, "restored").unwrap();
        assert_eq!(snapshot.state(&LEARNED).unwrap().unwrap(), left);
    }
}
