//! Failed logins: after ten in a minute each further one is answered a second later. Right tokens are never slowed down, so
//! that nobody can lock anybody out.

use std::collections::VecDeque;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::Duration;

use tokio::time::Instant;

/// As many failures as a minute has at full speed, whoever they come from: addresses are cheap.
const AT_FULL_SPEED: usize = 10;

/// So long a failure counts.
const COUNTS_FOR: Duration = Duration::from_secs(60);

/// So much later the answer to one more comes.
const DELAY: Duration = Duration::from_secs(1);

/// The failed logins of the last minute.
#[derive(Default)]
pub(super) struct Logins(Mutex<VecDeque<Instant>>);

impl Logins {
    /// Counts a failure, and waits where there were many. Returns true for one that is worth a line in the log.
    pub(super) async fn failed(&self) -> bool {
        let slow = self.count(Instant::now());
        if slow {
            tokio::time::sleep(DELAY).await;
        }
        !slow
    }

    fn count(&self, now: Instant) -> bool {
        let mut failures = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        while failures
            .front()
            .is_some_and(|first| now.duration_since(*first) >= COUNTS_FOR)
        {
            failures.pop_front();
        }
        let slow = failures.len() >= AT_FULL_SPEED;
        if slow {
            failures.pop_front();
        }
        failures.push_back(now);
        slow
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn the_eleventh_failure_of_a_minute_waits_and_later_ones_do_not() {
        let logins = Logins::default();
        let begun = Instant::now();
        for _ in 0..AT_FULL_SPEED {
            assert!(logins.failed().await);
        }
        assert_eq!(begun.elapsed(), Duration::ZERO);
        assert!(!logins.failed().await);
        assert_eq!(begun.elapsed(), DELAY);
        tokio::time::advance(COUNTS_FOR).await;
        assert!(logins.failed().await);
    }
}
