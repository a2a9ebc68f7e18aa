//! Record: what apply did goes into the snapshot, with its history: one transaction a batch, or, of a large one, for
//! each part that is answered, while the rest is still being sent. A crash between two parts leaves the objects of the
//! second dirty and their intents open, as one before the batch was recorded does.

pub mod after_write;
pub(super) mod claims;
pub(super) mod met;
pub(super) mod part;
pub(super) mod recording;
pub mod refused;
pub(super) mod refused_members;

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::collections::HashMap;

use tracing::debug;
use tracing::warn;

use super::apply::answered::Answered;
use super::apply::answered::Comparing;
use super::audit;
use super::audit::Ending;
use super::cycle::Cycle;
use super::error::CycleError;
use super::error::chain;
use super::forecast::Forecast;
use super::forecast::forecast_of;
use super::linking::forget_members;
use super::linking::forget_sent;
use super::linking::unlink;
use super::open;
use super::readings::rehires::hand_over;
use super::record::after_write::NotKept;
use super::record::part::Done;
use super::record::part::Part;
use super::record::recording::Recording;
use super::standing::Fact;
use super::work::Answer;
use super::work::Pass;
use super::work::Recorded;
use super::work::Work;
use super::work::failed_operation;
use super::work::failed_verb;
use super::work::rehired_from;
use crate::mapping::Mapping;
use crate::mapping::read_path;
use crate::mapping::same;
use crate::model::clock::Timestamp;
use crate::model::id::ObjectKind;
use crate::model::id::SourceId;
use crate::model::id::TargetId;
use crate::model::link::Kept;
use crate::model::link::Link;
use crate::model::link::LinkOrigin;
use crate::model::name::Name;
use crate::model::object::MemberKind;
use crate::model::object::Membership;
use crate::model::value::Attributes;
use crate::model::value::Value;
use crate::model::verb::Act;
use crate::ports::Disposition;
use crate::ports::Durability;
use crate::ports::StoreError;
use crate::ports::TargetError;
use crate::reconcile::explain;
use crate::reconcile::guard::changes_identity;
use crate::reconcile::guard::quarantine::Said;
use crate::reconcile::operation::Change;
use crate::reconcile::operation::Operation;
use crate::reconcile::operation::Reason;
use crate::reconcile::operation::Verb;
use crate::reconcile::refused::hint;
use crate::snapshot::counts::Facts;
use crate::snapshot::escrow::Escrowed;
use crate::snapshot::filled::has_forecasts;
use crate::snapshot::history::NewEntry;
use crate::snapshot::read::Reads;
use crate::snapshot::tx::Tx;

impl Cycle<'_> {
    /// Records results that are good, while others of the batch are still on their way.
    pub(super) fn record_early(
        &mut self,
        kind: ObjectKind,
        results: Vec<(Work, Answer)>,
        recording: &mut Recording,
        recorded: &mut Recorded,
    ) {
        let mut part = Part::default();
        for (work, answer) in results {
            self.take_done(work, answer, &mut part, recorded);
        }
        self.start(kind, part, Vec::new(), recording);
    }

    /// Records the other results of a batch. Creates whose outcome is not known keep their intents.
    pub(super) async fn record(
        &mut self,
        kind: ObjectKind,
        results: Vec<(Work, Answer)>,
        mut recording: Recording,
        mut recorded: Recorded,
    ) -> Result<Recorded, CycleError> {
        let mut part = Part::default();
        let mut failure = Ok(());
        for (work, answer) in results {
            if work.creates() {
                part.judged.insert(work.plan.source);
            }
            if open::is_certain(&work, &answer) {
                part.certain.insert(work.plan.source);
            }
            if open::is_unsent(&answer) {
                part.unsent.insert(work.plan.source);
            }
            if open::is_answered(&answer) {
                part.answered.insert(work.plan.source);
            }
            match answer {
                Answer::Failed(error) => {
                    if work.creates() && error.maybe_done() {
                        part.open.insert(work.plan.source);
                        self.run.standing.note((kind, work.plan.source), Fact::CreateOpen);
                    }
                    let failed = self.failed_work(kind, &work, error, &mut part.history, &mut recorded);
                    failure = failure.and(failed.await);
                }
                Answer::Met { target, resource } => {
                    let met = self.meet(kind, &work, (target, resource), &mut part, &mut recorded);
                    failure = failure.and(met.await);
                }
                answer => self.take_done(work, answer, &mut part, &mut recorded),
            }
        }
        let mut aside = std::mem::take(&mut recorded.aside);
        part.excused = self.stops.kinds.take_excused();
        part.excused.retain(|key| self.escrow.excuse(*key));
        aside.retain(|(id, _)| !part.excused.contains(&(kind, *id)));
        self.start(kind, part, aside, &mut recording);
        let ended = recording.end().await?;
        self.readings.note_not_kept(ended.not_kept);
        self.note_claims(kind, ended.claims).await?;
        failure?;
        Ok(recorded)
    }

    /// A result that is to be written as it is.
    #[expect(clippy::too_many_lines, reason = "to be cut with the phases of a cycle")]
    fn take_done(&mut self, work: Work, answer: Answer, part: &mut Part, recorded: &mut Recorded) {
        let mut work = work;
        if work.creates() {
            part.judged.insert(work.plan.source);
        }
        if open::is_answered(&answer) {
            part.answered.insert(work.plan.source);
        }
        if open::is_certain(&work, &answer) {
            part.certain.insert(work.plan.source);
        }
        match answer {
            Answer::Done {
                target,
                resource,
                whole,
            } => {
                if work.sends() {
                    self.troubles.note_answered((work.plan.kind, work.plan.source));
                }
                recorded.doubted.extend(work.doubted_members());
                let refusals = self.take_refused(&mut work, part);
                let not_kept = NotKept::waiting(std::mem::take(&mut work.not_kept));
                part.identities += work.run.iter().filter(|o| changes_identity(o)).count() as u64;
                part.used.extend(self.judge.kept_back.used_by(&work.run));
                self.note_done(&mut work, Some(&target), &mut part.history);
                // What waits in part keeps its mark, and is met again by the next sweep: it moves nobody.
                let waits = part.aside.last().is_some_and(|(id, _)| *id == work.plan.source);
                recorded.moved |= !work.run.is_empty() || (work.completes() && !waits);
                part.done.push(Done {
                    work,
                    target: Some(target),
                    resource,
                    whole,
                    refusals,
                    not_kept,
                });
            }
            Answer::Half {
                target,
                resource,
                error,
            } => {
                recorded.moved = true;
                // Two requests: the create is done, and what was to follow is not.
                let rest = part_at_create(&mut work);
                recorded.doubted.extend(work.doubted_members());
                let refusals = self.take_refused(&mut work, part);
                let not_kept = NotKept::waiting(std::mem::take(&mut work.not_kept));
                part.identities += work.run.iter().filter(|o| changes_identity(o)).count() as u64;
                part.used.extend(self.judge.kept_back.used_by(&work.run));
                self.note_done(&mut work, Some(&target), &mut part.history);
                self.note_failure(&work, rest.as_ref(), &error, &mut part.history);
                match error.disposition() {
                    Disposition::Escrow => {
                        let aside = self.set_aside(&work, rest.as_ref(), &error);
                        recorded.aside.extend(aside);
                    }
                    Disposition::Quarantine => recorded.fatal = Some(error),
                    Disposition::Retry => recorded.unavailable = Some(error),
                }
                work.left = true;
                part.done.push(Done {
                    work,
                    target: Some(target),
                    resource: Some(resource),
                    whole: false,
                    refusals,
                    not_kept,
                });
            }
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
            Answer::TooLate => (recorded.again, recorded.moved) = (true, true),
            Answer::NotSent => {
                if work.run.is_empty() && (work.completes() || work.plan.forget) {
                    recorded.moved |= !work.plan.omissions.is_empty();
                    part.done.push(Done::nothing(work));
                }
            }
            Answer::Cut(verb) => self.stops.note_cut(&mut self.run, &work.plan, verb),
            Answer::Failed(_) | Answer::Met { .. } => {
                debug_assert!(false, "a failed request is nothing to write")
            }
        }
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
        .position(|operation| operation.verb == Verb::AddMember)?;
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

impl Cycle<'_> {
    /// Counts and logs what was carried out, and adds it to the history.
    fn note_done(&mut self, work: &mut Work, target: Option<&TargetId>, history: &mut Vec<NewEntry>) {
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

    pub(super) fn entries(
        &self,
        operation: &Operation,
        changes: Vec<Change>,
        ending: Ending<'_>,
    ) -> Vec<NewEntry> {
        audit::entries(
            self.run.job,
            self.run.order,
            self.run.now,
            operation,
            changes,
            ending,
        )
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
                result: "failed",
                detail: Some(&detail),
            };
            audit::tell(self.run.job, self.run.order, operation, ending);
            history.extend(self.entries(operation, changes, ending));
        }
    }

    /// A request that was not answered well: a new observation, a failed entry, or a target in trouble.
    pub(super) async fn failed_work(
        &mut self,
        kind: ObjectKind,
        work: &Work,
        error: TargetError,
        history: &mut Vec<NewEntry>,
        recorded: &mut Recorded,
    ) -> Result<(), CycleError> {
        let id = work.plan.source;
        let learns = matches!(error, TargetError::Conflict { .. } | TargetError::NotFound { .. });
        if matches!(error, TargetError::Conflict { .. }) {
            self.names.note_taken(kind, &work.run);
        }
        if learns && self.run.standing.may_try_again((kind, id)) {
            self.run.standing.tries_again((kind, id));
            self.learn(kind, work, &error).await?;
            recorded.again = true;
            recorded.moved = true;
            return Ok(());
        }
        let operation = failed_operation(work);
        if let Some(operation) = operation.filter(|_| learns && !self.escrow.is_due((kind, id))) {
            // What was an observation before is a failure now.
            let (cause, hint) = (chain(&error), advice(Some(operation), &error));
            let said = Said {
                cause: &cause,
                hint: &hint,
                now: self.run.now,
                actor: &self.run.order.actor,
            };
            self.stops.kinds.refused(operation, &said);
        }
        self.note_failure(work, operation, &error, history);
        match error.disposition() {
            Disposition::Quarantine => recorded.fatal = Some(error),
            Disposition::Retry if matches!(error, TargetError::Unavailable { .. }) => {
                if work.pass == Pass::Disables {
                    self.run.standing.note((kind, id), Fact::Unreached);
                }
                self.troubles.note_stumble(work, &error);
                recorded.unavailable = Some(error)
            }
            Disposition::Escrow => {
                let aside = self.set_aside(work, operation, &error);
                recorded.aside.extend(aside);
            }
            Disposition::Retry => {}
        }
        Ok(())
    }

    /// What is kept of an entry that goes into escrow; nothing where it is the whole kind that fails.
    fn set_aside(
        &mut self,
        work: &Work,
        operation: Option<&Operation>,
        error: &TargetError,
    ) -> Option<(SourceId, Escrowed)> {
        let key = (work.plan.kind, work.plan.source);
        if self.stops.kinds.excuses(&work.run) && !self.escrow.is_due(key) {
            return None;
        }
        let said = chain(error);
        let words = (failed_verb(operation), said, advice(operation, error));
        let first = self.run.job.escrow_first_retry;
        Some((key.1, self.escrow.set_aside(key, self.run.now, first, words)))
    }

    /// Takes what a 409 or 404 says as an observation, so that the next sweep plans the object anew.
    async fn learn(&mut self, kind: ObjectKind, work: &Work, error: &TargetError) -> Result<(), CycleError> {
        let id = work.plan.source;
        if matches!(error, TargetError::NotFound { .. }) {
            self.readings.lose(&self.run, kind, id).await?;
        }
        self.look_again(kind, id).await
    }
}

impl Done {
    fn nothing(work: Work) -> Self {
        Self {
            work,
            target: None,
            resource: None,
            whole: false,
            refusals: None,
            not_kept: NotKept::default(),
        }
    }

    /// True where something was written and is not there.
    pub(super) const fn is_not_kept(&self) -> bool {
        !self.not_kept.is_none()
    }

    /// What is left of the drift of an object once this was done; what the target did not keep, in words.
    pub(super) fn settle_drift(
        &mut self,
        tx: &mut Tx<'_>,
        kind: ObjectKind,
        now: Timestamp,
        observes: bool,
    ) -> Result<Vec<String>, StoreError> {
        let id = self.work.plan.source;
        let whole = self.resource.as_ref().filter(|_| self.whole);
        let whole = whole.map(Answered::tree);
        let whole = whole.as_deref();
        if let (true, Some(target)) = (observes && self.work.sends(), &self.target) {
            after_write::renew_reading(tx, kind, target, &self.work, whole)?;
        }
        let mut not_kept = std::mem::take(&mut self.not_kept);
        if let (true, Some(body)) = (self.work.heals(), whole) {
            not_kept.add_members(&self.work, body);
        }
        let words = not_kept.words(kind, id);
        if let Some(target) = &self.target {
            after_write::settle(tx, kind, target, now, &self.work, not_kept)?;
        }
        Ok(words)
    }

    /// Writes one result: link, sent, kept, memberships, its own mark. The id, where its referrers are now to
    /// be looked at: it was linked, relinked or deleted.
    pub(super) fn record(
        &mut self,
        tx: &mut Tx<'_>,
        mapping: &Mapping,
        kind: ObjectKind,
        now: Timestamp,
        forecasts: bool,
    ) -> Result<Option<SourceId>, StoreError> {
        let id = self.work.plan.source;
        let deleted = self
            .work
            .run
            .iter()
            .any(|operation| operation.verb.deletes() || operation.verb.act() == Act::Unlink);
        if deleted || self.work.plan.forget {
            if deleted && let Some(record) = tx.record(kind, &id)?.filter(|record| !record.is_gone()) {
                // Alive, or not known to be gone: it may come back, and then with what changed alone.
                unlink(tx, record)?;
                tx.clear_dirty(kind, &id)?;
                return Ok(Some(id));
            }
            forget_members(tx, kind, &id)?;
            tx.clear_dirty(kind, &id)?;
            tx.delete_record(kind, &id)?;
            return Ok(deleted.then_some(id));
        }
        let fresh = match self.target.clone() {
            Some(target) => self.record_link(tx, mapping, kind, &target, now, forecasts)?,
            None => false,
        };
        self.record_members(tx, &id)?;
        if let Some(refusals) = &self.refusals {
            tx.put_refusals(kind, &id, refusals);
        }
        if self.work.completes() {
            tx.clear_dirty(kind, &id)?;
        }
        // Only users are referred to: nested groups are not sent.
        Ok((fresh && kind == ObjectKind::User).then_some(id))
    }

    /// The link; true when it is another one than before.
    fn record_link(
        &mut self,
        tx: &mut Tx<'_>,
        mapping: &Mapping,
        kind: ObjectKind,
        target: &TargetId,
        now: Timestamp,
        forecasts: bool,
    ) -> Result<bool, StoreError> {
        let id = self.work.plan.source;
        let Some(mut record) = self.work.record.take() else {
            return Ok(false);
        };
        let before = Facts::of(&record);
        let linked_before = record.link.as_ref().map(|link| link.target.clone());
        let fresh = self.work.creates() || linked_before.as_ref() != Some(target);
        if !fresh && self.work.plan.record.is_empty() && self.work.sent.is_empty() {
            return Ok(false);
        }
        // The same resource under another id: what was sent is still in it.
        let moved = !self.work.creates() && self.work.target == linked_before && linked_before.is_some();
        let mut link = match record.link.take() {
            Some(link) if !fresh => link,
            Some(link) if moved => Link {
                target: target.clone(),
                ..link
            },
            _ => Link {
                target: target.clone(),
                origin: self.origin(),
                since: now,
                sent: Attributes::new(),
                kept: BTreeMap::new(),
            },
        };
        for change in &self.work.plan.record {
            link.sent.insert(change.attribute.clone(), change.after.clone());
            link.kept.remove(&change.attribute);
        }
        let answered = self.resource.as_ref().map(Comparing::with);
        for (path, value) in &self.work.sent {
            self.keep(answered.as_ref(), mapping, &mut link, (path, value));
        }
        for (path, held) in std::mem::take(&mut self.work.held_instead) {
            link.kept.insert(path, Kept::Other(held));
        }
        self.notice_cleared(mapping, &mut link);
        if self.work.heals() && self.whole {
            self.not_kept.add_healed(NotKept::of(mapping, &self.work, &link));
        }
        record.link = Some(link);
        if let Some(leaver) = rehired_from(&self.work.run) {
            hand_over(tx, &leaver, &id)?;
        }
        tx.write_record(Some(before), &record)?;
        if fresh && !moved && kind == ObjectKind::Group && linked_before.is_some() {
            forget_sent(tx, &id)?;
        }
        if fresh && forecasts {
            let mut forecast = forecast_of(tx, kind, &id)?;
            if forecast.lost {
                forecast.lost = false;
                tx.put_forecast(kind, &id, &forecast);
            }
        }
        Ok(fresh)
    }

    fn origin(&self) -> LinkOrigin {
        let matched = self
            .work
            .run
            .iter()
            .find_map(|operation| match &operation.because {
                Reason::Matched { by } | Reason::Rehired { by, .. } => Some(by.clone()),
                Reason::Alike(alike) => Some(alike.by.clone()),
                _ => None,
            });
        matched.map_or(LinkOrigin::Created, LinkOrigin::Adopted)
    }

    /// What was sent, and what the answer says that the target kept of it.
    fn keep(
        &self,
        answered: Option<&Comparing<'_>>,
        mapping: &Mapping,
        link: &mut Link,
        (path, value): (&Name, &Value),
    ) {
        let found_equal = self.work.run.iter().any(|operation| {
            operation.verb.links() && operation.changes.iter().any(|change| change.attribute == *path)
        });
        let kept = match (answered, mapping.target_path(self.work.plan.kind, path)) {
            _ if found_equal => Kept::AsSent,
            (Some(answered), Some(target)) if answered.plainly_holds(&target, value) => Kept::AsSent,
            (Some(answered), Some(target)) => match answered.read(&target) {
                Some(held) if same(&target, &held, value) => Kept::AsSent,
                Some(held) => Kept::Other(held),
                None if value.is_unassigned() => Kept::AsSent,
                // A heal was read back whole: what is not there was not kept.
                None if self.whole && self.work.heals() => Kept::Other(Value::Null),
                None => Kept::Unknown,
            },
            _ => Kept::Unknown,
        };
        if value.is_unassigned() {
            link.sent.remove(path);
        } else {
            link.sent.insert(path, value.clone());
        }
        match kept {
            Kept::AsSent => link.kept.remove::<str>(path),
            other => link.kept.insert(path.clone(), other),
        };
    }

    /// After a change of `active`, what the target emptied by itself counts as not sent: it returns when the
    /// user does (docs/design/comparison.md).
    fn notice_cleared(&self, mapping: &Mapping, link: &mut Link) {
        let touched = self.work.sets_active() && !self.work.creates();
        let (Some(resource), true, true) = (&self.resource, self.whole, touched) else {
            return;
        };
        let body = resource.tree();
        for (path, value) in &link.sent {
            let Some(target) = mapping.target_path(self.work.plan.kind, path) else {
                continue;
            };
            if !value.is_unassigned() && read_path(&body, &target).is_none() {
                link.kept.insert(path.clone(), Kept::Other(Value::Null));
            }
        }
    }

    fn record_members(&self, tx: &mut Tx<'_>, group: &SourceId) -> Result<(), StoreError> {
        let (removed, added) = (&self.work.removed, &self.work.added);
        let members: Vec<SourceId> = removed.iter().chain(added).map(|(member, _)| *member).collect();
        let known = tx.edges_of(group, &members)?;
        for (member, target) in removed {
            match known.get(member) {
                Some(edge) if edge.sent.as_ref() == Some(target) && !edge.present => {
                    tx.delete_edge(group, member)?
                }
                Some(edge) if edge.sent.as_ref() == Some(target) => {
                    tx.replace_edge(
                        true,
                        group,
                        member,
                        &Membership {
                            sent: None,
                            ..edge.clone()
                        },
                    );
                }
                _ => {}
            }
        }
        let there = self.work.run.iter().filter(|operation| operation.takes_over());
        let there: BTreeSet<SourceId> = there
            .flat_map(|operation| &operation.members)
            .map(|member| member.source)
            .chain(self.work.earlier.iter().copied())
            .collect();
        for (member, target) in added {
            let edge = known.get(member).cloned().unwrap_or(Membership {
                kind: MemberKind::User,
                generation: 0,
                present: false,
                sent: None,
                found: false,
            });
            let (sent, found) = (Some(target.clone()), there.contains(member));
            tx.replace_edge(
                known.contains_key(member),
                group,
                member,
                &Membership { sent, found, ..edge },
            );
        }
        Ok(())
    }
}

impl Cycle<'_> {
    /// The counterpart of carrying out, where a cycle only plans: the works are counted and shown, and what
    /// they would lead to is kept as a forecast for the objects that refer to these.
    pub(super) async fn foresee(
        &mut self,
        kind: ObjectKind,
        works: Vec<Work>,
    ) -> Result<super::work::Carried, CycleError> {
        let mut moved = false;
        let (mut forecasts, mut leavers) = (Vec::new(), Vec::new());
        for work in works {
            for operation in &work.run {
                self.names.note_freed(operation);
                self.run.summary.count(operation);
                self.run
                    .order
                    .watcher
                    .operation(&explain::redacted(&self.run.job.mapping, operation));
            }
            let late = kind == ObjectKind::User && work.plan.pending_references > 0;
            // Linked, and nothing to do: whoever refers to it sees that, and another look finds the same.
            let settled = work.run.is_empty()
                && !late
                && work.record.as_ref().is_some_and(|record| record.link.is_some());
            if settled && work.pass != Pass::MembersOut {
                continue;
            }
            moved = true;
            let mut run = work.run.iter();
            let links = run.find(|operation| operation.verb.creates() || operation.verb.links());
            let linked = links.map(|operation| operation.target.clone());
            // Its own name follows in a later sweep.
            let way = work
                .run
                .iter()
                .any(|operation| operation.because == Reason::MakesWay);
            leavers.extend(rehired_from(&work.run));
            forecasts.push((work.plan.source, work.pass, work.left, way, late, linked));
        }
        if forecasts.is_empty() {
            return Ok(super::work::Carried { moved, again: false });
        }
        self.readings.drift.losses |= !leavers.is_empty();
        let again = self
            .run
            .store(move |snapshot| {
                let mut tx = snapshot.tx()?;
                let ids: Vec<SourceId> = forecasts.iter().map(|(id, ..)| *id).collect();
                let mut held = if has_forecasts(snapshot)? {
                    tx.forecasts_of(kind, &ids)?
                } else {
                    HashMap::new()
                };
                for leaver in leavers {
                    let mut forecast = forecast_of(&tx, kind, &leaver)?;
                    forecast.lost = true;
                    tx.put_forecast::<Forecast>(kind, &leaver, &forecast);
                }
                // As a cycle that writes marks them once there is a resource to refer to.
                let mut again = false;
                for (id, pass, left, way, late, linked) in forecasts {
                    if linked.is_some() && kind == ObjectKind::User {
                        let marked = tx.show_referrers(&id)?;
                        again |= marked.iter().any(|(of, _)| *of == kind);
                    }
                    let mut forecast: Forecast = held.remove(&id).unwrap_or_default();
                    match pass {
                        Pass::MembersOut => forecast.members_out = true,
                        Pass::Disables if left => forecast.disabled = true,
                        _ if way => again = true,
                        _ => forecast.done = true,
                    }
                    forecast.late = late;
                    forecast.linked = linked.or(forecast.linked);
                    tx.put_forecast(kind, &id, &forecast);
                }
                tx.commit(Durability::Lazy)?;
                Ok(again)
            })
            .await?;
        Ok(super::work::Carried { moved, again })
    }
}
