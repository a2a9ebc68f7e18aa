//! An order: work that somebody asks a job for.

use crate::app::actor::Actor;
use crate::app::error::AppError;
use crate::app::plans::Carrying;
use crate::app::plans::Form;
use crate::app::plans::Saved;
use crate::app::plans::Seen;
use crate::app::preview::Preview;
use crate::app::rules::Rules;
use crate::engine::job::Extent;
use crate::engine::job::UndoRequest;
use crate::engine::job::Watcher;
use crate::reconcile::guard::named::MOST_NAMED_USERS;
use crate::snapshot::store::Snapshot;
use std::sync::Arc;

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
        /// What was looked at before.
        seen: Seen,
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
        /// It is compared with the plan by the rules in force, which is made beside it.
        contrasts: bool,
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
                extent: Extent::Changes | Extent::Full | Extent::All | Extent::Restart | Extent::Back,
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

    /// True for a cycle over everything, the target included.
    #[must_use]
    pub const fn is_full(&self) -> bool {
        matches!(
            self,
            Self::Cycle {
                extent: Extent::Full,
                ..
            }
        )
    }

    /// True for the way back alone.
    #[must_use]
    pub const fn is_back(&self) -> bool {
        matches!(
            self,
            Self::Cycle {
                extent: Extent::Back,
                ..
            }
        )
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
    pub(super) fn united(&self, other: &Self) -> Option<Self> {
        let named = |work: &Self| match work {
            Self::Cycle {
                extent: Extent::Objects { users, groups },
                apply,
                ..
            } => Some((users.clone(), groups.clone(), *apply)),
            Self::Cycle { .. }
            | Self::Undo { .. }
            | Self::Plan { .. }
            | Self::Preview { .. }
            | Self::Saved { .. } => None,
        };
        let ((mut users, mut groups, apply), (more_users, more_groups, same)) = (named(self)?, named(other)?);
        let few = users.len() <= MOST_NAMED_USERS && more_users.len() <= MOST_NAMED_USERS;
        add(&mut users, more_users);
        add(&mut groups, more_groups);
        // A few people may be disabled although the guard is closed: nobody loses that by being joined.
        let stays_few = !few || users.len() <= MOST_NAMED_USERS;
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

/// Refuses what the settings do not let this person order so: an undo without a comment, or more than the guard allows after
/// their own change of the config.
pub(super) fn admit(ask: &Ask, rules: Rules, snapshot: &Snapshot) -> Result<(), AppError> {
    match &ask.work {
        Work::Undo {
            request, apply: true, ..
        } => rules.commented("undo", request.comment.as_deref()),
        Work::Cycle {
            allow_deletions,
            allow_creations,
            ..
        } => rules.allowing(snapshot, &ask.actor, [*allow_deletions, *allow_creations]),
        Work::Saved { how, .. } => rules.allowing(snapshot, &ask.actor, [how.deletions, None]),
        Work::Undo { apply: false, .. } | Work::Plan { .. } | Work::Preview { .. } => Ok(()),
    }
}

/// The actor of a cycle that nobody asked for.
const SCHEDULE: &str = "schedule";

impl Ask {
    /// What somebody orders, and watches by its ticket.
    #[must_use]
    pub fn by(work: Work, actor: &Actor) -> Self {
        Self {
            work,
            actor: actor.to_string(),
            watcher: None,
        }
    }

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

/// As many names as one order may have.
pub(super) const MOST_NAMES: usize = 1000;
