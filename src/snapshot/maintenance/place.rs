//! The place of a snapshot: whether its folder is the one that it was written in.
//!
//! A copy of the folder, or the same folder on another host, may be older than the target. The marker file records its
//! own inode and birth, which a copy does not keep, and the machine id where the system has one. A volume that is
//! mounted elsewhere keeps both, or has no machine id of its own (containers), and counts as at home.

use std::{fs, io, os::unix::fs::MetadataExt, path::Path, time::UNIX_EPOCH};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::files::write_ours;

/// The place as the marker records it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Place {
    inode: u64,
    /// Milliseconds since 1970; `None` where the file system does not record it. Inode numbers are used again.
    born: Option<u64>,
    /// A hash of the machine id, which must not be shown (machine-id(5)); `None` where there is none.
    machine: Option<String>,
}

/// Returns how the snapshot came here, if its marker was written elsewhere; `None` when it is at home, or nothing is
/// known.
///
/// # Errors
/// When the marker cannot be read.
pub(in crate::snapshot) fn compare(marker: &Path) -> io::Result<Option<&'static str>> {
    let Ok(noted) = serde_json::from_slice::<Place>(&fs::read(marker)?) else {
        return Ok(None);
    };
    let here = here(marker)?;
    if let (Some(noted), Some(here)) = (&noted.machine, &here.machine)
        && noted != here
    {
        return Ok(Some("found on another host"));
    }
    Ok(((noted.inode, noted.born) != (here.inode, here.born)).then_some("found in a copy of its folder"))
}

/// Writes the place into the marker, unless it is there already.
///
/// # Errors
/// When the marker cannot be written.
pub(in crate::snapshot) fn note(marker: &Path) -> io::Result<()> {
    let here = here(marker)?;
    let noted = serde_json::from_slice::<Place>(&fs::read(marker)?).ok();
    if noted.as_ref() == Some(&here) {
        return Ok(());
    }
    // In place: a new file would have another inode.
    write_ours(marker, &serde_json::to_vec(&here)?).map(drop)
}

fn here(marker: &Path) -> io::Result<Place> {
    let machine = fs::read_to_string("/etc/machine-id").unwrap_or_default();
    let machine = machine.trim();
    let held = fs::metadata(marker)?;
    let born = held
        .created()
        .ok()
        .and_then(|time| time.duration_since(UNIX_EPOCH).ok());
    Ok(Place {
        inode: held.ino(),
        born: born.and_then(|born| u64::try_from(born.as_millis()).ok()),
        machine: (machine.len() == 32).then(|| {
            let hash = Sha256::digest(format!("melonsync {machine}"));
            hash.iter().take(8).map(|byte| format!("{byte:02x}")).collect()
        }),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_file_on_another_host_is_noticed_and_one_without_a_machine_id_is_at_home() {
        let folder = tempfile::tempdir().expect("a folder");
        let marker = folder.path().join("created");
        fs::write(&marker, "").expect("a marker");
        note(&marker).expect("noted");
        assert_eq!(compare(&marker).expect("compared"), None);
        let home = here(&marker).expect("a place");
        let Some(machine) = home.machine.clone() else {
            return; // a system that has no id of its own
        };
        for (noted, found) in [
            (Some("0123456789abcdef".to_owned()), Some("found on another host")),
            (Some(machine), None),
            (None, None),
        ] {
            let place = Place {
                machine: noted.clone(),
                ..home.clone()
            };
            write_ours(&marker, &serde_json::to_vec(&place).expect("JSON")).expect("written");
            assert_eq!(compare(&marker).expect("compared"), found, "{noted:?}");
        }
    }
}
