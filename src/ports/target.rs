//! What the engine asks of a target directory.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use serde::Deserialize;
use serde::Serialize;

use super::Created;
use super::Durability;
use super::NewResource;
use super::Patch;
use super::Resource;
use super::StoreError;
use super::TargetError;
use super::Traffic;
use crate::mapping::TargetPath;
use crate::model::id::ObjectKind;
use crate::model::id::TargetId;
use crate::reconcile::target_schema::Schemas;

/// One page of a listing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListPage {
    /// The resources on it.
    pub resources: Vec<Resource>,
    /// How many entries it had, those that are no resource (no `id`) included.
    pub entries: u64,
    /// `totalResults`, where said. A hint: services in use count a page, cap silently, or say nothing.
    pub total: Option<u64>,
    /// Where it stands in the listing.
    pub paged: Paged,
}

/// Where a page stands in its listing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Paged {
    /// By `startIndex`: the index of its first entry. What follows is asked for by index, until nothing comes.
    Index(u64),
    /// By cursor: the next one, where there is a next page.
    Cursor(Option<String>),
}

/// The answer to a filter of several terms.
#[derive(Debug, Clone, PartialEq)]
pub struct Found {
    /// The resources that it holds.
    pub resources: Vec<Resource>,
    /// False where it says itself that there are more.
    pub whole: bool,
}

/// Where a listing goes on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ListPosition {
    /// `startIndex` (RFC 7644 section 3.4.2.4).
    Index(u64),
    /// `startIndex` without `count`: a second look where the first one was refused or contradicts itself.
    Uncounted(u64),
    /// `cursor` (RFC 9865).
    Cursor(String),
}

/// What a target can do, from ServiceProviderConfig, Schemas and ResourceTypes, and what it was seen to do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Default)]
pub struct Capabilities {
    /// PATCH is supported; without it, updates are PUT from a fresh read.
    pub patch: bool,
    /// Filters are supported.
    pub filter: bool,
    /// `filter.maxResults`, where said.
    pub max_results: Option<u64>,
    /// Schema URN to its attributes; empty when `/Schemas` is not served.
    pub schemas: Schemas,
}

/// The member of what was learned (a JSON object) that tells of a trial under way: who was in a group before it. It is of
/// one moment, so a snapshot that is older than its target drops it.
pub const TRIAL: &str = "trial";

/// Keeps what a target taught of the forms that it wants, for the next process.
#[async_trait]
pub trait Memory: Send + Sync + fmt::Debug {
    /// Keeps this text in place of the one before.
    ///
    /// # Errors
    /// When the snapshot does not take it.
    async fn keep(&self, learned: String, durability: Durability) -> Result<(), StoreError>;
}

/// A directory that is written by SCIM 2.0.
///
/// An answer is about what was asked, or it is an error: a read is of the id asked for, and what a create or a change is
/// answered with is the resource that was sent ([`crate::reconcile::answer`]).
#[async_trait]
pub trait TargetDirectory: Send + Sync {
    /// What the service says of itself. Sends only GET; asked once, then remembered for a day.
    async fn capabilities(&self) -> Result<Capabilities, TargetError>;

    /// One page of all users or groups; `None` is the first. Whether the listing was whole is for the caller to
    /// judge ([`crate::reconcile::listing`]).
    async fn list(&self, kind: ObjectKind, from: Option<ListPosition>) -> Result<ListPage, TargetError>;

    /// Resources whose attribute at this path equals the value, by filter. Proves absence only where this
    /// filter form was seen to answer rightly (docs/design/matching.md).
    async fn find(&self, kind: ObjectKind, path: &str, value: &str) -> Result<Vec<Resource>, TargetError>;

    /// Resources whose attribute at this path equals any of these values, by one filter of several terms. Proves absence as
    /// [`Self::find`] does, and only where the answer is whole.
    async fn find_any(&self, kind: ObjectKind, path: &str, values: &[String]) -> Result<Found, TargetError>;

    /// One resource; `None` on 404.
    async fn read(&self, kind: ObjectKind, id: &TargetId) -> Result<Option<Resource>, TargetError>;

    /// Sends a create once (again only after 429, or 503 with Retry-After).
    async fn create(&self, kind: ObjectKind, body: NewResource) -> Result<Created, TargetError>;

    /// Changes attributes and members; the resource as the target then holds it, where it says so.
    async fn patch(
        &self,
        kind: ObjectKind,
        id: &TargetId,
        patch: &Patch,
    ) -> Result<Option<Resource>, TargetError>;

    /// Deletes; a 404 is done.
    async fn delete(&self, kind: ObjectKind, id: &TargetId) -> Result<(), TargetError>;

    /// False for an attribute that an answer never shows, or that the target is known not to keep: not seeing it proves nothing.
    fn shows(&self, _kind: ObjectKind, _path: &TargetPath) -> bool {
        true
    }

    /// True where a group is created with its members; else it is created empty, and they follow.
    fn takes_members_in_create(&self) -> bool {
        true
    }

    /// What a whole look at a created group told: whether the members that were in its create are in it.
    fn note_members_in_create(&self, _group: &TargetId, _came: bool) {}

    /// Before a cycle talks to the target: what was kept of its dialect, and who keeps what is learned from now on.
    async fn recall(&self, _learned: Option<String>, _memory: Arc<dyn Memory>) {}

    /// Before a cycle talks to the target: what was kept of what it announced, and the fingerprint of the rules in force.
    fn recall_announced(&self, _kept: Option<&str>, _under: &str) {}

    /// What is to be kept of what it announced, where that is other than before.
    fn announced(&self) -> Option<String> {
        None
    }

    /// What there is to say about the target as a whole since the last time: forms learned, forms found to be unsafe, what
    /// it takes and does not keep.
    fn findings(&self) -> Vec<String> {
        Vec::new()
    }

    /// Requests so far.
    fn traffic(&self) -> Traffic;
}
