//! A daemon whose answers do not come, come cut or come in a form that nobody here knows, and what the hint says.

use std::fs;
use std::io::Read;
use std::io::Write;
use std::os::unix::net::UnixListener;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::Mutex;

use melonsync::sandbox::Fault;
use rustix::process::Signal;
use serde_json::Value;
use serde_json::json;

use crate::cli_output::world::World;
use crate::daemon::world::Daemon;
use crate::daemon::world::SELDOM;
use crate::wiring::stage::until;

/// What becomes of the answers that pass.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Passing {
    /// The head says how long they are, and they end before that.
    Cut,
    /// They are a document of another version.
    Another,
}

/// Stands at the daemon's socket in its place, passes requests on and spoils the answers; gone, it leaves the socket as it was.
struct Between {
    socket: PathBuf,
    aside: PathBuf,
    how: Arc<Mutex<Passing>>,
}

impl Between {
    fn of(daemon: &Daemon, how: Passing) -> Self {
        let (socket, aside) = (daemon.socket(), daemon.world.path("state/aside.sock"));
        fs::rename(&socket, &aside).unwrap();
        let listener = UnixListener::bind(&socket).unwrap();
        let how = Arc::new(Mutex::new(how));
        let (to, shared) = (aside.clone(), Arc::clone(&how));
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                // Who only looks whether somebody answers sends nothing.
                let _ = pass(client, UnixStream::connect(&to).unwrap(), *shared.lock().unwrap());
            }
        });
        Self { socket, aside, how }
    }

    fn now(&self, how: Passing) {
        *self.how.lock().unwrap() = how;
    }
}

impl Drop for Between {
    fn drop(&mut self) {
        fs::rename(&self.aside, &self.socket).unwrap();
    }
}

fn pass(mut client: UnixStream, mut daemon: UnixStream, how: Passing) -> std::io::Result<()> {
    let mut chunk = [0; 16 << 10];
    let length = client.read(&mut chunk)?;
    if length == 0 {
        return Ok(());
    }
    let asked = String::from_utf8_lossy(&chunk[..length]).into_owned();
    let (line, rest) = asked.split_once("\r\n").unwrap_or((&asked, ""));
    daemon.write_all(format!("{line}\r\nConnection: close\r\n{rest}").as_bytes())?;
    let mut said = Vec::new();
    daemon.read_to_end(&mut said)?;
    let said = String::from_utf8_lossy(&said).into_owned();
    let (head, body) = said.split_once("\r\n\r\n").unwrap_or((&said, ""));
    let spoilt = match how {
        Passing::Cut => format!("{head}\r\n\r\n{}", &body[..body.len() / 2]),
        Passing::Another => {
            "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 13\r\n\r\n{\"version\":9}".to_owned()
        }
    };
    client.write_all(spoilt.as_bytes())
}

#[test]
fn what_a_daemon_does_not_answer_to_its_end_is_shown_by_status() {
    let daemon = Daemon::new(3, 0);
    let world = &daemon.world;
    let between = Between::of(&daemon, Passing::Cut);
    let detached = &["sync", "--detach", "-o", "json"];
    let said = world.run(detached).exits(1).err;
    assert!(
        said.contains("look at its log; where it runs, what was ordered goes on"),
        "{said}"
    );
    between.now(Passing::Another);
    let said = world.run(detached).exits(1).err;
    assert!(
        said.contains("use the same version of melonsync as the daemon's"),
        "{said}"
    );
    drop(between);
    until("what was ordered goes on", || world.workspace.user_count() == 3);
    until("status shows it", || {
        let status = world.run(&["status", "-o", "json"]).exits(0).json();
        status["jobs"][0]["last_cycle"]["outcome"] == "converged"
    });
    let ticket = world.run(detached).exits(0).json();
    assert!(ticket["cycle"].is_string(), "{ticket}");
    daemon.stopped().exits(0);
}

/// A daemon that waits for no answer any longer than a second: a create of which nobody knows the end is soon looked up.
fn quick(users: usize) -> Daemon {
    let world = World::new(users, 0);
    let url = format!("url   = \"{}/api/scim/v2/\"", world.scim.url);
    let config = world
        .config()
        .replace(&url, &format!("{url}\nrequest_timeout = \"1s\""))
        .replace("mode = \"enforce\"", &format!("mode = \"enforce\"\n{SELDOM}"));
    world.write(&config);
    Daemon::over(world)
}

/// A daemon whose target takes its time.
fn slow(users: usize) -> Daemon {
    let daemon = quick(users);
    daemon.world.workspace.update_faults(|faults| {
        faults.slow = Fault::always();
        faults.slow_ms = Some(150);
    });
    daemon
}

#[test]
fn what_a_daemon_did_before_it_broke_off_is_shown_once_it_runs_again() {
    let Daemon { running, world } = slow(60);
    let order = world.start(&["sync"]);
    until("some are there", || world.workspace.user_count() > 20);
    let pid = rustix::process::Pid::from_child(&running);
    rustix::process::kill_process(pid, Signal::KILL).unwrap();
    drop(running);
    let said = order.finished().exits(1).err;
    let hint = "once it runs, `melonsync status` and `melonsync history` show it";
    assert!(said.contains(hint), "{said}");
    world
        .workspace
        .update_faults(|faults| faults.slow = Fault::never());
    let daemon = Daemon::over(world);
    let world = &daemon.world;
    let status = world.run(&["status", "-o", "json"]).exits(0).json();
    assert!(status["jobs"][0]["waiting"].is_object(), "{status:#}");
    world.run(&["sync"]).exits(0);
    let history = world.run(&["history", "-o", "json"]).exits(0).json();
    let entries = history["entries"].as_array().unwrap();
    let created = entries.iter().filter(|entry| entry["operation"] == "create_user");
    assert_eq!(
        created.count(),
        world.workspace.user_count(),
        "each of them once: {history:#}"
    );
    daemon.stopped().exits(0);
}

#[test]
fn an_order_that_takes_too_long_is_shown_by_status_and_ended_by_cancel() {
    let daemon = slow(120);
    let world = &daemon.world;
    let said = world.run(&["sync", "--timeout", "1s"]).exits(1).err;
    let hint = "`melonsync status` shows it; `melonsync cancel CYCLE` ends it";
    assert!(said.contains(hint), "{said}");
    let job = || world.run(&["status", "-o", "json"]).exits(0).json()["jobs"][0]["daemon"].clone();
    let cycle = |order: &Value| order["cycle"].as_str().unwrap().to_owned();
    let running = cycle(&job()["running"]);
    let shown = world.run(&["status"]).exits(0).out;
    assert!(shown.contains(&running), "{shown}");
    // Another one waits behind it, and is taken back before it begins.
    let waiter = world.start(&["resync", "--all"]);
    until("one waits", || job()["waiting"].as_array().unwrap().len() == 1);
    world.run(&["cancel", &cycle(&job()["waiting"][0])]).exits(0);
    let said = waiter.finished();
    assert_ne!(said.code, Some(0), "{said:?}");
    assert!(said.err.contains("nothing was done; ask again"), "{said:?}");
    world.run(&["cancel", &running]).exits(0);
    until("it ends", || job()["state"] == "idle");
    assert!(world.workspace.user_count() < 120);
    world
        .workspace
        .update_faults(|faults| faults.slow = Fault::never());
    let summary = world.run(&["resync", "--all", "-o", "json"]).exits(0).json();
    assert_eq!(summary["outcome"], json!("converged"));
    world.has_everybody_once();
    daemon.stopped().exits(0);
}
