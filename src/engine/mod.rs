//! One provisioning cycle, and when to run it.
//!
//! The only place that drives source, snapshot, planner and target together, through their ports. A cycle is
//! `observe → plan → guard → apply → record`; see [`forward`] for its story.

pub mod apply;
mod audit;
pub mod back;
mod batch;
mod begin;
mod beside;
mod carry;
pub mod context;
mod cut_short;
pub mod drift;
mod ending;
pub mod error;
pub mod escrow;
pub mod explain;
mod failures;
pub mod forecast;
pub mod forward;
pub mod intake;
pub mod job;
pub mod judge;
mod leaving;
pub mod linking;
mod notes;
pub mod observing;
pub mod open;
mod overtake;
mod parallel;
mod passes;
mod phases;
mod plan;
mod quarantine;
mod quiet;
pub mod reached;
pub mod readings;
pub mod record;
mod rules;
mod run;
pub mod runtime;
pub mod schedule;
mod set_aside;
mod standing;
pub mod summary;
mod tables;
mod trouble;
mod unanswered;
pub mod undo;
pub mod views;
pub mod warnings;
mod work;
