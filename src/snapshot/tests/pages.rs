//! The rules for storing a page, one by one.

use super::world::*;
use crate::model::clock::Timestamp;
use crate::model::cursor::Cursor;
use crate::model::id::ObjectKind;
use crate::model::id::ObjectKind::Group;
use crate::model::id::ObjectKind::User;
use crate::model::object::DeltaObject;
use crate::model::object::Existence;
use crate::model::object::Life;
use crate::model::object::Removed;
use crate::model::value::Value;
use crate::ports::Durability;
use crate::snapshot::existence::apply_existence;
use crate::snapshot::kv::memory::MemoryStore;
use crate::snapshot::look::LookReads;
use crate::snapshot::look::Looking;
use crate::snapshot::maintenance::verify::verify;
use crate::snapshot::page::AfterPage;
use crate::snapshot::read::Reads;
use crate::snapshot::record::DirtyCause;
use crate::snapshot::record::Record;
use crate::snapshot::round;
use crate::snapshot::store::Snapshot;

/// Returns a look that counts, so many minutes after the first.
fn at(minutes: i64) -> Looking {
    Looking {
        now: Timestamp(1_000_000 + minutes * 60_000),
        answered: Timestamp(1_000_000 + minutes * 60_000),
        counts: true,
        named: false,
        believed: false,
    }
}

fn fresh() -> Snapshot {
    open(&MemoryStore::new())
}

fn record(snapshot: &Snapshot, kind: ObjectKind, n: u64) -> Record {
    snapshot.record(kind, &id(n)).unwrap().unwrap()
}

fn attribute(snapshot: &Snapshot, n: u64, name: &str) -> Option<Value> {
    record(snapshot, User, n).object.attribute(name).cloned()
}

fn is_dirty(snapshot: &Snapshot, kind: ObjectKind, n: u64) -> bool {
    snapshot.dirty_cause(kind, &id(n)).unwrap().is_some()
}

fn assert_sound(snapshot: &Snapshot) {
    assert_eq!(verify(snapshot).unwrap().findings, Vec::<String>::new());
}

fn send_edge(snapshot: &Snapshot, group: u64, member: u64) {
    let mut tx = snapshot.tx().unwrap();
    let mut edge = tx.edge(&id(group), &id(member)).unwrap().unwrap();
    edge.sent = Some(target("t"));
    tx.put_edge(&id(group), &id(member), &edge).unwrap();
    tx.commit(Durability::Synced).unwrap();
}

#[test]
fn selected_but_absent_is_null_and_never_selected_is_unknown() {
    let snapshot = fresh();
    full_round(&snapshot, User, vec![user(1, &[("mail", Value::text("a@x"))])]);
    assert_eq!(attribute(&snapshot, 1, "displayName"), Some(Value::Null));
    assert_eq!(attribute(&snapshot, 1, "jobTitle"), None);
    assert_eq!(attribute(&snapshot, 1, "manager"), None);
}

#[test]
fn in_a_delta_round_absent_is_unchanged_and_null_clears() {
    let snapshot = fresh();
    let full = user(
        1,
        &[("mail", Value::text("a@x")), ("displayName", Value::text("A"))],
    );
    full_round(&snapshot, User, vec![full]);
    clear_all_dirty(&snapshot);
    let change = object(User, 1, &[("mail", Value::Null)]);
    let outcome = store_page(&snapshot, User, &last(vec![change]));
    assert_eq!(outcome.touched, [id(1)]);
    assert_eq!(outcome.next, AfterPage::Done);
    assert_eq!(attribute(&snapshot, 1, "mail"), Some(Value::Null));
    assert_eq!(attribute(&snapshot, 1, "displayName"), Some(Value::text("A")));
}

#[test]
fn first_occurrence_of_a_new_generation_replaces_and_later_ones_merge() {
    let snapshot = fresh();
    full_round(
        &snapshot,
        User,
        vec![user(
            1,
            &[("mail", Value::text("old")), ("displayName", Value::text("A"))],
        )],
    );
    begin_full(&snapshot, User);
    store_page(
        &snapshot,
        User,
        &more(vec![user(1, &[("displayName", Value::text("B"))])]),
    );
    store_page(&snapshot, User, &more(vec![user(1, &[])]));
    assert_eq!(attribute(&snapshot, 1, "mail"), Some(Value::Null));
    assert_eq!(attribute(&snapshot, 1, "displayName"), Some(Value::text("B")));
}

#[test]
fn what_a_full_round_did_not_select_stays_as_it_is() {
    let snapshot = fresh();
    full_round(
        &snapshot,
        User,
        vec![user(1, &[("jobTitle", Value::text("chef"))])],
    );
    full_round(&snapshot, User, vec![user(1, &[])]);
    assert_eq!(attribute(&snapshot, 1, "jobTitle"), Some(Value::text("chef")));
}

#[test]
fn a_full_round_that_brings_the_same_marks_nothing_dirty() {
    let snapshot = fresh();
    let users = vec![user(1, &[]), user(2, &[])];
    let groups = vec![group(9, &[(1, false), (2, false)])];
    full_round(&snapshot, User, users.clone());
    full_round(&snapshot, Group, groups.clone());
    clear_all_dirty(&snapshot);
    full_round(&snapshot, User, users);
    full_round(&snapshot, Group, groups);
    assert_eq!(
        (
            snapshot.dirty_count(User).unwrap(),
            snapshot.dirty_count(Group).unwrap()
        ),
        (0, 0)
    );
    assert_eq!(record(&snapshot, User, 1).object.generation, 2);
    assert_sound(&snapshot);
}

#[test]
fn removal_of_an_unknown_object_is_ignored() {
    let snapshot = fresh();
    full_round(&snapshot, User, vec![gone(User, 1, Removed::SoftDeleted)]);
    assert_eq!(snapshot.counts().unwrap().users, 0);
}

#[test]
fn a_removed_object_is_kept_as_a_tombstone_and_its_referrers_are_looked_at() {
    let snapshot = fresh();
    let mut report = user(2, &[]);
    report.manager = vec![reference(1, false)];
    full_round(
        &snapshot,
        User,
        vec![user(1, &[("mail", Value::text("m"))]), report],
    );
    full_round(&snapshot, Group, vec![group(9, &[(1, false)])]);
    // Only a linked object has a reference there that could be repaired.
    let mut tx = snapshot.tx().unwrap();
    for (kind, n) in [(User, 2), (Group, 9)] {
        let mut linked = record(&snapshot, kind, n);
        linked.link = Some(link(&format!("t{n}")));
        tx.put_record(&linked).unwrap();
    }
    tx.commit(Durability::Lazy).unwrap();
    clear_all_dirty(&snapshot);
    store_page(&snapshot, User, &last(vec![gone(User, 1, Removed::SoftDeleted)]));
    assert_eq!(
        record(&snapshot, User, 1).object.life,
        Life::Gone(Removed::SoftDeleted)
    );
    assert_eq!(attribute(&snapshot, 1, "mail"), Some(Value::text("m")));
    assert!(is_dirty(&snapshot, User, 1) && is_dirty(&snapshot, User, 2) && is_dirty(&snapshot, Group, 9));
    assert_eq!(snapshot.counts().unwrap().alive_users, 1);

    clear_all_dirty(&snapshot);
    store_page(&snapshot, User, &last(vec![gone(User, 1, Removed::SoftDeleted)]));
    assert!(!is_dirty(&snapshot, User, 1), "a replay");
    store_page(&snapshot, User, &last(vec![gone(User, 1, Removed::HardDeleted)]));
    assert!(
        is_dirty(&snapshot, User, 1) && !is_dirty(&snapshot, Group, 9),
        "soft to hard"
    );

    clear_all_dirty(&snapshot);
    store_page(
        &snapshot,
        User,
        &last(vec![object(User, 1, &[("displayName", Value::text("back"))])]),
    );
    assert_eq!(record(&snapshot, User, 1).object.life, Life::Alive);
    assert_eq!(
        attribute(&snapshot, 1, "mail"),
        Some(Value::text("m")),
        "restored: merged onto what was kept"
    );
    assert!(is_dirty(&snapshot, User, 1) && is_dirty(&snapshot, User, 2) && is_dirty(&snapshot, Group, 9));
    assert_sound(&snapshot);
}

#[test]
fn what_comes_back_from_any_life_but_alive_is_to_be_read_whole() {
    let lives = [
        Life::Missing,
        Life::Unknown,
        Life::Gone(Removed::SoftDeleted),
        Life::Gone(Removed::HardDeleted),
    ];
    for life in lives {
        for full in [false, true] {
            let snapshot = fresh();
            full_round(&snapshot, User, vec![user(1, &[("mail", Value::text("lost"))])]);
            if full {
                // Read once in this round already: what comes later in it is merged.
                begin_full(&snapshot, User);
                store_page(
                    &snapshot,
                    User,
                    &more(vec![user(1, &[("mail", Value::text("lost"))])]),
                );
            }
            let mut tx = snapshot.tx().unwrap();
            let mut known = tx.record(User, &id(1)).unwrap().unwrap();
            known.object.life = life;
            tx.put_record(&known).unwrap();
            tx.commit(Durability::Synced).unwrap();
            clear_all_dirty(&snapshot);
            let outcome = store_page(&snapshot, User, &more(vec![user(1, &[])]));
            assert_eq!(outcome.unread, [id(1)], "{life:?}, full round: {full}");
            let cause = snapshot.dirty_cause(User, &id(1)).unwrap().unwrap();
            assert!(cause.has(DirtyCause::UNREAD), "{life:?}, full round: {full}");
            assert_eq!(record(&snapshot, User, 1).object.life, Life::Alive);
            assert_sound(&snapshot);
        }
    }
}

#[test]
fn an_object_new_in_a_delta_round_without_its_name_is_to_be_read() {
    let snapshot = fresh();
    full_round(&snapshot, User, vec![]);
    let outcome = store_page(
        &snapshot,
        User,
        &last(vec![object(User, 1, &[("mail", Value::text("a@x"))])]),
    );
    assert_eq!(outcome.unread, [id(1)]);
    let cause = snapshot.dirty_cause(User, &id(1)).unwrap().unwrap();
    assert!(cause.has(DirtyCause::UNREAD) && cause.has(DirtyCause::SOURCE));

    let mut tx = snapshot.tx().unwrap();
    let read = Existence::Alive(user(1, &[]).attributes);
    assert!(apply_existence(&mut tx, User, &id(1), &read, at(0)).unwrap());
    tx.commit(Durability::Synced).unwrap();
    assert_eq!(
        snapshot.dirty_cause(User, &id(1)).unwrap(),
        Some(DirtyCause::SOURCE)
    );
    assert_sound(&snapshot);
}

#[test]
fn manager_removals_come_first_and_clear_only_the_one_that_is_held() {
    for (name, held, entries, expected) in [
        ("a new one", None, vec![reference(5, false)], Some(5)),
        (
            "old out after new in",
            Some(4),
            vec![reference(5, false), reference(4, true)],
            Some(5),
        ),
        ("another one out", Some(4), vec![reference(7, true)], Some(4)),
        ("out", Some(4), vec![reference(4, true)], None),
        ("nothing said", Some(4), vec![], Some(4)),
        (
            "out and in again",
            Some(4),
            vec![reference(4, true), reference(4, false)],
            Some(4),
        ),
    ] {
        let snapshot = fresh();
        let mut start = user(1, &[]);
        start.manager = held.map(|n| reference(n, false)).into_iter().collect();
        full_round(&snapshot, User, vec![start]);
        store_page(
            &snapshot,
            User,
            &last(vec![DeltaObject {
                manager: entries,
                ..object(User, 1, &[])
            }]),
        );
        assert_eq!(
            record(&snapshot, User, 1).object.manager,
            expected.map(id),
            "{name}"
        );
        assert_sound(&snapshot);
    }
}

#[test]
fn members_split_over_pages_add_up_and_any_removed_one_is_none_now() {
    let snapshot = fresh();
    begin_full(&snapshot, Group);
    store_page(
        &snapshot,
        Group,
        &more(vec![group(9, &[(1, false), (2, false)]), group(9, &[(3, false)])]),
    );
    store_page(
        &snapshot,
        Group,
        &last(vec![group(9, &[(4, false), (2, true), (8, true)])]),
    );
    snapshot.finish_round(Group).unwrap();
    let members: Vec<_> = snapshot
        .edges(&id(9), None, 99)
        .unwrap()
        .into_iter()
        .map(|(member, _)| member)
        .collect();
    assert_eq!(members, [id(1), id(3), id(4)]);
    assert_eq!(snapshot.counts().unwrap().edges, 3);
    assert_sound(&snapshot);
}

#[test]
fn a_removed_member_that_the_target_holds_stays_until_it_is_taken_out_there() {
    let snapshot = fresh();
    full_round(&snapshot, Group, vec![group(9, &[(1, false)])]);
    send_edge(&snapshot, 9, 1);
    clear_all_dirty(&snapshot);
    store_page(
        &snapshot,
        Group,
        &last(vec![DeltaObject {
            members: vec![reference(1, true)],
            ..object(Group, 9, &[])
        }]),
    );
    let edge = snapshot.edge(&id(9), &id(1)).unwrap().unwrap();
    assert!(!edge.present && edge.sent.is_some() && is_dirty(&snapshot, Group, 9));
    store_page(
        &snapshot,
        Group,
        &last(vec![DeltaObject {
            members: vec![reference(1, false)],
            ..object(Group, 9, &[])
        }]),
    );
    assert!(snapshot.edge(&id(9), &id(1)).unwrap().unwrap().present);
    assert_sound(&snapshot);
}

#[test]
fn what_a_full_round_did_not_bring_is_missing_not_gone() {
    let snapshot = fresh();
    let mut report = user(3, &[]);
    report.manager = vec![reference(1, false)];
    full_round(&snapshot, User, vec![user(1, &[]), user(2, &[]), report]);
    full_round(
        &snapshot,
        Group,
        vec![
            group(8, &[(1, false)]),
            group(9, &[(1, false), (2, false), (3, false)]),
        ],
    );
    send_edge(&snapshot, 9, 3);
    clear_all_dirty(&snapshot);

    begin_full(&snapshot, User);
    store_page(&snapshot, User, &last(vec![user(1, &[]), user(3, &[])]));
    assert_eq!(
        record(&snapshot, User, 2).object.life,
        Life::Alive,
        "nothing is concluded before the end"
    );
    let outcome = snapshot.finish_round(User).unwrap();
    assert_eq!((outcome.missing, outcome.managers_cleared), (1, 1));
    assert_eq!(record(&snapshot, User, 2).object.life, Life::Missing);
    assert_eq!(record(&snapshot, User, 3).object.manager, None);

    begin_full(&snapshot, Group);
    store_page(&snapshot, Group, &last(vec![group(9, &[(1, false)])]));
    let outcome = snapshot.finish_round(Group).unwrap();
    assert_eq!((outcome.missing, outcome.edges_removed), (1, 2));
    assert!(
        snapshot.edge(&id(8), &id(1)).unwrap().is_some(),
        "of a missing group no member is known to be out"
    );
    assert!(snapshot.edge(&id(9), &id(2)).unwrap().is_none());
    assert!(!snapshot.edge(&id(9), &id(3)).unwrap().unwrap().present);
    assert_sound(&snapshot);
}

#[test]
fn a_tombstone_is_replaced_whole_by_a_full_round_that_brings_the_object_back() {
    let snapshot = fresh();
    full_round(&snapshot, User, vec![user(1, &[("mail", Value::text("old"))])]);
    begin_full(&snapshot, User);
    store_page(&snapshot, User, &more(vec![gone(User, 1, Removed::SoftDeleted)]));
    store_page(&snapshot, User, &last(vec![user(1, &[])]));
    assert_eq!(attribute(&snapshot, 1, "mail"), Some(Value::Null));
    assert_eq!(record(&snapshot, User, 1).object.life, Life::Alive);
}

#[test]
fn a_cursor_goes_from_start_over_listing_to_following_and_advancing() {
    let snapshot = fresh();
    begin_full(&snapshot, User);
    assert_eq!(store_page(&snapshot, User, &more(vec![])).next, AfterPage::Read);
    assert!(matches!(
        snapshot.stream(User).unwrap().cursor,
        Cursor::Listing { .. }
    ));
    assert_eq!(store_page(&snapshot, User, &last(vec![])).next, AfterPage::Finish);
    assert!(matches!(
        snapshot.stream(User).unwrap().cursor,
        Cursor::Listing { .. }
    ));
    snapshot.finish_round(User).unwrap();
    let stream = snapshot.stream(User).unwrap();
    assert!(matches!(stream.cursor, Cursor::Following { .. }));
    assert_eq!(stream.complete_since, Some(stream.began));
    store_page(&snapshot, User, &more(vec![]));
    store_page(&snapshot, User, &more(vec![]));
    let Cursor::Advancing { delta_link, .. } = snapshot.stream(User).unwrap().cursor else {
        panic!()
    };
    let mut tx = snapshot.tx().unwrap();
    assert!(round::restart_delta(&mut tx, User).unwrap());
    tx.commit(Durability::Synced).unwrap();
    assert_eq!(
        snapshot.stream(User).unwrap().cursor,
        Cursor::Following { delta_link }
    );
}

#[test]
fn an_answer_that_proves_nothing_keeps_the_object() {
    let snapshot = fresh();
    full_round(&snapshot, User, vec![user(1, &[])]);
    let mut tx = snapshot.tx().unwrap();
    apply_existence(
        &mut tx,
        User,
        &id(1),
        &Existence::Unknown("403".to_owned()),
        at(0),
    )
    .unwrap();
    tx.commit(Durability::Synced).unwrap();
    assert_eq!(record(&snapshot, User, 1).object.life, Life::Unknown);
    for (minutes, life) in [
        (0, Life::Unknown),
        (14, Life::Unknown),
        (15, Life::Gone(Removed::HardDeleted)),
    ] {
        let mut tx = snapshot.tx().unwrap();
        apply_existence(&mut tx, User, &id(1), &Existence::HardDeleted, at(minutes)).unwrap();
        tx.commit(Durability::Synced).unwrap();
        assert_eq!(
            record(&snapshot, User, 1).object.life,
            life,
            "after {minutes} minutes"
        );
        assert_sound(&snapshot);
    }
    assert!(!snapshot.looks_wait().unwrap());
}

#[test]
fn what_a_plan_concludes_from_its_looks_is_given_back() {
    for (life, answer) in [
        (Life::Missing, Existence::HardDeleted),
        (Life::Missing, Existence::SoftDeleted),
        (Life::Alive, Existence::SoftDeleted),
        (Life::Alive, Existence::Unknown("403".to_owned())),
        (
            Life::Gone(Removed::HardDeleted),
            Existence::Alive(user(1, &[]).attributes),
        ),
    ] {
        let snapshot = fresh();
        full_round(&snapshot, User, vec![user(1, &[])]);
        let mut tx = snapshot.tx().unwrap();
        let mut known = tx.record(User, &id(1)).unwrap().unwrap();
        known.object.life = life;
        tx.put_record(&known).unwrap();
        // A look of a cycle that counted, long ago.
        apply_existence(&mut tx, User, &id(1), &answer, at(0)).unwrap();
        tx.commit(Durability::Synced).unwrap();
        let before = (record(&snapshot, User, 1), snapshot.look(User, &id(1)).unwrap());
        for minutes in [10, 20, 30] {
            let mut tx = snapshot.tx().unwrap();
            let plans = Looking {
                counts: false,
                ..at(minutes)
            };
            apply_existence(&mut tx, User, &id(1), &answer, plans).unwrap();
            tx.commit(Durability::Synced).unwrap();
            snapshot.give_back_looks().unwrap();
            let after = (record(&snapshot, User, 1), snapshot.look(User, &id(1)).unwrap());
            assert_eq!(before, after, "{life:?} {answer:?}");
            assert_sound(&snapshot);
        }
    }
}

#[test]
fn a_page_ends_the_wait_for_a_second_look_and_a_due_look_is_marked() {
    let snapshot = fresh();
    full_round(&snapshot, User, vec![user(1, &[])]);
    begin_full(&snapshot, User);
    store_page(&snapshot, User, &last(vec![]));
    snapshot.finish_round(User).unwrap();
    let mut tx = snapshot.tx().unwrap();
    let read = Existence::Alive(user(1, &[]).attributes);
    apply_existence(&mut tx, User, &id(1), &read, at(0)).unwrap();
    tx.commit(Durability::Synced).unwrap();
    assert_eq!(record(&snapshot, User, 1).object.life, Life::Alive, "goes on");
    clear_all_dirty(&snapshot);
    snapshot.mark_due_looks(at(14).now).unwrap();
    assert!(!is_dirty(&snapshot, User, 1));
    snapshot.mark_due_looks(at(15).now).unwrap();
    assert_eq!(
        snapshot.dirty_cause(User, &id(1)).unwrap(),
        Some(DirtyCause::UNREAD)
    );
    store_page(&snapshot, User, &last(vec![user(1, &[])]));
    assert!(
        snapshot
            .look(User, &id(1))
            .unwrap()
            .is_some_and(|look| look.was == Life::Alive),
        "the page proves that it lives, and not the values that the look brought"
    );
    full_round(&snapshot, User, vec![user(1, &[])]);
    assert!(!snapshot.looks_wait().unwrap());
    assert_sound(&snapshot);
}

/// Somebody is named, and what is answered differs; then a page brings a change; then a replica answers that does not have it yet.
#[test]
fn what_a_page_brought_after_a_look_is_not_undone_by_a_replica_that_is_behind() {
    let snapshot = fresh();
    let titled = |title: &str| user(1, &[("jobTitle", Value::text(title))]);
    full_round(&snapshot, User, vec![titled("Job 3")]);
    let looks = |minutes: i64, named: bool, title: &str| {
        let looking = Looking { named, ..at(minutes) };
        snapshot.mark_due_looks(looking.now).unwrap();
        let mut tx = snapshot.tx().unwrap();
        let answer = Existence::Alive(titled(title).attributes);
        apply_existence(&mut tx, User, &id(1), &answer, looking).unwrap();
        tx.commit(Durability::Synced).unwrap();
        (
            attribute(&snapshot, 1, "jobTitle").unwrap(),
            snapshot.looks_wait().unwrap(),
        )
    };
    assert_eq!(looks(0, true, "Job 39"), (Value::text("Job 39"), true));
    store_page(&snapshot, User, &last(vec![titled("Job 43")])); // at minute 15
    assert_eq!(
        looks(16, false, "Job 39"),
        (Value::text("Job 43"), true),
        "no second look: the page is newer"
    );
    assert_eq!(
        looks(17, true, "Job 39"),
        (Value::text("Job 39"), true),
        "who is named is believed, and asked again"
    );
    assert_eq!(looks(31, false, "Job 43"), (Value::text("Job 39"), true));
    assert_eq!(looks(32, false, "Job 43"), (Value::text("Job 43"), false));
    assert_sound(&snapshot);
}

/// A full round did not bring somebody, a replica that is behind answered, and a page brings them without what is unset: it is
/// asked again.
#[test]
fn values_of_somebody_whom_a_full_round_did_not_bring_are_read_again() {
    let snapshot = fresh();
    let stale = user(1, &[("jobTitle", Value::text("Lead"))]);
    full_round(&snapshot, User, vec![user(1, &[])]);
    begin_full(&snapshot, User);
    store_page(&snapshot, User, &last(vec![]));
    snapshot.finish_round(User).unwrap();
    let looks = |minutes: i64, answer: &DeltaObject| {
        let mut tx = snapshot.tx().unwrap();
        let answer = Existence::Alive(answer.attributes.clone());
        apply_existence(&mut tx, User, &id(1), &answer, at(minutes)).unwrap();
        tx.commit(Durability::Synced).unwrap();
    };
    looks(0, &stale);
    store_page(&snapshot, User, &last(vec![user(1, &[])])); // at minute 15
    assert!(snapshot.looks_wait().unwrap());
    snapshot.mark_due_looks(at(30).now).unwrap();
    looks(30, &user(1, &[("jobTitle", Value::Null)]));
    assert_eq!(attribute(&snapshot, 1, "jobTitle"), Some(Value::Null));
    assert!(!snapshot.looks_wait().unwrap());
    assert_sound(&snapshot);
}

/// The source asked to slow down: its answer came minutes after the question, and a second look counts from the answer.
#[test]
fn a_look_waits_from_its_answer_on() {
    let snapshot = fresh();
    full_round(&snapshot, User, vec![user(1, &[])]);
    begin_full(&snapshot, User);
    store_page(&snapshot, User, &last(vec![]));
    snapshot.finish_round(User).unwrap();
    let looks = |asked: i64, answered: i64| {
        let looking = Looking {
            answered: at(answered).now,
            ..at(asked)
        };
        let mut tx = snapshot.tx().unwrap();
        apply_existence(&mut tx, User, &id(1), &Existence::HardDeleted, looking).unwrap();
        tx.commit(Durability::Synced).unwrap();
        record(&snapshot, User, 1).object.life
    };
    assert_eq!(looks(0, 5), Life::Missing);
    assert_eq!(looks(19, 19), Life::Missing);
    assert_eq!(looks(20, 25), Life::Gone(Removed::HardDeleted));
}

#[test]
fn values_of_a_look_that_contradict_the_streams_wait_also_after_a_look_that_proved_nothing() {
    let snapshot = fresh();
    full_round(
        &snapshot,
        User,
        vec![user(1, &[("department", Value::text("Elsewhere"))])],
    );
    clear_all_dirty(&snapshot);
    // A user out of scope, asked for before the resource is deleted: 403 first, then a replica that is behind.
    let stale = Existence::Alive(user(1, &[("department", Value::Null)]).attributes);
    for (minutes, answer) in [(0, Existence::Unknown("403".to_owned())), (1, stale.clone())] {
        let mut tx = snapshot.tx().unwrap();
        apply_existence(&mut tx, User, &id(1), &answer, at(minutes)).unwrap();
        tx.commit(Durability::Synced).unwrap();
        assert_eq!(
            attribute(&snapshot, 1, "department"),
            Some(Value::text("Elsewhere")),
            "{answer:?}"
        );
    }
    let mut tx = snapshot.tx().unwrap();
    apply_existence(&mut tx, User, &id(1), &stale, at(16)).unwrap();
    tx.commit(Durability::Synced).unwrap();
    assert_eq!(
        attribute(&snapshot, 1, "department"),
        Some(Value::Null),
        "two looks agree"
    );
    assert_sound(&snapshot);
}

#[test]
fn a_change_of_something_else_does_not_end_the_wait_for_values() {
    let snapshot = fresh();
    full_round(
        &snapshot,
        User,
        vec![user(1, &[("department", Value::text("Elsewhere"))])],
    );
    // Named by an admin, and answered by a replica that is behind: its values are taken, and read once more.
    let stale = Existence::Alive(user(1, &[("department", Value::Null)]).attributes);
    let named = Looking { named: true, ..at(0) };
    let mut tx = snapshot.tx().unwrap();
    apply_existence(&mut tx, User, &id(1), &stale, named).unwrap();
    tx.commit(Durability::Synced).unwrap();
    assert_eq!(attribute(&snapshot, 1, "department"), Some(Value::Null));
    store_page(
        &snapshot,
        User,
        &last(vec![user(1, &[("jobTitle", Value::text("Lead"))])]),
    );
    assert!(
        snapshot.looks_wait().unwrap(),
        "the page said nothing of the department"
    );
    full_round(
        &snapshot,
        User,
        vec![user(1, &[("department", Value::text("Elsewhere"))])],
    );
    assert!(!snapshot.looks_wait().unwrap(), "a full round brings every value");
    assert_eq!(
        attribute(&snapshot, 1, "department"),
        Some(Value::text("Elsewhere"))
    );
    assert_sound(&snapshot);
}

#[test]
fn a_removal_that_is_said_again_ends_a_doubt_about_it() {
    for reason in [Removed::SoftDeleted, Removed::HardDeleted] {
        let snapshot = fresh();
        full_round(&snapshot, User, vec![user(1, &[])]);
        store_page(&snapshot, User, &last(vec![gone(User, 1, reason)]));
        let mut tx = snapshot.tx().unwrap();
        let read = Existence::Alive(user(1, &[]).attributes);
        apply_existence(&mut tx, User, &id(1), &read, at(0)).unwrap();
        tx.commit(Durability::Synced).unwrap();
        assert!(snapshot.looks_wait().unwrap(), "it contradicts the stream");
        clear_all_dirty(&snapshot);
        for again in [true, false] {
            store_page(&snapshot, User, &last(vec![gone(User, 1, reason)]));
            assert!(!snapshot.looks_wait().unwrap());
            assert_eq!(is_dirty(&snapshot, User, 1), again, "once, and no page later");
            clear_all_dirty(&snapshot);
        }
        assert_eq!(record(&snapshot, User, 1).object.life, Life::Gone(reason));
        assert_sound(&snapshot);
    }
}

#[test]
fn a_look_after_the_clock_was_put_back_is_no_second_one() {
    let snapshot = fresh();
    full_round(&snapshot, User, vec![user(1, &[])]);
    let looks = |minutes: i64, named: bool, title: &str| {
        let answer = Existence::Alive(user(1, &[("jobTitle", Value::text(title))]).attributes);
        let looking = Looking { named, ..at(minutes) };
        snapshot.mark_due_looks(looking.now).unwrap();
        let mut tx = snapshot.tx().unwrap();
        apply_existence(&mut tx, User, &id(1), &answer, looking).unwrap();
        tx.commit(Durability::Synced).unwrap();
        snapshot.looks_wait().unwrap()
    };
    assert!(looks(60, true, "Lead"));
    assert!(
        looks(1, false, "Engineer"),
        "an hour earlier by the clock, and a minute later: a replica may be behind"
    );
    assert!(!looks(16, false, "Lead"), "a second look");
    assert_eq!(attribute(&snapshot, 1, "jobTitle"), Some(Value::text("Lead")));
    assert_sound(&snapshot);
}
