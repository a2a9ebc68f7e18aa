//! The way back as the demo shows it, and as the sandbox prints it.

use std::io::BufRead;
use std::io::BufReader;
use std::process::Command;

use melonsync::sandbox::Tenant;

use super::world::World;
use crate::support::program::Ran;
use crate::support::program::Running;

#[test]
fn the_demo_shows_what_comes_back() {
    let world = World::new(1, 1);
    let demo = ["demo", "--once", "--users", "60", "--groups", "2"];
    let told = || {
        let ran = world.run(&demo).exits(0);
        let at = ran.out.find("The way back").unwrap_or_else(|| panic!("{ran:?}"));
        ran.out[at..].split_whitespace().collect::<Vec<_>>().join(" ")
    };
    let first = told();
    for part in [
        "6 people held a security key: the first cycle put them into the Entra group \"Key holders\"",
        "the next write-back put 1 into the group, which has 7 members",
        "sent to Entra 1 time, and 0 times after that; Entra holds \"+1 604 555 0199\"",
        "was short (keys_without_evidence): 0 were taken out, 7 are in",
        "longer than `enrolled_leave_after`: 1 was taken out, 6 are in",
    ] {
        assert!(first.contains(part), "{part}\n{first}");
    }
    // A week beside Azure's job ends in a verdict that names what is missing.
    for part in [
        "our job only looked (0 writes of its own)",
        "5 yes a week was observed: 7 days, and each kind of event",
        "6 yes both decide the same: 5 the same, 0 only we, 0 only Azure, 0 differently",
        "10 NO prepared for trouble: no backup, 0 receivers of notifications, 0 protected names",
        "12 NO Azure's job is paused: it writes still: pause it as the last step before the switch see: melonsync entra-job pause --wait --login",
        "Not safe to switch",
        "Then Azure's job was paused",
    ] {
        assert!(first.contains(part), "{part}\n{first}");
    }
    assert_eq!(told(), first, "it is the same each time");
}

#[test]
fn what_the_sandbox_prints_of_the_way_back_works_once_it_is_uncommented() {
    let world = World::new(1, 1);
    let mut sandbox = world.start(&["sandbox", "--users", "30", "--groups", "1"]);
    let mut lines = BufReader::new(sandbox.stdout.take().unwrap()).lines();
    let mut printed = String::new();
    while !printed.contains("idmelon_api = ") {
        printed += &(lines.next().unwrap().unwrap() + "\n");
    }
    let at = printed.find("# [jobs.idmelon.writeback]").unwrap();
    let (config, back) = printed.split_at(at);
    world.write(&(config.to_owned() + &back.replace("# ", "")));
    let exports: Vec<(&str, &str)> = printed
        .lines()
        .filter_map(|line| line.strip_prefix("#   export ")?.split_once('='))
        .collect();
    assert_eq!(exports.len(), 4, "{printed}");
    let run = |args: &[&str]| -> Ran {
        let mut command = world.command(args);
        for (name, value) in &exports {
            command.env(name, value);
        }
        Running::start(&mut command).finished()
    };
    run(&["check"]).exits(0);
    let first = run(&["sync", "--full", "-o", "json"]).exits(0).json();
    let filled = first["operations"]["add_enrolled"].as_u64().unwrap();
    assert!(filled > 0, "{first:#}");
    // The second of the same sample people: enabled, and without a key.
    let sample = Tenant::sample(30, 1);
    let person = sample.user(&sample.user_ids()[1]).unwrap();
    let address = person["userPrincipalName"].as_str().unwrap();
    let curl = printed
        .lines()
        .find_map(|line| {
            line.strip_prefix("#   ")
                .filter(|line| line.contains("/sandbox/enrol"))
        })
        .unwrap();
    let done = Command::new("sh")
        .args([
            "-c",
            &curl
                .replace("curl", "curl -s --noproxy '*'")
                .replace("ADDRESS", address),
        ])
        .output()
        .unwrap();
    assert!(String::from_utf8_lossy(&done.stdout).contains("66f0"), "{done:?}");
    let second = run(&["sync", "--full", "-o", "json"]).exits(0).json();
    assert_eq!(second["operations"]["add_enrolled"], 1, "{second:#}");
}
