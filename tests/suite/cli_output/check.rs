//! `check` asks: who is there, who is in scope, why a connection fails and which key is to be set, and the verdict.

use std::io::Read;
use std::io::Write;
use std::net::TcpListener;

use serde_json::Value;
use serde_json::json;

use super::world::Ran;
use super::world::World;

/// A port at which nothing listens.
fn closed() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().to_string()
}

/// A port that answers every connection with this text and hangs up.
fn answering(text: &'static str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    std::thread::spawn(move || {
        for mut socket in listener.incoming().flatten() {
            let _ = socket.read(&mut [0; 1024]);
            let _ = socket.write_all(text.as_bytes());
        }
    });
    address
}

fn lines(ran: &Ran, what: &str) -> Vec<Value> {
    let shown = ran.json();
    let lines = shown["checks"].as_array().unwrap().iter();
    lines.filter(|line| line["what"] == what).cloned().collect()
}

/// `check` fails with this cause, and names this key in full.
#[track_caller]
fn names(world: &World, variables: &[(&str, &str)], cause: &str, key: &str) {
    let mut command = world.command(&["check", "-o", "json"]);
    command.envs(variables.iter().copied());
    let ran = super::world::finished(command.spawn().unwrap()).exits(1);
    let failed: Vec<Value> = ran.json()["checks"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|line| line["level"] == "fail" && line["what"] != "verdict")
        .cloned()
        .collect();
    let [line] = failed.as_slice() else {
        panic!("not one failure: {failed:#?}")
    };
    assert!(
        line["text"].as_str().unwrap().contains(cause),
        "no `{cause}` in {line}"
    );
    assert!(line["do"].as_str().unwrap().contains(key), "no `{key}` in {line}");
}

#[test]
fn a_connection_that_fails_names_its_cause_and_the_key_in_full() {
    let world = World::new(6, 1);
    let at = |key: &str, address: &str| {
        let mut config = world.config();
        let line = |key: &str| {
            let start = config
                .find(&format!("\n{key} "))
                .unwrap_or_else(|| panic!("no {key} in {config}"));
            let start = start + 1;
            let end = start + config[start..].find('\n').unwrap();
            start..end
        };
        let range = line(key);
        config.replace_range(range, &format!("{key} = \"{address}\""));
        world.write(&config);
    };
    at("url", &format!("http://{}/scim", closed()));
    names(&world, &[], "connection refused", "`jobs.idmelon.target.url`");
    at("url", "https://scim.invalid/v2");
    names(&world, &[], "unknown host", "`jobs.idmelon.target.url`");
    let plain = answering("HTTP/1.1 400 Bad Request\r\nconnection: close\r\n\r\n");
    at("url", &format!("https://{plain}/scim"));
    names(
        &world,
        &[],
        "TLS: the service at that address does not speak TLS",
        "`jobs.idmelon.target.url`",
    );
    at("login_url", "https://login.invalid");
    names(&world, &[], "unknown host", "`jobs.idmelon.source.login_url`");
    at("graph_url", &format!("http://{}", closed()));
    let ran = world.run(&["check", "-o", "json"]).exits(1);
    let asked = &lines(&ran, "directory")[0];
    assert!(
        asked["text"].as_str().unwrap().contains("connection refused"),
        "{asked}"
    );
    assert!(
        asked["do"]
            .as_str()
            .unwrap()
            .contains("`jobs.idmelon.source.graph_url`"),
        "{asked}"
    );
}

#[test]
fn a_proxy_in_the_way_is_named_with_the_setting_that_names_it() {
    let world = World::new(6, 1);
    let scim = format!("\"{}/api/scim/v2/\"", world.scim.url);
    let config = world.config();
    assert!(config.contains(&scim), "{config}");
    let away = config.replace(&scim, "\"https://scim.example/v2\"");
    let proxied = |address: &str| {
        let network = format!("{away}\n[jobs.idmelon.target.network]\nproxy = \"http://{address}\"\n");
        world.write(&network);
    };
    let gone = closed();
    proxied(&gone);
    names(
        &world,
        &[],
        &format!("the proxy {gone} refuses the connection"),
        "`jobs.idmelon.target.network.proxy`",
    );
    proxied(&answering(
        "HTTP/1.1 407 Proxy Authentication Required\r\ncontent-length: 0\r\n\r\n",
    ));
    names(&world, &[], "407", "`jobs.idmelon.target.network.proxy`");
    proxied(&answering("HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\n\r\n"));
    names(
        &world,
        &[],
        "does not lead to this host",
        "`jobs.idmelon.target.network.proxy`",
    );
    world.write(&away);
    let variable = [("HTTPS_PROXY", &*format!("http://user:hunter2@{gone}"))];
    names(
        &world,
        &variable,
        &format!("the proxy {gone} refuses"),
        "`HTTPS_PROXY`",
    );
}

#[test]
fn sync_and_plan_name_the_cause_as_check_does() {
    let world = World::new(6, 1);
    let login = format!("login_url = \"{}\"", world.graph.url);
    world.change(&login, "login_url = \"https://login.invalid\"");
    for verb in ["sync", "plan"] {
        let ran = world.run(&[verb]).exits(1);
        for part in ["unknown host", "`jobs.idmelon.source.login_url`"] {
            assert!(ran.err.contains(part), "{verb}: no `{part}` in\n{}", ran.err);
        }
        assert!(!ran.err.contains("error sending request"), "{}", ran.err);
    }
}

#[test]
fn who_is_there_and_in_scope_is_counted_and_the_last_line_is_the_verdict() {
    let world = World::new(6, 2);
    let ran = world.run(&["check", "-o", "json"]).exits(0);
    let texts: Vec<Value> = lines(&ran, "directory")
        .iter()
        .map(|line| line["text"].clone())
        .collect();
    assert_eq!(
        texts,
        [
            "6 users are there; all of them are in scope",
            "2 groups are there; all of them are in scope"
        ]
    );
    let last = ran.json()["checks"].as_array().unwrap().last().unwrap().clone();
    assert_eq!((&last["what"], &last["level"]), (&"verdict".into(), &"ok".into()));
    let mode = "mode = \"enforce\"";
    let users = world.tenant.user_ids();
    let filter = format!(
        "[jobs.idmelon.source]\nuser_filter = 'id EQUALS \"{}\"'",
        users[0]
    );
    let config = world.config().replace("[jobs.idmelon.source]", &filter);
    world.write(&config.replace(mode, "mode = \"observe\"\nenabled = false"));
    let ran = world.run(&["check"]).exits(0);
    for part in [
        "6 users are there; 1 of them are in scope",
        "nothing written",
        "the job is not enabled",
    ] {
        assert!(ran.out.contains(part), "no `{part}` in\n{}", ran.out);
    }
    let last = ran.out.lines().last().unwrap();
    assert!(
        last.contains("verdict") && last.contains("will write nothing"),
        "{last}"
    );
    assert_eq!(world.workspace.writes(), 0);
}

#[test]
fn a_failure_is_in_the_verdict() {
    let world = World::new(6, 1);
    world.tenant.expire_secret();
    let ran = world.run(&["check"]).exits(1);
    let last: Vec<&str> = ran.out.lines().rev().take(2).collect();
    assert!(
        last[1].starts_with("FAIL  verdict") && last[1].contains("token"),
        "{last:?}"
    );
    assert!(last[0].contains("do: "), "{last:?}");
}

#[test]
fn the_mapping_is_compared_with_what_the_target_says_of_its_schemas() {
    let world = World::new(6, 1);
    let fine = lines(&world.run(&["check", "-o", "json"]).exits(0), "schema");
    assert_eq!(
        (fine.len(), &fine[0]["level"]),
        (1, &Value::from("ok")),
        "{fine:#?}"
    );
    world.workspace.update_faults(|faults| {
        faults.odd.schema_lacks = vec![
            "User:preferredLanguage".to_owned(),
            "Group:displayName".to_owned(),
        ];
        faults.odd.immutable_attributes = vec!["userName".to_owned()];
        faults.odd.required_attributes = vec!["title".to_owned(), "nickName".to_owned()];
        faults.odd.hidden_attributes = vec!["active".to_owned()];
    });
    let found = lines(&world.run(&["check", "-o", "json"]).exits(0), "schema");
    let expected = [
        (
            "no user attribute `preferredLanguage`: its row is left out",
            "take its row out",
        ),
        (
            "no group attribute `displayName`: it is sent all the same",
            "add it at the target",
        ),
        ("`userName` of a user can be set once", "create-only"),
        ("requires the user attribute `title`", "a `default`"),
        (
            "requires the user attribute `nickname`, and no row makes it",
            "add a row",
        ),
        ("does not show the user attribute `active`", "nothing"),
    ];
    for (text, advice) in expected {
        let says = |line: &&Value| line["text"].as_str().is_some_and(|said| said.contains(text));
        let line = found
            .iter()
            .find(says)
            .unwrap_or_else(|| panic!("no `{text}` in {found:#?}"));
        assert_eq!(line["level"], "warn", "{line}");
        assert!(line["do"].as_str().unwrap().contains(advice), "{line}");
    }
    assert_eq!(found.len(), expected.len(), "{found:#?}");
    let shown = world.run(&["check"]).exits(0).out;
    assert!(shown.contains("warn  schema       the target"), "{shown}");
    world
        .workspace
        .update_faults(|faults| faults.odd.no_schemas = true);
    let none = lines(&world.run(&["check", "-o", "json"]).exits(0), "schema");
    assert!(
        none[0]["text"].as_str().unwrap().contains("serves no /Schemas"),
        "{none:#?}"
    );
}

#[test]
fn groups_that_a_first_cycle_would_touch_are_named_with_their_strangers() {
    let world = World::new(6, 2);
    let id = &world.tenant.group_ids()[0];
    let name = world.tenant.group(id).unwrap()["displayName"].clone();
    let root = world
        .workspace
        .insert_user(json!({"userName": "root@idmelon.example"}));
    let held = json!({"displayName": name, "members": [{"value": root}]});
    let admins = world.workspace.insert_group(held);
    // Nobody is in it: no right is to be had by it.
    let other = world.tenant.group(&world.tenant.group_ids()[1]).unwrap()["displayName"].clone();
    world.workspace.insert_group(json!({"displayName": other}));
    let config = world.config();
    for (adopt, then) in [
        ("review", "withholds its adoption"),
        ("unclaimed", "adopts it and puts the members"),
    ] {
        let groups = format!("[jobs.idmelon.provisioning.groups]\nadopt = \"{adopt}\"\n");
        world.write(&format!("{config}\n{groups}"));
        let ran = world.run(&["check", "-o", "json"]).exits(0);
        let found = lines(&ran, "adoption");
        assert_eq!(found.len(), 1, "{found:?}");
        let text = found[0]["text"].as_str().unwrap();
        for part in [admins.as_str(), "1 members, 1 of them linked to no user", then] {
            assert!(text.contains(part), "no `{part}` in {text}");
        }
        assert_eq!(found[0]["level"], "warn");
        assert_eq!(world.workspace.writes(), 0);
    }
    let groups = "[jobs.idmelon.provisioning.groups]\nadopt = \"never\"\n";
    world.write(&format!("{config}\n{groups}"));
    let ran = world.run(&["check", "-o", "json"]).exits(0);
    assert!(lines(&ran, "adoption").is_empty(), "{}", ran.out);
}
