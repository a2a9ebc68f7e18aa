//! `drift`: where the target is not as it was left: as the last reading found it, read now, or put right now.

mod text;

use std::sync::Arc;

use clap::Args;

use super::args::Globals;
use super::exit::Exit;
use super::process;
use super::report::Report;
use super::watch::Progress;
use crate::app::cycles;
use crate::app::cycles::Allowing;
use crate::app::cycles::Extent;
use crate::app::cycles::Job;
use crate::app::cycles::Report as CycleReport;
use crate::app::error::AppError;
use crate::app::install;
use crate::app::install::Installation;
use crate::app::text::summary as words;
use crate::app::views::drift;
use crate::model::shown::shown;

/// `drift`.
#[derive(Debug, Clone, Args)]
pub struct Drift {
    /// The job; may be left out where there is one.
    pub job: Option<String>,
    /// Read the target now, with GET only; without it, what the last reading found.
    #[arg(long)]
    pub refresh: bool,
    /// Read the target now, and put right what drifted, whatever the drift policy; the guard counts it.
    #[arg(long)]
    pub heal: bool,
    /// Exit with 10 where there is drift.
    #[arg(long)]
    pub detailed_exitcode: bool,
}

/// Shows drift; with `--refresh` after reading the target, with `--heal` after putting it right.
pub fn run(globals: &Globals, args: &Drift, report: &mut Report) -> Result<Exit, AppError> {
    let acts = args.refresh || args.heal;
    let installation = if acts {
        Installation::open(&globals.config)?
    } else {
        Installation::open_offline(&globals.config)?
    };
    let name = installation.choose(args.job.as_deref())?;
    if args.heal {
        install::at_home(&installation.folder, name, false)?;
    }
    let snapshot = installation.snapshot(name)?;
    let mut exit = Exit::Done;
    let mut summary = None;
    if acts {
        let job = installation.acting_job(name, snapshot.clone(), report.is_json())?;
        let (done, findings) = look(&job, args.heal, report)?;
        if let Some(error) = &done.error {
            return Err(AppError::from(error));
        }
        if !report.is_json() {
            report_cycle(args, &done, &findings, report);
        }
        exit = Exit::from(done.summary.outcome);
        summary = Some(done.summary);
    }
    let mut found = drift::drift(&snapshot, name)?;
    found.summary = summary;
    report.show(&found, || text::text(&found, args.heal));
    Ok(match exit {
        Exit::Done if args.detailed_exitcode && !found.drift.is_none() => Exit::Changes,
        other => other,
    })
}

/// One cycle over what drifted: it reads both sides, and writes only with `heal`.
fn look(job: &Job, heal: bool, report: &Report) -> Result<(CycleReport, Vec<String>), AppError> {
    let watcher = Arc::new(Progress::new(report.progress()));
    let extent = Extent::Drift { heal };
    let done = process::runtime()?.block_on(async {
        let asking = process::asking(Arc::clone(&watcher) as _);
        if heal {
            cycles::sync(job, extent, Allowing::default(), asking).await
        } else {
            cycles::plan(job, extent, asking).await
        }
    });
    watcher.clear();
    Ok((done, watcher.findings()))
}

fn report_cycle(args: &Drift, done: &CycleReport, findings: &[String], report: &mut Report) {
    if args.heal {
        return report.text(&words::summary(&done.summary, findings));
    }
    for finding in findings {
        report.text(&format!("note: {}", shown(finding)));
    }
}
