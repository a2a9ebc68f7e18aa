//! What `check` warns of, and that it is silent once its advice was followed.

use melonsync::sandbox::Fault;
use rustix::process::Pid;
use rustix::process::Signal;
use rustix::process::kill_process;

use crate::cli_output::world::World;

#[test]
fn a_job_that_is_not_enabled_is_enabled() {
    let world = World::new(2, 1);
    let mode = "mode = \"enforce\"";
    world.change(mode, &format!("{mode}\nenabled = false"));
    let said = world.run(&["check"]).exits(0).out;
    assert!(
        said.contains("set jobs.idmelon.enabled = true where it is to run on its schedule"),
        "{said}"
    );
    world.change(mode, &format!("{mode}\nenabled = true"));
    let said = world.run(&["check"]).exits(0).out;
    assert!(
        !said.contains("is not enabled") && said.contains("next"),
        "{said}"
    );
}

#[test]
fn a_check_that_fails_is_run_again_after_what_stands_under_its_failures() {
    let world = World::new(2, 1);
    world
        .workspace
        .update_faults(|faults| faults.unauthorized = Fault::always());
    let said = world.run(&["check"]).exits(1).out;
    let hint = "do what stands under each FAIL, then run `melonsync check` again";
    assert!(
        said.contains(hint) && said.contains("generate a new one at the target"),
        "{said}"
    );
    world
        .workspace
        .update_faults(|faults| faults.unauthorized = Fault::never());
    let said = world.run(&["check"]).exits(0).out;
    assert!(!said.contains(hint) && !said.contains("FAIL"), "{said}");
}

#[test]
fn a_snapshot_that_another_process_holds_is_checked_once_that_is_stopped() {
    let world = World::new(2, 1);
    // No daemon, which would be asked instead.
    world.workspace.update_faults(|faults| {
        faults.slow = Fault::always();
        faults.slow_ms = Some(1_000);
    });
    let cycle = world.start(&["sync"]);
    let (pid, lock) = (cycle.id().to_string(), world.path("state/lock"));
    crate::wiring::stage::until("the cycle holds its folder", || {
        std::fs::read_to_string(&lock).is_ok_and(|holder| holder.lines().next() == Some(pid.as_str()))
    });
    let said = world.run(&["check"]).out;
    assert!(said.contains("stop it to check the snapshot as well"), "{said}");
    world
        .workspace
        .update_faults(|faults| faults.slow = Fault::never());
    cycle.finished().exits(0);
    let said = world.run(&["check"]).exits(0).out;
    assert!(said.contains("and the snapshot opens"), "{said}");
}

#[test]
fn a_daemon_is_restarted_to_use_another_state_folder() {
    let world = World::new(2, 0);
    let every_second = "mode = \"enforce\"\nschedule = \"* * * * * *\"";
    let config = world.config().replace("mode = \"enforce\"", every_second);
    world.write(&config);
    let daemon = world.start(&["run", "--log-level", "warn"]);
    crate::wiring::stage::until("the first cycle", || world.workspace.user_count() == 2);
    world.write(&format!("[state]\npath = \"elsewhere\"\n{config}"));
    kill_process(Pid::from_child(&daemon), Signal::HUP).unwrap();
    std::thread::sleep(std::time::Duration::from_millis(1500));
    kill_process(Pid::from_child(&daemon), Signal::TERM).unwrap();
    let said = daemon.finished().err;
    assert!(
        said.contains("restart the daemon to use another state folder"),
        "{said}"
    );
    assert!(!world.path("elsewhere").exists());
    let daemon = world.start(&["run"]);
    crate::wiring::stage::until("the new folder", || world.path("elsewhere").is_dir());
    kill_process(Pid::from_child(&daemon), Signal::TERM).unwrap();
    daemon.finished();
}

#[test]
fn a_right_that_the_writer_lacks_is_granted() {
    let world = World::new(1, 1);
    let (client_id, secret) = world.tenant.writer_credentials();
    std::fs::write(world.path("writer"), secret).unwrap();
    let back = format!(
        "[jobs.idmelon.writeback]\nattributes = {{ title = \"jobTitle\" }}\ncredential = {{ client_id = \"{client_id}\", client_secret = {{ file = \"writer\" }} }}\n"
    );
    world.write(&(world.config() + "\n" + &back));
    let said = world.run(&["check"]).exits(1).out;
    let hint = "grant the application permission User.ReadUpdate.All to the writer's app, with admin consent";
    assert!(said.contains(hint), "{said}");
    world.tenant.grant_writer("User.ReadUpdate.All");
    let said = world.run(&["check"]).exits(0).out;
    assert!(
        !said.contains(hint) && said.contains("granted: User.ReadUpdate.All"),
        "{said}"
    );
}
