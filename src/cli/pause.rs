//! `pause` and `resume`: writes off and on. Reading and planning go on.

use std::time::Duration;

use clap::Args;

use super::args::Globals;
use super::args::span;
use super::exit::Exit;
use super::report::Report;
use crate::app::actor::Actor;
use crate::app::decisions::pause;
use crate::app::decisions::pause::Pausing;
use crate::app::desk::Desk;
use crate::app::error::AppError;

/// `pause`.
#[derive(Debug, Clone, Args)]
pub struct Pause {
    /// The job; may be left out where there is one.
    pub job: Option<String>,
    /// Only removals wait; the rest is sent.
    #[arg(long)]
    pub removals_only: bool,
    /// It ends by itself after this: 30m, 4h, 2d.
    #[arg(long = "for", value_name = "DURATION", value_parser = span)]
    pub lasts: Option<Duration>,
    /// Why, for whoever meets the pause, and for the history.
    #[arg(long, value_name = "TEXT")]
    pub comment: Option<String>,
}

/// `resume`.
#[derive(Debug, Clone, Args)]
pub struct Resume {
    /// The job; may be left out where there is one.
    pub job: Option<String>,
    /// Why, for the history.
    #[arg(long, value_name = "TEXT")]
    pub comment: Option<String>,
}

/// Switches writes off.
pub fn pause(globals: &Globals, args: &Pause, report: &mut Report) -> Result<Exit, AppError> {
    let desk = Desk::open_job(&globals.config, args.job.as_deref(), Actor::local_user())?;
    let wanted = Pausing {
        removals_only: args.removals_only,
        lasts: args.lasts,
        comment: args.comment.clone(),
    };
    let paused = pause::pause(&desk, &wanted)?;
    report.show(&paused, || {
        format!(
            "Job `{}`: {}. Reading and planning go on; `melonsync resume` ends it.",
            paused.job, paused.what
        )
    });
    Ok(Exit::Done)
}

/// Switches writes on. After a restore, removals go again too.
pub fn resume(globals: &Globals, args: &Resume, report: &mut Report) -> Result<Exit, AppError> {
    let desk = Desk::open_job(&globals.config, args.job.as_deref(), Actor::local_user())?;
    let resumed = pause::resume(&desk, args.comment.clone())?;
    report.show(&resumed, || match resumed.was_restored {
        None => format!("Job `{}` was not paused.", resumed.job),
        Some(_) => format!("Job `{}`: {}.", resumed.job, resumed.what),
    });
    Ok(Exit::Done)
}
