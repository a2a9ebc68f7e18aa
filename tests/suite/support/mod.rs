//! What the tests of whole cycles share.

pub mod manual_clock;
pub mod truth;
pub mod world;
