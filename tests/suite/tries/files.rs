//! Files and folders that a verb is told to use, and what its hint says to name instead.

use std::fs;
use std::os::unix::fs::symlink;
use std::process::Command;
use std::process::Stdio;

use serde_json::json;

use crate::cli_output::world::World;
use crate::support::program::Ran;
use crate::support::program::Running;

/// What is told, its hint, and what the hint leads to.
type Try<'t> = (&'t [&'t str], &'t str, &'t [&'t str]);

#[test]
fn a_place_that_is_no_good_is_replaced_by_the_one_that_the_hint_names() {
    let world = World::new(6, 1);
    world.converges();
    fs::create_dir(world.path("folder")).unwrap();
    fs::write(world.path("file"), "x").unwrap();
    symlink(world.path("folder"), world.path("link")).unwrap();
    let schema = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/entra-sync-schema.json");
    let tries: &[Try<'_>] = &[
        (
            &["plan", "--out", "file"],
            "name a file with --out that does not exist; only an earlier plan is replaced",
            &["plan", "--out", "plan.json"],
        ),
        (
            &["plan", "--out", "none/plan.json"],
            "check that the folder is there, its free space and its permissions; nothing was written to the target",
            &["plan", "--out", "folder/plan.json"],
        ),
        (
            &["history", "export", "--out", "link"],
            "name a folder of your own with --out, or one that does not exist",
            &["history", "export", "--out", "exported"],
        ),
        (
            &["mapping", "import-entra", "none.json"],
            "name a file, or `-` for standard input",
            &["mapping", "import-entra", schema],
        ),
        (
            &["mapping", "import-entra", "file"],
            "export it from GET /servicePrincipals/{id}/synchronization/jobs/{job}/schema",
            &["mapping", "import-entra", schema],
        ),
        (
            &["mapping", "import-entra", schema, "--out", "file"],
            "name a file that is not there yet, in a folder that is",
            &["mapping", "import-entra", schema, "--out", "folder/own.toml"],
        ),
    ];
    let mut wrong = Vec::new();
    for (args, hint, instead) in tries {
        let ran = world.run(args);
        if !matches!(ran.code, Some(1 | 2)) || !ran.err.contains(hint) {
            wrong.push(format!("{args:?}: no \"{hint}\" in {ran:?}"));
        }
        let ran = world.run(instead);
        if ran.code != Some(0) {
            wrong.push(format!("{instead:?}: {ran:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Waits until the sandbox serves, and stops it.
#[track_caller]
fn serves(world: &World, args: &[&str]) {
    use std::io::BufRead;
    let mut running = world.start(args);
    let out = std::io::BufReader::new(running.stdout.take().unwrap());
    let mut lines = out.lines().map_while(Result::ok);
    assert!(
        lines.any(|line| line.contains("graph_url")),
        "{args:?} does not serve"
    );
    running.kill().unwrap();
}

#[test]
fn a_sandbox_serves_once_its_faults_and_its_address_are_as_the_hint_says() {
    let world = World::new(1, 0);
    fs::write(world.path("faults.toml"), "[scim]\nno_such_fault = true\n").unwrap();
    let faults = [
        "sandbox",
        "--users",
        "1",
        "--groups",
        "0",
        "--faults",
        "faults.toml",
    ];
    let none = [&faults[..6], &["none.toml"]].concat();
    let said = world.run(&none).exits(2).err;
    assert!(
        said.contains("name a TOML file with the tables [graph] and [scim]"),
        "{said}"
    );
    let said = world.run(&faults).exits(2).err;
    assert!(
        said.contains("correct the file; an empty one switches nothing on"),
        "{said}"
    );
    fs::write(world.path("faults.toml"), "").unwrap();
    serves(&world, &faults);
    fs::write(
        world.path("faults.toml"),
        "[graph]\nempty_pages = 1\n[scim]\nthrottle = 1\n",
    )
    .unwrap();
    serves(&world, &faults);
    let taken = world.graph.url.trim_start_matches("http://").to_owned();
    let at = [
        "sandbox",
        "--users",
        "1",
        "--groups",
        "0",
        "--graph-listen",
        taken.as_str(),
    ];
    let said = world.run(&at).exits(1).err;
    assert!(
        said.contains("choose another address, or leave it out for a free port"),
        "{said}"
    );
    serves(&world, &at[..5]);
}

#[test]
fn init_writes_where_it_may() {
    let world = World::new(1, 0);
    let (tenant, client) = (world.tenant.tenant_id(), world.tenant.client_id());
    let init = |config: &str, more: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_melonsync"));
        let ids = [
            "init",
            "--tenant-id",
            tenant.as_str(),
            "--client-id",
            client.as_str(),
        ];
        command.args(["--config", config]).args(ids).args(more);
        command.current_dir(world.folder.path());
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        Running::start(&mut command).finished()
    };
    fs::write(world.path("file"), "x").unwrap();
    let said = init("file/melonsync.toml", &[]).exits(1).err;
    let hint = "check the folder's permissions, or name another file with --config";
    assert!(said.contains(hint), "{said}");
    init("folder/melonsync.toml", &[]).exits(0);
    let said = init("folder/melonsync.toml", &[]).exits(2).err;
    let hint = "name another file with --config, or overwrite it with --force";
    assert!(said.contains(hint), "{said}");
    init("other.toml", &[]).exits(0);
    init("other.toml", &["--force"]).exits(0);
}

#[test]
fn a_temporary_folder_that_is_not_there_is_named_anew() {
    let world = World::new(3, 1);
    let said = world.run_with("TMPDIR", "/none", &["plan"]).exits(1).err;
    assert!(
        said.contains("check the space in the temporary folder (TMPDIR)"),
        "{said}"
    );
    let tmp = world.path("tmp");
    fs::create_dir(&tmp).unwrap();
    world
        .run_with("TMPDIR", tmp.to_str().unwrap(), &["plan"])
        .exits(0);
    let demo = ["demo", "--once", "--users", "3", "--groups", "1"];
    let said = world.run_with("TMPDIR", "/none", &demo).exits(1).err;
    assert!(said.contains("or name one with --state"), "{said}");
    let own = [&demo[..], &["--state", "own"]].concat();
    world.run_with("TMPDIR", "/none", &own).exits(0);
}

#[test]
fn an_export_that_was_altered_is_made_again() {
    let world = World::new(4, 1);
    world.converges();
    world.run(&["history", "export", "--out", "first"]).exits(0);
    let folder = fs::read_dir(world.path("first")).unwrap().flatten();
    let lines = folder
        .map(|entry| entry.path())
        .find(|path| fs::read_to_string(path).is_ok_and(|text| text.contains("create_user")))
        .unwrap();
    let text = fs::read_to_string(&lines).unwrap();
    fs::write(&lines, text.replacen("create_user", "delete_user", 1)).unwrap();
    let said = world.run(&["history", "verify", "first"]).exits(1).err;
    assert!(
        said.contains("export the history again, and find out who had access"),
        "{said}"
    );
    world.run(&["history", "export", "--out", "again"]).exits(0);
    world.run(&["history", "verify", "again"]).exits(0);
}

#[test]
fn a_snapshot_that_is_there_is_kept_beside_with_force() {
    let world = World::new(4, 1);
    world.converges();
    world.run(&["state", "backup", "--out", "copy"]).exits(0);
    let said = world.run(&["state", "restore", "--from", "copy"]).exits(2).err;
    let hint = "with --force the file takes its place, and it is kept beside it as `sled.replaced`";
    assert!(said.contains(hint), "{said}");
    world
        .run(&["state", "restore", "--from", "copy", "--force"])
        .exits(0);
    assert!(world.path("state/idmelon/sled.replaced").is_dir());
    world.converges();
}

#[test]
fn a_snapshot_of_another_engine_is_used_by_its_own_or_moved_over() {
    let world = World::new(4, 1);
    world.converges();
    let redb = ("MELONSYNC__STATE__STORE", "redb");
    let said = world.run_with(redb.0, redb.1, &["sync"]).exits(2).err;
    for part in [
        "write store = \"sled\" under [state] again",
        "`melonsync state backup --out FILE`",
        "`melonsync state restore --from FILE --force` with store = \"redb\"",
    ] {
        assert!(said.contains(part), "no {part} in {said}");
    }
    world.converges();
    world.run(&["state", "backup", "--out", "moved"]).exits(0);
    let restore = ["state", "restore", "--from", "moved", "--force"];
    world.run_with(redb.0, redb.1, &restore).exits(0);
    let sync = world
        .run_with(redb.0, redb.1, &["sync", "-o", "json"])
        .exits(0)
        .json();
    assert_eq!(sync["operations"]["create_user"], json!(0), "{sync}");
    world.has_everybody_once();
}

#[test]
fn a_snapshot_that_is_damaged_is_set_aside_and_restored() {
    let world = World::new(4, 1);
    world.converges();
    world.run(&["state", "backup", "--out", "copy"]).exits(0);
    fs::remove_file(world.path("state/idmelon/sled/conf")).unwrap();
    fs::write(world.path("state/idmelon/sled/db"), "x".repeat(4096)).unwrap();
    let said = world.run(&["sync"]).exits(1).err;
    assert!(
        said.contains("set the folder aside (mv ") && said.contains(".damaged) and restore a backup"),
        "{said}"
    );
    let whole = world.path("state/idmelon");
    let (from, rest) = said.split_once("(mv ").unwrap().1.split_once(' ').unwrap();
    let to = rest.split_once(')').unwrap().0;
    assert!(
        whole.starts_with(world.path(from)) || world.path(from).starts_with(&whole),
        "{from}"
    );
    fs::rename(world.path(from), world.path(to)).unwrap();
    world
        .run(&["state", "restore", "--from", "copy", "--force"])
        .exits(0);
    world.converges();
}

#[test]
fn a_state_folder_that_cannot_be_made_is_named_anew() {
    let world = World::new(2, 1);
    fs::write(world.path("file"), "x").unwrap();
    let said = world
        .run_with("MELONSYNC__STATE__PATH", "file/state", &["sync"])
        .exits(1)
        .err;
    let hint = "check free space and the permissions of the state folder";
    assert!(said.contains(hint), "{said}");
    fs::remove_file(world.path("file")).unwrap();
    world
        .run_with("MELONSYNC__STATE__PATH", "file/state", &["sync"])
        .exits(0);
}

/// The program from the world's folder, with a config that lies in another.
fn from_outside(world: &World, config: &str, args: &[&str]) -> Ran {
    let meant = world.command(&[]);
    let mut command = Command::new(env!("CARGO_BIN_EXE_melonsync"));
    command
        .args(["--config", config])
        .args(args)
        .current_dir(world.folder.path())
        .env_clear()
        .envs(meant.get_envs().filter_map(|(key, value)| Some((key, value?))))
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    Running::start(&mut command).finished()
}

#[test]
fn what_a_config_names_lies_beside_it_wherever_the_command_runs() {
    let world = World::new(3, 1);
    let config = world
        .config()
        .replace("{ env = \"IDMELON_SCIM_TOKEN\" }", "{ file = \"scim-token\" }")
        .replace(
            "mode = \"enforce\"",
            "mode = \"enforce\"\nprovisioning.mapping = \"config/mappings/own.toml\"",
        );
    fs::create_dir_all(world.path("config/mappings")).unwrap();
    fs::write(world.path("config/melonsync.toml"), &config).unwrap();
    fs::write(world.path("config/scim-token"), world.workspace.token()).unwrap();
    let preset = include_str!("../../../config/mappings/idmelon.toml");
    fs::write(world.path("config/mappings/own.toml"), preset).unwrap();
    from_outside(&world, "config/melonsync.toml", &["sync"]).exits(0);
    assert!(world.path("config/state/idmelon").is_dir());
    assert!(!world.path("state").exists());
}

#[test]
fn a_state_that_was_left_in_the_working_folder_is_moved_beside_the_config() {
    let world = World::new(3, 1);
    world.converges();
    fs::create_dir(world.path("config")).unwrap();
    fs::rename(world.path("melonsync.toml"), world.path("config/melonsync.toml")).unwrap();
    // Without a word the job would begin afresh, and not know whom it had linked.
    let said = from_outside(&world, "config/melonsync.toml", &["sync"])
        .exits(2)
        .err;
    assert!(said.contains("move it there (`mv state config/state`)"), "{said}");
    assert!(!world.path("config/state").exists());
    fs::rename(world.path("state"), world.path("config/state")).unwrap();
    let said = from_outside(&world, "config/melonsync.toml", &["sync", "-o", "json"]).exits(0);
    assert_eq!(said.json()["operations"]["link_user"], 0);
}

#[test]
fn init_asks_the_sign_in_service_for_the_tenant_of_a_domain() {
    let world = World::new(1, 0);
    let (tenant, client) = (world.tenant.tenant_id(), world.tenant.client_id());
    let init = |login: &str, tenant: &str, config: &str| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_melonsync"));
        command
            .args([
                "--config",
                config,
                "init",
                "--tenant-id",
                tenant,
                "--client-id",
                &client,
            ])
            .current_dir(world.folder.path())
            .env("MELONSYNC__JOBS__IDMELON__SOURCE__LOGIN_URL", login)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        Running::start(&mut command).finished()
    };
    let login = world.graph.url.as_str();
    init(login, "Corp.Example", "a.toml").exits(0);
    let written = fs::read_to_string(world.path("a.toml")).unwrap();
    assert!(
        written.contains(&format!("tenant_id = \"{tenant}\"")),
        "{written}"
    );
    let hint = "give the tenant ID itself";
    let said = init(login, "nobody.example", "b.toml").exits(2).err;
    assert!(
        said.contains("no tenant has the domain nobody.example") && said.contains(hint),
        "{said}"
    );
    // Nobody listens there: the service cannot be asked, and that is what is said.
    let said = init("http://127.0.0.1:9", "corp.example", "b.toml").exits(1).err;
    assert!(
        said.contains("cannot ask 127.0.0.1:9 which tenant") && said.contains(hint),
        "{said}"
    );
    assert!(!world.path("b.toml").exists());
    init("http://127.0.0.1:9", &tenant, "b.toml").exits(0);
    let said = init("nowhere", "corp.example", "c.toml").exits(2).err;
    assert!(
        said.contains("correct the variable MELONSYNC__JOBS__IDMELON__SOURCE__LOGIN_URL"),
        "{said}"
    );
}
