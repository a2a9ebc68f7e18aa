//! What can be asked of an installed melonsync, without a surface: the CLI of today and the API of tomorrow call the same
//! functions, and get the same structs and the one error.

pub mod actor;
pub mod desk;
pub mod error;
pub mod install;
pub mod service;
pub mod site;
