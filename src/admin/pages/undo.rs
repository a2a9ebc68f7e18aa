//! A cycle taken back: what that would send is shown first, and exactly that is ordered.

use axum::response::Response;
use serde_json::Value as Json;

use super::decision;
use super::filters;
use super::form::Form;
use super::frame;
use super::visit::Visit;
use crate::admin::answer;
use crate::admin::desk::OfId;
use crate::admin::extract::Path;
use crate::admin::problem::Problem;
use crate::app::error::AppError;
use crate::app::plans;
use crate::app::plans::Seen;
use crate::app::service::CycleState;
use crate::app::service::order::Work;
use crate::app::service::track::Standing;
use crate::app::service::track::Track;
use crate::app::views::cycles;
use crate::engine::job::UndoRequest;
use crate::model::id::CycleId;

/// What the page of a cycle offers to take it back.
pub(super) enum Undo {
    /// Nothing: it is no cycle of which that can be asked.
    Not,
    /// It wrote nothing, for this reason.
    Nothing(&'static str),
    /// What that would send can be shown.
    Preview {
        /// True where it deleted something, which can only be made anew.
        deleted: bool,
    },
    /// It was shown: this is what it is about.
    Shown {
        /// The cycle that is taken back.
        cycle: String,
    },
}

impl Undo {
    /// What is offered of a cycle as it stands.
    pub(super) fn of(state: &CycleState, track: Option<&Track>) -> Self {
        let Some(summary) = state.summary.as_ref().filter(|_| state.state == "ended") else {
            return Self::Not;
        };
        if let Some(track) = track.filter(|track| !track.ask.work.is_cycle()) {
            return match &track.ask.work {
                Work::Undo { request, .. } if state.problem.is_none() => Self::Shown {
                    cycle: request.cycle.to_string(),
                },
                _ => Self::Not,
            };
        }
        Self::of_summary(summary)
    }

    fn of_summary(summary: &Json) -> Self {
        let count = |verb: &str| summary["operations"][verb].as_u64().unwrap_or_default();
        let counts = summary["operations"].as_object().into_iter().flatten();
        if summary["mode"] != "enforce" || summary["outcome"] == "planned" {
            return Self::Nothing("It only planned, and wrote nothing: there is nothing to take back.");
        }
        if counts.filter_map(|(_, count)| count.as_u64()).sum::<u64>() == 0 {
            return Self::Nothing("It carried nothing out: there is nothing to take back.");
        }
        Self::Preview {
            deleted: count("delete_user") + count("delete_group") > 0,
        }
    }
}

fn page_of(visit: &Visit, cycle: &str) -> String {
    format!(
        "/jobs/{}/cycles/{}",
        filters::as_part(visit.job()),
        filters::as_part(cycle)
    )
}

/// Finds the cycle, where it is one of this job.
async fn found(visit: Visit, id: String) -> Result<(Visit, CycleId), AppError> {
    answer::blocking(move || {
        let (job, cycle) = visit.service.find(&id)?;
        if job == visit.job() {
            Ok((visit, cycle))
        } else {
            Err(cycles::none_kept(&id))
        }
    })
    .await
}

/// `POST /jobs/{job}/cycles/{id}/undo/preview`: what taking it back would send.
pub(super) async fn preview(visit: Visit, Path(OfId { id }): Path<OfId>, form: Form) -> Response {
    let (visit, cycle) = match found(visit, id).await {
        Ok(found) => found,
        Err(error) => return frame::refused(&Problem::from(error)),
    };
    let work = Work::Undo {
        request: UndoRequest {
            cycle,
            recreate: form.one("recreate").is_some(),
            comment: None,
        },
        apply: false,
        seen: Seen::default(),
        forms: vec![plans::Form::Json],
    };
    let back = page_of(&visit, &cycle.to_string());
    decision::order(visit, &back, Ok(work))
}

/// `POST /jobs/{job}/cycles/{id}/undo`: what was shown, and nothing else.
pub(super) async fn undo(visit: Visit, Path(OfId { id }): Path<OfId>, form: Form) -> Response {
    let (visit, cycle) = match found(visit, id).await {
        Ok(found) => found,
        Err(error) => return frame::refused(&Problem::from(error)),
    };
    let shown = form.one("preview").unwrap_or_else(|| cycle.to_string());
    let back = page_of(&visit, &shown);
    let work = seen(&visit, cycle, &shown).and_then(|(request, seen)| {
        let count = seen.count.unwrap_or_default();
        decision::confirmed(&form, usize::try_from(count).unwrap_or(usize::MAX))?;
        Ok(Work::Undo {
            request: UndoRequest {
                comment: form.one("comment"),
                ..request
            },
            apply: true,
            seen,
            forms: Vec::new(),
        })
    });
    decision::order(visit, &back, work)
}

/// What was shown of an undo of this cycle.
fn seen(visit: &Visit, cycle: CycleId, shown: &str) -> Result<(UndoRequest, Seen), AppError> {
    let track = shown.parse().ok().and_then(|id| visit.service.track(CycleId(id)));
    let track = track.ok_or_else(gone)?;
    let Work::Undo {
        request,
        apply: false,
        ..
    } = &track.ask.work
    else {
        return Err(gone());
    };
    let Standing::Ended(answer) = track.standing().borrow().clone() else {
        return Err(gone());
    };
    let made = answer
        .made
        .as_ref()
        .and_then(|made| made.sheet(plans::Form::Json));
    let (sheet, summary) = made.zip(answer.summary.as_ref()).ok_or_else(gone)?;
    if request.cycle != cycle {
        return Err(gone());
    }
    let seen = Seen {
        count: Some(summary.operations.values().sum()),
        digest: Some(sheet.digest()?),
    };
    Ok((request.clone(), seen))
}

fn gone() -> AppError {
    AppError::conflict(
        "what this would take back is not kept as it was shown: nothing was done",
        "have it shown again from the page of the cycle",
    )
}
