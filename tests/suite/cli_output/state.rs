//! The state folder in the hands of an operator: handed over, moved, imported, compacted, forgotten in, lost, full.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::Value;
use serde_json::json;

use super::world::World;
use super::world::finished;

fn removals(summary: &Value) -> u64 {
    let operations = &summary["operations"];
    let count = |verb: &str| operations[verb].as_u64().unwrap();
    count("disable_user") + count("delete_user") + count("remove_member")
}

#[track_caller]
fn withholds(world: &World, leaver: &str) {
    let sync = world.run(&["sync", "-o", "json"]).exits(4).json();
    assert_eq!(removals(&sync), 0, "{sync}");
    assert_eq!(sync["operations"]["create_user"], 0, "{sync}");
    assert!(
        sync["source"]["users_read"].as_u64().unwrap() > 10,
        "a full read: {sync}"
    );
    let held = world.workspace.users_by_external_id(leaver);
    assert_eq!(held[0]["active"], true, "the leaver is still in");
}

#[test]
fn a_job_that_was_handed_over_runs_elsewhere_and_not_here() {
    let world = World::new(20, 3);
    world.converges();
    let backup = ["state", "backup", "--handover", "--out", "over"];
    let ran = world.run(&backup).exits(0);
    assert!(ran.err.contains("handed over"), "{ran:?}");
    for verb in [&["run"] as &[&str], &["sync"], &["resync", "--all"]] {
        let refused = world.run(verb).exits(5);
        assert!(refused.err.contains("--take-back"), "{refused:?}");
    }
    world.run(&["plan"]).exits(0);

    // The other host: another state folder, the same tenant and workspace.
    let leaver = world.tenant.user_ids()[1].clone();
    world.tenant.set_user(&leaver, json!({"accountEnabled": false}));
    let there = ("MELONSYNC__STATE__PATH", "there");
    world
        .run_with(there.0, there.1, &["state", "restore", "--from", "over"])
        .exits(0);
    let sync = world
        .run_with(there.0, there.1, &["sync", "-o", "json"])
        .exits(4)
        .json();
    assert_eq!(
        (removals(&sync), &sync["operations"]["create_user"]),
        (0, &json!(0))
    );

    let sync = world.run(&["sync", "--take-back", "-o", "json"]).exits(4).json();
    assert_eq!(removals(&sync), 0, "taken back: removals wait");
    world.run(&["sync", "--allow-deletions", "5"]).exits(0);
    assert_eq!(world.workspace.users_by_external_id(&leaver)[0]["active"], false);
    world.run(&["sync"]).exits(0);
}

#[test]
fn a_copy_of_the_folder_reads_everything_and_removes_nobody() {
    let world = World::new(20, 3);
    world.converges();
    let leaver = world.tenant.user_ids()[1].clone();
    world.tenant.set_user(&leaver, json!({"accountEnabled": false}));
    copy(&world.path("state"), &world.path("copied"));
    fs::remove_dir_all(world.path("state")).unwrap();
    copy(&world.path("copied"), &world.path("state"));
    withholds(&world, &leaver);
    world.run(&["sync", "--allow-deletions", "5"]).exits(0);
    world.run(&["sync"]).exits(0);
}

#[test]
fn a_lost_snapshot_is_rebuilt_by_matching_without_duplicates_and_without_removing_anyone() {
    let world = World::new(40, 5);
    world.converges();
    let (leaver, gone) = (
        world.tenant.user_ids()[1].clone(),
        world.tenant.user_ids()[2].clone(),
    );
    world.tenant.hard_delete_user(&gone);
    fs::remove_dir_all(world.path("state")).unwrap();
    let before = world.workspace.users().len();
    let sync = world.run(&["sync", "-o", "json"]).exits(0).json();
    assert_eq!(removals(&sync), 0, "{sync}");
    assert_eq!(sync["operations"]["create_user"], 0, "{sync}");
    assert_eq!(sync["operations"]["create_group"], 0, "{sync}");
    assert_eq!(world.workspace.users().len(), before);
    assert_eq!(
        world.workspace.users_by_external_id(&gone).len(),
        1,
        "nothing proves that it was ours"
    );
    world.run(&["state", "verify"]).exits(0);
    world.tenant.set_user(&leaver, json!({"accountEnabled": false}));
    world.run(&["sync"]).exits(0);
    assert_eq!(world.workspace.users_by_external_id(&leaver)[0]["active"], false);
}

#[test]
fn an_export_is_imported_whole_and_a_spoilt_one_not_at_all() {
    let world = World::new(20, 3);
    world.converges();
    let export = world.run(&["state", "export"]).exits(0).out;
    fs::write(world.path("lines"), &export).unwrap();
    world.run(&["state", "import", "--from", "lines"]).exits(2);
    let history = world.run(&["history", "-o", "json"]).exits(0).out;
    let whole = world.run(&["state", "verify", "-o", "json"]).exits(0).json();

    let lines: Vec<&str> = export.lines().collect();
    let spoilt = [
        export
            .replace("\"schedule\"", "\"nobody\"")
            .replace("claimed USER=tester", "claimed USER=nobody"),
        lines[..lines.len() / 2].join("\n"),
        lines[1..].join("\n"),
        format!("{export}{{\"type\":\"damaged\"}}\n"),
        "not json\n".to_owned(),
    ];
    for text in spoilt {
        fs::write(world.path("spoilt"), text).unwrap();
        let refused = world
            .run(&["state", "import", "--from", "spoilt", "--force"])
            .exits(1);
        assert!(refused.err.contains("damaged"), "{refused:?}");
    }
    world
        .run(&["state", "import", "--from", "lines", "--force"])
        .exits(0);
    let imported = world.run(&["state", "verify", "-o", "json"]).exits(0).json();
    for same in [
        "users",
        "groups",
        "memberships",
        "linked_users",
        "linked_groups",
        "history_entries",
    ] {
        assert_eq!(imported[same], whole[same], "{same}");
    }
    assert_eq!(world.run(&["history", "-o", "json"]).exits(0).out, history);
    let leaver = world.tenant.user_ids()[1].clone();
    world.tenant.set_user(&leaver, json!({"accountEnabled": false}));
    withholds(&world, &leaver);
}

/// Every file under a folder that holds this text.
fn holding(folder: &Path, text: &str) -> Vec<String> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(holding(&path, text));
        } else if fs::read(&path)
            .unwrap_or_default()
            .windows(text.len())
            .any(|part| part == text.as_bytes())
        {
            found.push(path.display().to_string());
        }
    }
    found
}

#[test]
fn whoever_left_is_forgotten_and_a_restore_forgets_again() {
    let world = World::new(20, 3);
    let id = world.tenant.user_ids()[1].clone();
    let mark = "Zebedee-Quagmire";
    world
        .tenant
        .set_user(&id, json!({"surname": mark, "accountEnabled": true}));
    world.converges();
    let refused = world.run(&["state", "forget", &id]).exits(2);
    assert!(refused.err.contains("has a resource"), "{refused:?}");
    world.run(&["state", "backup", "--out", "before"]).exits(0);

    world.tenant.hard_delete_user(&id);
    world.run(&["sync"]).exits(0);
    assert!(!holding(&world.path("state"), mark).is_empty());
    let head = |world: &World| {
        let export = world.run(&["state", "export"]).exits(0).out;
        serde_json::from_str::<Value>(export.lines().next().unwrap()).unwrap()["history"].clone()
    };
    let before = head(&world);
    let done = world
        .run(&["state", "forget", "idmelon", &id, "-o", "json"])
        .exits(0)
        .json();
    assert!(done["history_entries"].as_u64().unwrap() >= 2, "{done}");
    assert_eq!(holding(&world.path("state"), mark), Vec::<String>::new());
    assert_eq!(head(&world), before, "the chain is as it was");
    world.run(&["state", "verify"]).exits(0);
    let shown = world.run(&["history", "--object", &id]).exits(0).out;
    assert!(shown.contains("values were erased"), "{shown}");
    world.run(&["sync"]).exits(0);

    world
        .run(&["state", "restore", "--from", "before", "--force"])
        .exits(0);
    fs::remove_dir_all(world.path("state/idmelon/sled.replaced")).unwrap();
    world.run(&["state", "compact"]).exits(0);
    assert_eq!(
        holding(&world.path("state"), mark),
        Vec::<String>::new(),
        "erased again"
    );
    world.run(&["state", "verify"]).exits(0);
    world.run(&["state", "forget", "nobody@corp.example"]).exits(2);
}

#[test]
fn compacting_keeps_everything_and_a_stop_between_its_two_renames_loses_nothing() {
    let world = World::new(20, 3);
    world.converges();
    let export = |world: &World| world.run(&["state", "export"]).exits(0).out;
    let before = export(&world);
    let done = world.run(&["state", "compact", "-o", "json"]).exits(0).json();
    assert!(done["bytes_after"].as_u64().unwrap() > 0, "{done}");
    assert_eq!(export(&world), before);
    fs::rename(
        world.path("state/idmelon/sled"),
        world.path("state/idmelon/sled.old"),
    )
    .unwrap();
    assert_eq!(export(&world), before);
    world.run(&["sync"]).exits(0);
}

/// A limit on the size of files is what a full disk is to the program: a write that fails in the middle.
#[test]
fn a_full_disk_is_a_clear_error_and_the_next_run_goes_on() {
    let world = World::new(60, 6);
    let program = env!("CARGO_BIN_EXE_melonsync");
    for blocks in ["1", "300", "1200"] {
        let mut command = Command::new("sh");
        let script = format!(
            "trap '' XFSZ; ulimit -f {blocks}; exec {program} -c melonsync.toml --log-level error sync"
        );
        let inner = world.command(&[]);
        command
            .args(["-c", &script])
            .current_dir(world.folder.path())
            .env_clear();
        for (name, value) in inner.get_envs() {
            command.env(name, value.unwrap_or_default());
        }
        command
            .stdout(std::process::Stdio::piped())
            .stderr(std::process::Stdio::piped());
        let ran = finished(command.spawn().unwrap());
        if ran.code != Some(0) {
            assert_eq!(ran.code, Some(1), "{ran:?}");
            assert!(ran.err.contains("free space"), "{ran:?}");
            assert!(!ran.err.contains("panicked"), "{ran:?}");
        }
    }
    world.converges();
}

#[test]
fn a_folder_that_cannot_be_written_is_a_clear_error() {
    let world = World::new(6, 1);
    let ran = world
        .run_with("MELONSYNC__STATE__PATH", "/proc/melonsync", &["sync"])
        .exits(1);
    assert!(
        ran.err.contains("state folder") && ran.err.contains("/proc/melonsync"),
        "{ran:?}"
    );
    world.run(&["sync"]).exits(0);
    let refused = world.run(&["state", "backup", "--out", "/proc/backup"]).exits(1);
    assert!(refused.err.contains("/proc/backup"), "{refused:?}");
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let goal = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &goal);
        } else {
            fs::copy(entry.path(), goal).unwrap();
        }
    }
}

/// Truncated or with flipped bits: said, not written over, and mended as docs/operations/on-call.md says.
#[test]
fn a_spoilt_file_is_said_and_the_way_back_works() {
    let world = World::new(30, 3);
    world.converges();
    world.run(&["state", "backup", "--out", "copy"]).exits(0);
    let (job, sound) = (world.path("state/idmelon"), world.path("sound"));
    copy(&job, &sound);
    let whole = fs::read(job.join("sled/db")).unwrap();
    let written = whole.iter().rposition(|byte| *byte != 0).unwrap();
    let mut said = 0;
    for part in 0..4 {
        for truncate in [false, true] {
            let mut bytes = whole.clone();
            let at = written * part / 4;
            if truncate {
                bytes.truncate(at);
            } else {
                bytes[at..at + 512].iter_mut().for_each(|byte| *byte ^= 0xa5);
            }
            fs::write(job.join("sled/db"), &bytes).unwrap();
            world.workspace.clear_requests();
            let ran = world.run(&["sync"]);
            assert!(!ran.err.contains("panicked at src"), "{ran:?}");
            if ran.code == Some(1) {
                said += 1;
                assert!(
                    ran.err.contains("damaged") && ran.err.contains("state restore"),
                    "{ran:?}"
                );
                assert_eq!(world.workspace.writes(), 0);
                assert!(job.join("sled").is_dir(), "nothing is thrown away");
            }
            fs::rename(&job, world.path("state/idmelon.damaged")).unwrap();
            if truncate {
                world.run(&["state", "restore", "--from", "copy"]).exits(0);
            }
            let sync = world.run(&["sync", "-o", "json"]).exits(0).json();
            assert_eq!(
                (removals(&sync), &sync["operations"]["create_user"]),
                (0, &json!(0)),
                "{sync}"
            );
            world.has_everybody_once();
            fs::remove_dir_all(world.path("state/idmelon.damaged")).unwrap();
            fs::remove_dir_all(&job).unwrap();
            copy(&sound, &job);
        }
    }
    assert!(said > 0, "no damage was ever met");
}
