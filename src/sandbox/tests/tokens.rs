//! The token endpoint and permissions.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::*;

#[tokio::test]
async fn bad_credentials_are_named_as_entra_names_them() {
    let tenant = Tenant::empty();
    let server = serve_tenant(&tenant).await;
    let (id, app, secret) = (tenant.tenant_id(), tenant.client_id(), tenant.client_secret());
    for (tenant_id, client_id, secret, status, code) in [
        (
            "00000000-0000-0000-0000-000000000000",
            app.as_str(),
            secret.as_str(),
            400,
            90002,
        ),
        (&id, "00000000-0000-0000-0000-000000000000", &secret, 400, 700016),
        (&id, &app, "wrong", 401, 7000215),
    ] {
        let (found, body) = ask_token(&server, tenant_id, client_id, secret).await;
        assert_eq!((found, &body["error_codes"]), (status, &json!([code])));
        assert!(
            body["error_description"]
                .as_str()
                .unwrap()
                .starts_with(&format!("AADSTS{code}:"))
        );
        assert!(!body.to_string().contains(&tenant.client_secret()));
    }
    tenant.expire_secret();
    assert_eq!(
        ask_token(&server, &id, &app, &secret).await.1["error_codes"],
        json!([7_000_222])
    );
    tenant.set_client_secret("another");
    assert_eq!(ask_token(&server, &id, &app, "another").await.0, 200);
    assert_eq!(tenant.tokens_issued(), 1);
}

#[tokio::test]
async fn an_access_token_names_its_roles_and_really_expires() {
    let tenant = Tenant::sample(3, 1);
    let server = serve_tenant(&tenant).await;
    tenant.update_options(|o| o.token_seconds = 1);
    let reader = Reader::new(&tenant, &server).await;
    let claims: Value = serde_json::from_slice(
        &URL_SAFE_NO_PAD
            .decode(reader.bearer.split('.').nth(1).unwrap())
            .unwrap(),
    )
    .unwrap();
    assert_eq!(
        claims["roles"],
        json!(["Group.Read.All", "GroupMember.Read.All", "User.Read.All"])
    );
    assert_eq!(
        (&claims["tid"], &claims["appid"]),
        (&json!(tenant.tenant_id()), &json!(tenant.client_id()))
    );
    assert_eq!(reader.json("users/delta").await.0, 200);
    tokio::time::sleep(std::time::Duration::from_millis(1100)).await;
    let (status, body) = reader.json("users/delta").await;
    assert_eq!(
        (status, &body["error"]["code"]),
        (401, &json!("InvalidAuthenticationToken"))
    );
}

#[tokio::test]
async fn a_missing_permission_denies_its_resource_only() {
    let tenant = Tenant::sample(3, 1);
    tenant.revoke_permission("User.Read.All");
    let server = serve_tenant(&tenant).await;
    let reader = Reader::new(&tenant, &server).await;
    let (status, body) = reader.json("users/delta").await;
    assert_eq!(
        (status, &body["error"]["code"]),
        (403, &json!("Authorization_RequestDenied"))
    );
    assert_eq!(reader.json("groups/delta").await.0, 200);
    assert_eq!(
        reader
            .json(&format!("servicePrincipals(appId='{}')", tenant.client_id()))
            .await
            .0,
        403
    );
    tenant.grant_permission("Application.Read.All");
    let (_, principal) = reader
        .json(&format!("servicePrincipals(appId='{}')", tenant.client_id()))
        .await;
    let id = principal["id"].as_str().unwrap();
    let (_, granted) = reader
        .json(&format!("servicePrincipals/{id}/appRoleAssignments"))
        .await;
    assert_eq!(granted["value"].as_array().unwrap().len(), 3);
    tenant.expire_access_tokens();
    assert_eq!(reader.json("groups/delta").await.0, 401);
}
