//! The events of an order, read from the stream as it comes.

use reqwest::Response;
use serde::Deserialize;

use super::Problem;
use super::not_understood;
use super::unanswered;
use crate::app::error::AppError;
use crate::app::people::PersonReport;
use crate::app::plans::Compared;
use crate::app::service::answer::Ticket;
use crate::engine::summary::Summary;

/// One event of an order.
pub(super) enum Event {
    /// It was taken.
    Accepted(Ticket),
    /// It is so far.
    Phase(Phase),
    /// Something concerns every object.
    Finding(String),
    /// This became of somebody who was named.
    Person(Box<PersonReport>),
    /// It compares so with a saved plan.
    Compared(Box<Compared>),
    /// It ended so.
    Summary(Box<Summary>),
    /// It ended by this.
    Problem(AppError),
    /// Something that needs no attention here.
    Other,
}

/// How far a phase is.
#[derive(Deserialize)]
pub(super) struct Phase {
    pub(super) phase: String,
    pub(super) done: u64,
    pub(super) of: Option<u64>,
}

#[derive(Deserialize)]
struct Finding {
    text: String,
}

/// A stream of events.
pub(super) struct Events {
    answer: Response,
    /// What came and is not a whole event yet.
    text: Vec<u8>,
}

impl Events {
    pub(super) const fn of(answer: Response) -> Self {
        Self {
            answer,
            text: Vec::new(),
        }
    }

    /// The next event; `None` where the stream ended. May be dropped while it waits.
    pub(super) async fn next(&mut self) -> Result<Option<Event>, AppError> {
        loop {
            if let Some(end) = self.text.windows(2).position(|pair| pair == b"\n\n") {
                let block: Vec<u8> = self.text.drain(..end + 2).collect();
                return event(&String::from_utf8_lossy(&block)).map(Some);
            }
            match self.answer.chunk().await.map_err(|cause| unanswered(&cause))? {
                Some(chunk) => self.text.extend_from_slice(&chunk),
                None => return Ok(None),
            }
        }
    }
}

fn event(block: &str) -> Result<Event, AppError> {
    let field = |name: &str| block.lines().find_map(|line| line.strip_prefix(name));
    let data = field("data: ").unwrap_or_default();
    let read = match field("event: ") {
        Some("accepted") => serde_json::from_str(data).map(Event::Accepted),
        Some("phase") => serde_json::from_str(data).map(Event::Phase),
        Some("finding") => serde_json::from_str(data).map(|Finding { text }| Event::Finding(text)),
        Some("person") => serde_json::from_str(data).map(Event::Person),
        Some("compared") => serde_json::from_str(data).map(Event::Compared),
        Some("summary") => serde_json::from_str(data).map(Event::Summary),
        Some("problem") => serde_json::from_str(data).map(|problem: Problem| {
            Event::Problem(AppError {
                kind: problem.kind,
                errors: problem.errors,
            })
        }),
        _ => Ok(Event::Other),
    };
    read.map_err(|cause| not_understood(&cause))
}
