//! Where a snapshot is: whether its folder is the one that it was written in.
//!
//! A copy of the folder, or the same folder on another host, may be older than the target. The marker file knows its
//! own inode, which a copy does not keep, and the machine id where the system has one. A volume that is mounted
//! again elsewhere keeps both, or has no machine id of its own (containers), and is at home.

use std::{fs, io, os::unix::fs::MetadataExt, path::Path};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// What the marker says of its place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Place {
    inode: u64,
    /// A hash of the machine id, which is not to be shown (machine-id(5)); `None` where there is none.
    machine: Option<String>,
}

/// How the snapshot came here, where that is not by its own marker: `None` when it is at home, or nothing is known.
///
/// # Errors
/// When the marker cannot be read.
pub(super) fn compare(marker: &Path) -> io::Result<Option<&'static str>> {
    let Ok(noted) = serde_json::from_slice::<Place>(&fs::read(marker)?) else {
        return Ok(None);
    };
    let here = here(marker)?;
    if let (Some(noted), Some(here)) = (&noted.machine, &here.machine)
        && noted != here
    {
        return Ok(Some("found on another host"));
    }
    Ok((noted.inode != here.inode).then_some("found in a copy of its folder"))
}

/// Writes the place into the marker, unless it is there already.
///
/// # Errors
/// When the marker cannot be written.
pub(super) fn note(marker: &Path) -> io::Result<()> {
    let here = here(marker)?;
    let noted = serde_json::from_slice::<Place>(&fs::read(marker)?).ok();
    if noted.as_ref() == Some(&here) {
        return Ok(());
    }
    // In place: a file that is written anew would have another inode.
    fs::write(marker, serde_json::to_vec(&here)?)
}

fn here(marker: &Path) -> io::Result<Place> {
    let machine = fs::read_to_string("/etc/machine-id").unwrap_or_default();
    let machine = machine.trim();
    Ok(Place {
        inode: fs::metadata(marker)?.ino(),
        machine: (machine.len() == 32).then(|| {
            let hash = Sha256::digest(format!("melonsync {machine}"));
            hash.iter().take(8).map(|byte| format!("{byte:02x}")).collect()
        }),
    })
}
