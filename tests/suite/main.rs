//! The test binary: every module of the suite is registered here.
mod architecture;
mod crash_points;
mod cycles;
mod promises;
mod planner_laws;
mod support;
