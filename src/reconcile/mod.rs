//! The pure planner: source, snapshot and target readings in, one plan out.
//!
//! No I/O, no clock, no randomness: the same inputs give the same plan, which is what `melonsync plan` shows
//! and `melonsync sync` carries out.

pub mod answer;
mod arrivals;
pub mod asking;
pub mod assignment;
mod changes;
pub mod coupled;
mod departures;
pub mod drift;
pub mod drift_policy;
pub mod explain;
#[cfg(test)]
mod fixtures;
pub mod guard;
pub mod listing;
pub mod look;
pub mod matching;
pub mod membership_diff;
pub mod omission;
pub mod operation;
mod out_of_scope;
pub mod plan;
pub mod policy;
pub mod quarantine;
pub mod reason;
pub mod refresh;
pub mod refused;
pub mod review;
pub mod round;
pub mod saved;
pub mod schema_check;
pub mod scope;
pub mod shown_members;
pub mod target_schema;
pub mod three_way;
pub mod trouble;
pub mod undo;
pub mod undo_hold;
pub mod unique_values;
pub mod view;
mod why;

pub use shown_members::members_of;
