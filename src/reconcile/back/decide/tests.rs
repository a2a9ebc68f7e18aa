//! The table of decisions, row by row.

use super::*;
use crate::reconcile::back::cell::Open;
use crate::reconcile::back::cell::Refusal;
use crate::reconcile::back::cell::Superseded;

const RULES: Rules = Rules {
    compare: Compare::Text,
    clear_after: Duration::from_secs(15 * 60),
    on_conflict: OnConflict::Authority,
};

fn at(minutes: u64) -> Timestamp {
    Timestamp(1_800_000_000_000).plus(Duration::from_secs(minutes * 60))
}

/// A value by one word; `-` is empty.
fn value(word: &str) -> Value {
    if word == "-" {
        Value::Null
    } else {
        Value::text(word)
    }
}

fn base(pair: &str) -> Option<Pair> {
    let (source, target) = pair.split_once('/')?;
    Some(Pair {
        source: value(source),
        target: value(target),
    })
}

fn cell(pair: &str) -> Cell {
    Cell {
        base: base(pair),
        seen_at_target: true,
        ..Cell::default()
    }
}

/// What is read: `source/target`, where `?` is not read.
struct Read(Option<Value>, Option<Value>);

impl Read {
    fn of(words: &str) -> Self {
        let (source, target) = words.split_once('/').unwrap();
        let side = |word: &str| (word != "?").then(|| value(word));
        Self(side(source), side(target))
    }

    fn sight(&self, minutes: u64) -> Sight<'_> {
        Sight {
            standing: Standing::Complete,
            source: FromEntra {
                value: self.0.as_ref(),
                looked: false,
                as_of: None,
            },
            target: self.1.as_ref(),
            reading: ReadingId(minutes),
            readable: true,
            active: true,
            writable: Writable::default(),
            now: at(minutes),
        }
    }
}

fn decided(cell: &Cell, words: &str, minutes: u64) -> Decision {
    decide(cell, &Read::of(words).sight(minutes), &RULES)
}

/// The step in one word: the value that is written, `clear`, `look`, or why nothing is.
fn word(step: &Step) -> String {
    match step {
        Step::Nothing(quiet) => format!("{quiet:?}"),
        Step::Look => "look".to_owned(),
        Step::Write(write) => write.to.as_str().unwrap().to_owned(),
        Step::Clear(_) => "clear".to_owned(),
    }
}

#[test]
fn each_row_of_the_table() {
    use Finding::{Conflict, EditBeatsClear, FirstContactDiffers, SourceEditedTargetOwned};
    // The target was read empty a quarter of an hour before, where it is empty now.
    for (row, before, read, expected, after, finding) in [
        ("A, source not read", "a/a", "?/b", "Unknown", "a/a", None),
        ("A, target not read", "a/a", "b/?", "Unknown", "a/a", None),
        (
            "D, different",
            "",
            "a/b",
            "FirstContact",
            "a/b",
            Some(FirstContactDiffers),
        ),
        ("D, equal", "", "a/a", "FirstContact", "a/a", None),
        ("D, both empty", "", "-/-", "FirstContact", "-/-", None),
        (
            "D, empty at the target",
            "",
            "a/-",
            "FirstContact",
            "a/-",
            Some(FirstContactDiffers),
        ),
        ("E, both moved to one value", "a/a", "b/b", "InStep", "b/b", None),
        ("E, the source followed", "a/b", "b/b", "InStep", "b/b", None),
        ("E, both emptied", "a/a", "-/-", "InStep", "-/-", None),
        ("F, nothing moved", "a/a", "a/a", "InStep", "a/a", None),
        ("F, a known difference", "a/b", "a/b", "Unchanged", "a/b", None),
        ("G", "a/a", "a/b", "b", "a/a", None),
        ("G, of a known difference", "a/b", "a/c", "c", "a/b", None),
        ("G, of an empty one", "-/-", "-/b", "b", "-/-", None),
        ("H", "a/a", "a/-", "clear", "a/a", None),
        (
            "I, changed",
            "a/a",
            "b/a",
            "SourceEdited",
            "b/a",
            Some(SourceEditedTargetOwned),
        ),
        (
            "I, cleared",
            "a/a",
            "-/a",
            "SourceEdited",
            "-/a",
            Some(SourceEditedTargetOwned),
        ),
        ("K, changed", "a/a", "b/c", "c", "a/a", Some(Conflict)),
        ("K, cleared", "a/a", "-/c", "c", "a/a", Some(Conflict)),
        ("L", "a/a", "b/-", "EditBeatsClear", "b/-", Some(EditBeatsClear)),
    ] {
        let mut cell = cell(before);
        if read.ends_with("/-") {
            cell.empty_since = Some(Sighting {
                value: Value::Null,
                reading: ReadingId(0),
                at: at(0),
            });
        }
        let decision = decided(&cell, read, 15);
        assert_eq!(word(&decision.step), expected, "{row}");
        assert_eq!(decision.cell.base, base(after), "{row}: the base");
        assert_eq!(decision.findings, Vec::from_iter(finding), "{row}: the finding");
        let loser = row.starts_with('K').then(|| Read::of(read).0.unwrap());
        assert_eq!(decision.lost, loser, "{row}: what is lost");
    }
}

#[test]
fn a_link_that_is_not_complete_or_kept_back_writes_nothing() {
    let read = Read::of("a/b");
    for (row, standing, expected, after) in [
        ("A", Standing::Incomplete, "Incomplete", "a/a"),
        ("B", Standing::Left, "Left", ""),
        ("C", Standing::KeptBack, "KeptBack", "a/a"),
    ] {
        let sight = Sight {
            standing,
            ..read.sight(0)
        };
        let decision = decide(&cell("a/a"), &sight, &RULES);
        assert_eq!(word(&decision.step), expected, "{row}");
        assert_eq!(decision.cell.base, base(after), "{row}: the base");
    }
    // C: the edit is carried once the way is free; B: the return is first contact.
    assert_eq!(word(&decided(&cell("a/a"), "a/b", 1).step), "b");
    assert_eq!(
        word(&decided(&cell("a/a").forgotten(), "a/b", 1).step),
        "FirstContact"
    );
}

#[test]
fn a_clear_needs_two_readings_apart_a_value_before_and_an_active_user() {
    for (name, first, minutes, seen, active, readable, expected) in [
        ("the first reading", None, 15, true, true, true, "EmptiedOnce"),
        (
            "the same reading again",
            Some((15, 0)),
            15,
            true,
            true,
            true,
            "EmptiedOnce",
        ),
        ("too early", Some((0, 0)), 14, true, true, true, "EmptiedOnce"),
        ("two, apart", Some((0, 0)), 15, true, true, true, "clear"),
        (
            "no value was seen since the link",
            Some((0, 0)),
            15,
            false,
            true,
            true,
            "ClearNotLicensed",
        ),
        (
            "not active there",
            Some((0, 0)),
            15,
            true,
            false,
            true,
            "ClearNotLicensed",
        ),
        (
            "nobody has a value there",
            Some((0, 0)),
            15,
            true,
            true,
            false,
            "Unknown",
        ),
        (
            "a clock that was put back",
            Some((1, 30)),
            15,
            true,
            true,
            true,
            "EmptiedOnce",
        ),
    ] {
        let mut cell = cell("a/a");
        cell.seen_at_target = seen;
        cell.empty_since = first.map(|(reading, minutes)| Sighting {
            value: Value::Null,
            reading: ReadingId(reading),
            at: at(minutes),
        });
        let read = Read::of("a/-");
        let sight = Sight {
            active,
            readable,
            ..read.sight(minutes)
        };
        assert_eq!(word(&decide(&cell, &sight, &RULES).step), expected, "{name}");
    }
    // A value in between begins anew.
    let emptied = decided(&cell("a/a"), "a/-", 0).cell;
    let back = decided(&emptied, "a/a", 15).cell;
    assert_eq!(word(&decided(&back, "a/-", 30).step), "EmptiedOnce");
}

/// A cell whose write `a -> b` was sent at minute 0.
fn open_cell(answered: bool) -> Cell {
    let decision = decided(&cell("a/a"), "a/b", 0);
    let Step::Write(write) = &decision.step else {
        panic!("not written: {decision:?}");
    };
    let mut cell = decision.cell.opened(write, at(0));
    cell.open.as_mut().unwrap().answered = answered;
    cell
}

#[test]
fn the_echo_filter_goes_by_values() {
    use Finding::SourceEditedTargetOwned;
    for (name, read, minutes, expected, open, after) in [
        ("confirmed", "b/b", 1, "InStep", false, "b/b"),
        ("not arrived", "a/b", 1, "NotArrived", true, "a/a"),
        (
            "not arrived, and the target moved again",
            "a/c",
            1,
            "NotArrived",
            true,
            "a/a",
        ),
        ("arrived, and the target moved again", "b/c", 1, "c", false, "b/b"),
        ("superseded", "x/b", 1, "SourceEdited", false, "x/b"),
        ("superseded, and the target moved", "x/c", 1, "c", false, "b/b"),
        ("not read", "?/b", 1, "NotArrived", true, "a/a"),
        ("fifteen minutes old", "a/b", 15, "look", true, "a/a"),
        ("fifteen minutes old, not read", "?/b", 15, "look", true, "a/a"),
        ("the target was not read", "b/?", 1, "Unknown", false, "b/b"),
    ] {
        let decision = decided(&open_cell(true), read, minutes);
        assert_eq!(word(&decision.step), expected, "{name}");
        assert_eq!(decision.cell.open.is_some(), open, "{name}: open");
        assert_eq!(decision.cell.base, base(after), "{name}: the base");
        let finding = (name == "superseded").then_some(SourceEditedTargetOwned);
        if finding.is_some() {
            assert_eq!(decision.findings, Vec::from_iter(finding), "{name}");
        }
    }
}

fn looked(cell: &Cell, words: &str, minutes: u64) -> Decision {
    let read = Read::of(words);
    let mut sight = read.sight(minutes);
    sight.source.looked = true;
    decide(cell, &sight, &RULES)
}

#[test]
fn two_looks_at_the_old_value_end_in_a_finding_and_never_in_another_write() {
    let first = looked(&open_cell(true), "a/b", 15);
    assert_eq!(word(&first.step), "NotArrived");
    let early = looked(&first.cell, "a/b", 20);
    assert_eq!(early.cell.open.as_ref().unwrap().looks, 1, "too early to count");
    assert_eq!(word(&decided(&early.cell, "a/b", 30).step), "look");
    let second = looked(&early.cell, "a/b", 30);
    assert_eq!(second.findings, [Finding::NotKeptByEntra]);
    assert_eq!(word(&second.step), "Unchanged");
    assert_eq!((&second.cell.open, &second.cell.base), (&None, &base("a/b")));
    assert_eq!(
        word(&decided(&second.cell, "a/b", 90).step),
        "Unchanged",
        "not sent again"
    );
    assert_eq!(
        word(&decided(&second.cell, "a/c", 90).step),
        "c",
        "until the target moves"
    );
}

#[test]
fn a_write_without_an_answer_is_sent_once_more_after_two_looks() {
    let first = looked(&open_cell(false), "a/b", 15);
    let second = looked(&first.cell, "a/b", 30);
    let Step::Write(write) = &second.step else {
        panic!("not sent again: {second:?}");
    };
    assert!(write.again && write.to == value("b"));
    let again = second.cell.opened(write, at(30));
    let third = looked(&again, "a/b", 45);
    let fourth = looked(&third.cell, "a/b", 60);
    assert_eq!(fourth.findings, [Finding::NotKeptByEntra], "and no third time");
}

#[test]
fn a_replica_that_is_behind_is_not_believed_at_once() {
    let confirmed = decided(&open_cell(true), "b/b", 1).cell;
    assert_eq!(
        word(&decided(&confirmed, "a/b", 2).step),
        "look",
        "the delta stream replays"
    );
    assert_eq!(word(&looked(&confirmed, "b/b", 2).step), "InStep");
    assert_eq!(
        word(&looked(&confirmed, "a/b", 2).step),
        "SourceEdited",
        "a GET is believed"
    );
    assert_eq!(
        word(&decided(&confirmed, "a/b", 25 * 60).step),
        "SourceEdited",
        "a day later too"
    );
    let read = Read::of("a/b");
    for (name, at_minute, expected) in [("not read since", 0, "look"), ("read since", 2, "SourceEdited")] {
        let mut sight = read.sight(25 * 60);
        sight.source.as_of = Some(at(at_minute));
        assert_eq!(
            word(&decide(&confirmed, &sight, &RULES).step),
            expected,
            "the stream was {name}"
        );
    }
    // At the target the old value needs two readings in a row.
    let once = decided(&confirmed, "b/a", 15);
    assert_eq!(word(&once.step), "Doubted");
    assert_eq!(
        word(&decided(&once.cell, "b/a", 15).step),
        "Doubted",
        "the same reading"
    );
    assert_eq!(word(&decided(&once.cell, "b/a", 30).step), "a");
    let between = decided(&once.cell, "b/b", 30).cell;
    assert_eq!(word(&decided(&between, "b/a", 45).step), "Doubted");
}

#[test]
fn a_hold_ends_when_what_it_is_for_ends() {
    let refused = Held::Refused {
        why: Refusal::OnPremises,
        to: value("b"),
        standing: Writable::default(),
    };
    let held = |held: &Held| Cell {
        held: Some(held.clone()),
        ..cell("a/a")
    };
    for (name, hold, read, expected) in [
        ("the same value again", &refused, "a/b", "KeptBack"),
        ("another value", &refused, "a/c", "c"),
        ("in step by now", &refused, "b/b", "InStep"),
        ("a conflict", &Held::Conflict, "c/b", "KeptBack"),
        (
            "a conflict that was settled by hand",
            &Held::Conflict,
            "b/b",
            "InStep",
        ),
        ("two writers", &Held::TwoWriters, "b/b", "KeptBack"),
    ] {
        assert_eq!(word(&decided(&held(hold), read, 1).step), expected, "{name}");
    }
    let read = Read::of("a/b");
    let mut sight = read.sight(1);
    sight.writable.cloud_managed = Some(true);
    assert_eq!(
        word(&decide(&held(&refused), &sight, &RULES).step),
        "b",
        "writable by now"
    );
    assert_eq!(
        word(&decided(&held(&Held::TwoWriters).released(), "a/b", 1).step),
        "b"
    );
}

#[test]
fn what_came_too_early_is_sent_once_more_after_a_while() {
    let held = |source: &str, target: &str| Cell {
        held: Some(Held::NotThereYet {
            to: value(target),
            at: at(0),
        }),
        ..cell(source)
    };
    for (name, minute, read, expected, kept) in [
        ("too early again", 14, "a/b", "KeptBack", true),
        ("a quarter of an hour later", 15, "a/b", "b", true),
        ("another value", 1, "a/c", "c", false),
        ("in step by now", 1, "b/b", "InStep", false),
        ("both moved", 15, "c/b", "b", true),
    ] {
        let decision = decided(&held("a/a", "b"), read, minute);
        assert_eq!(word(&decision.step), expected, "{name}");
        assert_eq!(decision.cell.held.is_some(), kept, "{name}");
    }
    let cleared = Cell {
        empty_since: Some(Sighting {
            value: Value::Null,
            reading: ReadingId(0),
            at: at(0),
        }),
        ..held("a/a", "-")
    };
    let decision = decided(&cleared, "c/-", 16);
    assert_eq!(
        (word(&decision.step).as_str(), decision.cell.held),
        ("EditBeatsClear", None)
    );
}

#[test]
fn a_conflict_waits_for_a_person_where_that_is_configured() {
    let rules = Rules {
        on_conflict: OnConflict::Hold,
        ..RULES
    };
    let decision = decide(&cell("a/a"), &Read::of("b/c").sight(0), &rules);
    assert_eq!(word(&decision.step), "KeptBack");
    assert_eq!((decision.cell.held, decision.lost), (Some(Held::Conflict), None));
}

#[test]
fn the_brake_stops_two_writers() {
    let mut cell = cell("a/a");
    for (minute, (read, arrived)) in [("a/b", "b/b"), ("b/c", "c/c"), ("c/b", "b/b")]
        .into_iter()
        .enumerate()
    {
        let minute = minute as u64 * 100;
        // The old value needs two readings.
        let first = decided(&cell, read, minute);
        let decision = decided(&first.cell, read, minute + 1);
        let Step::Write(write) = &decision.step else {
            panic!("not written: {read} {decision:?}");
        };
        let open = decision.cell.opened(write, at(minute + 1));
        cell = decided(&open, arrived, minute + 2).cell;
    }
    let first = decided(&cell, "b/c", 400);
    let fourth = decided(&first.cell, "b/c", 401);
    assert_eq!(word(&fourth.step), "KeptBack");
    assert_eq!(fourth.findings, [Finding::TwoWriters]);
    assert_eq!(fourth.cell.held, Some(Held::TwoWriters));
}

#[test]
fn a_cell_survives_being_stored() {
    let mut cell = open_cell(true);
    cell.held = Some(Held::Conflict);
    cell.recent.push(Superseded {
        value: value("z"),
        at: at(0),
        by: Who::Source,
    });
    let Some(Open { from, .. }) = &cell.open else {
        panic!("nothing open");
    };
    assert_eq!(*from, value("a"));
    let bytes = postcard::to_allocvec(&cell).unwrap();
    assert_eq!(postcard::from_bytes::<Cell>(&bytes).unwrap(), cell);
}
