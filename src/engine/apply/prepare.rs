//! The requests of a batch: one for each object, made from its operations and from what the snapshot says of whom they name; and
//! what is durable of them before the first is sent.

use std::borrow::Cow;
use std::hash::DefaultHasher;
use std::hash::Hash;
use std::hash::Hasher;
use std::sync::Arc;

use crate::engine::apply::earlier_members::find_earlier_members;
use crate::engine::error::CycleError;
use crate::engine::forecast::forecast_of;
use crate::engine::open;
use crate::engine::run::Run;
use crate::engine::summary::Kind;
use crate::engine::work::MEMBERS_IN_CREATE;
use crate::engine::work::Request;
use crate::engine::work::Work;
use crate::engine::work::is_active;
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
use crate::reconcile::operation::Change;
use crate::reconcile::operation::Operation;
use crate::snapshot::filled::has_forecasts;
use crate::snapshot::filled::has_readings;
use crate::snapshot::read::ObjectIntent;
use crate::snapshot::read::Reads;
use crate::snapshot::store::Snapshot;

/// The intents of creates, by the number of the record that holds them.
pub(in crate::engine) type Intents = Vec<(u64, Vec<ObjectIntent>)>;

/// A batch that may be sent.
pub(in crate::engine) struct Prepared {
    pub(in crate::engine) works: Vec<Work>,
    /// All intents that are open now; none where nothing is created.
    pub(in crate::engine) intents: Intents,
    /// When its intents were made.
    pub(in crate::engine) at: Timestamp,
}

/// Makes the requests of a batch, and keeps on disk what they are about to touch.
pub(in crate::engine) async fn prepare(
    run: &Run<'_>,
    kind: ObjectKind,
    works: Vec<Work>,
) -> Result<Prepared, CycleError> {
    let mut works = works;
    find_earlier_members(run, kind, &mut works).await?;
    let mapping = Arc::clone(&run.job.mapping);
    let (form, manager) = (ResourceForm::default(), run.manager_path());
    let at = run.job.clock.now();
    let paths: Arc<[TargetPath]> = run.key_paths(kind).into_iter().skip(1).collect();
    let keys: Vec<String> = paths.iter().map(|path| path.as_str().to_owned()).collect();
    let rides = if run.job.target.takes_members_in_create() {
        MEMBERS_IN_CREATE
    } else {
        0
    };
    let initial = run.summary.kind == Kind::Initial;
    let (works, intents) = run
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
            let intents = keep_open(snapshot, &works, at, &keys)?;
            Ok((works, intents))
        })
        .await?;
    Ok(Prepared { works, intents, at })
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
    let added = run
        .iter()
        .filter(|operation| operation.verb.act().is(Act::AddMembers));
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
                // The way back sends what goes to the source; no work of a target has one.
                Act::Unlink | Act::Join | Act::Leave => {}
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
        let lost = self.forecasts && forecast_of(self.snapshot, kind, id)?.lost;
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
) -> Result<Intents, StoreError> {
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
