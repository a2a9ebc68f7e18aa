//! `sync`: one cycle now, or what is in a saved plan and still wanted.

use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;
use serde_json::Value as Json;

use super::args::Globals;
use super::beside;
use super::beside::Daemon;
use super::beside::Ended;
use super::beside::Question;
use super::confirm::Asking;
use super::exit::Exit;
use super::orders;
use super::patience::Patience;
use super::process;
use super::report::Report;
use super::watch::Progress;
use crate::app::actor::Actor;
use crate::app::cycles;
use crate::app::cycles::Allowing;
use crate::app::cycles::Extent;
use crate::app::cycles::Job;
use crate::app::cycles::Report as CycleReport;
use crate::app::error::AppError;
use crate::app::install;
use crate::app::install::Installation;
use crate::app::plans;
use crate::app::plans::Carried;
use crate::app::plans::CarriedOut;
use crate::app::plans::Carrying;
use crate::app::plans::Saved;
use crate::app::rules::Rules;
use crate::app::service::request::SavedRequest;
use crate::app::service::request::SyncRequest;
use crate::app::text::count::many;
use crate::app::text::summary as text;

/// `sync`.
#[derive(Debug, Clone, Args)]
pub struct Sync {
    /// The job; may be left out where there is one.
    pub job: Option<String>,
    /// Read the target back and reconcile everything.
    #[arg(long)]
    pub full: bool,
    /// Let this cycle remove at most so many users; if there are more, none.
    #[arg(long, value_name = "N")]
    pub allow_deletions: Option<u64>,
    /// Let this cycle create at most so many users and groups; if there are more, none.
    #[arg(long, value_name = "N")]
    pub allow_creations: Option<u64>,
    /// Carry out what is in this saved plan and still wanted with the same values; the rest is listed and left.
    #[arg(long, value_name = "FILE")]
    pub plan: Option<PathBuf>,
    /// Carry out nothing where anything differs from the saved plan.
    #[arg(long, requires = "plan")]
    pub exact: bool,
    /// Run a job here again that was handed over to another host.
    #[arg(long)]
    pub take_back: bool,
    /// Beside a daemon.
    #[command(flatten)]
    pub patience: Patience,
}

/// Runs one cycle now.
pub fn run(globals: &Globals, args: &Sync, report: &mut Report) -> Result<Exit, AppError> {
    if let Some(most) = args.allow_deletions.filter(|most| *most > 0) {
        let question = format!("Let this cycle remove up to {}?", many(most, "user"));
        if !Asking::of(globals).goes_on(&question) {
            return Ok(Exit::Cancelled);
        }
    }
    if let Some(file) = &args.plan {
        let done = beside::ask(
            globals,
            || {
                let installation = Installation::open(&globals.config)?;
                let job = acting_job(&installation, args.job.as_deref(), args.take_back, report)?;
                admit(&installation, &job, args)?;
                carry_out(&job, file, args, report)
            },
            |daemon| carried_out_there(globals, daemon, (file, args), report),
        )?;
        return match done {
            Ok(carried) => shown_carried(&carried, report),
            Err(left) => orders::ended(left, report),
        };
    }
    let here = |report: &Report| {
        let installation = Installation::open(&globals.config)?;
        args.patience.without_a_daemon()?;
        let job = acting_job(&installation, args.job.as_deref(), args.take_back, report)?;
        admit(&installation, &job, args)?;
        let extent = if args.full { Extent::Full } else { Extent::Changes };
        let allowing = Allowing {
            only: None,
            deletions: args.allow_deletions,
            creations: args.allow_creations,
        };
        once(&job, extent, allowing, report)
    };
    let there = |daemon: &Daemon, report: &Report| {
        let job = beside::job(globals, args.job.as_deref())?;
        let asked = SyncRequest {
            full: args.full,
            allow_deletions: args.allow_deletions,
            allow_creations: args.allow_creations,
            saved: None,
            settings: Some(beside::settings_of(globals, &job)?),
        };
        let path = format!("/jobs/{}/sync", beside::part(&job));
        daemon.order(Question::post(path, &asked), args.patience, report)
    };
    let done = beside::ask(globals, || here(report), |daemon| there(daemon, report))?;
    orders::ended(done, report)
}

/// Refuses more than the guard allows to whoever may not ask for it.
fn admit(installation: &Installation, job: &Job, args: &Sync) -> Result<(), AppError> {
    let rules = Rules::of(&installation.settings);
    let more = [args.allow_deletions, args.allow_creations];
    rules.allowing(&job.snapshot, Actor::local_user().as_str(), more)
}

/// Makes a job ready that may write, unless it was handed over to another host.
pub(super) fn acting_job(
    installation: &Installation,
    job: Option<&str>,
    take_back: bool,
    report: &Report,
) -> Result<Job, AppError> {
    let name = installation.choose(job)?;
    install::at_home(&installation.folder, name, take_back)?;
    installation.acting_job(name, installation.snapshot(name)?, report.is_json())
}

/// Runs a cycle.
pub(super) fn once(
    job: &Job,
    extent: Extent,
    allowing: Allowing,
    report: &Report,
) -> Result<Ended, AppError> {
    let watcher = Arc::new(Progress::new(report.progress()));
    let done = process::runtime()?.block_on(async {
        let asking = process::asking(Arc::clone(&watcher) as _);
        cycles::sync(job, extent, allowing, asking).await
    });
    Ok(orders::carried_out(done, &watcher, report))
}

/// Shows how a cycle ended, and turns that into an exit code.
pub(super) fn shown(done: &CycleReport, findings: &[String], report: &mut Report) -> Result<Exit, AppError> {
    let failed = done.error.as_ref().map(AppError::from);
    if report.is_json() {
        report.json(&done.summary);
    } else if !failed.as_ref().is_some_and(AppError::is_refusal) {
        report.text(&text::summary(&done.summary, findings));
    }
    failed.map_or_else(|| Ok(Exit::from(done.summary.outcome)), Err)
}

/// What became of a saved plan; or how the order ended, where it was taken back, or left.
type CarriedOrEnded = Result<Carried, Ended>;

/// Carries out a saved plan as far as it still holds.
fn carry_out(job: &Job, file: &Path, args: &Sync, report: &Report) -> Result<CarriedOrEnded, AppError> {
    let saved = Saved::read(file)?;
    let how = Carrying {
        full: args.full,
        exact: args.exact,
        deletions: args.allow_deletions,
    };
    let watcher = Arc::new(Progress::new(report.progress()));
    let carried = process::runtime()?.block_on(async {
        let asking = process::asking(Arc::clone(&watcher) as _);
        plans::carry_out(job, &saved, how, asking).await
    });
    watcher.clear();
    carried?.beside(file).map(Ok)
}

/// Has the daemon carry it out.
fn carried_out_there(
    globals: &Globals,
    daemon: &Daemon,
    (file, args): (&Path, &Sync),
    report: &Report,
) -> Result<CarriedOrEnded, AppError> {
    let job = beside::job(globals, args.job.as_deref())?;
    let asked = SyncRequest {
        full: args.full,
        allow_deletions: args.allow_deletions,
        allow_creations: args.allow_creations,
        saved: Some(SavedRequest {
            exact: args.exact,
            plan: Saved::read(file)?,
        }),
        settings: Some(beside::settings_of(globals, &job)?),
    };
    let path = format!("/jobs/{}/sync", beside::part(&job));
    match daemon.order(Question::post(path, &asked), args.patience, report)? {
        Ended::Done {
            summary,
            findings,
            compared: Some(compared),
            problem,
            cancelled: false,
            ..
        } => {
            let carried = CarriedOut {
                summary: summary.map(|summary| *summary),
                error: problem,
                compared: *compared,
                findings,
            };
            carried.beside(file).map(Ok)
        }
        other => Ok(Err(other)),
    }
}

fn shown_carried(carried: &Carried, report: &mut Report) -> Result<Exit, AppError> {
    report.show(carried, || {
        let mut words = text::summary(&carried.summary, &carried.findings);
        words += &list("Left, because the saved plan does not have it so:", &carried.left);
        let head = "In the saved plan, and not carried out: no longer wanted, or withheld:";
        words + &list(head, &carried.missed)
    });
    if let Some(error) = &carried.error {
        return Err(error.clone());
    }
    let exit = Exit::from(carried.summary.outcome);
    Ok(if carried.is_part {
        exit.or(Exit::Entries)
    } else {
        exit
    })
}

/// As many as fit a screen.
const SHOWN: usize = 20;

fn list(head: &str, entries: &[Json]) -> String {
    if entries.is_empty() {
        return String::new();
    }
    let lines = entries.iter().take(SHOWN);
    let lines: String = lines.map(|entry| format!("  {}\n", plans::line(entry))).collect();
    let more = match entries.len().saturating_sub(SHOWN) {
        0 => String::new(),
        more => format!("  … and {more} more (all of them with -o json)\n"),
    };
    format!("{head}\n{lines}{more}")
}
