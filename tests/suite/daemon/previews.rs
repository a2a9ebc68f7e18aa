//! Previews: a command beside a daemon shows what its own mapping, filters, scope and policy would come to, and nothing of it stays.

use std::fs;
use std::net::TcpListener;

use serde_json::Value;
use serde_json::json;

use super::world::Daemon;
use crate::cli_output::world::World;

/// A tenant that is in step, with two departments.
fn in_step() -> (Daemon, Vec<String>) {
    let daemon = Daemon::new(6, 1);
    let ids = daemon.world.tenant.user_ids();
    for (at, id) in ids.iter().enumerate() {
        let department = if at < 2 { "Sales" } else { "IT" };
        daemon
            .world
            .tenant
            .set_user(id, json!({"department": department}));
    }
    daemon.world.run(&["sync"]).exits(0);
    (daemon, ids)
}

/// What a plan says, without what it cost.
fn said(plan: &Value) -> Value {
    json!([
        plan["plan"],
        plan["omitted"],
        plan["operations"],
        plan["withheld"]
    ])
}

fn plan(world: &World) -> Value {
    world.run(&["plan", "-o", "json"]).exits(0).json()
}

fn written(world: &World) -> String {
    fs::read_to_string(world.path("melonsync.toml")).unwrap()
}

/// The config as it is, with one text in another's place.
fn change(world: &World, from: &str, to: &str) {
    let config = written(world);
    assert!(config.contains(from), "{from} is not in\n{config}");
    world.write(&config.replace(from, to));
}

fn trace(daemon: &Daemon) -> Value {
    let job = |what: &str| daemon.get(&format!("/api/v1/jobs/idmelon/{what}")).is(200).json();
    json!([
        job("history"),
        job("cycles"),
        job("withheld"),
        job("drift"),
        job("mapping")
    ])
}

/// A config that leaves the department out of scope, and sends another title.
fn edit(world: &World) {
    fs::create_dir_all(world.path("mappings")).unwrap();
    let rows = world.run(&["mapping", "show", "-o", "json"]).exits(0).json();
    let mut text = String::new();
    for kind in ["user", "group"] {
        for row in rows[kind].as_array().unwrap() {
            let source = if row["target"] == "title" {
                "Join(\"-\", [jobTitle], [employeeId])"
            } else {
                row["source"].as_str().unwrap()
            };
            text += &format!(
                "[[{kind}]]\ntarget = '{}'\nsource = '{source}'\n",
                row["target"].as_str().unwrap()
            );
            if let Some(matching) = row["matching"].as_u64() {
                text += &format!("matching = {matching}\n");
            }
            if row["apply"] == "create-only" {
                text += "apply = \"create-only\"\n";
            }
        }
    }
    fs::write(world.path("mappings/acme.toml"), text).unwrap();
    change(
        world,
        "mode = \"enforce\"",
        "mode = \"enforce\"\nprovisioning.mapping = \"mappings/acme.toml\"\nprovisioning.deletion_threshold = 1",
    );
    change(
        world,
        "kind      = \"entra\"",
        "kind      = \"entra\"\nuser_filter = 'department EQUALS \"IT\"'",
    );
}

#[test]
fn a_plan_beside_a_daemon_is_of_the_config_that_asks_for_it() {
    let (daemon, ids) = in_step();
    let before = trace(&daemon);
    let config = written(&daemon.world);
    edit(&daemon.world);
    let ran = daemon.world.run(&["plan", "-o", "json"]).exits(0);
    assert!(ran.err.contains("nothing of it is in force"), "{}", ran.err);
    let previewed = ran.json();
    assert_eq!(
        previewed["withheld"]["by_reason"]["out_of_scope"], 2,
        "{previewed}"
    );
    assert_eq!(previewed["operations"]["update_user"], 4, "{previewed}");
    let why = daemon.world.run(&["explain", &ids[0]]).exits(0).out;
    assert!(why.contains("department"), "{why}");
    assert_eq!(trace(&daemon), before);
    // It is the plan that is made without a daemon, and what that comes to with the old config.
    let edited = written(&daemon.world);
    daemon.world.write(&config);
    let old = plan(&daemon.world);
    assert_eq!(old["plan"], json!([]), "{old}");
    let Daemon { running, world } = daemon;
    drop(running);
    world.write(&edited);
    assert_eq!(said(&plan(&world)), said(&previewed));
}

#[test]
fn a_previewed_plan_is_carried_out_once_its_config_is_in_force() {
    let (daemon, ids) = in_step();
    let world = &daemon.world;
    change(
        world,
        "mode = \"enforce\"",
        "mode = \"enforce\"\nprovisioning.update = false",
    );
    world.tenant.set_user(&ids[0], json!({"jobTitle": "Captain"}));
    world.tenant.disable_user(&ids[1]);
    let file = world.path("plan.json");
    let file = file.to_str().unwrap();
    world.run(&["plan", "--out", file]).exits(0);
    let refused = world.run(&["sync", "--plan", file]).exits(2);
    assert!(refused.err.contains("with other settings"), "{}", refused.err);
    daemon.signal(rustix::process::Signal::HUP);
    crate::wiring::stage::until("the plan is carried out", || {
        let ran = world.run(&["sync", "--plan", file, "--exact"]);
        ran.code == Some(0) || !ran.err.contains("with other settings") && panic!("{}", ran.err)
    });
    assert_eq!(world.workspace.users_by_external_id(&ids[1])[0]["active"], false);
    assert_ne!(
        world.workspace.users_by_external_id(&ids[0])[0]["title"],
        "Captain"
    );
}

#[test]
fn a_preview_takes_rules_and_nothing_that_leads_elsewhere() {
    let (daemon, _) = in_step();
    let canary = TcpListener::bind("127.0.0.1:0").unwrap();
    canary.set_nonblocking(true).unwrap();
    let url = format!("http://{}/", canary.local_addr().unwrap());
    let file = daemon.world.path("canary");
    fs::write(
        &file,
        "[[user]]\ntarget = 'userName'\nsource = \"CANARY\"\nmatching = 1\n",
    )
    .unwrap();
    let file = file.to_str().unwrap();
    let before = daemon.world.tenant.request_count();
    for (body, named) in [
        (json!({"url": url}), "url"),
        (json!({"state": {"path": file}}), "state"),
        (json!({"notify": [{"command": [file]}]}), "notify"),
        (json!({"filters": {"graph_url": url}}), "graph_url"),
        (json!({"scope": {"login_url": url}}), "login_url"),
        (json!({"scope": {"network": {"ca_file": file}}}), "network"),
        (
            json!({"scope": {"credential": {"client_secret": {"file": file}}}}),
            "credential",
        ),
        (json!({"policy": {"mapping": file}}), "mapping"),
        (json!({"policy": {"command": [file]}}), "command"),
        (json!({"policy": {"protect": {"file": file}}}), "protect"),
        (json!({"mapping": file}), "is no preset"),
        (json!({"mapping": {"file": file}}), "file"),
        (
            json!({"mapping": {"toml": "[[user]]\ntarget = 'a b'\n"}}),
            "target",
        ),
    ] {
        for path in [
            "/api/v1/jobs/idmelon/preview",
            "/api/v1/jobs/idmelon/objects/x/explain",
        ] {
            let answer = daemon.post(path, &body);
            let text = answer.body.clone();
            answer.problem(400);
            assert!(text.contains(named) && !text.contains("CANARY"), "{body}: {text}");
        }
    }
    assert_eq!(daemon.world.tenant.request_count(), before);
    assert!(canary.accept().is_err(), "somebody asked the canary");
    let rows = "[[user]]\ntarget = 'userName'\nsource = \"[userPrincipalName]\"\nmatching = 1\n";
    for body in [
        json!({"mapping": "idmelon"}),
        json!({"mapping": {"name": "acme", "toml": rows}}),
        json!({"filters": {"user_filter": "department EQUALS \"IT\""}, "scope": {"groups": false}}),
    ] {
        daemon.post("/api/v1/jobs/idmelon/preview", &body).is(202);
    }
}

#[test]
fn a_preview_is_an_order_whose_plan_is_fetched() {
    let (daemon, ids) = in_step();
    let body = json!({"filters": {"user_filter": "department EQUALS \"IT\""}, "mapping": "idmelon"});
    let events = daemon.followed("/api/v1/jobs/idmelon/preview", &body);
    let (last, summary) = events.last().unwrap();
    assert_eq!(
        (last.as_str(), &summary["outcome"]),
        ("summary", &json!("planned"))
    );
    assert_eq!(summary["operations"]["disable_user"], 2, "{summary}");
    let path = format!("/api/v1/cycles/{}/plan", summary["cycle"].as_str().unwrap());
    let plan = daemon.get(&path).is(200).json();
    assert!(plan["plan"].to_string().contains(&ids[0]), "{plan}");
    // What is not sent is as the daemon has it.
    let events = daemon.followed("/api/v1/jobs/idmelon/preview", &json!({}));
    let (_, summary) = events.last().unwrap();
    assert_eq!(summary["operations"]["disable_user"], 0, "{events:?}");
}
