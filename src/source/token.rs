//! Access tokens by client credentials with a secret (docs/design/graph.md, "Tokens and clouds").
//!
//! Guarantees: one request for any number of callers; a token is renewed before it ends, and while it lives a failing
//! renewal affects no caller; token and secret are in memory only and never shown.

use std::{fmt, sync::Arc, time::Duration};

use serde::Deserialize;
use serde_json::Value as Json;
use tokio::sync::Mutex;
use url::Url;

use super::{
    GraphOptions,
    fault::{looks_like_html, shortened},
    skew::Skew,
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
/// The number of attempts for a host that cannot be connected to: longer waiting rarely helps, and people watch.
pub(super) const CONNECT_ATTEMPTS: u32 = 4;

/// Gives out the current token, and gets a new one when needed.
pub(super) struct TokenSource {
    http: HttpClient,
    url: Url,
    client_id: String,
    secret: Secret,
    scope: String,
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
            secret: options.credential.clone(),
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

    async fn ask(&self) -> Result<Held, SourceError> {
        retry(&self.retry, self.http.traffic(), |made| self.attempt(made)).await
    }

    async fn attempt(&self, made: u32) -> Attempt<Held, SourceError> {
        let form = [
            ("client_id", self.client_id.as_str()),
            ("scope", &self.scope),
            ("client_secret", self.secret.expose()),
            ("grant_type", "client_credentials"),
        ];
        let asked_at = self.clock.now();
        let request = match self.http.builder().post(self.url.clone()).form(&form).build() {
            Ok(request) => request,
            Err(error) => return Attempt::Fail(self.unusable_url(error)),
        };
        let answered = self.http.send(request).await;
        if let Ok(answer) = &answered {
            self.skew.note(answer, self.clock.now());
        }
        match answered {
            Ok(answer) if answer.status.is_success() => self.grant(&answer, asked_at),
            Ok(answer) => self.refusal(&answer),
            Err(error) => unreachable(
                self.what("no token", None),
                &self.http.keys("login_url"),
                error,
                made,
            ),
        }
    }

    fn grant(&self, answer: &Answer, asked_at: Timestamp) -> Attempt<Held, SourceError> {
        let granted = serde_json::from_slice::<Granted>(&answer.body).ok();
        let Some((token, life)) =
            granted.and_then(|granted| Some((granted.access_token?, life(granted.expires_in))))
        else {
            let kind = if looks_like_html(answer) {
                "an HTML page"
            } else {
                "an answer without an access_token"
            };
            return Attempt::Fail(SourceError::Malformed {
                what: self.what(&format!("200 with {kind}"), Some(answer)),
                hint: "check `login_url` and `proxy`: this is not Entra's token endpoint".to_owned(),
            });
        };
        let margin = RENEW_BEFORE.min(life / 10);
        Attempt::Done(Held {
            token: Secret::new(token),
            renew_at: asked_at.plus(life.saturating_sub(margin)),
            ends_at: asked_at.plus(life),
        })
    }

    /// Judges a refusal. An AADSTS error is about the credential; any other is about the service or a proxy before it.
    fn refusal(&self, answer: &Answer) -> Attempt<Held, SourceError> {
        let body: Json = serde_json::from_slice(&answer.body).unwrap_or_default();
        let (error, code) = (body.get("error").and_then(Json::as_str), aadsts(&body));
        let status = answer.status.as_u16();
        let transient =
            status == 429 || status >= 500 || code == Some(90033) || error == Some("temporarily_unavailable");
        let (what, hint) = (
            self.what(&self.shown(status, error, code, &body, answer), Some(answer)),
            hint(code),
        );
        if transient {
            let hint = "Entra's sign-in service is in trouble: the next cycle tries again".to_owned();
            let error = SourceError::Unavailable {
                what,
                hint,
                cause: None,
            };
            Attempt::Again {
                after: answer.retry_after(self.clock.now()),
                error,
            }
        } else if error.is_some() || code.is_some() {
            Attempt::Fail(SourceError::Unauthorized { what, hint })
        } else {
            let hint =
                "check `login_url`, `cloud` and `proxy`: this is not Entra's token endpoint".to_owned();
            Attempt::Fail(SourceError::Unavailable {
                what,
                hint,
                cause: None,
            })
        }
    }

    /// Describes status, codes, trace id and the first line of the description, which explains more than any table
    /// here.
    fn shown(
        &self,
        status: u16,
        error: Option<&str>,
        code: Option<u64>,
        body: &Json,
        answer: &Answer,
    ) -> String {
        let mut text = status.to_string();
        if let Some(error) = error {
            text.push_str(&format!(" {}", shortened(error)));
        } else if looks_like_html(answer) {
            text.push_str(" with an HTML page instead of JSON");
        }
        let description = body
            .get("error_description")
            .and_then(Json::as_str)
            .unwrap_or_default();
        let line = description.split(['\r', '\n']).next().unwrap_or_default();
        let line = line.split(" Trace ID:").next().unwrap_or_default();
        match code {
            Some(code) if !line.contains(&format!("AADSTS{code}")) => {
                text.push_str(&format!(", AADSTS{code}: {line}"))
            }
            _ if !line.is_empty() => text.push_str(&format!(", {line}")),
            _ => {}
        }
        let trace = body.get("trace_id").and_then(Json::as_str);
        let trace = trace
            .map(|id| format!(" (trace {})", shortened(id)))
            .unwrap_or_default();
        let mut text = shortened(&text) + &trace;
        if !self.secret.expose().is_empty() {
            text = text.replace(self.secret.expose(), "[secret]");
        }
        text
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
            hint: "check `login_url` and `tenant_id`".to_owned(),
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

/// Returns the first AADSTS number, from `error_codes` or from the description.
fn aadsts(body: &Json) -> Option<u64> {
    let listed = body
        .get("error_codes")
        .and_then(|codes| codes.get(0))
        .and_then(Json::as_u64);
    listed.or_else(|| {
        let (_, rest) = body.get("error_description")?.as_str()?.split_once("AADSTS")?;
        rest.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
    })
}

/// Returns what to do about an AADSTS error (learn.microsoft.com, "Microsoft Entra authentication error codes").
fn hint(code: Option<u64>) -> String {
    match code {
        Some(7_000_222) => {
            "the client secret has expired: make a new one in the Entra admin centre (App registrations, \
            Certificates & secrets) and put its value where `credential.client_secret` points"
        }
        Some(7_000_215) => {
            "the client secret is wrong: `credential.client_secret` must give the secret's Value (not its \
            Secret ID), and belong to the app in `client_id`"
        }
        Some(90_002 | 900_023) => {
            "no such tenant: check `tenant_id`, and `cloud` (each national cloud has its own tenants)"
        }
        Some(700_016) => {
            "the app is not in this tenant: check `client_id` and `tenant_id`, and that an admin of the \
            tenant has consented to the app"
        }
        Some(500_011 | 70_011 | 1_002_012) => {
            "Graph is not known in this tenant under the name of this cloud: check `cloud`"
        }
        Some(7_000_112) => {
            "the app is disabled: enable it in the Entra admin centre (Enterprise applications, Properties)"
        }
        Some(7_000_229) => "the app has no service principal in this tenant: give admin consent to it",
        Some(53_003 | 530_034) => {
            "a Conditional Access policy for workload identities blocks this app: let it sign in from here"
        }
        Some(7_000_218) => "no client secret was sent: check what `credential.client_secret` points to",
        Some(code) => {
            return format!("look the code up: https://login.microsoftonline.com/error?code={code}");
        }
        None => "check `tenant_id`, `client_id` and `credential`",
    }
    .to_owned()
}
