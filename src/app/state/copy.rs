//! Copies of a snapshot for somebody who keeps them elsewhere: made whole in a temporary file, then read from there.
//!
//! The daemon writes no file of a caller's choice: what it makes goes to the caller, who writes it as whoever they are.

use std::fs::File;
use std::io;
use std::io::Read;
use std::io::Seek;
use std::path::Path;

use super::Copied;
use super::copied;
use super::is_free;
use crate::app::desk::Desk;
use crate::app::error::AppError;
use crate::app::plans::temporary;
use crate::files::NewFile;
use crate::snapshot::maintenance::transfer;
use crate::snapshot::read::Reads;

/// A copy in a temporary file that has no name any more.
#[derive(Debug)]
pub struct Copy {
    /// From its beginning on.
    pub file: File,
    /// What is to be known of it beside its content: the records of a backup, the damaged ones of an export.
    pub count: u64,
    /// The head of the history that a backup ends with, or of an earlier one; empty of an export.
    pub history: String,
}

/// Makes a backup. `out`: where the caller keeps it, which is noted.
pub fn backup_elsewhere(desk: &Desk, out: &Path) -> Result<Copy, AppError> {
    let folder = tempfile::tempdir().map_err(|error| temporary(&error))?;
    let path = folder.path().join("backup");
    // Before the copy: what is decided meanwhile makes the two differ, and never hides.
    let history = desk.snapshot.history_head()?.to_string();
    let count = transfer::backup(desk.snapshot.store(), desk.snapshot.path(), &path)?;
    let file = File::open(&path).map_err(|error| temporary(&error))?;
    desk.note_copy("backup", out)?;
    Ok(Copy { file, count, history })
}

/// Makes an export as JSON Lines.
pub fn export_elsewhere(desk: &Desk) -> Result<Copy, AppError> {
    let mut file = tempfile::tempfile().map_err(|error| temporary(&error))?;
    let count = super::export(desk, io::BufWriter::new(&file))?;
    file.rewind().map_err(|error| temporary(&error))?;
    Ok(Copy {
        file,
        count,
        history: String::new(),
    })
}

/// Keeps a backup of so many records that was made elsewhere, in a file that is not there yet.
pub fn backed_up(job: &str, out: &Path, records: u64, from: &mut impl Read) -> Result<Copied, AppError> {
    is_free(out)?;
    let mut keep = || {
        let mut file = NewFile::begin(out)?;
        io::copy(from, &mut file)?;
        file.put()
    };
    let kept: io::Result<()> = keep();
    kept.map_err(|error| {
        let mut failure = AppError::failed(
            format!("cannot write the backup {}", out.display()),
            "check that the folder is there, its free space and its permissions",
        );
        failure.errors[0].causes = vec![error.to_string()];
        failure
    })?;
    Ok(copied("backup", job, records, out))
}
