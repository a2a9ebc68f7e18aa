//! What the engine asks of a target directory.

use std::collections::BTreeMap;
use std::collections::HashSet;
use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use serde::Deserialize;
use serde::Serialize;

use super::Created;
use super::Durability;
use super::MethodTraffic;
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
    /// The number of its entries, including those that are not a resource (no `id`).
    pub entries: u64,
    /// `totalResults`, where stated. A hint: services in use count a page, cap silently, or state nothing.
    pub total: Option<u64>,
    /// The page's position in the listing.
    pub paged: Paged,
}

impl ListPage {
    /// Returns the number of its resources, each once.
    #[must_use]
    pub fn distinct(&self) -> u64 {
        let ids: HashSet<&TargetId> = self.resources.iter().map(|resource| &resource.id).collect();
        ids.len() as u64
    }
}

/// The position of a page in its listing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Paged {
    /// By `startIndex`: the index of its first entry. The next pages are asked for by index, until one is empty.
    Index(u64),
    /// By cursor: the next one, where there is a next page.
    Cursor(Option<String>),
}

/// The answer to a filter of several terms.
#[derive(Debug, Clone, PartialEq)]
pub struct Found {
    /// The resources that it holds.
    pub resources: Vec<Resource>,
    /// False where it states itself that there are more.
    pub whole: bool,
}

/// The position at which a listing goes on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ListPosition {
    /// `startIndex` (RFC 7644 section 3.4.2.4).
    Index(u64),
    /// `startIndex` without `count`: a second try where the first one was refused or contradicts itself.
    Uncounted(u64),
    /// `cursor` (RFC 9865).
    Cursor(String),
}

/// What a target can do, by ServiceProviderConfig, Schemas and ResourceTypes, and by what was seen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Default)]
pub struct Capabilities {
    /// True if PATCH is supported; without it, updates are PUT from a fresh read.
    pub patch: bool,
    /// True if filters are supported.
    pub filter: bool,
    /// `filter.maxResults`, where stated.
    pub max_results: Option<u64>,
    /// The attributes by schema URN; empty when `/Schemas` is not served.
    pub schemas: Schemas,
}

/// The member of what was learned (a JSON object) that records a trial under way: a group's members before it. It is of
/// one moment, so a snapshot that is older than its target drops it.
pub const TRIAL: &str = "trial";

/// The store of what a target taught about its forms, for the next process.
#[async_trait]
pub trait Memory: Send + Sync + fmt::Debug {
    /// Stores this text in place of the one before.
    ///
    /// # Errors
    /// When the snapshot cannot store it.
    async fn keep(&self, learned: String, durability: Durability) -> Result<(), StoreError>;
}

/// A directory that is written by SCIM 2.0.
///
/// An answer is about what was asked, or it is an error: a read returns the id asked for, and a create or a change is
/// answered with the resource that was sent ([`crate::reconcile::answer`]).
#[async_trait]
pub trait TargetDirectory: Send + Sync {
    /// Returns what the service announces about itself. Sends only GET; asked once, then stored for a day.
    async fn capabilities(&self) -> Result<Capabilities, TargetError>;

    /// Returns one page of all users or groups; `None` is the first. Whether the listing was whole is for the caller to
    /// judge ([`crate::reconcile::listing`]).
    async fn list(&self, kind: ObjectKind, from: Option<ListPosition>) -> Result<ListPage, TargetError>;

    /// Finds the resources whose attribute at this path equals the value, by filter. Proves absence only where this
    /// filter form was seen to answer rightly (docs/design/matching.md).
    async fn find(&self, kind: ObjectKind, path: &str, value: &str) -> Result<Vec<Resource>, TargetError>;

    /// Finds the resources whose attribute at this path equals any of these values, by one filter of several terms.
    /// Proves absence as [`Self::find`] does, and only where the answer is whole.
    async fn find_any(&self, kind: ObjectKind, path: &str, values: &[String]) -> Result<Found, TargetError>;

    /// Reads one resource. Returns `None` on 404.
    async fn read(&self, kind: ObjectKind, id: &TargetId) -> Result<Option<Resource>, TargetError>;

    /// Sends a create once (again only after 429, or 503 with Retry-After).
    async fn create(&self, kind: ObjectKind, body: NewResource) -> Result<Created, TargetError>;

    /// Changes attributes and members. Returns the resource as the target then holds it, where the answer contains it.
    async fn patch(
        &self,
        kind: ObjectKind,
        id: &TargetId,
        patch: &Patch,
    ) -> Result<Option<Resource>, TargetError>;

    /// Deletes a resource; a 404 counts as done.
    async fn delete(&self, kind: ObjectKind, id: &TargetId) -> Result<(), TargetError>;

    /// Returns false for an attribute that an answer never shows, or that the target is known not to keep: its absence
    /// proves nothing.
    fn shows(&self, _kind: ObjectKind, _path: &TargetPath) -> bool {
        true
    }

    /// Returns true where a group is created with its members; otherwise it is created empty, and they follow.
    fn takes_members_in_create(&self) -> bool {
        true
    }

    /// Notes what a whole reading of a created group proved: whether the members that were in its create are in it.
    fn note_members_in_create(&self, _group: &TargetId, _came: bool) {}

    /// Restores before a cycle what was stored of the target's dialect, and sets the store of what is learned from now
    /// on.
    async fn recall(&self, _learned: Option<String>, _memory: Arc<dyn Memory>) {}

    /// Restores before a cycle what was stored of the target's announcement, and sets the fingerprint of the rules in
    /// force.
    fn recall_announced(&self, _kept: Option<&str>, _under: &str) {}

    /// Returns what is to be stored of its announcement, where that changed.
    fn announced(&self) -> Option<String> {
        None
    }

    /// Returns the findings about the target as a whole since the last call: forms learned, forms found to be unsafe,
    /// values that it accepts and does not keep.
    fn findings(&self) -> Vec<String> {
        Vec::new()
    }

    /// Returns the counts of requests so far.
    fn traffic(&self) -> Traffic;

    /// Returns the requests so far, by their method.
    fn requests(&self) -> BTreeMap<&'static str, MethodTraffic> {
        BTreeMap::new()
    }
}
