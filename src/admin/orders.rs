//! Orders: work that is asked of a job. The answer is at once its id and its place, or, with `Accept: text/event-stream`, its
//! events until it ends. A connection that ends, ends no order.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::LOCATION;
use axum::response::IntoResponse;
use axum::response::Response;
use uuid::Uuid;

use super::answer;
use super::answer::Form;
use super::caller::Caller;
use super::desk::OfId;
use super::extract::Json as Body;
use super::extract::Path;
use super::problem::Problem;
use super::stream;
use super::stream::Reply;
use crate::app::actor::Actor;
use crate::app::error::AppError;
use crate::app::error::ErrorKind;
use crate::app::error::ErrorText;
use crate::app::service::Service;
use crate::app::service::order::Ask;
use crate::app::service::order::Work;
use crate::app::service::request::CancelRequest;
use crate::app::service::request::Cancelled;
use crate::app::service::request::DriftRequest;
use crate::app::service::request::ResyncRequest;
use crate::app::service::request::SyncRequest;
use crate::app::service::request::UndoAsked;
use crate::app::service::track::Track;
use crate::model::id::CycleId;
use crate::model::role::Role;

/// `POST /api/v1/jobs/{job}/sync`.
pub(super) async fn sync(
    caller: Caller,
    State(service): State<Arc<Service>>,
    Path(job): Path<String>,
    reply: Reply,
    Body(asked): Body<SyncRequest>,
) -> Result<Response, Problem> {
    // More than the guard allows is a decision, as a release is.
    if asked.allow_deletions.is_some() || asked.allow_creations.is_some() {
        caller.may(Role::Approver)?;
    }
    service.same_settings(&job, asked.settings.as_deref())?;
    taken(&service, &job, &caller.actor, asked.work(), reply)
}

/// `POST /api/v1/jobs/{job}/resync`.
pub(super) async fn resync(
    caller: Caller,
    State(service): State<Arc<Service>>,
    Path(job): Path<String>,
    reply: Reply,
    Body(asked): Body<ResyncRequest>,
) -> Result<Response, Problem> {
    service.same_settings(&job, asked.settings.as_deref())?;
    let work = if asked.objects.is_empty() {
        asked.work()?
    } else {
        let ready = service.ready(&job)?;
        answer::blocking(move || asked.sorted(&ready.job.snapshot)?.work()).await?
    };
    taken(&service, &job, &caller.actor, work, reply)
}

/// `POST /api/v1/jobs/{job}/drift/refresh`: the target is read, and nothing is written.
pub(super) async fn drift_refresh(
    caller: Caller,
    State(service): State<Arc<Service>>,
    Path(job): Path<String>,
    reply: Reply,
    Body(asked): Body<DriftRequest>,
) -> Result<Response, Problem> {
    service.same_settings(&job, asked.settings.as_deref())?;
    taken(&service, &job, &caller.actor, DriftRequest::work(false), reply)
}

/// `POST /api/v1/jobs/{job}/drift/heal`: what drifted is put right, whatever the drift policy.
pub(super) async fn drift_heal(
    caller: Caller,
    State(service): State<Arc<Service>>,
    Path(job): Path<String>,
    reply: Reply,
    Body(asked): Body<DriftRequest>,
) -> Result<Response, Problem> {
    service.same_settings(&job, asked.settings.as_deref())?;
    taken(&service, &job, &caller.actor, DriftRequest::work(true), reply)
}

/// `POST /api/v1/cycles/{id}/undo`: an order for the cycle's job.
pub(super) async fn undo(
    caller: Caller,
    State(service): State<Arc<Service>>,
    Path(OfId { id }): Path<OfId>,
    reply: Reply,
    Body(asked): Body<UndoAsked>,
) -> Result<Response, Problem> {
    let finding = Arc::clone(&service);
    let (job, cycle) = answer::blocking(move || finding.find(&id)).await?;
    service.same_settings(&job, asked.settings.as_deref())?;
    taken(&service, &job, &caller.actor, asked.work(cycle), reply)
}

pub(super) fn taken(
    service: &Arc<Service>,
    job: &str,
    actor: &Actor,
    work: Work,
    reply: Reply,
) -> Result<Response, Problem> {
    let (ticket, track) = service.order(job, Ask::by(work, actor))?;
    if reply.form == Form::Stream {
        return Ok(stream::of(track, Some(ticket), reply));
    }
    let place = format!("/api/v1/cycles/{}", ticket.cycle);
    Ok((StatusCode::ACCEPTED, [(LOCATION, place)], Json(ticket)).into_response())
}

/// `POST /api/v1/cycles/{id}/cancel`.
pub(super) async fn cancel(
    caller: Caller,
    State(service): State<Arc<Service>>,
    Path(id): Path<Uuid>,
    Body(asked): Body<CancelRequest>,
) -> Result<Json<Cancelled>, Problem> {
    let track = track(&service, id)?;
    Ok(Json(Cancelled {
        cycle: track.cycle.to_string(),
        cancelled: service.cancel(track.cycle, asked.mine, caller.actor.as_str()),
    }))
}

fn track(service: &Service, id: Uuid) -> Result<Arc<Track>, Problem> {
    let unknown = || {
        let shown = ErrorText {
            what: format!("this daemon knows no order and no cycle under way of the id {id}"),
            ..ErrorText::default()
        };
        let advice =
            "`melonsync history --cycle ID` shows what was done in it; the ids are in `melonsync status`";
        AppError::new(ErrorKind::Absent, shown.advise(advice))
    };
    Ok(service.track(CycleId(id)).ok_or_else(unknown)?)
}
