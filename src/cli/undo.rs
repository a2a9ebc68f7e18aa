//! `undo`: takes back what a cycle did, as far as it still stands. The plan is shown first.

use std::sync::Arc;

use clap::Args;

use super::args::Globals;
use super::exit::Exit;
use super::plan;
use super::process;
use super::report::Report;
use super::sync;
use super::watch::Progress;
use crate::app::cycles;
use crate::app::cycles::UndoRequest;
use crate::app::error::AppError;
use crate::app::install::Installation;
use crate::app::plans;
use crate::app::plans::Form;
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
    /// Why; kept in the history.
    #[arg(long, value_name = "TEXT")]
    pub comment: Option<String>,
}

/// Shows the inverse, and carries it out.
pub fn run(globals: &Globals, args: &Undo, report: &mut Report) -> Result<Exit, AppError> {
    let installation = Installation::open(&globals.config)?;
    let (name, cycle) = cycles::find(&installation, &args.cycle)?;
    let request = UndoRequest {
        cycle,
        recreate: args.recreate,
        comment: args.comment.clone(),
    };
    let job = sync::acting_job(&installation, Some(&name), false, report)?;
    let form = if report.is_json() { Form::Json } else { Form::Text };
    let watcher = Arc::new(Progress::new(report.progress()));
    let runtime = process::runtime()?;
    let planned = runtime.block_on(async {
        let asking = process::asking(Arc::clone(&watcher) as _);
        plans::undo(&job, &request, &[form], asking).await
    });
    watcher.clear();
    let mut planned = planned?;
    let summary = &planned.summary;
    let carries_out = !args.dry_run && job.enforce && summary.operations.values().any(|count| *count > 0);
    if !report.is_json() || !carries_out {
        let sheet = planned.sheets.pop().expect("one form was asked for");
        plan::show(sheet, summary, report, &text::undo(summary, carries_out))?;
    }
    if !carries_out {
        return Ok(Exit::from(summary.outcome));
    }
    let watcher = Arc::new(Progress::new(report.progress()));
    let undone = runtime.block_on(async {
        let asking = process::asking(Arc::clone(&watcher) as _);
        plans::carry_out_undo(&job, &request, asking).await
    });
    watcher.clear();
    let undone = undone?;
    if !report.is_json() {
        // What is left was shown with the plan.
        return sync::shown(&undone.report, &[], report);
    }
    report.json(&undone);
    match &undone.report.error {
        Some(error) => Err(AppError::from(error)),
        None => Ok(Exit::from(undone.report.summary.outcome)),
    }
}
