//! The pure planner: source, snapshot and target readings in, one [`plan::Plan`] out.
//!
//! No I/O, no clock, no randomness: the same inputs give the same plan, which is what `melonsync plan` shows
//! and `melonsync sync` carries out.

pub mod operation;
pub mod policy;
