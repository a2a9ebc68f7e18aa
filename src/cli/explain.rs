//! `explain`: one object, step by step, and why. Sends both sides only questions, and leaves the snapshot as it is.

use std::sync::Arc;

use super::args;
use super::args::Globals;
use super::factory;
use super::failure::Exit;
use super::failure::Failure;
use super::failure::Shown;
use super::report::Report;
use super::sync;
use crate::engine::explain;
use crate::engine::explain::ExplainError;
use crate::engine::job::Extent;
use crate::engine::job::NoWatcher;
use crate::model::id::ObjectKind;
use crate::snapshot::read::Reads;

/// Explains one object.
pub fn run(globals: &Globals, args: &args::Explain, report: &mut Report) -> Result<Exit, Failure> {
    let (job, object) = args.job_and_object();
    let settings = factory::settings(globals, false)?;
    let (name, job) = factory::choose(&settings, job)?;
    let folder = factory::hold(&settings)?;
    let snapshot = factory::open_for(&folder, name, job)?;
    let job = factory::job(&globals.config, name, &settings.state, job, snapshot)?;
    let explained = factory::runtime()?.block_on(async {
        let stop = factory::stop_on_signal();
        let order = factory::order(Extent::Explain, false, Arc::new(NoWatcher), stop);
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

fn failure(error: &ExplainError) -> Failure {
    match error {
        ExplainError::Cycle(error) => sync::failure(error),
        ExplainError::NoSuchObject { .. } | ExplainError::Ambiguous { .. } => {
            Failure::new(Exit::Usage, Shown::of(error).advise(error.hint()))
        }
    }
}
