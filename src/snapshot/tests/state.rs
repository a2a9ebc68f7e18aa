//! What is kept under names: read as older snapshots hold it, written with a version, and damage where it is neither.

use std::collections::BTreeSet;
use std::fmt::Debug;

use super::world::*;
use crate::model::clock::Timestamp;
use crate::model::id::ObjectKind::User;
use crate::model::id::SourceId;
use crate::ports::Durability;
use crate::ports::StoreError;
use crate::reconcile::guard::Sent;
use crate::snapshot::kept_back::Pause;
use crate::snapshot::memory::MemoryStore;
use crate::snapshot::quarantine::Quarantine;
use crate::snapshot::read::Reads;
use crate::snapshot::state::*;
use crate::snapshot::store::Snapshot;
use crate::snapshot::verify::verify;
use crate::snapshot::{assignments, kept_back, quarantine};

const AT: Timestamp = Timestamp(1_764_502_800_000);

fn put(snapshot: &Snapshot, name: &str, bytes: &[u8]) {
    let mut tx = snapshot.tx().unwrap();
    tx.put_meta(name, bytes);
    tx.commit(Durability::Lazy).unwrap();
}

/// `stored` is what a snapshot of format 4 holds under the key's name.
fn reads<T: Debug + PartialEq>(key: &StateKey<T>, stored: &[u8], value: &T) {
    let snapshot = open(&MemoryStore::new());
    let name = key.name();
    assert_eq!(snapshot.state(key).unwrap(), None, "{name}");
    put(&snapshot, name, stored);
    assert_eq!(snapshot.state(key).unwrap().as_ref(), Some(value), "{name}");
    assert!(verify(&snapshot).unwrap().is_clean(), "{name}");
    // Written anew, with its version.
    let mut tx = snapshot.tx().unwrap();
    tx.put_state(key, value);
    tx.commit(Durability::Lazy).unwrap();
    assert_eq!(snapshot.meta(name).unwrap().unwrap()[0], 1, "{name}");
    assert_eq!(snapshot.state(key).unwrap().as_ref(), Some(value), "{name}");
    assert!(verify(&snapshot).unwrap().is_clean(), "{name}");
    // Of a version of later, and cut off.
    for broken in [&b"\x02[]"[..], b"", b"\xff", b"\x01{\"", b"{\"users\":"] {
        if key.decode(&snapshot, broken).is_ok() {
            continue; // half a text is a text
        }
        put(&snapshot, name, broken);
        let error = snapshot.state(key).unwrap_err();
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
        reads(&key, b"2025-11-30", &"2025-11-30".to_owned());
    }
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
    reads(
        &assignments::WATCH,
        &crate::snapshot::record::encode(&assignments::Watch::default()),
        &assignments::Watch::default(),
    );
}
