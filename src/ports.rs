//! The three ports: what the engine asks of a source directory, of a target directory and of a store.
//!
//! The edges implement them; the engine drives them; nothing here decides.

use std::sync::Arc;
use std::{error::Error, fmt};

use async_trait::async_trait;
use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::mapping::TargetPath;
use crate::model::assignment::AppRole;
use crate::model::assignment::AssignmentList;
use crate::model::id::ObjectKind;
use crate::model::id::SourceId;
use crate::model::id::TargetId;
use crate::model::name::Name;
use crate::model::object::DeltaObject;
use crate::model::object::Existence;
use crate::model::value::Attributes;
use crate::model::value::Value;
use crate::reconcile::operation::Change;
use crate::reconcile::target_schema::Schemas;

/// The cause of an edge's error, kept for whoever prints the chain.
pub type Cause = Box<dyn Error + Send + Sync>;

/// What a failure means for the work that met it (docs/design/failures.md). The error knows; its caller asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Disposition {
    /// The whole side is out of reach just now: work stays dirty, the cycle ends, the next one resumes.
    Retry,
    /// Only this entry is in trouble: it waits, the cycle goes on without it.
    Escrow,
    /// Every entry would fail: the job stops until somebody acts (credentials, permissions, endpoint gone).
    Quarantine,
}

// ---------------------------------------------------------------------------------------------- source

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

/// What comes after a page. A page without exactly one of the two links is an error, never the end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NextPage {
    /// The round goes on here.
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
    /// What the page says, in page order; may be empty although the round goes on.
    pub objects: Vec<DeltaObject>,
    /// What comes after it.
    pub next: NextPage,
}

/// Why the source could not be read. No variant ever means "empty".
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// The stream's token is no longer valid: a full round under a new generation is needed.
    #[error("{what}")]
    Reset {
        /// What was asked, what was answered, with code and request id.
        what: String,
        /// The URL that the service offers for the full round, if it did.
        location: Option<String>,
    },
    /// A link to a page, which an earlier answer brought and we kept, is refused, with whatever code: the link is the only thing
    /// of that request that can be wrong. Refused twice, it is given up, and the round begins anew.
    #[error("{what}")]
    LinkRefused {
        /// What was asked, what was answered.
        what: String,
    },
    /// The credential was refused: wrong, expired, or for another tenant.
    #[error("{what}")]
    Unauthorized {
        /// What was asked, what was answered (AADSTS code included).
        what: String,
        /// What to do.
        hint: String,
    },
    /// A permission is missing.
    #[error("{what}")]
    Forbidden {
        /// What was asked, what was answered.
        what: String,
        /// Which permission to grant, and where.
        hint: String,
    },
    /// Not reachable, throttled beyond the retry budget, or a server error.
    #[error("{what}")]
    Unavailable {
        /// What was asked, what happened.
        what: String,
        /// What to do.
        hint: String,
        /// The cause, where there is one.
        #[source]
        cause: Option<Cause>,
    },
    /// An answer that does not follow the protocol; nothing of it was used.
    #[error("{what}")]
    Malformed {
        /// What was asked, what is wrong with the answer.
        what: String,
        /// What to do.
        hint: String,
    },
}

impl SourceError {
    /// What it means for the job.
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

    /// What to do about it.
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

/// Requests of one side since the process began; a cycle reports the difference.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Traffic {
    /// Requests sent, retries and token requests included.
    pub requests: u64,
    /// Answers 429, and 503 with Retry-After.
    pub throttled: u64,
    /// Requests sent again.
    pub retries: u64,
}

impl Traffic {
    /// What was added since `earlier`.
    #[must_use]
    pub const fn since(self, earlier: Self) -> Self {
        Self {
            requests: self.requests.saturating_sub(earlier.requests),
            throttled: self.throttled.saturating_sub(earlier.throttled),
            retries: self.retries.saturating_sub(earlier.retries),
        }
    }
}

/// A directory that is read by delta query.
#[async_trait]
pub trait SourceDirectory: Send + Sync {
    /// One page of the users' or groups' stream.
    ///
    /// # Errors
    /// Any [`SourceError`]; a page that could not be read whole is always one.
    async fn page(&self, kind: ObjectKind, request: PageRequest) -> Result<DeltaPage, SourceError>;

    /// Asks for objects one by one, in batches: does each live, and with which of the selected properties?
    /// The answer has one entry for each id, in any order.
    ///
    /// # Errors
    /// When the batch as a whole failed; trouble with one id is [`Existence::Unknown`].
    async fn look_up(
        &self,
        kind: ObjectKind,
        ids: &[SourceId],
        select: &[String],
    ) -> Result<Vec<(SourceId, Existence)>, SourceError>;

    /// Who is assigned to an enterprise application, named by its service principal's object id: the whole list.
    ///
    /// # Errors
    /// Any [`SourceError`]; a list that could not be read whole is always one.
    async fn assignments(&self, application: SourceId) -> Result<AssignmentList, SourceError>;

    /// The app roles that an enterprise application defines.
    ///
    /// # Errors
    /// Any [`SourceError`].
    async fn app_roles(&self, application: SourceId) -> Result<Vec<AppRole>, SourceError>;

    /// Requests so far.
    fn traffic(&self) -> Traffic;
}

// ---------------------------------------------------------------------------------------------- target

/// A SCIM resource as the target wrote it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resource {
    /// Its `id`.
    pub id: TargetId,
    /// The whole body; never round-tripped through a typed struct, which would drop unknown extensions.
    pub body: serde_json::Value,
}

/// A resource that is to be created, as it goes out: most are sent as they are, and nobody looks into them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewResource {
    text: Bytes,
    lists_extensions: Option<bool>,
    shape: Option<u64>,
    keys: Arc<[TargetPath]>,
}

impl NewResource {
    /// The JSON text of a resource; whether its `schemas` list all extensions that it uses, or else only Entra's own.
    #[must_use]
    pub fn new(text: impl Into<Bytes>, lists_extensions: bool) -> Self {
        Self {
            text: text.into(),
            lists_extensions: Some(lists_extensions),
            shape: None,
            keys: Arc::default(),
        }
    }

    /// The same, with the paths that tell it from others, beside externalId: see [`crate::reconcile::answer`].
    #[must_use]
    pub fn matched_by(self, keys: Arc<[TargetPath]>) -> Self {
        Self { keys, ..self }
    }

    /// See [`Self::matched_by`].
    #[must_use]
    pub fn keys(&self) -> &[TargetPath] {
        &self.keys
    }

    /// The same, with a number that only resources with the same attributes have.
    #[must_use]
    pub fn of_shape(self, shape: u64) -> Self {
        Self {
            shape: Some(shape),
            ..self
        }
    }

    /// See [`Self::of_shape`]; `None` where nobody said.
    #[must_use]
    pub const fn shape(&self) -> Option<u64> {
        self.shape
    }

    /// As it goes out.
    #[must_use]
    pub const fn text(&self) -> &Bytes {
        &self.text
    }

    /// What `schemas` list, where that is known: see [`Self::new`].
    #[must_use]
    pub const fn lists_extensions(&self) -> Option<bool> {
        self.lists_extensions
    }

    /// What it holds.
    #[must_use]
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.text).unwrap_or_default()
    }
}

impl From<serde_json::Value> for NewResource {
    fn from(body: serde_json::Value) -> Self {
        Self {
            text: body.to_string().into(),
            lists_extensions: None,
            shape: None,
            keys: Arc::default(),
        }
    }
}

/// A resource that was created.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Created {
    /// Its `id`.
    pub id: TargetId,
    /// The whole of it, as the target wrote it.
    pub text: Bytes,
    /// True where the target says that it was there before: 200 in the place of 201 (RFC 7644 section 3.3).
    pub there: bool,
}

impl From<Resource> for Created {
    fn from(resource: Resource) -> Self {
        Self {
            id: resource.id,
            text: resource.body.to_string().into(),
            there: false,
        }
    }
}

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

/// Who was put into a group before a change of it, as far as we know.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct MembersBefore {
    /// How many were sent and accepted.
    pub sent: u64,
    /// True for a group that we made, and whose members are ours to write.
    pub ours: bool,
}

/// One PATCH, in our terms; the dialect decides its wire form.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Patch {
    /// Attribute changes; `after = Null` removes. A manager's value is a target id.
    pub changes: Vec<Change>,
    /// What the target holds of the mapped attributes, as far as known: says whether a multi-valued element exists.
    pub held: Attributes,
    /// Members to add.
    pub add_members: Vec<TargetId>,
    /// Members to remove.
    pub remove_members: Vec<TargetId>,
    /// Who was put into the group before.
    pub members_before: MembersBefore,
}

impl Patch {
    /// True where it takes access away from a user.
    #[must_use]
    pub fn disables(&self) -> bool {
        let disables = |change: &Change| {
            change.attribute.eq_ignore_ascii_case("active") && change.after.as_bool() == Some(false)
        };
        self.changes.iter().any(disables)
    }
}

/// An attribute that the target refused while it took the rest, or that it took and did not keep.
#[derive(Debug)]
pub struct RefusedPart {
    /// Target path, as the mapping writes it.
    pub attribute: Name,
    /// The answer to it.
    pub error: TargetError,
    /// What the resource holds after a 2xx; `None` for a refusal.
    pub holds: Option<Value>,
}

/// A member that the target refused to put in or to take out while it took others.
#[derive(Debug)]
pub struct RefusedMember {
    /// The member, as the target knows it.
    pub member: TargetId,
    /// The answer to it.
    pub error: TargetError,
}

impl RefusedMember {
    /// Everybody of a part, refused with one answer.
    #[must_use]
    pub fn all(members: &[TargetId], error: &TargetError) -> Vec<Self> {
        let one = |member: &TargetId| Self {
            member: member.clone(),
            error: error.to_refusal(),
        };
        members.iter().map(one).collect()
    }
}

/// Every attribute of a patch, refused with one answer.
#[must_use]
pub fn all_refused(patch: &Patch, error: &TargetError) -> Vec<RefusedPart> {
    let one = |change: &Change| RefusedPart {
        attribute: change.attribute.clone(),
        error: error.to_refusal(),
        holds: None,
    };
    patch.changes.iter().map(one).collect()
}

/// Why the target did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum TargetError {
    /// 409: somebody else holds a unique value. A new observation, not a failure.
    #[error("{what}")]
    Conflict {
        /// Request, status, detail.
        what: String,
    },
    /// 404 of a resource that we hold for existing. A new observation, not a failure.
    #[error("{what}")]
    NotFound {
        /// Request, status, detail.
        what: String,
    },
    /// This one request was refused (400, 403, 412, 413, 422, 501 …).
    #[error("{what}")]
    Refused {
        /// Request, status, scimType, detail, request id.
        what: String,
        /// HTTP status; 0 where it was not even sent.
        status: u16,
        /// What to do.
        hint: String,
    },
    /// Attributes or members were refused, and the rest of the request was carried out.
    #[error("{what}")]
    Partly {
        /// What was refused, in short.
        what: String,
        /// Each refused attribute with the answer to it.
        refused: Vec<RefusedPart>,
        /// Each refused member with the answer to it.
        members: Vec<RefusedMember>,
        /// The resource as it then is, where the target said so.
        rest: Option<Box<Resource>>,
    },
    /// 401: the token is wrong or expired.
    #[error("{what}")]
    Unauthorized {
        /// Request, status.
        what: String,
        /// What to do.
        hint: String,
    },
    /// Connection, timeout, 5xx, or 429 beyond the budget: the whole target is in trouble.
    #[error("{what}")]
    Unavailable {
        /// Request and what happened.
        what: String,
        /// HTTP status; 0 where no answer came, or nothing was sent.
        status: u16,
        /// What to do.
        hint: String,
        /// True when the request may have been carried out all the same.
        maybe_done: bool,
        /// The cause, where there is one.
        #[source]
        cause: Option<Cause>,
    },
    /// An answer that is not SCIM (HTML, no JSON, a 2xx create without an id).
    #[error("{what}")]
    Malformed {
        /// Request and what is wrong with the answer.
        what: String,
        /// What to do.
        hint: String,
        /// True when the request may have been carried out all the same.
        maybe_done: bool,
    },
}

impl TargetError {
    /// The same as an answer to a part of a request.
    #[must_use]
    pub fn to_refusal(&self) -> Self {
        Self::Refused {
            what: self.to_string(),
            status: self.status(),
            hint: self.hint().to_owned(),
        }
    }

    /// The status of the answer; 0 where there was none, or where it does not tell.
    #[must_use]
    pub const fn status(&self) -> u16 {
        match self {
            Self::Refused { status, .. } | Self::Unavailable { status, .. } => *status,
            Self::Conflict { .. } => 409,
            Self::NotFound { .. } => 404,
            Self::Unauthorized { .. } => 401,
            Self::Partly { .. } | Self::Malformed { .. } => 0,
        }
    }

    /// What it means for the work that met it.
    #[must_use]
    pub const fn disposition(&self) -> Disposition {
        match self {
            Self::Conflict { .. } | Self::NotFound { .. } | Self::Refused { .. } | Self::Partly { .. } => {
                Disposition::Escrow
            }
            Self::Unauthorized { .. } => Disposition::Quarantine,
            Self::Unavailable { .. } | Self::Malformed { .. } => Disposition::Retry,
        }
    }

    /// True when the request may have been carried out although no good answer came.
    #[must_use]
    pub const fn maybe_done(&self) -> bool {
        match self {
            Self::Unavailable { maybe_done, .. } | Self::Malformed { maybe_done, .. } => *maybe_done,
            _ => false,
        }
    }

    /// True where the target answered: the request is not under way any more, whatever became of it. A gateway that gave up
    /// waiting says nothing of that.
    #[must_use]
    pub const fn is_answered(&self) -> bool {
        match self {
            Self::Unavailable { status, .. } => !matches!(status, 0 | 408 | 502 | 503 | 504),
            Self::Conflict { .. }
            | Self::NotFound { .. }
            | Self::Refused { .. }
            | Self::Partly { .. }
            | Self::Unauthorized { .. }
            | Self::Malformed { .. } => true,
        }
    }

    /// What to do about it.
    #[must_use]
    pub fn hint(&self) -> &str {
        match self {
            Self::Conflict { .. } => {
                "the value is looked up at the target in this cycle; if this stays, free the name there"
            }
            Self::NotFound { .. } => "the next cycle treats it as missing at the target",
            Self::Partly { refused, members, .. } => {
                let parts = refused.iter().map(|part| &part.error);
                let mut errors = parts.chain(members.iter().map(|member| &member.error));
                errors.next().map_or("", |error| error.hint())
            }
            Self::Refused { hint, .. }
            | Self::Unauthorized { hint, .. }
            | Self::Unavailable { hint, .. }
            | Self::Malformed { hint, .. } => hint,
        }
    }
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

// ----------------------------------------------------------------------------------------------- store

/// The tables of a store. The number is part of the format: never reuse one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Table {
    /// Format version, tenant and target that the store is bound to, counters, dialect, fingerprints, streams.
    Meta = 1,
    /// Kind and source id to the record: source values, link, sent, kept.
    Objects = 2,
    /// Group id and member id to the membership.
    Edges = 3,
    /// Referred id and referrer id: who is to be looked at when the referred object comes or goes.
    Referrers = 4,
    /// Kind and source id of what is still to be planned or carried out.
    Dirty = 5,
    /// Kind and target id to the source id that owns it.
    Owners = 6,
    /// Batches of open create-intents.
    Intents = 7,
    /// History entries, a batch a record: the chain without values.
    History = 8,
    /// The values and the salt of history entries, which can be erased.
    HistoryValues = 9,
    /// What a target listing brought in the cycle under way, by kind and target id.
    Readings = 10,
    /// Kind, path and folded value to the target ids in the readings.
    ReadingIndex = 11,
    /// What the cycle under way expects of its own operations (the plan that is only shown).
    Forecast = 12,
    /// Summaries of past cycles.
    Cycles = 13,
    /// Removals planned in the first pass, with their reasons.
    Removals = 14,
    /// Who of the linked is out of scope, and the members of the groups that scopes ask about.
    Scope = 15,
    /// Kind and id of who is assigned to the enterprise application, with the roles: the last whole list.
    Assignments = 16,
    /// What is kept back from the target: operations withheld by the guard, and holds.
    KeptBack = 17,
    /// Where the target, as last read, is not as we left it; and its resources that nobody is linked to.
    Drift = 18,
    /// Kind and id of who is set aside after a failure, with why and until when.
    Escrow = 20,
    /// Kind and id of whose attributes the target refused while it took the rest, with why and until when.
    Refused = 21,
}

/// What a commit promises when it returns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Durability {
    /// On disk: survives a power cut.
    Synced,
    /// Survives a crash of the process; a power cut may lose it, in order, never a later one before an earlier one.
    Lazy,
}

/// Writes that happen together or not at all.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct WriteBatch {
    /// Key and value, `None` deletes; in order, the last one for a key wins.
    pub writes: Vec<(Table, Vec<u8>, Option<Vec<u8>>)>,
}

impl WriteBatch {
    /// Sets a key.
    pub fn put(&mut self, table: Table, key: impl Into<Vec<u8>>, value: impl Into<Vec<u8>>) {
        self.writes.push((table, key.into(), Some(value.into())));
    }

    /// Removes a key; removing what is not there is done.
    pub fn delete(&mut self, table: Table, key: impl Into<Vec<u8>>) {
        self.writes.push((table, key.into(), None));
    }
}

/// Why a store did not do its work.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Another process holds it.
    #[error("the snapshot in `{path}` is in use by process {pid}")]
    InUse {
        /// The state folder.
        path: String,
        /// The holder, as it wrote itself down; `unknown` if it did not.
        pid: String,
    },
    /// Written by a newer melonsync.
    #[error("the snapshot in `{path}` has format {found}; this melonsync reads up to {known}")]
    TooNew {
        /// The state folder.
        path: String,
        /// The format found.
        found: u32,
        /// The newest format known here.
        known: u32,
    },
    /// Made by another engine than the settings name.
    #[error("the snapshot in `{path}` is one of {found}, and the settings say {wanted}")]
    OtherEngine {
        /// The job's folder.
        path: String,
        /// The engine that made it.
        found: &'static str,
        /// The engine of the settings.
        wanted: &'static str,
    },
    /// Not readable as what it should be.
    #[error("the snapshot in `{path}` is damaged: {what}")]
    Damaged {
        /// The state folder.
        path: String,
        /// What was found where.
        what: String,
    },
    /// Bound to another tenant or target.
    #[error("the snapshot in `{path}` belongs to {bound}, not to {wanted}")]
    Bound {
        /// The state folder.
        path: String,
        /// What it is bound to.
        bound: String,
        /// What this job is.
        wanted: String,
    },
    /// A link to a resource that another object is linked to: one resource has one owner (docs/design/matching.md).
    #[error(
        "cannot link {claimant} with `{target}`: {owner} is linked with it, says the snapshot in `{path}`"
    )]
    Claimed {
        /// The state folder.
        path: String,
        /// The resource.
        target: String,
        /// The source object that it is linked to.
        owner: String,
        /// The source object that wanted it.
        claimant: String,
    },
    /// The disk or the folder refused.
    #[error("cannot {action} in `{path}`")]
    Io {
        /// What was tried.
        action: String,
        /// The state folder or file.
        path: String,
        /// The cause.
        #[source]
        cause: Cause,
    },
}

impl StoreError {
    /// What to do about it.
    #[must_use]
    pub fn hint(&self) -> String {
        match self {
            Self::InUse { .. } => "stop that process, or wait for it to end".to_owned(),
            Self::TooNew { .. } => "run the melonsync that wrote it, or restore a backup made before the upgrade".to_owned(),
            Self::OtherEngine { found, wanted, .. } => format!(
                "write store = \"{found}\" under [state] again; or, to move to {wanted}, run `melonsync state backup --out FILE` \
                 with that, then `melonsync state restore --from FILE --force` with store = \"{wanted}\""
            ),
            Self::Damaged { path, .. } => format!(
                "set the folder aside (mv {path} {path}.damaged) and restore a backup with `melonsync state restore`; \
                 without one, start afresh: the next cycle matches everyone again by externalId and userName"
            ),
            Self::Bound { .. } => {
                "give the job another name (it then starts afresh), or point it back at its own tenant and target"
                    .to_owned()
            }
            Self::Claimed { .. } => "nothing was written; run `melonsync state verify`, and report this".to_owned(),
            Self::Io { .. } => "check free space and the permissions of the state folder".to_owned(),
        }
    }
}

/// One entry of a table.
pub type KeyValue = (Vec<u8>, Vec<u8>);

/// An ordered key-value store with atomic batches over all its tables. Calls block: not from an async
/// worker, unless [`SnapshotStore::blocks`] says otherwise.
pub trait SnapshotStore: Send + Sync + fmt::Debug {
    /// One value.
    fn get(&self, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError>;

    /// Up to `limit` entries in key order whose key starts with `prefix` and is greater than `after`.
    fn scan(
        &self,
        table: Table,
        prefix: &[u8],
        after: Option<&[u8]>,
        limit: usize,
    ) -> Result<Vec<KeyValue>, StoreError>;

    /// Carries out the whole batch or nothing of it.
    fn commit(&self, batch: WriteBatch, durability: Durability) -> Result<(), StoreError>;

    /// Makes every earlier commit durable.
    fn sync(&self) -> Result<(), StoreError>;

    /// False for a store without a disk, whose calls may be made where they stand: no thread need wait for them.
    fn blocks(&self) -> bool {
        true
    }

    /// Bytes on disk; 0 for a store without one.
    fn size_on_disk(&self) -> Result<u64, StoreError>;

    /// Brings what an older format kept to the layout of today. Safe to repeat after a crash; nothing for an engine
    /// that has only one layout.
    fn renew_layout(&self) -> Result<(), StoreError> {
        Ok(())
    }
}
