//! What becomes of a verb that the guard has no question for.

use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use tokio_util::sync::CancellationToken;

use super::*;
use crate::engine::job::Assigning;
use crate::engine::job::Extent;
use crate::engine::job::Job;
use crate::engine::job::NoWatcher;
use crate::engine::job::Order;
use crate::mapping::Mapping;
use crate::model::assignment::AppRole;
use crate::model::assignment::AssignmentList;
use crate::model::clock::SystemClock;
use crate::model::clock::Timestamp;
use crate::model::id::CycleId;
use crate::model::id::TargetId;
use crate::model::object::Existence;
use crate::ports::*;
use crate::reconcile::forward::plan::ObjectPlan;
use crate::reconcile::operation::Reason;
use crate::reconcile::policy::Policy;
use crate::snapshot::kv::memory::MemoryStore;
use crate::snapshot::store::Snapshot;

/// Both sides of a job that never gets as far as to ask them.
struct Nobody;

#[async_trait]
impl SourceDirectory for Nobody {
    async fn page(&self, _: ObjectKind, _: PageRequest) -> Result<DeltaPage, SourceError> {
        unreachable!()
    }
    async fn look_up(
        &self,
        _: ObjectKind,
        _: &[SourceId],
        _: &[String],
    ) -> Result<Vec<(SourceId, Existence)>, SourceError> {
        unreachable!()
    }
    async fn assignments(&self, _: SourceId) -> Result<AssignmentList, SourceError> {
        unreachable!()
    }
    async fn app_roles(&self, _: SourceId) -> Result<Vec<AppRole>, SourceError> {
        unreachable!()
    }
    fn traffic(&self) -> Traffic {
        Traffic::default()
    }
}

#[async_trait]
impl TargetDirectory for Nobody {
    async fn capabilities(&self) -> Result<Capabilities, TargetError> {
        unreachable!()
    }
    async fn list(&self, _: ObjectKind, _: Option<ListPosition>) -> Result<ListPage, TargetError> {
        unreachable!()
    }
    async fn find(&self, _: ObjectKind, _: &str, _: &str) -> Result<Vec<Resource>, TargetError> {
        unreachable!()
    }
    async fn find_any(&self, _: ObjectKind, _: &str, _: &[String]) -> Result<Found, TargetError> {
        unreachable!()
    }
    async fn read(&self, _: ObjectKind, _: &TargetId) -> Result<Option<Resource>, TargetError> {
        unreachable!()
    }
    async fn create(&self, _: ObjectKind, _: NewResource) -> Result<Created, TargetError> {
        unreachable!()
    }
    async fn patch(&self, _: ObjectKind, _: &TargetId, _: &Patch) -> Result<Option<Resource>, TargetError> {
        unreachable!()
    }
    async fn delete(&self, _: ObjectKind, _: &TargetId) -> Result<(), TargetError> {
        unreachable!()
    }
    fn traffic(&self) -> Traffic {
        Traffic::default()
    }
}

fn job() -> Job {
    Job {
        name: "j".to_owned(),
        enforce: true,
        mapping: Arc::new(Mapping::preset("idmelon@1").unwrap()),
        policy: Policy::default(),
        scope: Arc::default(),
        managed: [ObjectKind::User].into(),
        assigning: Assigning::default(),
        fingerprint: String::new(),
        source: Arc::new(Nobody),
        target: Arc::new(Nobody),
        snapshot: Snapshot::open(Arc::new(MemoryStore::new()), Path::new("memory")).unwrap(),
        clock: Arc::new(SystemClock),
        max_concurrency: 1,
        request_timeout: std::time::Duration::from_secs(1),
        escrow_first_retry: std::time::Duration::from_secs(1),
        history_retention: std::time::Duration::from_secs(1),
        batch: 1,
        audit: None,
        back: None,
        entropy: || [7; 16],
    }
}

fn plan(source: SourceId) -> ObjectPlan {
    ObjectPlan::of(ObjectKind::User, source, "Ada".to_owned())
}

#[test]
fn a_verb_that_the_guard_does_not_know_is_withheld_whatever_is_allowed() {
    let job = job();
    let order = Order {
        id: CycleId(uuid::Uuid::nil()),
        extent: Extent::Changes,
        apply: true,
        only: None,
        allow_deletions: Some(u64::MAX),
        allow_creations: Some(u64::MAX),
        actor: "test".to_owned(),
        stop: CancellationToken::new(),
        watcher: Arc::new(NoWatcher),
    };
    for (verb, goes) in [(Verb::UpdateUser, true), (Verb::Trial, false)] {
        let id = SourceId::from_bytes([7; 16]);
        let operation = Operation {
            verb,
            kind: ObjectKind::User,
            source: id,
            name: "Ada".to_owned(),
            target: None,
            because: Reason::TimePassed,
            changes: vec![crate::reconcile::operation::Change {
                attribute: "title".into(),
                before: crate::model::value::Value::Null,
                after: crate::model::value::Value::text("Dr"),
            }],
            members: Vec::new(),
        };
        let (mut run, mut judge) = (Run::new(&job, &order, Timestamp(0)), Judge::default());
        let plan = plan(id);
        let mut work = Work::new(plan, None, Pass::Users);
        assert_eq!(
            judge.admit(&mut run, Pass::Users, operation, true, &mut work),
            goes
        );
        assert_eq!(work.run.len(), usize::from(goes), "{verb}");
        assert_eq!(work.left, !goes, "{verb} is looked at again");
        assert_eq!(run.summary.withheld.count, u64::from(!goes));
        let said = work.plan.omissions.iter().map(ToString::to_string);
        assert_eq!(
            said.filter(|said| said.contains("does not know")).count(),
            usize::from(!goes)
        );
    }
}
