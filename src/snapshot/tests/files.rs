//! The state folder on disk: the lock, formats, damage, backup, restore, export.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    panic::{AssertUnwindSafe, catch_unwind},
    path::Path,
};

use super::history::entry;
use super::world::*;
use crate::model::cursor::Cursor;
use crate::model::id::ObjectKind::Group;
use crate::model::id::ObjectKind::User;
use crate::model::value::Value;
use crate::ports::Durability;
use crate::ports::SnapshotStore;
use crate::ports::StoreError;
use crate::ports::Table;
use crate::ports::WriteBatch;
use crate::snapshot::folder::StateFolder;
use crate::snapshot::history::BatchValues;
use crate::snapshot::keys;
use crate::snapshot::kv::embedded::Engine;
use crate::snapshot::kv::memory::MemoryStore;
use crate::snapshot::maintenance::export::export;
use crate::snapshot::maintenance::migrate::FORMAT;
use crate::snapshot::maintenance::migrate::Step;
use crate::snapshot::maintenance::migrate::migrate;
use crate::snapshot::maintenance::transfer;
use crate::snapshot::maintenance::verify::verify;
use crate::snapshot::read::Reads;
use crate::snapshot::record;
use crate::snapshot::record::Record;
use crate::snapshot::record::RecordHead;
use crate::snapshot::state::{RESTORED, StateReads};
use crate::snapshot::store::Snapshot;

const CACHE: u64 = 1 << 20;

pub(super) fn fill(snapshot: &Snapshot) {
    let mut report = user(2, &[("mail", Value::text("b@corp.example"))]);
    report.manager = vec![reference(1, false)];
    full_round(snapshot, User, vec![user(1, &[]), report]);
    full_round(snapshot, Group, vec![group(9, &[(1, false), (2, false)])]);
    let mut tx = snapshot.tx().unwrap();
    let mut record = tx.record(User, &id(1)).unwrap().unwrap();
    record.link = Some(link("t1"));
    tx.put_record(&record).unwrap();
    tx.put_meta("dialect", "{}");
    tx.put_cycle(&serde_json::json!({"outcome": "converged"}));
    tx.commit(Durability::Synced).unwrap();
}

fn set_format(store: &dyn SnapshotStore, format: u32) {
    let mut batch = WriteBatch::default();
    batch.put(Table::Meta, keys::meta::FORMAT, format.to_be_bytes());
    store.commit(batch, Durability::Synced).unwrap();
}

pub(super) fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let goal = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &goal);
        } else {
            fs::copy(entry.path(), goal).unwrap();
        }
    }
}

#[test]
fn a_second_process_learns_who_holds_the_state() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("deep/state");
    let held = StateFolder::hold(&root).unwrap();
    assert_eq!(fs::metadata(&root).unwrap().permissions().mode() & 0o777, 0o700);
    // To the kernel, a lock on another open file description equals a lock of another process.
    match StateFolder::hold(&root) {
        Err(StoreError::InUse { holder, .. }) => assert_eq!(holder.pid, std::process::id().to_string()),
        other => panic!("{other:?}"),
    }
    drop(held);
    StateFolder::hold(&root).unwrap();
}

#[test]
fn a_lock_left_by_a_dead_process_is_none() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("lock"), "4194304\n").unwrap();
    StateFolder::hold(folder.path()).unwrap();
}

#[test]
fn a_state_path_that_is_no_folder_is_an_error_with_its_cause() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("state"), "").unwrap();
    let error = StateFolder::hold(&folder.path().join("state")).unwrap_err();
    assert!(matches!(error, StoreError::Io { .. }), "{error:?}");
}

#[test]
fn a_job_keeps_its_snapshot_over_a_restart_beside_other_jobs() {
    let folder = tempfile::tempdir().unwrap();
    for engine in Engine::ALL {
        let root = folder.path().join(engine.name());
        let state = StateFolder::hold(&root).unwrap().with_engine(engine);
        fill(&state.open_job("a", CACHE).unwrap());
        state.open_job("b", CACHE).unwrap();
        assert_eq!(state.jobs().unwrap(), ["a", "b"]);
        assert_eq!(state.open_job("b", CACHE).unwrap().counts().unwrap().users, 0);
        let snapshot = state.open_job("a", CACHE).unwrap();
        assert_eq!(snapshot.counts().unwrap().linked_users, 1);
        assert!(verify(&snapshot).unwrap().is_clean());
        drop(snapshot);
        state.forget("a").unwrap();
        assert_eq!(state.open_job("a", CACHE).unwrap().counts().unwrap().users, 0);
    }
}

#[test]
fn a_store_of_another_engine_is_refused_and_moves_over_by_a_backup() {
    for (old, new) in [(Engine::Sled, Engine::Redb), (Engine::Redb, Engine::Sled)] {
        let folder = tempfile::tempdir().unwrap();
        let (root, file) = (folder.path().join("state"), folder.path().join("b.backup"));
        let state = StateFolder::hold(&root).unwrap();
        let before = state.clone().with_engine(old).open_job("j", CACHE).unwrap();
        fill(&before);
        let record = before.record(User, &id(1)).unwrap();
        transfer::backup(before.store(), before.path(), &file).unwrap();
        drop(before);

        let state = state.with_engine(new);
        let error = state.open_job("j", CACHE).unwrap_err();
        assert!(matches!(error, StoreError::OtherEngine { .. }), "{error:?}");
        assert!(error.hint().contains(&format!("store = \"{}\"", old.name())));
        assert!(error.hint().contains("state restore"));
        assert!(!new.folder(&root.join("j")).exists(), "nothing was begun");
        assert_eq!(state.jobs().unwrap(), ["j"]);

        transfer::restore(&file, &state, "j", false).unwrap_err();
        transfer::restore(&file, &state, "j", true).unwrap();
        let moved = state.open_job("j", CACHE).unwrap();
        assert!(verify(&moved).unwrap().is_clean());
        assert_eq!(moved.record(User, &id(1)).unwrap(), record);
        assert!(root.join(format!("j/{}.replaced", old.name())).is_dir());
    }
}

#[test]
fn the_files_of_redb_are_for_this_user_alone() {
    let folder = tempfile::tempdir().unwrap();
    let state = StateFolder::hold(folder.path())
        .unwrap()
        .with_engine(Engine::Redb);
    state.open_job("j", CACHE).unwrap();
    for (name, mode) in [("j", 0o700), ("j/redb", 0o700), ("j/redb/snapshot.redb", 0o600)] {
        let found = fs::metadata(folder.path().join(name)).unwrap().permissions();
        assert_eq!(found.mode() & 0o777, mode, "{name}");
    }
}

#[test]
fn a_newer_format_is_refused_and_nothing_is_written() {
    let folder = tempfile::tempdir().unwrap();
    let state = StateFolder::hold(folder.path()).unwrap();
    set_format(state.open_job("j", CACHE).unwrap().store(), FORMAT + 1);
    let error = state.open_job("j", CACHE).unwrap_err();
    assert!(
        matches!(error, StoreError::TooNew { found, known: FORMAT, .. } if found == FORMAT + 1),
        "{error:?}"
    );
}

#[test]
fn an_older_format_is_migrated_step_by_step_after_a_backup() {
    let folder = tempfile::tempdir().unwrap();
    let backup = folder.path().join("before.backup");
    let store = MemoryStore::new();
    fill(&open(&store));
    let old = store.contents();
    const NOTE: fn(&dyn SnapshotStore, &str) -> Result<(), StoreError> = |store, name| {
        let mut batch = WriteBatch::default();
        batch.put(Table::Meta, keys::meta::free(name), "");
        store.commit(batch, Durability::Synced)
    };
    let steps = [
        Step {
            from: FORMAT + 1,
            run: |store| NOTE(store, "second"),
        },
        Step {
            from: FORMAT,
            run: |store| NOTE(store, "first"),
        },
    ];

    // The process ends in the middle; the backup of the old format stays.
    store.fail_after(1, crate::snapshot::kv::memory::LastCommit::Lost);
    migrate(&store, "memory", &backup, &steps, FORMAT + 2).unwrap_err();
    store.kill();
    assert!(migrate(&store, "memory", &backup, &steps, FORMAT + 2).unwrap());
    assert!(!migrate(&store, "memory", &backup, &steps, FORMAT + 2).unwrap());
    for name in ["first", "second"] {
        assert!(store.get(Table::Meta, &keys::meta::free(name)).unwrap().is_some());
    }
    let state = StateFolder::hold(&folder.path().join("state")).unwrap();
    assert_eq!(
        transfer::restore(&backup, &state, "j", false).unwrap(),
        old.len() as u64
    );
    assert!(matches!(
        migrate(&store, "memory", &backup, &steps, FORMAT + 3),
        Err(StoreError::Damaged { .. })
    ));
}

/// Writes a store as format 1 did: every entry by itself, all names in records and in the history as texts, and no
/// marks beside the history. Returns the number of records.
fn write_format_1(folder: &Path, entries: &[(Table, Vec<u8>, Vec<u8>)]) -> u64 {
    let db = ::sled::open(folder).unwrap();
    let mut records = 0;
    for (table, key, value) in entries.iter().filter(|(table, ..)| *table != Table::HistoryMarks) {
        records += 1;
        let value = match *table {
            Table::Objects => {
                let (kind, id) = keys::parse_object(key).unwrap();
                let record = Record::decode(kind, id, value).unwrap();
                let head = RecordHead::decode(value).unwrap();
                record::encode(&(head, record.link, record.object.attributes))
            }
            Table::HistoryValues => record::encode(&BatchValues::decode(value).unwrap().0),
            Table::Meta if key == keys::meta::FORMAT => 1u32.to_be_bytes().to_vec(),
            _ => value.clone(),
        };
        db.insert([&[*table as u8], key.as_slice()].concat(), value)
            .unwrap();
    }
    db.flush().unwrap();
    records
}

fn everything(store: &dyn SnapshotStore) -> Vec<(Table, Vec<u8>, Vec<u8>)> {
    let mut all = Vec::new();
    for table in transfer::TABLES {
        let found = store.scan(table, &[], None, usize::MAX).unwrap();
        all.extend(found.into_iter().map(|(key, value)| (table, key, value)));
    }
    all
}

#[test]
fn a_store_of_format_1_is_read_whole_backed_up_and_moved_into_blocks() {
    let folder = tempfile::tempdir().unwrap();
    let memory = MemoryStore::new();
    fill(&open(&memory));
    let told = open(&memory);
    let mut tx = told.tx().unwrap();
    tx.append_history(vec![entry(1), entry(2)]);
    tx.commit(Durability::Synced).unwrap();
    let job = folder.path().join("j");
    fs::create_dir_all(&job).unwrap();
    let records = write_format_1(&job.join("sled"), &everything(&memory));
    fs::write(job.join("created"), "").unwrap();

    let state = StateFolder::hold(folder.path()).unwrap();
    let snapshot = state.open_job("j", CACHE).unwrap();
    assert!(verify(&snapshot).unwrap().is_clean(), "{:?}", verify(&snapshot));
    let small =
        |(table, _, _): &(Table, _, _)| !matches!(table, Table::Objects | Table::HistoryValues | Table::Meta);
    let now: Vec<_> = everything(snapshot.store()).into_iter().filter(small).collect();
    assert_eq!(
        now,
        everything(&memory).into_iter().filter(small).collect::<Vec<_>>()
    );
    let before = open(&memory).scan_records(User, None, 9).unwrap();
    assert_eq!(snapshot.scan_records(User, None, 9).unwrap(), before);
    let told = told.history(0, 99).unwrap();
    assert_eq!(told.len(), 2);
    assert_eq!(snapshot.history(0, 99).unwrap(), told);
    drop(snapshot);

    let left = ::sled::open(job.join("sled")).unwrap();
    assert_eq!(
        left.scan_prefix([Table::Edges as u8]).count(),
        0,
        "moved, not copied"
    );
    drop(left);
    let backup = job.join(format!("before-format-{FORMAT}.backup"));
    let other = StateFolder::hold(&folder.path().join("other")).unwrap();
    let restored = transfer::restore(&backup, &other, "j", false).unwrap();
    assert_eq!(restored, records, "the backup has all of it");
    assert!(verify(&other.open_job("j", CACHE).unwrap()).unwrap().is_clean());
}

#[test]
fn records_without_a_format_number_are_damage() {
    let store = MemoryStore::new();
    fill(&open(&store));
    let mut batch = WriteBatch::default();
    batch.delete(Table::Meta, keys::meta::FORMAT);
    store.commit(batch, Durability::Synced).unwrap();
    let error = Snapshot::open(std::sync::Arc::new(store), Path::new("memory")).unwrap_err();
    assert!(matches!(error, StoreError::Damaged { .. }), "{error:?}");
}

#[test]
fn lost_files_are_damage_and_not_a_fresh_start() {
    let spoilers = [
        (
            "folder gone",
            (|file: &Path| fs::remove_dir_all(file.parent().unwrap()).unwrap()) as fn(&Path),
        ),
        ("file gone", |file| fs::remove_file(file).unwrap()),
        ("file empty", |file| fs::write(file, "").unwrap()),
        ("file of zeros", |file| fs::write(file, vec![0; 1 << 20]).unwrap()),
    ];
    for (engine, (name, spoil)) in Engine::ALL
        .into_iter()
        .flat_map(|engine| spoilers.map(|how| (engine, how)))
    {
        let name = format!("{}, {name}", engine.name());
        let folder = tempfile::tempdir().unwrap();
        let state = StateFolder::hold(folder.path()).unwrap().with_engine(engine);
        fill(&state.open_job("j", CACHE).unwrap());
        spoil(&engine.file(&folder.path().join("j")));
        let error = state.open_job("j", CACHE).unwrap_err();
        assert!(matches!(error, StoreError::Damaged { .. }), "{name}: {error:?}");
        assert!(error.hint().contains("restore a backup"), "{name}");
    }
}

#[test]
fn spoilt_bytes_are_never_a_panic_out_of_the_store() {
    Engine::ALL.into_iter().for_each(spoilt_bytes);
}

fn spoilt_bytes(engine: Engine) {
    let folder = tempfile::tempdir().unwrap();
    let sound = folder.path().join("sound");
    {
        let store = engine.open(&engine.folder(&sound), CACHE).unwrap();
        let snapshot = Snapshot::open(store, &sound).unwrap();
        fill(&snapshot);
        full_round(&snapshot, User, (0..500).map(|n| user(n, &[])).collect());
    }
    let size = fs::metadata(engine.file(&sound)).unwrap().len();
    let written = fs::read(engine.file(&sound))
        .unwrap()
        .iter()
        .rposition(|byte| *byte != 0)
        .unwrap() as u64;
    for n in 0..16 {
        for truncate in [false, true] {
            let spoilt = folder.path().join(format!("spoilt-{n}-{truncate}"));
            copy(&sound, &spoilt);
            let log = engine.file(&spoilt);
            if truncate {
                fs::OpenOptions::new()
                    .write(true)
                    .open(&log)
                    .unwrap()
                    .set_len(size * n / 16)
                    .unwrap();
            } else {
                let mut bytes = fs::read(&log).unwrap();
                let at = (written * n / 16) as usize;
                bytes[at..(at + 64).min(size as usize)]
                    .iter_mut()
                    .for_each(|byte| *byte ^= 0xa5);
                fs::write(&log, bytes).unwrap();
            }
            let outcome = catch_unwind(AssertUnwindSafe(|| use_it(engine, &spoilt)));
            let name = engine.name();
            assert!(
                outcome.is_ok(),
                "a panic came out of {name}: part {n}, truncate {truncate}"
            );
        }
    }
}

/// Uses the store: whatever is wrong with it must come back as an error value.
fn use_it(engine: Engine, folder: &Path) -> Result<(), StoreError> {
    let store = engine.open(&engine.folder(folder), CACHE)?;
    let snapshot = Snapshot::open(store, folder)?;
    verify(&snapshot)?;
    export(&snapshot, &mut std::io::sink())?;
    snapshot.scan_records(User, None, usize::MAX)?;
    snapshot.tx()?.commit(Durability::Synced)
}

#[test]
fn a_restored_backup_is_the_snapshot_again_but_reads_everything_anew() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("b.backup");
    let state = StateFolder::hold(&folder.path().join("state")).unwrap();
    let snapshot = state.open_job("j", CACHE).unwrap();
    fill(&snapshot);
    transfer::backup(snapshot.store(), snapshot.path(), &file).unwrap();
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    assert!(
        transfer::backup(snapshot.store(), snapshot.path(), &file).is_err(),
        "never over another backup"
    );
    let record = snapshot.record(User, &id(1)).unwrap();
    drop(snapshot);

    let error = transfer::restore(&file, &state, "j", false).unwrap_err();
    assert!(matches!(error, StoreError::Io { .. }), "{error:?}");
    for (job, force) in [("k", false), ("j", true)] {
        transfer::restore(&file, &state, job, force).unwrap();
        let restored = state.open_job(job, CACHE).unwrap();
        assert!(verify(&restored).unwrap().is_clean());
        assert_eq!(restored.record(User, &id(1)).unwrap(), record);
        assert_eq!(restored.stream(User).unwrap().cursor, Cursor::Start);
        assert!(restored.has_state(&RESTORED).unwrap());
    }
    assert!(folder.path().join("state/j/sled.replaced").is_dir());
}

#[test]
fn a_backup_that_is_not_whole_restores_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("b.backup");
    let store = MemoryStore::new();
    fill(&open(&store));
    transfer::backup(&store, "memory", &file).unwrap();
    let whole = fs::read(&file).unwrap();
    let state = StateFolder::hold(&folder.path().join("state")).unwrap();
    for at in (0..whole.len()).step_by(whole.len() / 40) {
        let mut altered = whole.clone();
        altered[at] ^= 0x40;
        for spoilt in [altered, whole[..at].to_vec()] {
            fs::write(&file, spoilt).unwrap();
            let error = transfer::restore(&file, &state, "j", true).unwrap_err();
            assert!(
                matches!(error, StoreError::Damaged { .. }),
                "byte {at}: {error:?}"
            );
            assert!(state.jobs().unwrap().is_empty());
        }
    }
}

#[test]
fn an_export_has_a_line_for_everything_and_goes_on_over_damage() {
    let store = MemoryStore::new();
    let snapshot = open(&store);
    fill(&snapshot);
    let mut lines = Vec::new();
    let done = export(&snapshot, &mut lines).unwrap();
    let text = String::from_utf8(lines).unwrap();
    let json: Vec<serde_json::Value> = text
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let count = |kind: &str| json.iter().filter(|line| line["type"] == kind).count();
    assert_eq!((count("snapshot"), count("stream"), count("meta")), (1, 2, 1));
    assert_eq!(
        (
            count("object"),
            count("membership"),
            count("dirty"),
            count("cycle")
        ),
        (3, 2, 3, 1)
    );
    assert_eq!((done.lines, done.damaged), (json.len() as u64, 0));

    let mut batch = WriteBatch::default();
    batch.put(Table::Objects, keys::object(User, &id(2)), "rubbish");
    store.commit(batch, Durability::Synced).unwrap();
    let again = export(&snapshot, &mut std::io::sink()).unwrap();
    assert_eq!((again.lines, again.damaged), (done.lines, 1));
    assert!(!verify(&snapshot).unwrap().is_clean());
}

#[test]
fn the_self_check_finds_what_does_not_agree() {
    type Spoil = fn(&mut WriteBatch);
    let spoils: [(&str, Spoil); 11] = [
        ("marks of a record are gone", |batch| {
            batch.delete(Table::HistoryMarks, keys::number(0))
        }),
        ("marks of others", |batch| {
            batch.put(Table::HistoryMarks, keys::number(0), [1, 2, 3, 4])
        }),
        ("marks of nothing", |batch| {
            batch.put(Table::HistoryMarks, keys::number(7), "")
        }),
        ("a hold that does not decode", |batch| {
            let key = [&[2], keys::object(User, &id(1)).as_slice()].concat();
            batch.put(Table::KeptBack, key, "rubbish")
        }),
        ("withheld under a key that does not decode", |batch| {
            batch.put(Table::KeptBack, "rubbish", "")
        }),
        ("owner gone", |batch| {
            batch.delete(Table::Owners, keys::resource(User, &target("t1")))
        }),
        ("owner of nothing", |batch| {
            batch.put(
                Table::Owners,
                keys::resource(User, &target("t7")),
                *id(2).as_bytes(),
            )
        }),
        ("referrer gone", |batch| {
            batch.delete(Table::Referrers, keys::referrer(&id(1), User, &id(2)))
        }),
        ("referrer of nothing", |batch| {
            batch.put(Table::Referrers, keys::referrer(&id(5), Group, &id(9)), "")
        }),
        ("edge gone", |batch| {
            batch.delete(Table::Edges, keys::edge(&id(9), &id(1)))
        }),
        ("dirty mark gone", |batch| {
            batch.delete(Table::Dirty, keys::object(User, &id(1)))
        }),
    ];
    for (name, spoil) in spoils {
        let store = MemoryStore::new();
        let snapshot = open(&store);
        fill(&snapshot);
        let mut tx = snapshot.tx().unwrap();
        tx.append_history(vec![entry(1), entry(2)]);
        tx.commit(Durability::Synced).unwrap();
        assert!(verify(&open(&store)).unwrap().is_clean());
        let mut batch = WriteBatch::default();
        spoil(&mut batch);
        store.commit(batch, Durability::Synced).unwrap();
        assert!(!verify(&open(&store)).unwrap().is_clean(), "{name}");
    }
}
