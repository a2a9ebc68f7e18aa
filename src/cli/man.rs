//! `melonsync man DIR`: the man pages, for whoever packages the program.

use std::fs;
use std::path::Path;
use std::path::PathBuf;

use clap::Args;
use clap_mangen::Man as Page;

use super::exit::Exit;
use super::report::Report;
use crate::app::error::AppError;

/// `man`.
#[derive(Debug, Clone, Args)]
pub struct Man {
    /// The folder; made where it is not there.
    pub dir: PathBuf,
}

/// Writes `melonsync.1` and a page for each verb and its own verbs, as `git` names them: `melonsync-state-backup.1`.
pub(super) fn run(args: &Man, report: &mut Report) -> Result<Exit, AppError> {
    let written = write(&args.dir).map_err(|(path, error)| {
        AppError::failed(
            format!("cannot write {}: {error}", path.display()),
            "name a folder that you may write to",
        )
    })?;
    report.text(&format!("{written} man pages are in {}", args.dir.display()));
    Ok(Exit::Done)
}

fn write(dir: &Path) -> Result<usize, (PathBuf, std::io::Error)> {
    fs::create_dir_all(dir).map_err(|error| (dir.to_owned(), error))?;
    let mut command = super::examples::command();
    // A verb's page needs the names of all verbs above it, and the flags that hold for every verb.
    command.build();
    pages(&command, dir)
}

/// Writes the page of a command, and those of its verbs. Returns how many were written.
fn pages(command: &clap::Command, dir: &Path) -> Result<usize, (PathBuf, std::io::Error)> {
    let name = command.get_display_name().unwrap_or_else(|| command.get_name());
    let path = dir.join(format!("{name}.1"));
    let mut page = Vec::new();
    Page::new(command.clone())
        .render(&mut page)
        .and_then(|()| fs::write(&path, page))
        .map_err(|error| (path, error))?;
    let shown = |verb: &&clap::Command| !verb.is_hide_set() && verb.get_name() != "help";
    let verbs = command.get_subcommands().filter(shown);
    verbs
        .map(|verb| pages(verb, dir))
        .try_fold(1, |sum, written| Ok(sum + written?))
}
