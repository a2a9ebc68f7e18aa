//! Plans, as they are made, shown, saved, and carried out from their file.
//!
//! A plan of any size needs no memory: it is collected in temporary files, one a form ([`file`]), and put together as one stream.

mod comparing;
mod contrast;
mod file;
mod part;
mod prose;
mod samples;
mod save;
mod saved;
mod shape;
mod sheet;
mod undone;

use std::path::Path;
use std::sync::Arc;

use serde::Serialize;
use serde::Serializer;
use serde_json::Value as Json;

pub use self::comparing::Compared;
use self::comparing::Comparing;
pub use self::comparing::line;
pub use self::contrast::Contrast;
pub use self::contrast::Contrasted;
pub use self::contrast::Difference;
pub use self::contrast::contrasted;
pub use self::file::Form;
use self::file::PlanFile;
pub use self::file::Sheet;
pub use self::file::temporary;
pub use self::part::Part;
pub use self::samples::Omissions;
pub use self::samples::Sample;
pub use self::samples::SampleChange;
pub use self::samples::Samples;
pub use self::save::is_free;
pub use self::save::note;
pub use self::save::save;
pub use self::saved::Origin;
pub use self::saved::Saved;
pub use self::shape::Only;
pub use self::shape::Shape;
pub use self::sheet::cell;
pub use self::undone::Seen;
pub use self::undone::Undone;
pub use self::undone::carry_out_undo;
pub use self::undone::undo;
use super::cycles;
use super::cycles::Allowing;
use super::cycles::Asking;
use super::error::AppError;
use super::views;
use crate::engine::job::Extent;
use crate::engine::job::Job;
use crate::engine::job::Report;
use crate::engine::summary::Outcome;
use crate::engine::summary::Summary;

/// A plan that was made.
pub struct Planned {
    /// What it comes to.
    pub summary: Summary,
    /// The plan, in each form that was asked for.
    pub sheets: Vec<Sheet>,
    /// The first of each kind in it.
    pub samples: Samples,
}

/// Plans a cycle, writing nothing to the target.
pub async fn plan(job: &Job, extent: Extent, forms: &[Form], asking: Asking) -> Result<Planned, AppError> {
    let (file, asking) = following(job, forms, asking)?;
    let done = cycles::plan(job, extent, asking).await;
    planned(file, done)
}

fn following(job: &Job, forms: &[Form], asking: Asking) -> Result<(Arc<PlanFile>, Asking), AppError> {
    let follower = Arc::clone(&asking.watcher);
    let file = PlanFile::new(forms, follower, job.snapshot.clone()).map_err(|error| temporary(&error))?;
    let file = Arc::new(file);
    let asking = Asking {
        watcher: Arc::clone(&file) as _,
        ..asking
    };
    Ok((file, asking))
}

fn planned(file: Arc<PlanFile>, done: Report) -> Result<Planned, AppError> {
    if let Some(error) = &done.error {
        return Err(AppError::from(error));
    }
    let file = Arc::into_inner(file).expect("the order that shared it is gone");
    let (sheets, samples) = file.finish().map_err(|error| temporary(&error))?;
    Ok(Planned {
        summary: done.summary,
        sheets,
        samples,
    })
}

/// How a saved plan is to be carried out.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Carrying {
    /// The target is read back, also where it was not for the plan.
    pub full: bool,
    /// Nothing is sent where anything differs.
    pub exact: bool,
    /// At most so many removals of users; if there are more, none.
    pub deletions: Option<u64>,
}

/// What became of a saved plan.
#[derive(Debug)]
pub struct Carried {
    /// What was done.
    pub summary: Summary,
    /// Why it ended early.
    pub error: Option<AppError>,
    /// What was left, because the plan does not have it so.
    pub left: Vec<Json>,
    /// What the plan has, and was not carried out.
    pub missed: Vec<Json>,
    /// What concerns every object.
    pub findings: Vec<String>,
    /// True where the job converged without all of the plan.
    pub is_part: bool,
}

/// The summary with what was left, and what was not wanted.
impl Serialize for Carried {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let more = [
            ("left", self.left.clone().into()),
            ("not_wanted", self.missed.clone().into()),
        ];
        views::with_members(&self.summary, more, serializer)
    }
}

/// How a saved plan was carried out, as far as it can be said without its file.
#[derive(Debug)]
pub struct CarriedOut {
    /// What was done; `None` where nothing was, because it differs and nothing may.
    pub summary: Option<Summary>,
    /// Why it ended early.
    pub error: Option<AppError>,
    /// How it compares with the plan.
    pub compared: Compared,
    /// What concerns every object.
    pub findings: Vec<String>,
}

impl CarriedOut {
    /// With what the file has of what was not carried out. The error is of what differs where nothing may.
    pub fn beside(self, file: &Path) -> Result<Carried, AppError> {
        let missed = self.compared.missed(file)?;
        let Some(summary) = self.summary else {
            return Err(comparing::not_exact(file, &self.compared.left, &missed));
        };
        let converged = summary.mode == "enforce" && summary.outcome == Outcome::Converged;
        Ok(Carried {
            is_part: converged && !missed.is_empty(),
            summary,
            error: self.error,
            left: self.compared.left,
            missed,
            findings: self.findings,
        })
    }
}

/// Reads both sides afresh, and carries out a saved plan as far as it still holds.
pub async fn carry_out(
    job: &Job,
    saved: &Saved,
    how: Carrying,
    asking: Asking,
) -> Result<CarriedOut, AppError> {
    saved.fits(job)?;
    let plan = Arc::new(saved.plan.clone());
    let extent = if how.full || saved.origin.full {
        Extent::Full
    } else {
        Extent::Changes
    };
    let follow = |id| {
        let watcher = Arc::new(Comparing::new(&plan, Arc::clone(&asking.watcher)));
        let asking = Asking {
            id,
            watcher: Arc::clone(&watcher) as _,
            ..asking.clone()
        };
        (watcher, asking)
    };
    let allowing = Allowing {
        only: None,
        deletions: how.deletions,
        creations: None,
    };
    if how.exact {
        let (watcher, asking) = follow(None);
        let done = cycles::foresee(job, extent.clone(), &allowing, &asking).await;
        if let Some(error) = &done.error {
            return Err(AppError::from(error));
        }
        let compared = watcher.compared();
        if !compared.is_exact() {
            return Ok(CarriedOut {
                summary: None,
                error: None,
                compared,
                findings: watcher.findings(),
            });
        }
    }
    let (watcher, asking) = follow(asking.id);
    let allowing = Allowing {
        only: Some(Arc::clone(&plan)),
        ..allowing
    };
    let report = cycles::sync(job, extent, allowing, asking).await;
    Ok(CarriedOut {
        error: report.error.as_ref().map(AppError::from),
        summary: Some(report.summary),
        compared: watcher.compared(),
        findings: watcher.findings(),
    })
}
