//! A job that has nothing to do asks its target one small question an hour: whether it still lets us in is to be known before somebody
//! has to lose access there.

use std::time::Duration;

use tracing::debug;

use super::error::CycleError;
use super::error::chain;
use super::readings::refresh::next_linked;
use super::run::Run;
use crate::model::id::ObjectKind;
use crate::ports::Disposition;
use crate::snapshot::state::ASKED_AT;
use crate::snapshot::state::StateReads;

/// So long a target is believed to let us in, because it did.
const BELIEVED_FOR: Duration = Duration::from_secs(3600);

/// Asks the target something where nobody did for an hour: one linked resource, or a page where there is none. A credential that is
/// refused stops the job, as it does in any cycle; any other trouble is left to the cycle that has something to send.
pub(super) async fn ask(run: &Run<'_>) -> Result<(), CycleError> {
    if !run.order.apply || run.order.extent.is_partial() {
        return Ok(());
    }
    let (now, kinds): (_, Vec<ObjectKind>) = (run.now, run.job.managed.iter().copied().collect());
    let asked = run.store(|snapshot| snapshot.state(&ASKED_AT)).await?;
    if asked.is_some_and(|asked| now.since(asked) < BELIEVED_FOR) {
        return Ok(());
    }
    let linked = run
        .store(move |snapshot| next_linked(snapshot, &kinds, None, 1))
        .await?
        .0;
    let answer = match linked.first() {
        Some((kind, _, resource)) => run.job.target.read(*kind, resource).await.map(drop),
        None => {
            let kind = run.job.managed.first().copied().unwrap_or(ObjectKind::User);
            run.job.target.list(kind, None).await.map(drop)
        }
    };
    match answer {
        Err(error) if error.disposition() == Disposition::Quarantine => Err(CycleError::Target(error)),
        Err(error) => {
            debug!(job = %run.job.name, "The target does not answer a quiet job: {}", chain(&error));
            Ok(())
        }
        Ok(()) => Ok(()),
    }
}
