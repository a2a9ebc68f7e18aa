//! The history as a proof: exported with its chain, and such an export checked.

use std::path::Path;

use serde::Serialize;

use super::desk::Desk;
use super::error::AppError;
use super::error::ErrorKind;
use super::error::ErrorText;
use crate::files;
use crate::model::clock::Timestamp;
use crate::snapshot::maintenance::proof;

/// What was exported.
#[derive(Debug, Serialize)]
pub struct Exported {
    /// `export`.
    pub action: &'static str,
    /// How many entries.
    pub entries: u64,
    /// The number of the first entry of the chain.
    pub first: u64,
    /// The folder.
    pub folder: String,
    /// The hash at the chain's head.
    pub head: String,
    /// The job.
    pub job: String,
    /// The number behind the last entry of the chain.
    pub next: u64,
}

/// How an export was found.
#[derive(Debug, Serialize)]
pub struct Checked {
    /// The hash before the chain's first record.
    pub anchor: String,
    /// How many entries.
    pub entries: u64,
    /// Of them without values.
    pub erased: u64,
    /// What is wrong.
    pub findings: Vec<String>,
    /// The number of the first entry of the chain.
    pub first: u64,
    /// The hash at the chain's head.
    pub head: String,
    /// The job.
    pub job: String,
    /// The number behind the last entry of the chain.
    pub next: u64,
    /// True where nothing is wrong.
    pub ok: bool,
    /// Of them with their values.
    pub proven: u64,
    /// From this moment on.
    #[serde(serialize_with = "super::views::text")]
    pub since: Timestamp,
    /// Up to this moment.
    #[serde(serialize_with = "super::views::text")]
    pub until: Timestamp,
}

/// Exports the entries of a time into a folder that is empty or not there yet.
pub fn export(desk: &Desk, since: Timestamp, until: Timestamp, out: &Path) -> Result<Exported, AppError> {
    let is_link = out.symlink_metadata().is_ok_and(|held| held.is_symlink());
    let theirs = matches!(files::looseness(out, false), Ok(Some(files::Loose::Owner(_))));
    if is_link || theirs {
        return Err(AppError::usage(
            format!("{} is a link, or somebody else's folder", out.display()),
            "name a folder of your own with --out, or one that does not exist",
        ));
    }
    if std::fs::read_dir(out).is_ok_and(|mut held| held.next().is_some()) {
        return Err(AppError::usage(
            format!("{} is not empty", out.display()),
            "name a folder with --out that is empty or does not exist; an export overwrites nothing",
        ));
    }
    let manifest = proof::export(&desk.snapshot, &desk.job, since, until, out)?;
    desk.note_copy("history export", out)?;
    Ok(Exported {
        action: "export",
        entries: manifest.entries,
        first: manifest.first,
        folder: out.display().to_string(),
        head: manifest.head,
        job: desk.job.clone(),
        next: manifest.next,
    })
}

/// Checks an export. What is wrong is in the answer; the error is of a folder that is no export.
pub fn verify(folder: &Path) -> Result<Checked, AppError> {
    let checked = proof::verify(folder).map_err(|error| {
        let advice = "name a folder that `melonsync history export --out DIR` wrote";
        AppError::new(ErrorKind::Failed, ErrorText::of(&error).advise(advice))
    })?;
    let manifest = checked.manifest;
    Ok(Checked {
        ok: checked.findings.is_empty(),
        anchor: manifest.anchor,
        entries: manifest.entries,
        erased: checked.erased,
        findings: checked.findings,
        first: manifest.first,
        head: manifest.head,
        job: manifest.job,
        next: manifest.next,
        proven: checked.proven,
        since: manifest.since,
        until: manifest.until,
    })
}
