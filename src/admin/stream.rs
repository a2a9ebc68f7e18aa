//! The events of one order, from its beginning to its `summary` or `problem`.
//!
//! Read from the order itself: whoever attaches late gets everything that lasts, and the progress of now. A slow reader gets
//! less progress; no cycle waits for one.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::FromRequestParts;
use axum::http::HeaderName;
use axum::http::HeaderValue;
use axum::http::request::Parts;
use axum::response::IntoResponse;
use axum::response::Response;
use axum::response::Sse;
use axum::response::sse::Event;
use axum::response::sse::KeepAlive;
use futures::Stream;
use serde::Serialize;
use tokio::sync::OwnedSemaphorePermit;
use tokio::sync::Semaphore;
use tokio::sync::watch;

use super::answer::Form;
use super::problem::Problem;
use crate::app::error::AppError;
use crate::app::error::ErrorKind;
use crate::app::error::ErrorText;
use crate::app::service::answer::Answer;
use crate::app::service::answer::Ticket;
use crate::app::service::track::Progress;
use crate::app::service::track::Standing;
use crate::app::service::track::Track;
use crate::model::shown::shown_json;

/// The gap between two events of progress: more often nobody looks.
const PROGRESS_EVERY: Duration = Duration::from_millis(200);

/// A comment that keeps the connection alive on its way.
const SIGN_OF_LIFE: Duration = Duration::from_secs(15);

/// So that a proxy does not collect the events.
const UNBUFFERED: (HeaderName, HeaderValue) = (
    HeaderName::from_static("x-accel-buffering"),
    HeaderValue::from_static("no"),
);

/// As many streams as there are at a time: each holds a connection.
const MOST_STREAMS: usize = 64;

/// The places of those who follow.
#[derive(Clone)]
pub(super) struct Places(Arc<Semaphore>);

impl Default for Places {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(MOST_STREAMS)))
    }
}

/// The place of one who follows; given back when it is dropped.
pub(super) struct Place {
    _permit: OwnedSemaphorePermit,
}

impl<S: Sync> FromRequestParts<S> for Place {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Problem> {
        let places = parts.extensions.get::<Places>().cloned().unwrap_or_default();
        places
            .0
            .try_acquire_owned()
            .map(|permit| Self { _permit: permit })
            .map_err(|_| Problem::from(full()))
    }
}

fn full() -> AppError {
    let what = format!("{MOST_STREAMS} streams of events are open");
    let shown = ErrorText {
        what,
        ..ErrorText::default()
    };
    AppError::new(
        ErrorKind::Busy,
        shown.advise("close one, or ask again without `Accept: text/event-stream`"),
    )
}

/// How an answer is wanted; with a place, where that is events.
pub(super) struct Reply {
    /// The form.
    pub(super) form: Form,
    _place: Option<Place>,
}

impl<S: Sync> FromRequestParts<S> for Reply {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let form = Form::of(&parts.headers);
        let place = match form {
            Form::Stream => Some(Place::from_request_parts(parts, state).await?),
            Form::Json | Form::Words => None,
        };
        Ok(Self { form, _place: place })
    }
}

/// Events as an answer.
pub(super) fn served(events: impl Stream<Item = Result<Event, Infallible>> + Send + 'static) -> Response {
    let kept = KeepAlive::new().interval(SIGN_OF_LIFE);
    ([UNBUFFERED], Sse::new(events).keep_alive(kept)).into_response()
}

/// The events as an answer; it begins with the ticket where the order was just taken.
pub(super) fn of(track: Arc<Track>, ticket: Option<Ticket>, reply: Reply) -> Response {
    let accepted = ticket.map(|ticket| event("accepted", &ticket));
    let follower = Follower {
        standing: track.standing(),
        progress: track.progress(),
        ready: accepted.into_iter().collect(),
        findings_sent: 0,
        begun: false,
        stopping: false,
        over: false,
        track,
        _reply: reply,
    };
    served(events(follower))
}

/// One who follows an order.
struct Follower {
    track: Arc<Track>,
    standing: watch::Receiver<Standing>,
    progress: watch::Receiver<Progress>,
    /// To be sent first.
    ready: VecDeque<Event>,
    findings_sent: usize,
    begun: bool,
    stopping: bool,
    over: bool,
    /// Its place among those who follow.
    _reply: Reply,
}

/// Who began an order.
#[derive(Serialize)]
struct Started<'f> {
    actor: &'f str,
}

/// What concerns every object.
#[derive(Serialize)]
struct Finding<'f> {
    text: &'f str,
}

fn events(follower: Follower) -> impl Stream<Item = Result<Event, Infallible>> {
    futures::stream::unfold(follower, |mut follower| async move {
        let event = follower.next().await?;
        Some((Ok(event), follower))
    })
}

impl Follower {
    async fn next(&mut self) -> Option<Event> {
        loop {
            if let Some(event) = self.ready.pop_front() {
                return Some(event);
            }
            if self.over {
                return None;
            }
            self.look();
            if !self.ready.is_empty() {
                continue;
            }
            tokio::select! {
                _ = self.standing.changed() => {}
                _ = self.progress.changed() => {
                    let progress = *self.progress.borrow_and_update();
                    self.look();
                    // Nothing comes behind the last events.
                    if self.over {
                        continue;
                    }
                    self.ready.push_back(event("phase", &progress));
                    tokio::select! {
                        () = tokio::time::sleep(PROGRESS_EVERY) => {}
                        _ = self.standing.changed() => {}
                    }
                }
            }
        }
    }

    /// Notes what happened since.
    fn look(&mut self) {
        let standing = self.standing.borrow_and_update().clone();
        let actor = &self.track.ask.actor;
        if !self.begun && !matches!(standing, Standing::Waiting) {
            self.begun = true;
            self.ready.push_back(event("started", &Started { actor }));
        }
        let findings = self.track.findings();
        for text in findings.iter().skip(self.findings_sent) {
            self.ready.push_back(event("finding", &Finding { text }));
        }
        self.findings_sent = findings.len();
        match standing {
            Standing::Waiting | Standing::Running => {}
            Standing::Stopping if self.stopping => {}
            Standing::Stopping => {
                self.stopping = true;
                self.ready.push_back(event("stopping", &Started { actor }));
            }
            Standing::Ended(answer) => {
                self.over = true;
                self.ready.extend(last(&answer));
            }
        }
    }
}

/// The last events: what became of those who were named, the summary, where there is one, and the problem, where there was one.
fn last(answer: &Answer) -> Vec<Event> {
    let compared = answer.compared.as_ref();
    let compared = compared.map(|compared| event("compared", compared));
    let summary = answer.summary.as_ref().map(|summary| event("summary", summary));
    let problem = answer.error.clone().map(|error| {
        let text = Problem::from(error).text();
        Event::default().event("problem").data(text)
    });
    let people = answer.people.iter().map(|person| event("person", person));
    let people: Vec<Event> = people.collect();
    let rest = compared.into_iter().chain(summary).chain(problem);
    people.into_iter().chain(rest).collect()
}

fn event(name: &str, data: &impl Serialize) -> Event {
    let text = serde_json::to_string(data).expect("its keys are texts");
    Event::default().event(name).data(shown_json(&text))
}
