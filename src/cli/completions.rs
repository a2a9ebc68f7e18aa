//! `melonsync completions SHELL`.

use clap::Args;
use clap::ValueEnum;
use clap_complete::generate;

use super::exit::Exit;
use super::report::Report;
use crate::app::error::AppError;

/// `completions`.
#[derive(Debug, Clone, Args)]
pub struct Completions {
    /// bash, zsh, fish or powershell.
    #[arg(value_enum, hide_possible_values = true)]
    pub shell: Shell,
}

/// The shells that completions exist for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Shell {
    /// bash.
    Bash,
    /// zsh.
    Zsh,
    /// fish.
    Fish,
    /// PowerShell.
    Powershell,
}

pub(super) fn run(args: &Completions, report: &mut Report) -> Result<Exit, AppError> {
    let shell = match args.shell {
        Shell::Bash => clap_complete::Shell::Bash,
        Shell::Zsh => clap_complete::Shell::Zsh,
        Shell::Fish => clap_complete::Shell::Fish,
        Shell::Powershell => clap_complete::Shell::PowerShell,
    };
    let mut script = Vec::new();
    generate(shell, &mut super::examples::command(), "melonsync", &mut script);
    report.script(&String::from_utf8_lossy(&script));
    Ok(Exit::Done)
}
