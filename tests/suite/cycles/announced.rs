//! What `explain` announces is what `plan` lists, in one world after the other.

use std::sync::Arc;
use std::time::Duration;

use melonsync::engine::job::Extent;
use melonsync::engine::summary::Outcome;
use melonsync::mapping::Drift;
use melonsync::mapping::Filter;
use melonsync::model::clock::Clock;
use melonsync::model::id::ObjectKind;
use melonsync::ports::Durability;
use melonsync::reconcile::drift_policy::DriftPolicy;
use melonsync::reconcile::operation::Verb;
use melonsync::reconcile::policy::Policy;
use melonsync::reconcile::scope::ScopeRules;
use melonsync::reconcile::scope::assignment::Nesting;
use melonsync::sandbox::Fault;
use melonsync::snapshot::kept_back::Hold;
use melonsync::snapshot::kept_back::HoldCause;
use melonsync::snapshot::kept_back::Pause;
use serde_json::Value;
use serde_json::json;

use super::assigned::assigned;
use super::incremental::CHANGES;
use super::incremental::synced;
use crate::support::announced::plan_is_announced;
use crate::support::world::World;

/// A name of nobody.
const REFUSED: &str = "bad@corp.example";

fn target_id(resource: &Value) -> String {
    resource["id"].as_str().unwrap().to_owned()
}

/// A report and its manager, both with a resource.
fn report(world: &World) -> (String, String) {
    let users = world.tenant.user_ids();
    let mut pairs = users
        .iter()
        .filter_map(|id| Some((id.clone(), world.tenant.manager(id)?)));
    pairs.next().expect("somebody has a manager")
}

fn lose_user(world: &World, id: &str) {
    world.workspace.remove_user(&target_id(&world.resource(id)));
}

fn hold(world: &World, kind: ObjectKind, id: &str, attribute: Option<&str>) {
    let mut tx = world.job.snapshot.tx().unwrap();
    let hold = Hold {
        attribute: attribute.map(str::to_owned),
        until: None,
        since: world.clock.now(),
        actor: "test".to_owned(),
        comment: None,
        cause: HoldCause::Hand,
    };
    tx.put_hold(kind, &id.parse().unwrap(), &hold);
    tx.commit(Durability::Synced).unwrap();
}

#[tokio::test]
async fn before_the_first_cycle() {
    let world = World::sample(30, 4).await;
    let plan = plan_is_announced(&world).await;
    assert!(plan.count(Verb::CreateUser) > 0 && plan.count(Verb::AddMember) > 0);
}

#[tokio::test]
async fn after_each_change_of_the_source() {
    let world = synced().await;
    let (users, groups) = (world.tenant.user_ids(), world.tenant.group_ids());
    for some in CHANGES.chunks(5) {
        for (_, change, _) in some {
            change(&world.tenant, &users, &groups);
        }
        plan_is_announced(&world).await;
        world.cycle().await;
    }
}

#[tokio::test]
async fn with_somebody_in_escrow() {
    let world = synced().await;
    world
        .workspace
        .update_faults(|faults| faults.refuse_user_names = vec![REFUSED.to_owned()]);
    let new = world.tenant.add_user(json!({"userPrincipalName": REFUSED}));
    let group = world.tenant.group_ids()[0].clone();
    world.tenant.add_member(&group, &new);
    world.cycle().await.expect(Outcome::Partial);
    let plan = plan_is_announced(&world).await;
    assert_eq!(
        (plan.count(Verb::CreateUser), plan.omitted("in_escrow")),
        (0, 1),
        "{}",
        plan.story()
    );
    world.clock.advance(Duration::from_secs(3600));
    let plan = plan_is_announced(&world).await;
    assert_eq!(plan.count(Verb::CreateUser), 1, "{}", plan.story());
}

#[tokio::test]
async fn with_holds_and_a_pause() {
    let world = synced().await;
    let (users, groups) = (world.tenant.user_ids(), world.tenant.group_ids());
    for user in &users[..3] {
        world
            .tenant
            .set_user(user, json!({"jobTitle": "Held", "department": "Not held"}));
    }
    world.tenant.disable_user(&users[3]);
    world.tenant.set_group(&groups[0], json!({"displayName": "Held"}));
    hold(&world, ObjectKind::User, &users[0], None);
    hold(&world, ObjectKind::User, &users[1], Some("title"));
    hold(&world, ObjectKind::User, &users[3], Some("active"));
    hold(&world, ObjectKind::Group, &groups[0], None);
    plan_is_announced(&world).await;
    world.cycle().await;
    plan_is_announced(&world).await;
    for removals_only in [true, false] {
        let mut tx = world.job.snapshot.tx().unwrap();
        tx.put_pause(Some(&Pause {
            removals_only,
            until: None,
            since: world.clock.now(),
            actor: "test".to_owned(),
            comment: None,
        }));
        tx.commit(Durability::Synced).unwrap();
        world.tenant.soft_delete_user(&users[4]);
        plan_is_announced(&world).await;
    }
}

#[tokio::test]
async fn where_the_guard_withholds() {
    let mut world = synced().await;
    world.job.policy = Policy::default();
    let users = world.tenant.user_ids();
    for user in &users[..4] {
        world.tenant.disable_user(user);
    }
    for user in &users[4..8] {
        world.tenant.soft_delete_user(user);
    }
    let plan = plan_is_announced(&world).await;
    assert_eq!(
        plan.summary.withheld.by_reason["account_disabled"],
        4,
        "{}",
        plan.story()
    );
    world.cycle().await.expect(Outcome::Withheld);
    plan_is_announced(&world).await;
}

#[tokio::test]
async fn out_of_scope_and_on_the_way_out() {
    let mut world = synced().await;
    let filter = r#"jobTitle NOT EQUALS "Out""#;
    world.job.scope = Arc::new(ScopeRules {
        user_filter: Some(Filter::parse(ObjectKind::User, filter).unwrap()),
        ..ScopeRules::default()
    });
    world.job.fingerprint = "filtered".to_owned();
    let (user, manager) = report(&world);
    world.tenant.set_user(&manager, json!({"jobTitle": "Out"}));
    let plan = plan_is_announced(&world).await;
    assert_eq!(plan.count(Verb::DisableUser), 1, "{}", plan.story());
    world.cycle().await.expect(Outcome::Converged);
    plan_is_announced(&world).await;
    world.tenant.set_user(&user, json!({"jobTitle": "Out"}));
    world.tenant.set_user(&manager, json!({"jobTitle": "In"}));
    plan_is_announced(&world).await;

    let world = assigned(Nesting::default()).await;
    world.cycle_twice().await;
    let ids = world.tenant.user_ids();
    world.tenant.unassign(&ids[7], None);
    for looks in 0..3 {
        let plan = plan_is_announced(&world).await;
        assert_eq!(
            plan.summary.pending.len(),
            usize::from(looks < 1),
            "{}",
            plan.story()
        );
        world.cycle().await.expect(Outcome::Converged);
    }
}

#[tokio::test]
async fn with_a_manager_who_is_gone() {
    for deleted in [true, false] {
        let world = synced().await;
        let (user, manager) = report(&world);
        if deleted {
            world.tenant.soft_delete_user(&manager);
        }
        lose_user(&world, &manager);
        plan_is_announced(&world).await;
        world.tenant.set_user(&user, json!({"jobTitle": "Alone"}));
        plan_is_announced(&world).await;
        world
            .run(Extent::Full, true, None)
            .await
            .expect(Outcome::Converged);
        plan_is_announced(&world).await;
        world.tenant.set_user(&manager, json!({"jobTitle": "Gone"}));
        plan_is_announced(&world).await;
    }
}

#[tokio::test]
async fn with_resources_that_are_gone_whatever_the_policy() {
    for policy in [Drift::Report, Drift::Heal] {
        let mut world = synced().await;
        world.job.policy.drift = DriftPolicy::all(policy);
        let (users, groups) = (world.tenant.user_ids(), world.tenant.group_ids());
        for user in [&users[2], &users[3]] {
            lose_user(&world, user);
        }
        let group = target_id(&world.group_resource(&groups[1]));
        world.workspace.remove_group(&group);
        world
            .workspace
            .edit_user(&target_id(&world.resource(&users[9])), json!({"title": "Pirate"}));
        // Nobody has looked yet: nobody knows.
        let plan = plan_is_announced(&world).await;
        assert_eq!(plan.operations, []);
        world.run(Extent::Full, false, None).await;
        plan_is_announced(&world).await;
        world
            .workspace
            .update_faults(|faults| faults.forbidden = Fault::always().only("POST"));
        world.run(Extent::Full, true, None).await;
        world.workspace.set_faults(Default::default());
        plan_is_announced(&world).await;
        world.tenant.set_user(&users[2], json!({"jobTitle": "Wanted"}));
        world
            .tenant
            .set_group(&groups[1], json!({"displayName": "Wanted"}));
        world.clock.advance(Duration::from_secs(3600));
        let plan = plan_is_announced(&world).await;
        assert!(plan.count(Verb::CreateUser) > 0, "{}", plan.story());
        world.cycle().await.expect(Outcome::Converged);
        plan_is_announced(&world).await;
        // What is due for another look is looked at by both.
        world.clock.advance(Duration::from_secs(24 * 3600));
        plan_is_announced(&world).await;
    }
}
