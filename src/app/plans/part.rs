//! A part of a plan that is made, in a temporary file.

use std::fs::File;
use std::io;
use std::io::Read;
use std::os::unix::fs::FileExt;
use std::sync::Arc;

/// A part of a plan in a temporary file, read from its beginning; each clone of it reads for itself.
#[derive(Debug, Clone)]
pub struct Part {
    file: Arc<File>,
    at: u64,
}

impl Part {
    /// The part that a file holds.
    #[must_use]
    pub fn of(file: File) -> Self {
        Self {
            file: Arc::new(file),
            at: 0,
        }
    }

    /// The file.
    #[must_use]
    pub const fn file(&self) -> &Arc<File> {
        &self.file
    }
}

impl Read for Part {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let read = self.file.read_at(into, self.at)?;
        self.at += read as u64;
        Ok(read)
    }
}
