//! The passes of a cycle over its dirty objects: the same for `plan` and `sync`.
//!
//! First what takes access away, then users, groups and their members, deletes last. Each pass streams over
//! the dirty list in batches ([`super::batch`]), and between two of them who lost access meanwhile goes first
//! ([`super::overtake`]).

use std::time::Duration;

use super::batch::Progress;
use super::batch::batch;
use super::error::CycleError;
use super::overtake::overtake;
use super::phases::Phases;
use super::run::Run;
use super::work::Pass;
use super::work::Removal;
use super::work::Step;
use crate::model::id::ObjectKind;
use crate::model::id::SourceId;
use crate::model::verb::Act;
use crate::reconcile::explain::omission::Omission;
use crate::reconcile::forward::unique_values::UniqueValues;
use crate::reconcile::forward::unique_values::unique_name;
use crate::snapshot::filled::has_readings;
use crate::snapshot::read::Reads;

/// The most pages that are planned together. A batch leaves the target idle at its end, so one of few requests (managers are one in
/// ten, and most objects wait for theirs) and one that is soon done are followed by a larger one. More would only cost memory.
const PAGES_TOGETHER: usize = 4;

/// A batch that is done in this time may be followed by a larger one. Whoever is dismissed in the middle of a cycle waits for two
/// batches at most.
const QUICK: Duration = Duration::from_secs(2);

/// Counts what is to be removed, and asks the guard for its word.
pub(super) async fn guard(run: &mut Run<'_>, phases: &mut Phases) -> Result<(), CycleError> {
    run.order.watcher.progress("planning removals", 0, None);
    phases.judge.begin(run).await?;
    phases.names.wanted = UniqueValues::default();
    let creates = run.order.allow_creations.is_some() || run.job.policy.creation_threshold.is_some();
    for kind in run.job.managed.clone() {
        if phases.intake.stopped.contains(&kind) {
            continue;
        }
        // Without links and without candidates nothing at the target can be taken away.
        let nothing = run
            .store(move |snapshot| Ok(snapshot.counts()?.linked(kind) == 0 && !has_readings(snapshot, kind)?))
            .await?;
        if nothing && !creates {
            continue;
        }
        let (rules, context) = (
            phases.readings.rules(run),
            phases.context(run, kind, false).await?,
        );
        let wanted = phases.judge.count(run, kind, rules, context).await?;
        phases.names.wanted.extend(wanted);
    }
    phases.overtaking.looked = run.job.clock.now();
    phases.judge.judge(run).await
}

/// All passes, in their order.
pub(super) async fn all(run: &mut Run<'_>, phases: &mut Phases) -> Result<(), CycleError> {
    disables(run, phases).await?;
    members_out(run, phases).await?;
    users(run, phases).await?;
    groups(run, phases).await?;
    deletes(run, phases).await?;
    late_values(run, phases).await
}

/// Users that lose access, before anything else.
async fn disables(run: &mut Run<'_>, phases: &mut Phases) -> Result<(), CycleError> {
    removals(run, phases, ObjectKind::User, Pass::Disables, Act::Disable).await
}

/// Deletes: groups first, whose members are still there to be removed from nothing else.
async fn deletes(run: &mut Run<'_>, phases: &mut Phases) -> Result<(), CycleError> {
    removals(run, phases, ObjectKind::Group, Pass::Deletes, Act::Delete).await?;
    removals(run, phases, ObjectKind::User, Pass::Deletes, Act::Delete).await
}

async fn removals(
    run: &mut Run<'_>,
    phases: &mut Phases,
    of: ObjectKind,
    pass: Pass,
    act: Act,
) -> Result<(), CycleError> {
    if !run.job.managed.contains(&of) {
        return Ok(());
    }
    let (mut after, mut again) = (None, false);
    loop {
        if pass == Pass::Deletes {
            overtake(run, phases).await?;
        }
        let closed = phases.judge.approval(of).withheld().is_some();
        let limit = run.job.batch;
        let page = run
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
                !closed || phases.judge.kept_back.lets_through(*kind, *id, removal.verb)
            })
            .map(|(_, id, _)| *id)
            .collect();
        let released = phases.failures.stops.kinds.released.len();
        batch(run, phases, Step::settled(of, pass), ids).await?;
        again |= phases.failures.stops.kinds.released.len() > released;
    }
}

/// Members that leave the groups that are linked already.
async fn members_out(run: &mut Run<'_>, phases: &mut Phases) -> Result<(), CycleError> {
    if run.job.managed.contains(&ObjectKind::Group) {
        let step = Step::settled(ObjectKind::Group, Pass::MembersOut);
        sweep(run, phases, step, &mut 1).await?;
    }
    Ok(())
}

/// Users, managers before their reports: sweeps until nothing waits. Managers in a circle, or that
/// cannot be created, are not waited for in the last sweep; they are referred to when they appear.
async fn users(run: &mut Run<'_>, phases: &mut Phases) -> Result<(), CycleError> {
    if !run.job.managed.contains(&ObjectKind::User) {
        return Ok(());
    }
    let (mut settle, mut pages) = (false, 1);
    loop {
        phases.names.look_again(ObjectKind::User);
        let step = Step {
            kind: ObjectKind::User,
            pass: Pass::Users,
            settle,
        };
        let progress = sweep(run, phases, step, &mut pages).await?;
        // Without anything sent nobody else is marked: once nobody waits, there is nothing left to look at again.
        if !(progress.waiting || phases.names.waits(ObjectKind::User) || progress.moved && run.applies()) {
            return Ok(());
        }
        if settle && !progress.moved && phases.names.break_circle(ObjectKind::User) {
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
async fn groups(run: &mut Run<'_>, phases: &mut Phases) -> Result<(), CycleError> {
    if !run.job.managed.contains(&ObjectKind::Group) {
        return Ok(());
    }
    loop {
        phases.names.look_again(ObjectKind::Group);
        let step = Step::settled(ObjectKind::Group, Pass::Groups);
        let progress = sweep(run, phases, step, &mut 1).await?;
        if progress.waiting && progress.moved {
            continue;
        }
        if !phases.names.break_circle(ObjectKind::Group) {
            return Ok(());
        }
    }
}

/// Once the deletes are done, names may be free that users waited for. Whoever waits on waits for the next cycle.
async fn late_values(run: &mut Run<'_>, phases: &mut Phases) -> Result<(), CycleError> {
    if !phases.names.any_waits() {
        return Ok(());
    }
    users(run, phases).await?;
    groups(run, phases).await?;
    for ((kind, id), (holder, name)) in phases.names.take_waiting() {
        let omission = Omission::WaitsForValue {
            attribute: unique_name(kind),
            holder,
        };
        run.omit(kind, id, &name, &omission);
    }
    Ok(())
}

/// One sweep over the dirty objects of a kind. Its first batch has so many pages; left behind is how many the next one would have.
async fn sweep(
    run: &mut Run<'_>,
    phases: &mut Phases,
    step: Step,
    pages: &mut usize,
) -> Result<Progress, CycleError> {
    let Step { kind, pass, .. } = step;
    let mut sum = Progress::default();
    let mut after: Option<SourceId> = None;
    let of = run.store(move |snapshot| snapshot.dirty_count(kind)).await?;
    let mut seen = 0;
    loop {
        overtake(run, phases).await?;
        let limit = run.job.batch * *pages;
        let page = run
            .store(move |snapshot| snapshot.dirty(kind, after.as_ref(), limit))
            .await?;
        let Some((last, _)) = page.last() else {
            return Ok(sum);
        };
        after = Some(*last);
        seen += page.len() as u64;
        run.order.watcher.progress(pass.phase(), seen.min(of), Some(of));
        let ids: Vec<SourceId> = page.into_iter().map(|(id, _)| id).collect();
        let (looked_at, began) = (ids.len(), run.job.clock.now());
        let progress = batch(run, phases, step, ids).await?;
        let took = run.job.clock.now().since(began);
        *pages = pages_after(*pages, progress.works, looked_at, took);
        sum.moved |= progress.moved;
        sum.waiting |= progress.waiting;
    }
}

/// Returns the number of pages of the next batch after one that had so many works among the objects that it looked at.
fn pages_after(pages: usize, works: usize, looked_at: usize, took: Duration) -> usize {
    let few = works.saturating_mul(PAGES_TOGETHER) < looked_at;
    // A clock that stands still tells nothing.
    let quick = !took.is_zero() && took < QUICK;
    if few || quick {
        (pages * 2).min(PAGES_TOGETHER)
    } else {
        1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_batch_of_few_requests_or_of_a_moment_is_followed_by_a_larger_one() {
        let ms = Duration::from_millis;
        for (name, pages, works, took, expected) in [
            ("full, and nothing is known of the time", 1, 500, ms(0), 1),
            ("full and quick", 1, 500, ms(400), 2),
            ("full, quick and large", 2, 1_000, ms(800), 4),
            ("as large as they come", 4, 2_000, ms(1_600), 4),
            ("full and slow", 4, 2_000, ms(2_000), 1),
            ("few, and slow", 1, 100, ms(60_000), 2),
        ] {
            assert_eq!(pages_after(pages, works, 500 * pages, took), expected, "{name}");
        }
    }
}
