//! The options of the program: none is without a test, and here are those that no other test is about.

use std::collections::BTreeMap;
use std::fs;
use std::io::BufRead;
use std::io::BufReader;
use std::io::Read;
use std::io::Write;
use std::net::TcpListener;
use std::net::TcpStream;
use std::path::Path;

use clap::CommandFactory;
use melonsync::cli::Cli;
use melonsync::sandbox::Fault;
use serde_json::Value;

use super::world::World;
use crate::support::program::Running;

/// Options whose effect needs what a test does not have.
const ELSEWHERE: [(&str, &str); 1] = [("no-color", "colours are for terminals, and a test has none")];

/// The long options of a command and of those below it, each with its letter.
fn options(command: &clap::Command, found: &mut BTreeMap<String, Option<char>>) {
    for argument in command.get_arguments() {
        if let Some(long) = argument.get_long() {
            found.insert(long.to_owned(), argument.get_short());
        }
    }
    command.get_subcommands().for_each(|below| options(below, found));
}

fn text_of(folder: &Path) -> String {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let text = entries.map(|path| match path.extension() {
        _ if path.is_dir() => text_of(&path),
        Some(extension) if extension == "rs" => fs::read_to_string(path).unwrap(),
        _ => String::new(),
    });
    text.collect()
}

#[test]
fn no_option_is_without_a_test() {
    let (mut known, tests) = (BTreeMap::new(), text_of(Path::new("tests/suite")));
    options(&Cli::command(), &mut known);
    assert!(known.len() > 40, "{known:?}");
    let given = |long: &str, short: Option<char>| {
        tests.contains(&format!("\"--{long}\""))
            || short.is_some_and(|c| tests.contains(&format!("\"-{c}\"")))
    };
    let silent: Vec<_> = known
        .iter()
        .filter(|(long, short)| !given(long, **short))
        .map(|(long, _)| long.as_str())
        .filter(|long| !ELSEWHERE.iter().any(|(known, _)| known == long))
        .collect();
    assert!(silent.is_empty(), "no test gives these options: {silent:?}");
}

#[test]
fn creations_are_let_through_up_to_a_number() {
    let world = World::new(4, 1);
    let config = format!(
        "{}\n[jobs.idmelon.provisioning]\ncreation_threshold = 1\n",
        world.config()
    );
    world.write(&config);
    world.run(&["sync"]).exits(4);
    world.run(&["sync", "--allow-creations", "3"]).exits(4);
    assert_eq!(world.workspace.writes(), 0, "more than that: none");
    world.run(&["sync", "--allow-creations", "5"]).exits(0);
    world.has_everybody_once();
}

/// At every level and in both formats: one line an event, and below `info` only the program's own words. Those of the libraries that
/// it speaks HTTP with may hold whole requests, and with them tokens.
#[test]
fn the_log_is_ours_below_info() {
    let world = World::new(4, 1);
    let log = world
        .run(&["sync", "--log-level", "trace", "--log-format", "json"])
        .exits(0)
        .err;
    let mut own = 0;
    for line in log.lines() {
        let event: Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
        let (level, target) = (
            event["level"].as_str().unwrap(),
            event["target"].as_str().unwrap(),
        );
        if ["DEBUG", "TRACE"].contains(&level) {
            assert!(target.starts_with("melonsync"), "{line}");
            own += 1;
        }
    }
    assert!(own > 4, "{log}");
    let text = world.run(&["sync", "--log-level", "trace"]).exits(0).err;
    assert!(!text.is_empty());
    for line in text.lines() {
        assert!(
            serde_json::from_str::<Value>(line).is_err(),
            "text is no JSON: {line}"
        );
    }
    for log in [&log, &text] {
        for secret in [&world.tenant.client_secret(), &world.workspace.token()] {
            assert!(!log.contains(secret), "{log}");
        }
    }
}

#[test]
fn a_wrong_use_is_a_document_too_where_one_is_asked_for() {
    let world = World::new(1, 0);
    for args in [
        &["list", "userz", "-o", "json"][..],
        &["-ojson", "sync", "--bogus"],
        &["--output=json"],
        &["cancel", "0192", "--output", "json"],
    ] {
        let document = world.run(args).exits(2).json();
        assert_eq!(document["exit_code"], 2, "{args:?}: {document}");
        let what = document["errors"][0]["error"].as_str().unwrap();
        assert!(
            !what.is_empty() && !what.starts_with("error:"),
            "{args:?}: {document}"
        );
    }
    // Help is none.
    assert!(
        world
            .run(&["list", "--help", "-o", "json"])
            .exits(0)
            .out
            .contains("Usage:")
    );
}

#[test]
fn quiet_leaves_results_and_errors_alone() {
    let world = World::new(1, 0);
    let demo = ["demo", "--once", "--users", "2", "--groups", "1"];
    let loud = world
        .run(&[&demo[..], &["--log-level", "info"]].concat())
        .exits(0);
    let quiet = world
        .run(&[&demo[..], &["--log-level", "info", "--quiet"]].concat())
        .exits(0);
    assert!(!loud.err.is_empty(), "{loud:?}");
    assert_eq!(quiet.err, "");
    assert!(quiet.out.contains("create"), "{quiet:?}");
}

#[test]
fn demo_keeps_its_state_where_it_is_told() {
    let world = World::new(1, 0);
    let args = [
        "demo", "--once", "--users", "2", "--groups", "1", "--state", "kept",
    ];
    world.run(&args).exits(0);
    assert!(world.path("kept").read_dir().unwrap().next().is_some());
}

#[test]
fn init_writes_a_config_for_any_kind_of_target() {
    let world = World::new(1, 0);
    fs::remove_file(world.path("melonsync.toml")).unwrap();
    let id = world.tenant.tenant_id();
    world
        .run(&[
            "init",
            "--tenant-id",
            &id,
            "--client-id",
            &id,
            "--url",
            "https://scim.example/v2/",
            "--kind",
            "scim",
        ])
        .exits(0);
    let shown = world.run(&["mapping", "show"]).exits(0).out;
    assert!(shown.contains("mapping scim@1"), "{shown}");
}

#[test]
fn one_group_is_looked_at_again() {
    let world = World::new(6, 2);
    world.converges();
    let id = world.tenant.group_ids()[1].clone();
    let again = world
        .run(&["resync", "--group", &id, "-o", "json"])
        .exits(0)
        .json();
    assert_eq!(
        (&again["kind"], &again["outcome"]),
        (&"on-demand".into(), &"converged".into())
    );
    let unknown = world.run(&["resync", "--group", "nobody"]).exits(2);
    assert!(unknown.err.contains("no group `nobody`"), "{unknown:?}");
}

#[test]
fn of_several_jobs_one_is_named() {
    let world = World::new(2, 0);
    let config = world.config();
    world.write(&format!(
        "{config}\n{}",
        config.replace("jobs.idmelon", "jobs.other")
    ));
    for args in [&["escrow", "retry"][..], &["sync"], &["plan"]] {
        let ran = world.run(args).exits(2);
        assert!(ran.err.contains("several jobs"), "{ran:?}");
    }
    let ran = world.run(&["escrow", "retry", "--job", "other"]);
    assert!(!ran.err.contains("several jobs"), "{ran:?}");
    world.run(&["sync", "other"]).exits(0);
    assert!(world.path("state/other").is_dir() && !world.path("state/idmelon").exists());
}

/// Status of a request to a sample workspace.
fn status(scim: &str, token: &str) -> String {
    let (host, path) = scim
        .trim_start_matches("http://")
        .split_once('/')
        .expect("a path");
    let mut socket = TcpStream::connect(host).unwrap();
    let request = format!(
        "GET /{path}Users HTTP/1.1\r\nhost: {host}\r\nauthorization: Bearer {token}\r\nconnection: close\r\n\r\n"
    );
    socket.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    socket.read_to_string(&mut answer).unwrap();
    answer.split(' ').nth(1).unwrap().to_owned()
}

#[test]
fn the_dashboard_of_the_demo_listens_where_it_is_told() {
    let world = World::new(1, 0);
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let demo = ["demo", "--users", "2", "--groups", "1", "--listen", &address];
    let refused = world.run(&demo).exits(2);
    assert!(
        refused.err.contains("give --listen another address"),
        "{refused:?}"
    );
    drop(taken);
    let mut running: Running = world.start(&demo);
    let lines = BufReader::new(running.stderr.take().unwrap()).lines();
    let link = format!("http://{address}/#");
    assert!(lines.map_while(Result::ok).any(|line| line.contains(&link)));
}

#[test]
fn the_sandbox_listens_where_it_is_told_and_fails_as_it_is_told() {
    let world = World::new(1, 0);
    let free = || {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        listener.local_addr().unwrap().to_string()
    };
    let (graph, scim) = (free(), free());
    fs::write(world.path("faults.toml"), "[scim]\nforbidden = true\n").unwrap();
    for (faults, expected) in [(&[][..], "200"), (&["--faults", "faults.toml"], "403")] {
        let args = [
            "sandbox",
            "--users",
            "2",
            "--groups",
            "1",
            "--graph-listen",
            &graph,
            "--scim-listen",
            &scim,
            "-o",
            "json",
        ];
        let mut sandbox: Running = world.start(&[&args[..], faults].concat());
        let mut line = String::new();
        let mut out = BufReader::new(sandbox.stdout.take().unwrap());
        out.read_line(&mut line).unwrap();
        let told: Value = serde_json::from_str(&line).unwrap();
        assert!(told["graph_url"].as_str().unwrap().contains(&graph), "{told}");
        let url = told["scim_url"].as_str().unwrap();
        assert!(url.contains(&scim), "{told}");
        assert_eq!(status(url, told["scim_token"].as_str().unwrap()), expected);
    }
}

/// With JSON lines nothing else is on standard error: not the error that a command ends with, and not a remark.
#[test]
fn a_json_log_is_never_mixed_with_text() {
    let world = World::new(4, 1);
    let json = |args: &[&str], code| {
        let ran = world
            .run(&[args, &["--log-level", "info", "--log-format", "json"]].concat())
            .exits(code);
        let event = |line: &str| -> Value {
            serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"))
        };
        ran.err.lines().map(event).collect::<Vec<_>>()
    };
    let log = json(&["sync"], 0);
    let ended: Vec<_> = log.iter().filter(|event| !event["outcome"].is_null()).collect();
    assert_eq!(ended.len(), 1, "one line a cycle: {log:#?}");
    for field in [
        "drift",
        "escrow",
        "held",
        "withheld",
        "lag_seconds",
        "source.requests",
        "target.requests",
        "duration_ms",
    ] {
        assert!(ended[0][field].is_u64(), "{field} in {}", ended[0]);
    }
    assert!(
        log.iter().all(|event| event["history.head"].is_null()),
        "the head is for `debug`"
    );
    world
        .workspace
        .update_faults(|faults| faults.unauthorized = Fault::always());
    let id = world.tenant.user_ids()[0].clone();
    world
        .tenant
        .set_user(&id, serde_json::json!({"jobTitle": "Captain"}));
    let log = json(&["sync"], 1);
    let refused: Vec<_> = log
        .iter()
        .filter(|event| event["status"] == 401 && event["side"] == "target")
        .collect();
    assert_eq!(refused.len(), 1, "{log:#?}");
    assert!(
        refused[0]["message"].as_str().unwrap().contains("401"),
        "{}",
        refused[0]
    );
    assert!(
        log.iter()
            .any(|event| event["level"] == "ERROR" && event["advice"].is_string()),
        "{log:#?}"
    );
    json(&["explain", "nobody"], 2);
}

/// A page for each verb that the help names, named as git names its own.
#[test]
fn every_verb_has_a_man_page() {
    let world = World::new(1, 0);
    fs::write(world.path("file"), "").unwrap();
    let refused = world.run(&["man", "file"]).exits(1).err;
    assert!(
        refused.contains("name a folder that you may write to"),
        "{refused}"
    );
    let ran = world.run(&["man", "pages"]).exits(0);
    let pages: Vec<String> = fs::read_dir(world.path("pages"))
        .unwrap()
        .map(|page| page.unwrap().file_name().into_string().unwrap())
        .collect();
    assert_eq!(ran.out.trim(), format!("{} man pages are in pages", pages.len()));
    for page in [
        "melonsync.1",
        "melonsync-sync.1",
        "melonsync-state-backup.1",
        "melonsync-hold-release.1",
    ] {
        assert!(pages.iter().any(|one| one == page), "{page} of {pages:?}");
    }
    assert!(
        !pages
            .iter()
            .any(|page| page.contains("help") || page == "melonsync-man.1"),
        "{pages:?}"
    );
    let page = fs::read_to_string(world.path("pages/melonsync-state-backup.1")).unwrap();
    for part in [".TH", "melonsync\\-state\\-backup", "\\-\\-out", "Example"] {
        assert!(page.contains(part), "{part}: {page}");
    }
}
