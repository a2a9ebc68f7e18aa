//! What each answer of a batch comes to: done, an observation, a failure, an entry in escrow, or a target in trouble.

use std::collections::BTreeSet;

use tracing::debug;
use tracing::warn;

use crate::engine::apply::answered::Answered;
use crate::engine::apply::send::Answers;
use crate::engine::audit;
use crate::engine::audit::Ending;
use crate::engine::error::chain;
use crate::engine::open;
use crate::engine::record::Learned;
use crate::engine::record::Observation;
use crate::engine::record::Recorder;
use crate::engine::record::after_write::NotKept;
use crate::engine::record::part::Done;
use crate::engine::record::part::Part;
use crate::engine::record::recording::Recording;
use crate::engine::standing::Fact;
use crate::engine::work::Answer;
use crate::engine::work::Pass;
use crate::engine::work::Work;
use crate::engine::work::failed_operation;
use crate::engine::work::failed_verb;
use crate::model::clock::Timestamp;
use crate::model::id::SourceId;
use crate::model::id::TargetId;
use crate::model::verb::Act;
use crate::ports::Disposition;
use crate::ports::TargetError;
use crate::reconcile::explain;
use crate::reconcile::guard::changes_identity;
use crate::reconcile::guard::quarantine::Said;
use crate::reconcile::operation::Change;
use crate::reconcile::operation::Operation;
use crate::reconcile::refused::hint;
use crate::snapshot::escrow::Escrowed;
use crate::snapshot::history::NewEntry;

impl Recorder<'_, '_> {
    /// Records results that are good, while others of the batch are still on their way.
    pub(in crate::engine) fn record_early(
        &mut self,
        recording: &mut Recording,
        results: Vec<(Work, Answer)>,
    ) {
        let mut part = Part::default();
        for (work, answer) in results {
            part.note(&work, &answer);
            self.take(work, answer, &mut part, &mut recording.learned);
        }
        self.start(recording, part);
    }

    /// Decides what the other answers of a batch come to. Creates whose outcome is not known keep their intents. Nothing of it
    /// is written yet: see [`Self::record`].
    pub(in crate::engine) async fn classify(&mut self, recording: &mut Recording, answers: Answers) -> Part {
        (self.failures.troubles.in_a_row, self.failures.stops.kinds) = (answers.in_a_row, answers.kinds);
        let (kind, learned) = (recording.kind, &mut recording.learned);
        let mut part = Part::default();
        for (work, answer) in answers.results {
            part.note(&work, &answer);
            match answer {
                Answer::Failed(error) => {
                    if work.creates() && error.maybe_done() {
                        part.open.insert(work.plan.source);
                        self.run.standing.note((kind, work.plan.source), Fact::CreateOpen);
                    }
                    self.failed_work(&work, error, &mut part, learned);
                }
                Answer::Met { target, resource } => {
                    let met = self.meet(&work, (target, resource), &mut part, learned).await;
                    learned.broken = learned.broken.take().or(met.err());
                }
                answer => self.take(work, answer, &mut part, learned),
            }
        }
        part.excused = self.failures.stops.kinds.take_excused();
        part.excused.retain(|key| self.failures.escrow.excuse(*key));
        let excused = &part.excused;
        part.aside.retain(|(id, _)| !excused.contains(&(kind, *id)));
        part
    }

    /// A result that is to be written as it is.
    fn take(&mut self, work: Work, answer: Answer, part: &mut Part, learned: &mut Learned) {
        match answer {
            Answer::Done {
                target,
                resource,
                whole,
            } => {
                if work.sends() {
                    self.failures
                        .troubles
                        .note_answered((work.plan.kind, work.plan.source));
                }
                let done = self.done(work, target, part, learned);
                let id = done.work.plan.source;
                // What waits in part keeps its mark, and is met again by the next sweep: it moves nobody.
                let waits = part.in_part.last().is_some_and(|(last, _)| *last == id);
                learned.moved |= !done.work.run.is_empty() || (done.work.completes() && !waits);
                part.done.push(Done {
                    resource,
                    whole,
                    ..done
                });
            }
            Answer::Half {
                target,
                resource,
                error,
            } => self.take_half(work, (target, resource, error), part, learned),
            // Of an undo there is no other sweep.
            Answer::TooLate if self.run.undoes => {
                let operation = failed_verb(failed_operation(&work));
                let (what, hint) = (
                    "not sent: its turn came too late in a large batch",
                    "run the same undo again: it takes up what is left",
                );
                self.run
                    .summary
                    .fail(work.plan.source, operation, what.to_owned(), hint.to_owned());
            }
            Answer::TooLate => (learned.again, learned.moved) = (true, true),
            Answer::NotSent => {
                if work.run.is_empty() && (work.completes() || work.plan.forget) {
                    learned.moved |= !work.plan.omissions.is_empty();
                    part.done.push(Done::nothing(work));
                }
            }
            Answer::Cut(verb) => self.failures.stops.note_cut(self.run, &work.plan, verb),
            Answer::Failed(_) | Answer::Met { .. } => {
                debug_assert!(false, "a failed request is nothing to write")
            }
        }
    }

    /// A create that went through, without the members that were to follow it in requests of their own.
    fn take_half(
        &mut self,
        work: Work,
        (target, resource, error): (TargetId, Answered, TargetError),
        part: &mut Part,
        learned: &mut Learned,
    ) {
        let mut work = work;
        learned.moved = true;
        let rest = part_at_create(&mut work);
        let mut done = self.done(work, target, part, learned);
        self.note_failure(&done.work, rest.as_ref(), &error, &mut part.history);
        match error.disposition() {
            Disposition::Escrow => {
                let aside = self.set_aside(&done.work, rest.as_ref(), &error);
                part.aside.extend(aside);
            }
            Disposition::Quarantine => learned.fatal = Some(error),
            Disposition::Retry => learned.unavailable = Some(error),
        }
        done.work.left = true;
        part.done.push(Done {
            resource: Some(resource),
            ..done
        });
    }

    /// Takes what the target refused out of a work that was done, and counts and logs the rest.
    fn done(&mut self, work: Work, target: TargetId, part: &mut Part, learned: &mut Learned) -> Done {
        let mut work = work;
        learned.doubted.extend(work.doubted_members());
        self.leave_in_doubt(&work, part);
        let refusals = self.take_refused(&mut work, part);
        let not_kept = NotKept::waiting(std::mem::take(&mut work.left_out.not_kept));
        part.identities += work.run.iter().filter(|o| changes_identity(o)).count() as u64;
        part.used.extend(self.kept_back.used_by(&work.run));
        self.note_done(&mut work, Some(&target), &mut part.history);
        Done {
            target: Some(target),
            refusals,
            not_kept,
            ..Done::nothing(work)
        }
    }

    /// Values and members of which nobody knows whether they are there keep the cycle from ending as converged.
    fn leave_in_doubt(&mut self, work: &Work, part: &mut Part) {
        let Some(error) = work.left_out.in_doubt.error() else {
            return;
        };
        let (id, hint) = (work.plan.source, error.hint().to_owned());
        self.run.summary.fail(id, "read_back", chain(error), hint);
        part.opens.extend(open::in_doubt(work, self.run.now));
    }

    /// A request that was not answered well: a new observation, a failed entry, or a target in trouble.
    pub(in crate::engine) fn failed_work(
        &mut self,
        work: &Work,
        error: TargetError,
        part: &mut Part,
        learned: &mut Learned,
    ) {
        let (kind, id) = (work.plan.kind, work.plan.source);
        let observation = observation(&error);
        if observation == Some(Observation::Conflict) {
            self.names.note_taken(kind, &work.run);
        }
        if let Some(observation) = observation
            && self.run.standing.may_try_again((kind, id))
        {
            self.run.standing.tries_again((kind, id));
            learned.observed.push((id, observation));
            (learned.again, learned.moved) = (true, true);
            return;
        }
        // Gone is gone, also where nothing more is tried in this cycle.
        if observation == Some(Observation::Lost) {
            learned.observed.push((id, Observation::Gone));
        }
        let operation = failed_operation(work);
        if let (Some(operation), Some(_), false) =
            (operation, observation, self.failures.escrow.is_due((kind, id)))
        {
            // What was an observation before is a failure now.
            let (cause, hint) = (chain(&error), advice(Some(operation), &error));
            let said = Said {
                cause: &cause,
                hint: &hint,
                now: self.run.now,
                actor: &self.run.order.actor,
            };
            self.failures.stops.kinds.refused(operation, &said);
        }
        self.note_failure(work, operation, &error, &mut part.history);
        match error.disposition() {
            Disposition::Quarantine => learned.fatal = Some(error),
            Disposition::Retry if matches!(error, TargetError::Unavailable { .. }) => {
                if work.pass == Pass::Disables {
                    self.run.standing.note((kind, id), Fact::Unreached);
                }
                self.failures.troubles.note_stumble(work, &error);
                learned.unavailable = Some(error)
            }
            Disposition::Escrow => {
                let aside = self.set_aside(work, operation, &error);
                part.aside.extend(aside);
            }
            Disposition::Retry => {}
        }
    }

    /// What is kept of an entry that goes into escrow; nothing where it is the whole kind that fails.
    fn set_aside(
        &mut self,
        work: &Work,
        operation: Option<&Operation>,
        error: &TargetError,
    ) -> Option<(SourceId, Escrowed)> {
        let key = (work.plan.kind, work.plan.source);
        if self.failures.stops.kinds.excuses(&work.run) && !self.failures.escrow.is_due(key) {
            return None;
        }
        let said = chain(error);
        let words = (failed_verb(operation), said, advice(operation, error));
        let first = self.run.job.escrow_first_retry;
        Some((
            key.1,
            self.failures.escrow.set_aside(key, self.run.now, first, words),
        ))
    }

    /// Counts and logs what was carried out, and adds it to the history.
    fn note_done(&mut self, work: &mut Work, target: Option<&TargetId>, history: &mut Vec<NewEntry>) {
        let at = self.answered_at(work);
        for operation in &mut work.run {
            self.names.note_freed(operation);
            self.run.summary.count(operation);
            self.run
                .order
                .watcher
                .operation(&explain::redacted(&self.run.job.mapping, operation));
            debug!(object = %operation.source, op = operation.verb.name(), reason = operation.because.label(), "{} {}", operation.verb, operation.source);
            let ending = Ending {
                target,
                at,
                result: "done",
                detail: None,
            };
            audit::tell(self.run.job, self.run.order, operation, ending);
            // What an adoption found is still asked for; other changes are in `sent` too.
            let changes = if operation.verb.links() {
                operation.changes.clone()
            } else {
                std::mem::take(&mut operation.changes)
            };
            history.extend(self.entries(operation, changes, ending));
        }
    }

    /// When the requests of a work were answered; of one without a request, when its cycle began.
    pub(in crate::engine) fn answered_at(&self, work: &Work) -> Timestamp {
        work.answered_at.unwrap_or(self.run.now)
    }

    pub(in crate::engine) fn entries(
        &self,
        operation: &Operation,
        changes: Vec<Change>,
        ending: Ending<'_>,
    ) -> Vec<NewEntry> {
        audit::entries(self.run, operation, changes, ending)
    }

    /// `operation` is the one that failed; an adoption has none of its own.
    fn note_failure(
        &mut self,
        work: &Work,
        operation: Option<&Operation>,
        error: &TargetError,
        history: &mut Vec<NewEntry>,
    ) {
        let (kind, id) = (work.plan.kind, work.plan.source);
        self.run.standing.note((kind, id), Fact::Failed);
        let verb = failed_verb(operation);
        let said = chain(error);
        self.run.summary.fail(id, verb, said, advice(operation, error));
        let status = error.status();
        warn!(object = %id, op = verb, status, "Cannot {verb} {id}: {}; it stays dirty and is tried again", chain(error));
        if let Some(operation) = operation {
            let (target, changes) = (work.target.as_ref(), operation.changes.clone());
            let detail = error.to_string();
            let ending = Ending {
                target,
                at: self.answered_at(work),
                result: "failed",
                detail: Some(&detail),
            };
            audit::tell(self.run.job, self.run.order, operation, ending);
            history.extend(self.entries(operation, changes, ending));
        }
    }
}

/// Returns what a failed request found at the target.
const fn observation(error: &TargetError) -> Option<Observation> {
    match error {
        TargetError::Conflict { .. } => Some(Observation::Conflict),
        TargetError::NotFound { .. } => Some(Observation::Lost),
        TargetError::Refused { .. }
        | TargetError::Partly { .. }
        | TargetError::Unauthorized { .. }
        | TargetError::Unavailable { .. }
        | TargetError::Malformed { .. } => None,
    }
}

/// What to do about a failure: of a change of one attribute, what helps against the refusal of that one.
fn advice(operation: Option<&Operation>, error: &TargetError) -> String {
    let alone = match (operation, error) {
        (Some(operation), TargetError::Refused { .. }) if operation.members.is_empty() => {
            match operation.changes.as_slice() {
                [change] => hint(&change.attribute, change.after.is_unassigned(), &chain(error)),
                _ => None,
            }
        }
        _ => None,
    };
    alone.unwrap_or_else(|| error.hint().to_owned())
}

/// Leaves in the work of a group what its create brought over; the members that were to follow in requests of their own,
/// as an operation.
fn part_at_create(work: &mut Work) -> Option<Operation> {
    let rode = work.added.len().min(work.rode);
    work.added.truncate(rode);
    let in_it: BTreeSet<SourceId> = work.added.iter().map(|(member, _)| *member).collect();
    let at = work
        .run
        .iter()
        .position(|operation| operation.verb.act().is(Act::AddMembers))?;
    let mut rest = work.run[at].clone();
    let all = std::mem::take(&mut rest.members);
    let (done, left) = all
        .into_iter()
        .partition::<Vec<_>, _>(|member| in_it.contains(&member.source));
    work.run[at].members = done;
    rest.members = left;
    if work.run[at].members.is_empty() {
        work.run.remove(at);
    }
    Some(rest)
}
