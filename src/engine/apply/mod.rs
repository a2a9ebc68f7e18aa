//! Apply: carries out the operations of a batch. No decision is left to make here.
//!
//! Works come in, and go out with their answers (`send::Answers`). Concurrent across objects, one request at a time for one
//! object. Operations name source ids; the target ids are put in here, from the snapshot. Before the creates of a batch are
//! sent, their intents are durable.

pub(super) mod answered;
pub(super) mod completing;
pub(super) mod coupled;
pub(super) mod create;
pub(super) mod earlier_members;
pub mod intents;
pub mod open_writes;
pub(super) mod prepare;
pub(super) mod refused;
pub(super) mod refused_members;
pub(super) mod send;
