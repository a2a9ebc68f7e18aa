//! What the door refuses, and what its hint says to do.

use std::fs;
use std::net::TcpListener;

use serde_json::json;

use super::tls::put;
use super::world::APPROVER;
use super::world::Door;
use super::world::VIEWER;
use super::world::admin;
use super::world::bearer;
use super::world::free_port;
use super::world::world_with;
use crate::cli_output::world::World;
use crate::daemon::world::Daemon;
use crate::tls::issued;

/// Refuses to start with this hint.
#[track_caller]
fn refuses(world: &World, hint: &str) {
    let ran = world.run(&["run"]).exits(2);
    assert!(ran.err.contains(hint), "{hint} is not in {}", ran.err);
    assert!(!ran.err.contains("0123456789abcdef"), "{}", ran.err);
}

#[test]
fn what_the_door_cannot_open_with_is_put_right_as_its_hint_says() {
    let (world, port) = world_with("tls = { cert = \"cert.pem\", key = \"key.pem\" }");
    let identities = [(); 2].map(|()| issued(None, "127.0.0.1", (2020, 2040)));
    let [first, second] = &identities;
    put(&world, first, first);
    let key = fs::read(world.path("key.pem")).unwrap();
    for (file, hint) in [
        (
            "cert.pem",
            "name the PEM file with the certificate and those between",
        ),
        ("key.pem", "name the PEM file with the certificate's key"),
    ] {
        fs::write(world.path(file), "no PEM").unwrap();
        refuses(&world, hint);
        fs::remove_file(world.path(file)).unwrap();
        refuses(&world, "check the path, and that melonsync's user may read it");
        put(&world, first, first);
    }
    put(&world, second, first);
    refuses(&world, "name a certificate and the key that it was made for");
    fs::write(world.path("cert.pem"), &first.pem).unwrap();
    fs::write(world.path("key.pem"), key).unwrap();
    fs::write(world.path("viewer"), "short").unwrap();
    refuses(&world, "make one with `openssl rand -hex 32`");
    fs::write(world.path("viewer"), format!("{VIEWER} {VIEWER}")).unwrap();
    refuses(&world, "make a token with `openssl rand -hex 32`");
    fs::write(world.path("viewer"), APPROVER).unwrap();
    refuses(
        &world,
        "make another one: the history tells people apart by their tokens",
    );
    fs::write(world.path("viewer"), VIEWER).unwrap();
    let taken = TcpListener::bind(("127.0.0.1", port)).unwrap();
    refuses(
        &world,
        "end what uses the address, or name another one as `listen`",
    );
    drop(taken);
    Daemon::over(world).stopped().exits(0);
}

#[test]
fn an_address_changes_by_a_restart_as_the_hint_says() {
    let door = Door::new();
    let world = &door.daemon.world;
    let config = fs::read_to_string(world.path("melonsync.toml")).unwrap();
    let other = free_port();
    world.write(&config.replace(&admin(door.port, ""), &admin(other, "")));
    door.reload();
    std::thread::sleep(std::time::Duration::from_millis(500));
    door.get("/api/v1/jobs").is(200);
    let Daemon { running, world } = door.daemon;
    rustix::process::kill_process(
        rustix::process::Pid::from_child(&running),
        rustix::process::Signal::TERM,
    )
    .unwrap();
    let ended = running.finished().exits(0);
    assert!(
        ended
            .err
            .contains("restart the daemon to serve at another address"),
        "{}",
        ended.err
    );
    let door = Door {
        daemon: Daemon::over(world),
        port: other,
    };
    door.get("/api/v1/jobs").is(200);
}

#[test]
fn a_refused_request_is_taken_as_its_hint_says() {
    let door = Door::new();
    let hint = |problem: serde_json::Value| problem["do"].as_str().unwrap().to_owned();
    let without = hint(door.ask("GET", "/api/v1/jobs", "", None).problem(401));
    assert_eq!(without, "send it in one header, `Authorization: Bearer TOKEN`");
    let wrong = hint(door.ask("GET", "/api/v1/jobs", &bearer("old"), None).problem(401));
    assert!(
        wrong.starts_with("check the token; one that was renewed"),
        "{wrong}"
    );
    let pause = "/api/v1/jobs/idmelon/pause";
    let role = hint(
        door.with_token(VIEWER, "POST", pause, Some(&json!({})))
            .problem(403),
    );
    assert!(role.starts_with("use a token of that role"), "{role}");
    door.with_token(APPROVER, "POST", pause, Some(&json!({}))).is(200);
    let port = door.port;
    let named = |host: &str| {
        let token = bearer(VIEWER);
        door.raw(
            format!("GET /api/v1/jobs HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n{token}\r\n")
                .as_bytes(),
        )
    };
    let host = hint(named("tunnel.example").problem(421));
    assert_eq!(
        host,
        "use the address itself, or add the name to `hosts` under [admin]"
    );
    named("127.0.0.1").is(200);
    let world = &door.daemon.world;
    let config = fs::read_to_string(world.path("melonsync.toml")).unwrap();
    let with_name = admin(port, "hosts = [\"tunnel.example\"]");
    world.write(&config.replace(&admin(port, ""), &with_name));
    door.reload();
    crate::wiring::stage::until("the name is known", || named("tunnel.example").status == 200);
    // Without any token nobody comes in, until there is one.
    let only_address = format!("[admin]\nlisten = \"127.0.0.1:{port}\"\n");
    world.write(&config.replace(&admin(port, ""), &only_address));
    door.reload();
    crate::wiring::stage::until("no token is known", || named("127.0.0.1").status == 401);
    let none = hint(named("127.0.0.1").problem(401));
    assert!(
        none.starts_with("add `token = { env = \"MELONSYNC_ADMIN_TOKEN\" }` to [admin]; on"),
        "{none}"
    );
    world.write(&config);
    door.reload();
    crate::wiring::stage::until("the token is known", || named("127.0.0.1").status == 200);
}
