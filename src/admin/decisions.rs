//! What people decide: each is the call of `app/decisions/` that the command makes, in the name of who asks.

use super::answer;
use super::desk::Answered;
use super::desk::AtDesk;
use super::desk::OfId;
use super::extract::Json;
use super::extract::Path;
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

/// `POST /api/v1/jobs/{job}/pause`.
pub(super) async fn pause(at: AtDesk, Json(wanted): Json<Pausing>) -> Answered {
    at.show(move |desk| pause::pause(desk, &wanted)).await
}

/// `POST /api/v1/jobs/{job}/resume`.
pub(super) async fn resume(at: AtDesk, Json(why): Json<Comment>) -> Answered {
    at.show(move |desk| pause::resume(desk, why.comment)).await
}

/// `POST /api/v1/jobs/{job}/quarantine/release`.
pub(super) async fn quarantine_release(at: AtDesk, Json(why): Json<Comment>) -> Answered {
    at.show(move |desk| quarantine::release(desk, why.comment)).await
}

/// `POST /api/v1/jobs/{job}/withheld/release`.
pub(super) async fn withheld_release(at: AtDesk, Json(chosen): Json<Chosen>) -> Answered {
    let release = move || Ok(at.service.release(&at.job, &at.actor, &chosen)?.decided);
    answer::shown(at.form, release).await
}

/// `POST /api/v1/jobs/{job}/withheld/reject`.
pub(super) async fn withheld_reject(at: AtDesk, Json(chosen): Json<Chosen>) -> Answered {
    at.show(move |desk| withheld::reject(desk, &chosen)).await
}

/// `POST /api/v1/jobs/{job}/holds`.
pub(super) async fn hold(at: AtDesk, Json(wanted): Json<Holding>) -> Answered {
    at.show(move |desk| hold::hold(desk, &wanted)).await
}

/// `POST /api/v1/jobs/{job}/holds/release`.
pub(super) async fn hold_release(at: AtDesk, Json(wanted): Json<Released>) -> Answered {
    at.show(move |desk| hold::release(desk, &wanted.objects, wanted.comment.as_ref()))
        .await
}

/// `DELETE /api/v1/jobs/{job}/holds/{id}`.
pub(super) async fn hold_delete(
    at: AtDesk,
    Path(OfId { id }): Path<OfId>,
    Json(why): Json<Comment>,
) -> Answered {
    at.show(move |desk| hold::release(desk, &[id], why.comment.as_ref()))
        .await
}

/// `POST /api/v1/jobs/{job}/escrow/retry`: one entry, or all.
pub(super) async fn escrow_retry(at: AtDesk, Json(wanted): Json<escrow::Decided>) -> Answered {
    entries(at, EscrowDecision::Retry, wanted).await
}

/// `POST /api/v1/jobs/{job}/escrow/drop`: one entry, or all.
pub(super) async fn escrow_drop(at: AtDesk, Json(wanted): Json<escrow::Decided>) -> Answered {
    entries(at, EscrowDecision::Drop, wanted).await
}

/// `POST /api/v1/jobs/{job}/escrow/{id}/retry`.
pub(super) async fn entry_retry(
    at: AtDesk,
    Path(OfId { id }): Path<OfId>,
    Json(why): Json<Comment>,
) -> Answered {
    entries(at, EscrowDecision::Retry, of(id, why)).await
}

/// `POST /api/v1/jobs/{job}/escrow/{id}/drop`.
pub(super) async fn entry_drop(
    at: AtDesk,
    Path(OfId { id }): Path<OfId>,
    Json(why): Json<Comment>,
) -> Answered {
    entries(at, EscrowDecision::Drop, of(id, why)).await
}

fn of(object: String, Comment { comment }: Comment) -> escrow::Decided {
    escrow::Decided {
        object: Some(object),
        comment,
    }
}

async fn entries(at: AtDesk, decision: EscrowDecision, wanted: escrow::Decided) -> Answered {
    at.show(move |desk| escrow::decide(desk, decision, wanted.object.as_deref(), wanted.comment.as_ref()))
        .await
}

/// `POST /api/v1/jobs/{job}/links`: the resource is read at the target first.
pub(super) async fn link(at: AtDesk, Json(wanted): Json<Pairing>) -> Answered {
    let form = at.form;
    let desk = answer::blocking(move || at.open()).await?;
    let linked = link::link(&desk, &wanted).await?;
    answer::shown(form, move || Ok(linked)).await
}

/// `DELETE /api/v1/jobs/{job}/links/{id}`.
pub(super) async fn unlink(at: AtDesk, Path(OfId { id }): Path<OfId>, Json(why): Json<Comment>) -> Answered {
    at.show(move |desk| link::unlink(desk, &id, why.comment.as_ref()))
        .await
}
