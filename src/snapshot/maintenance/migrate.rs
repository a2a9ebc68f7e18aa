//! The format's number: an older format is migrated after a backup, a newer one is refused, and none at all is
//! reported.

use std::path::Path;

use crate::ports::Durability;
use crate::ports::SnapshotStore;
use crate::ports::StoreError;
use crate::ports::Table;
use crate::ports::WriteBatch;

use crate::snapshot::history::index;
use crate::snapshot::keys;
use crate::snapshot::maintenance::backup;

/// The format that this program reads and writes.
pub const FORMAT: u32 = 7;

/// One step: turns a store of format `from` into one of the next format. It must be safe to repeat from the beginning,
/// because the number is raised only after it. Each of its commits is its own business.
#[derive(Debug, Clone, Copy)]
pub struct Step {
    /// The format that it migrates.
    pub from: u32,
    /// The migration itself.
    pub run: fn(&dyn SnapshotStore) -> Result<(), StoreError>,
}

/// The steps from format 1 to [`FORMAT`].
///
/// Format 2: tables of small entries lie in blocks, in engines that have them. Records of objects of format 1 are read
/// as they are, and written anew when they change. Format 3: changes to small entries may wait in a journal, which a program
/// of format 2 would not look into; there is nothing to move. Format 4: values in the history have numbers for names; those
/// of before are read as they are. Format 5: values under names begin with a version, which a program of format 4 would not
/// read, and would take some of them for empty; those of before are read as they are. Format 6: the tables of the way back, and
/// withheld operations of it, which a program of format 5 does not know; there is nothing to move. Format 7: marks of the
/// objects beside each record of the history, which are made here and which a program of format 6 would not go on with.
pub const STEPS: &[Step] = &[
    Step {
        from: 1,
        run: |store| store.renew_layout(),
    },
    Step {
        from: 2,
        run: |_| Ok(()),
    },
    Step {
        from: 3,
        run: |_| Ok(()),
    },
    Step {
        from: 4,
        run: |_| Ok(()),
    },
    Step {
        from: 5,
        run: |_| Ok(()),
    },
    Step {
        from: 6,
        run: index::build,
    },
];

/// The oldest format whose export equals today's: layouts are not part of an export.
pub const OLDEST_EXPORT: u32 = 2;

/// Returns the format number of the store, or `None` for an empty store.
///
/// # Errors
/// [`StoreError::Damaged`] where there are records but no number.
pub fn format_of(store: &dyn SnapshotStore, path: &str) -> Result<Option<u32>, StoreError> {
    if let Some(bytes) = store.get(Table::Meta, keys::meta::FORMAT)? {
        let number = bytes.as_slice().try_into().map(u32::from_be_bytes);
        return number
            .map(Some)
            .map_err(|_| damaged(path, "its format number does not decode"));
    }
    for table in [Table::Meta, Table::Objects, Table::History] {
        if !store.scan(table, &[], None, 1)?.is_empty() {
            return Err(damaged(path, "it holds records but no format number"));
        }
    }
    Ok(None)
}

/// Migrates a store to the format `known` by `steps`, after writing a backup to `backup`. Returns true when there was
/// something to do. The backup is kept: it is the way back.
///
/// # Errors
/// [`StoreError::TooNew`], [`StoreError::Damaged`] where no step leads on, and whatever a step returns.
pub fn migrate(
    store: &dyn SnapshotStore,
    path: &str,
    backup: &Path,
    steps: &[Step],
    known: u32,
) -> Result<bool, StoreError> {
    let Some(mut format) = format_of(store, path)? else {
        return Ok(false);
    };
    if format > known {
        return Err(StoreError::TooNew {
            path: path.to_owned(),
            found: format,
            known,
        });
    }
    if format == known {
        return Ok(false);
    }
    if !backup.exists() {
        // An existing backup was made before a migration that did not end: it is the older, whole one.
        backup::backup(store, path, backup)?;
    }
    while format < known {
        let step = steps.iter().find(|step| step.from == format);
        let step = step.ok_or_else(|| {
            damaged(
                path,
                &format!("no migration step leads on from its format {format}"),
            )
        })?;
        (step.run)(store)?;
        format += 1;
        let mut batch = WriteBatch::default();
        batch.put(Table::Meta, keys::meta::FORMAT, format.to_be_bytes());
        store.commit(batch, Durability::Synced)?;
    }
    tracing::info!(
        snapshot.path = path,
        snapshot.format = format,
        "Snapshot in {path} migrated to format {format}"
    );
    Ok(true)
}

fn damaged(path: &str, what: &str) -> StoreError {
    StoreError::Damaged {
        path: path.to_owned(),
        what: what.to_owned(),
    }
}
