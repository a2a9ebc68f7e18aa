//! A resource that has only a name in common with an object, which whoever makes the object can choose: nobody gains a right
//! by it, and nobody loses one, before a person decided.

use std::sync::Arc;
use std::time::Duration;

use melonsync::engine::linking;
use melonsync::engine::summary::Outcome;
use melonsync::mapping::Mapping;
use melonsync::mapping::filter::Filter;
use melonsync::model::clock::Clock;
use melonsync::model::id::ObjectKind;
use melonsync::model::id::TargetId;
use melonsync::ports::Durability;
use melonsync::reconcile::guard::Class;
use melonsync::reconcile::operation::Verb;
use melonsync::reconcile::policy::GroupRemoval;
use melonsync::reconcile::scope::ScopeRules;
use melonsync::sandbox::Tenant;
use melonsync::snapshot::history::Entry;
use melonsync::snapshot::read::Reads;
use serde_json::Value as Json;
use serde_json::json;

use super::kept_back::entries;
use super::kept_back::release;
use super::kept_back::source;
use crate::support::world::World;

/// What the attack is made of.
struct Attack {
    world: World,
    /// The employee, and the group that they made.
    mallory: String,
    group: String,
    /// The target's own group, and its administrator, whom nobody is linked to.
    admins: String,
    root: String,
}

async fn attack() -> Attack {
    let world = World::new(Tenant::empty()).await;
    let root = world
        .workspace
        .insert_user(json!({"userName": "root@idmelon.example"}));
    let admins = world
        .workspace
        .insert_group(json!({"displayName": "Administrators", "members": [{"value": root}]}));
    let mallory = world
        .tenant
        .add_user(json!({"userPrincipalName": "mallory@corp.example"}));
    let group = world.tenant.add_group(json!({"displayName": "Administrators"}));
    world.tenant.add_member(&group, &mallory);
    Attack {
        world,
        mallory,
        group,
        admins,
        root,
    }
}

/// Ids of the members of a group at the target.
fn members(world: &World, group: &str) -> Vec<Json> {
    let held = world.workspace.group(group).expect("the group is there");
    let members = held["members"].as_array().cloned().unwrap_or_default();
    members
        .into_iter()
        .map(|member| member["value"].clone())
        .collect()
}

impl Attack {
    fn members(&self) -> Vec<Json> {
        members(&self.world, &self.admins)
    }

    fn attacker(&self) -> Json {
        self.world.resource(&self.mallory)["id"].clone()
    }
}

#[tokio::test]
async fn group_that_anybody_can_make_takes_no_group_of_the_target_over() {
    let attack = attack().await;
    let (world, before) = (&attack.world, attack.world.workspace.group(&attack.admins));
    let plan = world.plan().await;
    assert_eq!(
        plan.summary.withheld.by_reason["adopt_group"],
        1,
        "{}",
        plan.story()
    );
    assert!(
        plan.story().contains(&attack.root),
        "the members are shown: {}",
        plan.story()
    );

    let ran = world.cycle().await;
    ran.expect(Outcome::Withheld);
    assert_eq!(
        ran.summary.withheld.by_reason["adopt_group"],
        1,
        "{}",
        ran.story()
    );
    assert_eq!((ran.count(Verb::CreateUser), ran.count(Verb::LinkGroup)), (1, 0));
    assert_eq!(
        ran.count(Verb::CreateGroup),
        0,
        "nor is there a second one of that name"
    );
    assert_eq!(world.workspace.group(&attack.admins), before);
    let kept = entries(world);
    let [(key, entry)] = kept.as_slice() else {
        panic!("{kept:?}")
    };
    let alike = entry.alike.as_ref().expect("what it would take over");
    assert_eq!(
        (key.2, alike.target.as_str()),
        (Class::Adoption, attack.admins.as_str())
    );
    assert_eq!((alike.count, alike.strangers), (1, 1));
    assert_eq!(alike.members[0].target.as_str(), attack.root);
    // However often, and in every kind of cycle.
    world.expect_no_write().await.expect(Outcome::Withheld);
    let full = world
        .run(melonsync::engine::job::Extent::Full, true, Some(1_000))
        .await;
    full.expect(Outcome::Withheld);
    assert_eq!(world.workspace.group(&attack.admins), before);
}

#[tokio::test]
async fn released_adoption_is_carried_out_once_and_leaves_who_was_there() {
    let attack = attack().await;
    let world = &attack.world;
    world.cycle().await.expect(Outcome::Withheld);
    release(world, |_| true);
    let ran = world.cycle().await;
    ran.expect(Outcome::Converged);
    assert_eq!((ran.count(Verb::LinkGroup), ran.count(Verb::AddMember)), (1, 1));
    assert_eq!(world.group_resource(&attack.group)["id"], attack.admins.as_str());
    let held = attack.members();
    assert!(
        held.contains(&attack.root.as_str().into()) && held.contains(&attack.attacker()),
        "{held:?}"
    );
    assert!(entries(world).is_empty());
    world.expect_quiet().await;
}

#[tokio::test]
async fn release_is_for_the_resource_that_was_looked_at() {
    let attack = attack().await;
    let world = &attack.world;
    world.cycle().await.expect(Outcome::Withheld);
    release(world, |_| true);
    // Before the next cycle another resource has that name.
    world
        .workspace
        .edit_group(&attack.admins, json!({"displayName": "Renamed"}));
    let other = world
        .workspace
        .insert_group(json!({"displayName": "Administrators"}));
    let before = world.workspace.group(&other);
    world.cycle().await.expect(Outcome::Withheld);
    assert_eq!(world.workspace.group(&other), before);
    let kept = entries(world);
    assert_eq!(
        kept[0].1.alike.as_ref().map(|alike| alike.target.as_str()),
        Some(other.as_str())
    );
    assert_eq!(kept[0].1.released_by, None, "it is to be decided anew");
    release(world, |_| true);
    world.cycle().await.expect(Outcome::Converged);
    assert_eq!(world.group_resource(&attack.group)["id"], other.as_str());
}

#[tokio::test]
async fn link_by_hand_is_the_other_way_in() {
    let attack = attack().await;
    let world = &attack.world;
    world.cycle().await.expect(Outcome::Withheld);
    let mut tx = world.job.snapshot.tx().unwrap();
    let (id, target) = (source(&attack.group), TargetId::new(&attack.admins));
    linking::relink(&mut tx, ObjectKind::Group, &id, target, world.clock.now()).unwrap();
    tx.commit(Durability::Synced).unwrap();
    world.cycle().await.expect(Outcome::Converged);
    assert!(entries(world).is_empty(), "nothing is withheld any more");
    assert!(attack.members().contains(&attack.attacker()));
    assert!(attack.members().contains(&attack.root.as_str().into()));
    world.expect_quiet().await;
}

const BY_DISPLAY_NAME: &str = r#"
[[user]]
target = "userName"
source = "[userPrincipalName]"
matching = 1
[[user]]
target = "displayName"
source = "[displayName]"
matching = 2
[[user]]
target = "active"
source = 'Switch([IsSoftDeleted], , "False", "True", "True", "False")'
[[user]]
target = "externalId"
source = "[objectId]"
"#;

#[tokio::test]
async fn user_matched_by_a_name_that_its_owner_chooses_waits_and_one_by_user_name_does_not() {
    let mut world = World::new(Tenant::empty()).await;
    world.map_by(Mapping::from_toml("test", BY_DISPLAY_NAME).unwrap());
    let insert = |name: &str, display: &str| {
        let body = json!({"userName": name, "displayName": display, "active": true});
        world.workspace.insert_user(body)
    };
    let (root, ada) = (insert("root", "Root"), insert("ada@corp.example", "Ada"));
    let user = |name: &str, display: &str, enabled: bool| {
        let body = json!({"userPrincipalName": name, "displayName": display, "accountEnabled": enabled});
        world.tenant.add_user(body)
    };
    // Disabled: were it adopted, root would be locked out.
    let guest = user("guest@corp.example", "Root", false);
    let named = user("ada@corp.example", "Someone", true);
    let before = world.workspace.user(&root);
    let ran = world.cycle().await;
    ran.expect(Outcome::Withheld);
    assert_eq!(ran.summary.withheld.by_reason["adopt_user"], 1, "{}", ran.story());
    assert_eq!(
        ran.summary.withheld.count, 1,
        "what follows the adoption is not counted by itself"
    );
    assert_eq!(world.workspace.user(&root), before);
    assert_eq!(world.resource(&named)["id"], ada.as_str());
    release(&world, |_| true);
    let ran = world.cycle().await;
    ran.expect(Outcome::Converged);
    assert_eq!(
        (ran.count(Verb::LinkUser), ran.count(Verb::DisableUser)),
        (1, 1),
        "{}",
        ran.story()
    );
    assert_eq!(world.resource(&guest)["active"], false);
    world.expect_quiet().await;
}

/// Adopted, after a person let it through; the employee is in it, and so is somebody of ours who was there before.
async fn adopted() -> (Attack, String) {
    let mut attack = attack().await;
    let world = &mut attack.world;
    let ada = world
        .tenant
        .add_user(json!({"userPrincipalName": "ada@corp.example"}));
    let held = json!({"userName": "ada@corp.example", "active": true});
    let there = world.workspace.insert_user(held);
    let members = json!({"members": [{"value": attack.root}, {"value": there}]});
    world.workspace.edit_group(&attack.admins, members);
    world.tenant.add_member(&attack.group, &ada);
    for n in 0..3 {
        world
            .tenant
            .add_group(json!({"displayName": format!("Other {n}")}));
    }
    world.cycle().await.expect(Outcome::Withheld);
    release(world, |_| true);
    world.cycle().await.expect(Outcome::Converged);
    (attack, there)
}

#[tokio::test]
async fn adopted_group_is_let_go_and_not_deleted() {
    for way in ["deleted", "deleted for good", "out of scope"] {
        let (mut attack, there) = adopted().await;
        let attacker = attack.attacker();
        assert!(attack.members().contains(&attacker));
        let world = &mut attack.world;
        match way {
            "deleted" => world.tenant.soft_delete_group(&attack.group),
            "deleted for good" => world.tenant.hard_delete_group(&attack.group),
            _ => {
                world.job.policy.groups.on_out_of_scope = GroupRemoval::Delete;
                let filter = r#"displayName NOT EQUALS "Administrators""#;
                let filter = Filter::parse(ObjectKind::Group, filter).unwrap();
                world.job.scope = Arc::new(ScopeRules {
                    group_filter: Some(filter),
                    ..ScopeRules::default()
                });
                world.job.fingerprint = "another".to_owned();
            }
        }
        let plan = world.plan().await;
        assert_eq!(
            (
                plan.count(Verb::RemoveMember),
                plan.count(Verb::UnlinkGroup),
                plan.count(Verb::DeleteGroup)
            ),
            (1, 1, 0),
            "{way}: {}",
            plan.story()
        );
        let ran = world.cycle().await;
        ran.expect(Outcome::Converged);
        assert_eq!(
            (
                ran.count(Verb::RemoveMember),
                ran.count(Verb::UnlinkGroup),
                ran.count(Verb::DeleteGroup)
            ),
            (1, 1, 0),
            "{way}: {}",
            ran.story()
        );
        let held = members(world, &attack.admins);
        let stay: Vec<Json> = vec![attack.root.as_str().into(), there.as_str().into()];
        assert_eq!(held, stay, "{way}: who was there before stays");
        let target = TargetId::new(&attack.admins).unwrap();
        let snapshot = &world.job.snapshot;
        assert_eq!(snapshot.owner(ObjectKind::Group, &target).unwrap(), None, "{way}");
        let told = snapshot.history(0, usize::MAX).unwrap();
        assert!(
            told.iter().any(|(entry, _)| entry.operation == "unlink_group"),
            "{way}: the end of the link is recorded"
        );
        world.expect_quiet().await;
    }
}

/// Nobody was linked to their resource when the group was adopted: what they have in it is not ours all the same.
#[tokio::test]
async fn who_was_in_an_adopted_group_and_is_adopted_later_stays_in_it() {
    let (mut attack, _) = adopted().await;
    let world = &mut attack.world;
    world.clock.advance(std::time::Duration::from_secs(60));
    let root = world
        .tenant
        .add_user(json!({"userPrincipalName": "root@idmelon.example"}));
    world.tenant.add_member(&attack.group, &root);
    world.cycle().await.expect(Outcome::Converged);
    assert_eq!(world.resource(&root)["id"], attack.root.as_str());
    world.tenant.soft_delete_group(&attack.group);
    let ran = world.cycle().await;
    ran.expect(Outcome::Converged);
    assert_eq!(ran.count(Verb::UnlinkGroup), 1, "{}", ran.story());
    let held = members(world, &attack.admins);
    assert!(held.contains(&attack.root.as_str().into()), "{held:?}");
}

#[tokio::test]
async fn group_adopted_by_its_own_id_loses_all_its_members_and_stays() {
    let world = World::new(Tenant::empty()).await;
    let (ada, group) = (
        world
            .tenant
            .add_user(json!({"userPrincipalName": "ada@corp.example"})),
        world.tenant.add_group(json!({"displayName": "Pilots"})),
    );
    world.tenant.add_group(json!({"displayName": "Other"}));
    world.tenant.add_member(&group, &ada);
    let held = json!({"userName": "ada@corp.example", "externalId": ada, "active": true});
    let there = world.workspace.insert_user(held);
    // As Azure's own provisioning left it.
    let pilots = world
        .workspace
        .insert_group(json!({"displayName": "Pilots", "externalId": group, "members": [{"value": there}]}));
    world.cycle_twice().await;
    world.tenant.hard_delete_group(&group);
    let ran = world.cycle().await;
    ran.expect(Outcome::Converged);
    assert_eq!(
        (ran.count(Verb::RemoveMember), ran.count(Verb::UnlinkGroup)),
        (1, 1),
        "{}",
        ran.story()
    );
    assert!(
        members(&world, &pilots).is_empty(),
        "it named the group: its members were ours"
    );
    world.expect_quiet().await;
}

#[tokio::test]
async fn last_group_is_let_go_where_nobody_leaves_it_and_waits_where_somebody_does() {
    for somebody in [false, true] {
        let attack = attack().await;
        let world = &attack.world;
        if !somebody {
            world.tenant.remove_member(&attack.group, &attack.mallory);
        }
        world.cycle().await.expect(Outcome::Withheld);
        release(world, |_| true);
        world.cycle().await.expect(Outcome::Converged);
        // The source holds no group any more.
        world.tenant.hard_delete_group(&attack.group);
        let ran = world.cycle().await;
        if somebody {
            // Access that is lost because the source looks empty needs a person; the link ends with the last of our members.
            ran.expect(Outcome::Withheld);
            assert_eq!(
                (ran.count(Verb::RemoveMember), ran.count(Verb::UnlinkGroup)),
                (0, 0)
            );
            assert!(attack.members().contains(&attack.attacker()));
            world.expect_no_write().await.expect(Outcome::Withheld);
            release(world, |_| true);
            let ran = world.cycle().await;
            ran.expect(Outcome::Converged);
            assert_eq!(
                (ran.count(Verb::RemoveMember), ran.count(Verb::UnlinkGroup)),
                (1, 1)
            );
        } else {
            // Nothing is taken from anybody: the end of a link is no removal.
            ran.expect(Outcome::Converged);
            assert_eq!(ran.count(Verb::UnlinkGroup), 1, "{}", ran.story());
        }
        assert_eq!(attack.members(), [Json::from(attack.root.as_str())]);
        world.expect_quiet().await;
    }
}

#[tokio::test]
async fn adopted_group_waits_for_the_delay_and_comes_back_with_its_members() {
    let (mut attack, there) = adopted().await;
    let attacker = attack.attacker();
    let world = &mut attack.world;
    world.job.policy.groups.delete_after = Duration::from_secs(86_400);
    world.tenant.soft_delete_group(&attack.group);
    let ran = world.cycle().await;
    assert!(ran.error.is_none(), "{}", ran.story());
    assert_eq!(
        (ran.count(Verb::RemoveMember), ran.count(Verb::UnlinkGroup)),
        (1, 0),
        "{}",
        ran.story()
    );
    world.tenant.restore_group(&attack.group);
    world.cycle().await.expect(Outcome::Converged);
    let held = members(world, &attack.admins);
    assert!(
        held.contains(&attacker) && held.contains(&there.as_str().into()),
        "{held:?}"
    );
    world.tenant.soft_delete_group(&attack.group);
    world.cycle().await;
    world.clock.advance(Duration::from_secs(2 * 86_400));
    let ran = world.cycle().await;
    ran.expect(Outcome::Converged);
    assert_eq!(ran.count(Verb::UnlinkGroup), 1, "{}", ran.story());
    assert_eq!(members(world, &attack.admins).len(), 2);
}

/// A service that takes a create for a change of what has that name already, but for signs and case.
async fn meeting() -> World {
    let world = World::new(Tenant::empty()).await;
    world
        .workspace
        .update_faults(|faults| faults.odd.create_meets = true);
    world
}

#[tokio::test]
async fn create_that_is_answered_with_a_group_that_was_there_waits_for_its_review() {
    let world = meeting().await;
    let root = world
        .workspace
        .insert_user(json!({"userName": "root@idmelon.example"}));
    let admins = world
        .workspace
        .insert_group(json!({"displayName": "Admin-istrators", "members": [{"value": root}]}));
    let group = world.tenant.add_group(json!({"displayName": "Administrators"}));
    let ran = world.cycle().await;
    ran.expect(Outcome::Withheld);
    assert_eq!(
        (ran.count(Verb::CreateGroup), ran.count(Verb::LinkGroup)),
        (0, 0),
        "{}",
        ran.story()
    );
    assert!(
        ran.findings.iter().any(|text| text.contains("was there before")),
        "{:?}",
        ran.findings
    );
    assert_eq!(ran.summary.withheld.by_reason["adopt_group"], 1);
    // It was written to, whatever becomes of the adoption: the history tells.
    let history = world.job.snapshot.history(0, usize::MAX).unwrap();
    let told = |operation: &str, result: &str| {
        let same = |(entry, _): &&(Entry, _)| entry.operation == operation && entry.result == result;
        history.iter().filter(same).count()
    };
    assert_eq!(
        (told("create_group", "failed"), told("create_group", "done")),
        (1, 0)
    );
    // The target gave it our externalId meanwhile: that says nothing.
    assert_eq!(world.group_resource(&group)["id"], admins.as_str());
    world.expect_no_write().await.expect(Outcome::Withheld);
    release(&world, |_| true);
    let ran = world.cycle().await;
    ran.expect(Outcome::Converged);
    assert_eq!((ran.count(Verb::CreateGroup), ran.count(Verb::LinkGroup)), (0, 1));
    world.tenant.add_group(json!({"displayName": "Other"}));
    world.cycle().await.expect(Outcome::Converged);
    world.tenant.hard_delete_group(&group);
    let ran = world.cycle().await;
    ran.expect(Outcome::Converged);
    assert_eq!(
        (ran.count(Verb::UnlinkGroup), ran.count(Verb::DeleteGroup)),
        (1, 0),
        "it was not made by us"
    );
    assert_eq!(members(&world, &admins), [Json::from(root.as_str())]);
}

#[tokio::test]
async fn create_that_is_answered_with_a_user_who_was_there_is_an_adoption_and_never_takes_a_colleague() {
    let world = meeting().await;
    let there = world
        .workspace
        .insert_user(json!({"userName": "a.da@corp.example", "active": true}));
    let ada = world
        .tenant
        .add_user(json!({"userPrincipalName": "ada@corp.example"}));
    let ran = world.cycle().await;
    ran.expect(Outcome::Converged);
    assert_eq!(
        (ran.count(Verb::CreateUser), ran.count(Verb::LinkUser)),
        (0, 1),
        "{}",
        ran.story()
    );
    assert!(
        ran.findings.iter().any(|text| text.contains("was there before")),
        "{:?}",
        ran.findings
    );
    assert_eq!(world.resource(&ada)["id"], there.as_str());
    // Another person, whom the service takes for her.
    let other = world
        .tenant
        .add_user(json!({"userPrincipalName": "a-da@corp.example"}));
    let ran = world.cycle().await;
    ran.expect(Outcome::Partial);
    assert_eq!(
        (ran.count(Verb::CreateUser), ran.count(Verb::LinkUser)),
        (0, 0),
        "{}",
        ran.story()
    );
    let failed = format!("{:?}", ran.summary.failed);
    assert!(
        failed.contains(&other) && failed.contains("is linked with"),
        "{failed}"
    );
    // As the hint says: another name, and her resource is hers again, to which the service gave what was sent.
    world
        .tenant
        .set_user(&other, json!({"userPrincipalName": "adam@corp.example"}));
    let hers = json!({"externalId": ada, "userName": "ada@corp.example"});
    assert!(world.workspace.edit_user(&there, hers));
    world.cycle().await.expect(Outcome::Converged);
    assert_ne!(world.resource(&other)["id"], there.as_str());
    world.expect_quiet().await;
}
