//! The file names of a job's folder, and the errors of file access.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::ports::StoreError;

/// The suffix of the store's folder while a compacted one takes its place.
pub(super) const OLD: &str = "old";
/// The file that marks the store as created.
pub(super) const CREATED: &str = "created";

/// Builds the error of a file that could not be read or written; `action` is what was tried.
pub(super) fn io_error(path: &Path, action: &str, cause: io::Error) -> StoreError {
    StoreError::Io {
        action: action.to_owned(),
        path: path.display().to_string(),
        cause: cause.into(),
    }
}

/// Removes a folder and its content, if it exists.
pub(super) fn remove_folder(folder: &Path) -> io::Result<()> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Returns the path with another suffix.
pub(super) fn beside(file: &Path, word: &str) -> PathBuf {
    let mut name = file.file_name().unwrap_or_default().to_owned();
    name.push(".");
    name.push(word);
    file.with_file_name(name)
}
