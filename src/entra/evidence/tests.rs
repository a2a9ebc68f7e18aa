//! The reads of the way back against the sandbox's tenant, over HTTP.

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use url::Url;

use super::*;
use crate::entra::GraphOptions;
use crate::entra::clouds::Cloud;
use crate::model::clock::SystemClock;
use crate::model::secret::Secret;
use crate::reconcile::back::group::Unfit;
use crate::reconcile::back::group::unfit;
use crate::sandbox::Server;
use crate::sandbox::Tenant;
use crate::sandbox::limit::until_the_runtime_ends;
use crate::transport::NetworkOptions;
use crate::transport::RetryPolicy;

/// Each test has a tenant of its own name: the quota of reports is shared by app and tenant.
async fn start(tenant_id: &str) -> (Tenant, Server, GraphSource) {
    until_the_runtime_ends();
    let tenant = Tenant::empty();
    tenant.set_tenant_id(tenant_id);
    let server = tenant.serve("127.0.0.1:0".parse().unwrap()).await.unwrap();
    let source = source(&tenant, &server);
    (tenant, server, source)
}

fn source(tenant: &Tenant, server: &Server) -> GraphSource {
    let url: Url = server.url.parse().unwrap();
    let source = GraphSource::new(GraphOptions {
        tenant_id: tenant.tenant_id(),
        client_id: tenant.client_id(),
        credential: Secret::new(tenant.client_secret()).into(),
        cloud: Cloud::Global,
        graph_url: Some(url.clone()),
        login_url: Some(url),
        network: NetworkOptions::default(),
        clock: Arc::new(SystemClock),
        retry: RetryPolicy::impatient(Duration::from_millis(300)),
    });
    source.unwrap()
}

fn id(text: &str) -> SourceId {
    text.parse().unwrap()
}

#[tokio::test]
async fn the_report_tells_who_has_a_passkey_and_who_is_an_administrator() {
    let (tenant, _server, source) = start("5a3d0b0c-7e57-4000-8000-000000000e01").await;
    let users: Vec<String> = (0..130).map(|_| tenant.add_user(json!({}))).collect();
    tenant.disable_user(&users[2]);
    tenant.register_passkey(&users[0], "a-model");
    tenant.make_administrator(&users[1]);
    let refused = source.registrations().await.unwrap_err();
    assert!(matches!(refused, SourceError::Forbidden { .. }), "{refused:?}");
    tenant.grant_permission("AuditLog.Read.All");
    let report = source.registrations().await.unwrap();
    assert_eq!(report.len(), 129, "the disabled user is not in it");
    let of = |user: &str| report.iter().find(|row| row.user == id(user)).copied();
    assert!(of(&users[0]).unwrap().passkey && !of(&users[0]).unwrap().admin);
    assert!(of(&users[1]).unwrap().admin && !of(&users[1]).unwrap().passkey);
    assert_eq!(of(&users[2]), None);
}

#[tokio::test]
async fn a_users_passkeys_are_named_by_their_models() {
    let (tenant, _server, source) = start("5a3d0b0c-7e57-4000-8000-000000000e02").await;
    tenant.grant_permission("UserAuthMethod-Passkey.Read.All");
    let ada = tenant.add_user(json!({}));
    assert!(source.passkeys(id(&ada)).await.unwrap().is_empty());
    tenant.register_passkey(&ada, "39a5647e-1853-446c-a1f6-a79bae9f5bc7");
    let held = source.passkeys(id(&ada)).await.unwrap();
    assert_eq!(held, ["39a5647e-1853-446c-a1f6-a79bae9f5bc7"]);
}

#[tokio::test]
async fn without_a_licence_there_is_no_report() {
    let (tenant, _server, source) = start("5a3d0b0c-7e57-4000-8000-000000000e03").await;
    tenant.grant_permission("AuditLog.Read.All");
    tenant.end_licence();
    let refused = source.registrations().await.unwrap_err();
    assert!(refused.what().contains("NonPremium"), "{refused}");
    assert!(refused.hint().contains("P1 or P2"), "{}", refused.hint());
}

#[tokio::test]
async fn the_enrolled_group_is_read_whole() {
    let (tenant, _server, source) = start("5a3d0b0c-7e57-4000-8000-000000000e04").await;
    let group = tenant.add_group(json!({"groupTypes": [], "mailEnabled": false, "securityEnabled": true}));
    let users: Vec<String> = (0..1_200).map(|_| tenant.add_user(json!({}))).collect();
    for user in &users {
        tenant.add_member(&group, user);
    }
    let device = tenant.add_device();
    tenant.add_member(&group, &device);
    assert_eq!(source.group_members(id(&group)).await.unwrap().len(), 1_200);
    assert!(unfit(&source.group_facts(id(&group)).await.unwrap()).is_empty());
    assert!(source.group_owners(id(&group)).await.unwrap().is_empty());
    tenant.let_writer_own(&group);
    let (writer, _) = tenant.writer_credentials();
    assert_eq!(source.group_owners(id(&group)).await.unwrap(), [writer]);
    for (props, expected) in [
        (json!({"groupTypes": ["DynamicMembership"]}), vec![Unfit::Dynamic]),
        (
            json!({"groupTypes": [], "onPremisesSyncEnabled": true}),
            vec![Unfit::Synced],
        ),
        (json!({"isCloudManaged": true}), vec![]),
        (json!({"isAssignableToRole": true}), vec![Unfit::RoleAssignable]),
    ] {
        tenant.set_group(&group, props.clone());
        let facts = source.group_facts(id(&group)).await.unwrap();
        assert_eq!(unfit(&facts), expected, "{props}");
    }
    assert!(
        source.group_facts(id(&users[0])).await.is_err(),
        "a user is no group"
    );
}
