//! Sends one batch of writes, and says whether it may have been carried out where no answer came.

use reqwest::Method;
use reqwest::header::HeaderName;
use serde_json::Value as Json;
use serde_json::json;
use url::Url;
use uuid::Uuid;

use std::sync::Arc;

use super::super::GraphOptions;
use super::super::batch::Answers;
use super::super::client::root_of;
use super::super::fault::Asked;
use super::super::fault::Verdict;
use super::super::quota::Quota;
use super::super::token::TokenSource;
use super::super::token::unreachable;
use super::answer::Meaning;
use super::answer::meaning;
use super::request::Request;
use crate::model::clock::Clock;
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
use crate::transport::TransportError;
use crate::transport::http_client::host_of;
use crate::transport::retry;

const CLIENT_REQUEST_ID: HeaderName = HeaderName::from_static("client-request-id");
const POST: &str = "POST";

/// Why a batch has no answers.
#[derive(Debug)]
pub(super) enum Failed {
    /// Nothing of it was carried out.
    NotSent(SourceError),
    /// All of it may have been carried out.
    Unanswered(What),
}

pub(super) struct WriteClient {
    http: HttpClient,
    tokens: TokenSource,
    base: Url,
    clock: Arc<dyn Clock>,
    retry: RetryPolicy,
    quota: Quota,
}

impl WriteClient {
    pub(super) fn new(options: &GraphOptions) -> Result<Self, TransportError> {
        let hosts = [options.graph_url.as_ref(), options.login_url.as_ref()];
        let http = HttpClient::reaching(&options.network, &hosts)?;
        Ok(Self {
            tokens: TokenSource::new(options, http.clone()),
            http,
            base: root_of(options),
            clock: Arc::clone(&options.clock),
            retry: options.retry,
            quota: Quota::of_writes(&options.client_id, &options.tenant_id),
        })
    }

    pub(super) const fn base(&self) -> &Url {
        &self.base
    }

    pub(super) const fn tokens(&self) -> &TokenSource {
        &self.tokens
    }

    pub(super) fn traffic(&self) -> &TrafficCounter {
        self.http.traffic()
    }

    pub(super) const fn retry_policy(&self) -> &RetryPolicy {
        &self.retry
    }

    /// Sends requests as one batch. Returns the meaning of each answer, in their order.
    pub(super) async fn post(&self, requests: &[&Request]) -> Result<Vec<Meaning>, Failed> {
        let numbered = (1..).zip(requests);
        let body = json!({
            "requests": numbered.map(|(number, request)| request.json(number)).collect::<Vec<_>>(),
        });
        self.quota
            .admit(u32::try_from(requests.len()).unwrap_or(u32::MAX))
            .await;
        let answer = retry(&self.retry, self.traffic(), |made| self.attempt(&body, made)).await?;
        let Some(mut answers) = Answers::read(&answer.body) else {
            let what =
                "POST /$batch -> a 2xx without usable `responses`: its writes may have been carried out";
            return Err(Failed::Unanswered(what.into()));
        };
        let now = self.clock.now();
        Ok((1..)
            .zip(requests)
            .map(|(number, request)| meaning(request, answers.take(number), now))
            .collect())
    }

    /// Makes one attempt; a 401 gets a second request with a new token at once, a second 401 is final.
    async fn attempt(&self, body: &Json, made: u32) -> Attempt<Answer, Failed> {
        for renewed in [false, true] {
            let token = match self.tokens.bearer().await {
                Ok(token) => token,
                Err(error) => return Attempt::Fail(Failed::NotSent(error)),
            };
            let (posted, answer) = match self.once(body, &token, made).await {
                Ok(answered) => answered,
                Err(attempt) => return attempt,
            };
            let exchange = posted.as_asked(&token);
            match exchange.judge(&answer) {
                Verdict::Good => return Attempt::Done(answer),
                Verdict::Again(error) if answer.is_throttled() => {
                    return Attempt::Again {
                        after: answer.retry_after(self.clock.now()),
                        error: Failed::NotSent(error),
                    };
                }
                // A server error in the middle of twenty writes.
                Verdict::Again(error) if answer.status.is_server_error() || answer.status.as_u16() == 408 => {
                    return Attempt::Fail(Failed::Unanswered(error.what().clone()));
                }
                Verdict::Again(error) | Verdict::Final(error) => {
                    return Attempt::Fail(Failed::NotSent(error));
                }
                Verdict::StaleToken if renewed => {
                    let error = exchange.unauthorized(&answer);
                    return Attempt::Fail(Failed::NotSent(error));
                }
                Verdict::StaleToken => {
                    self.tokens.refused(&token).await;
                    self.traffic().retried();
                }
            }
        }
        unreachable!("the second round returns")
    }

    /// Sends the batch once.
    async fn once(
        &self,
        body: &Json,
        token: &Secret,
        made: u32,
    ) -> Result<(Posted, Answer), Attempt<Answer, Failed>> {
        let mut url = self.base.clone();
        url.set_path(&format!("{}/$batch", self.base.path().trim_end_matches('/')));
        let posted = Posted {
            shown: format!("{POST} {} at {}", url.path(), host_of(&url)),
            path: url.path().to_owned(),
            id: Uuid::new_v4().to_string(),
        };
        let request = self
            .http
            .builder()
            .request(Method::POST, url)
            .bearer_auth(token.expose())
            .header(CLIENT_REQUEST_ID, &posted.id)
            .json(body)
            .build();
        let request = request.map_err(|error| {
            Attempt::Fail(Failed::NotSent(SourceError::Unavailable {
                what: "a request to Graph cannot be built".into(),
                hint: "check `login_url` and `graph_url`: what came from there is no access token, or no address of Graph"
                    .to_owned(),
                cause: Some(error.into()),
            }))
        })?;
        match self.http.send_for(request, Size::Page).await {
            Ok(answer) => {
                self.tokens.skew().note(&answer, self.clock.now());
                Ok((posted, answer))
            }
            Err(error) => {
                let what = posted.unanswered();
                Err(if error.may_have_been_carried_out() {
                    Attempt::Fail(Failed::Unanswered(what))
                } else {
                    let keys = self.http.keys("graph_url");
                    unreachable(what, &keys, error, made).map_error(Failed::NotSent)
                })
            }
        }
    }
}

/// A batch that was sent, for messages.
struct Posted {
    shown: String,
    path: String,
    id: String,
}

impl Posted {
    fn unanswered(&self) -> What {
        let what = format!("{} -> no answer (client-request-id {})", self.shown, self.id);
        let exchange = Exchange {
            method: POST,
            path: self.path.clone(),
            status: None,
            request_id: None,
        };
        What::of(what, exchange)
    }

    fn as_asked<'a>(&'a self, token: &'a Secret) -> Asked<'a> {
        Asked {
            request: &self.shown,
            method: POST,
            path: &self.path,
            client_request_id: &self.id,
            permission: "User.ReadUpdate.All (for phones User-Phone.ReadWrite.All)",
            not_found: "check `graph_url` and `cloud`: this is not where Graph is",
            kept_link: false,
            token: Some(token),
        }
    }
}
