//! `escrow`: entries set aside after failures: shown, tried again, or left until something changes.

use clap::Args;
use clap::Subcommand;

use super::args::Globals;
use super::exit::Exit;
use super::report::Report;
use crate::app::actor::Actor;
use crate::app::decisions::escrow as decisions;
use crate::app::decisions::escrow::EscrowDecision as Decided;
use crate::app::desk::Desk;
use crate::app::error::AppError;
use crate::app::views::escrow as views;
use crate::app::views::escrow::EscrowEntry;
use crate::model::shown::shown;

/// `escrow`.
#[derive(Debug, Clone, Args)]
pub struct Escrow {
    /// What to do with the entries.
    #[command(subcommand)]
    pub action: EscrowAction,
}

/// What to do with entries in escrow.
#[derive(Debug, Clone, Subcommand)]
pub enum EscrowAction {
    /// Show them, with the reason and the next try.
    List(EscrowObject),
    /// Let the next cycle try them, whatever their gap.
    Retry(EscrowDecision),
    /// Leave them alone until they change at the source, or the config does.
    Drop(EscrowDecision),
}

/// A decision on entries in escrow.
#[derive(Debug, Clone, Args)]
pub struct EscrowDecision {
    /// Which.
    #[command(flatten)]
    pub which: EscrowObject,
    /// Why; kept in the history.
    #[arg(long, value_name = "TEXT")]
    pub comment: Option<String>,
}

/// Which entries.
#[derive(Debug, Clone, Args)]
pub struct EscrowObject {
    /// One entry, by object id, UPN, mail or display name; all where absent.
    pub object: Option<String>,
    /// The job; may be left out where there is one.
    #[arg(long, value_name = "JOB")]
    pub job: Option<String>,
}

impl EscrowObject {
    fn desk(&self, globals: &Globals) -> Result<Desk, AppError> {
        Desk::open_job(&globals.config, self.job.as_deref(), Actor::local_user())
    }
}

/// Carries out one of them. Each needs the state folder for itself.
pub fn run(globals: &Globals, action: &EscrowAction, report: &mut Report) -> Result<Exit, AppError> {
    let decided = |args: &EscrowDecision, decision| {
        let (desk, object) = (args.which.desk(globals)?, args.which.object.as_deref());
        decisions::decide(&desk, decision, object, args.comment.as_ref())
    };
    let done = match action {
        EscrowAction::List(args) => views::escrow(&args.desk(globals)?, args.object.as_deref())?,
        EscrowAction::Retry(args) => decided(args, Decided::Retry)?,
        EscrowAction::Drop(args) => decided(args, Decided::Drop)?,
    };
    report.show(&done, || match action {
        EscrowAction::List(_) if done.entries.is_empty() => "nothing is in escrow".to_owned(),
        EscrowAction::List(_) => done.entries.iter().map(text).collect::<Vec<_>>().join("\n"),
        EscrowAction::Retry(_) => format!(
            "{} entries: the next cycle tries them: `melonsync sync` starts one",
            done.objects
        ),
        EscrowAction::Drop(_) => format!(
            "{} entries: they wait until they change at the source, or the config does",
            done.objects
        ),
    });
    Ok(Exit::Done)
}

fn text(entry: &EscrowEntry) -> String {
    let next_try = match (entry.due, entry.next_try) {
        (true, _) => "in the next cycle".to_owned(),
        (false, Some(at)) => at.to_string(),
        (false, None) => "dropped; when it changes".to_owned(),
    };
    format!(
        "{} {}  {}\n  {} failed {} times since {}; next try: {next_try}\n  {}\n  do: {}",
        entry.kind,
        entry.object,
        shown(entry.name.as_deref().unwrap_or_default()),
        entry.operation,
        entry.failures,
        entry.since,
        shown(&entry.error),
        shown(&entry.hint),
    )
}
