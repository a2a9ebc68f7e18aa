//! `status`: the jobs, their last and next cycles, and what is still to be done.

use std::time::Duration;

use clap::Args;

use super::args::Globals;
use super::args::span;
use super::beside;
use super::beside::Daemon;
use super::beside::Question;
use super::beside::Told;
use super::exit::Exit;
use super::orders;
use super::report::Report;
use crate::app::error::AppError;
use crate::app::install::Installation;
use crate::app::views::status;
use crate::app::words::Words;
use crate::model::clock::Clock;
use crate::model::clock::SystemClock;

/// `status`.
#[derive(Debug, Clone, Args)]
pub struct Status {
    /// The job; all where absent.
    pub job: Option<String>,
    /// Follow this order or cycle of the daemon to its end, as if it had been given here.
    #[arg(long, value_name = "CYCLE")]
    pub follow: Option<uuid::Uuid>,
    /// Show it again every so often, until Ctrl-C.
    #[arg(long, value_name = "EVERY", value_parser = span, num_args = 0..=1, default_missing_value = "2s", conflicts_with = "follow")]
    pub watch: Option<Duration>,
    /// Exit as the table of exit codes has it for what needs a person: for monitoring.
    #[arg(long, conflicts_with_all = ["follow", "watch"])]
    pub exit_code: bool,
}

/// Shows one job, or all.
pub fn run(globals: &Globals, args: &Status, report: &mut Report) -> Result<Exit, AppError> {
    if let Some(cycle) = args.follow {
        let here = || {
            Installation::open_offline(&globals.config)?;
            Err(not_running())
        };
        let followed = beside::ask(globals, here, |daemon| daemon.attach(&cycle.to_string(), report))?;
        return orders::ended(followed, report);
    }
    let Some(every) = args.watch else {
        let (told, exit) = look(globals, args, report.is_json())?;
        match told {
            Told::Document(document) => report.json(&document),
            Told::Words(words) => report.text(&words),
        }
        return Ok(if args.exit_code { exit } else { Exit::Done });
    };
    loop {
        match look(globals, args, report.is_json())?.0 {
            Told::Document(document) => report.json_line(&document),
            Told::Words(words) => report.screen(&words),
        }
        if report.is_gone() {
            return Ok(Exit::Done);
        }
        std::thread::sleep(every);
    }
}

/// How the jobs stand, and the exit code that stands for it.
fn look(globals: &Globals, args: &Status, json: bool) -> Result<(Told, Exit), AppError> {
    let here = || {
        let installation = Installation::open_offline(&globals.config)?;
        let status = status::status(&installation, args.job.as_deref(), SystemClock.now())?;
        let exit = worst(status.exit_codes());
        let told = if json {
            Told::Document(serde_json::to_value(&status).expect("a view has text keys only"))
        } else {
            Told::Words(status.words())
        };
        Ok((told, exit))
    };
    let there = |daemon: &Daemon| {
        let job: Vec<_> = args.job.iter().map(|job| ("job", job.as_str())).collect();
        let question = || Question::get("/jobs").asking(&job);
        // Whoever does not ask for the code is answered at once in the form that they asked for.
        if !(json || args.exit_code) {
            return Ok((daemon.told(question(), false)?, Exit::Done));
        }
        let told = daemon.told(question(), true)?;
        let exit = match &told {
            Told::Document(document) => {
                let jobs = document["jobs"].as_array().into_iter().flatten();
                let codes = jobs.filter_map(|job| job.pointer("/verdict/exit_code")?.as_u64());
                worst(codes.filter_map(|code| u8::try_from(code).ok()))
            }
            Told::Words(_) => Exit::Failed,
        };
        let told = if json {
            told
        } else {
            daemon.told(question(), false)?
        };
        Ok((told, exit))
    };
    beside::ask(globals, here, there)
}

fn worst(codes: impl Iterator<Item = u8>) -> Exit {
    codes.map(Exit::of_code).fold(Exit::Done, Exit::or)
}

/// Orders are a daemon's.
pub(super) fn not_running() -> AppError {
    AppError::usage(
        "no daemon runs here, and so there are no orders",
        "`melonsync history` shows what was done; `melonsync run` starts the daemon",
    )
}
