//! `status`: the jobs, their last and next cycles, and what is still to be done.

mod text;

use super::args::Globals;
use super::args::OneJob;
use super::exit::Exit;
use super::report::Report;
use crate::app::error::AppError;
use crate::app::install::Installation;
use crate::app::views::status;
use crate::model::clock::Clock;
use crate::model::clock::SystemClock;

/// Shows one job, or all.
pub fn run(globals: &Globals, args: &OneJob, report: &mut Report) -> Result<Exit, AppError> {
    let installation = Installation::open_offline(&globals.config)?;
    let status = status::status(&installation, args.job.as_deref(), SystemClock.now())?;
    report.show(&status, || {
        status.jobs.iter().map(text::text).collect::<Vec<_>>().join("\n")
    });
    Ok(Exit::Done)
}
