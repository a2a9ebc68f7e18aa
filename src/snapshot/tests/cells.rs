//! What is remembered of values that are written back: kept whole, carried over, and forgotten with its user.

use std::fs;

use super::world::*;
use crate::model::clock::Timestamp;
use crate::model::id::ObjectKind::User;
use crate::model::value::Value;
use crate::ports::Durability;
use crate::ports::Table;
use crate::reconcile::back::cell::Cell;
use crate::reconcile::back::cell::Held;
use crate::reconcile::back::cell::Pair;
use crate::reconcile::back::cell::ReadingId;
use crate::reconcile::back::cell::Refusal;
use crate::reconcile::back::cell::Sighting;
use crate::reconcile::back::cell::Writable;
use crate::reconcile::back::cell::Write;
use crate::reconcile::back::finding::Finding;
use crate::snapshot::again::begin_again;
use crate::snapshot::cells::CellReads;
use crate::snapshot::cells::KeptCell;
use crate::snapshot::cells::UserCells;
use crate::snapshot::cells::WAY_BACK;
use crate::snapshot::cells::WayBackState;
use crate::snapshot::keys;
use crate::snapshot::kv::memory::MemoryStore;
use crate::snapshot::maintenance::export::export;
use crate::snapshot::maintenance::forget;
use crate::snapshot::maintenance::import;
use crate::snapshot::maintenance::verify::verify;
use crate::snapshot::state::StateReads;
use crate::snapshot::store::Snapshot;

fn kept() -> UserCells {
    let text = |text: &str| Value::text(text);
    let sighting = Some(Sighting {
        value: text("b"),
        reading: ReadingId(7),
        at: Timestamp(3),
    });
    let cell = Cell {
        base: Some(Pair {
            source: Value::List(vec![text("a")]),
            target: Value::Null,
        }),
        seen_at_target: true,
        empty_since: sighting.clone(),
        doubted: sighting,
        held: Some(Held::Refused {
            why: Refusal::OnPremises,
            to: text("b"),
            standing: Writable {
                synced: Some(true),
                ..Writable::default()
            },
        }),
        ..Cell::default()
    };
    let write = Write {
        from: text("a"),
        to: text("b"),
        target: text("b"),
        again: false,
    };
    let cell = KeptCell {
        cell: cell.opened(&write, Timestamp(5)),
        since: Timestamp(1),
        finding: Some((Finding::NotKeptByEntra, Timestamp(9))),
        of_base: Some((Finding::FirstContactDiffers, Timestamp(3))),
    };
    UserCells {
        target: target("t1"),
        cells: [("jobTitle".to_owned(), cell)].into(),
    }
}

fn filled(store: &MemoryStore) -> Snapshot {
    let snapshot = open(store);
    super::files::fill(&snapshot);
    let mut tx = snapshot.tx().unwrap();
    tx.put_cells(&id(1), &kept());
    tx.put_state(
        &WAY_BACK,
        &WayBackState {
            reading: 7,
            readable: ["jobTitle".to_owned()].into(),
            writes: vec![(20_000, 3)],
            succeeded: true,
            forbidden: [id(2)].into(),
        },
    );
    tx.commit(Durability::Synced).unwrap();
    snapshot
}

#[test]
fn cells_are_kept_whole_and_go_with_an_export() {
    let store = MemoryStore::new();
    let snapshot = filled(&store);
    assert_eq!(snapshot.cells(&id(1)).unwrap(), Some(kept()));
    assert_eq!(snapshot.cells(&id(2)).unwrap(), None);
    assert!(verify(&snapshot).unwrap().is_clean());
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("export.jsonl");
    let mut lines = Vec::new();
    export(&snapshot, &mut lines).unwrap();
    fs::write(&file, lines).unwrap();
    let other = MemoryStore::new();
    let imported = open(&other);
    import::read(&file, &imported).unwrap();
    assert_eq!(imported.cells(&id(1)).unwrap(), Some(kept()));
    let state = imported.state(&WAY_BACK).unwrap().unwrap();
    assert_eq!((state.reading, state.succeeded), (7, true));
}

#[test]
fn a_cell_that_does_not_decode_is_damage() {
    let store = MemoryStore::new();
    let snapshot = filled(&store);
    let mut tx = snapshot.tx().unwrap();
    tx.put(Table::Cells, keys::object(User, &id(1)), vec![1, 2, 3]);
    tx.commit(Durability::Synced).unwrap();
    assert!(snapshot.cells(&id(1)).is_err());
    assert!(!verify(&snapshot).unwrap().is_clean());
}

#[test]
fn after_a_restore_comes_first_contact_and_the_writes_stay() {
    let store = MemoryStore::new();
    let snapshot = filled(&store);
    begin_again(&snapshot, "restored").unwrap();
    let row = snapshot.cells(&id(1)).unwrap().unwrap();
    let cell = &row.cells["jobTitle"].cell;
    assert_eq!((cell.base.is_none(), cell.open.is_none()), (true, true));
    assert_eq!(cell.writes.len(), 1);
}

#[test]
fn who_is_forgotten_has_no_cells() {
    let store = MemoryStore::new();
    let snapshot = filled(&store);
    let folder = tempfile::tempdir().unwrap();
    forget::forget(&snapshot, folder.path(), id(1), Timestamp(9)).unwrap();
    assert_eq!(snapshot.cells(&id(1)).unwrap(), None);
}
