//! What people decide: releases, holds and pauses.

use std::time::Duration;

use melonsync::engine::job::Extent;
use melonsync::engine::linking;
use melonsync::engine::summary::Outcome;
use melonsync::model::clock::Clock;
use melonsync::model::id::ObjectKind;
use melonsync::model::id::SourceId;
use melonsync::model::id::TargetId;
use melonsync::ports::Durability;
use melonsync::reconcile::operation::Verb;
use melonsync::reconcile::policy::Policy;
use melonsync::reconcile::policy::Threshold;
use melonsync::snapshot::kept_back::Hold;
use melonsync::snapshot::kept_back::HoldCause;
use melonsync::snapshot::kept_back::KeptBackReads;
use melonsync::snapshot::kept_back::Pause;
use melonsync::snapshot::kept_back::Withheld;
use melonsync::snapshot::kept_back::WithheldKey;
use melonsync::snapshot::read::Reads;
use serde_json::json;

use super::incremental::synced;
use crate::support::world::World;

async fn guarded() -> World {
    let mut world = synced().await;
    world.job.policy = Policy::default();
    world
}

pub(super) fn entries(world: &World) -> Vec<(WithheldKey, Withheld)> {
    let mut all = Vec::new();
    let show = |key, entry| {
        all.push((key, entry));
        Ok(())
    };
    world.job.snapshot.each_withheld(show).unwrap();
    all
}

pub(super) fn release(world: &World, wanted: impl Fn(&WithheldKey) -> bool) {
    let mut tx = world.job.snapshot.tx().unwrap();
    for (key, entry) in entries(world).into_iter().filter(|(key, _)| wanted(key)) {
        let released_by = Some("test".to_owned());
        tx.put_withheld(&key, &Withheld { released_by, ..entry });
    }
    tx.commit(Durability::Synced).unwrap();
}

fn hold(world: &World, kind: ObjectKind, id: &str, attribute: Option<&str>, until: Option<Duration>) {
    let now = world.clock.now();
    let mut tx = world.job.snapshot.tx().unwrap();
    let hold = Hold {
        attribute: attribute.map(str::to_owned),
        until: until.map(|until| now.plus(until)),
        since: now,
        actor: "test".to_owned(),
        comment: None,
        cause: HoldCause::Hand,
    };
    tx.put_hold(kind, &source(id), &hold);
    tx.commit(Durability::Synced).unwrap();
}

fn let_go(world: &World, kind: ObjectKind, id: &str, attribute: Option<&str>) {
    let mut tx = world.job.snapshot.tx().unwrap();
    tx.delete_hold(kind, &source(id), attribute);
    tx.commit(Durability::Synced).unwrap();
}

fn pause(world: &World, removals_only: bool, lasts: Option<Duration>) {
    let now = world.clock.now();
    let mut tx = world.job.snapshot.tx().unwrap();
    tx.put_pause(Some(&Pause {
        removals_only,
        until: lasts.map(|lasts| now.plus(lasts)),
        since: now,
        actor: "test".to_owned(),
        comment: Some("cut-over".to_owned()),
    }));
    tx.commit(Durability::Synced).unwrap();
}

pub(super) fn source(id: &str) -> SourceId {
    id.parse().unwrap()
}

fn is_active(world: &World, id: &str) -> bool {
    world.resource(id)["active"] == true
}

#[tokio::test]
async fn release_lets_exactly_those_through_and_once() {
    let world = guarded().await;
    let users = world.tenant.user_ids();
    for user in &users[..8] {
        world.tenant.disable_user(user);
    }
    world.cycle().await.expect(Outcome::Withheld);
    assert_eq!(entries(&world).len(), 8);
    let let_through: Vec<SourceId> = users[..2].iter().map(|id| source(id)).collect();
    release(&world, |key| let_through.contains(&key.1));
    let ran = world.cycle().await;
    ran.expect(Outcome::Withheld);
    assert_eq!((ran.count(Verb::DisableUser), ran.summary.withheld.count), (2, 6));
    for (n, user) in users[..8].iter().enumerate() {
        assert_eq!(is_active(&world, user), n >= 2, "user {n}");
    }
    // Used up: the next disable of the same user is counted and withheld like any other.
    assert_eq!(entries(&world).len(), 6);
    world.tenant.enable_user(&users[0]);
    world.cycle().await.expect(Outcome::Withheld);
    assert!(is_active(&world, &users[0]));
    world.tenant.disable_user(&users[0]);
    let again = world.cycle().await;
    assert_eq!(again.count(Verb::DisableUser), 0, "{}", again.story());
    assert_eq!(entries(&world).len(), 7);
    world.expect_no_write().await.expect(Outcome::Withheld);
    release(&world, |_| true);
    world.cycle().await.expect(Outcome::Converged);
    assert!(entries(&world).is_empty());
    world.assert_equal();
    world.expect_quiet().await;
}

#[tokio::test]
async fn withheld_operation_that_the_source_no_longer_asks_for_is_forgotten() {
    let world = guarded().await;
    let users = world.tenant.user_ids();
    for user in &users[..6] {
        world.tenant.disable_user(user);
    }
    world.cycle().await.expect(Outcome::Withheld);
    release(&world, |key| key.1 == source(&users[0]));
    for user in &users[..6] {
        world.tenant.enable_user(user);
    }
    world.cycle().await.expect(Outcome::Converged);
    assert!(entries(&world).is_empty());
    world.expect_quiet().await;
}

#[tokio::test]
async fn released_members_go_and_later_ones_wait() {
    let mut world = guarded().await;
    let group = world.tenant.group_ids()[0].clone();
    for user in &world.tenant.user_ids() {
        world.tenant.add_member(&group, user);
    }
    world.cycle().await.expect(Outcome::Converged);
    world.job.policy.membership_removal_threshold = Threshold::count(0);
    let users = world.tenant.user_ids();
    world.tenant.remove_member(&group, &users[0]);
    world.cycle().await.expect(Outcome::Withheld);
    release(&world, |_| true);
    world.tenant.remove_member(&group, &users[1]);
    let ran = world.cycle().await;
    ran.expect(Outcome::Withheld);
    assert_eq!(
        (ran.count(Verb::RemoveMember), ran.summary.withheld.count),
        (1, 1)
    );
    let entries = entries(&world);
    assert_eq!(entries.len(), 1);
    assert_eq!(entries[0].1.members, [source(&users[1])]);
    assert_eq!(entries[0].1.released_by, None);
    release(&world, |_| true);
    world.cycle().await.expect(Outcome::Converged);
    world.assert_equal();
    world.expect_quiet().await;
}

#[tokio::test]
async fn renames_over_the_threshold_are_withheld_and_other_changes_go_on() {
    let mut world = guarded().await;
    world.job.policy.identity_change_threshold = Threshold::count(2);
    let users = world.tenant.user_ids();
    for (n, user) in users[..3].iter().enumerate() {
        let name = format!("renamed{n}@corp.example");
        world
            .tenant
            .set_user(user, json!({"userPrincipalName": name, "jobTitle": "Goes on"}));
    }
    let ran = world.cycle().await;
    ran.expect(Outcome::Withheld);
    assert_eq!(ran.summary.withheld.count, 3, "{}", ran.story());
    assert_eq!(world.resource(&users[0])["title"], "Goes on");
    assert_ne!(world.resource(&users[0])["userName"], "renamed0@corp.example");
    world.expect_no_write().await.expect(Outcome::Withheld);
    release(&world, |_| true);
    world.cycle().await.expect(Outcome::Converged);
    assert_eq!(world.resource(&users[0])["userName"], "renamed0@corp.example");
    world.assert_equal();
    world.expect_quiet().await;
}

#[tokio::test]
async fn creates_over_the_threshold_are_withheld_until_they_are_allowed() {
    let mut world = guarded().await;
    world.job.policy.creation_threshold = Some(Threshold::count(1));
    let new: Vec<String> = (0..2)
        .map(|n| {
            let name = format!("new{n}@corp.example");
            world.tenant.add_user(json!({"userPrincipalName": name}))
        })
        .collect();
    let ran = world.cycle().await;
    ran.expect(Outcome::Withheld);
    assert_eq!((ran.count(Verb::CreateUser), ran.summary.withheld.count), (0, 2));
    world.expect_no_write().await.expect(Outcome::Withheld);
    world.allow_creations(Some(1)).await.expect(Outcome::Withheld);
    world.allow_creations(Some(2)).await.expect(Outcome::Converged);
    world.resource(&new[0]);
    assert!(entries(&world).is_empty());
    world.assert_equal();
    world.expect_quiet().await;
}

#[tokio::test]
async fn object_on_hold_is_planned_and_not_sent() {
    let world = guarded().await;
    let (user, group) = (
        world.tenant.user_ids()[0].clone(),
        world.tenant.group_ids()[0].clone(),
    );
    hold(&world, ObjectKind::User, &user, None, None);
    world.tenant.set_user(&user, json!({"jobTitle": "Not yet"}));
    let ran = world.cycle().await;
    ran.expect(Outcome::Converged);
    assert_eq!((ran.summary.held, ran.omitted("held")), (1, 1), "{}", ran.story());
    assert_ne!(world.resource(&user)["title"], "Not yet");
    assert_eq!(world.expect_no_write().await.summary.held, 1);
    // Deleted: neither the user nor its memberships go.
    let member_of = world.tenant.user_members(&group).contains(&user);
    if !member_of {
        world.tenant.add_member(&group, &user);
        world.cycle().await.expect(Outcome::Converged);
    }
    world.tenant.soft_delete_user(&user);
    let ran = world.cycle().await;
    assert_eq!(
        ran.count(Verb::DisableUser) + ran.count(Verb::RemoveMember),
        0,
        "{}",
        ran.story()
    );
    assert!(ran.summary.held >= 2, "{}", ran.story());
    assert!(is_active(&world, &user));
    let_go(&world, ObjectKind::User, &user, None);
    world.cycle().await.expect(Outcome::Converged);
    assert!(!is_active(&world, &user));
    world.expect_quiet().await;
}

#[tokio::test]
async fn hold_on_an_attribute_leaves_the_others_and_ends_by_itself() {
    let world = guarded().await;
    let user = world.tenant.user_ids()[0].clone();
    hold(
        &world,
        ObjectKind::User,
        &user,
        Some("title"),
        Some(Duration::from_secs(3600)),
    );
    hold(&world, ObjectKind::User, &user, Some("ACTIVE"), None);
    world
        .tenant
        .set_user(&user, json!({"jobTitle": "Later", "displayName": "Now"}));
    world.tenant.disable_user(&user);
    let ran = world.cycle().await;
    ran.expect(Outcome::Converged);
    assert_eq!(world.resource(&user)["displayName"], "Now");
    assert_ne!(world.resource(&user)["title"], "Later");
    assert!(is_active(&world, &user), "{}", ran.story());
    world.expect_no_write().await;
    world.clock.advance(Duration::from_secs(3601));
    world.cycle().await.expect(Outcome::Converged);
    assert_eq!(world.resource(&user)["title"], "Later");
    assert!(is_active(&world, &user));
    let_go(&world, ObjectKind::User, &user, Some("active"));
    world.cycle().await.expect(Outcome::Converged);
    world.assert_equal();
    world.expect_quiet().await;
}

#[tokio::test]
async fn paused_job_reads_and_plans_and_writes_nothing_until_the_pause_ends() {
    let mut world = guarded().await;
    pause(&world, false, Some(Duration::from_secs(3600)));
    world.restart();
    let user = world.tenant.user_ids()[0].clone();
    world.tenant.set_user(&user, json!({"jobTitle": "Later"}));
    let ran = world.expect_no_write().await;
    ran.expect(Outcome::Planned);
    assert_eq!(ran.count(Verb::UpdateUser), 1, "{}", ran.story());
    assert!(
        ran.findings.iter().any(|text| text.contains("melonsync resume")),
        "{:?}",
        ran.findings
    );
    world.clock.advance(Duration::from_secs(3600));
    world.cycle().await.expect(Outcome::Converged);
    world.assert_equal();
    world.expect_quiet().await;
}

#[tokio::test]
async fn removals_alone_can_be_paused() {
    let world = guarded().await;
    let users = world.tenant.user_ids();
    pause(&world, true, None);
    world.tenant.disable_user(&users[0]);
    world.tenant.set_user(&users[1], json!({"jobTitle": "Goes on"}));
    let ran = world.run(Extent::Changes, true, Some(10)).await;
    ran.expect(Outcome::Withheld);
    assert!(is_active(&world, &users[0]), "an allowance does not end a pause");
    assert_eq!(world.resource(&users[1])["title"], "Goes on");
    let mut tx = world.job.snapshot.tx().unwrap();
    tx.put_pause(None);
    tx.commit(Durability::Synced).unwrap();
    world.cycle().await.expect(Outcome::Converged);
    assert!(!is_active(&world, &users[0]));
    world.assert_equal();
    world.expect_quiet().await;
}

#[tokio::test]
async fn named_users_are_disabled_although_the_guard_is_closed_up_to_ten() {
    let world = guarded().await;
    let users = world.tenant.user_ids();
    for user in &users[..12] {
        world.tenant.disable_user(user);
    }
    world.cycle().await.expect(Outcome::Withheld);
    let named = |count: usize| Extent::Objects {
        users: users[..count].to_vec(),
        groups: Vec::new(),
    };
    let eleven = world.run(named(11), true, None).await;
    eleven.expect(Outcome::Withheld);
    assert_eq!(eleven.count(Verb::DisableUser), 0, "{}", eleven.story());
    let one = world.run(named(1), true, None).await;
    one.expect(Outcome::Converged);
    assert_eq!(one.count(Verb::DisableUser), 1, "{}", one.story());
    assert!(!is_active(&world, &users[0]));
    assert!(is_active(&world, &users[1]));
    let history = world.job.snapshot.history(0, usize::MAX).unwrap();
    let last = history
        .iter()
        .rev()
        .find(|(entry, _)| entry.operation == "disable_user");
    assert_eq!(last.unwrap().0.actor, "test");
    let rest = world.cycle().await;
    assert_eq!(rest.summary.withheld.count, 11, "{}", rest.story());
}

#[tokio::test]
async fn ten_orders_of_ten_named_users_are_ten_within_an_hour() {
    let mut world = guarded().await;
    let users = world.tenant.user_ids();
    for user in &users[..15] {
        world.tenant.disable_user(user);
    }
    world.cycle().await.expect(Outcome::Withheld);
    let order = |users: &[String]| Extent::Objects {
        users: users.to_vec(),
        groups: Vec::new(),
    };
    // A plan tells the same, and counts nothing.
    for _ in 0..2 {
        let plan = world.run(order(&users[..6]), false, None).await;
        assert_eq!(plan.count(Verb::DisableUser), 6, "{}", plan.story());
    }
    let first = world.run(order(&users[..6]), true, None).await;
    assert_eq!(first.count(Verb::DisableUser), 6, "{}", first.story());
    world.restart();
    // Named again and again, in parts and after a restart: no more than ten go through.
    let mut through = 6;
    for part in [&users[6..12], &users[6..12], &users[12..15]] {
        let ran = world.run(order(part), true, None).await;
        ran.expect(Outcome::Withheld);
        through += ran.count(Verb::DisableUser);
    }
    assert_eq!(through, 10);
    let left = |world: &World| users[..15].iter().filter(|user| is_active(world, user)).count();
    assert_eq!(left(&world), 5);
    let mut why = Vec::new();
    let each = |_, entry: melonsync::snapshot::kept_back::Withheld| {
        why.push(entry.why);
        Ok(())
    };
    world.job.snapshot.each_withheld(each).unwrap();
    assert!(
        why.iter().any(|why| why.contains("the next can be named from")),
        "{why:?}"
    );
    // An hour later there is room again.
    world.clock.advance(Duration::from_secs(60 * 60));
    for user in users[6..15].iter().filter(|user| is_active(&world, user)) {
        let ran = world.run(order(std::slice::from_ref(user)), true, None).await;
        assert_eq!(ran.count(Verb::DisableUser), 1, "{}", ran.story());
    }
    assert_eq!(left(&world), 0);
    world.cycle().await.expect(Outcome::Converged);
}

#[tokio::test]
async fn link_by_hand_is_used_and_an_unlinked_object_is_matched_anew() {
    let world = guarded().await;
    let user = world.tenant.user_ids()[0].clone();
    let held = world.resource(&user)["id"].as_str().unwrap().to_owned();
    let now = world.clock.now();
    let relink = |target: Option<TargetId>| {
        let mut tx = world.job.snapshot.tx().unwrap();
        linking::relink(&mut tx, ObjectKind::User, &source(&user), target, now).unwrap();
        tx.commit(Durability::Synced).unwrap();
    };
    relink(None);
    let record = world
        .job
        .snapshot
        .record(ObjectKind::User, &source(&user))
        .unwrap();
    assert!(record.unwrap().link.is_none());
    relink(TargetId::new(&held));
    world.tenant.set_user(&user, json!({"jobTitle": "Linked"}));
    let ran = world.cycle().await;
    ran.expect(Outcome::Converged);
    assert_eq!(
        (ran.count(Verb::CreateUser), ran.count(Verb::LinkUser)),
        (0, 0),
        "{}",
        ran.story()
    );
    assert_eq!(world.resource(&user)["title"], "Linked");
    world.assert_equal();
    world.expect_quiet().await;
    relink(None);
    let ran = world.cycle().await;
    ran.expect(Outcome::Converged);
    assert_eq!(
        (ran.count(Verb::CreateUser), ran.count(Verb::LinkUser)),
        (0, 1),
        "{}",
        ran.story()
    );
    world.assert_equal();
    world.expect_quiet().await;
}
