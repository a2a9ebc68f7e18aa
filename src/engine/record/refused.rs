//! Attributes that the target refused while it took the rest: what is recorded of them.
//!
//! Guarantee: what an object keeps of its refused attributes, and that it waits in escrow for them, is written in the
//! transaction that records the rest; a crash before it leaves the object dirty.

use std::collections::BTreeSet;

use crate::engine::audit;
use crate::engine::audit::Ending;
use crate::engine::drift::keep;
use crate::engine::error::chain;
use crate::engine::escrow::gap;
use crate::engine::record::Recorder;
use crate::engine::record::part::Part;
use crate::engine::standing::Fact;
use crate::engine::work::Work;
use crate::engine::work::rehired_from;
use crate::model::clock::Timestamp;
use crate::model::name::Name;
use crate::model::refusal::Refusal;
use crate::model::value::Value;
use crate::ports::RefusedPart;
use crate::reconcile::operation::Change;
use crate::reconcile::operation::Operation;
use crate::reconcile::refused::hint;
use crate::snapshot::escrow::Escrowed;

impl Recorder<'_, '_> {
    /// Takes what was refused out of a work, so that the rest is recorded, and says so. What is kept of the object's refused
    /// attributes from now on; `None` where there were and are none.
    pub(in crate::engine) fn take_refused(
        &mut self,
        work: &mut Work,
        part: &mut Part,
    ) -> Option<Vec<Refusal>> {
        let refused = std::mem::take(&mut work.left_out.attributes);
        if refused.is_empty() && work.left_out.members.is_empty() && work.plan.refused.is_empty() {
            return None;
        }
        let mut new: Vec<Refusal> = refused
            .into_iter()
            .filter_map(|one| self.set_apart(work, one, part))
            .collect();
        new.extend(self.take_refused_members(work, part));
        work.run.retain(|operation| {
            !(operation.changes.is_empty() && operation.members.is_empty() && operation.verb.updates())
        });
        let completes = work.completes();
        let moved: BTreeSet<String> = work
            .added
            .iter()
            .chain(&work.removed)
            .map(|(member, _)| Refusal::path_of(member))
            .collect();
        let stays = |row: &&Refusal| {
            let again = new.iter().any(|other| other.attribute == row.attribute);
            let open = !completes
                && !work.sent.contains_key(row.attribute.as_str())
                && !moved.contains(&row.attribute);
            !again && (open || work.plan.waiting.contains(&row.attribute))
        };
        let mut rows: Vec<Refusal> = work.plan.refused.iter().filter(stays).cloned().collect();
        rows.extend(new);
        if let Some(escrowed) = escrowed(&rows) {
            let key = (work.plan.kind, work.plan.source);
            self.failures.escrow.failed.insert(key);
            self.run.standing.note(key, Fact::InPart);
            if completes {
                part.in_part.push((key.1, escrowed));
            }
        }
        Some(rows)
    }

    /// One refused attribute: out of what was sent, into the summary, the log and the history.
    fn set_apart(&mut self, work: &mut Work, refused: RefusedPart, part: &mut Part) -> Option<Refusal> {
        let RefusedPart {
            attribute,
            error,
            holds,
        } = refused;
        work.sent.remove(attribute.as_str());
        let (operation, change) = take_out(work, &attribute)?;
        note_leaver(work, &change, holds.as_ref());
        let said = chain(&error);
        let hint = match holds {
            None => hint(&attribute, change.after.is_unassigned(), &said),
            Some(_) => None,
        };
        let hint = hint.unwrap_or_else(|| error.hint().to_owned());
        let (id, verb) = (operation.source, operation.verb.name());
        let words = report(&operation, &attribute, holds.is_some(), &said);
        self.run.summary.fail(id, verb, words.clone(), hint.clone());
        if let Some(holds) = holds {
            let found = Change {
                before: holds,
                ..change.clone()
            };
            work.left_out.not_kept.push(keep::attribute(
                &self.run.job.mapping,
                work.plan.kind,
                found,
                false,
            ));
        }
        let ending = Ending {
            target: work.target.as_ref(),
            at: self.answered_at(work),
            result: "failed",
            detail: Some(&said),
        };
        audit::tell(self.run.job, self.run.order, &operation, ending);
        part.history
            .extend(self.entries(&operation, vec![change.clone()], ending));
        let before = work
            .plan
            .refused
            .iter()
            .find(|row| row.attribute == attribute.as_str());
        // Where the whole object waited before, its gaps go on growing.
        let known = self.failures.escrow.failures((work.plan.kind, id));
        let failures = before.map_or(known, |row| row.failures).saturating_add(1);
        Some(Refusal {
            attribute: attribute.as_str().to_owned(),
            wanted: Refusal::digest(&change.after),
            operation: verb.to_owned(),
            error: words,
            hint,
            failures,
            since: before.map_or(self.run.now, |row| row.since),
            next_try: Some(self.run.now.plus(gap(self.run.job.escrow_first_retry, failures))),
        })
    }
}

/// Logs that an attribute waits alone. Returns the words for the summary. `taken`: it was accepted, and is not kept.
fn report(operation: &Operation, attribute: &Name, taken: bool, said: &str) -> String {
    let (id, verb) = (operation.source, operation.verb.name());
    if taken {
        tracing::warn!(object = %id, op = verb, attribute = %attribute, "The target took {attribute} of {id} and did not keep it, and it waits alone: {said}");
        format!("the target took `{attribute}` and did not keep it; the rest was carried out: {said}")
    } else {
        tracing::warn!(object = %id, op = verb, attribute = %attribute, "The target refused {attribute} of {id}, and it waits alone: {said}");
        format!("the target refused `{attribute}`, and the rest was carried out: {said}")
    }
}

/// Notes a value of a leaver that the target does not let go, where a newcomer takes the resource over: the newcomer has nothing
/// recorded for it, so that without this later cycles would see nothing to do.
fn note_leaver(work: &mut Work, change: &Change, holds: Option<&Value>) {
    if rehired_from(&work.run).is_none() || change.before.is_unassigned() {
        return;
    }
    let stays = holds.unwrap_or(&change.before).clone();
    work.left_out.of_a_leaver.push((change.attribute.clone(), stays));
}

/// Takes the change of an attribute out of what was carried out. Returns it as an operation of its own.
fn take_out(work: &mut Work, attribute: &Name) -> Option<(Operation, Change)> {
    let is_it = |change: &Change| change.attribute == *attribute;
    let mut run = work.run.iter_mut();
    let operation = run.find(|operation| operation.changes.iter().any(is_it))?;
    let at = operation.changes.iter().position(is_it)?;
    let change = operation.changes.remove(at);
    let mut refused = Operation {
        changes: vec![change.clone()],
        members: Vec::new(),
        ..operation.clone()
    };
    refused.narrow_reason();
    operation.narrow_reason();
    Some((refused, change))
}

/// The entry in escrow of an object with these refused attributes.
fn escrowed(rows: &[Refusal]) -> Option<Escrowed> {
    let first = rows
        .iter()
        .min_by_key(|row| row.next_try.unwrap_or(Timestamp(i64::MAX)))?;
    let others = match rows.len() {
        1 => String::new(),
        count => format!(" (and {} more)", count - 1),
    };
    Some(Escrowed {
        operation: first.operation.clone(),
        error: format!("{}{others}", first.error),
        hint: first.hint.clone(),
        failures: rows.iter().map(|row| row.failures).max().unwrap_or_default(),
        since: rows.iter().map(|row| row.since).min().unwrap_or(first.since),
        next_try: first.next_try,
    })
}
