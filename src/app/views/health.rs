//! How a job does, on one page: what needs a person, both sides, the store, the config in force, and those who are told.

use serde::Serialize;
use utoipa::ToSchema;

use super::clock::Clock;
use super::status::JobStatus;

/// How a job does.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = JobHealth)]
pub struct Health {
    /// How long changes took to the target.
    pub clock: Clock,
    /// The config in force; null before the job ran by one.
    pub config: Option<ConfigInForce>,
    /// The job.
    pub job: String,
    /// The last cycle that converged, of those whose summaries are kept.
    pub last_good_cycle: Option<GoodCycle>,
    /// Who is told when a job needs somebody.
    pub receivers: Vec<ToldReceiver>,
    /// Since when the daemon runs.
    pub running_since: String,
    /// Both sides; none where the job cannot run.
    pub sides: Vec<SideHealth>,
    /// The job as `status` shows it.
    pub status: JobStatus,
    /// The engine of the store.
    #[schema(value_type = String)]
    pub store: &'static str,
    /// The daemon's version.
    #[schema(value_type = String)]
    pub version: &'static str,
}

/// The config in force.
#[derive(Debug, Serialize, ToSchema)]
pub struct ConfigInForce {
    /// Who owns the file that was changed; null where it never was.
    pub by: Option<String>,
    /// The fingerprint of mapping, scope and policy.
    pub fingerprint: String,
    /// Since when.
    pub since: String,
}

/// A cycle that converged.
#[derive(Debug, Serialize, ToSchema)]
pub struct GoodCycle {
    /// Its id.
    pub cycle: String,
    /// When it began.
    pub started: String,
}

/// One of the two sides.
#[derive(Debug, Serialize, ToSchema)]
pub struct SideHealth {
    /// The last day of its credential, where the settings say it.
    pub credential_ends: Option<String>,
    /// Requests since the settings were read.
    pub requests: u64,
    /// Requests that were sent again.
    pub retries: u64,
    /// `source` or `target`.
    #[schema(value_type = String)]
    pub side: &'static str,
    /// Answers that asked for patience.
    pub throttled: u64,
}

/// A receiver of notifications, and what became of those.
#[derive(Debug, Serialize, ToSchema)]
pub struct ToldReceiver {
    /// Taken by it.
    pub delivered: u64,
    /// Given up because too many waited.
    pub dropped: u64,
    /// Failed after all tries.
    pub failed: u64,
    /// The last failure, until it takes one again.
    pub last_failure: Option<String>,
    /// When that was.
    pub last_failure_at: Option<String>,
    /// Its name: the format and where its address stands, or the program.
    pub name: String,
    /// What it is told of.
    #[schema(value_type = Vec<String>)]
    pub on: Vec<&'static str>,
}
