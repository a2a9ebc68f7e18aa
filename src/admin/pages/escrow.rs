//! Escrow: what the target refuses, in a sentence each, with what to do and when it is tried next.

use askama::Template;
use axum::response::Response;

use super::decision;
use super::filters;
use super::form::Form;
use super::frame::Frame;
use super::visit::Visit;
use crate::app::decisions::escrow as decisions;
use crate::app::decisions::escrow::EscrowDecision;
use crate::app::views::escrow;
use crate::app::views::escrow::Escrow;

#[derive(Template)]
#[template(path = "escrow.html")]
struct Waiting {
    frame: Frame,
    list: Escrow,
    findings: Vec<Finding>,
}

/// What the last cycle found that concerns more than one object.
struct Finding {
    text: String,
    advice: Option<String>,
}

/// `GET /jobs/{job}/escrow`.
pub(super) async fn page(visit: Visit) -> Response {
    let ask = |visit: &Visit, frame: Frame| {
        let desk = visit.desk()?;
        let list = escrow::escrow(&desk, None)?;
        let last = desk.snapshot.cycles(1)?.pop();
        let found = last.as_ref().and_then(|last| last["findings"].as_array());
        let findings = found.into_iter().flatten().filter_map(|finding| {
            Some(Finding {
                text: finding["text"].as_str()?.to_owned(),
                advice: finding["do"].as_str().map(str::to_owned),
            })
        });
        let json = format!("/api/v1/jobs/{}/escrow", filters::as_part(visit.job()));
        Ok(Waiting {
            frame: frame.titled("Escrow", "escrow", json),
            findings: findings.collect(),
            list,
        })
    };
    visit.show(ask).await
}

/// `POST /jobs/{job}/escrow/retry`: one entry, or all where none is named.
pub(super) async fn retry(visit: Visit, form: Form) -> Response {
    decide(
        visit,
        form,
        EscrowDecision::Retry,
        "The next cycle tries it again.",
    )
    .await
}

/// `POST /jobs/{job}/escrow/drop`: one entry.
pub(super) async fn leave(visit: Visit, form: Form) -> Response {
    decide(
        visit,
        form,
        EscrowDecision::Drop,
        "Left until it changes in Entra or in the settings.",
    )
    .await
}

async fn decide(visit: Visit, form: Form, decision: EscrowDecision, done: &'static str) -> Response {
    let back = format!("/jobs/{}/escrow", filters::as_part(visit.job()));
    let decide = move |visit: &Visit| {
        let object = form.one("object");
        // Without an object it is about all: only where the form says so.
        if object.is_none() && form.one("all").is_none() {
            decision::confirmed(&form, 0)?;
        }
        decisions::decide(
            &visit.desk()?,
            decision,
            object.as_deref(),
            form.one("comment").as_ref(),
        )?;
        Ok(done.to_owned())
    };
    visit.decide(back, decide).await
}
