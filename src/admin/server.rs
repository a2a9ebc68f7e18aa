//! One connection after another: the accept loop that all doors share.
//!
//! It is ours, for axum's own never times a header out. Only HTTP/1.1 is spoken. A connection that says nothing ends; one
//! more than are allowed waits until one ends.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::TokioIo;
use hyper_util::rt::TokioTimer;
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use tokio::io::AsyncRead;
use tokio::io::AsyncWrite;
use tokio::sync::OwnedSemaphorePermit;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tracing::debug;
use tracing::warn;

/// As many connections as one door has at a time.
const MOST_CONNECTIONS: usize = 128;

/// As long as a head may take to come, and as a connection may be idle between two requests.
const HEAD_WITHIN: Duration = Duration::from_secs(15);

/// The largest head, in bytes.
const LARGEST_HEAD: usize = 32 << 10;

/// After a failed accept (no more open files): others may end meanwhile.
const AFTER_A_FAILED_ACCEPT: Duration = Duration::from_millis(100);

/// Where connections come from.
pub(super) trait Listener: Send {
    /// One of them.
    type Stream: AsyncRead + AsyncWrite + Unpin + Send + 'static;
    /// Waits for the next one, with the router that answers it; `None` where it is turned away.
    fn next(
        &mut self,
        router: &Router,
    ) -> impl Future<Output = std::io::Result<Option<(Self::Stream, Router)>>> + Send;
}

/// Serves a door until `stop` is cancelled, then until those who came in are answered.
pub(super) async fn serve(mut listener: impl Listener, router: Router, stop: CancellationToken) {
    let places = Arc::new(Semaphore::new(MOST_CONNECTIONS));
    let graceful = GracefulShutdown::new();
    loop {
        let place = tokio::select! {
            place = Arc::clone(&places).acquire_owned() => place.expect("it is never closed"),
            () = stop.cancelled() => break,
        };
        let accepted = tokio::select! {
            accepted = listener.next(&router) => accepted,
            () = stop.cancelled() => break,
        };
        match accepted {
            Ok(Some((stream, router))) => connection(stream, router, &graceful, place),
            Ok(None) => {}
            Err(error) => {
                warn!("A connection to the control socket was not accepted: {error}");
                tokio::time::sleep(AFTER_A_FAILED_ACCEPT).await;
            }
        }
    }
    drop(listener);
    graceful.shutdown().await;
}

fn connection<S>(stream: S, router: Router, graceful: &GracefulShutdown, place: OwnedSemaphorePermit)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let served = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_WITHIN)
        .max_buf_size(LARGEST_HEAD)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(router));
    let served = graceful.watch(served);
    tokio::spawn(async move {
        if let Err(error) = served.await {
            debug!("A connection to the API ended early: {error}");
        }
        drop(place);
    });
}
