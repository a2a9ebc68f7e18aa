//! The way back of one cycle.

use crate::engine::error::CycleError;
use crate::engine::job::Extent;
use crate::engine::judge::Judge;
use crate::engine::run::Run;

/// Carries back what is due, where it is this cycle's turn.
pub(in crate::engine) async fn run(run: &mut Run<'_>, judge: &mut Judge) -> Result<(), CycleError> {
    if run.job.back.is_none() || !is_due(&run.order.extent) {
        return Ok(());
    }
    run.check_stop()?;
    judge.read_kept_back(run).await
}

/// True for a cycle that looks at the target whole, or at the way back alone.
const fn is_due(extent: &Extent) -> bool {
    match extent {
        Extent::Full | Extent::Back => true,
        Extent::Changes
        | Extent::All
        | Extent::Restart
        | Extent::Objects { .. }
        | Extent::Released
        | Extent::Drift { .. }
        | Extent::Explain => false,
    }
}
