//! The history queried and exported: former names are found, and no altered byte of an export goes unseen.

use std::collections::BTreeSet;
use std::fs;

use super::world::*;
use crate::model::clock::Timestamp;
use crate::model::id::ObjectKind::User;
use crate::model::id::SourceId;
use crate::model::value::Value;
use crate::ports::Durability;
use crate::ports::SnapshotStore;
use crate::ports::StoreError;
use crate::ports::Table;
use crate::ports::WriteBatch;
use crate::reconcile::operation::Change;
use crate::snapshot::history::NewEntry;
use crate::snapshot::history::Values;
use crate::snapshot::keys;
use crate::snapshot::kv::memory::MemoryStore;
use crate::snapshot::maintenance::proof;
use crate::snapshot::query::Query;
use crate::snapshot::store::Snapshot;

/// Entries lie further apart than those of one batch.
fn hours(hours: i64) -> Timestamp {
    Timestamp(hours * 3_600_000)
}

fn entry(n: u64, before: Value, after: Value) -> NewEntry {
    NewEntry {
        time: hours(i64::try_from(n).unwrap() * 10),
        cycle: None,
        actor: if n.is_multiple_of(2) { "schedule" } else { "ada" }.to_owned(),
        operation: "update_user".to_owned(),
        kind: Some(User),
        object: Some(id(n % 7)),
        target: Some(target(&format!("t{}", n % 7))),
        reason: "the source changed".to_owned(),
        result: if n.is_multiple_of(5) { "failed" } else { "done" }.to_owned(),
        config: "f00d".to_owned(),
        values: Values {
            changes: vec![Change {
                attribute: "userName".into(),
                before,
                after,
            }],
            detail: n.is_multiple_of(5).then(|| "400 invalidValue".to_owned()),
        },
        salt: [u8::try_from(n).unwrap(); 16],
    }
}

/// Stores a hundred entries in records of ten; entry n renames an object from `nN@…` to `nN+7@…`.
fn filled() -> (MemoryStore, Snapshot) {
    let store = MemoryStore::new();
    let snapshot = open(&store);
    let name = |n: u64| Value::text(format!("n{n}@corp.example"));
    for tens in 0..10 {
        let mut tx = snapshot.tx().unwrap();
        let numbers = tens * 10..tens * 10 + 10;
        tx.append_history(numbers.map(|n| entry(n, name(n), name(n + 7))).collect());
        tx.commit(Durability::Synced).unwrap();
    }
    (store, snapshot)
}

fn found(snapshot: &Snapshot, query: &Query) -> Vec<u64> {
    let mut numbers = Vec::new();
    snapshot
        .search_history(query, |entry, _| {
            numbers.push(entry.seq);
            Ok(())
        })
        .unwrap();
    numbers
}

#[test]
fn entries_are_found_by_every_filter_alone_and_together() {
    let (_, snapshot) = filled();
    type Wanted = fn(u64) -> bool;
    let any = Query::default();
    let cases: [(&str, Query, Wanted); 6] = [
        ("all", any.clone(), |_| true),
        (
            "time",
            Query {
                since: Some(hours(305)),
                until: Some(hours(500)),
                ..any.clone()
            },
            |n| (31..=50).contains(&n),
        ),
        (
            "actor",
            Query {
                actor: Some("ada".to_owned()),
                ..any.clone()
            },
            |n| !n.is_multiple_of(2),
        ),
        (
            "result and object",
            Query {
                result: Some("failed".to_owned()),
                objects: Some(BTreeSet::from([id(3)])),
                ..any.clone()
            },
            |n| n.is_multiple_of(5) && n % 7 == 3,
        ),
        (
            "operation",
            Query {
                operation: Some("update_user".to_owned()),
                ..any.clone()
            },
            |_| true,
        ),
        (
            "another operation",
            Query {
                operation: Some("delete_user".to_owned()),
                ..any
            },
            |_| false,
        ),
    ];
    for (name, query, wanted) in cases {
        let expected: Vec<u64> = (0..100).filter(|n| wanted(*n)).collect();
        assert_eq!(found(&snapshot, &query), expected, "{name}");
    }
}

#[test]
fn whoever_ever_had_a_name_is_found_by_it() {
    let (_, snapshot) = filled();
    full_round(
        &snapshot,
        User,
        vec![user(9, &[("mail", Value::text("Ada@corp.example"))])],
    );
    let who = |name: &str| snapshot.who_is(name).unwrap();
    for (name, expected) in [
        ("n20@corp.example", vec![id(6)]), // before entry 20, after entry 13
        ("N20@CORP.example", vec![id(6)]),
        ("t4", vec![id(4)]),
        ("ada@corp.example", vec![id(9)]),
        ("u9@corp.example", vec![id(9)]),
        ("nobody@corp.example", vec![]),
    ] {
        assert_eq!(who(name), BTreeSet::<SourceId>::from_iter(expected), "{name}");
    }
    assert_eq!(who(&id(77).to_string()), BTreeSet::from([id(77)]));
}

#[test]
fn an_export_proves_itself_and_says_what_was_erased() {
    let (store, snapshot) = filled();
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("export");
    let manifest = proof::export(&snapshot, "idmelon", hours(255), hours(700), &out).unwrap();
    assert_eq!((manifest.entries, manifest.first, manifest.next), (45, 20, 100));
    assert_eq!(manifest.head, snapshot.history_head().unwrap().to_string());
    let checked = proof::verify(&out).unwrap();
    assert_eq!(checked.findings, Vec::<String>::new());
    assert_eq!((checked.proven, checked.erased), (45, 0));
    let again = proof::export(&snapshot, "idmelon", hours(0), hours(0), &out);
    assert!(
        matches!(again, Err(StoreError::Io { .. })),
        "nothing is overwritten"
    );

    let mut batch = WriteBatch::default();
    batch.delete(Table::HistoryValues, keys::number(40));
    store.commit(batch, Durability::Synced).unwrap();
    snapshot.prune_history(hours(195)).unwrap();
    let erased = folder.path().join("erased");
    proof::export(&snapshot, "idmelon", hours(0), Timestamp(i64::MAX), &erased).unwrap();
    let checked = proof::verify(&erased).unwrap();
    assert_eq!(checked.findings, Vec::<String>::new());
    assert_eq!((checked.proven, checked.erased), (70, 10));
    assert_ne!(checked.manifest.anchor, "0".repeat(64), "pruned before");

    let empty = folder.path().join("empty");
    proof::export(&snapshot, "idmelon", hours(5000), hours(6000), &empty).unwrap();
    assert_eq!(proof::verify(&empty).unwrap().findings, Vec::<String>::new());
}

#[test]
fn every_altered_byte_and_every_lost_line_of_an_export_is_found() {
    let (_, snapshot) = filled();
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("export");
    proof::export(&snapshot, "idmelon", hours(300), hours(600), &out).unwrap();
    for file in ["entries.jsonl", "chain.jsonl"] {
        let path = out.join(file);
        let whole = fs::read_to_string(&path).unwrap();
        let lines = whole.lines().count();
        for (n, step) in (0..whole.len()).step_by(211).enumerate() {
            let mut bytes = whole.clone().into_bytes();
            bytes[step] = if bytes[step] == b'7' { b'8' } else { b'7' };
            fs::write(&path, &bytes).unwrap();
            assert!(
                !proof::verify(&out).unwrap().findings.is_empty(),
                "{file}, byte {step}"
            );
            let lost = n % lines;
            let rest = whole.lines().enumerate().filter(|(at, _)| *at != lost);
            let rest: String = rest.map(|(_, line)| format!("{line}\n")).collect();
            fs::write(&path, rest).unwrap();
            assert!(
                !proof::verify(&out).unwrap().findings.is_empty(),
                "{file}, line {lost}"
            );
        }
        fs::write(&path, format!("{whole}{}\n", whole.lines().next().unwrap())).unwrap();
        assert!(!proof::verify(&out).unwrap().findings.is_empty(), "a line more");
        fs::write(&path, &whole).unwrap();
    }
    assert_eq!(proof::verify(&out).unwrap().findings, Vec::<String>::new());
    fs::write(out.join("manifest.json"), "{}").unwrap();
    assert!(matches!(proof::verify(&out), Err(StoreError::Damaged { .. })));
}

/// Every way in which one line of an export can go, come or change: the report names that line, and not the lines after
/// it.
#[test]
fn one_line_that_was_touched_is_the_one_that_is_named() {
    let (_, snapshot) = filled();
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("export");
    // The times of some entries lie outside: numbers in entries.jsonl are not all in a row.
    proof::export(&snapshot, "idmelon", hours(105), hours(900), &out).unwrap();
    let findings = || proof::verify(&out).unwrap().findings;
    let path = out.join("entries.jsonl");
    let whole = fs::read_to_string(&path).unwrap();
    let lines: Vec<&str> = whole.lines().collect();
    let first = 11;
    let write = |lines: &[String]| {
        fs::write(
            &path,
            lines.iter().map(|line| format!("{line}\n")).collect::<String>(),
        )
        .unwrap()
    };
    let owned = || lines.iter().map(|line| (*line).to_owned()).collect::<Vec<_>>();
    for at in [0, 1, 7, 40, lines.len() - 2, lines.len() - 1] {
        let number = first + at;
        let mut removed = owned();
        removed.remove(at);
        write(&removed);
        assert_eq!(
            findings(),
            [format!("entry {number} is missing in entries.jsonl")]
        );
        let mut twice = owned();
        twice.insert(at, twice[at].clone());
        write(&twice);
        assert_eq!(findings().len(), 1, "line {at} twice: {:?}", findings());
        // A number that it does not have: a later one, an earlier one, one that does not exist.
        for other in [number + 1, number + 5, number.saturating_sub(3), 1_000_000] {
            let mut renumbered = owned();
            renumbered[at] =
                renumbered[at].replace(&format!("\"seq\":{number}"), &format!("\"seq\":{other}"));
            assert_ne!(renumbered[at], lines[at]);
            write(&renumbered);
            let found = findings();
            assert!(
                !found.is_empty() && found.len() <= 3,
                "{number} as {other}: {found:?}"
            );
            assert!(
                found
                    .iter()
                    .any(|found| found.contains(&format!("entry {number} "))),
                "{number} as {other}: {found:?}"
            );
        }
        let mut broken = owned();
        broken[at].truncate(20);
        write(&broken);
        assert_eq!(findings(), [format!("the line of entry {number} is not JSON")]);
    }
    fs::write(&path, &whole).unwrap();
    assert_eq!(findings(), Vec::<String>::new());
    let path = out.join("chain.jsonl");
    let whole = fs::read_to_string(&path).unwrap();
    let lines: Vec<&str> = whole.lines().collect();
    let without = |at: usize| -> String {
        let rest = lines.iter().enumerate().filter(|(other, _)| *other != at);
        rest.map(|(_, line)| format!("{line}\n")).collect()
    };
    for (at, line) in lines.iter().copied().enumerate() {
        fs::write(&path, without(at)).unwrap();
        let found = findings();
        assert_eq!(found.len(), 1, "record {at} taken out: {found:?}");
        fs::write(
            &path,
            whole.replace(line, &line.replace("\"hash\":\"", "\"hash\":\"0")),
        )
        .unwrap();
        assert!(
            (1..=2).contains(&findings().len()),
            "hash of {at}: {:?}",
            findings()
        );
        fs::write(&path, whole.replace(line, "{}")).unwrap();
        assert_eq!(findings().len(), 1, "record {at} emptied: {:?}", findings());
        fs::write(&path, whole.replace(line, &format!("{line}\n{line}"))).unwrap();
        assert_eq!(findings().len(), 1, "record {at} twice: {:?}", findings());
    }
}
