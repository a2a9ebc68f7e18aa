//! `undo`: takes back what a cycle did, as far as it still stands. The plan is shown first.

use std::cell::RefCell;
use std::sync::Arc;

use clap::Args;

use super::args::Globals;
use super::beside;
use super::beside::Daemon;
use super::beside::Ended;
use super::beside::Question;
use super::confirm::Asking;
use super::exit::Exit;
use super::orders;
use super::patience::Patience;
use super::plan;
use super::process;
use super::report::Report;
use super::sync;
use super::watch::Progress;
use crate::app::cycles;
use crate::app::cycles::Summary;
use crate::app::cycles::UndoRequest;
use crate::app::error::AppError;
use crate::app::install::Installation;
use crate::app::plans;
use crate::app::plans::Form;
use crate::app::plans::Seen;
use crate::app::plans::Shape;
use crate::app::plans::Sheet;
use crate::app::plans::Undone;
use crate::app::rules::Rules;
use crate::app::service::CycleState;
use crate::app::service::request::UndoAsked;
use crate::app::text::summary as text;

/// `undo`.
#[derive(Debug, Clone, Args)]
pub struct Undo {
    /// The cycle: its id or the beginning of it, `last`, or `last~1` for the one before.
    #[arg(value_name = "CYCLE")]
    pub cycle: String,
    /// Only show what would be done.
    #[arg(long)]
    pub dry_run: bool,
    /// Make anew what the cycle deleted: with new ids, and without the security keys.
    #[arg(long)]
    pub recreate: bool,
    /// Refused where it is about another number of operations.
    #[arg(long, value_name = "N")]
    pub expect: Option<u64>,
    /// Why; kept in the history.
    #[arg(long, value_name = "TEXT")]
    pub comment: Option<String>,
}

/// Shows the inverse, and carries it out.
pub fn run(globals: &Globals, args: &Undo, report: &mut Report) -> Result<Exit, AppError> {
    let report = RefCell::new(report);
    beside::ask(
        globals,
        || here(globals, args, *report.borrow_mut()),
        |daemon| there(globals, args, daemon, *report.borrow_mut()),
    )
}

fn here(globals: &Globals, args: &Undo, report: &mut Report) -> Result<Exit, AppError> {
    let installation = Installation::open(&globals.config)?;
    let (name, cycle) = cycles::find(&cycles::jobs_of(&installation)?, &args.cycle)?;
    let request = UndoRequest {
        cycle,
        recreate: args.recreate,
        comment: args.comment.clone(),
    };
    if !args.dry_run {
        let rules = Rules::of(&installation.settings);
        rules.commented("undo", args.comment.as_deref())?;
    }
    let job = sync::acting_job(&installation, Some(&name), false, report)?;
    let watcher = Arc::new(Progress::new(report.progress()));
    let runtime = process::runtime()?;
    let planned = runtime.block_on(async {
        let asking = process::asking(Arc::clone(&watcher) as _);
        plans::undo(&job, &request, &[form(report)], asking).await
    });
    watcher.clear();
    let mut planned = planned?;
    let sheet = planned.sheets.pop().expect("one form was asked for");
    if !goes_on(args, &planned.summary, sheet, report)? {
        return Ok(Exit::from(planned.summary.outcome));
    }
    if !Asking::of(globals).goes_on(QUESTION) {
        return Ok(Exit::Cancelled);
    }
    let watcher = Arc::new(Progress::new(report.progress()));
    let seen = Seen {
        count: args.expect,
        digest: None,
    };
    let undone = runtime.block_on(async {
        let asking = process::asking(Arc::clone(&watcher) as _);
        plans::carry_out_undo(&job, &request, &seen, asking).await
    });
    watcher.clear();
    shown(&undone?, report)
}

fn there(globals: &Globals, args: &Undo, daemon: &Daemon, report: &mut Report) -> Result<Exit, AppError> {
    let path = format!("/cycles/{}", beside::part(&args.cycle));
    let found: CycleState = daemon.asked(Question::get(path))?;
    let path = format!("/cycles/{}/undo", found.cycle);
    let settings = beside::settings_of(globals, &found.job)?;
    let asked = |dry_run, forms| UndoAsked {
        dry_run,
        recreate: args.recreate,
        expect: args.expect,
        comment: args.comment.clone(),
        forms,
        settings: Some(settings.clone()),
    };
    let form = form(report);
    let order = Question::post(path.as_str(), &asked(true, vec![form]));
    let summary = match daemon.order(order, Patience::default(), report)? {
        Ended::Done {
            summary: Some(summary),
            problem: None,
            cancelled: false,
            ..
        } => *summary,
        other => return orders::ended(other, report),
    };
    let mut sheets = daemon.sheets(&summary.cycle, &[form])?;
    let sheet = sheets.pop().expect("one form was asked for");
    if !goes_on(args, &summary, sheet, report)? {
        return Ok(Exit::from(summary.outcome));
    }
    if !Asking::of(globals).goes_on(QUESTION) {
        return Ok(Exit::Cancelled);
    }
    let order = Question::post(path, &asked(false, Vec::new()));
    match daemon.order(order, Patience::default(), report)? {
        Ended::Done {
            summary: Some(summary),
            findings,
            problem,
            cancelled: false,
            ..
        } => {
            let undone = Undone {
                summary: *summary,
                error: problem,
                cycle: found.cycle,
                left: findings,
            };
            shown(&undone, report)
        }
        other => orders::ended(other, report),
    }
}

/// What is asked before an undo is carried out.
const QUESTION: &str = "Take this back now?";

const fn form(report: &Report) -> Form {
    if report.is_json() { Form::Json } else { Form::Text }
}

/// Shows the plan. Returns whether it is to be carried out.
fn goes_on(args: &Undo, summary: &Summary, sheet: Sheet, report: &mut Report) -> Result<bool, AppError> {
    let enforces = summary.mode == "enforce";
    let carries_out = !args.dry_run && enforces && summary.operations.values().any(|count| *count > 0);
    if !report.is_json() || !carries_out {
        let last = text::undo(summary, carries_out);
        let first = last.lines().next().unwrap_or_default();
        plan::show(sheet, summary, report, (&Shape::default(), (first, &*last)))?;
    }
    Ok(carries_out)
}

fn shown(undone: &Undone, report: &mut Report) -> Result<Exit, AppError> {
    let refused = undone.error.as_ref().is_some_and(AppError::is_refusal);
    if report.is_json() {
        report.json(undone);
    } else if !refused {
        // What is left was shown with the plan.
        report.text(&text::summary(&undone.summary, &[]));
    }
    match &undone.error {
        Some(error) => Err(error.clone()),
        None => Ok(Exit::from(undone.summary.outcome)),
    }
}
