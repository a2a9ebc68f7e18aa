//! `history`: the audit log shown, exported, and an export checked.

use std::cell::RefCell;
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
use super::report::Pages;
use super::report::Report;
use super::when;
use crate::app::actor::Actor;
use crate::app::desk::Desk;
use crate::app::error::AppError;
use crate::app::proof;
use crate::app::proof::ExportRequest;
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
    /// With this operation, as in `update_user`.
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

/// Entries as they are listed, in either form and order.
struct Listing<'r> {
    pages: Pages<'r>,
    json: bool,
    /// At most so many.
    limit: Option<usize>,
    /// Those that are held until the last is known; `None` where they are shown as they come.
    held: Option<Vec<String>>,
    begun: bool,
    count: usize,
    shown: usize,
    /// True where there are more than the limit.
    more: bool,
}

impl<'r> Listing<'r> {
    fn new(report: &'r mut Report, limit: Option<usize>, reverse: bool) -> Self {
        Self {
            json: report.is_json(),
            pages: report.pages(),
            limit,
            held: reverse.then(Vec::new),
            begun: false,
            count: 0,
            shown: 0,
            more: false,
        }
    }

    fn begin(&mut self, job: &str) {
        if self.json && !self.begun {
            let job = serde_json::Value::from(job);
            self.pages.add(&format!("{{\"job\":{job},\"entries\":[\n"));
        }
        self.begun = true;
    }

    /// Takes an entry, the newest first. Returns false where it is one too many.
    fn entry(&mut self, text: String) -> bool {
        if self.limit == Some(self.count) {
            self.more = true;
            return false;
        }
        self.count += 1;
        match &mut self.held {
            Some(held) => held.push(text),
            None => self.put(&text),
        }
        true
    }

    fn put(&mut self, text: &str) {
        if self.json && self.shown > 0 {
            self.pages.add(",\n");
        }
        self.shown += 1;
        self.pages.add(&shown_lines(text));
    }

    /// Ends it, unless it never began: then something is wrong, and that is said elsewhere.
    fn finish(mut self) {
        if !self.begun {
            return;
        }
        for text in self.held.take().into_iter().flatten().rev() {
            self.put(&text);
        }
        if self.json {
            self.pages.add(&format!("\n],\"more\":{}}}\n", self.more));
        } else if self.count == 0 {
            self.pages.add("No entry in the history is like that.\n");
        } else if self.more {
            self.pages
                .add("… there are older entries: -n N shows so many, -n 0 all\n");
        }
        self.pages.finish();
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

/// Entries are asked for so many at a time, and never many more than are wanted.
const TOGETHER: usize = 500;

/// Lists what the daemon has, page by page, newest first.
fn pages(daemon: &Daemon, job: &str, wanted: &Wanted, listing: &mut Listing<'_>) -> Result<(), AppError> {
    let wanted = serde_json::to_value(wanted).expect("its keys are texts");
    let together = listing
        .limit
        .map_or(TOGETHER, |limit| TOGETHER.min(limit + 1))
        .to_string();
    let mut query: Vec<(&str, &str)> = vec![("limit", &together), ("newest", "true"), ("words", "true")];
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
            let text = if listing.json {
                shown_json(&entry.to_string()).into_owned()
            } else {
                words.clone()
            };
            if !listing.entry(text) {
                return Ok(());
            }
        }
        next = now.next.map(|from| page(Some(from))).transpose()?;
    }
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
