//! `undo`: takes back what a cycle did, as far as it still stands. The plan is shown first.

use std::sync::Arc;

use serde_json::json;

use super::args;
use super::args::Globals;
use super::args::PlanFormat;
use super::exit::Exit;
use super::plan;
use super::process;
use super::report::Report;
use super::show;
use super::sync;
use super::watch::PlanFile;
use super::watch::Progress;
use crate::app::error::AppError;
use crate::app::install;
use crate::engine::cycle;
use crate::engine::job::Extent;
use crate::engine::job::UndoRequest;
use crate::model::id::CycleId;
use crate::settings::Settings;
use crate::snapshot::folder::StateFolder;
use crate::snapshot::query::Query;

/// Shows the inverse, and carries it out.
pub fn run(globals: &Globals, args: &args::Undo, report: &mut Report) -> Result<Exit, AppError> {
    let settings = install::settings(&globals.config, false)?;
    let folder = install::hold(&settings)?;
    let request = UndoRequest {
        cycle: CycleId(args.cycle),
        recreate: args.recreate,
        comment: args.comment.clone(),
    };
    let name = job_of(&settings, &folder, request.cycle)?;
    let settings_job = &settings.jobs[&name];
    install::at_home(&folder, &name, false)?;
    let snapshot = install::open_for(&folder, &name, settings_job)?;
    let json = report.is_json();
    let form = if json { PlanFormat::Json } else { PlanFormat::Text };
    let file = PlanFile::new(&[form], report.progress(), snapshot.clone());
    let file = Arc::new(file.map_err(|error| plan::spool_failure(&error))?);
    let mut job = install::job(&globals.config, &name, &settings.state, settings_job, snapshot)?;
    job.audit = install::audit(&settings, json)?;
    let named = || Extent::Objects {
        users: Vec::new(),
        groups: Vec::new(),
    };
    let runtime = process::runtime()?;
    let planned = runtime.block_on(async {
        let stop = process::stop_on_signal();
        let order = process::order(named(), false, Arc::clone(&file) as _, stop);
        cycle::undo(&job, &order, &request).await
    });
    let file = Arc::into_inner(file).expect("the order that shared it is gone");
    if let Some(error) = &planned.error {
        return Err(AppError::from(error));
    }
    let mut parts = file.finish().map_err(|error| plan::spool_failure(&error))?;
    let parts = parts.pop().expect("one form was asked for");
    let carries_out =
        !args.dry_run && job.enforce && planned.summary.operations.values().any(|count| *count > 0);
    if !json || !carries_out {
        plan::show(
            form,
            &planned.summary,
            parts,
            report,
            show::undo(&planned.summary, carries_out),
        )
        .map_err(|error| plan::spool_failure(&error))?;
    }
    if !carries_out {
        return Ok(Exit::from(planned.summary.outcome));
    }
    let watcher = Arc::new(Progress::new(report.progress()));
    let done = runtime.block_on(async {
        let stop = process::stop_on_signal();
        let order = process::order(named(), true, Arc::clone(&watcher) as _, stop);
        cycle::undo(&job, &order, &request).await
    });
    watcher.clear();
    if json {
        let mut document = serde_json::to_value(&done.summary).unwrap_or_default();
        document["undone"] = json!(request.cycle.to_string());
        document["left"] = watcher.findings().into();
        report.json(&document);
        return match &done.error {
            Some(error) => Err(AppError::from(error)),
            None => Ok(Exit::from(done.summary.outcome)),
        };
    }
    // What is left was shown with the plan.
    sync::shown(&done, Vec::new(), report)
}

/// The job whose history knows the cycle.
fn job_of(settings: &Settings, folder: &StateFolder, cycle: CycleId) -> Result<String, AppError> {
    let known = folder.jobs()?;
    for name in settings.jobs.keys().filter(|name| known.contains(name)) {
        let snapshot = install::open(folder, name)?;
        let query = Query {
            cycle: Some(cycle),
            ..Query::default()
        };
        let mut found = false;
        snapshot.search_history(&query, |_, _| {
            found = true;
            Ok(())
        })?;
        if found {
            return Ok(name.clone());
        }
    }
    Err(AppError::usage(
        format!("no job's history has a cycle {cycle}"),
        "`melonsync history` names the cycles that did something; what is older than `history_retention` is gone",
    ))
}
