//! Copies of a snapshot's content outside of its store: what lies beside the store in the job's folder, and the files
//! that commands wrote where a person asked. `state forget` lists them, because it cannot erase them.
//!
//! A copy written elsewhere is noted in the job's folder, one line a file. A copy that is moved or copied again is not
//! known under its new name.

use std::fs;
use std::fs::OpenOptions;
use std::io;
use std::io::Write;
use std::path::Path;
use std::path::PathBuf;

use serde::Deserialize;
use serde::Serialize;

use crate::files::open_ours;
use crate::model::clock::Timestamp;
use crate::ports::StoreError;
use crate::snapshot::folder::MARKS;
use crate::snapshot::io::io_error;
use crate::snapshot::kv::embedded::Engine;

/// The file of notes in a job's folder.
pub(super) const NOTES: &str = "copies";

/// One copy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Copy {
    /// The kind of copy: `backup`, `plan` and so on.
    pub what: String,
    /// The path that it was written to.
    pub path: PathBuf,
    /// When it was made, where that is known.
    pub made: Option<Timestamp>,
}

/// Notes that a file or folder with values was written.
///
/// # Errors
/// [`StoreError::Io`].
pub fn note(folder: &Path, what: &str, path: &Path, now: Timestamp) -> Result<(), StoreError> {
    let refused = |error| io_error(folder, "note where a copy is", error);
    let copy = Copy {
        what: what.to_owned(),
        path: std::path::absolute(path).map_err(refused)?,
        made: Some(now),
    };
    let line = serde_json::to_string(&copy).map_err(|error| refused(error.into()))?;
    let mut options = OpenOptions::new();
    let written = open_ours(&folder.join(NOTES), options.append(true).create(true)).and_then(|mut file| {
        file.write_all(format!("{line}\n").as_bytes())?;
        file.sync_all()
    });
    written.map_err(refused)
}

/// Returns every known copy, by path: those beside the store of this engine, and those noted. A copy that was written
/// again is listed once.
///
/// # Errors
/// [`StoreError::Io`].
pub fn copies(folder: &Path, engine: Engine) -> Result<Vec<Copy>, StoreError> {
    let refused = |error| io_error(folder, "look for copies", error);
    let mut found = beside(folder, engine).map_err(refused)?;
    found.extend(noted(folder).map_err(refused)?);
    found.sort_by(|a, b| (&a.path, b.made).cmp(&(&b.path, a.made)));
    found.dedup_by(|later, first| later.path == first.path);
    Ok(found)
}

/// Returns everything in the job's folder that is neither its store nor a mark: what a restore, a migration, a
/// compaction or another engine left, whatever its name.
fn beside(folder: &Path, engine: Engine) -> io::Result<Vec<Copy>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if name != engine.name() && name != NOTES && !MARKS.contains(&name.as_str()) {
            found.push(Copy {
                what: "left beside the snapshot".to_owned(),
                path: std::path::absolute(entry.path())?,
                made: None,
            });
        }
    }
    Ok(found)
}

fn noted(folder: &Path) -> io::Result<Vec<Copy>> {
    match fs::read_to_string(folder.join(NOTES)) {
        Ok(text) => text
            .lines()
            .map(|line| serde_json::from_str(line).map_err(io::Error::from))
            .collect(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(error),
    }
}
