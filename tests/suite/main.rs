//! The test binary: every module of the suite is registered here.
mod architecture;
mod cycles;
mod support;
