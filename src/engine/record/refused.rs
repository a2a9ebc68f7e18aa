//! Attributes that the target refused while it took the rest: what is recorded of them, and a create without one of them.
//!
//! Guarantee: what an object keeps of its refused attributes, and that it waits in escrow for them, is written in the
//! transaction that records the rest; a crash before it leaves the object dirty.

use std::collections::BTreeSet;

use crate::engine::apply::create::create;
use crate::engine::audit;
use crate::engine::audit::Ending;
use crate::engine::cycle::Cycle;
use crate::engine::drift::compare;
use crate::engine::error::chain;
use crate::engine::escrow::gap;
use crate::engine::job::Job;
use crate::engine::record::part::Part;
use crate::engine::standing::Fact;
use crate::engine::work::Answer;
use crate::engine::work::Work;
use crate::mapping::write_resource;
use crate::model::clock::Timestamp;
use crate::model::id::ObjectKind;
use crate::model::id::TargetId;
use crate::model::name::Name;
use crate::model::refusal::Refusal;
use crate::model::refusal::names;
use crate::model::value::Value;
use crate::ports::NewResource;
use crate::ports::Patch;
use crate::ports::RefusedMember;
use crate::ports::RefusedPart;
use crate::ports::Resource;
use crate::ports::TargetError;
use crate::ports::all_refused;
use crate::reconcile::operation::Change;
use crate::reconcile::operation::Operation;
use crate::reconcile::refused::hint;
use crate::reconcile::target_schema::Knowledge;
use crate::reconcile::target_schema::is_essential;
use crate::reconcile::target_schema::knowledge;
use crate::snapshot::escrow::Escrowed;

impl Work {
    /// True for an answer after which the rest of the patch counts as done, and what was refused waits alone: something was
    /// taken, or nothing was sent but what waits alone already.
    pub(in crate::engine) fn takes_apart(&self, patch: &Patch, error: &TargetError) -> bool {
        let known = |change: &Change| {
            let mut rows = self.plan.refused.iter();
            rows.any(|row| row.attribute == change.attribute.as_str())
        };
        let known = patch.changes.iter().all(known) && self.knows_members(patch);
        match error {
            TargetError::Partly { .. } => true,
            TargetError::Refused { .. } | TargetError::Unavailable { status: 500, .. } => known,
            TargetError::Conflict { .. }
            | TargetError::NotFound { .. }
            | TargetError::Unauthorized { .. }
            | TargetError::Unavailable { .. }
            | TargetError::Malformed { .. } => false,
        }
    }

    /// Notes what was refused; the resource as it was answered for the rest.
    pub(in crate::engine) fn set_refused(&mut self, patch: &Patch, error: TargetError) -> Option<Resource> {
        match error {
            TargetError::Partly {
                refused,
                members,
                rest,
                ..
            } => {
                let mut refused = refused;
                // A heal that is not kept is not tried again until the value moves: it counts as what the target holds.
                refused.retain(|part| part.holds.is_none() || !self.heals());
                (self.refused, self.refused_members) = (refused, members);
                rest.map(|rest| *rest)
            }
            error => {
                self.refused = all_refused(patch, &error);
                for members in [&patch.remove_members, &patch.add_members] {
                    self.refused_members.extend(RefusedMember::all(members, &error));
                }
                None
            }
        }
    }

    /// The refusal of an operation of which nothing was taken.
    pub(in crate::engine) fn refused_whole(&self, operation: &Operation) -> Option<&TargetError> {
        if let Some(error) = self.refused_members_whole(operation) {
            return Some(error);
        }
        let refused = |change: &Change| self.refused.iter().any(|part| part.attribute == change.attribute);
        let first = self.refused.first()?;
        let whole = !operation.changes.is_empty() && operation.changes.iter().all(refused);
        whole.then_some(&first.error)
    }
}

impl Cycle<'_> {
    /// Takes what was refused out of a work, so that the rest is recorded, and says so. What is kept of the object's refused
    /// attributes from now on; `None` where there were and are none.
    pub(in crate::engine) fn take_refused(
        &mut self,
        work: &mut Work,
        part: &mut Part,
    ) -> Option<Vec<Refusal>> {
        let refused = std::mem::take(&mut work.refused);
        if refused.is_empty() && work.refused_members.is_empty() && work.plan.refused.is_empty() {
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
            self.escrow.failed.insert(key);
            self.run.standing.note(key, Fact::InPart);
            if completes {
                part.aside.push((key.1, escrowed));
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
        let operation = work.run.iter_mut().find(|operation| {
            operation
                .changes
                .iter()
                .any(|change| change.attribute == attribute)
        })?;
        let at = operation
            .changes
            .iter()
            .position(|change| change.attribute == attribute)?;
        let change = operation.changes.remove(at);
        let mut refused = Operation {
            changes: vec![change.clone()],
            members: Vec::new(),
            ..operation.clone()
        };
        refused.narrow_reason();
        operation.narrow_reason();
        let operation = refused;
        let said = chain(&error);
        let hint = match holds {
            None => hint(&attribute, change.after.is_unassigned(), &said),
            Some(_) => None,
        };
        let hint = hint.unwrap_or_else(|| error.hint().to_owned());
        let (id, verb) = (operation.source, operation.verb.name());
        let words = if holds.is_some() {
            tracing::warn!(object = %id, op = verb, attribute = %attribute, "The target took {attribute} of {id} and did not keep it, and it waits alone: {said}");
            format!("the target took `{attribute}` and did not keep it; the rest was carried out: {said}")
        } else {
            tracing::warn!(object = %id, op = verb, attribute = %attribute, "The target refused {attribute} of {id}, and it waits alone: {said}");
            format!("the target refused `{attribute}`, and the rest was carried out: {said}")
        };
        self.run.summary.fail(id, verb, words.clone(), hint.clone());
        if let Some(holds) = holds {
            let found = Change {
                before: holds,
                ..change.clone()
            };
            work.not_kept.push(compare::attribute(
                &self.run.job.mapping,
                work.plan.kind,
                found,
                false,
            ));
        }
        let ending = Ending {
            target: work.target.as_ref(),
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
        let known = self.escrow.failures((work.plan.kind, id));
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

/// How often a create is tried with less.
const TRIES: usize = 4;

/// A create that was refused for attributes that the refusal names, and that the resource can be without: once more without
/// them, as long as the target does not hold it. They come by themselves later.
pub(in crate::engine) async fn create_without(job: &Job, work: &mut Work, error: TargetError) -> Answer {
    let (mut error, mut left) = (error, Vec::<RefusedPart>::new());
    let members: Vec<TargetId> = work.added.iter().map(|(_, target)| target.clone()).collect();
    let mut riding = members.len().min(work.rode);
    for _ in 0..TRIES {
        let named = named_and_optional(job, work, &error, &left).await;
        if named.is_empty() && (riding == 0 || !may_be_of_members(&error)) {
            return Answer::Failed(error);
        }
        match absent(job, work).await {
            Some(true) => {}
            Some(false) => {
                return Answer::Failed(TargetError::Conflict {
                    what: error.what().reworded(format!(
                        "the create was refused, and the resource is there: {error}"
                    )),
                });
            }
            // Nobody says that it is not there: no second create.
            None => return Answer::Failed(error),
        }
        if named.is_empty() {
            // Perhaps it is one of its members: they follow in a request of their own, of which the target takes what it takes.
            (riding, work.rode) = (0, 0);
        }
        left.extend(named.into_iter().map(|attribute| RefusedPart {
            attribute,
            error: TargetError::Refused {
                what: error.what().clone(),
                status: 400,
                hint: error.hint().to_owned(),
            },
            holds: None,
        }));
        let body = body_without(job, work, &left, &members[..riding]);
        match create(job, work.plan.kind, body, (riding, &members[riding..])).await {
            Answer::Failed(next) => error = next,
            answer => {
                work.refused = left;
                return answer;
            }
        }
    }
    Answer::Failed(error)
}

/// A refused create may be refused for one of the members in it.
const fn may_be_of_members(error: &TargetError) -> bool {
    matches!(
        error,
        TargetError::Refused {
            status: 400..=499 | 501,
            ..
        } | TargetError::NotFound { .. }
    )
}

/// The attributes of a refused create that its refusal names, and that the resource can be without.
async fn named_and_optional(job: &Job, work: &Work, error: &TargetError, left: &[RefusedPart]) -> Vec<Name> {
    let TargetError::Refused {
        status: 400..=499 | 501,
        ..
    } = error
    else {
        return Vec::new();
    };
    let said = error.to_string();
    let Ok(capabilities) = job.target.capabilities().await else {
        return Vec::new();
    };
    let kind = work.plan.kind;
    let optional = |name: &Name| {
        let row = job
            .mapping
            .rows(kind)
            .iter()
            .find(|row| row.target.name() == name);
        row.is_some_and(|row| {
            let required = match knowledge(&capabilities.schemas, kind, &row.target) {
                Knowledge::Known(said) => said.required,
                Knowledge::Unknown | Knowledge::Unsaid => false,
            };
            !required && !is_essential(kind, row) && !row.target.is_core("externalId")
        })
    };
    let sent = work.sent.iter().filter(|(_, value)| !value.is_unassigned());
    sent.map(|(name, _)| name)
        .filter(|name| names(&said, name) && !left.iter().any(|part| part.attribute == **name))
        .filter(|name| optional(name))
        .cloned()
        .collect()
}

/// Whether the target does not hold the resource that was to be made; `None` where it does not say.
async fn absent(job: &Job, work: &Work) -> Option<bool> {
    let attribute = match work.plan.kind {
        ObjectKind::User => "userName",
        ObjectKind::Group => "displayName",
    };
    let name = work.sent.get(attribute).and_then(Value::as_str)?;
    let found = job.target.find(work.plan.kind, attribute, name).await.ok()?;
    Some(found.is_empty())
}

fn body_without(job: &Job, work: &Work, left: &[RefusedPart], members: &[TargetId]) -> NewResource {
    let kind = work.plan.kind;
    let sent = work.sent.iter();
    let values: Vec<_> = sent
        .filter(|(name, _)| !left.iter().any(|part| part.attribute == **name))
        .filter_map(|(name, value)| Some((job.mapping.target_path(kind, name)?, value)))
        .collect();
    NewResource::new(
        write_resource(kind, job.form, &values, members),
        job.form.extension_urns_in_schemas,
    )
}
