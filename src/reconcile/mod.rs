//! The pure planner: source, snapshot and target readings in, one plan out.
//!
//! No I/O, no clock, no randomness: the same inputs give the same plan, which is what `melonsync plan` shows
//! and `melonsync sync` carries out.

pub mod answer;
pub mod back;
pub mod drift;
pub mod drift_policy;
pub mod explain;
#[cfg(test)]
mod fixtures;
pub mod forward;
pub mod guard;
pub mod listing;
pub mod look;
pub mod observe;
pub mod operation;
pub mod policy;
pub mod refresh;
pub mod refused;
pub mod round;
pub mod saved;
pub mod schema_check;
pub mod scope;
pub mod shown_members;
pub mod target_schema;
pub mod undo;

pub use shown_members::members_of;
