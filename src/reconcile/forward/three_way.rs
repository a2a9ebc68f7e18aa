//! Keep, write, repair, converged or conflict: per attribute, by base, desired and observed.
//!
//! Base is what we last sent, and what the target kept of it. Every quadrant is named.

use crate::model::link::Kept;
use crate::model::value::Value;

/// What is to be done about one attribute.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// As it should be, or nothing known against it.
    Keep,
    /// Already as it should be, but not recorded: record it, send nothing.
    Record,
    /// The source moved: write the desired value.
    Write,
    /// The target drifted while the source did not move: repair where that is asked for.
    Repair,
    /// Both moved: the source wins, and the lost value is shown.
    Conflict,
}

/// Compares one attribute. `same` is equality of an observed value under the attribute's own rules; whether
/// the source moved is told by plain equality, so that a mere change of case is written too.
///
/// * `sent`: `None` when we never sent the attribute.
/// * `observed`: `None` when the target was not read; otherwise what it holds, `Null` for nothing.
///
/// Null clears only a value that we sent: where nothing was sent, a null desire keeps whatever is there
/// (docs/design/comparison.md).
pub fn compare(
    desired: &Value,
    sent: Option<&Value>,
    kept: Option<&Kept>,
    observed: Option<&Value>,
    same: &dyn Fn(&Value, &Value) -> bool,
) -> Verdict {
    // An empty value that was sent, or recorded, leaves nothing of ours that could be cleared.
    let Some(sent) = sent.filter(|sent| !sent.is_unassigned()) else {
        return match observed {
            _ if desired.is_unassigned() => Verdict::Keep,
            Some(now) if same(desired, now) => Verdict::Record,
            _ => Verdict::Write,
        };
    };
    let source_moved = desired != sent;
    // What the target emptied by itself counts as not sent: nothing is left to clear.
    let emptied = match (observed, kept) {
        (Some(now), _) => now.is_unassigned(),
        (None, Some(Kept::Other(held))) => held.is_unassigned(),
        (None, _) => false,
    };
    if emptied && desired.is_unassigned() {
        return Verdict::Record;
    }
    let Some(now) = observed else {
        return if source_moved {
            Verdict::Write
        } else {
            Verdict::Keep
        };
    };
    let base = match kept {
        Some(Kept::Other(value)) => value,
        Some(Kept::AsSent | Kept::Unknown) | None => sent,
    };
    match (source_moved, !same(now, base)) {
        (false, false) => Verdict::Keep,
        (true, false) => Verdict::Write,
        (false, true) if same(desired, now) => Verdict::Record,
        (false, true) => Verdict::Repair,
        (true, true) if same(desired, now) => Verdict::Record,
        (true, true) => Verdict::Conflict,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_quadrant_has_its_verdict() {
        let a = || Value::text("a");
        let b = || Value::text("b");
        let c = || Value::text("c");
        let (kept_trimmed, kept_nothing) = (Kept::Other(b()), Kept::Other(Value::Null));
        let cases = [
            (
                "never sent, null: the target's value stays",
                Value::Null,
                None,
                None,
                Some(a()),
                Verdict::Keep,
            ),
            (
                "never sent, equal: recorded",
                a(),
                None,
                None,
                Some(a()),
                Verdict::Record,
            ),
            ("never sent, other", a(), None, None, Some(b()), Verdict::Write),
            ("never sent, not read", a(), None, None, None, Verdict::Write),
            (
                "null, and the target emptied it by itself: nothing to clear",
                Value::Null,
                Some(a()),
                Some(&kept_nothing),
                None,
                Verdict::Record,
            ),
            (
                "null, and the target was read empty",
                Value::Null,
                Some(a()),
                None,
                Some(Value::Null),
                Verdict::Record,
            ),
            (
                "null, and the target keeps another form of it",
                Value::Null,
                Some(a()),
                Some(&kept_trimmed),
                None,
                Verdict::Write,
            ),
            (
                "nothing moved, not read",
                a(),
                Some(a()),
                None,
                None,
                Verdict::Keep,
            ),
            (
                "source moved, not read",
                b(),
                Some(a()),
                None,
                None,
                Verdict::Write,
            ),
            (
                "source cleared what we sent",
                Value::Null,
                Some(a()),
                None,
                None,
                Verdict::Write,
            ),
            ("nothing moved", a(), Some(a()), None, Some(a()), Verdict::Keep),
            ("target drifted", a(), Some(a()), None, Some(b()), Verdict::Repair),
            (
                "target keeps another form",
                a(),
                Some(a()),
                Some(&kept_trimmed),
                Some(b()),
                Verdict::Keep,
            ),
            (
                "target drifted from its own form",
                a(),
                Some(a()),
                Some(&kept_trimmed),
                Some(c()),
                Verdict::Repair,
            ),
            ("source moved", b(), Some(a()), None, Some(a()), Verdict::Write),
            (
                "somebody did it for us",
                b(),
                Some(a()),
                None,
                Some(b()),
                Verdict::Record,
            ),
            ("both moved", b(), Some(a()), None, Some(c()), Verdict::Conflict),
        ];
        for (name, desired, sent, kept, observed, expected) in cases {
            let verdict = compare(&desired, sent.as_ref(), kept, observed.as_ref(), &|x, y| x == y);
            assert_eq!(verdict, expected, "{name}");
        }
    }
}
