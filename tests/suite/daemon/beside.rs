//! Every verb that works beside a daemon: the same answers and exit codes as without one.

use std::time::Duration;

use melonsync::sandbox::Fault;
use serde_json::json;

use super::world::Daemon;
use super::world::SELDOM;
use crate::cli_output::world::World;
use crate::cli_output::world::is_tester;
use crate::wiring::stage::until;

/// A world in which there is something to see of everything: somebody on hold, somebody withheld, somebody in escrow, and a
/// user who drifted.
fn eventful() -> (World, Vec<String>) {
    let world = World::of(plain(12));
    let threshold = "\n[jobs.idmelon.provisioning]\ndeletion_threshold = 1\n";
    let config = world
        .config()
        .replace("mode = \"enforce\"", &format!("mode = \"enforce\"\n{SELDOM}"));
    world.write(&format!("{config}{threshold}"));
    world.converges();
    let ids = world.tenant.user_ids();
    for id in &ids[..8] {
        world.tenant.disable_user(id);
    }
    world.run(&["sync"]).exits(4);
    world.run(&["hold", &ids[9], "--comment", "leave it"]).exits(0);
    (world, ids)
}

fn plain(users: usize) -> melonsync::sandbox::Tenant {
    melonsync::sandbox::Tenant::sample_with(melonsync::sandbox::SampleOptions {
        users,
        groups: 1,
        plain: true,
        ..melonsync::sandbox::SampleOptions::default()
    })
}

#[test]
fn questions_have_the_same_answers_beside_a_daemon() {
    let (world, ids) = eventful();
    let object = ids[9].as_str();
    let questions: &[&[&str]] = &[
        &["withheld", "list"],
        &["withheld", "list", &ids[0]],
        &["withheld", "list", "--reason-is", "nothing like it"],
        &["withheld", "list", "nobody"],
        &["hold", "list"],
        &["escrow", "list"],
        &["escrow", "list", "nobody"],
        &["history"],
        &["history", "--object", object],
        &["history", "--since", "2026-01-01", "--operation", "create_user"],
        &["history", "--object", "nobody"],
        &["history", "nothing-like-it"],
        &["drift"],
        &["drift", "--detailed-exitcode"],
        &["explain", object],
        &["explain", "nobody"],
        &["status", "nothing-like-it"],
        &["list", "users"],
        &["list", "groups"],
        &["list", "users", "--state", "held"],
        &["list", "users", "--state", "unmanaged"],
        &["list", "users", "--search", "USER1", "--limit", "2"],
        &["list", "users", "--limit", "0"],
        &["history", "cycles"],
        &["history", "--operation", "decision"],
        &["history", "active", "--on", "2030-01-01"],
        &["history", "active", "--on", "2030-01-01", "-n", "2"],
        &["mapping", "show"],
        &[
            "mapping",
            "test",
            "Join(\"-\", [givenName], [surname])",
            "--user",
            object,
        ],
        &["mapping", "test", "[nonsense", "--user", object],
        &["mapping", "test", "[officeLocation]", "--user", object],
        &["mapping", "test", "[givenName]", "--user", "nobody"],
        &["state", "verify"],
        &["state", "forget", object],
        &["state", "forget", "nobody"],
    ];
    let asked = |world: &World| {
        let mut answers = Vec::new();
        for question in questions {
            for form in ["text", "json"] {
                let mut args = question.to_vec();
                args.extend(["-o", form]);
                answers.push((args.join(" "), world.shown(&world.run(&args))));
            }
        }
        answers
    };
    let alone = asked(&world);
    let daemon = Daemon::over(world);
    for ((question, alone), (_, beside)) in alone.into_iter().zip(asked(&daemon.world)) {
        assert_eq!(alone, beside, "{question}");
    }
    daemon.stopped().exits(0);
}

#[test]
fn copies_made_beside_a_daemon_are_those_made_without_one() {
    let (world, _) = eventful();
    let alone = world.run(&["state", "export"]).exits(0).out;
    let daemon = Daemon::over(world);
    let world = &daemon.world;
    assert_eq!(world.run(&["state", "export"]).exits(0).out, alone);
    let (backup, folder) = (world.path("a.backup"), world.path("history"));
    let (backup, folder) = (backup.to_str().unwrap(), folder.to_str().unwrap());
    let done = world
        .run(&["state", "backup", "--out", backup, "-o", "json"])
        .exits(0)
        .json();
    assert!(done["records"].as_u64() > Some(12), "{done}");
    world.run(&["state", "backup", "--out", backup]).exits(2);
    let exported = world
        .run(&["history", "export", "--out", folder, "-o", "json"])
        .exits(0)
        .json();
    let checked = world
        .run(&["history", "verify", folder, "-o", "json"])
        .exits(0)
        .json();
    for same in ["entries", "first", "head", "job", "next"] {
        assert_eq!(exported[same], checked[same], "{same}");
    }
    world.run(&["history", "export", "--out", folder]).exits(2);
    // They are known of, as those that a command writes by itself are.
    let notes = std::fs::read_to_string(world.path("state/idmelon/copies")).unwrap_or_default();
    assert!(
        notes.contains("a.backup") && notes.contains("/history"),
        "{notes}"
    );
    let left = std::fs::read_dir(world.path("state/idmelon")).unwrap().count();
    for needs_it_for_itself in [
        &["state", "compact"] as &[&str],
        &["state", "import", "--from", backup],
        &["state", "restore", "--from", backup, "--force"],
    ] {
        let refused = world.run(needs_it_for_itself).exits(5);
        assert!(refused.err.contains("do:"), "{}", refused.err);
    }
    assert_eq!(
        std::fs::read_dir(world.path("state/idmelon")).unwrap().count(),
        left
    );
    let nowhere = format!("{backup}/x");
    world.run(&["history", "export", "--out", &nowhere]).exits(1);
    world.run(&["state", "backup", "--out", &nowhere]).exits(1);
    let Daemon { running, world } = daemon;
    drop(running);
    let other = World::of(plain(1));
    other
        .run(&["state", "restore", "--from", backup, "--force"])
        .exits(0);
    drop(world);
}

#[test]
fn somebody_is_forgotten_beside_a_daemon_and_what_is_left_is_said() {
    let (world, ids) = eventful();
    world.run(&["hold", "release", &ids[9]]).exits(0);
    let name = "user11";
    world.run(&["unlink", &ids[11]]).exits(0);
    let daemon = Daemon::over(world);
    let world = &daemon.world;
    // Somebody who is alive and to be looked at is not: as without a daemon.
    world.run(&["state", "forget", &ids[11]]).exits(2);
    world.tenant.hard_delete_user(&ids[11]);
    world.run(&["sync"]);
    let done = world
        .run(&["state", "forget", &ids[11], "-o", "json"])
        .exits(0)
        .json();
    assert_eq!(done["compacted"], false, "{done}");
    let again = world.run(&["state", "forget", &ids[11]]).exits(0).out;
    assert!(again.contains("melonsync state compact"), "{again}");
    let listed = world.run(&["list", "users", "--search", name]).exits(0).out;
    assert!(!listed.contains(&ids[11]), "{listed}");
    daemon.stopped().exits(0);
}

#[test]
fn a_cycle_that_is_over_is_found_by_the_daemon() {
    let (world, _) = eventful();
    let last = world.run(&["history", "cycles", "-o", "json"]).exits(0).json();
    let id = last["cycles"][0]["cycle"].as_str().unwrap().to_owned();
    let daemon = Daemon::over(world);
    let kept = daemon.get(&format!("/api/v1/cycles/{id}")).is(200).json();
    assert_eq!(
        (&kept["state"], &kept["summary"]),
        (&json!("ended"), &last["cycles"][0])
    );
    assert_eq!(
        daemon.get("/api/v1/cycles/last").is(200).json()["cycle"],
        id.as_str()
    );
    daemon.get("/api/v1/cycles/ffff").problem(404);
    let first = daemon.get("/api/v1/jobs/idmelon/cycles?limit=1").is(200).json();
    assert_eq!(first["cycles"].as_array().unwrap().len(), 1);
    let next = daemon
        .get(&format!("/api/v1/jobs/idmelon/cycles?before={id}"))
        .is(200)
        .json();
    assert_eq!(next["cycles"][0], last["cycles"][1]);
    let page = daemon.get("/api/v1/jobs/idmelon/objects?limit=5").is(200).json();
    let after = page["next"].as_str().unwrap();
    let more = format!("/api/v1/jobs/idmelon/objects?after={after}&limit=100");
    let more = daemon.get(&more).is(200).json();
    assert_eq!(more["objects"].as_array().unwrap().len(), 7, "{more}");
    for wrong in ["kind=robot", "state=odd", "after=x", "limit=many", "color=red"] {
        daemon
            .get(&format!("/api/v1/jobs/idmelon/objects?{wrong}"))
            .problem(400);
    }
    assert_eq!(
        daemon.get("/api/v1/jobs/idmelon/mapping").is(200).json(),
        daemon
            .world
            .run(&["mapping", "show", "-o", "json"])
            .exits(0)
            .json()
    );
}

#[test]
fn status_says_what_the_daemon_does() {
    let daemon = Daemon::new(3, 0);
    let status = daemon.world.run(&["status", "-o", "json"]).exits(0).json();
    assert_eq!(status["jobs"][0]["daemon"]["state"], "idle", "{status}");
    let shown = daemon.world.run(&["status", "idmelon"]).exits(0).out;
    assert!(shown.contains("  daemon       runs: idle"), "{shown}");
}

#[test]
fn decisions_are_made_beside_a_daemon_in_the_name_of_who_makes_them() {
    let (world, ids) = eventful();
    let daemon = Daemon::over(world);
    let world = &daemon.world;
    let run = |args: &[&str]| world.run(args).exits(0);
    let paused = run(&[
        "pause",
        "--removals-only",
        "--for",
        "4h",
        "--comment",
        "a check",
        "-o",
        "json",
    ])
    .json();
    assert_eq!(
        (&paused["action"], &paused["removals_only"]),
        (&json!("pause"), &json!(true))
    );
    let status = run(&["status", "-o", "json"]).json();
    assert_eq!(status["jobs"][0]["paused"]["comment"], "a check", "{status}");
    assert!(is_tester(&status["jobs"][0]["paused"]["actor"]), "{status}");
    assert!(run(&["resume"]).out.contains("resumed"));
    assert!(run(&["resume"]).out.contains("was not paused"));
    assert!(run(&["hold", "release", &ids[9]]).out.contains("taken off hold"));
    world.run(&["hold", "release", &ids[9]]).exits(2);
    run(&["hold", &ids[10], "--until", "2030-01-01", "--attribute", "title"]);
    assert!(run(&["hold", "list"]).out.contains("title"));
    assert!(
        run(&["quarantine", "release"])
            .out
            .contains("was not quarantined")
    );
    let withheld = run(&["withheld", "list", "-o", "json"]).json();
    let count = withheld["count"].as_u64().unwrap();
    world
        .run(&[
            "withheld",
            "release",
            "--all",
            "--expect",
            &(count + 1).to_string(),
        ])
        .exits(2);
    run(&["withheld", "reject", &ids[0]]);
    let left = (count - 1).to_string();
    run(&[
        "withheld",
        "release",
        "--all",
        "--expect",
        &left,
        "--comment",
        "they left",
    ]);
    run(&["sync"]);
    assert_eq!(world.workspace.users_by_external_id(&ids[1])[0]["active"], false);
    assert_eq!(
        world.workspace.users_by_external_id(&ids[0])[0]["active"],
        true,
        "on hold"
    );
    let unlinked = run(&["unlink", &ids[11]]).out;
    assert!(unlinked.contains("no longer linked"), "{unlinked}");
    let resource = world.workspace.users_by_external_id(&ids[11])[0]["id"]
        .as_str()
        .unwrap()
        .to_owned();
    assert!(
        run(&["link", &ids[11], &resource])
            .out
            .contains("linked with resource")
    );
    world.run(&["link", &ids[10], &resource]).exits(2);
    let history = run(&["history", "-o", "json"]).json();
    let of = |verb: &str| {
        let mut entries = history["entries"].as_array().unwrap().iter();
        let entry = entries.find(|entry| entry["operation"] == verb);
        entry.unwrap_or_else(|| panic!("{verb} in {history}"))
    };
    for verb in [
        "pause",
        "resume",
        "hold_release",
        "hold",
        "reject",
        "release",
        "unlink",
        "link",
    ] {
        assert!(is_tester(&of(verb)["actor"]), "{verb}: {}", of(verb));
    }
    assert_eq!(of("release")["detail"], "they left");
    daemon.stopped().exits(0);
}

#[test]
fn a_cycle_beside_a_daemon_ends_as_one_without_it_does() {
    let daemon = Daemon::new(6, 1);
    let world = &daemon.world;
    let summary = world.run(&["sync", "-o", "json"]).exits(0).json();
    assert_eq!(
        (&summary["outcome"], &summary["kind"]),
        (&json!("converged"), &json!("initial"))
    );
    let again = world.run(&["sync"]).exits(0).out;
    assert!(again.contains("converged"), "{again}");
    let id = world.tenant.user_ids()[0].clone();
    world.tenant.set_user(&id, json!({"jobTitle": "Captain"}));
    world.run(&["resync", "--user", &id]).exits(0);
    assert_eq!(world.workspace.users_by_external_id(&id)[0]["title"], "Captain");
    world.run(&["resync", "--user", "nobody@example"]).exits(2);
    world.run(&["sync", "nothing-like-it"]).exits(2);
    world
        .workspace
        .update_faults(|faults| faults.unauthorized = Fault::always());
    world.tenant.set_user(&id, json!({"jobTitle": "Admiral"}));
    let failed = world.run(&["sync", "-o", "json"]).exits(1);
    assert_eq!(failed.json()["outcome"], "quarantined", "{failed:?}");
    assert!(failed.err.contains("do:"), "{}", failed.err);
    world
        .workspace
        .update_faults(|faults| faults.unauthorized = Fault::never());
    world.run(&["sync"]).exits(0);
    assert_eq!(world.workspace.users_by_external_id(&id)[0]["title"], "Admiral");
    daemon.stopped().exits(0);
}

#[test]
fn drift_is_read_and_healed_beside_a_daemon() {
    let daemon = Daemon::new(4, 0);
    let world = &daemon.world;
    world.run(&["sync"]).exits(0);
    let id = world.tenant.user_ids()[0].clone();
    let resource = world.workspace.users_by_external_id(&id)[0]["id"]
        .as_str()
        .unwrap()
        .to_owned();
    world.workspace.edit_user(&resource, json!({"title": "by hand"}));
    let seen = world
        .run(&["drift", "--refresh", "--detailed-exitcode", "-o", "json"])
        .exits(10)
        .json();
    assert_eq!(seen["drift"]["modified"], 1, "{seen}");
    assert!(seen["summary"].is_object(), "{seen}");
    let healed = world.run(&["drift", "--heal"]).exits(0).out;
    assert!(healed.contains("No drift."), "{healed}");
    assert_ne!(world.workspace.users_by_external_id(&id)[0]["title"], "by hand");
}

#[test]
fn other_settings_than_the_daemons_are_refused_for_orders() {
    let daemon = Daemon::new(2, 0);
    let mode = ("MELONSYNC__JOBS__IDMELON__MODE", "observe");
    for verb in [&["sync"] as &[&str], &["resync", "--all"], &["drift", "--heal"]] {
        let refused = daemon.world.run_with(mode.0, mode.1, verb).exits(2);
        assert!(refused.err.contains("with other settings"), "{}", refused.err);
    }
    assert_eq!(daemon.world.tenant.request_count(), 0);
    daemon.world.run_with(mode.0, mode.1, &["status"]).exits(0);
}

#[test]
fn no_secret_is_needed_beside_a_daemon() {
    let daemon = Daemon::new(2, 0);
    let mut command = daemon.world.command(&["sync"]);
    command
        .env_remove("ENTRA_CLIENT_SECRET")
        .env_remove("IDMELON_SCIM_TOKEN");
    crate::cli_output::world::finished(command.spawn().unwrap()).exits(0);
    assert_eq!(daemon.world.workspace.user_count(), 2);
}

#[test]
fn an_order_that_is_left_with_the_daemon_is_met_again() {
    let daemon = Daemon::new(4, 0);
    let world = &daemon.world;
    let ticket = world
        .run(&["resync", "--all", "--detach", "-o", "json"])
        .exits(0)
        .json();
    let id = ticket["cycle"].as_str().unwrap();
    let summary = world
        .run(&["status", "--follow", id, "-o", "json"])
        .exits(0)
        .json();
    assert_eq!(summary["cycle"], id);
    let over = world.run(&["cancel", id]).exits(0).out;
    assert!(over.contains("is over already"), "{over}");
    world
        .run(&["cancel", "01923000-0000-7000-8000-000000000000"])
        .exits(2);
    let shown = world.run(&["resync", "--all", "--detach"]).exits(0).out;
    assert!(shown.contains("melonsync status --follow"), "{shown}");
}

#[test]
fn without_a_daemon_there_is_nothing_to_leave_an_order_with() {
    let world = World::new(1, 0);
    world.run(&["sync", "--detach"]).exits(2);
    world
        .run(&["cancel", "01923000-0000-7000-8000-000000000000"])
        .exits(2);
}

/// A daemon that is asked for a cycle that takes its time.
fn slow() -> Daemon {
    let daemon = Daemon::new(120, 0);
    daemon.world.workspace.update_faults(|faults| {
        faults.slow = Fault::always();
        faults.slow_ms = Some(150);
    });
    daemon
}

fn interrupt(running: &crate::support::program::Running) {
    let pid = rustix::process::Pid::from_child(running);
    rustix::process::kill_process(pid, rustix::process::Signal::INT).unwrap();
}

#[test]
fn ctrl_c_takes_an_order_back_and_leaves_one_that_others_want_too() {
    let daemon = slow();
    let world = &daemon.world;
    let first = world.start(&["sync"]);
    until("some are there", || world.workspace.user_count() > 3);
    let second = world.start(&["sync"]);
    let third = world.start(&["sync"]);
    let waiting = || daemon.get("/api/v1/jobs/idmelon").json()["daemon"]["waiting"].clone();
    until("one order waits", || waiting().as_array().unwrap().len() == 1);
    std::thread::sleep(Duration::from_millis(500));
    interrupt(&second);
    let left = second.finished();
    assert_eq!(left.code, Some(130), "{left:?}");
    assert!(left.err.contains("others asked for the same"), "{left:?}");
    assert_eq!(waiting().as_array().unwrap().len(), 1);
    interrupt(&third);
    assert_eq!(third.finished().code, Some(130));
    assert_eq!(waiting().as_array().unwrap().len(), 0);
    interrupt(&first);
    let stopped = first.finished();
    assert_eq!(stopped.code, Some(130), "{stopped:?}");
    assert!(world.workspace.user_count() < 120);
    daemon.stopped().exits(0);
}

#[test]
fn a_timeout_ends_the_waiting_and_not_the_order() {
    let daemon = slow();
    let ran = daemon.world.run(&["sync", "--timeout", "1s"]).exits(1);
    assert!(ran.err.contains("goes on"), "{}", ran.err);
    until("it goes on to its end", || {
        daemon.world.workspace.user_count() == 120
    });
}

#[test]
fn a_verb_waits_for_a_daemon_that_starts() {
    let world = World::new(2, 0);
    world.change("mode = \"enforce\"", &format!("mode = \"enforce\"\n{SELDOM}"));
    let running = world.start(&["run"]);
    until("it holds the folder", || world.path("state/lock").exists());
    world.run(&["sync"]).exits(0);
    drop(running);
}
