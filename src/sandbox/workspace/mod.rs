//! A sample IDmelon workspace: a strict SCIM 2.0 service with IDmelon's extension and a group `description`.
//!
//! Written from RFC 7643 and RFC 7644. By default it refuses what the RFCs allow a service to refuse (strings for
//! booleans, unknown attributes and extensions, unknown members, removals that find nothing), so that a client that
//! passes here is a careful one. Options make it behave like servers in the field, faults make it fail.

mod check;
mod control;
mod discovery;
mod error;
mod fill;
mod filter;
mod http;
mod keys;
mod list;
mod odd;
mod odd_create;
mod odd_listing;
mod odd_writes;
mod patch;
mod place;
mod resources;
mod schema;
mod store;

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::time::Instant;

use serde_json::Value;

use super::clock;
use super::faults::ScimFaults;
use super::oddities::Oddities;
use super::server::Answer;
use super::server::Call;
use super::server::RequestLog;
use super::server::RequestRecord;
use super::server::Server;
use super::server::Service;
use super::server::locked;
pub use keys::DEFAULT_API_KEY;
pub use odd_listing::Numbers;
use schema::Type;
use store::Shelf;

/// The bearer token that a new workspace accepts.
pub const DEFAULT_TOKEN: &str = "sandbox-token";
/// The path of the SCIM service on its host, as IDmelon's.
pub const BASE_PATH: &str = "/api/scim/v2/";

/// How an extension that is not registered is handled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UnknownExtension {
    /// 400.
    Refuse,
    /// Silently dropped.
    Drop,
    /// Stored as it came.
    Keep,
}

/// How `remove members` with a value array (Entra's old form) is handled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LegacyRemoval {
    /// 400 invalidValue, as scim2-server.
    Refuse,
    /// Removes those that are listed, as scimmy.
    Honour,
    /// Ignores the value and removes all.
    RemovesAll,
}

/// The `Location` of a created resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LocationForm {
    /// A URL.
    Absolute,
    /// A path.
    Relative,
    /// None, neither header nor `meta.location`.
    Missing,
}

/// The body of a 401.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UnauthorizedBody {
    /// A SCIM error.
    Scim,
    /// A line of text.
    Plain,
    /// Nothing.
    Empty,
}

/// How the workspace behaves when nothing goes wrong.
#[derive(Clone, Debug)]
pub struct WorkspaceOptions {
    /// Most resources on a page, and the default page. Default 200.
    pub max_results: usize,
    /// `startIndex` and `count` are honoured; else every GET shows the first 20, as scimmy does. Default true.
    pub paging: bool,
    /// Filters are supported; else 501. Default true.
    pub filters: bool,
    /// Filters compare every string with its case. Default false.
    pub case_sensitive_filters: bool,
    /// A filter on externalId finds nothing, ever. Default false.
    pub external_id_filter_is_empty: bool,
    /// PATCH is supported; else 501. Default true.
    pub patch_supported: bool,
    /// PATCH answers 200 with the resource; else 204. Default true.
    pub patch_answers_body: bool,
    /// Default absolute.
    pub location: LocationForm,
    /// Two groups cannot have one displayName (409). Default false.
    pub unique_group_names: bool,
    /// Groups have a `description`. Default true.
    pub group_description: bool,
    /// IDmelon's user extension is registered. Default true.
    pub idmelon_extension: bool,
    /// Default refuse.
    pub unknown_extension: UnknownExtension,
    /// Unknown attributes are dropped silently; else 400. Default false.
    pub ignore_unknown: bool,
    /// Members that do not exist are accepted; else 400. Default false.
    pub accept_unknown_members: bool,
    /// A deleted user stays a member. Default false.
    pub dangling_members: bool,
    /// Adding a member twice stores it twice, as scimmy. Default false.
    pub duplicate_members: bool,
    /// `remove members[value eq "x"]` works; else 501. Default true.
    pub path_filter_removal: bool,
    /// Removing what a value filter does not find is answered 2xx; else 400 noTarget. Default false.
    pub removal_of_absent_is_done: bool,
    /// Default refuse.
    pub legacy_removal: LegacyRemoval,
    /// `active = false` clears the roles, as IDmelon documents. Default true.
    pub deactivation_clears_roles: bool,
    /// userName and emails are stored in lower case. Default false.
    pub lower_case: bool,
    /// Strings are stored without spaces around them. Default false.
    pub trim: bool,
    /// Core attributes that are accepted and not kept. Default none.
    pub drop_attributes: Vec<String>,
    /// Default a SCIM error.
    pub unauthorized_body: UnauthorizedBody,
    /// A path with `//` is answered 404. Default true.
    pub strict_slashes: bool,
    /// Pause before every answer, in milliseconds. Default 0.
    pub latency_ms: u64,
    /// Bodies of writes are kept in the request log. Default false.
    pub record_bodies: bool,
    /// The odd behaviours that the faults switch on; not set by hand.
    pub(super) odd: Oddities,
}

impl Default for WorkspaceOptions {
    fn default() -> Self {
        WorkspaceOptions {
            max_results: 200,
            paging: true,
            filters: true,
            case_sensitive_filters: false,
            external_id_filter_is_empty: false,
            patch_supported: true,
            patch_answers_body: true,
            location: LocationForm::Absolute,
            unique_group_names: false,
            group_description: true,
            idmelon_extension: true,
            unknown_extension: UnknownExtension::Refuse,
            ignore_unknown: false,
            accept_unknown_members: false,
            dangling_members: false,
            duplicate_members: false,
            path_filter_removal: true,
            removal_of_absent_is_done: false,
            legacy_removal: LegacyRemoval::Refuse,
            deactivation_clears_roles: true,
            lower_case: false,
            trim: false,
            drop_attributes: Vec::new(),
            unauthorized_body: UnauthorizedBody::Scim,
            strict_slashes: true,
            latency_ms: 0,
            record_bodies: false,
            odd: Oddities::default(),
        }
    }
}

/// A sample workspace. Clones are handles to the same one; it lives as long as one of them.
#[derive(Clone)]
pub struct Workspace {
    inner: Arc<Inner>,
}

struct Inner {
    core: Mutex<Core>,
    log: RequestLog,
}

struct Core {
    users: Shelf,
    groups: Shelf,
    /// The options as set by hand.
    base: WorkspaceOptions,
    /// The options in force: with the odd behaviours that the faults switch on.
    options: WorkspaceOptions,
    faults: ScimFaults,
    token: String,
    keys: keys::Keys,
    /// The writes left in the bucket, and when it was last filled (fault `writes_per_minute`).
    bucket: Option<(f64, Instant)>,
    /// The id in the answer to the last create, by collection (fault `create_repeats_id`).
    created: BTreeMap<String, String>,
    /// The last good answer by method and collection (fault `mixed_up`).
    earlier: BTreeMap<String, Answer>,
}

impl Core {
    fn shelf(&mut self, kind: Type) -> &mut Shelf {
        if kind == Type::User {
            &mut self.users
        } else {
            &mut self.groups
        }
    }
}

impl Default for Workspace {
    fn default() -> Self {
        Workspace::new()
    }
}

impl Workspace {
    /// Creates an empty workspace.
    pub fn new() -> Self {
        let core = Core {
            users: Shelf::new(Type::User),
            groups: Shelf::new(Type::Group),
            base: WorkspaceOptions::default(),
            options: WorkspaceOptions::default(),
            faults: ScimFaults::default(),
            token: DEFAULT_TOKEN.into(),
            keys: keys::Keys::default(),
            bucket: None,
            created: BTreeMap::new(),
            earlier: BTreeMap::new(),
        };
        Workspace {
            inner: Arc::new(Inner {
                core: Mutex::new(core),
                log: RequestLog::default(),
            }),
        }
    }

    fn core(&self) -> MutexGuard<'_, Core> {
        locked(&self.inner.core)
    }

    /// Returns the bearer token that is accepted.
    pub fn token(&self) -> String {
        self.core().token.clone()
    }

    /// Sets another token; the old one is refused from now on.
    pub fn set_token(&self, token: &str) {
        self.core().token = token.to_owned();
    }

    /// Changes how the workspace behaves.
    pub fn update_options(&self, change: impl FnOnce(&mut WorkspaceOptions)) {
        let mut core = self.core();
        change(&mut core.base);
        core.options = core.faults.odd.over(&core.base);
        self.inner.log.keep_bodies(core.options.record_bodies);
    }

    /// Switches faults on and off.
    pub fn update_faults(&self, change: impl FnOnce(&mut ScimFaults)) {
        let mut core = self.core();
        change(&mut core.faults);
        core.options = core.faults.odd.over(&core.base);
        core.bucket = None;
    }

    /// Replaces all faults.
    pub fn set_faults(&self, faults: ScimFaults) {
        self.update_faults(|held| *held = faults);
    }

    /// Returns all users as they are stored, in the order of their creation.
    pub fn users(&self) -> Vec<Value> {
        self.core().users.all().cloned().collect()
    }

    /// Returns all groups as they are stored.
    pub fn groups(&self) -> Vec<Value> {
        self.core().groups.all().cloned().collect()
    }

    /// Returns how many users there are.
    pub fn user_count(&self) -> usize {
        self.core().users.len()
    }

    /// Returns how many groups there are.
    pub fn group_count(&self) -> usize {
        self.core().groups.len()
    }

    /// Returns a user by id.
    pub fn user(&self, id: &str) -> Option<Value> {
        self.core().users.get(id).cloned()
    }

    /// Returns a group by id.
    pub fn group(&self, id: &str) -> Option<Value> {
        self.core().groups.get(id).cloned()
    }

    /// Returns a user by userName, without case.
    pub fn user_by_name(&self, name: &str) -> Option<Value> {
        self.core().users.named(name).first().map(|user| (*user).clone())
    }

    /// Returns a group by displayName, without case; the first of several.
    pub fn group_by_name(&self, name: &str) -> Option<Value> {
        self.core()
            .groups
            .named(name)
            .first()
            .map(|group| (*group).clone())
    }

    /// Returns the users with this externalId: more than one is a duplicate.
    pub fn users_by_external_id(&self, external_id: &str) -> Vec<Value> {
        self.core()
            .users
            .with_external_id(external_id)
            .into_iter()
            .cloned()
            .collect()
    }

    /// Returns the groups with this externalId.
    pub fn groups_by_external_id(&self, external_id: &str) -> Vec<Value> {
        self.core()
            .groups
            .with_external_id(external_id)
            .into_iter()
            .cloned()
            .collect()
    }

    /// Returns the requests answered so far (the last 200,000).
    pub fn requests(&self) -> Vec<RequestRecord> {
        self.inner.log.all()
    }

    /// Returns how many requests were answered since the last clearing.
    pub fn request_count(&self) -> usize {
        self.inner.log.total()
    }

    /// Returns how many of them were POST, PUT, PATCH or DELETE.
    pub fn writes(&self) -> usize {
        self.inner.log.writes()
    }

    /// Clears the request log.
    pub fn clear_requests(&self) {
        self.inner.log.clear();
    }

    /// Serves the SCIM service under [`BASE_PATH`].
    pub async fn serve(&self, listen: SocketAddr) -> io::Result<Server> {
        Server::start(self.clone(), listen).await
    }
}

impl Service for Workspace {
    fn answer(&self, call: &Call) -> Answer {
        http::answer(&mut self.core(), call)
    }

    fn control(&self, call: &Call) -> Answer {
        control::answer(self, call)
    }

    fn log(&self) -> &RequestLog {
        &self.inner.log
    }
}
