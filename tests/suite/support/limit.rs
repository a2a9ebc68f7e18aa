//! Time limits: a hang fails under its own name instead of stalling the suite.
//!
//! A [`Limit`] is held as long as a world lives. What waits for a cycle or for the program waits under it, and fails its own test when
//! time is up. Where nothing waits any more, because a thread turns in a circle, the process ends after a word about which test it was.

use std::future::Future;
use std::io::Write;
use std::sync::mpsc;
use std::sync::mpsc::RecvTimeoutError;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

/// Far beyond what any test needs on a busy machine, and short enough to wait for.
const SECONDS: u64 = 300;
/// So long a test has for its own failure, before the process ends for it.
pub const GRACE: Duration = Duration::from_secs(20);

/// How long one world, one call of the program or one seed may take; `TEST_LIMIT_SECONDS` sets another time.
pub fn longest() -> Duration {
    let seconds = std::env::var("TEST_LIMIT_SECONDS").ok();
    Duration::from_secs(seconds.and_then(|text| text.parse().ok()).unwrap_or(SECONDS))
}

/// The name of the test that runs in this thread.
pub fn this_test() -> String {
    let thread = std::thread::current();
    thread.name().unwrap_or("a thread of a test").to_owned()
}

/// A watch that runs until it is dropped.
pub struct Limit {
    what: String,
    passed: CancellationToken,
    /// Tells the watching thread that it ended in time.
    _end: mpsc::Sender<()>,
}

impl Limit {
    /// For the test of this thread.
    pub fn new() -> Self {
        Self::of(&this_test(), longest(), GRACE)
    }

    /// For something else, with a time of its own.
    pub fn of(what: &str, longest: Duration, grace: Duration) -> Self {
        let (end, ended) = mpsc::channel::<()>();
        let passed = CancellationToken::new();
        let (token, text) = (passed.clone(), said(what, longest));
        std::thread::spawn(move || {
            if ended.recv_timeout(longest) != Err(RecvTimeoutError::Timeout) {
                return;
            }
            token.cancel();
            if ended.recv_timeout(grace) == Err(RecvTimeoutError::Timeout) {
                // `eprintln!` would keep it in the captured output of a test, which ends here with all the others.
                let _ = writeln!(
                    std::io::stderr(),
                    "\n{text}, and waits for nothing: the other tests end with it"
                );
                std::process::abort();
            }
        });
        Self {
            what: said(what, longest),
            passed,
            _end: end,
        }
    }

    /// The result of this work.
    ///
    /// # Panics
    /// When time is up before.
    pub async fn holds<T>(&self, work: impl Future<Output = T>) -> T {
        tokio::select! {
            biased;
            done = work => done,
            () = self.passed.cancelled() => panic!("{}", self.what),
        }
    }
}

impl Default for Limit {
    fn default() -> Self {
        Self::new()
    }
}

/// A limit for the test of this thread, held until its runtime ends.
#[allow(dead_code, reason = "this file is also the library's, whose tests use it")]
pub fn until_the_runtime_ends() {
    let limit = Limit::new();
    tokio::spawn(async move {
        let _limit = limit;
        std::future::pending::<()>().await;
    });
}

fn said(what: &str, longest: Duration) -> String {
    format!("{what} takes longer than {longest:?}: it hangs")
}
