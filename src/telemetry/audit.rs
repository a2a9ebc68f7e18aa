//! The audit stream: one JSON line an operation, before it is sent and after, to a file, stdout or syslog.
//!
//! It is a copy for log collectors; the history in the snapshot is the record. A line that cannot be written is
//! therefore reported once, and stops nothing.

use std::{
    fs::{File, OpenOptions},
    io::{self, Write},
    os::unix::net::UnixDatagram,
    path::PathBuf,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use tracing::error;

use crate::files::open_ours;
use crate::model::shown::shown_json;

/// The destination of the lines.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stream {
    /// Standard output, for containers.
    Stdout,
    /// Standard error, where stdout holds a document.
    Stderr,
    /// Appended to this file, which is created with mode 0600.
    File(PathBuf),
    /// The system's log, by its socket.
    Syslog,
}

/// An open stream. Shared by the jobs of a process; a line is written whole.
#[derive(Debug)]
pub struct AuditStream {
    out: Mutex<Out>,
    failed: AtomicBool,
}

#[derive(Debug)]
enum Out {
    Stdout,
    Stderr,
    File(File),
    Syslog(UnixDatagram),
}

/// Facility authpriv (10), severity informational (6): RFC 5424 section 6.2.1.
const PRIORITY: u32 = 10 * 8 + 6;

/// The sockets of the system's log: Linux, and macOS.
const SOCKETS: [&str; 2] = ["/dev/log", "/var/run/syslog"];

impl AuditStream {
    /// Opens the stream. A file is appended to.
    ///
    /// # Errors
    /// When the file cannot be opened, or the system's log does not listen.
    pub fn open(stream: &Stream) -> io::Result<Self> {
        let out = match stream {
            Stream::Stdout => Out::Stdout,
            Stream::Stderr => Out::Stderr,
            Stream::File(path) => Out::File(open_ours(path, OpenOptions::new().append(true).create(true))?),
            Stream::Syslog => Out::Syslog(connect()?),
        };
        Ok(Self {
            out: Mutex::new(out),
            failed: AtomicBool::new(false),
        })
    }

    /// Writes one line.
    pub fn write(&self, line: &serde_json::Value) {
        let mut out = self.out.lock().unwrap_or_else(PoisonError::into_inner);
        let written = match &mut *out {
            Out::Stdout => whole(&mut io::stdout().lock(), line),
            Out::Stderr => whole(&mut io::stderr().lock(), line),
            Out::File(file) => whole(file, line),
            Out::Syslog(socket) => {
                let line = line.to_string();
                let text = format!(
                    "<{PRIORITY}>melonsync[{}]: {}",
                    std::process::id(),
                    shown_json(&line)
                );
                socket.send(text.as_bytes()).map(drop)
            }
        };
        match written {
            Ok(()) => self.failed.store(false, Ordering::Relaxed),
            // Reported once, until it works again: one more operation must not add one more log line.
            Err(cause) if !self.failed.swap(true, Ordering::Relaxed) => {
                error!("The audit stream cannot be written ({cause}); the history in the snapshot goes on");
            }
            Err(_) => {}
        }
    }
}

/// Writes a line in one call, so that lines of several processes do not mix in an appended file.
fn whole(out: &mut impl Write, line: &serde_json::Value) -> io::Result<()> {
    out.write_all(format!("{}\n", shown_json(&line.to_string())).as_bytes())?;
    out.flush()
}

fn connect() -> io::Result<UnixDatagram> {
    let socket = UnixDatagram::unbound()?;
    let mut last = None;
    for path in SOCKETS {
        match socket.connect(path) {
            Ok(()) => return Ok(socket),
            Err(error) => last = last.or(Some(error)),
        }
    }
    Err(last.unwrap_or_else(|| io::ErrorKind::NotFound.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_appended_to_a_file_for_its_owner_alone() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("audit.jsonl");
        for n in 0..2 {
            let stream = AuditStream::open(&Stream::File(path.clone())).unwrap();
            stream.write(&serde_json::json!({ "n": n }));
        }
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "{\"n\":0}\n{\"n\":1}\n");
        let mode = std::fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    #[test]
    fn a_full_disk_stops_nobody() {
        let Ok(stream) = AuditStream::open(&Stream::File("/dev/full".into())) else {
            return; // a system without it
        };
        stream.write(&serde_json::json!({}));
        assert!(stream.failed.load(Ordering::Relaxed));
    }
}
