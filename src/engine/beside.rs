//! Azure's own provisioning job beside ours: while it writes to the same target, nothing of ours is sent.
//!
//! It is asked for before the first request of a cycle that would change the target, so that a cycle without changes asks nothing;
//! and once a cycle, however long that is. Where it cannot be seen, a finding says so, and the cycle goes on.

use tracing::warn;

use super::error::CycleError;
use super::run::Run;
use super::work::Work;
use crate::model::azure_job::AzureJob;
use crate::model::azure_job::Writing;
use crate::model::id::SourceId;
use crate::model::side::Side;
use crate::model::verb::Act;
use crate::ports::AzureJobs;
use crate::ports::SourceError;
use crate::reconcile::operation::Operation;

/// Returns true where a work has a request that changes the target.
pub(super) fn writes(work: &Work) -> bool {
    let is_noted_only = |operation: &Operation| matches!(operation.verb.act(), Act::Link | Act::Unlink);
    let is_sent = |operation: &Operation| operation.verb.side() == Side::Target && !is_noted_only(operation);
    work.run.iter().any(is_sent)
}

/// Ends the cycle where Azure's own job writes to the target, as far as that can be seen.
pub(super) async fn nobody_else_writes(run: &mut Run<'_>) -> Result<(), CycleError> {
    if run.writes_alone {
        return Ok(());
    }
    if let (Some(application), Some(azure)) = (run.job.assigning.application, run.job.source.azure_jobs()) {
        match writing(azure, application).await {
            Ok(Some(error)) => return Err(error),
            Ok(None) => {}
            Err(unseen) => note(run, &unseen),
        }
    }
    run.writes_alone = true;
    Ok(())
}

/// Returns the error for a job that writes; or why it cannot be told whether one does.
async fn writing(azure: &dyn AzureJobs, application: SourceId) -> Result<Option<CycleError>, String> {
    let jobs = azure.jobs(application).await.map_err(|error| unseen(&error))?;
    for job in &jobs {
        match job.writing() {
            Writing::Yes | Writing::StillRunning => return Ok(Some(refused(job))),
            Writing::Unknown => {
                return Err(format!(
                    "its state is `{}`, which this melonsync does not know",
                    job.state.name()
                ));
            }
            Writing::No => {}
        }
    }
    Ok(None)
}

fn unseen(error: &SourceError) -> String {
    format!("{error}; {}", error.hint())
}

fn refused(job: &AzureJob) -> CycleError {
    let since = job.last.as_ref().and_then(|last| last.began);
    CycleError::AzureWrites {
        job: job.id.clone(),
        state: job.state.name().to_owned(),
        began: since.map_or_else(String::new, |began| format!(", last execution {began}")),
    }
}

fn note(run: &Run<'_>, why: &str) {
    let text =
        format!("It cannot be seen whether Azure's own provisioning job writes to this target too: {why}");
    run.order.watcher.finding(&text);
    if run.warnings.is_news("azure's own job cannot be seen") {
        warn!(job = %run.job.name, "{text}");
    }
}
