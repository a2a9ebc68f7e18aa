//! What the program writes and opens, in places where others may write too.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::path::PathBuf;
use std::process::Command;
use std::process::Stdio;

use super::world::Ran;
use super::world::World;
use super::world::finished;

/// The program where nothing of a mode is masked.
fn unmasked(world: &World, args: &[&str]) -> Ran {
    let quiet = world.command(args);
    let mut command = Command::new("/bin/sh");
    command
        .args(["-c", "umask 000; exec \"$@\"", "sh"])
        .arg(quiet.get_program())
        .args(quiet.get_args())
        .current_dir(world.folder.path())
        .env_clear()
        .envs(quiet.get_envs().filter_map(|(key, value)| Some((key, value?))))
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    finished(command.spawn().unwrap())
}

/// Every file and folder below, with its mode.
fn walk(folder: &Path, found: &mut Vec<(PathBuf, u32)>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let held = path.symlink_metadata().unwrap();
        found.push((path.clone(), held.permissions().mode() & 0o777));
        if held.is_dir() {
            walk(&path, found);
        }
    }
}

#[test]
fn all_that_is_ever_written_is_for_its_owner_alone() {
    for engine in ["sled", "redb"] {
        let world = World::new(12, 2);
        let written = world.folder.path().join("written");
        fs::create_dir(&written).unwrap();
        fs::set_permissions(&written, fs::Permissions::from_mode(0o700)).unwrap();
        world.write(&format!(
            "[state]\npath = \"written/state\"\nstore = \"{engine}\"\n\n[audit]\nstream = \"file:written/audit.jsonl\"\n{}",
            world.config()
        ));
        let schema = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/entra-sync-schema.json");
        let id = "5a3d0b0c-7e57-4000-8000-000000000001";
        let calls: [&[&str]; 14] = [
            &["mapping", "import-entra", schema, "--out", "written/mapping.toml"],
            &["plan", "--out", "written/plan.json"],
            &["plan", "--format", "csv", "--out", "written/plan.csv"],
            &["plan", "--format", "html", "--out", "written/plan.html"],
            &["sync"],
            &["sync", "--full"],
            &["history", "export", "--out", "written/history"],
            &["state", "backup", "--out", "written/backup"],
            &["state", "compact"],
            &["state", "restore", "--from", "written/backup", "--force"],
            &["resume"],
            &["sync"],
            &["state", "backup", "--handover", "--out", "written/over"],
            &["sync", "--take-back"],
        ];
        for args in calls {
            let ran = unmasked(&world, args);
            assert!(matches!(ran.code, Some(0 | 4)), "{args:?}: {ran:?}");
        }
        let gone = world.tenant.user_ids()[0].clone();
        world.tenant.hard_delete_user(&gone);
        unmasked(&world, &["resume"]).exits(0);
        unmasked(&world, &["sync", "--full"]);
        unmasked(&world, &["state", "forget", &gone]);
        unmasked(&world, &["init", "--force", "--tenant-id", id, "--client-id", id]).exits(0);
        let mut found = Vec::new();
        walk(&written, &mut found);
        let config = fs::metadata(world.path("melonsync.toml")).unwrap();
        found.push((world.path("melonsync.toml"), config.permissions().mode() & 0o777));
        assert!(found.len() > 12, "{found:?}");
        let open: Vec<_> = found.iter().filter(|(_, mode)| mode & 0o077 != 0).collect();
        assert!(open.is_empty(), "{engine}: {open:#?}");
    }
}

#[test]
fn what_is_written_follows_no_link_and_overwrites_nothing() {
    let world = World::new(12, 2);
    world.run(&["sync", "-q"]).exits(0);
    let theirs = world.path("theirs");
    fs::write(&theirs, "not yours").unwrap();
    for name in ["copy", "plan.json", "out/entries.jsonl"] {
        for name in [name.to_owned(), format!("{name}.partial")] {
            let path = world.path(&name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            symlink(&theirs, path).unwrap();
        }
    }
    world.run(&["state", "backup", "--out", "copy"]).exits(2);
    world.run(&["plan", "--out", "plan.json"]).exits(2);
    world.run(&["plan", "--out", "theirs"]).exits(2);
    world.run(&["history", "export", "--out", "out"]).exits(2);
    fs::create_dir(world.path("empty")).unwrap();
    symlink(world.path("empty"), world.path("link")).unwrap();
    world.run(&["history", "export", "--out", "link"]).exits(2);
    assert!(fs::read_dir(world.path("empty")).unwrap().next().is_none());
    // A name that somebody foresaw is not used on the way either.
    for name in ["copy", "plan.json"] {
        fs::remove_file(world.path(name)).unwrap();
    }
    world.run(&["state", "backup", "--out", "copy"]).exits(0);
    world.run(&["plan", "--out", "plan.json", "-q"]).exits(0);
    assert!(!world.path("copy").symlink_metadata().unwrap().is_symlink());
    assert_eq!(fs::read_to_string(&theirs).unwrap(), "not yours");
    // An earlier plan is the one thing that a plan replaces, and a link to one is none.
    world.run(&["plan", "--out", "plan.json", "-q"]).exits(0);
    symlink(world.path("plan.json"), world.path("link.json")).unwrap();
    world.run(&["plan", "--out", "link.json"]).exits(2);
    for form in ["csv", "html"] {
        for _ in 0..2 {
            world
                .run(&["plan", "--format", form, "--out", &format!("plan.{form}")])
                .exits(0);
        }
    }
}

#[test]
fn lock_and_audit_file_are_opened_only_where_they_are_ours() {
    let world = World::new(4, 1);
    let theirs = world.path("theirs");
    fs::write(&theirs, "not yours").unwrap();
    fs::create_dir(world.path("state")).unwrap();
    symlink(&theirs, world.path("state/lock")).unwrap();
    let ran = world.run(&["sync"]);
    assert_eq!(ran.code, Some(1), "{ran:?}");
    assert!(ran.err.contains("link"), "{ran:?}");
    fs::remove_file(world.path("state/lock")).unwrap();
    world.write(&format!(
        "[audit]\nstream = \"file:audit.jsonl\"\n{}",
        world.config()
    ));
    symlink(&theirs, world.path("audit.jsonl")).unwrap();
    let ran = world.run(&["sync"]).exits(2);
    assert!(ran.err.contains("link"), "{ran:?}");
    assert_eq!(fs::read_to_string(&theirs).unwrap(), "not yours");
    fs::remove_file(world.path("audit.jsonl")).unwrap();
    world.run(&["sync", "-q"]).exits(0);
}

#[test]
fn check_names_files_that_others_may_touch() {
    let world = World::new(4, 1);
    let secret = world.path("secret");
    fs::write(&secret, world.tenant.client_secret()).unwrap();
    let config = world.config();
    let config = config.replace(
        "{ env = \"ENTRA_CLIENT_SECRET\" }",
        &format!("{{ file = {:?} }}", secret.display().to_string()),
    );
    world.write(&format!("[audit]\nstream = \"file:audit.jsonl\"\n{config}"));
    world.run(&["sync", "-q"]).exits(0);
    let set = |path: &str, mode| {
        fs::set_permissions(world.path(path), fs::Permissions::from_mode(mode)).unwrap();
    };
    set("secret", 0o600);
    set("melonsync.toml", 0o644);
    let clean = world.run(&["check"]).exits(0).out;
    assert!(!clean.contains("files"), "{clean}");
    for path in [
        "secret",
        "audit.jsonl",
        "state",
        "state/idmelon",
        "state/idmelon/sled/db",
        "state/lock",
        "melonsync.toml",
        ".",
    ] {
        let before = fs::metadata(world.path(path)).unwrap().permissions().mode();
        set(path, before | 0o066);
        let found = world.run(&["check"]).exits(0).out;
        assert!(
            found.contains("warn  files") && found.contains("chmod "),
            "{path}: {found}"
        );
        set(path, before);
    }
}
