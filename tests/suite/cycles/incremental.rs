//! Incremental cycles: each kind of change by itself, all at once, and many at random.

use melonsync::engine::summary::Outcome;
use melonsync::reconcile::operation::Verb;
use melonsync::reconcile::policy::GroupRemoval;
use melonsync::reconcile::policy::Threshold;
use melonsync::sandbox::SampleOptions;
use melonsync::sandbox::Tenant;
use serde_json::json;

use crate::support::world::World;

/// A tenant of 40 users and 5 groups without oddities, already at the target.
pub async fn synced() -> World {
    let tenant = Tenant::sample_with(SampleOptions {
        users: 40,
        groups: 5,
        plain: true,
        ..SampleOptions::default()
    });
    let mut world = World::new(tenant).await;
    world.job.policy.deletion_threshold = Threshold::count(1000);
    world.job.policy.groups.deletion_threshold = Threshold::count(1000);
    world.cycle().await.expect(Outcome::Converged);
    world.assert_equal();
    world
}

/// Something that happens at the source: the tenant, its first users and groups.
pub type Change = fn(&Tenant, &[String], &[String]);

/// Name, what happens at the source, and how many writes the target may get for it.
pub const CHANGES: &[(&str, Change, usize)] = &[
    (
        "a user is renamed",
        |tenant, users, _| {
            let names = json!({"userPrincipalName": "new.name@corp.example", "mail": "new.name@corp.example",
                "displayName": "New Name", "surname": "Name"});
            tenant.set_user(&users[3], names);
        },
        1,
    ),
    (
        "attributes are cleared",
        |tenant, users, _| {
            let nothing = json!({"jobTitle": null, "mobilePhone": null, "department": null, "city": null,
                "onPremisesImmutableId": null, "businessPhones": [], "mail": null, "givenName": null});
            tenant.set_user(&users[4], nothing);
        },
        1,
    ),
    (
        "attributes are set again",
        |tenant, users, _| {
            let values = json!({"jobTitle": "Pilot", "mobilePhone": "+49 1", "department": "Łódź", "city": "Łódź",
                "onPremisesImmutableId": "AAAA", "businessPhones": ["+49 2"], "mail": "four@corp.example"});
            tenant.set_user(&users[4], values);
        },
        1,
    ),
    (
        "only the case of a name changes",
        |tenant, users, _| {
            let name = tenant.user(&users[5]).unwrap()["userPrincipalName"]
                .as_str()
                .unwrap()
                .to_uppercase();
            tenant.set_user(&users[5], json!({"userPrincipalName": name}));
        },
        1,
    ),
    (
        "a manager is set",
        |tenant, users, _| tenant.set_manager(&users[0], Some(&users[1])),
        1,
    ),
    (
        "a manager changes",
        |tenant, users, _| tenant.set_manager(&users[11], Some(&users[2])),
        1,
    ),
    (
        "a manager is cleared",
        |tenant, users, _| tenant.set_manager(&users[12], None),
        1,
    ),
    (
        "a member joins",
        |tenant, users, groups| tenant.add_member(&groups[0], &users[39]),
        1,
    ),
    (
        "a member leaves",
        |tenant, users, groups| tenant.remove_member(&groups[0], &users[2]),
        1,
    ),
    (
        "members join and leave",
        |tenant, users, groups| {
            tenant.remove_member(&groups[1], &users[9]);
            tenant.add_member(&groups[1], &users[30]);
            tenant.add_member(&groups[1], &users[31]);
        },
        2,
    ),
    (
        "an account is disabled",
        |tenant, users, _| tenant.disable_user(&users[20]),
        1,
    ),
    (
        "an account is enabled",
        |tenant, users, _| tenant.enable_user(&users[20]),
        1,
    ),
    (
        "a manager is soft-deleted",
        |tenant, users, _| tenant.soft_delete_user(&users[10]),
        12,
    ),
    (
        "it is restored",
        |tenant, users, _| tenant.restore_user(&users[10]),
        12,
    ),
    (
        "a member is hard-deleted",
        |tenant, users, _| tenant.hard_delete_user(&users[21]),
        2,
    ),
    (
        "a user comes with a manager that comes too, and joins a group that comes too",
        |tenant, _, _| {
            let boss =
                tenant.add_user(json!({"userPrincipalName": "boss@corp.example", "displayName": "Boss"}));
            let clerk = tenant.add_user(json!({"userPrincipalName": "clerk@corp.example"}));
            tenant.set_manager(&clerk, Some(&boss));
            let group = tenant.add_group(json!({"displayName": "Newcomers", "description": "All new"}));
            tenant.add_member(&group, &clerk);
            tenant.add_member(&group, &boss);
        },
        3,
    ),
    (
        "a group is renamed",
        |tenant, _, groups| tenant.set_group(&groups[0], json!({"displayName": "Other"})),
        1,
    ),
    (
        "a group's description is cleared",
        |tenant, _, groups| tenant.set_group(&groups[1], json!({"description": null})),
        1,
    ),
    (
        "a group is deleted",
        |tenant, _, groups| tenant.soft_delete_group(&groups[2]),
        1,
    ),
    (
        "it is restored with its members",
        |tenant, _, groups| tenant.restore_group(&groups[2]),
        1,
    ),
    (
        "a group is deleted for good",
        |tenant, _, groups| tenant.hard_delete_group(&groups[3]),
        1,
    ),
    (
        "a device and a group become members",
        |tenant, _, groups| {
            let device = tenant.add_device();
            tenant.add_member(&groups[4], &device);
            tenant.add_member(&groups[4], &groups[1]);
        },
        0,
    ),
];

#[tokio::test]
async fn each_kind_of_change_arrives_with_few_requests() {
    let world = synced().await;
    let (users, groups) = (world.tenant.user_ids(), world.tenant.group_ids());
    for (name, change, most) in CHANGES {
        change(&world.tenant, &users, &groups);
        world.workspace.clear_requests();
        let ran = world.cycle().await;
        assert!(
            ran.error.is_none() && ran.summary.outcome == Outcome::Converged,
            "{name}: {}",
            ran.story()
        );
        let writes = world.workspace.writes();
        assert!(
            writes <= *most,
            "{name}: {writes} writes: {:#?}",
            world.workspace.requests()
        );
        let found = crate::support::truth::differences(&world.tenant, &world.workspace, &world.allow);
        assert!(found.is_empty(), "{name}: {found:#?}");
        world.expect_quiet().await;
    }
}

#[tokio::test]
async fn all_changes_at_once_arrive_too() {
    let world = synced().await;
    let (users, groups) = (world.tenant.user_ids(), world.tenant.group_ids());
    for (_, change, _) in CHANGES {
        change(&world.tenant, &users, &groups);
    }
    world.cycle_twice().await;
    world.assert_equal();
}

#[tokio::test]
async fn many_random_changes_arrive_in_every_step() {
    for seed in 0..4 {
        let tenant = Tenant::sample_with(SampleOptions {
            users: 50,
            groups: 6,
            seed,
            ..SampleOptions::default()
        });
        let mut world = World::new(tenant).await;
        world.job.policy.deletion_threshold = Threshold::count(1000);
        world.job.policy.groups.deletion_threshold = Threshold::count(1000);
        world.job.policy.membership_removal_threshold = Threshold::count(1000);
        world.cycle_twice().await;
        for step in 0..6 {
            world.tenant.mutate(0.8, seed * 100 + step);
            let ran = world.cycle().await;
            assert!(
                ran.error.is_none() && ran.summary.outcome == Outcome::Converged,
                "seed {seed}, step {step}: {}",
                ran.story()
            );
            let found = crate::support::truth::differences(&world.tenant, &world.workspace, &world.allow);
            assert!(found.is_empty(), "seed {seed}, step {step}: {found:#?}");
            world.expect_quiet().await;
        }
    }
}

#[tokio::test]
async fn deleted_group_is_emptied_at_once_and_deleted_after_its_delay() {
    let mut world = synced().await;
    world.job.policy.groups.delete_after = std::time::Duration::from_secs(3600);
    world.job.policy.groups.on_delete = GroupRemoval::Delete;
    let group = world.tenant.group_ids()[0].clone();
    world.tenant.soft_delete_group(&group);
    let ran = world.cycle().await;
    assert!(ran.error.is_none(), "{}", ran.story());
    assert_eq!(ran.omitted("waits_for_delay"), 1);
    let members = world.group_resource(&group)["members"]
        .as_array()
        .map_or(0, Vec::len);
    assert_eq!(members, 0, "{}", ran.story());
    world.expect_no_write().await;
    world.clock.advance(std::time::Duration::from_secs(3601));
    let ran = world.cycle().await;
    assert_eq!(ran.count(Verb::DeleteGroup), 1, "{}", ran.story());
    world.assert_equal();
    world.expect_quiet().await;
}

#[tokio::test]
async fn restored_group_gets_its_members_back_before_its_delay_is_over() {
    let mut world = synced().await;
    world.job.policy.groups.delete_after = std::time::Duration::from_secs(3600);
    let group = world.tenant.group_ids()[0].clone();
    world.tenant.soft_delete_group(&group);
    world.cycle().await;
    world.tenant.restore_group(&group);
    let ran = world.cycle().await;
    ran.expect(Outcome::Converged);
    world.assert_equal();
    world.expect_quiet().await;
}

#[tokio::test]
async fn changes_between_the_pages_of_a_round_are_not_lost() {
    let world = synced().await;
    world.tenant.update_options(|options| options.users_per_page = 7);
    world.tenant.mutate_attributes(30);
    world.cycle().await.expect(Outcome::Converged);
    world.tenant.mutate_attributes(40);
    world.cycle_twice().await;
    world.assert_equal();
}
