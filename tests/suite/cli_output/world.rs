//! The program against a sample tenant and a sample workspace that live in this process, so that a test can break them.

use std::fs;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Command;
use std::process::Stdio;

use fancy_regex::Regex;
use melonsync::sandbox::Server;
use melonsync::sandbox::Tenant;
use melonsync::sandbox::Workspace;
use melonsync::sandbox::sample_config;
use melonsync::sandbox::workspace::BASE_PATH;
use serde_json::Value;

pub use crate::support::program::Ran;
use crate::support::program::Running;

/// Two servers, a folder with a config, and the program.
pub struct World {
    pub tenant: Tenant,
    pub workspace: Workspace,
    pub folder: tempfile::TempDir,
    pub graph: Server,
    pub scim: Server,
    /// Serves both; goes last.
    _runtime: tokio::runtime::Runtime,
}

impl World {
    /// A tenant of this size, an empty workspace, the config that `sandbox` prints.
    pub fn new(users: usize, groups: usize) -> Self {
        Self::of(Tenant::sample(users, groups))
    }

    /// This tenant, an empty workspace, and the same config.
    pub fn of(tenant: Tenant) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .unwrap();
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        let workspace = Workspace::new();
        let (graph, scim) = runtime.block_on(async {
            (
                tenant.serve(any).await.unwrap(),
                workspace.serve(any).await.unwrap(),
            )
        });
        let world = Self {
            tenant,
            workspace,
            folder: tempfile::tempdir().unwrap(),
            graph,
            scim,
            _runtime: runtime,
        };
        world.write(&world.config());
        world
    }

    /// The config, ready to be changed.
    pub fn config(&self) -> String {
        let scim = format!("{}{BASE_PATH}", self.scim.url);
        sample_config(&self.graph.url, &self.graph.url, &scim, &self.tenant)
    }

    /// Writes the config.
    pub fn write(&self, config: &str) {
        fs::write(self.path("melonsync.toml"), config).unwrap();
    }

    /// The config with one text in another's place.
    pub fn change(&self, from: &str, to: &str) {
        let config = self.config();
        assert!(config.contains(from), "{from} is not in\n{config}");
        self.write(&config.replace(from, to));
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The program, in the world's folder, with the two secrets and nothing else of this process's environment.
    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_melonsync"));
        command
            .args(["-c", "melonsync.toml", "--log-level", "error"])
            .args(args)
            .current_dir(self.folder.path())
            .env_clear()
            .env("USER", "tester")
            .env("ENTRA_CLIENT_SECRET", self.tenant.client_secret())
            .env("IDMELON_SCIM_TOKEN", self.workspace.token())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    /// The program, running.
    pub fn start(&self, args: &[&str]) -> Running {
        Running::start(&mut self.command(args))
    }

    #[track_caller]
    pub fn run(&self, args: &[&str]) -> Ran {
        self.start(args).finished()
    }

    /// As [`World::run`], with a variable more.
    #[track_caller]
    pub fn run_with(&self, key: &str, value: &str, args: &[&str]) -> Ran {
        Running::start(self.command(args).env(key, value)).finished()
    }

    /// What the program said, without what differs from run to run; and never a secret.
    pub fn shown(&self, ran: &Ran) -> String {
        let text = format!("exit {}\n{}{}", ran.code.unwrap_or(-1), ran.out, ran.err);
        for secret in ["sandbox-secret", "sandbox-token", "hunter2", "eyJ"] {
            assert!(!text.contains(secret), "a secret is shown:\n{text}");
        }
        let mut text = text.replace(&self.folder.path().display().to_string(), "FOLDER");
        for (pattern, word) in [
            (r"127\.0\.0\.1:\d+", "HOST"),
            (r"\d{4}-\d\d-\d\dT[\d:.]+Z", "TIME"),
            (r"\b5a3d0b0c-7e57-4000-8000-[0-9a-f]{12}\b", "SAMPLE-ID"),
            (
                r"\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b",
                "ID",
            ),
            (r"(?:[\w.-]+ \()?uid \d+[, (]+claimed USER=tester\)", "tester"),
            (r"in \d+ ms", "in N ms"),
            (r"process \d+", "process PID"),
            (r"\d+ requests?", "N requests"),
            (r"\d+ retries", "N retries"),
        ] {
            text = Regex::new(pattern).unwrap().replace_all(&text, word).into_owned();
        }
        text
    }

    /// After whatever went wrong, the next good run brings everything over, and the one after it nothing.
    #[track_caller]
    pub fn converges(&self) {
        let first = self.run(&["sync", "-o", "json"]).exits(0).json();
        assert_eq!(first["outcome"], "converged", "{first}");
        self.workspace.clear_requests();
        self.run(&["sync", "-q"]).exits(0);
        assert_eq!(self.workspace.writes(), 0, "the second sync writes");
        self.has_everybody_once();
    }

    /// Each user of the tenant who is to be there is in the workspace, once.
    #[track_caller]
    pub fn has_everybody_once(&self) {
        for id in self.tenant.user_ids() {
            let found = self.workspace.users_by_external_id(&id).len();
            let enabled = self.tenant.user(&id).unwrap()["accountEnabled"] != false;
            assert!(
                found == 1 || (found == 0 && !enabled),
                "{id} is there {found} times"
            );
        }
        for id in self.tenant.group_ids() {
            let found = self.workspace.groups_by_external_id(&id).len();
            assert_eq!(found, 1, "group {id} is there {found} times");
        }
    }
}

/// True for the actor of a world's commands: whoever runs the tests, beside what [`World::command`] claims.
pub fn is_tester(actor: &Value) -> bool {
    let actor = actor.as_str().unwrap_or_default();
    actor.contains("uid ") && actor.ends_with("claimed USER=tester)")
}

/// Waits for the end of a program, so long as it may take.
#[track_caller]
pub fn finished(program: impl Into<Running>) -> Ran {
    program.into().finished()
}
