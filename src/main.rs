//! The `melonsync` command: arguments, dispatch, error to exit code.
#![forbid(unsafe_code)]

use std::process::ExitCode;

use clap::Parser;
use melonsync::cli::Cli;
use mimalloc::MiMalloc;

// Measured: the system allocator takes a third of a cycle's CPU time (docs/performance.md).
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

fn main() -> ExitCode {
    melonsync::cli::harden();
    // A wrong use ends here with exit code 2; help and version with 0.
    let cli = Cli::parse();
    ExitCode::from(melonsync::cli::run(&cli).code())
}
