//! The difference between our clock and the service's, from the `Date` of its answers: tokens are judged by the
//! service's clock.

use std::sync::atomic::{AtomicI64, Ordering::Relaxed};

use chrono::DateTime;

use crate::model::clock::Timestamp;
use crate::transport::Answer;

/// The mark that no answer was seen yet.
const NONE: i64 = i64::MIN;

/// The last difference seen, in milliseconds, ours minus theirs. Only reported.
#[derive(Debug)]
pub(super) struct Skew(AtomicI64);

impl Default for Skew {
    fn default() -> Self {
        Self(AtomicI64::new(NONE))
    }
}

impl Skew {
    pub(super) fn note(&self, answer: &Answer, now: Timestamp) {
        let theirs = answer
            .header("date")
            .and_then(|date| DateTime::parse_from_rfc2822(date).ok());
        if let Some(theirs) = theirs {
            self.0
                .store(now.0.saturating_sub(theirs.timestamp_millis()), Relaxed);
        }
    }

    pub(super) fn seconds(&self) -> Option<i64> {
        Some(self.0.load(Relaxed))
            .filter(|skew| *skew != NONE)
            .map(|skew| skew / 1000)
    }
}
