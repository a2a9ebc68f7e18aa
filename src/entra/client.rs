//! Sends requests to Graph: built by the SDK's typed builder, sent by our own client.
//!
//! The SDK would swallow a 410, retry without backoff and panic on hosts that it does not know; so it builds, and we
//! decide.

use std::{fmt, sync::Arc};

use async_trait::async_trait;
use graph_core::identity::ForceTokenRefresh;
use graph_rs_sdk::{
    GraphClient as Sdk, GraphFailure, ODataQuery,
    error::{AuthExecutionError, AuthExecutionResult},
    identity::ClientApplication,
};
use reqwest::Method;
use reqwest::{
    Request,
    header::{AUTHORIZATION, HeaderName, HeaderValue, USER_AGENT},
};
use url::Url;
use uuid::Uuid;

use super::{
    GraphOptions,
    fault::{Asked, Verdict},
    quota::Quota,
    token::{TokenSource, unreachable},
};
use crate::model::clock::Clock;
use crate::model::id::ObjectKind;
use crate::model::id::SourceId;
use crate::model::secret::Secret;
use crate::ports::Exchange;
use crate::ports::SourceError;
use crate::ports::What;
use crate::transport::Answer;
use crate::transport::Attempt;
use crate::transport::HttpClient;
use crate::transport::RetryPolicy;
use crate::transport::Size;
use crate::transport::TrafficCounter;
use crate::transport::http_client::host_of;
use crate::transport::retry;

const CLIENT_REQUEST_ID: HeaderName = HeaderName::from_static("client-request-id");
const PREFER: HeaderName = HeaderName::from_static("prefer");

/// A request to Graph. All of them only read.
pub(super) enum Ask<'a> {
    /// The first page of a round.
    First { kind: ObjectKind, select: &'a [String] },
    /// A link, verbatim, with or without `Prefer: return=minimal`.
    Follow {
        kind: ObjectKind,
        link: &'a Url,
        minimal: bool,
    },
    /// A batch of GETs.
    Batch {
        kind: ObjectKind,
        body: &'a serde_json::Value,
    },
    /// The assignments of an enterprise application: the first page, or the one behind a link, verbatim.
    Assigned {
        application: SourceId,
        link: Option<&'a Url>,
    },
    /// The app roles that an enterprise application defines.
    Roles { application: SourceId },
    /// A document below Graph's root, or a page of a list of which nothing is kept.
    Document { url: &'a Url, permission: &'static str },
}

/// The number of assignments on a page: Graph's most. Fewer pages are fewer moments at which the list can change.
const ASSIGNMENTS: &str = "999";

impl Ask<'_> {
    const fn permission(&self) -> &'static str {
        match self {
            Self::First { kind, .. } | Self::Follow { kind, .. } | Self::Batch { kind, .. } => match kind {
                ObjectKind::User => "User.Read.All",
                ObjectKind::Group => "GroupMember.Read.All (or Group.Read.All)",
            },
            Self::Assigned { .. } | Self::Roles { .. } => "Application.Read.All",
            Self::Document { permission, .. } => permission,
        }
    }

    /// Returns true where it follows a link that an earlier answer brought.
    const fn is_kept_link(&self) -> bool {
        match self {
            Self::Follow { .. } => true,
            Self::Assigned { link, .. } => link.is_some(),
            Self::First { .. } | Self::Batch { .. } | Self::Roles { .. } | Self::Document { .. } => false,
        }
    }

    /// Returns how large the answer may be.
    const fn size(&self) -> Size {
        match self {
            Self::First { .. }
            | Self::Follow { .. }
            | Self::Batch { .. }
            | Self::Assigned { .. }
            | Self::Document { .. } => Size::Page,
            Self::Roles { .. } => Size::Resource,
        }
    }

    /// Returns what to check after a 404.
    const fn not_found(&self) -> &'static str {
        match self {
            Self::Assigned { .. } | Self::Roles { .. } => {
                "check `service_principal_id`: it is the object id of the enterprise application (Entra admin centre, \
                 Enterprise applications, Properties), not its application id"
            }
            Self::First { .. } | Self::Follow { .. } | Self::Batch { .. } | Self::Document { .. } => {
                "check `graph_url` and `cloud`: this is not where Graph is"
            }
        }
    }
}

/// Hands our tokens to the SDK's builder. Our errors travel through it boxed, and are unpacked in `built`.
#[derive(Clone)]
struct TokenSeam(Arc<TokenSource>);

#[async_trait]
impl ClientApplication for TokenSeam {
    fn get_token_silent(&mut self) -> AuthExecutionResult<String> {
        Err(AuthExecutionError::Other(
            "tokens are only given out asynchronously".into(),
        ))
    }

    async fn get_token_silent_async(&mut self) -> AuthExecutionResult<String> {
        let token = self
            .0
            .bearer()
            .await
            .map_err(|error| AuthExecutionError::Other(error.into()))?;
        Ok(token.expose().to_owned())
    }

    fn with_force_token_refresh(&mut self, _: ForceTokenRefresh) {}
}

pub(super) struct GraphClient {
    sdk: Sdk,
    http: HttpClient,
    tokens: Arc<TokenSource>,
    /// Graph's root with the version, without a slash at the end.
    base: Url,
    clock: Arc<dyn Clock>,
    retry: RetryPolicy,
    reports: Quota,
}

impl fmt::Debug for GraphClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GraphClient")
            .field("base", &self.base.as_str())
            .finish_non_exhaustive()
    }
}

impl GraphClient {
    pub(super) fn new(options: &GraphOptions, http: HttpClient, tokens: Arc<TokenSource>) -> Self {
        Self {
            sdk: Sdk::from_client_app(TokenSeam(Arc::clone(&tokens))),
            http,
            tokens,
            base: root_of(options),
            clock: Arc::clone(&options.clock),
            retry: options.retry,
            reports: Quota::of_reports(&options.client_id, &options.tenant_id),
        }
    }

    pub(super) const fn base(&self) -> &Url {
        &self.base
    }

    pub(super) fn tokens(&self) -> &TokenSource {
        &self.tokens
    }

    /// Returns the quota of reports and authentication methods.
    pub(super) const fn reports(&self) -> &Quota {
        &self.reports
    }

    pub(super) fn traffic(&self) -> &TrafficCounter {
        self.http.traffic()
    }

    pub(super) const fn retry_policy(&self) -> &RetryPolicy {
        &self.retry
    }

    pub(super) fn clock(&self) -> &dyn Clock {
        &*self.clock
    }

    /// Sends a request until there is a 2xx answer, or an error that names the request and its answer.
    pub(super) async fn ask(&self, ask: &Ask<'_>) -> Result<Answer, SourceError> {
        retry(&self.retry, self.http.traffic(), |made| self.attempt(ask, made)).await
    }

    /// Makes one attempt; a 401 gets a second request with a new token at once, a second 401 is final.
    async fn attempt(&self, ask: &Ask<'_>, made: u32) -> Attempt<Answer, SourceError> {
        for renewed in [false, true] {
            let id = Uuid::new_v4().to_string();
            let request = match self.build(ask, &id).await {
                Ok(request) => request,
                Err(error) => return Attempt::Fail(error),
            };
            let shown = format!(
                "{} {} at {}",
                request.method(),
                request.url().path(),
                host_of(request.url())
            );
            let token = bearer_of(&request);
            let (method, path) = (verb(request.method()), request.url().path().to_owned());
            let exchange = Asked {
                request: &shown,
                method,
                path: &path,
                client_request_id: &id,
                permission: ask.permission(),
                not_found: ask.not_found(),
                kept_link: ask.is_kept_link(),
                token: token.as_ref(),
            };
            let answer = match self.http.send_for(request, ask.size()).await {
                Ok(answer) => answer,
                Err(error) => {
                    let what = format!("{shown} -> no answer (client-request-id {id})");
                    let unanswered = Exchange {
                        method,
                        path,
                        status: None,
                        request_id: None,
                    };
                    return unreachable(
                        What::of(what, unanswered),
                        &self.http.keys("graph_url"),
                        error,
                        made,
                    );
                }
            };
            self.tokens.skew().note(&answer, self.clock.now());
            let after = answer.retry_after(self.clock.now());
            match exchange.judge(&answer) {
                Verdict::Good => return Attempt::Done(answer),
                Verdict::Again(error) => return Attempt::Again { after, error },
                Verdict::Final(error) => return Attempt::Fail(error),
                Verdict::StaleToken if renewed => return Attempt::Fail(exchange.unauthorized(&answer)),
                Verdict::StaleToken => {
                    if let Some(token) = &token {
                        self.tokens.refused(token).await;
                    }
                    self.traffic().retried();
                }
            }
        }
        unreachable!("the second round returns")
    }

    /// Builds the SDK's request, with the configured host.
    async fn build(&self, ask: &Ask<'_>, id: &str) -> Result<Request, SourceError> {
        let mut handler = match ask {
            Ask::First { kind, select } => {
                let names: Vec<&str> = select.iter().map(String::as_str).collect();
                match kind {
                    ObjectKind::User => self.sdk.users().delta().select(&names),
                    ObjectKind::Group => self.sdk.groups().delta().select(&names),
                }
            }
            Ask::Follow {
                kind: ObjectKind::User,
                ..
            } => self.sdk.users().delta(),
            Ask::Follow {
                kind: ObjectKind::Group,
                ..
            } => self.sdk.groups().delta(),
            Ask::Batch { body, .. } => self.sdk.batch(body),
            // A GET like any; its address is put in below.
            Ask::Document { .. } => self.sdk.users().delta(),
            Ask::Assigned { application, .. } => self
                .sdk
                .service_principal(application.to_string())
                .list_app_role_assigned_to()
                .top(ASSIGNMENTS),
            Ask::Roles { application } => self
                .sdk
                .service_principal(application.to_string())
                .get_service_principal()
                .select(&["id", "appRoles"]),
        };
        let url: &mut Url = handler.as_mut();
        *url = match ask {
            Ask::Follow { link, .. }
            | Ask::Assigned { link: Some(link), .. }
            | Ask::Document { url: link, .. } => (*link).clone(),
            Ask::First { .. } | Ask::Batch { .. } | Ask::Assigned { link: None, .. } | Ask::Roles { .. } => {
                self.led_home(url)
            }
        };
        let builder = handler.build().await.map_err(not_built)?;
        let request = builder.build().map_err(|error| not_built(error.into()))?;
        Ok(with_headers(request, ask, id))
    }

    /// Replaces the address by ours. The SDK writes `https://graph.microsoft.com/v1.0/users/delta()`; Graph documents
    /// `/users/delta`.
    fn led_home(&self, built: &Url) -> Url {
        let mut url = self.base.clone();
        let path = built.path().trim_start_matches("/v1.0").trim_end_matches("()");
        url.set_path(&format!("{}{path}", self.base.path().trim_end_matches('/')));
        url.set_query(built.query());
        url
    }
}

/// Returns Graph's root with the version, without a slash at the end.
pub(super) fn root_of(options: &GraphOptions) -> Url {
    let mut base = options
        .graph_url
        .clone()
        .unwrap_or_else(|| options.cloud.graph_url());
    base.set_query(None);
    base.set_fragment(None);
    let versioned = base.path().trim_end_matches('/').ends_with("/v1.0");
    if let Ok(mut path) = base.path_segments_mut() {
        path.pop_if_empty();
        if !versioned {
            path.push("v1.0");
        }
    }
    base
}

/// Returns the method as the fields of an error name it: reads of Graph are GETs, except batches of them.
fn verb(method: &Method) -> &'static str {
    match *method {
        Method::POST => "POST",
        _ => "GET",
    }
}

fn with_headers(mut request: Request, ask: &Ask<'_>, id: &str) -> Request {
    let headers = request.headers_mut();
    headers.remove(USER_AGENT); // ours is the client's default; the SDK may bring its own
    headers.insert(
        CLIENT_REQUEST_ID,
        HeaderValue::from_str(id).expect("a GUID is a header value"),
    );
    if matches!(ask, Ask::Follow { minimal: true, .. }) {
        headers.insert(PREFER, HeaderValue::from_static("return=minimal"));
    }
    request
}

fn bearer_of(request: &Request) -> Option<Secret> {
    let value = request.headers().get(AUTHORIZATION)?.to_str().ok()?;
    value
        .strip_prefix("Bearer ")
        .map(|token| Secret::new(token.to_owned()))
}

/// Takes our own error out of its box; any other is the SDK's, about a request that it cannot build.
fn not_built(failure: GraphFailure) -> SourceError {
    let cause = match failure {
        GraphFailure::Other(cause) => match cause.downcast::<SourceError>() {
            Ok(ours) => return *ours,
            Err(other) => other,
        },
        other => other.into(),
    };
    SourceError::Unavailable {
        what: "a request to Graph cannot be built".into(),
        hint: "check `login_url` and `graph_url`: what came from there is no access token, or no address of Graph".to_owned(),
        cause: Some(cause),
    }
}
