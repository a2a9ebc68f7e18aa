//! A shortened week beside Azure's own provisioning job, the switch, and the way back: the job observes while Azure's provisions, what
//! both decide is compared, ours takes over once Azure's is paused, and Azure's goes on where it was.

use std::sync::Arc;
use std::time::Duration;

use melonsync::app::actor::Actor;
use melonsync::app::cycles::Asking;
use melonsync::app::cycles::NoWatcher;
use melonsync::app::entra_job::verdict::Change;
use melonsync::app::entra_job::verdict::settled;
use melonsync::engine::error::CycleError;
use melonsync::engine::job::Assigning;
use melonsync::engine::job::Extent;
use melonsync::engine::summary::Outcome;
use melonsync::model::clock::Clock;
use melonsync::model::id::SourceId;
use melonsync::reconcile::observe::Class;
use melonsync::reconcile::policy::Threshold;
use melonsync::sandbox::SampleOptions;
use melonsync::sandbox::Tenant;
use melonsync::snapshot::observed::OBSERVATION;
use melonsync::snapshot::state::StateReads;
use serde_json::json;
use tokio_util::sync::CancellationToken;

use crate::support::world::Ran;
use crate::support::world::World;

const HOUR: Duration = Duration::from_secs(3600);

/// People and two groups whom Azure's job provisioned; a job of ours beside it, which only observes.
/// `number`: tenants have names of their own, because the quota of the log is one a tenant.
async fn beside(users: usize, number: u32) -> World {
    let tenant = Tenant::sample_with(SampleOptions {
        users,
        groups: 2,
        plain: true,
        ..SampleOptions::default()
    });
    tenant.set_tenant_id(&format!("5a3d0b0c-7e57-4000-8000-0000000beb{number:02}"));
    tenant.grant_permission("Synchronization.Read.All");
    tenant.grant_permission("ProvisioningLog.Read.All");
    let mut world = World::new(tenant).await;
    world.tenant.provision_into(&world.workspace);
    world.tenant.start_azure();
    azure(&world);
    world.clock.advance(HOUR * 24);
    world.job.assigning = Assigning {
        application: Some(world.tenant.service_principal_id().parse().unwrap()),
        ..Assigning::default()
    };
    world.job.enforce = false;
    world.job.policy.deletion_threshold = Threshold::count(1000);
    world
}

/// An execution of Azure's job, at the time of the world's clock.
fn azure(world: &World) -> usize {
    world.tenant.set_azure_time(world.clock.now().0);
    world.tenant.azure_cycle()
}

/// A cycle of ours sees what changed, half an hour later Azure's does it, and hours later a further cycle of ours finds it done. Each
/// of our cycles runs twice, and writes nothing.
async fn pass(world: &World) {
    world.workspace.clear_requests();
    look_twice(world).await;
    world.clock.advance(HOUR / 2);
    azure(world);
    world.clock.advance(HOUR * 4);
    look_twice(world).await;
    assert_eq!(world.workspace.writes(), 0, "a job that observes wrote");
}

async fn look_twice(world: &World) -> Ran {
    let first = world.cycle().await;
    first.expect(Outcome::Planned);
    let again = world.cycle().await;
    again.expect(Outcome::Planned);
    again
}

/// What the comparison comes to, for each change, after our planner was asked about what Azure alone did.
async fn compared(world: &World) -> Vec<Change> {
    let asking = Asking {
        id: None,
        actor: Actor::local_user(),
        stop: CancellationToken::new(),
        watcher: Arc::new(NoWatcher),
    };
    settled(&world.job, asking).await.unwrap()
}

/// The comparison, a line a change.
fn shown(changes: &[Change]) -> String {
    let line = |(kind, id, one): &Change| {
        format!(
            "{kind} {id} {:?} {} differing {:?} of {:?}",
            one.class, one.at, one.differing, one.effects
        )
    };
    changes.iter().map(line).collect::<Vec<_>>().join("\n")
}

/// Those of one class, of changes of this object.
fn of(changes: &[Change], id: &str, class: Class) -> usize {
    let id: SourceId = id.parse().unwrap();
    changes
        .iter()
        .filter(|(_, of, one)| *of == id && one.class == class)
        .count()
}

#[tokio::test]
async fn a_week_beside_azure_the_switch_and_the_way_back() {
    let mut world = beside(8, 1).await;
    look_twice(&world).await;
    let people = world.tenant.user_ids();
    let group = world.tenant.group_ids().remove(0);

    // Somebody joins, and a title changes.
    let joiner = world.tenant.add_user(json!({
        "userPrincipalName": "joiner@corp.example", "displayName": "Joiner", "mail": "joiner@corp.example", "givenName": "Jo", "surname": "Iner",
    }));
    world.tenant.set_user(&people[1], json!({"jobTitle": "Chief"}));
    pass(&world).await;
    // A group gets somebody, and somebody leaves.
    world.tenant.add_member(&group, &joiner);
    world.tenant.disable_user(&people[2]);
    pass(&world).await;
    // The group loses them again. A title is cleared, and Azure's job leaves it, as it does.
    world.tenant.update_azure(|job| job.keeps_nulls = true);
    world.tenant.remove_member(&group, &joiner);
    world.tenant.set_user(&people[1], json!({"jobTitle": null}));
    pass(&world).await;

    let changes = compared(&world).await;
    for (what, id, class, count) in [
        ("the joiner", &joiner, Class::Same, 1),
        ("the title", &people[1], Class::Same, 1),
        // Who left it: a job that observes links nobody, so that its cycles plan no removal, and its planner was asked.
        ("the group", &group, Class::Same, 2),
        ("the leaver", &people[2], Class::Same, 1),
    ] {
        assert_eq!(of(&changes, id, class), count, "{what}:\n{}", shown(&changes));
    }
    let others = changes.iter().filter(|(_, _, one)| one.class != Class::Same);
    assert_eq!(others.count(), 0, "{}", shown(&changes));

    // The switch: a change is to be written, which is refused while Azure's job is active, and while its last execution runs.
    world.tenant.set_user(&people[4], json!({"jobTitle": "Auditor"}));
    world.job.enforce = true;
    world.workspace.clear_requests();
    let refused = world.cycle().await;
    assert!(
        matches!(refused.error, Some(CycleError::AzureWrites { .. })),
        "{}",
        refused.story()
    );
    world.tenant.begin_azure_cycle();
    world.tenant.pause_azure();
    let refused = world.cycle().await;
    assert!(
        matches!(refused.error, Some(CycleError::AzureWrites { .. })),
        "{}",
        refused.story()
    );
    assert_eq!(world.workspace.writes(), 0);
    world.tenant.end_azure_cycle();
    let first = world.run(Extent::Full, true, None).await;
    first.expect(Outcome::Converged);
    // Adopted as they were found: the leaver, and the title that Azure left, because null clears only what we sent.
    world.allow.except.extend([people[1].clone(), people[2].clone()]);
    world.assert_equal();
    world.clock.advance(HOUR);
    world.expect_no_write().await;

    // The way back: ours observes again, and Azure's goes on with what happened meanwhile.
    world.job.enforce = false;
    world.tenant.start_azure();
    world.tenant.set_user(&people[3], json!({"jobTitle": "Scribe"}));
    assert_eq!(azure(&world), 1, "nobody is provisioned twice");
    look_twice(&world).await;
    assert_eq!(world.resource(&people[3])["title"], "Scribe");
}

#[tokio::test]
async fn without_the_right_to_the_log_observing_goes_on_and_says_why() {
    let world = beside(4, 2).await;
    world.tenant.revoke_permission("ProvisioningLog.Read.All");
    pass(&world).await;
    let held = world.job.snapshot.state(&OBSERVATION).unwrap().unwrap();
    assert!(held.log_until.is_none());
    assert!(held.log_problem.unwrap().contains("ProvisioningLog.Read.All"));
    world.tenant.grant_permission("ProvisioningLog.Read.All");
    world.clock.advance(HOUR);
    look_twice(&world).await;
    let held = world.job.snapshot.state(&OBSERVATION).unwrap().unwrap();
    assert!(held.log_until.is_some() && held.log_problem.is_none());
}

#[tokio::test]
async fn a_log_that_was_not_read_for_six_weeks_has_a_hole() {
    let world = beside(4, 3).await;
    pass(&world).await;
    world.clock.advance(HOUR * 24 * 42);
    look_twice(&world).await;
    let held = world.job.snapshot.state(&OBSERVATION).unwrap().unwrap();
    assert_eq!(held.holes.len(), 1, "{held:?}");
}
