//! `quarantine release`: a job, or a kind of operation, that stopped goes on with the next cycle.

use clap::Args;
use clap::Subcommand;

use super::args::Globals;
use super::exit::Exit;
use super::report::Report;
use crate::app::actor::Actor;
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
    let desk = Desk::open_job(&globals.config, job.as_deref(), Actor::local_user())?;
    let released = quarantine::release(&desk, comment.clone())?;
    report.show(&released, || match &released.what {
        None => format!("Job `{}` was not quarantined.", released.job),
        Some(what) => format!(
            "Job `{}`: released, {what}. The next cycle sends it; where it fails again, it stops again.",
            released.job
        ),
    });
    Ok(Exit::Done)
}
