//! The workspace's content after writes: members, pages, replaced resources.

use super::*;
use crate::sandbox::workspace::LegacyRemoval;

const USER: &str = "urn:ietf:params:scim:schemas:core:2.0:User";
const GROUP: &str = "urn:ietf:params:scim:schemas:core:2.0:Group";

#[tokio::test]
async fn members_are_added_once_and_removed_by_filter() {
    let (workspace, _server, scim) = start().await;
    let mut ids = Vec::new();
    for n in 0..4 {
        ids.push(scim.create_user(json!({"userName": format!("u{n}")})).await["id"].clone());
    }
    let body = json!({"schemas": [GROUP], "displayName": "Badge", "description": "d", "members": [{"value": ids[0]}]});
    let (status, group) = scim.post("Groups", body.clone()).await;
    assert_eq!(status, 201, "{group}");
    assert_eq!(
        scim.post("Groups", body).await.0,
        201,
        "names need not be unique by default"
    );
    let path = format!("Groups/{}", group["id"].as_str().unwrap());
    let add = json!([{"op": "add", "path": "members", "value": [{"value": ids[0]}, {"value": ids[1]}, {"value": ids[2]}]}]);
    assert_eq!(
        scim.patch(&path, add).await.1["members"]
            .as_array()
            .unwrap()
            .len(),
        3
    );
    let by_filter = |id: &Value| json!([{"op": "remove", "path": format!("members[value eq {id}]")}]);
    assert_eq!(
        scim.patch(&path, by_filter(&ids[1])).await.1["members"]
            .as_array()
            .unwrap()
            .len(),
        2
    );
    assert_eq!(
        scim.patch(&path, by_filter(&ids[1])).await.1["scimType"],
        "noTarget"
    );
    let legacy = json!([{"op": "remove", "path": "members", "value": [{"value": ids[2]}]}]);
    assert_eq!(scim.patch(&path, legacy.clone()).await.0, 400);
    workspace.update_options(|o| o.legacy_removal = LegacyRemoval::Honour);
    assert_eq!(
        scim.patch(&path, legacy.clone()).await.1["members"],
        json!([{"value": ids[0]}])
    );
    workspace.update_options(|o| o.legacy_removal = LegacyRemoval::RemovesAll);
    assert!(scim.patch(&path, legacy).await.1.get("members").is_none());
    let unknown = json!([{"op": "add", "path": "members", "value": [{"value": "nobody"}]}]);
    assert_eq!(scim.patch(&path, unknown).await.0, 400);
    scim.patch(
        &path,
        json!([{"op": "add", "path": "members", "value": [{"value": ids[3]}]}]),
    )
    .await;
    let (status, _) = scim
        .send("DELETE", &format!("Users/{}", ids[3].as_str().unwrap()), None)
        .await
        .unwrap();
    assert_eq!(status, 204);
    assert!(scim.get(&path).await.1.get("members").is_none());
    workspace.update_options(|o| o.path_filter_removal = false);
    assert_eq!(scim.patch(&path, by_filter(&ids[0])).await.0, 501);
}

#[tokio::test]
async fn pages_cover_everything_once_also_after_deletions() {
    let (workspace, _server, scim) = start().await;
    workspace.update_options(|o| o.max_results = 10);
    let ids: Vec<String> = (0..25)
        .map(|n| workspace.insert_user(json!({"userName": format!("u{n}")})))
        .collect();
    workspace.remove_user(&ids[3]);
    let mut seen = BTreeSet::new();
    for start in [1, 11, 21] {
        let (_, page) = scim
            .get(&format!("Users?startIndex={start}&count=50&attributes=userName"))
            .await;
        assert_eq!(
            (page["totalResults"].as_u64(), page["startIndex"].as_i64()),
            (Some(24), Some(start))
        );
        for user in page["Resources"].as_array().unwrap() {
            assert_eq!(
                user.as_object().unwrap().keys().collect::<Vec<_>>(),
                ["id", "schemas", "userName"]
            );
            assert!(seen.insert(user["id"].to_string()));
        }
    }
    assert_eq!(seen.len(), 24);
    assert_eq!(scim.get("Users?count=0").await.1["Resources"], json!([]));
    assert_eq!(scim.get("Users?startIndex=0&count=1").await.1["startIndex"], 1);
    workspace.update_options(|o| o.paging = false);
    assert_eq!(
        scim.get("Users?startIndex=21&count=5").await.1["Resources"]
            .as_array()
            .unwrap()
            .len(),
        20
    );
    assert!(workspace.user(&ids[24]).is_some() && workspace.user_by_name("U24").is_some());
}

#[tokio::test]
async fn put_replaces_deactivation_clears_roles_and_values_are_tidied() {
    let (workspace, _server, scim) = start().await;
    let user = scim
        .create_user(json!({"userName": "Ada", "title": "T", "active": true, "roles": [{"value": "GlobalAdministrator"}]}))
        .await;
    let path = format!("Users/{}", user["id"].as_str().unwrap());
    let (_, off) = scim
        .patch(
            &path,
            json!([{"op": "replace", "path": "active", "value": false}]),
        )
        .await;
    assert!(off.get("roles").is_none());
    workspace.update_options(|o| {
        o.lower_case = true;
        o.trim = true;
        o.drop_attributes = vec!["nickName".into()];
        o.patch_answers_body = false;
    });
    let body = json!({"schemas": [USER], "userName": " ADA2 ", "nickName": "gone"});
    let (_, put) = scim.send("PUT", &path, Some(body)).await.unwrap();
    assert_eq!(
        (&put["userName"], put.get("title"), put.get("nickName")),
        (&json!("ada2"), None, None)
    );
    assert_eq!(put["meta"]["version"], "W/\"3\"");
    assert_eq!(
        scim.patch(&path, json!([{"op": "replace", "path": "title", "value": "x"}]))
            .await,
        (204, Value::Null)
    );
    assert_eq!(
        scim.find("Users", "userName eq \"Ada\"").await.1["totalResults"],
        0
    );
}
