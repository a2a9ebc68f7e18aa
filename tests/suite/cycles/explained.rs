//! One object explained, end to end: what is shown, that it is what `plan` says, and that nothing of it stays; and what a
//! changed mapping or scope does to the next cycle.

use std::sync::Arc;

use melonsync::engine::error::CycleError;
use melonsync::engine::explain::ExplainError;
use melonsync::engine::explain::explain;
use melonsync::engine::job::Extent;
use melonsync::engine::summary::Outcome;
use melonsync::mapping::Filter;
use melonsync::mapping::Mapping;
use melonsync::model::id::ObjectKind;
use melonsync::ports::Table;
use melonsync::reconcile::explain::object::Explanation;
use melonsync::reconcile::operation::Verb;
use melonsync::reconcile::policy::Threshold;
use melonsync::reconcile::scope::ScopeRules;
use melonsync::snapshot::named::NotOne;
use melonsync::snapshot::read::Reads;
use serde_json::Value;
use serde_json::json;

use crate::support::announced::to_explain;
use crate::support::world::World;

/// Explains, and checks that neither side and nothing in the store but a listing's scratch tables was written.
async fn explained(world: &World, object: &str) -> Explanation {
    let kept = || {
        let mut contents = world.store.contents();
        contents.retain(|(table, _), _| !matches!(table, Table::Readings | Table::ReadingIndex));
        contents
    };
    let before = kept();
    world.workspace.clear_requests();
    let explained = explain(&world.job, &to_explain(), object).await.unwrap();
    assert_eq!(world.workspace.writes(), 0);
    assert!(kept() == before, "the store was written");
    explained
}

async fn synced() -> World {
    let world = World::sample(40, 4).await;
    world.cycle().await.expect(Outcome::Converged);
    world
}

fn attribute<'e>(json: &'e Value, path: &str) -> &'e Value {
    let all = json["attributes"].as_array().unwrap();
    all.iter().find(|one| one["attribute"] == path).unwrap()
}

/// An enabled user with a resource.
fn somebody(world: &World) -> String {
    let linked = |id: &&String| world.workspace.users_by_external_id(id).len() == 1;
    world.tenant.user_ids().iter().find(linked).unwrap().clone()
}

#[tokio::test]
async fn a_linked_user_is_explained_by_what_was_sent_what_is_wanted_and_what_is_there() {
    let world = synced().await;
    let id = somebody(&world);
    let resource = world.resource(&id)["id"].as_str().unwrap().to_owned();
    world.tenant.set_user(&id, json!({"jobTitle": "Captain"}));
    world
        .workspace
        .edit_user(&resource, json!({"displayName": "Changed at the target"}));
    let upn = world.tenant.user(&id).unwrap()["userPrincipalName"]
        .as_str()
        .unwrap()
        .to_uppercase();
    let shown = explained(&world, &upn).await;
    let json = shown.to_json();
    assert_eq!(
        json["source"]["asked"],
        "changed since it was last read: jobTitle; shown as it answers, and the next cycle goes by what the delta query brings"
    );
    assert_eq!(
        (&json["scope"]["standing"], &json["matching"]["state"]),
        (&json!("in"), &json!("linked"))
    );
    assert_eq!(json["matching"]["target"], resource);
    let title = attribute(&json, "title");
    assert_eq!(
        (&title["state"], &title["desired"]["value"]),
        (&json!("write"), &json!("Captain"))
    );
    assert_eq!(title["sent"], title["actual"]);
    let name = attribute(&json, "displayName");
    assert_eq!(
        (&name["state"], &name["actual"]),
        (&json!("drift"), &json!("Changed at the target"))
    );
    let formatted = attribute(&json, "name.formatted");
    assert_eq!(formatted["inputs"].as_array().unwrap().len(), 2);
    assert_eq!(json["history"][0]["operation"], "create_user");
    assert_eq!(shown.operations, world.plan().await.operations);
    assert!(
        shown
            .to_text(|_| None, true)
            .contains("! displayName  <- [displayName]")
    );
}

#[tokio::test]
async fn whoever_is_not_there_yet_leads_to_the_operation_that_plan_shows() {
    let world = World::sample(40, 4).await;
    let plan = world.plan().await;
    for id in world.tenant.user_ids().iter().take(12) {
        let shown = explained(&world, id).await;
        let planned: Vec<_> = plan
            .operations
            .iter()
            .filter(|operation| operation.source.to_string() == *id)
            .collect();
        assert_eq!(shown.operations.iter().collect::<Vec<_>>(), planned, "{id}");
        let omitted = plan
            .omissions
            .iter()
            .filter(|(_, object, _)| object.to_string() == *id);
        let omitted: Vec<String> = omitted
            .map(|(_, _, omission)| omission.label().to_owned())
            .collect();
        let labels: Vec<String> = shown.omissions.iter().map(|(label, ..)| label.clone()).collect();
        assert_eq!(labels, omitted, "{id}");
    }
}

#[tokio::test]
async fn a_user_who_came_since_the_last_read_is_found_by_its_id() {
    let world = synced().await;
    let new = json!({"userPrincipalName": "new@corp.example", "accountEnabled": true});
    let id = world.tenant.add_user(new);
    let shown = explained(&world, &id).await;
    assert_eq!(
        shown.operations.first().map(|operation| operation.verb),
        Some(Verb::CreateUser)
    );
    let nobody = explain(&world.job, &to_explain(), "nobody@corp.example").await;
    assert!(matches!(
        nobody,
        Err(ExplainError::NotOne(NotOne::Nothing { .. }))
    ));
}

#[tokio::test]
async fn several_of_one_name_are_all_named_and_none_is_taken() {
    let world = synced().await;
    let mut upns = Vec::new();
    for user in world.tenant.user_ids().iter().take(2) {
        world.tenant.set_user(user, json!({"displayName": "Alex Doe"}));
        let record = world
            .job
            .snapshot
            .record(ObjectKind::User, &user.parse().unwrap());
        upns.push(record.unwrap().unwrap().object.name());
    }
    world
        .run(Extent::Changes, true, None)
        .await
        .expect(Outcome::Converged);
    let wanted = Extent::Objects {
        users: vec!["alex doe".to_owned()],
        groups: Vec::new(),
    };
    let resynced = world.run(wanted, true, None).await.error.unwrap();
    let explained = explain(&world.job, &to_explain(), "alex doe").await.unwrap_err();
    assert!(matches!(resynced, CycleError::NotOne(NotOne::Several { .. })));
    assert!(matches!(explained, ExplainError::NotOne(NotOne::Several { .. })));
    for said in [resynced.to_string(), explained.to_string()] {
        assert!(said.starts_with("2 objects are called `alex doe`"), "{said}");
        assert!(upns.iter().all(|upn| said.contains(upn)), "{said}");
    }
}

#[tokio::test]
async fn the_clause_and_the_guards_word_are_named() {
    let mut world = synced().await;
    let filter = "department EQUALS \"Nowhere\" OR city IS NULL AND mail IS NOT NULL";
    world.job.scope = Arc::new(ScopeRules {
        user_filter: Some(Filter::parse(ObjectKind::User, filter).unwrap()),
        ..ScopeRules::default()
    });
    world.job.policy.deletion_threshold = Threshold::count(5);
    world.job.fingerprint = "another".to_owned();
    let id = somebody(&world);
    let shown = explained(&world, &id).await;
    let json = shown.to_json();
    assert_eq!(json["scope"]["standing"], "out");
    assert_eq!(json["scope"]["clauses"].as_array().unwrap().len(), 2);
    assert_eq!(
        json["scope"]["clauses"][0]["result"],
        "`department EQUALS \"Nowhere\"` does not hold"
    );
    assert_eq!(json["omitted"][0]["reason"], "withheld", "{json}");
    assert_eq!(shown.operations, []);
}

#[tokio::test]
async fn what_is_redacted_is_nowhere_in_it() {
    let mut world = synced().await;
    let rows = include_str!("../../../config/mappings/idmelon.toml")
        .replace("\"[jobTitle]\"", "'Redact(Append([jobTitle], \"-suffix\"))'");
    world.map_by(Mapping::from_toml("redacted", &rows).unwrap());
    let id = somebody(&world);
    world.tenant.set_user(&id, json!({"jobTitle": "Secretive"}));
    world.cycle().await.expect(Outcome::Converged);
    world.tenant.set_user(&id, json!({"jobTitle": "Clandestine"}));
    let shown = explained(&world, &id).await;
    assert_eq!(shown.operations.len(), 1);
    let said = format!("{}{}", shown.to_json(), shown.to_text(|_| None, true));
    assert!(said.contains("[Redact]"), "{said}");
    for value in ["Secretive", "Clandestine"] {
        assert!(!said.contains(value), "{value} in {said}");
    }
}

#[tokio::test]
async fn what_a_redacting_row_is_looked_up_by_is_not_shown() {
    let mut world = synced().await;
    let rows = include_str!("../../../config/mappings/idmelon.toml").replacen(
        "\"[userPrincipalName]\"",
        "'Redact([userPrincipalName])'",
        1,
    );
    world.map_by(Mapping::from_toml("redacted", &rows).unwrap());
    let id = world
        .tenant
        .add_user(json!({"userPrincipalName": "new@corp.example"}));
    world.cycle().await;
    world.tenant.set_user(&id, json!({"jobTitle": "Secretive"}));
    let id = world
        .tenant
        .add_user(json!({"userPrincipalName": "newer@corp.example"}));
    world.plan().await;
    let shown = explained(&world, &id).await.to_json();
    let keys = shown["matching"]["keys"].as_array().unwrap();
    let by_name = keys.iter().find(|key| key["attribute"] == "userName").unwrap();
    assert_eq!(by_name["value"], "[Redact]", "{keys:?}");
}

#[tokio::test]
async fn a_changed_mapping_is_announced_by_every_plan_until_it_is_carried_out_and_keeps_the_links() {
    let mut world = synced().await;
    let rows = include_str!("../../../config/mappings/idmelon.toml").replacen(
        "\"[displayName]\"",
        "'Append([displayName], \"!\")'",
        1,
    );
    let changed = Mapping::from_toml("changed", &rows).unwrap();
    let print = |mapping: &Mapping| format!("{:02x?}", mapping.fingerprint()).replace(", ", "");
    world.job.fingerprint = format!("{}-s-p", print(&world.job.mapping));
    world.cycle().await.expect(Outcome::Converged);
    world.job.fingerprint = format!("{}-s-p", print(&changed));
    world.job.mapping = Arc::new(changed);
    let links = world.job.snapshot.counts().unwrap().linked_users;
    let said =
        "the mapping changed since the last cycle: 40 users and 4 groups are looked at again; links stay";
    for _ in 0..2 {
        let plan = world.plan().await;
        assert_eq!(plan.findings, [said]);
        assert_eq!(plan.count(Verb::UpdateUser), links, "{}", plan.story());
        assert_eq!(plan.count(Verb::CreateUser) + plan.count(Verb::LinkUser), 0);
    }
    let ran = world.cycle().await;
    ran.expect(Outcome::Converged);
    assert_eq!(
        (ran.findings, ran.summary.operation(Verb::UpdateUser)),
        (vec![said.to_owned()], links)
    );
    assert_eq!(world.job.snapshot.counts().unwrap().linked_users, links);
    assert_eq!(world.plan().await.findings, Vec::<String>::new());
    world.expect_quiet().await;
}
