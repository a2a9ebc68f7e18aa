//! What the engine asks of a directory that is written to on the way back.
//!
//! There are two things to ask for, and no third: properties of a user, and one membership of a group. Nothing here can create or
//! delete.

use async_trait::async_trait;

use super::SourceError;
use super::Traffic;
use super::What;
use crate::model::id::SourceId;
use crate::model::value::Value;

/// Properties of one user that are set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UserWrite {
    /// The user.
    pub user: SourceId,
    /// Graph property and value; `Null` clears it.
    pub properties: Vec<(String, Value)>,
}

/// One membership that is added or removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MembershipWrite {
    /// The group.
    pub group: SourceId,
    /// The user.
    pub user: SourceId,
    /// True for an add.
    pub add: bool,
}

/// How one write ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sent {
    /// Carried out. Replicas may not show it yet.
    Done,
    /// There was nothing to do: a member already, or none any more.
    AlreadySo,
    /// Not carried out, and worth another try later: throttled, not sent, or the object is so new that a replica lacks it.
    NotYet(What),
    /// No answer, or a server error: it may have been carried out.
    Unanswered(What),
    /// Refused.
    Refused {
        /// The HTTP status.
        status: u16,
        /// The request and its answer.
        what: What,
    },
}

/// A directory that is written to.
#[async_trait]
pub trait Writer: Send + Sync {
    /// Sets properties of users. The answer has one entry for each write, in their order.
    ///
    /// # Errors
    /// When nothing was sent: no token, a refused credential, no connection.
    async fn set(&self, writes: &[UserWrite]) -> Result<Vec<Sent>, SourceError>;

    /// Adds and removes members. The answer has one entry for each write, in their order.
    ///
    /// # Errors
    /// As [`Self::set`].
    async fn enrol(&self, writes: &[MembershipWrite]) -> Result<Vec<Sent>, SourceError>;

    /// Returns the least right that writing this property takes, as an admin finds it.
    fn right_for(&self, property: &str) -> &'static str;

    /// Returns the counts of requests so far.
    fn traffic(&self) -> Traffic;
}
