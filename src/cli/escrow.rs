//! `escrow`: entries set aside after failures: shown, tried again, or left until something changes.

use clap::Args;
use clap::Subcommand;

use super::args::Globals;
use super::beside;
use super::beside::Question;
use super::exit::Exit;
use super::report::Report;
use crate::app::actor::Actor;
use crate::app::decisions::escrow as decisions;
use crate::app::decisions::escrow::EscrowDecision as Decided;
use crate::app::desk::Desk;
use crate::app::error::AppError;
use crate::app::views::escrow as views;

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

    fn path(&self, globals: &Globals, what: &str) -> Result<String, AppError> {
        let job = beside::job(globals, self.job.as_deref())?;
        Ok(format!("/jobs/{}/escrow{what}", beside::part(&job)))
    }
}

/// Carries out one of them.
pub fn run(globals: &Globals, action: &EscrowAction, report: &mut Report) -> Result<Exit, AppError> {
    let decide = |args: &EscrowDecision, report: &mut Report, decision: Decided| {
        let (which, comment) = (&args.which, &args.comment);
        let here = || {
            let desk = which.desk(globals)?;
            decisions::decide(&desk, decision, which.object.as_deref(), comment.as_ref())
        };
        let there = || {
            let decided = decisions::Decided {
                object: which.object.clone(),
                comment: comment.clone(),
            };
            let word = match decision {
                Decided::Retry => "retry",
                Decided::Drop => "drop",
            };
            Ok(Question::post(
                which.path(globals, &format!("/{word}"))?,
                &decided,
            ))
        };
        beside::answer(globals, report, here, there)
    };
    match action {
        EscrowAction::List(which) => {
            let object = which.object.as_deref();
            let here = || views::escrow(&which.desk(globals)?, object);
            let there = || {
                let query: Vec<_> = object.map(|object| ("object", object)).into_iter().collect();
                Ok(Question::get(which.path(globals, "")?).asking(&query))
            };
            beside::answer(globals, report, here, there)
        }
        EscrowAction::Retry(args) => decide(args, report, Decided::Retry),
        EscrowAction::Drop(args) => decide(args, report, Decided::Drop),
    }
}
