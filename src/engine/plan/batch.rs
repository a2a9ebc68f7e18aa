//! The plans of a batch: views of its objects, planned on every processor.

use std::collections::BTreeMap;

use crate::engine::context::Context;
use crate::engine::forecast::Forecast;
use crate::engine::parallel::in_parallel;
use crate::engine::rules::Released;
use crate::engine::rules::Rules;
use crate::engine::rules::keep_holds;
use crate::engine::rules::keys_of;
use crate::engine::views::view_of;
use crate::engine::work::Pass;
use crate::engine::work::Removal;
use crate::engine::work::Step;
use crate::engine::work::is_active;
use crate::model::id::ObjectKind;
use crate::model::id::SourceId;
use crate::model::id::TargetId;
use crate::model::link::Link;
use crate::model::link::LinkOrigin;
use crate::model::value::Attributes;
use crate::ports::Durability;
use crate::ports::StoreError;
use crate::reconcile::forward::plan::ObjectPlan;
use crate::reconcile::forward::plan::Planner;
use crate::reconcile::forward::view::ObjectView;
use crate::reconcile::forward::view::Reference;
use crate::reconcile::forward::view::TargetReading;
use crate::reconcile::operation::Verb;
use crate::snapshot::read::Reads;
use crate::snapshot::record::Record;
use crate::snapshot::store::Snapshot;

/// What is left of a plan once its disable is carried out, or foreseen.
fn without_disable(plan: &mut ObjectPlan) {
    for operation in &mut plan.operations {
        if operation.verb == Verb::DisableUser {
            operation.verb = Verb::UpdateUser;
            operation.changes.retain(|change| !is_active(change));
            operation.narrow_reason();
        }
    }
    plan.operations
        .retain(|operation| operation.verb != Verb::UpdateUser || !operation.changes.is_empty());
}

/// The plan of one object.
pub(in crate::engine) struct Planned {
    pub(in crate::engine) plan: ObjectPlan,
    /// The removal that the first pass counted for it.
    pub(in crate::engine) removal: Option<Removal>,
    /// The removals of those whose memberships go with them.
    pub(in crate::engine) of_members: BTreeMap<SourceId, Verb>,
    /// What it was planned from, as the snapshot has it; `None` where it is to be read again.
    pub(in crate::engine) record: Option<Record>,
}

/// The plans of a batch.
#[derive(Default)]
pub(in crate::engine) struct PlannedBatch {
    pub(in crate::engine) plans: Vec<Planned>,
    /// Some wait for their managers, and were not planned.
    pub(in crate::engine) waiting: bool,
}

/// A user whose first operations, without its manager, are in the plan already: as they will leave it. What a
/// cycle that writes finds in the snapshot by then.
fn as_foreseen(planner: &Planner<'_>, view: &mut ObjectView, target: Option<TargetId>) {
    let manager = std::mem::replace(&mut view.manager, Reference::Absent);
    let first = planner.plan(view);
    view.manager = manager;
    let fresh = || Link {
        target: target
            .or_else(|| TargetId::new("(to be created)"))
            .expect("a text that is not empty"),
        origin: LinkOrigin::Created,
        since: planner.now,
        sent: Attributes::new(),
        kept: BTreeMap::new(),
    };
    let link = view.link.get_or_insert_with(fresh);
    let changes = first
        .operations
        .into_iter()
        .flat_map(|operation| operation.changes);
    for change in changes.chain(first.record) {
        if change.after.is_unassigned() {
            link.sent.remove(&change.attribute);
        } else {
            link.sent.insert(change.attribute, change.after);
        }
    }
    view.target = TargetReading::NotAsked;
}

/// How the users are taken away whose memberships go with them.
fn removals_of_members(
    snapshot: &Snapshot,
    plan: &ObjectPlan,
) -> Result<BTreeMap<SourceId, Verb>, StoreError> {
    let mut removals = BTreeMap::new();
    let operations = plan.operations.iter();
    let leave = operations.filter(|operation| operation.verb == Verb::RemoveMember);
    for member in leave.flat_map(|operation| &operation.members) {
        if member.with_user
            && let Some(removal) = snapshot.removal::<Removal>(ObjectKind::User, &member.source)?
        {
            removals.insert(member.source, removal.verb);
        }
    }
    Ok(removals)
}

/// Views and plans of a batch, on every processor: they do not depend on each other, and with the reading of the records
/// they are most of a cycle in which little is sent.
pub(in crate::engine) fn plan_batch(
    snapshot: &Snapshot,
    step: Step,
    ids: &[SourceId],
    rules: &Rules,
    context: &Context,
) -> Result<PlannedBatch, StoreError> {
    let mut planned = PlannedBatch::default();
    for part in in_parallel(ids, !context.releases, |ids| {
        plan_part(snapshot, step, ids, rules, context)
    })? {
        planned.waiting |= part.waiting;
        planned.plans.extend(part.plans);
    }
    Ok(planned)
}

/// The part of a batch that one processor does, with the removal that the first pass counted for each object.
fn plan_part(
    snapshot: &Snapshot,
    step: Step,
    ids: &[SourceId],
    rules: &Rules,
    context: &Context,
) -> Result<PlannedBatch, StoreError> {
    let planning = Planning {
        snapshot,
        step,
        context,
        planner: rules.planner(step.settle),
    };
    let mut planned = PlannedBatch::default();
    let mut forecasts = context.forecasts_of(snapshot, step.kind, ids)?;
    let objects = snapshot.raw_objects(step.kind, ids)?;
    let mut released = Vec::new();
    for (id, bytes) in ids.iter().zip(objects) {
        let Some(bytes) = bytes else { continue };
        let forecast = forecasts.remove(id).unwrap_or_default();
        if planning.is_over(&forecast) {
            continue;
        }
        if planning.waits(*id, &bytes, &forecast)? {
            planned.waiting = true;
            continue;
        }
        if let Some(view) = planning.view(*id, &bytes, &forecast)? {
            let (one, left) = planning.plan(view, &forecast)?;
            planned.plans.push(one);
            released.extend(left);
        }
    }
    if context.releases && !released.is_empty() {
        let mut tx = snapshot.tx()?;
        for (kind, id, left) in released {
            tx.put_undone(kind, &id, left.as_ref());
        }
        tx.commit(Durability::Lazy)?;
    }
    Ok(planned)
}

/// What the objects of a batch are planned with.
struct Planning<'a> {
    snapshot: &'a Snapshot,
    step: Step,
    context: &'a Context,
    planner: Planner<'a>,
}

impl Planning<'_> {
    /// True for an object whose manager may be referred to only once its other operations are in the plan.
    fn follows(&self, forecast: &Forecast) -> bool {
        forecast.late && self.step.pass == Pass::Users
    }

    /// True for an object of which everything is in the plan already.
    fn is_over(&self, forecast: &Forecast) -> bool {
        forecast.done && self.step.pass != Pass::Deletes && !self.follows(forecast)
    }

    /// True for a user who waits for a manager without a resource.
    fn waits(&self, id: SourceId, bytes: &[u8], forecast: &Forecast) -> Result<bool, StoreError> {
        let Step { kind, pass, settle } = self.step;
        let asks = pass == Pass::Users && !settle && !self.follows(forecast) && self.planner.sends_managers();
        if !asks {
            return Ok(false);
        }
        let brief = self.snapshot.decode_brief(kind, id, bytes)?;
        self.context.waits_for_manager(self.snapshot, &id, &brief)
    }

    /// The object as it is planned. `None` where this pass has nothing to do with it.
    fn view(
        &self,
        id: SourceId,
        bytes: &[u8],
        forecast: &Forecast,
    ) -> Result<Option<ObjectView>, StoreError> {
        let Step { kind, pass, .. } = self.step;
        let record = self.snapshot.decode_record(kind, id, bytes)?;
        // Nobody is a member of a resource that is not there; looking at each of the group's members would be in vain.
        if pass == Pass::MembersOut && (record.link.is_none() || forecast.lost) {
            return Ok(None);
        }
        let mut view = view_of(self.snapshot, self.context, record, forecast, &|view| {
            keys_of(&self.planner, view)
        })?;
        if forecast.done && self.follows(forecast) {
            if !matches!(view.manager, Reference::Linked(_) | Reference::Expected(_)) {
                return Ok(None);
            }
            as_foreseen(&self.planner, &mut view, forecast.linked.clone().flatten());
        }
        // Its resource goes to a newcomer, who may yet be kept from taking it.
        let goes = kind == ObjectKind::User && view.link.is_some() && self.context.rehires.is_leaver(id);
        Ok((!goes).then_some(view))
    }

    /// The plan of one object, and what of an undo's hold on it is left, where the source let go of some.
    fn plan(&self, view: ObjectView, forecast: &Forecast) -> Result<(Planned, Option<Released>), StoreError> {
        let (kind, id, filled) = (self.step.kind, view.object.id, &self.context.filled);
        let mut plan = self.planner.plan(&view);
        let released = if filled.holds {
            keep_holds(self.snapshot, &view, &mut plan)?
        } else {
            None
        };
        if forecast.members_out {
            plan.operations
                .retain(|operation| operation.verb != Verb::RemoveMember);
        }
        if forecast.disabled {
            without_disable(&mut plan);
        }
        let (removal, of_members) = if filled.removals {
            let removal = self.snapshot.removal::<Removal>(kind, &id)?;
            (removal, removals_of_members(self.snapshot, &plan)?)
        } else {
            (None, BTreeMap::new())
        };
        let is_kept = !view.lost && !forecast.done;
        let (object, link) = view.into_read();
        let record = is_kept.then_some(Record { object, link });
        let planned = Planned {
            plan,
            removal,
            of_members,
            record,
        };
        Ok((planned, released))
    }
}
