//! Why a cycle ends before its end.

use crate::model::clock::Timestamp;
use crate::model::side::Side;
use crate::ports::Disposition;
use crate::ports::Exchange;
use crate::ports::SourceError;
use crate::ports::StoreError;
use crate::ports::TargetError;
use crate::snapshot::named::NotOne;

/// Why a cycle ended before its end.
#[derive(Debug, thiserror::Error)]
pub enum CycleError {
    /// The source could not be read; nothing was planned on a part of it.
    #[error("the source could not be read to its end, so nothing was planned")]
    Source(#[source] SourceError),
    /// The target is out of reach; what was not sent stays dirty.
    #[error("the target is out of reach; what was not sent is sent by the next cycle")]
    Target(#[source] TargetError),
    /// The job is stopped, and its probe failed: nothing was begun.
    #[error("the job is quarantined since {since} ({cause}), and a probe failed: {probe}")]
    Quarantined {
        /// Since when.
        since: Timestamp,
        /// Why it stopped.
        cause: String,
        /// What the probe was answered.
        probe: String,
        /// What to do about that.
        hint: String,
    },
    /// Azure's own provisioning job writes to the same target: nothing was sent.
    #[error("Azure's own provisioning job {job} writes to this target ({state}{began}), so nothing was sent")]
    AzureWrites {
        /// Its id.
        job: String,
        /// Its state, as Graph names it.
        state: String,
        /// Since when its execution runs, in words.
        began: String,
    },
    /// The snapshot could not be read or written.
    #[error("the snapshot failed")]
    Store(#[source] StoreError),
    /// Asked to stop: what was in flight is finished and recorded.
    #[error("stopped on request; the next cycle goes on where this one stopped")]
    Stopped,
    /// A name given by hand that does not lead to one object.
    #[error(transparent)]
    NotOne(#[from] NotOne),
    /// A store call did not come back: a bug, or a damaged store that panicked.
    #[error("a store call broke off")]
    Broken(#[source] tokio::task::JoinError),
}

impl From<StoreError> for CycleError {
    fn from(cause: StoreError) -> Self {
        Self::Store(cause)
    }
}

impl CycleError {
    /// What to do.
    #[must_use]
    pub fn hint(&self) -> String {
        match self {
            Self::Source(cause) => cause.hint().to_owned(),
            Self::Target(cause) => cause.hint().to_owned(),
            Self::Quarantined { hint, .. } => {
                format!("{hint}; each cycle tries again, and `melonsync sync` does at once")
            }
            Self::AzureWrites { .. } => {
                "run `melonsync entra-job pause --wait --login` before this job writes, or set `mode = \"observe\"` until then".to_owned()
            }
            Self::Store(cause) => cause.hint(),
            Self::Stopped => "nothing to do".to_owned(),
            Self::NotOne(error) => error.hint().to_owned(),
            Self::Broken(_) => "run `melonsync state verify`, and report this".to_owned(),
        }
    }

    /// Returns the request in which it happened, where there was one.
    #[must_use]
    pub fn exchange(&self) -> Option<&Exchange> {
        match self {
            Self::Source(cause) => cause.what().exchange(),
            Self::Target(cause) => cause.what().exchange(),
            Self::Quarantined { .. }
            | Self::AzureWrites { .. }
            | Self::Store(_)
            | Self::Stopped
            | Self::NotOne(_)
            | Self::Broken(_) => None,
        }
    }

    /// Returns the side at which it happened.
    #[must_use]
    pub const fn side(&self) -> Option<Side> {
        match self {
            Self::Source(_) => Some(Side::Source),
            Self::Target(_) => Some(Side::Target),
            Self::Quarantined { .. }
            | Self::AzureWrites { .. }
            | Self::Store(_)
            | Self::Stopped
            | Self::NotOne(_)
            | Self::Broken(_) => None,
        }
    }

    /// True when every further cycle would fail in the same way until somebody acts.
    #[must_use]
    pub const fn quarantines(&self) -> bool {
        match self {
            Self::Source(cause) => matches!(cause.disposition(), Disposition::Quarantine),
            Self::Target(cause) => matches!(cause.disposition(), Disposition::Quarantine) || is_gone(cause),
            Self::Quarantined { .. } => true,
            Self::AzureWrites { .. } | Self::Store(_) | Self::Stopped | Self::NotOne(_) | Self::Broken(_) => {
                false
            }
        }
    }
}

/// The error with its causes, in one line.
pub fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        text = format!("{text}: {cause}");
        next = cause.source();
    }
    text
}

/// True for an answer that the whole target would give again: no entry was asked for, and it said no.
pub(super) const fn is_gone(error: &TargetError) -> bool {
    // 3xx: it is elsewhere; 403: the token may not even read; 404, 410: nothing is there.
    matches!(
        error,
        TargetError::Refused {
            status: 300..=399 | 403 | 404 | 410,
            ..
        }
    )
}
