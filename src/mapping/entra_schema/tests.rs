//! Import and export: the example export, and what cannot be converted.

use serde_json::{Value as Json, json};

use super::{export, import};
use crate::mapping::{Filter, Mapping};
use crate::model::id::ObjectKind;

fn example() -> Json {
    serde_json::from_str(include_str!("../../../tests/data/entra-sync-schema.json")).unwrap()
}

/// Builds a schema with these attribute mappings for users, beside a userName that matches.
fn with_rows(rows: Json, more: Json) -> Json {
    let name = json!({"targetAttributeName": "userName", "matchingPriority": 1,
        "source": {"expression": "[userPrincipalName]", "name": "userPrincipalName", "parameters": [], "type": "Attribute"}});
    let mut all = vec![name];
    all.extend(rows.as_array().cloned().unwrap_or_default());
    let mut object = json!({"enabled": true, "name": "Users", "sourceObjectName": "User", "targetObjectName": "x",
        "attributeMappings": all});
    if let (Json::Object(object), Json::Object(more)) = (&mut object, more) {
        object.extend(more);
    }
    json!({"synchronizationRules": [{"priority": 1, "sourceDirectoryName": "Azure Active Directory",
        "targetDirectoryName": "customappsso", "objectMappings": [object]}]})
}

fn filter(imported: &super::Imported, kind: ObjectKind, key: &str) -> Option<Filter> {
    let line = imported.settings.iter().find(|line| line.key == key)?;
    let table: toml::Table = toml::from_str(&format!("value = {}", line.value)).unwrap();
    Some(Filter::parse(kind, table["value"].as_str().unwrap()).unwrap())
}

#[test]
fn the_example_export_is_carried_over_whole() {
    let imported = import(&example()).unwrap();
    assert_eq!(imported.rows, (23, 3));
    assert_eq!(
        (imported.left_out.len(), imported.remarks.len()),
        (0, 0),
        "{imported:?}"
    );
    let filter = filter(&imported, ObjectKind::User, "user_filter").unwrap();
    assert_eq!(
        filter.to_string(),
        "(department REGEX MATCH \"^(Sales|Engineering)$\" AND employeeId IS NOT NULL) OR city EQUALS \"Vancouver\""
    );
    insta::assert_snapshot!(imported.mapping);
}

fn objects(document: &Json) -> Vec<Json> {
    let objects = &document["schema"]["synchronizationRules"][0]["objectMappings"];
    objects.as_array().unwrap().clone()
}

#[test]
fn exporting_again_loses_nothing() {
    let document = example();
    let imported = import(&document).unwrap();
    let mapping = Mapping::from_toml("imported", &imported.mapping).unwrap();
    let users = filter(&imported, ObjectKind::User, "user_filter");
    let again = export(&document, &mapping, users.as_ref(), None);
    assert_eq!(again.left_out, []);
    assert_eq!(again.document, document);

    // Every row and clause comes from the mapping, none from the document below it.
    let mut bare = document.clone();
    for object in bare["schema"]["synchronizationRules"][0]["objectMappings"]
        .as_array_mut()
        .unwrap()
    {
        object["attributeMappings"] = json!([]);
        if let Some(groups) = object.pointer_mut("/scope/groups").and_then(Json::as_array_mut) {
            groups.iter_mut().for_each(|group| group["clauses"] = json!([]));
        }
    }
    let rebuilt = export(&bare, &mapping, users.as_ref(), None).document;
    for (at, object) in objects(&document).iter().enumerate() {
        assert_eq!(objects(&rebuilt)[at], *object);
    }
    assert_eq!(rebuilt, document);
    // And once more in the other direction.
    assert_eq!(import(&again.document).unwrap(), imported);
}

#[test]
fn the_example_says_what_the_preset_says() {
    let imported = Mapping::from_toml("imported", &import(&example()).unwrap().mapping).unwrap();
    let preset = Mapping::preset("idmelon").unwrap();
    let rows = |mapping: &Mapping, kind| {
        let mut rows: Vec<String> = mapping
            .rows(kind)
            .iter()
            .map(|row| format!("{} <- {} {:?}", row.target, row.source.canonical(), row.matching))
            .collect();
        rows.sort();
        rows
    };
    assert_eq!(rows(&imported, ObjectKind::User), rows(&preset, ObjectKind::User));
    // A non-gallery app's default has no description for groups; IDmelon's documentation adds it.
    let mut groups = rows(&preset, ObjectKind::Group);
    groups.retain(|row| !row.starts_with("description"));
    assert_eq!(rows(&imported, ObjectKind::Group), groups);
}

#[test]
fn what_cannot_be_carried_over_is_named_and_stands_as_a_comment() {
    let rows = json!([
        {"targetAttributeName": "title", "source": {"expression": "Joinn(\"\", [jobTitle])", "type": "Function"}},
        {"targetAttributeName": "nickName", "source": {"expression": "[nickNme]", "type": "Attribute"}},
        {"targetAttributeName": "emails[type sw \"w\"].value", "source": {"expression": "[mail]", "type": "Attribute"}},
        {"targetAttributeName": "locale", "flowType": "ValueAddOnly", "source": {"expression": "[country]", "type": "Attribute"}},
        {"targetAttributeName": "USERNAME", "source": {"expression": "[mail]", "type": "Attribute"}},
        {"targetAttributeName": "timezone", "flowType": "ObjectAddOnly", "defaultValue": "UTC", "flowBehavior": "FlowAlways",
         "source": {"expression": "it's \"UTC\"", "type": "Constant"}},
        {"targetAttributeName": "displayName", "source": {"name": "Join", "type": "Function", "parameters": [
            {"key": "separator", "value": {"name": " ", "type": "Constant"}},
            {"key": "source", "value": {"name": "givenName", "type": "Attribute"}}]}},
    ]);
    let more = json!({"flowTypes": "Add,Update", "scope": {"inputFilterGroups": [{}], "groups": [
        {"name": "g", "clauses": [{"operatorName": "IS MEMBER OF", "sourceOperandName": "groups", "targetOperand": {"values": ["x"]}}]}]}});
    let mut document = with_rows(rows, more);
    document["synchronizationRules"][0]["objectMappings"]
        .as_array_mut()
        .unwrap()
        .extend([
            json!({"name": "Devices", "sourceObjectName": "Device", "attributeMappings": []}),
            json!({"name": "More users", "sourceObjectName": "User", "attributeMappings": []}),
        ]);
    document["synchronizationJobSettings"] =
        json!([{"name": "QuarantineTooManyDeletesThreshold", "value": "100"}]);
    let imported = import(&document).unwrap();
    let line = |left: &super::LeftOut| format!("{}: {}", left.what, left.why);
    let left: Vec<String> = imported.left_out.iter().map(line).collect();
    let remarks: Vec<String> = imported.remarks.iter().map(line).collect();
    insta::assert_snapshot!(format!(
        "{}\n--- left out\n{}\n--- remarks\n{}",
        imported.mapping,
        left.join("\n"),
        remarks.join("\n")
    ));
    assert_eq!(imported.rows, (3, 0));
    Mapping::from_toml("imported", &imported.mapping).expect("a file that is written is a mapping");
}

#[test]
fn a_whole_job_and_a_list_with_one_are_read_and_anything_else_is_refused() {
    let schema = example()["schema"].clone();
    let imported = import(&schema).unwrap();
    for document in [
        json!({"id": "scim.1", "templateId": "scim", "schema": schema}),
        json!({"value": [{"id": "scim.0"}, {"id": "scim.1", "schema": schema}]}),
    ] {
        assert_eq!(import(&document).unwrap().rows, imported.rows);
    }
    for (document, expected) in [
        (json!({}), "no `synchronizationRules`"),
        (json!([]), "no `synchronizationRules`"),
        (json!({"value": [{"id": "scim.0"}]}), "have no `schema`"),
        (json!({"synchronizationRules": []}), "no object mapping"),
        (
            json!({"value": [{"schema": schema}, {"schema": schema}]}),
            "2 jobs",
        ),
    ] {
        let error = import(&document).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }
    let mut inbound = with_rows(json!([]), json!({}));
    inbound["synchronizationRules"][0]["targetDirectoryName"] = "Azure Active Directory".into();
    assert!(import(&inbound).is_err());
}

#[test]
fn what_entra_cannot_say_is_named_by_an_export() {
    let mapping = Mapping::from_toml(
        "x",
        "[[user]]\ntarget = \"userName\"\nsource = \"[mail]\"\nmatching = 1\n\
         [[user]]\ntarget = \"title\"\nsource = \"[jobTitle]\"\nauthority = \"target\"\ndrift = \"heal\"\n",
    )
    .unwrap();
    let users = "memberOf EQUALS \"6f1c8d1e-0000-4000-8000-000000000001\" AND id IS NOT NULL";
    let users = Filter::parse(ObjectKind::User, users).unwrap();
    let exported = export(&with_rows(json!([]), json!({})), &mapping, Some(&users), None);
    assert_eq!(exported.left_out.len(), 3, "{:?}", exported.left_out);
    let clause = "/synchronizationRules/0/objectMappings/0/scope/groups/0/clauses/0/sourceOperandName";
    assert_eq!(exported.document.pointer(clause).unwrap(), "objectId");
}
