//! The `melonsync` command: arguments, dispatch, error to exit code.
#![forbid(unsafe_code)]

use std::process::ExitCode;

use clap::Parser;
use melonsync::cli::Cli;

fn main() -> ExitCode {
    // A wrong use ends here with exit code 2; help and version with 0.
    let cli = Cli::parse();
    ExitCode::from(melonsync::cli::run(&cli).code())
}
