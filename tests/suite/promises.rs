//! The nine promises of the design, each with tests that fail without it. No duplicate, and nothing lost after a
//! crash, are in `crash_points`; that a second cycle is quiet is asked by every test of `cycles`.

mod memory;
mod one_path;
mod others;
mod proof;
mod reasons;
mod secrets;
