//! The API over the network, as those meet it who hold a token, and those who do not: the real daemon, with `[admin] listen`.

mod access;
mod attacks;
mod hints;
pub mod tls;
pub mod world;
