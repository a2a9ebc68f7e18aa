//! `[jobs.NAME.source]`: which directory is asked, as whom, and who of it counts.

use std::fs;

use melonsync::sandbox::Tenant;
use serde_json::json;

use super::stage::Ear;
use super::stage::Stage;

super::rows! {
    "jobs.idmelon.source.kind" => kind;
    "jobs.idmelon.source.tenant_id" => tenant_id;
    "jobs.idmelon.source.client_id" => client_id;
    "jobs.idmelon.source.cloud" => cloud;
    "jobs.idmelon.source.graph_url" => graph_url;
    "jobs.idmelon.source.login_url" => login_url;
    "jobs.idmelon.source.scope", "jobs.idmelon.source.service_principal_id" => scope;
    "jobs.idmelon.source.nested_groups", "jobs.idmelon.source.nested_groups.scope",
    "jobs.idmelon.source.nested_groups.members" => nested_groups;
    "jobs.idmelon.source.user_filter" => user_filter;
    "jobs.idmelon.source.group_filter" => group_filter;
    "jobs.idmelon.source.guests" => guests;
    "jobs.idmelon.source.users" => users;
    "jobs.idmelon.source.groups" => groups;
    "jobs.idmelon.source.credential.client_secret" => client_secret;
    "jobs.idmelon.source.credential.client_secret.env" => client_secret_env;
    "jobs.idmelon.source.credential.client_secret.file" => client_secret_file;
    "jobs.idmelon.source.credential.certificate.file", "jobs.idmelon.source.credential.certificate.key",
    "jobs.idmelon.source.credential.certificate.key.file" => certificate;
    "jobs.idmelon.source.credential.certificate.env", "jobs.idmelon.source.credential.certificate.key.env" => certificate_env;
    "jobs.idmelon.source.credential.federated_token_file" => federated_token_file;
    "jobs.idmelon.source.credential.managed_identity",
    "jobs.idmelon.source.credential.managed_identity.client_id" => managed_identity;
    "jobs.idmelon.source.credential.expires" => expires;
}

const SECRET: &str = "jobs.idmelon.source.credential.client_secret";
const SOMEBODY_ELSE: &str = "11111111-2222-4333-8444-555555555555";

/// There is one kind: every other word is refused, before anything is asked.
fn kind() {
    let ran = Stage::new(1, 0).source("kind", "okta").run(&["sync"]).exits(2);
    assert!(
        ran.err.contains("`jobs.idmelon.source.kind` cannot be \"okta\""),
        "{ran:?}"
    );
    Stage::new(1, 0).source("kind", "entra").converges();
}

fn tenant_id() {
    let stage = Stage::new(1, 0).source("tenant_id", SOMEBODY_ELSE);
    stage.run(&["sync"]).exits(1);
    let asked = stage.world.tenant.requests();
    assert!(
        asked[0].path.contains(&format!("/{SOMEBODY_ELSE}/oauth2")),
        "{asked:?}"
    );
}

fn client_id() {
    let ran = Stage::new(1, 0)
        .source("client_id", SOMEBODY_ELSE)
        .run(&["sync"])
        .exits(1);
    assert!(ran.err.contains("AADSTS700016"), "{ran:?}");
}

/// A cloud is its two addresses, where none are written.
fn cloud() {
    for (cloud, login, graph) in [
        ("global", "login.microsoftonline.com", "graph.microsoft.com"),
        ("us-gov", "login.microsoftonline.us", "graph.microsoft.us"),
        ("us-gov-dod", "login.microsoftonline.us", "dod-graph.microsoft.us"),
        (
            "china",
            "login.chinacloudapi.cn",
            "microsoftgraph.chinacloudapi.cn",
        ),
    ] {
        let proxy = Ear::new();
        let stage = Stage::new(1, 0)
            .source("cloud", cloud)
            .with("network.proxy", &format!("http://{}", proxy.address));
        let config = stage.world.config();
        let without = |key: &str| {
            let lines = config.lines().filter(|line| !line.starts_with(key));
            lines.collect::<Vec<_>>().join("\n")
        };
        // A proxy that hangs up is asked again for a long time: the first words are enough.
        stage.world.write(&without("login_url"));
        let asking = stage.start(&["check"]);
        let first = proxy.hears_first();
        assert!(first.contains(&format!("{login}:443")), "{cloud}: {first}");
        drop(asking);
        drop(proxy.heard());
        stage.world.write(&without("graph_url"));
        let asking = stage.start(&["check"]);
        proxy.hears(&format!(" {graph}:443"));
        drop(asking);
    }
}

fn graph_url() {
    let ear = Ear::new();
    let stage = Stage::new(1, 0).source("graph_url", &format!("http://{}/tenant", ear.address));
    let _running = stage.start(&["sync"]);
    ear.hears("GET /tenant/v1.0/users/delta");
}

fn login_url() {
    let ear = Ear::new();
    let stage = Stage::new(1, 0).source("login_url", &format!("http://{}/there", ear.address));
    let _running = stage.start(&["sync"]);
    ear.hears("POST /there/");
}

/// Two users, of whom one is assigned.
fn scope() {
    let stage = Stage::new(3, 0)
        .source("scope", "assigned")
        .source("service_principal_id", SOMEBODY_ELSE);
    stage.world.tenant.grant_permission("Application.Read.All");
    stage.world.tenant.assign(&stage.user(1), "");
    stage.run(&["sync"]).exits(1);
    let asked = stage.world.tenant.requests();
    assert!(
        asked.iter().any(|one| one.path.contains(SOMEBODY_ELSE)),
        "{asked:?}"
    );
    let principal = stage.world.tenant.service_principal_id();
    let stage = stage.source("service_principal_id", &principal);
    stage.sync(&[]);
    let held = [0, 1, 2].map(|n| stage.held(&stage.user(n)).is_some());
    assert_eq!(held, [false, true, false]);
    stage.source("scope", "all").sync(&[]);
}

/// An assigned group with a group in it, and a user in that.
fn nested_groups() {
    for (value, comes, joins) in [
        ("ignore", false, false),
        ("flatten", true, true),
        ("{ scope = \"transitive\" }", true, false),
        ("{ scope = \"transitive\", members = \"flatten\" }", true, true),
        ("{ members = \"flatten\" }", false, false),
    ] {
        let tenant = Tenant::empty();
        let user = tenant.add_user(json!({"userPrincipalName": "inner@corp.example"}));
        let direct = tenant.add_user(json!({"userPrincipalName": "outer@corp.example"}));
        let (outer, inner) = (
            tenant.add_group(json!({"displayName": "Outer"})),
            tenant.add_group(json!({"displayName": "Inner"})),
        );
        tenant.add_member(&outer, &direct);
        tenant.add_member(&outer, &inner);
        tenant.add_member(&inner, &user);
        tenant.assign(&outer, "");
        tenant.grant_permission("Application.Read.All");
        let principal = tenant.service_principal_id();
        let stage = Stage::of(tenant)
            .source("scope", "assigned")
            .source("service_principal_id", &principal)
            .source("nested_groups", value);
        stage.sync(&[]);
        assert_eq!(stage.held(&user).is_some(), comes, "{value}");
        assert_eq!(stage.members(&outer), 1 + usize::from(joins), "{value}");
    }
}

fn user_filter() {
    let stage = Stage::new(4, 1);
    let id = stage.user(2);
    let stage = stage.source("user_filter", &format!("'id EQUALS \"{id}\"'"));
    stage.sync(&[]);
    assert_eq!(
        (
            stage.world.workspace.user_count(),
            stage.world.workspace.group_count()
        ),
        (1, 1)
    );
    assert!(stage.held(&id).is_some());
}

fn group_filter() {
    let stage = Stage::new(4, 3);
    let id = stage.group(1);
    let stage = stage.source("group_filter", &format!("'id EQUALS \"{id}\"'"));
    stage.sync(&[]);
    assert_eq!(
        (
            stage.world.workspace.user_count(),
            stage.world.workspace.group_count()
        ),
        (4, 1)
    );
    assert!(stage.held_group(&id).is_some());
}

fn guests() {
    for (word, held) in [("include", 3), ("accepted", 2), ("exclude", 1)] {
        let stage = Stage::new(1, 0).source("guests", word);
        for state in ["Accepted", "PendingAcceptance"] {
            stage.world.tenant.add_user(json!({
                "userPrincipalName": format!("{state}#EXT#@corp.example"), "userType": "Guest", "externalUserState": state,
            }));
        }
        stage.sync(&[]);
        assert_eq!(stage.world.workspace.user_count(), held, "{word}");
    }
}

fn users() {
    let stage = Stage::new(3, 1).source("users", "false");
    stage.sync(&[]);
    assert_eq!(
        (
            stage.world.workspace.user_count(),
            stage.world.workspace.group_count()
        ),
        (0, 1)
    );
}

fn groups() {
    let stage = Stage::new(3, 1).source("groups", "false");
    stage.sync(&[]);
    assert_eq!(
        (
            stage.world.workspace.user_count(),
            stage.world.workspace.group_count()
        ),
        (3, 0)
    );
}

/// The variable that overrides the key may hold the secret itself.
fn client_secret() {
    let right = Stage::new(1, 0);
    let secret = right.world.tenant.client_secret();
    let right = right.with(SECRET, &secret);
    let without = |stage: &Stage| {
        let mut command = stage.command(&["sync", "-q"]);
        command.env_remove("ENTRA_CLIENT_SECRET");
        crate::cli_output::world::finished(command.spawn().unwrap())
    };
    without(&right).exits(0);
    without(&Stage::new(1, 0)).exits(2);
    let ran = Stage::new(1, 0).with(SECRET, "another").run(&["sync"]).exits(1);
    assert!(ran.err.contains("AADSTS7000215"), "{ran:?}");
}

fn client_secret_env() {
    let stage = Stage::new(1, 0).with(SECRET, "{ env = \"ELSEWHERE\" }");
    let ran = stage.run(&["sync"]).exits(2);
    assert!(ran.err.contains("ELSEWHERE"), "{ran:?}");
    let mut command = stage.command(&["sync", "-q"]);
    command
        .env("ELSEWHERE", stage.world.tenant.client_secret())
        .env_remove("ENTRA_CLIENT_SECRET");
    crate::cli_output::world::finished(command.spawn().unwrap()).exits(0);
}

fn client_secret_file() {
    let stage = Stage::new(1, 0).with(SECRET, "{ file = \"secret\" }");
    fs::write(stage.world.path("secret"), "another").unwrap();
    stage.run(&["sync"]).exits(1);
    fs::write(
        stage.world.path("secret"),
        stage.world.tenant.client_secret() + "\n",
    )
    .unwrap();
    stage.converges();
}

const CREDENTIAL: &str = "jobs.idmelon.source.credential";

fn pem(name: &str) -> String {
    fs::read_to_string(format!("tests/data/certificates/{name}")).unwrap()
}

/// Certificate and key in two files, in one file, and several in a list, of which the service knows the last.
fn certificate() {
    let stage = Stage::new(1, 0).with(
        CREDENTIAL,
        "{ certificate = { file = \"cert.pem\", key = { file = \"key.pem\" } } }",
    );
    let ran = stage.run(&["sync"]).exits(2);
    assert!(ran.err.contains("cannot read the file key.pem"), "{ran:?}");
    for (file, pem) in [("cert.pem", pem("cert.pem")), ("key.pem", pem("key.pem"))] {
        fs::write(stage.world.path(file), pem).unwrap();
    }
    let ran = stage.run(&["sync"]).exits(1);
    assert!(
        ran.err.contains("AADSTS700027") && ran.err.contains("upload it"),
        "{ran:?}"
    );
    stage.world.tenant.trust_certificate(&pem("cert.pem"));
    stage.converges();
    fs::write(stage.world.path("key.pem"), pem("other-key.pem")).unwrap();
    let ran = stage.run(&["sync"]).exits(2);
    assert!(ran.err.contains("does not belong to its certificate"), "{ran:?}");
    fs::write(stage.world.path("cert.pem"), pem("cert.pem") + &pem("key.pem")).unwrap();
    let list =
        "{ certificate = [{ file = \"nowhere.pem\" }, { file = \"other.pem\" }, { file = \"cert.pem\" }] }";
    let stage = stage.with(CREDENTIAL, list);
    fs::write(
        stage.world.path("other.pem"),
        pem("other-cert.pem") + &pem("other-key.pem"),
    )
    .unwrap();
    stage.converges();
}

fn certificate_env() {
    let stage = Stage::new(1, 0).with(
        CREDENTIAL,
        "{ certificate = { env = \"CERT\", key = { env = \"KEY\" } } }",
    );
    stage.world.tenant.trust_certificate(&pem("cert.pem"));
    for (certificate, code) in [
        ("cert.pem", 0),
        ("expired.pem", 2),
        ("future.pem", 2),
        ("ec-cert.pem", 2),
    ] {
        let mut command = stage.command(&["sync", "-q"]);
        command.env("CERT", pem(certificate)).env("KEY", pem("key.pem"));
        crate::cli_output::world::finished(command.spawn().unwrap()).exits(code);
    }
}

/// The file is the platform's: a token that it has not renewed is an error of its own.
fn federated_token_file() {
    let stage = Stage::new(1, 0).with(CREDENTIAL, "{ federated_token_file = \"token\" }");
    let (issuer, subject, audience) = (
        "https://cluster.example",
        "system:serviceaccount:a:b",
        "api://AzureADTokenExchange",
    );
    let signed = |ends: i64| {
        let key = jsonwebtoken::EncodingKey::from_rsa_pem(pem("other-key.pem").as_bytes()).unwrap();
        let claims = json!({"iss": issuer, "sub": subject, "aud": audience, "exp": ends});
        jsonwebtoken::encode(
            &jsonwebtoken::Header::new(jsonwebtoken::Algorithm::RS256),
            &claims,
            &key,
        )
        .unwrap()
    };
    let ran = stage.run(&["sync"]).exits(1);
    assert!(
        ran.err.contains("the federated token in token cannot be read"),
        "{ran:?}"
    );
    fs::write(stage.world.path("token"), signed(1_600_000_000)).unwrap();
    let ran = stage.run(&["sync"]).exits(5);
    assert!(ran.err.contains("ended at 2020-09-13"), "{ran:?}");
    fs::write(stage.world.path("token"), signed(4_000_000_000)).unwrap();
    let ran = stage.run(&["sync"]).exits(5);
    assert!(
        ran.err.contains("AADSTS700213") && ran.err.contains("issuer, subject and audience"),
        "{ran:?}"
    );
    let tenant = &stage.world.tenant;
    tenant.trust_issuer(issuer, subject, audience, &pem("other-cert.pem"));
    stage.converges();
}

fn managed_identity() {
    let machine = |value: &str| {
        let stage = Stage::new(1, 0).with(CREDENTIAL, value);
        let url = stage.world.graph.url.clone();
        (stage, url)
    };
    let run = |(stage, url): &(Stage, String)| {
        let mut command = stage.command(&["sync", "-q"]);
        command.env("AZURE_POD_IDENTITY_AUTHORITY_HOST", url);
        crate::cli_output::world::finished(command.spawn().unwrap())
    };
    let own = machine("{ managed_identity = true }");
    let ran = run(&own).exits(1);
    assert!(
        ran.err
            .contains("assign a managed identity to this virtual machine"),
        "{ran:?}"
    );
    own.0.world.tenant.give_identity(None);
    run(&own).exits(0);
    let assigned = machine(&format!(
        "{{ managed_identity = {{ client_id = \"{SOMEBODY_ELSE}\" }} }}"
    ));
    assigned.0.world.tenant.give_identity(None);
    run(&assigned).exits(1);
    assigned.0.world.tenant.give_identity(Some(SOMEBODY_ELSE));
    run(&assigned).exits(0);
}

fn expires() {
    for (day, level) in [("2020-01-31", "fail"), ("2999-01-31", "ok")] {
        let stage = Stage::new(1, 0).source("credential.expires", day);
        let lines = stage.checked("expiry");
        let line = lines.iter().find(|line| line.contains(day));
        assert!(
            line.is_some_and(|line| line.starts_with(level)),
            "{day}: {lines:?}"
        );
    }
}
