//! Whole cycles against the sample tenant and the sample workspace. Each runs twice: the second is quiet.

mod assigned;
mod escrow;
mod evaluation;
mod facts;
mod guard;
mod incremental;
mod initial;
mod on_demand;
mod roles;
mod scope;
mod targets;

pub use incremental::CHANGES;
pub use incremental::synced;
