//! `dialect` under the target: a form that is written down is sent from the first request on.

use serde_json::Value;
use serde_json::json;

use super::stage::Stage;

super::rows! {
    "jobs.idmelon.target.dialect.op_case" => op_case;
    "jobs.idmelon.target.dialect.booleans" => booleans;
    "jobs.idmelon.target.dialect.member_removal" => member_removal;
    "jobs.idmelon.target.dialect.manager" => manager;
    "jobs.idmelon.target.dialect.extension_urn_in_schemas" => extension_urn_in_schemas;
    "jobs.idmelon.target.dialect.members_in_create" => members_in_create;
    "jobs.idmelon.target.dialect.members_shown" => members_shown;
    "jobs.idmelon.target.dialect.media_type" => media_type;
    "jobs.idmelon.target.dialect.update" => update;
}

/// The first sync, then one in which somebody is disabled, somebody else has another title and leaves a group: method, path and body
/// of each write, without spaces.
fn writes(key: &str, value: &str) -> Vec<String> {
    let stage = Stage::new(4, 1).target(&format!("dialect.{key}"), value);
    stage
        .world
        .workspace
        .update_options(|options| options.record_bodies = true);
    stage.sync(&[]);
    stage.world.tenant.disable_user(&stage.user(1));
    stage
        .world
        .tenant
        .set_user(&stage.user(2), json!({"jobTitle": "Pilot"}));
    stage.world.tenant.remove_member(&stage.group(0), &stage.user(3));
    stage.sync(&[]);
    let requests = stage.world.workspace.requests().into_iter();
    requests
        .filter(|one| one.method != "GET")
        .map(|one| {
            let body = one.body.unwrap_or_default();
            let body = serde_json::from_str::<Value>(&body).map_or(body, |body| body.to_string());
            format!("{} {} {body}", one.method, one.path)
        })
        .collect()
}

#[track_caller]
fn has(writes: &[String], method: &str, part: &str) {
    let found = writes
        .iter()
        .any(|one| one.starts_with(method) && one.contains(part));
    assert!(found, "no {method} with {part} in {writes:#?}");
}

#[track_caller]
fn has_none(writes: &[String], method: &str, part: &str) {
    let found = writes
        .iter()
        .find(|one| one.starts_with(method) && one.contains(part));
    assert!(found.is_none(), "{method} with {part}: {found:?}");
}

fn op_case() {
    let capital = writes("op_case", "capital");
    has(&capital, "PATCH", "\"op\":\"Replace\"");
    has_none(&capital, "PATCH", "\"op\":\"replace\"");
    has_none(&writes("op_case", "lower"), "PATCH", "\"op\":\"Replace\"");
}

fn booleans() {
    has(&writes("booleans", "string"), "POST", "\"active\":\"True\"");
    has_none(&writes("booleans", "json"), "P", "\"active\":\"");
}

fn member_removal() {
    has(&writes("member_removal", "path"), "PATCH", "members[value eq");
    let array = writes("member_removal", "value_array");
    has_none(&array, "PATCH", "members[value eq");
    has(&array, "PATCH", "\"path\":\"members\"");
    has(&writes("member_removal", "put"), "PUT", "/Groups/");
}

fn manager() {
    has(&writes("manager", "object"), "P", "\"manager\":{\"value\"");
    let string = writes("manager", "string");
    has_none(&string, "P", "\"manager\":{");
    has(&string, "P", "\"manager\":\"");
}

fn extension_urn_in_schemas() {
    let named = |word: &str| {
        writes("extension_urn_in_schemas", word).iter().any(|one| {
            let body = &one[one.find('{').unwrap()..];
            let body: Value = serde_json::from_str(body).unwrap();
            body["schemas"].to_string().contains("extension:IDmelon")
        })
    };
    assert!(named("true"));
    assert!(!named("false"));
}

fn members_in_create() {
    has(&writes("members_in_create", "true"), "POST", "\"members\":[");
    let apart = writes("members_in_create", "false");
    has_none(&apart, "POST", "\"members\":[");
    has(&apart, "PATCH", "\"path\":\"members\"");
}

/// Where members are not shown, what was sent and accepted is the group's state: nobody reads it back.
fn members_shown() {
    let drifts = |word: &str| {
        let stage = Stage::new(4, 1).target("dialect.members_shown", word);
        stage.sync(&[]);
        let group = stage.held_group(&stage.group(0)).unwrap();
        let id = group["id"].as_str().unwrap().to_owned();
        stage.world.workspace.edit_group(&id, json!({"members": []}));
        let summary = stage.sync(&["--full"]);
        summary["drift"]["membership"].as_u64().unwrap()
    };
    assert_eq!(drifts("true"), 1);
    assert_eq!(drifts("false"), 0);
}

/// The service refuses every body that is announced as something else: the first create is taken all the same.
fn media_type() {
    for (word, other) in [("json", "scim"), ("scim", "json")] {
        let stage = Stage::new(1, 0).target("dialect.media_type", word);
        stage.world.workspace.update_faults(|faults| {
            faults.odd.plain_json_only = word == "json";
            faults.odd.scim_json_only = word == "scim";
        });
        stage.converges();
        let refused = stage.world.workspace.requests();
        let refused: Vec<_> = refused.iter().filter(|one| one.status >= 400).collect();
        assert!(refused.is_empty(), "{word}: {refused:?}");
        let stage = Stage::new(1, 0).target("dialect.media_type", other);
        stage.world.workspace.update_faults(|faults| {
            faults.odd.plain_json_only = word == "json";
            faults.odd.scim_json_only = word == "scim";
        });
        stage.sync(&[]);
        let refused = stage.world.workspace.requests();
        assert!(
            refused.iter().any(|one| one.status >= 400),
            "{other}: {refused:?}"
        );
    }
}

fn update() {
    let put = writes("update", "put");
    has(&put, "PUT", "Pilot");
    has_none(&put, "PATCH", "Pilot");
    has(&writes("update", "patch"), "PATCH", "Pilot");
}
