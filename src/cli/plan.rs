//! `plan`: what a cycle would do, and why, writing nothing to the target.

use std::io::Read;
use std::sync::Arc;

use super::args;
use super::args::Format;
use super::args::Globals;
use super::factory;
use super::failure::Exit;
use super::failure::Failure;
use super::failure::Shown;
use super::report::Report;
use super::show;
use super::sync;
use super::watch::Parts;
use super::watch::PlanFile;
use crate::engine::cycle;
use crate::engine::job::Extent;
use crate::engine::summary::Summary;

/// Plans a cycle and shows it.
pub fn run(globals: &Globals, args: &args::Plan, report: &mut Report) -> Result<Exit, Failure> {
    let json = args
        .format
        .map_or(report.is_json(), |format| format == Format::Json);
    let settings = factory::settings(globals, false)?;
    let (name, job) = factory::choose(&settings, args.job.as_deref())?;
    let folder = factory::hold(&settings)?;
    let snapshot = factory::open_for(&folder, name, job)?;
    let file = PlanFile::new(json, report.progress(), snapshot.clone());
    let file = Arc::new(file.map_err(|error| spool_failure(&error))?);
    let job = factory::job(&globals.config, name, &settings.state, job, snapshot)?;
    let extent = if args.full { Extent::Full } else { Extent::Changes };
    let done = factory::runtime()?.block_on(async {
        let stop = factory::stop_on_signal();
        let order = factory::order(extent, false, Arc::clone(&file) as _, stop);
        cycle::run(&job, &order).await
    });
    let file = Arc::into_inner(file).expect("the order that shared it is gone");
    if let Some(error) = &done.error {
        return Err(sync::failure(error));
    }
    let parts = file.finish().map_err(|error| spool_failure(&error))?;
    let written = if json {
        write_json(&done.summary, parts, report)
    } else {
        write_text(&done.summary, parts, report)
    };
    written.map_err(|error| spool_failure(&error))?;
    let changes = args.detailed_exitcode && done.summary.has_changes();
    Ok(if changes { Exit::Changes } else { Exit::Done })
}

fn spool_failure(error: &std::io::Error) -> Failure {
    let shown = Shown {
        what: "cannot keep the plan in a temporary file".to_owned(),
        causes: vec![error.to_string()],
        ..Shown::default()
    };
    Failure::new(
        Exit::Failed,
        shown.advise("check the space in the temporary folder (TMPDIR)"),
    )
}

/// The summary with two members more, streamed.
fn write_json(summary: &Summary, parts: Parts, report: &mut Report) -> std::io::Result<()> {
    let head = serde_json::to_string(summary)?;
    let head = head.strip_suffix('}').unwrap_or(&head).to_owned();
    let mut document = std::io::Cursor::new(head)
        .chain(std::io::Cursor::new(",\"plan\":["))
        .chain(parts.operations)
        .chain(std::io::Cursor::new("],\"omitted\":["))
        .chain(parts.omitted)
        .chain(std::io::Cursor::new("]}\n"));
    report.copy(&mut document)
}

fn write_text(summary: &Summary, parts: Parts, report: &mut Report) -> std::io::Result<()> {
    let mut operations = parts.operations;
    report.copy(&mut operations)?;
    let mut omitted = parts.omitted;
    if omitted.metadata()?.len() > 0 {
        report.text("\nLeft alone:");
        report.copy(&mut omitted)?;
    }
    report.text(&show::plan(summary));
    Ok(())
}
