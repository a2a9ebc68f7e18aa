//! What the machine does not give: open files, certificates, a way to a host, a place for a socket; and what the hint says.

use std::fs;
use std::process::Command;

use crate::cli_output::world::Ran;
use crate::cli_output::world::World;
use crate::daemon::world::Daemon;
use crate::support::program::Running;

/// A call of the program that may open this many files at most.
fn with_files(world: &World, most: u32, args: &[&str]) -> Ran {
    let meant = world.command(args);
    let mut command = Command::new("/bin/sh");
    command
        .args(["-c", &format!("ulimit -n {most}; exec \"$0\" \"$@\"")])
        .arg(meant.get_program())
        .args(meant.get_args())
        .current_dir(meant.get_current_dir().unwrap())
        .env_clear()
        .envs(meant.get_envs().filter_map(|(key, value)| Some((key, value?))))
        .stdin(std::process::Stdio::null())
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped());
    Running::start(&mut command).finished()
}

/// How many a runtime needs is the affair of its library: one of these is too few for it and enough for the settings.
#[test]
fn a_limit_on_open_files_that_is_too_low_is_raised() {
    let world = World::new(1, 0);
    let hint = "check the limits on threads and open files";
    let refused = (4..=9).rev().any(|most| {
        let ran = with_files(&world, most, &["sync"]);
        ran.code != Some(0) && ran.err.contains(hint)
    });
    assert!(refused);
    with_files(&world, 256, &["sync"]).exits(0);
    world.has_everybody_once();
}

/// To a broadcast address no connection leads, on whatever machine.
#[test]
fn a_host_to_which_no_way_leads_is_named_anew() {
    let world = World::new(1, 0);
    let port = world.scim.url.rsplit_once(':').unwrap().1;
    world.change(&world.scim.url, &format!("http://127.255.255.255:{port}"));
    let said = world.run(&["sync"]).exits(1).err;
    let hint = "check the network of this machine and the host in `jobs.idmelon.target.url`";
    assert!(said.contains(hint), "{said}");
    world.write(&world.config());
    world.run(&["sync"]).exits(0);
    world.has_everybody_once();
}

#[test]
fn a_file_in_the_place_of_the_socket_is_taken_away() {
    let world = World::new(1, 0);
    world.run(&["status"]);
    let place = world.path("state/control.sock");
    fs::create_dir_all(place.parent().unwrap()).unwrap();
    fs::write(&place, "not a socket").unwrap();
    let said = world.run(&["run"]).exits(1).err;
    let hint = "take away what stands at this path, or check the permissions of the state folder";
    assert!(said.contains(hint), "{said}");
    fs::remove_file(&place).unwrap();
    Daemon::over(world).stopped().exits(0);
}
