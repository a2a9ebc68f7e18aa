//! Nothing lost, and nobody removed without proof: whatever the source fails to say.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::Mutex;
use std::time::Duration;

use async_trait::async_trait;
use melonsync::engine::error::CycleError;
use melonsync::engine::summary::Outcome;
use melonsync::model::assignment::AppRole;
use melonsync::model::assignment::AssignmentList;
use melonsync::model::id::ObjectKind;
use melonsync::model::id::SourceId;
use melonsync::model::object::Existence;
use melonsync::ports::DeltaPage;
use melonsync::ports::PageRequest;
use melonsync::ports::SourceDirectory;
use melonsync::ports::SourceError;
use melonsync::ports::Traffic;
use melonsync::reconcile::operation::Verb;
use melonsync::reconcile::policy::OnRemoval;
use melonsync::reconcile::policy::Threshold;
use melonsync::sandbox::Fault;
use melonsync::sandbox::GraphFaults;
use melonsync::sandbox::ResetForm;
use serde_json::Value;
use serde_json::json;

use crate::cycles::synced;
use crate::support::world::World;

/// How far apart two looks are that count as two.
const LOOKS_APART: Duration = Duration::from_secs(15 * 60);

/// A source whose pages leave objects out, and which answers nothing about others when asked for them.
struct Forgetful {
    inner: Arc<dyn SourceDirectory>,
    left_out: Mutex<HashSet<SourceId>>,
    unclear: Mutex<HashSet<SourceId>>,
}

#[async_trait]
impl SourceDirectory for Forgetful {
    async fn page(&self, kind: ObjectKind, request: PageRequest) -> Result<DeltaPage, SourceError> {
        let mut page = self.inner.page(kind, request).await?;
        let left_out = self.left_out.lock().unwrap();
        page.objects.retain(|object| !left_out.contains(&object.id));
        Ok(page)
    }

    async fn look_up(
        &self,
        kind: ObjectKind,
        ids: &[SourceId],
        select: &[String],
    ) -> Result<Vec<(SourceId, Existence)>, SourceError> {
        let mut answers = self.inner.look_up(kind, ids, select).await?;
        let unclear = self.unclear.lock().unwrap();
        for (id, existence) in &mut answers {
            if unclear.contains(id) {
                *existence = Existence::Unknown("403 Authorization_RequestDenied".to_owned());
            }
        }
        Ok(answers)
    }

    async fn assignments(&self, application: SourceId) -> Result<AssignmentList, SourceError> {
        self.inner.assignments(application).await
    }

    async fn app_roles(&self, application: SourceId) -> Result<Vec<AppRole>, SourceError> {
        self.inner.app_roles(application).await
    }

    fn traffic(&self) -> Traffic {
        self.inner.traffic()
    }
}

fn id(text: &str) -> SourceId {
    text.parse().unwrap()
}

/// Puts a forgetful source before the real one.
fn forgetful(world: &mut World) -> Arc<Forgetful> {
    let source = Arc::new(Forgetful {
        inner: Arc::clone(&world.job.source),
        left_out: Mutex::default(),
        unclear: Mutex::default(),
    });
    world.job.source = Arc::<Forgetful>::clone(&source);
    source
}

/// What the workspace holds, without the times at which it was written.
fn contents(world: &World) -> Vec<Value> {
    let held = world
        .workspace
        .users()
        .into_iter()
        .chain(world.workspace.groups());
    held.collect()
}

#[tokio::test]
async fn reset_round_that_misses_half_of_the_users_removes_none_who_live() {
    let mut world = synced().await;
    let source = forgetful(&mut world);
    let users = world.tenant.user_ids();
    *source.left_out.lock().unwrap() = users[..25].iter().map(|user| id(user)).collect();
    let before = contents(&world);
    world.tenant.forget_tokens();
    world.tenant.clear_requests();
    let ran = world.cycle().await;
    ran.expect(Outcome::Converged);
    assert_eq!(contents(&world), before, "{}", ran.story());
    let batches = world.tenant.requests();
    assert!(
        batches.iter().any(|request| request.path.contains("$batch")),
        "each was asked for"
    );
    source.left_out.lock().unwrap().clear();
    world.expect_no_write().await.expect(Outcome::Converged);
    world.assert_equal();
}

#[tokio::test]
async fn missing_users_are_disabled_or_deleted_by_what_asking_for_each_proves() {
    let mut world = synced().await;
    let source = forgetful(&mut world);
    let users = world.tenant.user_ids();
    *source.left_out.lock().unwrap() = users[..4].iter().map(|user| id(user)).collect();
    *source.unclear.lock().unwrap() = [id(&users[3])].into();
    world.tenant.soft_delete_user(&users[1]);
    world.tenant.hard_delete_user(&users[2]);
    world.tenant.hard_delete_user(&users[3]);
    world.tenant.forget_tokens();
    let ran = world.cycle().await;
    assert!(ran.error.is_none(), "{}", ran.story());
    assert_eq!(world.resource(&users[0])["active"], true);
    assert_eq!(world.resource(&users[1])["active"], false);
    assert_eq!(
        world.resource(&users[2])["active"],
        true,
        "absence alone counts when it is seen again later"
    );
    assert_eq!(
        world.resource(&users[3])["active"],
        true,
        "nothing proves that it is gone"
    );
    assert_eq!(ran.omitted("not_proven_gone"), 2, "{}", ran.story());
    let [pending] = ran.summary.pending.as_slice() else {
        panic!("{:?}", ran.summary.pending);
    };
    assert_eq!(
        (pending.object.as_str(), pending.operation.as_str()),
        (users[2].as_str(), "delete_user"),
        "the second look is announced, and nothing of whom no answer came"
    );
    assert!(
        pending.because.contains("found nowhere (404) since"),
        "{pending:?}"
    );
    source.unclear.lock().unwrap().clear();
    world.clock.advance(LOOKS_APART);
    let ran = world.cycle().await;
    assert!(world.workspace.users_by_external_id(&users[2]).is_empty());
    assert_eq!(ran.omitted("not_proven_gone"), 1, "{}", ran.story());
    world.clock.advance(LOOKS_APART);
    world.cycle().await.expect(Outcome::Converged);
    assert!(world.workspace.users_by_external_id(&users[3]).is_empty());
    world.assert_equal();
}

#[tokio::test]
async fn empty_source_removes_nobody() {
    let mut world = synced().await;
    let source = forgetful(&mut world);
    let everything = world
        .tenant
        .user_ids()
        .into_iter()
        .chain(world.tenant.group_ids());
    let everything: HashSet<SourceId> = everything.map(|object| id(&object)).collect();
    *source.left_out.lock().unwrap() = everything.clone();
    *source.unclear.lock().unwrap() = everything;
    let before = contents(&world);
    world.tenant.forget_tokens();
    let ran = world.cycle().await;
    assert!(ran.error.is_none(), "{}", ran.story());
    assert_eq!(
        ran.count(Verb::DisableUser) + ran.count(Verb::DeleteUser) + ran.count(Verb::RemoveMember),
        0
    );
    assert_eq!(contents(&world), before);
}

#[tokio::test]
async fn group_that_a_new_round_leaves_out_keeps_its_members() {
    let mut world = synced().await;
    let source = forgetful(&mut world);
    let groups = world.tenant.group_ids();
    *source.left_out.lock().unwrap() = groups[..2].iter().map(|group| id(group)).collect();
    let before = contents(&world);
    world.tenant.forget_tokens();
    world.cycle().await.expect(Outcome::Converged);
    assert_eq!(contents(&world), before);
}

type Switch = fn(&mut GraphFaults);

/// Everything that a page must not be. The third request of a cycle meets it, and every one after it.
const BROKEN: &[(&str, Switch)] = &[
    ("no value", |faults| faults.no_value = Fault::always()),
    ("neither link", |faults| faults.no_links = Fault::always()),
    ("both links", |faults| faults.both_links = Fault::always()),
    ("cut in the middle", |faults| faults.truncated = Fault::always()),
    ("a link to another host", |faults| {
        faults.foreign_link = Fault::always()
    }),
    ("503", |faults| faults.unavailable = Fault::always()),
    ("429", |faults| faults.throttle = Fault::always()),
    ("HTML", |faults| faults.server_error = Fault::always()),
    ("dropped", |faults| faults.dropped = Fault::always()),
    ("no permission", |faults| {
        faults.missing_permissions = vec![
            "User.Read.All".into(),
            "Group.Read.All".into(),
            "GroupMember.Read.All".into(),
        ]
    }),
    ("401", |faults| faults.unauthorized = Fault::always()),
];

#[tokio::test]
async fn source_that_cannot_be_read_whole_changes_nothing_and_loses_nothing() {
    for (name, switch) in BROKEN {
        let mut world = synced().await;
        world.retry.budget = std::time::Duration::from_millis(60);
        world.restart();
        world.tenant.update_options(|options| {
            options.users_per_page = 4;
            options.groups_per_page = 2;
        });
        world.tenant.mutate_attributes(20);
        world.tenant.disable_user(&world.tenant.user_ids()[3]);
        let before = contents(&world);
        world.tenant.update_faults(*switch);
        world.workspace.clear_requests();
        let ran = world.cycle().await;
        assert!(
            matches!(ran.error, Some(CycleError::Source(_))),
            "{name}: {}",
            ran.story()
        );
        assert!(
            matches!(ran.summary.outcome, Outcome::Failed | Outcome::Quarantined),
            "{name}"
        );
        assert_eq!(
            world.workspace.request_count(),
            0,
            "{name}: nothing is planned on half a round"
        );
        assert_eq!(contents(&world), before, "{name}");
        world.tenant.set_faults(GraphFaults::default());
        let ran = world.cycle().await;
        assert!(
            ran.error.is_none() && ran.summary.outcome == Outcome::Converged,
            "{name}: {}",
            ran.story()
        );
        world.assert_equal();
        world.expect_quiet().await;
    }
}

#[tokio::test]
async fn round_that_breaks_off_goes_on_at_the_page_where_it_broke() {
    let world = synced().await;
    world.tenant.update_options(|options| options.users_per_page = 4);
    world.tenant.mutate_attributes(20);
    for broken_at in 0..5 {
        let fault = Fault::always().after(broken_at);
        world.tenant.update_faults(|faults| faults.no_value = fault);
        world.cycle().await;
        // Changes that come between the attempts are not lost either.
        world.tenant.mutate_attributes(3);
    }
    world.tenant.set_faults(GraphFaults::default());
    let mut outcome = world.cycle().await;
    outcome.expect(Outcome::Converged);
    outcome = world.cycle().await;
    outcome.expect(Outcome::Converged);
    world.assert_equal();
    world.expect_quiet().await;
}

#[tokio::test]
async fn reset_in_any_form_reads_the_source_afresh_and_keeps_every_link() {
    let forms = [
        (ResetForm::Gone, None, 0),
        (ResetForm::GoneWithoutLocation, None, 0),
        (ResetForm::BadRequest, Some("syncStateNotFound"), 0),
        (ResetForm::NotFound, Some("SyncStateNotFound"), 2),
        (ResetForm::BadRequest, Some("resyncRequired"), 3),
        (ResetForm::Gone, Some("ResyncRequired"), 1),
    ];
    for (form, code, depth) in forms {
        let world = synced().await;
        world.tenant.update_faults(|faults| {
            faults.reset_form = form;
            faults.reset_code = code.map(str::to_owned);
            faults.reset_depth = depth;
        });
        let users = world.tenant.user_ids();
        world
            .tenant
            .set_user(&users[3], json!({"jobTitle": null, "city": "Kraków"}));
        world.tenant.hard_delete_user(&users[4]);
        world.tenant.set_manager(&users[5], None);
        world
            .tenant
            .remove_member(&world.tenant.group_ids()[0], &users[1]);
        world.tenant.forget_tokens();
        let ran = world.cycle().await;
        assert!(ran.error.is_none(), "{form:?} {code:?}: {}", ran.story());
        assert_eq!(ran.count(Verb::CreateUser), 0, "{form:?} {code:?}");
        // Of whoever the new round does not bring only absence tells: that counts when it is seen again.
        world.clock.advance(LOOKS_APART);
        world.cycle().await.expect(Outcome::Converged);
        world.assert_equal();
        world.expect_quiet().await;
    }
}

#[tokio::test]
async fn deletion_that_asking_contradicts_is_not_carried_out() {
    let mut world = synced().await;
    let users = world.tenant.user_ids();
    let source = forgetful(&mut world);
    world.tenant.hard_delete_user(&users[2]);
    *source.unclear.lock().unwrap() = [id(&users[2])].into();
    world.cycle().await;
    assert_eq!(
        world.workspace.users_by_external_id(&users[2]).len(),
        1,
        "asked for before it is deleted"
    );
}

#[tokio::test]
async fn disabled_is_the_evidence_and_not_absence_of_the_property() {
    let mut world = synced().await;
    world.job.policy.deletion_threshold = Threshold::count(5);
    let users = world.tenant.user_ids();
    world.tenant.set_user(&users[2], json!({"accountEnabled": null}));
    world.cycle().await.expect(Outcome::Converged);
    assert_eq!(world.resource(&users[2])["active"], true);
}

#[tokio::test]
async fn user_who_comes_back_from_any_life_but_alive_is_read_whole() {
    let mut world = synced().await;
    world.job.policy.on_soft_delete = OnRemoval::Delete;
    let users = world.tenant.user_ids();
    let (told, untold) = (&users[2], &users[3]);
    for user in [told, untold] {
        world.tenant.set_user(user, json!({"jobTitle": "Courier"}));
    }
    world.cycle_twice().await;
    for user in [told, untold] {
        assert_eq!(world.resource(user)["title"], "Courier");
        world.tenant.soft_delete_user(user);
        world.tenant.set_user(user, json!({"jobTitle": null}));
    }
    // One of the two look-ups before the deletes proves nothing.
    world
        .tenant
        .update_faults(|faults| faults.batch_denied = Fault::once());
    world.cycle().await;
    world.tenant.set_faults(GraphFaults::default());
    for user in [told, untold] {
        world.tenant.restore_user(user);
    }
    world.cycle().await.expect(Outcome::Converged);
    for user in [told, untold] {
        assert_eq!(world.resource(user)["title"], serde_json::Value::Null);
    }
    world.expect_no_write().await.expect(Outcome::Converged);
    world.assert_equal();
}

/// A cycle in which each read of a single object comes from a replica that is behind.
async fn cycle_behind(world: &World) -> crate::support::world::Ran {
    world
        .tenant
        .update_faults(|faults| faults.batch_behind = Fault::always());
    let ran = world.cycle().await;
    world.tenant.set_faults(GraphFaults::default());
    ran
}

#[tokio::test]
async fn replica_that_is_behind_keeps_no_leaver_in() {
    let world = synced().await;
    let user = &world.tenant.user_ids()[2];
    world.tenant.hard_delete_user(user);
    // It still shows the person: nothing is done, and the tombstone is not forgotten.
    let ran = cycle_behind(&world).await;
    assert_eq!(ran.omitted("not_proven_gone"), 1, "{}", ran.story());
    assert_eq!(world.workspace.users_by_external_id(user).len(), 1);
    world.cycle().await.expect(Outcome::Converged);
    assert!(world.workspace.users_by_external_id(user).is_empty());
    world.expect_no_write().await.expect(Outcome::Converged);
    world.assert_equal();
}

#[tokio::test]
async fn replica_that_is_behind_removes_nobody_who_was_restored() {
    for policy in [OnRemoval::Disable, OnRemoval::Delete] {
        let mut world = synced().await;
        world.job.policy.on_soft_delete = policy;
        let user = &world.tenant.user_ids()[2];
        world.tenant.soft_delete_user(user);
        if policy == OnRemoval::Disable {
            world.cycle_twice().await;
        } else {
            // Not carried out meanwhile: the tombstone waits.
            world
                .tenant
                .update_faults(|faults| faults.batch_denied = Fault::always());
            world.cycle().await;
        }
        world.tenant.set_faults(GraphFaults::default());
        world.tenant.restore_user(user);
        let held = world.resource(user)["id"].clone();
        let ran = cycle_behind(&world).await;
        assert_eq!(world.resource(user)["id"], held, "{}", ran.story());
        for _ in 0..3 {
            world.clock.advance(LOOKS_APART / 3);
            world.cycle().await.expect(Outcome::Converged);
        }
        assert_eq!(world.resource(user)["active"], true);
        assert_eq!(world.resource(user)["id"], held);
        world.expect_no_write().await.expect(Outcome::Converged);
        world.assert_equal();
    }
}

#[tokio::test]
async fn plan_is_no_look() {
    let mut world = synced().await;
    let source = forgetful(&mut world);
    let user = &world.tenant.user_ids()[2];
    *source.left_out.lock().unwrap() = [id(user)].into();
    world.tenant.hard_delete_user(user);
    world.tenant.forget_tokens();
    // However often: the first cycle that may write is the first look.
    for _ in 0..3 {
        let ran = world.plan().await;
        assert_eq!(ran.count(Verb::DeleteUser), 0, "{}", ran.story());
        world.clock.advance(LOOKS_APART);
    }
    assert_eq!(world.cycle().await.omitted("not_proven_gone"), 1);
    assert_eq!(world.workspace.users_by_external_id(user).len(), 1);
    // What the second look will do is planned, and is no look either.
    world.clock.advance(LOOKS_APART);
    for _ in 0..2 {
        let ran = world.plan().await;
        assert_eq!(ran.count(Verb::DeleteUser), 1, "{}", ran.story());
    }
    world.cycle().await.expect(Outcome::Converged);
    assert!(world.workspace.users_by_external_id(user).is_empty());
    world.expect_no_write().await.expect(Outcome::Converged);
}
