//! `notify test`: a sample to every receiver of notifications.

use clap::Args;
use clap::Subcommand;

use super::args::Globals;
use super::beside;
use super::beside::Question;
use super::exit::Exit;
use super::process;
use super::report::Report;
use crate::app::error::AppError;
use crate::app::install;
use crate::app::install::Installation;
use crate::app::notices::sample;
use crate::app::notices::sample::SampleRequest;
use crate::app::notices::sample::Tested;
use crate::app::words::Words;

/// `notify`.
#[derive(Debug, Clone, Args)]
pub struct Notify {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Clone, Subcommand)]
enum Command {
    /// Send a sample to every [[notify]] of the settings; exits 1 where a receiver failed.
    Test,
}

/// Sends the samples.
pub fn run(globals: &Globals, args: &Notify, report: &mut Report) -> Result<Exit, AppError> {
    let Command::Test = args.command;
    // Beside a daemon it is the daemon that sends: its network, its secrets.
    let here = || -> Result<Tested, AppError> {
        Installation::open_offline(&globals.config)?;
        let settings = install::settings(&globals.config, false)?;
        process::runtime()?.block_on(sample::test(&settings))
    };
    let there = |daemon: &beside::Daemon| -> Result<Tested, AppError> {
        daemon.asked(Question::post("/notify/test".to_owned(), &SampleRequest {}))
    };
    let tested = beside::ask(globals, here, there)?;
    report.show(&tested, || tested.words());
    Ok(if tested.is_good() {
        Exit::Done
    } else {
        Exit::Failed
    })
}
