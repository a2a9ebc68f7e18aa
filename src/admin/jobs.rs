//! What the jobs do now, and whether the daemon is alive and ready.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde::Serialize;

use super::caller::Caller;
use super::extract::Path;
use super::problem::Problem;
use crate::app::install;
use crate::app::service::JobState;
use crate::app::service::Service;

/// The jobs of the daemon.
#[derive(Serialize)]
pub(super) struct Jobs {
    jobs: Vec<JobState>,
}

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

/// `GET /api/v1/jobs`.
pub(super) async fn all(_caller: Caller, State(service): State<Arc<Service>>) -> Json<Jobs> {
    Json(Jobs { jobs: service.jobs() })
}

/// `GET /api/v1/jobs/{job}`.
pub(super) async fn one(
    _caller: Caller,
    State(service): State<Arc<Service>>,
    Path(job): Path<String>,
) -> Result<Json<JobState>, Problem> {
    let settings = service.site().settings();
    let (name, _) = install::choose(&settings, Some(&job))?;
    let found = service.jobs().into_iter().find(|state| state.job == name);
    Ok(Json(found.expect("each job of the settings has a state")))
}
