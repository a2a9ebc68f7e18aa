//! One job as `status` shows it.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value as Json;
use utoipa::ToSchema;

use super::drift::DriftCounts;
use super::enrolled::EnrolledView;
use super::pause::PauseView;
use super::quarantine::QuarantineView;
use super::verdict::Verdict;
use crate::app::service::JobState;
use crate::engine::summary::NotKept;
use crate::model::clock::Timestamp;

/// One job. What only its snapshot knows is null while it has none.
#[derive(Debug, Serialize, ToSchema)]
pub struct JobStatus {
    /// When its credentials end.
    pub credentials: Credentials,
    /// What the daemon does for it now; absent where none runs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub daemon: Option<JobState>,
    /// What the last reading of the target found.
    pub drift: Option<DriftCounts>,
    /// Whether it runs on its schedule.
    pub enabled: bool,
    /// How many entries are in escrow.
    pub escrow: Option<usize>,
    /// How many holds hold.
    pub holds: Option<usize>,
    /// Its name.
    pub job: String,
    /// What is kept back.
    pub kept_back: Option<KeptBack>,
    /// Seconds since the moment up to which every change of the source is known to be at the target.
    pub lag_seconds: Option<u64>,
    /// The summary of the last cycle.
    #[schema(value_type = Option<Object>)]
    pub last_cycle: Option<Json>,
    /// `observe` or `enforce`.
    #[schema(value_type = String)]
    pub mode: &'static str,
    /// When the next cycle begins.
    #[serde(serialize_with = "super::text_or_null")]
    #[schema(value_type = Option<String>)]
    pub next_cycle: Option<Timestamp>,
    /// When the next full cycle begins.
    #[serde(serialize_with = "super::text_or_null")]
    #[schema(value_type = Option<String>)]
    pub next_full_cycle: Option<Timestamp>,
    /// What the target did not keep, the first of it.
    #[serde(serialize_with = "super::sorted")]
    pub not_kept: Option<Vec<NotKept>>,
    /// Its pause.
    pub paused: Option<PauseView>,
    /// What is stopped.
    pub quarantine: Option<QuarantineView>,
    /// What its snapshot holds.
    pub snapshot: Option<SnapshotSize>,
    /// Since when each stream of the source is read to its end.
    #[schema(value_type = Option<BTreeMap<String, Option<String>>>)]
    pub source_complete_since: Option<BTreeMap<&'static str, Option<String>>>,
    /// What needs a person, or how far behind it is.
    pub verdict: Verdict,
    /// What the next cycle has to do.
    pub waiting: Option<Waiting>,
}

/// What is kept back.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = KeptBackCounts)]
pub struct KeptBack {
    /// Holds that keep somebody enabled who is to be disabled.
    pub leavers_held: u64,
    /// Operations that the guard withholds.
    pub withheld: u64,
}

impl JobStatus {
    /// What is known of the enrolled group, where the settings name one.
    #[must_use]
    pub fn enrolled(&self) -> Option<&EnrolledView> {
        self.snapshot.as_ref()?.enrolled.as_ref()
    }

    /// A job of which nothing else is known.
    pub(super) fn new(name: &str, mode: &'static str) -> Self {
        Self {
            credentials: Credentials::default(),
            daemon: None,
            drift: None,
            enabled: true,
            escrow: None,
            holds: None,
            job: name.to_owned(),
            kept_back: None,
            lag_seconds: None,
            last_cycle: None,
            mode,
            next_cycle: None,
            next_full_cycle: None,
            not_kept: None,
            paused: None,
            quarantine: None,
            snapshot: None,
            source_complete_since: None,
            verdict: Verdict::default(),
            waiting: None,
        }
    }
}

/// The last day of each credential, where the settings say it.
#[derive(Debug, Default, Serialize, ToSchema)]
pub struct Credentials {
    /// Of the source's.
    pub source: Option<String>,
    /// Of the target's.
    pub target: Option<String>,
    /// Of the app's that writes back.
    pub writer: Option<String>,
}

/// What a snapshot holds.
#[derive(Debug, Serialize, ToSchema)]
pub struct SnapshotSize {
    /// What is to be said of the engine at this size: nothing mostly.
    pub advice: Option<String>,
    /// On disk.
    pub bytes: u64,
    /// The enrolled group, where the settings name one.
    pub enrolled: Option<EnrolledView>,
    /// Groups.
    pub groups: u64,
    /// Groups with a resource.
    pub linked_groups: u64,
    /// Users with a resource.
    pub linked_users: u64,
    /// Memberships.
    pub memberships: u64,
    /// Users.
    pub users: u64,
}

/// What the next cycle has to do.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = WaitingObjects)]
pub struct Waiting {
    /// Groups to look at.
    pub groups: u64,
    /// Creates whose outcome is not known.
    pub open_creates: usize,
    /// Users to look at.
    pub users: u64,
}
