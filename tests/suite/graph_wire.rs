//! Every quirk of Microsoft Graph, one by one and all together: the workspace ends the same.

use std::time::Duration;

use melonsync::engine::summary::Outcome;
use melonsync::reconcile::policy::Threshold;
use melonsync::sandbox::Fault;
use melonsync::sandbox::FormerManager;
use melonsync::sandbox::GraphFaults;
use melonsync::sandbox::SampleOptions;
use melonsync::sandbox::Tenant;
use serde_json::json;

use crate::support::truth::differences;
use crate::support::world::World;

type Switch = fn(&mut GraphFaults);

/// What Graph does, and how it is switched on.
const QUIRKS: &[(&str, Switch)] = &[
    ("empty pages", |faults| faults.empty_pages = Fault::always()),
    ("objects come twice", |faults| {
        faults.repeat_objects = Fault::always()
    }),
    ("outdated first, right last", |faults| {
        faults.stale_first = Fault::rate(0.5)
    }),
    ("rounds are replayed", |faults| {
        faults.replay_rounds = Fault::always()
    }),
    ("slices are scattered", |faults| {
        faults.scatter_slices = Fault::always();
        faults.members_per_slice = Some(2);
    }),
    ("removed in the initial round", |faults| {
        faults.removed_in_initial = Fault::always()
    }),
    ("the former manager comes before", |faults| {
        faults.former_manager = FormerManager::Before
    }),
    ("the former manager comes after", |faults| {
        faults.former_manager = FormerManager::After
    }),
    ("long links", |faults| faults.long_links = Fault::always()),
    ("small pages", |faults| faults.page_size = Some(3)),
    ("401 now and then", |faults| {
        faults.unauthorized = Fault::once().after(3)
    }),
    ("429 with Retry-After", |faults| {
        faults.throttle = Fault::rate(0.2);
        faults.retry_after = Some("0.01".to_owned());
    }),
    ("503 with Retry-After", |faults| {
        faults.unavailable = Fault::rate(0.2);
        faults.retry_after = Some("0".to_owned());
    }),
    ("HTML errors", |faults| faults.server_error = Fault::rate(0.1)),
    ("dropped connections", |faults| faults.dropped = Fault::rate(0.1)),
    ("throttled inside a batch", |faults| {
        faults.batch_throttle = Fault::rate(0.3);
        faults.retry_after = Some("0".to_owned());
    }),
    ("no token at first", |faults| {
        faults.token_unavailable = Fault::once()
    }),
    ("page tokens expire", |faults| {
        faults.page_size = Some(5);
        faults.expire_page_token = Fault::times(2).after(2);
    }),
    ("delta tokens expire", |faults| {
        faults.expire_delta_token = Fault::times(2).after(1)
    }),
];

async fn begin(quirks: &[(&str, Switch)]) -> World {
    let tenant = Tenant::sample_with(SampleOptions {
        users: 30,
        groups: 5,
        ..SampleOptions::default()
    });
    let gone = tenant.user_ids()[7].clone();
    tenant.soft_delete_user(&gone);
    let mut world = World::new(tenant).await;
    world.job.policy.deletion_threshold = Threshold::count(1000);
    world.job.policy.groups.deletion_threshold = Threshold::count(1000);
    world.retry.budget = Duration::from_secs(10);
    world.restart();
    world
        .tenant
        .update_faults(|faults| quirks.iter().for_each(|(_, switch)| switch(faults)));
    world
}

/// The initial cycle and three with changes; a quirk may keep a cycle from its end, the next one goes on.
async fn story(name: &str, quirks: &[(&str, Switch)]) {
    let world = begin(quirks).await;
    for step in 0..4 {
        let mut ran = world.cycle().await;
        for _ in 0..5 {
            if ran.summary.outcome != Outcome::Converged {
                ran = world.cycle().await;
            }
        }
        assert!(
            ran.error.is_none() && ran.summary.outcome == Outcome::Converged,
            "{name}, step {step}: {}",
            ran.story()
        );
        let found = differences(&world.tenant, &world.workspace, &world.allow);
        assert!(found.is_empty(), "{name}, step {step}: {found:#?}");
        world.tenant.mutate(0.4, step);
        let users = world.tenant.user_ids();
        world.tenant.set_manager(&users[3], Some(&users[8]));
        world.tenant.set_manager(&users[4], None);
        world.tenant.set_user(
            &users[5],
            json!({"city": null, "jobTitle": format!("Step {step}")}),
        );
    }
    world.tenant.set_faults(GraphFaults::default());
    world.cycle().await.expect(Outcome::Converged);
    world.expect_no_write().await;
    let found = differences(&world.tenant, &world.workspace, &world.allow);
    assert!(found.is_empty(), "{name}: {found:#?}");
}

#[tokio::test]
async fn each_quirk_of_graph_leads_to_the_same_workspace() {
    for quirk in QUIRKS {
        story(quirk.0, std::slice::from_ref(quirk)).await;
    }
}

#[tokio::test]
async fn all_quirks_together_lead_to_the_same_workspace() {
    story("all together", QUIRKS).await;
}

#[tokio::test]
async fn change_that_is_replicated_late_arrives_with_a_later_cycle() {
    let world = begin(&[]).await;
    world.cycle().await.expect(Outcome::Converged);
    world
        .tenant
        .update_faults(|faults| faults.replication_delay = Fault::times(2));
    let user = world.tenant.user_ids()[3].clone();
    world.tenant.set_user(&user, json!({"jobTitle": "Late"}));
    world.cycle().await.expect(Outcome::Converged);
    assert_ne!(world.resource(&user)["title"], "Late");
    world.cycle().await.expect(Outcome::Converged);
    world.cycle_twice().await;
    world.assert_equal();
}

#[tokio::test]
async fn group_with_hidden_membership_loses_no_member() {
    let world = begin(&[]).await;
    world.cycle().await.expect(Outcome::Converged);
    let group = world.tenant.group_ids()[0].clone();
    let before = world.group_resource(&group)["members"].clone();
    world
        .tenant
        .update_faults(|faults| faults.hidden_groups = vec![group.clone()]);
    world.tenant.set_group(
        &group,
        json!({"visibility": "HiddenMembership", "description": "Hidden"}),
    );
    world.cycle().await.expect(Outcome::Converged);
    assert_eq!(world.group_resource(&group)["members"], before);
    world.tenant.forget_tokens();
    let ran = world.cycle().await;
    assert!(ran.error.is_none(), "{}", ran.story());
    assert_eq!(
        world.group_resource(&group)["members"],
        before,
        "a full round does not see them either"
    );
}
