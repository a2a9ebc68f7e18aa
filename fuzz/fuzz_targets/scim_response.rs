//! Any bytes as the answer of a SCIM service, read in every way in which the client reads one: no panic, no invented id, no
//! token shown, no missing result taken for an empty listing.
//!
//! Input: two bytes for the status, a line for `Location` (and Retry-After), then the body.
#![no_main]

#[path = "../scim_law.rs"]
mod scim_law;

use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    let [high, low, rest @ ..] = input else { return };
    let status = 100 + u16::from_be_bytes([*high, *low]) % 500;
    let end = rest.iter().position(|byte| *byte == b'\n').unwrap_or(rest.len());
    let location = String::from_utf8_lossy(&rest[..end]);
    let body = rest.get(end + 1..).unwrap_or_default();
    scim_law::check(status, &location, body);
});
