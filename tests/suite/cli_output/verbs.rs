//! The way of a new user through the verbs, and the daemon's signals.

use std::fs;
use std::io::BufRead;
use std::io::BufReader;
use std::process::Stdio;
use std::sync::mpsc;
use std::time::Duration;

use melonsync::model::clock::Stopwatch;
use rustix::process::Pid;
use rustix::process::Signal;
use rustix::process::kill_process;
use serde_json::json;

use super::world::Ran;
use super::world::World;
use crate::support::program::Running;

#[test]
fn from_the_sandbox_to_a_restored_backup() {
    let world = World::new(20, 3);
    world.run(&["check"]).exits(0);
    let plan = world.run(&["plan", "--details"]).exits(0).out;
    assert!(
        plan.contains("+ create user") && plan.contains("because in scope"),
        "{plan}"
    );
    assert!(plan.contains("`melonsync sync` carries this out."), "{plan}");
    let sync = world.run(&["sync"]).exits(0).out;
    assert!(
        sync.contains("converged") && sync.contains("3 groups created"),
        "{sync}"
    );
    world.converges();
    world.run(&["plan", "--detailed-exitcode"]).exits(0);

    let id = world.tenant.user_ids()[1].clone();
    world.tenant.set_user(&id, json!({"jobTitle": "Captain"}));
    let plan = world.run(&["plan", "--detailed-exitcode"]).exits(10).out;
    assert!(plan.contains("→ \"Captain\""), "{plan}");
    let upn = world.tenant.user(&id).unwrap()["userPrincipalName"]
        .as_str()
        .unwrap()
        .to_owned();
    let resync = world
        .run(&["resync", "--user", &upn, "-o", "json"])
        .exits(0)
        .json();
    assert_eq!(
        (&resync["kind"], &resync["operations"]["update_user"]),
        (&json!("on-demand"), &json!(1))
    );
    world.run(&["resync", "idmelon", "--all"]).exits(0);
    world.run(&["resync", "--restart"]).exits(0);

    let status = world.run(&["status", "-o", "json"]).exits(0).json();
    assert_eq!(status["jobs"][0]["last_cycle"]["outcome"], "converged");
    assert!(world.run(&["status"]).exits(0).out.contains("last cycle"));
    world.run(&["state", "verify"]).exits(0);
    let export = world.run(&["state", "export"]).exits(0).out;
    assert!(
        export
            .lines()
            .all(|line| serde_json::from_str::<serde_json::Value>(line).is_ok())
    );
    world.run(&["state", "backup", "--out", "copy"]).exits(0);
    world.run(&["state", "backup", "--out", "copy"]).exits(2);
    let refused = world.run(&["state", "restore", "--from", "copy"]).exits(2);
    assert!(refused.err.contains("--force"), "{}", refused.err);
    world
        .run(&["state", "restore", "--from", "copy", "--force"])
        .exits(0);
    world.converges();
}

#[test]
fn explain_shows_one_user_and_one_group_and_refuses_nobody() {
    let world = World::new(20, 3);
    world.converges();
    let id = world.tenant.user_ids()[1].clone();
    world.tenant.set_user(&id, json!({"jobTitle": "Captain"}));
    let user = world.run(&["explain", "idmelon", &id]).exits(0);
    insta::assert_snapshot!("explain_a_user", world.shown(&user));
    let json = world.run(&["explain", &id, "-o", "json"]).exits(0).json();
    assert_eq!(
        json["plan"],
        world.run(&["plan", "-o", "json"]).exits(0).json()["plan"]
    );
    let group = world.tenant.group_ids()[0].clone();
    let group = world.run(&["explain", &group]).exits(0);
    insta::assert_snapshot!("explain_a_group", world.shown(&group));
    let nobody = world.run(&["explain", "nobody@corp.example"]).exits(2);
    insta::assert_snapshot!("explain_nobody", world.shown(&nobody));
}

#[test]
fn plan_names_the_members() {
    let world = World::new(20, 3);
    world.converges();
    let (group, user) = (&world.tenant.group_ids()[0], &world.tenant.user_ids()[3]);
    let was = world.tenant.user_members(group).contains(user);
    if was {
        world.tenant.remove_member(group, user);
    } else {
        world.tenant.add_member(group, user);
    }
    let name = world.tenant.user(user).unwrap()["userPrincipalName"]
        .as_str()
        .unwrap()
        .to_owned();
    let plan = world.run(&["plan"]).exits(0).out;
    let sign = if was { '-' } else { '+' };
    assert!(plan.contains(&format!("    {sign} {name}")), "{plan}");
}

#[test]
fn init_writes_a_config_that_check_reads() {
    let world = World::new(6, 1);
    fs::remove_file(world.path("melonsync.toml")).unwrap();
    let (tenant, client) = (world.tenant.tenant_id(), world.tenant.client_id());
    let url = format!("{}/api/scim/v2/", world.scim.url);
    let args = [
        "init",
        "--tenant-id",
        &tenant,
        "--client-id",
        &client,
        "--url",
        &url,
    ];
    world.run(&args).exits(0);
    let again = world.run(&args).exits(2);
    assert!(again.err.contains("--force"), "{}", again.err);
    let mut check = world.command(&["check"]);
    check.env("MELONSYNC__JOBS__IDMELON__SOURCE__GRAPH_URL", &world.graph.url);
    check.env("MELONSYNC__JOBS__IDMELON__SOURCE__LOGIN_URL", &world.graph.url);
    let done = super::world::finished(check.spawn().unwrap()).exits(0);
    assert!(
        done.out.contains("config       melonsync.toml is valid"),
        "{done:?}"
    );
}

#[test]
fn reader_that_goes_away_is_no_failure() {
    let world = World::new(60, 2);
    world.converges();
    for args in [&["state", "export"][..], &["completions", "bash"]] {
        let mut child = world.start(args);
        drop(child.stdout.take());
        let done = super::world::finished(child);
        assert_eq!((done.code, done.err.as_str()), (Some(0), ""), "{args:?}");
    }
}

#[test]
fn demo_needs_nothing() {
    let world = World::new(1, 1);
    let ran = world
        .run(&["demo", "--once", "--users", "30", "--groups", "3", "-o", "json"])
        .exits(0);
    assert_eq!(ran.json()["outcome"], "converged");
    let left: Vec<_> = fs::read_dir(world.folder.path()).unwrap().collect();
    assert_eq!(left.len(), 1, "nothing is left behind: {left:?}");
}

/// So long a line of the daemon's log is waited for.
const LONGEST: Duration = Duration::from_secs(60);

/// The daemon, with its log line by line.
struct Daemon {
    child: Running,
    lines: mpsc::Receiver<String>,
    seen: String,
}

impl Daemon {
    fn start(world: &World) -> Self {
        let mut command = world.command(&["run", "--log-level", "info"]);
        let mut child = Running::start(command.stdout(Stdio::null()));
        let err = BufReader::new(child.stderr.take().unwrap());
        let (send, lines) = mpsc::channel();
        std::thread::spawn(move || {
            err.lines()
                .map_while(Result::ok)
                .for_each(|line| drop(send.send(line)))
        });
        Self {
            child,
            lines,
            seen: String::new(),
        }
    }

    /// Waits for a line with this text; not for ever where other lines keep coming.
    #[track_caller]
    fn says(&mut self, text: &str) {
        let watch = Stopwatch::start();
        loop {
            let left = LONGEST.saturating_sub(watch.elapsed());
            let Ok(line) = self.lines.recv_timeout(left) else {
                panic!("never said `{text}`:\n{}", self.seen);
            };
            self.seen += &format!("{line}\n");
            if line.contains(text) {
                return;
            }
        }
    }

    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    fn ended(mut self) -> Ran {
        let ended = self.child.finished();
        self.seen.extend(self.lines.iter());
        Ran {
            err: self.seen,
            ..ended
        }
    }
}

#[test]
fn daemon_syncs_reloads_keeps_the_old_settings_and_drains() {
    let world = World::new(10, 1);
    let every_second = "mode = \"enforce\"\nschedule = \"* * * * * *\"";
    world.change("mode = \"enforce\"", every_second);
    let mut daemon = Daemon::start(&world);
    daemon.says("converged");
    world.change("mode = \"enforce\"", "mood = \"enforce\"");
    daemon.signal(Signal::HUP);
    daemon.says("goes on with the old ones");
    daemon.says("unknown key");
    daemon.says("converged");
    world.change("mode = \"enforce\"", every_second);
    daemon.signal(Signal::HUP);
    daemon.says("settings were read again");
    daemon.says("converged");
    daemon.signal(Signal::TERM);
    let ran = daemon.ended().exits(0);
    assert!(ran.err.contains("Stopped"), "{}", ran.err);
    world.has_everybody_once();
    world.converges();
}

/// It holds the lock of one folder: whatever the settings say later, it writes nowhere else.
#[test]
fn daemon_keeps_the_state_folder_that_it_holds() {
    let world = World::new(2, 0);
    let config = world.config().replace(
        "mode = \"enforce\"",
        "mode = \"enforce\"\nschedule = \"* * * * * *\"",
    );
    world.write(&config);
    let mut daemon = Daemon::start(&world);
    daemon.says("converged");
    world.write(&format!("[state]\npath = \"elsewhere\"\n{config}"));
    daemon.signal(Signal::HUP);
    daemon.says("goes on with the old ones");
    daemon.says("the state folder cannot change");
    daemon.says("converged");
    daemon.signal(Signal::TERM);
    daemon.ended().exits(0);
    assert!(!world.path("elsewhere").exists());
}

#[test]
fn the_mapping_in_force_is_shown_with_its_scope() {
    let world = World::new(5, 1);
    let text = world.run(&["mapping", "show"]).exits(0).out;
    assert!(
        text.contains("mapping idmelon@1") && text.contains("(matching 1)"),
        "{text}"
    );
    let shown = world.run(&["mapping", "show", "-o", "json"]).exits(0).json();
    assert_eq!(shown["user"].as_array().unwrap().len(), 23);
    assert_eq!(
        shown["scope"],
        json!({"user_filter": null, "group_filter": null, "guests": "include"})
    );
    assert_eq!(
        shown["select"]["group"],
        json!(["description", "displayName", "members"])
    );
}

#[test]
fn one_expression_is_evaluated_with_the_attributes_that_are_given() {
    let world = World::new(0, 0);
    let table = [
        (
            "Join(\" \", [givenName], [surname])",
            r#"{"givenName": "Ada", "surname": "K"}"#,
            json!("Ada K"),
        ),
        ("[accountEnabled]", r#"{"accountEnabled": false}"#, json!("False")),
        (
            "Switch([IsSoftDeleted], , \"False\", \"True\", \"True\", \"False\")",
            r#"{"IsSoftDeleted": true}"#,
            json!("False"),
        ),
        ("[mobile]", r#"{"mobilePhone": "1"}"#, json!("1")),
        ("[telephoneNumber]", "{}", json!(null)),
        ("IgnoreFlowIfNullOrEmpty([mail])", r#"{"mail": ""}"#, json!(null)),
        (
            "[otherMails]",
            r#"{"otherMails": ["a", true]}"#,
            json!(["a", "True"]),
        ),
    ];
    for (expression, attributes, expected) in table {
        let ran = world.run(&[
            "mapping",
            "test",
            expression,
            "--attributes",
            attributes,
            "-o",
            "json",
        ]);
        assert_eq!(ran.exits(0).json(), json!({"value": expected}), "{expression}");
    }
    let text = world.run(&["mapping", "test", "ToUpper(\"ada\")"]).exits(0);
    assert_eq!(text.out, "ADA\n");
    let bad = world.run(&["mapping", "test", "ToUper(\"ada\")"]).exits(2);
    assert!(bad.err.contains("did you mean `ToUpper`?"), "{}", bad.err);
    world
        .run(&["mapping", "test", "[mail]", "--attributes", "mail"])
        .exits(2);
}

#[test]
fn an_entra_schema_becomes_a_mapping_file_and_config_lines() {
    let world = World::new(5, 1);
    let schema = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/entra-sync-schema.json");
    let out = std::env::temp_dir().join(format!("melonsync-import-{}.toml", std::process::id()));
    let _ = fs::remove_file(&out);
    let name = out.display().to_string();
    let ran = world
        .run(&["mapping", "import-entra", schema, "--out", &name])
        .exits(0);
    assert!(ran.out.contains("23 rows for users, 3 for groups"), "{}", ran.out);
    assert!(
        ran.out.contains("user_filter = '(department REGEX MATCH"),
        "{}",
        ran.out
    );
    let again = world
        .run(&["mapping", "import-entra", schema, "--out", &name])
        .exits(2);
    assert!(again.err.contains("cannot write the mapping"), "{}", again.err);
    let json = world
        .run(&["mapping", "import-entra", schema, "-o", "json"])
        .exits(0)
        .json();
    assert_eq!(
        json["mapping"].as_str().unwrap(),
        fs::read_to_string(&out).unwrap()
    );
    assert_eq!(
        (&json["rows"]["user"], &json["not_carried_over"]),
        (&json!(23), &json!([]))
    );
    fs::remove_file(&out).unwrap();
    let bad = world
        .run(&[
            "mapping",
            "import-entra",
            concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml"),
        ])
        .exits(2);
    assert!(bad.err.contains("synchronization/jobs"), "{}", bad.err);
}

#[test]
fn check_says_the_scope_and_whether_the_groups_of_a_filter_are_there() {
    let world = World::new(5, 2);
    let group = world.tenant.group_ids()[0].clone();
    let check = |filter: &str| {
        let line = format!("[jobs.idmelon.source]\nuser_filter = '{filter}'\n");
        world.change("[jobs.idmelon.source]\n", &line);
        world.run(&["check"])
    };
    let good = check(&format!("memberOf EQUALS \"{group}\"")).exits(0).out;
    assert!(
        good.contains("scope        user_filter = memberOf EQUALS"),
        "{good}"
    );
    let bad = check("TRANSITIVE_MEMBER_OF \"00000000-0000-4000-8000-00000000dead\"")
        .exits(1)
        .out;
    assert!(
        bad.contains("FAIL  scope        user_filter asks about group") && bad.contains("no such group"),
        "{bad}"
    );
}
