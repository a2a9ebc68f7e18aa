//! The file of a backup: every record of a store, closed by a hash over all of it.

use std::fs::File;
use std::io::{self, BufReader, Read, Write};
use std::path::Path;

use sha2::{Digest, Sha256};

use crate::files::NewFile;
use crate::ports::SnapshotStore;
use crate::ports::StoreError;
use crate::ports::Table;

use crate::snapshot::io::io_error;
use crate::snapshot::pages::raw_pages;

/// Every table, in the order in which they are written out.
pub const TABLES: [Table; 24] = [
    Table::Meta,
    Table::Objects,
    Table::Edges,
    Table::Referrers,
    Table::Dirty,
    Table::Owners,
    Table::Intents,
    Table::History,
    Table::HistoryValues,
    Table::Readings,
    Table::ReadingIndex,
    Table::Forecast,
    Table::Cycles,
    Table::Removals,
    Table::Scope,
    Table::Assignments,
    Table::KeptBack,
    Table::Drift,
    Table::Escrow,
    Table::Refused,
    Table::Cells,
    Table::Enrolments,
    Table::Observed,
    Table::HistoryMarks,
];

const MAGIC: &[u8] = b"melonsync backup 1\n";
/// The longest key or value in bytes. A greater length is damage, and must not make us allocate the memory.
const LONGEST: u32 = 256 * 1024 * 1024;

/// Writes a backup into a new file of mode 0600 and returns the number of records. The file gets its name only once it
/// is complete and on disk.
///
/// # Errors
/// [`StoreError::Io`], also where the file exists; whatever the store reports.
pub fn backup(store: &dyn SnapshotStore, path: &str, file: &Path) -> Result<u64, StoreError> {
    let refused = |error| io_error(file, "write the backup", error);
    if file.symlink_metadata().is_ok() {
        return Err(refused(io::ErrorKind::AlreadyExists.into()));
    }
    let mut out = Hashing {
        inner: NewFile::begin(file).map_err(refused)?,
        hash: Sha256::new(),
    };
    out.write_all(MAGIC).map_err(refused)?;
    let mut records = 0;
    for table in TABLES {
        let mut pages = raw_pages();
        while let Some(page) =
            pages.next_page(|after, limit| store.scan(table, &[], after.map(Vec::as_slice), limit))?
        {
            for (key, value) in &page {
                write_record(&mut out, table, key, value).map_err(refused)?;
            }
            records += page.len() as u64;
        }
    }
    close(out).map_err(refused)?;
    tracing::info!(
        snapshot.path = path,
        backup.records = records,
        "Backup of {path} written: {records} records"
    );
    Ok(records)
}

fn close(mut out: Hashing<NewFile>) -> io::Result<()> {
    out.write_all(&[0])?;
    let hash = out.hash.finalize();
    let mut inner = out.inner;
    inner.write_all(&hash)?;
    inner.put()
}

fn write_record(out: &mut impl Write, table: Table, key: &[u8], value: &[u8]) -> io::Result<()> {
    let length =
        |bytes: &[u8]| u32::try_from(bytes.len()).map_err(|_| io::Error::from(io::ErrorKind::InvalidData));
    out.write_all(&[table as u8])?;
    out.write_all(&length(key)?.to_be_bytes())?;
    out.write_all(&length(value)?.to_be_bytes())?;
    out.write_all(key)?;
    out.write_all(value)
}

/// Shows every record of a backup. Returns an error at the end when the hash does not match.
pub(super) fn read_records(
    file: &Path,
    mut show: impl FnMut((Table, Vec<u8>, Vec<u8>)) -> Result<(), StoreError>,
) -> Result<(), StoreError> {
    let not_whole = |what: &str| StoreError::Damaged {
        path: file.display().to_string(),
        what: what.to_owned(),
    };
    let cut = |error: io::Error| match error.kind() {
        io::ErrorKind::UnexpectedEof => not_whole("the backup ends too early"),
        _ => io_error(file, "read the backup", error),
    };
    let opened = File::open(file).map_err(|error| io_error(file, "read the backup", error))?;
    let mut input = Hashing {
        inner: BufReader::new(opened),
        hash: Sha256::new(),
    };
    if take(&mut input, MAGIC.len()).map_err(cut)? != MAGIC {
        return Err(not_whole("it is not a backup of this melonsync"));
    }
    loop {
        let number = take(&mut input, 1).map_err(cut)?[0];
        if number == 0 {
            break;
        }
        let table = TABLES.into_iter().find(|table| *table as u8 == number);
        let table = table.ok_or_else(|| not_whole("it names a table that this melonsync does not know"))?;
        let lengths = [length(&mut input), length(&mut input)];
        let [key, value] = lengths.map(|length| length.map_err(cut));
        let (key, value) = (key?, value?);
        let key = take(&mut input, key).map_err(cut)?;
        show((table, key, take(&mut input, value).map_err(cut)?))?;
    }
    let hash: [u8; 32] = input.hash.clone().finalize().into();
    if take(&mut input, 32).map_err(cut)? != hash {
        return Err(not_whole("the backup was altered or cut: its hash differs"));
    }
    Ok(())
}

fn length(input: &mut impl Read) -> io::Result<usize> {
    let bytes = take(input, 4)?;
    let length = bytes.try_into().map_or(u32::MAX, u32::from_be_bytes);
    if length > LONGEST {
        Err(io::ErrorKind::UnexpectedEof.into())
    } else {
        Ok(length as usize)
    }
}

fn take(input: &mut impl Read, length: usize) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    input.take(length as u64).read_to_end(&mut bytes)?;
    if bytes.len() == length {
        Ok(bytes)
    } else {
        Err(io::ErrorKind::UnexpectedEof.into())
    }
}

/// Passes bytes through and hashes them.
struct Hashing<T> {
    inner: T,
    hash: Sha256,
}

impl<T: Write> Write for Hashing<T> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.inner.write(bytes)?;
        self.hash.update(&bytes[..written]);
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

impl<T: Read> Read for Hashing<T> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer)?;
        self.hash.update(&buffer[..read]);
        Ok(read)
    }
}
