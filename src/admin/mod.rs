//! The daemon's API (`/api/v1`), and the doors to it: a Unix socket in the state folder, for root and the daemon's own user.
//!
//! | route | is |
//! | --- | --- |
//! | `GET /healthz` | the process is alive |
//! | `GET /readyz` | the store is open and the schedules run |
//! | `GET /api/v1/jobs`, `GET …/jobs/{job}` | as `status` shows them, with what the daemon does now (`views.rs`) |
//! | `GET …/withheld`, `…/holds`, `…/escrow`, `…/drift`, `…/history` | as their commands show them |
//! | `GET …/objects/{id}/explain` | one object, and why |
//! | `POST …/pause`, `…/resume`, `…/quarantine/release` | decisions on the job (`decisions.rs`) |
//! | `POST …/withheld/release`, `…/withheld/reject` | decisions on what the guard holds back |
//! | `POST …/holds`, `…/holds/release`, `DELETE …/holds/{id}` | objects put on hold, and taken off |
//! | `POST …/escrow/retry`, `…/escrow/drop`, `…/escrow/{id}/retry`, `…/escrow/{id}/drop` | entries tried again, or left |
//! | `POST …/links`, `DELETE …/links/{id}` | the remembered pair, by hand |
//! | `POST …/sync`, `…/resync`, `…/drift/refresh`, `…/drift/heal` | orders (`orders.rs`) |
//! | `GET /api/v1/cycles/{id}` | where an order or a cycle stands; with `Accept: text/event-stream` its events from the beginning |
//! | `POST /api/v1/cycles/{id}/cancel` | ends it after the requests in flight |
//!
//! What is wrong is a problem document (`problem.rs`). No route serialises settings.

mod answer;
mod caller;
mod decisions;
mod extract;
mod health;
mod limits;
mod orders;
mod problem;
mod server;
mod stream;
mod unix;
mod views;

use std::sync::Arc;

use axum::Router;
use axum::middleware;
use axum::routing::delete;
use axum::routing::get;
use axum::routing::post;
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

use crate::app::error::AppError;
use crate::app::error::ErrorKind;
use crate::app::error::ErrorText;
use crate::app::service::Closed;
use crate::app::service::Service;

/// As many threads as may ask the store for those who come in.
const ASKING_THREADS: usize = 4;

/// Opens the doors. They take nobody new when `stop` is cancelled, and are closed when everyone who came in is served.
///
/// They have a thread and a runtime of their own: whatever a cycle is busy with, who asks is answered.
pub fn open_doors(service: Arc<Service>, stop: CancellationToken) -> Result<Closed, AppError> {
    let socket = unix::bind(&service.site().socket())?;
    let router = router(service);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .max_blocking_threads(ASKING_THREADS)
        .build()
        .map_err(|cause| no_thread(&cause))?;
    let (done, closed) = oneshot::channel();
    let serve = move || {
        runtime.block_on(unix::serve(socket, router, stop));
        // Nobody may wait for it any more.
        let _ = done.send(());
    };
    std::thread::Builder::new()
        .name("doors".to_owned())
        .spawn(serve)
        .map_err(|cause| no_thread(&cause))?;
    Ok(closed)
}

fn no_thread(cause: &std::io::Error) -> AppError {
    let shown = ErrorText {
        what: "cannot start a thread for the API".to_owned(),
        causes: vec![cause.to_string()],
        ..ErrorText::default()
    };
    AppError::new(
        ErrorKind::Failed,
        shown.advise("check the limits on threads and open files"),
    )
}

/// Every route.
fn router(service: Arc<Service>) -> Router {
    let job = Router::new()
        .route("/", get(views::job))
        .route("/withheld", get(views::withheld))
        .route("/withheld/release", post(decisions::withheld_release))
        .route("/withheld/reject", post(decisions::withheld_reject))
        .route("/holds", get(views::holds).post(decisions::hold))
        .route("/holds/release", post(decisions::hold_release))
        .route("/holds/{id}", delete(decisions::hold_delete))
        .route("/escrow", get(views::escrow))
        .route("/escrow/retry", post(decisions::escrow_retry))
        .route("/escrow/drop", post(decisions::escrow_drop))
        .route("/escrow/{id}/retry", post(decisions::entry_retry))
        .route("/escrow/{id}/drop", post(decisions::entry_drop))
        .route("/drift", get(views::drift))
        .route("/drift/refresh", post(orders::drift_refresh))
        .route("/drift/heal", post(orders::drift_heal))
        .route("/history", get(views::history))
        .route("/objects/{id}/explain", get(views::explain))
        .route("/links", post(decisions::link))
        .route("/links/{id}", delete(decisions::unlink))
        .route("/pause", post(decisions::pause))
        .route("/resume", post(decisions::resume))
        .route("/quarantine/release", post(decisions::quarantine_release))
        .route("/sync", post(orders::sync))
        .route("/resync", post(orders::resync));
    let api = Router::new()
        .route("/jobs", get(views::jobs))
        .nest("/jobs/{job}", job)
        .route("/cycles/{id}", get(orders::follow))
        .route("/cycles/{id}/cancel", post(orders::cancel));
    Router::new()
        .route("/healthz", get(health::healthz))
        .route("/readyz", get(health::readyz))
        .nest("/api/v1", api)
        .fallback(problem::no_route)
        .method_not_allowed_fallback(problem::no_method)
        .layer(middleware::from_fn(limits::whole_body))
        .layer(middleware::from_fn(limits::no_store))
        .with_state(service)
}
