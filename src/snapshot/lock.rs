//! One process a state folder: an advisory lock on `<state>/lock`. Its first line contains the holder's pid; the second,
//! for a process that stays, its role (a daemon: since when, which jobs).
//!
//! The kernel releases the lock when its process ends, however it ends, so no lock is ever left over. The file stays:
//! removing it would let two processes hold "the" lock.

use std::{
    fs::{DirBuilder, File, OpenOptions},
    io::{self, Read, Seek, Write},
    os::unix::fs::DirBuilderExt,
    path::{Path, PathBuf},
};

use rustix::fs::{FlockOperation, flock};

use crate::files::open_ours;
use crate::ports::Holder;
use crate::ports::StoreError;

/// The name of the lock file in the state folder.
pub const LOCK_FILE: &str = "lock";

/// A locked state folder; released when dropped.
#[derive(Debug)]
pub struct StateLock {
    file: File,
    path: PathBuf,
}

impl StateLock {
    /// Locks the folder, and creates it with mode 0700 where needed. `role`: the role of a process that
    /// stays, in one line.
    ///
    /// # Errors
    /// [`StoreError::InUse`] with the holder's pid and role; [`StoreError::Io`] where the folder cannot be created or
    /// opened.
    pub fn acquire(folder: &Path, role: Option<&str>) -> Result<Self, StoreError> {
        create_private(folder)?;
        let path = folder.join(LOCK_FILE);
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false);
        let mut file =
            open_ours(&path, &mut options).map_err(|error| refused("open the lock", &path, error))?;
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {}
            Err(rustix::io::Errno::WOULDBLOCK) => {
                return Err(StoreError::InUse {
                    path: folder.display().to_string(),
                    holder: holder(&mut file),
                });
            }
            Err(error) => return Err(refused("take the lock", &path, error.into())),
        }
        // One write: a reader sees all of it or nothing.
        let text = match role {
            Some(role) => format!("{}\n{role}\n", std::process::id()),
            None => format!("{}\n", std::process::id()),
        };
        let written = file
            .set_len(0)
            .and_then(|()| file.rewind())
            .and_then(|()| file.write_all(text.as_bytes()));
        written.map_err(|error| refused("write the lock", &path, error))?;
        Ok(Self { file, path })
    }

    /// Returns the path of the lock file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for StateLock {
    fn drop(&mut self) {
        // Emptied first, so that no process reads the pid of one that released the lock.
        let _ = self.file.set_len(0);
        let _ = flock(&self.file, FlockOperation::Unlock);
    }
}

/// Reads the holder. A process that has only just taken the lock gets a moment to write it.
fn holder(file: &mut File) -> Holder {
    for _ in 0..5 {
        let mut text = String::new();
        let read = file
            .rewind()
            .and_then(|()| Read::by_ref(file).take(LONGEST_TEXT).read_to_string(&mut text));
        if read.is_ok() && !text.trim().is_empty() {
            let mut lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
            return Holder {
                pid: lines.next().unwrap_or_default().to_owned(),
                role: lines.next().map(str::to_owned),
            };
        }
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    Holder {
        pid: "unknown".to_owned(),
        role: None,
    }
}

/// The most bytes that a holder writes about itself.
const LONGEST_TEXT: u64 = 4096;

/// Creates a folder and its parents, for this user alone. An existing folder keeps its mode.
///
/// # Errors
/// [`StoreError::Io`].
pub fn create_private(folder: &Path) -> Result<(), StoreError> {
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(folder)
        .map_err(|error| refused("create the state folder", folder, error))
}

/// Makes the names in a folder durable, and the folder's own name: a synced file may otherwise be lost by name.
pub(super) fn sync_names(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()?;
    folder
        .parent()
        .filter(|parent| !parent.as_os_str().is_empty())
        .map_or(Ok(()), |parent| File::open(parent)?.sync_all())
}

fn refused(action: &str, path: &Path, cause: io::Error) -> StoreError {
    StoreError::Io {
        action: action.to_owned(),
        path: path.display().to_string(),
        cause: cause.into(),
    }
}
