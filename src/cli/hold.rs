//! `hold`: changes to an object are planned and shown, and not sent.

use clap::Args;
use clap::Subcommand;

use super::args::Globals;
use super::args::moment;
use super::beside;
use super::beside::Question;
use super::exit::Exit;
use super::report::Report;
use crate::app::actor::Actor;
use crate::app::decisions::hold;
use crate::app::decisions::hold::Holding;
use crate::app::decisions::hold::Released;
use crate::app::desk::Desk;
use crate::app::error::AppError;
use crate::app::views::holds;
use crate::model::clock::Timestamp;

/// `hold`.
#[derive(Debug, Clone, Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub struct Hold {
    /// List or release; to hold where absent.
    #[command(subcommand)]
    pub action: Option<HoldAction>,
    /// Users or groups: id, UPN, mail or display name; the job before them where there are several.
    #[arg(value_name = "OBJECT", required = true)]
    pub objects: Vec<String>,
    /// Hold only this attribute, a target path as the mapping writes it; `members` for a group's members.
    #[arg(long, value_name = "PATH")]
    pub attribute: Option<String>,
    /// The hold ends by itself then: 2026-08-18, or 2026-08-18T06:00:00Z.
    #[arg(long, value_name = "TIME", value_parser = moment)]
    pub until: Option<Timestamp>,
    /// Why, for whoever meets the hold, and for the history.
    #[arg(long, value_name = "TEXT")]
    pub comment: Option<String>,
}

/// What else to do with holds.
#[derive(Debug, Clone, Subcommand)]
pub enum HoldAction {
    /// Show what is on hold.
    List {
        /// The job; may be left out where there is one.
        job: Option<String>,
    },
    /// Take objects off hold: what was planned is sent by the next cycle.
    Release {
        /// Users or groups: id, UPN, mail or display name; the job before them where there are several.
        #[arg(value_name = "OBJECT", required = true)]
        names: Vec<String>,
        /// Why, for the history.
        #[arg(long, value_name = "TEXT")]
        comment: Option<String>,
    },
}

/// Holds, lists or releases.
pub fn run(globals: &Globals, args: &Hold, report: &mut Report) -> Result<Exit, AppError> {
    match &args.action {
        None => hold_them(globals, args, report),
        Some(HoldAction::Release { names, comment }) => {
            let here = || {
                let (desk, names) = Desk::open(&globals.config, names, Actor::local_user())?;
                hold::release(&desk, &names, comment.as_ref())
            };
            let there = || {
                let (job, objects) = beside::job_and_names(globals, names)?;
                let released = Released {
                    objects,
                    comment: comment.clone(),
                };
                let path = format!("/jobs/{}/holds/release", beside::part(&job));
                Ok(Question::post(path, &released))
            };
            beside::answer(globals, report, here, there)
        }
        Some(HoldAction::List { job }) => {
            let job = job.as_deref();
            let here = || holds::holds(&Desk::open_job(&globals.config, job, Actor::local_user())?);
            let there = || {
                let job = beside::job(globals, job)?;
                Ok(Question::get(format!("/jobs/{}/holds", beside::part(&job))))
            };
            beside::answer(globals, report, here, there)
        }
    }
}

fn hold_them(globals: &Globals, args: &Hold, report: &mut Report) -> Result<Exit, AppError> {
    let wanted = |objects| Holding {
        objects,
        attribute: args.attribute.clone(),
        until: args.until,
        comment: args.comment.clone(),
    };
    let here = || {
        let (desk, objects) = Desk::open(&globals.config, &args.objects, Actor::local_user())?;
        hold::hold(&desk, &wanted(objects))
    };
    let there = || {
        let (job, objects) = beside::job_and_names(globals, &args.objects)?;
        let path = format!("/jobs/{}/holds", beside::part(&job));
        Ok(Question::post(path, &wanted(objects)))
    };
    beside::answer(globals, report, here, there)
}
