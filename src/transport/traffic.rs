//! Counts the requests of one side, for the cycle's summary and the metrics.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use reqwest::Method;

use crate::ports::MethodTraffic;
use crate::ports::Traffic;

/// Requests of one side since the process began. They are only counted and decide nothing, so relaxed order is enough.
#[derive(Debug, Default)]
pub struct TrafficCounter {
    requests: AtomicU64,
    throttled: AtomicU64,
    retries: AtomicU64,
    methods: Mutex<BTreeMap<&'static str, MethodTraffic>>,
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

    /// Counts what became of a request: the status of its answer, or `None` where no whole one came, and how long that took.
    pub fn answered(&self, method: &Method, status: Option<u16>, took: Duration) {
        let mut methods = self.methods.lock().unwrap_or_else(PoisonError::into_inner);
        let sent = methods.entry(word(method)).or_default();
        *sent.answers.entry(status).or_default() += 1;
        sent.times.add(took.as_secs_f64());
    }

    /// Returns the requests so far, by their method.
    #[must_use]
    pub fn requests(&self) -> BTreeMap<&'static str, MethodTraffic> {
        self.methods
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
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

/// Returns the name of a method. We send no others than these.
const fn word(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::PATCH => "PATCH",
        Method::DELETE => "DELETE",
        _ => "other",
    }
}
