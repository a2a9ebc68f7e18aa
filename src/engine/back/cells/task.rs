//! What is to be written for one user.

use super::person::Person;
use super::person::kept;
use crate::engine::back::WrittenBack;
use crate::model::clock::Timestamp;
use crate::model::id::SourceId;
use crate::model::id::TargetId;
use crate::model::name::Name;
use crate::model::value::Value;
use crate::ports::UserWrite;
use crate::reconcile::back::canonical::as_property;
use crate::reconcile::back::cell::Held;
use crate::reconcile::back::cell::Writable;
use crate::reconcile::back::cell::Write;
use crate::reconcile::back::decide::Decision;
use crate::reconcile::back::finding::Finding;
use crate::reconcile::explain::reason::Reason;
use crate::reconcile::operation::Change;
use crate::reconcile::operation::Operation;
use crate::reconcile::operation::Verb;
use crate::snapshot::cells::KeptCell;
use crate::snapshot::cells::UserCells;

use super::person::KIND;

/// One value that is to be written.
#[derive(Debug, Clone)]
pub(super) struct Due {
    pub(super) property: String,
    pub(super) write: Write,
    /// The cell as it was decided: the write is not open in it yet.
    pub(super) decided: KeptCell,
    because: Reason,
}

impl Due {
    /// Puts together what a decision asks for.
    pub(super) fn of(
        person: &Person,
        way: &WrittenBack,
        decision: &Decision,
        write: &Write,
        now: Timestamp,
    ) -> Self {
        let before = person.row.cells.get(&way.property);
        let both = decision.findings.contains(&Finding::Conflict);
        let because = match (both, write.to.is_null()) {
            (true, _) => Reason::BothMoved,
            (false, true) => Reason::ClearedAtTarget,
            (false, false) => Reason::EditedAtTarget,
        };
        Self {
            property: way.property.clone(),
            write: write.clone(),
            decided: kept(before, decision, now),
            because,
        }
    }

    /// Puts a write together that was decided elsewhere.
    pub(super) fn new(property: &str, write: Write, decided: KeptCell, because: Reason) -> Self {
        Self {
            property: property.to_owned(),
            write,
            decided,
            because,
        }
    }

    /// Returns true where Entra's value is cleared.
    pub(super) const fn clears(&self) -> bool {
        self.write.to.is_null()
    }

    fn change(&self) -> Change {
        Change {
            attribute: Name::from(self.property.as_str()),
            before: self.write.from.clone(),
            after: self.write.to.clone(),
        }
    }
}

/// What is to be written for one user, in one request.
#[derive(Debug, Clone)]
pub(super) struct Task {
    pub(super) id: SourceId,
    name: String,
    pub(super) target: TargetId,
    pub(super) writable: Writable,
    /// All their cells; those that are due as they were before.
    pub(super) row: UserCells,
    pub(super) due: Vec<Due>,
}

impl Task {
    /// What is to be written for this user.
    pub(super) fn of(person: Person, due: Vec<Due>) -> Self {
        Self::new((person.id, person.name), person.writable, person.row, due)
    }

    /// What is to be written for a user of whom this is remembered.
    pub(super) fn new(
        (id, name): (SourceId, String),
        writable: Writable,
        row: UserCells,
        due: Vec<Due>,
    ) -> Self {
        Self {
            id,
            name,
            target: row.target.clone(),
            writable,
            row,
            due,
        }
    }

    /// Returns the same user with a part of what is due.
    pub(super) fn with(&self, due: Vec<Due>) -> Self {
        Self { due, ..self.clone() }
    }

    /// Returns it as an operation.
    pub(super) fn operation(&self) -> Operation {
        let parts = self.due.iter().map(|due| {
            let name = Name::from(due.property.as_str());
            (name, due.because.clone())
        });
        operation(
            (self.id, &self.name, &self.target),
            Reason::of_changes(parts.collect()),
            self.due.iter().map(Due::change).collect(),
        )
    }

    /// Returns the request.
    pub(super) fn request(&self) -> UserWrite {
        let property = |due: &Due| (due.property.clone(), as_property(&due.property, &due.write.to));
        UserWrite {
            user: self.id,
            properties: self.due.iter().map(property).collect(),
        }
    }
}

/// Returns what waits for a person, as an operation.
pub(super) fn waiting(person: &Person) -> Operation {
    let mut parts = Vec::new();
    let mut changes = Vec::new();
    for (property, kept) in &person.row.cells {
        let reason = match kept.cell.held {
            Some(Held::Conflict) => Reason::BothMoved,
            Some(Held::TwoWriters) => Reason::TwoWriters,
            Some(Held::Refused { .. } | Held::NotThereYet { .. }) | None => continue,
        };
        let name = Name::from(property.as_str());
        parts.push((name.clone(), reason));
        changes.push(Change {
            attribute: name,
            before: person.source(property).cloned().unwrap_or_default(),
            after: kept.cell.shown.clone().unwrap_or(Value::Null),
        });
    }
    operation(
        (person.id, &person.name, &person.target),
        Reason::of_changes(parts),
        changes,
    )
}

fn operation(
    (id, name, target): (SourceId, &str, &TargetId),
    because: Reason,
    changes: Vec<Change>,
) -> Operation {
    Operation {
        verb: Verb::write_back(),
        kind: KIND,
        source: id,
        name: name.to_owned(),
        target: Some(target.clone()),
        because,
        changes,
        members: Vec::new(),
    }
}
