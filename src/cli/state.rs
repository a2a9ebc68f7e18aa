//! `state`: the snapshot checked, exported and imported, backed up and restored, compacted, and somebody in it forgotten.

use std::cell::RefCell;
use std::path::Path;
use std::path::PathBuf;

use clap::Args;
use clap::Subcommand;

use super::args::Globals;
use super::args::OneJob;
use super::beside;
use super::beside::Question;
use super::confirm::Asking;
use super::exit::Exit;
use super::report::Report;
use crate::app::actor::Actor;
use crate::app::desk::Desk;
use crate::app::error::AppError;
use crate::app::install::Installation;
use crate::app::plans;
use crate::app::service::request::BackupRequest;
use crate::app::service::request::ForgetRequest;
use crate::app::service::request::HandoverRequest;
use crate::app::service::request::StateRequest;
use crate::app::state;
use crate::app::state::Copied;
use crate::app::state::HandedOver;
use crate::app::words::state as text;
use crate::model::clock::Clock;
use crate::model::clock::SystemClock;

/// `state`.
#[derive(Debug, Clone, Args)]
pub struct State {
    /// What to do with the snapshot.
    #[command(subcommand)]
    pub action: StateAction,
}

/// What to do with the snapshot.
#[derive(Debug, Clone, Subcommand)]
pub enum StateAction {
    /// Check every record and the history's chain.
    Verify(OneJob),
    /// Print the snapshot as JSON Lines.
    Export(OneJob),
    /// Write the snapshot to a file.
    Backup {
        /// The job; may be left out where there is one.
        job: Option<String>,
        /// The file to write; must not exist.
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
        /// Hand the job over to another host: `run` and `sync` refuse it here from now on.
        #[arg(long)]
        handover: bool,
    },
    /// Put a backup in the snapshot's place; the next cycle reads the source from the beginning.
    Restore {
        /// The job; may be left out where there is one.
        job: Option<String>,
        /// The backup.
        #[arg(long, value_name = "FILE")]
        from: PathBuf,
        /// Set the snapshot that is there aside.
        #[arg(long)]
        force: bool,
    },
    /// Make the snapshot out of what `state export` printed; the next cycle reads the source from the beginning.
    Import {
        /// The job; may be left out where there is one.
        job: Option<String>,
        /// The export.
        #[arg(long, value_name = "FILE")]
        from: PathBuf,
        /// Set the snapshot that is there aside.
        #[arg(long)]
        force: bool,
    },
    /// Write the snapshot anew without what was overwritten or erased in it.
    Compact(OneJob),
    /// Erase the personal values of an object that is neither linked nor in scope any more.
    #[command(allow_missing_positional = true)]
    Forget {
        /// The job; may be left out where there is one.
        job: Option<String>,
        /// An object id, or a name, UPN or mail that it had.
        object: String,
    },
}

/// What is asked before a backup takes the place of a state.
const REPLACES: &str = "Put the backup in place of the state that is there?";

/// Carries out one of them. What replaces the store's files needs the state folder for itself.
pub fn run(globals: &Globals, action: &StateAction, report: &mut Report) -> Result<Exit, AppError> {
    let installation = || Installation::open_offline(&globals.config);
    match action {
        StateAction::Verify(args) => verify(globals, args.job.as_deref(), report)?,
        StateAction::Export(args) => export(globals, args.job.as_deref(), report)?,
        StateAction::Backup { job, out, handover } => {
            let done = backup(globals, job.as_deref(), (out, *handover))?;
            report.show(&done, || backed_up(&done));
            if *handover {
                report.note(&text::handed_over(&done.job, &done.file));
            }
        }
        StateAction::Restore { force: true, .. } if !Asking::of(globals).goes_on(REPLACES) => {
            return Ok(Exit::Cancelled);
        }
        StateAction::Restore { job, from, force } => {
            let restored = state::restore(&installation()?, job.as_deref(), from, *force)?;
            report.show(&restored, || text::replaced(&restored, "restored"));
        }
        StateAction::Import { job, from, force } => {
            let imported = state::import(&installation()?, job.as_deref(), from, *force)?;
            report.show(&imported, || text::replaced(&imported, "imported"));
        }
        StateAction::Compact(args) => {
            let done = state::compact(&installation()?, args.job.as_deref())?;
            report.show(&done, || {
                format!(
                    "Job `{}` is compacted: {} bytes before, {} now",
                    done.job, done.bytes_before, done.bytes_after
                )
            });
        }
        StateAction::Forget { job, object } => return forget(globals, job.as_deref(), object, report),
    }
    Ok(Exit::Done)
}

fn forget(globals: &Globals, job: Option<&str>, object: &str, report: &mut Report) -> Result<Exit, AppError> {
    let here = || {
        let installation = Installation::open_offline(&globals.config)?;
        state::forget(&installation, job, object, SystemClock.now())
    };
    let there = || {
        let asked = ForgetRequest {
            job: Some(beside::job(globals, job)?),
            object: object.to_owned(),
        };
        Ok(Question::post("/state/forget", &asked))
    };
    beside::answer(globals, report, here, there)
}

/// What the daemon is asked for: one job.
fn asked(globals: &Globals, job: Option<&str>) -> Result<StateRequest, AppError> {
    Ok(StateRequest {
        job: Some(beside::job(globals, job)?),
        out: None,
    })
}

fn verify(globals: &Globals, job: Option<&str>, report: &mut Report) -> Result<(), AppError> {
    let found = beside::ask(
        globals,
        || state::verify(&Desk::open_job(&globals.config, job, Actor::local_user())?),
        |daemon| daemon.asked(Question::post("/state/verify", &asked(globals, job)?)),
    )?;
    report.show(&found, || text::verified(&found));
    if found.ok {
        return Ok(());
    }
    Err(AppError::failed(
        format!("the snapshot of job `{}` is inconsistent", found.job),
        "restore a backup with `melonsync state restore --from FILE --force`, or start afresh with an empty state folder",
    ))
}

fn export(globals: &Globals, job: Option<&str>, report: &mut Report) -> Result<(), AppError> {
    let report = RefCell::new(report);
    let (job, damaged) = beside::ask(
        globals,
        || {
            let desk = Desk::open_job(&globals.config, job, Actor::local_user())?;
            let damaged = state::export(&desk, report.borrow_mut().out())?;
            Ok((desk.job, damaged))
        },
        |daemon| {
            let asked = asked(globals, job)?;
            let mut got = daemon.fetched(Question::post("/state/export", &asked))?;
            report
                .borrow_mut()
                .copy(&mut got.file)
                .map_err(|error| plans::temporary(&error))?;
            Ok((asked.job.unwrap_or_default(), got.count))
        },
    )?;
    state::is_whole(&job, damaged)
}

/// Writes the backup. With `handover` the job goes on at another host: it does not run here meanwhile, nor afterwards.
fn backup(globals: &Globals, job: Option<&str>, (out, handover): (&Path, bool)) -> Result<Copied, AppError> {
    beside::ask(
        globals,
        || {
            let desk = Desk::open_job(&globals.config, job, Actor::local_user())?;
            let done = state::backup(&desk, out)?;
            if handover {
                state::hand_over(&desk, out)?;
            }
            Ok(done)
        },
        |daemon| {
            state::is_free(out)?;
            let job = beside::job(globals, job)?;
            let asked = BackupRequest {
                handover,
                job: Some(job.clone()),
                out: Some(beside::place(out)),
            };
            let mut got = daemon.fetched(Question::post("/state/backup", &asked))?;
            let done = state::backed_up(&job, out, got.count, &mut got.file)?;
            if handover {
                let asked = HandoverRequest {
                    history: got.history.unwrap_or_default(),
                    job: Some(job),
                    out: beside::place(out),
                };
                let _: HandedOver = daemon.asked(Question::post("/state/handover", &asked))?;
            }
            Ok(done)
        },
    )
}

fn backed_up(done: &Copied) -> String {
    format!(
        "Job `{}` is backed up in {}: {} records",
        done.job, done.file, done.records
    )
}
