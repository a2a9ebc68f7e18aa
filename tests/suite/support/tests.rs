//! The limits themselves: what hangs fails, under its name, and leaves nothing behind.

use std::process::Command;
use std::process::Stdio;
use std::time::Duration;

use super::limit::Limit;
use super::program::Running;

const SOON: Duration = Duration::from_millis(50);
const NEVER: Duration = Duration::from_secs(3600);
/// Tells the half of a test that ends its process that it is the one.
const CHILD: &str = "MELONSYNC_TEST_LIMIT_CHILD";

fn shell(script: &str) -> Running {
    let mut command = Command::new("sh");
    command.args(["-c", script]);
    Running::start(command.stdout(Stdio::piped()).stderr(Stdio::piped()))
}

#[test]
#[should_panic(
    expected = "a_program_that_hangs_fails_its_test: the program takes longer than 50ms: it hangs\nthe last words"
)]
fn a_program_that_hangs_fails_its_test() {
    shell("echo the last words; exec sleep 3600").finished_within(SOON);
}

#[test]
fn a_program_ends_with_its_test() {
    let running = shell("exec sleep 3600");
    let folder = format!("/proc/{}", running.id());
    drop(running);
    assert!(!std::path::Path::new(&folder).exists());
}

#[tokio::test]
#[should_panic(expected = "what is here takes longer than 50ms: it hangs")]
async fn work_that_waits_for_ever_fails_its_test() {
    let limit = Limit::of("what is here", SOON, NEVER);
    limit.holds(std::future::pending::<()>()).await;
}

/// Time does not pass by itself where the runtime's clock is paused; the limit's does.
#[tokio::test(start_paused = true)]
#[should_panic(expected = "it hangs")]
async fn work_that_turns_in_a_circle_of_waits_fails_its_test() {
    let limit = Limit::of("what is here", SOON, NEVER);
    limit
        .holds(async {
            loop {
                tokio::time::sleep(NEVER).await;
            }
        })
        .await;
}

#[test]
fn a_thread_that_waits_for_nothing_ends_the_process_under_its_name() {
    let mut child = Command::new(std::env::current_exe().unwrap());
    child
        .args(["--exact", "support::tests::thread_that_waits_for_nothing"])
        .env(CHILD, "")
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let ran = Running::start(&mut child).finished();
    assert_eq!(ran.code, None, "{ran:?}");
    let said = "thread_that_waits_for_nothing takes longer than 50ms";
    assert!(ran.err.contains(said), "{ran:?}");
}

#[test]
fn thread_that_waits_for_nothing() {
    if std::env::var_os(CHILD).is_none() {
        return;
    }
    let _limit = Limit::of(&super::limit::this_test(), SOON, SOON);
    loop {
        std::thread::park();
    }
}
