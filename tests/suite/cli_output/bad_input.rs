//! Every kind of bad input of the specification: what is said, the exit code, no secret shown, and nothing lost.

use std::fs;
use std::process::Command;
use std::process::Stdio;

use melonsync::sandbox::Fault;

use super::world::World;
use super::world::finished;

/// The run that goes wrong, shown; then the cause is taken away, and the next run converges.
macro_rules! shows {
    ($world:expr, $code:expr, $args:expr) => {{
        let ran = $world.run($args).exits($code);
        let mut settings = insta::Settings::clone_current();
        settings.set_prepend_module_to_snapshot(false);
        settings.set_snapshot_path("../snapshots");
        settings.bind(|| insta::assert_snapshot!($world.shown(&ran)));
    }};
}

fn bad_config(change: (&str, &str)) -> World {
    let world = World::new(6, 1);
    world.change(change.0, change.1);
    world
}

fn mended(world: &World) {
    assert_eq!(world.workspace.writes(), 0, "something was written");
    world.write(&world.config());
    world.converges();
}

#[test]
fn unknown_key() {
    let world = bad_config(("kind      = \"entra\"", "kindd = \"entra\""));
    shows!(world, 2, &["sync"]);
    mended(&world);
}

#[test]
fn wrong_type() {
    let world = bad_config(("mode = \"enforce\"", "mode = \"enforce\"\nenabled = \"yes\""));
    shows!(world, 2, &["sync"]);
    mended(&world);
}

#[test]
fn secret_in_plain_text() {
    let world = bad_config(("{ env = \"IDMELON_SCIM_TOKEN\" }", "\"hunter2-token\""));
    shows!(world, 2, &["sync"]);
    mended(&world);
}

#[test]
fn missing_environment_variable() {
    let world = bad_config(("ENTRA_CLIENT_SECRET\" }", "NOBODY_SET_THIS\" }"));
    shows!(world, 2, &["sync"]);
    mended(&world);
}

#[test]
fn a_secret_where_its_place_should_be_is_not_shown() {
    let place = "{ env = \"IDMELON_SCIM_TOKEN\" }";
    for written in [
        "{ env = \"Abc8Q~hunter2.aVALUE-x\" }",
        "{ env = \"eyJhbGciOiJIUzI1NiJ9.hunter2.abc\" }",
        "{ env = \"hunter2ABCDEFabcdef0123456789\" }",
        "{ env = \"hunter2abcdef0123456789abcdef0123\" }",
        "{ env = \"HUNTER2 with a blank\" }",
        "{ file = \"Abc8Q~hunter2.aVALUE-x\" }",
        "{ file = \"hunter2abcdef0123456789abcdef0123\" }",
        "{ \"Abc8Q~hunter2.aVALUE-x\" = true }",
        "{ env = \"IDMELON_SCIM_TOKEN\", \"hunter2abcdef0123456789abcdef0123\" = 1 }",
    ] {
        let world = bad_config((place, written));
        for args in [
            &["sync"][..],
            &["check", "-o", "json"],
            &["plan", "--log-level", "trace"],
            &["status"],
        ] {
            let ran = world.run(args);
            assert!(
                ran.code == Some(2) || (args == ["status"] && ran.code == Some(0)),
                "{written}: {ran:?}"
            );
            let said = format!("{}{}", ran.out, ran.err).to_lowercase();
            assert!(!said.contains("hunter2"), "{args:?} of {written}: {said}");
        }
        assert_eq!(world.workspace.writes(), 0);
    }
}

#[test]
fn what_is_read_is_a_regular_file_or_a_pipe_and_small() {
    let world = World::new(4, 1);
    fs::write(world.path("large"), vec![b'x'; (1 << 20) + 1]).unwrap();
    fs::write(world.path("medium"), vec![b'x'; (64 << 10) + 1]).unwrap();
    let token = "{ env = \"IDMELON_SCIM_TOKEN\" }";
    let mapping = |file: &str| format!("{token}\n[jobs.idmelon.provisioning]\nmapping = \"{file}\"");
    let ca_file = |file: &str| format!("{token}\nnetwork.ca_file = \"{file}\"");
    for (written, why) in [
        ("{ file = \"medium\" }".to_owned(), "larger than 64 KiB"),
        ("{ file = \"/dev/zero\" }".to_owned(), "a device"),
        (mapping("large"), "larger than 1024 KiB"),
        (mapping("/dev/zero"), "a device"),
        (ca_file("large"), "larger than 1024 KiB"),
        (ca_file("/dev/zero"), "a device"),
    ] {
        world.change(token, &written);
        let ran = world.run(&["sync"]).exits(2);
        assert!(ran.err.contains(why), "{written}: {ran:?}");
    }
    let mut command = Command::new(env!("CARGO_BIN_EXE_melonsync"));
    command
        .args(["-c", "/dev/zero", "sync"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let ran = finished(command.spawn().unwrap());
    assert!(ran.code == Some(2) && ran.err.contains("a device"), "{ran:?}");
}

#[test]
fn unreadable_secret_file() {
    let world = bad_config(("{ env = \"IDMELON_SCIM_TOKEN\" }", "{ file = \"nowhere/token\" }"));
    shows!(world, 2, &["sync"]);
    mended(&world);
}

#[test]
fn unreadable_config() {
    let world = World::new(6, 1);
    fs::remove_file(world.path("melonsync.toml")).unwrap();
    shows!(world, 2, &["sync"]);
    mended(&world);
}

#[test]
fn unreadable_mapping() {
    let provisioning = "[jobs.idmelon.provisioning]\nmapping = \"nowhere.toml\"\n\n[jobs.idmelon.source]";
    let world = bad_config(("[jobs.idmelon.source]", provisioning));
    shows!(world, 2, &["sync"]);
    mended(&world);
}

#[test]
fn bad_cron() {
    let world = bad_config((
        "mode = \"enforce\"",
        "mode = \"enforce\"\nschedule = \"61 * * * * *\"",
    ));
    shows!(world, 2, &["run"]);
    mended(&world);
}

#[test]
fn bad_url() {
    let world = World::new(6, 1);
    let url = format!("{}/api/scim/v2/", world.scim.url);
    world.change(&url, "skm.idmelon.com/api/scim");
    shows!(world, 2, &["sync"]);
    mended(&world);
}

#[test]
fn unreachable_source() {
    // A host under `.invalid` never resolves (RFC 2606).
    let world = World::new(6, 1);
    let login = format!("login_url = \"{}\"", world.graph.url);
    world.change(&login, "login_url = \"https://login.invalid\"");
    let ran = world.run(&["sync"]).exits(1);
    let text = world.shown(&ran);
    for part in ["error: the source", "login.invalid", "do:    "] {
        assert!(text.contains(part), "no `{part}` in\n{text}");
    }
    mended(&world);
}

#[test]
fn unreachable_target() {
    let world = World::new(6, 1);
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = closed.local_addr().unwrap();
    drop(closed);
    world.change(&world.scim.url, &format!("http://{address}"));
    shows!(world, 1, &["sync"]);
    mended(&world);
}

#[test]
fn expired_secret() {
    let world = World::new(6, 1);
    world.tenant.expire_secret();
    shows!(world, 1, &["sync"]);
    world.tenant.set_client_secret("another");
    mended(&world);
}

#[test]
fn wrong_secret() {
    let world = World::new(6, 1);
    let ran = world
        .run_with("ENTRA_CLIENT_SECRET", "hunter2", &["sync"])
        .exits(1);
    insta::with_settings!({prepend_module_to_snapshot => false, snapshot_path => "../snapshots"}, {
        insta::assert_snapshot!(world.shown(&ran));
    });
    mended(&world);
}

#[test]
fn wrong_tenant() {
    let world = World::new(6, 1);
    let tenant = world.tenant.tenant_id();
    world.change(&tenant, "11111111-2222-4333-8444-555555555555");
    shows!(world, 1, &["sync"]);
    mended(&world);
}

#[test]
fn another_tenant_under_the_same_state() {
    let world = World::new(6, 1);
    world.converges();
    world.change(&world.tenant.tenant_id(), "11111111-2222-4333-8444-555555555555");
    world.workspace.clear_requests();
    shows!(world, 2, &["sync"]);
    mended(&world);
}

#[test]
fn another_target_under_the_same_state() {
    let world = World::new(6, 1);
    world.converges();
    world.change("/api/scim/v2/", "/api/scim/other/");
    world.workspace.clear_requests();
    shows!(world, 2, &["sync"]);
    mended(&world);
}

#[test]
fn check_too_refuses_another_target_under_the_same_state() {
    let world = World::new(6, 1);
    world.converges();
    world.change("/api/scim/v2/", "/api/scim/other/");
    let ran = world.run(&["check"]).exits(1);
    assert!(
        ran.out.contains("FAIL  state") && ran.out.contains("give"),
        "{}",
        ran.out
    );
}

#[test]
fn missing_graph_permission() {
    let world = World::new(6, 1);
    world.tenant.revoke_permission("User.Read.All");
    shows!(world, 1, &["sync"]);
    world.tenant.grant_permission("User.Read.All");
    mended(&world);
}

#[test]
fn missing_graph_permission_in_check() {
    let world = World::new(6, 1);
    world.tenant.revoke_permission("GroupMember.Read.All");
    world.tenant.revoke_permission("Group.Read.All");
    shows!(world, 1, &["check"]);
}

/// The config with the assigned scope.
fn assigned(world: &World) {
    let config = world.config();
    let config = config
        .replace("# scope = ", "scope = ")
        .replace("# service_principal_id", "service_principal_id");
    assert_ne!(config, world.config());
    world.write(&config);
}

#[test]
fn assigned_scope_without_its_permission_in_check() {
    let world = World::new(6, 1);
    assigned(&world);
    shows!(world, 1, &["check"]);
    world.tenant.grant_permission("Application.Read.All");
    let ran = world.run(&["check"]).exits(0);
    assert!(ran.out.contains("is there, with 4 app roles"), "{}", ran.out);
}

#[test]
fn assigned_scope_of_an_application_that_is_not_there() {
    let world = World::new(6, 1);
    world.tenant.grant_permission("Application.Read.All");
    assigned(&world);
    let id = world.tenant.service_principal_id();
    let config = fs::read_to_string(world.path("melonsync.toml")).unwrap();
    world.write(&config.replace(&id, "6f1c8d1e-0000-4000-8000-00000000dead"));
    shows!(world, 1, &["sync"]);
    assert_eq!(world.workspace.writes(), 0);
}

#[test]
fn app_roles_without_an_enterprise_application() {
    let world = World::new(6, 1);
    let row = "[[user]]\ntarget = 'userName'\nsource = '[userPrincipalName]'\nmatching = 1\n\n\
               [[user]]\ntarget = 'roles[primary eq \"True\"].value'\nsource = 'SingleAppRoleAssignment([appRoleAssignments])'\n\n\
               [[group]]\ntarget = 'displayName'\nsource = '[displayName]'\nmatching = 1\n";
    fs::write(world.path("roles.toml"), row).unwrap();
    let config = world.config();
    world.write(&format!(
        "{config}\n[jobs.idmelon.provisioning]\nmapping = \"roles.toml\"\n"
    ));
    shows!(world, 2, &["sync"]);
}

#[test]
fn bad_scim_token() {
    let world = World::new(6, 1);
    world.workspace.set_token("another");
    let ran = world
        .run_with("IDMELON_SCIM_TOKEN", "hunter2", &["sync"])
        .exits(1);
    insta::with_settings!({prepend_module_to_snapshot => false, snapshot_path => "../snapshots"}, {
        insta::assert_snapshot!(world.shown(&ran));
    });
    mended(&world);
}

#[test]
fn target_answering_html() {
    let world = World::new(6, 1);
    world
        .workspace
        .update_faults(|faults| faults.html_success = Fault::always());
    shows!(world, 1, &["sync"]);
    world
        .workspace
        .update_faults(|faults| faults.html_success = Fault::never());
    mended(&world);
}

#[test]
fn target_that_is_not_there() {
    let world = World::new(6, 1);
    world.change("/api/scim/v2/", "/nothing/here/");
    shows!(world, 1, &["sync"]);
    mended(&world);
}
