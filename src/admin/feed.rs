//! `GET /api/v1/events`: what happens in the daemon, as it happens, for whoever looks on.
//!
//! A reader keeps its place in the ring of the last events and fetches: nothing is queued for it, and no cycle waits for it.
//! One that is far behind is told so (`reset`) and hung up on; it comes back with `Last-Event-ID`, or looks at everything anew.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::sync::Arc;

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use axum::response::sse::Event as Sent;
use futures::Stream;
use serde::Serialize;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::caller::Caller;
use super::extract::Query;
use super::parameter::Parameter;
use super::parameter::id;
use super::parameter::text;
use super::problem::Problem;
use super::stream;
use super::stream::Place;
use crate::app::service::Service;
use crate::app::service::events::Event;
use crate::app::service::events::Events;
use crate::app::service::events::Happening;
use crate::model::id::CycleId;
use crate::model::shown::shown_json;

/// The header in which a browser says, when it comes back, what it saw last.
const LAST_SEEN: &str = "last-event-id";

/// Further behind, a reader that was up to date is too slow.
const MOST_BEHIND: usize = 64;

/// What the events are asked for.
pub(super) const QUERY: &[Parameter] = &[
    text("job", "only events of this job"),
    id(
        "cycle",
        "only events of this order or cycle, from its beginning on",
    ),
];

/// `GET /api/v1/events`.
pub(super) async fn events(
    _caller: Caller,
    State(service): State<Arc<Service>>,
    place: Place,
    query: Query,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let cycle = query.one("cycle").map(|text| Uuid::parse_str(&text));
    let cycle = cycle
        .transpose()
        .map_err(|cause| Problem::usage("`cycle` is no id", cause.to_string()))?;
    let seen = headers.get(LAST_SEEN).and_then(|seen| seen.to_str().ok());
    let reader = Reader::new(&service, (query.one("job"), cycle.map(CycleId)), seen, place);
    Ok(stream::served(reader.sent()))
}

/// One who looks on.
struct Reader {
    events: Arc<Events>,
    newest: watch::Receiver<u64>,
    stop: CancellationToken,
    job: Option<String>,
    cycle: Option<CycleId>,
    /// The number of the last event that was fetched.
    at: u64,
    /// True once it has been up to date.
    live: bool,
    ready: VecDeque<Sent>,
    over: bool,
    /// Among those who may look on; given back at the end.
    _place: Place,
}

/// An event as it is sent.
#[derive(Serialize)]
struct Shown<'e> {
    cycle: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<serde_json::Value>,
    job: &'e str,
    time: String,
}

impl Reader {
    fn new(
        service: &Service,
        (job, cycle): (Option<String>, Option<CycleId>),
        seen: Option<&str>,
        place: Place,
    ) -> Self {
        let events = Arc::clone(service.events());
        let newest = events.newest();
        let now = *newest.borrow();
        let (at, ready) = match seen.map(|seen| events.place(seen)) {
            Some(Some(at)) => (at.min(now), VecDeque::new()),
            // Of another start of the daemon, or of nothing: what was seen then is not what is now.
            Some(None) => (now, VecDeque::from([reset(&events, now)])),
            None if cycle.is_some() => (0, VecDeque::new()),
            None => (now, VecDeque::new()),
        };
        Self {
            newest,
            stop: service.stop().clone(),
            job,
            cycle,
            at,
            live: false,
            ready,
            over: false,
            events,
            _place: place,
        }
    }

    fn sent(self) -> impl Stream<Item = Result<Sent, Infallible>> {
        futures::stream::unfold(self, |mut reader| async move {
            let event = reader.next().await?;
            Some((Ok(event), reader))
        })
    }

    async fn next(&mut self) -> Option<Sent> {
        loop {
            if let Some(event) = self.ready.pop_front() {
                return Some(event);
            }
            if self.over {
                return None;
            }
            self.fetch();
            if !self.ready.is_empty() {
                continue;
            }
            self.live = true;
            tokio::select! {
                // The ring is never gone before its readers: they hold it.
                _ = self.newest.changed() => {}
                () = self.stop.cancelled() => return None,
            }
        }
    }

    /// Fetches what came since.
    fn fetch(&mut self) {
        let newest = *self.newest.borrow_and_update();
        let news = self.events.after(self.at);
        // The ring forgot what an order's events begin with: what is left is sent, for it ends with the answer.
        let missed = news.missed && (self.live || self.at > 0);
        if missed || (self.live && news.events.len() > MOST_BEHIND) {
            self.ready.push_back(reset(&self.events, newest));
            self.over = true;
            return;
        }
        for event in news.events {
            self.at = event.number;
            if self.wants(&event) {
                self.ready.push_back(shown(&self.events, &event));
            }
        }
    }

    fn wants(&self, event: &Event) -> bool {
        self.job.as_ref().is_none_or(|job| *job == event.job)
            && self.cycle.is_none_or(|cycle| cycle == event.cycle)
    }
}

/// What is shown is to be looked at anew: events between the last one and the next are gone.
fn reset(events: &Events, newest: u64) -> Sent {
    Sent::default().id(events.id(newest)).event("reset").data("{}")
}

fn shown(events: &Events, event: &Event) -> Sent {
    let value = |shown: serde_json::Result<serde_json::Value>| shown.expect("its keys are texts");
    let (name, data) = match &event.what {
        Happening::Accepted(ticket) => ("accepted", Some(value(serde_json::to_value(ticket)))),
        Happening::Started(actor) => ("started", Some(serde_json::Value::from(actor.as_str()))),
        Happening::Phase(phase) => ("phase", Some(serde_json::Value::from(*phase))),
        Happening::Finding(text) => ("finding", Some(serde_json::Value::from(text.as_str()))),
        Happening::Stopping(actor) => ("stopping", Some(serde_json::Value::from(actor.as_str()))),
        Happening::Ended(answer) => (
            "ended",
            answer
                .summary
                .as_ref()
                .map(|summary| value(serde_json::to_value(summary))),
        ),
    };
    let text = serde_json::to_string(&Shown {
        cycle: event.cycle.to_string(),
        data,
        job: &event.job,
        time: event.time.to_string(),
    });
    let text = text.expect("its keys are texts");
    Sent::default()
        .id(events.id(event.number))
        .event(name)
        .data(shown_json(&text))
}
