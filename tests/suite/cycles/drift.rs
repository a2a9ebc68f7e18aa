//! The target edited behind our back: each class of drift, reported and healed; what is no drift; who else writes.

use std::collections::BTreeSet;
use std::time::Duration;

use melonsync::engine::apply::open_writes::OpenWrite;
use melonsync::engine::drift::another_writer;
use melonsync::engine::job::Extent;
use melonsync::engine::summary::Drift as Counts;
use melonsync::engine::summary::Outcome;
use melonsync::mapping::Drift;
use melonsync::model::clock::Timestamp;
use melonsync::model::id::ObjectKind;
use melonsync::ports::Durability;
use melonsync::reconcile::drift_policy::DriftPolicy;
use melonsync::reconcile::operation::Reason;
use melonsync::reconcile::operation::Verb;
use melonsync::reconcile::policy::GroupRemoval;
use melonsync::reconcile::policy::OnRemoval;
use melonsync::reconcile::policy::Threshold;
use melonsync::reconcile::policy::Unmanaged;
use melonsync::sandbox::faults::Fault;
use melonsync::snapshot::query::Query;
use melonsync::snapshot::state::OPEN_WRITES;
use melonsync::snapshot::state::RESTORED;
use melonsync::snapshot::state::StateKey;
use serde_json::Value;
use serde_json::json;

use super::incremental::synced;
use crate::support::world::Ran;
use crate::support::world::World;

fn target_id(resource: &Value) -> String {
    resource["id"].as_str().unwrap().to_owned()
}

fn edit(world: &World, user: &str, changes: Value) {
    world
        .workspace
        .edit_user(&target_id(&world.resource(user)), changes);
}

async fn full(world: &World) -> Ran {
    world.run(Extent::Full, true, None).await
}

/// A full cycle that converges, then another one: it writes nothing, and so does an incremental one.
async fn full_twice(world: &World) -> (Ran, Ran) {
    let first = full(world).await;
    first.expect(Outcome::Converged);
    let writes = world.workspace.writes();
    let second = full(world).await;
    second.expect(Outcome::Converged);
    assert_eq!(
        world.workspace.writes(),
        writes,
        "the second full cycle wrote: {:#?}",
        second.operations
    );
    world.expect_quiet().await;
    (first, second)
}

fn heals(world: &mut World) {
    world.job.policy.drift = DriftPolicy::all(Drift::Heal);
}

fn counts(modified: u64, membership: u64, missing: u64) -> Counts {
    Counts {
        modified,
        membership,
        missing,
        ..Counts::default()
    }
}

fn member_ids(world: &World, group: &str) -> BTreeSet<String> {
    let resource = world.group_resource(group);
    let members = resource["members"].as_array().cloned().unwrap_or_default();
    members
        .iter()
        .map(|member| member["value"].as_str().unwrap().to_owned())
        .collect()
}

const LONER: &str = "loner@corp.example";

/// In sync, with a user who is in no group: groups do not change when the resource goes.
async fn with_loner() -> World {
    let world = synced().await;
    world.tenant.add_user(json!({"userPrincipalName": LONER}));
    world.cycle_twice().await;
    world
}

fn remove_loner(world: &World) {
    let resource = world.workspace.user_by_name(LONER).unwrap();
    world.workspace.remove_user(&target_id(&resource));
}

/// A user's title, a group's members in both directions, a user and a group that are gone. What was changed.
fn disturb(world: &World) -> (String, String) {
    let (users, groups) = (world.tenant.user_ids(), world.tenant.group_ids());
    edit(world, &users[3], json!({"title": "Pirate"}));
    let chosen = groups[..4]
        .iter()
        .find(|group| member_ids(world, group).len() > 2)
        .expect("a group with members");
    let inside = member_ids(world, chosen);
    let resources = users[..40].iter().map(|user| target_id(&world.resource(user)));
    let outsider = resources.into_iter().find(|id| !inside.contains(id)).unwrap();
    let mut members: Vec<Value> = inside.iter().skip(1).map(|id| json!({"value": id})).collect();
    members.push(json!({"value": outsider}));
    world.workspace.edit_group(
        &target_id(&world.group_resource(chosen)),
        json!({"members": members}),
    );
    remove_loner(world);
    world
        .workspace
        .remove_group(&target_id(&world.group_resource(&groups[4])));
    (users[3].clone(), chosen.clone())
}

#[tokio::test]
async fn drift_is_reported_by_class_and_left_as_it_is() {
    let world = with_loner().await;
    let (user, group) = disturb(&world);
    let before = (world.workspace.users(), world.workspace.groups());
    let (first, second) = full_twice(&world).await;
    assert_eq!(first.summary.drift, counts(1, 1, 2), "{}", first.story());
    assert_eq!(second.summary.drift, first.summary.drift);
    assert_eq!((world.workspace.users(), world.workspace.groups()), before);
    let row = |kind, id: &str| {
        world
            .job
            .snapshot
            .drift(kind, &id.parse().unwrap())
            .unwrap()
            .unwrap()
    };
    let title = &row(ObjectKind::User, &user).attributes[0];
    assert_eq!(
        (title.attribute.as_str(), title.held.as_str()),
        ("title", Some("Pirate"))
    );
    let members = row(ObjectKind::Group, &group);
    assert_eq!((members.lacking.count, members.extra.count), (1, 1));
    // Put right by hand: nothing is left of it.
    edit(&world, &user, json!({"title": title.wanted.as_str()}));
    let last = full(&world).await;
    assert_eq!(last.summary.drift, counts(0, 1, 2));
    assert_eq!(
        world
            .job
            .snapshot
            .drift(ObjectKind::User, &user.parse().unwrap())
            .unwrap(),
        None
    );
}

#[tokio::test]
async fn drift_is_healed_read_back_and_in_the_history_with_its_own_reason() {
    let mut world = with_loner().await;
    heals(&mut world);
    let (user, _) = disturb(&world);
    world.workspace.clear_requests();
    let first = full(&world).await;
    let asked = world.workspace.requests();
    let (second, _) = full_twice(&world).await;
    assert_eq!(first.summary.drift, counts(1, 1, 2));
    assert_eq!(second.summary.drift, Counts::default(), "{}", second.story());
    world.assert_equal();
    assert!(world.job.snapshot.drift_counts().unwrap().is_none());
    let healed: Vec<_> = first
        .operations
        .iter()
        .filter(|one| one.because.heals())
        .collect();
    let verbs: BTreeSet<&str> = healed.iter().map(|one| one.verb.name()).collect();
    assert_eq!(
        verbs,
        ["update_user", "add_member", "remove_member"].into(),
        "{healed:#?}"
    );
    let path = format!("/Users/{}", target_id(&world.resource(&user)));
    let of_user: Vec<&str> = asked
        .iter()
        .filter(|one| one.path.ends_with(&path))
        .map(|one| one.method.as_str())
        .collect();
    // Once for the heal, and once where the form of the request is used for the first time.
    assert!(
        of_user[0] == "PATCH" && [&["GET"][..], &["GET", "GET"]].contains(&&of_user[1..]),
        "{of_user:?}"
    );
    let query = Query {
        objects: Some([user.parse().unwrap()].into()),
        ..Query::default()
    };
    let mut told = Vec::new();
    world
        .job
        .snapshot
        .search_history(&query, |entry, values| {
            let held = values.and_then(|values| values.changes.first().map(|change| change.before.clone()));
            told.push((
                entry.reason.clone(),
                held.and_then(|held| held.as_str().map(str::to_owned)),
            ));
            Ok(())
        })
        .unwrap();
    assert_eq!(
        told.last().unwrap(),
        &(Reason::Drifted.to_string(), Some("Pirate".to_owned()))
    );
}

#[tokio::test]
async fn only_what_the_policy_names_is_healed() {
    let mut world = synced().await;
    world
        .job
        .policy
        .drift
        .attributes
        .insert("title".to_owned(), Drift::Heal);
    let user = world.tenant.user_ids()[3].clone();
    let title = world.resource(&user)["title"].clone();
    edit(
        &world,
        &user,
        json!({"title": "Pirate", "displayName": "Captain"}),
    );
    let (first, second) = full_twice(&world).await;
    assert_eq!(
        (first.summary.drift, second.summary.drift),
        (counts(1, 0, 0), counts(1, 0, 0))
    );
    let held = world.resource(&user);
    assert_eq!(
        (&held["title"], &held["displayName"]),
        (&title, &json!("Captain"))
    );
    let row = world
        .job
        .snapshot
        .drift(ObjectKind::User, &user.parse().unwrap())
        .unwrap()
        .unwrap();
    assert_eq!(row.attributes.len(), 1, "{row:?}");
}

#[tokio::test]
async fn where_both_moved_the_source_wins_and_the_lost_value_is_told() {
    let world = synced().await;
    let user = world.tenant.user_ids()[3].clone();
    edit(&world, &user, json!({"title": "Pirate"}));
    world.tenant.set_user(&user, json!({"jobTitle": "Captain"}));
    let (first, second) = full_twice(&world).await;
    assert_eq!(
        (first.summary.drift, second.summary.drift),
        (counts(1, 0, 0), Counts::default())
    );
    assert_eq!(world.resource(&user)["title"], "Captain");
    let update = &first.operations[0];
    assert_eq!(update.because.label(), "conflict");
    assert_eq!(update.changes[0].before.as_str(), Some("Pirate"));
}

#[tokio::test]
async fn whoever_is_enabled_at_the_target_though_disabled_is_disabled_first_whatever_the_policy() {
    let world = synced().await;
    let users = world.tenant.user_ids();
    world.tenant.disable_user(&users[3]);
    world.tenant.soft_delete_user(&users[4]);
    world.cycle_twice().await;
    for user in &users[3..5] {
        edit(&world, user, json!({"active": true}));
    }
    edit(&world, &users[3], json!({"title": "Pirate"}));
    world.tenant.set_user(&users[0], json!({"jobTitle": "Captain"}));
    world.workspace.clear_requests();
    let first = full(&world).await;
    let asked = world.workspace.requests();
    let (second, _) = full_twice(&world).await;
    assert_eq!(
        (first.summary.drift.modified, second.summary.drift.modified),
        (2, 1)
    );
    let disables: Vec<_> = first
        .operations
        .iter()
        .filter(|one| one.verb == Verb::DisableUser)
        .collect();
    assert_eq!(disables.len(), 2);
    assert!(
        disables
            .iter()
            .all(|one| one.because == Reason::ReenabledAtTarget),
        "{disables:#?}"
    );
    let ours: Vec<String> = users[3..5]
        .iter()
        .map(|user| format!("/Users/{}", target_id(&world.resource(user))))
        .collect();
    let mut writes = asked.iter().filter(|one| one.method != "GET");
    for _ in 0..2 {
        let write = writes.next().unwrap();
        assert!(ours.iter().any(|path| write.path.ends_with(path)), "{write:?}");
    }
    for user in &users[3..5] {
        assert_eq!(world.resource(user)["active"], false);
    }
    assert_eq!(
        world.resource(&users[3])["title"],
        "Pirate",
        "the rest is the policy's"
    );
}

#[tokio::test]
async fn a_withheld_heal_stays_pending_until_it_is_let_through() {
    let mut world = synced().await;
    let user = world.tenant.user_ids()[3].clone();
    world.tenant.disable_user(&user);
    world.cycle_twice().await;
    edit(&world, &user, json!({"active": true}));
    world.clock.advance(Duration::from_secs(48 * 3600));
    world.job.policy.deletion_threshold = Threshold::count(0);
    world.job.policy.refresh_within = Duration::ZERO;
    for extent in [Extent::Full, Extent::Changes, Extent::Changes] {
        let held = world.run(extent, true, None).await;
        held.expect(Outcome::Withheld);
        assert_eq!(held.summary.withheld.by_reason["reenabled_at_target"], 1);
        assert_eq!(world.resource(&user)["active"], true);
    }
    let through = world.run(Extent::Changes, true, Some(1)).await;
    through.expect(Outcome::Converged);
    assert_eq!(world.resource(&user)["active"], false);
    world.expect_quiet().await;
}

#[tokio::test]
async fn a_target_that_trims_folds_and_tells_nothing_has_no_drift() {
    let mut world = World::sample(12, 2).await;
    heals(&mut world);
    world.workspace.update_options(|options| {
        options.trim = true;
        options.lower_case = true;
        options.patch_answers_body = false;
    });
    let user = world.tenant.user_ids()[0].clone();
    world.cycle_twice().await;
    world.tenant.set_user(
        &user,
        json!({"jobTitle": "  Spaced  ", "mail": "Loud@Corp.example"}),
    );
    world.cycle_twice().await;
    let link = |world: &World| {
        let record = melonsync::snapshot::read::Reads::record(
            &world.job.snapshot,
            ObjectKind::User,
            &user.parse().unwrap(),
        );
        record.unwrap().unwrap().link.unwrap()
    };
    assert!(!link(&world).kept.is_empty(), "not known before it is read");
    let (first, second) = full_twice(&world).await;
    assert_eq!(
        (first.summary.drift, second.summary.drift),
        (Counts::default(), Counts::default())
    );
    let kept = link(&world).kept;
    assert_eq!(kept.len(), 1, "filled by the reading: {kept:?}");
    edit(&world, &user, json!({"title": "Pirate"}));
    let (healed, _) = full_twice(&world).await;
    assert_eq!(healed.summary.drift, counts(1, 0, 0));
    assert_eq!(world.resource(&user)["title"], "Spaced");
    assert!(
        !healed.findings.iter().any(|text| text.contains("does not keep")),
        "{:?}",
        healed.findings
    );
}

#[tokio::test]
async fn what_the_target_does_not_keep_is_healed_once_and_again_when_it_moves() {
    let mut world = synced().await;
    heals(&mut world);
    let user = world.tenant.user_ids()[3].clone();
    let group = world.tenant.group_ids()[2].clone();
    // The forms of both requests are in use: a first use is read back by itself.
    world.tenant.set_user(&user, json!({"jobTitle": "Captain"}));
    let outside = |id: &&String| !world.tenant.user_members(&group).contains(*id);
    let newcomer = world.tenant.user_ids().iter().find(outside).unwrap().clone();
    world.tenant.add_member(&group, &newcomer);
    world.cycle_twice().await;
    let title = world.resource(&user)["title"].clone();
    let members = member_ids(&world, &group);
    edit(&world, &user, json!({"title": "Pirate"}));
    let fewer: Vec<Value> = members.iter().skip(1).map(|id| json!({"value": id})).collect();
    world.workspace.edit_group(
        &target_id(&world.group_resource(&group)),
        json!({"members": fewer}),
    );
    world
        .workspace
        .update_faults(|faults| faults.ignore_write = Fault::always());
    let first = full(&world).await;
    first.expect(Outcome::Partial);
    let writes = world.workspace.writes();
    let second = full(&world).await;
    second.expect(Outcome::Partial);
    assert_eq!(world.workspace.writes(), writes, "{:#?}", second.operations);
    assert_eq!(second.summary.not_kept.len(), 2, "{}", second.story());
    assert_eq!(
        (first.summary.drift, second.summary.drift),
        (counts(1, 1, 0), Counts::default())
    );
    let says: Vec<_> = first
        .findings
        .iter()
        .filter(|text| text.contains("does not keep 2 values"))
        .collect();
    assert_eq!(says.len(), 1, "{:?}", first.findings);
    assert_eq!(world.resource(&user)["title"], "Pirate");
    let row = world
        .job
        .snapshot
        .drift(ObjectKind::User, &user.parse().unwrap())
        .unwrap()
        .unwrap();
    assert!(!row.is_drift() && row.not_kept.len() == 1, "{row:?}");
    world
        .workspace
        .update_faults(|faults| faults.ignore_write = Fault::never());
    edit(&world, &user, json!({"title": "Corsair"}));
    let moved = full(&world).await;
    // What the group did not keep stays so.
    moved.expect(Outcome::Partial);
    assert_eq!(moved.summary.not_kept.len(), 1, "{}", moved.story());
    assert_eq!(moved.summary.drift, counts(1, 0, 0));
    assert_eq!(world.resource(&user)["title"], title);
    assert_eq!(
        world
            .job
            .snapshot
            .drift(ObjectKind::User, &user.parse().unwrap())
            .unwrap(),
        None
    );
    assert_eq!(
        member_ids(&world, &group).len(),
        members.len() - 1,
        "the group did not move"
    );
}

#[tokio::test]
async fn a_listing_that_stops_short_finds_no_drift_and_says_so() {
    let mut world = with_loner().await;
    heals(&mut world);
    world.job.policy.unmanaged = Unmanaged::Report;
    let user = world.tenant.user_ids()[3].clone();
    edit(&world, &user, json!({"title": "Pirate"}));
    remove_loner(&world);
    world.workspace.update_options(|options| options.paging = false);
    world.workspace.clear_requests();
    for _ in 0..2 {
        let ran = full(&world).await;
        assert!(
            ran.findings
                .iter()
                .any(|text| text.contains("no drift was looked for among users")),
            "{:?}",
            ran.findings
        );
        assert_eq!((ran.summary.drift.missing, ran.summary.drift.modified), (0, 0));
        assert_eq!(world.workspace.writes(), 0);
    }
    assert_eq!(world.resource(&user)["title"], "Pirate");
}

#[tokio::test]
async fn resources_of_nobody_are_reported_and_never_touched() {
    let mut world = synced().await;
    heals(&mut world);
    world
        .workspace
        .insert_user(json!({"userName": "local@idmelon.example"}));
    world.workspace.insert_group(json!({"displayName": "Local"}));
    let held = (world.workspace.users(), world.workspace.groups());
    let (kept, _) = full_twice(&world).await;
    assert_eq!(kept.summary.drift, Counts::default());
    world.job.policy.unmanaged = Unmanaged::Report;
    let (first, second) = full_twice(&world).await;
    assert_eq!(
        (first.summary.drift.unmanaged, second.summary.drift.unmanaged),
        (2, 2)
    );
    assert_eq!((world.workspace.users(), world.workspace.groups()), held);
    let mut names = Vec::new();
    let noted = world.job.snapshot.each_stranger(|_, _, stranger| {
        names.extend(stranger.name);
        Ok(())
    });
    noted.unwrap();
    assert_eq!(names, ["local@idmelon.example", "Local"]);
}

#[tokio::test]
async fn resources_whose_source_object_is_gone_and_that_stay_are_orphaned() {
    let mut world = synced().await;
    world.job.policy.on_soft_delete = OnRemoval::Keep;
    world.job.policy.groups.on_delete = GroupRemoval::Keep;
    let (users, groups) = (world.tenant.user_ids(), world.tenant.group_ids());
    world.tenant.soft_delete_user(&users[3]);
    world.tenant.soft_delete_group(&groups[2]);
    world.cycle_twice().await;
    let (first, second) = full_twice(&world).await;
    assert_eq!(
        (first.summary.drift.orphaned, second.summary.drift.orphaned),
        (2, 2),
        "{}",
        first.story()
    );
    // The default disables: then it is as the policy wants it.
    world.job.policy.on_soft_delete = OnRemoval::Disable;
    let (disabled, after) = full_twice(&world).await;
    assert_eq!(disabled.count(Verb::DisableUser), 1);
    assert_eq!(after.summary.drift.orphaned, 1, "the group");
}

#[tokio::test]
async fn each_linked_resource_is_read_again_within_the_window_and_quiet_cycles_stay_quiet() {
    let mut world = synced().await;
    heals(&mut world);
    let minutes = |minutes: u64| Duration::from_secs(minutes * 60);
    let users = world.tenant.user_ids();
    world.expect_quiet().await;
    edit(&world, &users[7], json!({"title": "Pirate"}));
    let linked = world.workspace.user_count() + world.workspace.group_count();
    let (mut read, mut quiet, mut healed) = (BTreeSet::new(), 0, 0);
    for _ in 0..24 * 4 {
        world.clock.advance(minutes(15));
        world.workspace.clear_requests();
        let ran = world.cycle().await;
        ran.expect(Outcome::Converged);
        healed += ran.summary.drift.modified;
        let asked = world.workspace.requests();
        quiet += usize::from(asked.is_empty());
        let single = |path: &str| path.contains("/Users/") || path.contains("/Groups/");
        let gets: BTreeSet<_> = asked
            .iter()
            .filter(|one| one.method == "GET" && single(&one.path))
            .collect::<Vec<_>>()
            .into_iter()
            .map(|one| one.path.clone())
            .collect();
        assert!(gets.len() <= 3, "a few at a time: {gets:?}");
        read.extend(gets);
    }
    assert_eq!(read.len(), linked, "each was read");
    assert!(
        quiet >= 36,
        "nothing is due in the first half of the window but one question an hour: {quiet}"
    );
    assert_eq!(healed, 1);
    world.assert_equal();
    // Everything was just read at once: nothing is due.
    full(&world).await.expect(Outcome::Converged);
    world.clock.advance(minutes(11 * 60));
    world.workspace.clear_requests();
    world.cycle().await.expect(Outcome::Converged);
    assert_eq!(world.workspace.request_count(), 1, "whether it still lets us in");
    world.expect_quiet().await;
}

#[tokio::test]
async fn a_resource_found_missing_by_the_sweep_is_created_again_where_that_is_healed() {
    let mut world = synced().await;
    heals(&mut world);
    world.expect_quiet().await;
    world
        .workspace
        .remove_user(&target_id(&world.resource(&world.tenant.user_ids()[7])));
    world.clock.advance(Duration::from_secs(24 * 3600));
    let ran = world.cycle().await;
    ran.expect(Outcome::Converged);
    assert_eq!(
        (ran.summary.drift.missing, ran.count(Verb::CreateUser)),
        (1, 1),
        "{}",
        ran.story()
    );
    world.assert_equal();
    world.expect_quiet().await;
}

#[tokio::test]
async fn a_resource_created_again_without_an_answer_is_not_missed_a_second_time() {
    let mut world = synced().await;
    heals(&mut world);
    world.expect_quiet().await;
    let user = world.tenant.user_ids()[7].clone();
    world.workspace.remove_user(&target_id(&world.resource(&user)));
    world.clock.advance(Duration::from_secs(24 * 3600));
    // The fault does not end: it is tried again for the whole budget.
    world.retry.budget = Duration::from_millis(50);
    world.request_timeout = Duration::from_millis(500);
    world.restart();
    world
        .workspace
        .update_faults(|faults| faults.drop_after = Fault::always().only("POST"));
    let ran = world.cycle().await;
    assert_eq!(ran.summary.drift.missing, 1, "{}", ran.story());
    assert_eq!(
        world.workspace.users_by_external_id(&user).len(),
        1,
        "it was carried out"
    );
    world
        .workspace
        .update_faults(|faults| faults.drop_after = Fault::never());
    world.clock.advance(world.request_timeout);
    let ran = world.cycle().await;
    ran.expect(Outcome::Converged);
    assert_eq!(ran.summary.drift.missing, 0, "{}", ran.story());
    world.assert_equal();
    world.expect_quiet().await;
}

#[tokio::test]
async fn a_resource_that_cannot_be_read_again_fails_nobody() {
    let world = synced().await;
    world.expect_quiet().await;
    world.clock.advance(Duration::from_secs(24 * 3600));
    world
        .workspace
        .update_faults(|faults| faults.forbidden = Fault::times(3).only("GET"));
    world.cycle().await.expect(Outcome::Converged);
    world.expect_quiet().await;
}

#[tokio::test]
async fn values_of_ours_that_somebody_else_wrote_tell_of_another_writer() {
    let world = synced().await;
    let users = world.tenant.user_ids();
    for user in &users[3..5] {
        world.tenant.set_user(user, json!({"jobTitle": "Captain"}));
        edit(&world, user, json!({"title": "Captain"}));
    }
    let first = full(&world).await;
    first.expect(Outcome::Converged);
    let found = another_writer::another_writer(&world.job.snapshot)
        .unwrap()
        .unwrap();
    assert_eq!((found.values, found.restored), (2, false));
    assert!(
        first
            .findings
            .iter()
            .any(|text| text.contains("another writer: 2 values")),
        "{:?}",
        first.findings
    );
    assert!(first.operations.is_empty(), "there is nothing left to write");
    let second = full(&world).await;
    assert!(
        !second.findings.iter().any(|text| text.contains("another writer")),
        "{:?}",
        second.findings
    );
    assert_eq!(another_writer::another_writer(&world.job.snapshot).unwrap(), None);
    world.expect_quiet().await;
}

#[tokio::test]
async fn what_we_sent_ourselves_is_no_other_writer() {
    let mut world = synced().await;
    // The fault does not end: it is tried again for the whole budget.
    world.retry.budget = Duration::from_millis(50);
    world.restart();
    let user = world.tenant.user_ids()[3].clone();
    // Carried out, and the answer was lost.
    world.tenant.set_user(&user, json!({"jobTitle": "Captain"}));
    world
        .workspace
        .update_faults(|faults| faults.server_error_after = Fault::always());
    let failed = world.cycle().await;
    assert_eq!(failed.summary.failed.len(), 1, "{}", failed.story());
    assert_eq!(world.resource(&user)["title"], "Captain");
    world
        .workspace
        .update_faults(|faults| faults.server_error_after = Fault::never());
    let ran = full(&world).await;
    ran.expect(Outcome::Converged);
    assert!(
        !ran.findings.iter().any(|text| text.contains("another writer")),
        "{:?}",
        ran.findings
    );
}

#[tokio::test]
async fn a_write_that_was_never_recorded_accuses_nobody_and_a_restored_snapshot_says_what_it_may_be() {
    let world = synced().await;
    let user = world.tenant.user_ids()[3].clone();
    let write_twice = |title: &str| {
        world.tenant.set_user(&user, json!({"jobTitle": title}));
        edit(&world, &user, json!({"title": title}));
    };
    fn note<T>(world: &World, key: &StateKey<T>, value: &T) {
        let mut tx = world.job.snapshot.tx().unwrap();
        tx.put_state(key, value);
        tx.commit(Durability::Lazy).unwrap();
    }
    write_twice("Captain");
    let open = OpenWrite {
        kind: ObjectKind::User,
        id: user.parse().unwrap(),
        paths: vec!["title".to_owned()],
        members: false,
        adopts: None,
        put_in: BTreeSet::new(),
        at: Timestamp(0),
        earlier: false,
        answered: false,
    };
    note(&world, &OPEN_WRITES, &vec![open]);
    let looked = world.run(Extent::Drift { heal: false }, false, None).await;
    assert!(!looked.findings.iter().any(|text| text.contains("another writer")));
    let ran = full(&world).await;
    assert!(
        !ran.findings.iter().any(|text| text.contains("another writer")),
        "{:?}",
        ran.findings
    );
    write_twice("Admiral");
    note(&world, &RESTORED, &"before".to_owned());
    let ran = full(&world).await;
    assert!(
        ran.findings
            .iter()
            .any(|text| text.contains("another writer") && text.contains("restored")),
        "{:?}",
        ran.findings
    );
}

#[tokio::test]
async fn drift_alone_can_be_looked_for_and_put_right_whatever_the_policy() {
    let world = with_loner().await;
    let users = world.tenant.user_ids();
    disturb(&world);
    world.tenant.set_user(&users[9], json!({"jobTitle": "Waits"}));
    world.workspace.clear_requests();
    let looked = world.run(Extent::Drift { heal: false }, false, None).await;
    looked.expect(Outcome::Planned);
    assert_eq!(looked.summary.drift, counts(1, 1, 2), "{}", looked.story());
    assert!(looked.operations.is_empty() && world.workspace.writes() == 0);
    let healed = world.run(Extent::Drift { heal: true }, true, None).await;
    healed.expect(Outcome::Converged);
    assert_ne!(
        world.resource(&users[9])["title"],
        "Waits",
        "the source's own changes are for a sync"
    );
    assert!(world.job.snapshot.drift_counts().unwrap().is_none());
    let again = world.run(Extent::Drift { heal: true }, true, None).await;
    again.expect(Outcome::Converged);
    assert!(again.operations.is_empty(), "{:#?}", again.operations);
    world.cycle_twice().await;
    world.assert_equal();
}

#[tokio::test]
async fn a_job_that_observes_reports_drift_and_writes_nothing() {
    let mut world = with_loner().await;
    heals(&mut world);
    disturb(&world);
    world.job.enforce = false;
    world.workspace.clear_requests();
    for extent in [Extent::Full, Extent::Drift { heal: true }, Extent::Full] {
        let ran = world.run(extent, true, None).await;
        ran.expect(Outcome::Planned);
        assert_eq!(ran.summary.drift, counts(1, 1, 2));
    }
    assert_eq!(world.workspace.writes(), 0);
}

#[tokio::test]
async fn a_listing_without_members_is_no_drift() {
    let mut world = synced().await;
    heals(&mut world);
    let group = world.tenant.group_ids()[2].clone();
    world.workspace.edit_group(
        &target_id(&world.group_resource(&group)),
        json!({"members": null}),
    );
    world.workspace.clear_requests();
    let ran = full(&world).await;
    ran.expect(Outcome::Converged);
    let asked = world.workspace.requests();
    let path = format!("/Groups/{}", target_id(&world.group_resource(&group)));
    let first = asked.iter().find(|one| one.path.ends_with(&path)).unwrap();
    assert_eq!(first.method, "GET", "read by itself before it is believed");
    assert_eq!(ran.summary.drift.membership, 1);
    world.assert_equal();
    full_twice(&world).await;
}

#[tokio::test]
async fn members_who_are_gone_themselves_are_asked_for_and_not_put_back() {
    let mut world = synced().await;
    world.job.policy.drift.membership = Some(Drift::Heal);
    let groups = world.tenant.group_ids();
    let member = groups
        .iter()
        .find_map(|group| member_ids(&world, group).into_iter().next())
        .unwrap();
    world.workspace.remove_user(&member);
    // The users' listing stops short; the groups' is whole.
    world.workspace.update_options(|options| options.paging = false);
    world.workspace.clear_requests();
    for _ in 0..2 {
        let ran = full(&world).await;
        ran.expect(Outcome::Converged);
        assert_eq!(ran.summary.drift, counts(0, 0, 1), "{}", ran.story());
    }
    assert_eq!(world.workspace.writes(), 0);
}
