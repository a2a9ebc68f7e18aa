//! What happens in the daemon, for those who follow it: a ring of the last events, numbered. A reader keeps its place and
//! fetches; a slow one finds that its place is gone, and no cycle ever waits for one.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;

use tokio::sync::watch;
use uuid::Uuid;

use super::answer::Answer;
use super::answer::Ticket;
use crate::model::clock::Timestamp;
use crate::model::id::CycleId;

/// As many events as are kept: a reader that comes back after some seconds misses none.
const EVENTS_KEPT: usize = 1000;

/// One thing that happened.
#[derive(Debug, Clone)]
pub struct Event {
    /// Its number since the daemon began, from 1.
    pub number: u64,
    /// When.
    pub time: Timestamp,
    /// The job.
    pub job: String,
    /// The cycle or order.
    pub cycle: CycleId,
    /// What.
    pub what: Happening,
}

/// What happened to an order or a cycle.
#[derive(Debug, Clone)]
pub enum Happening {
    /// An order was taken.
    Accepted(Ticket),
    /// It began, in the name of this actor.
    Started(String),
    /// A phase of it began.
    Phase(&'static str),
    /// Something about the target or the mapping that concerns every object.
    Finding(String),
    /// It was told to stop, by this actor.
    Stopping(String),
    /// It ended.
    Ended(Arc<Answer>),
}

/// The ring.
#[derive(Debug)]
pub struct Events {
    ring: Mutex<VecDeque<Event>>,
    /// The number of the newest event; 0 before the first.
    newest: watch::Sender<u64>,
    /// Of this start of the daemon: numbers of another one mean nothing here.
    boot: Uuid,
}

impl Default for Events {
    fn default() -> Self {
        Self {
            ring: Mutex::default(),
            newest: watch::Sender::new(0),
            boot: Uuid::now_v7(),
        }
    }
}

/// What a reader finds after its place.
#[derive(Debug)]
pub struct News {
    /// The events after it, oldest first.
    pub events: Vec<Event>,
    /// True where events between its place and the first of these are gone.
    pub missed: bool,
}

impl Events {
    /// Adds an event.
    pub(super) fn push(&self, time: Timestamp, job: &str, cycle: CycleId, what: Happening) {
        let mut ring = self.ring.lock().unwrap_or_else(PoisonError::into_inner);
        let number = *self.newest.borrow() + 1;
        if ring.len() == EVENTS_KEPT {
            ring.pop_front();
        }
        let job = job.to_owned();
        ring.push_back(Event {
            number,
            time,
            job,
            cycle,
            what,
        });
        // Under the ring's lock: who is woken finds the event.
        self.newest.send_replace(number);
    }

    /// The events after this number.
    #[must_use]
    pub fn after(&self, number: u64) -> News {
        let ring = self.ring.lock().unwrap_or_else(PoisonError::into_inner);
        let first = ring.front().map_or(1, |event| event.number);
        News {
            events: ring
                .iter()
                .filter(|event| event.number > number)
                .cloned()
                .collect(),
            missed: first > number + 1,
        }
    }

    /// The name of a reader's place: after the event of this number.
    #[must_use]
    pub fn id(&self, number: u64) -> String {
        format!("{}-{number}", self.boot.simple())
    }

    /// The number of such a name; `None` for one of another start of the daemon, or of nothing.
    #[must_use]
    pub fn place(&self, id: &str) -> Option<u64> {
        let (boot, number) = id.split_once('-')?;
        (boot == self.boot.simple().to_string()).then(|| number.parse().ok())?
    }

    /// Changes with each event; holds the number of the newest.
    #[must_use]
    pub fn newest(&self) -> watch::Receiver<u64> {
        self.newest.subscribe()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reader_that_is_too_slow_is_told_so() {
        let events = Events::default();
        let push = |count| {
            for _ in 0..count {
                events.push(
                    Timestamp(0),
                    "acme",
                    CycleId(Uuid::nil()),
                    Happening::Phase("apply"),
                );
            }
        };
        assert!(!events.after(0).missed && events.after(0).events.is_empty());
        push(EVENTS_KEPT);
        let news = events.after(0);
        assert_eq!((news.missed, news.events.len()), (false, EVENTS_KEPT));
        push(3);
        let news = events.after(0);
        assert_eq!((news.missed, news.events[0].number), (true, 4));
        assert!(!events.after(3).missed);
        assert_eq!(*events.newest().borrow(), 1003);
        assert_eq!(events.place(&events.id(7)), Some(7));
        for other in [
            Events::default().id(7),
            "7".to_owned(),
            "-7".to_owned(),
            events.id(7).replace('7', "x"),
        ] {
            assert_eq!(events.place(&other), None, "{other}");
        }
    }
}
