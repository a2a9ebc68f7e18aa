//! A sample Entra tenant: token endpoint, delta queries, single reads and `$batch`, over one directory that tests change.
//!
//! Written from Microsoft's documentation (delta-query-overview.md, delta-query-users.md, delta-query-groups.md,
//! json-batching.md, errors.md). Tokens are opaque and bound to the `$select` of their round. A round lists what it will
//! bring when it begins; property values are those of the moment the page is served, as in a real tenant.

mod assertion;
mod assignments;
mod auth;
mod azure;
mod batch;
mod change;
mod control;
pub use azure::AzureMistakes;
pub(in crate::sandbox) use change::Filler;
mod delta;
mod directory;
mod graph;
mod identity;
mod methods;
mod page;
pub(in crate::sandbox) use page::EXTENSIONS;
mod read;
mod write;
mod writer;

use std::collections::BTreeSet;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::Mutex;

use serde_json::Value;

use super::faults::GraphFaults;
use super::sample;
use super::sample::SampleOptions;
use super::server::Answer;
use super::server::Call;
use super::server::RequestLog;
use super::server::RequestRecord;
use super::server::Server;
use super::server::Service;
use super::server::locked;
use directory::Directory;

/// Application permissions that the sample app has been granted.
const GRANTED: [&str; 3] = ["User.Read.All", "GroupMember.Read.All", "Group.Read.All"];

/// Sizes and lifetimes; they change no meaning.
#[derive(Clone, Debug)]
pub struct TenantOptions {
    /// Users on a delta page, whatever is asked for. Default 200.
    pub users_per_page: usize,
    /// Groups on a delta page, where their links leave room for so many. Default 200.
    pub groups_per_page: usize,
    /// Links (members) on a delta page of groups: their pages shrink to few groups, down to one. Default 500.
    pub links_per_page: usize,
    /// Members in one slice of a group; a larger group comes in several. Default 500.
    pub members_per_slice: usize,
    /// The assignments on a page, where the request does not name a number (`$top`). Default 100.
    pub assignments_per_page: usize,
    /// Life of an access token in seconds. Default 3599.
    pub token_seconds: u64,
    /// Pause before every answer, in milliseconds. Default 0.
    pub latency_ms: u64,
    /// How far the `Date` header is ahead of this machine's clock, in seconds. Default 0.
    pub clock_skew_seconds: i64,
}

impl Default for TenantOptions {
    fn default() -> Self {
        TenantOptions {
            users_per_page: 200,
            groups_per_page: 200,
            links_per_page: 500,
            members_per_slice: 500,
            assignments_per_page: 100,
            token_seconds: 3599,
            latency_ms: 0,
            clock_skew_seconds: 0,
        }
    }
}

/// A sample Entra tenant. Clones are handles to the same one; it lives as long as one of them.
#[derive(Clone)]
pub struct Tenant {
    inner: Arc<Inner>,
}

struct Inner {
    core: Mutex<Core>,
    log: RequestLog,
}

/// Everything behind the one lock.
struct Core {
    directory: Directory,
    options: TenantOptions,
    faults: GraphFaults,
    identities: identity::Identities,
    auth: auth::Auth,
    rounds: delta::Rounds,
    enterprise: assignments::Enterprise,
    /// The app whose request is answered.
    caller: auth::Caller,
    /// Users whose sensitive properties only a higher role may change.
    administrators: BTreeSet<String>,
    methods: methods::Methods,
    /// Azure's provisioning job.
    azure: azure::Azure,
    sign_in: azure::SignIn,
    /// Groups that the writing app owns.
    owned: BTreeSet<String>,
    /// Requests answered: each has an id of its own.
    answered: u64,
}

impl Core {
    /// Returns whether one of these permissions was granted, and no fault revokes it.
    fn may(&self, any_of: &[&str]) -> bool {
        let missing = &self.faults.missing_permissions;
        any_of
            .iter()
            .any(|name| self.auth.has(self.caller, name) && !missing.iter().any(|gone| gone == name))
    }
}

impl Tenant {
    /// Creates a tenant with sample people and groups, some of them odd: guests, disabled, without mail, nested groups,
    /// devices.
    pub fn sample(users: usize, groups: usize) -> Tenant {
        Tenant::sample_with(SampleOptions {
            users,
            groups,
            ..SampleOptions::default()
        })
    }

    /// Creates a tenant as [`Tenant::sample`] does, with options for sizes and oddities.
    pub fn sample_with(options: SampleOptions) -> Tenant {
        let tenant = Tenant::empty();
        sample::fill(&mut tenant.core().directory_filler(), &options);
        tenant
    }

    /// Creates a tenant without users and groups.
    pub fn empty() -> Tenant {
        let core = Core {
            directory: Directory::default(),
            options: TenantOptions::default(),
            faults: GraphFaults::default(),
            auth: auth::Auth::new(&GRANTED),
            identities: identity::Identities::default(),
            rounds: delta::Rounds::new(),
            enterprise: assignments::Enterprise::new(),
            caller: auth::Caller::default(),
            administrators: BTreeSet::new(),
            owned: BTreeSet::new(),
            methods: methods::Methods::default(),
            azure: azure::Azure::default(),
            sign_in: azure::SignIn::default(),
            answered: 0,
        };
        Tenant {
            inner: Arc::new(Inner {
                core: Mutex::new(core),
                log: RequestLog::default(),
            }),
        }
    }

    fn core(&self) -> std::sync::MutexGuard<'_, Core> {
        locked(&self.inner.core)
    }

    /// Returns the directory (tenant) id.
    pub fn tenant_id(&self) -> String {
        self.core().auth.tenant_id.clone()
    }

    /// Gives the tenant another directory id: another tenant, as far as a client can tell.
    pub fn set_tenant_id(&self, id: &str) {
        self.core().auth.tenant_id = id.to_owned();
    }

    /// Returns the application (client) id of the app that reads the directory.
    pub fn client_id(&self) -> String {
        self.core().auth.client_id.clone()
    }

    /// Returns the app's client secret; nothing is secret in a sandbox.
    pub fn client_secret(&self) -> String {
        self.core().auth.client_secret.clone()
    }

    /// Sets another client secret; the old one is refused from now on (AADSTS7000215).
    pub fn set_client_secret(&self, secret: &str) {
        let mut core = self.core();
        core.auth.client_secret = secret.to_owned();
        core.auth.secret_expired = false;
    }

    /// The app accepts what is signed with the key of this certificate (PEM).
    pub fn trust_certificate(&self, pem: &str) {
        self.core().auth.trusted.certificates.push(assertion::der_of(pem));
    }

    /// No certificate is accepted any more.
    pub fn forget_certificates(&self) {
        self.core().auth.trusted.certificates.clear();
    }

    /// The app has a federated credential: tokens of this issuer for this subject and audience, signed with the key of this
    /// certificate (PEM), are accepted as its proof.
    pub fn trust_issuer(&self, issuer: &str, subject: &str, audience: &str, pem: &str) {
        self.core().auth.trusted.federated.push(assertion::Federated {
            issuer: issuer.to_owned(),
            subject: subject.to_owned(),
            audience: audience.to_owned(),
            certificate: assertion::der_of(pem),
        });
    }

    /// The machine that asks has a managed identity: its own, or with a client id an assigned one. Tokens are at
    /// `/metadata/identity/oauth2/token`.
    pub fn give_identity(&self, client_id: Option<&str>) {
        let identities = &mut self.core().identities;
        match client_id {
            Some(id) => identities.assigned.push(id.to_owned()),
            None => identities.system = true,
        }
    }

    /// Expires the client secret: token requests fail with AADSTS7000222.
    pub fn expire_secret(&self) {
        self.core().auth.secret_expired = true;
    }

    /// Expires every access token issued so far.
    pub fn expire_access_tokens(&self) {
        self.core().auth.forget_issued();
    }

    /// Returns how many access tokens were issued.
    pub fn tokens_issued(&self) -> usize {
        self.core().auth.issued_count
    }

    /// Grants an application permission, such as `Member.Read.Hidden`; it is in the tokens issued from now on.
    pub fn grant_permission(&self, permission: &str) {
        self.core().auth.grant(permission);
    }

    /// Revokes a permission, from the tokens already issued too.
    pub fn revoke_permission(&self, permission: &str) {
        self.core().auth.revoke(permission);
    }

    /// Makes every page and delta token refused from now on, as after seven days (410, or as `reset_form` is set).
    pub fn forget_tokens(&self) {
        self.core().rounds.forget();
    }

    /// Changes sizes and lifetimes.
    pub fn update_options(&self, change: impl FnOnce(&mut TenantOptions)) {
        change(&mut self.core().options);
    }

    /// Switches faults on and off.
    pub fn update_faults(&self, change: impl FnOnce(&mut GraphFaults)) {
        change(&mut self.core().faults);
    }

    /// Replaces all faults.
    pub fn set_faults(&self, faults: GraphFaults) {
        self.core().faults = faults;
    }

    /// Returns the requests answered so far (the last 200,000).
    pub fn requests(&self) -> Vec<RequestRecord> {
        self.inner.log.all()
    }

    /// Keeps the bodies of writes from now on.
    pub fn keep_request_bodies(&self) {
        self.inner.log.keep_bodies(true);
    }

    /// Returns how many requests were answered since the last clearing, token requests included.
    pub fn request_count(&self) -> usize {
        self.inner.log.total()
    }

    /// Clears the request log.
    pub fn clear_requests(&self) {
        self.inner.log.clear();
    }

    /// Serves token endpoint and Graph on one address: both `login_url` and `graph_url` are the server's URL.
    pub async fn serve(&self, listen: SocketAddr) -> io::Result<Server> {
        Server::start(self.clone(), listen).await
    }
}

impl Service for Tenant {
    fn answer(&self, call: &Call) -> Answer {
        graph::answer(&mut self.core(), call)
    }

    fn control(&self, call: &Call) -> Answer {
        control::answer(self, call)
    }

    fn log(&self) -> &RequestLog {
        &self.inner.log
    }
}

/// Returns the object as a plain GET of all its properties would show it.
fn whole(directory: &Directory, at: usize) -> Value {
    let object = &directory.objects[at];
    let mut props = object.props.clone();
    props.insert("id".into(), object.id.clone().into());
    Value::Object(props)
}
