//! A collector of traces: takes whatever is sent to it by gRPC, and keeps the bytes.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::Mutex;

use bytes::Bytes;
use http_body_util::BodyExt;
use http_body_util::Full;
use hyper::HeaderMap;
use hyper::Request;
use hyper::Response;
use hyper::body::Incoming;
use hyper::server::conn::http2;
use hyper::service::service_fn;
use hyper_util::rt::TokioExecutor;
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;
use tokio::runtime::Builder;
use tokio::runtime::Runtime;

/// Listens on loopback until it is dropped.
pub struct Collector {
    pub url: String,
    got: Arc<Mutex<Vec<u8>>>,
    _runtime: Runtime,
}

impl Collector {
    pub fn start() -> Self {
        let runtime = Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let got = Arc::new(Mutex::new(Vec::new()));
        let keeps = Arc::clone(&got);
        runtime.spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let keeps = Arc::clone(&keeps);
                let answer = service_fn(move |request| take(request, Arc::clone(&keeps)));
                let serving =
                    http2::Builder::new(TokioExecutor::new()).serve_connection(TokioIo::new(stream), answer);
                tokio::spawn(serving);
            }
        });
        Self {
            url,
            got,
            _runtime: runtime,
        }
    }

    /// Whether a text was in what came.
    pub fn has(&self, text: &str) -> bool {
        let got = self.got.lock().unwrap();
        got.windows(text.len()).any(|window| window == text.as_bytes())
    }
}

async fn take(
    request: Request<Incoming>,
    keeps: Arc<Mutex<Vec<u8>>>,
) -> Result<Response<impl hyper::body::Body<Data = Bytes, Error = Infallible>>, hyper::Error> {
    assert!(
        request.uri().path().ends_with("TraceService/Export"),
        "{}",
        request.uri()
    );
    let body = request.into_body().collect().await?.to_bytes();
    keeps.lock().unwrap().extend_from_slice(&body);
    // An empty message, and the status as gRPC has it: after the body.
    let empty = Full::new(Bytes::from_static(&[0; 5]));
    let done = HeaderMap::from_iter([("grpc-status".parse().unwrap(), "0".parse().unwrap())]);
    let mut response = Response::new(empty.with_trailers(async { Some(Ok(done)) }));
    let kind = "application/grpc".parse().unwrap();
    response.headers_mut().insert("content-type", kind);
    Ok(response)
}
