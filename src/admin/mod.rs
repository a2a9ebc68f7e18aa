//! The daemon's API (`/api/v1`), and the doors to it: a Unix socket in the state folder, for root and the daemon's own user.
//!
//! | route | is |
//! | --- | --- |
//! | `GET /healthz` | the process is alive |
//! | `GET /readyz` | the store is open and the schedules run |
//! | `GET /api/v1/jobs`, `GET /api/v1/jobs/{job}` | what each job does now, and the orders before it |
//! | `POST /api/v1/jobs/{job}/sync` | an order: one cycle ([`orders`]) |
//! | `POST /api/v1/jobs/{job}/resync` | an order: certain objects, or all |
//! | `GET /api/v1/cycles/{id}` | where an order or a cycle stands; with `Accept: text/event-stream` its events from the beginning |
//! | `POST /api/v1/cycles/{id}/cancel` | ends it after the requests in flight |
//!
//! What is wrong is a problem document ([`problem`]). No route serialises settings.

mod caller;
mod extract;
mod jobs;
mod limits;
mod orders;
mod problem;
mod server;
mod stream;
mod unix;

use std::sync::Arc;

use axum::Router;
use axum::middleware;
use axum::routing::get;
use axum::routing::post;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::app::error::AppError;
use crate::app::service::Service;

/// Opens the doors; within a runtime. They take nobody new when `stop` is cancelled, and the task ends when everyone who
/// came in is served.
pub fn open_doors(service: Arc<Service>, stop: CancellationToken) -> Result<JoinHandle<()>, AppError> {
    let socket = unix::bind(&service.site().socket())?;
    let router = router(service);
    Ok(tokio::spawn(unix::serve(socket, router, stop)))
}

/// Every route.
fn router(service: Arc<Service>) -> Router {
    let api = Router::new()
        .route("/jobs", get(jobs::all))
        .route("/jobs/{job}", get(jobs::one))
        .route("/jobs/{job}/sync", post(orders::sync))
        .route("/jobs/{job}/resync", post(orders::resync))
        .route("/cycles/{id}", get(orders::follow))
        .route("/cycles/{id}/cancel", post(orders::cancel));
    Router::new()
        .route("/healthz", get(jobs::healthz))
        .route("/readyz", get(jobs::readyz))
        .nest("/api/v1", api)
        .fallback(problem::no_route)
        .method_not_allowed_fallback(problem::no_method)
        .layer(middleware::from_fn(limits::whole_body))
        .layer(middleware::from_fn(limits::no_store))
        .with_state(service)
}
