//! Azure's own job beside ours: seen, paused and started at the command line, and in the way of a job that writes.

use std::io::Read;
use std::time::Duration;

use super::world::World;

/// A world whose application has a provisioning job, and whose config names the application.
fn beside_azure(users: usize, groups: usize) -> World {
    let world = World::new(users, groups);
    world.tenant.provision_into(&world.workspace);
    world.change("# service_principal_id", "service_principal_id");
    world
}

fn may_look(world: &World) {
    world.tenant.grant_permission("Synchronization.Read.All");
    world.tenant.grant_permission("ProvisioningLog.Read.All");
}

#[test]
fn the_state_of_azures_job_is_shown_or_said_to_be_out_of_sight() {
    let world = World::new(5, 1);
    world.tenant.provision_into(&world.workspace);
    let unnamed = world.run(&["entra-job", "status"]).exits(2);
    assert!(
        unnamed
            .err
            .contains("add `service_principal_id` to [jobs.idmelon.source]"),
        "{}",
        unnamed.err
    );
    world.change("# service_principal_id", "service_principal_id");
    let unseen = world.run(&["entra-job", "status"]).exits(1);
    assert!(
        unseen.out.contains("cannot tell") && unseen.out.contains("Synchronization.Read.All"),
        "{}",
        unseen.out
    );
    may_look(&world);
    let paused = world.run(&["entra-job", "status", "-o", "json"]).exits(0).json();
    assert_eq!(
        (&paused["writes"], &paused["jobs"][0]["state"]),
        (&"no".into(), &"Paused".into()),
        "{paused}"
    );
    world.tenant.start_azure();
    world.tenant.azure_cycle();
    let active = world.run(&["entra-job", "status"]).exits(0);
    assert!(
        active.out.starts_with("Active: it writes to the target"),
        "{}",
        active.out
    );
    world.tenant.quarantine_azure("EncounteredQuarantineException");
    let stopped = world.run(&["entra-job", "status", "-o", "json"]).exits(0).json();
    assert_eq!(
        stopped["jobs"][0]["quarantine"]["reason"],
        "EncounteredQuarantineException"
    );
}

#[test]
fn the_log_of_azures_job_is_shown_newest_first() {
    let world = beside_azure(6, 1);
    world.tenant.start_azure();
    world.tenant.azure_cycle();
    let refused = world.run(&["entra-job", "logs"]).exits(1);
    assert!(
        refused.err.contains("ProvisioningLog.Read.All"),
        "{}",
        refused.err
    );
    may_look(&world);
    let log = world
        .run(&["entra-job", "logs", "-n", "3", "-o", "json"])
        .exits(0)
        .json();
    assert_eq!(log["entries"].as_array().unwrap().len(), 3);
    assert_eq!(
        log["total"].as_u64().unwrap() as usize,
        world.tenant.azure_log().len()
    );
    let shown = world.run(&["entra-job", "logs", "-n", "3"]).exits(0);
    assert!(
        shown.out.contains("more are older: -n shows more"),
        "{}",
        shown.out
    );
    let none = world
        .run(&[
            "entra-job",
            "logs",
            "--since",
            "2020-01-01",
            "--until",
            "2020-01-02",
        ])
        .exits(0);
    assert!(none.out.contains("did nothing in this time"), "{}", none.out);
}

#[test]
fn a_job_that_writes_waits_for_azures_to_be_paused() {
    let world = beside_azure(12, 2);
    may_look(&world);
    world.tenant.start_azure();
    world.tenant.azure_cycle();
    world.tenant.add_joiners(1);
    world.workspace.clear_requests();
    for order in [&["sync"][..], &["sync", "--full"], &["resync", "--all"]] {
        let refused = world.run(order).exits(5);
        assert!(
            refused.err.contains("Azure's own provisioning job scim."),
            "{}",
            refused.err
        );
        assert!(
            refused.err.contains("melonsync entra-job pause --wait --login"),
            "{}",
            refused.err
        );
    }
    assert_eq!(world.workspace.writes(), 0, "nothing was sent");
    world.run(&["plan"]).exits(0);
    let token = world.tenant.admin_token();
    let paused = world
        .run_with(
            "ENTRA_ADMIN_TOKEN",
            &token,
            &["entra-job", "pause", "--wait", "--every", "1s"],
        )
        .exits(0);
    assert!(
        paused.out.starts_with("Paused: it does not write"),
        "{}",
        paused.out
    );
    assert!(!format!("{}{}", paused.out, paused.err).contains(&token));
    world.converges();
    world
        .run_with("ENTRA_ADMIN_TOKEN", &token, &["entra-job", "resume"])
        .exits(0);
    assert!(!world.tenant.azure_is_paused(), "the way back");
    world.tenant.add_joiners(1);
    world.run(&["sync"]).exits(5);
}

#[test]
fn without_the_right_to_look_a_job_that_writes_says_so() {
    let world = beside_azure(4, 1);
    let done = world.run(&["sync"]).exits(0);
    let flat = done.out.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(
        flat.contains("It cannot be seen") && flat.contains("Synchronization.Read.All"),
        "{}",
        done.out
    );
    may_look(&world);
    world.tenant.add_joiners(1);
    let done = world.run(&["sync"]).exits(0);
    assert!(!done.out.contains("cannot be seen"), "{}", done.out);
}

#[test]
fn a_pause_waits_for_the_execution_under_way() {
    let world = beside_azure(6, 1);
    world.tenant.start_azure();
    world.tenant.begin_azure_cycle();
    let token = world.tenant.admin_token();
    let mut command = world.command(&["entra-job", "pause", "--wait", "--every", "1s"]);
    let waiting = crate::support::program::Running::start(command.env("ENTRA_ADMIN_TOKEN", &token));
    while !world.tenant.azure_is_paused() {
        std::thread::sleep(Duration::from_millis(20));
    }
    assert_eq!(world.workspace.user_count(), 0);
    world.tenant.end_azure_cycle();
    let done = waiting.finished().exits(0);
    assert!(done.out.starts_with("Paused: it does not write"), "{}", done.out);
    assert!(world.workspace.user_count() > 0);
}

#[test]
fn azures_job_is_steered_only_by_whoever_says_who_they_are() {
    let world = beside_azure(2, 1);
    world.tenant.start_azure();
    let refused = world.run(&["entra-job", "pause"]).exits(2);
    assert!(
        refused.err.contains("use --login, or set ENTRA_ADMIN_TOKEN"),
        "{}",
        refused.err
    );
    let wrong = world
        .run_with("ENTRA_ADMIN_TOKEN", "not-a-token", &["entra-job", "pause"])
        .exits(1);
    assert!(
        wrong.err.contains("get a new one, or use --login"),
        "{}",
        wrong.err
    );
    assert!(!wrong.err.contains("not-a-token"), "{}", wrong.err);
    // Signed in by a code, because this machine has no browser.
    let typing = typing(&world);
    let done = world.run(&["entra-job", "pause", "--login"]).exits(0);
    assert!(done.err.contains("enter the code"), "{}", done.err);
    typing.join().unwrap();
    world.tenant.demote_admin();
    let token = world.tenant.admin_token();
    let refused = world
        .run_with("ENTRA_ADMIN_TOKEN", &token, &["entra-job", "resume"])
        .exits(1);
    assert!(
        refused.err.contains("Cloud Application Administrator"),
        "{}",
        refused.err
    );
    world.tenant.block_device_codes();
    let refused = world.run(&["entra-job", "resume", "--login"]).exits(1);
    assert!(refused.err.contains("Block device code flow"), "{}", refused.err);
}

#[test]
fn a_browser_signs_in_by_the_page_that_it_is_led_to() {
    let world = beside_azure(2, 1);
    world.tenant.start_azure();
    // A browser that follows the page and comes back, as `curl -L` does.
    let mut command = world.command(&["entra-job", "pause", "--login"]);
    let folder = world.path("browser");
    let script = "#!/bin/sh\nexec /usr/bin/curl --noproxy '*' -4 -sL -o \"$0.page\" \"$1\"\n";
    std::fs::write(&folder, script).unwrap();
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(&folder, mode).unwrap();
    command.args(["--login-client", "14d82eec-204b-4c2f-b7e8-296a70dab67e"]);
    let done = crate::support::program::Running::start(command.env("BROWSER", &folder))
        .finished()
        .exits(0);
    assert!(world.tenant.azure_is_paused(), "{}{}", done.out, done.err);
    let mut page = String::new();
    std::fs::File::open(world.path("browser.page"))
        .unwrap()
        .read_to_string(&mut page)
        .unwrap();
    assert!(page.contains("You are signed in"), "{page}");
}

/// Somebody who types in whatever code is shown, until Azure's job is paused.
fn typing(world: &World) -> std::thread::JoinHandle<()> {
    let tenant = world.tenant.clone();
    std::thread::spawn(move || {
        for _ in 0..600 {
            tenant.approve_device_codes();
            std::thread::sleep(Duration::from_millis(50));
            if tenant.azure_is_paused() {
                return;
            }
        }
    })
}

#[test]
fn what_keeps_somebody_from_azures_job_is_put_right_as_the_hint_says() {
    let world = beside_azure(2, 1);
    world.tenant.start_azure();
    let config = std::fs::read_to_string(world.path("melonsync.toml")).unwrap();
    let login = format!("login_url = \"{}\"", world.graph.url);
    world.write(&config.replace(&login, "login_url = \"http://127.0.0.1:9\""));
    let refused = world.run(&["entra-job", "pause", "--login"]).exits(1);
    assert!(
        refused.err.contains("check `login_url`, `proxy` and the network"),
        "{}",
        refused.err
    );
    world
        .workspace
        .update_faults(|faults| faults.html_success = melonsync::sandbox::Fault::times(9));
    let graph = format!("graph_url = \"{}\"", world.graph.url);
    world.write(&config.replace(&graph, &format!("graph_url = \"{}\"", world.scim.url)));
    let token = world.tenant.admin_token();
    let refused = world
        .run_with("ENTRA_ADMIN_TOKEN", &token, &["entra-job", "pause"])
        .exits(1);
    assert!(
        refused
            .err
            .contains("check `graph_url` and `proxy`, and run the command again"),
        "{}",
        refused.err
    );
    world.write(&config);
    let typing = typing(&world);
    world.run(&["entra-job", "pause", "--login"]).exits(0);
    typing.join().unwrap();
}

#[test]
fn a_job_that_somebody_starts_while_its_end_is_waited_for_is_paused_again() {
    let world = beside_azure(2, 1);
    world.tenant.start_azure();
    world.tenant.begin_azure_cycle();
    let token = world.tenant.admin_token();
    let pause = ["entra-job", "pause", "--wait", "--every", "1s"];
    let mut command = world.command(&pause);
    let waiting = crate::support::program::Running::start(command.env("ENTRA_ADMIN_TOKEN", &token));
    while !world.tenant.azure_is_paused() {
        std::thread::sleep(Duration::from_millis(20));
    }
    std::thread::sleep(Duration::from_millis(1200));
    world.tenant.start_azure();
    let met = waiting.finished().exits(2);
    assert!(
        met.err.contains("melonsync entra-job pause --wait` again"),
        "{}",
        met.err
    );
    world.tenant.end_azure_cycle();
    world.run_with("ENTRA_ADMIN_TOKEN", &token, &pause).exits(0);
    assert!(world.tenant.azure_is_paused());
}

#[test]
fn check_names_what_observing_needs_and_asks_for_nothing_more() {
    let world = beside_azure(2, 1);
    world.change("mode = \"enforce\"", "mode = \"observe\"");
    let config = std::fs::read_to_string(world.path("melonsync.toml")).unwrap();
    world.write(&config.replace("# service_principal_id", "service_principal_id"));
    let rights = ["Synchronization.Read.All", "ProvisioningLog.Read.All"];
    let without = world.run(&["check"]).out;
    may_look(&world);
    let with = world.run(&["check"]).exits(0).out;
    for right in rights {
        assert!(without.contains(&format!("missing: {right}")), "{without}");
        assert!(with.contains(&format!("granted: {right}")), "{with}");
        assert!(!with.contains(&format!("nothing needs it: {right}")), "{with}");
    }
}

#[test]
fn the_verdict_is_twelve_lines_and_never_yes_without_evidence() {
    let world = beside_azure(6, 1);
    let lines = |world: &World| {
        let verdict = world
            .run(&["entra-job", "verdict", "-o", "json"])
            .exits(10)
            .json();
        assert_eq!(verdict["safe"], false, "{verdict}");
        let lines = verdict["lines"].as_array().unwrap().clone();
        assert_eq!(lines.len(), 12, "{verdict}");
        lines
    };
    world.change("mode = \"enforce\"", "mode = \"observe\"");
    let config = std::fs::read_to_string(world.path("melonsync.toml")).unwrap();
    world.write(&config.replace("# service_principal_id", "service_principal_id"));
    for line in lines(&world) {
        assert!(line["answer"] != "yes" || line["number"] == 8, "{line}");
        assert!(
            line["command"].as_str().unwrap().starts_with("melonsync "),
            "{line}"
        );
    }
    may_look(&world);
    world.tenant.start_azure();
    world.tenant.azure_cycle();
    world.tenant.pause_azure();
    world.run(&["sync", "--full"]).exits(0);
    let found = lines(&world);
    for (number, answer) in [
        (1, "yes"),
        (3, "yes"),
        (4, "yes"),
        (5, "no"),
        (7, "yes"),
        (10, "no"),
        (12, "yes"),
    ] {
        assert_eq!(found[number - 1]["answer"], answer, "{}", found[number - 1]);
    }
    world.run(&["state", "backup", "--out", "today.backup"]).exits(0);
    let shown = world
        .run(&["entra-job", "verdict", "--confirm", "notify"])
        .exits(10);
    assert!(
        shown.out.contains("confirmed by you") && shown.out.contains("Not safe to switch"),
        "{}",
        shown.out
    );
    let unknown = world
        .run(&["entra-job", "verdict", "--confirm", "everything"])
        .exits(2);
    assert!(unknown.err.contains("second-token"), "{}", unknown.err);
}
