//! Storing the assignment list, and the objects marked when it, or a membership that counts for it, changes.

use super::world::*;
use crate::model::assignment::AppRole;
use crate::model::assignment::Assignment;
use crate::model::assignment::AssignmentList;
use crate::model::assignment::RoleId;
use crate::model::id::ObjectKind;
use crate::model::id::ObjectKind::Group;
use crate::model::id::ObjectKind::User;
use crate::model::object::DeltaObject;
use crate::model::object::MemberKind;
use crate::model::object::Removed;
use crate::ports::Durability;
use crate::reconcile::scope::assignment::Nesting;
use crate::snapshot::assignments::Watch;
use crate::snapshot::assignments::groups_of;
use crate::snapshot::assignments::listed;
use crate::snapshot::assignments::nested_groups;
use crate::snapshot::assignments::own_roles;
use crate::snapshot::kv::memory::MemoryStore;
use crate::snapshot::maintenance::verify::verify;
use crate::snapshot::read::Reads;
use crate::snapshot::store::Snapshot;

const APPLICATION: u64 = 900;
const TRANSITIVE: Nesting = Nesting {
    scope: true,
    members: false,
};
const FLAT: Nesting = Nesting {
    scope: false,
    members: true,
};

fn role(n: u8) -> RoleId {
    RoleId(uuid::Uuid::from_u128(u128::from(n)))
}

fn assigned(entries: &[(ObjectKind, u64, u8)]) -> AssignmentList {
    let entry = |(kind, n, r): &(ObjectKind, u64, u8)| Assignment {
        kind: *kind,
        principal: id(*n),
        role: role(*r),
    };
    AssignmentList::try_new(entries.iter().map(entry).collect()).unwrap()
}

/// Builds a group that holds users, and groups: those with numbers of 100 and more.
fn holding(n: u64, members: &[(u64, bool)]) -> DeltaObject {
    let mut object = group(n, members);
    for (member, (n, _)) in object.members.iter_mut().zip(members) {
        member.kind = if *n >= 100 {
            MemberKind::Group
        } else {
            MemberKind::User
        };
    }
    object
}

/// Builds users 1 to 9; group 101 holds 1, 2 and 102; 102 holds 3 and 103; 103 holds 4 and, in a circle, 101. Group 104
/// holds 5.
fn world(nesting: Nesting) -> Snapshot {
    let snapshot = open(&MemoryStore::new());
    let mut tx = snapshot.tx().unwrap();
    tx.put_watch(Watch {
        assigned: true,
        nesting,
    })
    .unwrap();
    tx.commit(Durability::Lazy).unwrap();
    full_round(&snapshot, User, (1..10).map(|n| user(n, &[])).collect());
    let groups = vec![
        holding(101, &[(1, false), (2, false), (102, false)]),
        holding(102, &[(3, false), (103, false)]),
        holding(103, &[(4, false), (101, false)]),
        holding(104, &[(5, false)]),
    ];
    full_round(&snapshot, Group, groups);
    clear_all_dirty(&snapshot);
    snapshot
}

fn store(snapshot: &Snapshot, entries: &[(ObjectKind, u64, u8)], nesting: Nesting) -> u64 {
    snapshot
        .store_assignments(id(APPLICATION), &assigned(entries), Vec::new(), nesting)
        .unwrap()
}

fn dirty(snapshot: &Snapshot) -> (Vec<u64>, Vec<u64>) {
    let of = |kind| {
        let numbers = snapshot.dirty(kind, None, usize::MAX).unwrap().into_iter();
        let number =
            |id: crate::model::id::SourceId| u64::from_be_bytes(id.as_bytes()[8..].try_into().unwrap());
        numbers.map(|(id, _)| number(id)).collect()
    };
    let found = (of(User), of(Group));
    clear_all_dirty(snapshot);
    found
}

fn page(snapshot: &Snapshot, group: DeltaObject) {
    store_page(snapshot, Group, &last(vec![group]));
}

#[test]
fn a_list_is_stored_by_what_differs_and_marks_only_whom_it_concerns() {
    let snapshot = world(Nesting::default());
    let first = [(User, 9, 0), (Group, 101, 0)];
    assert_eq!(listed(&snapshot).unwrap(), None);
    assert_eq!(store(&snapshot, &first, Nesting::default()), 2);
    assert_eq!(
        dirty(&snapshot),
        (vec![1, 2, 9], vec![101]),
        "direct members only"
    );
    assert_eq!(listed(&snapshot).unwrap().unwrap().principals, 2);
    for (name, list, moved, users, groups) in [
        (
            "the same again",
            vec![(Group, 101, 0), (User, 9, 0)],
            0,
            vec![],
            vec![],
        ),
        (
            "a user with a second role",
            vec![(User, 9, 0), (User, 9, 1), (Group, 101, 0)],
            1,
            vec![9],
            vec![],
        ),
        (
            "a group with another role",
            vec![(User, 9, 0), (User, 9, 1), (Group, 101, 2)],
            1,
            vec![1, 2],
            vec![101],
        ),
        (
            "one moves from one group to another",
            vec![(User, 9, 0), (User, 9, 1), (Group, 104, 2)],
            2,
            vec![1, 2, 5],
            vec![101, 104],
        ),
        ("nobody is left", vec![], 2, vec![5, 9], vec![104]),
        ("one who is not known yet", vec![(User, 77, 0)], 1, vec![], vec![]),
    ] {
        assert_eq!(store(&snapshot, &list, Nesting::default()), moved, "{name}");
        assert_eq!(dirty(&snapshot), (users, groups), "{name}");
        for (kind, n, r) in list {
            let roles = own_roles(&snapshot, kind, &id(n)).unwrap().expect(name);
            assert!(roles.contains(&role(r)), "{name}");
        }
    }
    assert_eq!(own_roles(&snapshot, User, &id(9)).unwrap(), None);
}

#[test]
fn the_same_list_again_writes_nothing() {
    let memory = MemoryStore::new();
    let snapshot = open(&memory);
    let list = [(User, 9, 0), (Group, 101, 0)];
    store(&snapshot, &list, Nesting::default());
    let all = |snapshot: &Snapshot| {
        snapshot
            .raw_scan(crate::ports::Table::Meta, &[], None, usize::MAX)
            .unwrap()
    };
    let before = (all(&snapshot), snapshot.counts().unwrap());
    store(&snapshot, &list, Nesting::default());
    assert_eq!((all(&snapshot), snapshot.counts().unwrap()), before);
}

#[test]
fn members_of_groups_in_an_assigned_group_count_where_the_scope_is_transitive() {
    let snapshot = world(TRANSITIVE);
    store(&snapshot, &[(Group, 101, 0)], TRANSITIVE);
    assert_eq!(dirty(&snapshot), (vec![1, 2, 3, 4], vec![101]));
    assert_eq!(
        nested_groups(&snapshot, id(101)).unwrap(),
        [101, 102, 103].map(id)
    );
    assert_eq!(groups_of(&snapshot, &id(4)).unwrap(), [id(103)]);
}

#[test]
fn a_membership_marks_whom_it_counts_for() {
    let nothing = || (Vec::<u64>::new(), Vec::<u64>::new());
    type Case = (&'static str, Nesting, DeltaObject, Vec<u64>);
    let cases: Vec<Case> = vec![
        (
            "one joins the assigned group",
            Nesting::default(),
            holding(101, &[(6, false)]),
            vec![6],
        ),
        (
            "one leaves it",
            Nesting::default(),
            holding(101, &[(1, true)]),
            vec![1],
        ),
        (
            "one joins another group",
            Nesting::default(),
            holding(104, &[(6, false)]),
            vec![],
        ),
        (
            "one joins a nested group that does not count",
            Nesting::default(),
            holding(103, &[(6, false)]),
            vec![],
        ),
        (
            "one joins a nested group that counts",
            TRANSITIVE,
            holding(103, &[(6, false)]),
            vec![6],
        ),
        (
            "one leaves a nested group that counts",
            TRANSITIVE,
            holding(102, &[(3, true)]),
            vec![3],
        ),
        (
            "a nested group joins, with whom it holds",
            TRANSITIVE,
            holding(102, &[(104, false)]),
            vec![5],
        ),
        (
            "a nested group leaves, with all below it",
            TRANSITIVE,
            holding(101, &[(102, true)]),
            vec![1, 2, 3, 4],
        ),
        (
            "a nested group that does not count joins",
            Nesting::default(),
            holding(101, &[(104, false)]),
            vec![],
        ),
        (
            "who is a member already joins",
            TRANSITIVE,
            holding(101, &[(1, false)]),
            vec![],
        ),
    ];
    for (name, nesting, page_of, users) in cases {
        let snapshot = world(nesting);
        store(&snapshot, &[(Group, 101, 0)], nesting);
        dirty(&snapshot);
        let moves = !users.is_empty() || !name.contains("already");
        let group = page_of.id;
        page(&snapshot, page_of);
        let (marked, groups) = dirty(&snapshot);
        assert_eq!(marked, users, "{name}");
        assert_eq!(
            groups.len(),
            usize::from(moves),
            "{name}: the group {group} itself and no other"
        );
    }
    let snapshot = world(Nesting::default());
    page(&snapshot, holding(101, &[(6, false)]));
    assert_eq!(dirty(&snapshot), (vec![], vec![101]), "nothing is assigned");
    assert_eq!(dirty(&snapshot), nothing());
}

#[test]
fn groups_that_hold_users_of_groups_in_them_are_marked_too() {
    let snapshot = world(FLAT);
    let mut tx = snapshot.tx().unwrap();
    for n in [101, 104] {
        let mut record = tx.record(Group, &id(n)).unwrap().unwrap();
        record.link = Some(link(&format!("t{n}")));
        tx.put_record(&record).unwrap();
    }
    tx.commit(Durability::Lazy).unwrap();
    clear_all_dirty(&snapshot);
    page(&snapshot, holding(103, &[(6, false)]));
    assert_eq!(
        dirty(&snapshot),
        (vec![], vec![101, 103]),
        "102 is not at the target"
    );
    let mut tx = snapshot.tx().unwrap();
    tx.mark_holders(&id(4)).unwrap();
    tx.commit(Durability::Lazy).unwrap();
    assert_eq!(dirty(&snapshot), (vec![], vec![101]), "103 refers to it itself");
    page(&snapshot, holding(104, &[(6, false)]));
    assert_eq!(dirty(&snapshot), (vec![], vec![104]));
}

#[test]
fn an_assigned_group_that_goes_or_comes_back_marks_its_members() {
    let snapshot = world(Nesting::default());
    store(&snapshot, &[(Group, 101, 0)], Nesting::default());
    dirty(&snapshot);
    page(&snapshot, gone(Group, 101, Removed::SoftDeleted));
    assert_eq!(dirty(&snapshot).0, [1, 2]);
    assert_eq!(groups_of(&snapshot, &id(1)).unwrap(), []);
    page(&snapshot, holding(101, &[]));
    assert_eq!(dirty(&snapshot).0, [1, 2]);
    assert_eq!(groups_of(&snapshot, &id(1)).unwrap(), [id(101)]);
}

#[test]
fn a_full_round_that_brings_a_member_no_more_marks_it() {
    let snapshot = world(Nesting::default());
    store(&snapshot, &[(Group, 101, 0)], Nesting::default());
    dirty(&snapshot);
    let groups = vec![
        holding(101, &[(1, false), (102, false)]),
        holding(102, &[(3, false), (103, false)]),
        holding(103, &[(4, false), (101, false)]),
        holding(104, &[]),
    ];
    full_round(&snapshot, Group, groups);
    assert_eq!(dirty(&snapshot), (vec![2], vec![101, 104]));
}

#[test]
fn a_role_that_means_something_else_marks_those_who_have_it() {
    let snapshot = world(Nesting::default());
    let list = assigned(&[(User, 9, 1), (User, 8, 2), (Group, 101, 1)]);
    let defined = |value: &str| AppRole {
        id: role(1),
        value: Some(value.to_owned()),
        display_name: None,
        enabled: true,
    };
    let store = |roles| {
        snapshot
            .store_assignments(id(APPLICATION), &list, roles, Nesting::default())
            .unwrap()
    };
    store(vec![defined("Reader")]);
    dirty(&snapshot);
    assert_eq!(store(vec![defined("Reader")]), 0);
    assert_eq!(store(vec![defined("Writer")]), 2);
    assert_eq!(dirty(&snapshot), (vec![1, 2, 9], vec![101]));
    assert_eq!(listed(&snapshot).unwrap().unwrap().roles, [defined("Writer")]);
}

#[test]
fn an_entry_that_is_damaged_is_found() {
    let memory = MemoryStore::new();
    let snapshot = open(&memory);
    store(&snapshot, &[(User, 9, 0)], Nesting::default());
    assert_eq!(verify(&snapshot).unwrap().findings, Vec::<String>::new());
    let mut batch = crate::ports::WriteBatch::default();
    batch.put(crate::ports::Table::Assignments, vec![1, 2], vec![0xff]);
    snapshot.store().commit(batch, Durability::Lazy).unwrap();
    let findings = verify(&snapshot).unwrap().findings;
    assert_eq!(findings, ["an entry of the assignment list does not decode"]);
}
