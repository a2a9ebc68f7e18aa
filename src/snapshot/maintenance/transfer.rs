//! Restores a store from a backup, and compacts a store.
//!
//! A restored snapshot is older than the target, so its streams begin again with a full round, and the name
//! [`RESTORED`] in its meta table makes removals wait until a person has looked (docs/design/failures.md).

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

use crate::snapshot::again::begin_again;
use crate::snapshot::folder::StateFolder;
use crate::snapshot::io::CREATED;
use crate::snapshot::io::OLD;
use crate::snapshot::io::beside;
use crate::snapshot::io::io_error;
use crate::snapshot::io::remove_folder;
use crate::snapshot::keys;
use crate::snapshot::kv::embedded::Engine;
use crate::snapshot::kv::sled::DEFAULT_CACHE_BYTES;
use crate::snapshot::lock::create_private;
use crate::snapshot::maintenance::backup::read_records;
use crate::snapshot::maintenance::forget;
use crate::snapshot::pages::raw_pages;
use crate::snapshot::read::PAGE;
use crate::snapshot::state::RESTORED;
use crate::snapshot::store::Snapshot;

pub use crate::snapshot::maintenance::backup::TABLES;
pub use crate::snapshot::maintenance::backup::backup;

/// Restores a job's snapshot from a backup and returns the number of records. The whole backup is checked first. Where
/// the job already has a snapshot, of whichever engine, the restore is refused, or with `force` that snapshot is set
/// aside as `sled.replaced` or `redb.replaced`.
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

/// The origin of a restored snapshot.
const FROM_BACKUP: &str = "restored from a backup";

/// Makes the restored store ready to take its place: in today's format, beginning again, with forgotten objects erased
/// again. A crash before it is put there leaves what was there; after it, nothing is left to do.
fn make(file: &Path, engine: Engine, fresh: &Path, folder: &Path) -> Result<u64, StoreError> {
    let store = engine.open(fresh, DEFAULT_CACHE_BYTES)?;
    let records = load(file, &*store, folder)?;
    // The backup itself is the way back; this copy of it goes with the folder of the store.
    let copy = beside(fresh, "migrating");
    crate::snapshot::maintenance::migrate::migrate(
        &*store,
        &folder.display().to_string(),
        &copy,
        crate::snapshot::maintenance::migrate::STEPS,
        crate::snapshot::maintenance::migrate::FORMAT,
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

/// Puts a new store in the place of a job's: `fill` builds it in the first folder that it gets, and nothing is touched
/// where it fails. An existing store is set aside as `sled.replaced`, with `force` only.
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
    // A compaction that ended between its two renames leaves the store under its old name alone: it counts as existing.
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
        // Behind an existing store, what a compaction left is of no use; it must not come back in its place.
        remove_folder(&beside(store, OLD)).map_err(refused)?;
    }
    fs::rename(&fresh, &live).map_err(refused)?;
    files::write_ours(&folder.join(CREATED), b"").map_err(refused)?;
    Ok(filled)
}

/// Writes every record of a job's store into a new one, which takes its place: overwritten and erased values are then
/// no longer on disk. Returns the bytes before and after. No process may have the store open.
///
/// # Errors
/// [`StoreError::Io`], and then the store is as it was; whatever the store reports.
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
        let mut pages = raw_pages();
        while let Some(page) =
            pages.next_page(|after, limit| from.scan(table, &[], after.map(Vec::as_slice), limit))?
        {
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

/// Loads the records into an empty store; never all of them without the mark that they are older than the target.
pub(in crate::snapshot) fn load(
    file: &Path,
    store: &dyn SnapshotStore,
    folder: &Path,
) -> Result<u64, StoreError> {
    let (mut batch, mut records) = (WriteBatch::default(), 0);
    read_records(file, |(table, key, value)| {
        // One record is always kept back, for the batch with the mark.
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
    // A newer format is refused before it takes the place of what is there.
    let format = crate::snapshot::maintenance::migrate::format_of(store, &folder.display().to_string())?;
    match format {
        Some(found) if found > crate::snapshot::maintenance::migrate::FORMAT => Err(StoreError::TooNew {
            path: file.display().to_string(),
            found,
            known: crate::snapshot::maintenance::migrate::FORMAT,
        }),
        _ => Ok(records),
    }
}
