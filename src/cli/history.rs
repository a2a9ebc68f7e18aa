//! `history`: the audit log shown, exported, and an export checked.

mod listing;

use std::cell::RefCell;
use std::path::Path;
use std::path::PathBuf;

use clap::Args;
use clap::Subcommand;
use serde::Deserialize;

use self::listing::Listing;
use self::listing::pages;
use super::args::Globals;
use super::beside;
use super::beside::Daemon;
use super::beside::Question;
use super::exit::Exit;
use super::report::Report;
use super::when;
use crate::app::actor::Actor;
use crate::app::desk::Desk;
use crate::app::error::AppError;
use crate::app::proof;
use crate::app::proof::ExportRequest;
use crate::app::views::active;
use crate::app::views::changes;
use crate::app::views::cycles;
use crate::app::views::history;
use crate::app::views::history::HistoryEntry;
use crate::app::views::history::Wanted;
use crate::app::words;
use crate::model::clock::Clock;
use crate::model::clock::SystemClock;
use crate::model::clock::Timestamp;
use crate::model::id::CycleId;
use crate::model::shown::shown_json;

/// `history`.
#[derive(Debug, Clone, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct History {
    /// What else to do with the history.
    #[command(subcommand)]
    pub action: Option<HistoryAction>,
    /// The job; may be left out where there is one.
    pub job: Option<String>,
    /// Of this object, with its memberships: an id, or any name, UPN or mail that it ever had.
    #[arg(long, value_name = "OBJ")]
    pub object: Option<String>,
    /// Of this cycle: its id, the beginning of one, `last`, or `last~1` for the one before.
    #[arg(long, value_name = "CYCLE")]
    pub cycle: Option<String>,
    /// From this time on: 2026-11-25, 2026-11-25T08:30:00Z, or how long ago (24h, 7d).
    #[arg(long, value_name = "T")]
    pub since: Option<String>,
    /// Up to this time; a day counts whole.
    #[arg(long, value_name = "T")]
    pub until: Option<String>,
    /// With this operation, as in `update_user`; `decision` for all that is none of a cycle's own: pause, hold, release, restore, …
    #[arg(long, value_name = "OP")]
    pub operation: Option<String>,
    /// By this actor: `schedule`, or a user by name (`ada`), or whole (`ada (uid 1000)`).
    #[arg(long, value_name = "A")]
    pub actor: Option<String>,
    /// With this result: done, failed, …
    #[arg(long, value_name = "R")]
    pub result: Option<String>,
    /// At most so many entries, the newest; 0 for all [default: 50; all with -o json].
    #[arg(short = 'n', long, value_name = "N")]
    pub limit: Option<usize>,
    /// The oldest of them first.
    #[arg(long)]
    pub reverse: bool,
}

/// What else to do with the history.
#[derive(Debug, Clone, Subcommand)]
pub enum HistoryAction {
    /// Write a part of it as JSON Lines, with the chain that proves it.
    Export {
        /// The job; may be left out where there is one.
        job: Option<String>,
        /// From this time on; from the beginning where absent.
        #[arg(long, value_name = "T")]
        since: Option<String>,
        /// Up to this time; up to now where absent.
        #[arg(long, value_name = "T")]
        until: Option<String>,
        /// The folder to write; empty, or not there yet.
        #[arg(long, value_name = "DIR")]
        out: PathBuf,
    },
    /// List the cycles that the job keeps the summaries of, newest first.
    Cycles {
        /// The job; may be left out where there is one.
        job: Option<String>,
    },
    /// Count what changed within a time, by operation and cause.
    Summary {
        /// The job; may be left out where there is one.
        job: Option<String>,
        /// From this time on: 2026-11-25, 2026-11-25T08:30:00Z, or how long ago (24h, 7d).
        #[arg(long, value_name = "T", default_value = "24h")]
        since: String,
        /// Up to this time; a day counts whole.
        #[arg(long, value_name = "T")]
        until: Option<String>,
    },
    /// List who was active at the target on a day, or at a moment.
    Active {
        /// The job; may be left out where there is one.
        job: Option<String>,
        /// A day (2026-11-25): whoever was active at some time of it; a moment (2026-11-25T08:30:00Z), or how long ago (24h, 7d).
        #[arg(long, value_name = "T")]
        on: String,
        /// At most so many users; 0 for all [default: 1000; all with -o json].
        #[arg(short = 'n', long, value_name = "N")]
        limit: Option<usize>,
    },
    /// Check an export: needs neither the daemon nor the state, nor a config.
    Verify {
        /// The folder that `history export` wrote.
        dir: PathBuf,
    },
}

/// Shows the history, or does what the subcommand says.
pub fn run(globals: &Globals, args: &History, report: &mut Report) -> Result<Exit, AppError> {
    match &args.action {
        None => show(globals, args, report),
        Some(HistoryAction::Verify { dir }) => verify(dir, report),
        Some(HistoryAction::Cycles { job }) => cycles_kept(globals, job.as_deref(), report),
        Some(HistoryAction::Summary { job, since, until }) => {
            let within = (since.as_str(), until.as_deref());
            summary(globals, job.as_deref(), within, report)
        }
        Some(HistoryAction::Active { job, on, limit }) => {
            active(globals, job.as_deref(), (on, *limit), report)
        }
        Some(HistoryAction::Export {
            job,
            since,
            until,
            out,
        }) => {
            let within = (since.as_deref(), until.as_deref());
            export(globals, job.as_deref(), within, (out, report))
        }
    }
}

fn cycles_kept(globals: &Globals, job: Option<&str>, report: &mut Report) -> Result<Exit, AppError> {
    let here = || {
        let desk = Desk::open_job(&globals.config, job, Actor::local_user())?;
        cycles::cycles(&desk.snapshot, &desk.job, usize::MAX, None)
    };
    let there = || {
        let job = beside::job(globals, job)?;
        Ok(Question::get(format!("/jobs/{}/cycles", beside::part(&job))))
    };
    beside::answer(globals, report, here, there)
}

/// What changed within a time.
fn summary(
    globals: &Globals,
    job: Option<&str>,
    (since, until): (&str, Option<&str>),
    report: &mut Report,
) -> Result<Exit, AppError> {
    let now = SystemClock.now();
    let since = moment("--since", Some(since), now, false)?;
    let until = moment("--until", until, now, true)?;
    let here = || {
        let desk = Desk::open_job(&globals.config, job, Actor::local_user())?;
        changes::changes(&desk.snapshot, &desk.job, since, until)
    };
    let there = || {
        let job = beside::job(globals, job)?;
        let (since, until) = (since.map(|at| at.to_string()), until.map(|at| at.to_string()));
        let mut query = Vec::new();
        query.extend(since.as_deref().map(|at| ("since", at)));
        query.extend(until.as_deref().map(|at| ("until", at)));
        Ok(Question::get(format!("/jobs/{}/history/summary", beside::part(&job))).asking(&query))
    };
    beside::answer(globals, report, here, there)
}

/// As many users as are listed to people who do not say how many.
const ACTIVE_SHOWN: usize = 1000;

/// Who was active on a day, or at a moment.
fn active(
    globals: &Globals,
    job: Option<&str>,
    (on, limit): (&str, Option<usize>),
    report: &mut Report,
) -> Result<Exit, AppError> {
    let now = SystemClock.now();
    let from = moment("--on", Some(on), now, false)?;
    let to = moment("--on", Some(on), now, true)?;
    let limit = match limit {
        Some(0) => None,
        Some(limit) => Some(limit),
        None => (!report.is_json()).then_some(ACTIVE_SHOWN),
    };
    let here = || {
        let desk = Desk::open_job(&globals.config, job, Actor::local_user())?;
        active::active(&desk.snapshot, &desk.job, (from, to), limit.unwrap_or(usize::MAX))
    };
    let there = || {
        let job = beside::job(globals, job)?;
        let (from, to) = (from.map(|at| at.to_string()), to.map(|at| at.to_string()));
        let limit = limit.map(|limit| limit.to_string());
        let mut query = Vec::new();
        query.extend(from.as_deref().map(|at| ("from", at)));
        query.extend(to.as_deref().map(|at| ("to", at)));
        query.extend(limit.as_deref().map(|limit| ("limit", limit)));
        Ok(Question::get(format!("/jobs/{}/history/active", beside::part(&job))).asking(&query))
    };
    beside::answer(globals, report, here, there)
}

/// Writes a part of the history, with the chain that proves it.
fn export(
    globals: &Globals,
    job: Option<&str>,
    (since, until): (Option<&str>, Option<&str>),
    (out, report): (&Path, &mut Report),
) -> Result<Exit, AppError> {
    let now = SystemClock.now();
    let since = moment("--since", since, now, false)?.unwrap_or(Timestamp(0));
    let until = moment("--until", until, now, true)?.unwrap_or(now);
    let here = || {
        let desk = Desk::open_job(&globals.config, job, Actor::local_user())?;
        proof::export(&desk, since, until, out)
    };
    let there = |daemon: &Daemon| {
        proof::may_export_to(out)?;
        let job = beside::job(globals, job)?;
        let asked = ExportRequest {
            since: Some(since),
            until: Some(until),
            out: Some(beside::place(out)),
        };
        let path = format!("/jobs/{}/history/export", beside::part(&job));
        let mut got = daemon.fetched(Question::post(path, &asked))?;
        proof::keep(&mut got.file, out)
    };
    let exported = beside::ask(globals, here, there)?;
    report.show(&exported, || words::history::exported(&exported));
    Ok(Exit::Done)
}

fn moment(flag: &str, text: Option<&str>, now: Timestamp, end: bool) -> Result<Option<Timestamp>, AppError> {
    text.map(|text| when::parse(flag, text, now, end)).transpose()
}

/// As many entries as are shown to people who do not say how many.
const SHOWN: usize = 50;

/// As many entries as are shown; `None` for all.
fn wanted_number(asked: Option<usize>, json: bool) -> Option<usize> {
    match asked {
        Some(0) => None,
        Some(limit) => Some(limit),
        None => (!json).then_some(SHOWN),
    }
}

fn show(globals: &Globals, args: &History, report: &mut Report) -> Result<Exit, AppError> {
    let now = SystemClock.now();
    let wanted = Wanted {
        object: args.object.clone(),
        cycle: None,
        since: moment("--since", args.since.as_deref(), now, false)?,
        until: moment("--until", args.until.as_deref(), now, true)?,
        operation: args.operation.clone(),
        actor: args.actor.clone(),
        result: args.result.clone(),
    };
    let json = report.is_json();
    let mut listing = Listing::new(report, wanted_number(args.limit, json), args.reverse);
    let listed = RefCell::new(&mut listing);
    let here = || {
        let desk = Desk::open_job(&globals.config, args.job.as_deref(), Actor::local_user())?;
        let cycle = match &args.cycle {
            Some(name) => Some(cycles::id_of(&desk.snapshot, name)?),
            None => None,
        };
        let wanted = Wanted {
            cycle,
            ..wanted.clone()
        };
        let history = history::history(&desk.snapshot, &desk.job, wanted)?;
        let mut listing = listed.borrow_mut();
        listing.begin(&desk.job);
        history.each_newest(None, |entry| {
            let text = if json {
                document(&entry)
            } else {
                words::history::entry(&entry)
            };
            listing.entry(text)
        })?;
        Ok(())
    };
    let there = |daemon: &Daemon| {
        let job = beside::job(globals, args.job.as_deref())?;
        let cycle = match &args.cycle {
            Some(name) => Some(cycle_there(daemon, &job, name)?),
            None => None,
        };
        let wanted = Wanted {
            cycle,
            ..wanted.clone()
        };
        pages(daemon, &job, &wanted, *listed.borrow_mut())
    };
    let walked = beside::ask(globals, here, there);
    listing.finish();
    walked?;
    Ok(Exit::Done)
}

/// The cycle of a name, as the daemon knows it; a whole id is one, whatever is kept of it.
fn cycle_there(daemon: &Daemon, job: &str, name: &str) -> Result<CycleId, AppError> {
    if let Ok(id) = name.parse() {
        return Ok(CycleId(id));
    }
    let path = format!("/jobs/{}/cycles", beside::part(job));
    let kept: Kept = daemon.asked(Question::get(path))?;
    cycles::id_among(&kept.cycles, name)
}

/// The cycles that the daemon keeps of a job.
#[derive(Deserialize)]
struct Kept {
    cycles: Vec<serde_json::Value>,
}

fn document(entry: &HistoryEntry) -> String {
    let document = serde_json::to_string(entry).expect("an entry has text keys only");
    shown_json(&document).into_owned()
}

fn verify(folder: &Path, report: &mut Report) -> Result<Exit, AppError> {
    let checked = proof::verify(folder)?;
    report.show(&checked, || words::history::checked(&checked));
    if checked.ok {
        return Ok(Exit::Done);
    }
    Err(AppError::failed(
        format!("{} is not what was exported", folder.display()),
        "export the history again, and find out who had access to the folder",
    ))
}
