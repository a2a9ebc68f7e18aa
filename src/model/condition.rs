//! The states of a job that people are told of (docs/operations/notifications.md), each with its name on every surface.

use serde::Deserialize;
use serde::Serialize;

/// One state of a job that somebody may have to act on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Condition {
    /// The guard holds operations back.
    Withheld,
    /// The job, or a kind of operation, stopped.
    Quarantine,
    /// A credential is refused, or is about to end.
    Credential,
    /// No good cycle for three schedules.
    Lag,
    /// Drift was found and is not healed.
    Drift,
    /// The last cycle failed, or the job cannot run.
    Failed,
    /// The target did not keep something that it accepted.
    NotKept,
}

impl Condition {
    /// All of them, in the order in which they are reported.
    pub const ALL: [Self; 7] = [
        Self::Withheld,
        Self::Quarantine,
        Self::Credential,
        Self::Lag,
        Self::Drift,
        Self::Failed,
        Self::NotKept,
    ];

    /// Returns the name in settings, messages and logs.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Withheld => "withheld",
            Self::Quarantine => "quarantine",
            Self::Credential => "credential",
            Self::Lag => "lag",
            Self::Drift => "drift",
            Self::Failed => "failed",
            Self::NotKept => "not_kept",
        }
    }
}
