//! What the engine asks of a source directory.

use std::collections::BTreeMap;

use async_trait::async_trait;
use serde_json::Value as Json;

use super::Cause;
use super::Disposition;
use super::MethodTraffic;
use super::Traffic;
use super::What;
use crate::model::assignment::AppRole;
use crate::model::assignment::AssignmentList;
use crate::model::azure_job::AzureJob;
use crate::model::azure_job::LogEntry;
use crate::model::clock::Timestamp;
use crate::model::id::ObjectKind;
use crate::model::id::SourceId;
use crate::model::object::DeltaObject;
use crate::model::object::Existence;

/// Which page of a stream to read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PageRequest {
    /// The first page of a full round with this `$select` (`id` always comes back).
    First {
        /// Graph property names, `manager` or `members` included where references are wanted.
        select: Vec<String>,
    },
    /// A nextLink or deltaLink, verbatim.
    Follow {
        /// The link.
        link: String,
        /// True on a delta round: ask for changed properties only (`Prefer: return=minimal`).
        minimal: bool,
    },
}

/// The link after a page. A page without exactly one of the two links is an error, never the end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NextPage {
    /// The round continues here.
    More {
        /// `@odata.nextLink`, verbatim.
        next_link: String,
    },
    /// The round is whole; the next one begins here.
    Complete {
        /// `@odata.deltaLink`, verbatim.
        delta_link: String,
    },
}

/// One page of a delta query.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeltaPage {
    /// The page's objects, in page order; may be empty although the round goes on.
    pub objects: Vec<DeltaObject>,
    /// The link after it.
    pub next: NextPage,
}

/// Why the source could not be read. No variant ever means "empty".
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// The stream's token is no longer valid: a full round under a new generation is needed.
    #[error("{what}")]
    Reset {
        /// The request and its answer, with code and request id.
        what: What,
        /// The URL that the service offers for the full round, if it did.
        location: Option<String>,
    },
    /// A stored link to a page, which an earlier answer brought, is refused, with whatever code: the link is the only
    /// part of that request that can be wrong. Refused twice, it is dropped, and the round begins anew.
    #[error("{what}")]
    LinkRefused {
        /// The request and its answer.
        what: What,
    },
    /// The credential was refused: wrong, expired, or for another tenant.
    #[error("{what}")]
    Unauthorized {
        /// The request and its answer (AADSTS code included).
        what: What,
        /// What to do.
        hint: String,
    },
    /// A permission is missing.
    #[error("{what}")]
    Forbidden {
        /// The request and its answer.
        what: What,
        /// Which permission to grant, and where.
        hint: String,
    },
    /// The source is not reachable, throttled beyond the retry budget, or answers with a server error.
    #[error("{what}")]
    Unavailable {
        /// The request and what happened.
        what: What,
        /// What to do.
        hint: String,
        /// The cause, where there is one.
        #[source]
        cause: Option<Cause>,
    },
    /// An answer that does not follow the protocol; nothing of it was used.
    #[error("{what}")]
    Malformed {
        /// The request and what is wrong with the answer.
        what: What,
        /// What to do.
        hint: String,
    },
}

impl SourceError {
    /// Returns what happened, with the exchange in which it happened.
    #[must_use]
    pub const fn what(&self) -> &What {
        match self {
            Self::Reset { what, .. }
            | Self::LinkRefused { what }
            | Self::Unauthorized { what, .. }
            | Self::Forbidden { what, .. }
            | Self::Unavailable { what, .. }
            | Self::Malformed { what, .. } => what,
        }
    }

    /// Returns what the error means for the job.
    #[must_use]
    pub const fn disposition(&self) -> Disposition {
        match self {
            Self::Unauthorized { .. } | Self::Forbidden { .. } => Disposition::Quarantine,
            Self::Reset { .. }
            | Self::LinkRefused { .. }
            | Self::Unavailable { .. }
            | Self::Malformed { .. } => Disposition::Retry,
        }
    }

    /// Returns what to do about it.
    #[must_use]
    pub fn hint(&self) -> &str {
        match self {
            Self::Reset { .. } => {
                "nothing to do: the next cycle reads the source from the beginning; links are kept"
            }
            Self::LinkRefused { .. } => {
                "the link to a page that was kept from an earlier answer is refused, again and again: if the next cycle, which \
                 begins its round anew, ends so too, report this"
            }
            Self::Unauthorized { hint, .. }
            | Self::Forbidden { hint, .. }
            | Self::Unavailable { hint, .. }
            | Self::Malformed { hint, .. } => hint,
        }
    }
}

/// A directory that is read by delta query.
#[async_trait]
pub trait SourceDirectory: Send + Sync {
    /// Reads one page of the users' or groups' stream.
    ///
    /// # Errors
    /// Any [`SourceError`]; a page that could not be read whole is always one.
    async fn page(&self, kind: ObjectKind, request: PageRequest) -> Result<DeltaPage, SourceError>;

    /// Asks for objects by id, in batches: whether each lives, and its selected properties. The answer has one entry
    /// for each id, in any order.
    ///
    /// # Errors
    /// When the batch as a whole failed; a failure of one id is [`Existence::Unknown`].
    async fn look_up(
        &self,
        kind: ObjectKind,
        ids: &[SourceId],
        select: &[String],
    ) -> Result<Vec<(SourceId, Existence)>, SourceError>;

    /// Reads the whole assignment list of an enterprise application, named by its service principal's object id.
    ///
    /// # Errors
    /// Any [`SourceError`]; a list that could not be read whole is always one.
    async fn assignments(&self, application: SourceId) -> Result<AssignmentList, SourceError>;

    /// Reads the app roles that an enterprise application defines.
    ///
    /// # Errors
    /// Any [`SourceError`].
    async fn app_roles(&self, application: SourceId) -> Result<Vec<AppRole>, SourceError>;

    /// Returns what is asked about the directory's own provisioning jobs; `None` where it has no such thing.
    fn azure_jobs(&self) -> Option<&dyn AzureJobs> {
        None
    }

    /// Returns the counts of requests so far.
    fn traffic(&self) -> Traffic;

    /// Returns the requests so far, by their method.
    fn requests(&self) -> BTreeMap<&'static str, MethodTraffic> {
        BTreeMap::new()
    }
}

/// Azure's provisioning jobs for an application, named by the object id of its service principal.
#[async_trait]
pub trait AzureJobs: Send + Sync {
    /// Reads the jobs, each with its state.
    ///
    /// # Errors
    /// Any [`SourceError`]; [`SourceError::Forbidden`] where the app may not see them.
    async fn jobs(&self, application: SourceId) -> Result<Vec<AzureJob>, SourceError>;

    /// Reads the provisioning log between two moments, both included, oldest first, each entry once.
    ///
    /// # Errors
    /// Any [`SourceError`]; a log that was not read whole is always one.
    async fn log(
        &self,
        application: SourceId,
        from: Timestamp,
        to: Timestamp,
    ) -> Result<Vec<LogEntry>, SourceError>;

    /// Reads the synchronization schema of a job.
    ///
    /// # Errors
    /// Any [`SourceError`].
    async fn schema(&self, application: SourceId, job: &str) -> Result<Json, SourceError>;
}
