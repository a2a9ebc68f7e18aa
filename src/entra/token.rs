//! Access tokens for Microsoft Graph (docs/design/graph.md, "Tokens and clouds").
//!
//! Guarantees: one request for however many callers; a token is renewed before it ends, and while it lives a
//! failing renewal hurts nobody; credentials are read afresh for each token and tried in order; token and secret are in
//! memory only and never shown.

use std::{fmt, sync::Arc, time::Duration};

use reqwest::Request;
use serde::Deserialize;
use serde_json::Value as Json;
use tokio::sync::Mutex;
use tracing::warn;
use url::Url;

use super::{
    GraphOptions,
    credential::{Credential, Credentials, Proof, federated_token},
    fault::looks_like_html,
    managed::{self, ManagedIdentity},
    skew::Skew,
    token_refusal::{Failure, Refused, judge},
    unusable::Unusable,
};
use crate::model::clock::Clock;
use crate::model::clock::Timestamp;
use crate::model::secret::Secret;
use crate::ports::Exchange;
use crate::ports::SourceError;
use crate::ports::What;
use crate::transport::Answer;
use crate::transport::Attempt;
use crate::transport::HttpClient;
use crate::transport::RetryPolicy;
use crate::transport::TransportError;
use crate::transport::retry;
use crate::transport::unreached::Keys;

/// How long before its end a token is renewed, or a tenth of its life where that is shorter: long enough for the
/// retries of one request.
const RENEW_BEFORE: Duration = Duration::from_secs(300);
/// The assumed life, in seconds, of a token that does not state it.
const ASSUMED_LIFE: u64 = 600;
/// A service of managed identities is on the machine itself, and answers soon.
const MANAGED_TIMEOUT: Duration = Duration::from_secs(10);
/// The number of attempts for a host that cannot be connected to: longer waiting rarely helps, and people watch.
pub(super) const CONNECT_ATTEMPTS: u32 = 4;

/// Gives out the current token, and gets a new one when needed.
pub(super) struct TokenSource {
    http: HttpClient,
    url: Url,
    client_id: String,
    credentials: Credentials,
    scope: String,
    /// What a managed identity asks a token for: the scope without its end.
    resource: String,
    clock: Arc<dyn Clock>,
    retry: RetryPolicy,
    /// Locked while a token is asked for: so there is one request at a time.
    held: Mutex<Option<Held>>,
    skew: Skew,
}

struct Held {
    token: Secret,
    renew_at: Timestamp,
    ends_at: Timestamp,
}

#[derive(Deserialize)]
struct Granted {
    access_token: Option<String>,
    expires_in: Option<Json>,
    /// Which identity a managed token is for.
    client_id: Option<String>,
}

impl fmt::Debug for TokenSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenSource")
            .field("url", &self.url.as_str())
            .finish_non_exhaustive()
    }
}

impl TokenSource {
    pub(super) fn new(options: &GraphOptions, http: HttpClient) -> Self {
        let mut url = options
            .login_url
            .clone()
            .unwrap_or_else(|| options.cloud.login_url());
        if let Ok(mut path) = url.path_segments_mut() {
            path.pop_if_empty()
                .extend([options.tenant_id.as_str(), "oauth2", "v2.0", "token"]);
        }
        Self {
            http,
            url,
            client_id: options.client_id.clone(),
            credentials: options.credential.clone(),
            resource: options
                .cloud
                .scope()
                .trim_end_matches(".default")
                .trim_end_matches('/')
                .to_owned(),
            scope: options.cloud.scope(),
            clock: Arc::clone(&options.clock),
            retry: options.retry,
            held: Mutex::new(None),
            skew: Skew::default(),
        }
    }

    /// Returns the difference of the clocks, noted with every answer of login and Graph.
    pub(super) const fn skew(&self) -> &Skew {
        &self.skew
    }

    /// Returns a token that has not expired.
    pub(super) async fn bearer(&self) -> Result<Secret, SourceError> {
        let mut held = self.held.lock().await;
        let now = self.clock.now();
        if let Some(held) = held.as_ref().filter(|held| now < held.renew_at) {
            return Ok(held.token.clone());
        }
        match (self.ask().await, held.as_mut()) {
            (Ok(new), _) => Ok(held.insert(new).token.clone()),
            (Err(error @ SourceError::Unauthorized { .. }), _) => Err(error),
            // Renewal fails while the old token lives: use it, and do not ask again with every request.
            (Err(_), Some(old)) if self.clock.now() < old.ends_at => {
                old.renew_at = self.clock.now().plus(Duration::from_secs(30)).min(old.ends_at);
                Ok(old.token.clone())
            }
            (Err(error), _) => Err(error),
        }
    }

    /// Notes that Graph refused this token: the next call gets another one, unless it was renewed meanwhile.
    pub(super) async fn refused(&self, token: &Secret) {
        let mut held = self.held.lock().await;
        if held
            .as_ref()
            .is_some_and(|held| held.token.expose() == token.expose())
        {
            *held = None;
        }
    }

    /// Asks with one credential after the other, the next where one is refused or cannot be used.
    async fn ask(&self) -> Result<Held, SourceError> {
        let mut first: Option<SourceError> = None;
        for credential in self.credentials.read() {
            let failure = match self.ask_with(credential).await {
                Ok(held) => {
                    if let Some(error) = first {
                        warn!(error = %error, "A credential was refused, and a later one of the list is used");
                    }
                    return Ok(held);
                }
                Err(failure) => failure,
            };
            if !failure.of_credential {
                return Err(failure.error);
            }
            first.get_or_insert(failure.error);
        }
        Err(first.unwrap_or_else(|| SourceError::Unauthorized {
            what: What::from("there is no credential".to_owned()),
            hint: "check `tenant_id`, `client_id` and `credential`".to_owned(),
        }))
    }

    async fn ask_with(&self, credential: Result<Credential, Unusable>) -> Result<Held, Failure> {
        let credential = credential.map_err(Failure::of_credential)?;
        if let Credential::Managed(identity) = &credential {
            return retry(&self.retry, self.http.traffic(), |made| {
                self.attempt_managed(identity, made)
            })
            .await;
        }
        retry(&self.retry, self.http.traffic(), |made| {
            self.attempt(&credential, made)
        })
        .await
    }

    async fn attempt(&self, credential: &Credential, made: u32) -> Attempt<Held, Failure> {
        let proof = match self.proof(credential) {
            Ok(proof) => proof,
            Err(unusable) => return Attempt::Fail(Failure::of_credential(unusable)),
        };
        let mut form = vec![
            ("client_id", self.client_id.as_str()),
            ("scope", &self.scope),
            ("grant_type", "client_credentials"),
        ];
        form.extend(proof.fields.iter().map(|(name, value)| (*name, value.expose())));
        let request = self.http.builder().post(self.url.clone()).form(&form).build();
        let asked_at = self.clock.now();
        let answer = match self.send(request, "login_url", made).await {
            Ok(answer) => answer,
            Err(attempt) => return attempt,
        };
        if answer.status.is_success() {
            return self.grant(&answer, asked_at, None);
        }
        let refused = Refused {
            answer: &answer,
            secret: &proof.secret,
            now: self.clock.now(),
        };
        judge(&refused, |happened| self.what(happened, Some(&answer)))
    }

    /// What is sent as proof: made for each request, so that a token of a platform or an assertion is never an old one.
    fn proof(&self, credential: &Credential) -> Result<Proof, Unusable> {
        match credential {
            Credential::Secret(secret) => Ok(Proof::of_secret(secret)),
            Credential::Certificate(certificate) => certificate
                .assertion(self.url.as_str(), &self.client_id, self.clock.now())
                .map(Proof::of_assertion)
                .map_err(|error| Unusable {
                    what: format!("the certificate cannot be used: {error}"),
                    hint: error.hint().to_owned(),
                }),
            Credential::Federated(path) => federated_token(path, self.clock.now()).map(Proof::of_assertion),
            Credential::Managed(_) => Err(Unusable {
                what: "a managed identity proves nothing to the token endpoint".to_owned(),
                hint: String::new(),
            }),
        }
    }

    async fn attempt_managed(&self, identity: &ManagedIdentity, made: u32) -> Attempt<Held, Failure> {
        let asked_at = self.clock.now();
        let mut key = None;
        // A second time with the key that the agent of Arc asks for.
        for _ in 0..2 {
            let (url, headers) = identity.request(&self.resource, key.as_ref());
            let mut request = self.http.builder().get(url).timeout(MANAGED_TIMEOUT);
            for (name, value) in &headers {
                request = request.header(*name, value.expose());
            }
            let answer = match self.send(request.build(), "managed_identity", made).await {
                Ok(answer) => answer,
                Err(attempt) => return attempt,
            };
            if answer.status.is_success() {
                return self.grant(&answer, asked_at, identity.must_echo());
            }
            let challenge = answer.header("www-authenticate").unwrap_or_default();
            let file = (answer.status.as_u16() == 401 && key.is_none())
                .then(|| identity.key_file(challenge))
                .flatten();
            match file.map(|file| file.and_then(|file| managed::read_key(&file))) {
                Some(Ok(read)) => key = Some(read),
                Some(Err(unusable)) => return Attempt::Fail(Failure::of_credential(unusable)),
                None => return self.no_identity(identity, &answer),
            }
        }
        Attempt::Fail(Failure::of_credential(Unusable {
            what: "the agent of Azure Arc refuses the key that it named".to_owned(),
            hint: identity.hint().to_owned(),
        }))
    }

    /// Services of identities are away while they are updated (404, 410, 429, 5xx); anything else is final.
    fn no_identity(&self, identity: &ManagedIdentity, answer: &Answer) -> Attempt<Held, Failure> {
        let status = answer.status.as_u16();
        let words = crate::entra::fault::shortened(&String::from_utf8_lossy(&answer.body));
        let host = crate::transport::http_client::host_of(identity.endpoint());
        let what = What::from(format!(
            "asking {host} for a token of the managed identity -> {status} {words}"
        ));
        let hint = identity.hint().to_owned();
        if matches!(status, 404 | 408 | 410 | 429 | 500..) {
            let error = SourceError::Unavailable {
                what,
                hint,
                cause: None,
            };
            // An update of the service takes up to 70 seconds.
            let after = (status == 410).then_some(Duration::from_secs(10));
            return Attempt::Again {
                after: after.or_else(|| answer.retry_after(self.clock.now())),
                error: Failure {
                    error,
                    of_credential: false,
                },
            };
        }
        Attempt::Fail(Failure {
            error: SourceError::Unauthorized { what, hint },
            of_credential: true,
        })
    }

    /// The answer, whatever its status; or what no answer leads to.
    async fn send<T>(
        &self,
        request: reqwest::Result<Request>,
        key: &str,
        made: u32,
    ) -> Result<Answer, Attempt<T, Failure>> {
        let request = request.map_err(|error| {
            Attempt::Fail(Failure {
                error: self.unusable_url(error),
                of_credential: false,
            })
        })?;
        let answered = self.http.send(request).await;
        if let Ok(answer) = &answered {
            self.skew.note(answer, self.clock.now());
        }
        answered.map_err(|error| {
            let nothing = unreachable::<T>(self.what("no token", None), &self.http.keys(key), error, made);
            nothing.map_error(|error| Failure {
                error,
                of_credential: false,
            })
        })
    }

    fn grant(&self, answer: &Answer, asked_at: Timestamp, echo: Option<&str>) -> Attempt<Held, Failure> {
        let fail = |error, of_credential| Attempt::Fail(Failure { error, of_credential });
        let granted = serde_json::from_slice::<Granted>(&answer.body).ok();
        let named = granted.as_ref().and_then(|granted| granted.client_id.clone());
        if let Some(wanted) = echo
            && !named.is_some_and(|named| named.eq_ignore_ascii_case(wanted))
        {
            let what = self.what(
                "a token that does not say that it is for the identity asked for",
                Some(answer),
            );
            let hint =
                "update the agent of Azure Arc: old ones answer with the machine's own identity".to_owned();
            return fail(SourceError::Unauthorized { what, hint }, true);
        }
        let Some((token, life)) =
            granted.and_then(|granted| Some((granted.access_token?, life(granted.expires_in))))
        else {
            let kind = if looks_like_html(answer) {
                "an HTML page"
            } else {
                "an answer without an access_token"
            };
            let what = self.what(&format!("200 with {kind}"), Some(answer));
            let hint = "check `login_url` and `proxy`: this is not Entra's token endpoint".to_owned();
            return fail(SourceError::Malformed { what, hint }, false);
        };
        let margin = RENEW_BEFORE.min(life / 10);
        Attempt::Done(Held {
            token: Secret::new(token),
            renew_at: asked_at.plus(life.saturating_sub(margin)),
            ends_at: asked_at.plus(life),
        })
    }

    fn what(&self, happened: &str, answer: Option<&Answer>) -> What {
        let host = crate::transport::http_client::host_of(&self.url);
        let text = format!(
            "asking {host} for a token of app {} -> {happened}",
            self.client_id
        );
        let exchange = Exchange {
            method: "POST",
            path: self.url.path().to_owned(),
            status: answer.map(|answer| answer.status.as_u16()),
            request_id: None,
        };
        What::of(text, exchange)
    }

    fn unusable_url(&self, error: reqwest::Error) -> SourceError {
        SourceError::Unavailable {
            what: self.what("the request cannot be built", None),
            hint: "check `login_url`, and with a managed identity IDENTITY_HEADER, which the platform sets: do not set it by hand".to_owned(),
            cause: Some(error.without_url().into()),
        }
    }
}

/// Judges a request without an answer: worth some more attempts, fewer where not even a connection can be made.
pub(super) fn unreachable<T>(
    what: What,
    keys: &Keys<'_>,
    error: TransportError,
    made: u32,
) -> Attempt<T, SourceError> {
    let connect = matches!(error, TransportError::Connect { .. });
    let hopeless = error.is_configuration() || error.is_too_large();
    let error = SourceError::Unavailable {
        what,
        hint: error.advice(keys),
        cause: Some(error.into()),
    };
    if hopeless || (connect && made + 1 >= CONNECT_ATTEMPTS) {
        Attempt::Fail(error)
    } else {
        Attempt::Again { after: None, error }
    }
}

/// Reads `expires_in` as a number or, as older endpoints write it, as a text.
fn life(expires_in: Option<Json>) -> Duration {
    let seconds = match expires_in {
        Some(Json::Number(number)) => number.as_u64(),
        Some(Json::String(text)) => text.parse().ok(),
        _ => None,
    };
    Duration::from_secs(seconds.unwrap_or(ASSUMED_LIFE).min(86_400))
}
