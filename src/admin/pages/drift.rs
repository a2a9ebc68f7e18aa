//! Drift: where the target is not as it was left. What healing would write is what is shown, and healing is refused where that is
//! another by now.

use askama::Template;
use axum::response::Response;
use sha2::Digest as _;
use sha2::Sha256;

use super::decision;
use super::filters;
use super::form::Form;
use super::frame;
use super::frame::Frame;
use super::visit::Visit;
use crate::admin::answer;
use crate::admin::problem::Problem;
use crate::app::error::AppError;
use crate::app::service::request::DriftRequest;
use crate::app::views::drift;
use crate::app::views::drift::DriftView;
use crate::app::views::withheld;

#[derive(Template)]
#[template(path = "drift.html")]
struct Drifted {
    frame: Frame,
    found: DriftView,
    /// The digest of what is shown.
    digest: String,
    /// How many objects healing is about.
    heals: usize,
}

/// `GET /jobs/{job}/drift`, as the last reading found it.
pub(super) async fn page(visit: Visit) -> Response {
    let ask = |visit: &Visit, frame: Frame| {
        let found = found(visit)?;
        let json = format!("/api/v1/jobs/{}/drift", filters::as_part(visit.job()));
        Ok(Drifted {
            frame: frame.titled("Drift", "drift", json),
            digest: digest(&found),
            heals: found.objects.len(),
            found,
        })
    };
    visit.show(ask).await
}

fn found(visit: &Visit) -> Result<DriftView, AppError> {
    let desk = visit.desk()?;
    drift::drift(&desk.snapshot, &desk.job)
}

/// The digest of what healing is about: the objects with their differences, and none of what only says when they were read.
fn digest(found: &DriftView) -> String {
    let of_object = |object: &drift::DriftedObject| {
        serde_json::json!([
            object.object.to_string(),
            object.classes,
            object.attributes,
            object.lacking,
            object.extra,
        ])
    };
    let all: Vec<_> = found.objects.iter().map(of_object).collect();
    let digest = Sha256::digest(serde_json::json!([all, found.more_objects]).to_string());
    withheld::short(digest.as_slice())
}

fn back(visit: &Visit) -> String {
    format!("/jobs/{}/drift", filters::as_part(visit.job()))
}

/// `POST /jobs/{job}/drift/refresh`: the target is read, and nothing is written.
pub(super) async fn refresh(visit: Visit) -> Response {
    let back = back(&visit);
    decision::order(visit, &back, Ok(DriftRequest::work(false)))
}

/// `POST /jobs/{job}/drift/heal`: what is shown is put right.
pub(super) async fn heal(visit: Visit, form: Form) -> Response {
    let back = back(&visit);
    let looked = answer::blocking(move || {
        let now = found(&visit)?;
        let checked = decision::confirmed(&form, now.objects.len()).and_then(|()| {
            if form.one("digest").is_some_and(|seen| seen == digest(&now)) {
                return Ok(DriftRequest::work(true));
            }
            Err(AppError::conflict(
                "what differs is not what was looked at any more: nothing was done",
                "look at it again, as it is shown now",
            ))
        });
        Ok((visit, checked))
    });
    match looked.await {
        Ok((visit, work)) => decision::order(visit, &back, work),
        Err(error) => frame::refused(&Problem::from(error)),
    }
}
