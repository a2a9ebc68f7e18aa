//! `quarantine release`: a job, or a kind of operation, that stopped goes on with the next cycle.

use clap::Args;
use clap::Subcommand;

use super::args::Globals;
use super::beside;
use super::beside::Question;
use super::exit::Exit;
use super::report::Report;
use crate::app::actor::Actor;
use crate::app::decisions::Comment;
use crate::app::decisions::quarantine;
use crate::app::desk::Desk;
use crate::app::error::AppError;

/// `quarantine`.
#[derive(Debug, Clone, Args)]
pub struct Quarantine {
    /// What to do.
    #[command(subcommand)]
    pub action: QuarantineAction,
}

/// What to do with what is stopped.
#[derive(Debug, Clone, Subcommand)]
pub enum QuarantineAction {
    /// Let it go on with the next cycle, without a probe first.
    Release {
        /// The job; may be left out where there is one.
        job: Option<String>,
        /// Why; kept in the history.
        #[arg(long, value_name = "TEXT")]
        comment: Option<String>,
    },
}

/// Lets it go on, without a probe first.
pub fn run(globals: &Globals, action: &QuarantineAction, report: &mut Report) -> Result<Exit, AppError> {
    let QuarantineAction::Release { job, comment } = action;
    let here = || {
        let desk = Desk::open_job(&globals.config, job.as_deref(), Actor::local_user())?;
        quarantine::release(&desk, comment.clone())
    };
    let there = || {
        let job = beside::job(globals, job.as_deref())?;
        let path = format!("/jobs/{}/quarantine/release", beside::part(&job));
        Ok(Question::post(path, &Comment::of(comment.as_ref())))
    };
    beside::answer(globals, report, here, there)
}
