use super::*;
use crate::reconcile::operation::Reason;

fn operation(verb: Verb, n: u8) -> Operation {
    Operation {
        verb,
        kind: ObjectKind::User,
        source: id(n),
        name: "ada@corp.example".to_owned(),
        target: None,
        because: Reason::NotAsSent,
        changes: Vec::new(),
        members: Vec::new(),
    }
}

const fn id(n: u8) -> SourceId {
    SourceId::from_bytes([n; 16])
}

const SAID: Said<'_> = Said {
    cause: "refused",
    hint: "look",
    now: Timestamp(7),
    actor: "schedule",
};

/// So many good and then so many refused ones.
fn cycle(kinds: &mut Kinds, verb: Verb, good: u8, refused: u8) -> bool {
    (0..good).for_each(|n| kinds.done(&operation(verb, n)));
    let mut stopped = false;
    for n in 0..refused {
        stopped |= kinds.refused(&operation(verb, good + n), &SAID);
    }
    stopped
}

/// The kinds of the next cycle.
fn next(kinds: Kinds) -> Kinds {
    Kinds::new(kinds.into_stopped())
}

#[test]
fn a_kind_stops_when_over_forty_of_a_hundred_of_at_least_twenty_fail() {
    for (name, sent, failed, expected) in [
        ("all of a few", 19, 19, false),
        ("all of twenty", 20, 20, true),
        ("forty of a hundred", 100, 40, false),
        ("forty-one of a hundred", 100, 41, true),
        ("eight of twenty", 20, 8, false),
        ("nine of twenty", 20, 9, true),
        ("none", 1000, 0, false),
        ("nothing sent", 0, 0, false),
    ] {
        assert_eq!(Tally { sent, failed }.stops(), expected, "{name}");
    }
}

#[test]
fn only_the_kind_that_fails_stops_and_disables_never_do() {
    for (verb, expected) in [
        (Verb::CreateUser, true),
        (Verb::UpdateUser, true),
        (Verb::EnableUser, true),
        (Verb::DeleteUser, true),
        (Verb::AddMember, true),
        (Verb::DisableUser, false),
        (Verb::LinkUser, false),
    ] {
        let mut kinds = Kinds::default();
        assert_eq!(cycle(&mut kinds, verb, 10, 30), expected, "{verb}");
        assert_eq!(kinds.stopped().contains_key(&verb), expected, "{verb}");
        assert!(kinds.leaves(Verb::UpdateGroup, id(1)).is_none(), "{verb}");
    }
}

#[test]
fn who_failed_before_the_kind_stopped_is_excused_once() {
    let mut kinds = Kinds::default();
    cycle(&mut kinds, Verb::UpdateUser, 0, 3);
    assert!(cycle(&mut kinds, Verb::CreateUser, 12, 9));
    assert_eq!(kinds.take_excused().len(), 9, "the updates did not stop");
    assert!(kinds.take_excused().is_empty());
    let create = operation(Verb::CreateUser, 99);
    assert!(kinds.excuses(std::slice::from_ref(&create)));
    assert_eq!(kinds.cuts(&[create]), Some(Verb::CreateUser));
}

#[test]
fn a_stopped_kind_is_probed_once_a_cycle_and_goes_on_when_that_works() {
    let verb = Verb::CreateUser;
    let mut kinds = Kinds::default();
    assert!(cycle(&mut kinds, verb, 0, 20));
    assert!(
        kinds.leaves(verb, id(200)).is_some(),
        "no probe in the cycle that stopped it"
    );

    let mut kinds = next(kinds);
    assert!(kinds.leaves(verb, id(1)).is_none(), "the probe");
    assert!(kinds.leaves(verb, id(1)).is_none(), "asked about again");
    assert!(kinds.leaves(verb, id(2)).is_some());
    assert!(!kinds.refused(&operation(verb, 1), &SAID));

    // The one that failed may be the one that is broken: another is tried.
    let mut kinds = next(kinds);
    assert!(kinds.leaves(verb, id(1)).is_some());
    assert!(kinds.leaves(verb, id(2)).is_none());
    kinds.done(&operation(verb, 2));
    assert!(kinds.leaves(verb, id(1)).is_none(), "the others follow");
    assert_eq!(kinds.released, BTreeSet::from([verb]));
    assert!(next(kinds).stopped().is_empty());
}

#[test]
fn with_nobody_behind_the_last_probe_the_next_cycle_begins_at_the_first() {
    let verb = Verb::CreateUser;
    let mut kinds = Kinds::default();
    cycle(&mut kinds, verb, 0, 20);
    let mut kinds = next(kinds);
    assert!(kinds.leaves(verb, id(9)).is_none());
    kinds.refused(&operation(verb, 9), &SAID);
    let mut kinds = next(kinds);
    assert!(kinds.leaves(verb, id(3)).is_some());
    let mut kinds = next(kinds);
    assert!(kinds.leaves(verb, id(3)).is_none());
}
