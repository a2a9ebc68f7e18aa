//! `POST /api/v1/notify/test`: a sample to every receiver of the daemon's settings.

use std::sync::Arc;

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;

use super::answer;
use super::answer::Form;
use super::extract::Json;
use super::problem::Problem;
use crate::app::notices::sample;
use crate::app::notices::sample::SampleRequest;
use crate::app::service::Service;
use crate::app::words::Words;

/// Sends the samples, and answers with what became of each.
pub(super) async fn test(
    State(service): State<Arc<Service>>,
    headers: HeaderMap,
    Json(SampleRequest {}): Json<SampleRequest>,
) -> Result<Response, Problem> {
    let tested = sample::test(&service.site().settings()).await?;
    let form = Form::of(&headers);
    let text = match form {
        Form::Words => tested.words(),
        Form::Json | Form::Stream => answer::document(&tested),
    };
    Ok(answer::of(form, text))
}
