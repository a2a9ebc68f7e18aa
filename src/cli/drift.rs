//! `drift`: where the target is not as it was left: as the last reading found it, read now, or put right now.

use std::sync::Arc;

use clap::Args;

use super::args::Globals;
use super::beside;
use super::beside::Daemon;
use super::beside::Ended;
use super::beside::Question;
use super::beside::Told;
use super::confirm::Asking;
use super::exit::Exit;
use super::patience::Patience;
use super::process;
use super::report::Report;
use super::watch::Progress;
use crate::app::cycles;
use crate::app::cycles::Allowing;
use crate::app::cycles::Extent;
use crate::app::cycles::Job;
use crate::app::cycles::Report as CycleReport;
use crate::app::cycles::Summary;
use crate::app::error::AppError;
use crate::app::install;
use crate::app::install::Installation;
use crate::app::service::request::DriftRequest;
use crate::app::text::summary as text;
use crate::app::views::drift;
use crate::app::words;
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
    let question = "Read the target now, and put right whatever drifted there?";
    if args.heal && !Asking::of(globals).goes_on(question) {
        return Ok(Exit::Cancelled);
    }
    let seen = beside::ask(
        globals,
        || here(globals, args, report),
        |daemon| there(globals, args, daemon, report),
    )?;
    if let Some((summary, findings)) = seen.cycle.as_ref().filter(|_| !report.is_json()) {
        report_cycle(args, summary, findings, report);
    }
    match &seen.told {
        Told::Document(document) => report.json(document),
        Told::Words(words) => report.text(words),
    }
    let exit = seen
        .cycle
        .map_or(Exit::Done, |(summary, _)| Exit::from(summary.outcome));
    Ok(match exit {
        Exit::Done if args.detailed_exitcode && seen.is_any => Exit::Changes,
        other => other,
    })
}

/// What is shown, and what the exit code hangs on.
struct Seen {
    told: Told,
    /// The cycle that looked, where one did.
    cycle: Option<(Summary, Vec<String>)>,
    /// There is drift.
    is_any: bool,
}

fn here(globals: &Globals, args: &Drift, report: &Report) -> Result<Seen, AppError> {
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
    let mut cycle = None;
    if acts {
        let job = installation.acting_job(name, snapshot.clone(), report.is_json())?;
        let (done, findings) = look(&job, args.heal, report)?;
        if let Some(error) = &done.error {
            return Err(AppError::from(error));
        }
        cycle = Some((done.summary, findings));
    }
    let mut found = drift::drift(&snapshot, name)?;
    found.summary = cycle.as_ref().map(|(summary, _)| summary.clone());
    Ok(Seen {
        is_any: !found.drift.is_none(),
        told: if report.is_json() {
            Told::Document(serde_json::to_value(&found).expect("its keys are texts"))
        } else {
            Told::Words(words::drift::text(&found, args.heal))
        },
        cycle,
    })
}

fn there(globals: &Globals, args: &Drift, daemon: &Daemon, report: &Report) -> Result<Seen, AppError> {
    let job = beside::job(globals, args.job.as_deref())?;
    let path = format!("/jobs/{}/drift", beside::part(&job));
    let mut cycle = None;
    if args.refresh || args.heal {
        let asked = DriftRequest {
            settings: Some(beside::settings_of(globals, &job)?),
        };
        let word = if args.heal { "heal" } else { "refresh" };
        let order = Question::post(format!("{path}/{word}"), &asked);
        match daemon.order(order, Patience::default(), report)? {
            Ended::Done {
                problem: Some(problem),
                ..
            } => return Err(problem),
            Ended::Done {
                summary, findings, ..
            } => {
                cycle = summary.map(|summary| (*summary, findings));
            }
            Ended::Left { .. } => {}
        }
    }
    let mut document: serde_json::Value = daemon.asked(Question::get(path.as_str()))?;
    let counts = document["drift"].as_object();
    let is_any = counts.is_some_and(|counts| counts.values().any(|count| count.as_u64() != Some(0)));
    let told = if report.is_json() {
        if let Some((summary, _)) = &cycle {
            document["summary"] = serde_json::to_value(summary).expect("its keys are texts");
        }
        Told::Document(document)
    } else {
        let healed = if args.heal { "true" } else { "false" };
        daemon.told(Question::get(path).asking(&[("healed", healed)]), false)?
    };
    Ok(Seen { told, cycle, is_any })
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

fn report_cycle(args: &Drift, summary: &Summary, findings: &[String], report: &mut Report) {
    if args.heal {
        return report.text(&text::summary(summary, findings));
    }
    for finding in findings {
        report.text(&format!("note: {}", shown(finding)));
    }
}
