//! Requests without an answer are settled before anything is planned: creates by their intents, other writes by what the target
//! holds. Nothing is concluded before none of them can be under way any more; who lost access meanwhile is disabled while that is
//! waited for.

use std::time::Duration;

use tracing::info;

use super::apply::intents::open_creates;
use super::apply::intents::settle_creates;
use super::apply::open_writes::read_back_all;
use super::apply::open_writes::unrecorded_writes;
use super::error::CycleError;
use super::overtake::disable_meanwhile;
use super::phases::Phases;
use super::run::Run;
use crate::model::clock::Timestamp;

/// Resolves every open create.
pub(super) async fn settle_intents(run: &mut Run<'_>, phases: &mut Phases) -> Result<(), CycleError> {
    let Some(open) = open_creates(run).await? else {
        return Ok(());
    };
    // The target may still be working on them.
    wait_until_answered(run, phases, open.latest, open.count()).await?;
    settle_creates(run, &mut phases.readings, open).await?;
    // Whoever was linked just now may be out of scope by now: its references must know.
    phases.intake.settle_scope(run).await
}

/// Reads back whatever may have been written without its being recorded.
pub(super) async fn settle_writes(run: &mut Run<'_>, phases: &mut Phases) -> Result<(), CycleError> {
    if read_writes_back(run, phases).await? {
        phases.intake.settle_scope(run).await?;
    }
    Ok(())
}

/// As [`settle_writes`], and leaves what it marks to the next cycle. True where there was something to read.
pub(super) async fn read_writes_back(run: &mut Run<'_>, phases: &mut Phases) -> Result<bool, CycleError> {
    let open = unrecorded_writes(run).await?;
    if open.is_empty() {
        return Ok(false);
    }
    let under_way = open.iter().filter(|write| !write.answered).map(|write| write.at);
    wait_until_answered(run, phases, under_way.max(), open.len()).await?;
    read_back_all(run, &mut phases.readings, open).await?;
    Ok(true)
}

/// Until no request that was sent at this moment can still be under way.
async fn wait_until_answered(
    run: &mut Run<'_>,
    phases: &mut Phases,
    sent: Option<Timestamp>,
    open: usize,
) -> Result<(), CycleError> {
    let due = sent.map(|sent| sent.plus(run.job.request_timeout));
    let left = due
        .map_or(Duration::ZERO, |due| due.since(run.job.clock.now()))
        .min(run.job.request_timeout * 2);
    if left > Duration::ZERO {
        disable_meanwhile(run, phases).await?;
        info!(
            open,
            wait_ms = u64::try_from(left.as_millis()).unwrap_or(u64::MAX),
            "Requests without an answer may still be under way at the target: waiting"
        );
        tokio::select! {
            () = tokio::time::sleep(left) => {}
            () = run.order.stop.cancelled() => return Err(CycleError::Stopped),
        }
    }
    Ok(())
}
