//! `withheld`: operations held back by the guard, shown by cause, let through, or rejected.

use clap::Args;
use clap::Subcommand;

use super::args::Globals;
use super::beside;
use super::beside::Question;
use super::confirm::Asking;
use super::exit::Exit;
use super::report::Report;
use crate::app::actor::Actor;
use crate::app::decisions::withheld as decisions;
use crate::app::desk::Desk;
use crate::app::error::AppError;
use crate::app::text::count::many;
use crate::app::views::withheld as views;

/// `withheld`.
#[derive(Debug, Clone, Args)]
pub struct Withheld {
    /// What to do with what the guard holds back.
    #[command(subcommand)]
    pub action: WithheldAction,
}

/// What to do with what the guard holds back.
#[derive(Debug, Clone, Subcommand)]
pub enum WithheldAction {
    /// Show them, grouped by cause.
    List {
        /// The job, where there are several, and objects: id, UPN, mail or display name; all where absent.
        #[arg(value_name = "JOB|OBJECT")]
        names: Vec<String>,
        /// Only those with this reason, as in `withheld.by_reason`.
        #[arg(long, value_name = "REASON")]
        reason_is: Option<String>,
    },
    /// Let exactly these through, once.
    Release(Chosen),
    /// Put their objects on hold.
    Reject(Chosen),
}

/// Which withheld operations a decision is about.
#[derive(Debug, Clone, Args)]
pub struct Chosen {
    /// The job, where there are several, and objects: id, UPN, mail or display name.
    #[arg(value_name = "JOB|OBJECT")]
    pub names: Vec<String>,
    /// Those with this reason, as in `withheld.by_reason`.
    #[arg(long, value_name = "REASON")]
    pub reason_is: Option<String>,
    /// All of them; needs --expect.
    #[arg(long, requires = "expect")]
    pub all: bool,
    /// Refused when the number is another by now.
    #[arg(long, value_name = "N")]
    pub expect: Option<u64>,
    /// Why, for the history.
    #[arg(long, value_name = "TEXT")]
    pub comment: Option<String>,
}

impl Chosen {
    fn of(&self, objects: Vec<String>) -> decisions::Chosen {
        decisions::Chosen {
            objects,
            reason: self.reason_is.clone(),
            all: self.all,
            expect: self.expect,
            comment: self.comment.clone(),
            ..decisions::Chosen::default()
        }
    }
}

/// Lists, releases or rejects.
pub fn run(globals: &Globals, action: &WithheldAction, report: &mut Report) -> Result<Exit, AppError> {
    let open = |names: &[String]| Desk::open(&globals.config, names, Actor::local_user());
    let decide = |chosen: &Chosen, report: &mut Report, releases: bool| {
        let here = || {
            let (desk, objects) = open(&chosen.names)?;
            if releases {
                decisions::release(&desk, &chosen.of(objects))
            } else {
                decisions::reject(&desk, &chosen.of(objects))
            }
        };
        let there = || {
            let (job, objects) = beside::job_and_names(globals, &chosen.names)?;
            let word = if releases { "release" } else { "reject" };
            Ok(Question::post(
                format!("/jobs/{}/withheld/{word}", beside::part(&job)),
                &chosen.of(objects),
            ))
        };
        beside::answer(globals, report, here, there)
    };
    match action {
        WithheldAction::List { names, reason_is } => {
            let here = || {
                let (desk, objects) = open(names)?;
                views::withheld(&desk, &objects, reason_is.as_deref())
            };
            let there = || {
                let (job, objects) = beside::job_and_names(globals, names)?;
                let objects = objects.iter().map(|object| ("object", object.as_str()));
                let query: Vec<_> = objects
                    .chain(reason_is.as_deref().map(|reason| ("reason", reason)))
                    .collect();
                Ok(Question::get(format!("/jobs/{}/withheld", beside::part(&job))).asking(&query))
            };
            beside::answer(globals, report, here, there)
        }
        WithheldAction::Release(chosen) => {
            let count = chosen.expect.unwrap_or_default();
            let question = format!(
                "Let {} through that the guard holds back?",
                many(count, "operation")
            );
            if chosen.all && !Asking::of(globals).goes_on(&question) {
                return Ok(Exit::Cancelled);
            }
            decide(chosen, report, true)
        }
        WithheldAction::Reject(chosen) => decide(chosen, report, false),
    }
}
