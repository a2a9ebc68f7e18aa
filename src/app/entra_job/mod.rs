//! Azure's own provisioning job for the application that a job provisions: seen with the reader's app, steered with an
//! administrator's own rights.

pub mod evidence;
pub mod lines;
pub mod steer;
pub mod verdict;

use super::error::AppError;
use super::error::ErrorKind;
use super::error::ErrorText;
use super::install;
use super::views::entra_job::EntraJob;
use super::views::entra_job::EntraJobs;
use super::views::entra_job::EntraLog;
use super::views::entra_job::EntraLogEntry;
use super::views::entra_job::writing;
use super::views::entra_job::writing_of_all;
use crate::model::clock::Timestamp;
use crate::model::id::SourceId;
use crate::ports::AzureJobs;
use crate::ports::SourceError;
use crate::settings::job::Job;

/// Returns the application that a job provisions; one has to be named, whatever the scope.
pub fn application(name: &str, job: &Job) -> Result<SourceId, AppError> {
    let named = job
        .source
        .service_principal_id
        .map(|id| SourceId::from_bytes(id.into_bytes()));
    named.ok_or_else(|| {
        AppError::usage(
            format!("job `{name}` does not name the application whose provisioning job is meant"),
            format!(
                "add `service_principal_id` to [jobs.{name}.source]: \"Object ID\" in the enterprise application's properties \
                 (Entra admin centre, Enterprise applications)"
            ),
        )
    })
}

/// Builds the error of a request to Graph that failed.
pub(super) fn failed(error: &SourceError) -> AppError {
    AppError::new(ErrorKind::Failed, ErrorText::of(error).advise(error.hint()))
}

/// Shows the state of Azure's jobs, or why it cannot be seen.
pub async fn status(name: &str, job: &Job) -> Result<EntraJobs, AppError> {
    let application = application(name, job)?;
    let mut shown = EntraJobs {
        application,
        advice: None,
        job: name.to_owned(),
        jobs: Vec::new(),
        problem: None,
        writes: "unknown",
    };
    match install::source(job)?.jobs(application).await {
        Ok(jobs) => {
            shown.writes = writing(writing_of_all(&jobs));
            shown.jobs = jobs.iter().map(EntraJob::from).collect();
        }
        Err(error @ SourceError::Forbidden { .. }) => {
            shown.problem = Some(error.to_string());
            shown.advice = Some(error.hint().to_owned());
        }
        Err(error) => return Err(failed(&error)),
    }
    Ok(shown)
}

/// Shows the newest entries of the provisioning log between two moments.
pub async fn logs(
    name: &str,
    job: &Job,
    within: (Timestamp, Timestamp),
    most: usize,
) -> Result<EntraLog, AppError> {
    let application = application(name, job)?;
    let read = install::source(job)?.log(application, within.0, within.1).await;
    let entries = read.map_err(|error| failed(&error))?;
    Ok(EntraLog {
        application,
        entries: entries.iter().rev().take(most).map(EntraLogEntry::from).collect(),
        job: name.to_owned(),
        total: entries.len(),
    })
}
