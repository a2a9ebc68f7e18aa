//! HTTP for both sides: one client, one retry rule, one reading of Retry-After, one set of counters.
//!
//! Guarantees: certificates are always verified, redirects are never followed, every request has a time limit, no
//! answer is read beyond its size limit. Nothing here decides whether a request may be sent again: the caller
//! classifies each attempt ([`backoff::Attempt`]).

pub mod backoff;
pub mod body;
pub mod http_client;
pub mod off_thread;
pub mod retry_after;
mod spans;
pub mod traffic;
pub mod unreached;

pub use backoff::{Attempt, RetryPolicy, retry};
pub use body::Size;
pub use http_client::{Answer, HttpClient, NetworkOptions, TransportError};
pub use off_thread::off_thread;
pub use traffic::TrafficCounter;
