//! What a transaction writes together, and what it returns.

use super::world::*;
use crate::model::id::ObjectKind;
use crate::model::id::ObjectKind::Group;
use crate::model::id::ObjectKind::User;
use crate::model::value::Value;
use crate::ports::Durability;
use crate::ports::StoreError;
use crate::snapshot::kv::memory::MemoryStore;
use crate::snapshot::maintenance::verify::verify;
use crate::snapshot::read::Reads;
use crate::snapshot::record::DirtyCause;
use crate::snapshot::record::Record;
use crate::snapshot::store::Snapshot;

fn fresh() -> Snapshot {
    open(&MemoryStore::new())
}

fn record(snapshot: &Snapshot, kind: ObjectKind, n: u64) -> Record {
    snapshot.record(kind, &id(n)).unwrap().unwrap()
}

fn assert_sound(snapshot: &Snapshot) {
    assert_eq!(verify(snapshot).unwrap().findings, Vec::<String>::new());
}

fn put_link(snapshot: &Snapshot, kind: ObjectKind, n: u64, resource: &str) {
    let mut tx = snapshot.tx().unwrap();
    let mut record = record(snapshot, kind, n);
    record.link = Some(link(resource));
    tx.put_record(&record).unwrap();
    tx.commit(Durability::Synced).unwrap();
}

#[test]
fn a_resource_has_one_owner() {
    let snapshot = fresh();
    full_round(&snapshot, User, vec![user(1, &[]), user(2, &[])]);
    put_link(&snapshot, User, 1, "t1");
    assert_eq!(snapshot.owner(User, &target("t1")).unwrap(), Some(id(1)));
    let mut second = record(&snapshot, User, 2);
    second.link = Some(link("t1"));
    let mut tx = snapshot.tx().unwrap();
    assert!(matches!(tx.put_record(&second), Err(StoreError::Claimed { .. })));
    drop(tx);
    put_link(&snapshot, User, 1, "t9");
    assert_eq!(snapshot.owner(User, &target("t1")).unwrap(), None);
    put_link(&snapshot, User, 2, "t1");
    assert_eq!(snapshot.counts().unwrap().linked_users, 2);
    let mut tx = snapshot.tx().unwrap();
    tx.delete_record(User, &id(2)).unwrap();
    tx.commit(Durability::Synced).unwrap();
    assert_eq!(snapshot.counts().unwrap().linked_users, 1);
    assert_sound(&snapshot);
}

#[test]
fn a_transaction_sees_its_own_writes_and_a_dropped_one_leaves_nothing() {
    let snapshot = fresh();
    full_round(
        &snapshot,
        Group,
        vec![group(9, &[(1, false), (2, false), (3, false)])],
    );
    let before = snapshot.counts().unwrap();
    let mut tx = snapshot.tx().unwrap();
    tx.delete_edge(&id(9), &id(1)).unwrap();
    tx.delete_edge(&id(9), &id(3)).unwrap();
    let new = tx.edge(&id(9), &id(2)).unwrap().unwrap();
    tx.put_edge(&id(9), &id(7), &new).unwrap();
    let seen: Vec<_> = tx
        .edges(&id(9), None, 2)
        .unwrap()
        .into_iter()
        .map(|(member, _)| member)
        .collect();
    assert_eq!(seen, [id(2), id(7)]);
    assert_eq!(tx.counts().edges, 2);
    drop(tx);
    assert_eq!(snapshot.edges(&id(9), None, 9).unwrap().len(), 3);
    assert_eq!(snapshot.counts().unwrap(), before);
}

#[test]
fn intents_readings_and_names_come_back_as_they_went_in() {
    let snapshot = fresh();
    let mut tx = snapshot.tx().unwrap();
    let intent = crate::model::link::Intent {
        external_id: Some("x".to_owned()),
        matching: vec![("userName".to_owned(), Value::text("a".repeat(4000)))],
        sent_at: crate::model::clock::Timestamp(5),
    };
    let all: Vec<_> = (0..5).map(|n| (User, id(n), intent.clone())).collect();
    let batches = tx.put_intents(all.clone());
    assert_eq!(batches.len(), 5, "cut, so that no value is large");
    tx.put_reading(
        User,
        &target("t1"),
        &"reading",
        &[("userName", "ada"), ("name.x", "")],
    );
    tx.put_reading(
        User,
        &target("t2"),
        &"other",
        &[("userName", "adam"), ("userNam", "eada")],
    );
    tx.put_meta("dialect", "{}");
    tx.put_forecast(User, &id(1), &7_u8);
    tx.put_removal(Group, &id(2), &"left");
    tx.put_cycle(&serde_json::json!({"n": 1}));
    tx.put_cycle(&serde_json::json!({"n": 2}));
    tx.commit(Durability::Synced).unwrap();

    assert_eq!(snapshot.intents().unwrap(), batches);
    let open: Vec<_> = batches.iter().flat_map(|(_, open)| open.clone()).collect();
    assert_eq!(open, all);
    let mut tx = snapshot.tx().unwrap();
    for (number, _) in &batches {
        tx.replace_intents(*number, &[]);
    }
    tx.commit(Durability::Synced).unwrap();
    assert!(snapshot.intents().unwrap().is_empty());
    assert_eq!(
        snapshot.readings_by(User, "userName", "ada").unwrap(),
        [target("t1")]
    );
    assert_eq!(snapshot.readings_by(Group, "userName", "ada").unwrap(), []);
    assert_eq!(
        snapshot
            .reading::<String>(User, &target("t2"))
            .unwrap()
            .as_deref(),
        Some("other")
    );
    assert_eq!(
        snapshot
            .scan_readings::<String>(User, Some(&target("t1")), 9)
            .unwrap()
            .len(),
        1
    );
    assert_eq!(
        snapshot.meta("dialect").unwrap().as_deref(),
        Some(b"{}".as_slice())
    );
    assert_eq!(snapshot.forecast::<u8>(User, &id(1)).unwrap(), Some(7));
    assert_eq!(
        snapshot.removals::<String>(None, 9).unwrap(),
        [(Group, id(2), "left".to_owned())]
    );
    assert_eq!(snapshot.cycles(1).unwrap(), [serde_json::json!({"n": 2})]);
    assert_eq!(snapshot.cycles(9).unwrap().len(), 2);
    snapshot.clear_readings(User).unwrap();
    snapshot.clear_forecast().unwrap();
    snapshot.clear_removals().unwrap();
    assert!(snapshot.readings_by(User, "userName", "ada").unwrap().is_empty());
    assert!(snapshot.removals::<String>(None, 9).unwrap().is_empty());
}

#[test]
fn everything_of_a_kind_can_be_marked_dirty() {
    let snapshot = fresh();
    full_round(&snapshot, User, (0..2500).map(|n| user(n, &[])).collect());
    clear_all_dirty(&snapshot);
    let marked = [3, 999, 1000, 2499];
    let mut tx = snapshot.tx().unwrap();
    for n in marked {
        tx.mark_dirty(User, &id(n), DirtyCause::SOURCE).unwrap();
    }
    tx.commit(Durability::Lazy).unwrap();
    snapshot.mark_all_dirty(User, DirtyCause::CONFIG).unwrap();
    assert_eq!(snapshot.dirty_count(User).unwrap(), 2500);
    for n in marked {
        let cause = snapshot.dirty_cause(User, &id(n)).unwrap().unwrap();
        assert!(cause.has(DirtyCause::SOURCE.and(DirtyCause::CONFIG)), "{n}");
    }
    assert_sound(&snapshot);
}

#[test]
fn what_is_read_together_is_what_is_read_one_by_one() {
    let snapshot = fresh();
    full_round(&snapshot, User, (0..400).map(|n| user(n, &[])).collect());
    full_round(&snapshot, Group, vec![group(7, &[])]);
    let mut tx = snapshot.tx().unwrap();
    for n in [0, 5, 6, 80, 399] {
        tx.put_forecast(User, &id(n), &format!("forecast {n}"));
    }
    tx.commit(Durability::Lazy).unwrap();
    let dense: Vec<_> = (0..60).collect();
    let sparse: Vec<_> = (0..40).map(|n| n * 10).collect();
    let unknown: Vec<_> = (380..420).collect();
    for numbers in [vec![], vec![5], dense, sparse, unknown, vec![9, 3, 7, 1, 4, 8, 2]] {
        let ids: Vec<_> = numbers.iter().map(|n| id(*n)).collect();
        let together = snapshot.raw_objects(User, &ids).unwrap();
        let single = |id| {
            snapshot.raw(
                crate::ports::Table::Objects,
                &crate::snapshot::keys::object(User, id),
            )
        };
        let one_by_one: Vec<_> = ids.iter().map(|id| single(id).unwrap()).collect();
        assert_eq!(together, one_by_one, "{numbers:?}");
        if ids.is_sorted() {
            let together = snapshot.forecasts_of::<String>(User, &ids).unwrap();
            for id in &ids {
                assert_eq!(
                    together.get(id),
                    snapshot.forecast(User, id).unwrap().as_ref(),
                    "{numbers:?}"
                );
            }
        }
    }
}

#[test]
fn another_tenant_or_target_is_refused() {
    use crate::snapshot::record::Binding;
    let snapshot = fresh();
    let ours = Binding {
        tenant_id: "t".to_owned(),
        target: "idm.example/scim/v2".to_owned(),
    };
    snapshot.bind(&ours).unwrap();
    snapshot.bind(&ours).unwrap();
    let theirs = Binding {
        tenant_id: "other".to_owned(),
        ..ours
    };
    assert!(matches!(snapshot.bind(&theirs), Err(StoreError::Bound { .. })));
}
