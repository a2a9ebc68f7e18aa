//! What an explanation comes to, in three sentences: how the object stands at the target, what happens next, and what keeps
//! anything back.

use super::object::Attribute;
use super::object::Explanation;
use super::omission::HELD;
use super::omission::IN_ESCROW;
use super::omission::KIND_STOPPED;
use super::omission::WITHHELD;
use crate::model::value::Value;
use crate::model::verb::Act;
use crate::reconcile::operation::Operation;

/// What an explanation comes to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// `in_step`, `disabled`, `differs`, `to_come`, `leaving` or `not_there`.
    pub standing: &'static str,
    /// How it stands at the target.
    pub now: String,
    /// What the next cycle does.
    pub next: String,
    /// What is kept back, and by what.
    pub kept_back: String,
}

/// As many attributes or reasons as one sentence names.
const NAMED: usize = 3;

impl Verdict {
    /// Of an explanation that is whole but for this.
    #[must_use]
    pub fn of(one: &Explanation) -> Self {
        let kept_back = kept_back(one);
        let (standing, now) = match &one.matching.since {
            Some(since) => linked(one, since),
            None => not_linked(one),
        };
        let next = match one.operations.as_slice() {
            [] if kept_back.is_empty() => "Next cycle: nothing to do.".to_owned(),
            [] => "Next cycle: nothing, as long as that is kept back.".to_owned(),
            operations => format!("Next cycle: {}.", operations_in_words(operations)),
        };
        let kept_back = match kept_back.as_slice() {
            [] => "Nothing is kept back.".to_owned(),
            reasons => format!("Kept back: {}.", reasons.join("; ")),
        };
        Self {
            standing,
            now,
            next,
            kept_back,
        }
    }

    /// The three sentences, a line each.
    #[must_use]
    pub fn lines(&self) -> [&str; 3] {
        [&self.now, &self.next, &self.kept_back]
    }
}

fn linked(one: &Explanation, since: &str) -> (&'static str, String) {
    let at = format!("At the target since {since}");
    let differing: Vec<&str> = one
        .attributes
        .iter()
        .filter(|attribute| matches!(attribute.state, "write" | "drift"))
        .map(|attribute| attribute.target.as_str())
        .collect();
    let leaves = one
        .operations
        .iter()
        .any(|operation| matches!(operation.verb.act(), Act::Disable | Act::Delete | Act::Unlink));
    if leaves {
        return (
            "leaving",
            format!("{at}, and about to leave it: {}.", because(&one.operations)),
        );
    }
    // Whoever left is disabled or kept, and no value follows the source any more: that is no difference.
    let rests = one.omissions.iter().find(|(label, _, _)| is_settled(label));
    if let (true, Some((_, because, _))) = (one.operations.is_empty(), rests) {
        let standing = if is_disabled(&one.attributes) {
            "disabled"
        } else {
            "in_step"
        };
        return (standing, format!("{at}, and left as it is: {because}."));
    }
    let blocked = one.omissions.iter().find(|(label, _, _)| is_blocking(label));
    match (differing.as_slice(), blocked) {
        ([], None) if one.operations.is_empty() && is_disabled(&one.attributes) => {
            ("disabled", format!("{at}, disabled there, in step."))
        }
        ([], None) if one.operations.is_empty() => ("in_step", format!("{at}, in step.")),
        ([], Some((_, because, _))) if one.operations.is_empty() => {
            ("differs", format!("{at}, and not in step: {because}."))
        }
        ([], _) => (
            "differs",
            format!("{at}, and not in step: {}.", because(&one.operations)),
        ),
        (some, _) => ("differs", format!("{at}, and not in step in {}.", listed(some))),
    }
}

fn not_linked(one: &Explanation) -> (&'static str, String) {
    if let Some(operation) = one.operations.first() {
        let comes = if operation.verb.links() {
            "the next cycle pairs it with a resource that is there"
        } else {
            "the next cycle creates it"
        };
        return ("to_come", format!("Not at the target yet: {comes}."));
    }
    let because = match one.omissions.first() {
        Some((_, because, _)) => because.clone(),
        None if one.scope.standing == "out" => one.scope.because.clone(),
        None => "no cycle has looked at it so far".to_owned(),
    };
    ("not_there", format!("Not at the target, because: {because}."))
}

/// True for an omission that says that a leaver is as they are to be.
fn is_settled(label: &str) -> bool {
    matches!(label, "already_disabled" | "kept_by_policy" | "out_of_scope")
}

/// True for an omission that leaves the object other than it is wanted.
fn is_blocking(label: &str) -> bool {
    !matches!(
        label,
        "unchanged" | "already_disabled" | "out_of_scope" | "kept_by_policy" | "protected"
    )
}

fn is_disabled(attributes: &[Attribute]) -> bool {
    let active = attributes.iter().find(|attribute| attribute.target == "active");
    active.is_some_and(|active| active.sent == Some(Value::Bool(false)))
}

/// Everything that waits for a person, a time, or another cycle.
fn kept_back(one: &Explanation) -> Vec<String> {
    let waits = one.omissions.iter().filter(|(label, _, _)| {
        matches!(
            label.as_str(),
            WITHHELD
                | HELD
                | IN_ESCROW
                | KIND_STOPPED
                | "attribute_refused"
                | "member_refused"
                | "not_counted"
        )
    });
    waits
        .map(|(_, because, _)| because.clone())
        .chain(one.paused.clone())
        .collect()
}

fn operations_in_words(operations: &[Operation]) -> String {
    let one = |operation: &Operation| {
        let verb = operation.verb.name().replace('_', " ");
        let attributes: Vec<&str> = operation
            .changes
            .iter()
            .map(|change| &*change.attribute)
            .collect();
        if operation.verb.moves_members() {
            format!("{verb} × {}", operation.members.len())
        } else if operation.verb.act() == Act::Update && !attributes.is_empty() {
            format!("{verb} ({})", listed(&attributes))
        } else {
            verb
        }
    };
    operations.iter().map(one).collect::<Vec<_>>().join(", ")
}

fn because(operations: &[Operation]) -> String {
    let mut all: Vec<String> = operations
        .iter()
        .map(|operation| operation.because.to_string())
        .collect();
    all.dedup();
    all.join("; ")
}

fn listed(names: &[&str]) -> String {
    let shown = names.iter().take(NAMED).copied().collect::<Vec<_>>().join(", ");
    match names.len().saturating_sub(NAMED) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}
