//! Drift: what the target holds beside what was left there, and who else may have written it.

pub mod another_writer;
pub(super) mod compare;
pub(super) mod keep;
pub(super) mod missing;
pub(super) mod unmanaged;
