//! Creates that are answered 2xx and lack something: what is not there is sent again at once, and nobody goes without.

use std::time::Duration;

use melonsync::engine::summary::Outcome;
use melonsync::model::dialect::PinnedDialect;
use melonsync::reconcile::operation::Verb;
use melonsync::sandbox::Fault;
use melonsync::sandbox::Oddities;
use melonsync::sandbox::Tenant;
use serde_json::json;

use crate::support::world::World;

fn paths(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

/// Six users, nobody synced yet, at a target with these ways.
async fn at(odd: impl FnOnce(&mut Oddities)) -> (World, Vec<String>) {
    let world = World::new(Tenant::empty()).await;
    world.workspace.update_faults(|faults| odd(&mut faults.odd));
    let user = |n: usize| {
        let user = json!({"userPrincipalName": format!("user{n}@corp.example"), "displayName": format!("User {n}"),
            "jobTitle": "Engineer", "givenName": "Given", "surname": "Family", "mobilePhone": "+49 1",
            "city": "London"});
        world.tenant.add_user(user)
    };
    let users = (0..6).map(user).collect();
    (world, users)
}

fn add_group(world: &World, name: &str, members: &[String]) -> String {
    let group = world.tenant.add_group(json!({"displayName": name}));
    members
        .iter()
        .for_each(|member| world.tenant.add_member(&group, member));
    group
}

/// How many requests of a method went to groups.
fn of_groups(world: &World, method: &str) -> usize {
    let requests = world.workspace.requests();
    let of = requests
        .iter()
        .filter(|request| request.method == method && request.path.contains("/Groups"));
    of.count()
}

#[tokio::test]
async fn members_that_a_create_does_not_bring_follow_in_the_same_cycle_and_it_is_learned() {
    let (world, users) = at(|odd| odd.left_out_of_creates = paths(&["members"])).await;
    let mut findings = Vec::new();
    for n in 0..5 {
        add_group(&world, &format!("Group {n}"), &users[n % 2..]);
        let ran = world.cycle_twice().await;
        assert_eq!(ran.count(Verb::AddMember), 6 - n as u64 % 2, "{}", ran.story());
        world.assert_equal();
        findings.extend(ran.findings);
    }
    let said = findings
        .iter()
        .filter(|text| text.contains("members_in_create = \"false\""));
    assert_eq!(said.count(), 1, "{findings:#?}");
    // From then on: one create, and one change.
    add_group(&world, "Last", &users);
    world.workspace.clear_requests();
    world.cycle().await.expect(Outcome::Converged);
    assert_eq!((of_groups(&world, "POST"), of_groups(&world, "PATCH")), (1, 1));
    world.assert_equal();
    world.expect_quiet().await;
}

#[tokio::test]
async fn many_groups_of_one_batch_get_their_members() {
    let (world, users) = at(|odd| odd.left_out_of_creates = paths(&["members"])).await;
    for n in 0..12 {
        add_group(&world, &format!("Group {n}"), &users[n % 5..]);
    }
    world.cycle_twice().await;
    world.assert_equal();
}

#[tokio::test]
async fn where_the_configuration_says_so_groups_are_created_empty_from_the_first() {
    let (mut world, users) = at(|odd| odd.left_out_of_creates = paths(&["members"])).await;
    world.dialect = PinnedDialect {
        members_in_create: Some(false),
        ..PinnedDialect::default()
    };
    world.restart();
    add_group(&world, "Group", &users);
    world.cycle_twice().await;
    world.assert_equal();
}

#[tokio::test]
async fn attributes_that_a_create_does_not_bring_follow_in_the_same_cycle() {
    for left_out in [&["title"][..], &["name", "phoneNumbers", "title"]] {
        let (world, _) = at(|odd| odd.left_out_of_creates = paths(left_out)).await;
        world.cycle_twice().await;
        world.assert_equal();
    }
}

#[tokio::test]
async fn a_member_that_the_change_after_a_create_refuses_waits_alone() {
    let (world, users) = at(|odd| {
        odd.left_out_of_creates = paths(&["members"]);
        odd.refused_members = paths(&["user2@corp.example"]);
    })
    .await;
    let group = add_group(&world, "Group", &users);
    let ran = world.cycle().await;
    ran.expect(Outcome::Partial);
    let held = world.group_resource(&group);
    assert_eq!(
        held["members"].as_array().map(Vec::len),
        Some(5),
        "{}",
        ran.story()
    );
    assert_eq!(ran.summary.escrow, 1);
}

/// The change that follows the create was carried out, and nobody knows: what the group holds is read before anything is planned.
#[tokio::test]
async fn members_that_follow_a_create_without_an_answer_are_as_the_source_has_them() {
    let (mut world, users) = at(|odd| odd.left_out_of_creates = paths(&["members"])).await;
    world.retry.budget = Duration::from_millis(40);
    world.restart();
    let group = add_group(&world, "Group", &users);
    let drops = |world: &World, fault: Fault| {
        world
            .workspace
            .update_faults(|faults| faults.drop_after = fault.clone());
    };
    drops(&world, Fault::always().only("PATCH"));
    world.cycle().await;
    drops(&world, Fault::default());
    world.clock.advance(world.request_timeout);
    world.tenant.remove_member(&group, &users[2]);
    world.cycle().await.expect(Outcome::Converged);
    world.assert_equal();
    world.expect_quiet().await;
}

#[tokio::test]
async fn an_answer_that_is_short_or_empty_is_no_proof() {
    for (name, switch) in [
        (
            "short",
            (|odd| odd.create_answered_short = true) as fn(&mut Oddities),
        ),
        ("empty", |odd| odd.create_without_body = true),
        ("members are not shown", |odd| {
            odd.create_answered_short = true;
            odd.members_omitted = true;
        }),
    ] {
        let (world, users) = at(switch).await;
        add_group(&world, "Group", &users);
        world.cycle_twice().await;
        world.assert_equal();
        let patches = world.workspace.requests();
        let patches = patches
            .iter()
            .filter(|one| one.method == "PATCH" && one.path.contains("/Users"));
        assert_eq!(patches.count(), 0, "{name}");
    }
}
