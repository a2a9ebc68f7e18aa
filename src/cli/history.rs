//! `history`: the audit log shown, exported, and an export checked.

use std::cell::Cell;
use std::cell::RefCell;
use std::io::Write;
use std::path::Path;
use std::path::PathBuf;

use clap::Args;
use clap::Subcommand;
use serde::Deserialize;

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
            let here = || {
                let desk = Desk::open_job(&globals.config, job.as_deref(), Actor::local_user())?;
                cycles::cycles(&desk.snapshot, &desk.job, usize::MAX, None)
            };
            let there = || {
                let job = beside::job(globals, job.as_deref())?;
                Ok(Question::get(format!("/jobs/{}/cycles", beside::part(&job))))
            };
            beside::answer(globals, report, here, there)
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
            let here = || {
                let desk = Desk::open_job(&globals.config, job.as_deref(), Actor::local_user())?;
                proof::export(&desk, since, until, out)
            };
            let there = |daemon: &Daemon| {
                proof::may_export_to(out)?;
                let job = beside::job(globals, job.as_deref())?;
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
    let json = report.is_json();
    let out = RefCell::new(report.out());
    // Stdout swallows what nobody reads, so writing cannot fail.
    let write = |text: &str| drop(out.borrow_mut().write_all(text.as_bytes()));
    let listing = Listing {
        json,
        write: &write,
        count: Cell::new(0),
    };
    let here = || {
        let desk = Desk::open_job(&globals.config, args.job.as_deref(), Actor::local_user())?;
        let history = history::history(&desk.snapshot, &desk.job, wanted.clone())?;
        listing.begin(&desk.job);
        let walked = history.each(|entry| {
            let text = if json {
                document(&entry)
            } else {
                words::history::entry(&entry)
            };
            listing.entry(&text);
        });
        listing.end();
        walked
    };
    let there = |daemon: &Daemon| {
        let job = beside::job(globals, args.job.as_deref())?;
        pages(daemon, &job, &wanted, &listing)
    };
    let walked = beside::ask(globals, here, there);
    let _ = out.borrow_mut().flush();
    walked?;
    Ok(Exit::Done)
}

/// Entries as they are listed, in either form.
struct Listing<'w> {
    json: bool,
    write: &'w dyn Fn(&str),
    count: Cell<u64>,
}

impl Listing<'_> {
    fn begin(&self, job: &str) {
        if self.json {
            (self.write)(&format!(
                "{{\"job\":{},\"entries\":[",
                serde_json::Value::from(job)
            ));
        }
    }

    fn entry(&self, text: &str) {
        let before = self.count.replace(self.count.get() + 1);
        if self.json && before > 0 {
            (self.write)(",");
        }
        (self.write)(&shown_lines(text));
    }

    fn end(&self) {
        (self.write)(match (self.json, self.count.get()) {
            (true, _) => "]}\n",
            (false, 0) => "No entry in the history is like that.\n",
            (false, _) => "",
        });
    }
}

/// A page as the daemon gives it.
#[derive(Deserialize)]
struct Page {
    entries: Vec<serde_json::Value>,
    next: Option<u64>,
    /// The same entries in words.
    words: Vec<String>,
}

/// Entries are asked for so many at a time.
const TOGETHER: &str = "500";

/// Lists what the daemon has, page by page.
fn pages(daemon: &Daemon, job: &str, wanted: &Wanted, listing: &Listing<'_>) -> Result<(), AppError> {
    let wanted = serde_json::to_value(wanted).expect("its keys are texts");
    let mut query: Vec<(&str, &str)> = vec![("limit", TOGETHER), ("words", "true")];
    for (name, value) in wanted.as_object().into_iter().flatten() {
        query.extend(value.as_str().map(|value| (name.as_str(), value)));
    }
    let path = format!("/jobs/{}/history", beside::part(job));
    let page = |from: Option<u64>| {
        let question = Question::get(path.as_str()).asking(&query);
        match from {
            None => daemon.asked::<Page>(question),
            Some(from) => daemon.asked(question.asking(&[("after", &from.to_string())])),
        }
    };
    let mut next = Some(page(None)?);
    // Not before: a question that is refused has no listing.
    listing.begin(job);
    while let Some(now) = next {
        for (entry, words) in now.entries.iter().zip(&now.words) {
            listing.entry(&if listing.json {
                shown_json(&entry.to_string()).into_owned()
            } else {
                words.clone()
            });
        }
        next = now.next.map(|from| page(Some(from))).transpose()?;
    }
    listing.end();
    Ok(())
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
