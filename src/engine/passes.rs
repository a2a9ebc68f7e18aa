//! The passes of a cycle over its dirty objects: the same for `plan` and `sync`.
//!
//! First what takes access away, then users, groups and their members, deletes last. Each pass streams over
//! the dirty list in batches: views are read, planned, and what the pass may do is carried out and recorded
//! (or, when only planning, forecast) before the next batch is read.

use std::collections::BTreeMap;

use super::context::Context;
use super::cycle::Cycle;
use super::error::CycleError;
use super::parallel::in_parallel;
use super::plan::unique_names::Turn;
use super::rules::Rules;
use super::rules::keep_holds;
use super::rules::keys_of;
use super::standing::Fact;
use super::views::view_of;
use super::work::Pass;
use super::work::Removal;
use super::work::Work;
use super::work::is_active;
use crate::mapping::names::APP_ROLES;
use crate::model::id::ObjectKind;
use crate::model::id::SourceId;
use crate::model::id::TargetId;
use crate::model::link::Link;
use crate::model::link::LinkOrigin;
use crate::model::value::Attributes;
use crate::ports::Durability;
use crate::ports::StoreError;
use crate::reconcile::explain;
use crate::reconcile::omission::Omission;
use crate::reconcile::operation::Verb;
use crate::reconcile::plan::ObjectPlan;
use crate::reconcile::plan::Planner;
use crate::reconcile::unique_values::UniqueValues;
use crate::reconcile::unique_values::unique_name;
use crate::reconcile::view::ObjectView;
use crate::reconcile::view::Reference;
use crate::reconcile::view::TargetReading;
use crate::snapshot::filled::has_readings;
use crate::snapshot::read::Reads;
use crate::snapshot::record::Record;
use crate::snapshot::store::Snapshot;

/// What became of a batch.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Progress {
    /// Something was carried out or settled.
    moved: bool,
    /// Something waits for another object of the same pass.
    waiting: bool,
    /// Objects that had something to carry out or to record.
    works: usize,
}

/// Pages that are planned together where most of their objects wait for others: managers are one in ten, and a batch of
/// few requests leaves the target idle at its end. More would only cost memory where the next page is a full one.
const PAGES_TOGETHER: usize = 4;

impl Cycle<'_> {
    /// Counts what is to be removed, and asks the guard for its word.
    pub(super) async fn guard(&mut self) -> Result<(), CycleError> {
        self.run.order.watcher.progress("planning removals", 0, None);
        self.judge.begin(&self.run).await?;
        self.names.wanted = UniqueValues::default();
        let creates =
            self.run.order.allow_creations.is_some() || self.run.job.policy.creation_threshold.is_some();
        for kind in self.run.job.managed.clone() {
            if self.intake.stopped.contains(&kind) {
                continue;
            }
            // Without links and without candidates nothing at the target can be taken away.
            let nothing = self
                .run
                .store(move |snapshot| {
                    Ok(snapshot.counts()?.linked(kind) == 0 && !has_readings(snapshot, kind)?)
                })
                .await?;
            if nothing && !creates {
                continue;
            }
            let (rules, context) = (self.readings.rules(&self.run), self.context(kind, false).await?);
            let wanted = self.judge.count(&self.run, kind, rules, context).await?;
            self.names.wanted.extend(wanted);
        }
        self.overtaking.looked = self.run.job.clock.now();
        self.judge.judge(&self.run).await
    }

    /// Users that lose access, before anything else.
    pub(super) async fn disables(&mut self) -> Result<(), CycleError> {
        self.removals(ObjectKind::User, Pass::Disables, &[Verb::DisableUser])
            .await
    }

    /// Deletes: groups first, whose members are still there to be removed from nothing else.
    pub(super) async fn deletes(&mut self) -> Result<(), CycleError> {
        self.removals(ObjectKind::Group, Pass::Deletes, &[Verb::DeleteGroup])
            .await?;
        self.removals(ObjectKind::User, Pass::Deletes, &[Verb::DeleteUser])
            .await
    }

    async fn removals(&mut self, of: ObjectKind, pass: Pass, verbs: &[Verb]) -> Result<(), CycleError> {
        if !self.run.job.managed.contains(&of) {
            return Ok(());
        }
        let (mut after, mut again) = (None, false);
        loop {
            if pass == Pass::Deletes {
                self.overtake().await?;
            }
            let closed = self.judge.approval(of).withheld().is_some();
            let limit = self.run.job.batch;
            let page = self
                .run
                .store(move |snapshot| snapshot.removals::<Removal>(after, limit))
                .await?;
            let Some(last) = page.last() else {
                if !std::mem::take(&mut again) {
                    return Ok(());
                }
                after = None;
                continue;
            };
            after = Some((last.0, last.1));
            let ids: Vec<SourceId> = page
                .iter()
                .filter(|(kind, _, removal)| *kind == of && verbs.contains(&removal.verb))
                .filter(|(kind, id, removal)| {
                    !closed || self.judge.kept_back.lets_through(*kind, *id, removal.verb)
                })
                .map(|(_, id, _)| *id)
                .collect();
            let released = self.stops.kinds.released.len();
            self.batch(of, ids, pass, true).await?;
            again |= self.stops.kinds.released.len() > released;
        }
    }

    /// Members that leave the groups that are linked already.
    pub(super) async fn members_out(&mut self) -> Result<(), CycleError> {
        if self.run.job.managed.contains(&ObjectKind::Group) {
            self.sweep(ObjectKind::Group, Pass::MembersOut, true).await?;
        }
        Ok(())
    }

    /// Users, managers before their reports: sweeps until nothing waits. Managers in a circle, or that
    /// cannot be created, are not waited for in the last sweep; they are referred to when they appear.
    pub(super) async fn users(&mut self) -> Result<(), CycleError> {
        if !self.run.job.managed.contains(&ObjectKind::User) {
            return Ok(());
        }
        let mut settle = false;
        loop {
            self.names.look_again(ObjectKind::User);
            let progress = self.sweep(ObjectKind::User, Pass::Users, settle).await?;
            // Without anything sent nobody else is marked: once nobody waits, there is nothing left to look at again.
            if !(progress.waiting
                || self.names.waits(ObjectKind::User)
                || progress.moved && self.run.applies())
            {
                return Ok(());
            }
            if settle && !progress.moved && self.names.break_circle(ObjectKind::User) {
                continue;
            }
            match (progress.waiting, progress.moved, settle) {
                (false, _, true) | (true, false, true) => return Ok(()),
                (true, true, _) => {}
                (false, _, false) | (true, false, false) => settle = true,
            }
        }
    }

    /// Groups; twice where what apply learned asks for it.
    pub(super) async fn groups(&mut self) -> Result<(), CycleError> {
        if !self.run.job.managed.contains(&ObjectKind::Group) {
            return Ok(());
        }
        loop {
            self.names.look_again(ObjectKind::Group);
            let progress = self.sweep(ObjectKind::Group, Pass::Groups, true).await?;
            if progress.waiting && progress.moved {
                continue;
            }
            if !self.names.break_circle(ObjectKind::Group) {
                return Ok(());
            }
        }
    }

    /// Once the deletes are done, names may be free that users waited for. Whoever waits on waits for the next cycle.
    pub(super) async fn late_values(&mut self) -> Result<(), CycleError> {
        if !self.names.any_waits() {
            return Ok(());
        }
        self.users().await?;
        self.groups().await?;
        for ((kind, id), (holder, name)) in self.names.take_waiting() {
            let omission = Omission::WaitsForValue {
                attribute: unique_name(kind),
                holder,
            };
            self.run.omit(kind, id, &name, &omission);
        }
        Ok(())
    }

    /// One sweep over the dirty objects of a kind.
    async fn sweep(&mut self, kind: ObjectKind, pass: Pass, settle: bool) -> Result<Progress, CycleError> {
        let mut sum = Progress::default();
        let mut after: Option<SourceId> = None;
        let of = self.run.store(move |snapshot| snapshot.dirty_count(kind)).await?;
        let (mut seen, mut pages) = (0, 1);
        loop {
            self.overtake().await?;
            let limit = self.run.job.batch * pages;
            let page = self
                .run
                .store(move |snapshot| snapshot.dirty(kind, after.as_ref(), limit))
                .await?;
            let Some((last, _)) = page.last() else {
                return Ok(sum);
            };
            after = Some(*last);
            seen += page.len() as u64;
            self.run
                .order
                .watcher
                .progress(pass.phase(), seen.min(of), Some(of));
            let ids: Vec<SourceId> = page.into_iter().map(|(id, _)| id).collect();
            let looked_at = ids.len();
            let progress = self.batch(kind, ids, pass, settle).await?;
            pages = match progress.works.saturating_mul(PAGES_TOGETHER) {
                few if few < looked_at => (pages * 2).min(PAGES_TOGETHER),
                _ => 1,
            };
            sum.moved |= progress.moved;
            sum.waiting |= progress.waiting;
        }
    }

    /// Plans a batch, and carries out what the pass may do.
    pub(super) async fn batch(
        &mut self,
        kind: ObjectKind,
        ids: Vec<SourceId>,
        pass: Pass,
        settle: bool,
    ) -> Result<Progress, CycleError> {
        self.run.check_stop()?;
        let ids: Vec<SourceId> = ids
            .into_iter()
            .filter(|id| self.intake.may_plan(&self.run, kind, *id))
            .collect();
        if ids.is_empty() {
            return Ok(Progress::default());
        }
        let (rules, context) = (self.readings.rules(&self.run), self.context(kind, true).await?);
        let planned = self
            .run
            .store(move |snapshot| plan_batch(snapshot, kind, &ids, pass, &rules, &context, settle))
            .await?;
        let mut progress = Progress {
            waiting: planned.waiting,
            ..Progress::default()
        };
        let mut works = Vec::new();
        let (blocked, released) = (
            self.run.standing.count(Fact::HeldUp),
            self.stops.kinds.released.len(),
        );
        for one in planned.plans {
            progress.waiting |=
                one.plan.pending_references > 0 || one.plan.omissions.contains(&Omission::WaitsForManager);
            works.extend(self.select(pass, one));
        }
        progress.works = works.len();
        progress.waiting |= matches!(pass, Pass::Users | Pass::Groups) && self.names.waits(kind);
        // Who is found to be held up moves those who waited for it.
        progress.moved |= self.run.standing.count(Fact::HeldUp) > blocked;
        let outcome = if self.run.applies() {
            self.carry_out(kind, works).await?
        } else {
            self.foresee(kind, works).await?
        };
        // Where a probe worked, the others of its kind follow.
        let released = self.stops.kinds.released.len() > released;
        progress.moved |= outcome.moved || released;
        progress.waiting |= outcome.again || released;
        self.judge.keep_withheld(&self.run).await?;
        Ok(progress)
    }

    /// Picks the operations of a plan that this pass carries out; what is held back or left is said.
    fn select(&mut self, pass: Pass, planned: Planned) -> Option<Work> {
        if planned.plan.omissions.contains(&Omission::WaitsForManager) {
            return None;
        }
        let mut planned = planned;
        let turn = match pass {
            Pass::Users | Pass::Groups => self.turn(&mut planned.plan),
            _ => Turn::Free,
        };
        if turn == Turn::Wait {
            return None;
        }
        let counted = planned.removal.is_some();
        let mut work = Work::new(planned.plan, planned.record, pass);
        // Neither its scope nor what was not read of it was looked at again: its mark is for the next cycle.
        work.left = turn == Turn::MakeWay || self.run.overtaking;
        work.removals = planned.of_members;
        let all = std::mem::take(&mut work.plan.operations);
        for operation in all {
            if !pass.takes(operation.verb) {
                work.left = true;
                continue;
            }
            if !self
                .judge
                .admit(&mut self.run, pass, operation, counted, &mut work)
            {
                break;
            }
        }
        self.keep_to_plan(&mut work);
        self.stops.keep_to_kinds(&mut self.run, &mut work);
        match pass {
            Pass::Users if work.run.is_empty() && !work.plan.settles() => {
                self.run
                    .standing
                    .note((work.plan.kind, work.plan.source), Fact::HeldUp);
            }
            Pass::MembersOut if !work.run.is_empty() => {
                self.run
                    .standing
                    .note((work.plan.kind, work.plan.source), Fact::MembersGone);
            }
            // Its operations were said when its members went.
            Pass::Groups
                if self
                    .run
                    .standing
                    .is((work.plan.kind, work.plan.source), Fact::MembersGone) =>
            {
                work.plan
                    .omissions
                    .retain(|omission| *omission != Omission::Unchanged);
            }
            _ => {}
        }
        self.report(pass, &work);
        (pass != Pass::MembersOut || !work.run.is_empty()).then_some(work)
    }

    /// Returns whether an object can have its name now.
    fn turn(&mut self, plan: &mut ObjectPlan) -> Turn {
        if self.judge.kept_back.whole(plan.kind, plan.source).is_some() {
            return Turn::Free;
        }
        let approvals = self.judge.approvals.as_ref();
        let renames = approvals.is_some_and(|approvals| approvals.identities.withheld().is_none());
        self.names.turn(plan, renames)
    }

    /// Leaves what is not in the saved plan, where one is carried out.
    fn keep_to_plan(&mut self, work: &mut Work) {
        let Some(plan) = &self.run.order.only else { return };
        let mut run = Vec::with_capacity(work.run.len());
        for operation in std::mem::take(&mut work.run) {
            let (verb, shown) = (
                operation.verb,
                explain::redacted(&self.run.job.mapping, &operation).into_owned(),
            );
            let (kept, left) = plan.admit(operation, &shown);
            run.extend(kept);
            if left > 0 {
                self.run.left.unplanned += left;
                work.left = true;
                work.plan
                    .omissions
                    .push(Omission::NotInPlan { verb, count: left });
            }
        }
        work.run = run;
    }

    /// Says what is not done, once an object. Of the members' own pass only what it holds back: the rest is
    /// the groups' pass to say.
    fn report(&mut self, pass: Pass, work: &Work) {
        let plan = &work.plan;
        let (kind, id) = (plan.kind, plan.source);
        if self.run.standing.is((kind, id), Fact::Reported) {
            return;
        }
        let out = pass == Pass::MembersOut;
        for omission in &plan.omissions {
            if !out || matches!(omission, Omission::Withheld { .. }) {
                self.run.omit(kind, id, &plan.name, omission);
            }
        }
        if !out {
            for awaited in &plan.pending {
                self.run.summary.await_next(awaited);
            }
            self.run.summary.skipped.reference_out_of_scope += plan.skipped_references;
            if !(plan.omissions.is_empty() && plan.skipped_references == 0) {
                self.run.standing.note((kind, id), Fact::Reported);
            }
        }
    }
}

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
struct Planned {
    plan: ObjectPlan,
    /// The removal that the first pass counted for it.
    removal: Option<Removal>,
    /// The removals of those whose memberships go with them.
    of_members: BTreeMap<SourceId, Verb>,
    /// What it was planned from, as the snapshot has it; `None` where it is to be read again.
    record: Option<Record>,
}

/// The plans of a batch.
#[derive(Default)]
struct PlannedBatch {
    plans: Vec<Planned>,
    /// Some wait for their managers, and were not planned.
    waiting: bool,
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
fn plan_batch(
    snapshot: &Snapshot,
    kind: ObjectKind,
    ids: &[SourceId],
    pass: Pass,
    rules: &Rules,
    context: &Context,
    settle: bool,
) -> Result<PlannedBatch, StoreError> {
    let mut planned = PlannedBatch::default();
    for part in in_parallel(ids, !context.releases, |ids| {
        plan_part(snapshot, kind, ids, pass, rules, context, settle)
    })? {
        planned.waiting |= part.waiting;
        planned.plans.extend(part.plans);
    }
    Ok(planned)
}

/// The part of a batch that one processor does, with the removal that the first pass counted for each object.
fn plan_part(
    snapshot: &Snapshot,
    kind: ObjectKind,
    ids: &[SourceId],
    pass: Pass,
    rules: &Rules,
    context: &Context,
    settle: bool,
) -> Result<PlannedBatch, StoreError> {
    let planner = rules.planner(settle);
    let mut planned = PlannedBatch::default();
    let mut forecasts = context.forecasts_of(snapshot, kind, ids)?;
    let objects = snapshot.raw_objects(kind, ids)?;
    let mut released = Vec::new();
    for (id, bytes) in ids.iter().zip(objects) {
        let Some(bytes) = bytes else { continue };
        let forecast = forecasts.remove(id).unwrap_or_default();
        let follows = forecast.late && pass == Pass::Users;
        if forecast.done && pass != Pass::Deletes && !follows {
            continue;
        }
        if pass == Pass::Users
            && !settle
            && !follows
            && planner.sends_managers()
            && context.waits_for_manager(snapshot, id, &snapshot.decode_brief(kind, *id, &bytes)?)?
        {
            planned.waiting = true;
            continue;
        }
        let record = snapshot.decode_record(kind, *id, &bytes)?;
        // Nobody is a member of a resource that is not there; looking at each of the group's members would be in vain.
        if pass == Pass::MembersOut && (record.link.is_none() || forecast.lost) {
            continue;
        }
        let mut view = view_of(snapshot, context, record, &forecast, &|view| {
            keys_of(&planner, view)
        })?;
        if forecast.done && follows {
            if !matches!(view.manager, Reference::Linked(_) | Reference::Expected(_)) {
                continue;
            }
            as_foreseen(&planner, &mut view, forecast.linked.clone().flatten());
        }
        // Its resource goes to a newcomer, who may yet be kept from taking it.
        if kind == ObjectKind::User && view.link.is_some() && context.rehires.is_leaver(*id) {
            continue;
        }
        let mut plan = planner.plan(&view);
        if context.filled.holds {
            released.extend(keep_holds(snapshot, &view, &mut plan)?);
        }
        if forecast.members_out {
            plan.operations
                .retain(|operation| operation.verb != Verb::RemoveMember);
        }
        if forecast.disabled {
            without_disable(&mut plan);
        }
        let removal = if context.filled.removals {
            snapshot.removal::<Removal>(kind, id)?
        } else {
            None
        };
        let of_members = if context.filled.removals {
            removals_of_members(snapshot, &plan)?
        } else {
            BTreeMap::new()
        };
        let mut object = view.object;
        // Filled in for the mapping, and no part of what the source said of the user.
        object.attributes.remove(APP_ROLES);
        let record = (!view.lost && !forecast.done).then_some(Record {
            object,
            link: view.link,
        });
        planned.plans.push(Planned {
            plan,
            removal,
            of_members,
            record,
        });
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
