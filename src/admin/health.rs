//! Whether the daemon is alive and ready.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::Serialize;
use utoipa::ToSchema;

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
