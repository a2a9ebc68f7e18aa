//! Hints are tried, many of them by table: the trouble, the hint that is shown, what it says done, and the trouble gone.
//! `hints.rs` has the list of all hints; it names the tests of this folder.

mod beside;
mod checks;
mod commands;
mod credentials;
mod daemon;
mod files;
mod front;
mod mapping;
mod objects;
mod omissions;
mod refusals;
mod settings;
mod source;
mod store;
mod system;
mod target;
mod tls;
mod token;
