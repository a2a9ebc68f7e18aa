//! Values of rows that call `Redact` leave the program by one door only: the request that carries them to the target. Here one
//! world goes through what can happen to them, and each other exit is searched: what the commands print in each format, the log
//! at trace, the history, the audit stream, saved plans, the exported state.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::process::Stdio;

use melonsync::sandbox::Fault;
use serde_json::Value;
use serde_json::json;

use super::world::Ran;
use super::world::World;
use super::world::finished;

/// Parts of every hidden value: a text, a number, an element of a list, a group's text, and what somebody else writes at the target.
const HIDDEN: [&str; 5] = [
    "canary-title",
    "90017",
    "canary-mail",
    "canary-about",
    "canary-drift",
];

/// All that the program said so far, with the command that said it.
#[derive(Default)]
struct Heard(Vec<(String, String)>);

impl Heard {
    fn hear(&mut self, what: &str, text: String) {
        self.0.push((what.to_owned(), text));
    }

    fn ran(&mut self, args: &[&str], ran: &Ran) {
        self.hear(&format!("stdout of {args:?}"), ran.out.clone());
        self.hear(&format!("stderr of {args:?}"), ran.err.clone());
    }

    /// No part of a hidden value in any of it.
    fn is_clean(&self) {
        let mut leaks = Vec::new();
        for (what, text) in &self.0 {
            for hidden in HIDDEN {
                if let Some(at) = text.to_lowercase().find(hidden) {
                    let around: String = text.chars().skip(at.saturating_sub(160)).take(240).collect();
                    leaks.push(format!("{hidden} in {what}: …{around}…"));
                }
            }
        }
        assert!(leaks.is_empty(), "{} leaks\n{}", leaks.len(), leaks.join("\n\n"));
    }
}

/// The preset with rows of each shape that hide their values.
fn mapping() -> String {
    let preset = include_str!("../../../config/mappings/idmelon.toml");
    [
        ("\"[jobTitle]\"", "\"Redact([jobTitle])\""),
        ("\"[employeeId]\"", "\"Redact([employeeId])\""),
        ("\"[mail]\"", "\"Redact([mail])\""),
        ("\"[description]\"", "\"Redact([description])\""),
    ]
    .into_iter()
    .fold(preset.to_owned(), |rows, (from, to)| {
        assert!(rows.contains(from), "{from} is in the preset");
        rows.replace(from, to)
    })
}

/// A world with hidden values, synced in `steps` by [`run`].
fn world() -> World {
    let world = World::new(8, 2);
    fs::write(world.path("hiding.toml"), mapping()).unwrap();
    world.write(&format!(
        "[audit]\nstream = \"file:audit.jsonl\"\n{}\n[jobs.idmelon.provisioning]\nmapping = \"hiding.toml\"\nescrow_first_retry = \"1s\"\n",
        world.config()
    ));
    for (at, id) in world.tenant.user_ids().into_iter().enumerate() {
        world.tenant.set_user(&id, hidden_of(at, "first"));
    }
    for id in world.tenant.group_ids() {
        world
            .tenant
            .set_group(&id, json!({"description": "canary-about \"first\" \\ ü"}));
    }
    world
}

fn hidden_of(at: usize, when: &str) -> Value {
    json!({
        "jobTitle": format!("canary-title \"{when}\" \\ ü {at}"),
        "employeeId": format!("90017{at}{}", when.len()),
        "mail": format!("canary-mail-{when}-{at}@corp.example"),
    })
}

/// Everything that can be asked, in each format.
fn ask_everything(world: &World, heard: &mut Heard) {
    let id = world.tenant.user_ids()[1].clone();
    let group = world.tenant.group_ids()[0].clone();
    let calls: [&[&str]; 18] = [
        &["plan", "--full"],
        &["plan", "--full", "-o", "json"],
        &["plan", "--format", "csv"],
        &["plan", "--format", "html"],
        &["status"],
        &["status", "-o", "json"],
        &["escrow", "list"],
        &["escrow", "list", "-o", "json"],
        &["drift", "--refresh"],
        &["drift", "-o", "json"],
        &["explain", &id],
        &["explain", &id, "-o", "json"],
        &["explain", &group],
        &["history", "-o", "json"],
        &["history"],
        &["withheld", "list"],
        &["check"],
        &["plan", "--full", "--out", "saved.plan"],
    ];
    for args in calls {
        let ran = traced(world, args);
        heard.ran(args, &ran);
    }
    heard.hear("the kept state", kept_state(world));
    heard.hear("the saved plan", text_of(&world.path("saved.plan")));
    heard.hear("the audit stream", text_of(&world.path("audit.jsonl")));
}

/// All that the snapshot keeps, but for the objects themselves and creates under way: what the source said, what was sent and
/// what the target kept must be there to be compared, and leaves by no command but this export.
fn kept_state(world: &World) -> String {
    let exported = world.run(&["state", "export"]).exits(0).out;
    let lines: Vec<&str> = exported.lines().collect();
    assert!(lines.len() > 10, "{exported}");
    let own = |line: &&&str| {
        let line: Value = serde_json::from_str(line).unwrap();
        line["type"] != "object" && line["type"] != "intents"
    };
    let kept: Vec<&str> = lines.iter().filter(own).copied().collect();
    kept.join("\n")
}

/// A call with all that can be logged.
fn traced(world: &World, args: &[&str]) -> Ran {
    let mut command = Command::new(env!("CARGO_BIN_EXE_melonsync"));
    let quiet = world.command(&[]);
    command
        .args(["-c", "melonsync.toml", "--log-level", "trace"])
        .args(args);
    command.current_dir(world.folder.path()).env_clear();
    command.envs(quiet.get_envs().filter_map(|(key, value)| Some((key, value?))));
    command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    finished(command.spawn().unwrap())
}

fn text_of(path: &Path) -> String {
    String::from_utf8_lossy(&fs::read(path).unwrap_or_default()).into_owned()
}

fn sync(world: &World, heard: &mut Heard, args: &[&str]) -> Ran {
    let args = [&["sync"], args].concat();
    let ran = traced(world, &args);
    heard.ran(&args, &ran);
    ran
}

#[test]
fn what_a_mapping_redacts_leaves_by_the_request_alone() {
    let world = world();
    let mut heard = Heard::default();
    ask_everything(&world, &mut heard);
    // Refused, with all that was sent in the refusal.
    world
        .workspace
        .update_faults(|faults| faults.refuse_quoting = Fault::always());
    sync(&world, &mut heard, &["-o", "json"]);
    ask_everything(&world, &mut heard);
    world
        .workspace
        .update_faults(|faults| faults.refuse_quoting = Fault::never());
    std::thread::sleep(std::time::Duration::from_millis(1100));
    sync(&world, &mut heard, &["--full"]).exits(0);
    let carried = serde_json::to_string(&world.workspace.users()).unwrap();
    assert!(carried.contains("canary-title"), "the request carries it");
    // Changed at the source, and refused as a change.
    for (at, id) in world.tenant.user_ids().into_iter().enumerate() {
        world.tenant.set_user(&id, hidden_of(at, "second"));
    }
    world
        .workspace
        .update_faults(|faults| faults.refuse_quoting = Fault::always());
    sync(&world, &mut heard, &[]);
    ask_everything(&world, &mut heard);
    world
        .workspace
        .update_faults(|faults| faults.refuse_quoting = Fault::never());
    std::thread::sleep(std::time::Duration::from_millis(2100));
    sync(&world, &mut heard, &["--full", "-o", "json"]);
    // Another writer changes what is hidden, as a text and as a number; twice, so that healing it is a quarrel.
    for round in 0..2 {
        for (at, user) in world.workspace.users().into_iter().enumerate() {
            world.workspace.edit_user(
                user["id"].as_str().unwrap(),
                json!({"title": format!("canary-drift {round}{at}"), "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User": {"employeeNumber": format!("900179{round}{at}")}}),
            );
        }
        ask_everything(&world, &mut heard);
        let healed = traced(&world, &["drift", "--heal"]);
        heard.ran(&["drift", "--heal"], &healed);
    }
    let undone = world.run(&["undo", "last", "--dry-run"]);
    heard.ran(&["undo"], &undone);
    ask_everything(&world, &mut heard);
    let refused = heard
        .0
        .iter()
        .filter(|(_, text)| text.contains("text is left out"));
    assert!(refused.count() > 3, "the refusals were heard");
    heard.is_clean();
}
