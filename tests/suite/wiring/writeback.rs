//! `[jobs.NAME.writeback]`: what goes back to Entra, as which app, and who is in the enrolled group.

use std::fs;

use melonsync::sandbox::DEFAULT_API_KEY;
use serde_json::json;

use super::stage::Ear;
use super::stage::Stage;
use super::stage::until;

super::rows! {
    "jobs.idmelon.writeback.attributes" => attributes;
    "jobs.idmelon.writeback.schedule" => schedule;
    "jobs.idmelon.writeback.clear_after" => clear_after;
    "jobs.idmelon.writeback.clear_threshold", "jobs.idmelon.writeback.clear_threshold.count",
    "jobs.idmelon.writeback.clear_threshold.percent" => clear_threshold;
    "jobs.idmelon.writeback.on_conflict" => on_conflict;
    "jobs.idmelon.writeback.network.proxy" => proxy;
    "jobs.idmelon.writeback.network.ca_file" => ca_file;
    "jobs.idmelon.writeback.credential.client_id" => client_id;
    "jobs.idmelon.writeback.credential.client_secret",
    "jobs.idmelon.writeback.credential.client_secret.env",
    "jobs.idmelon.writeback.credential.client_secret.file" => client_secret;
    "jobs.idmelon.writeback.credential.certificate.env",
    "jobs.idmelon.writeback.credential.certificate.file",
    "jobs.idmelon.writeback.credential.certificate.key",
    "jobs.idmelon.writeback.credential.certificate.key.env",
    "jobs.idmelon.writeback.credential.certificate.key.file" => certificate;
    "jobs.idmelon.writeback.credential.federated_token_file" => federated_token_file;
    "jobs.idmelon.writeback.credential.managed_identity",
    "jobs.idmelon.writeback.credential.managed_identity.client_id" => managed_identity;
    "jobs.idmelon.writeback.credential.expires" => expires;
    "jobs.idmelon.writeback.enrolled_group" => enrolled_group;
    "jobs.idmelon.writeback.enrolled_requires" => enrolled_requires;
    "jobs.idmelon.writeback.enrolled_leave_after" => enrolled_leave_after;
    "jobs.idmelon.writeback.enrolled_threshold.add", "jobs.idmelon.writeback.enrolled_threshold.add.count",
    "jobs.idmelon.writeback.enrolled_threshold.add.percent",
    "jobs.idmelon.writeback.enrolled_threshold.remove",
    "jobs.idmelon.writeback.enrolled_threshold.remove.count",
    "jobs.idmelon.writeback.enrolled_threshold.remove.percent" => enrolled_threshold;
    "jobs.idmelon.writeback.enrolled_never" => enrolled_never;
    "jobs.idmelon.writeback.idmelon_api.url" => api_url;
    "jobs.idmelon.writeback.idmelon_api.key", "jobs.idmelon.writeback.idmelon_api.key.env",
    "jobs.idmelon.writeback.idmelon_api.key.file" => api_key;
}

const BACK: &str = "jobs.idmelon.writeback";

/// The stage with this key of the way back.
fn back(stage: Stage, key: &str, value: &str) -> Stage {
    stage.with(&format!("{BACK}.{key}"), value)
}

/// A stage on which phone numbers go back, by an app that may.
fn of_attributes(users: usize) -> Stage {
    let stage = Stage::new(users, 0);
    let (client_id, secret) = stage.world.tenant.writer_credentials();
    let stage = back(stage, "credential.client_id", &client_id);
    phones(back(stage, "credential.client_secret", &secret))
}

fn phones(stage: Stage) -> Stage {
    stage.world.tenant.grant_writer("User-Phone.ReadWrite.All");
    back(
        stage,
        "attributes",
        "{ \"phoneNumbers[type eq \\\"mobile\\\"].value\" = \"mobilePhone\" }",
    )
}

/// A stage with an enrolled group that the writer's app owns.
fn of_keys(users: usize) -> Stage {
    let stage = of_attributes(users);
    let tenant = &stage.world.tenant;
    let group = tenant.add_group(json!({"displayName": "Key holders", "groupTypes": []}));
    tenant.let_writer_own(&group);
    let url = stage.world.scim.url.clone();
    let stage = back(stage, "enrolled_group", &group);
    let stage = back(stage, "idmelon_api.url", &url);
    back(stage, "idmelon_api.key", DEFAULT_API_KEY)
}

#[track_caller]
fn has(stage: &Stage, what: &str, text: &str) {
    let lines = stage.checked(what);
    assert!(lines.iter().any(|line| line.contains(text)), "{text}: {lines:#?}");
}

fn attributes() {
    let stage = of_attributes(1);
    let shown = stage.run(&["mapping", "show"]).exits(0);
    assert!(shown.out.contains("the target is the authority"), "{}", shown.out);
    has(
        &stage,
        "write-back",
        "ok phoneNumbers[type eq \"mobile\"].value of the target goes to mobilePhone",
    );
    let ran = back(of_attributes(1), "attributes", "{ userName = \"mobilePhone\" }")
        .run(&["sync"])
        .exits(2);
    assert!(
        ran.err.contains("not the bare attribute `mobilePhone`"),
        "{ran:?}"
    );
}

/// Nothing else runs, and what is edited at the target arrives all the same.
fn schedule() {
    let stage = of_attributes(2);
    stage.converges();
    stage.sync(&["--full"]);
    let user = stage.user(0);
    let target = stage.held(&user).unwrap()["id"].as_str().unwrap().to_owned();
    let number = json!({"phoneNumbers": [{"type": "mobile", "value": "+49 30 901820"}]});
    assert!(stage.world.workspace.edit_user(&target, number));
    let stage = stage
        .with("jobs.idmelon.schedule", "")
        .with("jobs.idmelon.full_schedule", "");
    let stage = back(stage, "schedule", "* * * * * *");
    let running = stage.start(&["run"]);
    until("the number arrives in Entra", || {
        stage.world.tenant.user(&user).unwrap()["mobilePhone"] == "+49 30 901820"
    });
    drop(running);
    has(
        &of_attributes(1),
        "write-back",
        "while `melonsync run` runs: next",
    );
    has(
        &back(of_attributes(1), "schedule", "\"\""),
        "write-back",
        "warn it has no schedule",
    );
}

fn clear_after() {
    has(
        &back(of_attributes(1), "clear_after", "1h"),
        "write-back",
        "emptied at the target for 3600 s",
    );
}

fn clear_threshold() {
    has(
        &of_attributes(1),
        "write-back",
        "5 or 1%, whichever is lower at most",
    );
    for (form, said) in [("7", "7 at most"), ("{ count = 9, percent = 3 }", "9 or 3%")] {
        has(
            &back(of_attributes(1), "clear_threshold", form),
            "write-back",
            said,
        );
    }
}

fn on_conflict() {
    has(&of_attributes(1), "write-back", "the target's value is written");
    has(
        &back(of_attributes(1), "on_conflict", "hold"),
        "write-back",
        "neither is written until a person decides",
    );
}

/// The service is not loopback, which never uses a proxy.
fn proxy() {
    let ear = Ear::new();
    let stage = of_attributes(1)
        .source("login_url", "https://login.example")
        .source("graph_url", "https://graph.example");
    let stage = back(stage, "network.proxy", &format!("\"http://{}\"", ear.address));
    stage.run(&["check"]).exits(1);
    ear.hears("CONNECT login.example:443");
}

fn ca_file() {
    let stage = back(of_attributes(1), "network.ca_file", "roots.pem");
    fs::write(stage.world.path("roots.pem"), "no certificate").unwrap();
    has(&stage, "writer", "roots.pem");
}

fn client_id() {
    let reader = Stage::new(1, 0).world.tenant.client_id();
    let ran = back(of_attributes(1), "credential.client_id", &reader)
        .run(&["sync"])
        .exits(2);
    assert!(ran.err.contains("is the app of the source"), "{ran:?}");
    let somebody = "11111111-2222-4333-8444-555555555555";
    has(
        &back(of_attributes(1), "credential.client_id", somebody),
        "writer",
        "fail ",
    );
    has(&of_attributes(1), "writer", "ok a token was given");
}

fn client_secret() {
    for (form, right) in [
        ("{ file = \"right\" }", true),
        ("{ file = \"wrong\" }", false),
        ("{ env = \"IDMELON_SCIM_TOKEN\" }", false),
        ("another", false),
    ] {
        let stage = back(of_attributes(1), "credential.client_secret", form);
        let (_, secret) = stage.world.tenant.writer_credentials();
        fs::write(stage.world.path("right"), secret).unwrap();
        fs::write(stage.world.path("wrong"), "another").unwrap();
        let lines = stage.checked("writer");
        assert_eq!(
            lines[0].starts_with("ok a token was given"),
            right,
            "{form}: {lines:?}"
        );
    }
}

/// The stage, with a credential of another kind.
fn by(proof: &str) -> Stage {
    let stage = Stage::new(1, 0);
    let (client_id, _) = stage.world.tenant.writer_credentials();
    let credential = format!("{{ client_id = \"{client_id}\", {proof} }}");
    phones(back(stage, "credential", &credential))
}

fn certificate() {
    for (proof, place) in [
        (
            "certificate = { file = \"cert.pem\", key = { file = \"key.pem\" } }",
            "cannot read the file key.pem",
        ),
        (
            "certificate = { env = \"CERT\", key = { env = \"KEY\" } }",
            "KEY is not set",
        ),
    ] {
        let ran = by(proof).run(&["sync"]).exits(2);
        assert!(ran.err.contains(place), "{ran:?}");
    }
}

fn federated_token_file() {
    has(
        &by("federated_token_file = \"token\""),
        "writer",
        "the federated token in token cannot be read",
    );
}

fn managed_identity() {
    for proof in [
        "managed_identity = true",
        "managed_identity = { client_id = \"11111111-2222-4333-8444-555555555555\" }",
    ] {
        let stage = by(proof);
        let mut command = stage.command(&["check", "-o", "json"]);
        command.env("AZURE_POD_IDENTITY_AUTHORITY_HOST", &stage.world.graph.url);
        let ran = crate::cli_output::world::finished(command.spawn().unwrap()).exits(1);
        assert!(ran.out.contains("Identity not found"), "{ran:?}");
    }
}

fn expires() {
    for (day, level) in [("2020-01-31", "fail"), ("2999-01-31", "ok")] {
        let lines = back(of_attributes(1), "credential.expires", day).checked("expiry");
        let line = lines.iter().find(|line| line.contains("writer"));
        assert!(
            line.is_some_and(|line| line.starts_with(level)),
            "{day}: {lines:?}"
        );
    }
}

fn enrolled_group() {
    has(&of_keys(1), "enrolled", "ok the writer's app owns the group");
    let stage = of_keys(1);
    let dynamic = json!({"displayName": "By rule", "groupTypes": ["DynamicMembership"]});
    let group = stage.world.tenant.add_group(dynamic);
    let stage = back(stage, "enrolled_group", &group);
    has(
        &stage,
        "enrolled",
        "cannot be the enrolled group: its members follow a rule",
    );
    has(&stage, "enrolled", "it was not seen that the writer may change");
    stage.world.tenant.grant_writer("GroupMember.ReadWrite.All");
    has(
        &stage,
        "enrolled",
        "the writer may change the members of every group",
    );
    stage.world.tenant.grant_writer("User.ReadWrite.All");
    has(
        &stage,
        "writer",
        "fail granted, and with it the writer could delete users",
    );
}

fn enrolled_requires() {
    has(&of_keys(1), "enrolled", "takes \"key\"");
    let stage = back(of_keys(1), "enrolled_requires", "key+passkey");
    has(&stage, "permissions", "fail missing: AuditLog.Read.All");
    stage.world.tenant.grant_permission("AuditLog.Read.All");
    has(&stage, "permissions", "ok granted: AuditLog.Read.All");
}

fn enrolled_leave_after() {
    has(
        &back(of_keys(1), "enrolled_leave_after", "2h"),
        "enrolled",
        "takes 7200 s without a key",
    );
}

fn enrolled_threshold() {
    has(
        &of_keys(1),
        "enrolled",
        "as many as there are join and 5 at most leave",
    );
    for (form, said) in [
        ("{ add = 9 }", "9 at most join and 5 at most leave"),
        (
            "{ add = \"3%\", remove = { count = 7, percent = 2 } }",
            "3% at most join and 7 or 2%",
        ),
        ("{ add = { count = 4, percent = 2 }, remove = 8 }", "4 or 2%"),
    ] {
        has(&back(of_keys(1), "enrolled_threshold", form), "enrolled", said);
    }
}

fn enrolled_never() {
    let stage = of_keys(2);
    let never = format!("[\"{}\"]", stage.user(0));
    has(
        &back(stage, "enrolled_never", &never),
        "enrolled",
        "1 users never join",
    );
}

fn api_url() {
    let stage = of_keys(1);
    stage.world.workspace.enrol_key("ada@corp.example");
    has(&stage, "keys", "lists 1 security keys");
    let ear = Ear::new();
    let stage = back(stage, "idmelon_api.url", &format!("http://{}", ear.address));
    let _running = stage.start(&["check"]);
    ear.hears("/administrator/securityDevice");
}

fn api_key() {
    for (form, right) in [
        ("{ file = \"right\" }", true),
        ("{ file = \"wrong\" }", false),
        ("{ env = \"IDMELON_SCIM_TOKEN\" }", false),
    ] {
        let stage = back(of_keys(1), "idmelon_api.key", form);
        fs::write(stage.world.path("right"), DEFAULT_API_KEY).unwrap();
        fs::write(stage.world.path("wrong"), "another").unwrap();
        let lines = stage.checked("keys");
        assert_eq!(lines[0].starts_with("ok "), right, "{form}: {lines:?}");
    }
}
