//! `explain`: one object, step by step, and why. Sends both sides only questions, and leaves the snapshot as it is.

use std::sync::Arc;

use super::args;
use super::args::Globals;
use super::exit::Exit;
use super::process;
use super::report::Report;
use crate::app::error::AppError;
use crate::app::install;
use crate::engine::explain;
use crate::engine::explain::ExplainError;
use crate::engine::job::Extent;
use crate::engine::job::NoWatcher;
use crate::model::id::ObjectKind;
use crate::snapshot::read::Reads;

/// Explains one object.
pub fn run(globals: &Globals, args: &args::Explain, report: &mut Report) -> Result<Exit, AppError> {
    let (job, object) = args.job_and_object();
    let settings = install::settings(&globals.config, false)?;
    let (name, job) = install::choose(&settings, job)?;
    let folder = install::hold(&settings)?;
    let snapshot = install::open_for(&folder, name, job)?;
    let job = install::job(&globals.config, name, &settings.state, job, snapshot)?;
    let explained = process::runtime()?.block_on(async {
        let stop = process::stop_on_signal();
        let order = process::order(Extent::Explain, false, Arc::new(NoWatcher), stop);
        explain::explain(&job, &order, object).await
    });
    let explained = explained.map_err(|error| failure(&error))?;
    if report.is_json() {
        report.json(&explained.to_json());
    } else {
        // A name that cannot be read is only a name that is not shown.
        let name_of = |id| Some(job.snapshot.record(ObjectKind::User, &id).ok()??.object.name());
        report.text(&explained.to_text(name_of));
    }
    Ok(Exit::Done)
}

fn failure(error: &ExplainError) -> AppError {
    match error {
        ExplainError::Cycle(error) => AppError::from(error),
        ExplainError::NotOne(error) => AppError::from(error),
    }
}
