//! What the service manager is told, by its own protocol: datagrams on the socket that `NOTIFY_SOCKET` names.

use std::os::unix::net::UnixDatagram;
use std::time::Duration;

use rustix::process::Pid;
use rustix::process::Signal;
use rustix::process::kill_process;

use super::world::SELDOM;
use crate::cli_output::world::World;
use crate::support::program::Running;

struct Manager(UnixDatagram);

impl Manager {
    /// Waits for a datagram that holds this.
    #[track_caller]
    fn hears(&self, wanted: &str) -> String {
        let mut heard = String::new();
        for _ in 0..200 {
            let mut bytes = [0; 4096];
            let length = self.0.recv(&mut bytes).unwrap_or_else(|error| {
                panic!("{error} before {wanted}, after\n{heard}");
            });
            let text = String::from_utf8_lossy(&bytes[..length]).into_owned();
            if text.contains(wanted) {
                return text;
            }
            heard.push_str(&text);
        }
        panic!("{wanted} is not in\n{heard}");
    }
}

#[test]
fn the_service_manager_is_told_of_each_turn() {
    let world = World::new(2, 1);
    world.change("mode = \"enforce\"", &format!("mode = \"enforce\"\n{SELDOM}"));
    let socket = UnixDatagram::bind(world.path("notify")).unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    let manager = Manager(socket);
    let mut command = world.command(&["run"]);
    command
        .env("NOTIFY_SOCKET", world.path("notify"))
        .env("WATCHDOG_USEC", "200000");
    let running = Running::start(&mut command);
    let signal = |signal| kill_process(Pid::from_child(&running), signal).unwrap();
    let ready = manager.hears("READY=1");
    assert!(ready.contains("STATUS=jobs: 1 idle"), "{ready}");
    manager.hears("WATCHDOG=1");
    manager.hears("WATCHDOG=1");
    signal(Signal::HUP);
    let reloading = manager.hears("RELOADING=1");
    assert!(reloading.contains("MONOTONIC_USEC="), "{reloading}");
    manager.hears("READY=1");
    let good = std::fs::read_to_string(world.path("melonsync.toml")).unwrap();
    world.write(&good.replace("mode = \"enforce\"", "mode = \"enfroce\""));
    signal(Signal::HUP);
    let refused = manager.hears("READY=1");
    assert!(refused.contains("STATUS=config refused: "), "{refused}");
    signal(Signal::TERM);
    manager.hears("STOPPING=1");
    running.finished().exits(0);
}
