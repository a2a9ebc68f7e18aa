//! `melonsync completions SHELL`.

use clap::CommandFactory;
use clap_complete::generate;

use super::Cli;
use super::args::{Completions, Shell};
use super::exit::Exit;
use super::report::Report;
use crate::app::error::AppError;

pub(super) fn run(args: &Completions, report: &mut Report) -> Result<Exit, AppError> {
    let shell = match args.shell {
        Shell::Bash => clap_complete::Shell::Bash,
        Shell::Zsh => clap_complete::Shell::Zsh,
        Shell::Fish => clap_complete::Shell::Fish,
        Shell::Powershell => clap_complete::Shell::PowerShell,
    };
    let mut script = Vec::new();
    generate(shell, &mut Cli::command(), "melonsync", &mut script);
    report.script(&String::from_utf8_lossy(&script));
    Ok(Exit::Done)
}
