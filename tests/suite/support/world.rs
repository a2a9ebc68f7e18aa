//! A world of three: a sample tenant and a sample workspace, served on loopback, and a job between them with
//! the real clients and a snapshot of its own.

use std::path::Path;
use std::sync::Arc;
use std::sync::Mutex;
use std::time::Duration;

use melonsync::engine::error::CycleError;
use melonsync::engine::forward;
use melonsync::engine::job::Assigning;
use melonsync::engine::job::Extent;
use melonsync::engine::job::Job;
use melonsync::engine::job::Order;
use melonsync::engine::job::Watcher;
use melonsync::engine::summary::Outcome;
use melonsync::engine::summary::Summary;
use melonsync::entra::GraphOptions;
use melonsync::entra::GraphSource;
use melonsync::entra::clouds::Cloud;
use melonsync::mapping::Mapping;
use melonsync::model::clock::Clock;
use melonsync::model::id::CycleId;
use melonsync::model::id::ObjectKind;
use melonsync::model::id::SourceId;
use melonsync::model::secret::Secret;
use melonsync::ports::SourceDirectory;
use melonsync::ports::TargetDirectory;
use melonsync::reconcile::explain::omission::Omission;
use melonsync::reconcile::operation::Operation;
use melonsync::reconcile::operation::Verb;
use melonsync::reconcile::policy::Policy;
use melonsync::sandbox::Server;
use melonsync::sandbox::Tenant;
use melonsync::sandbox::Workspace;
use melonsync::scim::PinnedDialect;
use melonsync::scim::ScimOptions;
use melonsync::scim::ScimTarget;
use melonsync::snapshot::kv::memory::MemoryStore;
use melonsync::snapshot::store::Snapshot;
use melonsync::transport::NetworkOptions;
use melonsync::transport::RetryPolicy;
use tokio_util::sync::CancellationToken;

use super::limit::Limit;
use super::manual_clock::ManualClock;
use super::truth::Allowances;
use super::truth::differences;

/// Short gaps: faults are many, and the servers are near.
const RETRY: RetryPolicy = RetryPolicy {
    first: Duration::from_millis(2),
    longest: Duration::from_millis(20),
    budget: Duration::from_secs(8),
};

/// Both servers, the store and the job between them.
pub struct World {
    pub tenant: Tenant,
    pub workspace: Workspace,
    pub clock: ManualClock,
    pub store: MemoryStore,
    pub job: Job,
    pub allow: Allowances,
    pub retry: RetryPolicy,
    pub request_timeout: Duration,
    /// The forms that the configuration names; in force after [`Self::restart`].
    pub dialect: PinnedDialect,
    /// The world's time; cycles wait under it.
    pub limit: Limit,
    graph: Server,
    scim: Server,
}

/// A cycle that ended.
pub struct Ran {
    pub summary: Summary,
    pub error: Option<CycleError>,
    pub operations: Vec<Operation>,
    pub omissions: Vec<(ObjectKind, SourceId, Omission)>,
    pub findings: Vec<String>,
}

impl World {
    /// A sample tenant of this size, and an empty workspace.
    pub async fn sample(users: usize, groups: usize) -> Self {
        Self::new(Tenant::sample(users, groups)).await
    }

    /// This tenant, and an empty workspace.
    pub async fn new(tenant: Tenant) -> Self {
        let workspace = Workspace::new();
        let here = "127.0.0.1:0".parse().unwrap();
        let graph = tenant.serve(here).await.unwrap();
        let scim = workspace.serve(here).await.unwrap();
        let (clock, store) = (ManualClock::new(), MemoryStore::new());
        let (retry, request_timeout) = (RETRY, Duration::from_secs(20));
        let source = graph_source(&tenant, &graph, &clock, retry, request_timeout);
        let dialect = PinnedDialect::default();
        let target = scim_target(&workspace, &scim, &clock, retry, request_timeout, dialect);
        let job = Job {
            name: "idmelon".to_owned(),
            enforce: true,
            mapping: Arc::new(Mapping::preset("idmelon@1").unwrap()),
            policy: Policy::default(),
            scope: Arc::default(),
            managed: [ObjectKind::User, ObjectKind::Group].into(),
            assigning: Assigning::default(),
            fingerprint: "first".to_owned(),
            source,
            target,
            snapshot: Snapshot::open(Arc::new(store.clone()), Path::new("memory")).unwrap(),
            clock: Arc::new(clock.clone()),
            max_concurrency: 8,
            request_timeout,
            escrow_first_retry: std::time::Duration::from_secs(300),
            history_retention: std::time::Duration::from_secs(400 * 86_400),
            batch: 200,
            audit: None,
            back: None,
            entropy: || [7; 16],
        };
        Self {
            tenant,
            workspace,
            clock,
            store,
            job,
            allow: Allowances::default(),
            retry,
            request_timeout,
            dialect,
            limit: Limit::new(),
            graph,
            scim,
        }
    }

    /// The program ends and starts again: new clients, and a snapshot opened afresh over the same store.
    pub fn restart(&mut self) {
        self.clock.advance(self.request_timeout * 2);
        let (retry, timeout) = (self.retry, self.request_timeout);
        self.job.source = graph_source(&self.tenant, &self.graph, &self.clock, retry, timeout);
        self.job.target = scim_target(
            &self.workspace,
            &self.scim,
            &self.clock,
            retry,
            timeout,
            self.dialect,
        );
        self.job.request_timeout = timeout;
        self.job.snapshot = Snapshot::open(Arc::new(self.store.clone()), Path::new("memory")).unwrap();
    }

    /// Another mapping; its fingerprint is another, too.
    pub fn map_by(&mut self, mapping: Mapping) {
        let print = mapping.fingerprint();
        self.job.fingerprint = format!("{print:?}");
        self.job.mapping = Arc::new(mapping);
    }

    /// The workspace was in use before: what it holds now may stay where the source is empty.
    pub fn remember_workspace(&mut self) {
        let held = self.workspace.users().into_iter().chain(self.workspace.groups());
        self.allow.before = held
            .map(|resource| (resource["id"].as_str().unwrap().to_owned(), resource))
            .collect();
    }

    /// `sync`.
    pub async fn cycle(&self) -> Ran {
        self.run(Extent::Changes, true, None).await
    }

    /// `plan`.
    pub async fn plan(&self) -> Ran {
        self.run(Extent::Changes, false, None).await
    }

    /// Any cycle.
    pub async fn run(&self, extent: Extent, apply: bool, allow_deletions: Option<u64>) -> Ran {
        self.allow(extent, apply, allow_deletions, None).await
    }

    /// `sync --allow-creations`.
    pub async fn allow_creations(&self, most: Option<u64>) -> Ran {
        self.allow(Extent::Changes, true, None, most).await
    }

    async fn allow(
        &self,
        extent: Extent,
        apply: bool,
        allow_deletions: Option<u64>,
        allow_creations: Option<u64>,
    ) -> Ran {
        let witness = Arc::new(Witness::default());
        let order = Order {
            id: CycleId(uuid::Uuid::now_v7()),
            extent,
            apply,
            only: None,
            allow_deletions,
            allow_creations,
            actor: "test".to_owned(),
            stop: CancellationToken::new(),
            watcher: Arc::<Witness>::clone(&witness),
        };
        let report = self.limit.holds(Box::pin(forward::run(&self.job, &order))).await;
        let seen = std::mem::take(&mut *witness.0.lock().unwrap());
        Ran {
            summary: report.summary,
            error: report.error,
            operations: seen.operations,
            omissions: seen.omissions,
            findings: seen.findings,
        }
    }

    /// `sync` that converges, and then again: nothing is written; the source is asked twice, the target not at
    /// all.
    pub async fn cycle_twice(&self) -> Ran {
        let first = self.cycle().await;
        first.expect(Outcome::Converged);
        self.expect_quiet().await;
        first
    }

    /// A cycle without changes: two delta requests, nothing sent to the target.
    pub async fn expect_quiet(&self) {
        let tokens = self.tenant.tokens_issued();
        self.tenant.clear_requests();
        self.workspace.clear_requests();
        let again = self.cycle().await;
        again.expect(Outcome::Converged);
        let asked = self.workspace.requests();
        assert!(asked.is_empty(), "the second cycle asked the target: {asked:#?}");
        let new_tokens = self.tenant.tokens_issued() - tokens;
        let requests = self.tenant.requests();
        // Two deltas; where assignments count also their list, one page here, and the roles that the mapping sends.
        let list = usize::from(self.job.assignments_of().is_some());
        let roles = usize::from(list > 0 && self.job.sends_roles());
        assert_eq!(
            requests.len() - new_tokens,
            2 + list + roles,
            "delta requests: {requests:#?}"
        );
        assert!(again.operations.is_empty(), "{:?}", again.operations);
    }

    /// A further cycle writes nothing, whatever it reads.
    pub async fn expect_no_write(&self) -> Ran {
        self.workspace.clear_requests();
        let again = self.cycle().await;
        let writes: Vec<_> = self
            .workspace
            .requests()
            .into_iter()
            .filter(|request| request.method != "GET")
            .collect();
        assert!(writes.is_empty(), "the second cycle wrote: {writes:#?}");
        again
    }

    /// The workspace holds what the tenant says: every attribute, every member, nobody twice.
    #[track_caller]
    pub fn assert_equal(&self) {
        let found = differences(&self.tenant, &self.workspace, &self.allow);
        assert!(
            found.is_empty(),
            "{} differences:\n{}",
            found.len(),
            found.join("\n")
        );
    }

    /// The workspace user of a tenant user.
    #[track_caller]
    pub fn resource(&self, id: &str) -> serde_json::Value {
        let mut held = self.workspace.users_by_external_id(id);
        assert_eq!(held.len(), 1, "user {id} has {} resources", held.len());
        held.remove(0)
    }

    /// The workspace group of a tenant group.
    #[track_caller]
    pub fn group_resource(&self, id: &str) -> serde_json::Value {
        let mut held = self.workspace.groups_by_external_id(id);
        assert_eq!(held.len(), 1, "group {id} has {} resources", held.len());
        held.remove(0)
    }
}

impl Ran {
    /// Ended like this, and without an error.
    #[track_caller]
    pub fn expect(&self, outcome: Outcome) {
        assert!(self.error.is_none(), "{}", self.story());
        assert_eq!(self.summary.outcome, outcome, "{}", self.story());
    }

    /// How many operations of a kind.
    pub fn count(&self, verb: Verb) -> u64 {
        self.summary.operation(verb)
    }

    /// What was left undone, by its label, without what is simply as it should be.
    pub fn omitted(&self, label: &str) -> usize {
        let same = self
            .omissions
            .iter()
            .filter(|(_, _, omission)| omission.label() == label);
        same.count()
    }

    /// What happened, for a failed test.
    pub fn story(&self) -> String {
        let mut text = String::new();
        if let Some(error) = &self.error {
            text = format!("error: {error}");
            let mut cause = std::error::Error::source(error);
            while let Some(error) = cause {
                text += &format!("\n  cause: {error}");
                cause = error.source();
            }
        }
        for failure in &self.summary.failed {
            text += &format!("\nfailed: {failure:?}");
        }
        for (kind, id, omission) in &self.omissions {
            text += &format!("\nomitted: {kind} {id}: {omission}");
        }
        format!("{text}\n{:#?}", self.summary)
    }
}

/// What a cycle told.
#[derive(Default)]
pub struct Seen {
    pub operations: Vec<Operation>,
    pub omissions: Vec<(ObjectKind, SourceId, Omission)>,
    pub findings: Vec<String>,
}

/// Keeps what a cycle tells.
#[derive(Default)]
pub struct Witness(pub Mutex<Seen>);

impl Watcher for Witness {
    fn operation(&self, operation: &Operation) {
        self.0.lock().unwrap().operations.push(operation.clone());
    }

    fn omission(&self, kind: ObjectKind, object: SourceId, _: &str, omission: &Omission) {
        let mut seen = self.0.lock().unwrap();
        seen.omissions.push((kind, object, omission.clone()));
    }

    fn finding(&self, text: &str) {
        self.0.lock().unwrap().findings.push(text.to_owned());
    }
}

fn graph_source(
    tenant: &Tenant,
    server: &Server,
    clock: &ManualClock,
    retry: RetryPolicy,
    request_timeout: Duration,
) -> Arc<dyn SourceDirectory> {
    let url: url::Url = server.url.parse().unwrap();
    let options = GraphOptions {
        tenant_id: tenant.tenant_id(),
        client_id: tenant.client_id(),
        credential: Secret::new(tenant.client_secret()).into(),
        cloud: Cloud::Global,
        graph_url: Some(url.clone()),
        login_url: Some(url),
        network: NetworkOptions {
            request_timeout,
            ..NetworkOptions::default()
        },
        clock: Arc::new(clock.clone()),
        retry,
    };
    Arc::new(GraphSource::new(options).unwrap())
}

fn scim_target(
    workspace: &Workspace,
    server: &Server,
    clock: &ManualClock,
    retry: RetryPolicy,
    request_timeout: Duration,
    dialect: PinnedDialect,
) -> Arc<dyn TargetDirectory> {
    let clock: Arc<dyn Clock> = Arc::new(clock.clone());
    let options = ScimOptions {
        url: format!("{}/api/scim/v2/", server.url).parse().unwrap(),
        tokens: vec![Secret::new(workspace.token())],
        max_concurrency: 8,
        least_gap: None,
        request_timeout,
        network: NetworkOptions::default(),
        retry,
        dialect,
        clock,
    };
    Arc::new(ScimTarget::new(options).unwrap())
}
