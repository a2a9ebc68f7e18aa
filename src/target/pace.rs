//! How many requests are in flight, and when none may be: Retry-After pauses the whole target.

use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio::sync::SemaphorePermit;
use tokio::time::Instant;

/// The gate that every request of one target passes.
#[derive(Debug)]
pub struct Pace {
    slots: Semaphore,
    paused_until: Mutex<Option<Instant>>,
    longest_wait: Duration,
}

impl Pace {
    /// A gate for this many requests at once; nobody waits in it for a pause longer than `longest_wait`.
    #[must_use]
    pub fn new(max_concurrency: usize, longest_wait: Duration) -> Self {
        let slots = Semaphore::new(max_concurrency.clamp(1, Semaphore::MAX_PERMITS));
        Self {
            slots,
            paused_until: Mutex::new(None),
            longest_wait,
        }
    }

    /// Waits until a request may go out.
    ///
    /// # Errors
    /// The time that is left of a pause which is too long to wait for here.
    pub async fn enter(&self) -> Result<SemaphorePermit<'_>, Duration> {
        loop {
            self.wait_for_pause().await?;
            let slot = self.slots.acquire().await.expect("the semaphore is never closed");
            // The pause may have begun while we waited for a slot.
            if self.pause_left().is_zero() {
                return Ok(slot);
            }
        }
    }

    /// No request goes out for this long. A pause that is under way is never shortened.
    pub fn pause(&self, wait: Duration) {
        let until = Instant::now() + wait;
        let mut paused = self.paused_until.lock().unwrap_or_else(PoisonError::into_inner);
        if paused.is_none_or(|old| old < until) {
            *paused = Some(until);
        }
    }

    async fn wait_for_pause(&self) -> Result<(), Duration> {
        loop {
            let left = self.pause_left();
            if left.is_zero() {
                return Ok(());
            }
            if left > self.longest_wait {
                return Err(left);
            }
            tokio::time::sleep(left).await;
        }
    }

    fn pause_left(&self) -> Duration {
        let mut paused = self.paused_until.lock().unwrap_or_else(PoisonError::into_inner);
        let left = paused.map_or(Duration::ZERO, |until| {
            until.saturating_duration_since(Instant::now())
        });
        if left.is_zero() {
            *paused = None;
        }
        left
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_pause_stops_everybody_and_is_never_shortened() {
        let pace = Pace::new(2, Duration::from_secs(60));
        pace.pause(Duration::from_secs(7));
        pace.pause(Duration::from_secs(1));
        let began = Instant::now();
        drop(pace.enter().await.unwrap());
        assert!(began.elapsed() >= Duration::from_secs(7), "{:?}", began.elapsed());
        drop(pace.enter().await.unwrap());
        assert!(began.elapsed() < Duration::from_secs(8));
    }

    #[tokio::test(start_paused = true)]
    async fn a_pause_too_long_is_said_and_not_slept() {
        let pace = Pace::new(1, Duration::from_secs(60));
        pace.pause(Duration::from_secs(3600));
        let began = Instant::now();
        assert!(pace.enter().await.unwrap_err() > Duration::from_secs(3500));
        assert_eq!(began.elapsed(), Duration::ZERO);
    }

    #[tokio::test(start_paused = true)]
    async fn no_more_requests_at_once_than_allowed() {
        let pace = Pace::new(1, Duration::from_secs(60));
        let first = pace.enter().await.unwrap();
        assert!(
            tokio::time::timeout(Duration::from_secs(5), pace.enter())
                .await
                .is_err()
        );
        drop(first);
        assert!(pace.enter().await.is_ok());
    }
}
