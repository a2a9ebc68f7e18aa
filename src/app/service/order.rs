//! An order: work that somebody asks a job for, followed from its acceptance to its answer.

use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;

use serde::Serialize;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::answer::Answer;
use super::answer::Done;
use super::events::Events;
use super::events::Happening;
use crate::app::plans::Carrying;
use crate::app::plans::Form;
use crate::app::plans::Saved;
use crate::app::preview::Preview;
use crate::engine::job::Extent;
use crate::engine::job::UndoRequest;
use crate::engine::job::Watcher;
use crate::model::clock::Clock;
use crate::model::clock::SystemClock;
use crate::model::id::CycleId;
use crate::model::id::ObjectKind;
use crate::model::id::SourceId;
use crate::reconcile::explain::omission::Omission;
use crate::reconcile::operation::Operation;

/// What is to be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Work {
    /// A cycle.
    Cycle {
        /// What it looks at.
        extent: Extent,
        /// False: it is planned only.
        apply: bool,
        /// `--allow-deletions`.
        allow_deletions: Option<u64>,
        /// `--allow-creations`.
        allow_creations: Option<u64>,
    },
    /// The inverse of a cycle.
    Undo {
        /// Which, and how.
        request: UndoRequest,
        /// False: it is planned only.
        apply: bool,
        /// The forms of the plan, where it is planned only.
        forms: Vec<Form>,
    },
    /// What a cycle would do, kept to be fetched.
    Plan {
        /// The target is read back, and everything is planned.
        full: bool,
        /// The forms of the plan.
        forms: Vec<Form>,
    },
    /// What a cycle would do by other rules, kept to be fetched.
    Preview {
        /// The rules.
        rules: Arc<Preview>,
        /// The target is read back, and everything is planned.
        full: bool,
        /// The forms of the plan.
        forms: Vec<Form>,
        /// Whoever asks saves it, to have it carried out once the rules are in force.
        saves: bool,
    },
    /// What a saved plan has, as far as it is still wanted.
    Saved {
        /// The plan.
        saved: Arc<Saved>,
        /// How it is carried out.
        how: Carrying,
    },
}

/// Which orders go first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Class {
    /// Named users and groups.
    Named,
    /// Releases, heals, undo.
    Decision,
    /// Whole cycles.
    Cycle,
}

impl Work {
    /// The class of it.
    #[must_use]
    pub const fn class(&self) -> Class {
        match self {
            Self::Cycle {
                extent: Extent::Objects { .. } | Extent::Explain,
                ..
            } => Class::Named,
            Self::Cycle {
                extent: Extent::Drift { .. } | Extent::Released,
                ..
            }
            | Self::Undo { .. } => Class::Decision,
            Self::Cycle {
                extent: Extent::Changes | Extent::Full | Extent::All | Extent::Restart,
                ..
            }
            | Self::Plan { .. }
            | Self::Preview { .. }
            | Self::Saved { .. } => Class::Cycle,
        }
    }
}

impl Work {
    /// True for what is carried out, as far as the job's mode lets it; false for what is only planned or shown.
    #[must_use]
    pub const fn is_cycle(&self) -> bool {
        match self {
            Self::Cycle { apply, .. } | Self::Undo { apply, .. } => *apply,
            Self::Saved { .. } => true,
            Self::Plan { .. } | Self::Preview { .. } => false,
        }
    }

    /// True for a cycle that goes on where it was stopped: it may give way to named people in the middle.
    #[must_use]
    pub const fn gives_way(&self) -> bool {
        matches!(
            self,
            Self::Cycle {
                extent: Extent::Changes | Extent::Full | Extent::All | Extent::Restart,
                apply: true,
                ..
            }
        )
    }
}

impl Work {
    /// What a person let through, sent.
    #[must_use]
    pub const fn released() -> Self {
        Self::Cycle {
            extent: Extent::Released,
            apply: true,
            allow_deletions: None,
            allow_creations: None,
        }
    }

    /// These users and groups, looked at.
    #[must_use]
    pub const fn named(users: Vec<String>, groups: Vec<String>, apply: bool) -> Self {
        Self::Cycle {
            extent: Extent::Objects { users, groups },
            apply,
            allow_deletions: None,
            allow_creations: None,
        }
    }

    /// True where a running cycle makes way for it.
    #[must_use]
    pub fn is_urgent(&self) -> bool {
        self.class() < Class::Cycle
    }

    /// This and other work for named people as one; `None` where they are not of one kind, or too many for one.
    fn united(&self, other: &Self) -> Option<Self> {
        let named = |work: &Self| match work {
            Self::Cycle {
                extent: Extent::Objects { users, groups },
                apply,
                ..
            } => Some((users.clone(), groups.clone(), *apply)),
            _ => None,
        };
        let ((mut users, mut groups, apply), (more_users, more_groups, same)) = (named(self)?, named(other)?);
        let few = users.len() <= FEW && more_users.len() <= FEW;
        add(&mut users, more_users);
        add(&mut groups, more_groups);
        // A few people may be disabled although the guard is closed: nobody loses that by being joined.
        let stays_few = !few || users.len() <= FEW;
        let fits = users.len() + groups.len() <= MOST_NAMES && apply == same && stays_few;
        fits.then(|| Self::named(users, groups, apply))
    }
}

fn add(names: &mut Vec<String>, more: Vec<String>) {
    for name in more {
        if !names.contains(&name) {
            names.push(name);
        }
    }
}

/// Work, and who asks for it.
#[derive(Clone)]
pub struct Ask {
    /// The work.
    pub work: Work,
    /// Who asks.
    pub actor: String,
    /// Follows it too, where its result is more than a summary. Such an order is never joined with another.
    pub watcher: Option<Arc<dyn Watcher>>,
}

/// The actor of a cycle that nobody asked for.
const SCHEDULE: &str = "schedule";

impl Ask {
    /// What the schedule asks for.
    pub(super) fn of_schedule(extent: Extent) -> Self {
        Self {
            work: Work::Cycle {
                extent,
                apply: true,
                allow_deletions: None,
                allow_creations: None,
            },
            actor: SCHEDULE.to_owned(),
            watcher: None,
        }
    }
}

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

/// As many names as one order may have.
pub(super) const MOST_NAMES: usize = 1000;

/// As many users, named in one order, may be disabled although the guard is closed.
const FEW: usize = 10;

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
