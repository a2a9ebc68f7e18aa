//! `sync --plan FILE`: carries out what is in a saved plan and is still wanted with the same values.

use std::path::Path;
use std::sync::Arc;

use serde_json::Value as Json;

use super::args;
use super::args::Globals;
use super::exit::Exit;
use super::process;
use super::report::Report;
use super::saved;
use super::saved::Comparing;
use super::show;
use crate::app::error::AppError;
use crate::app::error::ErrorKind;
use crate::app::error::ErrorText;
use crate::app::install;
use crate::engine::cycle;
use crate::engine::job::Extent;
use crate::engine::job::Job;
use crate::engine::job::Report as CycleReport;
use crate::engine::summary::Outcome;
use crate::model::shown::shown as printable;

/// Reads both sides afresh, and carries out the plan as far as it still holds.
pub(super) fn run(
    globals: &Globals,
    args: &args::Sync,
    file: &Path,
    report: &mut Report,
) -> Result<Exit, AppError> {
    let settings = install::settings(&globals.config, false)?;
    let (name, job) = install::choose(&settings, args.job.as_deref())?;
    let folder = install::hold(&settings)?;
    install::at_home(&folder, name, args.take_back)?;
    let snapshot = install::open_for(&folder, name, job)?;
    let mut job = install::job(&globals.config, name, &settings.state, job, snapshot)?;
    job.audit = install::audit(&settings, report.is_json())?;
    let (origin, plan) = saved::load(file, &job)?;
    let plan = Arc::new(plan);
    let extent = if args.full || origin.full {
        Extent::Full
    } else {
        Extent::Changes
    };
    let runtime = process::runtime()?;
    runtime
        .block_on(async {
            let stop = process::stop_on_signal();
            let follow = |apply: bool| {
                let watcher = Arc::new(Comparing::new(&plan, report.progress()));
                let mut order =
                    process::order(extent.clone(), apply, Arc::clone(&watcher) as _, stop.clone());
                order.allow_deletions = args.allow_deletions;
                (watcher, order)
            };
            if args.exact {
                let (watcher, order) = follow(false);
                let done = cycle::run(&job, &order).await;
                watcher.clear();
                if let Some(error) = &done.error {
                    return Err(AppError::from(error));
                }
                let (left, missed) = (watcher.left(), watcher.missed(file)?);
                if !(left.is_empty() && missed.is_empty()) {
                    return Err(not_exact(file, &left, &missed));
                }
            }
            let (watcher, mut order) = follow(true);
            order.only = Some(Arc::clone(&plan));
            let done = cycle::run(&job, &order).await;
            watcher.clear();
            Ok((done, watcher))
        })
        .and_then(|(done, watcher)| {
            let missed = watcher.missed(file)?;
            shown(&job, &done, &watcher, &missed, report)
        })
}

fn shown(
    job: &Job,
    done: &CycleReport,
    watcher: &Comparing,
    missed: &[Json],
    report: &mut Report,
) -> Result<Exit, AppError> {
    let left = watcher.left();
    if report.is_json() {
        let mut document = serde_json::to_value(&done.summary).unwrap_or_default();
        document["left"] = left.into();
        document["not_wanted"] = missed.into();
        report.json(&document);
    } else {
        report.text(&show::summary(&done.summary, &watcher.findings()));
        list(report, "Left, because the saved plan does not have it so:", &left);
        list(
            report,
            "In the saved plan, and not carried out: no longer wanted, or withheld:",
            missed,
        );
    }
    if let Some(error) = &done.error {
        return Err(AppError::from(error));
    }
    let part = job.enforce && !missed.is_empty() && done.summary.outcome == Outcome::Converged;
    let exit = Exit::from(done.summary.outcome);
    Ok(if part { exit.or(Exit::Entries) } else { exit })
}

/// As many as fit a screen.
const SHOWN: usize = 20;

fn list(report: &mut Report, head: &str, entries: &[Json]) {
    if entries.is_empty() {
        return;
    }
    report.text(head);
    for entry in entries.iter().take(SHOWN) {
        report.text(&format!("  {}", line(entry)));
    }
    if entries.len() > SHOWN {
        report.text(&format!(
            "  … and {} more (all of them with -o json)",
            entries.len() - SHOWN
        ));
    }
}

fn line(entry: &Json) -> String {
    let text = |name: &str| printable(entry[name].as_str().unwrap_or_default());
    format!("{} {}", text("operation").replace('_', " "), text("object"))
}

fn not_exact(file: &Path, left: &[Json], missed: &[Json]) -> AppError {
    let mut place: Vec<String> = left
        .iter()
        .take(SHOWN)
        .map(|entry| format!("new or changed: {}", line(entry)))
        .collect();
    place.extend(
        missed
            .iter()
            .take(SHOWN)
            .map(|entry| format!("not wanted any more: {}", line(entry))),
    );
    let shown = ErrorText {
        what: format!(
            "what is wanted now is not what {} says; nothing was sent",
            file.display()
        ),
        place: Some(place.join("\n")),
        ..ErrorText::default()
    };
    AppError::new(
        ErrorKind::Differs,
        shown.advise("plan again and review that, or leave out --exact to carry out what is still the same"),
    )
}
