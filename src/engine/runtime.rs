//! The runtime that cycles run on.
//!
//! One thread talks to the network: its tasks wait for each other at every request, and a second thread would
//! only wake the first. One thread serves the store, whose calls block: more of them would not work at the
//! same time (the store has one writer), but each would keep its own heap of the batches that it touched;
//! measured, that alone was 150 MB at 100,000 users (docs/performance.md).

use std::io;

use tokio::runtime::Builder;
use tokio::runtime::Runtime;

/// A runtime for cycles.
///
/// # Errors
/// When the system refuses a thread.
pub fn new() -> io::Result<Runtime> {
    Builder::new_current_thread()
        .enable_all()
        .max_blocking_threads(1)
        .build()
}
