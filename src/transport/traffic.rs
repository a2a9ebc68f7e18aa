//! Counts the requests of one side, for the cycle's summary.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use crate::ports::Traffic;

/// Requests of one side since the process began. They are only counted and decide nothing, so relaxed order is enough.
#[derive(Debug, Default)]
pub struct TrafficCounter {
    requests: AtomicU64,
    throttled: AtomicU64,
    retries: AtomicU64,
}

impl TrafficCounter {
    /// Counts a request that is sent.
    pub fn sent(&self) {
        self.requests.fetch_add(1, Relaxed);
    }

    /// Counts an answer that asks to slow down (429, or 503 with Retry-After), inner answers of a batch included.
    pub fn throttled(&self) {
        self.throttled.fetch_add(1, Relaxed);
    }

    /// Counts a request that is about to be sent again.
    pub fn retried(&self) {
        self.retries.fetch_add(1, Relaxed);
    }

    /// Returns the counts so far.
    #[must_use]
    pub fn read(&self) -> Traffic {
        Traffic {
            requests: self.requests.load(Relaxed),
            throttled: self.throttled.load(Relaxed),
            retries: self.retries.load(Relaxed),
        }
    }
}
