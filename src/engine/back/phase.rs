//! The way back of one cycle.

use super::cells;
use super::enrolled;
use crate::engine::error::CycleError;
use crate::engine::job::Extent;
use crate::engine::judge::Judge;
use crate::engine::readings::Readings;
use crate::engine::run::Run;
use crate::model::id::ObjectKind;
use crate::model::side::Side;
use crate::reconcile::forward::view::Absence;

/// Carries back what is due, where it is this cycle's turn.
pub(in crate::engine) async fn run(
    run: &mut Run<'_>,
    judge: &mut Judge,
    readings: &mut Readings,
) -> Result<(), CycleError> {
    if !is_due(&run.order.extent, judge) {
        return Ok(());
    }
    let back = run.job.back.clone();
    if back.as_ref().is_none_or(|back| back.attributes.is_empty()) {
        cells::forget_all(run).await?;
    }
    let Some(back) = back else { return Ok(()) };
    run.check_stop()?;
    judge.read_kept_back(run).await?;
    if let Some(enrolled) = &back.enrolled {
        judge.begin(run).await?;
        judge.judge(run).await?;
        enrolled::carry(run, judge, (back.writer.as_ref(), enrolled)).await?;
    }
    if !back.attributes.is_empty() && reads_whole(run, readings).await? {
        cells::carry_back(run, judge, &back).await?;
    }
    Ok(())
}

/// Reads all users of the target, where this cycle has not done so. Returns false where they were not read whole: nothing is derived
/// from that.
async fn reads_whole(run: &Run<'_>, readings: &mut Readings) -> Result<bool, CycleError> {
    if run.order.extent == Extent::Back {
        readings.prepare_target(run).await?;
        readings.list(run, ObjectKind::User).await?;
    }
    Ok(match readings.absence.get(&ObjectKind::User) {
        Some(Absence::Proven(_)) => true,
        Some(Absence::Unproven(why)) => {
            let text = format!("nothing is written back, because {why}: make the target's listing whole");
            run.order.watcher.finding(&text);
            false
        }
        None => false,
    })
}

/// True for a cycle that looks at the target whole, or at the way back alone, or in which something of it was let through.
fn is_due(extent: &Extent, judge: &Judge) -> bool {
    match extent {
        Extent::Full | Extent::Back => true,
        Extent::Released => {
            let mut released = judge.kept_back.released.values();
            released.any(|entry| entry.verb.side() == Side::Source)
        }
        Extent::Changes
        | Extent::All
        | Extent::Restart
        | Extent::Objects { .. }
        | Extent::Drift { .. }
        | Extent::Explain => false,
    }
}
