//! The `melonsync` command: one file a verb, all of them listed in [`Command`].

pub mod args;
mod completions;
pub mod failure;
pub mod init;
pub mod report;

#[cfg(test)]
mod tests;

use clap::Parser;
use clap::Subcommand;

use crate::telemetry::log;

use args::Globals;
use failure::{Exit, Failure};
use report::Report;

/// Keeps an IDmelon workspace, or any SCIM 2.0 service, equal to a Microsoft Entra ID directory.
#[derive(Debug, Parser)]
#[command(
    name = "melonsync",
    version,
    about,
    propagate_version = false,
    max_term_width = 100
)]
pub struct Cli {
    /// What holds for every verb.
    #[command(flatten)]
    pub globals: Globals,
    /// The verb.
    #[command(subcommand)]
    pub command: Command,
}

/// Every verb.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Print the completion script of a shell.
    Completions(args::Completions),
    /// Write a commented config/melonsync.toml; asks on a terminal, takes flags elsewhere.
    Init(args::Init),
}

/// Logs, dispatch, error to exit code.
#[must_use]
pub fn run(cli: &Cli) -> Exit {
    let globals = &cli.globals;
    log::start(globals.level(), globals.log_format.into(), globals.color());
    let mut report = Report::new(globals);
    dispatch(cli, &mut report).unwrap_or_else(|failure| {
        report.failure(&failure);
        failure.exit
    })
}

fn dispatch(cli: &Cli, report: &mut Report) -> Result<Exit, Failure> {
    match &cli.command {
        Command::Completions(args) => completions::run(args, report),
        Command::Init(args) => init::run(&cli.globals, args, report),
    }
}
