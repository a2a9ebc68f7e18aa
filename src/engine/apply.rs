//! Apply: carries out the operations of a batch. No decision is left to make here.
//!
//! Concurrent across objects, one request at a time for one object. Operations name source ids; the target
//! ids are put in here, from the snapshot. Before the creates of a batch are sent, their intents are durable.

use std::sync::atomic::AtomicU32;
use std::sync::atomic::Ordering;

use futures::StreamExt;
use futures::stream;

use super::cycle::Cycle;
use super::cycle::CycleError;
use super::job::Job;
use super::passes::Pass;
use super::record::Recorded;
use crate::mapping::Mapping;
use crate::mapping::TargetPath;
use crate::mapping::build_resource;
use crate::model::clock::Timestamp;
use crate::model::id::ObjectKind;
use crate::model::id::SourceId;
use crate::model::id::TargetId;
use crate::model::link::Intent;
use crate::model::link::Kept;
use crate::model::link::Link;
use crate::model::value::Attributes;
use crate::model::value::Value;
use crate::ports::Durability;
use crate::ports::Patch;
use crate::ports::Resource;
use crate::ports::StoreError;
use crate::ports::TargetError;
use crate::reconcile::operation::Change;
use crate::reconcile::operation::Operation;
use crate::reconcile::operation::Verb;
use crate::reconcile::plan::ObjectPlan;
use crate::snapshot::read::ObjectIntent;
use crate::snapshot::read::Reads;
use crate::snapshot::store::Snapshot;

/// What one pass does to one object.
#[derive(Debug)]
pub(super) struct Work {
    /// The plan, its operations taken out.
    pub(super) plan: ObjectPlan,
    /// The pass.
    pub(super) pass: Pass,
    /// The operations of this pass, in order.
    pub(super) run: Vec<Operation>,
    /// True when the plan has more than this pass does: the object stays dirty.
    pub(super) left: bool,
    /// The request that they make; none for a link alone.
    request: Request,
    creates: bool,
    sends: bool,
    /// The link as it is now, or as the link operation makes it.
    pub(super) target: Option<TargetId>,
    /// Attributes as sent, target ids put in.
    pub(super) sent: Attributes,
    /// Members as sent: added (or found there) and removed.
    pub(super) added: Vec<(SourceId, TargetId)>,
    /// See [`Self::added`].
    pub(super) removed: Vec<(SourceId, TargetId)>,
    /// References that have no target id at this moment: the object stays dirty.
    pub(super) unresolved: u64,
}

#[derive(Debug)]
enum Request {
    None,
    Create {
        body: serde_json::Value,
        rest: Vec<TargetId>,
    },
    Patch(Patch),
    Delete,
}

/// How a request ended.
#[derive(Debug)]
pub(super) enum Answer {
    /// Done; the resource as the target now holds it, where it said so.
    Done {
        target: TargetId,
        resource: Option<serde_json::Value>,
        whole: bool,
    },
    /// The create went through; the members that did not fit into it did not.
    Half {
        target: TargetId,
        resource: serde_json::Value,
        error: TargetError,
    },
    /// Not done, or not known to be.
    Failed(TargetError),
    /// Not sent: the cycle was asked to stop, or the target is in trouble.
    NotSent,
}

/// What became of a batch.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Carried {
    /// Something was carried out or settled.
    pub(super) moved: bool,
    /// What apply learned asks for another sweep.
    pub(super) again: bool,
}

/// Members that ride in a group's create; more follow in PATCHes (servers limit the size of a body).
pub(super) const MEMBERS_IN_CREATE: usize = 1000;

/// Answers in a row after which the target as a whole counts as out of reach. One record that a server
/// answers with 500 must not stop the others; ten in a row are not one record.
const TROUBLE: u32 = 10;

impl Work {
    pub(super) const fn new(plan: ObjectPlan, pass: Pass) -> Self {
        Self {
            plan,
            pass,
            run: Vec::new(),
            left: false,
            request: Request::None,
            creates: false,
            sends: false,
            target: None,
            sent: Attributes::new(),
            added: Vec::new(),
            removed: Vec::new(),
            unresolved: 0,
        }
    }

    /// True when the request is a create.
    pub(super) const fn creates(&self) -> bool {
        self.creates
    }

    /// True when nothing is left to do for the object once this is done: its dirty mark goes.
    pub(super) fn completes(&self) -> bool {
        !self.left && self.unresolved == 0 && self.plan.settles() && self.pass != Pass::MembersOut
    }

    /// True when there is a request to send.
    pub(super) const fn sends(&self) -> bool {
        self.sends
    }
}

impl Cycle<'_> {
    /// Carries out the works of a batch, and records the results.
    pub(super) async fn carry_out(
        &mut self,
        kind: ObjectKind,
        works: Vec<Work>,
    ) -> Result<Carried, CycleError> {
        let mapping = std::sync::Arc::clone(&self.job.mapping);
        let (form, manager) = (self.job.form, self.manager_path());
        let now = self.job.clock.now();
        let keys: Vec<String> = self
            .key_paths(kind)
            .iter()
            .skip(1)
            .map(|path| path.as_str().to_owned())
            .collect();
        let (works, intents) = self
            .store(move |snapshot| {
                let mut works = works;
                for work in &mut works {
                    prepare(snapshot, work, &mapping, form, manager.as_deref())?;
                }
                let intents = keep_intents(snapshot, &works, now, &keys)?;
                Ok((works, intents))
            })
            .await?;
        let trouble = AtomicU32::new(self.trouble);
        let (job, stop) = (self.job, &self.order.stop);
        let results: Vec<(Work, Answer)> = stream::iter(works)
            .map(|work| {
                let trouble = &trouble;
                async move {
                    if work.sends() && (stop.is_cancelled() || trouble.load(Ordering::Relaxed) >= TROUBLE) {
                        return (work, Answer::NotSent);
                    }
                    let (work, answer) = send(job, work).await;
                    note_trouble(trouble, &answer, work.sends());
                    (work, answer)
                }
            })
            .buffer_unordered(self.job.max_concurrency.max(1))
            .collect()
            .await;
        self.trouble = trouble.load(Ordering::Relaxed);
        let recorded = self.record(kind, results, intents).await?;
        self.conclude(recorded)
    }

    fn manager_path(&self) -> Option<String> {
        let row = self.job.mapping.reference_row(ObjectKind::User);
        row.map(|(_, row)| row.target.as_str().to_owned())
    }

    fn conclude(&self, recorded: Recorded) -> Result<Carried, CycleError> {
        if let Some(error) = recorded.fatal {
            return Err(CycleError::Target(error));
        }
        if self.trouble >= TROUBLE
            && let Some(error) = recorded.unavailable
        {
            return Err(CycleError::Target(error));
        }
        self.check_stop()?;
        Ok(Carried {
            moved: recorded.moved,
            again: recorded.again,
        })
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
    held.retain(|path, _| !matches!(link.kept.get(path), Some(Kept::Other(value)) if value.is_unassigned()));
    held
}

/// Makes the request of a work: one create, one PATCH with everything, or one delete.
fn prepare(
    snapshot: &Snapshot,
    work: &mut Work,
    mapping: &Mapping,
    form: crate::mapping::ResourceForm,
    manager: Option<&str>,
) -> Result<(), StoreError> {
    let (kind, id) = (work.plan.kind, work.plan.source);
    let record = snapshot.record(kind, &id)?;
    let link = record.and_then(|record| record.link);
    let mut held = link.as_ref().map(held_through).unwrap_or_default();
    work.target = link.map(|link| link.target);
    let mut patch = Patch {
        changes: Vec::new(),
        held: Attributes::new(),
        add_members: Vec::new(),
        remove_members: Vec::new(),
    };
    let (mut create, mut delete) = (false, false);
    for operation in &work.run {
        match operation.verb {
            Verb::LinkUser | Verb::LinkGroup => {
                work.target.clone_from(&operation.target);
                held = operation
                    .changes
                    .iter()
                    .map(|c| (c.attribute.clone(), c.after.clone()))
                    .collect();
                work.sent.clone_from(&held);
                let found = operation
                    .members
                    .iter()
                    .filter_map(|m| Some((m.source, m.target.clone()?)));
                work.added.extend(found);
            }
            Verb::DeleteUser | Verb::DeleteGroup => delete = true,
            Verb::RemoveMember => {
                for member in &operation.members {
                    if let Some(target) = &member.target {
                        patch.remove_members.push(target.clone());
                        work.removed.push((member.source, target.clone()));
                    }
                }
            }
            Verb::AddMember => {
                for member in &operation.members {
                    match linked(snapshot, &member.source)? {
                        Some(target) => {
                            patch.add_members.push(target.clone());
                            work.added.push((member.source, target));
                        }
                        None => work.unresolved += 1,
                    }
                }
            }
            verb => {
                create |= matches!(verb, Verb::CreateUser | Verb::CreateGroup);
                for change in &operation.changes {
                    match resolve(snapshot, change, manager)? {
                        Some(change) => {
                            work.sent.insert(change.attribute.clone(), change.after.clone());
                            patch.changes.push(change);
                        }
                        None => work.unresolved += 1,
                    }
                }
            }
        }
    }
    work.request = if delete {
        Request::Delete
    } else if create {
        let values = patch.changes.iter().filter_map(|c| {
            Some((
                mapping.target_path(kind, &c.attribute)?.into_owned(),
                c.after.clone(),
            ))
        });
        let values: Vec<(TargetPath, Value)> = values.collect();
        let mut body = build_resource(kind, form, &values);
        let rest = patch
            .add_members
            .split_off(patch.add_members.len().min(MEMBERS_IN_CREATE));
        if !patch.add_members.is_empty() {
            body["members"] = patch
                .add_members
                .iter()
                .map(|t| serde_json::json!({"value": t.as_str()}))
                .collect();
        }
        Request::Create { body, rest }
    } else if patch.changes.is_empty() && patch.add_members.is_empty() && patch.remove_members.is_empty() {
        Request::None
    } else {
        patch.held = held;
        Request::Patch(patch)
    };
    work.creates = create && !delete;
    work.sends = !matches!(work.request, Request::None);
    Ok(())
}

/// A user's resource, unless it is known to be lost.
fn linked(snapshot: &Snapshot, id: &SourceId) -> Result<Option<TargetId>, StoreError> {
    let lost = super::cycle::forecast_of(snapshot, ObjectKind::User, id)?.lost;
    let brief = snapshot.brief(ObjectKind::User, id)?;
    Ok(brief.and_then(|brief| brief.target).filter(|_| !lost))
}

/// The change with the manager's source id replaced by its target id; `None` when it has none now.
fn resolve(
    snapshot: &Snapshot,
    change: &Change,
    manager: Option<&str>,
) -> Result<Option<Change>, StoreError> {
    let mut change = change.clone();
    if manager == Some(change.attribute.as_str())
        && let Some(id) = change
            .after
            .as_str()
            .and_then(|text| text.parse::<SourceId>().ok())
    {
        match linked(snapshot, &id)? {
            Some(target) => change.after = Value::text(target.as_str()),
            None => return Ok(None),
        }
    }
    Ok(Some(change))
}

/// Makes the intents of a batch's creates durable, before any of them is sent; the numbers of their records.
fn keep_intents(
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
    if intents.is_empty() {
        return Ok(Vec::new());
    }
    let mut tx = snapshot.tx()?;
    let _ = tx.put_intents(&intents);
    tx.commit(Durability::Synced)?;
    snapshot.intents()
}

async fn send(job: &Job, mut work: Work) -> (Work, Answer) {
    let kind = work.plan.kind;
    let request = std::mem::replace(&mut work.request, Request::None);
    let answer = match (request, work.target.clone()) {
        (Request::Create { body, rest }, _) => create(job, kind, body, &rest).await,
        (Request::None, Some(target)) => Answer::Done {
            target,
            resource: None,
            whole: false,
        },
        (Request::Patch(patch), Some(target)) => update(job, kind, target, &patch).await,
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

async fn create(job: &Job, kind: ObjectKind, body: serde_json::Value, rest: &[TargetId]) -> Answer {
    let Resource { id, body } = match job.target.create(kind, body).await {
        Ok(resource) => resource,
        Err(error) => return Answer::Failed(error),
    };
    if rest.is_empty() {
        return Answer::Done {
            target: id,
            resource: Some(body),
            whole: true,
        };
    }
    let patch = Patch {
        changes: Vec::new(),
        held: Attributes::new(),
        add_members: rest.to_vec(),
        remove_members: Vec::new(),
    };
    match job.target.patch(kind, &id, &patch).await {
        Ok(_) => Answer::Done {
            target: id,
            resource: Some(body),
            whole: true,
        },
        Err(error) => Answer::Half {
            target: id,
            resource: body,
            error,
        },
    }
}

/// A PATCH; after a change of `active` the resource is read back whole, because some targets clear other
/// attributes with it (IDmelon clears roles).
async fn update(job: &Job, kind: ObjectKind, target: TargetId, patch: &Patch) -> Answer {
    match job.target.patch(kind, &target, patch).await {
        Ok(Some(resource)) => Answer::Done {
            target,
            resource: Some(resource.body),
            whole: true,
        },
        Ok(None) if patch.changes.iter().any(|change| change.attribute == "active") => {
            // The change itself is done; an unreadable resource only leaves what it kept unknown.
            let resource = job
                .target
                .read(kind, &target)
                .await
                .ok()
                .flatten()
                .map(|resource| resource.body);
            let whole = resource.is_some();
            Answer::Done {
                target,
                resource,
                whole,
            }
        }
        Ok(None) => Answer::Done {
            target,
            resource: None,
            whole: false,
        },
        Err(error) => Answer::Failed(error),
    }
}
