//! Azure's provisioning job: what it does to the workspace, what it tells of it, and who may ask and steer.

use serde_json::Value;
use serde_json::json;

use super::*;
use crate::sandbox::Workspace;

const JOBS: &str = "servicePrincipals/5a3d0b0c-7e57-4000-8000-0000000000e1/synchronization/jobs";

fn pair(users: usize, groups: usize) -> (Tenant, Workspace) {
    let (tenant, workspace) = (Tenant::sample(users, groups), Workspace::new());
    tenant.provision_into(&workspace);
    tenant.start_azure();
    (tenant, workspace)
}

#[test]
fn an_execution_provisions_and_the_next_one_has_nothing_to_do() {
    let (tenant, workspace) = pair(30, 4);
    assert!(tenant.azure_cycle() > 30);
    let failures: Vec<Value> = tenant
        .azure_log()
        .into_iter()
        .filter(|entry| entry["provisioningStatusInfo"]["status"] != "success")
        .collect();
    assert!(failures.is_empty(), "{failures:#?}");
    assert_eq!(tenant.azure_cycle(), 0);
    let enabled = |id: &&String| tenant.user(id).unwrap()["accountEnabled"] != false;
    let ids = tenant.user_ids();
    for id in ids.iter().filter(enabled) {
        assert_eq!(workspace.users_by_external_id(id).len(), 1, "{id}");
    }
    assert_eq!(workspace.group_count(), tenant.group_ids().len());
    let leaver = ids.iter().find(enabled).unwrap();
    tenant.set_user(leaver, json!({"jobTitle": "Chief", "mail": "new@corp.example"}));
    assert_eq!(tenant.azure_cycle(), 1);
    assert_eq!(workspace.users_by_external_id(leaver)[0]["title"], "Chief");
    tenant.soft_delete_user(leaver);
    tenant.azure_cycle();
    assert_eq!(workspace.users_by_external_id(leaver)[0]["active"], false);
    tenant.restore_user(leaver);
    tenant.azure_cycle();
    assert_eq!(workspace.users_by_external_id(leaver)[0]["active"], true);
    tenant.hard_delete_user(leaver);
    tenant.azure_cycle();
    assert!(workspace.users_by_external_id(leaver).is_empty());
}

#[test]
fn a_pause_lets_the_execution_under_way_end() {
    let (tenant, workspace) = pair(5, 1);
    tenant.begin_azure_cycle();
    tenant.pause_azure();
    assert_eq!(workspace.user_count(), 0);
    assert!(tenant.end_azure_cycle() > 0, "what ran goes on");
    assert!(workspace.user_count() > 0);
    let late = tenant.add_user(json!({"userPrincipalName": "late@corp.example", "displayName": "Late"}));
    assert_eq!(tenant.azure_cycle(), 0, "no other one follows");
    tenant.start_azure();
    assert_eq!(tenant.azure_cycle(), 1);
    assert_eq!(workspace.users_by_external_id(&late).len(), 1);
}

#[test]
fn its_mistakes_are_those_that_are_known() {
    let (tenant, workspace) = pair(0, 0);
    tenant.update_azure(|job| {
        job.keeps_nulls = true;
        job.forgets_late_members = true;
        job.nickname_as_external_id = true;
    });
    let ada = tenant.add_user(
        json!({"userPrincipalName": "ada@corp.example", "mailNickname": "ada", "jobTitle": "Engineer"}),
    );
    let group = tenant.add_group(json!({"displayName": "Keys"}));
    tenant.add_member(&group, &ada);
    tenant.azure_cycle();
    assert_eq!(workspace.users()[0]["externalId"], "ada");
    assert_eq!(workspace.groups()[0]["members"].as_array().unwrap().len(), 1);
    tenant.set_user(&ada, json!({"jobTitle": null}));
    assert_eq!(tenant.azure_cycle(), 0);
    assert_eq!(workspace.users()[0]["title"], "Engineer");
    let late = tenant.add_user(json!({"userPrincipalName": "late@corp.example", "accountEnabled": false}));
    tenant.add_member(&group, &late);
    tenant.azure_cycle();
    tenant.enable_user(&late);
    tenant.azure_cycle();
    assert_eq!(workspace.user_count(), 2);
    assert_eq!(
        workspace.groups()[0]["members"].as_array().unwrap().len(),
        1,
        "the late one was forgotten"
    );
}

#[tokio::test]
async fn status_and_log_need_their_rights() {
    until_the_runtime_ends();
    let (tenant, _workspace) = pair(12, 1);
    tenant.azure_cycle();
    let server = tenant.serve("127.0.0.1:0".parse().unwrap()).await.unwrap();
    let reader = Reader::new(&tenant, &server).await;
    assert_eq!(reader.json(JOBS).await.0, 403);
    assert_eq!(reader.json("auditLogs/provisioning").await.0, 403);
    tenant.grant_permission("Synchronization.Read.All");
    tenant.grant_permission("ProvisioningLog.Read.All");
    let (status, jobs) = reader.json(JOBS).await;
    assert_eq!(
        (status, &jobs["value"][0]["status"]["code"]),
        (200, &json!("Active")),
        "{jobs}"
    );
    let (_, first) = reader.json("auditLogs/provisioning?$top=10").await;
    assert_eq!(first["value"].as_array().unwrap().len(), 10);
    let next = first["@odata.nextLink"].as_str().unwrap().to_owned();
    let (_, second) = reader.json(&next).await;
    assert_ne!(first["value"][0]["id"], second["value"][0]["id"]);
    let none = "auditLogs/provisioning?$filter=activityDateTime%20ge%202999-01-01T00:00:00Z";
    assert!(reader.json(none).await.1["value"].as_array().unwrap().is_empty());
    assert_eq!(
        reader
            .json("auditLogs/provisioning?$filter=name%20eq%20'x'")
            .await
            .0,
        400
    );
    assert_eq!(
        reader.json("auditLogs/provisioning").await.0,
        429,
        "five in ten seconds"
    );
    let id = jobs["value"][0]["id"].as_str().unwrap();
    let steer = |token: String| {
        let url = format!("{}/v1.0/{JOBS}/{id}/pause", server.url);
        client().post(url).bearer_auth(token).send()
    };
    assert_eq!(steer(reader.bearer.clone()).await.unwrap().status(), 403);
    assert_eq!(steer(tenant.admin_token()).await.unwrap().status(), 204);
    assert!(tenant.azure_is_paused());
}
