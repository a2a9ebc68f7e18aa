//! A daemon over a sample tenant.

use std::path::PathBuf;

use melonsync::sandbox::SampleOptions;
use melonsync::sandbox::Tenant;
use rustix::process::Pid;
use rustix::process::Signal;
use rustix::process::kill_process;
use serde_json::Value;

use super::http;
use crate::cli_output::world::World;
use crate::support::program::Ran;
use crate::support::program::Running;
use crate::wiring::stage::until;

/// The world, and its daemon. The jobs run only when asked to, unless the config says otherwise.
pub struct Daemon {
    /// Ends before its world.
    pub running: Running,
    pub world: World,
}

/// A schedule that no test meets.
pub const SELDOM: &str = "schedule = \"0 0 0 1 1 *\"\nfull_schedule = \"\"";

impl Daemon {
    /// Over a tenant of this size.
    pub fn new(users: usize, groups: usize) -> Self {
        let world = World::of(Tenant::sample_with(SampleOptions {
            users,
            groups,
            plain: true,
            ..SampleOptions::default()
        }));
        world.change("mode = \"enforce\"", &format!("mode = \"enforce\"\n{SELDOM}"));
        Self::over(world)
    }

    /// Over this world, as it is configured.
    pub fn over(world: World) -> Self {
        let running = world.start(&["run"]);
        let daemon = Self { running, world };
        daemon.is_ready();
        daemon
    }

    /// Waits until it answers.
    #[track_caller]
    pub fn is_ready(&self) {
        until("the daemon is ready", || {
            std::os::unix::net::UnixStream::connect(self.socket()).is_ok()
                && http::get(&self.socket(), "/readyz").status == 200
        });
    }

    pub fn socket(&self) -> PathBuf {
        self.world.path("state/control.sock")
    }

    #[track_caller]
    pub fn get(&self, path: &str) -> http::Answer {
        http::get(&self.socket(), path)
    }

    #[track_caller]
    pub fn post(&self, path: &str, body: &Value) -> http::Answer {
        http::post(&self.socket(), path, body)
    }

    /// An order, followed to its end.
    #[track_caller]
    pub fn followed(&self, path: &str, body: &Value) -> Vec<(String, Value)> {
        let wanted = "Accept: text/event-stream\r\n";
        let request = http::request("POST", path, wanted, Some(body));
        http::events(&http::raw(&self.socket(), request.as_bytes()).is(200).body)
    }

    pub fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.running), signal).unwrap();
    }

    /// Stops it, which takes no longer than what is in flight.
    #[track_caller]
    pub fn stopped(self) -> Ran {
        self.signal(Signal::TERM);
        self.running.finished()
    }
}
