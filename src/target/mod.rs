//! The target: any SCIM 2.0 service, written to by the smallest requests that do the work.

pub mod dialect;
pub mod patch;
pub mod path;
pub mod replace;
