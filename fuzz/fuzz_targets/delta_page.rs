//! Any bytes as a page of Graph's delta query: no panic, no invented object, and never "complete and empty" out of
//! something else.
//!
//! Input: a byte for the kind (even: users), then the page.
#![no_main]

#[path = "../delta_law.rs"]
mod delta_law;

use libfuzzer_sys::fuzz_target;
use melonsync::model::id::ObjectKind;

fuzz_target!(|input: &[u8]| {
    let [first, page @ ..] = input else { return };
    let kind = if first % 2 == 0 { ObjectKind::User } else { ObjectKind::Group };
    delta_law::check(kind, page);
});
