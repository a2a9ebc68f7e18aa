//! One request to the target, with everything that applies to all of them: token, pace, and when it may be sent again.
//!
//! Guarantee: a POST is sent again only after 429, after 503 with Retry-After, or when no connection was made; then the
//! target surely did nothing. GET, PATCH, PUT and DELETE may be repeated: values are set, not added to.

use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::Bytes;
use reqwest::Method;
use reqwest::Request;
use reqwest::StatusCode;
use reqwest::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderValue};
use serde_json::Value as Json;
use url::Url;

use super::announced::Announced;
use super::dialect::MediaType;
use super::fault::{self, Asked, Content, Words};
use super::pace::hint;
use super::pace::{Kind, Outcome, Pace};
use crate::model::clock::Clock;
use crate::model::secret::Secret;
use crate::ports::TargetError;
use crate::ports::turn;
use crate::transport::Answer;
use crate::transport::Attempt;
use crate::transport::HttpClient;
use crate::transport::RetryPolicy;
use crate::transport::TransportError;
use crate::transport::off_thread;
use crate::transport::retry;

/// The attempts after a stumble (5xx, timeout, no connection). A target in trouble is left alone soon: the next cycle
/// resumes, and more attempts would only delay its report.
const STUMBLES: u32 = 2;

/// Whether a request that may have been carried out may be sent again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Repeat {
    /// Yes: sending it twice equals sending it once.
    Safe,
    /// No.
    Never,
}

/// A body and its media type.
#[derive(Debug, Clone)]
pub struct Payload {
    /// The JSON text.
    pub body: Bytes,
    /// Its media type.
    pub media: MediaType,
}

/// The connection to one target.
pub struct Wire {
    http: HttpClient,
    pace: Pace,
    /// In the order in which they are tried.
    tokens: Vec<Bearer>,
    /// Which of them is in use: the next one where the target refuses it.
    token: AtomicUsize,
    policy: RetryPolicy,
    clock: Arc<dyn Clock>,
    words: Words,
    /// What the target announced: refusals cast doubt on it.
    pub(super) announced: Announced,
    /// Which of [`ACCEPTS`] is in force.
    accepts: AtomicUsize,
}

/// A token, and the header that carries it.
struct Bearer {
    token: Secret,
    header: HeaderValue,
}

impl Bearer {
    /// `None` when the token cannot stand in a header.
    fn of(token: Secret) -> Option<Self> {
        let mut header = HeaderValue::try_from(format!("Bearer {}", token.expose().trim())).ok()?;
        header.set_sensitive(true);
        Some(Self { token, header })
    }
}

/// One attempt: what is asked, and as whom.
#[derive(Clone, Copy)]
struct Attempted<'a> {
    asked: &'a Asked,
    repeat: Repeat,
    /// Attempts made before.
    made: u32,
    bearer: &'a Bearer,
}

/// The accepted types of answers, the usual first: a service that knows one type only may refuse a request that names
/// others.
const ACCEPTS: [&str; 3] = [
    "application/scim+json, application/json",
    "application/json",
    "*/*",
];

/// A good answer with its body, where there was one.
#[derive(Debug)]
pub struct Reply<B = Json> {
    /// The answer.
    pub answer: Answer,
    /// Its body, `None` where it was empty.
    pub body: Option<B>,
}

/// An answer that was parsed, from its first byte to its last.
struct Looked<B> {
    answer: Answer,
    body: serde_json::Result<Option<B>>,
    /// The status that counts.
    status: u16,
    /// True where a good answer repeats our token.
    echoes: bool,
}

impl<B: Content> Looked<B> {
    fn at(answer: Answer, token: &Secret) -> Self {
        let body = if answer.body.is_empty() {
            Ok(None)
        } else {
            B::read(&answer.body).map(Some)
        };
        let status = fault::status_of(&answer, body.as_ref().ok().and_then(Option::as_ref));
        let echoes = (200..300).contains(&status) && fault::echoes(&answer, token);
        Self {
            answer,
            body,
            status,
            echoes,
        }
    }
}

impl Wire {
    /// A way with these tokens, the next one where one is refused; `None` when there is none, or one cannot stand in a header.
    pub fn new(
        http: HttpClient,
        pace: Pace,
        tokens: Vec<Secret>,
        policy: RetryPolicy,
        clock: Arc<dyn Clock>,
    ) -> Option<Self> {
        let tokens = tokens.into_iter().map(Bearer::of).collect::<Option<Vec<_>>>()?;
        if tokens.is_empty() {
            return None;
        }
        Some(Self {
            http,
            pace,
            tokens,
            token: AtomicUsize::new(0),
            policy,
            clock,
            words: Words::Kept,
            announced: Announced::default(),
            accepts: AtomicUsize::new(0),
        })
    }

    /// Leaves the target's own text out of errors from now on.
    pub fn leave_words_out(&mut self) {
        self.words = Words::LeftOut;
    }

    /// Restores before a cycle what an earlier one stored of the target's announcement, and of the pace that went well.
    pub fn recall(&self, kept: Option<&str>, under: &str) {
        if let Some(in_flight) = self.announced.recall(kept, under, self.clock.now()) {
            self.pace.begin_with(in_flight);
        }
    }

    /// Returns what is to be stored of both, where it changed.
    pub fn to_keep(&self) -> Option<String> {
        if let Some(in_flight) = self.pace.found() {
            self.announced.bore(in_flight);
        }
        self.announced.take_changed()
    }

    /// Returns the report of how the target slows requests down, once.
    pub fn take_report(&self) -> Option<String> {
        self.pace.take_report()
    }

    /// Returns the client, for its counters.
    pub const fn http(&self) -> &HttpClient {
        &self.http
    }

    /// Sends a request, again where that is safe, and reads the body.
    pub async fn send(
        &self,
        asked: &Asked,
        url: &Url,
        body: Option<Payload>,
        repeat: Repeat,
    ) -> Result<Reply, TargetError> {
        self.send_for(asked, url, body, repeat).await
    }

    /// Sends a request as [`Self::send`] does, and reads as much of the body as is wanted.
    pub async fn send_for<B: Content>(
        &self,
        asked: &Asked,
        url: &Url,
        body: Option<Payload>,
        repeat: Repeat,
    ) -> Result<Reply<B>, TargetError> {
        let body = &body;
        loop {
            let form = self.accepts.load(Ordering::Relaxed);
            let token = self.token.load(Ordering::Relaxed);
            let sent = retry(&self.policy, self.http.traffic(), |made| {
                let attempt = Attempted {
                    asked,
                    repeat,
                    made,
                    bearer: &self.tokens[token],
                };
                self.attempt(attempt, url, body.clone())
            })
            .await;
            // Whoever is not let in has done nothing, whatever the request.
            if matches!(&sent, Err(TargetError::Unauthorized { .. })) && self.take_next_token(token) {
                continue;
            }
            let refused = matches!(&sent, Err(TargetError::Refused { status: 406, .. }));
            if !refused || repeat == Repeat::Never || !self.accept_otherwise(form) {
                return sent;
            }
        }
    }

    /// Goes on with the token after the one that was refused; false where there is none.
    fn take_next_token(&self, refused: usize) -> bool {
        let next = refused + 1;
        if next >= self.tokens.len() {
            return false;
        }
        let order = Ordering::Relaxed;
        if self.token.compare_exchange(refused, next, order, order).is_ok() {
            tracing::warn!(
                "The target refused token {} of {}, and the next one is used",
                refused + 1,
                self.tokens.len()
            );
        }
        true
    }

    /// Goes on with another `Accept` than the one that was refused. Returns false where there is none. A process learns
    /// it from its first GET.
    fn accept_otherwise(&self, refused: usize) -> bool {
        let next = refused + 1;
        if next >= ACCEPTS.len() {
            return false;
        }
        let order = Ordering::Relaxed;
        // Where another request was refused meanwhile, its form is in force already.
        let _ = self.accepts.compare_exchange(refused, next, order, order);
        true
    }

    async fn attempt<B: Content>(
        &self,
        attempt: Attempted<'_>,
        url: &Url,
        body: Option<Payload>,
    ) -> Attempt<Reply<B>, TargetError> {
        let Attempted {
            asked,
            repeat,
            made,
            bearer,
        } = attempt;
        let kind = if asked.method == "GET" {
            Kind::Read
        } else {
            Kind::Write
        };
        let sent = match turn::wait(self.pace.enter(kind)).await {
            Some(Ok(pass)) => {
                if kind == Kind::Write {
                    turn::writes();
                }
                let sent = self
                    .http
                    .send_for(self.request(asked, bearer, url, body), asked.size())
                    .await;
                let hint = sent
                    .as_ref()
                    .ok()
                    .and_then(|answer| hint::read(&answer.headers, self.clock.now()));
                pass.done(|latency| self.outcome(&sent, latency), hint);
                let too_early = sent
                    .as_ref()
                    .is_ok_and(|answer| answer.status == StatusCode::TOO_MANY_REQUESTS);
                if kind == Kind::Write && too_early {
                    turn::refused();
                }
                sent
            }
            None => return Attempt::Fail(fault::paused(asked, Duration::ZERO)),
            Some(Err(left)) => return Attempt::Fail(fault::paused(asked, left)),
        };
        match sent {
            Ok(answer) => self.judge(attempt, answer).await,
            Err(error) => {
                let again = !error.is_configuration()
                    && !error.is_too_large()
                    && (repeat == Repeat::Safe || !error.may_have_been_carried_out())
                    && made < STUMBLES;
                again_or_fail(
                    again,
                    None,
                    fault::no_answer(asked, error, &self.http.keys("url")),
                )
            }
        }
    }

    /// Judges what an answer shows about the load.
    fn outcome(&self, sent: &Result<Answer, TransportError>, latency: Duration) -> Outcome {
        match sent {
            Ok(answer) if answer.is_throttled() => {
                let wait = answer.retry_after(self.clock.now());
                match answer.status {
                    StatusCode::TOO_MANY_REQUESTS => Outcome::Refused(wait),
                    _ => Outcome::Unavailable(wait),
                }
            }
            Ok(answer) if fault::is_stumble(answer.status.as_u16()) => Outcome::Stumbled,
            Ok(_) => Outcome::Answered(latency),
            Err(error) if error.may_have_been_carried_out() => Outcome::Stumbled,
            Err(_) => Outcome::Other,
        }
    }

    async fn judge<B: Content>(
        &self,
        attempt: Attempted<'_>,
        answer: Answer,
    ) -> Attempt<Reply<B>, TargetError> {
        let Attempted {
            asked,
            repeat,
            made,
            bearer,
        } = attempt;
        if answer.is_throttled() {
            // Without a stated wait, the gaps of the retry grow by themselves.
            let wait = answer.retry_after(self.clock.now());
            let error = self.fault(asked, bearer, answer.status.as_u16(), &answer);
            return Attempt::Again { after: wait, error };
        }
        let size = answer.body.len();
        let token = bearer.token.clone();
        let look = move || Looked::at(answer, &token);
        let Looked {
            answer,
            body,
            status,
            echoes,
        } = off_thread(size, look).await;
        if !(200..300).contains(&status) {
            let again = repeat == Repeat::Safe && fault::is_stumble(status) && made < STUMBLES;
            return again_or_fail(again, None, self.fault(asked, bearer, status, &answer));
        }
        if echoes {
            let wrong = "it repeats the token that it was asked with; nothing of it was used or stored";
            return Attempt::Fail(fault::malformed(asked, &answer, wrong));
        }
        match body {
            Ok(body) => Attempt::Done(Reply { answer, body }),
            Err(_) => Attempt::Fail(fault::malformed(asked, &answer, fault::not_json(&answer))),
        }
    }

    fn fault(&self, asked: &Asked, bearer: &Bearer, status: u16, answer: &Answer) -> TargetError {
        let fault = fault::fault(asked, status, answer, &bearer.token, self.words);
        self.announced.refused(asked, &fault);
        fault
    }

    fn request(&self, asked: &Asked, bearer: &Bearer, url: &Url, body: Option<Payload>) -> Request {
        let method = match asked.method {
            "POST" => Method::POST,
            "PATCH" => Method::PATCH,
            "PUT" => Method::PUT,
            "DELETE" => Method::DELETE,
            _ => Method::GET,
        };
        let mut request = Request::new(method, url.clone());
        let form = self.accepts.load(Ordering::Relaxed);
        let headers = request.headers_mut();
        headers.reserve(4);
        headers.insert(AUTHORIZATION, bearer.header.clone());
        headers.insert(
            ACCEPT,
            HeaderValue::from_static(ACCEPTS[form.min(ACCEPTS.len() - 1)]),
        );
        if let Some(Payload { body, media }) = body {
            request
                .headers_mut()
                .insert(CONTENT_TYPE, HeaderValue::from_static(media.header()));
            *request.body_mut() = Some(body.into());
        }
        request
    }
}

fn again_or_fail<T>(again: bool, after: Option<Duration>, error: TargetError) -> Attempt<T, TargetError> {
    if again {
        Attempt::Again { after, error }
    } else {
        Attempt::Fail(error)
    }
}
