//! The writer against the sandbox's tenant, over HTTP.

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;

use super::*;
use crate::entra::clouds::Cloud;
use crate::model::clock::SystemClock;
use crate::model::id::SourceId;
use crate::model::secret::Secret;
use crate::model::value::Value;
use crate::sandbox::Fault;
use crate::sandbox::Server;
use crate::sandbox::Tenant;
use crate::sandbox::limit::until_the_runtime_ends;
use crate::transport::NetworkOptions;
use crate::transport::RetryPolicy;

async fn start() -> (Tenant, Server, GraphWriter) {
    until_the_runtime_ends();
    let tenant = Tenant::empty();
    let server = tenant.serve("127.0.0.1:0".parse().unwrap()).await.unwrap();
    let (client_id, secret) = tenant.writer_credentials();
    let url: url::Url = server.url.parse().unwrap();
    let writer = GraphWriter::new(&GraphOptions {
        tenant_id: tenant.tenant_id(),
        client_id,
        credential: Secret::new(secret).into(),
        cloud: Cloud::Global,
        graph_url: Some(url.clone()),
        login_url: Some(url),
        network: NetworkOptions::default(),
        clock: Arc::new(SystemClock),
        retry: RetryPolicy::impatient(Duration::from_millis(600)),
    });
    (tenant, server, writer.unwrap())
}

fn user(tenant: &Tenant, props: serde_json::Value) -> SourceId {
    tenant.add_user(props).parse().unwrap()
}

fn phone(user: SourceId, number: Value) -> UserWrite {
    UserWrite {
        user,
        properties: vec![("mobilePhone".to_owned(), number)],
    }
}

/// Each outcome in one word.
fn words(sent: &[Sent]) -> Vec<String> {
    let word = |sent: &Sent| match sent {
        Sent::Done => "done".to_owned(),
        Sent::AlreadySo => "already so".to_owned(),
        Sent::NotYet(_) => "not yet".to_owned(),
        Sent::Unanswered(_) => "unanswered".to_owned(),
        Sent::Refused { status, .. } => format!("refused {status}"),
    };
    sent.iter().map(word).collect()
}

#[tokio::test]
async fn each_user_of_a_batch_has_an_outcome_of_their_own() {
    let (tenant, _server, writer) = start().await;
    tenant.grant_writer("User-Phone.ReadWrite.All");
    let ada = user(&tenant, json!({"displayName": "Ada"}));
    let bo = user(&tenant, json!({"displayName": "Bo", "mobilePhone": "+1"}));
    let synced = user(
        &tenant,
        json!({"displayName": "Sy", "onPremisesSyncEnabled": true}),
    );
    let admin = user(&tenant, json!({"displayName": "Ad"}));
    tenant.make_administrator(&admin.to_string());
    let gone = user(&tenant, json!({"displayName": "Gone"}));
    tenant.soft_delete_user(&gone.to_string());
    let writes = [
        phone(ada, Value::text("+49 30")),
        phone(bo, Value::Null),
        phone(synced, Value::text("+2")),
        phone(admin, Value::text("+3")),
        phone(gone, Value::text("+4")),
    ];
    let sent = writer.set(&writes).await.unwrap();
    assert_eq!(
        words(&sent),
        ["done", "done", "refused 400", "refused 403", "refused 404"]
    );
    assert_eq!(tenant.user(&ada.to_string()).unwrap()["mobilePhone"], "+49 30");
    assert!(tenant.user(&bo.to_string()).unwrap()["mobilePhone"].is_null());
    // A right that the app does not have.
    let title = UserWrite {
        user: ada,
        properties: vec![("jobTitle".to_owned(), Value::text("x"))],
    };
    assert_eq!(words(&writer.set(&[title]).await.unwrap()), ["refused 403"]);
    let facts = writer.token_facts().await.unwrap();
    assert_eq!(facts.granted.unwrap(), ["User-Phone.ReadWrite.All"]);
}

#[tokio::test]
async fn an_owner_of_the_group_adds_and_removes_by_reference() {
    let (tenant, _server, writer) = start().await;
    let group = tenant.add_group(json!({"displayName": "Key holders", "securityEnabled": true}));
    let ada = user(&tenant, json!({"displayName": "Ada"}));
    let write = |add| MembershipWrite {
        group: group.parse().unwrap(),
        user: ada,
        add,
    };
    assert_eq!(
        words(&writer.enrol(&[write(true)]).await.unwrap()),
        ["refused 403"]
    );
    tenant.let_writer_own(&group);
    for (add, expected, members) in [
        (true, "done", 1),
        (true, "already so", 1),
        (false, "done", 0),
        (false, "already so", 0),
    ] {
        assert_eq!(words(&writer.enrol(&[write(add)]).await.unwrap()), [expected]);
        assert_eq!(tenant.members(&group).len(), members);
    }
    assert!(
        tenant.user(&ada.to_string()).is_some(),
        "the member is there still"
    );
    tenant.update_faults(|faults| faults.fresh_objects = Fault::once());
    assert_eq!(words(&writer.enrol(&[write(true)]).await.unwrap()), ["not yet"]);
}

#[tokio::test]
async fn a_group_of_another_kind_is_refused() {
    let (tenant, _server, writer) = start().await;
    tenant.grant_writer("GroupMember.ReadWrite.All");
    let ada = user(&tenant, json!({"displayName": "Ada"}));
    for (props, expected) in [
        (json!({"groupTypes": ["DynamicMembership"]}), "refused 403"),
        (json!({"onPremisesSyncEnabled": true}), "refused 400"),
        (json!({"mailEnabled": true}), "refused 400"),
        (json!({"isAssignableToRole": true}), "refused 403"),
    ] {
        let group = tenant.add_group(props.clone()).parse().unwrap();
        let write = MembershipWrite {
            group,
            user: ada,
            add: true,
        };
        assert_eq!(
            words(&writer.enrol(&[write]).await.unwrap()),
            [expected],
            "{props}"
        );
    }
}

#[tokio::test]
async fn throttled_writes_are_sent_again_alone() {
    let (tenant, _server, writer) = start().await;
    tenant.grant_writer("User-Phone.ReadWrite.All");
    let users: Vec<SourceId> = (0..45).map(|_| user(&tenant, json!({}))).collect();
    let writes: Vec<UserWrite> = users.iter().map(|user| phone(*user, Value::text("+1"))).collect();
    tenant.update_faults(|faults| {
        faults.batch_throttle = Fault::times(7);
        faults.retry_after = Some("0.01".to_owned());
    });
    let sent = writer.set(&writes).await.unwrap();
    assert!(sent.iter().all(|sent| *sent == Sent::Done), "{sent:?}");
    let batches = tenant
        .requests()
        .iter()
        .filter(|request| request.path.ends_with("$batch"))
        .count();
    assert_eq!(batches, 4, "three batches, and seven writes once more");
    // For ever: the rest of them is another cycle's.
    tenant.update_faults(|faults| faults.batch_throttle = Fault::always().after(3));
    let sent = words(&writer.set(&writes[..5]).await.unwrap());
    assert_eq!(sent.iter().filter(|word| *word == "done").count(), 3, "{sent:?}");
    assert_eq!(
        sent.iter().filter(|word| *word == "not yet").count(),
        2,
        "{sent:?}"
    );
}

#[tokio::test]
async fn a_write_without_an_answer_is_not_sent_again() {
    let (tenant, _server, writer) = start().await;
    tenant.grant_writer("User-Phone.ReadWrite.All");
    let ada = user(&tenant, json!({}));
    writer.token_facts().await.unwrap();
    for fault in ["dropped", "server error"] {
        tenant.clear_requests();
        tenant.update_faults(|faults| match fault {
            "dropped" => faults.dropped = Fault::once(),
            _ => faults.server_error = Fault::once(),
        });
        let sent = writer.set(&[phone(ada, Value::text("+1"))]).await.unwrap();
        assert_eq!(words(&sent), ["unanswered"], "{fault}");
        assert_eq!(tenant.request_count(), 1, "{fault}");
    }
    // Throttled as a whole, it was not carried out, and is sent again.
    tenant.update_faults(|faults| faults.throttle = Fault::once());
    assert_eq!(
        words(&writer.set(&[phone(ada, Value::text("+1"))]).await.unwrap()),
        ["done"]
    );
}

#[tokio::test]
async fn a_refused_credential_is_an_error() {
    let (tenant, _server, writer) = start().await;
    tenant.set_tenant_id("5a3d0b0c-7e57-4000-8000-0000000000ff");
    let ada = user(&tenant, json!({}));
    assert!(writer.set(&[phone(ada, Value::Null)]).await.is_err());
    assert!(
        writer.set(&[]).await.unwrap().is_empty(),
        "nothing to send, nothing to refuse"
    );
}
