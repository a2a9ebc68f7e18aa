//! The tour: what to try in the demo. A daemon of somebody's own has no such page.

use askama::Template;
use axum::http::StatusCode;
use axum::response::Response;

use super::filters;
use super::frame;
use super::frame::Frame;
use super::visit::Visit;
use crate::admin::problem::Problem;
use crate::app::demo::tour::MEANWHILE;
use crate::app::demo::tour::STEPS;

#[derive(Template)]
#[template(path = "tour.html")]
struct Tour {
    frame: Frame,
}

/// `GET /tour`.
pub(super) async fn page(visit: Visit) -> Response {
    if !visit.service.shows_tour() {
        return frame::refused(&Problem::of_status(StatusCode::NOT_FOUND));
    }
    let ask = |_: &Visit, mut frame: Frame| {
        "What to try".clone_into(&mut frame.title);
        Ok(Tour { frame })
    };
    visit.show(ask).await
}
