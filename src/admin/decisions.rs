//! What people decide: each is the call of `app/decisions/` that the command makes, in the name of who asks.

use std::sync::Arc;

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;

use super::answer;
use super::caller::Caller;
use super::extract::Json;
use super::extract::Path;
use super::problem::Problem;
use crate::app::decisions::Comment;
use crate::app::decisions::escrow;
use crate::app::decisions::escrow::EscrowDecision;
use crate::app::decisions::hold;
use crate::app::decisions::hold::Holding;
use crate::app::decisions::hold::Released;
use crate::app::decisions::link;
use crate::app::decisions::link::Pairing;
use crate::app::decisions::pause;
use crate::app::decisions::pause::Pausing;
use crate::app::decisions::quarantine;
use crate::app::decisions::withheld;
use crate::app::decisions::withheld::Chosen;
use crate::app::service::Service;

type Answered = Result<Response, Problem>;

/// `POST /api/v1/jobs/{job}/pause`.
pub(super) async fn pause(
    caller: Caller,
    State(service): State<Arc<Service>>,
    Path(job): Path<String>,
    headers: HeaderMap,
    Json(wanted): Json<Pausing>,
) -> Answered {
    let decide = move || pause::pause(&service.desk(&job, caller.actor)?, &wanted);
    answer::view(&headers, decide).await
}

/// `POST /api/v1/jobs/{job}/resume`.
pub(super) async fn resume(
    caller: Caller,
    State(service): State<Arc<Service>>,
    Path(job): Path<String>,
    headers: HeaderMap,
    Json(why): Json<Comment>,
) -> Answered {
    let decide = move || pause::resume(&service.desk(&job, caller.actor)?, why.comment);
    answer::view(&headers, decide).await
}

/// `POST /api/v1/jobs/{job}/quarantine/release`.
pub(super) async fn quarantine_release(
    caller: Caller,
    State(service): State<Arc<Service>>,
    Path(job): Path<String>,
    headers: HeaderMap,
    Json(why): Json<Comment>,
) -> Answered {
    let decide = move || quarantine::release(&service.desk(&job, caller.actor)?, why.comment);
    answer::view(&headers, decide).await
}

/// `POST /api/v1/jobs/{job}/withheld/release`.
pub(super) async fn withheld_release(
    caller: Caller,
    State(service): State<Arc<Service>>,
    Path(job): Path<String>,
    headers: HeaderMap,
    Json(chosen): Json<Chosen>,
) -> Answered {
    let decide = move || {
        let decided = withheld::release(&service.desk(&job, caller.actor.clone())?, &chosen)?;
        service.send_released(&job, &caller.actor);
        Ok(decided)
    };
    answer::view(&headers, decide).await
}

/// `POST /api/v1/jobs/{job}/withheld/reject`.
pub(super) async fn withheld_reject(
    caller: Caller,
    State(service): State<Arc<Service>>,
    Path(job): Path<String>,
    headers: HeaderMap,
    Json(chosen): Json<Chosen>,
) -> Answered {
    let decide = move || withheld::reject(&service.desk(&job, caller.actor)?, &chosen);
    answer::view(&headers, decide).await
}

/// `POST /api/v1/jobs/{job}/holds`.
pub(super) async fn hold(
    caller: Caller,
    State(service): State<Arc<Service>>,
    Path(job): Path<String>,
    headers: HeaderMap,
    Json(wanted): Json<Holding>,
) -> Answered {
    let decide = move || hold::hold(&service.desk(&job, caller.actor)?, &wanted);
    answer::view(&headers, decide).await
}

/// `POST /api/v1/jobs/{job}/holds/release`.
pub(super) async fn hold_release(
    caller: Caller,
    State(service): State<Arc<Service>>,
    Path(job): Path<String>,
    headers: HeaderMap,
    Json(wanted): Json<Released>,
) -> Answered {
    let decide = move || {
        let desk = service.desk(&job, caller.actor)?;
        hold::release(&desk, &wanted.objects, wanted.comment.as_ref())
    };
    answer::view(&headers, decide).await
}

/// `DELETE /api/v1/jobs/{job}/holds/{id}`.
pub(super) async fn hold_delete(
    caller: Caller,
    State(service): State<Arc<Service>>,
    Path((job, object)): Path<(String, String)>,
    headers: HeaderMap,
    Json(why): Json<Comment>,
) -> Answered {
    let decide = move || {
        let desk = service.desk(&job, caller.actor)?;
        hold::release(&desk, &[object], why.comment.as_ref())
    };
    answer::view(&headers, decide).await
}

/// `POST /api/v1/jobs/{job}/escrow/retry`: one entry, or all.
pub(super) async fn escrow_retry(
    caller: Caller,
    State(service): State<Arc<Service>>,
    Path(job): Path<String>,
    headers: HeaderMap,
    Json(wanted): Json<escrow::Decided>,
) -> Answered {
    entries(caller, service, (job, EscrowDecision::Retry), &headers, wanted).await
}

/// `POST /api/v1/jobs/{job}/escrow/drop`: one entry, or all.
pub(super) async fn escrow_drop(
    caller: Caller,
    State(service): State<Arc<Service>>,
    Path(job): Path<String>,
    headers: HeaderMap,
    Json(wanted): Json<escrow::Decided>,
) -> Answered {
    entries(caller, service, (job, EscrowDecision::Drop), &headers, wanted).await
}

/// `POST /api/v1/jobs/{job}/escrow/{id}/retry`.
pub(super) async fn entry_retry(
    caller: Caller,
    State(service): State<Arc<Service>>,
    Path((job, object)): Path<(String, String)>,
    headers: HeaderMap,
    Json(Comment { comment }): Json<Comment>,
) -> Answered {
    let wanted = escrow::Decided {
        object: Some(object),
        comment,
    };
    entries(caller, service, (job, EscrowDecision::Retry), &headers, wanted).await
}

/// `POST /api/v1/jobs/{job}/escrow/{id}/drop`.
pub(super) async fn entry_drop(
    caller: Caller,
    State(service): State<Arc<Service>>,
    Path((job, object)): Path<(String, String)>,
    headers: HeaderMap,
    Json(Comment { comment }): Json<Comment>,
) -> Answered {
    let wanted = escrow::Decided {
        object: Some(object),
        comment,
    };
    entries(caller, service, (job, EscrowDecision::Drop), &headers, wanted).await
}

async fn entries(
    caller: Caller,
    service: Arc<Service>,
    (job, decision): (String, EscrowDecision),
    headers: &HeaderMap,
    wanted: escrow::Decided,
) -> Answered {
    let decide = move || {
        let desk = service.desk(&job, caller.actor)?;
        escrow::decide(&desk, decision, wanted.object.as_deref(), wanted.comment.as_ref())
    };
    answer::view(headers, decide).await
}

/// `POST /api/v1/jobs/{job}/links`: the resource is read at the target first.
pub(super) async fn link(
    caller: Caller,
    State(service): State<Arc<Service>>,
    Path(job): Path<String>,
    headers: HeaderMap,
    Json(wanted): Json<Pairing>,
) -> Answered {
    let desk = answer::blocking(move || service.desk(&job, caller.actor)).await?;
    let linked = link::link(&desk, &wanted).await?;
    answer::view(&headers, move || Ok(linked)).await
}

/// `DELETE /api/v1/jobs/{job}/links/{id}`.
pub(super) async fn unlink(
    caller: Caller,
    State(service): State<Arc<Service>>,
    Path((job, object)): Path<(String, String)>,
    headers: HeaderMap,
    Json(why): Json<Comment>,
) -> Answered {
    let decide = move || link::unlink(&service.desk(&job, caller.actor)?, &object, why.comment.as_ref());
    answer::view(&headers, decide).await
}
