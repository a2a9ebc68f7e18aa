//! The target: any SCIM 2.0 service, written to by the smallest requests that do the work.
//!
//! [`client::ScimTarget`] is the entry point. Guarantees: a create is sent once (again only where the target surely did
//! nothing); no unexpected answer is taken for absence or for success; the token is never shown. Nothing is stored
//! here: the engine keeps what must survive a crash, and everything but a create may be sent again. The rules come from
//! RFC 7643, RFC 7644 and RFC 9865, and from what servers in the field do instead.

pub mod announced;
pub mod capabilities;
pub mod change;
pub mod client;
pub mod create;
pub mod dialect;
mod directory;
pub mod experience;
pub mod fault;
pub mod find;
pub mod glance;
mod keeping;
pub mod learning;
pub mod list;
pub mod media;
pub mod members;
mod membership;
mod miss;
mod other_forms;
pub mod pace;
pub mod patch;
pub mod path;
mod progress;
pub mod refused;
pub mod replace;
mod request;
pub mod resource;
mod shown;
mod spelling;
pub mod splitting;
pub mod taken_members;
pub mod urls;
pub mod usage;
mod watched_members;

pub use client::{ScimOptions, ScimTarget, SetupError};
pub use dialect::Dialect;
pub use dialect::PinnedDialect;
pub use learning::Learned;
