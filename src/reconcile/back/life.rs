//! The life of a cell in words, for `explain`: since when its value belongs to the target, and what became of it.

use super::cell::Cell;
use super::cell::Held;
use super::cell::Refusal;
use super::finding::Finding;
use crate::model::clock::Timestamp;

/// Returns what there is to say of a cell that is written back to this property.
#[must_use]
pub fn words(property: &str, since: Timestamp, cell: &Cell, finding: Option<(Finding, Timestamp)>) -> String {
    let mut said = vec![format!(
        "this value belongs to the target since {since}, and goes to {property} in Entra"
    )];
    if cell.base.is_none() {
        said.push("both sides were not read together yet".to_owned());
    }
    if let Some(last) = cell.writes.last() {
        said.push(format!("last written back {}", last.at));
    }
    if let Some(open) = &cell.open {
        said.push(format!("the write of {} was not seen in Entra yet", open.sent_at));
    }
    if let Some(empty) = &cell.empty_since {
        said.push(format!("empty at the target since {}", empty.at));
    }
    said.extend(cell.held.as_ref().map(|held| held_words(held).to_owned()));
    said.extend(finding.map(|(finding, at)| format!("found {at}: {}", finding_words(finding))));
    said.join("; ")
}

const fn held_words(held: &Held) -> &'static str {
    match held {
        Held::Conflict => "it waits for a person: both sides moved",
        Held::TwoWriters => "it waits for a person: two writers undo each other",
        Held::Refused { why, .. } => match why {
            Refusal::OnPremises => "Entra refused it: the user is mastered on premises",
            Refusal::Privileged => {
                "Entra refused it: the user holds a role that the writer's app may not touch"
            }
            Refusal::NotFound => "Entra refused it: the user is not there",
            Refusal::Value => "Entra refused this value",
        },
        Held::NotThereYet { .. } => {
            "Entra answered that the user is not there, as it may of a new one: asked again after 15 minutes"
        }
    }
}

const fn finding_words(finding: Finding) -> &'static str {
    match finding {
        Finding::FirstContactDiffers => {
            "the sides differed when they were first read, which is nobody's change"
        }
        Finding::SourceEditedTargetOwned => "it was edited in Entra, and the target's value stays",
        Finding::EditBeatsClear => "it was edited in Entra and emptied at the target: the edit stays",
        Finding::NotKeptByEntra => "Entra took a value and does not hold it",
        Finding::Conflict => "both sides moved",
        Finding::TwoWriters => "two writers undo each other",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::value::Value;
    use crate::reconcile::back::cell::Pair;
    use crate::reconcile::back::cell::Write;

    #[test]
    fn a_life_is_told_from_first_contact_on() {
        let text = |text: &str| Value::text(text);
        let begun = Cell {
            base: Some(Pair {
                source: text("a"),
                target: text("a"),
            }),
            ..Cell::default()
        };
        let said = words("jobTitle", Timestamp(0), &begun, None);
        assert_eq!(
            said,
            "this value belongs to the target since 1970-01-01T00:00:00.000Z, and goes to jobTitle in Entra"
        );
        let write = Write {
            from: text("a"),
            to: text("b"),
            target: text("b"),
            again: false,
        };
        let opened = begun.opened(&write, Timestamp(60_000));
        let said = words(
            "jobTitle",
            Timestamp(0),
            &opened,
            Some((Finding::Conflict, Timestamp(60_000))),
        );
        for part in [
            "last written back 1970-01-01T00:01",
            "was not seen in Entra yet",
            "both sides moved",
        ] {
            assert!(said.contains(part), "{part}: {said}");
        }
    }
}
