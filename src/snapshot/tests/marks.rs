//! Dirty marks with the facts beside them: what changed is kept until the object is settled, and makes nothing due.

use std::path::Path;
use std::sync::Arc;

use crate::model::clock::Timestamp;
use crate::model::id::ObjectKind::User;
use crate::model::id::SourceId;
use crate::model::name::Name;
use crate::ports::Durability;
use crate::snapshot::escrow;
use crate::snapshot::escrow::Escrowed;
use crate::snapshot::kv::memory::MemoryStore;
use crate::snapshot::read::Reads;
use crate::snapshot::record::DirtyCause;
use crate::snapshot::record::Mark;
use crate::snapshot::store::Snapshot;
use crate::snapshot::tx::Tx;

const ID: SourceId = SourceId::from_bytes([7; 16]);

fn with(work: impl FnOnce(&mut Tx<'_>)) -> Snapshot {
    let snapshot = Snapshot::open(Arc::new(MemoryStore::new()), Path::new("memory")).unwrap();
    let mut tx = snapshot.tx().unwrap();
    work(&mut tx);
    tx.commit(Durability::Lazy).unwrap();
    snapshot
}

fn moved(tx: &mut Tx<'_>, names: &[&str]) {
    let names = names.iter().map(|name| Name::from(*name)).collect();
    tx.mark_moved(User, &ID, DirtyCause::SOURCE, names).unwrap();
}

fn names(snapshot: &Snapshot) -> Vec<String> {
    let mark = snapshot.dirty_mark(User, &ID).unwrap().unwrap_or_default();
    mark.moved.iter().map(ToString::to_string).collect()
}

#[test]
fn a_mark_is_written_as_ever_and_read_back_with_its_facts() {
    let plain = Mark {
        cause: DirtyCause::SOURCE.and(DirtyCause::LOOK),
        ..Mark::default()
    };
    assert_eq!(plain.encode().len(), 1, "as every program before wrote it");
    let full = Mark {
        cause: DirtyCause::SOURCE.and(DirtyCause::PROPERTIES),
        moved: ["jobTitle", "manager"].map(Name::from).into(),
    };
    for mark in [plain, full] {
        assert_eq!(Mark::decode(&mark.encode()), Some(mark));
    }
    assert_eq!(Mark::decode(&[]), None);
    assert_eq!(Mark::decode(&[1, 1, 0xff]), None);
}

#[test]
fn what_moved_adds_up_until_the_object_is_settled() {
    let snapshot = with(|tx| {
        moved(tx, &["jobTitle"]);
        tx.mark_dirty(User, &ID, DirtyCause::REFERENCE).unwrap();
        moved(tx, &["department"]);
    });
    assert_eq!(names(&snapshot), ["department", "jobTitle"]);
    assert_eq!(snapshot.counts().unwrap().dirty_users, 1);
    snapshot.mark_all_dirty(User, DirtyCause::CONFIG).unwrap();
    assert_eq!(names(&snapshot), ["department", "jobTitle"]);
    let mut tx = snapshot.tx().unwrap();
    tx.clear_dirty(User, &ID).unwrap();
    tx.mark_dirty(User, &ID, DirtyCause::MANUAL).unwrap();
    tx.commit(Durability::Lazy).unwrap();
    assert_eq!(names(&snapshot), Vec::<String>::new());
}

#[test]
fn a_fact_makes_nobody_due_who_is_in_escrow() {
    let snapshot = with(|tx| {
        moved(tx, &["jobTitle"]);
        let escrowed = Escrowed {
            operation: "update_user".to_owned(),
            error: "400".to_owned(),
            hint: "look".to_owned(),
            failures: 1,
            since: Timestamp(1),
            next_try: Some(Timestamp(1000)),
        };
        tx.put_escrow(User, &ID, &escrowed).unwrap();
    });
    let waits = |snapshot: &Snapshot| escrow::entries(snapshot).unwrap()[0].waits;
    assert!(waits(&snapshot));
    assert_eq!(names(&snapshot), ["jobTitle"], "why it is tried, when it is");
    let mut tx = snapshot.tx().unwrap();
    moved(&mut tx, &["department"]);
    tx.commit(Durability::Lazy).unwrap();
    assert!(!waits(&snapshot), "it changed");
}
