//! The snapshot as a thing: checked, exported and imported, backed up and restored, compacted, and somebody in it forgotten.
//!
//! What takes a [`Desk`] can be asked beside cycles; what takes an [`Installation`] replaces the store's files, so nobody has the
//! store open.

mod copy;
mod forget;

use std::io::Write;
use std::path::Path;

use serde::Deserialize;
use serde::Serialize;
use utoipa::ToSchema;

pub use self::copy::{Copy, backed_up, backup_elsewhere, export_elsewhere};
pub use self::forget::{CopyView, Forgotten, forget, forget_beside};
use super::desk::Desk;
use super::error::AppError;
use super::install::Installation;
use crate::ports::StoreError;
use crate::snapshot::folder::StateFolder;
use crate::snapshot::maintenance::export;
use crate::snapshot::maintenance::import;
use crate::snapshot::maintenance::transfer;
use crate::snapshot::maintenance::verify;
use crate::snapshot::read::Reads;

/// How a snapshot was found.
#[derive(Debug, Serialize, Deserialize)]
pub struct Verified {
    /// Groups to look at.
    pub dirty_groups: u64,
    /// Users to look at.
    pub dirty_users: u64,
    /// What is wrong.
    pub findings: Vec<String>,
    /// Groups.
    pub groups: u64,
    /// Entries of the history.
    pub history_entries: u64,
    /// The job.
    pub job: String,
    /// Groups with a resource.
    pub linked_groups: u64,
    /// Users with a resource.
    pub linked_users: u64,
    /// Memberships.
    pub memberships: u64,
    /// True where nothing is wrong.
    pub ok: bool,
    /// Users.
    pub users: u64,
}

/// A snapshot that was written to a file, or read from one.
#[derive(Debug, Serialize)]
pub struct Copied {
    /// `backup`, `restore` or `import`.
    pub action: &'static str,
    /// The file.
    pub file: String,
    /// The job.
    pub job: String,
    /// How many records.
    pub records: u64,
}

/// A snapshot that was written anew.
#[derive(Debug, Serialize)]
pub struct Compacted {
    /// `compact`.
    pub action: &'static str,
    /// What it takes on disk now.
    pub bytes_after: u64,
    /// What it took before.
    pub bytes_before: u64,
    /// The job.
    pub job: String,
}

/// Checks every record and the history's chain. What is wrong is in the answer.
pub fn verify(desk: &Desk) -> Result<Verified, AppError> {
    let found = verify::verify(&desk.snapshot)?;
    let counts = found.counts;
    Ok(Verified {
        dirty_groups: counts.dirty_groups,
        dirty_users: counts.dirty_users,
        ok: found.findings.is_empty(),
        findings: found.findings,
        groups: counts.groups,
        history_entries: found.history,
        job: desk.job.clone(),
        linked_groups: counts.linked_groups,
        linked_users: counts.linked_users,
        memberships: counts.edges,
        users: counts.users,
    })
}

/// Writes the snapshot as JSON Lines. Returns how many records are damaged ([`is_whole`]).
pub fn export(desk: &Desk, mut out: impl Write) -> Result<u64, AppError> {
    let exported = export::export(&desk.snapshot, &mut out)?;
    // A reader that goes away is no failure of the export.
    let _ = out.flush();
    Ok(exported.damaged)
}

/// Refuses an export with damaged records in it.
pub fn is_whole(job: &str, damaged: u64) -> Result<(), AppError> {
    if damaged == 0 {
        return Ok(());
    }
    Err(AppError::failed(
        format!("{damaged} records of job `{job}` are damaged"),
        "run `melonsync state verify`",
    ))
}

/// Refuses a file for a backup that is there already.
pub fn is_free(out: &Path) -> Result<(), AppError> {
    if out.symlink_metadata().is_err() {
        return Ok(());
    }
    Err(AppError::conflict(
        format!("{} is there already", out.display()),
        "name a file with --out that does not exist; a backup overwrites nothing",
    ))
}

/// Writes the snapshot to a file that is not there yet.
pub fn backup(desk: &Desk, out: &Path) -> Result<Copied, AppError> {
    is_free(out)?;
    let records = transfer::backup(desk.snapshot.store(), desk.snapshot.path(), out)?;
    desk.note_copy("backup", out)?;
    Ok(copied("backup", &desk.job, records, out))
}

/// Marks the job as one that goes on at another host, from this backup: it is refused here from now on.
pub fn hand_over(desk: &Desk, backup: &Path) -> Result<(), AppError> {
    let text = format!(
        "handed over at {} by {}, in the backup {}\n",
        desk.now,
        desk.actor,
        backup.display()
    );
    desk.folder.hand_over(&desk.job, &text)?;
    Ok(())
}

/// A job that was handed over to another host.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct HandedOver {
    /// The backup that it goes on from.
    pub file: String,
    /// The job.
    pub job: String,
}

/// The same for a backup that was made before, and ends with this history: refused where something was done since.
pub fn hand_over_with(desk: &Desk, backup: &Path, history: &str) -> Result<HandedOver, AppError> {
    if desk.snapshot.history_head()?.to_string() != history {
        return Err(AppError::conflict(
            format!(
                "job `{}` went on since the backup was made: it is not handed over",
                desk.job
            ),
            "make the backup again; `melonsync pause` keeps the job still meanwhile",
        ));
    }
    hand_over(desk, backup)?;
    Ok(HandedOver {
        file: backup.display().to_string(),
        job: desk.job.clone(),
    })
}

/// Puts a backup in the snapshot's place; with `force` also where one is, which is set aside.
pub fn restore(
    installation: &Installation,
    job: Option<&str>,
    from: &Path,
    force: bool,
) -> Result<Copied, AppError> {
    put(installation, job, (from, force), "restore", transfer::restore)
}

/// Makes the snapshot out of an export; with `force` also where one is, which is set aside.
pub fn import(
    installation: &Installation,
    job: Option<&str>,
    from: &Path,
    force: bool,
) -> Result<Copied, AppError> {
    put(installation, job, (from, force), "import", import::import)
}

fn put(
    installation: &Installation,
    job: Option<&str>,
    (from, force): (&Path, bool),
    action: &'static str,
    work: fn(&Path, &StateFolder, &str, bool) -> Result<u64, StoreError>,
) -> Result<Copied, AppError> {
    let (name, folder) = (installation.choose(job)?, &installation.folder);
    if !force && folder.jobs()?.iter().any(|job| job == name) {
        return Err(AppError::conflict(
            format!(
                "job `{name}` has a snapshot already, in {}",
                folder.root().display()
            ),
            "with --force the file takes its place, and it is kept beside it as `sled.replaced` or `redb.replaced`",
        ));
    }
    if !from.is_file() {
        return Err(AppError::usage(
            format!("there is no file {}", from.display()),
            "name a file that `melonsync state backup --out FILE` wrote (`import`: what `state export` printed)",
        ));
    }
    let records = work(from, folder, name, force)?;
    Ok(copied(action, name, records, from))
}

fn copied(action: &'static str, job: &str, records: u64, file: &Path) -> Copied {
    Copied {
        action,
        file: file.display().to_string(),
        job: job.to_owned(),
        records,
    }
}

/// Writes the snapshot anew without what was overwritten or erased in it.
pub fn compact(installation: &Installation, job: Option<&str>) -> Result<Compacted, AppError> {
    let name = installation.choose(job)?;
    // Opened first: one that is not there, or is damaged, is not compacted.
    drop(installation.known(name)?);
    let (bytes_before, bytes_after) = transfer::compact(&installation.folder, name)?;
    Ok(Compacted {
        action: "compact",
        bytes_after,
        bytes_before,
        job: name.to_owned(),
    })
}
