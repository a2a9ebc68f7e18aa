//! Files for their owner alone, in places where others may write too.
//!
//! A new file is made under a name that cannot be guessed, exclusively, and appears under its own name once it is whole and
//! on disk; what lies there already, or is put there meanwhile, is neither followed nor overwritten. A file that is kept open
//! over time (a lock, an audit stream) is opened without following a link, and only where it is ours. What is read is a
//! regular file or a pipe, up to a size.

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

/// From here on, whatever this process makes is for its owner alone, also what libraries make without asking for a mode.
pub fn keep_private() {
    let _ = rustix::process::umask(Mode::RWXG | Mode::RWXO);
}

/// A file that is being written, not under its name yet. Gone again where it is dropped.
#[derive(Debug)]
pub struct NewFile {
    out: BufWriter<NamedTempFile>,
    path: PathBuf,
}

/// What the names of unfinished files begin and end with.
const UNFINISHED: (&str, &str) = (".melonsync-", ".partial");

impl NewFile {
    /// Begins a file of mode 0600 in the folder of `path`.
    ///
    /// # Errors
    /// Where the folder is not there, or does not take it.
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

    /// Gives it its name, which nothing may have.
    ///
    /// # Errors
    /// [`io::ErrorKind::AlreadyExists`] where something has it, a link that leads nowhere too; what the disk says.
    pub fn put(self) -> io::Result<()> {
        let (file, path) = self.whole()?;
        file.persist_noclobber(&path).map_err(|failed| failed.error)?;
        sync_folder(&path)
    }

    /// Gives it its name; what had it goes. A link goes itself, and what it leads to stays.
    ///
    /// # Errors
    /// What the disk says.
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

/// True for the name of a file that was begun and never got its own: its process ended in between.
#[must_use]
pub fn is_unfinished(name: &str) -> bool {
    name.starts_with(UNFINISHED.0) && name.ends_with(UNFINISHED.1)
}

fn folder_of(path: &Path) -> &Path {
    path.parent()
        .filter(|folder| !folder.as_os_str().is_empty())
        .unwrap_or(Path::new("."))
}

/// Makes a new name durable: a file that is synced may else be lost by name.
fn sync_folder(path: &Path) -> io::Result<()> {
    File::open(folder_of(path))?.sync_all()
}

/// Opens a file that stays ours: made with mode 0600 where `options` make it, never through a link, and refused where it
/// belongs to somebody else, who could change it, or be made to hold what is ours.
///
/// # Errors
/// [`io::ErrorKind::PermissionDenied`] for a file of somebody else; what the system says, also of a link.
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

/// Writes a small file that stays ours, in place: what was in it goes, and its inode stays.
///
/// # Errors
/// As [`open_ours`].
pub fn write_ours(path: &Path, bytes: &[u8]) -> io::Result<File> {
    let mut options = OpenOptions::new();
    let mut file = open_ours(path, options.write(true).create(true).truncate(false))?;
    // Only now: a file of somebody else must not be emptied by being opened.
    file.set_len(0)?;
    file.write_all(bytes)?;
    Ok(file)
}

fn refused(why: &str) -> io::Error {
    io::Error::new(io::ErrorKind::PermissionDenied, why.to_owned())
}

/// The user id that this process acts with.
#[must_use]
pub fn own_uid() -> u32 {
    rustix::process::geteuid().as_raw()
}

/// Reads a regular file or a pipe of at most `limit` bytes: a device or a file without end must not stop the program, or
/// fill its memory.
///
/// # Errors
/// [`io::ErrorKind::InvalidInput`] for another kind of file, [`io::ErrorKind::FileTooLarge`], what the system says.
pub fn read_limited(path: &Path, limit: u64) -> io::Result<Vec<u8>> {
    // Before it is opened too: opening a device may do something, or wait for ever.
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

/// As [`read_limited`], for a text.
///
/// # Errors
/// As there; [`io::ErrorKind::InvalidData`] where it is none.
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

/// What is too open about a file or folder that is to be ours alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Loose {
    /// It belongs to this user id.
    Owner(u32),
    /// Group or others may read or write it; these are the bits of its mode.
    Mode(u32),
}

/// What is too open about a file, a link followed; `None` where nothing is. With `or_root`, root may own it: a service's
/// secrets are laid out by it.
///
/// # Errors
/// Where it is not there, or cannot be looked at.
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
