//! What is told of each operation: an entry of the history, and a line of the audit stream before it is sent and after.

use std::sync::Arc;

use serde_json::json;

use super::job::Job;
use super::job::Order;
use super::run::Run;
use crate::mapping::Mapping;
use crate::model::clock::Timestamp;
use crate::model::id::CycleId;
use crate::model::id::ObjectKind;
use crate::model::id::SourceId;
use crate::model::id::TargetId;
use crate::model::name::Name;
use crate::model::value::Value;
use crate::model::verb::Act;
use crate::reconcile::explain;
use crate::reconcile::operation::Change;
use crate::reconcile::operation::MEMBERS;
use crate::reconcile::operation::Member;
use crate::reconcile::operation::Operation;
use crate::reconcile::operation::Verb;
use crate::snapshot::history::NewEntry;
use crate::snapshot::history::Values;
use crate::snapshot::query;

/// As many memberships as one entry holds: a group of 100,000 members must not become one record.
const MEMBERS_IN_ENTRY: usize = 128;

/// The reason of what was found to be done.
const FOUND: &str = "sent by an earlier cycle that could not record it";

/// How an operation ended.
#[derive(Clone, Copy)]
pub(super) struct Ending<'a> {
    /// The resource, where there is one.
    pub(super) target: Option<&'a TargetId>,
    /// When that was known; before the request, when it goes out.
    pub(super) at: Timestamp,
    /// `done` or `failed`.
    pub(super) result: &'a str,
    /// What a failure said.
    pub(super) detail: Option<&'a str>,
}

/// The entries of an operation: one, or more where many memberships change. `changes` are its own.
pub(super) fn entries(
    run: &Run<'_>,
    operation: &Operation,
    changes: Vec<Change>,
    ending: Ending<'_>,
) -> Vec<NewEntry> {
    let (job, order) = (run.job, run.order);
    let entry = |values: Values| NewEntry {
        time: ending.at,
        cycle: Some(order.id),
        actor: order.actor.clone(),
        operation: operation.verb.name().to_owned(),
        kind: Some(operation.kind),
        object: Some(operation.source),
        target: ending.target.or(operation.target.as_ref()).cloned(),
        reason: operation.because.to_string(),
        result: ending.result.to_owned(),
        config: job.fingerprint.clone(),
        values,
        salt: (job.entropy)(),
    };
    let detail = ending.detail.map(str::to_owned);
    if !operation.verb.moves_members() || operation.members.is_empty() {
        return vec![entry(Values {
            changes: explain::redacted_changes(&job.mapping, operation.kind, changes),
            detail,
        })];
    }
    operation
        .members
        .chunks(MEMBERS_IN_ENTRY)
        .map(|members| {
            entry(Values {
                changes: vec![membership(operation.verb, sources(members))],
                detail: detail.clone(),
            })
        })
        .collect()
}

/// Writes entries where there is no operation: what an earlier cycle did, and could not record.
#[derive(Clone)]
pub(super) struct Clerk {
    time: Timestamp,
    order: CycleId,
    actor: String,
    config: String,
    mapping: Arc<Mapping>,
    entropy: fn() -> [u8; 16],
}

impl Clerk {
    pub(super) fn new(job: &Job, order: &Order, now: Timestamp) -> Self {
        Self {
            time: now,
            order: order.id,
            actor: order.actor.clone(),
            config: job.fingerprint.clone(),
            mapping: Arc::clone(&job.mapping),
            entropy: job.entropy,
        }
    }

    /// An entry of what was found to be done.
    pub(super) fn found(
        &self,
        verb: Verb,
        (kind, object): (ObjectKind, SourceId),
        target: &TargetId,
        changes: Vec<Change>,
    ) -> NewEntry {
        NewEntry {
            time: self.time,
            cycle: Some(self.order),
            actor: self.actor.clone(),
            operation: verb.name().to_owned(),
            kind: Some(kind),
            object: Some(object),
            target: Some(target.clone()),
            reason: FOUND.to_owned(),
            result: "done".to_owned(),
            config: self.config.clone(),
            values: Values {
                changes: explain::redacted_changes(&self.mapping, kind, changes),
                detail: None,
            },
            salt: (self.entropy)(),
        }
    }

    /// Entries of memberships that were found to have moved.
    pub(super) fn members(
        &self,
        verb: Verb,
        group: SourceId,
        target: &TargetId,
        members: &[SourceId],
    ) -> Vec<NewEntry> {
        let entry = |members: &[SourceId]| {
            let change = membership(verb, members.iter());
            self.found(verb, (ObjectKind::Group, group), target, vec![change])
        };
        members.chunks(MEMBERS_IN_ENTRY).map(entry).collect()
    }
}

/// Memberships as the history keeps them: source ids that went in `before`, that came in `after`.
fn membership<'m>(verb: Verb, members: impl Iterator<Item = &'m SourceId>) -> Change {
    let ids = Value::List(members.map(|id| Value::text(id.to_string())).collect());
    let (before, after) = if verb.act() == Act::RemoveMembers {
        (ids, Value::Null)
    } else {
        (Value::Null, ids)
    };
    Change {
        attribute: Name::from(MEMBERS),
        before,
        after,
    }
}

fn sources(members: &[Member]) -> impl Iterator<Item = &SourceId> {
    members.iter().map(|member| &member.source)
}

/// Tells the audit stream, where there is one, of an operation that is about to be sent (`sending`) or has ended.
pub(super) fn tell(job: &Job, order: &Order, operation: &Operation, ending: Ending<'_>) {
    let Some(stream) = &job.audit else { return };
    let mut changes = shown_changes(&job.mapping, operation);
    if operation.verb.moves_members() {
        changes = vec![membership(operation.verb, sources(&operation.members))];
    }
    let values = Values {
        changes,
        detail: None,
    };
    let target = ending.target.or(operation.target.as_ref());
    stream.write(&json!({
        "time": ending.at.to_string(), "job": job.name, "cycle": order.id.to_string(), "event": ending.result,
        "actor": order.actor, "operation": operation.verb.name(), "kind": operation.kind,
        "object": operation.source.to_string(), "target": target.map(|target| target.as_str()),
        "because": operation.because.to_string(), "config": job.fingerprint,
        "changes": query::changes(&values), "detail": ending.detail,
    }));
}

fn shown_changes(mapping: &Mapping, operation: &Operation) -> Vec<Change> {
    if operation.verb.links() {
        return Vec::new();
    }
    explain::redacted_changes(mapping, operation.kind, operation.changes.clone())
}
