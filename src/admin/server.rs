//! One connection after another: the accept loop that all doors share.
//!
//! It is ours, for axum's own never times a header out. Only HTTP/1.1 is spoken. A connection that says nothing ends; one
//! more than are allowed waits until one ends.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::Request;
use hyper::body::Incoming as Body;
use hyper::server::conn::http1;
use hyper::service::Service;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use hyper_util::rt::TokioTimer;
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::server::graceful::Watcher;
use hyper_util::service::TowerToHyperService;
use tokio::io::AsyncRead;
use tokio::io::AsyncWrite;
use tokio::sync::OwnedSemaphorePermit;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tracing::debug;
use tracing::warn;

use super::caller::Peer;
use super::patient::Patient;

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
    /// What it is, for the log.
    const NAME: &'static str;
    /// Waits for the next one; `None` where it is turned away.
    fn next(&mut self) -> impl Future<Output = io::Result<Option<Incoming<Self::Stream>>>> + Send;
}

/// A connection that came in.
pub(super) struct Incoming<S> {
    /// Who is at its other end: added to each of its requests.
    pub(super) peer: Peer,
    /// Opens it; nobody else waits for that.
    pub(super) stream: Pin<Box<dyn Future<Output = io::Result<S>> + Send>>,
}

/// Serves a door until `stop` is cancelled, then until those who came in are answered.
pub(super) async fn serve<L: Listener>(mut listener: L, router: Router, stop: CancellationToken) {
    let places = Arc::new(Semaphore::new(MOST_CONNECTIONS));
    let graceful = GracefulShutdown::new();
    loop {
        let place = tokio::select! {
            place = Arc::clone(&places).acquire_owned() => place.expect("it is never closed"),
            () = stop.cancelled() => break,
        };
        let accepted = tokio::select! {
            accepted = listener.next() => accepted,
            () = stop.cancelled() => break,
        };
        match accepted {
            Ok(Some(incoming)) => {
                tokio::spawn(connection(incoming, router.clone(), graceful.watcher(), place));
            }
            Ok(None) => {}
            Err(error) => {
                warn!("A connection to {} was not accepted: {error}", L::NAME);
                tokio::time::sleep(AFTER_A_FAILED_ACCEPT).await;
            }
        }
    }
    drop(listener);
    graceful.shutdown().await;
}

async fn connection<S>(incoming: Incoming<S>, router: Router, watcher: Watcher, place: OwnedSemaphorePermit)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let Incoming { peer, stream } = incoming;
    let stream = match stream.await {
        Ok(stream) => stream,
        Err(error) => return debug!("A connection to the API did not come about: {error}"),
    };
    let router = TowerToHyperService::new(router);
    let service = service_fn(move |mut request: Request<Body>| {
        request.extensions_mut().insert(peer.clone());
        router.call(request)
    });
    let served = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_WITHIN)
        .max_buf_size(LARGEST_HEAD)
        .serve_connection(TokioIo::new(Patient::new(stream)), service);
    if let Err(error) = watcher.watch(served).await {
        debug!("A connection to the API ended early: {error}");
    }
    drop(place);
}
