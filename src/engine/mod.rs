//! One provisioning cycle, and when to run it.
//!
//! The only place that drives source, snapshot, planner and target together, through their ports. A cycle is
//! `observe → plan → guard → apply → record`; see [`cycle`] for its story.

mod admission;
mod answered;
pub mod apply;
pub mod ask;
pub mod assigned;
mod audit;
mod claims;
mod completing;
mod coupled;
mod cut_short;
pub mod cycle;
pub mod dialect;
mod drift;
pub mod escrow;
pub mod evaluation;
pub mod explain;
pub mod forecast;
pub mod foreign;
pub mod guarding;
pub mod heal;
pub mod intents;
pub mod job;
mod kept_back;
mod leaving;
pub mod linking;
mod listing;
mod met;
pub mod observe;
pub mod open_writes;
mod overtake;
mod parallel;
pub mod passes;
mod quarantine;
mod questions;
pub mod readings;
pub mod record;
mod recording;
pub mod refresh;
pub mod refused;
mod refused_members;
mod rehires;
pub mod runtime;
pub mod schedule;
mod scope;
pub mod standing;
pub mod summary;
mod trouble;
pub mod undo;
mod values;
pub mod views;
