//! What the tests of whole cycles share.

pub mod announced;
pub mod collector;
pub mod limit;
pub mod manual_clock;
pub mod program;
pub mod receiver;
pub mod truth;
pub mod world;

#[cfg(test)]
mod tests;
