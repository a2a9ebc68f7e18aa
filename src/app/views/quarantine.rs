//! What is stopped, as it is shown.

use serde::Serialize;
use utoipa::ToSchema;

use crate::model::clock::Timestamp;
use crate::model::side::Side;
use crate::snapshot::quarantine::Quarantine;

/// What is stopped: the job as a whole, or kinds of operations.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct QuarantineView {
    /// Why the job stopped, where it did.
    pub job: Option<StoppedJob>,
    /// The kinds of operations that stopped.
    pub operations: Vec<StoppedKind>,
}

/// Why a job stopped.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct StoppedJob {
    /// Whose cycle met it.
    pub actor: String,
    /// What the side that refuses said.
    pub cause: String,
    /// What to do.
    pub hint: String,
    /// When it was last probed, in vain.
    #[serde(serialize_with = "super::text_or_null")]
    #[schema(value_type = Option<String>)]
    pub last_probe: Option<Timestamp>,
    /// The side that refuses.
    #[schema(value_type = String)]
    pub side: Side,
    /// Since when.
    #[serde(serialize_with = "super::text")]
    #[schema(value_type = String)]
    pub since: Timestamp,
}

/// Why a kind of operation stopped.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct StoppedKind {
    /// Whose cycle met it.
    pub actor: String,
    /// What the target said.
    pub cause: String,
    /// How many failed.
    pub failed: u64,
    /// What to do.
    pub hint: String,
    /// The operation.
    #[schema(value_type = String)]
    pub operation: &'static str,
    /// Of how many that were sent.
    pub sent: u64,
    /// Since when.
    #[serde(serialize_with = "super::text")]
    #[schema(value_type = String)]
    pub since: Timestamp,
}

impl QuarantineView {
    /// What is stopped; `None` where nothing is.
    #[must_use]
    pub fn of(held: Quarantine) -> Option<Self> {
        if held.is_empty() {
            return None;
        }
        let job = held.job.map(|stop| StoppedJob {
            actor: stop.actor,
            cause: stop.cause,
            hint: stop.hint,
            last_probe: stop.probed,
            side: stop.side,
            since: stop.since,
        });
        let kinds = held.kinds.into_iter().map(|(verb, stopped)| StoppedKind {
            actor: stopped.actor,
            cause: stopped.cause,
            failed: stopped.failed,
            hint: stopped.hint,
            operation: verb.name(),
            sent: stopped.sent,
            since: stopped.since,
        });
        Some(Self {
            job,
            operations: kinds.collect(),
        })
    }
}
