//! The why is true: an operation names the fact that caused it, and none that did not.

use std::sync::Arc;
use std::time::Duration;

use melonsync::engine::explain::explain;
use melonsync::engine::job::Extent;
use melonsync::engine::job::NoWatcher;
use melonsync::engine::job::Order;
use melonsync::engine::linking;
use melonsync::engine::summary::Outcome;
use melonsync::mapping::Drift;
use melonsync::mapping::Filter;
use melonsync::mapping::Mapping;
use melonsync::model::clock::Clock;
use melonsync::model::id::CycleId;
use melonsync::model::id::ObjectKind;
use melonsync::model::id::SourceId;
use melonsync::model::id::TargetId;
use melonsync::ports::Durability;
use melonsync::reconcile::operation::Operation;
use melonsync::reconcile::operation::Verb;
use melonsync::reconcile::policy::OnRemoval;
use melonsync::reconcile::scope::ScopeRules;
use melonsync::snapshot::kept_back::Pause;
use serde_json::Value;
use serde_json::json;
use tokio_util::sync::CancellationToken;

use super::synced;
use crate::support::world::Ran;
use crate::support::world::World;

/// The one operation of a verb on an object: its code and its words.
#[track_caller]
fn why(ran: &Ran, verb: Verb, id: &str) -> (&'static str, String) {
    let of = |one: &&Operation| one.verb == verb && one.source.to_string() == id;
    let found: Vec<_> = ran.operations.iter().filter(of).collect();
    let [one] = found.as_slice() else {
        panic!("{} of {verb} for {id}: {}", found.len(), ran.story())
    };
    (one.because.label(), one.because.to_string())
}

fn source(id: &str) -> SourceId {
    id.parse().unwrap()
}

fn resource_id(world: &World, id: &str) -> String {
    world.resource(id)["id"].as_str().unwrap().to_owned()
}

fn scope(world: &mut World, filter: &str) {
    let rules = ScopeRules {
        user_filter: Some(Filter::parse(ObjectKind::User, filter).unwrap()),
        ..ScopeRules::default()
    };
    world.job.fingerprint = rules.canonical();
    world.job.scope = Arc::new(rules);
}

async fn explained(world: &World, object: &str) -> Value {
    let order = Order {
        id: CycleId(uuid::Uuid::now_v7()),
        extent: Extent::Explain,
        apply: false,
        allow_deletions: None,
        allow_creations: None,
        only: None,
        actor: "test".to_owned(),
        stop: CancellationToken::new(),
        watcher: Arc::new(NoWatcher),
    };
    explain(&world.job, &order, object).await.unwrap().to_json()
}

#[tokio::test]
async fn a_change_names_the_properties_that_moved_and_no_others() {
    let world = synced().await;
    let id = world.tenant.user_ids()[3].clone();
    world
        .tenant
        .set_user(&id, json!({"jobTitle": "Captain", "department": "Bridge"}));
    let ran = world.cycle_twice().await;
    let (code, words) = why(&ran, Verb::UpdateUser, &id);
    assert_eq!(
        (code, words.as_str()),
        ("source_changed", "department, jobTitle changed in Entra")
    );
    world.tenant.set_user(&id, json!({"jobTitle": "Admiral"}));
    let ran = world.cycle().await;
    assert_eq!(why(&ran, Verb::UpdateUser, &id).1, "jobTitle changed in Entra");
}

#[tokio::test]
async fn a_member_whose_resource_was_made_anew_is_no_leaver() {
    let mut world = synced().await;
    world.job.policy.drift.missing = Some(Drift::Heal);
    let group = world.tenant.group_ids()[0].clone();
    let member = world.tenant.user_members(&group)[0].clone();
    let leaver = world.tenant.user_members(&group)[1].clone();
    world.workspace.remove_user(&resource_id(&world, &member));
    world.tenant.remove_member(&group, &leaver);
    let ran = world.run(Extent::Full, true, None).await;
    ran.expect(Outcome::Converged);
    for operation in ran.operations.iter().filter(|one| one.verb == Verb::RemoveMember) {
        for gone in &operation.members {
            let left = gone.source == source(&leaver);
            let code = if left { "member_left" } else { "member_relinked" };
            assert_eq!(gone.because.label(), code, "{operation:?}");
            assert!(left || gone.because.to_string().contains("made anew"));
        }
    }
    world.assert_equal();
}

#[tokio::test]
async fn a_member_who_is_out_of_scope_or_deleted_did_not_leave_the_group() {
    let mut world = synced().await;
    let group = world.tenant.group_ids()[0].clone();
    let members = world.tenant.user_members(&group);
    let (out, deleted) = (members[0].clone(), members[1].clone());
    world.tenant.set_user(&out, json!({"department": "Elsewhere"}));
    world.tenant.soft_delete_user(&deleted);
    scope(
        &mut world,
        "department NOT EQUALS \"Elsewhere\" OR department IS NULL",
    );
    let ran = world.cycle().await;
    let removed = ran
        .operations
        .iter()
        .filter(|one| one.verb == Verb::RemoveMember && one.source == source(&group));
    let codes: Vec<(SourceId, &str)> = removed
        .flat_map(|one| &one.members)
        .map(|member| (member.source, member.because.label()))
        .collect();
    assert!(
        codes.contains(&(source(&out), "member_out_of_scope"))
            && codes.contains(&(source(&deleted), "member_deleted")),
        "{codes:?}"
    );
}

#[tokio::test]
async fn a_changed_mapping_is_no_change_of_the_source() {
    let mut world = synced().await;
    let rows = include_str!("../../../config/mappings/idmelon.toml").replacen(
        "\"[jobTitle]\"",
        "'Append([jobTitle], \"!\")'",
        1,
    );
    world.job.fingerprint = "m-s-p".to_owned();
    world.cycle().await.expect(Outcome::Converged);
    world.job.mapping = Arc::new(Mapping::from_toml("changed", &rows).unwrap());
    world.job.fingerprint = "n-s-p".to_owned();
    let titled = world.tenant.user_ids();
    let id = titled
        .iter()
        .find(|id| world.resource(id)["title"].is_string())
        .unwrap();
    for ran in [world.plan().await, world.cycle().await] {
        assert_eq!(
            why(&ran, Verb::UpdateUser, id),
            ("config_changed", "the mapping changed".to_owned())
        );
    }
}

#[tokio::test]
async fn a_resource_that_was_linked_by_hand_differs_for_that_reason() {
    let world = synced().await;
    let id = world.tenant.user_ids()[3].clone();
    let other = world
        .workspace
        .insert_user(json!({"userName": "elsewhere@corp.example", "displayName": "Old"}));
    world.workspace.remove_user(&resource_id(&world, &id));
    let mut tx = world.job.snapshot.tx().unwrap();
    let target = TargetId::new(&other);
    linking::relink(&mut tx, ObjectKind::User, &source(&id), target, world.clock.now()).unwrap();
    tx.commit(Durability::Synced).unwrap();
    let ran = world.cycle().await;
    assert_eq!(
        why(&ran, Verb::UpdateUser, &id).0,
        "linked_by_hand",
        "{}",
        ran.story()
    );
}

#[tokio::test]
async fn who_comes_back_into_the_scope_is_told_so() {
    let mut world = synced().await;
    world.job.policy.on_out_of_scope = OnRemoval::Keep;
    scope(
        &mut world,
        "department NOT EQUALS \"Elsewhere\" OR department IS NULL",
    );
    world.cycle().await;
    let id = world.tenant.user_ids()[3].clone();
    let report = world.tenant.user_ids()[4].clone();
    world.tenant.set_manager(&report, Some(&id));
    world.cycle().await.expect(Outcome::Converged);
    let department = world.tenant.user(&id).unwrap()["department"].clone();
    world
        .tenant
        .set_user(&id, json!({"department": "Elsewhere", "jobTitle": "Captain"}));
    let out = world.cycle().await;
    assert_eq!(
        why(&out, Verb::UpdateUser, &report),
        ("manager_out_of_scope", "the manager is out of scope".to_owned())
    );
    world.tenant.set_user(&id, json!({"department": department}));
    let back = world.cycle().await;
    let (code, words) = why(&back, Verb::UpdateUser, &id);
    assert!(
        code == "returned" && words.contains("in scope again"),
        "{code}: {words}"
    );
    assert_eq!(why(&back, Verb::UpdateUser, &report).0, "manager_linked");
}

#[tokio::test]
async fn who_is_restored_and_who_is_enabled_are_told_apart() {
    let world = synced().await;
    let (restored, enabled) = (
        world.tenant.user_ids()[3].clone(),
        world.tenant.user_ids()[4].clone(),
    );
    world.tenant.soft_delete_user(&restored);
    world.tenant.disable_user(&enabled);
    world.cycle().await.expect(Outcome::Converged);
    world.tenant.restore_user(&restored);
    world.tenant.enable_user(&enabled);
    let ran = world.cycle().await;
    assert_eq!(why(&ran, Verb::EnableUser, &restored).0, "restored");
    assert_eq!(why(&ran, Verb::EnableUser, &enabled).0, "account_enabled");
}

#[tokio::test]
async fn what_is_sent_beside_a_disable_has_its_own_reason() {
    let world = synced().await;
    let id = world.tenant.user_ids()[3].clone();
    world
        .tenant
        .set_user(&id, json!({"accountEnabled": false, "jobTitle": "Former"}));
    for ran in [world.plan().await, world.cycle().await] {
        assert_eq!(why(&ran, Verb::DisableUser, &id).0, "account_disabled");
        assert_eq!(why(&ran, Verb::UpdateUser, &id).1, "jobTitle changed in Entra");
    }
}

#[tokio::test]
async fn a_pause_is_told_only_where_something_is_due() {
    let world = synced().await;
    let mut tx = world.job.snapshot.tx().unwrap();
    tx.put_pause(Some(&Pause {
        removals_only: false,
        until: None,
        since: world.clock.now(),
        actor: "test".to_owned(),
        comment: None,
    }));
    tx.commit(Durability::Synced).unwrap();
    let (id, other) = (
        world.tenant.user_ids()[3].clone(),
        world.tenant.user_ids()[4].clone(),
    );
    let told = |findings: &[String]| findings.iter().any(|text| text.contains("paused"));
    for ran in [world.plan().await, world.cycle().await] {
        assert!(!told(&ran.findings), "{:?}", ran.findings);
    }
    world.tenant.disable_user(&id);
    let ran = world.cycle().await;
    assert!(told(&ran.findings), "{:?}", ran.findings);
    let withheld = ran
        .omissions
        .iter()
        .find(|(_, _, omission)| omission.label() == "withheld");
    assert!(withheld.unwrap().2.to_string().contains("paused"));
    assert!(
        explained(&world, &id).await["notes"]
            .to_string()
            .contains("paused")
    );
    let quiet = explained(&world, &other).await;
    assert!(!quiet["notes"].to_string().contains("paused"), "{quiet}");
}

#[tokio::test]
async fn an_external_id_that_azure_wrote_is_not_called_somebody_elses() {
    let world = synced().await;
    let new = world
        .tenant
        .add_user(json!({"userPrincipalName": "nick@corp.example", "mailNickname": "nick"}));
    world
        .workspace
        .insert_user(json!({"userName": "nick@corp.example", "externalId": "nick"}));
    let ran = world.cycle().await;
    for (_, id, omission) in &ran.omissions {
        if *id == source(&new) {
            assert!(!omission.to_string().contains("somebody else"), "{omission}");
            assert!(
                omission.to_string().contains("`nick`") && omission.to_string().contains("mailNickname"),
                "{omission}"
            );
        }
    }
    let other = world.tenant.user_ids()[4].clone();
    let taken = world
        .tenant
        .add_user(json!({"userPrincipalName": "taken@corp.example"}));
    world
        .workspace
        .insert_user(json!({"userName": "taken@corp.example", "externalId": other}));
    let ran = world.cycle().await;
    let said = ran
        .omissions
        .iter()
        .find(|(_, id, _)| *id == source(&taken))
        .map(|(_, _, omission)| omission.to_string());
    assert!(
        said.as_ref()
            .is_some_and(|said| said.contains("another object") && said.contains(&other)),
        "{said:?}"
    );
}

#[tokio::test]
async fn escrow_is_named_by_plan_explain_and_summary_and_is_no_announced_create() {
    let world = synced().await;
    let bad = world
        .tenant
        .add_user(json!({"userPrincipalName": "bad@corp.example"}));
    world
        .workspace
        .update_faults(|faults| faults.refuse_user_names = vec!["bad@corp.example".to_owned()]);
    let ran = world.cycle().await;
    ran.expect(Outcome::Partial);
    let entry = &ran.summary.escrowed[0];
    assert_eq!(
        (
            entry.object.as_str(),
            entry.name.as_str(),
            entry.operation.as_str()
        ),
        (bad.as_str(), "bad@corp.example", "create_user")
    );
    assert_eq!(ran.summary.failed[0].name, "bad@corp.example");
    for ran in [world.plan().await, world.cycle().await] {
        assert_eq!((ran.count(Verb::CreateUser), ran.summary.escrowed.len()), (0, 1));
        assert_eq!(ran.omitted("in_escrow"), 1);
    }
    let shown = explained(&world, "bad@corp.example").await;
    assert_eq!(shown["plan"], json!([]), "{shown}");
    assert_eq!(shown["omitted"][0]["reason"], "in_escrow", "{shown}");
    let because = shown["omitted"][0]["because"].as_str().unwrap();
    assert!(
        because.contains("create_user failed") && because.contains("400"),
        "{because}"
    );

    // It changes: then it is tried, and announced.
    world.tenant.set_user(&bad, json!({"jobTitle": "Better"}));
    let shown = explained(&world, &bad).await;
    assert_eq!(shown["plan"][0]["operation"], "create_user", "{shown}");
    world.clock.advance(Duration::from_secs(1));
}

#[tokio::test]
async fn an_object_that_is_unlinked_and_adopted_again_leaves_no_group() {
    let world = synced().await;
    let group = world.tenant.group_ids()[0].clone();
    let member = world.tenant.user_members(&group)[0].clone();
    let mut tx = world.job.snapshot.tx().unwrap();
    linking::relink(
        &mut tx,
        ObjectKind::User,
        &source(&member),
        None,
        world.clock.now(),
    )
    .unwrap();
    tx.commit(Durability::Synced).unwrap();
    for ran in [world.plan().await, world.cycle().await] {
        let counts = [Verb::LinkUser, Verb::RemoveMember, Verb::AddMember].map(|verb| ran.count(verb));
        assert_eq!(counts, [1, 0, 0], "{}", ran.story());
    }
    world.assert_equal();
}

#[tokio::test]
async fn a_resource_made_anew_takes_the_place_of_the_old_one_in_plan_and_sync_alike() {
    let mut world = synced().await;
    world.job.policy.drift.missing = Some(Drift::Heal);
    let group = world.tenant.group_ids()[0].clone();
    let member = world.tenant.user_members(&group)[0].clone();
    world.workspace.remove_user(&resource_id(&world, &member));
    let plan = world.run(Extent::Full, false, None).await;
    let sync = world.run(Extent::Full, true, None).await;
    for verb in [Verb::CreateUser, Verb::RemoveMember, Verb::AddMember] {
        assert_eq!(plan.count(verb), sync.count(verb), "{verb}: {}", plan.story());
    }
    world.assert_equal();
}
