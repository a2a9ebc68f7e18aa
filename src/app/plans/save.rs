//! A plan in its file: written beside it, then in its place. It names people, so it is for its owner alone.

use std::fs::File;
use std::io;
use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use super::file::Sheet;
use super::saved;
use super::saved::Origin;
use super::sheet;
use crate::app::error::AppError;
use crate::engine::summary::Summary;
use crate::files::NewFile;
use crate::files::own_uid;
use crate::model::clock::Timestamp;
use crate::snapshot::folder::StateFolder;
use crate::snapshot::maintenance::copies;

/// Refuses a file in whose place something else is than an earlier plan.
pub fn is_free(out: &Path) -> Result<(), AppError> {
    if out.symlink_metadata().is_err() || is_plan(out) {
        return Ok(());
    }
    Err(AppError::usage(
        format!("{} is there already, and is no plan", out.display()),
        "name a file with --out that does not exist; only an earlier plan is replaced",
    ))
}

/// Saves a plan: as JSON with what it was made from (`origin`), so that it can be carried out.
pub fn save(sheet: Sheet, summary: &Summary, out: &Path, origin: Option<&Origin>) -> Result<(), AppError> {
    write(out, sheet, summary, origin).map_err(|error| failure(out, &error))
}

/// Notes in the job's part of the state folder that there is such a file.
pub fn note(folder: &StateFolder, job: &str, out: &Path, now: Timestamp) -> Result<(), AppError> {
    copies::note(&folder.job(job), "plan", out, now)?;
    Ok(())
}

/// Writes the plan beside the file, then in its place: a plan is there whole or not at all.
fn write(out: &Path, sheet: Sheet, summary: &Summary, origin: Option<&Origin>) -> io::Result<()> {
    let mut file = NewFile::begin(out)?;
    io::copy(&mut sheet.whole(summary, origin)?, &mut file)?;
    if is_plan(out) { file.replace() } else { file.put() }
}

fn failure(out: &Path, error: &io::Error) -> AppError {
    let mut failure = AppError::failed(
        format!("cannot save the plan in {}", out.display()),
        "check that the folder is there, its free space and its permissions; nothing was written to the target",
    );
    failure.errors[0].causes = vec![error.to_string()];
    failure
}

/// What a file in the way is looked at for.
const HEAD_LENGTH: u64 = 64 << 10;

/// True where the file is a plan that was saved before: the one thing whose place a plan takes.
fn is_plan(file: &Path) -> bool {
    let is_ours = file
        .symlink_metadata()
        .is_ok_and(|held| held.is_file() && held.uid() == own_uid());
    let mut head = Vec::new();
    let read = |file: File| file.take(HEAD_LENGTH).read_to_end(&mut head);
    if !is_ours || File::open(file).and_then(read).is_err() {
        return false;
    }
    let head = String::from_utf8_lossy(&head);
    let is_page = head.starts_with(sheet::HTML_BEGIN) && head.contains(sheet::HTML_TITLE);
    head.starts_with(sheet::CSV_HEAD) || is_page || saved::read(file, |_| {}).is_ok()
}
