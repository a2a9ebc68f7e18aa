//! One batch of a pass: `plan → admit → carry out`.
//!
//! Views are read and planned, and what the pass may do of it is carried out and recorded (or, when only planning, forecast) before
//! the next batch is read.

use super::carry::carry;
use super::error::CycleError;
use super::phases::Phases;
use super::plan::batch::Planned;
use super::plan::batch::plan_batch;
use super::plan::unique_names::Turn;
use super::run::Run;
use super::standing::Fact;
use super::work::Pass;
use super::work::Step;
use super::work::Work;
use crate::model::id::SourceId;
use crate::reconcile::explain;
use crate::reconcile::explain::omission::Omission;
use crate::reconcile::forward::plan::ObjectPlan;

/// What became of a batch.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Progress {
    /// Something was carried out or settled.
    pub(super) moved: bool,
    /// Something waits for another object of the same pass.
    pub(super) waiting: bool,
    /// Objects that had something to carry out or to record.
    pub(super) works: usize,
}

/// Plans a batch, and carries out what the pass may do.
pub(super) async fn batch(
    run: &mut Run<'_>,
    phases: &mut Phases,
    step: Step,
    ids: Vec<SourceId>,
) -> Result<Progress, CycleError> {
    let Step { kind, pass, .. } = step;
    run.check_stop()?;
    let ids: Vec<SourceId> = ids
        .into_iter()
        .filter(|id| phases.intake.may_plan(run, kind, *id))
        .collect();
    if ids.is_empty() {
        return Ok(Progress::default());
    }
    let (rules, context) = (phases.readings.rules(run), phases.context(run, kind, true).await?);
    let planned = run
        .store(move |snapshot| plan_batch(snapshot, step, &ids, &rules, &context))
        .await?;
    let mut progress = Progress {
        waiting: planned.waiting,
        ..Progress::default()
    };
    let mut works = Vec::new();
    let released = |phases: &Phases| phases.failures.stops.kinds.released.len();
    let (blocked, before) = (run.standing.count(Fact::HeldUp), released(phases));
    for one in planned.plans {
        progress.waiting |=
            one.plan.pending_references > 0 || one.plan.omissions.contains(&Omission::WaitsForManager);
        works.extend(select(run, phases, pass, one));
    }
    progress.works = works.len();
    progress.waiting |= matches!(pass, Pass::Users | Pass::Groups) && phases.names.waits(kind);
    // Who is found to be held up moves those who waited for it.
    progress.moved |= run.standing.count(Fact::HeldUp) > blocked;
    let outcome = carry(run, phases, kind, works).await?;
    // Where a probe worked, the others of its kind follow.
    let goes_on = released(phases) > before;
    progress.moved |= outcome.moved || goes_on;
    progress.waiting |= outcome.again || goes_on;
    phases.judge.keep_withheld(run).await?;
    Ok(progress)
}

/// Picks the operations of a plan that this pass carries out; what is held back or left is said.
fn select(run: &mut Run<'_>, phases: &mut Phases, pass: Pass, planned: Planned) -> Option<Work> {
    if planned.plan.omissions.contains(&Omission::WaitsForManager) {
        return None;
    }
    let mut planned = planned;
    let turn = match pass {
        Pass::Users | Pass::Groups => turn(phases, &mut planned.plan),
        _ => Turn::Free,
    };
    if turn == Turn::Wait {
        return None;
    }
    let counted = planned.removal.is_some();
    let mut work = Work::new(planned.plan, planned.record, pass);
    // Neither its scope nor what was not read of it was looked at again: its mark is for the next cycle.
    work.left = turn == Turn::MakeWay || run.overtaking;
    work.removals = planned.of_members;
    let all = std::mem::take(&mut work.plan.operations);
    for operation in all {
        if !pass.takes(operation.verb) {
            work.left = true;
            continue;
        }
        if !phases.judge.admit(run, pass, operation, counted, &mut work) {
            break;
        }
    }
    keep_to_plan(run, &mut work);
    phases.failures.stops.keep_to_kinds(run, &mut work);
    match pass {
        Pass::Users if work.run.is_empty() && !work.plan.settles() => {
            run.standing
                .note((work.plan.kind, work.plan.source), Fact::HeldUp);
        }
        Pass::MembersOut if !work.run.is_empty() => {
            run.standing
                .note((work.plan.kind, work.plan.source), Fact::MembersGone);
        }
        // Its operations were said when its members went.
        Pass::Groups
            if run
                .standing
                .is((work.plan.kind, work.plan.source), Fact::MembersGone) =>
        {
            work.plan
                .omissions
                .retain(|omission| *omission != Omission::Unchanged);
        }
        _ => {}
    }
    report(run, pass, &work);
    (pass != Pass::MembersOut || !work.run.is_empty()).then_some(work)
}

/// Returns whether an object can have its name now.
fn turn(phases: &mut Phases, plan: &mut ObjectPlan) -> Turn {
    if phases.judge.kept_back.whole(plan.kind, plan.source).is_some() {
        return Turn::Free;
    }
    let approvals = phases.judge.approvals.as_ref();
    let renames = approvals.is_some_and(|approvals| approvals.identities.withheld().is_none());
    phases.names.turn(plan, renames)
}

/// Leaves what is not in the saved plan, where one is carried out.
fn keep_to_plan(run: &mut Run<'_>, work: &mut Work) {
    let Some(plan) = &run.order.only else { return };
    let mut planned = Vec::with_capacity(work.run.len());
    for operation in std::mem::take(&mut work.run) {
        let (verb, shown) = (
            operation.verb,
            explain::redacted(&run.job.mapping, &operation).into_owned(),
        );
        let (kept, left) = plan.admit(operation, &shown);
        planned.extend(kept);
        if left > 0 {
            run.left.unplanned += left;
            work.left = true;
            work.plan
                .omissions
                .push(Omission::NotInPlan { verb, count: left });
        }
    }
    work.run = planned;
}

/// Says what is not done, once an object. Of the members' own pass only what it holds back: the rest is
/// the groups' pass to say.
fn report(run: &mut Run<'_>, pass: Pass, work: &Work) {
    let plan = &work.plan;
    let (kind, id) = (plan.kind, plan.source);
    if run.standing.is((kind, id), Fact::Reported) {
        return;
    }
    let out = pass == Pass::MembersOut;
    for omission in &plan.omissions {
        if !out || matches!(omission, Omission::Withheld { .. }) {
            run.omit(kind, id, &plan.name, omission);
        }
    }
    if !out {
        for awaited in &plan.pending {
            run.summary.await_next(awaited);
        }
        run.summary.skipped.reference_out_of_scope += plan.skipped_references;
        if !(plan.omissions.is_empty() && plan.skipped_references == 0) {
            run.standing.note((kind, id), Fact::Reported);
        }
    }
}
