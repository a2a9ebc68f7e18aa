//! An order on its way, followed from its acceptance to its answer.

use super::answer::Answer;
use super::answer::Done;
use super::events::Events;
use super::events::Happening;
use super::order::Ask;
use super::order::Work;
use crate::engine::job::Watcher;
use crate::model::clock::Clock;
use crate::model::clock::SystemClock;
use crate::model::id::CycleId;
use crate::model::id::ObjectKind;
use crate::model::id::SourceId;
use crate::reconcile::explain::omission::Omission;
use crate::reconcile::operation::Operation;
use serde::Serialize;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

/// How far a phase is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Progress {
    /// The phase; empty before the first.
    pub phase: &'static str,
    /// How many are done.
    pub done: u64,
    /// Of how many, where that is known.
    pub of: Option<u64>,
}

/// Where an order stands.
#[derive(Debug, Clone)]
pub enum Standing {
    /// It waits for its turn.
    Waiting,
    /// It is carried out.
    Running,
    /// It was told to stop, and finishes the requests in flight.
    Stopping,
    /// It ended.
    Ended(Arc<Answer>),
}

/// An order on its way. Follows its own cycle.
pub struct Track {
    /// Its id.
    pub cycle: CycleId,
    /// Its job.
    pub job: String,
    /// What was asked, and by whom first.
    pub ask: Ask,
    /// Ends it between two requests.
    pub(super) stop: CancellationToken,
    /// How many asked for it and still want it.
    askers: Mutex<u32>,
    /// What all of them asked for, where that is more than the first did.
    united: Mutex<Option<Work>>,
    findings: Mutex<Vec<String>>,
    standing: watch::Sender<Standing>,
    progress: watch::Sender<Progress>,
    events: Arc<Events>,
}

impl Track {
    pub(super) fn new(
        cycle: CycleId,
        job: &str,
        ask: Ask,
        stop: CancellationToken,
        events: Arc<Events>,
    ) -> Self {
        Self {
            cycle,
            job: job.to_owned(),
            ask,
            stop,
            askers: Mutex::new(1),
            united: Mutex::default(),
            findings: Mutex::default(),
            standing: watch::Sender::new(Standing::Waiting),
            progress: watch::Sender::default(),
            events,
        }
    }

    /// Where it stands, and each change of that.
    #[must_use]
    pub fn standing(&self) -> watch::Receiver<Standing> {
        self.standing.subscribe()
    }

    /// How far it is, and each step of that.
    #[must_use]
    pub fn progress(&self) -> watch::Receiver<Progress> {
        self.progress.subscribe()
    }

    /// What concerns every object, as far as it was found.
    #[must_use]
    pub fn findings(&self) -> Vec<String> {
        self.findings
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Waits for its end.
    pub async fn ended(&self) -> Arc<Answer> {
        let mut standing = self.standing();
        loop {
            if let Standing::Ended(answer) = &*standing.borrow_and_update() {
                return Arc::clone(answer);
            }
            // The sender is in `self`: it outlives this wait.
            let _ = standing.changed().await;
        }
    }

    /// What is to be done, for all who asked.
    pub(super) fn work(&self) -> Work {
        let united = self.united.lock().unwrap_or_else(PoisonError::into_inner);
        united.clone().unwrap_or_else(|| self.ask.work.clone())
    }

    /// What it would be with another's order joined; `None` where that stays one of its own. People named by one person are one
    /// order: in the history each has the name of who asked.
    pub(super) fn with(&self, ask: &Ask) -> Option<Work> {
        if self.ask.watcher.is_some() || ask.watcher.is_some() {
            return None;
        }
        let work = self.work();
        if work == ask.work {
            return Some(work);
        }
        let one = self.ask.actor == ask.actor;
        one.then(|| work.united(&ask.work)).flatten()
    }

    pub(super) fn join(&self, all: Work) {
        *self.united.lock().unwrap_or_else(PoisonError::into_inner) = Some(all);
        *self.askers.lock().unwrap_or_else(PoisonError::into_inner) += 1;
    }

    /// How many asked for it, and want it still.
    #[must_use]
    pub fn askers(&self) -> u32 {
        *self.askers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// One of those who asked does not want it any more; true where nobody is left.
    pub(super) fn leave(&self) -> bool {
        let mut askers = self.askers.lock().unwrap_or_else(PoisonError::into_inner);
        *askers = askers.saturating_sub(1);
        *askers == 0
    }

    pub(super) fn begin(&self) {
        self.standing.send_replace(Standing::Running);
        self.happened(Happening::Started(self.ask.actor.clone()));
    }

    pub(super) fn stopping(&self, actor: &str) {
        let went_on = self.standing.send_if_modified(|standing| {
            let running = matches!(standing, Standing::Running);
            if running {
                *standing = Standing::Stopping;
            }
            running
        });
        if went_on {
            self.happened(Happening::Stopping(actor.to_owned()));
        }
        self.stop.cancel();
    }

    pub(super) fn end(&self, done: Done) {
        let answer = Arc::new(Answer {
            summary: done.summary,
            findings: self.findings(),
            error: done.error,
            made: done.made.map(Arc::new),
            compared: done.compared,
            people: done.people,
        });
        self.happened(Happening::Ended(Arc::clone(&answer)));
        self.standing.send_replace(Standing::Ended(answer));
    }

    pub(super) fn happened(&self, what: Happening) {
        self.events.push(SystemClock.now(), &self.job, self.cycle, what);
    }
}

impl Watcher for Track {
    fn operation(&self, operation: &Operation) {
        if let Some(watcher) = &self.ask.watcher {
            watcher.operation(operation);
        }
    }

    fn omission(&self, kind: ObjectKind, object: SourceId, name: &str, omission: &Omission) {
        if let Some(watcher) = &self.ask.watcher {
            watcher.omission(kind, object, name, omission);
        }
    }

    fn finding(&self, text: &str) {
        self.findings
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(text.to_owned());
        self.happened(Happening::Finding(text.to_owned()));
        if let Some(watcher) = &self.ask.watcher {
            watcher.finding(text);
        }
    }

    fn progress(&self, phase: &'static str, done: u64, of: Option<u64>) {
        let before = self.progress.send_replace(Progress { phase, done, of });
        if before.phase != phase {
            self.happened(Happening::Phase(phase));
        }
        if let Some(watcher) = &self.ask.watcher {
            watcher.progress(phase, done, of);
        }
    }
}
