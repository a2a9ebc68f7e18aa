//! A world with some keys set, and what the program does in it.

use std::io::Read;
use std::net::TcpListener;
use std::process::Command;
use std::time::Duration;

use melonsync::model::clock::Stopwatch;
use melonsync::sandbox::SampleOptions;
use melonsync::sandbox::Tenant;
use serde_json::Value;

use super::keys::variable;
use crate::cli_output::world::World;
use crate::support::limit;
use crate::support::program::Ran;
use crate::support::program::Running;

/// The servers and the program, with the keys that a row sets.
pub struct Stage {
    pub world: World,
    set: Vec<(String, String)>,
}

impl Stage {
    /// People and groups without oddities.
    pub fn new(users: usize, groups: usize) -> Self {
        Self::of(Tenant::sample_with(SampleOptions {
            users,
            groups,
            plain: true,
            ..SampleOptions::default()
        }))
    }

    pub fn of(tenant: Tenant) -> Self {
        Self {
            world: World::of(tenant),
            set: Vec::new(),
        }
    }

    /// With this key set to this TOML value.
    pub fn with(mut self, key: &str, value: &str) -> Self {
        self.set(key, value);
        self
    }

    /// With this key of the job's provisioning.
    pub fn provisioning(self, key: &str, value: &str) -> Self {
        self.with(&format!("jobs.idmelon.provisioning.{key}"), value)
    }

    /// With this key of the job's source.
    pub fn source(self, key: &str, value: &str) -> Self {
        self.with(&format!("jobs.idmelon.source.{key}"), value)
    }

    /// With this key of the job's target.
    pub fn target(self, key: &str, value: &str) -> Self {
        self.with(&format!("jobs.idmelon.target.{key}"), value)
    }

    /// Sets a key from now on.
    pub fn set(&mut self, key: &str, value: &str) {
        self.set.push((variable(key), value.to_owned()));
    }

    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = self.world.command(args);
        command.envs(self.set.iter().map(|(name, value)| (name, value)));
        command
    }

    pub fn start(&self, args: &[&str]) -> Running {
        Running::start(&mut self.command(args))
    }

    #[track_caller]
    pub fn run(&self, args: &[&str]) -> Ran {
        self.start(args).finished()
    }

    /// The summary of a sync, however it ended.
    #[track_caller]
    pub fn sync(&self, args: &[&str]) -> Value {
        self.run(&[&["sync", "-o", "json"], args].concat()).json()
    }

    /// A sync that leaves nothing to do.
    #[track_caller]
    pub fn converges(&self) -> Value {
        let summary = self.sync(&[]);
        assert_eq!(summary["outcome"], "converged", "{summary:#}");
        summary
    }

    /// The id of the tenant's nth user.
    pub fn user(&self, n: usize) -> String {
        self.world.tenant.user_ids()[n].clone()
    }

    /// The id of the tenant's nth group.
    pub fn group(&self, n: usize) -> String {
        self.world.tenant.group_ids()[n].clone()
    }

    /// What the workspace holds of this user.
    pub fn held(&self, id: &str) -> Option<Value> {
        self.world.workspace.users_by_external_id(id).into_iter().next()
    }

    /// What the workspace holds of this group.
    pub fn held_group(&self, id: &str) -> Option<Value> {
        self.world.workspace.groups_by_external_id(id).into_iter().next()
    }

    /// How many members this group has at the workspace.
    #[track_caller]
    pub fn members(&self, id: &str) -> usize {
        let group = self.held_group(id).expect("the group is there");
        group["members"].as_array().map_or(0, Vec::len)
    }

    /// Whether this user is active at the workspace.
    #[track_caller]
    pub fn is_active(&self, id: &str) -> bool {
        self.held(id).expect("the user is there")["active"] == true
    }

    /// The lines of `check` about something, with their levels.
    pub fn checked(&self, what: &str) -> Vec<String> {
        let checked = self.run(&["check", "-o", "json"]).json();
        let lines = checked["checks"].as_array().expect("lines").iter();
        lines
            .filter(|line| line["what"] == what)
            .map(|line| {
                format!(
                    "{} {}",
                    line["level"].as_str().unwrap(),
                    line["text"].as_str().unwrap()
                )
            })
            .collect()
    }
}

/// A place that only listens: what the program says there first, whoever it takes it for.
pub struct Ear {
    pub address: String,
    said: std::sync::mpsc::Receiver<String>,
}

impl Ear {
    pub fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let (send, said) = std::sync::mpsc::channel();
        std::thread::spawn(move || {
            for mut socket in listener.incoming().flatten() {
                let mut bytes = [0; 1024];
                let count = socket.read(&mut bytes).unwrap_or(0);
                let text = String::from_utf8_lossy(&bytes[..count]).into_owned();
                let first = text.lines().next().unwrap_or_default().to_owned();
                if send.send(first).is_err() {
                    return;
                }
            }
        });
        Self { address, said }
    }

    /// The first line that was said here with this in it.
    #[track_caller]
    pub fn hears(&self, text: &str) {
        let mut heard = Vec::new();
        let watch = Stopwatch::start();
        // One limit for all lines: others may keep coming.
        let left = || (limit::longest() / 2).saturating_sub(watch.elapsed());
        while let Ok(line) = self.said.recv_timeout(left()) {
            if line.contains(text) {
                return;
            }
            heard.push(line);
        }
        panic!("nothing about `{text}` was said at {}: {heard:?}", self.address);
    }

    /// The first line that is said here from now on.
    #[track_caller]
    pub fn hears_first(&self) -> String {
        let first = self.said.recv_timeout(limit::longest() / 2);
        first.unwrap_or_else(|_| panic!("nothing was said at {}", self.address))
    }

    /// Everything that was said here so far.
    pub fn heard(&self) -> Vec<String> {
        self.said.try_iter().collect()
    }
}

/// Waits until this is so.
#[track_caller]
pub fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let most = limit::longest().as_millis() / 40;
    for _ in 0..most {
        if is_so() {
            return;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    panic!("it never came to this: {what}");
}
