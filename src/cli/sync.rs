//! `sync` and `resync`: one cycle now.

use std::sync::Arc;

use super::args;
use super::args::Globals;
use super::exit::Exit;
use super::process;
use super::report::Report;
use super::show;
use super::sync_plan;
use super::watch::Progress;
use crate::app::error::AppError;
use crate::app::install;
use crate::engine::cycle;
use crate::engine::job::Extent;
use crate::engine::job::Report as CycleReport;

/// One cycle now.
pub fn sync(globals: &Globals, args: &args::Sync, report: &mut Report) -> Result<Exit, AppError> {
    if let Some(file) = &args.plan {
        return sync_plan::run(globals, args, file, report);
    }
    let extent = if args.full { Extent::Full } else { Extent::Changes };
    once(globals, args.job.as_deref(), extent, Some(args), report)
}

/// Certain objects, or all, now.
pub fn resync(globals: &Globals, args: &args::Resync, report: &mut Report) -> Result<Exit, AppError> {
    let what = &args.what;
    let extent = if what.restart {
        Extent::Restart
    } else if what.all {
        Extent::All
    } else {
        Extent::Objects {
            users: what.user.clone(),
            groups: what.group.clone(),
        }
    };
    once(globals, args.job.as_deref(), extent, None, report)
        .map_err(|failure| job_named_last(globals, args, failure))
}

/// `resync --user NAME JOB` reads as two users: the usage that follows says where the job belongs.
fn job_named_last(globals: &Globals, args: &args::Resync, mut failure: AppError) -> AppError {
    let names = args.what.user.iter().chain(&args.what.group);
    let jobs = install::settings(&globals.config, true).map(|settings| settings.jobs);
    let swallowed =
        |name: &&String| args.job.is_none() && jobs.as_ref().is_ok_and(|jobs| jobs.contains_key(*name));
    if let (true, Some(job), Some(error)) = (
        failure.is_refusal(),
        names.into_iter().find(swallowed),
        failure.errors.first_mut(),
    ) {
        error.advice = Some(format!(
            "`{job}` is a job, and stands first: melonsync resync {job} --user …"
        ));
    }
    failure
}

fn once(
    globals: &Globals,
    job: Option<&str>,
    extent: Extent,
    args: Option<&args::Sync>,
    report: &mut Report,
) -> Result<Exit, AppError> {
    let settings = install::settings(&globals.config, false)?;
    let (name, job) = install::choose(&settings, job)?;
    let folder = install::hold(&settings)?;
    install::at_home(&folder, name, args.is_some_and(|args| args.take_back))?;
    let snapshot = install::open_for(&folder, name, job)?;
    let mut job = install::job(&globals.config, name, &settings.state, job, snapshot)?;
    job.audit = install::audit(&settings, report.is_json())?;
    let watcher = Arc::new(Progress::new(report.progress()));
    let done = process::runtime()?.block_on(async {
        let stop = process::stop_on_signal();
        let mut order = process::order(extent, true, Arc::clone(&watcher) as _, stop);
        order.allow_deletions = args.and_then(|args| args.allow_deletions);
        order.allow_creations = args.and_then(|args| args.allow_creations);
        cycle::run(&job, &order).await
    });
    watcher.clear();
    shown(&done, watcher.findings(), report)
}

/// Shows how a cycle ended, and turns that into an exit code.
pub(super) fn shown(
    done: &CycleReport,
    findings: Vec<String>,
    report: &mut Report,
) -> Result<Exit, AppError> {
    let failed = done.error.as_ref().map(AppError::from);
    if report.is_json() {
        report.json(&done.summary);
    } else if !failed.as_ref().is_some_and(AppError::is_refusal) {
        report.text(&show::summary(&done.summary, &findings));
    }
    match failed {
        Some(failure) => Err(failure),
        None => Ok(Exit::from(done.summary.outcome)),
    }
}
