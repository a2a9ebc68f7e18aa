//! The test binary: every module of the suite is registered here.
// A test is a story or a table of cases, as long as there are cases.
#![allow(clippy::too_many_lines)]

use mimalloc::MiMalloc;

/// As in the program: what a test measures of its memory is then the program's, and the tests take less time.
#[global_allocator]
static GLOBAL: MiMalloc = MiMalloc;

mod architecture;
mod carried_back;
mod cli_output;
mod crash_points;
mod cycles;
mod daemon;
mod delta_pages;
mod door;
mod enrolled;
mod graph_wire;
mod hints;
mod hostile_target;
mod planner_laws;
mod promises;
mod questions;
mod scenarios;
mod simulation;
mod stories;
mod support;
mod tls;
mod tries;
mod way_back;
mod wiring;
