//! One HTTP/1.1 server on loopback, its request log, and the ways in which it can misbehave on the wire.
//!
//! A service answers synchronously from memory; delay and a cut connection are part of its answer, so that a fault
//! never holds the service's lock. A cut connection shows the client no byte of the answer, which is the case that
//! matters: the request was carried out, and the client does not know.

use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;
use std::task::Context;
use std::task::Poll;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::body::Bytes;
use axum::extract::ConnectInfo;
use axum::extract::Request;
use axum::extract::State;
use axum::extract::connect_info::Connected;
use axum::http::HeaderMap;
use axum::http::Method;
use axum::response::Response;
use axum::serve::IncomingStream;
use axum::serve::Listener;
use serde_json::Value;
use tokio::io::AsyncRead;
use tokio::io::AsyncWrite;
use tokio::io::ReadBuf;
use tokio::net::TcpListener;
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

/// The largest body in bytes, more than any client should send; a larger one is answered 413.
const LARGEST_BODY: usize = 64 << 20;
/// The longest log: it is a ring, so that a demo may run for weeks; the counters are exact.
const LONGEST_LOG: usize = 200_000;

/// One request as the server saw it.
#[derive(Clone, Debug)]
pub struct RequestRecord {
    /// `GET`, `POST` …
    pub method: String,
    /// Path and query, as sent.
    pub path: String,
    /// The status answered; 0 where the connection was cut instead.
    pub status: u16,
    /// The body of a write, where the service keeps them.
    pub body: Option<String>,
}

/// A request to a service.
pub(super) struct Call {
    pub method: Method,
    pub path: String,
    pub query: String,
    pub headers: HeaderMap,
    pub body: Bytes,
}

impl Call {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// Returns the value of a query option, decoded; names are compared without case, and `$` is optional in OData.
    pub fn option(&self, name: &str) -> Option<String> {
        url::form_urlencoded::parse(self.query.as_bytes())
            .find(|(key, _)| key.trim_start_matches('$').eq_ignore_ascii_case(name))
            .map(|(_, value)| value.into_owned())
    }

    pub fn is_write(&self) -> bool {
        self.method != Method::GET && self.method != Method::HEAD
    }

    /// Returns scheme and authority under which the client reached us: links are built from it.
    pub fn origin(&self) -> String {
        format!("http://{}", self.header("host").unwrap_or("localhost"))
    }
}

/// A service's answer.
#[derive(Default)]
pub(super) struct Answer {
    pub status: u16,
    pub headers: Vec<(&'static str, String)>,
    pub body: Vec<u8>,
    pub delay: Duration,
    pub cut: bool,
}

impl Answer {
    /// Returns a copy of the status, headers and body.
    pub fn twin(&self) -> Self {
        Answer {
            status: self.status,
            headers: self.headers.clone(),
            body: self.body.clone(),
            ..Answer::default()
        }
    }

    pub fn json(status: u16, content_type: &str, body: &Value) -> Self {
        Answer::raw(status, content_type, serde_json::to_vec(body).unwrap_or_default())
    }

    pub fn raw(status: u16, content_type: &str, body: Vec<u8>) -> Self {
        Answer {
            status,
            headers: vec![("content-type", content_type.to_owned())],
            body,
            ..Answer::default()
        }
    }

    pub fn empty(status: u16) -> Self {
        Answer {
            status,
            ..Answer::default()
        }
    }

    /// Builds the page that a proxy in front of a broken service sends.
    pub fn html(status: u16) -> Self {
        let page = format!(
            "<!DOCTYPE html><html><head><title>{status}</title></head><body><h1>{status}</h1></body></html>"
        );
        Answer::raw(status, "text/html; charset=utf-8", page.into_bytes())
    }

    pub fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    pub fn cut(mut self) -> Self {
        self.cut = true;
        self
    }

    pub fn after(mut self, delay: Duration) -> Self {
        self.delay += delay;
        self
    }
}

/// A service that answers requests; it records them itself, because it decides which bodies to keep.
pub(super) trait Service: Clone + Send + Sync + 'static {
    fn answer(&self, call: &Call) -> Answer;
    /// Answers a request of the remote control: neither logged nor subject to faults.
    fn control(&self, call: &Call) -> Answer;
    fn log(&self) -> &RequestLog;
}

/// The requests answered so far.
#[derive(Default)]
pub(super) struct RequestLog {
    entries: Mutex<Entries>,
    keep_bodies: AtomicBool,
}

#[derive(Default)]
struct Entries {
    ring: VecDeque<RequestRecord>,
    total: usize,
    writes: usize,
}

impl RequestLog {
    pub fn all(&self) -> Vec<RequestRecord> {
        locked(&self.entries).ring.iter().cloned().collect()
    }

    pub fn clear(&self) {
        *locked(&self.entries) = Entries::default();
    }

    pub fn total(&self) -> usize {
        locked(&self.entries).total
    }

    pub fn writes(&self) -> usize {
        locked(&self.entries).writes
    }

    pub fn keep_bodies(&self, keep: bool) {
        self.keep_bodies.store(keep, Ordering::Relaxed);
    }

    fn note(&self, call: &Call, answer: &Answer) {
        let path = match call.query.as_str() {
            "" => call.path.clone(),
            query => format!("{}?{query}", call.path),
        };
        let body = (call.is_write() && self.keep_bodies.load(Ordering::Relaxed))
            .then(|| String::from_utf8_lossy(&call.body).into_owned());
        let status = if answer.cut { 0 } else { answer.status };
        let mut entries = locked(&self.entries);
        entries.total += 1;
        entries.writes += usize::from(call.is_write());
        if entries.ring.len() == LONGEST_LOG {
            entries.ring.pop_front();
        }
        entries.ring.push_back(RequestRecord {
            method: call.method.to_string(),
            path,
            status,
            body,
        });
    }
}

/// Locks the state, which stays usable after a panic in a test thread: every section leaves it whole.
pub(super) fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

/// A running server. Dropping it stops it at once; [`Server::stop`] lets requests in flight finish.
pub struct Server {
    /// The address that it listens on, with the port that the system chose for port 0.
    pub addr: SocketAddr,
    /// `http://ADDR`, without a slash at the end.
    pub url: String,
    down: Arc<AtomicBool>,
    shutdown: Option<oneshot::Sender<()>>,
    task: JoinHandle<()>,
}

impl Server {
    pub(super) async fn start<S: Service>(service: S, listen: SocketAddr) -> io::Result<Server> {
        let tcp = TcpListener::bind(listen).await?;
        let addr = tcp.local_addr()?;
        let down = Arc::new(AtomicBool::new(false));
        let listener = CuttingListener {
            tcp,
            down: down.clone(),
        };
        let (shutdown, asked) = oneshot::channel::<()>();
        let router = Router::new().fallback(handle::<S>).with_state(service);
        let make = router.into_make_service_with_connect_info::<Cut>();
        let task = tokio::spawn(async move {
            let served = axum::serve(listener, make).with_graceful_shutdown(async move {
                // A dropped sender means a dropped server: that path aborts the task, so waiting on is harmless.
                if asked.await.is_err() {
                    std::future::pending::<()>().await;
                }
            });
            let _ = served.await;
        });
        Ok(Server {
            addr,
            url: format!("http://{addr}"),
            down,
            shutdown: Some(shutdown),
            task,
        })
    }

    /// Stops accepting, waits up to two seconds for requests in flight, then closes what is left.
    pub async fn stop(mut self) {
        if let Some(shutdown) = self.shutdown.take() {
            let _ = shutdown.send(());
        }
        let _ = tokio::time::timeout(Duration::from_secs(2), &mut self.task).await;
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.down.store(true, Ordering::Release);
        self.task.abort();
    }
}

async fn handle<S: Service>(
    State(service): State<S>,
    ConnectInfo(cut): ConnectInfo<Cut>,
    request: Request,
) -> Response {
    let (parts, body) = request.into_parts();
    let Ok(body) = axum::body::to_bytes(body, LARGEST_BODY).await else {
        return respond(Answer::empty(413));
    };
    let call = Call {
        method: parts.method,
        path: parts.uri.path().to_owned(),
        query: parts.uri.query().unwrap_or_default().to_owned(),
        headers: parts.headers,
        body,
    };
    if call.path.starts_with(super::control::PREFIX) {
        return respond(service.control(&call));
    }
    let answer = service.answer(&call);
    service.log().note(&call, &answer);
    if !answer.delay.is_zero() {
        tokio::time::sleep(answer.delay).await;
    }
    if answer.cut {
        cut.0.store(true, Ordering::Release);
    }
    respond(answer)
}

fn respond(answer: Answer) -> Response {
    let mut response = Response::builder().status(answer.status);
    for (name, value) in answer.headers {
        response = response.header(name, value);
    }
    response.body(Body::from(answer.body)).unwrap_or_default()
}

/// A listener whose streams can be cut.
struct CuttingListener {
    tcp: TcpListener,
    down: Arc<AtomicBool>,
}

impl Listener for CuttingListener {
    type Io = CuttingStream;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        loop {
            if let Ok((stream, addr)) = self.tcp.accept().await {
                // Without it, small answers wait for the client's delayed ACK: 40 ms a request.
                let _ = stream.set_nodelay(true);
                let cut = Arc::new(AtomicBool::new(false));
                return (
                    CuttingStream {
                        stream,
                        cut,
                        down: self.down.clone(),
                    },
                    addr,
                );
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    fn local_addr(&self) -> io::Result<Self::Addr> {
        self.tcp.local_addr()
    }
}

/// The handle by which an answer cuts its own connection.
#[derive(Clone)]
struct Cut(Arc<AtomicBool>);

impl Connected<IncomingStream<'_, CuttingListener>> for Cut {
    fn connect_info(stream: IncomingStream<'_, CuttingListener>) -> Self {
        Cut(stream.io().cut.clone())
    }
}

/// A TCP stream that fails once it is cut or its server is down.
struct CuttingStream {
    stream: TcpStream,
    cut: Arc<AtomicBool>,
    down: Arc<AtomicBool>,
}

impl CuttingStream {
    fn check(&self) -> io::Result<()> {
        if self.cut.load(Ordering::Acquire) || self.down.load(Ordering::Acquire) {
            return Err(io::ErrorKind::ConnectionReset.into());
        }
        Ok(())
    }
}

impl AsyncRead for CuttingStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.check()?;
        let read = Pin::new(&mut self.stream).poll_read(cx, buf);
        self.check()?;
        read
    }
}

impl AsyncWrite for CuttingStream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.check()?;
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.check()?;
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
