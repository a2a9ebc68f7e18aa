//! Secrets are never shown: not in logs, errors, history, summaries, exports or the snapshot.
//!
//! Each call is a process of its own, the real program: within one process, tracing asks the first thread that meets a line
//! whether anybody listens, and a test that listens late hears nothing.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::process::Stdio;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use melonsync::model::secret::Secret;
use melonsync::sandbox::Fault;
use melonsync::sandbox::ScimFaults;

use crate::cli_output::world::Ran;
use crate::cli_output::world::World;
use crate::cli_output::world::finished;

const TOKEN: &str = "hunter2-scim-token-value";
const CLIENT_SECRET: &str = "hunter2-client-secret-value";

/// How an access token of the tenant begins, after which there is no other text that does.
const ACCESS_TOKEN: &str = "eyJhbGciOi";

/// All that was said and kept, each with where.
#[derive(Default)]
struct Heard(Vec<(String, String)>);

impl Heard {
    fn ran(&mut self, what: &str, ran: &Ran) {
        self.0.push((format!("stdout of {what}"), ran.out.clone()));
        self.0.push((format!("stderr of {what}"), ran.err.clone()));
    }

    /// Every file of the world but those that are to hold a secret.
    fn files(&mut self, folder: &Path) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            if path.is_dir() {
                self.files(&path);
            } else if path.is_file() && name != "token" {
                let bytes = fs::read(&path).unwrap();
                self.0.push((
                    path.display().to_string(),
                    String::from_utf8_lossy(&bytes).into_owned(),
                ));
            }
        }
    }

    fn count(&self, word: &str) -> usize {
        self.0.iter().filter(|(_, text)| text.contains(word)).count()
    }

    fn holds_no_secret(&self) {
        let mut wanted = vec![
            "hunter2".to_owned(),
            ACCESS_TOKEN.to_owned(),
            "Bearer ".to_owned(),
        ];
        wanted.extend(
            [TOKEN, CLIENT_SECRET].map(|secret| STANDARD.encode(secret).trim_end_matches('=').to_owned()),
        );
        for (what, text) in &self.0 {
            for secret in &wanted {
                let at = text.find(secret.as_str());
                let around = at.map(|at| {
                    text.get(text.floor_char_boundary(at.saturating_sub(200))..at)
                        .unwrap_or_default()
                });
                assert!(at.is_none(), "{what} shows `{secret}` after: {around:?}");
            }
        }
    }
}

/// A world whose two secrets are known to this test: the token from a file, the client secret from a variable.
fn world() -> World {
    let world = World::new(10, 2);
    fs::write(world.path("token"), TOKEN).unwrap();
    let config = world.config();
    let (before, after) = config.split_once("[jobs.idmelon]\n").unwrap();
    assert!(
        before
            .lines()
            .all(|line| line.starts_with('#') || line.is_empty()),
        "{before}"
    );
    let config = format!("[audit]\nstream = \"file:audit.jsonl\"\n\n[jobs.idmelon]\n{after}");
    world.write(&config.replace("{ env = \"IDMELON_SCIM_TOKEN\" }", "{ file = \"token\" }"));
    world.workspace.set_token(TOKEN);
    world.tenant.set_client_secret(CLIENT_SECRET);
    world
}

fn command(world: &World, level: &str, format: &str, args: &[&str]) -> Command {
    let quiet = world.command(&[]);
    let mut command = Command::new(quiet.get_program());
    command
        .args([
            "-c",
            "melonsync.toml",
            "--log-level",
            level,
            "--log-format",
            format,
        ])
        .args(args)
        .current_dir(world.folder.path())
        .env_clear()
        .env("ENTRA_CLIENT_SECRET", CLIENT_SECRET)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

/// The same at debug and at trace, as text and as JSON.
fn everywhere(world: &World, heard: &mut Heard, args: &[&str]) -> Ran {
    let mut last = None;
    for (level, format) in [("debug", "text"), ("trace", "json")] {
        let ran = finished(command(world, level, format, args).spawn().unwrap());
        heard.ran(&format!("{args:?} at {level} as {format}"), &ran);
        last = Some(ran);
    }
    last.expect("there are two levels")
}

#[test]
fn secrets_are_in_no_log_no_error_no_output_and_no_file() {
    let world = world();
    let mut heard = Heard::default();
    let first = everywhere(&world, &mut heard, &["sync", "-o", "json"]).exits(0);
    assert_eq!(first.json()["outcome"], "converged");
    let troubles: [fn(&World); 6] = [
        |world| {
            world
                .workspace
                .update_faults(|faults| faults.unauthorized = Fault::always())
        },
        |world| {
            world
                .workspace
                .update_faults(|faults| faults.html_success = Fault::always())
        },
        |world| {
            world
                .workspace
                .update_faults(|faults| faults.drop_before = Fault::times(2))
        },
        |world| {
            world
                .workspace
                .update_faults(|faults| faults.forbidden = Fault::always().only("PATCH"))
        },
        |world| {
            world
                .tenant
                .update_faults(|faults| faults.unauthorized = Fault::always())
        },
        |world| world.tenant.expire_secret(),
    ];
    for trouble in troubles {
        world.workspace.set_faults(ScimFaults::default());
        world.tenant.set_faults(Default::default());
        world.tenant.mutate_attributes(3);
        trouble(&world);
        everywhere(&world, &mut heard, &["sync"]);
        everywhere(&world, &mut heard, &["check"]);
    }
    world.workspace.set_faults(ScimFaults::default());
    world.tenant.set_faults(Default::default());
    world.tenant.set_client_secret(CLIENT_SECRET);
    let id = world.tenant.user_ids()[1].clone();
    let calls: [&[&str]; 12] = [
        &["check", "-o", "json"],
        &["quarantine", "release"],
        &["plan", "--full"],
        &["drift", "--refresh"],
        &["explain", &id],
        &["escrow", "list"],
        &["status"],
        &["history", "-o", "json"],
        &["mapping", "show"],
        &["state", "export"],
        &["state", "verify"],
        &["link", &id, "nothing"],
    ];
    for args in calls {
        everywhere(&world, &mut heard, args);
    }
    heard.ran("run", &served(&world));
    heard.files(world.folder.path());
    heard.0.push((
        "Debug".to_owned(),
        format!("{:?}", Secret::new("hunter2".to_owned())),
    ));
    heard.holds_no_secret();
    for (word, least) in [
        ("DEBUG", 2),
        ("Cycle ", 6),
        ("AADSTS7000222", 2),
        ("401", 2),
        ("audit", 1),
    ] {
        assert!(
            heard.count(word) >= least,
            "`{word}` was heard {} times",
            heard.count(word)
        );
    }
}

/// The daemon, from its start to its end.
fn served(world: &World) -> Ran {
    world.write(
        &fs::read_to_string(world.path("melonsync.toml")).unwrap().replace(
            "mode = \"enforce\"",
            "mode = \"enforce\"\nschedule = \"* * * * * *\"",
        ),
    );
    let before = world.tenant.request_count();
    let child = command(world, "trace", "text", &["run"]).spawn().unwrap();
    // Twenty seconds at most.
    for _ in 0..1000 {
        if world.tenant.request_count() >= before + 3 {
            break;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    let pid = i32::try_from(child.id()).unwrap();
    rustix::process::kill_process(
        rustix::process::Pid::from_raw(pid).unwrap(),
        rustix::process::Signal::TERM,
    )
    .unwrap();
    let ran = finished(child);
    assert!(world.tenant.request_count() > before, "it ran: {}", ran.err);
    ran
}
