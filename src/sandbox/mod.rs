//! A sample Entra tenant and a sample IDmelon workspace, as real HTTP servers on loopback.
//!
//! They serve `melonsync demo`, `melonsync sandbox`, the tests and the benchmark. They import nothing of the crate, so
//! that they cannot share the client's mistakes: they are written from the documents of Microsoft Graph and RFC 7644.
//! By default both are strict and well-behaved; oddities and faults are switched on one by one. Everything is in
//! memory, and nothing is printed.

mod clock;
pub mod config;
mod control;
pub mod faults;
#[cfg(test)]
#[path = "../../tests/suite/support/limit.rs"]
pub mod limit;
pub mod oddities;
pub mod sample;
pub mod server;
pub mod tenant;
#[cfg(test)]
mod tests;
pub mod workspace;

pub use config::KEY_HOLDERS;
pub use config::sample_config;
pub use config::way_back_config;
pub use faults::Fault;
pub use faults::FaultsError;
pub use faults::FormerManager;
pub use faults::GraphFaults;
pub use faults::ResetForm;
pub use faults::ScimFaults;
pub use faults::load_faults;
pub use oddities::Oddities;
pub use sample::SampleOptions;
pub use server::RequestRecord;
pub use server::Server;
pub use tenant::AzureMistakes;
pub use tenant::Tenant;
pub use tenant::TenantOptions;
pub use workspace::DEFAULT_API_KEY;
pub use workspace::Numbers;
pub use workspace::Workspace;
pub use workspace::WorkspaceOptions;
