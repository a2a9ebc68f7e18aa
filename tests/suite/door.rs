//! The API over the network, as those meet it who hold a token, and those who do not: the real daemon, with `[admin] listen`.

mod access;
mod attacks;
mod canaries;
mod enrolled;
mod events;
mod hints;
mod metrics;
mod pages;
mod roles;
mod sessions;
mod tables;
pub mod tls;
mod trial;
pub mod world;
