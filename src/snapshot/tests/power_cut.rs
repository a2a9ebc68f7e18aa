//! Power cuts: the system calls of a small workload are recorded, and replayed up to a random call with part of what
//! was not synced lost. What was acknowledged as synced must be there, each commit whole, none without those before it.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::io::Write;
use std::path::Path;

use super::disk::Call;
use super::disk::Disk;
use super::engines::Tried;
use super::strace;
use crate::ports::Durability;
use crate::ports::SnapshotStore;
use crate::ports::StoreError;
use crate::ports::Table;
use crate::ports::WriteBatch;
use crate::snapshot::kv::embedded::Engine;
use crate::snapshot::maintenance::transfer::TABLES;

const COMMITS: u32 = 120;
const CUTS: u64 = 60;
/// The store's folder within the folder of a run.
const STORE: &str = "store";
/// The environment variable that gives the traced half its task.
const TASK: &str = "MELONSYNC_TEST_POWER_CUT";
/// The file that the workload writes when a commit has returned.
const ACKNOWLEDGED: &str = "acknowledged";

type Contents = BTreeMap<(Table, Vec<u8>), Vec<u8>>;

const fn durability(n: u32) -> Durability {
    if n.is_multiple_of(3) {
        Durability::Synced
    } else {
        Durability::Lazy
    }
}

/// Builds the `n`th commit: several tables, blocks and single entries, keys that come and go, and large values.
fn commit(n: u32) -> WriteBatch {
    let mut batch = WriteBatch::default();
    batch.put(Table::Meta, "n", n.to_be_bytes());
    for k in 0..20 {
        let (key, size) = ((n * 7 + k * 13) % 300, (n * 31 + k * 101) % 700);
        batch.put(Table::Objects, key.to_be_bytes(), vec![n as u8; size as usize]);
        batch.put(Table::Edges, [key.to_be_bytes(), k.to_be_bytes()].concat(), []);
        batch.delete(Table::Objects, ((n + k) % 300).to_be_bytes());
    }
    if n % 40 == 39 {
        batch.put(Table::Cycles, (n % 80).to_be_bytes(), vec![n as u8; 700_000]);
    }
    batch
}

fn after(n: u32) -> Contents {
    let mut contents = Contents::new();
    for (table, key, value) in (1..=n).flat_map(|n| commit(n).writes) {
        match value {
            Some(value) => contents.insert((table, key), value),
            None => contents.remove(&(table, key)),
        };
    }
    contents
}

fn read(store: &dyn SnapshotStore) -> Result<Contents, StoreError> {
    let mut contents = Contents::new();
    for table in TABLES {
        let found = store.scan(table, &[], None, usize::MAX)?;
        contents.extend(found.into_iter().map(|(key, value)| ((table, key), value)));
    }
    Ok(contents)
}

#[test]
#[ignore = "the half of the power-cut tests that they record; alone it does nothing"]
fn workload() {
    let Ok(task) = std::env::var(TASK) else {
        return;
    };
    let (engine, folder) = task.split_once(' ').unwrap();
    let engine = Tried::ALL
        .into_iter()
        .find(|known| known.name() == engine)
        .unwrap();
    let folder = Path::new(folder);
    let store = engine.open(&folder.join(STORE)).unwrap();
    let mut acknowledged = fs::File::create(folder.join(ACKNOWLEDGED)).unwrap();
    for n in 1..=COMMITS {
        store.commit(commit(n), durability(n)).unwrap();
        acknowledged.write_all(&n.to_be_bytes()).unwrap();
    }
}

/// Records the workload. Returns the calls under the folder, checked to be all that changed a file there.
fn recorded(engine: Tried, folder: &Path, log: &Path) -> Option<Vec<Call>> {
    let task = format!("{TASK}={} {}", engine.name(), folder.display());
    let program = std::env::current_exe().unwrap();
    let test = concat!(module_path!(), "::workload").split_once("::").unwrap().1;
    let command = [
        "env",
        &task,
        program.to_str().unwrap(),
        "--exact",
        test,
        "--ignored",
        "--nocapture",
    ];
    let calls = strace::record(log, &command.map(OsStr::new))?;
    let mut disk = Disk::default();
    calls.iter().for_each(|call| disk.apply(call));
    let mut acknowledged = false;
    for (path, content) in disk.live() {
        if path.starts_with(folder) && path.is_file() {
            acknowledged |= path.ends_with(ACKNOWLEDGED);
            assert!(
                fs::read(path).unwrap() == content,
                "{} was changed by a call that is not recorded",
                path.display()
            );
        }
    }
    assert!(acknowledged, "the workload ran");
    Some(calls)
}

/// Draws from splitmix64: the same cuts every time.
fn random(seed: &mut u64) -> u64 {
    *seed = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut z = *seed;
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// Picks the version of a sector that is left: the last synced one, any one, or mostly the newest one.
fn pick(manner: u64, seed: &mut u64, versions: usize) -> usize {
    match manner {
        0 => 0,
        1 => (random(seed) % versions as u64) as usize,
        _ if random(seed).is_multiple_of(10) => 0,
        _ => versions - 1,
    }
}

fn survives_power_cuts(engine: Tried) {
    let folder = tempfile::tempdir().unwrap();
    let root = fs::canonicalize(folder.path()).unwrap();
    let work = root.join("work");
    fs::create_dir(&work).unwrap();
    let Some(calls) = recorded(engine, &work, &root.join("log")) else {
        return;
    };
    let acknowledged = work.join(ACKNOWLEDGED);
    let is_acknowledged = |call: &Call| matches!(call, Call::Write { path, .. } if *path == acknowledged);
    let first = calls.iter().position(is_acknowledged).unwrap();
    let mut seed = 1;
    let mut at: Vec<usize> = (0..CUTS)
        .map(|_| first + (random(&mut seed) as usize) % (calls.len() - first))
        .collect();
    at.sort_unstable();

    let (mut disk, mut done) = (Disk::default(), 0);
    for (cut, at) in at.into_iter().enumerate() {
        calls[done..=at].iter().for_each(|call| disk.apply(call));
        done = at + 1;
        let returned = calls[..done].iter().filter(|call| is_acknowledged(call)).count() as u32;
        let left = root.join(format!("cut-{cut}"));
        disk.cut(&work, &left, &mut |versions| {
            pick(cut as u64 % 3, &mut seed, versions)
        });
        check(
            engine,
            &left,
            returned,
            &format!("{} cut at call {at}", engine.name()),
        );
        fs::remove_dir_all(left).unwrap();
    }
}

fn check(engine: Tried, left: &Path, returned: u32, name: &str) {
    let synced = (1..=returned)
        .rev()
        .find(|n| durability(*n) == Durability::Synced);
    let store = engine.open(&left.join(STORE));
    let contents = store
        .and_then(|store| read(&*store))
        .unwrap_or_else(|error| panic!("{name}, {returned} commits: {error}"));
    let n = contents
        .get(&(Table::Meta, b"n".to_vec()))
        .map_or(0, |n| u32::from_be_bytes(n.as_slice().try_into().unwrap()));
    assert!(
        n >= synced.unwrap_or(0),
        "{name}: {n} commits are left, {synced:?} were synced"
    );
    assert!(n <= returned + 1, "{name}: {n} of {returned}");
    assert!(
        contents == after(n),
        "{name}: what is left is not what {n} commits made"
    );
}

#[test]
fn sled_keeps_over_a_power_cut_what_was_synced_and_the_rest_in_order() {
    survives_power_cuts(Tried::Plain(Engine::Sled));
}

#[test]
fn so_does_sled_where_the_journal_is_folded_in_between() {
    survives_power_cuts(Tried::FOLDING);
}

#[test]
fn redb_keeps_over_a_power_cut_what_was_synced_and_the_rest_in_order() {
    survives_power_cuts(Tried::Plain(Engine::Redb));
}

#[test]
fn without_strace_the_tests_of_power_cuts_report_that_they_are_skipped() {
    let test =
        "snapshot::tests::power_cut::redb_keeps_over_a_power_cut_what_was_synced_and_the_rest_in_order";
    let done = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", test])
        .env("PATH", "")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&done.stderr);
    assert!(
        said.contains(test) && said.contains("SKIPPED: there is no strace"),
        "{said}"
    );
}

/// A killed process leaves the files as they are, without its buffers.
#[test]
fn a_lazy_commit_survives_a_kill() {
    for engine in Tried::ALL {
        let folder = tempfile::tempdir().unwrap();
        let (live, left) = (folder.path().join("live"), folder.path().join("left"));
        let store = engine.open(&live).unwrap();
        for n in 1..=9 {
            store.commit(commit(n), Durability::Lazy).unwrap();
            super::files::copy(&live, &left);
            let found = read(&*engine.open(&left).unwrap()).unwrap();
            assert!(found == after(n), "{}, {n} commits", engine.name());
            fs::remove_dir_all(&left).unwrap();
        }
    }
}
