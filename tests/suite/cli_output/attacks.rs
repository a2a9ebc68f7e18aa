//! A tenant and a target in which every name and every word is an attack on the terminal, the browser or the spreadsheet of
//! whom they are shown to: through every command, no output has a control character but the line break, and no line is forged.

use std::fs;
use std::process::Command;

use melonsync::sandbox::Fault;
use serde_json::Value;
use serde_json::json;

use super::world::Ran;
use super::world::World;
use super::world::finished;

/// Wipes two lines, writes a line of its own, and turns the rest around; C0, C1, DEL, separators, byte order mark.
const ATTACK: &str = "\u{1b}[2A\u{1b}[2K\r\nFORGED: nothing to do\n\u{9b}2J\u{7f}\u{202e}\u{2066}\u{2028}\u{2029}\u{feff}\u{8}\u{200f}end";

fn attack(name: &str) -> String {
    format!("{name}{ATTACK}")
}

fn unseen(c: char) -> bool {
    (c.is_control() && c != '\n')
        || matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

#[track_caller]
fn is_harmless(what: &str, text: &str) {
    let found = text.char_indices().find(|(_, c)| unseen(*c));
    let around = |at: usize| -> String {
        let from = text.floor_char_boundary(at.saturating_sub(200));
        text[from..text.floor_char_boundary(at + 100)]
            .escape_debug()
            .collect()
    };
    assert!(
        found.is_none(),
        "{what}: {found:?} in …{}…",
        around(found.unwrap().0)
    );
    let forged = text.lines().find(|line| line.trim_start().starts_with("FORGED"));
    assert!(forged.is_none(), "{what}: a line is forged: {forged:?}");
}

/// A world in which whoever can name something did.
fn world() -> World {
    let world = World::new(8, 2);
    world.write(&format!(
        "[audit]\nstream = \"file:audit.jsonl\"\n{}\n[jobs.idmelon.provisioning]\ndeletion_threshold = 1\nescrow_first_retry = \"1s\"\n",
        world.config()
    ));
    for (at, id) in world.tenant.user_ids().into_iter().enumerate() {
        world.tenant.set_user(&id, names(at, "first"));
    }
    for (at, id) in world.tenant.group_ids().into_iter().enumerate() {
        world.tenant.set_group(
            &id,
            json!({"displayName": attack(&format!("group {at}")), "description": attack("=1+1")}),
        );
    }
    world.tenant.grant_permission(&attack("Everything.ReadWrite.All"));
    world
        .workspace
        .insert_user(json!({"userName": attack("stranger"), "displayName": attack("stranger")}));
    world
        .workspace
        .insert_group(json!({"displayName": attack("strangers")}));
    world
}

fn names(at: usize, when: &str) -> Value {
    json!({
        "userPrincipalName": attack(&format!("user{at}")), "displayName": attack(&format!("Name {at}")),
        "jobTitle": attack(&format!("=cmd {when}")), "department": attack("dep"), "mail": attack("mail"),
        "givenName": attack("given"), "surname": attack("sur"),
    })
}

fn run(world: &World, format: &str, args: &[&str]) -> Ran {
    let mut command = Command::new(env!("CARGO_BIN_EXE_melonsync"));
    let quiet = world.command(&[]);
    command
        .args([
            "-c",
            "melonsync.toml",
            "--log-level",
            "trace",
            "--log-format",
            format,
        ])
        .args(args)
        .current_dir(world.folder.path())
        .env_clear()
        .envs(quiet.get_envs().filter_map(|(key, value)| Some((key, value?))))
        .env("USER", attack("ceo").replace('\0', ""))
        .stdin(std::process::Stdio::null())
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped());
    let ran = finished(command.spawn().unwrap());
    is_harmless(&format!("stdout of {args:?}"), &ran.out);
    is_harmless(&format!("stderr of {args:?}"), &ran.err);
    if args.windows(2).any(|pair| pair == ["-o", "json"]) && !ran.out.is_empty() {
        ran.json();
    }
    ran
}

/// Everything that shows something, as text and as JSON.
fn ask_everything(world: &World) {
    let user = world.tenant.user_ids()[1].clone();
    let group = world.tenant.group_ids()[0].clone();
    let calls: [&[&str]; 13] = [
        &["plan", "--full"],
        &["status"],
        &["escrow", "list"],
        &["drift", "--refresh"],
        &["explain", &user],
        &["explain", &group],
        &["explain", "Nobody"],
        &["history"],
        &["withheld", "list"],
        &["hold", "list"],
        &["check"],
        &["mapping", "show"],
        &["state", "verify"],
    ];
    let saved = world.path("saved.plan");
    let _ = fs::remove_file(&saved);
    run(world, "text", &["plan", "--out", "saved.plan"]);
    for args in calls {
        run(world, "text", args);
        run(world, "json", &[args, &["-o", "json"]].concat());
    }
    for form in ["csv", "html"] {
        run(world, "text", &["plan", "--full", "--format", form]);
    }
    run(world, "text", &["state", "export"]);
    for file in ["saved.plan", "audit.jsonl"] {
        is_harmless(file, &fs::read_to_string(world.path(file)).unwrap_or_default());
    }
}

#[test]
fn no_name_and_no_word_steers_the_terminal() {
    let world = world();
    let shown = run(&world, "text", &["plan"]).exits(0).out;
    assert!(
        shown.contains("\\u{1b}[2A"),
        "the attack is shown for what it is: {shown}"
    );
    // The target's words: all that was sent comes back.
    world
        .workspace
        .update_faults(|faults| faults.refuse_quoting = Fault::always());
    let failed = run(&world, "text", &["sync"]);
    assert!(failed.out.contains("failed"), "{}", failed.out);
    run(&world, "text", &["escrow", "drop", "--all", "--comment", ATTACK]);
    world
        .workspace
        .update_faults(|faults| faults.refuse_quoting = Fault::never());
    std::thread::sleep(std::time::Duration::from_millis(1100));
    run(&world, "text", &["escrow", "retry"]);
    run(&world, "json", &["resync", "--all"]);
    let linked = run(&world, "text", &["status", "-o", "json"]).json();
    assert_eq!(linked["jobs"][0]["snapshot"]["linked_groups"], 2, "{linked}");
    decide(&world);
    // Drift: somebody else writes at the target, and changes come from the source.
    for user in world.workspace.users() {
        let changes = json!({"title": attack("drifted"), "displayName": attack("drifted")});
        world.workspace.edit_user(user["id"].as_str().unwrap(), changes);
    }
    for (at, id) in world.tenant.user_ids().into_iter().enumerate() {
        world.tenant.set_user(&id, names(at, "second"));
    }
    ask_everything(&world);
    let late = world.tenant.user_ids()[1].clone();
    world.tenant.set_user(&late, names(1, "third"));
    run(&world, "text", &["sync", "--plan", "saved.plan", "--exact"]).exits(3);
    run(&world, "text", &["sync", "--plan", "saved.plan"]);
    run(&world, "text", &["drift", "--heal"]);
    run(&world, "text", &["sync", "--full"]);
    // Removals, more than the guard lets through.
    for id in world.tenant.user_ids().iter().take(7) {
        world.tenant.disable_user(id);
    }
    let withheld = run(&world, "text", &["sync"]);
    assert_eq!(withheld.code, Some(4), "{withheld:?}");
    ask_everything(&world);
    run(
        &world,
        "text",
        &[
            "withheld",
            "release",
            &world.tenant.user_ids()[0],
            "--comment",
            ATTACK,
        ],
    );
    run(
        &world,
        "text",
        &["withheld", "reject", "--all", "--comment", ATTACK],
    );
    run(&world, "text", &["undo", &last_cycle(&world), "--dry-run"]);
    run(&world, "text", &["undo", &last_cycle(&world)]);
    ask_everything(&world);
}

fn last_cycle(world: &World) -> String {
    let history = run(world, "text", &["history", "-o", "json"]).json();
    let entries = history["entries"].as_array().unwrap().clone();
    let of = |entry: &Value| entry["cycle"].as_str().map(str::to_owned);
    entries.iter().find_map(of).expect("a cycle did something")
}

#[test]
fn nobody_acts_in_anothers_name() {
    let world = World::new(4, 1);
    world.run(&["sync", "-q"]).exits(0);
    let user = &world.tenant.user_ids()[1];
    let forged = "ceo\n2026-11-30T00:00:00Z  delete user\n    by ceo";
    let mut command = world.command(&["hold", user, "--comment", "by order\n    by ceo"]);
    command.env("USER", forged).env("SUDO_USER", "boss (uid 0)");
    finished(command.spawn().unwrap()).exits(0);
    let uid = rustix::process::getuid().as_raw();
    let history = world
        .run(&["history", "--operation", "hold", "-o", "json"])
        .exits(0)
        .json();
    let actor = history["entries"][0]["actor"].as_str().unwrap();
    assert!(!actor.starts_with("ceo") && !actor.starts_with("boss"), "{actor}");
    assert!(actor.contains(&format!("uid {uid}")), "{actor}");
    assert!(
        actor.contains("claimed SUDO_USER=boss") && actor.contains("USER=ceo"),
        "{actor}"
    );
    let text = world.run(&["history", "--operation", "hold"]).exits(0).out;
    let by: Vec<&str> = text
        .lines()
        .filter(|line| line.trim_start().starts_with("by "))
        .collect();
    assert_eq!(by.len(), 1, "{text}");
    assert_eq!(
        text.lines().filter(|line| line.starts_with("20")).count(),
        1,
        "{text}"
    );
}

/// What people decide, with hostile comments and actors.
fn decide(world: &World) {
    let (user, group) = (&world.tenant.user_ids()[0], &world.tenant.group_ids()[0]);
    let name = attack("user0");
    let calls: [&[&str]; 14] = [
        &["hold", &name, "--comment", ATTACK],
        &["hold", user, "--attribute", "title", "--comment", ATTACK],
        &["hold", "list"],
        &["hold", "release", &name, "--comment", ATTACK],
        &["hold", "release", group],
        &["pause", "--comment", ATTACK],
        &["status"],
        &["resume", "--comment", ATTACK],
        &["unlink", &name, "--comment", ATTACK],
        &["unlink", &name],
        &["link", &name, ATTACK],
        &["quarantine", "release", "--comment", ATTACK],
        &["state", "backup", "--out", "backup"],
        &["history", "export", "--out", "exported"],
    ];
    for args in calls {
        run(world, "text", args);
    }
    run(world, "text", &["history", "verify", "exported"]).exits(0);
    run(world, "text", &["history", "--actor", ATTACK]);
    for usage in [
        &["status", ATTACK][..],
        &[ATTACK],
        &["hold", "a", "--until", ATTACK],
        &["status", ATTACK, ATTACK],
    ] {
        run(world, "text", usage).exits(2);
    }
    run(world, "text", &["sync"]);
}
