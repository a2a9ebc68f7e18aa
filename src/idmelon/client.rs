//! The client: GET and nothing else.

use std::sync::Arc;

use reqwest::header::AUTHORIZATION;
use reqwest::header::HeaderValue;
use url::Url;

use super::IdmelonOptions;
use super::row;
use super::row::Page;
use crate::model::clock::Clock;
use crate::model::secret::Secret;
use crate::model::shown::shown_within;
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
use crate::transport::retry;

const PATH: &str = "/administrator/securityDevice";
/// The longest part of the service's own words that is shown, in characters.
const SHOWN: usize = 160;

pub(super) struct Client {
    http: HttpClient,
    url: Url,
    key: Secret,
    clock: Arc<dyn Clock>,
    retry: RetryPolicy,
}

impl Client {
    pub(super) fn new(options: IdmelonOptions) -> Result<Self, TransportError> {
        let mut url = options.url;
        let below = url.path().trim_end_matches('/').to_owned();
        url.set_path(&format!("{below}{PATH}"));
        Ok(Self {
            http: HttpClient::reaching(&options.network, &[Some(&url)])?,
            url,
            key: options.key,
            clock: options.clock,
            retry: options.retry,
        })
    }

    pub(super) fn traffic(&self) -> &TrafficCounter {
        self.http.traffic()
    }

    /// Reads one page of the keys in a state.
    pub(super) async fn page(&self, state: u16, limit: usize, skip: usize) -> Result<Page, SourceError> {
        let mut url = self.url.clone();
        url.query_pairs_mut()
            .append_pair("status", &state.to_string())
            .append_pair("limit", &limit.to_string())
            .append_pair("skip", &skip.to_string());
        let answer = retry(&self.retry, self.traffic(), |_| self.attempt(&url)).await?;
        row::page(&answer.body).map_err(|wrong| SourceError::Malformed {
            what: self.what(&format!("200 with {wrong}; nothing of it was used"), Some(200)),
            hint: "check `idmelon_api.url` and `proxy`: the next reading asks again".to_owned(),
        })
    }

    /// Builds the error for a listing that does not end.
    pub(super) fn endless(&self, state: u16) -> SourceError {
        SourceError::Malformed {
            what: self.what(&format!("the keys of state {state} have no end"), None),
            hint: "check `idmelon_api.url` and `proxy`: the next reading asks again".to_owned(),
        }
    }

    async fn attempt(&self, url: &Url) -> Attempt<Answer, SourceError> {
        let Ok(mut value) = HeaderValue::from_str(self.key.expose()) else {
            return Attempt::Fail(SourceError::Unauthorized {
                what: "the API key of IDmelon is no header value".into(),
                hint: "write the key again, without a line break".to_owned(),
            });
        };
        value.set_sensitive(true);
        let request = self
            .http
            .builder()
            .get(url.clone())
            .header(AUTHORIZATION, value)
            .build();
        let request = match request {
            Ok(request) => request,
            Err(error) => {
                return Attempt::Fail(SourceError::Unavailable {
                    what: "a request to IDmelon cannot be built".into(),
                    hint: "check `idmelon_api.url` and `proxy`: the next reading asks again".to_owned(),
                    cause: Some(error.into()),
                });
            }
        };
        match self.http.send_for(request, Size::Page).await {
            Ok(answer) => self.judge(answer),
            Err(error) => {
                let hopeless = error.is_configuration() || error.is_too_large();
                let error = SourceError::Unavailable {
                    what: self.what("no answer", None),
                    hint: error.advice(&self.http.keys("idmelon_api.url")),
                    cause: Some(error.into()),
                };
                if hopeless {
                    Attempt::Fail(error)
                } else {
                    Attempt::Again { after: None, error }
                }
            }
        }
    }

    fn judge(&self, answer: Answer) -> Attempt<Answer, SourceError> {
        let status = answer.status.as_u16();
        let words = String::from_utf8_lossy(&answer.body);
        let words = shown_within(&self.key.hidden_in(&words), SHOWN);
        let what = || self.what(&format!("{status} {words}"), Some(status));
        match status {
            200 => Attempt::Done(answer),
            401 => Attempt::Fail(SourceError::Unauthorized {
                what: what(),
                hint: "make a new API key in IDmelon's panel (App Integrations, API Key Management) and set `idmelon_api.key`"
                    .to_owned(),
            }),
            403 => Attempt::Fail(SourceError::Forbidden {
                what: what(),
                hint: "the API key may not list security keys: it needs the type Admin".to_owned(),
            }),
            408 | 429 | 500 | 502 | 503 | 504 => Attempt::Again {
                after: answer.retry_after(self.clock.now()),
                error: SourceError::Unavailable {
                    what: what(),
                    hint: "IDmelon is in trouble, or throttles: the next reading tries again".to_owned(),
                    cause: None,
                },
            },
            _ => Attempt::Fail(SourceError::Unavailable {
                what: what(),
                hint: "check `idmelon_api.url` and `proxy`: the next reading asks again".to_owned(),
                cause: None,
            }),
        }
    }

    fn what(&self, happened: &str, status: Option<u16>) -> What {
        let exchange = Exchange {
            method: "GET",
            path: self.url.path().to_owned(),
            status,
            request_id: None,
        };
        What::of(
            format!("GET {} at IDmelon -> {happened}", self.url.path()),
            exchange,
        )
    }
}
