use std::path::Path;

use super::*;
use crate::model::id::TargetId;
use crate::model::value::Value;
use crate::reconcile::operation::Change;
use crate::reconcile::operation::Member;
use crate::reconcile::operation::Reason;
use crate::snapshot::kv::memory::MemoryStore;

fn store() -> Snapshot {
    Snapshot::open(Arc::new(MemoryStore::new()), Path::new("memory")).unwrap()
}

fn id(n: u8) -> SourceId {
    SourceId::from_bytes([n; 16])
}

fn operation(verb: Verb, n: u8, title: &str) -> Operation {
    Operation {
        verb,
        kind: verb.kind(),
        source: id(n),
        name: "ada".to_owned(),
        target: TargetId::new("t1"),
        because: Reason::NotAsSent,
        changes: vec![Change {
            attribute: "title".into(),
            before: Value::Null,
            after: Value::text(title),
        }],
        members: Vec::new(),
    }
}

#[test]
fn what_two_plans_want_otherwise_is_counted_by_operation() {
    let (mut before, mut after) = (Outline::default(), Outline::default());
    let withheld = |verb| Omission::Withheld {
        verb,
        why: format!("9 removals are due{COMMANDS}`melonsync plan`"),
    };
    before.operation(&operation(Verb::UpdateUser, 1, "Dr"));
    before.operation(&operation(Verb::UpdateUser, 2, "Dr"));
    before.operation(&operation(Verb::CreateUser, 3, "Dr"));
    before.operation(&operation(Verb::DisableUser, 4, ""));
    after.operation(&operation(Verb::UpdateUser, 1, "Dr"));
    after.operation(&operation(Verb::UpdateUser, 2, "Prof"));
    after.omission(id(4), &withheld(Verb::DisableUser));
    after.omission(id(5), &withheld(Verb::DisableUser));
    after.omission(id(6), &Omission::Unchanged);
    let contrast = after.beside(&before, &store()).unwrap();
    let shown: Vec<_> = contrast
        .operations
        .iter()
        .map(|one| {
            let of = |difference: &Difference| (difference.count, difference.withheld);
            (
                one.operation.as_str(),
                of(&one.added),
                of(&one.changed),
                of(&one.dropped),
                one.same,
            )
        })
        .collect();
    for expected in [
        ("create_user", (0, 0), (0, 0), (1, 0), 0),
        ("update_user", (0, 0), (1, 0), (0, 0), 1),
        ("disable_user", (1, 1), (1, 1), (0, 0), 0),
    ] {
        assert!(shown.contains(&expected), "{expected:?} in {shown:?}");
    }
    assert_eq!(contrast.guard, ["9 removals are due"]);
    assert!(!contrast.is_same());
}

#[test]
fn members_are_the_same_in_whatever_parts_they_come() {
    let members = |ids: &[u8]| {
        let mut operation = operation(Verb::AddMember, 1, "");
        operation.changes.clear();
        operation.members = ids
            .iter()
            .map(|n| Member {
                source: id(*n),
                target: TargetId::new("t2"),
                with_user: false,
                because: Reason::MemberJoined,
            })
            .collect();
        operation
    };
    let (mut before, mut after) = (Outline::default(), Outline::default());
    before.operation(&members(&[7, 8, 9]));
    after.operation(&members(&[9]));
    after.operation(&members(&[8, 7]));
    assert!(after.beside(&before, &store()).unwrap().is_same());
    let mut other = Outline::default();
    other.operation(&members(&[7, 8]));
    assert_eq!(
        other.beside(&before, &store()).unwrap().operations[0]
            .changed
            .count,
        1
    );
}
