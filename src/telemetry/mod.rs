//! What the program reports while it works: logs on stderr, and the audit stream.

pub mod audit;
pub mod log;
