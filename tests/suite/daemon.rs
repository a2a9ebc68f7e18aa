//! The daemon as people and programs meet it: the real binary over a sample tenant, asked through its control socket.

mod beside;
mod checks;
pub mod http;
mod jobs;
mod named;
mod notices;
mod orders;
mod plans;
mod previews;
mod socket;
mod story;
mod supervised;
pub mod world;
