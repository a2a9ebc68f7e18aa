//! The real client against a small Graph on loopback that plays a test's script.

mod assignments;
mod credentials;
mod delta;
mod look_up;
mod token;

use std::{
    fmt,
    sync::{
        Mutex,
        atomic::{AtomicI64, Ordering::SeqCst},
    },
    time::Duration,
};

use axum::{
    Router,
    body::Bytes,
    extract::State,
    http::{HeaderMap, Method, StatusCode, Uri},
    response::{IntoResponse, Response},
};
use serde_json::{Value as Json, json};

use super::*;
use crate::model::clock::Timestamp;
use crate::model::secret::Secret;
use crate::sandbox::limit::until_the_runtime_ends;

/// A request as the service saw it.
#[derive(Debug, Clone)]
struct Seen {
    method: Method,
    path: String,
    query: Vec<(String, String)>,
    headers: HeaderMap,
    body: String,
}

impl Seen {
    fn is_token(&self) -> bool {
        self.path.ends_with("/oauth2/v2.0/token")
    }

    fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    fn json(&self) -> Json {
        serde_json::from_str(&self.body).unwrap()
    }
}

/// Status, headers, body.
type Played = (u16, Vec<(&'static str, String)>, String);

fn json(status: u16, body: &Json) -> Played {
    (
        status,
        vec![("content-type", "application/json".into())],
        body.to_string(),
    )
}

fn granted(token: &str, seconds: u64) -> Played {
    json(
        200,
        &json!({"token_type": "Bearer", "expires_in": seconds, "access_token": token}),
    )
}

fn error(status: u16, code: &str) -> Played {
    json(status, &json!({"error": {"code": code, "message": "said so"}}))
}

/// The script of the service: from the request and the number of earlier ones of its kind to an answer.
type Script = Box<dyn Fn(&Graph, &Seen, usize) -> Played + Send + Sync>;

struct Graph {
    url: Url,
    seen: Mutex<Vec<Seen>>,
    script: Script,
    clock: ManualClock,
}

#[derive(Debug)]
struct ManualClock(AtomicI64);

impl Clock for Arc<Graph> {
    fn now(&self) -> Timestamp {
        Timestamp(self.clock.0.load(SeqCst))
    }
}

impl fmt::Debug for Graph {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Graph")
    }
}

const SECRET: &str = "p+ss/w&rd-of-the-app";

impl Graph {
    /// Starts a service in which `script` plays Graph and, where a test needs it, the token endpoint.
    async fn start(script: impl Fn(&Self, &Seen, usize) -> Played + Send + Sync + 'static) -> Arc<Self> {
        until_the_runtime_ends();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap())
            .parse()
            .unwrap();
        let clock = ManualClock(AtomicI64::new(1_767_323_045_000));
        let graph = Arc::new(Self {
            url,
            seen: Mutex::default(),
            script: Box::new(script),
            clock,
        });
        let router = Router::new().fallback(play).with_state(Arc::clone(&graph));
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        graph
    }

    /// Starts a service whose script plays Graph only; tokens are simply given.
    async fn with_tokens(
        script: impl Fn(&Self, &Seen, usize) -> Played + Send + Sync + 'static,
    ) -> Arc<Self> {
        Self::start(move |graph, seen, before| {
            if seen.is_token() {
                granted("token-1", 3599)
            } else {
                script(graph, seen, before)
            }
        })
        .await
    }

    fn options(self: &Arc<Self>) -> GraphOptions {
        let retry = RetryPolicy::impatient(Duration::from_millis(600));
        GraphOptions {
            tenant_id: "11111111-0000-4000-8000-000000000000".into(),
            client_id: "22222222-0000-4000-8000-000000000000".into(),
            credential: Secret::new(SECRET.into()).into(),
            cloud: Cloud::Global,
            graph_url: Some(self.url.clone()),
            login_url: Some(self.url.clone()),
            network: NetworkOptions {
                request_timeout: Duration::from_secs(5),
                ..NetworkOptions::default()
            },
            clock: Arc::new(Arc::clone(self)),
            retry,
        }
    }

    fn source(self: &Arc<Self>) -> GraphSource {
        GraphSource::new(self.options()).unwrap()
    }

    fn seen(&self, which: impl Fn(&Seen) -> bool) -> Vec<Seen> {
        self.seen
            .lock()
            .unwrap()
            .iter()
            .filter(|seen| which(seen))
            .cloned()
            .collect()
    }

    fn tokens_asked(&self) -> usize {
        self.seen(Seen::is_token).len()
    }

    fn asked(&self) -> Vec<Seen> {
        self.seen(|seen| !seen.is_token())
    }

    fn link(&self, rest: &str) -> String {
        format!("{}v1.0/{rest}", self.url)
    }

    fn pass(&self, seconds: i64) {
        self.clock.0.fetch_add(seconds * 1000, SeqCst);
    }
}

async fn play(
    State(graph): State<Arc<Graph>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let query = url::form_urlencoded::parse(uri.query().unwrap_or_default().as_bytes())
        .into_owned()
        .collect();
    let body = String::from_utf8(body.to_vec()).unwrap();
    let seen = Seen {
        method,
        path: uri.path().to_owned(),
        query,
        headers,
        body,
    };
    let before = {
        let mut all = graph.seen.lock().unwrap();
        let before = all
            .iter()
            .filter(|other| other.is_token() == seen.is_token())
            .count();
        all.push(seen.clone());
        before
    };
    let (status, headers, body) = (graph.script)(&graph, &seen, before);
    let mut response = (StatusCode::from_u16(status).unwrap(), body).into_response();
    for (name, value) in headers {
        response.headers_mut().insert(name, value.parse().unwrap());
    }
    response
}

fn id(number: u32) -> SourceId {
    format!("6f1c8d1e-0000-4000-8000-{number:012}").parse().unwrap()
}

fn names(list: &[&str]) -> Vec<String> {
    list.iter().map(|name| (*name).to_owned()).collect()
}

fn first(select: &[&str]) -> PageRequest {
    PageRequest::First {
        select: names(select),
    }
}

/// Returns the error with its whole chain, as it would be printed.
fn chain(error: &SourceError) -> String {
    let mut text = format!("{error} | {} | {error:?}", error.hint());
    let mut cause = std::error::Error::source(error);
    while let Some(next) = cause {
        text.push_str(&format!(" | {next}"));
        cause = next.source();
    }
    text
}
