//! The `melonsync` command.
#![forbid(unsafe_code)]
fn main() {}
