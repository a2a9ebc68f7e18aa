//! What the program says while it works: logs on stderr.

pub mod log;
