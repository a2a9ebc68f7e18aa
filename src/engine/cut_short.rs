//! A source that could not be read to its end: whom it named as disabled or deleted before loses access all the same.
//!
//! Nothing else is planned on a part of a round. What is proof of its own account, the object's own `@removed` or its
//! `accountEnabled = false`, does not wait for pages that may never come: not for the others of a stream without an end, and
//! not for groups that the app may not read. No scope decision and no absence is drawn from it.
//! Crash in the middle: whoever was not disabled is still dirty.

use tracing::warn;

use super::error::CycleError;
use super::job::Extent;
use super::overtake::disable_among;
use super::phases::Phases;
use super::run::Run;
use super::standing::Fact;
use super::tables::each_dirty_object;
use super::unanswered::read_writes_back;
use crate::model::id::ObjectKind;
use crate::model::id::SourceId;
use crate::ports::StoreError;
use crate::snapshot::read::Reads;
use crate::snapshot::store::Snapshot;

/// Disables whom the source named before it failed. Returns what the cycle ends with: the source's error, unless the
/// snapshot itself failed meanwhile.
pub(super) async fn cut_short(run: &mut Run<'_>, phases: &mut Phases, error: CycleError) -> CycleError {
    let managed = run.job.managed.contains(&ObjectKind::User) && run.order.only.is_none();
    let whole = !run.order.extent.is_partial() && run.order.extent != Extent::Explain;
    if !(matches!(error, CycleError::Source(_)) && managed && whole) {
        return error;
    }
    match disable_those_read(run, phases).await {
        Ok(()) => error,
        Err(CycleError::Target(second)) => {
            warn!(
                "Users who lost access could not be disabled, because the target is out of reach: {second}"
            );
            error
        }
        Err(second) => second,
    }
}

async fn disable_those_read(run: &mut Run<'_>, phases: &mut Phases) -> Result<(), CycleError> {
    phases.intake.recall_assignments(run).await?;
    phases.failures.escrow.read(run).await?;
    let mut ids = run.store(disabled_or_gone).await?;
    ids.retain(|id| !run.standing.is((ObjectKind::User, *id), Fact::InEscrow));
    if ids.is_empty() {
        return Ok(());
    }
    phases.readings.prepare_target(run).await?;
    read_writes_back(run, phases).await?;
    phases.judge.read_window(run).await?;
    disable_among(run, phases, ids, "though the source was not read to its end").await
}

/// Linked users of whom something changed, and who are disabled or deleted by their own account.
fn disabled_or_gone(snapshot: &Snapshot) -> Result<Vec<SourceId>, StoreError> {
    let kind = ObjectKind::User;
    let mut found = Vec::new();
    each_dirty_object(snapshot, kind, |id, _, bytes| {
        let record = snapshot.decode_record(kind, id, bytes)?;
        if record.link.is_some() && (record.is_gone() || !record.object.account_enabled()) {
            found.push(id);
        }
        Ok(true)
    })?;
    Ok(found)
}
