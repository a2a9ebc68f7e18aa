//! The workspace as a SCIM 2.0 service: a conformance table.

use super::*;
use crate::sandbox::workspace::LocationForm;
use crate::sandbox::workspace::UnknownExtension;

const USER: &str = "urn:ietf:params:scim:schemas:core:2.0:User";
const GROUP: &str = "urn:ietf:params:scim:schemas:core:2.0:Group";
const ENTERPRISE: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";
const IDMELON: &str = "urn:ietf:params:scim:schemas:extension:IDmelon:2.0:User";

#[tokio::test]
async fn creates_are_checked_against_the_schema() {
    let (_workspace, _server, scim) = start().await;
    let with = |extra: Value| {
        let mut user = json!({"schemas": [USER], "userName": "one@corp.example"});
        user.as_object_mut()
            .unwrap()
            .extend(extra.as_object().unwrap().clone());
        user
    };
    for (name, body, status, kind) in [
        ("no schemas", json!({"userName": "x"}), 400, "invalidSyntax"),
        ("no userName", json!({"schemas": [USER]}), 400, "invalidValue"),
        (
            "active as string",
            with(json!({"active": "True"})),
            400,
            "invalidValue",
        ),
        (
            "emails no array",
            with(json!({"emails": {"value": "x"}})),
            400,
            "invalidValue",
        ),
        (
            "unknown attribute",
            with(json!({"shoeSize": 42})),
            400,
            "invalidValue",
        ),
        (
            "unknown extension",
            with(json!({"urn:example:x:2.0:User": {"a": 1}})),
            400,
            "invalidValue",
        ),
        (
            "unknown in extension",
            with(json!({IDMELON: {"extraAttribute6": "x"}})),
            400,
            "invalidValue",
        ),
        (
            "two primaries",
            with(json!({"emails": [{"value":"a","primary":true},{"value":"b","primary":true}]})),
            400,
            "invalidValue",
        ),
        (
            "nulls and read-only are ignored",
            with(json!({"title": null, "id": "mine", IDMELON: {"immutable_id": "q83v"}})),
            201,
            "",
        ),
        (
            "taken, other case",
            with(json!({"userName": "ONE@corp.example"})),
            409,
            "uniqueness",
        ),
    ] {
        let (found, answer) = scim.post("Users", body).await;
        assert_eq!(
            (found, answer["scimType"].as_str().unwrap_or("")),
            (status, kind),
            "{name}: {answer}"
        );
    }
    let (_, found) = scim.find("Users", "userName eq \"one@corp.example\"").await;
    let user = &found["Resources"][0];
    assert_ne!(user["id"], "mine");
    assert_eq!(user["schemas"], json!([USER, IDMELON]));
    assert!(
        user["meta"]["location"]
            .as_str()
            .unwrap()
            .ends_with(user["id"].as_str().unwrap())
    );
}

#[tokio::test]
async fn filters_follow_the_rfc() {
    let (_workspace, _server, scim) = start().await;
    scim.create_user(
        json!({"userName": "Ada@corp.example", "externalId": "E-1", "active": true, "title": "Say \"hi\"",
        "emails": [{"type": "work", "value": "ada@mail.example"}], IDMELON: {"immutable_id": "AbC="}}),
    )
    .await;
    scim.create_user(json!({"userName": "bob@corp.example", "externalId": "E-2", "active": false}))
        .await;
    for (filter, status, total) in [
        ("userName eq \"ada@CORP.example\"", 200, 1),
        ("USERNAME EQ \"ada@corp.example\"", 200, 1),
        ("externalId eq \"E-1\"", 200, 1),
        ("externalId eq \"e-1\"", 200, 0),
        ("emails[type eq \"work\"].value eq \"ADA@mail.example\"", 200, 1),
        ("emails[type eq \"work\" and value sw \"ada\"]", 200, 1),
        ("emails.value co \"mail\"", 200, 1),
        ("emails pr", 200, 1),
        ("not (emails pr)", 200, 1),
        ("active eq true", 200, 1),
        ("active eq True or userName sw \"bob\"", 200, 2),
        ("(active eq true or active eq false) and title pr", 200, 1),
        ("title eq \"say \\\"hi\\\"\"", 200, 1),
        (
            "urn:ietf:params:scim:schemas:extension:IDmelon:2.0:User:immutable_id eq \"AbC=\"",
            200,
            1,
        ),
        (
            "urn:ietf:params:scim:schemas:extension:IDmelon:2.0:User:immutable_id eq \"abc=\"",
            200,
            0,
        ),
        (
            "urn:ietf:params:scim:schemas:core:2.0:User:userName eq \"bob@corp.example\"",
            200,
            1,
        ),
        ("userName eq \"nobody\"", 200, 0),
        ("shoeSize eq 42", 400, 0),
        ("userName eq", 400, 0),
        ("userName eq \"open", 400, 0),
        ("userName eq \"a\" nonsense", 400, 0),
    ] {
        let (found, body) = scim.find("Users", filter).await;
        assert_eq!(
            (found, body["totalResults"].as_u64().unwrap_or(0)),
            (status, total),
            "{filter}: {body}"
        );
    }
}

#[tokio::test]
async fn patch_follows_the_rfc() {
    let (_workspace, _server, scim) = start().await;
    let boss = scim.create_user(json!({"userName": "boss"})).await["id"].clone();
    let manager = format!("{ENTERPRISE}:manager");
    let immutable = format!("{IDMELON}:immutable_id");
    let extension_check = format!("/{IDMELON}/immutable_id=\"q83v\"");
    let table: Vec<(&str, Value, u16, &str)> = vec![
        (
            "replace",
            json!([{"op": "replace", "path": "title", "value": "Nurse"}]),
            200,
            "/title=\"Nurse\"",
        ),
        (
            "capital op",
            json!([{"op": "Replace", "path": "displayName", "value": "Ada"}]),
            200,
            "/displayName=\"Ada\"",
        ),
        (
            "add element",
            json!([{"op": "add", "path": "phoneNumbers", "value": [{"type": "mobile", "value": "1"}]}]),
            200,
            "/phoneNumbers/0/value=\"1\"",
        ),
        (
            "the same again",
            json!([{"op": "add", "path": "phoneNumbers", "value": [{"type": "mobile", "value": "1"}]}]),
            200,
            "/phoneNumbers/1=null",
        ),
        (
            "change element",
            json!([{"op": "replace", "path": "phoneNumbers[type eq \"mobile\"].value", "value": "2"}]),
            200,
            "/phoneNumbers/0/value=\"2\"",
        ),
        (
            "missing element",
            json!([{"op": "replace", "path": "phoneNumbers[type eq \"fax\"].value", "value": "2"}]),
            400,
            "noTarget",
        ),
        (
            "missing element, add",
            json!([{"op": "add", "path": "emails[type eq \"work\"].value", "value": "2"}]),
            400,
            "noTarget",
        ),
        (
            "name part",
            json!([{"op": "replace", "path": "name.givenName", "value": "Ada"}]),
            200,
            "/name/givenName=\"Ada\"",
        ),
        (
            "other part stays",
            json!([{"op": "replace", "path": "name", "value": {"familyName": "K"}}]),
            200,
            "/name/givenName=\"Ada\"",
        ),
        (
            "extension path",
            json!([{"op": "add", "path": immutable, "value": "q83v"}]),
            200,
            &extension_check,
        ),
        (
            "manager object",
            json!([{"op": "replace", "path": manager, "value": {"value": boss}}]),
            200,
            "",
        ),
        (
            "manager string",
            json!([{"op": "replace", "path": manager, "value": boss}]),
            400,
            "invalidValue",
        ),
        (
            "remove manager",
            json!([{"op": "remove", "path": manager}]),
            200,
            "",
        ),
        (
            "without a path",
            json!([{"op": "replace", "value": {"title": "Head", "name.familyName": "Z", IDMELON: {"extraAttribute1": "x"}}}]),
            200,
            "/name/familyName=\"Z\"",
        ),
        (
            "boolean as string",
            json!([{"op": "replace", "path": "active", "value": "False"}]),
            400,
            "invalidValue",
        ),
        (
            "read-only",
            json!([{"op": "replace", "path": "id", "value": "x"}]),
            400,
            "mutability",
        ),
        (
            "unknown path",
            json!([{"op": "replace", "path": "shoeSize", "value": "x"}]),
            400,
            "invalidPath",
        ),
        ("remove without path", json!([{"op": "remove"}]), 400, "noTarget"),
        (
            "atomic",
            json!([{"op": "replace", "path": "title", "value": "Lost"}, {"op": "replace", "path": "active", "value": 1}]),
            400,
            "invalidValue",
        ),
        (
            "title after atomic",
            json!([{"op": "replace", "path": "nickName", "value": "n"}]),
            200,
            "/title=\"Head\"",
        ),
        (
            "userName must stay",
            json!([{"op": "remove", "path": "userName"}]),
            400,
            "invalidValue",
        ),
        (
            "name is taken",
            json!([{"op": "replace", "path": "userName", "value": "BOSS"}]),
            409,
            "uniqueness",
        ),
        (
            "remove",
            json!([{"op": "remove", "path": "phoneNumbers[type eq \"mobile\"]"}]),
            200,
            "/phoneNumbers=null",
        ),
        (
            "remove again",
            json!([{"op": "remove", "path": "phoneNumbers[type eq \"mobile\"]"}]),
            400,
            "noTarget",
        ),
    ];
    let id = scim.create_user(json!({"userName": "ada", "active": true})).await["id"]
        .as_str()
        .unwrap()
        .to_owned();
    for (name, operations, status, check) in table {
        let (found, body) = scim.patch(&format!("Users/{id}"), operations).await;
        assert_eq!(found, status, "{name}: {body}");
        match check.split_once('=').filter(|_| check.starts_with('/')) {
            Some((pointer, value)) => {
                let value: Value = serde_json::from_str(value).unwrap();
                assert_eq!(
                    body.pointer(pointer).unwrap_or(&Value::Null),
                    &value,
                    "{name}: {body}"
                );
            }
            None if !check.is_empty() => assert_eq!(body["scimType"], check, "{name}: {body}"),
            None => {}
        }
    }
    let (status, _) = scim
        .send("PATCH", &format!("Users/{id}"), Some(json!({"Operations": []})))
        .await
        .unwrap();
    assert_eq!(status, 400);
}

#[tokio::test]
async fn discovery_and_options_show_what_there_is() {
    let (workspace, server, scim) = start().await;
    assert_eq!(
        scim.get("ServiceProviderConfig").await.1["patch"]["supported"],
        true
    );
    let (_, schemas) = scim.get("Schemas").await;
    assert_eq!(schemas["totalResults"], 4);
    assert!(
        scim.get(&format!("Schemas/{GROUP}"))
            .await
            .1
            .to_string()
            .contains("\"description\",\"required\"")
            || scim.get(&format!("Schemas/{GROUP}")).await.1["attributes"]
                .as_array()
                .unwrap()
                .len()
                == 3
    );
    assert_eq!(
        scim.get("ResourceTypes/User").await.1["schemaExtensions"]
            .as_array()
            .unwrap()
            .len(),
        2
    );
    workspace.update_options(|o| {
        o.group_description = false;
        o.idmelon_extension = false;
        o.unknown_extension = UnknownExtension::Drop;
        o.ignore_unknown = true;
        o.location = LocationForm::Missing;
    });
    assert_eq!(
        scim.get(&format!("Schemas/{GROUP}")).await.1["attributes"]
            .as_array()
            .unwrap()
            .len(),
        2
    );
    let user = scim
        .create_user(json!({"userName": "x", IDMELON: {"immutable_id": "y"}}))
        .await;
    assert!(user.get(IDMELON).is_none() && user["meta"].get("location").is_none());
    let group = scim
        .post(
            "Groups",
            json!({"schemas": [GROUP], "displayName": "g", "description": "d"}),
        )
        .await
        .1;
    assert!(group.get("description").is_none());
    let double = client()
        .get(format!("{}/api/scim/v2//Users", server.url))
        .bearer_auth(workspace.token());
    assert_eq!(double.send().await.unwrap().status(), 404);
    let nobody = client()
        .get(format!("{}/api/scim/v2/Users", server.url))
        .send()
        .await
        .unwrap();
    assert_eq!(nobody.status(), 401);
    assert_eq!(nobody.json::<Value>().await.unwrap()["status"], "401");
}
