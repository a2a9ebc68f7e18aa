//! Retries within a total time budget.
//!
//! The only user of the `backoff` crate (unmaintained), and only of its arithmetic: its own `retry` goes on beyond the
//! time budget when a service keeps sending Retry-After. Jitter is added here.

use std::{future::Future, time::Duration};

use backoff::{ExponentialBackoff, backoff::Backoff};
use tokio::time::Instant;

use super::traffic::TrafficCounter;

/// How often and how long to retry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RetryPolicy {
    /// The first gap, before jitter of ±50 %; it doubles with each attempt.
    pub first: Duration,
    /// The longest gap that we choose ourselves.
    pub longest: Duration,
    /// The limit for all attempts and gaps together, Retry-After included. A gap that would exceed it is not begun.
    pub budget: Duration,
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self {
            first: Duration::from_millis(500),
            longest: Duration::from_secs(30),
            budget: Duration::from_secs(120),
        }
    }
}

impl RetryPolicy {
    /// Returns the policy of one attempt and no second one.
    #[must_use]
    pub const fn never() -> Self {
        Self {
            first: Duration::ZERO,
            longest: Duration::ZERO,
            budget: Duration::ZERO,
        }
    }

    /// Returns the policy of tests over HTTP: gaps of milliseconds, so that only the budget takes time.
    #[cfg(test)]
    pub const fn impatient(budget: Duration) -> Self {
        Self {
            first: Duration::from_millis(1),
            longest: Duration::from_millis(5),
            budget,
        }
    }

    /// Returns the growing, jittered gaps of this policy. The budget is kept by [`retry`], on tokio's clock.
    fn gaps(&self) -> ExponentialBackoff {
        ExponentialBackoff {
            current_interval: self.first,
            initial_interval: self.first,
            max_interval: self.longest,
            multiplier: 2.0,
            randomization_factor: 0.5,
            max_elapsed_time: None,
            ..ExponentialBackoff::default()
        }
    }
}

/// The outcome of one attempt, as its caller judges it.
#[derive(Debug)]
pub enum Attempt<T, E> {
    /// Done.
    Done(T),
    /// Worth another attempt.
    Again {
        /// The wait that the service asked for (Retry-After).
        after: Option<Duration>,
        /// What to return if there is no time left.
        error: E,
    },
    /// Another attempt would be wrong or useless.
    Fail(E),
}

impl<T, E> Attempt<T, E> {
    /// The same with its error turned into another.
    pub fn map_error<F>(self, turn: impl FnOnce(E) -> F) -> Attempt<T, F> {
        match self {
            Self::Done(value) => Attempt::Done(value),
            Self::Again { after, error } => Attempt::Again {
                after,
                error: turn(error),
            },
            Self::Fail(error) => Attempt::Fail(turn(error)),
        }
    }
}

/// Tries until done, refused, or out of time. `attempt` gets the number of attempts made before.
///
/// # Errors
/// The last attempt's error.
pub async fn retry<T, E, F, A>(policy: &RetryPolicy, traffic: &TrafficCounter, mut attempt: F) -> Result<T, E>
where
    F: FnMut(u32) -> A,
    A: Future<Output = Attempt<T, E>>,
{
    let began = Instant::now();
    let mut gaps = policy.gaps();
    for made in 0.. {
        let (after, error) = match attempt(made).await {
            Attempt::Done(value) => return Ok(value),
            Attempt::Fail(error) => return Err(error),
            Attempt::Again { after, error } => (after, error),
        };
        let gap = gap(after, gaps.next_backoff().unwrap_or(policy.longest));
        // Refused beforehand rather than slept into: a wait longer than the budget has lost the cycle anyway.
        if policy.budget.is_zero() || began.elapsed() + gap > policy.budget {
            return Err(error);
        }
        tokio::time::sleep(gap).await;
        traffic.retried();
    }
    unreachable!("a u32 of attempts is beyond every budget")
}

/// Returns the gap before the next attempt: never shorter than the service asked for; a little longer and not all
/// equal, so that requests that were told the same moment do not arrive as one burst.
fn gap(after: Option<Duration>, own: Duration) -> Duration {
    after.map_or(own, |after| {
        after + (own / 10).min(after / 10).min(Duration::from_millis(250))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const POLICY: RetryPolicy = RetryPolicy {
        first: Duration::from_secs(1),
        longest: Duration::from_secs(8),
        budget: Duration::from_secs(60),
    };

    async fn run(
        policy: RetryPolicy,
        after: Option<Duration>,
        fails: u32,
    ) -> (Result<u32, u32>, Duration, u64) {
        let (began, traffic) = (Instant::now(), TrafficCounter::default());
        let result = retry(&policy, &traffic, |made| async move {
            if made < fails {
                Attempt::Again { after, error: made }
            } else {
                Attempt::Done(made)
            }
        });
        (result.await, began.elapsed(), traffic.read().retries)
    }

    #[tokio::test(start_paused = true)]
    async fn gaps_grow_and_stay_in_the_budget() {
        let (result, took, retries) = run(POLICY, None, 3).await;
        assert_eq!((result, retries), (Ok(3), 3));
        // 1 + 2 + 4 seconds, each give or take a half.
        assert!(
            (Duration::from_millis(3500)..Duration::from_millis(10_600)).contains(&took),
            "{took:?}"
        );
        let (result, took, _) = run(POLICY, None, u32::MAX).await;
        assert!(result.is_err() && took <= POLICY.budget, "{took:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn the_service_says_when_and_is_never_asked_earlier() {
        let (result, took, _) = run(POLICY, Some(Duration::from_secs(7)), 1).await;
        assert_eq!(result, Ok(1));
        assert!(
            (Duration::from_secs(7)..Duration::from_millis(7300)).contains(&took),
            "{took:?}"
        );
    }

    #[test]
    fn no_wait_is_much_longer_than_what_the_service_asked_for() {
        for asked in [1, 2, 10, 60].map(Duration::from_secs) {
            for own in [0, 500, 30_000].map(Duration::from_millis) {
                let gap = gap(Some(asked), own);
                assert!(
                    gap >= asked && gap <= asked * 11 / 10,
                    "{asked:?}, {own:?}: {gap:?}"
                );
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn retry_after_does_not_stretch_the_budget() {
        let (result, took, retries) = run(POLICY, Some(Duration::from_secs(25)), u32::MAX).await;
        assert_eq!((result, retries), (Err(2), 2));
        assert!(took < POLICY.budget, "{took:?}");
        let (result, took, _) = run(POLICY, Some(Duration::from_secs(61)), 1).await;
        assert_eq!(
            (result, took),
            (Err(0), Duration::ZERO),
            "a wait beyond the budget is not begun"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn a_failure_ends_it_and_never_means_never() {
        let traffic = TrafficCounter::default();
        let once = retry(
            &POLICY,
            &traffic,
            |made| async move { Attempt::<(), _>::Fail(made) },
        )
        .await;
        assert_eq!((once, traffic.read().retries), (Err(0), 0));
        let (result, took, retries) = run(RetryPolicy::never(), Some(Duration::ZERO), 1).await;
        assert_eq!((result, took, retries), (Err(0), Duration::ZERO, 0));
    }
}
