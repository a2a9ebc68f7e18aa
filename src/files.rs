//! Files for their owner alone, in places where others may write too.
//!
//! A new file is created exclusively under a name that cannot be guessed, and gets its own name once it is complete and
//! on disk; a file that exists there already, or appears meanwhile, is neither followed nor overwritten. A file that is
//! kept open (a lock, an audit stream) is opened without following a link, and only if it is ours. Only a regular file
//! or a pipe is read, up to a size.

use std::fs::File;
use std::fs::Metadata;
use std::fs::OpenOptions;
use std::io;
use std::io::BufWriter;
use std::io::Read;
use std::io::Write;
use std::os::unix::fs::FileTypeExt;
use std::os::unix::fs::MetadataExt;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::path::PathBuf;

use rustix::fs::Mode;
use rustix::fs::OFlags;
use tempfile::NamedTempFile;

/// Makes every file that this process creates from now on private to its owner, including those of libraries that set
/// no mode.
pub fn keep_private() {
    let _ = rustix::process::umask(Mode::RWXG | Mode::RWXO);
}

/// A file that is being written and does not have its name yet. It is removed if dropped.
#[derive(Debug)]
pub struct NewFile {
    out: BufWriter<NamedTempFile>,
    path: PathBuf,
}

/// The prefix and the suffix of the names of unfinished files.
const UNFINISHED: (&str, &str) = (".melonsync-", ".partial");

impl NewFile {
    /// Begins a file of mode 0600 in the folder of `path`.
    /// When the folder does not exist or cannot be written.
    pub fn begin(path: &Path) -> io::Result<Self> {
        if path.file_name().is_none() {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "it names no file"));
        }
        let file = tempfile::Builder::new()
            .prefix(UNFINISHED.0)
            .suffix(UNFINISHED.1)
            .tempfile_in(folder_of(path))?;
        Ok(Self {
            out: BufWriter::new(file),
            path: path.to_owned(),
        })
    }

    /// Gives the file its name, which must be free.
    ///
    /// # Errors
    /// [`io::ErrorKind::AlreadyExists`] where the name is taken, even by a link that leads nowhere; whatever the disk
    /// reports.
    pub fn put(self) -> io::Result<()> {
        let (file, path) = self.whole()?;
        file.persist_noclobber(&path).map_err(|failed| failed.error)?;
        sync_folder(&path)
    }

    /// Gives the file its name and replaces an existing one. A link is replaced itself, and what it leads to stays.
    pub fn replace(self) -> io::Result<()> {
        let (file, path) = self.whole()?;
        file.persist(&path).map_err(|failed| failed.error)?;
        sync_folder(&path)
    }

    fn whole(self) -> io::Result<(NamedTempFile, PathBuf)> {
        let file = self.out.into_inner().map_err(io::IntoInnerError::into_error)?;
        file.as_file().sync_all()?;
        Ok((file, self.path))
    }
}

impl Write for NewFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.out.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

/// Returns true for the name of a file that was begun and never got its own: its process ended in between.
#[must_use]
pub fn is_unfinished(name: &str) -> bool {
    name.starts_with(UNFINISHED.0) && name.ends_with(UNFINISHED.1)
}

fn folder_of(path: &Path) -> &Path {
    path.parent()
        .filter(|folder| !folder.as_os_str().is_empty())
        .unwrap_or(Path::new("."))
}

/// Makes a new name durable: a synced file may otherwise be lost by name.
fn sync_folder(path: &Path) -> io::Result<()> {
    File::open(folder_of(path))?.sync_all()
}

/// Opens a file that stays ours: created with mode 0600 where `options` create it, never through a link, and refused
/// where it belongs to another user, who could change it, or have it filled with our data.
///
/// # Errors
/// [`io::ErrorKind::PermissionDenied`] for a file of another user; whatever the system reports, also for a link.
pub fn open_ours(path: &Path, options: &mut OpenOptions) -> io::Result<File> {
    let flags = i32::try_from(OFlags::NOFOLLOW.bits()).expect("flags of open(2) are an int");
    let file = options
        .mode(0o600)
        .custom_flags(flags)
        .open(path)
        .map_err(|error| {
            let is_link = path.symlink_metadata().is_ok_and(|held| held.is_symlink());
            if is_link {
                refused("it is a link, and is not followed")
            } else {
                error
            }
        })?;
    let held = file.metadata()?;
    if held.uid() != own_uid() {
        return Err(refused(&format!("it belongs to uid {}, not to us", held.uid())));
    }
    if held.is_dir() {
        return Err(refused("it is a folder"));
    }
    Ok(file)
}

/// Writes a small file that stays ours, in place: its content is replaced, and its inode stays.
///
/// # Errors
/// As [`open_ours`].
pub fn write_ours(path: &Path, bytes: &[u8]) -> io::Result<File> {
    let mut options = OpenOptions::new();
    let mut file = open_ours(path, options.write(true).create(true).truncate(false))?;
    // Only now: a file of another user must not be emptied by being opened.
    file.set_len(0)?;
    file.write_all(bytes)?;
    Ok(file)
}

fn refused(why: &str) -> io::Error {
    io::Error::new(io::ErrorKind::PermissionDenied, why.to_owned())
}

/// Returns the user id that this process acts with.
#[must_use]
pub fn own_uid() -> u32 {
    rustix::process::geteuid().as_raw()
}

/// Reads a regular file or a pipe of at most `limit` bytes: a device or a file without end must not stop the program,
/// or fill its memory.
///
/// # Errors
/// [`io::ErrorKind::InvalidInput`] for another kind of file, [`io::ErrorKind::FileTooLarge`], whatever the system
/// reports.
pub fn read_limited(path: &Path, limit: u64) -> io::Result<Vec<u8>> {
    // Before it is opened too: opening a device may have effects, or wait for ever.
    readable(&std::fs::metadata(path)?)?;
    let file = File::open(path)?;
    readable(&file.metadata()?)?;
    let mut bytes = Vec::new();
    file.take(limit + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > limit {
        let text = format!("it is larger than {} KiB", limit >> 10);
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, text));
    }
    Ok(bytes)
}

/// Reads a text, as [`read_limited`] does bytes.
///
/// # Errors
/// Those of [`read_limited`]; [`io::ErrorKind::InvalidData`] where it is not text.
pub fn read_text(path: &Path, limit: u64) -> io::Result<String> {
    String::from_utf8(read_limited(path, limit)?)
        .map_err(|_| io::Error::new(io::ErrorKind::InvalidData, "it is not valid UTF-8"))
}

fn readable(held: &Metadata) -> io::Result<()> {
    if held.is_file() || held.file_type().is_fifo() {
        return Ok(());
    }
    let what = if held.is_dir() {
        "a folder"
    } else {
        "a device or a socket"
    };
    let text = format!("it is {what}, and not a regular file or a pipe");
    Err(io::Error::new(io::ErrorKind::InvalidInput, text))
}

/// The way in which a file or folder that must be ours alone is too open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Loose {
    /// It belongs to this user id.
    Owner(u32),
    /// Group or others may read or write it; these are the bits of its mode.
    Mode(u32),
}

/// Returns how a file, or what a link leads to, is too open; `None` where it is not. With `or_root`, root may own it: a
/// service manager creates a service's secrets as root.
///
/// # Errors
/// When it does not exist, or cannot be inspected.
pub fn looseness(path: &Path, or_root: bool) -> io::Result<Option<Loose>> {
    let held = std::fs::metadata(path)?;
    if held.uid() != own_uid() && !(or_root && held.uid() == 0) {
        return Ok(Some(Loose::Owner(held.uid())));
    }
    let mode = held.mode() & 0o777;
    Ok((mode & 0o077 != 0).then_some(Loose::Mode(mode)))
}

#[cfg(test)]
mod tests;
