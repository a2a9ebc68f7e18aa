//! Graph, wire by wire.

use super::*;
use crate::sandbox::Fault;
use crate::sandbox::GraphFaults;
use crate::sandbox::faults::ResetForm;

async fn small() -> (Tenant, Server, Reader) {
    let tenant = Tenant::sample(30, 4);
    let server = serve_tenant(&tenant).await;
    let reader = Reader::new(&tenant, &server).await;
    (tenant, server, reader)
}

#[tokio::test]
async fn unsupported_options_are_refused() {
    let (_tenant, _server, reader) = small().await;
    for query in [
        "users/delta?$expand=manager",
        "groups/delta?$orderby=displayName",
        "users/delta?$filter=accountEnabled eq true",
    ] {
        let (status, body) = reader.json(query).await;
        assert_eq!(
            (status, body["error"]["code"].as_str()),
            (400, Some("Request_UnsupportedQuery")),
            "{query}"
        );
    }
    assert_eq!(reader.json("users/delta?$select=noSuchThing").await.0, 400);
    let unregistered = "users/delta?$select=extension_00000000000000000000000000000000_site";
    assert_eq!(reader.json(unregistered).await.0, 400);
}

#[tokio::test]
async fn latest_brings_only_a_delta_link() {
    let (tenant, _server, reader) = small().await;
    let (_, body) = reader
        .json("users/delta?$deltatoken=latest&$select=displayName")
        .await;
    assert_eq!(body["value"], json!([]));
    let id = tenant.user_ids()[0].clone();
    tenant.set_user(&id, json!({"displayName": "After", "jobTitle": "Not selected"}));
    tenant.set_user(&tenant.user_ids()[1], json!({"jobTitle": "Not selected"}));
    let (_, body) = reader.json(body["@odata.deltaLink"].as_str().unwrap()).await;
    assert_eq!(body["value"], json!([{"id": id, "displayName": "After"}]));
}

#[tokio::test]
async fn a_filter_on_ids_is_allowed() {
    let (tenant, _server, reader) = small().await;
    let ids = tenant.user_ids();
    let query = format!(
        "users/delta?$select=id&$filter=id eq '{}' or id eq '{}'",
        ids[3], ids[5]
    );
    assert_eq!(reader.json(&query).await.1["value"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn minimal_brings_what_changed_and_without_it_everything_that_was_ever_set() {
    let (tenant, _server, mut reader) = small().await;
    reader.round("users").await;
    let id = tenant
        .add_user(json!({"displayName": "New", "userPrincipalName": "new@corp.example", "jobTitle": "A"}));
    reader.round("users").await;
    tenant.set_user(&id, json!({"jobTitle": null}));
    let link = reader.links["users"].clone();
    assert_eq!(
        reader.json(&link).await.1["value"],
        json!([{"id": id, "jobTitle": null}])
    );
    reader.minimal = false;
    let (_, body) = reader.json(&link).await;
    let whole = body["value"][0].as_object().unwrap();
    assert_eq!(
        (whole["jobTitle"].is_null(), &whole["displayName"]),
        (true, &json!("New"))
    );
    assert!(
        !whole.contains_key("department"),
        "never set, so absent: {whole:?}"
    );
}

#[tokio::test]
async fn removed_says_changed_then_deleted_and_restored_has_no_annotation() {
    let (tenant, _server, mut reader) = small().await;
    reader.both().await;
    let id = tenant.members(&tenant.group_ids()[0])[1].clone();
    tenant.soft_delete_user(&id);
    let (_, body) = reader.json(&reader.links["users"].clone()).await;
    assert!(
        body["value"]
            .as_array()
            .unwrap()
            .contains(&json!({"id": id, "@removed": {"reason": "changed"}}))
    );
    let (_, groups) = reader.json(&reader.links["groups"].clone()).await;
    assert!(
        groups
            .to_string()
            .contains("\"@removed\":{\"reason\":\"deleted\"}"),
        "{groups}"
    );
    reader.both().await;
    tenant.restore_user(&id);
    reader.both().await;
    reader.assert_equals(&tenant, "restored");
    tenant.hard_delete_user(&id);
    let (_, body) = reader.json(&reader.links["users"].clone()).await;
    assert!(
        body["value"]
            .as_array()
            .unwrap()
            .contains(&json!({"id": id, "@removed": {"reason": "deleted"}}))
    );
}

#[tokio::test]
async fn a_large_group_comes_in_slices_on_several_pages() {
    let tenant = Tenant::sample(30, 0);
    let group = tenant.add_group(json!({"displayName": "Everybody"}));
    tenant
        .user_ids()
        .iter()
        .for_each(|id| tenant.add_member(&group, id));
    tenant.update_options(|o| o.members_per_slice = 8);
    let server = serve_tenant(&tenant).await;
    let mut reader = Reader::new(&tenant, &server).await;
    reader.round("groups").await;
    assert_eq!((reader.pages, reader.members[&group].len()), (4, 30));
}

#[tokio::test]
async fn pages_are_those_of_the_service() {
    let tenant = Tenant::sample(450, 0);
    let people = tenant.user_ids();
    // Four groups of 180 members: two have room beside each other on a page of 500 links, a third has not.
    for name in ["a", "b", "c", "d"] {
        let group = tenant.add_group(json!({"displayName": name}));
        for id in &people[..180] {
            tenant.add_member(&group, id);
        }
    }
    let server = serve_tenant(&tenant).await;
    let mut reader = Reader::new(&tenant, &server).await;
    let size = |body: &Value| body["value"].as_array().unwrap().len();
    let (status, body) = reader.json("users/delta?$select=displayName&$top=5").await;
    assert_eq!(
        (status, size(&body)),
        (200, 200),
        "$top is taken and not followed"
    );
    reader.round("users").await;
    assert_eq!(reader.pages, 3, "200, 200 and 50 users");
    let (_, body) = reader.json("groups/delta?$select=displayName,members").await;
    assert_eq!(size(&body), 2);
    let (_, body) = reader.json("groups/delta?$select=displayName").await;
    assert_eq!(size(&body), 4, "without links there is room");
}

#[tokio::test]
async fn expired_tokens_come_in_every_form() {
    for (form, status, depth) in [
        (ResetForm::Gone, 410, 0),
        (ResetForm::GoneWithoutLocation, 410, 1),
        (ResetForm::BadRequest, 400, 3),
        (ResetForm::NotFound, 404, 2),
    ] {
        let (tenant, _server, mut reader) = small().await;
        tenant.update_options(|o| o.users_per_page = 10);
        let (_, first) = reader.json("users/delta?$select=displayName").await;
        tenant.update_faults(|f| {
            f.expire_page_token = Fault::once();
            f.reset_form = form;
            f.reset_depth = depth;
            f.reset_code = Some("SyncStateNotFound".into());
        });
        let next = first["@odata.nextLink"].as_str().unwrap();
        let answer = reader.get(next).await;
        assert_eq!(answer.status().as_u16(), status);
        assert_eq!(answer.headers().contains_key("location"), form == ResetForm::Gone);
        let body: Value = answer.json().await.unwrap();
        let inner = (0..depth).fold(&body["error"], |error, _| &error["innerError"]);
        assert_eq!(inner["code"], "SyncStateNotFound");
        assert_eq!(
            reader.json(next).await.0,
            200,
            "the same page again, once the fault is over"
        );
        reader.round("users").await;
        tenant.forget_tokens();
        assert_ne!(reader.json(&reader.links["users"].clone()).await.0, 200);
        reader.round("users").await;
    }
}

#[tokio::test]
async fn wire_faults_look_as_they_should() {
    let (tenant, _server, reader) = small().await;
    let page = "users/delta?$select=displayName";
    let strike = |change: fn(&mut GraphFaults)| {
        tenant.set_faults(GraphFaults::default());
        tenant.update_faults(change);
    };
    strike(|f| {
        f.throttle = Fault::once();
        f.retry_after = Some("2.128".into());
    });
    let answer = reader.get(page).await;
    assert_eq!(
        (
            answer.status().as_u16(),
            answer.headers()["retry-after"].to_str().unwrap()
        ),
        (429, "2.128")
    );
    strike(|f| f.unavailable = Fault::once());
    let answer = reader.get(page).await;
    assert_eq!(
        (answer.status().as_u16(), answer.headers().get("retry-after")),
        (503, None)
    );
    strike(|f| f.server_error = Fault::once());
    assert!(
        reader
            .get(page)
            .await
            .text()
            .await
            .unwrap()
            .starts_with("<!DOCTYPE html>")
    );
    strike(|f| f.unauthorized = Fault::once());
    assert_eq!(
        reader.json(page).await.1["error"]["code"],
        "InvalidAuthenticationToken"
    );
    strike(|f| f.truncated = Fault::once());
    assert!(serde_json::from_str::<Value>(&reader.get(page).await.text().await.unwrap()).is_err());
    strike(|f| f.no_value = Fault::once());
    assert!(reader.json(page).await.1.get("value").is_none());
    strike(|f| f.no_links = Fault::once());
    assert!(!reader.json(page).await.1.to_string().contains("Link"));
    strike(|f| f.both_links = Fault::once());
    let (_, body) = reader.json(page).await;
    assert!(body["@odata.nextLink"].is_string() && body["@odata.deltaLink"].is_string());
    strike(|f| f.dropped = Fault::once());
    assert!(
        reader
            .http
            .get(format!("{}/v1.0/{page}", reader.base))
            .send()
            .await
            .is_err()
    );
    assert_eq!(tenant.requests().last().unwrap().status, 0);
    tenant.update_options(|o| o.users_per_page = 3);
    strike(|f| f.foreign_link = Fault::once());
    assert!(
        reader.json(page).await.1["@odata.nextLink"]
            .as_str()
            .unwrap()
            .contains("elsewhere.example")
    );
    assert_eq!(reader.json(page).await.0, 200);
}

#[tokio::test]
async fn batch_answers_each_request_on_its_own() {
    let (tenant, _server, reader) = small().await;
    let ids = tenant.user_ids();
    tenant.soft_delete_user(&ids[1]);
    tenant.hard_delete_user(&ids[2]);
    tenant.update_faults(|f| {
        f.batch_throttle = Fault::once().after(3);
        f.retry_after = Some("1".into());
    });
    let get = |id: &str, url: String| json!({"id": id, "method": "GET", "url": url});
    let requests = json!({"requests": [
        get("a", format!("/users/{}?$select=id,mail", ids[0])),
        get("b", format!("/directory/deletedItems/{}", ids[1])),
        get("c", format!("/users/{}", ids[2])),
        get("d", format!("/groups/{}", tenant.group_ids()[0])),
    ]});
    let post = |body: Value| {
        let request = reader
            .http
            .post(format!("{}/v1.0/$batch", reader.base))
            .bearer_auth(&reader.bearer);
        async move {
            request
                .json(&body)
                .send()
                .await
                .unwrap()
                .json::<Value>()
                .await
                .unwrap()
        }
    };
    let body = post(requests).await;
    let status = |id: &str| {
        let list = body["responses"].as_array().unwrap();
        list.iter().find(|answer| answer["id"] == id).unwrap()["status"]
            .as_u64()
            .unwrap()
    };
    assert_eq!(
        (status("a"), status("b"), status("c"), status("d")),
        (200, 200, 404, 429)
    );
    let many: Vec<Value> = (0..21).map(|n| get(&n.to_string(), "/users/x".into())).collect();
    assert_eq!(
        post(json!({"requests": many})).await["error"]["code"],
        "BadRequest"
    );
}

#[tokio::test]
async fn hidden_members_need_their_permission() {
    let (tenant, _server, mut reader) = small().await;
    let group = tenant.group_ids()[0].clone();
    tenant.set_group(&group, json!({"visibility": "HiddenMembership"}));
    reader.both().await;
    assert!(!reader.members.contains_key(&group));
    assert_eq!(reader.json(&format!("groups/{group}/members")).await.0, 403);
    tenant.grant_permission("Member.Read.Hidden");
    assert_eq!(reader.json(&format!("groups/{group}/members")).await.0, 200);
}

#[tokio::test]
async fn single_reads_find_by_id_and_by_name() {
    let (tenant, _server, reader) = small().await;
    let id = tenant.user_ids()[4].clone();
    let upn = tenant.user(&id).unwrap()["userPrincipalName"]
        .as_str()
        .unwrap()
        .to_owned();
    assert_eq!(
        reader.json(&format!("users/{upn}?$select=id,faxNumber")).await.1["id"],
        id.as_str()
    );
    let (_, found) = reader
        .json(&format!("users?$filter=userPrincipalName eq '{upn}'&$select=id"))
        .await;
    assert_eq!(found["value"], json!([{"id": id}]));
    let (_, page) = reader.json("users?$top=7").await;
    assert!(page["@odata.nextLink"].is_string());
    let (_, rest) = reader.json(page["@odata.nextLink"].as_str().unwrap()).await;
    assert_eq!(rest["value"].as_array().unwrap().len(), 7);
    assert_eq!(reader.json("organization").await.0, 200);
}

#[tokio::test]
async fn a_faults_file_can_hide_members_take_permissions_and_shrink_pages() {
    let (tenant, _server, mut reader) = small().await;
    let group = tenant.group_ids()[1].clone();
    tenant.update_faults(|f| {
        f.hidden_groups = vec![group.clone()];
        f.page_size = Some(2);
    });
    reader.round("groups").await;
    assert_eq!((reader.pages, reader.members.contains_key(&group)), (2, false));
    tenant.update_faults(|f| f.missing_permissions = vec!["User.Read.All".into()]);
    assert_eq!(reader.json("users/delta").await.0, 403);
}

#[tokio::test]
async fn a_closed_page_may_be_asked_for_again() {
    let (tenant, _server, reader) = small().await;
    tenant.update_options(|o| o.users_per_page = 10);
    let (_, first) = reader.json("users/delta?$select=displayName").await;
    let next = first["@odata.nextLink"].as_str().unwrap();
    let once = reader.json(next).await.1;
    assert_eq!(once, reader.json(next).await.1);
    assert_ne!(once["value"], first["value"]);
}
