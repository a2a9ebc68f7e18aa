//! Builders for small directories and their pages.

use std::{path::Path, sync::Arc};

use crate::model::clock::Timestamp;
use crate::model::id::ObjectKind;
use crate::model::id::SourceId;
use crate::model::id::TargetId;
use crate::model::link::Link;
use crate::model::link::LinkOrigin;
use crate::model::object::DeltaObject;
use crate::model::object::MemberKind;
use crate::model::object::ReferenceChange;
use crate::model::object::Removed;
use crate::model::value::Attributes;
use crate::model::value::Value;
use crate::ports::DeltaPage;
use crate::ports::Durability;
use crate::ports::NextPage;
use crate::snapshot::kv::memory::MemoryStore;
use crate::snapshot::page::PageOutcome;
use crate::snapshot::page::apply_page;
use crate::snapshot::round;
use crate::snapshot::store::Snapshot;

pub fn id(n: u64) -> SourceId {
    let mut bytes = [0; 16];
    bytes[8..].copy_from_slice(&n.to_be_bytes());
    SourceId::from_bytes(bytes)
}

pub fn target(text: &str) -> TargetId {
    TargetId::new(text).unwrap()
}

pub fn link(text: &str) -> Link {
    Link {
        target: target(text),
        origin: LinkOrigin::Created,
        since: Timestamp(7),
        sent: Attributes::from([("userName".to_owned(), Value::text("ada@corp.example"))]),
        kept: Default::default(),
    }
}

pub fn object(kind: ObjectKind, n: u64, attributes: &[(&str, Value)]) -> DeltaObject {
    DeltaObject {
        kind,
        id: id(n),
        attributes: attributes
            .iter()
            .map(|(name, value)| ((*name).to_owned(), value.clone()))
            .collect(),
        removed: None,
        manager: vec![],
        members: vec![],
    }
}

pub fn user(n: u64, attributes: &[(&str, Value)]) -> DeltaObject {
    let mut object = object(ObjectKind::User, n, attributes);
    if !object.attributes.contains_key("userPrincipalName") {
        let name = Value::text(format!("u{n}@corp.example"));
        object.attributes.insert("userPrincipalName", name);
    }
    object
}

pub fn group(n: u64, members: &[(u64, bool)]) -> DeltaObject {
    let mut object = object(
        ObjectKind::Group,
        n,
        &[("displayName", Value::text(format!("g{n}")))],
    );
    object.members = members
        .iter()
        .map(|(n, removed)| reference(*n, *removed))
        .collect();
    object
}

pub fn gone(kind: ObjectKind, n: u64, reason: Removed) -> DeltaObject {
    DeltaObject {
        removed: Some(reason),
        ..object(kind, n, &[])
    }
}

pub fn reference(n: u64, removed: bool) -> ReferenceChange {
    ReferenceChange {
        id: id(n),
        kind: MemberKind::User,
        removed,
    }
}

pub fn more(objects: Vec<DeltaObject>) -> DeltaPage {
    DeltaPage {
        objects,
        next: NextPage::More {
            next_link: "https://graph.example/next".to_owned(),
        },
    }
}

pub fn last(objects: Vec<DeltaObject>) -> DeltaPage {
    DeltaPage {
        objects,
        next: NextPage::Complete {
            delta_link: "https://graph.example/delta".to_owned(),
        },
    }
}

pub fn select(kind: ObjectKind) -> Vec<String> {
    let names: &[&str] = match kind {
        ObjectKind::User => &["id", "userPrincipalName", "displayName", "mail", "manager"],
        ObjectKind::Group => &["id", "displayName", "description", "members"],
    };
    names.iter().map(|name| (*name).to_owned()).collect()
}

pub fn open(store: &MemoryStore) -> Snapshot {
    Snapshot::open(Arc::new(store.clone()), Path::new("memory")).unwrap()
}

pub fn begin_full(snapshot: &Snapshot, kind: ObjectKind) {
    let mut tx = snapshot.tx().unwrap();
    round::begin_full(&mut tx, kind, &select(kind), Timestamp(1)).unwrap();
    tx.commit(Durability::Synced).unwrap();
}

/// When pages are read, where that counts: a quarter of an hour after the first look.
pub(super) const PAGE_READ: Timestamp = Timestamp(1_000_000 + 15 * 60_000);

pub fn store_page(snapshot: &Snapshot, kind: ObjectKind, page: &DeltaPage) -> PageOutcome {
    let mut tx = snapshot.tx().unwrap();
    let outcome = apply_page(&mut tx, kind, page.clone(), PAGE_READ).unwrap();
    tx.commit(Durability::Synced).unwrap();
    outcome
}

/// Stores a full round of one page, to its end.
pub fn full_round(snapshot: &Snapshot, kind: ObjectKind, objects: Vec<DeltaObject>) {
    begin_full(snapshot, kind);
    store_page(snapshot, kind, &last(objects));
    snapshot.finish_round(kind).unwrap();
}

pub fn clear_all_dirty(snapshot: &Snapshot) {
    use crate::snapshot::read::Reads;
    let mut tx = snapshot.tx().unwrap();
    for kind in [ObjectKind::User, ObjectKind::Group] {
        for (id, _) in snapshot.dirty(kind, None, usize::MAX).unwrap() {
            tx.clear_dirty(kind, &id).unwrap();
        }
    }
    tx.commit(Durability::Lazy).unwrap();
}
