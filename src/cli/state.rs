//! `state`: the snapshot checked, exported and imported, backed up and restored, compacted, and somebody in it forgotten.

mod text;

use std::path::Path;
use std::path::PathBuf;

use clap::Args;
use clap::Subcommand;

use super::args::Globals;
use super::args::OneJob;
use super::exit::Exit;
use super::report::Report;
use crate::app::actor::Actor;
use crate::app::desk::Desk;
use crate::app::error::AppError;
use crate::app::install::Installation;
use crate::app::state;
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

/// Carries out one of them. Each needs the state folder for itself.
pub fn run(globals: &Globals, action: &StateAction, report: &mut Report) -> Result<Exit, AppError> {
    let desk = |job: &Option<String>| Desk::open_job(&globals.config, job.as_deref(), Actor::local_user());
    let installation = || Installation::open_offline(&globals.config);
    match action {
        StateAction::Verify(args) => verify(&desk(&args.job)?, report)?,
        StateAction::Export(args) => state::export(&desk(&args.job)?, report.out())?,
        StateAction::Backup { job, out, handover } => backup(&desk(job)?, out, *handover, report)?,
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
        StateAction::Forget { job, object } => {
            let done = state::forget(&installation()?, job.as_deref(), object, SystemClock.now())?;
            report.show(&done, || text::forgotten(&done));
        }
    }
    Ok(Exit::Done)
}

fn verify(desk: &Desk, report: &mut Report) -> Result<(), AppError> {
    let found = state::verify(desk)?;
    report.show(&found, || text::verified(&found));
    if found.ok {
        return Ok(());
    }
    Err(AppError::failed(
        format!("the snapshot of job `{}` is inconsistent", found.job),
        "restore a backup with `melonsync state restore --from FILE --force`, or start afresh with an empty state folder",
    ))
}

fn backup(desk: &Desk, out: &Path, handover: bool, report: &mut Report) -> Result<(), AppError> {
    let done = state::backup(desk, out)?;
    report.show(&done, || {
        format!(
            "Job `{}` is backed up in {}: {} records",
            done.job, done.file, done.records
        )
    });
    if handover {
        state::hand_over(desk, out)?;
        report.note(&format!(
            "Job `{}` is handed over: it does not run here any more. On the other host: melonsync state restore --from {}",
            done.job, done.file
        ));
    }
    Ok(())
}
