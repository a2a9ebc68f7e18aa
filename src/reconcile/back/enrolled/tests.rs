//! The table of the enrolled group, row by row.

use super::*;

const LEAVE_AFTER: Duration = Duration::from_secs(24 * 60 * 60);

fn at(minutes: u64) -> Timestamp {
    Timestamp(1_800_000_000_000).plus(Duration::from_secs(minutes * 60))
}

fn seen(key: KeyEvidence, member: bool, minutes: u64) -> Seen {
    Seen {
        key,
        passkey: None,
        owner: OwnerStanding::Enabled,
        never: false,
        member: Some(member),
        looked: false,
        reading: ReadingId(minutes),
        names_read: Some(at(minutes)),
        now: at(minutes),
    }
}

/// A member whom melonsync added, and who was seen to be one.
const OURS: Enrolment = Enrolment {
    ours: true,
    without: None,
    member_seen: true,
    gone_since: None,
    by_hand: None,
    open: None,
};

fn step(before: &Enrolment, seen: &Seen) -> Move {
    decide(before, seen, LEAVE_AFTER).step
}

#[test]
fn who_joins() {
    let active = seen(KeyEvidence::Active, false, 0);
    for (name, seen, expected, finding) in [
        ("an active key", active, Move::Add, None),
        (
            "a passkey too",
            Seen {
                passkey: Some(Passkey::Yes),
                ..active
            },
            Move::Add,
            None,
        ),
        (
            "no passkey seen",
            Seen {
                passkey: Some(Passkey::NotSeen),
                ..active
            },
            Move::Nothing(Still::KeyWithoutPasskey),
            Some(EnrolledFinding::KeyWithoutPasskey),
        ),
        (
            "passkeys not read",
            Seen {
                passkey: Some(Passkey::Unknown),
                ..active
            },
            Move::Nothing(Still::NoEvidence),
            None,
        ),
        (
            "never",
            Seen {
                never: true,
                ..active
            },
            Move::Nothing(Still::Never),
            None,
        ),
        (
            "disabled at the source",
            Seen {
                owner: OwnerStanding::Disabled,
                ..active
            },
            Move::Nothing(Still::AsItShouldBe),
            None,
        ),
        (
            "not linked",
            Seen {
                owner: OwnerStanding::Unlinked,
                ..active
            },
            Move::Nothing(Still::NoEvidence),
            None,
        ),
        (
            "membership not read",
            Seen {
                member: None,
                ..active
            },
            Move::Nothing(Still::NoEvidence),
            None,
        ),
        (
            "a member already",
            seen(KeyEvidence::Active, true, 0),
            Move::Nothing(Still::AsItShouldBe),
            None,
        ),
        (
            "blocked",
            seen(KeyEvidence::Blocked, false, 0),
            Move::Nothing(Still::AsItShouldBe),
            None,
        ),
        (
            "pending",
            seen(KeyEvidence::Pending, false, 0),
            Move::Nothing(Still::AsItShouldBe),
            None,
        ),
        (
            "unknown",
            seen(KeyEvidence::Unknown, false, 0),
            Move::Nothing(Still::NoEvidence),
            None,
        ),
    ] {
        let decided = decide(&Enrolment::default(), &seen, LEAVE_AFTER);
        assert_eq!((decided.step, decided.finding), (expected, finding), "{name}");
    }
}

#[test]
fn who_leaves() {
    let day = 24 * 60;
    let disabled = |seen: Seen| Seen {
        owner: OwnerStanding::Disabled,
        ..seen
    };
    let never = |seen: Seen| Seen { never: true, ..seen };
    use KeyEvidence::{Active, Blocked, None, Pending, Unknown};
    let later = Move::Nothing(Still::LeavesLater);
    for (name, first, second, expected) in [
        (
            "two readings a day apart",
            seen(None, true, 0),
            seen(None, true, day),
            Move::Remove,
        ),
        (
            "names as old as before the first reading",
            seen(None, true, 60),
            Seen {
                names_read: Some(at(59)),
                ..seen(None, true, 60 + day)
            },
            later,
        ),
        (
            "names that were never read whole",
            seen(None, true, 0),
            Seen {
                names_read: Option::None,
                ..seen(None, true, day)
            },
            later,
        ),
        (
            "blocked, whatever the names",
            seen(Blocked, true, 60),
            Seen {
                names_read: Option::None,
                ..seen(Blocked, true, 75)
            },
            Move::Remove,
        ),
        ("an hour apart", seen(None, true, 0), seen(None, true, 60), later),
        (
            "pending since",
            seen(None, true, 0),
            seen(Pending, true, day),
            Move::Remove,
        ),
        (
            "blocked, without the wait",
            seen(Blocked, true, 0),
            seen(Blocked, true, 15),
            Move::Remove,
        ),
        (
            "blocked by the same reading",
            seen(Blocked, true, 0),
            seen(Blocked, true, 0),
            later,
        ),
        (
            "a disabled owner, without the wait",
            disabled(seen(Active, true, 0)),
            disabled(seen(Active, true, 15)),
            Move::Remove,
        ),
        (
            "never a member any more",
            never(seen(Active, true, 0)),
            never(seen(Active, true, 15)),
            Move::Remove,
        ),
        (
            "the second reading is no evidence",
            seen(None, true, 0),
            seen(Unknown, true, day),
            Move::Nothing(Still::NoEvidence),
        ),
        (
            "the first reading was no evidence",
            seen(Unknown, true, 0),
            seen(None, true, day),
            later,
        ),
        (
            "a key again",
            seen(None, true, 0),
            seen(Active, true, day),
            Move::Nothing(Still::AsItShouldBe),
        ),
    ] {
        let after = decide(&OURS, &first, LEAVE_AFTER).enrolment;
        assert_eq!(step(&after, &second), expected, "{name}");
        // Whoever melonsync did not add stays.
        let foreign = Enrolment { ours: false, ..OURS };
        let after = decide(&foreign, &first, LEAVE_AFTER).enrolment;
        assert_ne!(step(&after, &second), Move::Remove, "{name}, of a foreign member");
    }
}

#[test]
fn no_evidence_neither_begins_nor_ends_the_wait() {
    let first = decide(&OURS, &seen(KeyEvidence::None, true, 0), LEAVE_AFTER).enrolment;
    let noise = decide(&first, &seen(KeyEvidence::Unknown, true, 60), LEAVE_AFTER).enrolment;
    assert_eq!(noise, first);
    assert_eq!(
        step(&noise, &seen(KeyEvidence::None, true, 24 * 60)),
        Move::Remove
    );
    let active = decide(&first, &seen(KeyEvidence::Active, true, 60), LEAVE_AFTER).enrolment;
    assert_eq!(active.without, None);
}

#[test]
fn a_foreign_member_without_a_key_is_reported_and_leaves_when_released() {
    let met = decide(
        &Enrolment::default(),
        &seen(KeyEvidence::None, true, 0),
        LEAVE_AFTER,
    );
    assert_eq!(met.finding, Some(EnrolledFinding::ForeignMember));
    let late = seen(KeyEvidence::None, true, 48 * 60);
    assert_eq!(step(&met.enrolment, &late), Move::Nothing(Still::ForeignMember));
    assert_eq!(step(&met.enrolment.released(), &late), Move::Remove);
}

#[test]
fn a_change_that_is_not_seen_is_neither_sent_again_nor_taken_for_somebody_elses() {
    let sent = Enrolment::default().opened(true, at(0));
    let not_there = |minutes| seen(KeyEvidence::Active, false, minutes);
    let looked = |minutes| Seen {
        looked: true,
        ..not_there(minutes)
    };
    assert_eq!(step(&sent, &not_there(14)), Move::Nothing(Still::NotArrived));
    assert_eq!(step(&sent, &not_there(15)), Move::Look);
    let first = decide(&sent, &looked(15), LEAVE_AFTER).enrolment;
    assert_eq!(step(&first, &not_there(20)), Move::Nothing(Still::NotArrived));
    let second = decide(&first, &looked(30), LEAVE_AFTER);
    assert_eq!(second.finding, Some(EnrolledFinding::NotKeptByEntra));
    assert_eq!(
        step(&second.enrolment, &not_there(60)),
        Move::Nothing(Still::RemovedByHand)
    );
    assert_eq!(
        step(&second.enrolment, &not_there(30 + 24 * 60)),
        Move::Add,
        "a day later"
    );
    let arrived = decide(&first, &seen(KeyEvidence::Active, true, 20), LEAVE_AFTER).enrolment;
    assert_eq!(arrived, OURS);
    // A removal that is not seen yet.
    let leaves = OURS.opened(false, at(0));
    assert_eq!(
        step(&leaves, &seen(KeyEvidence::None, true, 1)),
        Move::Nothing(Still::NotArrived)
    );
    let gone = decide(&leaves, &seen(KeyEvidence::None, false, 2), LEAVE_AFTER).enrolment;
    assert!(!gone.ours && !gone.member_seen && gone.open.is_none());
}

#[test]
fn whoever_was_a_member_already_is_not_ours() {
    let found = Enrolment::default().opened(true, at(0)).found_done(true);
    assert!(!found.ours && found.member_seen && found.open.is_none());
}

#[test]
fn a_member_taken_out_by_hand_is_not_put_back_for_a_day() {
    let not_there = |minutes| seen(KeyEvidence::Active, false, minutes);
    let once = decide(&OURS, &not_there(0), LEAVE_AFTER);
    assert_eq!(
        once.step,
        Move::Nothing(Still::MemberNotSeenOnce),
        "a replica may be behind"
    );
    let back = decide(&once.enrolment, &seen(KeyEvidence::Active, true, 5), LEAVE_AFTER).enrolment;
    assert_eq!(back, OURS);
    let twice = decide(&once.enrolment, &not_there(15), LEAVE_AFTER);
    assert_eq!(twice.step, Move::Nothing(Still::RemovedByHand));
    assert_eq!(twice.finding, Some(EnrolledFinding::RemovedByHand));
    assert!(!twice.enrolment.ours);
    let day = 15 + 24 * 60;
    assert_eq!(
        step(&twice.enrolment, &not_there(day - 1)),
        Move::Nothing(Still::RemovedByHand)
    );
    assert_eq!(step(&twice.enrolment, &not_there(day)), Move::Add);
    assert_eq!(step(&twice.enrolment.released(), &not_there(20)), Move::Add);
    // Somebody else's member is not put back either.
    let foreign = Enrolment { ours: false, ..OURS };
    let once = decide(&foreign, &not_there(0), LEAVE_AFTER).enrolment;
    assert_eq!(step(&once, &not_there(15)), Move::Nothing(Still::RemovedByHand));
}
