//! `history`: the audit log shown, exported, and an export checked.

mod text;

use std::cell::RefCell;
use std::io::Write;
use std::path::Path;
use std::path::PathBuf;

use clap::Args;
use clap::Subcommand;

use super::args::Globals;
use super::exit::Exit;
use super::report::Report;
use super::when;
use crate::app::actor::Actor;
use crate::app::desk::Desk;
use crate::app::error::AppError;
use crate::app::proof;
use crate::app::views::cycles;
use crate::app::views::history;
use crate::app::views::history::HistoryEntry;
use crate::app::views::history::Wanted;
use crate::model::clock::Clock;
use crate::model::clock::SystemClock;
use crate::model::clock::Timestamp;
use crate::model::id::CycleId;
use crate::model::shown::shown_json;
use crate::model::shown::shown_lines;

/// `history`.
#[derive(Debug, Clone, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct History {
    /// What else to do with the history.
    #[command(subcommand)]
    pub action: Option<HistoryAction>,
    /// The job; may be left out where there is one.
    pub job: Option<String>,
    /// Of this object: an id, or any name, UPN or mail that it ever had.
    #[arg(long, value_name = "OBJ")]
    pub object: Option<String>,
    /// Of this cycle.
    #[arg(long, value_name = "ID")]
    pub cycle: Option<uuid::Uuid>,
    /// From this time on: 2026-11-25, 2026-11-25T08:30:00Z, or how long ago (24h, 7d).
    #[arg(long, value_name = "T")]
    pub since: Option<String>,
    /// Up to this time; a day counts whole.
    #[arg(long, value_name = "T")]
    pub until: Option<String>,
    /// With this operation, as in `update_user`.
    #[arg(long, value_name = "OP")]
    pub operation: Option<String>,
    /// By this actor: `schedule`, or a user by name (`ada`), or whole (`ada (uid 1000)`).
    #[arg(long, value_name = "A")]
    pub actor: Option<String>,
    /// With this result: done, failed, …
    #[arg(long, value_name = "R")]
    pub result: Option<String>,
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
        Some(HistoryAction::Cycles { job }) => {
            let desk = Desk::open_job(&globals.config, job.as_deref(), Actor::local_user())?;
            let cycles = cycles::cycles(&desk.snapshot, &desk.job, usize::MAX, None)?;
            report.show(&cycles, || text::cycles(&cycles));
            Ok(Exit::Done)
        }
        Some(HistoryAction::Export {
            job,
            since,
            until,
            out,
        }) => {
            let now = SystemClock.now();
            let since = moment("--since", since.as_deref(), now, false)?.unwrap_or(Timestamp(0));
            let until = moment("--until", until.as_deref(), now, true)?.unwrap_or(now);
            let desk = Desk::open_job(&globals.config, job.as_deref(), Actor::local_user())?;
            let exported = proof::export(&desk, since, until, out)?;
            report.show(&exported, || text::exported(&exported));
            Ok(Exit::Done)
        }
    }
}

fn moment(flag: &str, text: Option<&str>, now: Timestamp, end: bool) -> Result<Option<Timestamp>, AppError> {
    text.map(|text| when::parse(flag, text, now, end)).transpose()
}

fn show(globals: &Globals, args: &History, report: &mut Report) -> Result<Exit, AppError> {
    let now = SystemClock.now();
    let wanted = Wanted {
        object: args.object.clone(),
        cycle: args.cycle.map(CycleId),
        since: moment("--since", args.since.as_deref(), now, false)?,
        until: moment("--until", args.until.as_deref(), now, true)?,
        operation: args.operation.clone(),
        actor: args.actor.clone(),
        result: args.result.clone(),
    };
    let desk = Desk::open_job(&globals.config, args.job.as_deref(), Actor::local_user())?;
    let history = history::history(&desk.snapshot, &desk.job, wanted)?;
    let json = report.is_json();
    let out = RefCell::new(report.out());
    let mut count = 0u64;
    // Stdout swallows what nobody reads, so writing cannot fail.
    let write = |text: &str| drop(out.borrow_mut().write_all(text.as_bytes()));
    if json {
        write(&format!(
            "{{\"job\":{},\"entries\":[",
            serde_json::Value::from(desk.job.as_str())
        ));
    }
    let walked = history.each(|entry| {
        let text = match (json, count) {
            (true, 0) => document(&entry),
            (true, _) => format!(",{}", document(&entry)),
            (false, _) => text::entry(&entry),
        };
        count += 1;
        write(&shown_lines(&text));
    });
    write(match (json, count) {
        (true, _) => "]}\n",
        (false, 0) => "No entry in the history is like that.\n",
        (false, _) => "",
    });
    let _ = out.borrow_mut().flush();
    walked?;
    Ok(Exit::Done)
}

fn document(entry: &HistoryEntry) -> String {
    let document = serde_json::to_string(entry).expect("an entry has text keys only");
    shown_json(&document).into_owned()
}

fn verify(folder: &Path, report: &mut Report) -> Result<Exit, AppError> {
    let checked = proof::verify(folder)?;
    report.show(&checked, || text::checked(&checked));
    if checked.ok {
        return Ok(Exit::Done);
    }
    Err(AppError::failed(
        format!("{} is not what was exported", folder.display()),
        "export the history again, and find out who had access to the folder",
    ))
}
