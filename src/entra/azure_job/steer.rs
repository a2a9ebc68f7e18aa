//! Pausing and starting Azure's provisioning job, with an administrator's own token: never with the credential of a job of ours.
//!
//! It sends two requests that change something, `pause` and `start`, each once: `start` on a running job, repeated, "can cause the
//! service to stop". The token is in memory only and in no error.

use std::fmt;
use std::sync::Arc;

use reqwest::Method;
use reqwest::Request;
use reqwest::header::AUTHORIZATION;
use reqwest::header::CONTENT_LENGTH;
use reqwest::header::HeaderValue;
use serde::Deserialize;
use url::Url;
use uuid::Uuid;

use super::wire::WireJob;
use crate::entra::GraphOptions;
use crate::entra::client::root_of;
use crate::entra::fault::Asked;
use crate::entra::fault::Verdict;
use crate::entra::page::unquoted;
use crate::model::azure_job::AzureJob;
use crate::model::clock::Clock;
use crate::model::id::SourceId;
use crate::model::secret::Secret;
use crate::ports::Exchange;
use crate::ports::SourceError;
use crate::ports::What;
use crate::transport::Answer;
use crate::transport::Attempt;
use crate::transport::HttpClient;
use crate::transport::RetryPolicy;
use crate::transport::TransportError;
use crate::transport::http_client::host_of;
use crate::transport::retry;

const RIGHT: &str = "Synchronization.ReadWrite.All";
const FORBIDDEN: &str = "sign in as somebody who has the role Application Administrator or Cloud Application Administrator, and let \
                         the app that signs them in have the delegated permission Synchronization.ReadWrite.All";

/// The way to Azure's job for whoever may steer it.
pub struct Steering {
    http: HttpClient,
    base: Url,
    token: Secret,
    clock: Arc<dyn Clock>,
    retry: RetryPolicy,
}

impl fmt::Debug for Steering {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Steering")
            .field("base", &self.base.as_str())
            .finish_non_exhaustive()
    }
}

#[derive(Deserialize)]
struct Jobs {
    value: Vec<WireJob>,
}

impl Steering {
    /// Creates the way with this access token. The credential of the options is not used.
    ///
    /// # Errors
    /// When the network options are unusable.
    pub fn new(options: &GraphOptions, token: Secret) -> Result<Self, TransportError> {
        Ok(Self {
            http: HttpClient::reaching(&options.network, &[options.graph_url.as_ref()])?,
            base: root_of(options),
            token,
            clock: Arc::clone(&options.clock),
            retry: options.retry,
        })
    }

    /// Reads the jobs of an application, as the administrator sees them.
    ///
    /// # Errors
    /// Any [`SourceError`].
    pub async fn jobs(&self, application: SourceId) -> Result<Vec<AzureJob>, SourceError> {
        let path = format!("servicePrincipals/{application}/synchronization/jobs");
        let answer = self.send(Method::GET, &path).await?;
        let read: Jobs = serde_json::from_slice(&answer.body).map_err(|error| SourceError::Malformed {
            what: format!(
                "GET /{path} is unusable: {}; nothing of it was used",
                unquoted(&error)
            )
            .into(),
            hint: "check `graph_url` and `proxy`, and run the command again".to_owned(),
        })?;
        Ok(read.value.into_iter().map(WireJob::into_job).collect())
    }

    /// Pauses a job: no further execution begins, and the one under way goes on to its end.
    ///
    /// # Errors
    /// Any [`SourceError`].
    pub async fn pause(&self, application: SourceId, job: &str) -> Result<(), SourceError> {
        self.order(application, job, "pause").await
    }

    /// Starts a job again where it was paused; its quarantine is over.
    ///
    /// # Errors
    /// Any [`SourceError`].
    pub async fn start(&self, application: SourceId, job: &str) -> Result<(), SourceError> {
        self.order(application, job, "start").await
    }

    async fn order(&self, application: SourceId, job: &str, word: &str) -> Result<(), SourceError> {
        let job: String = url::form_urlencoded::byte_serialize(job.as_bytes()).collect();
        let path = format!("servicePrincipals/{application}/synchronization/jobs/{job}/{word}");
        self.send(Method::POST, &path).await.map(drop)
    }

    async fn send(&self, method: Method, path: &str) -> Result<Answer, SourceError> {
        retry(&self.retry, self.http.traffic(), |_| self.attempt(&method, path)).await
    }

    async fn attempt(&self, method: &Method, path: &str) -> Attempt<Answer, SourceError> {
        let id = Uuid::new_v4().to_string();
        let request = self.built(method, path, &id);
        let shown = format!("{method} {} at {}", request.url().path(), host_of(request.url()));
        let verb = if *method == Method::POST { "POST" } else { "GET" };
        let path = request.url().path().to_owned();
        let exchange = Asked {
            request: &shown,
            method: verb,
            path: &path,
            client_request_id: &id,
            permission: RIGHT,
            not_found: "check `service_principal_id`: it is the object id of the enterprise application (Entra admin centre, Enterprise \
                        applications, Properties), and that application has to have a provisioning job",
            kept_link: false,
            token: Some(&self.token),
        };
        let answer = match self.http.send(request).await {
            Ok(answer) => answer,
            Err(error) => {
                let unanswered = Exchange {
                    method: verb,
                    path: path.clone(),
                    status: None,
                    request_id: None,
                };
                return Attempt::Fail(SourceError::Unavailable {
                    what: What::of(format!("{shown} -> no answer"), unanswered),
                    hint: error.advice(&self.http.keys("graph_url")),
                    cause: Some(error.into()),
                });
            }
        };
        match exchange.judge(&answer) {
            Verdict::Good => Attempt::Done(answer),
            // A write that was answered by an error of the service is not sent again: who asked looks first.
            Verdict::Again(error) if verb == "POST" && answer.status.as_u16() != 429 => Attempt::Fail(error),
            Verdict::Again(error) => Attempt::Again { after: answer.retry_after(self.clock.now()), error },
            Verdict::Final(SourceError::Forbidden { what, .. }) => {
                Attempt::Fail(SourceError::Forbidden { what, hint: FORBIDDEN.to_owned() })
            }
            Verdict::Final(error) => Attempt::Fail(error),
            Verdict::StaleToken => match exchange.unauthorized(&answer) {
                SourceError::Unauthorized { what, .. } => Attempt::Fail(SourceError::Unauthorized {
                    what,
                    hint: "the administrator's token is not accepted: it may have expired, or be for another audience than Microsoft \
                           Graph; get a new one, or use --login"
                        .to_owned(),
                }),
                other => Attempt::Fail(other),
            },
        }
    }

    fn built(&self, method: &Method, path: &str, id: &str) -> Request {
        let mut url = self.base.clone();
        url.set_path(&format!("{}/{path}", self.base.path().trim_end_matches('/')));
        let mut request = Request::new(method.clone(), url);
        let headers = request.headers_mut();
        if let Ok(mut bearer) = HeaderValue::from_str(&format!("Bearer {}", self.token.expose().trim())) {
            bearer.set_sensitive(true);
            headers.insert(AUTHORIZATION, bearer);
        }
        if let Ok(id) = HeaderValue::from_str(id) {
            headers.insert("client-request-id", id);
        }
        if *method == Method::POST {
            headers.insert(CONTENT_LENGTH, HeaderValue::from_static("0"));
        }
        request
    }
}
