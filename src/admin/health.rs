//! Whether the daemon is alive and ready.

use axum::Json;
use serde::Serialize;

/// Whether the daemon answers what it is there for.
#[derive(Serialize)]
pub(super) struct Health {
    status: &'static str,
}

/// `GET /healthz`: the process is alive.
pub(super) async fn healthz() -> Json<Health> {
    Json(Health { status: "alive" })
}

/// `GET /readyz`. The doors open when the store is open and the jobs are put together: whoever is answered here finds both.
pub(super) async fn readyz() -> Json<Health> {
    Json(Health { status: "ready" })
}
