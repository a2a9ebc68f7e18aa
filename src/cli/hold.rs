//! `hold`: changes to an object are planned and shown, and not sent.

use clap::Args;
use clap::Subcommand;

use super::args::Globals;
use super::args::moment;
use super::exit::Exit;
use super::report::Report;
use crate::app::actor::Actor;
use crate::app::decisions::hold;
use crate::app::decisions::hold::Held;
use crate::app::decisions::hold::Holding;
use crate::app::desk::Desk;
use crate::app::error::AppError;
use crate::app::views::holds;
use crate::app::views::holds::HoldView;
use crate::app::views::holds::Holds;
use crate::model::clock::Timestamp;
use crate::model::shown::shown;

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
    let (config, actor) = (&globals.config, Actor::local_user());
    let done = match &args.action {
        None => {
            let (desk, objects) = Desk::open(config, &args.objects, actor)?;
            let wanted = Holding {
                objects,
                attribute: args.attribute.clone(),
                until: args.until,
                comment: args.comment.clone(),
            };
            hold::hold(&desk, &wanted)?
        }
        Some(HoldAction::Release { names, comment }) => {
            let (desk, names) = Desk::open(config, names, actor)?;
            hold::release(&desk, &names, comment.as_ref())?
        }
        Some(HoldAction::List { job }) => {
            let held = holds::holds(&Desk::open_job(config, job.as_deref(), actor)?)?;
            report.show(&held, || listed(&held));
            return Ok(Exit::Done);
        }
    };
    report.show(&done, || decided(&done));
    Ok(Exit::Done)
}

fn decided(done: &Held) -> String {
    let line = |object: &crate::app::lookup::Named| {
        format!(
            "{} {}  ({}): {}",
            object.kind,
            shown(&object.name),
            object.id,
            done.what
        )
    };
    done.objects.iter().map(line).collect::<Vec<_>>().join("\n")
}

fn listed(all: &Holds) -> String {
    if all.holds.is_empty() {
        return "Nothing is on hold.".to_owned();
    }
    let line = |hold: &HoldView| match hold {
        HoldView::Decided(hold) => {
            let attribute = hold
                .attribute
                .as_ref()
                .map_or_else(String::new, |path| format!(" {path}"));
            format!(
                "{} {}  ({}){attribute}: {}",
                hold.kind,
                shown(&hold.name),
                hold.object,
                shown(&hold.words)
            )
        }
        HoldView::Undone(hold) => format!(
            "{} {}  ({}): taken back by an undo, until the source says something else",
            hold.kind,
            shown(&hold.name),
            hold.object
        ),
    };
    all.holds.iter().map(line).collect::<Vec<_>>().join("\n")
}
