//! The passes of a cycle over its dirty objects: the same for `plan` and `sync`.
//!
//! First what takes access away, then users, groups and their members, deletes last. Each pass streams over
//! the dirty list in batches: views are read, planned, and what the pass may do is carried out and recorded
//! (or, when only planning, forecast) before the next batch is read.

use super::cycle::Cycle;
use super::error::CycleError;
use super::plan::batch::Planned;
use super::plan::batch::plan_batch;
use super::plan::unique_names::Turn;
use super::standing::Fact;
use super::work::Pass;
use super::work::Removal;
use super::work::Work;
use crate::model::id::ObjectKind;
use crate::model::id::SourceId;
use crate::model::verb::Act;
use crate::reconcile::explain;
use crate::reconcile::explain::omission::Omission;
use crate::reconcile::forward::plan::ObjectPlan;
use crate::reconcile::forward::unique_values::UniqueValues;
use crate::reconcile::forward::unique_values::unique_name;
use crate::snapshot::filled::has_readings;
use crate::snapshot::read::Reads;

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
        self.removals(ObjectKind::User, Pass::Disables, Act::Disable)
            .await
    }

    /// Deletes: groups first, whose members are still there to be removed from nothing else.
    pub(super) async fn deletes(&mut self) -> Result<(), CycleError> {
        self.removals(ObjectKind::Group, Pass::Deletes, Act::Delete)
            .await?;
        self.removals(ObjectKind::User, Pass::Deletes, Act::Delete).await
    }

    async fn removals(&mut self, of: ObjectKind, pass: Pass, act: Act) -> Result<(), CycleError> {
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
                .filter(|(kind, _, removal)| *kind == of && removal.verb.act() == act)
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
