//! Quarantine: a job that every request is refused to stops but for a probe, and a kind of operation that mostly fails
//! stops alone.

use std::time::Duration;

use melonsync::engine::error::CycleError;
use melonsync::engine::job::Extent;
use melonsync::engine::summary::Outcome;
use melonsync::reconcile::operation::Verb;
use melonsync::reconcile::policy::Threshold;
use melonsync::sandbox::Fault;
use melonsync::sandbox::Tenant;
use melonsync::snapshot::escrow;
use melonsync::snapshot::quarantine::Quarantine;
use melonsync::snapshot::quarantine::QuarantineReads;
use melonsync::snapshot::quarantine::Side;
use serde_json::json;

use crate::support::world::Ran;
use crate::support::world::World;

const MINUTE: Duration = Duration::from_secs(60);

fn kept(world: &World) -> Quarantine {
    world.job.snapshot.quarantine().unwrap()
}

fn unauthorized(world: &World, fault: Fault) {
    world
        .workspace
        .update_faults(|faults| faults.unauthorized = fault);
}

fn not_begun(ran: &Ran) -> bool {
    matches!(ran.error, Some(CycleError::Quarantined { .. })) && ran.summary.outcome == Outcome::Quarantined
}

#[tokio::test]
async fn a_refused_token_stops_the_job_but_for_a_probe_and_it_goes_on_by_itself() {
    let world = World::sample(30, 2).await;
    world.cycle().await.expect(Outcome::Converged);
    let id = world.tenant.user_ids()[3].clone();
    world.tenant.set_user(&id, json!({"jobTitle": "Captain"}));
    unauthorized(&world, Fault::always());
    let met = world.cycle().await;
    assert_eq!(met.summary.outcome, Outcome::Quarantined);
    assert!(
        matches!(met.error, Some(CycleError::Target(_))),
        "{}",
        met.story()
    );
    let stop = kept(&world).job.unwrap();
    assert_eq!((stop.side, stop.actor.as_str()), (Side::Target, "test"));
    assert!(
        stop.cause.contains("401") && stop.hint.contains("token"),
        "{stop:?}"
    );

    world.clock.advance(MINUTE * 5);
    world.workspace.clear_requests();
    world.tenant.clear_requests();
    assert!(not_begun(&world.cycle().await));
    assert_eq!(world.workspace.request_count(), 1, "one probe");
    assert!(world.tenant.requests().is_empty(), "the source is not read");
    assert_eq!(kept(&world).job.unwrap().since, stop.since);

    // Planning goes as far as it can, and says so.
    unauthorized(&world, Fault::never());
    let plan = world.plan().await;
    assert_eq!(plan.count(Verb::UpdateUser), 1);
    assert!(plan.findings[0].contains("quarantined"), "{:?}", plan.findings);
    assert!(kept(&world).job.is_some(), "a plan is no probe");

    let ran = world.cycle().await;
    ran.expect(Outcome::Converged);
    assert_eq!(
        (ran.count(Verb::UpdateUser), kept(&world)),
        (1, Quarantine::default())
    );
    world.expect_quiet().await;
}

#[tokio::test]
async fn a_missing_permission_at_the_source_and_an_endpoint_that_is_gone_stop_it_too() {
    let world = World::sample(10, 2).await;
    world.cycle().await.expect(Outcome::Converged);
    let missing = |what: &[&str]| {
        let what = what.iter().map(|what| (*what).to_owned()).collect();
        world
            .tenant
            .update_faults(|faults| faults.missing_permissions = what);
    };
    missing(&["GroupMember.Read.All", "Group.Read.All"]);
    assert_eq!(world.cycle().await.summary.outcome, Outcome::Quarantined);
    assert_eq!(kept(&world).job.unwrap().side, Side::Source);
    world.workspace.clear_requests();
    assert!(not_begun(&world.cycle().await));
    assert!(
        world.workspace.requests().is_empty(),
        "the other side is not asked"
    );
    missing(&[]);
    world.cycle_twice().await;

    // The target's token may not even read.
    world
        .tenant
        .add_user(json!({"userPrincipalName": "new@corp.example"}));
    world
        .workspace
        .update_faults(|faults| faults.forbidden = Fault::always());
    assert_eq!(world.cycle().await.summary.outcome, Outcome::Quarantined);
    assert!(not_begun(&world.cycle().await));
    world
        .workspace
        .update_faults(|faults| faults.forbidden = Fault::never());
    world.cycle_twice().await;
}

#[tokio::test]
async fn one_resource_that_may_not_be_read_does_not_stop_the_job() {
    let world = World::sample(10, 2).await;
    world.cycle().await.expect(Outcome::Converged);
    world
        .workspace
        .update_faults(|faults| faults.forbidden = Fault::once());
    let extent = Extent::Objects {
        users: vec![world.tenant.user_ids()[0].clone()],
        groups: vec![],
    };
    let ran = world.run(extent, true, None).await;
    assert_eq!(ran.summary.outcome, Outcome::Failed, "{}", ran.story());
    assert!(kept(&world).is_empty());
    world.expect_quiet().await;
}

/// A world of linked users whom the target lets nobody change, but for `active`; all are to change, one to go.
async fn refusing_updates() -> (World, String) {
    let mut world = World::new(Tenant::empty()).await;
    world.job.policy.deletion_threshold = Threshold::count(1000);
    for n in 0..60 {
        world
            .tenant
            .add_user(json!({"userPrincipalName": format!("user{n}@corp.example"), "accountEnabled": true}));
    }
    world.cycle().await.expect(Outcome::Converged);
    let ids = world.tenant.user_ids();
    let bad: Vec<String> = (0..60).map(|n| format!("bad{n}@corp.example")).collect();
    for (id, name) in ids.iter().zip(&bad) {
        world.tenant.set_user(id, json!({"userPrincipalName": name}));
    }
    world
        .workspace
        .update_faults(|faults| faults.refuse_user_names = bad);
    world.tenant.disable_user(&ids[59]);
    world
        .tenant
        .add_user(json!({"userPrincipalName": "new@corp.example", "accountEnabled": true}));
    (world, ids[59].clone())
}

#[tokio::test]
async fn a_kind_that_mostly_fails_stops_alone_and_a_probe_lets_it_go_on() {
    let (mut world, leaver) = refusing_updates().await;
    world.job.policy.identity_change_threshold = Threshold::count(1000);
    world.job.max_concurrency = 1;
    let ran = world.cycle().await;
    ran.expect(Outcome::Partial);
    assert_eq!(world.resource(&leaver)["active"], false, "disables go on");
    assert_eq!(ran.count(Verb::CreateUser), 1, "and so do other kinds");
    let stopped = kept(&world);
    assert_eq!(stopped.job, None);
    let update = &stopped.kinds[&Verb::UpdateUser];
    assert_eq!((update.sent, update.failed), (20, 20));
    assert!(ran.omitted("kind_stopped") > 0, "{}", ran.story());
    assert_eq!(
        escrow::entries(&world.job.snapshot).unwrap(),
        [],
        "nobody is set aside for it"
    );

    // One is tried, and its failure sets nobody aside either; what is planned is what is sent.
    let plan = world.plan().await;
    assert_eq!(plan.count(Verb::UpdateUser), 1);
    world.workspace.clear_requests();
    world.clock.advance(MINUTE * 5);
    let again = world.cycle().await;
    again.expect(Outcome::Partial);
    assert_eq!(world.workspace.writes(), 1);
    assert_eq!(again.summary.escrow, 0);

    world
        .workspace
        .update_faults(|faults| faults.refuse_user_names.clear());
    let healed = world.cycle().await;
    assert_eq!(healed.count(Verb::UpdateUser), 60, "{}", healed.story());
    assert!(kept(&world).is_empty());
    world.cycle().await.expect(Outcome::Converged);
    world.expect_quiet().await;
}

#[tokio::test]
async fn a_probe_is_not_caught_by_one_broken_entry() {
    let (mut world, _) = refusing_updates().await;
    world.job.policy.identity_change_threshold = Threshold::count(1000);
    world.cycle().await.expect(Outcome::Partial);
    assert!(kept(&world).kinds.contains_key(&Verb::UpdateUser));
    // The first of all stays broken, the others are mended.
    let mut ids = world.tenant.user_ids();
    ids.sort();
    let first = world.tenant.user(&ids[0]).unwrap()["userPrincipalName"].clone();
    let first = first.as_str().unwrap().to_owned();
    world
        .workspace
        .update_faults(|faults| faults.refuse_user_names = vec![first.clone()]);
    let mut cycles = 0;
    while !kept(&world).is_empty() {
        cycles += 1;
        assert!(cycles <= 3, "{:?}", kept(&world));
        world.clock.advance(MINUTE * 5);
        world.cycle().await;
    }
    let left = world
        .job
        .snapshot
        .dirty_count(melonsync::model::id::ObjectKind::User)
        .unwrap();
    assert!(left <= 1, "{left} are left");
}

/// Nothing is to be sent, and the target is asked all the same: one GET an hour, so that a refused token is known before it matters.
#[tokio::test]
async fn a_quiet_job_notices_a_refused_token_with_one_get_an_hour() {
    let world = World::sample(3, 0).await;
    world.cycle().await.expect(Outcome::Converged);
    world.workspace.clear_requests();
    for _ in 0..11 {
        world.clock.advance(MINUTE * 5);
        world.cycle().await.expect(Outcome::Converged);
    }
    assert_eq!(
        world.workspace.request_count(),
        0,
        "within an hour of the last answer"
    );
    for _ in 0..12 {
        world.clock.advance(MINUTE * 5);
        world.cycle().await.expect(Outcome::Converged);
    }
    let asked = world.workspace.requests();
    assert_eq!(asked.len(), 1, "{asked:?}");
    unauthorized(&world, Fault::always());
    let mut refused = None;
    for _ in 0..12 {
        world.clock.advance(MINUTE * 5);
        let ran = world.cycle().await;
        if ran.summary.outcome == Outcome::Quarantined {
            refused = kept(&world).job;
            break;
        }
        ran.expect(Outcome::Converged);
    }
    let stop = refused.expect("within an hour");
    assert!(stop.side == Side::Target && stop.credential, "{stop:?}");
    // Any other trouble is left to a cycle that has something to send.
    unauthorized(&world, Fault::never());
    world.cycle().await.expect(Outcome::Converged);
}
