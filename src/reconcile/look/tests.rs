use serde_json::json;

use super::super::fixtures::*;
use super::*;
use crate::model::value::Attributes;

const T0: Timestamp = Timestamp(1_000_000);
const SOFT: Life = Life::Gone(Removed::SoftDeleted);
const HARD: Life = Life::Gone(Removed::HardDeleted);

fn alive() -> Existence {
    Existence::Alive(Attributes::new())
}

fn unknown() -> Existence {
    Existence::Unknown("403".to_owned())
}

#[test]
fn one_look_proves_what_the_streams_said_and_no_more() {
    let cases = [
        ("lives", Life::Alive, alive(), Life::Alive, true),
        (
            "in the bin, before the streams say so",
            Life::Alive,
            Existence::SoftDeleted,
            Life::Unknown,
            false,
        ),
        (
            "named, and nowhere",
            Life::Alive,
            Existence::HardDeleted,
            Life::Unknown,
            false,
        ),
        ("named, no answer", Life::Alive, unknown(), Life::Unknown, false),
        (
            "missing, and in the bin",
            Life::Missing,
            Existence::SoftDeleted,
            SOFT,
            false,
        ),
        (
            "missing, and nowhere",
            Life::Missing,
            Existence::HardDeleted,
            Life::Missing,
            false,
        ),
        ("missing, and lives", Life::Missing, alive(), Life::Alive, false),
        (
            "missing, no answer",
            Life::Missing,
            unknown(),
            Life::Unknown,
            false,
        ),
        ("in the bin", SOFT, Existence::SoftDeleted, SOFT, true),
        (
            "in the bin, and nowhere",
            SOFT,
            Existence::HardDeleted,
            SOFT,
            false,
        ),
        ("in the bin, and lives", SOFT, alive(), SOFT, false),
        ("in the bin, no answer", SOFT, unknown(), SOFT, false),
        ("purged", HARD, Existence::HardDeleted, HARD, true),
        (
            "purged, and in the bin",
            HARD,
            Existence::SoftDeleted,
            HARD,
            false,
        ),
        ("purged, and lives", HARD, alive(), HARD, false),
        ("purged, no answer", HARD, unknown(), HARD, false),
    ];
    for (name, life, answer, expected, settled) in cases {
        let (after, look) = judge(life, None, &answer, T0, false);
        assert_eq!((after, look.is_none()), (expected, settled), "{name}");
        let kept = if (life, after) == (Life::Missing, SOFT) {
            SOFT
        } else {
            life
        };
        assert!(look.is_none_or(|look| look.was == kept), "{name}");
    }
}

#[test]
fn who_is_found_in_the_bin_after_a_full_round_is_asked_once_more_whether_they_are_purged() {
    let minutes = |n: u64| T0.plus(Duration::from_secs(60 * n));
    let (life, look) = judge(Life::Missing, None, &Existence::SoftDeleted, T0, false);
    assert_eq!(life, SOFT, "believed at once");
    let waiting = look.unwrap();
    assert!(!waiting.doubts() && !waiting.is_due(minutes(14)) && waiting.is_due(minutes(15)));
    assert!(
        waiting.words().contains("deleted for good"),
        "{}",
        waiting.words()
    );
    // Still there: settled.
    assert_eq!(
        judge(life, look, &Existence::SoftDeleted, minutes(15), false),
        (SOFT, None)
    );
    // Purged: absence is the only evidence, so it counts when it is seen twice.
    let (life, look) = judge(life, look, &Existence::HardDeleted, minutes(15), false);
    assert_eq!(life, SOFT);
    assert_eq!(
        judge(life, look, &Existence::HardDeleted, minutes(30), false),
        (HARD, None)
    );
}

#[test]
fn who_was_in_the_bin_and_is_still_is_asked_again_once_every_replica_must_know_of_a_purge() {
    let minutes = |n: u64| T0.plus(Duration::from_secs(60 * n));
    let still = |before, n| in_bin_still(SOFT, before, &Existence::SoftDeleted, minutes(n));
    let first = still(None, 0);
    assert!(first.is_some_and(|look| !look.doubts() && !look.is_due(minutes(14))));
    assert_eq!(still(first, 5), first, "asked too early: it goes on waiting");
    assert_eq!(still(first, 15), None, "settled");
    let later = still(None, 20);
    assert!(
        still(later, 5).is_some_and(|look| look.since == minutes(5)),
        "the clock was put back"
    );
    let (_, nowhere) = judge(SOFT, None, &Existence::HardDeleted, T0, false);
    assert_eq!(
        still(nowhere, 5),
        first,
        "a replica that is behind takes no look back"
    );
    let (_, unproven) = judge(SOFT, None, &unknown(), T0, false);
    assert!(still(unproven, 5).is_some_and(|look| look.since == minutes(5)));
    for (name, life, answer) in [
        ("lives", SOFT, alive()),
        ("purged", SOFT, Existence::HardDeleted),
        ("was alive", Life::Alive, Existence::SoftDeleted),
    ] {
        assert_eq!(in_bin_still(life, None, &answer, T0), None, "{name}");
    }
}

#[test]
fn who_is_named_and_in_the_bin_is_believed_to_be_until_a_look_says_otherwise() {
    let minutes = |n: u64| T0.plus(Duration::from_secs(60 * n));
    for (was, answer, life) in [
        (Life::Alive, Existence::SoftDeleted, SOFT),
        (Life::Unknown, Existence::SoftDeleted, SOFT),
        (Life::Alive, Existence::HardDeleted, Life::Unknown),
        (HARD, Existence::SoftDeleted, HARD),
    ] {
        let (after, look) = judge(was, None, &answer, T0, true);
        assert_eq!(
            (after, look.map(|look| look.was)),
            (life, Some(was)),
            "{answer:?}"
        );
        assert!(look.unwrap().doubts());
    }
    let (life, look) = judge(Life::Alive, None, &Existence::SoftDeleted, T0, true);
    for (answer, at, expected, waits) in [
        (Existence::SoftDeleted, 14, SOFT, true),
        (unknown(), 14, SOFT, true),
        (Existence::SoftDeleted, 15, SOFT, false),
        (alive(), 1, Life::Alive, false),
        (alive(), 15, Life::Alive, false),
    ] {
        let (after, left) = judge(life, look, &answer, minutes(at), false);
        assert_eq!(
            (after, left.is_some()),
            (expected, waits),
            "{answer:?} after {at}"
        );
    }
}

#[test]
fn a_second_look_counts_when_it_says_the_same_at_least_fifteen_minutes_later() {
    let waiting = [
        (Life::Missing, alive(), Life::Alive),
        (Life::Missing, Existence::HardDeleted, HARD),
        (Life::Alive, Existence::HardDeleted, HARD),
        (Life::Alive, Existence::SoftDeleted, SOFT),
        (SOFT, Existence::HardDeleted, HARD),
        (SOFT, alive(), Life::Alive),
        (HARD, alive(), Life::Alive),
        (HARD, Existence::SoftDeleted, SOFT),
    ];
    let minutes = |n: u64| T0.plus(Duration::from_secs(60 * n));
    for (life, answer, settled) in waiting {
        let (first, look) = judge(life, None, &answer, T0, false);
        // In between, however often, nothing moves; an answer that proves nothing takes nothing back.
        let (between, look) = judge(first, look, &answer, minutes(14), false);
        let (unproven, look) = judge(between, look, &unknown(), minutes(14), false);
        assert_eq!((first, between), (between, unproven), "{life:?} {answer:?}");
        assert_eq!(look.map(|look| look.since), Some(T0));
        assert!(!look.unwrap().is_due(minutes(14)) && look.unwrap().is_due(minutes(15)));
        let (after, left) = judge(unproven, look, &answer, minutes(15), false);
        assert_eq!((after, left), (settled, None), "{life:?} {answer:?}");
        // Where the clock was put back, the wait begins anew.
        let (after, again) = judge(first, look, &answer, Timestamp(0), false);
        assert_eq!(
            (after, again.unwrap().since),
            (first, Timestamp(0)),
            "{life:?} {answer:?}"
        );
    }
    let (life, look) = judge(Life::Missing, None, &Existence::HardDeleted, T0, false);
    let (life, look) = judge(life, look, &alive(), minutes(10), false);
    let (life, look) = judge(life, look, &Existence::HardDeleted, minutes(20), false);
    assert_eq!(look.unwrap().since, minutes(20), "they did not agree");
    assert_eq!(life, Life::Missing);
}

#[test]
fn a_tombstone_is_doubted_only_where_something_contradicts_it() {
    let look = |was, seen| Look { was, seen, since: T0 };
    assert!(!look(SOFT, Some(Seen::Nowhere)).doubts());
    for doubted in [
        look(SOFT, Some(Seen::Alive)),
        look(SOFT, None),
        look(HARD, Some(Seen::Alive)),
        look(HARD, Some(Seen::SoftDeleted)),
        look(HARD, None),
    ] {
        assert!(doubted.doubts(), "{doubted:?}");
        assert!(!doubted.words().is_empty());
    }
}

#[test]
fn what_a_second_look_would_lead_to_is_pending() {
    let cases = [
        (
            "nowhere",
            Life::Missing,
            Life::Missing,
            Some(Seen::Nowhere),
            &["delete_user"][..],
        ),
        (
            "back, and in the bin",
            Life::Unknown,
            Life::Alive,
            Some(Seen::SoftDeleted),
            &["disable_user"],
        ),
        (
            "purged, and in the bin",
            HARD,
            HARD,
            Some(Seen::SoftDeleted),
            &["disable_user"],
        ),
        ("purged, and lives", HARD, HARD, Some(Seen::Alive), &[]),
        ("no answer", Life::Unknown, Life::Missing, None, &[]),
    ];
    for (name, life, was, seen, expected) in cases {
        let mut view = linked(user(json!({"displayName": "Ada"})), json!({"active": true}));
        view.object.life = life;
        view.doubt = Some(Look { was, seen, since: T0 });
        let plan = Desk::new().plan(&view);
        let pending: Vec<&str> = plan.pending.iter().map(|one| one.operation.verb.name()).collect();
        assert_eq!(pending, expected, "{name}");
        assert!(plan.operations.is_empty() && !plan.settles(), "{name}");
        assert!(
            plan.pending
                .iter()
                .all(|one| one.because.contains(&T0.to_string())),
            "{name}"
        );
    }
}
