//! The laws of the way back, as far as they are about decisions, for histories that nobody thought of: both sides are edited at
//! any time, replicas are behind, readings fail, answers are lost before and after their effect, and the process dies between a
//! write that is open and the request, and between the answer and its record.

use std::time::Duration;

use proptest::prelude::*;

use super::canonical::Compare;
use super::cell::Cell;
use super::cell::MOST_A_DAY;
use super::cell::ReadingId;
use super::cell::Writable;
use super::cell::Write;
use super::decide::Decision;
use super::decide::OnConflict;
use super::decide::Quiet;
use super::decide::Rules;
use super::decide::Sight;
use super::decide::Standing;
use super::decide::Step;
use super::decide::decide;
use super::echo::FromEntra;
use super::enrolled;
use super::enrolled::Enrolment;
use super::enrolled::Move;
use super::enrolled::OwnerStanding;
use super::keys::KeyEvidence;
use super::outcome::Outcome;
use super::outcome::after;
use crate::model::clock::Timestamp;
use crate::model::value::Value;

const RULES: Rules = Rules {
    compare: Compare::Text,
    clear_after: Duration::from_secs(15 * 60),
    on_conflict: OnConflict::Authority,
};

fn at(step: usize) -> Timestamp {
    Timestamp(1_800_000_000_000).plus(Duration::from_secs(step as u64 * 15 * 60))
}

/// What happens to a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    Answered,
    /// Not carried out, and no answer; or the process died before it was sent.
    LostBefore,
    /// Carried out, and no answer; or the process died before the answer was recorded.
    LostAfter,
    /// 429.
    Throttled,
}

/// One quarter of an hour.
#[derive(Debug, Clone)]
struct Turn {
    target_edit: Option<Value>,
    source_edit: Option<Value>,
    /// How many values the source's answer is behind; `None`: not read.
    source: Option<usize>,
    /// The same of the target.
    target: Option<usize>,
    fate: Fate,
}

impl Turn {
    const QUIET: Self = Self {
        target_edit: None,
        source_edit: None,
        source: Some(0),
        target: Some(0),
        fate: Fate::Answered,
    };
}

fn value() -> impl Strategy<Value = Value> {
    prop_oneof![1 => Just(Value::Null), 4 => "[a-d]".prop_map(Value::text)]
}

fn turn(edits_at_source: bool) -> impl Strategy<Value = Turn> {
    let behind = || prop_oneof![6 => Just(Some(0)), 1 => Just(Some(1)), 1 => Just(Some(2)), 1 => Just(None)];
    let fate = prop_oneof![
        5 => Just(Fate::Answered),
        1 => Just(Fate::LostBefore),
        1 => Just(Fate::LostAfter),
        1 => Just(Fate::Throttled),
    ];
    let source_edit =
        proptest::option::weighted(0.2, value()).prop_map(move |edit| edit.filter(|_| edits_at_source));
    (
        proptest::option::weighted(0.3, value()),
        source_edit,
        behind(),
        behind(),
        fate,
    )
        .prop_map(|(target_edit, source_edit, source, target, fate)| Turn {
            target_edit,
            source_edit,
            source,
            target,
            fate,
        })
}

/// A side with everything that it ever held, the latest last.
struct Store(Vec<Value>);

impl Store {
    fn now(&self) -> &Value {
        self.0.last().unwrap()
    }

    fn behind(&self, by: usize) -> &Value {
        &self.0[self.0.len().saturating_sub(1 + by)]
    }

    fn set(&mut self, value: &Value) -> bool {
        let changes = self.now() != value;
        self.0.push(value.clone());
        changes
    }
}

/// Both sides and one cell, and what was done.
struct World {
    source: Store,
    target: Store,
    cell: Cell,
    step: usize,
    /// The last complete reading of the target was behind.
    was_behind: bool,
    read_at_target: Vec<Option<Value>>,
    target_edits: usize,
    writes: Vec<(usize, Write)>,
    resent: usize,
    findings: usize,
}

impl World {
    fn new(source: Value, target: Value) -> Self {
        let mut world = Self {
            source: Store(vec![source]),
            target: Store(vec![target]),
            cell: Cell::default(),
            step: 0,
            was_behind: false,
            read_at_target: Vec::new(),
            target_edits: 0,
            writes: Vec::new(),
            resent: 0,
            findings: 0,
        };
        // First contact, with an empty target looked at twice.
        world.live(&Turn::QUIET);
        world.live(&Turn::QUIET);
        assert!(world.writes.is_empty(), "nothing is written at first contact");
        world
    }

    fn decided(&self, source: Option<&Value>, looked: bool, target: Option<&Value>) -> Decision {
        let sight = Sight {
            standing: Standing::Complete,
            source: FromEntra {
                value: source,
                looked,
                as_of: None,
            },
            target,
            reading: ReadingId(self.step as u64),
            readable: true,
            active: true,
            writable: Writable::default(),
            now: at(self.step),
        };
        decide(&self.cell, &sight, &RULES)
    }

    fn live(&mut self, turn: &Turn) {
        self.step += 1;
        if let Some(value) = &turn.target_edit {
            self.target_edits += usize::from(self.target.set(value));
        }
        if let Some(value) = &turn.source_edit {
            self.source.set(value);
        }
        let target = self.at_target(turn.target);
        let source = turn.source.map(|by| self.source.behind(by).clone());
        self.read_at_target.push(target.clone());
        let mut decision = self.decided(source.as_ref(), false, target.as_ref());
        if decision.step == Step::Look {
            self.cell = decision.cell;
            let looked = self.source.behind(turn.source.unwrap_or(0)).clone();
            decision = self.decided(Some(&looked), true, target.as_ref());
        }
        self.findings += decision.findings.len();
        match &decision.step {
            Step::Write(write) | Step::Clear(write) => self.send(&decision, write, turn.fate),
            Step::Nothing(_) | Step::Look => self.cell = decision.cell,
        }
    }

    /// Returns what the target shows. Of two complete readings in a row at most one is behind, and it shows only what an earlier
    /// reading showed: a value that nobody saw while it was there cannot be told from an edit.
    fn at_target(&mut self, by: Option<usize>) -> Option<Value> {
        by?;
        let behind = by.filter(|by| *by > 0 && !self.was_behind);
        let complete: Vec<&Value> = self.read_at_target.iter().flatten().collect();
        let old = behind.and_then(|by| complete.iter().rev().nth(by));
        self.was_behind = old.is_some();
        by.map(|_| old.map_or_else(|| self.target.now().clone(), |old| (*old).clone()))
    }

    fn send(&mut self, decision: &Decision, write: &Write, fate: Fate) {
        if write.to.is_null() {
            self.assert_cleared_with_proof();
        } else {
            let was_read = self.read_at_target.contains(&Some(write.to.clone()));
            assert!(was_read, "a value that nobody saw at the target: {write:?}");
        }
        let opened = decision.cell.opened(write, at(self.step));
        let outcome = match fate {
            Fate::Answered => Outcome::Done,
            Fate::LostBefore | Fate::LostAfter => Outcome::Unanswered,
            Fate::Throttled => Outcome::NotSent,
        };
        self.cell = after(&decision.cell, &opened, write, outcome, Writable::default());
        if fate == Fate::Throttled {
            return;
        }
        if fate != Fate::LostBefore {
            self.source.set(&write.to);
        }
        self.writes.push((self.step, write.clone()));
        self.resent += usize::from(write.again);
    }

    /// Two complete readings in a row, apart, and a value before them.
    fn assert_cleared_with_proof(&self) {
        let complete: Vec<&Value> = self.read_at_target.iter().flatten().collect();
        let empty = complete.iter().rev().take_while(|value| value.is_null()).count();
        assert!(empty >= 2, "cleared after {empty} empty readings");
        assert!(empty < complete.len(), "cleared, and no value was ever seen");
    }

    fn rest(&mut self) {
        for _ in 0..6 {
            self.live(&Turn::QUIET);
        }
        let settled = self.writes.len();
        for _ in 0..12 {
            self.live(&Turn::QUIET);
        }
        assert_eq!(
            self.writes.len(),
            settled,
            "still writing at rest: {:?}",
            self.writes
        );
    }

    fn is_in_step(&self) -> bool {
        RULES.compare.alike(self.source.now(), self.target.now())
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    /// Quiescence, convergence, no invented value, no clear without proof, at most once, and that with crashes anywhere.
    #[test]
    fn both_sides_come_to_rest(
        first in (value(), value()),
        turns in proptest::collection::vec(turn(true), 0..14),
    ) {
        let mut world = World::new(first.0, first.1);
        for turn in &turns {
            world.live(turn);
        }
        world.rest();
        let base = world.cell.base.clone().unwrap();
        let known = base.source == *world.source.now() && base.target == *world.target.now();
        let explained = world.cell.held.is_some() || (known && world.findings > 0);
        prop_assert!(world.is_in_step() || explained, "{:?}", world.cell);
        prop_assert!(world.writes.len() <= world.target_edits + world.resent, "{:?}", world.writes);
    }

    /// With edits at the target alone both sides are equal in the end, unless they differed at first contact and nobody moved,
    /// or the brake stopped a quarrel.
    #[test]
    fn the_target_arrives(
        first in value(),
        turns in proptest::collection::vec(turn(false), 0..14),
    ) {
        let mut world = World::new(first.clone(), first);
        for turn in &turns {
            world.live(turn);
        }
        world.rest();
        let stopped = world.cell.held.is_some() || world.findings > 0;
        prop_assert!(world.is_in_step() || stopped, "{:?}", world.cell);
    }

    /// Readings that fail, and readings that bring what is known, add no write.
    #[test]
    fn noise_is_neutral(
        first in (value(), value()),
        noise in proptest::collection::vec((any::<bool>(), any::<bool>()), 0..30),
    ) {
        let mut world = World::new(first.0, first.1);
        for (source, target) in noise {
            world.live(&Turn {
                source: source.then_some(0),
                target: target.then_some(0),
                ..Turn::QUIET
            });
        }
        prop_assert!(world.writes.is_empty());
    }

    /// However two writers quarrel, a day has no more writes of one cell than the brake allows.
    #[test]
    fn the_brake_holds(edits in proptest::collection::vec((value(), value()), 1..200)) {
        let mut world = World::new(Value::text("a"), Value::text("a"));
        for (target, source) in edits {
            world.live(&Turn {
                target_edit: Some(target),
                source_edit: Some(source),
                ..Turn::QUIET
            });
        }
        let steps: Vec<usize> = world.writes.iter().map(|(step, _)| *step).collect();
        for from in &steps {
            let day = steps.iter().filter(|step| *step >= from && **step < from + 96).count();
            prop_assert!(day <= MOST_A_DAY, "{day} writes within a day");
        }
    }

    /// Nothing is sent, and nothing looked at, for a link that is not complete or not wanted.
    #[test]
    fn the_untouchable_are_left_alone(
        turns in proptest::collection::vec(turn(true), 0..8),
        seen in (value(), value()),
        standing in prop_oneof![Just(Standing::Incomplete), Just(Standing::Left), Just(Standing::KeptBack)],
    ) {
        let mut world = World::new(Value::text("a"), Value::text("b"));
        for turn in &turns {
            world.live(turn);
        }
        let sight = Sight {
            standing,
            source: FromEntra { value: Some(&seen.0), looked: true, as_of: None },
            target: Some(&seen.1),
            reading: ReadingId(1_000),
            readable: true,
            active: true,
            writable: Writable::default(),
            now: at(1_000),
        };
        let decision = decide(&world.cell, &sight, &RULES);
        prop_assert!(matches!(decision.step, Step::Nothing(_) | Step::Look));
        if standing != Standing::KeptBack {
            let quiet = matches!(decision.step, Step::Nothing(Quiet::Incomplete | Quiet::Left));
            prop_assert!(quiet);
        }
    }

    /// A member of ours leaves after two complete readings without an active key and names read since the first of them, and no
    /// other; a foreign one never; and noise changes nothing.
    #[test]
    fn a_member_leaves_on_proof_alone(
        ours in any::<bool>(),
        keys in proptest::collection::vec(
            prop_oneof![
                Just(KeyEvidence::Active),
                Just(KeyEvidence::None),
                Just(KeyEvidence::Unknown),
            ],
            1..20,
        ),
        names in proptest::collection::vec(any::<bool>(), 20),
    ) {
        let names_read = |step: usize| (0..=step).rev().find(|at| names[*at]);
        let leave_after = Duration::from_secs(30 * 60);
        let member = Enrolment { ours, member_seen: true, ..Enrolment::default() };
        let run = |keys: &[(usize, KeyEvidence)]| {
            let (mut enrolment, mut left) = (member, None);
            for (step, key) in keys {
                let seen = enrolled::Seen {
                    key: *key,
                    passkey: None,
                    owner: OwnerStanding::Enabled,
                    never: false,
                    member: Some(true),
                    looked: false,
                    reading: ReadingId(*step as u64),
                    names_read: names_read(*step).map(at),
                    now: at(*step),
                };
                let decided = enrolled::decide(&enrolment, &seen, leave_after);
                enrolment = decided.enrolment;
                if decided.step == Move::Remove {
                    left.get_or_insert(*step);
                }
            }
            left
        };
        let numbered: Vec<(usize, KeyEvidence)> = keys.into_iter().enumerate().collect();
        let evidence: Vec<_> = numbered.iter().filter(|(_, key)| *key != KeyEvidence::Unknown).copied().collect();
        prop_assert_eq!(run(&numbered), run(&evidence), "noise changed who leaves");
        let mut since = None;
        let proven = evidence.iter().find_map(|(step, key)| match key {
            KeyEvidence::None => {
                let since = *since.get_or_insert(*step);
                let named = names_read(*step).is_some_and(|read| read >= since);
                (*step >= since + 2 && named).then_some(*step)
            }
            _ => { since = None; None }
        });
        prop_assert_eq!(run(&numbered), proven.filter(|_| ours));
    }
}
