//! What the store costs, in a release build:
//! `cargo test --release --lib snapshot::tests::benchmark -- --ignored --nocapture`.
//! `USERS`, `GROUP_COUNT`, `CACHE_MIB` and `BATCH` choose the size, `ENGINE` one of sled, redb and memory.

use super::world::*;
use crate::model::clock::Stopwatch;
use crate::model::clock::Timestamp;
use crate::model::id::ObjectKind::Group;
use crate::model::id::ObjectKind::User;
use crate::model::object::DeltaObject;
use crate::model::value::Value;
use crate::ports::Durability;
use crate::snapshot::folder::StateFolder;
use crate::snapshot::history::NewEntry;
use crate::snapshot::history::Values;
use crate::snapshot::kv::embedded::Engine;
use crate::snapshot::read::PAGE;
use crate::snapshot::read::Reads;
use crate::snapshot::store::Snapshot;

const GROUP_SIZE: u64 = 100;

fn number(name: &str, default: u64) -> u64 {
    std::env::var(name)
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(default)
}

/// Returns the user and system seconds, and the peak resident MiB, of this process so far.
fn usage() -> (f64, u64) {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
    let ticks: f64 = fields[11].parse::<f64>().unwrap() + fields[12].parse::<f64>().unwrap();
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let peak = status.lines().find(|line| line.starts_with("VmHWM")).unwrap();
    (
        ticks / 100.0,
        peak.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() / 1024,
    )
}

fn phase<T>(name: &str, run: impl FnOnce() -> T) -> T {
    let (watch, (cpu, _)) = (Stopwatch::start(), usage());
    let done = run();
    let (after, peak) = usage();
    eprintln!(
        "{name:<34} {:>8.2} s wall {:>7.2} s CPU {peak:>6} MiB peak",
        watch.elapsed().as_secs_f64(),
        after - cpu
    );
    done
}

fn full_user(n: u64) -> DeltaObject {
    let names = [
        "displayName",
        "mail",
        "givenName",
        "surname",
        "department",
        "jobTitle",
        "mobilePhone",
        "employeeId",
    ];
    let mut user = user(n, &[]);
    for name in names {
        user.attributes
            .insert(name.to_owned(), Value::text(format!("{name} of the user {n}")));
    }
    user.attributes
        .insert("accountEnabled".to_owned(), Value::Bool(true));
    user.manager = vec![reference(n - n % 10, false)];
    user
}

fn entry(n: u64, salt: u8) -> NewEntry {
    NewEntry {
        time: Timestamp(1_700_000_000_000),
        cycle: None,
        actor: "schedule".to_owned(),
        operation: "create_user".to_owned(),
        kind: Some(User),
        object: Some(id(n)),
        target: None,
        reason: "in scope, no match at the target".to_owned(),
        result: "done".to_owned(),
        config: "0123456789abcdef".to_owned(),
        values: Values::default(),
        salt: [salt; 16],
    }
}

fn pull(snapshot: &Snapshot, users: u64, groups: u64) {
    begin_full(snapshot, User);
    let all: Vec<u64> = (0..users).collect();
    for page in all.chunks(200) {
        lazy_page(snapshot, User, more(page.iter().map(|n| full_user(*n)).collect()));
    }
    lazy_page(snapshot, User, last(vec![]));
    snapshot.finish_round(User).unwrap();
    begin_full(snapshot, Group);
    for first in (0..groups).step_by(50) {
        let page = (first..(first + 50).min(groups)).map(|g| {
            let members: Vec<_> = (0..GROUP_SIZE)
                .map(|m| ((g * GROUP_SIZE + m) % users, false))
                .collect();
            group(1_000_000_000 + g, &members)
        });
        lazy_page(snapshot, Group, more(page.collect()));
    }
    lazy_page(snapshot, Group, last(vec![]));
    snapshot.finish_round(Group).unwrap();
}

fn lazy_page(snapshot: &Snapshot, kind: crate::model::id::ObjectKind, page: crate::ports::DeltaPage) {
    let mut tx = snapshot.tx().unwrap();
    crate::snapshot::page::apply_page(&mut tx, kind, page, Timestamp(0)).unwrap();
    tx.commit(Durability::Lazy).unwrap();
}

/// Measures what applying creates costs the store: an intent, the link, a history entry, the dirty mark, in batches.
fn apply(snapshot: &Snapshot, batch: usize) {
    loop {
        let dirty = snapshot.dirty(User, None, batch).unwrap();
        if dirty.is_empty() {
            break;
        }
        let mut tx = snapshot.tx().unwrap();
        let intents: Vec<_> = dirty.iter().map(|(id, _)| (User, *id, intent(*id))).collect();
        let batches = tx.put_intents(intents);
        tx.commit(Durability::Synced).unwrap();
        let mut tx = snapshot.tx().unwrap();
        let mut entries = Vec::new();
        for (n, (id, _)) in dirty.iter().enumerate() {
            let mut record = tx.record(User, id).unwrap().unwrap();
            let mut link = link(&id.to_string());
            link.sent.clone_from(&record.object.attributes);
            record.link = Some(link);
            tx.put_record(&record).unwrap();
            tx.clear_dirty(User, id).unwrap();
            entries.push(entry(n as u64, 3));
        }
        tx.append_history(entries.clone());
        for (number, _) in batches {
            tx.replace_intents(number, &[]);
        }
        tx.commit(Durability::Lazy).unwrap();
    }
    snapshot.sync().unwrap();
}

fn intent(id: crate::model::id::SourceId) -> crate::model::link::Intent {
    crate::model::link::Intent {
        external_id: Some(id.to_string()),
        matching: vec![],
        sent_at: Timestamp(1),
    }
}

#[test]
#[ignore = "a measurement, for a release build"]
fn what_the_store_costs() {
    let (users, groups) = (number("USERS", 10_000), number("GROUP_COUNT", 100));
    let (cache, batch) = (number("CACHE_MIB", 64) << 20, number("BATCH", 256) as usize);
    let folder = tempfile::tempdir_in(std::env::var("STATE").unwrap_or_else(|_| "/tmp".to_owned())).unwrap();
    let wanted = std::env::var("ENGINE").unwrap_or_else(|_| "sled".to_owned());
    let engine = Engine::ALL.into_iter().find(|engine| engine.name() == wanted);
    let state = StateFolder::hold(folder.path())
        .unwrap()
        .with_engine(engine.unwrap_or_default());
    if engine.is_none() {
        // What is left without an engine: our own share, and this test's.
        let snapshot = open(&crate::snapshot::kv::memory::MemoryStore::new());
        phase("initial pull, in memory", || pull(&snapshot, users, groups));
        phase("apply the users, in memory", || apply(&snapshot, batch));
        return;
    }
    let snapshot = state.open_job("j", cache).unwrap();
    phase("initial pull", || pull(&snapshot, users, groups));
    phase("apply the users", || apply(&snapshot, batch));
    phase("a second full round", || pull(&snapshot, users, groups));
    phase("a delta of 1 %", || {
        let changed = (0..users / 100).map(|n| object(User, n * 100, &[("mail", Value::text("new"))]));
        lazy_page(&snapshot, User, last(changed.collect()));
        apply(&snapshot, batch);
    });
    phase("scan of all users", || {
        let mut after = None;
        while let Some(last) = snapshot.scan_records(User, after.as_ref(), PAGE).unwrap().pop() {
            after = Some(last.object.id);
        }
    });
    let size = snapshot.size_on_disk().unwrap() >> 20;
    phase("close", || drop(snapshot));
    let snapshot = phase("open", || state.open_job("j", cache).unwrap());
    phase("self-check", || {
        assert!(
            crate::snapshot::maintenance::verify::verify(&snapshot)
                .unwrap()
                .is_clean()
        )
    });
    eprintln!("{size} MiB on disk, {:?}", snapshot.counts().unwrap());
}
