//! The personal values of an object that is ours no more, erased.

use std::path::PathBuf;

use serde::Serialize;

use crate::app::desk::Desk;
use crate::app::error::AppError;
use crate::app::install::Installation;
use crate::app::lookup;
use crate::model::clock::Timestamp;
use crate::model::shown::shown;
use crate::settings::Settings;
use crate::settings::audit::Stream;
use crate::snapshot::folder::StateFolder;
use crate::snapshot::maintenance::copies;
use crate::snapshot::maintenance::forget;
use crate::snapshot::maintenance::forget::StillOurs;
use crate::snapshot::maintenance::transfer;
use crate::snapshot::store::Snapshot;

/// What was erased, and where the values still are.
#[derive(Debug, Serialize)]
pub struct Forgotten {
    /// `forget`.
    pub action: &'static str,
    /// Where the audit stream put them, as far as it is a place.
    pub audit_stream: Option<String>,
    /// True where the store's files were written anew: what was overwritten is in them no more.
    pub compacted: bool,
    /// Every copy that is known of.
    pub copies: Vec<CopyView>,
    /// Of how many entries of the history.
    pub history_entries: u64,
    /// The job.
    pub job: String,
    /// Of how many records.
    pub records: u64,
    /// Of how many quotations in summaries.
    pub summaries: u64,
}

/// A copy that still holds the values.
#[derive(Debug, Serialize)]
pub struct CopyView {
    /// When it was made, where that is known.
    #[serde(serialize_with = "crate::app::views::text_or_null")]
    pub made: Option<Timestamp>,
    /// Where it was put.
    #[serde(serialize_with = "path")]
    pub path: PathBuf,
    /// True where it is still there.
    pub there: bool,
    /// What it is.
    pub what: String,
}

fn path<S: serde::Serializer>(path: &std::path::Path, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&path.display())
}

/// Erases the personal values of an object that is neither linked nor in scope any more.
pub fn forget(
    installation: &Installation,
    job: Option<&str>,
    object: &str,
    now: Timestamp,
) -> Result<Forgotten, AppError> {
    let (name, folder) = (installation.choose(job)?, &installation.folder);
    let erased = erase(&installation.known(name)?, folder, (name, object), now)?;
    // What was overwritten lies in the store's files until they are written anew.
    transfer::compact(folder, name)?;
    told(&installation.settings, folder, name, (erased, true))
}

/// The same where the store is open, and stays so. No cycle of the job runs meanwhile: it may hold the values still. What was
/// overwritten lies in the store's files until they are written anew.
pub fn forget_beside(desk: &Desk, settings: &Settings, object: &str) -> Result<Forgotten, AppError> {
    let erased = erase(&desk.snapshot, &desk.folder, (&desk.job, object), desk.now)?;
    told(settings, &desk.folder, &desk.job, (erased, false))
}

fn erase(
    snapshot: &Snapshot,
    folder: &StateFolder,
    (job, object): (&str, &str),
    now: Timestamp,
) -> Result<forget::Forgotten, AppError> {
    let id = lookup::one_ever(snapshot, job, object)?;
    let word = forget::may_forget(snapshot, &id)?;
    word.map_err(|still| still_ours(object, &still))?;
    Ok(forget::forget(snapshot, &folder.job(job), id, now)?)
}

fn told(
    settings: &Settings,
    folder: &StateFolder,
    name: &str,
    (erased, compacted): (forget::Forgotten, bool),
) -> Result<Forgotten, AppError> {
    let copies = copies::copies(&folder.job(name), folder.engine())?;
    let copies = copies.into_iter().map(|copy| CopyView {
        made: copy.made,
        there: copy.path.symlink_metadata().is_ok(),
        path: copy.path,
        what: copy.what,
    });
    Ok(Forgotten {
        action: "forget",
        audit_stream: stream_of(settings),
        compacted,
        copies: copies.collect(),
        history_entries: erased.entries,
        job: name.to_owned(),
        records: erased.records,
        summaries: erased.summaries,
    })
}

/// Where the audit stream put values, as far as it is a place.
fn stream_of(settings: &Settings) -> Option<String> {
    match settings.audit.stream.as_ref()? {
        Stream::File(path) => Some(path.display().to_string()),
        Stream::Syslog => Some("the system's log".to_owned()),
        Stream::Stdout => Some("whatever keeps the program's output".to_owned()),
    }
}

fn still_ours(object: &str, still: &StillOurs) -> AppError {
    let (why, advice) = match still {
        StillOurs::Linked => (
            "has a resource at the target",
            "take it out of scope or delete it first; where `on_out_of_scope` disables, delete the resource at the target",
        ),
        StillOurs::Waits => (
            "is still to be looked at",
            "run `melonsync sync` first: who is in scope cannot be forgotten",
        ),
    };
    AppError::conflict(
        format!("`{}` {why}, so it is not forgotten", shown(object)),
        advice,
    )
}
