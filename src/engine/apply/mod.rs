//! Apply: carries out the operations of a batch. No decision is left to make here.
//!
//! Concurrent across objects, one request at a time for one object. Operations name source ids; the target
//! ids are put in here, from the snapshot. Before the creates of a batch are sent, their intents are durable.

pub(super) mod answered;
pub(super) mod completing;
pub(super) mod coupled;
pub(super) mod create;
pub(super) mod earlier_members;
pub mod intents;
pub mod open_writes;

use std::borrow::Cow;
use std::collections::HashSet;
use std::hash::DefaultHasher;
use std::hash::Hash;
use std::hash::Hasher;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::sync::atomic::AtomicU32;
use std::sync::atomic::Ordering;

use futures::StreamExt;
use futures::stream;

use super::apply::answered::Answered;
use super::apply::completing::complete;
use super::apply::create::create;
use super::apply::earlier_members::find_earlier_members;
use super::audit;
use super::audit::Ending;
use super::cycle::Cycle;
use super::error::CycleError;
use super::error::chain;
use super::job::Job;
use super::job::Order;
use super::open;
use super::readings::stored::StoredReading;
use super::record::recording::Recording;
use super::record::refused::create_without;
use super::record::refused_members::create_in_part;
use super::run::blocking;
use super::summary::Kind;
use super::trouble::TROUBLE;
use super::work::Answer;
use super::work::Carried;
use super::work::MEMBERS_IN_CREATE;
use super::work::Recorded;
use super::work::Request;
use super::work::Work;
use super::work::is_active;
use crate::mapping::Mapping;
use crate::mapping::ResourceForm;
use crate::mapping::TargetPath;
use crate::mapping::write_resource;
use crate::model::clock::Timestamp;
use crate::model::id::ObjectKind;
use crate::model::id::SourceId;
use crate::model::id::TargetId;
use crate::model::link::Intent;
use crate::model::link::Kept;
use crate::model::link::Link;
use crate::model::link::LinkOrigin;
use crate::model::value::Attributes;
use crate::model::value::Value;
use crate::model::verb::Act;
use crate::ports::Durability;
use crate::ports::MembersBefore;
use crate::ports::NewResource;
use crate::ports::Patch;
use crate::ports::StoreError;
use crate::ports::TargetError;
use crate::reconcile::guard::quarantine::Kinds;
use crate::reconcile::guard::quarantine::Said;
use crate::reconcile::operation::Change;
use crate::reconcile::operation::Operation;
use crate::reconcile::operation::Verb;
use crate::snapshot::filled::has_forecasts;
use crate::snapshot::filled::has_readings;
use crate::snapshot::read::ObjectIntent;
use crate::snapshot::read::Reads;
use crate::snapshot::store::Snapshot;

/// Good answers that are recorded while other requests of their batch are still on their way. Fewer would cost more
/// transactions than the overlap saves.
const RECORDED_EARLY: usize = 250;

impl Cycle<'_> {
    /// Carries out the works of a batch, and records the results.
    #[expect(clippy::too_many_lines, reason = "to be cut with the phases of a cycle")]
    pub(super) async fn carry_out(
        &mut self,
        kind: ObjectKind,
        works: Vec<Work>,
    ) -> Result<Carried, CycleError> {
        let mut works = works;
        find_earlier_members(&self.run, kind, &mut works).await?;
        let mapping = Arc::clone(&self.run.job.mapping);
        let (form, manager) = (self.run.job.form, self.run.manager_path());
        let now = self.run.job.clock.now();
        let paths: Arc<[TargetPath]> = self.run.key_paths(kind).into_iter().skip(1).collect();
        let keys: Vec<String> = paths.iter().map(|path| path.as_str().to_owned()).collect();
        let rides = if self.run.job.target.takes_members_in_create() {
            MEMBERS_IN_CREATE
        } else {
            0
        };
        let initial = self.run.summary.kind == Kind::Initial;
        let (works, intents) = self
            .run
            .store(move |snapshot| {
                let asks = !initial || has_readings(snapshot, kind)?;
                let preparing = Preparing {
                    snapshot,
                    mapping: &mapping,
                    form,
                    manager: manager.as_deref(),
                    keys: paths,
                    forecasts: has_forecasts(snapshot)?,
                    manages_members: mapping.reference_row(ObjectKind::Group).is_some(),
                    rides,
                };
                for work in &mut works {
                    preparing.prepare(work)?;
                    work.asks = asks;
                }
                let intents = keep_open(snapshot, &works, now, &keys)?;
                Ok((works, intents))
            })
            .await?;
        let trouble = AtomicU32::new(self.troubles.in_a_row);
        let (kinds, began) = (Mutex::new(std::mem::take(&mut self.stops.kinds)), self.run.now);
        let retried: HashSet<SourceId> = works
            .iter()
            .map(|work| work.plan.source)
            .filter(|id| self.escrow.is_due((kind, *id)))
            .collect();
        let (job, order, stop) = (self.run.job, self.run.order, &self.run.order.stop);
        let mut sending = stream::iter(works)
            .map(|work| {
                let (trouble, kinds, retried) = (&trouble, &kinds, &retried);
                async move {
                    if work.sends()
                        && let Some(verb) = locked(kinds).cuts(&work.run)
                    {
                        return (work, Answer::Cut(verb));
                    }
                    if work.creates() && job.clock.now().since(now) > job.request_timeout {
                        return (work, Answer::TooLate);
                    }
                    if work.sends() && (stop.is_cancelled() || trouble.load(Ordering::Relaxed) >= TROUBLE) {
                        return (work, Answer::NotSent);
                    }
                    if work.sends() {
                        let ending = Ending {
                            target: work.target.as_ref(),
                            result: "sending",
                            detail: None,
                        };
                        work.run
                            .iter()
                            .for_each(|operation| audit::tell(job, order, operation, ending));
                    }
                    let (work, answer) = send(job, work).await;
                    note_trouble(trouble, &answer, work.sends());
                    if work.sends() {
                        let retry = retried.contains(&work.plan.source);
                        note_kinds(&mut locked(kinds), order, (&work, &answer), retry, began);
                    }
                    (work, answer)
                }
            })
            .buffer_unordered(self.run.job.max_concurrency.max(1));
        let (mut recording, mut recorded) = (Recording::new(intents), Recorded::default());
        let (mut good, mut others) = (Vec::new(), Vec::new());
        while let Some(result) = sending.next().await {
            match result.1 {
                Answer::Done { .. } => good.push(result),
                _ => others.push(result),
            }
            // Nothing is waited for in here: the requests in flight go on only while they are polled.
            if good.len() >= RECORDED_EARLY {
                self.record_early(kind, std::mem::take(&mut good), &mut recording, &mut recorded);
            }
        }
        drop(sending);
        self.troubles.in_a_row = trouble.load(Ordering::Relaxed);
        self.stops.kinds = kinds.into_inner().unwrap_or_else(PoisonError::into_inner);
        good.append(&mut others);
        let mut recorded = self.record(kind, good, recording, recorded).await?;
        let doubted = std::mem::take(&mut recorded.doubted);
        let carried = self.conclude(recorded)?;
        self.readings.look_after_members(&self.run, doubted).await?;
        Ok(carried)
    }

    fn conclude(&self, recorded: Recorded) -> Result<Carried, CycleError> {
        if let Some(error) = recorded.fatal {
            return Err(CycleError::Target(error));
        }
        if self.troubles.is_down()
            && let Some(error) = recorded.unavailable
        {
            return Err(CycleError::Target(error));
        }
        self.run.check_stop()?;
        Ok(Carried {
            moved: recorded.moved,
            again: recorded.again,
        })
    }
}

fn locked(kinds: &Mutex<Kinds>) -> MutexGuard<'_, Kinds> {
    kinds.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What an answer says of the kinds of operations that were sent. A 409 and a 404 are observations first, and a target in
/// trouble says nothing of a kind. `retry`: an entry from escrow counts only as a probe.
fn note_kinds(
    kinds: &mut Kinds,
    order: &Order,
    (work, answer): (&Work, &Answer),
    retry: bool,
    now: Timestamp,
) {
    let refused = |error: &TargetError| matches!(error, TargetError::Refused { .. });
    for operation in &work.run {
        if retry && !kinds.is_probe(operation) {
            continue;
        }
        if let Some(error) = work.refused_whole(operation) {
            let cause = chain(error);
            let said = Said {
                cause: &cause,
                hint: error.hint(),
                now,
                actor: &order.actor,
            };
            kinds.refused(operation, &said);
            continue;
        }
        match answer {
            Answer::Done { .. } => kinds.done(operation),
            Answer::Half { .. } if operation.verb != Verb::AddMember => kinds.done(operation),
            Answer::Half { error, .. } | Answer::Failed(error) if refused(error) => {
                let cause = chain(error);
                let said = Said {
                    cause: &cause,
                    hint: error.hint(),
                    now,
                    actor: &order.actor,
                };
                kinds.refused(operation, &said);
            }
            _ => {}
        }
    }
}

fn note_trouble(trouble: &AtomicU32, answer: &Answer, sent: bool) {
    match answer {
        Answer::Failed(TargetError::Unavailable { .. }) => {
            trouble.fetch_add(1, Ordering::Relaxed);
        }
        Answer::Failed(TargetError::Unauthorized { .. }) => trouble.store(TROUBLE, Ordering::Relaxed),
        Answer::NotSent => {}
        _ if sent => trouble.store(0, Ordering::Relaxed),
        _ => {}
    }
}

/// What the target holds of what was sent: not what it emptied by itself, whose elements are gone there.
fn held_through(link: &Link) -> Attributes {
    let mut held = link.sent.clone();
    held.retain(
        |path, _| !matches!(link.kept.get::<str>(path), Some(Kept::Other(value)) if value.is_unassigned()),
    );
    held
}

/// How many members were sent before, are not at the target any more, and are sent again.
fn healed(run: &[Operation]) -> u64 {
    let added = run.iter().filter(|operation| operation.verb == Verb::AddMember);
    let members = added.flat_map(|operation| &operation.members);
    members.filter(|member| member.because.heals()).count() as u64
}

/// What the requests of a batch are made from.
struct Preparing<'a> {
    snapshot: &'a Snapshot,
    mapping: &'a Mapping,
    form: ResourceForm,
    /// The target path of the manager.
    manager: Option<&'a str>,
    /// The paths of the matching attributes.
    keys: Arc<[TargetPath]>,
    /// False while no object of this cycle has a forecast.
    forecasts: bool,
    /// True where the mapping writes the members of groups.
    manages_members: bool,
    /// How many members ride in a group's create.
    rides: usize,
}

impl Preparing<'_> {
    /// Makes the request of a work: one create, one PATCH with everything, or one delete.
    fn prepare(&self, work: &mut Work) -> Result<(), StoreError> {
        let (kind, id) = (work.plan.kind, work.plan.source);
        if work.record.is_none() {
            work.record = self.snapshot.record(kind, &id)?;
        }
        let link = work.record.as_ref().and_then(|record| record.link.as_ref());
        work.target = link.map(|link| link.target.clone());
        let mut parts = Parts::default();
        for operation in &work.run {
            match operation.verb.act() {
                Act::Link => parts.adopt(operation, &mut work.target),
                Act::Delete => parts.delete = true,
                Act::RemoveMembers => parts.remove_members(operation),
                Act::Unlink => {}
                Act::AddMembers => self.add_members(operation, &mut parts)?,
                Act::Create | Act::Update | Act::Disable | Act::Enable => {
                    self.change(operation, &mut parts)?;
                }
            }
        }
        parts.patch.members_before = MembersBefore {
            sent: work.plan.members_held.saturating_sub(healed(&work.run)),
            ours: link.is_some_and(|link| link.origin == LinkOrigin::Created) && self.manages_members,
        };
        work.rode = self.rides;
        work.sets_active = parts.sets_active;
        work.request = self.request(kind, &mut parts, link);
        work.creates = parts.create && !parts.delete;
        work.sends = !matches!(work.request, Request::None);
        (work.sent, work.added, work.removed) = (parts.sent, parts.added, parts.removed);
        work.unresolved += parts.unresolved;
        Ok(())
    }

    fn request(&self, kind: ObjectKind, parts: &mut Parts, link: Option<&Link>) -> Request {
        if parts.delete {
            return Request::Delete;
        }
        if parts.create {
            let sent = parts.sent.iter();
            let values: Vec<_> = sent
                .filter_map(|(path, value)| Some((self.mapping.target_path(kind, path)?, value)))
                .collect();
            let mut members = std::mem::take(&mut parts.patch.add_members);
            let rest = members.split_off(members.len().min(self.rides));
            let text = write_resource(kind, self.form, &values, &members);
            let body = NewResource::new(text, self.form.extension_urns_in_schemas)
                .of_shape(shape_of(&parts.sent, !members.is_empty()))
                .matched_by(Arc::clone(&self.keys));
            return Request::Create { body, rest };
        }
        let mut patch = std::mem::replace(&mut parts.patch, no_patch());
        if patch.changes.is_empty() && patch.add_members.is_empty() && patch.remove_members.is_empty() {
            return Request::None;
        }
        let adopted = parts.adopted.take();
        patch.held = adopted.or_else(|| link.map(held_through)).unwrap_or_default();
        Request::Patch(patch)
    }

    fn add_members(&self, operation: &Operation, parts: &mut Parts) -> Result<(), StoreError> {
        for member in &operation.members {
            match self.linked(&member.source)? {
                Some(target) => {
                    parts.patch.add_members.push(target.clone());
                    parts.added.push((member.source, target));
                }
                None => parts.unresolved += 1,
            }
        }
        Ok(())
    }

    /// The attributes of a create or an update.
    fn change(&self, operation: &Operation, parts: &mut Parts) -> Result<(), StoreError> {
        let creates = operation.verb.creates();
        parts.create |= creates;
        for change in &operation.changes {
            let Some(value) = self.resolve(change)? else {
                parts.unresolved += 1;
                continue;
            };
            parts.sets_active |= is_active(change);
            if !creates {
                parts.patch.changes.push(Change {
                    after: value.clone().into_owned(),
                    ..change.clone()
                });
            }
            parts.sent.insert(change.attribute.clone(), value.into_owned());
        }
        Ok(())
    }

    /// A user's resource, unless it is known to be lost.
    fn linked(&self, id: &SourceId) -> Result<Option<TargetId>, StoreError> {
        let kind = ObjectKind::User;
        let lost = self.forecasts && super::forecast::forecast_of(self.snapshot, kind, id)?.lost;
        let brief = self.snapshot.brief(kind, id)?;
        Ok(brief.and_then(|brief| brief.target).filter(|_| !lost))
    }

    /// The new value, a manager's source id replaced by its target id; `None` when it has none now.
    fn resolve<'c>(&self, change: &'c Change) -> Result<Option<Cow<'c, Value>>, StoreError> {
        if self.manager == Some(change.attribute.as_str())
            && let Some(id) = change
                .after
                .as_str()
                .and_then(|text| text.parse::<SourceId>().ok())
        {
            let target = self.linked(&id)?;
            return Ok(target.map(|target| Cow::Owned(Value::text(target.as_str()))));
        }
        Ok(Some(Cow::Borrowed(&change.after)))
    }
}

/// The same for all resources that have the same attributes.
fn shape_of(sent: &Attributes, members: bool) -> u64 {
    let mut hasher = DefaultHasher::new();
    members.hash(&mut hasher);
    for (name, value) in sent {
        if !value.is_unassigned() {
            match name.code() {
                Some(code) => code.hash(&mut hasher),
                None => name.hash(&mut hasher),
            }
        }
    }
    hasher.finish()
}

/// What the operations of one object come to.
struct Parts {
    patch: Patch,
    create: bool,
    delete: bool,
    sets_active: bool,
    /// What an adopted resource was found to hold.
    adopted: Option<Attributes>,
    sent: Attributes,
    added: Vec<(SourceId, TargetId)>,
    removed: Vec<(SourceId, TargetId)>,
    unresolved: u64,
}

impl Default for Parts {
    fn default() -> Self {
        Self {
            patch: no_patch(),
            create: false,
            delete: false,
            sets_active: false,
            adopted: None,
            sent: Attributes::new(),
            added: Vec::new(),
            removed: Vec::new(),
            unresolved: 0,
        }
    }
}

impl Parts {
    fn adopt(&mut self, operation: &Operation, target: &mut Option<TargetId>) {
        target.clone_from(&operation.target);
        let held: Attributes = operation
            .changes
            .iter()
            .map(|c| (c.attribute.clone(), c.after.clone()))
            .collect();
        self.sent.clone_from(&held);
        self.adopted = Some(held);
        let found = operation.members.iter();
        self.added
            .extend(found.filter_map(|m| Some((m.source, m.target.clone()?))));
    }

    fn remove_members(&mut self, operation: &Operation) {
        for member in &operation.members {
            if let Some(target) = &member.target {
                self.patch.remove_members.push(target.clone());
                self.removed.push((member.source, target.clone()));
            }
        }
    }
}

const fn no_patch() -> Patch {
    Patch {
        changes: Vec::new(),
        held: Attributes::new(),
        add_members: Vec::new(),
        remove_members: Vec::new(),
        members_before: MembersBefore { sent: 0, ours: false },
    }
}

/// Makes durable what a batch is about to send: the intents of its creates, and what its other writes touch. All intents that
/// are open then, by the number of their record; none where nothing is created.
fn keep_open(
    snapshot: &Snapshot,
    works: &[Work],
    now: Timestamp,
    keys: &[String],
) -> Result<Vec<(u64, Vec<ObjectIntent>)>, StoreError> {
    let intents: Vec<ObjectIntent> = works
        .iter()
        .filter(|work| work.creates())
        .map(|work| {
            let intent = Intent {
                external_id: work
                    .sent
                    .get("externalId")
                    .and_then(Value::as_str)
                    .map(str::to_owned),
                matching: keys
                    .iter()
                    .filter_map(|key| Some((key.clone(), work.sent.get(key)?.clone())))
                    .collect(),
                sent_at: now,
            };
            (work.plan.kind, work.plan.source, intent)
        })
        .collect();
    let mut open = if intents.is_empty() {
        Vec::new()
    } else {
        snapshot.intents()?
    };
    let mut tx = snapshot.tx()?;
    let writes = open::note(&mut tx, works, now)?;
    for work in works.iter().filter(|work| work.sends()) {
        work.note_found(&mut tx)?;
    }
    if intents.is_empty() && !writes {
        return Ok(open);
    }
    open.extend(tx.put_intents(intents));
    tx.commit(Durability::Synced)?;
    Ok(open)
}

async fn send(job: &Job, mut work: Work) -> (Work, Answer) {
    let kind = work.plan.kind;
    let request = std::mem::replace(&mut work.request, Request::None);
    let answer = match (request, work.target.clone()) {
        (Request::Create { body, rest }, _) => {
            let answer = match create(job, kind, body, (work.rode, &rest)).await {
                Answer::Failed(error) => create_without(job, &mut work, error).await,
                answer => answer,
            };
            let answer = was_met(job, &work, answer).await;
            let answer = complete(job, &mut work, answer).await;
            create_in_part(job, &mut work, answer).await
        }
        (Request::None, Some(target)) => Answer::Done {
            target,
            resource: None,
            whole: false,
        },
        (Request::Patch(patch), Some(target)) => update(job, target, &patch, &mut work).await,
        (Request::Delete, Some(target)) => match job.target.delete(kind, &target).await {
            Ok(()) => Answer::Done {
                target,
                resource: None,
                whole: false,
            },
            Err(error) => Answer::Failed(error),
        },
        // Nothing to do at the target, and nothing there.
        (_, None) => Answer::NotSent,
    };
    (work, answer)
}

/// A create whose answer names a resource that was listed or linked before.
async fn was_met(job: &Job, work: &Work, answer: Answer) -> Answer {
    match answer {
        Answer::Done {
            target,
            resource: Some(resource),
            ..
        } if work.asks && was_there(job, work.plan.kind, &target).await => Answer::Met { target, resource },
        other => other,
    }
}

async fn was_there(job: &Job, kind: ObjectKind, target: &TargetId) -> bool {
    let target = target.clone();
    let known = blocking(&job.snapshot, move |snapshot| {
        Ok(snapshot.owner(kind, &target)?.is_some()
            || snapshot.reading::<StoredReading>(kind, &target)?.is_some())
    });
    // The store's own trouble is met when the result is recorded.
    known.await.unwrap_or_default()
}

/// A PATCH; after a change of `active` the resource is read back whole, because some targets clear other attributes
/// with it (IDmelon clears roles). So it is after a heal, whatever was answered: services answer 200 and do nothing.
async fn update(job: &Job, target: TargetId, patch: &Patch, work: &mut Work) -> Answer {
    let (kind, heals) = (work.plan.kind, work.heals());
    let answered = match job.target.patch(kind, &target, patch).await {
        Ok(answered) => answered,
        Err(error) if work.takes_apart(patch, &error) => {
            let answered = work.set_refused(patch, error);
            work.name_refused_members(job).await;
            answered
        }
        Err(error) => return Answer::Failed(error),
    };
    let sets = |attribute: &str| {
        let mut changes = patch.changes.iter();
        changes.any(|change| change.attribute.eq_ignore_ascii_case(attribute))
    };
    // Where ids are made of names, a rename moves the resource.
    let target = match &answered {
        Some(resource) if sets("userName") => resource.id.clone(),
        _ => target,
    };
    let resource = if heals || (answered.is_none() && sets("active")) {
        // The change itself is done; an unreadable resource only leaves what it kept unknown.
        let read = job.target.read(kind, &target).await;
        read.ok().flatten().or(answered)
    } else {
        answered
    };
    let resource = match resource {
        Some(found) => match coupled::settle(job, &target, work, found).await {
            Ok(found) => Some(found),
            Err(error) => return Answer::Failed(error),
        },
        None => None,
    };
    let resource = resource.map(|resource| Answered::Tree(resource.body));
    Answer::Done {
        target,
        whole: resource.is_some(),
        resource,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shape_is_which_attributes_there_are_and_not_what_they_hold() {
        let sent = |values: &[(&str, Value)]| -> Attributes { values.iter().cloned().collect() };
        let (a, b) = (Value::text("a"), Value::text("b"));
        let named = sent(&[("userName", a.clone())]);
        let shape = shape_of(&named, false);
        assert_eq!(shape_of(&sent(&[("userName", b.clone())]), false), shape);
        assert_eq!(
            shape_of(&sent(&[("userName", a.clone()), ("title", Value::Null)]), false),
            shape
        );
        for other in [
            sent(&[]),
            sent(&[("title", a.clone())]),
            sent(&[("userName", a.clone()), ("title", b.clone())]),
            sent(&[("userName", a.clone()), ("urn:none:of:ours:x", b.clone())]),
            sent(&[("userName", a), ("urn:none:of:ours:y", b)]),
        ] {
            assert_ne!(shape_of(&other, false), shape, "{other:?}");
        }
        assert_ne!(shape_of(&named, true), shape);
    }
}
