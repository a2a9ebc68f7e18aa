//! The door to the network (`[admin] listen`): an address, TLS where it is configured, and what is checked of every request
//! before it meets a route.
//!
//! The settings are asked at each connection and request: tokens, names and certificate change with a reload.

use std::io;
use std::net::SocketAddr;
use std::net::TcpListener;
use std::pin::Pin;
use std::sync::Arc;
use std::task::Context;
use std::task::Poll;
use std::time::Duration;

use axum::Router;
use tokio::io::AsyncRead;
use tokio::io::AsyncWrite;
use tokio::io::ReadBuf;
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tokio_util::sync::CancellationToken;
use tracing::error;
use tracing::info;

use super::caller::Peer;
use super::entrance::Entrance;
use super::server;
use super::server::Incoming;
use super::server::Listener;
use crate::app::access::Access;
use crate::app::error::AppError;
use crate::app::error::ErrorKind;
use crate::app::error::ErrorText;

/// As long as the two sides may take to agree on a key.
const HANDSHAKE_WITHIN: Duration = Duration::from_secs(10);

/// Takes the address of the settings, where they have one.
pub(super) fn bind(access: &Access) -> Result<Option<TcpListener>, AppError> {
    let Some(address) = access.listen else {
        return Ok(None);
    };
    let opened = TcpListener::bind(address).and_then(|listener| {
        listener.set_nonblocking(true)?;
        Ok((listener.local_addr()?, listener))
    });
    let (address, listener) = opened.map_err(|cause| {
        let shown = ErrorText {
            what: format!("cannot serve the API at {address}"),
            causes: vec![cause.to_string()],
            ..ErrorText::default()
        };
        let advice = "end what uses the address, or name another one as `listen` under [admin]";
        AppError::new(ErrorKind::Usage, shown.advise(advice))
    })?;
    let scheme = if access.tls.is_some() { "https" } else { "http" };
    info!("The API listens on {scheme}://{address}");
    Ok(Some(listener))
}

/// Serves the address until `stop`, then those who came in.
pub(super) async fn serve(
    listener: TcpListener,
    entrance: Arc<Entrance>,
    router: Router,
    stop: CancellationToken,
) {
    match tokio::net::TcpListener::from_std(listener) {
        Ok(listener) => server::serve(Door { listener, entrance }, router, stop).await,
        Err(error) => error!("The API is not served over the network: {error}"),
    }
}

struct Door {
    listener: tokio::net::TcpListener,
    entrance: Arc<Entrance>,
}

impl Listener for Door {
    type Stream = Stream;
    const NAME: &'static str = "the address of the API";

    async fn next(&mut self) -> io::Result<Option<Incoming<Stream>>> {
        let (stream, remote) = self.listener.accept().await?;
        // Small answers leave at once.
        stream.set_nodelay(true)?;
        let peer = Peer::Network {
            local: plain(stream.local_addr()?),
            remote: plain(remote),
            entrance: Arc::clone(&self.entrance),
        };
        let tls = self.entrance.access().tls.clone();
        let opened = async move {
            let Some(config) = tls else {
                return Ok(Stream::Clear(stream));
            };
            let shaken = TlsAcceptor::from(config).accept(stream);
            match tokio::time::timeout(HANDSHAKE_WITHIN, shaken).await {
                Ok(shaken) => Ok(Stream::Tls(Box::new(shaken?))),
                Err(_) => Err(io::ErrorKind::TimedOut.into()),
            }
        };
        Ok(Some(Incoming {
            peer,
            stream: Box::pin(opened),
        }))
    }
}

/// An IPv4 address that came in by an IPv6 socket, as what it is.
fn plain(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(address.ip().to_canonical(), address.port())
}

/// A connection, in clear or not.
enum Stream {
    Clear(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

impl AsyncRead for Stream {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Clear(stream) => Pin::new(stream).poll_read(context, buffer),
            Self::Tls(stream) => Pin::new(stream).poll_read(context, buffer),
        }
    }
}

impl AsyncWrite for Stream {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Clear(stream) => Pin::new(stream).poll_write(context, bytes),
            Self::Tls(stream) => Pin::new(stream).poll_write(context, bytes),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Clear(stream) => Pin::new(stream).poll_flush(context),
            Self::Tls(stream) => Pin::new(stream).poll_flush(context),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Clear(stream) => Pin::new(stream).poll_shutdown(context),
            Self::Tls(stream) => Pin::new(stream).poll_shutdown(context),
        }
    }
}
