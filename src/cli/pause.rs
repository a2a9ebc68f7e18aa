//! `pause` and `resume`: writes off and on. Reading and planning go on.

use std::time::Duration;

use clap::Args;

use super::args::Globals;
use super::args::span;
use super::beside;
use super::beside::Question;
use super::exit::Exit;
use super::report::Report;
use crate::app::actor::Actor;
use crate::app::decisions::Comment;
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
    let wanted = Pausing {
        removals_only: args.removals_only,
        lasts: args.lasts,
        comment: args.comment.clone(),
    };
    let job = args.job.as_deref();
    let here = || {
        pause::pause(
            &Desk::open_job(&globals.config, job, Actor::local_user())?,
            &wanted,
        )
    };
    let there = || {
        let job = beside::job(globals, job)?;
        let path = format!("/jobs/{}/pause", beside::part(&job));
        Ok(Question::post(path, &wanted))
    };
    beside::answer(globals, report, here, there)
}

/// Switches writes on. After a restore, removals go again too.
pub fn resume(globals: &Globals, args: &Resume, report: &mut Report) -> Result<Exit, AppError> {
    let job = args.job.as_deref();
    let here = || {
        let desk = Desk::open_job(&globals.config, job, Actor::local_user())?;
        pause::resume(&desk, args.comment.clone())
    };
    let there = || {
        let job = beside::job(globals, job)?;
        let path = format!("/jobs/{}/resume", beside::part(&job));
        Ok(Question::post(path, &Comment::of(args.comment.as_ref())))
    };
    beside::answer(globals, report, here, there)
}
