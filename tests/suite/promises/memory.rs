//! Bounded memory: 100,000 users pass through sled in 300 MB. Two smaller directories pass, each in a process of its own; what the
//! larger one needs more tells what 100,000 users need at most.
//!
//! Source and target are made up as they are asked for, so that only the program itself is measured.

use std::path::Path;
use std::process::Command;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;
use std::time::Duration;

use async_trait::async_trait;
use melonsync::engine::forward;
use melonsync::engine::job::Assigning;
use melonsync::engine::job::Extent;
use melonsync::engine::job::Job;
use melonsync::engine::job::NoWatcher;
use melonsync::engine::job::Order;
use melonsync::engine::summary::Outcome;
use melonsync::mapping::Mapping;
use melonsync::model::assignment::AppRole;
use melonsync::model::assignment::AssignmentList;
use melonsync::model::clock::SystemClock;
use melonsync::model::id::CycleId;
use melonsync::model::id::ObjectKind;
use melonsync::model::id::SourceId;
use melonsync::model::id::TargetId;
use melonsync::model::object::DeltaObject;
use melonsync::model::object::Existence;
use melonsync::model::object::MemberKind;
use melonsync::model::object::ReferenceChange;
use melonsync::model::value::Value;
use melonsync::ports::Capabilities;
use melonsync::ports::Created;
use melonsync::ports::DeltaPage;
use melonsync::ports::Found;
use melonsync::ports::ListPage;
use melonsync::ports::ListPosition;
use melonsync::ports::NewResource;
use melonsync::ports::NextPage;
use melonsync::ports::PageRequest;
use melonsync::ports::Paged;
use melonsync::ports::Patch;
use melonsync::ports::Resource;
use melonsync::ports::SourceDirectory;
use melonsync::ports::SourceError;
use melonsync::ports::TargetDirectory;
use melonsync::ports::TargetError;
use melonsync::ports::Traffic;
use melonsync::reconcile::operation::Verb;
use melonsync::reconcile::policy::Policy;
use melonsync::snapshot::kv::sled::DEFAULT_CACHE_BYTES;
use melonsync::snapshot::kv::sled::SledStore;
use melonsync::snapshot::store::Snapshot;

use crate::support::limit::longest;
use crate::support::program::Running;

/// The sizes of the directory that are measured.
const SIZES: [u64; 2] = [10_000, 40_000];
/// The size that the promise is about.
const PROMISED: u64 = 100_000;
/// There is a group for so many users.
const USERS_PER_GROUP: u64 = 100;
const USERS_PER_PAGE: u64 = 200;
/// 500 links, of groups of 100 members.
const GROUPS_PER_PAGE: u64 = 5;
const MOST_KB: u64 = 300 * 1024;

/// Where the child writes what it needed; without it, this is not the child.
const CHILD: &str = "MELONSYNC_TEST_MEMORY_CHILD";
/// How many users the child has.
const USERS: &str = "MELONSYNC_TEST_MEMORY_USERS";

/// Whatever grows with the directory is taken to grow on as it does between the two sizes, also what is bounded: 266 MB where 100,000
/// users were measured to need 248.
#[test]
fn hundred_thousand_users_fit_into_300_mb() {
    let peaks = SIZES.map(peak);
    let more = peaks[1].saturating_sub(peaks[0]) * (PROMISED - SIZES[1]) / (SIZES[1] - SIZES[0]);
    let promised = peaks[1] + more;
    eprintln!(
        "{peaks:?} KB at the peaks, {} MB for {PROMISED} users",
        promised / 1024
    );
    assert!(
        promised <= MOST_KB,
        "{} MB for {PROMISED} users: {peaks:?} KB for {SIZES:?}",
        promised / 1024
    );
}

/// What a cycle over so many users needs at its peak, in KB.
fn peak(users: u64) -> u64 {
    let folder = tempfile::tempdir().unwrap();
    let answer = folder.path().join("peak");
    let mut child = Command::new(std::env::current_exe().unwrap());
    child
        .args([
            "--exact",
            "promises::memory::child_of_the_measurement",
            "--test-threads=1",
        ])
        .env(CHILD, &answer)
        .env(USERS, users.to_string())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    Running::start(&mut child).finished_within(longest() * 3).exits(0);
    std::fs::read_to_string(&answer).unwrap().parse().unwrap()
}

#[test]
fn child_of_the_measurement() {
    let Ok(answer) = std::env::var(CHILD) else {
        return;
    };
    let users = std::env::var(USERS).unwrap().parse().unwrap();
    let folder = tempfile::tempdir().unwrap();
    melonsync::engine::runtime::new()
        .unwrap()
        .block_on(initial_cycle(folder.path(), users));
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let peak = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap();
    std::fs::write(answer, peak.split_whitespace().nth(1).unwrap()).unwrap();
}

async fn initial_cycle(folder: &Path, users: u64) {
    let store = SledStore::open(folder, DEFAULT_CACHE_BYTES).unwrap();
    let job = Job {
        name: "large".to_owned(),
        enforce: true,
        mapping: Arc::new(Mapping::preset("idmelon@1").unwrap()),
        policy: Policy::default(),
        scope: Arc::default(),
        managed: [ObjectKind::User, ObjectKind::Group].into(),
        assigning: Assigning::default(),
        fingerprint: "large".to_owned(),
        source: Arc::new(Generated { users }),
        target: Arc::new(Swallowing::default()),
        snapshot: Snapshot::open(Arc::new(store), folder).unwrap(),
        clock: Arc::new(SystemClock),
        max_concurrency: 8,
        request_timeout: Duration::from_secs(10),
        escrow_first_retry: std::time::Duration::from_secs(300),
        history_retention: std::time::Duration::from_secs(400 * 86_400),
        batch: 500,
        audit: None,
        back: None,
        entropy: || [7; 16],
    };
    let order = Order {
        id: CycleId(uuid::Uuid::now_v7()),
        extent: Extent::Changes,
        apply: true,
        only: None,
        allow_deletions: None,
        allow_creations: None,
        actor: "test".to_owned(),
        stop: Default::default(),
        watcher: Arc::new(NoWatcher),
    };
    let report = forward::run(&job, &order).await;
    assert!(report.error.is_none(), "{:?}", report.error);
    assert_eq!(report.summary.outcome, Outcome::Converged);
    assert_eq!(report.summary.operation(Verb::CreateUser), users);
    assert_eq!(
        report.summary.operation(Verb::CreateGroup),
        users / USERS_PER_GROUP
    );
}

/// Users with every property, one manager for ten of them; groups of a hundred.
struct Generated {
    users: u64,
}

fn id(kind: ObjectKind, n: u64) -> SourceId {
    let mut bytes = [0; 16];
    bytes[0] = if kind == ObjectKind::User { 1 } else { 2 };
    // Spread as GUIDs are, so that the store is not filled in order.
    bytes[1..9].copy_from_slice(&n.wrapping_mul(0x9E37_79B9_7F4A_7C15).to_be_bytes());
    SourceId::from_bytes(bytes)
}

fn reference(n: u64) -> ReferenceChange {
    ReferenceChange {
        id: id(ObjectKind::User, n),
        kind: MemberKind::User,
        removed: false,
    }
}

fn object(kind: ObjectKind, n: u64, users: u64) -> DeltaObject {
    let text = |name: &str, value: String| (name.to_owned(), Value::text(value));
    let mut attributes = vec![text("displayName", format!("Sample {kind} {n}"))];
    let (mut manager, mut members) = (Vec::new(), Vec::new());
    match kind {
        ObjectKind::User => {
            attributes.push(("accountEnabled".to_owned(), Value::Bool(true)));
            attributes.push(text("userPrincipalName", format!("user{n}@corp.example")));
            for name in [
                "mail",
                "jobTitle",
                "department",
                "city",
                "country",
                "state",
                "givenName",
                "surname",
            ] {
                attributes.push(text(name, format!("{name} of user {n} at corp.example")));
            }
            for name in [
                "streetAddress",
                "postalCode",
                "officeLocation",
                "mobilePhone",
                "faxNumber",
            ] {
                attributes.push(text(name, format!("{name} {n}")));
            }
            for name in ["employeeId", "onPremisesImmutableId", "preferredLanguage"] {
                attributes.push(text(name, format!("{name}{n}")));
            }
            if !n.is_multiple_of(10) {
                manager.push(reference(n - n % 10));
            }
        }
        ObjectKind::Group => {
            attributes.push(text("description", format!("Group {n} of a large directory")));
            members.extend((0..100).map(|turn| reference((n * 100 + turn) % users)));
        }
    }
    DeltaObject {
        kind,
        id: id(kind, n),
        attributes: attributes.into_iter().collect(),
        removed: None,
        manager,
        members,
    }
}

#[async_trait]
impl SourceDirectory for Generated {
    async fn page(&self, kind: ObjectKind, request: PageRequest) -> Result<DeltaPage, SourceError> {
        let from: u64 = match request {
            PageRequest::First { .. } => 0,
            PageRequest::Follow { link, .. } => link.parse().unwrap(),
        };
        let (of, per_page) = match kind {
            ObjectKind::User => (self.users, USERS_PER_PAGE),
            ObjectKind::Group => (self.users / USERS_PER_GROUP, GROUPS_PER_PAGE),
        };
        let to = (from + per_page).min(of);
        let next = if to < of {
            NextPage::More {
                next_link: to.to_string(),
            }
        } else {
            NextPage::Complete {
                delta_link: of.to_string(),
            }
        };
        Ok(DeltaPage {
            objects: (from..to).map(|n| object(kind, n, self.users)).collect(),
            next,
        })
    }

    async fn look_up(
        &self,
        _: ObjectKind,
        _: &[SourceId],
        _: &[String],
    ) -> Result<Vec<(SourceId, Existence)>, SourceError> {
        unreachable!("nobody is doubtful")
    }

    async fn assignments(&self, _: SourceId) -> Result<AssignmentList, SourceError> {
        unreachable!("the scope is everybody")
    }

    async fn app_roles(&self, _: SourceId) -> Result<Vec<AppRole>, SourceError> {
        unreachable!("no roles are mapped")
    }

    fn traffic(&self) -> Traffic {
        Traffic::default()
    }
}

/// An empty target that takes everything and keeps nothing.
#[derive(Default)]
struct Swallowing {
    created: AtomicU64,
}

#[async_trait]
impl TargetDirectory for Swallowing {
    async fn capabilities(&self) -> Result<Capabilities, TargetError> {
        Ok(Capabilities::default())
    }

    async fn list(&self, _: ObjectKind, _: Option<ListPosition>) -> Result<ListPage, TargetError> {
        Ok(ListPage {
            resources: Vec::new(),
            entries: 0,
            total: Some(0),
            paged: Paged::Index(1),
        })
    }

    async fn find(&self, _: ObjectKind, _: &str, _: &str) -> Result<Vec<Resource>, TargetError> {
        Ok(Vec::new())
    }

    async fn find_any(&self, _: ObjectKind, _: &str, _: &[String]) -> Result<Found, TargetError> {
        Ok(Found {
            resources: Vec::new(),
            whole: true,
        })
    }

    async fn read(&self, _: ObjectKind, _: &TargetId) -> Result<Option<Resource>, TargetError> {
        Ok(None)
    }

    async fn create(&self, _: ObjectKind, body: NewResource) -> Result<Created, TargetError> {
        let number = self.created.fetch_add(1, Ordering::Relaxed);
        let id = TargetId::new(&format!("resource-{number:032}")).unwrap();
        Ok(Created {
            there: false,
            id,
            text: body.text().clone(),
        })
    }

    async fn patch(&self, _: ObjectKind, _: &TargetId, _: &Patch) -> Result<Option<Resource>, TargetError> {
        Ok(None)
    }

    async fn delete(&self, _: ObjectKind, _: &TargetId) -> Result<(), TargetError> {
        Ok(())
    }

    fn traffic(&self) -> Traffic {
        Traffic::default()
    }
}
