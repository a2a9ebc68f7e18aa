//! The audit log at the command line, and the stream of operations as they happen.

use std::collections::BTreeSet;
use std::fs;

use melonsync::sandbox::Fault;
use serde_json::Value;
use serde_json::json;

use super::world::World;
use super::world::is_tester;

fn entries(world: &World, args: &[&str]) -> Vec<Value> {
    let args = [&["history", "-o", "json", "--reverse"], args].concat();
    let shown = world.run(&args).exits(0).json();
    shown["entries"].as_array().unwrap().clone()
}

#[test]
fn the_history_is_asked_exported_and_checked_without_the_state() {
    let world = World::new(20, 3);
    world.converges();
    let id = world.tenant.user_ids()[1].clone();
    let old = world.tenant.user(&id).unwrap()["userPrincipalName"]
        .as_str()
        .unwrap()
        .to_owned();
    world.tenant.set_user(
        &id,
        json!({"userPrincipalName": "renamed@corp.example", "jobTitle": "Captain"}),
    );
    let cycle = world.run(&["sync", "-o", "json"]).exits(0).json();

    let all = entries(&world, &[]);
    let of_old = entries(&world, &["--object", &old.to_uppercase()]);
    assert_eq!(of_old, entries(&world, &["--object", "renamed@corp.example"]));
    assert_eq!(of_old, entries(&world, &["idmelon", "--object", &id]));
    let verbs: Vec<_> = of_old
        .iter()
        .map(|entry| entry["operation"].as_str().unwrap())
        .collect();
    let own: Vec<_> = verbs
        .iter()
        .filter(|verb| verb.ends_with("_user"))
        .copied()
        .collect();
    assert_eq!(own, ["create_user", "update_user"], "{of_old:#?}");
    let update = of_old
        .iter()
        .find(|entry| entry["operation"] == "update_user")
        .unwrap();
    let changes = update["changes"].as_array().unwrap();
    let title = changes
        .iter()
        .find(|change| change["attribute"] == "title")
        .unwrap();
    assert_eq!(title["after"], "Captain");
    assert!(is_tester(&update["actor"]), "{of_old:#?}");
    assert_eq!(
        entries(&world, &["--cycle", cycle["cycle"].as_str().unwrap()]),
        std::slice::from_ref(update)
    );
    assert_eq!(entries(&world, &["--since", "1h", "--until", "2099-01-01"]), all);
    assert!(entries(&world, &["--until", "1h"]).is_empty());
    assert!(entries(&world, &["--result", "failed"]).is_empty());
    let joined = entries(&world, &["--operation", "add_member"]);
    let members = joined[0]["changes"][0]["after"].as_array().unwrap();
    assert!(
        !members.is_empty() && members.iter().all(Value::is_string),
        "{joined:#?}"
    );
    let text = world.run(&["history", "--object", &id]).exits(0).out;
    assert!(
        text.contains("update user  renamed@corp.example") && text.contains(", claimed USER=tester)"),
        "{text}"
    );
    world
        .run(&["history", "--object", "nobody@corp.example"])
        .exits(2);
    world.run(&["history", "--since", "yesterday"]).exits(2);

    let export = [
        "history",
        "export",
        "--since",
        "2020-01-01",
        "--out",
        "audit",
        "-o",
        "json",
    ];
    let exported = world.run(&export).exits(0).json();
    assert_eq!(exported["entries"], all.len());
    world.run(&export).exits(2);
    fs::remove_dir_all(world.path("state")).unwrap();
    fs::remove_file(world.path("melonsync.toml")).unwrap();
    let checked = world
        .run(&["history", "verify", "audit", "-o", "json"])
        .exits(0)
        .json();
    assert_eq!(
        (&checked["ok"], &checked["head"]),
        (&json!(true), &exported["head"])
    );
    let lines = fs::read_to_string(world.path("audit/entries.jsonl")).unwrap();
    fs::write(
        world.path("audit/entries.jsonl"),
        lines.replace("Captain", "Admiral"),
    )
    .unwrap();
    let altered = world.run(&["history", "verify", "audit"]).exits(1);
    assert!(altered.out.contains("were altered"), "{altered:?}");
    world.run(&["history", "verify", "nothing"]).exits(1);
}

#[test]
fn the_audit_stream_has_a_line_before_and_after_each_operation() {
    let world = World::new(12, 2);
    let stream = |to: &str| world.write(&format!("[audit]\nstream = \"{to}\"\n\n{}", world.config()));
    stream("file:audit.jsonl");
    world.converges();
    let text = fs::read_to_string(world.path("audit.jsonl")).unwrap();
    let lines: Vec<Value> = text
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let count = |event: &str, verb: &str| {
        let same = |line: &&Value| line["event"] == event && line["operation"] == verb;
        lines.iter().filter(same).count()
    };
    assert!(count("done", "create_user") > 5);
    for verb in ["create_user", "create_group", "add_member"] {
        assert_eq!(count("sending", verb), count("done", verb), "{verb}");
    }
    for (at, line) in lines
        .iter()
        .enumerate()
        .filter(|(_, line)| line["event"] == "done")
    {
        let sent = |before: &Value| {
            before["event"] == "sending"
                && before["object"] == line["object"]
                && before["operation"] == line["operation"]
        };
        assert!(lines[..at].iter().any(sent), "{line}");
    }

    stream("stdout");
    let id = world.tenant.user_ids()[1].clone();
    world.tenant.set_user(&id, json!({"jobTitle": "Captain"}));
    let ran = world.run(&["sync", "-o", "json"]).exits(0);
    ran.json();
    assert!(ran.err.contains("\"event\":\"sending\""), "{ran:?}");
    stream("file:no/such/folder/audit.jsonl");
    let refused = world.run(&["sync"]).exits(2);
    assert!(refused.err.contains("audit stream"), "{refused:?}");
    stream("nowhere");
    world.run(&["sync"]).exits(2);
}

/// The program's own chance: a salt that repeats lets equal values be told from their digests.
#[test]
fn no_two_entries_have_one_salt() {
    let world = World::new(12, 3);
    world.run(&["sync"]).exits(0);
    for user in &world.tenant.user_ids() {
        world.tenant.set_user(user, json!({"jobTitle": "The same"}));
    }
    world.run(&["sync"]).exits(0);
    let export = world.run(&["state", "export"]).exits(0).out;
    let lines = export
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap());
    let salts: Vec<String> = lines
        .filter(|line| line["type"] == "history")
        .filter_map(|line| line["salt"].as_str().map(str::to_owned))
        .collect();
    assert!(salts.len() >= 27, "{} entries have a salt", salts.len());
    let distinct: BTreeSet<&String> = salts.iter().collect();
    assert_eq!(distinct.len(), salts.len());
}

/// Whoever compares an entry with the target's own log, or asks what was done after a moment, needs the time of that request, and
/// not of the cycle.
#[test]
fn an_entry_has_the_time_of_its_own_request() {
    let world = World::new(3, 0);
    world.change("kind  = \"idmelon\"", "kind  = \"idmelon\"\nmax_concurrency = 1");
    world.workspace.update_faults(|faults| {
        faults.slow = Fault::always();
        faults.slow_ms = Some(120);
    });
    let cycle = world.run(&["sync", "-o", "json"]).exits(0).json();
    let moment = |text: &Value| chrono::DateTime::parse_from_rfc3339(text.as_str().unwrap()).unwrap();
    let mut times: Vec<_> = entries(&world, &["--operation", "create_user"])
        .iter()
        .map(|entry| moment(&entry["time"]))
        .collect();
    times.sort();
    assert_eq!(times.len(), 3);
    assert!(
        moment(&cycle["started"]) < times[0],
        "the answer comes after the cycle began"
    );
    for pair in times.windows(2) {
        assert!((pair[1] - pair[0]).num_milliseconds() >= 100, "{times:?}");
    }
}
