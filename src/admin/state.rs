//! The snapshot as a thing: checked, copied, and somebody in it forgotten. What replaces the store's files needs a stopped
//! daemon, and has no route.

use std::path::Path;
use std::sync::Arc;

use axum::extract::State;
use axum::http::HeaderMap;
use axum::http::HeaderValue;

use super::answer;
use super::caller::Caller;
use super::desk::Answered;
use super::desk::AtDesk;
use super::extract::Json;
use crate::app::desk::Desk;
use crate::app::error::AppError;
use crate::app::proof;
use crate::app::proof::ExportRequest;
use crate::app::service::Service;
use crate::app::service::request::BackupRequest;
use crate::app::service::request::ForgetRequest;
use crate::app::service::request::HandoverRequest;
use crate::app::service::request::StateRequest;
use crate::app::state;
use crate::model::clock::Timestamp;

/// Records of our own form.
pub(super) const BYTES: &str = "application/octet-stream";
/// An archive.
pub(super) const ARCHIVE: &str = "application/x-tar";
/// A document a line.
pub(super) const LINES: &str = "application/jsonl";

/// What is noted of a copy whose place the caller keeps to itself.
const ELSEWHERE: &str = "kept by whoever asked the daemon for it";

/// A longer place is not noted.
const LONGEST_PLACE: usize = 4096;

/// `POST /api/v1/state/verify`.
pub(super) async fn verify(
    caller: Caller,
    State(service): State<Arc<Service>>,
    headers: HeaderMap,
    Json(asked): Json<StateRequest>,
) -> Answered {
    let check = move || state::verify(&desk(&service, asked.job.as_deref(), caller)?);
    answer::view(&headers, check).await
}

/// `POST /api/v1/state/export`: JSON Lines; the header counts damaged records.
pub(super) async fn export(
    caller: Caller,
    State(service): State<Arc<Service>>,
    Json(asked): Json<StateRequest>,
) -> Answered {
    let make = move || state::export_elsewhere(&desk(&service, asked.job.as_deref(), caller)?);
    let made = answer::blocking(make).await?;
    Ok(answer::file(LINES, made.file, made.count)?)
}

/// `POST /api/v1/state/backup`: the file that `state restore` takes; the headers count its records, and name the head of its
/// history. Where it is to be handed over, it waits for the end of the cycle under way.
pub(super) async fn backup(
    caller: Caller,
    State(service): State<Arc<Service>>,
    Json(asked): Json<BackupRequest>,
) -> Answered {
    let desk = opened(&service, asked.job.as_deref(), caller).await?;
    let alone = if asked.handover {
        Some(service.alone(&desk.job).await?)
    } else {
        None
    };
    let make = move || {
        let made = state::backup_elsewhere(&desk, Path::new(place(asked.out.as_deref())));
        drop(alone);
        made
    };
    let made = answer::blocking(make).await?;
    let mut response = answer::file(BYTES, made.file, made.count)?;
    if let Ok(history) = HeaderValue::from_str(&made.history) {
        response.headers_mut().insert(answer::HISTORY, history);
    }
    Ok(response)
}

/// `POST /api/v1/state/handover`: the job goes on at another host, from a backup that was fetched and kept. Waits for the end of the
/// cycle under way.
pub(super) async fn handover(
    caller: Caller,
    State(service): State<Arc<Service>>,
    headers: HeaderMap,
    Json(asked): Json<HandoverRequest>,
) -> Answered {
    let job = service.choose(asked.job.as_deref())?;
    let alone = service.alone(&job).await?;
    let hand_over = move || {
        let backup = Path::new(place(Some(&asked.out)));
        let done = service.hand_over(&job, caller.actor, (backup, &asked.history));
        drop(alone);
        done
    };
    answer::view(&headers, hand_over).await
}

/// `POST /api/v1/state/forget`. Waits for the end of the cycle under way: it may hold the values still.
pub(super) async fn forget(
    caller: Caller,
    State(service): State<Arc<Service>>,
    headers: HeaderMap,
    Json(asked): Json<ForgetRequest>,
) -> Answered {
    let desk = opened(&service, asked.job.as_deref(), caller).await?;
    let alone = service.alone(&desk.job).await?;
    let erase = move || {
        let settings = service.site().settings();
        let done = state::forget_beside(&desk, &settings, &asked.object);
        drop(alone);
        done
    };
    answer::view(&headers, erase).await
}

/// `POST /api/v1/jobs/{job}/history/export`: an archive of the three files that `history verify` checks.
pub(super) async fn history(at: AtDesk, Json(asked): Json<ExportRequest>) -> Answered {
    let make = move || {
        let desk = at.open()?;
        let since = asked.since.unwrap_or(Timestamp(0));
        let until = asked.until.unwrap_or(desk.now);
        proof::export_elsewhere(&desk, since, until, Path::new(place(asked.out.as_deref())))
    };
    let made = answer::blocking(make).await?;
    Ok(answer::file(ARCHIVE, made, 0)?)
}

/// What is noted of the place of a copy: what the caller says, where that is one.
pub(super) fn place(out: Option<&str>) -> &str {
    out.filter(|out| (1..=LONGEST_PLACE).contains(&out.len()))
        .unwrap_or(ELSEWHERE)
}

/// The desk of a job, opened where that may block.
async fn opened(service: &Arc<Service>, job: Option<&str>, caller: Caller) -> Result<Desk, AppError> {
    let (service, job) = (Arc::clone(service), job.map(str::to_owned));
    answer::blocking(move || desk(&service, job.as_deref(), caller)).await
}

fn desk(service: &Service, job: Option<&str>, caller: Caller) -> Result<Desk, AppError> {
    service.desk(&service.choose(job)?, caller.actor)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_that_is_none_is_noted_as_elsewhere() {
        let long = "x".repeat(LONGEST_PLACE + 1);
        for (out, expected) in [
            (Some("/srv/plan"), "/srv/plan"),
            (Some(""), ELSEWHERE),
            (Some(long.as_str()), ELSEWHERE),
            (None, ELSEWHERE),
        ] {
            assert_eq!(place(out), expected, "{out:?}");
        }
    }
}
