//! Plan: what a pass does with a batch, and whose turn it is.

pub(super) mod batch;
pub(super) mod unique_names;
