//! What the program reports while it works: logs on stderr, the audit stream, and traces.

pub mod audit;
pub mod log;
pub mod traces;
