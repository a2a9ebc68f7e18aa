//! Backup and restore: every record of a store in one file, closed by a hash over all of it.
//!
//! A restored snapshot is older than the target, so its streams begin again with a full round, and the name
//! [`RESTORED`] in its meta says that removals wait until a person has looked (docs/design/failures.md).

use std::{
    fs::{self, File},
    io::{self, BufReader, Read, Write},
    path::{Path, PathBuf},
};

use sha2::{Digest, Sha256};

use crate::files;
use crate::files::NewFile;
use crate::model::cursor::Cursor;
use crate::model::id::ObjectKind;
use crate::ports::Durability;
use crate::ports::SnapshotStore;
use crate::ports::StoreError;
use crate::ports::TRIAL;
use crate::ports::Table;
use crate::ports::WriteBatch;

use super::{
    embedded::Engine,
    folder::{CREATED, OLD, StateFolder, io_error},
    forget, keys,
    lock::create_private,
    read::{PAGE, Reads},
    sled::DEFAULT_CACHE_BYTES,
    state::{LEARNED, RESTORED, STATE_ID, StateReads},
    store::Snapshot,
};

/// Every table, in the order in which they are written out.
pub const TABLES: [Table; 20] = [
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
];

const MAGIC: &[u8] = b"melonsync backup 1\n";
/// No key or value is that long; a length beyond it is damage, and must not make us ask for the memory.
const LONGEST: u32 = 256 * 1024 * 1024;

/// Writes a backup into a new file of mode 0600; returns the number of records. It appears under its name only
/// once it is whole and on disk.
///
/// # Errors
/// [`StoreError::Io`], also where the file exists; whatever the store says.
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
        let mut after: Option<Vec<u8>> = None;
        loop {
            let page = store.scan(table, &[], after.as_deref(), PAGE)?;
            for (key, value) in &page {
                write_record(&mut out, table, key, value).map_err(refused)?;
            }
            records += page.len() as u64;
            match page.into_iter().next_back() {
                Some((key, _)) => after = Some(key),
                None => break,
            }
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

/// Restores a job's snapshot from a backup; returns the number of records. The backup is checked whole first.
/// Where the job has a snapshot already, of whichever engine, it is refused, or with `force` set aside as
/// `sled.replaced` or `redb.replaced`.
///
/// # Errors
/// [`StoreError::Damaged`] for a backup that is not whole; [`StoreError::Io`].
pub fn restore(file: &Path, state: &StateFolder, job: &str, force: bool) -> Result<u64, StoreError> {
    install(state, job, force, |fresh, folder| {
        read_records(file, |_| Ok(()))?;
        remove_folder(fresh).map_err(|error| io_error(folder, "restore the snapshot", error))?;
        make(file, state.engine(), fresh, folder)
    })
}

/// How a restored snapshot came to be what it is.
const FROM_BACKUP: &str = "restored from a backup";

/// Makes the restored store ready to take its place: in today's format, beginning again, with those forgotten who were.
/// A crash before it is put there leaves what was there; after it, nothing is left to do.
fn make(file: &Path, engine: Engine, fresh: &Path, folder: &Path) -> Result<u64, StoreError> {
    let store = engine.open(fresh, DEFAULT_CACHE_BYTES)?;
    let records = load(file, &*store, folder)?;
    // The backup itself is the way back; this copy of it goes with the folder of the store.
    let copy = beside(fresh, "migrating");
    super::migrate::migrate(
        &*store,
        &folder.display().to_string(),
        &copy,
        super::migrate::STEPS,
        super::migrate::FORMAT,
    )?;
    match fs::remove_file(&copy) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            return Err(io_error(folder, "restore the snapshot", error));
        }
        _ => {}
    }
    let snapshot = Snapshot::open(store, folder)?;
    begin_again(&snapshot, FROM_BACKUP)?;
    forget::repeat(&snapshot, folder)?;
    Ok(records)
}

/// Puts a new store in the place of a job's: `fill` makes it, in the first folder that it gets, and nothing is
/// touched where it fails. The store that is there is set aside as `sled.replaced`, with `force` only.
pub(super) fn install<T>(
    state: &StateFolder,
    job: &str,
    force: bool,
    fill: impl FnOnce(&Path, &Path) -> Result<T, StoreError>,
) -> Result<T, StoreError> {
    let folder = state.job(job);
    create_private(&folder)?;
    let refused = |error| io_error(&folder, "restore the snapshot", error);
    let engine = state.engine();
    let live = engine.folder(&folder);
    let fresh = folder.join(format!("{}.restoring", engine.name()));
    // A compaction that ended between its two renames leaves the store under its old name alone: it counts as there.
    let stores = Engine::ALL.map(|engine| engine.folder(&folder));
    let taken = stores.clone().map(|live| {
        let old = beside(&live, OLD);
        if old.exists() && !live.exists() { old } else { live }
    });
    if let Some(taken) = taken.iter().find(|taken| taken.exists())
        && !force
    {
        return Err(io_error(
            taken,
            "restore over the snapshot",
            io::ErrorKind::AlreadyExists.into(),
        ));
    }
    let filled = fill(&fresh, &folder)?;
    for (store, taken) in stores.iter().zip(&taken).filter(|(_, taken)| taken.exists()) {
        let aside = beside(store, "replaced");
        remove_folder(&aside).map_err(refused)?;
        fs::rename(taken, &aside).map_err(refused)?;
        // Behind a store that is there, what a compaction left is of no use; it must not come back in its place.
        remove_folder(&beside(store, OLD)).map_err(refused)?;
    }
    fs::rename(&fresh, &live).map_err(refused)?;
    files::write_ours(&folder.join(CREATED), b"").map_err(refused)?;
    Ok(filled)
}

/// Writes every record of a job's store into a new one, which takes its place: what was overwritten or erased is then
/// on disk no more. Bytes before and after. Nobody may have the store open.
///
/// # Errors
/// [`StoreError::Io`], and then the store is as it was; whatever the store says.
pub fn compact(state: &StateFolder, job: &str) -> Result<(u64, u64), StoreError> {
    let folder = state.job(job);
    let refused = |error| io_error(&folder, "compact the snapshot", error);
    let live = state.engine().folder(&folder);
    let (fresh, old) = (beside(&live, "compacting"), beside(&live, OLD));
    remove_folder(&fresh).map_err(refused)?;
    let before = {
        let snapshot = state.open_job(job, DEFAULT_CACHE_BYTES)?;
        // Left by a compaction that ended after its second rename: the one that is live was opened just now.
        remove_folder(&old).map_err(refused)?;
        let store = state.engine().open(&fresh, DEFAULT_CACHE_BYTES)?;
        copy_records(snapshot.store(), &*store)?;
        store.sync()?;
        folder_bytes(&live).map_err(refused)?
    };
    // A crash between these two leaves the old one, and opening the job puts it back.
    fs::rename(&live, &old).map_err(refused)?;
    fs::rename(&fresh, &live).map_err(refused)?;
    File::open(&folder)
        .and_then(|folder| folder.sync_all())
        .map_err(refused)?;
    remove_folder(&old).map_err(refused)?;
    let after = folder_bytes(&live).map_err(refused)?;
    Ok((before, after))
}

fn copy_records(from: &dyn SnapshotStore, to: &dyn SnapshotStore) -> Result<(), StoreError> {
    for table in TABLES {
        let mut after: Option<Vec<u8>> = None;
        loop {
            let page = from.scan(table, &[], after.as_deref(), PAGE)?;
            let Some((last, _)) = page.last() else { break };
            after = Some(last.clone());
            let mut batch = WriteBatch::default();
            for (key, value) in page {
                batch.put(table, key, value);
            }
            to.commit(batch, Durability::Lazy)?;
        }
    }
    Ok(())
}

fn folder_bytes(folder: &Path) -> io::Result<u64> {
    let mut bytes = 0;
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let held = entry.metadata()?;
        bytes += if held.is_dir() {
            folder_bytes(&entry.path())?
        } else {
            held.len()
        };
    }
    Ok(bytes)
}

/// Puts the records into an empty store; never all of them without the mark that they are older than the target.
pub(super) fn load(file: &Path, store: &dyn SnapshotStore, folder: &Path) -> Result<u64, StoreError> {
    let (mut batch, mut records) = (WriteBatch::default(), 0);
    read_records(file, |(table, key, value)| {
        // One is always kept back, for the batch with the mark.
        if batch.writes.len() >= PAGE {
            store.commit(std::mem::take(&mut batch), Durability::Lazy)?;
        }
        batch.put(table, key, value);
        records += 1;
        Ok(())
    })?;
    let restored = keys::meta::free(RESTORED.name());
    batch.put(Table::Meta, restored, RESTORED.bytes(&FROM_BACKUP.to_owned()));
    store.commit(batch, Durability::Synced)?;
    // A newer one is refused before it takes the place of what is there.
    let format = super::migrate::format_of(store, &folder.display().to_string())?;
    match format {
        Some(found) if found > super::migrate::FORMAT => Err(StoreError::TooNew {
            path: file.display().to_string(),
            found,
            known: super::migrate::FORMAT,
        }),
        _ => Ok(records),
    }
}

/// What the source and the target did meanwhile is not known: read everything again, and let no removal go before a
/// person has looked. `why` says what happened, as in "restored from a backup".
///
/// # Errors
/// As [`Reads`].
pub fn begin_again(snapshot: &Snapshot, why: &str) -> Result<(), StoreError> {
    let mut tx = snapshot.tx()?;
    for kind in [ObjectKind::User, ObjectKind::Group] {
        let mut stream = tx.stream(kind)?;
        stream.cursor = Cursor::Start;
        tx.put_stream(kind, &stream);
        tx.put_finishing(kind, None);
    }
    tx.delete_state(&STATE_ID);
    if let Some(learned) = tx.state(&LEARNED)? {
        tx.put_state(&LEARNED, &without_trial(learned));
    }
    tx.put_state(&RESTORED, &why.to_owned());
    tx.commit(Durability::Synced)
}

/// What was learned, without the members that a trial of then would put back: they may have left since.
fn without_trial(learned: String) -> String {
    match serde_json::from_str::<serde_json::Map<String, serde_json::Value>>(&learned) {
        Ok(mut learned) => {
            learned.remove(TRIAL);
            serde_json::Value::Object(learned).to_string()
        }
        // Unreadable for the target's client too, which says so and learns anew.
        Err(_) => learned,
    }
}

/// Shows every record of a backup; an error at the end when the hash says that it is not what was written.
fn read_records(
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
        return Err(not_whole("the backup is not what was written: its hash differs"));
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

pub(super) fn remove_folder(folder: &Path) -> io::Result<()> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

pub(super) fn beside(file: &Path, word: &str) -> PathBuf {
    let mut name = file.file_name().unwrap_or_default().to_owned();
    name.push(".");
    name.push(word);
    file.with_file_name(name)
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
