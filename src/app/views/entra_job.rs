//! Azure's own provisioning job, as it is shown: its state, and its log.

use serde::Serialize;
use utoipa::ToSchema;

use crate::model::azure_job::AzureJob;
use crate::model::azure_job::Execution;
use crate::model::azure_job::LogEntry;
use crate::model::azure_job::Writing;
use crate::model::clock::Timestamp;
use crate::model::id::ObjectKind;
use crate::model::id::SourceId;

/// The provisioning jobs of the application, or why they cannot be seen.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct EntraJobs {
    /// The object id of the service principal.
    #[serde(serialize_with = "super::text")]
    #[schema(value_type = String)]
    pub application: SourceId,
    /// What to do where they cannot be seen.
    #[serde(rename = "do")]
    pub advice: Option<String>,
    /// The job of ours.
    pub job: String,
    /// Azure's jobs.
    pub jobs: Vec<EntraJob>,
    /// Why they cannot be seen.
    pub problem: Option<String>,
    /// Whether one of them writes to the target: `yes`, `still_running`, `no` or `unknown`.
    #[schema(value_type = String)]
    pub writes: &'static str,
}

/// One job of Azure's.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct EntraJob {
    /// Its id.
    pub id: String,
    /// How often it runs, as Graph writes it.
    pub interval: Option<String>,
    /// The execution under way, or the last one.
    pub last_execution: Option<EntraExecution>,
    /// Why it is in quarantine.
    pub quarantine: Option<EntraQuarantine>,
    /// Its state, as Graph names it.
    pub state: String,
    /// Whether it writes to the target.
    #[schema(value_type = String)]
    pub writes: &'static str,
}

/// One execution.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct EntraExecution {
    /// When it began.
    #[serde(serialize_with = "super::text_or_null")]
    #[schema(value_type = Option<String>)]
    pub began: Option<Timestamp>,
    /// When it ended; null while it runs.
    #[serde(serialize_with = "super::text_or_null")]
    #[schema(value_type = Option<String>)]
    pub ended: Option<Timestamp>,
    /// Entries that it set aside.
    pub escrowed: Option<u64>,
    /// Entries that it exported.
    pub exported: Option<u64>,
    /// How it ended.
    pub outcome: Option<String>,
}

/// Why a job is in quarantine.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct EntraQuarantine {
    /// When it tries again.
    #[serde(serialize_with = "super::text_or_null")]
    #[schema(value_type = Option<String>)]
    pub next_try: Option<Timestamp>,
    /// The reason, as Graph names it.
    pub reason: String,
    /// Since when.
    #[serde(serialize_with = "super::text_or_null")]
    #[schema(value_type = Option<String>)]
    pub since: Option<Timestamp>,
}

/// Returns a word for whether a job writes.
#[must_use]
pub const fn writing(writing: Writing) -> &'static str {
    match writing {
        Writing::Yes => "yes",
        Writing::StillRunning => "still_running",
        Writing::No => "no",
        Writing::Unknown => "unknown",
    }
}

/// Returns a word for whether one of several jobs writes. The worst counts; without a job none does.
#[must_use]
pub fn writing_of_all(jobs: &[AzureJob]) -> Writing {
    let each: Vec<Writing> = jobs.iter().map(AzureJob::writing).collect();
    let order = [Writing::Yes, Writing::StillRunning, Writing::Unknown];
    order
        .into_iter()
        .find(|one| each.contains(one))
        .unwrap_or(Writing::No)
}

impl From<&AzureJob> for EntraJob {
    fn from(job: &AzureJob) -> Self {
        Self {
            id: job.id.clone(),
            interval: job.interval.clone(),
            last_execution: job.last.as_ref().map(EntraExecution::from),
            quarantine: job.quarantine.as_ref().map(|quarantine| EntraQuarantine {
                next_try: quarantine.next_try,
                reason: quarantine.reason.clone(),
                since: quarantine.since,
            }),
            state: job.state.name().to_owned(),
            writes: writing(job.writing()),
        }
    }
}

impl From<&Execution> for EntraExecution {
    fn from(one: &Execution) -> Self {
        Self {
            began: one.began,
            ended: one.ended,
            escrowed: one.escrowed,
            exported: one.exported,
            outcome: one.outcome.clone(),
        }
    }
}

/// Entries of the provisioning log, newest first.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct EntraLog {
    /// The object id of the service principal.
    #[serde(serialize_with = "super::text")]
    #[schema(value_type = String)]
    pub application: SourceId,
    /// The entries.
    pub entries: Vec<EntraLogEntry>,
    /// The job of ours.
    pub job: String,
    /// The entries in the time asked for, shown or not.
    pub total: usize,
}

/// One entry.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct EntraLogEntry {
    /// What was done.
    #[schema(value_type = String)]
    pub action: &'static str,
    /// When.
    #[serde(serialize_with = "super::text")]
    #[schema(value_type = String)]
    pub at: Timestamp,
    /// The attributes that changed.
    pub attributes: Vec<String>,
    /// What went wrong.
    pub error: Option<String>,
    /// Its id.
    #[serde(serialize_with = "super::text")]
    #[schema(value_type = String)]
    pub id: uuid::Uuid,
    /// User or group.
    #[schema(value_type = Option<String>)]
    pub kind: Option<ObjectKind>,
    /// What people know the object by.
    pub name: Option<String>,
    /// The object in Entra.
    #[serde(serialize_with = "super::text_or_null")]
    #[schema(value_type = Option<String>)]
    pub object: Option<SourceId>,
    /// `success`, `failure`, `skipped` or `warning`.
    pub status: String,
    /// The resource at the target.
    pub target: Option<String>,
}

impl From<&LogEntry> for EntraLogEntry {
    fn from(entry: &LogEntry) -> Self {
        let mut attributes: Vec<String> = entry.modified.iter().map(|one| one.name.clone()).collect();
        attributes.dedup();
        Self {
            action: entry.action.word(),
            at: entry.at,
            attributes,
            error: entry.error.clone(),
            id: entry.id,
            kind: entry.kind,
            name: entry.name.clone(),
            object: entry.object,
            status: entry.status.clone(),
            target: entry.target.clone(),
        }
    }
}
