//! The stored state of scopes.

use std::path::Path;
use std::sync::Arc;

use crate::mapping::MemberOf;
use crate::model::id::CycleId;
use crate::model::id::ObjectKind;
use crate::model::id::SourceId;
use crate::ports::Durability;
use crate::snapshot::kv::memory::MemoryStore;
use crate::snapshot::scope::ScopeEntry;
use crate::snapshot::scope::ScopeReads;
use crate::snapshot::store::Snapshot;

fn id(number: u32) -> SourceId {
    format!("00000000-0000-4000-8000-{number:012}").parse().unwrap()
}

#[test]
fn entries_and_members_are_kept_apart_and_forgotten_one_by_one() {
    let snapshot = Snapshot::open(Arc::new(MemoryStore::new()), Path::new("memory")).unwrap();
    let (direct, nested) = (
        MemberOf {
            group: id(90),
            transitive: false,
        },
        MemberOf {
            group: id(90),
            transitive: true,
        },
    );
    let leaving = ScopeEntry::Leaving(CycleId(uuid::Uuid::nil()));
    assert!(snapshot.no_scope_entries().unwrap());
    assert_eq!(
        snapshot.scope_member(&direct, &id(1)).unwrap(),
        None,
        "nobody looked"
    );

    let mut tx = snapshot.tx().unwrap();
    tx.put_scope_entry(ObjectKind::User, &id(1), Some(leaving));
    tx.put_scope_entry(ObjectKind::Group, &id(1), Some(ScopeEntry::Out));
    for member in [3, 1, 2] {
        tx.put_scope_member(&direct, &id(member), true);
    }
    tx.put_scope_groups(&direct, Some(&[id(90), id(91)]));
    tx.put_scope_groups(&nested, Some(&[]));
    assert_eq!(
        tx.scope_member(&direct, &id(3)).unwrap(),
        Some(true),
        "it sees its own writes"
    );
    tx.commit(Durability::Lazy).unwrap();

    assert_eq!(
        snapshot.scope_entry(ObjectKind::User, &id(1)).unwrap(),
        Some(leaving)
    );
    assert_eq!(
        snapshot.scope_entry(ObjectKind::Group, &id(1)).unwrap(),
        Some(ScopeEntry::Out)
    );
    assert_eq!(snapshot.scope_members(&direct, None, 2).unwrap(), [id(1), id(2)]);
    assert_eq!(snapshot.scope_members(&direct, Some(&id(2)), 9).unwrap(), [id(3)]);
    assert_eq!(snapshot.scope_member(&nested, &id(1)).unwrap(), Some(false));
    assert_eq!(snapshot.scope_groups(&direct).unwrap().unwrap(), [id(90), id(91)]);
    assert_eq!(snapshot.scope_asked().unwrap(), [direct, nested]);

    let mut tx = snapshot.tx().unwrap();
    tx.put_scope_entry(ObjectKind::User, &id(1), None);
    tx.put_scope_member(&direct, &id(1), false);
    tx.put_scope_groups(&nested, None);
    tx.commit(Durability::Lazy).unwrap();
    assert_eq!(snapshot.scope_entry(ObjectKind::User, &id(1)).unwrap(), None);
    assert_eq!(snapshot.scope_member(&direct, &id(1)).unwrap(), Some(false));
    assert_eq!(snapshot.scope_member(&nested, &id(1)).unwrap(), None);
    assert!(
        !snapshot.no_scope_entries().unwrap(),
        "the group's is still there"
    );
}
