//! The test binary: every module of the suite is registered here.
// A test is a story or a table of cases, as long as there are cases.
#![allow(clippy::too_many_lines)]

mod architecture;
mod cli_output;
mod crash_points;
mod cycles;
mod daemon;
mod delta_pages;
mod door;
mod graph_wire;
mod hints;
mod hostile_target;
mod planner_laws;
mod promises;
mod scenarios;
mod simulation;
mod stories;
mod support;
mod tls;
mod tries;
mod wiring;
