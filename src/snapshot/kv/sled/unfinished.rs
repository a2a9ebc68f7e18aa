//! Files of sled that a killed process left half written.
//!
//! sled 0.34 writes two files beside its log: `conf`, once, and `snap.<lsn>`, at every opening, first under
//! `snap.<lsn>.generating`. It does not leave these out when it looks for the latest `snap.*`
//! (`Config::get_snapshot_files` leaves out an older ending), and fails over a torn one with "corrupted data", though
//! nothing is lost. Both are built anew from what is whole, so a torn one is removed before sled looks.

use std::fs;
use std::io;
use std::path::Path;

use super::CONFIG_FILE;

/// The name of sled's index of its log, before its number, and its suffix while it is written.
const INDEX: &str = "snap.";
const BEING_WRITTEN: &str = ".generating";

/// Removes torn files. Only for the holder of the state folder: another process might be writing them just now.
///
/// A `.generating` that is whole stays: sled reads it, as it is newer than the other.
pub(super) fn remove_torn(folder: &Path) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name();
        let name = name.to_string_lossy();
        let unfinished = name.starts_with(INDEX) && name.ends_with(BEING_WRITTEN);
        // The settings are the same in every version of melonsync; sled writes them again.
        if (unfinished || name == CONFIG_FILE) && is_torn(&fs::read(entry.path())?) {
            tracing::info!(
                file = %entry.path().display(),
                "removed a file that a killed process left half written; nothing is lost, it is written again"
            );
            fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

/// Returns whether a file is torn. sled ends both files with their CRC-32, little-endian; before it, in an index, the
/// length.
fn is_torn(bytes: &[u8]) -> bool {
    let sum = |(content, sum): (&[u8], &[u8; 4])| {
        let content = content.strip_suffix(&length_of(content)).unwrap_or(content);
        crc32fast::hash(content) == u32::from_le_bytes(*sum)
    };
    !bytes.split_last_chunk().is_some_and(sum)
}

/// Returns the eight bytes that an index has after its content.
fn length_of(content: &[u8]) -> [u8; 8] {
    (content.len().saturating_sub(8) as u64).to_le_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ports::Durability;
    use crate::ports::SnapshotStore;
    use crate::ports::Table;
    use crate::ports::WriteBatch;
    use crate::snapshot::kv::sled::SledStore;

    const CACHE: u64 = 1 << 20;

    fn store_with(folder: &Path, value: u8) {
        let store = SledStore::open(folder, CACHE).unwrap();
        let mut batch = WriteBatch::default();
        batch.put(Table::Meta, "k", [value]);
        store.commit(batch, Durability::Synced).unwrap();
    }

    #[track_caller]
    fn holds(folder: &Path, value: u8) {
        let store = SledStore::open(folder, CACHE).unwrap();
        assert_eq!(store.get(Table::Meta, b"k").unwrap(), Some(vec![value]));
    }

    /// Returns the latest index: there is one once a store with content was opened again.
    fn index(folder: &Path) -> std::path::PathBuf {
        let names = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
        let is_index = |path: &std::path::PathBuf| path.to_string_lossy().contains("/snap.");
        names.filter(is_index).max().expect("an index")
    }

    #[test]
    fn killed_while_the_index_is_written_the_store_opens_with_all_that_it_held() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path();
        store_with(folder, 1);
        store_with(folder, 2);
        let whole = fs::read(index(folder)).unwrap();
        for length in (0..whole.len()).step_by(7).chain([whole.len() - 1]) {
            let torn = folder.join("snap.7FFFFFFFFFFFFFFF.generating");
            fs::write(&torn, &whole[..length]).unwrap();
            holds(folder, 2);
            assert!(!torn.exists(), "{length} bytes");
        }
    }

    #[test]
    fn killed_before_the_index_got_its_name_the_store_opens_with_all_that_it_held() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path();
        store_with(folder, 1);
        store_with(folder, 2);
        let named = index(folder);
        let unnamed = format!("{}{BEING_WRITTEN}", named.display());
        fs::rename(&named, &unnamed).unwrap();
        assert!(!is_torn(&fs::read(&unnamed).unwrap()));
        holds(folder, 2);
        store_with(folder, 3);
        holds(folder, 3);
    }

    #[test]
    fn killed_while_the_settings_are_written_the_store_opens_with_all_that_it_held() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path();
        store_with(folder, 1);
        let settings = folder.join(CONFIG_FILE);
        let whole = fs::read(&settings).unwrap();
        assert!(!is_torn(&whole));
        for length in 0..whole.len() {
            fs::write(&settings, &whole[..length]).unwrap();
            holds(folder, 1);
            assert_eq!(fs::read(&settings).unwrap(), whole, "{length} bytes");
        }
    }

    #[test]
    fn an_index_that_is_damaged_under_its_own_name_is_reported() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path();
        store_with(folder, 1);
        store_with(folder, 2);
        let path = index(folder);
        let mut bytes = fs::read(&path).unwrap();
        bytes[3] ^= 1;
        fs::write(&path, bytes).unwrap();
        let error = SledStore::open(folder, CACHE).unwrap_err();
        assert!(
            matches!(error, crate::ports::StoreError::Damaged { .. }),
            "{error:?}"
        );
    }
}
