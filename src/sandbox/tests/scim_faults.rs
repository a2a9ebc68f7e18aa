//! A workspace in trouble, a workspace in use before, and the faults file.

use std::time::Duration;

use super::*;
use crate::sandbox::Fault;
use crate::sandbox::ScimFaults;
use crate::sandbox::load_faults;
use crate::sandbox::sample_config;

fn user(name: &str) -> Value {
    json!({"schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"], "userName": name})
}

#[tokio::test]
async fn a_request_may_be_carried_out_and_its_answer_lost() {
    let (workspace, _server, scim) = start().await;
    workspace.update_faults(|f| f.drop_after = Fault::once().only("POST"));
    assert!(scim.send("POST", "Users", Some(user("lost"))).await.is_err());
    let id = workspace.user_by_name("lost").unwrap()["id"]
        .as_str()
        .unwrap()
        .to_owned();
    workspace.update_faults(|f| f.drop_before = Fault::once());
    assert!(scim.send("DELETE", &format!("Users/{id}"), None).await.is_err());
    assert_eq!(workspace.user_count(), 1);
    workspace.update_faults(|f| f.drop_after = Fault::once().only("DELETE"));
    assert!(scim.send("DELETE", &format!("Users/{id}"), None).await.is_err());
    assert_eq!(workspace.user_count(), 0);
    workspace.update_faults(|f| {
        f.slow_after = Fault::once();
        f.slow_ms = Some(400);
    });
    let impatient = client()
        .post(format!("{}Users", scim.base))
        .bearer_auth(&scim.bearer)
        .timeout(Duration::from_millis(100));
    let sent = impatient
        .header("content-type", "application/scim+json")
        .body(user("slow").to_string())
        .send()
        .await;
    assert!(sent.unwrap_err().is_timeout());
    assert_eq!((workspace.user_count(), workspace.writes()), (1, 4));
}

#[tokio::test]
async fn each_fault_looks_as_it_should() {
    type Switch = fn(&mut ScimFaults);
    let table: [(&str, Switch, u16, usize); 9] = [
        ("throttle", |f| f.throttle = Fault::once(), 429, 0),
        ("unavailable", |f| f.unavailable = Fault::once(), 503, 0),
        ("server error", |f| f.server_error = Fault::once(), 500, 0),
        (
            "server error after",
            |f| f.server_error_after = Fault::once(),
            500,
            1,
        ),
        ("html", |f| f.html_error = Fault::once(), 502, 0),
        ("unauthorized", |f| f.unauthorized = Fault::once(), 401, 0),
        ("no id", |f| f.create_without_id = Fault::once(), 201, 1),
        ("nothing done", |f| f.ignore_write = Fault::once(), 201, 0),
        (
            "refused name",
            |f| f.refuse_user_names = vec!["ADA".into()],
            400,
            0,
        ),
    ];
    for (name, switch, status, stored) in table {
        let (workspace, _server, scim) = start().await;
        workspace.update_faults(switch);
        assert_eq!(scim.post("Users", user("ada")).await.0, status, "{name}");
        assert_eq!(workspace.user_count(), stored, "{name}");
        assert_eq!(scim.post("Users", user("bob")).await.0, 201, "{name}: over");
    }
}

#[tokio::test]
async fn the_nth_request_fails_and_a_rate_is_kept() {
    let (workspace, _server, scim) = start().await;
    workspace.update_faults(|f| f.server_error = Fault::times(2).after(2));
    let mut statuses = Vec::new();
    for n in 0..5 {
        statuses.push(scim.post("Users", user(&format!("n{n}"))).await.0);
    }
    assert_eq!(statuses, [201, 201, 500, 500, 201]);
    workspace.set_faults(ScimFaults {
        writes_per_minute: Some(60),
        burst: Some(2),
        ..ScimFaults::default()
    });
    let mut refused = 0;
    for n in 0..4 {
        refused += usize::from(scim.post("Users", user(&format!("r{n}"))).await.0 == 429);
    }
    assert_eq!(refused, 2);
    assert_eq!(scim.get("Users").await.0, 200);
}

#[tokio::test]
async fn a_half_filled_workspace_matches_some_and_differs_in_some() {
    let (tenant, workspace) = (Tenant::sample(60, 8), Workspace::new());
    workspace.half_fill(&tenant, 0.5);
    assert_eq!((workspace.user_count(), workspace.group_count()), (32, 4));
    let ids = tenant.user_ids();
    let known = ids.iter().filter(|id| {
        let user = tenant.user(id).unwrap();
        let upn = user["userPrincipalName"].as_str().unwrap();
        // Guests exist under the name that Entra's engine gives them.
        let upn = upn.replace("_partner.example#EXT#@corp.example", "@partner.example");
        workspace.user_by_name(&upn).is_some()
    });
    assert_eq!(known.count(), 30);
    assert!(
        workspace
            .users()
            .iter()
            .any(|user| user.get("externalId").is_some())
    );
    let id = workspace.user_by_name("breakglass@corp.example").unwrap()["id"]
        .as_str()
        .unwrap()
        .to_owned();
    assert!(workspace.edit_user(&id, json!({"active": null, "title": "t"})));
    let edited = workspace.user(&id).unwrap();
    assert_eq!((edited.get("active"), &edited["title"]), (None, &json!("t")));
    assert!(workspace.remove_user(&id) && !workspace.remove_user(&id));
}

#[tokio::test]
async fn a_stopped_server_can_be_started_again_with_the_same_content() {
    let workspace = Workspace::new();
    let server = serve_workspace(&workspace).await;
    let (addr, scim) = (server.addr, Scim::new(&workspace, &server).await);
    scim.post("Users", user("stays")).await;
    server.stop().await;
    assert!(scim.send("GET", "Users", None).await.is_err());
    let server = workspace.serve(addr).await.unwrap();
    assert_eq!(scim.get("Users").await.1["totalResults"], 1);
    drop(server);
}

#[test]
fn a_faults_file_is_read_and_an_unknown_fault_refused() {
    let text = "[graph]\nempty_pages = true\nthrottle = 2\nretry_after = \"0.5\"\nreset_form = \"bad_request\"\n\
                missing_permissions = [\"User.Read.All\"]\npage_size = 3\nformer_manager = \"after\"\n\
                [scim]\nserver_error = 0.1\ndrop_after = { times = 1, after = 3, only = \"POST\" }\nwrites_per_minute = 600\n\
                [scim.odd]\nnot_atomic = true\nmost_members_in_patch = 3\n";
    let (graph, scim) = load_faults(text).unwrap();
    assert!(graph.empty_pages.is_armed() && graph.throttle.is_armed() && !graph.unavailable.is_armed());
    assert!(scim.drop_after.is_armed() && scim.server_error.is_armed());
    assert_eq!(scim.writes_per_minute, Some(600));
    assert!(scim.odd.not_atomic && scim.odd.most_members_in_patch == Some(3) && !scim.odd.no_patch);
    for wrong in [
        "[graph]\nno_such_fault = true\n",
        "[other]\n",
        "[scim]\nthrottle = \"often\"\n",
        "[scim.odd]\nno_such_oddity = true\n",
    ] {
        assert!(load_faults(wrong).is_err(), "{wrong}");
    }
}

#[test]
fn the_sample_config_is_toml_and_names_the_servers() {
    let tenant = Tenant::empty();
    let text = sample_config(
        "http://127.0.0.1:1",
        "http://127.0.0.1:1",
        "http://127.0.0.1:2/api/scim/v2/",
        &tenant,
    );
    let config: toml::Table = toml::from_str(&text).unwrap();
    let job = &config["jobs"]["idmelon"];
    assert_eq!(
        job["source"]["tenant_id"].as_str(),
        Some(tenant.tenant_id().as_str())
    );
    assert_eq!(
        job["target"]["url"].as_str(),
        Some("http://127.0.0.1:2/api/scim/v2/")
    );
    assert_eq!(job["mode"].as_str(), Some("enforce"));
}
