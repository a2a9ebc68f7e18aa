//! A store from a backup, and a store written anew.
//!
//! A restored snapshot is older than the target, so its streams begin again with a full round, and the name
//! [`RESTORED`] in its meta says that removals wait until a person has looked (docs/design/failures.md).

use std::{
    fs::{self, File},
    io,
    path::Path,
};

use crate::files;
use crate::ports::Durability;
use crate::ports::SnapshotStore;
use crate::ports::StoreError;
use crate::ports::Table;
use crate::ports::WriteBatch;

use super::{
    again::begin_again,
    backup::read_records,
    embedded::Engine,
    folder::StateFolder,
    forget,
    io::{CREATED, OLD, beside, io_error, remove_folder},
    keys,
    lock::create_private,
    read::PAGE,
    sled::DEFAULT_CACHE_BYTES,
    state::RESTORED,
    store::Snapshot,
};

pub use super::backup::{TABLES, backup};

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
