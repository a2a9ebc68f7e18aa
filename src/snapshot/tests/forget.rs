//! Forgetting: in whatever table a person's values lie, and texts about the person, none of it is left; and nothing of
//! others is erased.

use std::collections::BTreeMap;

use super::history::entry;
use super::world::*;
use crate::model::clock::Timestamp;
use crate::model::id::CycleId;
use crate::model::id::ObjectKind::User;
use crate::model::refusal::Refusal;
use crate::model::value::Value;
use crate::ports::Durability;
use crate::reconcile::guard::Class;
use crate::reconcile::operation::Verb;
use crate::snapshot::drift::Attribute;
use crate::snapshot::drift::Members;
use crate::snapshot::drift::Row;
use crate::snapshot::escrow::Escrowed;
use crate::snapshot::history::NewEntry;
use crate::snapshot::kept_back::Hold;
use crate::snapshot::kept_back::HoldCause;
use crate::snapshot::kept_back::Withheld;
use crate::snapshot::kv::memory::MemoryStore;
use crate::snapshot::maintenance::export::export;
use crate::snapshot::maintenance::forget;
use crate::snapshot::read::Reads;
use crate::snapshot::tx::Tx;

const NOW: Timestamp = Timestamp(1000);

/// Stores one of everything that is kept of an object beside its record, each with this text and its place in it.
fn say(tx: &mut Tx<'_>, n: u64, word: &str) {
    let (id, said) = (id(n), |place: &str| format!("{word}-{place}"));
    let escrowed = Escrowed {
        operation: "update_user".to_owned(),
        error: said("escrow"),
        hint: said("hint"),
        failures: 1,
        since: NOW,
        next_try: None,
    };
    tx.put_escrow(User, &id, &escrowed).unwrap();
    let refusal = Refusal {
        attribute: "title".to_owned(),
        wanted: [7; 16],
        operation: "update_user".to_owned(),
        error: said("refusal"),
        hint: String::new(),
        failures: 1,
        since: NOW,
        next_try: None,
    };
    tx.put_refusals(User, &id, &[refusal]);
    let differs = Attribute {
        attribute: "title".into(),
        held: Value::text(said("held")),
        wanted: Value::text(said("wanted")),
        conflict: false,
    };
    let row = Row {
        target: target("t"),
        seen: NOW,
        missing: false,
        orphaned: false,
        attributes: vec![differs],
        lacking: Members::default(),
        extra: Members::default(),
        pending: false,
        not_kept: Vec::new(),
        not_kept_members: BTreeMap::new(),
    };
    tx.put_drift(User, &id, &row).unwrap();
    for attribute in [None, Some("title".to_owned())] {
        let hold = Hold {
            attribute,
            until: None,
            since: NOW,
            actor: "tester".to_owned(),
            comment: Some(said("comment")),
            cause: HoldCause::Hand,
        };
        tx.put_hold(User, &id, &hold);
    }
    for class in Class::ALL {
        let withheld = Withheld {
            verb: Verb::DisableUser,
            reason: "left_scope".to_owned(),
            because: said("because"),
            why: said("why"),
            count: 1,
            members: Vec::new(),
            since: NOW,
            cycle: CycleId(uuid::Uuid::nil()),
            released_by: None,
            alike: None,
        };
        tx.put_withheld(&(User, id, class), &withheld);
    }
    tx.put_cycle(&serde_json::json!({"outcome": "partial", "failed": [
        {"object": id.to_string(), "operation": "update_user", "error": said("summary"), "hint": ""},
    ]}));
    let mut told = entry(n);
    told.values.changes[0].after = Value::text(said("history"));
    told.values.detail = Some(said("detail"));
    tx.append_history(vec![NewEntry { time: NOW, ..told }]);
}

#[test]
fn of_who_is_forgotten_no_table_keeps_a_word_and_of_others_every_one() {
    for linked in [false, true] {
        forgets(linked);
    }
}

fn forgets(linked: bool) {
    let (folder, store) = (tempfile::tempdir().unwrap(), MemoryStore::new());
    let snapshot = open(&store);
    let people = [(1, "stays"), (2, "goes")];
    let users = people.map(|(n, word)| user(n, &[("mail", Value::text(format!("{word}-record")))]));
    full_round(&snapshot, User, users.to_vec());
    let mut tx = snapshot.tx().unwrap();
    for (n, word) in people {
        if linked {
            let mut record = tx.record(User, &id(n)).unwrap().unwrap();
            let mut link = link(&format!("t{n}"));
            link.sent.insert("title", Value::text(format!("{word}-sent")));
            record.link = Some(link);
            tx.put_record(&record).unwrap();
        }
        say(&mut tx, n, word);
    }
    tx.commit(Durability::Synced).unwrap();
    // What is stored of a text, by table.
    let kept = |word: &str| {
        let contents = store.contents();
        let found = contents
            .iter()
            .filter(|(_, value)| value.windows(word.len()).any(|part| part == word.as_bytes()));
        found.map(|((table, _), _)| *table).collect::<Vec<_>>()
    };
    let (before, others) = (kept("goes-"), kept("stays-"));
    assert_eq!(before, others);
    assert!(before.len() >= 10, "{before:?}");
    forget::forget(&snapshot, folder.path(), id(2), NOW).unwrap();
    assert_eq!(kept("goes-"), []);
    assert_eq!(kept("stays-"), others);
}

#[test]
fn an_export_holds_what_waits_and_what_was_said_of_it() {
    let snapshot = open(&MemoryStore::new());
    full_round(&snapshot, User, vec![user(1, &[])]);
    let mut tx = snapshot.tx().unwrap();
    say(&mut tx, 1, "stays");
    tx.commit(Durability::Synced).unwrap();
    let mut out = Vec::new();
    export(&snapshot, &mut out).unwrap();
    let text = String::from_utf8(out).unwrap();
    for place in ["escrow", "refusal", "summary", "history", "detail"] {
        assert!(text.contains(&format!("stays-{place}")), "{place}: {text}");
    }
}

/// A person who comes back afterwards begins a new story, which is kept.
#[test]
fn what_happens_after_the_forgetting_is_kept() {
    let (folder, store) = (tempfile::tempdir().unwrap(), MemoryStore::new());
    let snapshot = open(&store);
    let mut tx = snapshot.tx().unwrap();
    let at = |time: i64| NewEntry {
        time: Timestamp(time),
        ..entry(2)
    };
    tx.append_history(vec![at(999), at(1000), at(1001)]);
    tx.commit(Durability::Synced).unwrap();
    let erased = forget::forget(&snapshot, folder.path(), id(2), NOW).unwrap();
    assert_eq!(erased.entries, 2);
    let left = snapshot.history(0, 10).unwrap();
    let kept: Vec<bool> = left.iter().map(|(_, values)| values.is_some()).collect();
    assert_eq!(kept, [false, false, true]);
}
