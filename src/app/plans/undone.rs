//! Undos: planned, and carried out as they were looked at.

use std::io;
use std::sync::Arc;

use serde::Serialize;
use serde::Serializer;
use sha2::Digest as _;
use sha2::Sha256;

use super::Form;
use super::Planned;
use super::Sheet;
use super::following;
use super::planned;
use super::temporary;
use crate::app::cycles::Asking;
use crate::app::error::AppError;
use crate::app::text::count::many;
use crate::app::views;
use crate::app::views::withheld::short;
use crate::engine::job::Extent;
use crate::engine::job::Job;
use crate::engine::job::NoWatcher;
use crate::engine::job::UndoRequest;
use crate::engine::summary::Summary;
use crate::engine::undo;

/// Plans an undo.
pub async fn undo(
    job: &Job,
    request: &UndoRequest,
    forms: &[Form],
    asking: Asking,
) -> Result<Planned, AppError> {
    let (file, asking) = following(job, forms, asking)?;
    let order = asking.order(nothing_named(), false);
    let done = undo::undo(job, &order, request).await;
    drop((order, asking));
    planned(file, done)
}

/// What somebody looked at before they asked for an undo: it is carried out only while it comes to that.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Seen {
    /// So many operations.
    pub count: Option<u64>,
    /// The digest of them ([`Sheet::digest`]).
    pub digest: Option<String>,
}

impl Seen {
    /// Refuses a plan that is not what was looked at.
    fn fits(&self, planned: &Planned) -> Result<(), AppError> {
        let count = count(&planned.summary);
        if let Some(seen) = self.count.filter(|seen| *seen != count) {
            return Err(other(format!(
                "it would take back {} by now, not {seen}: nothing was done",
                many(count, "operation")
            )));
        }
        let Some(seen) = &self.digest else { return Ok(()) };
        let now = planned.sheets.first().map(Sheet::digest).transpose()?;
        if now.as_ref() == Some(seen) {
            return Ok(());
        }
        Err(other(
            "what would be taken back is not what was looked at any more: nothing was done".to_owned(),
        ))
    }

    const fn is_nothing(&self) -> bool {
        self.count.is_none() && self.digest.is_none()
    }
}

fn other(what: String) -> AppError {
    AppError::conflict(what, "look at it again, as it is shown now")
}

/// How many operations a cycle carried out, or a plan has.
#[must_use]
pub fn count(summary: &Summary) -> u64 {
    summary.operations.values().sum()
}

impl Sheet {
    /// The digest of what it would do, and of nothing else: another plan of the same has the same.
    pub fn digest(&self) -> Result<String, AppError> {
        let mut digest = Sha256::new();
        io::copy(&mut self.operations.clone(), &mut digest).map_err(|error| temporary(&error))?;
        Ok(short(digest.finalize().as_slice()))
    }
}

/// An undo that was carried out.
#[derive(Debug)]
pub struct Undone {
    /// What was done.
    pub summary: Summary,
    /// Why it ended early.
    pub error: Option<AppError>,
    /// The cycle that was undone.
    pub cycle: String,
    /// What could not be undone, and why.
    pub left: Vec<String>,
}

/// The summary with the cycle that was undone, and what was left of it.
impl Serialize for Undone {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let more = [
            ("left", self.left.clone().into()),
            ("undone", self.cycle.clone().into()),
        ];
        views::with_members(&self.summary, more, serializer)
    }
}

/// Carries out an undo, as it was looked at.
pub async fn carry_out_undo(
    job: &Job,
    request: &UndoRequest,
    seen: &Seen,
    asking: Asking,
) -> Result<Undone, AppError> {
    if !seen.is_nothing() {
        let unseen = Asking {
            id: None,
            watcher: Arc::new(NoWatcher),
            ..asking.clone()
        };
        seen.fits(&undo(job, request, &[Form::Json], unseen).await?)?;
    }
    let (file, asking) = following(job, &[], asking)?;
    let report = undo::undo(job, &asking.order(nothing_named(), true), request).await;
    Ok(Undone {
        error: report.error.as_ref().map(AppError::from),
        summary: report.summary,
        cycle: request.cycle.to_string(),
        left: file.findings(),
    })
}

const fn nothing_named() -> Extent {
    Extent::Objects {
        users: Vec::new(),
        groups: Vec::new(),
    }
}
