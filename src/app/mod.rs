//! What can be asked of an installed melonsync, without a surface: the CLI of today and the API of tomorrow call the same
//! functions, and get the same structs and the one error.
//!
//! A call takes an opened job (a [`desk::Desk`], which says who asks), and typed inputs. It prints nothing, and ends no process:
//! it returns a view or an [`error::AppError`]. Views stand in [`views`], what people decide in [`decisions`].

pub mod access;
pub mod actor;
pub mod archive;
pub mod check;
pub mod config_changes;
pub mod credentials;
pub mod cycles;
pub mod decisions;
pub mod demo;
pub mod desk;
pub mod entra_job;
pub mod error;
pub mod install;
pub mod lookup;
pub mod mapping;
pub mod metrics;
pub mod notices;
pub mod people;
pub mod plans;
pub mod preview;
pub mod proof;
pub mod rules;
pub mod service;
pub mod site;
pub mod state;
pub mod tenant;
pub mod text;
pub mod views;
pub mod words;
