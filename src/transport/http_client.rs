//! The HTTP client of both sides: reqwest with our rules built in.
//!
//! TLS by rustls with the system's roots, plus `ca_file`; there is no switch that turns verification off. Redirects are
//! not followed (a token must not travel to another host), bodies have a size limit (the other side may be hostile or
//! broken), every request has a time limit.

use std::{path::PathBuf, sync::Arc, time::Duration};

use bytes::Bytes;
use reqwest::{
    Certificate, ClientBuilder, NoProxy, Proxy, Request, Response, StatusCode,
    header::{HeaderMap, RETRY_AFTER},
    redirect,
};
use tracing::Instrument;
use url::Url;

use super::{
    body::{Beyond, Body, PAGE, Size},
    retry_after, spans,
    traffic::TrafficCounter,
    unreached::{Keys, Unreached},
};
use crate::files;
use crate::model::clock::Stopwatch;
use crate::model::clock::Timestamp;

/// The hosts that are never reached through a proxy: this machine, and the cloud's metadata address.
const NEVER_PROXIED: &str = "localhost,127.0.0.0/8,::1,169.254.169.254";

/// The size in bytes of the largest `ca_file`; one with every authority of the world is a quarter of it.
const LARGEST_CA_FILE: u64 = 1 << 20;

/// How to reach a network (`[network]`, or the same keys of one side), with limits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NetworkOptions {
    /// The proxy for every request; absent: `HTTPS_PROXY` and `NO_PROXY` of the environment.
    pub proxy: Option<Url>,
    /// A PEM file with certificates that are trusted besides the system's.
    pub ca_file: Option<PathBuf>,
    /// The longest time to connect, name resolution and TLS included.
    pub connect_timeout: Duration,
    /// The longest time for one whole request, body included.
    pub request_timeout: Duration,
    /// The largest body that is read, in bytes, after decompression; see [`Size`] for smaller limits.
    pub largest_body: usize,
    /// The section of the settings that all this is from, such as `jobs.idmelon.target`: hints name its keys in full.
    pub section: String,
}

impl Default for NetworkOptions {
    fn default() -> Self {
        Self {
            proxy: None,
            ca_file: None,
            connect_timeout: Duration::from_secs(10),
            request_timeout: Duration::from_secs(100), // long delta pages take their time (docs/design/graph.md, "Throttling")
            largest_body: PAGE,
            section: String::new(),
        }
    }
}

/// What can go wrong below HTTP.
#[derive(Debug, thiserror::Error)]
pub enum TransportError {
    /// `ca_file` cannot be read.
    #[error("cannot read `ca_file` {path}: check the path and its permissions")]
    CaFileUnreadable {
        /// The file.
        path: PathBuf,
        /// The cause.
        #[source]
        cause: std::io::Error,
    },
    /// `ca_file` holds no certificate.
    #[error("`ca_file` {path} holds no PEM certificate: it must contain -----BEGIN CERTIFICATE----- blocks")]
    CaFileNotPem {
        /// The file.
        path: PathBuf,
        /// The cause, where the parser gave one.
        #[source]
        cause: Option<reqwest::Error>,
    },
    /// The proxy address is unusable. It is shown without user and password.
    #[error("`{setting}` is not a usable proxy address ({shown}): it must look like http://proxy:3128")]
    Proxy {
        /// The setting or environment variable.
        setting: &'static str,
        /// Host and port of the address, or what is left of it.
        shown: String,
    },
    /// The client could not be built, for instance because the system has no certificates.
    #[error("cannot set up HTTPS with the system's certificates")]
    Setup(#[source] reqwest::Error),
    /// No connection: name, network, proxy or certificate. The request was not sent.
    #[error("cannot connect to {host}")]
    Connect {
        /// Host and port.
        host: String,
        /// The cause.
        #[source]
        why: Unreached,
    },
    /// No complete answer in time. The request may have been carried out.
    #[error("no complete answer from {host} within {} s", after.as_secs_f32())]
    Timeout {
        /// Host and port.
        host: String,
        /// The limit.
        after: Duration,
    },
    /// The connection broke. The request may have been carried out.
    #[error("the connection to {host} broke")]
    Broken {
        /// Host and port.
        host: String,
        /// The cause.
        #[source]
        cause: reqwest::Error,
    },
    /// The answer is larger than the limit.
    #[error("the answer from {host} is larger than {limit} bytes")]
    TooLarge {
        /// Host and port.
        host: String,
        /// The limit, in bytes.
        limit: usize,
    },
    /// The answer is small enough, but would take far more memory as values.
    #[error("the answer from {host} would take more than {limit} bytes of memory")]
    Bloated {
        /// Host and port.
        host: String,
        /// The limit, in bytes.
        limit: usize,
    },
}

impl TransportError {
    /// Returns whether the other side may have carried the request out all the same.
    #[must_use]
    pub const fn may_have_been_carried_out(&self) -> bool {
        matches!(
            self,
            Self::Timeout { .. } | Self::Broken { .. } | Self::TooLarge { .. } | Self::Bloated { .. }
        )
    }

    /// Returns whether the answer is one that will not be read the next time either.
    #[must_use]
    pub const fn is_too_large(&self) -> bool {
        matches!(self, Self::TooLarge { .. } | Self::Bloated { .. })
    }

    /// Returns what to do about it; `keys` are those of the side that was asked.
    #[must_use]
    pub fn advice(&self, keys: &Keys<'_>) -> String {
        match self {
            Self::Connect { why, .. } => why.advice(keys),
            Self::CaFileUnreadable { .. } | Self::CaFileNotPem { .. } => {
                format!("correct {}", keys.key("network.ca_file"))
            }
            Self::Proxy { setting, .. } if *setting != "proxy" => format!("correct the variable {setting}"),
            Self::Proxy { .. } => format!("correct {}", keys.key("network.proxy")),
            // The SDK's client reads the system's store too, so a file beside it is no way out.
            Self::Setup(_) => {
                "install the system's certificates; where SSL_CERT_FILE or SSL_CERT_DIR is set, let it lead to certificates in PEM"
                    .to_owned()
            }
            Self::Timeout { .. } | Self::Broken { .. } => format!(
                "check the network between here and the host in {}; the next cycle goes on",
                keys.key(keys.address)
            ),
            Self::TooLarge { .. } | Self::Bloated { .. } => format!(
                "check {}: no answer of this kind is that large",
                keys.key(keys.address)
            ),
        }
    }

    /// Returns whether a setting is wrong, so that no later attempt can help.
    #[must_use]
    pub const fn is_configuration(&self) -> bool {
        matches!(
            self,
            Self::CaFileUnreadable { .. } | Self::CaFileNotPem { .. } | Self::Proxy { .. } | Self::Setup(_)
        )
    }
}

/// A whole answer.
#[derive(Debug, Clone)]
pub struct Answer {
    /// HTTP status.
    pub status: StatusCode,
    /// Its headers.
    pub headers: HeaderMap,
    /// Its body, decompressed and whole.
    pub body: Bytes,
}

impl Answer {
    /// Returns a header as text, or `None` when it is absent or not text.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// Returns the wait that Retry-After asks for.
    #[must_use]
    pub fn retry_after(&self, now: Timestamp) -> Option<Duration> {
        retry_after::parse(self.header(RETRY_AFTER.as_str())?, now)
    }

    /// Returns true for 429, or 503 with Retry-After: asked to slow down, and surely not carried out.
    #[must_use]
    pub fn is_throttled(&self) -> bool {
        self.status == StatusCode::TOO_MANY_REQUESTS
            || (self.status == StatusCode::SERVICE_UNAVAILABLE && self.headers.contains_key(RETRY_AFTER))
    }
}

/// Sends requests. Cheap to clone; clones share connections and counters.
#[derive(Debug, Clone)]
pub struct HttpClient {
    client: reqwest::Client,
    traffic: Arc<TrafficCounter>,
    request_timeout: Duration,
    connect_timeout: Duration,
    largest_body: usize,
    section: Arc<str>,
    proxy: Option<Arc<ProxyInUse>>,
}

/// The proxy that requests go through, for messages.
#[derive(Debug)]
struct ProxyInUse {
    /// Without user and password.
    shown: String,
    /// The setting, or the variable.
    setting: &'static str,
    /// True if it is for HTTPS alone.
    only_https: bool,
    /// The exceptions, in the form of NO_PROXY.
    exceptions: String,
}

impl ProxyInUse {
    /// Returns whether a request to this address goes through it. For messages only: the client decides for itself.
    fn leads_to(&self, url: &Url) -> bool {
        let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']);
        let is_local = host == "localhost" || host.starts_with("127.") || host == "::1";
        let excepted = self.exceptions.split(',').map(str::trim).any(|rule| {
            let rule = rule.trim_start_matches("*.").trim_start_matches('.');
            !rule.is_empty() && (rule == "*" || host == rule || host.ends_with(&format!(".{rule}")))
        });
        (url.scheme() == "https" || !self.only_https) && !is_local && !excepted
    }
}

impl HttpClient {
    /// Creates a client with these options.
    ///
    /// # Errors
    /// Only errors for which [`TransportError::is_configuration`] holds.
    pub fn new(options: &NetworkOptions) -> Result<Self, TransportError> {
        Self::with_roots(options, true)
    }

    /// Creates a client as [`Self::new`] does, for these addresses only (`None` stands for one that is HTTPS by
    /// default): where no address is HTTPS, the system's roots are not read, which takes longer than a quiet cycle.
    /// HTTPS then always fails.
    ///
    /// # Errors
    /// As [`Self::new`].
    pub fn reaching(options: &NetworkOptions, addresses: &[Option<&Url>]) -> Result<Self, TransportError> {
        let plain = |url: &Url| url.scheme() == "http";
        let all_plain = addresses.iter().all(|url| url.is_some_and(plain)) && options.proxy.is_none();
        Self::with_roots(options, !all_plain)
    }

    fn with_roots(options: &NetworkOptions, roots: bool) -> Result<Self, TransportError> {
        let mut builder = reqwest::Client::builder()
            .user_agent(concat!("melonsync/", env!("CARGO_PKG_VERSION")))
            .use_rustls_tls()
            .tls_built_in_webpki_certs(false) // compiled in by the Graph SDK's feature; the system's roots decide
            .tls_built_in_native_certs(roots)
            .redirect(redirect::Policy::none())
            .referer(false)
            .gzip(true)
            .tcp_nodelay(true)
            .pool_idle_timeout(Duration::from_secs(50)) // below the common 60 s of services: fewer broken reuses
            .connect_timeout(options.connect_timeout)
            .timeout(options.request_timeout)
            .no_proxy();
        let (with, proxy) = with_proxy(builder, options.proxy.as_ref(), |name| std::env::var(name).ok())?;
        builder = with;
        for certificate in certificates(options)? {
            builder = builder.add_root_certificate(certificate);
        }
        Ok(Self {
            client: builder.build().map_err(TransportError::Setup)?,
            traffic: Arc::default(),
            request_timeout: options.request_timeout,
            connect_timeout: options.connect_timeout,
            largest_body: options.largest_body,
            section: options.section.as_str().into(),
            proxy: proxy.map(Arc::new),
        })
    }

    /// Returns the builder of requests; they must be sent by [`HttpClient::send`].
    #[must_use]
    pub const fn builder(&self) -> &reqwest::Client {
        &self.client
    }

    /// Returns the settings that hints point at; `address` is the key of the address.
    #[must_use]
    pub fn keys<'k>(&'k self, address: &'k str) -> Keys<'k> {
        Keys {
            section: &self.section,
            address,
        }
    }

    /// This side's counters.
    #[must_use]
    pub fn traffic(&self) -> &TrafficCounter {
        &self.traffic
    }

    /// Sends one request once and reads the whole answer, whatever its status: one resource, or a document.
    ///
    /// # Errors
    /// When there is no whole answer; [`TransportError::may_have_been_carried_out`] decides what that leaves open.
    pub async fn send(&self, request: Request) -> Result<Answer, TransportError> {
        self.send_for(request, Size::Resource).await
    }

    /// Sends a request as [`Self::send`] does, for an answer of this size. Of an error the beginning is read.
    ///
    /// # Errors
    /// As [`Self::send`].
    pub async fn send_for(&self, request: Request, size: Size) -> Result<Answer, TransportError> {
        let (method, watch) = (request.method().clone(), Stopwatch::start());
        let span = spans::request(&request);
        let answer = self.exchange(request, size).instrument(span.clone()).await;
        let status = answer.as_ref().ok().map(|answer| answer.status.as_u16());
        spans::answered(&span, status);
        self.traffic.answered(&method, status, watch.elapsed());
        answer
    }

    async fn exchange(&self, request: Request, size: Size) -> Result<Answer, TransportError> {
        let host = host_of(request.url());
        let proxy = self.proxy.as_ref().filter(|proxy| proxy.leads_to(request.url()));
        let proxy = proxy.map(|proxy| (proxy.shown.clone(), proxy.setting));
        self.traffic.sent();
        let mut response = self
            .client
            .execute(request)
            .await
            .map_err(|error| self.explain(error, &host, proxy))?;
        let (status, headers) = (response.status(), std::mem::take(response.headers_mut()));
        let body = self.read(response, &host, size).await?;
        let answer = Answer {
            status,
            headers,
            body,
        };
        if answer.is_throttled() {
            self.traffic.throttled();
        }
        Ok(answer)
    }

    /// Reads the body, decompressed piece by piece, up to its limit.
    async fn read(&self, mut response: Response, host: &str, size: Size) -> Result<Bytes, TransportError> {
        let beyond = |beyond| match (beyond, host.to_owned()) {
            (Beyond::Bytes(limit), host) => TransportError::TooLarge { host, limit },
            (Beyond::Memory(limit), host) => TransportError::Bloated { host, limit },
        };
        let announced = response.content_length().unwrap_or(0);
        let is_error = !response.status().is_success();
        let mut body = Body::new(is_error, size, self.largest_body, announced).map_err(beyond)?;
        while let Some(chunk) = response
            .chunk()
            .await
            .map_err(|error| self.explain(error, host, None))?
        {
            if !body.take(&chunk).map_err(beyond)? {
                break;
            }
        }
        Ok(body.done())
    }

    /// Builds our error. URLs are removed from reqwest's errors: they may hold page tokens, and the caller names the
    /// request.
    fn explain(
        &self,
        error: reqwest::Error,
        host: &str,
        proxy: Option<(String, &'static str)>,
    ) -> TransportError {
        let (host, cause) = (host.to_owned(), error.without_url());
        if cause.is_connect() || cause.is_builder() {
            let why = Unreached::of(&cause, cause.is_timeout(), self.connect_timeout, proxy);
            TransportError::Connect { host, why }
        } else if cause.is_timeout() {
            TransportError::Timeout {
                host,
                after: self.request_timeout,
            }
        } else {
            TransportError::Broken { host, cause }
        }
    }
}

/// Returns host and port, as in an error message.
#[must_use]
pub fn host_of(url: &Url) -> String {
    let host = url.host_str().unwrap_or("?");
    url.port()
        .map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
}

fn certificates(options: &NetworkOptions) -> Result<Vec<Certificate>, TransportError> {
    let Some(path) = &options.ca_file else {
        return Ok(Vec::new());
    };
    let not_pem = |cause| TransportError::CaFileNotPem {
        path: path.clone(),
        cause,
    };
    let pem =
        files::read_limited(path, LARGEST_CA_FILE).map_err(|cause| TransportError::CaFileUnreadable {
            path: path.clone(),
            cause,
        })?;
    let found = Certificate::from_pem_bundle(&pem).map_err(|cause| not_pem(Some(cause)))?;
    if found.is_empty() {
        Err(not_pem(None))
    } else {
        Ok(found)
    }
}

/// Sets the configured proxy for everything, else the environment's for HTTPS; exceptions apply to both.
fn with_proxy(
    builder: ClientBuilder,
    configured: Option<&Url>,
    environment: impl Fn(&str) -> Option<String>,
) -> Result<(ClientBuilder, Option<ProxyInUse>), TransportError> {
    let from_environment = |upper: &str, lower: &str| {
        environment(upper)
            .or_else(|| environment(lower))
            .filter(|value| !value.trim().is_empty())
    };
    let (setting, address) = match configured {
        Some(url) => ("proxy", url.to_string()),
        None => match from_environment("HTTPS_PROXY", "https_proxy") {
            Some(address) => ("HTTPS_PROXY", address),
            None => return Ok((builder, None)),
        },
    };
    let refused = || TransportError::Proxy {
        setting,
        shown: without_credentials(&address),
    };
    let (proxy, exceptions) = if configured.is_some() {
        (Proxy::all(&address), NEVER_PROXIED.to_owned())
    } else {
        let listed = from_environment("NO_PROXY", "no_proxy").unwrap_or_default();
        (Proxy::https(&address), format!("{NEVER_PROXIED},{listed}"))
    };
    let proxy = proxy
        .map_err(|_| refused())?
        .no_proxy(NoProxy::from_string(&exceptions));
    let in_use = ProxyInUse {
        shown: shown(&address),
        setting,
        only_https: configured.is_none(),
        exceptions,
    };
    Ok((builder.proxy(proxy), Some(in_use)))
}

/// Returns host and port, where the address has them.
fn shown(address: &str) -> String {
    let url = Url::parse(address).ok().filter(Url::has_host);
    url.map_or_else(|| without_credentials(address), |url| host_of(&url))
}

fn without_credentials(address: &str) -> String {
    address
        .rsplit_once('@')
        .map_or(address, |(_, host)| host)
        .to_owned()
}

#[cfg(test)]
mod tests;
