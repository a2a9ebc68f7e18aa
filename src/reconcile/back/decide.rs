//! The decision for one cell: which row of the table in docs/design/write-back.md, "Cells", applies.
//!
//! Nothing of it is sent here, and a write that the guard withholds leaves no trace: the base stays, so that the edit is carried
//! once the way is free.

use std::time::Duration;

use super::brake::quarrels;
use super::canonical::Compare;
use super::cell::Cell;
use super::cell::Held;
use super::cell::Pair;
use super::cell::ReadingId;
use super::cell::Sighting;
use super::cell::Who;
use super::cell::Writable;
use super::cell::Write;
use super::echo::FromEntra;
use super::echo::Heard;
use super::echo::hear;
use super::finding::Finding;
use super::held;
use crate::model::clock::Timestamp;
use crate::model::value::Value;

/// How the link of a cell stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// Linked, in scope, enabled at the source, and nothing keeps it back.
    Complete,
    /// In escrow, waiting for an adoption, or claimed twice.
    Incomplete,
    /// Disabled, out of scope, soft-deleted, linked anew or created anew.
    Left,
    /// Held by a person, withheld or paused.
    KeptBack,
}

/// What is done when both sides moved to different values.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OnConflict {
    /// The target's value is written: a written-back attribute belongs to the target.
    #[default]
    Authority,
    /// Nothing is written until a person decides.
    Hold,
}

/// The rules for one written-back attribute.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rules {
    /// How values are compared.
    pub compare: Compare,
    /// How far apart the two complete readings are that prove that the target was emptied.
    pub clear_after: Duration,
    /// What is done when both sides moved.
    pub on_conflict: OnConflict,
}

/// What is known of a cell in one reading.
#[derive(Debug, Clone, Copy)]
pub struct Sight<'a> {
    /// How its link stands.
    pub standing: Standing,
    /// What Entra holds.
    pub source: FromEntra<'a>,
    /// What the target holds; `None` where it was not read whole.
    pub target: Option<&'a Value>,
    /// The complete reading that `target` is from.
    pub reading: ReadingId,
    /// True where some linked user of this target was read with a value of this attribute: else empty means nothing.
    pub readable: bool,
    /// True where the user is active at the target.
    pub active: bool,
    /// What decides whether Entra takes a value for this user.
    pub writable: Writable,
    /// The time.
    pub now: Timestamp,
}

/// Why nothing is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Quiet {
    /// One of the sides was not read.
    Unknown,
    /// The link is not complete.
    Incomplete,
    /// The user left: their return is first contact.
    Left,
    /// A person, the guard, the brake or an earlier refusal keeps it back.
    KeptBack,
    /// Both sides were read for the first time.
    FirstContact,
    /// Both sides hold the same value.
    InStep,
    /// Nothing moved since the base.
    Unchanged,
    /// A write is open, and its effect was not seen yet.
    NotArrived,
    /// The target shows a value that was replaced a short time ago: a second reading is awaited.
    Doubted,
    /// The target was emptied: a second reading is awaited.
    EmptiedOnce,
    /// The target was emptied, and clearing is not licensed: no value was seen there, or the user is not active there.
    ClearNotLicensed,
    /// The source moved, and the value belongs to the target.
    SourceEdited,
    /// The source moved and the target was emptied: the edit stays.
    EditBeatsClear,
}

/// What is to be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Nothing is sent.
    Nothing(Quiet),
    /// The user is read with one GET, and the cell is decided again.
    Look,
    /// The value is written.
    Write(Write),
    /// Entra's value is cleared; counted by a guard of its own.
    Clear(Write),
}

/// What was decided for a cell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision {
    /// The cell afterwards. A write is not open in it yet: [`Cell::opened`] opens it, once it is admitted.
    pub cell: Cell,
    /// What is to be done.
    pub step: Step,
    /// What a person should know, in the order in which it was found.
    pub findings: Vec<Finding>,
    /// The value that loses against the other side's, for the history.
    pub lost: Option<Value>,
}

/// Decides one cell: the echo filter first, then the first row that fits.
#[must_use]
pub fn decide(cell: &Cell, sight: &Sight<'_>, rules: &Rules) -> Decision {
    let mut decision = Decision {
        cell: cell.clone(),
        step: Step::Nothing(Quiet::Unknown),
        findings: Vec::new(),
        lost: None,
    };
    match sight.standing {
        Standing::Incomplete => {
            decision.step = Step::Nothing(Quiet::Incomplete);
            return decision;
        }
        Standing::Left => {
            decision.cell = cell.forgotten();
            decision.step = Step::Nothing(Quiet::Left);
            return decision;
        }
        Standing::Complete | Standing::KeptBack => {}
    }
    let heard = hear(&mut decision.cell, sight.source, rules.compare, sight.now);
    settle(&mut decision, heard, sight);
    // After the open write was settled: what the base is decides whether a value that was replaced is back.
    let target = note_target(&mut decision.cell, sight, rules);
    let unsent = heard == Heard::Resend && resend(&mut decision, target, sight, rules.compare);
    decision.step = match (heard, sight.source.value) {
        (Heard::Waits, _) => Step::Nothing(Quiet::NotArrived),
        (Heard::Look, _) => Step::Look,
        (Heard::Resend, _) if unsent => decision.step,
        (_, None) => Step::Nothing(Quiet::Unknown),
        (_, Some(source)) => row(&mut decision, source, target, sight, rules),
    };
    decision
}

/// What one reading of the target comes to.
#[derive(Clone, Copy)]
enum AtTarget<'a> {
    Unknown,
    /// A superseded value, seen by one reading.
    Doubted,
    Empty {
        /// Two complete readings far enough apart agree.
        proven: bool,
    },
    Holds(&'a Value),
}

/// Notes in the cell what the target was read to hold.
fn note_target<'a>(cell: &mut Cell, sight: &Sight<'a>, rules: &Rules) -> AtTarget<'a> {
    let compare = rules.compare;
    let Some(value) = sight.target else {
        return AtTarget::Unknown;
    };
    let now = Sighting {
        value: value.clone(),
        reading: sight.reading,
        at: sight.now,
    };
    if compare.is_empty(value) {
        if !sight.readable {
            return AtTarget::Unknown;
        }
        cell.doubted = None;
        let first = cell.empty_since.get_or_insert(now);
        let apart = first.reading != sight.reading && sight.now >= first.at;
        let proven = apart && sight.now.since(first.at) >= rules.clear_after;
        if proven && let Some(shown) = cell.shown.take() {
            cell.supersede(&shown, Who::Target, sight.now);
        }
        return AtTarget::Empty { proven };
    }
    cell.seen_at_target = true;
    cell.empty_since = None;
    // While a write is open, what it carries is what the target held last.
    let of_open = cell.open.as_ref().map(|open| &open.target);
    let last = of_open.or(cell.base.as_ref().map(|base| &base.target));
    let is_last = last.is_some_and(|last| compare.alike(last, value));
    let before = cell
        .doubted
        .take()
        .filter(|before| compare.alike(&before.value, value));
    let suspect = !is_last && cell.is_superseded(value, compare, (None, sight.now));
    let agreed = before
        .as_ref()
        .is_some_and(|before| before.reading != sight.reading);
    if suspect {
        cell.doubted = before.or(Some(now));
        if !agreed {
            return AtTarget::Doubted;
        }
    }
    if let Some(shown) = cell.shown.replace(value.clone())
        && !compare.alike(&shown, value)
    {
        cell.supersede(&shown, Who::Target, sight.now);
    }
    AtTarget::Holds(value)
}

/// Decides on a write that Graph did not answer, and that did not arrive: it is sent once more while the target still holds what it
/// carries. Returns false where the target moved: the write is given up, and the new value is decided like any.
fn resend(decision: &mut Decision, target: AtTarget<'_>, sight: &Sight<'_>, compare: Compare) -> bool {
    let Some(open) = decision.cell.open.clone() else {
        return false;
    };
    let held = match target {
        AtTarget::Holds(value) => Some(compare.alike(value, &open.target)),
        AtTarget::Empty { proven: true } => Some(compare.is_empty(&open.target)),
        AtTarget::Empty { proven: false } | AtTarget::Doubted | AtTarget::Unknown => None,
    };
    if held == Some(false) {
        // The base stays: nothing was carried.
        decision.cell.open = None;
        return false;
    }
    let free =
        sight.standing == Standing::Complete && !quarrels(&decision.cell, &open.to, compare, sight.now);
    decision.step = if held == Some(true) && free {
        Step::Write(Write {
            from: open.from,
            to: open.to,
            target: open.target,
            again: true,
        })
    } else {
        Step::Nothing(Quiet::NotArrived)
    };
    true
}

/// Closes the open write as the echo filter heard.
fn settle(decision: &mut Decision, heard: Heard, sight: &Sight<'_>) {
    let cell = &mut decision.cell;
    let base = |source: &Value, target: &Value| {
        Some(Pair {
            source: source.clone(),
            target: target.clone(),
        })
    };
    match (heard, cell.open.take()) {
        (Heard::Confirmed, Some(open)) => {
            cell.base = base(sight.source.value.unwrap_or(&open.to), &open.target);
        }
        (Heard::Superseded, Some(open)) => {
            // What was to be carried was carried; what came instead is an edit of the source.
            cell.base = base(&open.to, &open.target);
        }
        (Heard::NotKept, Some(open)) => {
            cell.base = base(&open.from, &open.target);
            decision.findings.push(Finding::NotKeptByEntra);
        }
        (_, open) => cell.open = open,
    }
}

/// Applies the first row that fits, for a value of Entra that is believed.
fn row(
    decision: &mut Decision,
    source: &Value,
    target: AtTarget<'_>,
    sight: &Sight<'_>,
    rules: &Rules,
) -> Step {
    let (observed, proven) = match target {
        AtTarget::Unknown => return Step::Nothing(Quiet::Unknown),
        AtTarget::Doubted => return Step::Nothing(Quiet::Doubted),
        AtTarget::Empty { proven } => (&Value::Null, proven),
        AtTarget::Holds(value) => (value, true),
    };
    let alike = |one: &Value, other: &Value| rules.compare.alike(one, other);
    let in_step = alike(source, observed);
    let known = (sight.writable, sight.now);
    let is_held = |cell| held::stays(cell, (observed, in_step), known, rules.compare);
    if sight.standing == Standing::KeptBack || is_held(&mut decision.cell) {
        return Step::Nothing(Quiet::KeptBack);
    }
    let pair = Pair {
        source: source.clone(),
        target: observed.clone(),
    };
    let Some(base) = decision.cell.base.clone() else {
        if !proven && !in_step {
            return Step::Nothing(Quiet::EmptiedOnce);
        }
        decision.cell.base = Some(pair);
        if !in_step {
            decision.findings.push(Finding::FirstContactDiffers);
        }
        return Step::Nothing(Quiet::FirstContact);
    };
    let moved = (!alike(source, &base.source), !alike(observed, &base.target));
    if moved.1 && !proven {
        return Step::Nothing(Quiet::EmptiedOnce);
    }
    match moved {
        _ if in_step => {
            replace_base(&mut decision.cell, pair, moved, sight.now);
            Step::Nothing(Quiet::InStep)
        }
        (false, false) => Step::Nothing(Quiet::Unchanged),
        (true, false) => {
            replace_base(&mut decision.cell, pair, moved, sight.now);
            decision.findings.push(Finding::SourceEditedTargetOwned);
            Step::Nothing(Quiet::SourceEdited)
        }
        (true, true) if observed.is_null() => {
            replace_base(&mut decision.cell, pair, moved, sight.now);
            decision.findings.push(Finding::EditBeatsClear);
            decision.cell.held = None;
            Step::Nothing(Quiet::EditBeatsClear)
        }
        (source_moved, true) => write(decision, pair, source_moved, sight, rules),
    }
}

fn replace_base(cell: &mut Cell, pair: Pair, moved: (bool, bool), now: Timestamp) {
    let Some(before) = cell.base.replace(pair) else {
        return;
    };
    if moved.0 {
        cell.supersede(&before.source, Who::Source, now);
    }
    if moved.1 {
        cell.supersede(&before.target, Who::Target, now);
    }
}

/// The target moved, and what it holds goes to Entra: a value, or that there is none.
fn write(decision: &mut Decision, pair: Pair, conflict: bool, sight: &Sight<'_>, rules: &Rules) -> Step {
    if conflict {
        decision.findings.push(Finding::Conflict);
        if rules.on_conflict == OnConflict::Hold {
            decision.cell.held = Some(Held::Conflict);
            return Step::Nothing(Quiet::KeptBack);
        }
        decision.lost = Some(pair.source.clone());
    }
    let clears = pair.target.is_null();
    if clears && !(decision.cell.seen_at_target && sight.active) {
        decision.cell.held = None;
        return Step::Nothing(Quiet::ClearNotLicensed);
    }
    if quarrels(&decision.cell, &pair.target, rules.compare, sight.now) {
        decision.cell.held = Some(Held::TwoWriters);
        decision.findings.push(Finding::TwoWriters);
        decision.lost = None;
        return Step::Nothing(Quiet::KeptBack);
    }
    let write = Write {
        from: pair.source,
        to: pair.target.clone(),
        target: pair.target,
        again: false,
    };
    if clears {
        Step::Clear(write)
    } else {
        Step::Write(write)
    }
}

#[cfg(test)]
mod tests;
