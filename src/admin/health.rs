//! Whether the daemon is alive and ready, and how it does.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::HeaderValue;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use axum::response::Response;
use serde::Serialize;
use utoipa::ToSchema;

use super::answer;
use super::problem::Problem;
use crate::app::metrics;
use crate::app::service::Service;

/// Whether the daemon answers what it is there for.
#[derive(Serialize, ToSchema)]
pub(super) struct Health {
    /// How it is.
    #[schema(value_type = String)]
    status: &'static str,
    /// What it waits for, where it is not ready.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(value_type = Vec<String>)]
    waits_for: Vec<&'static str>,
}

/// `GET /healthz`: the process is alive.
pub(super) async fn healthz() -> Json<Health> {
    Json(Health {
        status: "alive",
        waits_for: Vec::new(),
    })
}

/// `GET /readyz`: the store is open, the doors are bound, and the schedules run. 503 until then, and once the daemon stops.
pub(super) async fn readyz(State(service): State<Arc<Service>>) -> (StatusCode, Json<Health>) {
    let waits_for = service.waits_for();
    let (code, status) = match waits_for.as_slice() {
        [] => (StatusCode::OK, "ready"),
        _ => (StatusCode::SERVICE_UNAVAILABLE, "not ready"),
    };
    (code, Json(Health { status, waits_for }))
}

/// What Prometheus calls its text.
const PROMETHEUS: HeaderValue = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");

/// `GET /metrics`: how the jobs do, as Prometheus reads it.
pub(super) async fn metrics(State(service): State<Arc<Service>>) -> Result<Response, Problem> {
    let text = answer::blocking(move || metrics::metrics(&service)).await?;
    Ok(([(CONTENT_TYPE, PROMETHEUS)], text).into_response())
}
