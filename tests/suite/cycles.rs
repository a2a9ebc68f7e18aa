//! Whole cycles against the sample tenant and the sample workspace. Each runs twice: the second is quiet.

mod adoption;
mod answers;
mod assigned;
mod drift;
mod endless;
mod escrow;
mod evaluation;
mod explained;
mod facts;
mod guard;
mod incremental;
mod initial;
mod kept_back;
mod listings;
mod looking;
mod members_shown;
mod on_demand;
mod open_writes;
mod overtaking;
mod quarantine;
mod questions;
mod reasons;
mod refused_attributes;
mod refused_members;
mod roles;
mod scope;
mod service_documents;
mod targets;
mod undo;
mod values;

pub use incremental::CHANGES;
pub use incremental::synced;
