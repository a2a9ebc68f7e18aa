//! Values under names: read as older snapshots hold them, written with a version, and damage where a value is neither.

use std::collections::BTreeSet;
use std::fmt::Debug;

use super::world::*;
use crate::model::assignment::AppRole;
use crate::model::assignment::RoleId;
use crate::model::clock::Timestamp;
use crate::model::id::ObjectKind::Group;
use crate::model::id::ObjectKind::User;
use crate::model::id::SourceId;
use crate::ports::Durability;
use crate::ports::StoreError;
use crate::reconcile::guard::Sent;
use crate::reconcile::refresh::Sweep;
use crate::reconcile::scope::assignment::Nesting;
use crate::snapshot::kept_back::Pause;
use crate::snapshot::kv::memory::MemoryStore;
use crate::snapshot::maintenance::verify::verify;
use crate::snapshot::quarantine::Quarantine;
use crate::snapshot::read::Reads;
use crate::snapshot::state::*;
use crate::snapshot::store::Snapshot;
use crate::snapshot::{assignments, kept_back, quarantine};

const AT: Timestamp = Timestamp(1_764_502_800_000);

fn put(snapshot: &Snapshot, name: &str, bytes: &[u8]) {
    let mut tx = snapshot.tx().unwrap();
    tx.put_meta(name, bytes);
    tx.commit(Durability::Lazy).unwrap();
}

const OF_LATER: &[u8] = b"\x02[]";
const NO_TEXT: &[u8] = b"\xff";
/// Bytes that no key reads but those of texts, to which half a text is one.
const BROKEN: &[&[u8]] = &[OF_LATER, NO_TEXT, b"", b"{\"users\":"];
/// Bytes that are not a text.
const BROKEN_TEXT: &[&[u8]] = &[OF_LATER, NO_TEXT];

/// Checks a key; `stored` is what a snapshot of format 4 holds under its name. Without its last byte the value is
/// damaged, too.
fn reads<T: Debug + PartialEq>(key: &StateKey<T>, stored: &[u8], value: &T) {
    let cut = &stored[..stored.len() - 1];
    reads_under(key, "", stored, value, &[BROKEN, &[cut]].concat());
}

fn reads_under<T: Debug + PartialEq>(
    key: &StateKey<T>,
    rest: &str,
    stored: &[u8],
    value: &T,
    broken: &[&[u8]],
) {
    let snapshot = open(&MemoryStore::new());
    let name = &format!("{}{rest}", key.name());
    assert_eq!(snapshot.state_under(key, rest).unwrap(), None, "{name}");
    put(&snapshot, name, stored);
    let read = snapshot.state_under(key, rest).unwrap();
    assert_eq!(read.as_ref(), Some(value), "{name}");
    assert!(verify(&snapshot).unwrap().is_clean(), "{name}");
    // Written anew, with its version.
    let mut tx = snapshot.tx().unwrap();
    tx.put_state_under(key, rest, value);
    tx.commit(Durability::Lazy).unwrap();
    assert_eq!(snapshot.meta(name).unwrap().unwrap()[0], 1, "{name}");
    let read = snapshot.state_under(key, rest).unwrap();
    assert_eq!(read.as_ref(), Some(value), "{name}");
    assert!(verify(&snapshot).unwrap().is_clean(), "{name}");
    for broken in broken {
        put(&snapshot, name, broken);
        let Err(error) = snapshot.state_under(key, rest) else {
            panic!("{name} is read from {broken:?}");
        };
        let name = key.name();
        let StoreError::Damaged { what, .. } = &error else {
            panic!("{name}: {error}");
        };
        assert!(what.contains(name) && what.contains("does not decode"), "{what}");
        assert!(error.hint().contains("restore a backup"), "what to do");
        let found = verify(&snapshot).unwrap().findings;
        assert!(
            found.iter().any(|finding| finding.contains(name)),
            "{name}: {found:?}"
        );
    }
}

#[test]
fn values_of_format_4_are_read_and_written_with_a_version() {
    let id = SourceId::from_bytes([7; 16]);
    let sent = Sent {
        users: 3,
        groups: 1,
        members: [(id, 2)].into(),
        identities: 4,
        creates: 5,
        ..Sent::default()
    };
    reads(
        &SENT_REMOVALS,
        br#"[{"at":1764502800000,"sent":{"users":3,"groups":1,"members":{"07070707-0707-0707-0707-070707070707":2},"identities":4,"creates":5}}]"#,
        &vec![SentAt { at: AT, sent }],
    );
    let write = OpenWrite {
        kind: User,
        id,
        paths: vec!["title".to_owned()],
        members: false,
        adopts: None,
        put_in: BTreeSet::new(),
        at: AT,
        earlier: true,
        answered: false,
    };
    reads(
        &OPEN_WRITES,
        br#"[{"kind":"user","id":"07070707-0707-0707-0707-070707070707","paths":["title"],"members":false,"adopts":null,"at":1764502800000,"earlier":true,"answered":false}]"#,
        &vec![write],
    );
    reads(
        &ANSWERED_CREATES,
        br#"[{"kind":"user","id":"07070707-0707-0707-0707-070707070707","at":1764502800000}]"#,
        &vec![AnsweredCreate {
            kind: User,
            id,
            at: AT,
        }],
    );
    reads(
        &ANOTHER_WRITER,
        br#"{"cycle":"c","found":"2025-11-30T11:40:00Z","values":2,"examples":["title of user 7"],"restored":false}"#,
        &AnotherWriter {
            cycle: "c".to_owned(),
            found: "2025-11-30T11:40:00Z".to_owned(),
            values: 2,
            examples: vec!["title of user 7".to_owned()],
            restored: false,
        },
    );
    reads(
        &STANDING,
        br#"["a","b"]"#,
        &BTreeSet::from(["a".to_owned(), "b".to_owned()]),
    );
    reads(
        &quarantine::QUARANTINE,
        br#"{"job":null,"kinds":{}}"#,
        &Quarantine::default(),
    );
    let pause = Pause {
        removals_only: true,
        until: None,
        since: AT,
        actor: "ada".to_owned(),
        comment: Some("look".to_owned()),
    };
    reads(
        &kept_back::PAUSE,
        br#"{"removals_only":true,"until":null,"since":1764502800000,"actor":"ada","comment":"look"}"#,
        &pause,
    );
}

#[test]
fn texts_marks_and_numbers_of_format_4_too() {
    for key in TEXTS {
        reads_under(&key, "", b"2025-11-30", &"2025-11-30".to_owned(), BROKEN_TEXT);
    }
    reads_under(
        &PRESET_PIN,
        "idmelon",
        b"idmelon@1",
        &"idmelon@1".to_owned(),
        BROKEN_TEXT,
    );
    reads(&INITIAL_DONE, b"1", &());
    reads(&INCOMPLETE, b"1", &());
    reads(&BASELINE, &1234u64.to_be_bytes(), &1234);
    // Chance may have made it begin with the byte of a version.
    reads(&SEED, &[1; 32], &[1; 32]);
    reads(
        &target_size(User),
        b"\x01\x05\x02",
        &TargetSize {
            resources: 5,
            pages: 2,
        },
    );
}

#[test]
fn values_that_were_always_records_are_read() {
    let id = SourceId::from_bytes([7; 16]);
    let nesting = Nesting {
        scope: false,
        members: true,
    };
    reads(
        &assignments::WATCH,
        b"\x01\x01\x00\x01",
        &assignments::Watch {
            assigned: true,
            nesting,
        },
    );
    let role = AppRole {
        id: RoleId(uuid::Uuid::from_bytes([9; 16])),
        value: Some("Admin".to_owned()),
        display_name: None,
        enabled: true,
    };
    let listed = assignments::Listed {
        application: id,
        principals: 300,
        roles: vec![role],
    };
    let stored = [
        b"\x01\x10",
        [7; 16].as_slice(),
        b"\xac\x02\x01\x10",
        &[9; 16],
        b"\x01\x05Admin\x00\x01",
    ];
    reads(&assignments::ASSIGNMENTS, &stored.concat(), &listed);
    let sweep = Sweep {
        due_from: Timestamp(5),
        began: Some(Timestamp(6)),
        after: Some((Group, id)),
        done: 300,
    };
    let stored = [b"\x01\x0a\x01\x0c\x01\x01\x10", [7; 16].as_slice(), b"\xac\x02"];
    reads(&SWEEP, &stored.concat(), &sweep);
}

#[test]
fn a_look_that_does_not_decode_is_found() {
    let id = SourceId::from_bytes([7; 16]);
    for (prefix, stored, finding) in [
        (
            "look/",
            &b"\x01\x00\x00\x0a"[..],
            "the look that waits for a second one, of user 07070707",
        ),
        (
            "plan-look/",
            b"\x01\x00\x00\x0a\x00\x00",
            "what a plan is to give back, of user 07070707",
        ),
    ] {
        let snapshot = open(&MemoryStore::new());
        let name = format!("{prefix}user/{id}");
        put(&snapshot, &name, stored);
        assert_eq!(verify(&snapshot).unwrap().findings, Vec::<String>::new());
        for (name, bytes, finding) in [
            (&name, OF_LATER, finding),
            (&name, b"", finding),
            (&name, b"\x01", finding),
            (&format!("{prefix}device/{id}"), stored, "key"),
        ] {
            put(&snapshot, name, bytes);
            let found = verify(&snapshot).unwrap().findings;
            assert!(found.iter().any(|said| said.contains(finding)), "{found:?}");
            let stopped = snapshot.mark_due_looks(AT).is_err() || snapshot.give_back_looks().is_err();
            assert!(stopped, "{name}: a cycle is stopped by it");
        }
    }
}
