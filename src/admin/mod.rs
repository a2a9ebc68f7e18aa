//! The daemon's API (`/api/v1`), and the doors to it: a Unix socket in the state folder, for root and the daemon's own user
//! (`unix.rs`), and an address, for those who hold a token (`network.rs`).
//!
//! Every route stands in `routes/table.rs`, with who may call it and what it does; every page of the dashboard in `pages/table.rs`.
//! What is wrong is a problem document (`problem.rs`). No route serialises settings.

mod answer;
mod caller;
mod check;
mod cookie;
mod decisions;
mod desk;
mod entra_job;
mod entrance;
mod extract;
mod feed;
mod gate;
mod health;
mod hosts;
mod limits;
mod listings;
mod logins;
mod mapping;
mod network;
mod notify;
mod orders;
mod pages;
mod parameter;
mod patient;
mod plans;
mod problem;
mod routes;
mod server;
mod state;
mod stream;
mod unix;
mod views;

use std::sync::Arc;

use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

use entrance::Entrance;

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
    let address = network::bind(&service.access())?;
    let entrance = Arc::new(Entrance::new(Arc::clone(&service)));
    let router = routes::router(service);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .max_blocking_threads(ASKING_THREADS)
        .build()
        .map_err(|cause| no_thread(&cause))?;
    let (done, closed) = oneshot::channel();
    let serve = move || {
        runtime.block_on(async {
            let network = async {
                if let Some(address) = address {
                    network::serve(address, entrance, router.clone(), stop.clone()).await;
                }
            };
            tokio::join!(network, unix::serve(socket, router.clone(), stop.clone()));
        });
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
