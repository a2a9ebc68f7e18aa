//! The enterprise application: its roles, and its assignment list.

use super::*;
use crate::sandbox::Fault;
use crate::sandbox::GraphFaults;
use crate::sandbox::SampleOptions;

const LIST: &str = "servicePrincipals/5a3d0b0c-7e57-4000-8000-0000000000e1/appRoleAssignedTo";
const BY_APP: &str = "servicePrincipals(appId='5a3d0b0c-7e57-4000-8000-0000000000e2')";

async fn allowed(tenant: Tenant) -> (Tenant, Server, Reader) {
    tenant.grant_permission("Application.Read.All");
    let server = serve_tenant(&tenant).await;
    let reader = Reader::new(&tenant, &server).await;
    (tenant, server, reader)
}

/// Reads all pages by their links.
async fn whole(reader: &Reader, first: &str) -> (Vec<Value>, usize) {
    let (mut rows, mut pages, mut url) = (Vec::new(), 0, first.to_owned());
    loop {
        let (status, body) = reader.json(&url).await;
        assert_eq!(status, 200, "{body}");
        rows.extend(body["value"].as_array().unwrap().iter().cloned());
        pages += 1;
        match body["@odata.nextLink"].as_str() {
            Some(next) => url = next.to_owned(),
            None => return (rows, pages),
        }
    }
}

#[tokio::test]
async fn the_application_is_found_by_either_id_with_its_four_roles() {
    let (tenant, _server, reader) = allowed(Tenant::sample(3, 1)).await;
    let by_id = format!("servicePrincipals/{}", tenant.service_principal_id());
    for path in [by_id.as_str(), BY_APP] {
        let (status, body) = reader.json(path).await;
        assert_eq!(
            (status, body["id"].as_str()),
            (200, Some(tenant.service_principal_id().as_str())),
            "{path}"
        );
        let roles: Vec<_> = body["appRoles"]
            .as_array()
            .unwrap()
            .iter()
            .map(|role| role["value"].clone())
            .collect();
        assert_eq!(
            roles,
            [
                "GlobalAdministrator",
                "AuthenticationAdministrator",
                "BillingAdministrator",
                "ConditionalAccessAdministrator"
            ]
        );
    }
    let (_, body) = reader.json(&format!("{by_id}?$select=id,appRoles")).await;
    assert_eq!(body.as_object().unwrap().len(), 2);
    assert_eq!(
        reader
            .json("servicePrincipals/5a3d0b0c-7e57-4000-8000-00000000dead/appRoleAssignedTo")
            .await
            .0,
        404
    );
}

#[tokio::test]
async fn the_list_needs_its_own_permission() {
    let tenant = Tenant::sample(3, 1);
    let server = serve_tenant(&tenant).await;
    let reader = Reader::new(&tenant, &server).await;
    assert_eq!(reader.json(LIST).await.0, 403);
    tenant.grant_permission("Application.Read.All");
    assert_eq!(reader.json(LIST).await.0, 200);
    tenant.update_faults(|faults| faults.missing_permissions = vec!["Application.Read.All".into()]);
    assert_eq!(reader.json(LIST).await.0, 403);
}

#[tokio::test]
async fn assignments_come_in_pages_and_go_with_their_principal() {
    let (tenant, _server, reader) = allowed(Tenant::sample(10, 3)).await;
    tenant.update_options(|options| options.assignments_per_page = 2);
    let (users, groups) = (tenant.user_ids(), tenant.group_ids());
    for user in &users[..4] {
        tenant.assign(user, "");
    }
    tenant.assign(&users[0], "GlobalAdministrator");
    tenant.assign(&users[0], "GlobalAdministrator");
    tenant.assign(&groups[1], "BillingAdministrator");
    tenant.assign(&users[9], "NoSuchRole");
    let (rows, pages) = whole(&reader, LIST).await;
    assert_eq!((rows.len(), pages), (6, 3));
    assert_eq!(whole(&reader, &format!("{LIST}?$top=999")).await.1, 1);
    assert_eq!(
        whole(&reader, &format!("{BY_APP}/appRoleAssignedTo")).await.0,
        rows
    );
    assert_eq!(rows[0]["appRoleId"], "00000000-0000-0000-0000-000000000000");
    assert_eq!(
        (&rows[5]["principalType"], &rows[5]["principalId"]),
        (&json!("Group"), &json!(groups[1]))
    );
    assert_eq!(rows[5]["resourceId"], tenant.service_principal_id());
    tenant.soft_delete_user(&users[0]);
    assert_eq!(whole(&reader, LIST).await.0.len(), 4);
    tenant.restore_user(&users[0]);
    tenant.unassign(&users[0], Some("GlobalAdministrator"));
    assert_eq!(whole(&reader, LIST).await.0.len(), 5);
    tenant.unassign(&users[0], None);
    assert_eq!(tenant.assignments().len(), 4);
}

#[tokio::test]
async fn faults_of_the_list_strike_one_by_one() {
    let (tenant, _server, reader) = allowed(Tenant::sample(10, 1)).await;
    tenant.update_options(|options| options.assignments_per_page = 3);
    tenant.user_ids().iter().for_each(|user| tenant.assign(user, ""));
    let second = format!("{LIST}?$skiptoken=3");
    let ids = |body: &Value| -> Vec<Value> {
        body["value"]
            .as_array()
            .unwrap()
            .iter()
            .map(|row| row["id"].clone())
            .collect()
    };
    let (_, first) = reader.json(LIST).await;
    type Set = fn(&mut GraphFaults);
    let set: [(&str, Set); 3] = [
        ("503", |faults| faults.assignment_error = Fault::once()),
        ("429", |faults| faults.assignment_throttle = Fault::once()),
        ("200", |faults| faults.assignment_torn = Fault::once()),
    ];
    for (expected, fault) in set {
        tenant.update_faults(fault);
        let (status, body) = reader.json(&second).await;
        assert_eq!(status.to_string(), expected);
        if status == 200 {
            assert_eq!(
                ids(&body)[0],
                ids(&first)[2],
                "the page before moved into this one"
            );
        }
        assert_eq!(reader.json(&second).await.0, 200);
    }
    tenant.update_faults(|faults| faults.assignment_no_value = Fault::once());
    assert!(reader.json(&second).await.1.get("value").is_none());
    tenant.update_faults(|faults| faults.assignment_foreign_link = Fault::once());
    let link = reader.json(&second).await.1["@odata.nextLink"]
        .as_str()
        .unwrap()
        .to_owned();
    assert!(link.starts_with("https://graph.example.net/"), "{link}");
    tenant.update_faults(|faults| faults.assignment_truncated = Fault::once());
    assert_eq!(
        reader.json(&second).await.1,
        Value::Null,
        "half a document is none"
    );
}

#[test]
fn nested_sample_groups_have_circles_and_every_sample_has_the_same_assignments() {
    let wish = SampleOptions {
        users: 60,
        groups: 10,
        nested: true,
        assigned: true,
        plain: true,
        ..SampleOptions::default()
    };
    let tenant = Tenant::sample_with(wish.clone());
    let groups = tenant.group_ids();
    for number in 0..4 {
        assert!(
            tenant.members(&groups[number]).contains(&groups[number + 1]),
            "{number}"
        );
    }
    assert!(tenant.members(&groups[4]).contains(&groups[0]), "the circle");
    assert!(
        !tenant.members(&groups[9]).contains(&groups[5]),
        "a chain without one"
    );
    let kinds: BTreeSet<String> = tenant
        .assignments()
        .iter()
        .map(|row| row["principalType"].to_string())
        .collect();
    assert_eq!(kinds.len(), 2);
    assert_eq!(tenant.truth(), Tenant::sample_with(wish).truth());
}
