//! `status`: the jobs, their last and next cycles, and what is still to be done.

use clap::Args;

use super::args::Globals;
use super::beside;
use super::beside::Question;
use super::exit::Exit;
use super::orders;
use super::report::Report;
use crate::app::error::AppError;
use crate::app::install::Installation;
use crate::app::views::status;
use crate::model::clock::Clock;
use crate::model::clock::SystemClock;

/// `status`.
#[derive(Debug, Clone, Args)]
pub struct Status {
    /// The job; all where absent.
    pub job: Option<String>,
    /// Follow this order or cycle of the daemon to its end, as if it had been given here.
    #[arg(long, value_name = "CYCLE")]
    pub follow: Option<uuid::Uuid>,
}

/// Shows one job, or all.
pub fn run(globals: &Globals, args: &Status, report: &mut Report) -> Result<Exit, AppError> {
    if let Some(cycle) = args.follow {
        let here = || {
            Installation::open_offline(&globals.config)?;
            Err(not_running())
        };
        let followed = beside::ask(globals, here, |daemon| daemon.attach(&cycle.to_string(), report))?;
        return orders::ended(followed, report);
    }
    let here = || {
        let installation = Installation::open_offline(&globals.config)?;
        status::status(&installation, args.job.as_deref(), SystemClock.now())
    };
    let there = || {
        let job: Vec<_> = args.job.iter().map(|job| ("job", job.as_str())).collect();
        Ok(Question::get("/jobs").asking(&job))
    };
    beside::answer(globals, report, here, there)
}

/// Orders are a daemon's.
pub(super) fn not_running() -> AppError {
    AppError::usage(
        "no daemon runs here, and so there are no orders",
        "`melonsync history` shows what was done; `melonsync run` starts the daemon",
    )
}
