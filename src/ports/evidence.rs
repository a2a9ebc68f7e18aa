//! What the way back asks of the directory beside the streams of changes. All of it only reads.

use std::collections::BTreeSet;

use async_trait::async_trait;

use super::SourceError;
use crate::model::id::SourceId;
use crate::reconcile::back::group::GroupFacts;
use crate::reconcile::back::passkeys::Registration;

/// Facts that decide who may be in the enrolled group.
#[async_trait]
pub trait EnrolmentEvidence: Send + Sync {
    /// Reads what the report of registered methods says of each user whom it has. It is hours behind, and lacks disabled users.
    ///
    /// # Errors
    /// Any [`SourceError`]; a report that was not read whole is always one.
    async fn registrations(&self) -> Result<Vec<Registration>, SourceError>;

    /// Reads the passkeys of one user: the model (AAGUID) of each.
    ///
    /// # Errors
    /// Any [`SourceError`].
    async fn passkeys(&self, user: SourceId) -> Result<Vec<String>, SourceError>;

    /// Reads what decides whether a group can be the enrolled group.
    ///
    /// # Errors
    /// Any [`SourceError`].
    async fn group_facts(&self, group: SourceId) -> Result<GroupFacts, SourceError>;

    /// Reads all users who are members of a group.
    ///
    /// # Errors
    /// Any [`SourceError`]; a list that was not read whole, or that changed meanwhile, is always one.
    async fn group_members(&self, group: SourceId) -> Result<BTreeSet<SourceId>, SourceError>;

    /// Reads the applications that own a group: their application (client) ids.
    ///
    /// # Errors
    /// Any [`SourceError`].
    async fn group_owners(&self, group: SourceId) -> Result<Vec<String>, SourceError>;
}
