//! The only place of the sandbox that reads the wall clock: access tokens expire and resources carry dates, as real
//! ones do.
#![allow(
    clippy::disallowed_methods,
    reason = "a server has a clock of its own; nothing that plans reads this one"
)]

use std::time::Instant;

use chrono::DateTime;
use chrono::Utc;

/// Returns monotonic time, for expiry and token buckets.
pub(super) fn instant() -> Instant {
    Instant::now()
}

/// Returns calendar time, for `meta.lastModified`, `exp` and the like.
pub(super) fn utc() -> DateTime<Utc> {
    Utc::now()
}

/// Returns the RFC 9110 date (`Date`, `Retry-After`) `seconds` from now.
pub(super) fn http_date(seconds: i64) -> String {
    (utc() + chrono::Duration::seconds(seconds))
        .format("%a, %d %b %Y %H:%M:%S GMT")
        .to_string()
}

/// Returns the time in RFC 3339, in UTC with seconds, as both Graph and SCIM write it.
pub(super) fn timestamp() -> String {
    utc().format("%Y-%m-%dT%H:%M:%SZ").to_string()
}
