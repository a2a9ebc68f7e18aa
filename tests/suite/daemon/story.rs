//! A day beside the daemon, in one story: a short schedule, every verb beside it, two who ask at once, a connection that is lost, an
//! order that is taken back, a reload and a stop in the middle of a cycle, a token that is renewed.

use std::fs;
use std::io::Write;

use melonsync::sandbox::Fault;
use melonsync::sandbox::SampleOptions;
use melonsync::sandbox::Tenant;
use rustix::process::Pid;
use rustix::process::Signal;
use rustix::process::kill_process;
use serde_json::Value;
use serde_json::json;

use super::http;
use super::world::Daemon;
use crate::cli_output::world::World;
use crate::wiring::stage::until;

const SYNC: &str = "/api/v1/jobs/idmelon/sync";
const SCHEDULE: &str = "schedule = \"*/4 * * * * *\"\nfull_schedule = \"\"";

fn daemon() -> Daemon {
    let world = World::of(Tenant::sample_with(SampleOptions {
        users: 12,
        groups: 2,
        plain: true,
        ..SampleOptions::default()
    }));
    fs::write(world.path("token"), world.workspace.token()).unwrap();
    let config = world.config();
    let config = config.replace("mode = \"enforce\"", &format!("mode = \"enforce\"\n{SCHEDULE}"));
    let place = format!("{{ file = \"{}\" }}", world.path("token").display());
    // So few at a time that a cycle has a middle.
    let place = format!("{place}\nmax_concurrency = 2");
    world.write(&config.replace("{ env = \"IDMELON_SCIM_TOKEN\" }", &place));
    Daemon::over(world)
}

fn job(daemon: &Daemon) -> Value {
    daemon.get("/api/v1/jobs/idmelon").is(200).json()["daemon"].clone()
}

/// Makes the target take its time, and gives the cycle something to do.
fn much_to_do(world: &World, title: &str) {
    world.workspace.update_faults(|faults| {
        faults.slow = Fault::always();
        faults.slow_ms = Some(400);
    });
    for id in world.tenant.user_ids() {
        world.tenant.set_user(&id, json!({"jobTitle": title}));
    }
}

fn fast(world: &World) {
    world
        .workspace
        .update_faults(|faults| faults.slow = Fault::never());
}

fn holds(world: &World, title: &str) -> usize {
    let ids = world.tenant.user_ids();
    let users = ids.iter().flat_map(|id| world.workspace.users_by_external_id(id));
    users.filter(|user| user["title"] == title).count()
}

/// Every verb that a job has, with the exit code of a job in step.
fn verbs(daemon: &Daemon) {
    let world = &daemon.world;
    let ids = world.tenant.user_ids();
    let [ada, bob] = [ids[0].as_str(), ids[1].as_str()];
    let place = |name: &str| world.path(name).display().to_string();
    let (plan, backup, proof) = (place("plan.json"), place("a.backup"), place("proof"));
    let resource = world.workspace.users_by_external_id(bob)[0]["id"].clone();
    for (verb, exit) in [
        (&["check"] as &[&str], 0),
        (&["status"], 0),
        (&["list", "users"], 0),
        (&["explain", ada], 0),
        (&["plan", "--out", &plan], 0),
        (&["sync", "--plan", &plan], 0),
        (&["sync", "--full"], 0),
        (&["resync", ada], 0),
        (&["resync", "--all"], 0),
        (&["drift", "--refresh"], 0),
        (&["drift", "--heal"], 0),
        (&["hold", ada, "--comment", "on leave"], 0),
        (&["hold", "list"], 0),
        (&["hold", "release", ada], 0),
        (&["withheld", "list"], 0),
        (&["withheld", "release", ada], 2),
        (&["escrow", "list"], 0),
        (&["quarantine", "release"], 0),
        (&["pause", "--for", "1h"], 0),
        (&["unlink", bob], 0),
        (&["link", bob, resource.as_str().unwrap()], 0),
        (&["resume"], 0),
        (&["mapping", "show"], 0),
        (&["mapping", "test", "[displayName]", "--user", ada], 0),
        (&["history"], 0),
        (&["history", "cycles"], 0),
        (&["history", "summary"], 0),
        (&["history", "export", "--out", &proof], 0),
        (&["state", "verify"], 0),
        (&["state", "export"], 0),
        (&["state", "backup", "--out", &backup], 0),
        (&["state", "compact"], 5),
    ] {
        let ran = world.run(verb);
        assert_eq!(ran.code, Some(exit), "{verb:?}: {ran:?}");
    }
}

#[test]
fn a_day_beside_the_daemon() {
    let daemon = daemon();
    let world = &daemon.world;
    until("the schedule brought everybody over", || {
        world.workspace.user_count() == 12
    });
    world.run(&["sync"]).exits(0);
    verbs(&daemon);
    two_at_once(world);
    a_lost_connection(&daemon);
    an_order_taken_back(&daemon);
    a_reload_in_the_middle(&daemon);
    a_renewed_token(world);
    much_to_do(world, "Admiral");
    until("a cycle is in the middle", || {
        (1..12).contains(&holds(world, "Admiral"))
    });
    let Daemon { running, world } = daemon;
    kill_process(Pid::from_child(&running), Signal::TERM).unwrap();
    running.finished().exits(0);
    fast(&world);
    world.run(&["sync"]).exits(0);
    assert_eq!(holds(&world, "Admiral"), 12);
    world.has_everybody_once();
}

fn two_at_once(world: &World) {
    let ids = world.tenant.user_ids();
    world.tenant.set_user(&ids[2], json!({"jobTitle": "Cook"}));
    let clients = [&["sync"] as &[&str], &["resync", &ids[2]]].map(|verb| world.start(verb));
    for client in clients {
        client.finished().exits(0);
    }
    assert_eq!(holds(world, "Cook"), 1);
}

fn a_lost_connection(daemon: &Daemon) {
    let world = &daemon.world;
    much_to_do(world, "Captain");
    let mut stream = http::connect(&daemon.socket());
    let request = http::request("POST", SYNC, "Accept: text/event-stream\r\n", Some(&json!({})));
    stream.write_all(request.as_bytes()).unwrap();
    until("it is carried out", || holds(world, "Captain") > 0);
    drop(stream);
    fast(world);
    until("it goes on to its end", || holds(world, "Captain") == 12);
}

fn an_order_taken_back(daemon: &Daemon) {
    let world = &daemon.world;
    much_to_do(world, "Mate");
    let first = world.start(&["sync"]);
    until("it is carried out", || holds(world, "Mate") > 0);
    let [stays, leaves] = [(); 2].map(|()| world.start(&["sync", "--full"]));
    let askers = || {
        let waiting = job(daemon)["waiting"].clone();
        waiting
            .as_array()
            .unwrap()
            .iter()
            .any(|order| order["askers"] == 2)
    };
    until("both wait for one order", askers);
    kill_process(Pid::from_child(&leaves), Signal::INT).unwrap();
    let left = leaves.finished().exits(130);
    assert!(left.err.contains("others asked for the same"), "{}", left.err);
    fast(world);
    stays.finished().exits(0);
    first.finished().exits(0);
}

fn a_reload_in_the_middle(daemon: &Daemon) {
    let world = &daemon.world;
    much_to_do(world, "Pilot");
    let order = world.start(&["sync", "-o", "json"]);
    until("it is carried out", || holds(world, "Pilot") > 0);
    let config = fs::read_to_string(world.path("melonsync.toml")).unwrap();
    world.write(&config.replace(
        "[jobs.idmelon.target]",
        "[jobs.idmelon.provisioning]\nprotect = [\"nobody@corp.example\"]\n\n[jobs.idmelon.target]",
    ));
    daemon.signal(Signal::HUP);
    fast(world);
    assert_eq!(order.finished().exits(0).json()["outcome"], "converged");
    // The new config is in force: an order of it is taken.
    until("it is in force", || world.run(&["sync"]).code == Some(0));
    assert_eq!(holds(world, "Pilot"), 12);
}

fn a_renewed_token(world: &World) {
    world.workspace.set_token("another-token-of-the-target");
    fs::write(world.path("token"), "another-token-of-the-target").unwrap();
    let ids = world.tenant.user_ids();
    world.tenant.set_user(&ids[3], json!({"jobTitle": "Bosun"}));
    until("the new token is used", || holds(world, "Bosun") == 1);
}
