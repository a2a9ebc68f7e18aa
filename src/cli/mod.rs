//! The `melonsync` command: one file a verb, all of them listed in [`Command`].

pub mod args;
mod beside;
mod cancel;
mod check;
mod completions;
mod confirm;
mod daemon;
mod demo;
mod drift;
mod entra_job;
mod escrow;
mod examples;
pub mod exit;
mod explain;
mod harden;
mod history;
mod hold;
pub mod init;
mod layout;
mod link;
mod list;
mod man;
mod mapping;
mod notify;
mod orders;
mod pager;
mod patience;
mod pause;
mod plan;
mod process;
mod quarantine;
pub mod report;
mod resync;
mod sandbox;
mod state;
mod status;
mod supervisor;
mod sync;
mod tour;
mod undo;
mod usage;
mod watch;
mod when;
mod withheld;

#[cfg(test)]
mod tests;

use std::io;
use std::io::IsTerminal;

use clap::Parser;
use clap::Subcommand;

use crate::app::error::AppError;
use crate::app::install::collector;
use crate::app::service::OpenDoors;
use crate::engine::error::chain;
use crate::telemetry::log;
use crate::telemetry::traces::TraceError;
use crate::telemetry::traces::Traces;

pub use examples::parse;
pub use harden::harden;
pub use usage::usage;

use args::Globals;
use exit::Exit;
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
    /// Sync a sample Entra tenant into a sample IDmelon workspace, both in this process; needs nothing.
    Demo(demo::Demo),
    /// Serve only the two sample servers of `demo`, and print a ready config for them.
    Sandbox(sandbox::Sandbox),
    /// Write a commented config/melonsync.toml; asks on a terminal, takes flags elsewhere.
    Init(init::Init),
    /// Test the connection: config, secrets, token, permissions, target, state folder.
    Check(args::OneJob),
    /// Show what a cycle would do, and why, writing nothing to the target.
    Plan(plan::Plan),
    /// Show one user or group, step by step: source, scope, match, attributes, what it leads to.
    Explain(explain::Explain),
    /// Show where the target is not as it was left; read it again, or put it right.
    Drift(drift::Drift),
    /// Run one cycle now.
    Sync(sync::Sync),
    /// Run every enabled job on its schedule.
    Run(args::Run),
    /// Look at certain objects again, or at all, now.
    Resync(resync::Resync),
    /// Show, release or reject what the guard holds back.
    Withheld(withheld::Withheld),
    /// Plan and show changes to an object, and do not send them.
    Hold(hold::Hold),
    /// Switch writes off; reading and planning go on.
    Pause(pause::Pause),
    /// Switch writes on again.
    Resume(pause::Resume),
    /// Pair an object with a resource by hand; reads the resource, and writes nothing to the target.
    Link(link::Link),
    /// Forget an object's resource; sends nothing.
    Unlink(link::Unlink),
    /// Show the jobs, their last and next cycles, and what waits.
    Status(status::Status),
    /// List users or groups with how they stand.
    List(list::List),
    /// End an order of the daemon, or its running cycle, after the requests in flight.
    Cancel(cancel::Cancel),
    /// Let a job, or a kind of operation, that stopped go on.
    Quarantine(quarantine::Quarantine),
    /// Show entries set aside after failures, try them again, or leave them until they change.
    Escrow(escrow::Escrow),
    /// Show Azure's own provisioning job for the same application, pause it and start it.
    EntraJob(entra_job::EntraJob),
    /// Show the mapping in force, try an expression, carry over Entra's own schema.
    Mapping(mapping::Mapping),
    /// Take back what a cycle did, as far as it still stands; shown first.
    Undo(undo::Undo),
    /// Show the audit log: who, what, when, before, after, why, result; export it, and check an export.
    History(history::History),
    /// Check, export, import, back up, restore or compact the snapshot; forget somebody in it.
    State(state::State),
    /// Send a sample to every receiver of notifications.
    Notify(notify::Notify),
    /// Print the completion script of a shell.
    Completions(completions::Completions),
    /// Write a man page for each verb into a folder.
    #[command(hide = true)]
    Man(man::Man),
}

/// Logs, dispatch, error to exit code. `open_doors`: how the daemon lets people and programs in.
#[must_use]
pub fn run(cli: &Cli, open_doors: OpenDoors) -> Exit {
    let globals = &cli.globals;
    let long_running = matches!(cli.command, Command::Run(_));
    // What is left of the traces is sent when this ends.
    let traces = cli.command.runs_cycles().then(|| traces(globals)).flatten();
    log::start(
        globals.level(long_running),
        globals.log_format.into(),
        globals.color(io::stderr().is_terminal()),
        traces.as_ref().and_then(|traces| traces.as_ref().ok()),
    );
    if let Some(Err(error)) = &traces {
        tracing::warn!("No traces are sent: {}", chain(error));
    }
    let mut report = Report::new(globals);
    dispatch(cli, open_doors, &mut report).unwrap_or_else(|failure| {
        report.failure(&failure);
        failure.kind.into()
    })
}

/// Begins to send traces where the settings name a collector. What is wrong with the settings is for the command to say.
fn traces(globals: &Globals) -> Option<Result<Traces, TraceError>> {
    let endpoint = collector(&globals.config)?;
    Some(Traces::start(&endpoint))
}

impl Command {
    /// True for those that run cycles in this process, or may.
    const fn runs_cycles(&self) -> bool {
        matches!(
            self,
            Self::Run(_) | Self::Plan(_) | Self::Sync(_) | Self::Resync(_) | Self::Drift(_) | Self::Undo(_)
        )
    }
}

fn dispatch(cli: &Cli, open_doors: OpenDoors, report: &mut Report) -> Result<Exit, AppError> {
    match &cli.command {
        Command::Demo(args) => demo::run(args, open_doors, report),
        Command::Sandbox(args) => sandbox::run(args, report),
        Command::Init(args) => init::run(&cli.globals, args, report),
        Command::Check(args) => check::run(&cli.globals, args, report),
        Command::Plan(args) => plan::run(&cli.globals, args, report),
        Command::Explain(args) => explain::run(&cli.globals, args, report),
        Command::Drift(args) => drift::run(&cli.globals, args, report),
        Command::Sync(args) => sync::run(&cli.globals, args, report),
        Command::Run(args) => daemon::run(&cli.globals, args, open_doors, report),
        Command::Resync(args) => resync::run(&cli.globals, args, report),
        Command::Withheld(args) => withheld::run(&cli.globals, &args.action, report),
        Command::Hold(args) => hold::run(&cli.globals, args, report),
        Command::Pause(args) => pause::pause(&cli.globals, args, report),
        Command::Resume(args) => pause::resume(&cli.globals, args, report),
        Command::Link(args) => link::link(&cli.globals, args, report),
        Command::Unlink(args) => link::unlink(&cli.globals, args, report),
        Command::Status(args) => status::run(&cli.globals, args, report),
        Command::List(args) => list::run(&cli.globals, args, report),
        Command::Cancel(args) => cancel::run(&cli.globals, args, report),
        Command::Notify(args) => notify::run(&cli.globals, args, report),
        Command::Quarantine(args) => quarantine::run(&cli.globals, &args.action, report),
        Command::Escrow(args) => escrow::run(&cli.globals, &args.action, report),
        Command::EntraJob(args) => entra_job::run(&cli.globals, &args.action, report),
        Command::Mapping(args) => mapping::run(&cli.globals, &args.action, report),
        Command::History(args) => history::run(&cli.globals, args, report),
        Command::Undo(args) => undo::run(&cli.globals, args, report),
        Command::State(args) => state::run(&cli.globals, &args.action, report),
        Command::Completions(args) => completions::run(args, report),
        Command::Man(args) => man::run(args, report),
    }
}
