//! A job with its ports: everything that a cycle needs, built once by whoever starts the program.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::back::WayBack;
use super::summary::Kind;
use super::summary::Summary;
use crate::mapping::Mapping;
use crate::model::clock::Clock;
use crate::model::id::CycleId;
use crate::model::id::ObjectKind;
use crate::model::id::SourceId;
use crate::ports::SourceDirectory;
use crate::ports::TargetDirectory;
use crate::reconcile::explain::omission::Omission;
use crate::reconcile::operation::Operation;
use crate::reconcile::policy::Policy;
use crate::reconcile::saved::SavedPlan;
use crate::reconcile::scope::ScopeRules;
use crate::reconcile::scope::assignment::Nesting;
use crate::snapshot::store::Snapshot;
use crate::telemetry::audit::AuditStream;

/// One job: a source, a target, the snapshot between them, and the rules.
#[derive(Clone)]
pub struct Job {
    /// Its name in the settings.
    pub name: String,
    /// `enforce` writes; `observe` plans and reports.
    pub enforce: bool,
    /// The mapping in force.
    pub mapping: Arc<Mapping>,
    /// The policy in force.
    pub policy: Policy,
    /// Who of those that the source holds is ours.
    pub scope: Arc<ScopeRules>,
    /// Whether users and groups are managed.
    pub managed: BTreeSet<ObjectKind>,
    /// Who is assigned, and what nested groups count for.
    pub assigning: Assigning,
    /// Changes whenever mapping, scope or policy do: then everything is looked at again.
    pub fingerprint: String,
    /// Where truth is read.
    pub source: Arc<dyn SourceDirectory>,
    /// Where it is written.
    pub target: Arc<dyn TargetDirectory>,
    /// What was last written and confirmed.
    pub snapshot: Snapshot,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Requests in flight at the target.
    pub max_concurrency: usize,
    /// How long a request may take: an open create is not judged before.
    pub request_timeout: Duration,
    /// The first gap of an entry in escrow; it doubles up to 24 hours.
    pub escrow_first_retry: Duration,
    /// How long history is kept.
    pub history_retention: Duration,
    /// Objects planned at a time.
    pub batch: usize,
    /// Where each operation is told as it happens, beside the history.
    pub audit: Option<Arc<AuditStream>>,
    /// The other direction, where it is configured.
    pub back: Option<Arc<WayBack>>,
    /// Sixteen random bytes: the salt of a history entry.
    pub entropy: fn() -> [u8; 16],
}

/// What assignments to the enterprise application and nested groups count for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Assigning {
    /// Object id of the application's service principal. Needed where the scope or the mapping asks for assignments.
    pub application: Option<SourceId>,
    /// Only who is assigned is in scope.
    pub scope: bool,
    /// What nested groups count for.
    pub nesting: Nesting,
}

impl Job {
    /// The enrolled group, where one is kept.
    #[must_use]
    pub fn enrolled_group(&self) -> Option<SourceId> {
        let back = self.back.as_ref()?;
        back.enrolled.as_ref().map(|enrolled| enrolled.rules.group)
    }

    /// True where the mapping sends app roles.
    #[must_use]
    pub fn sends_roles(&self) -> bool {
        self.mapping.uses_app_roles(ObjectKind::User)
    }

    /// The application whose assignments are read, where scope or mapping ask for them.
    #[must_use]
    pub fn assignments_of(&self) -> Option<SourceId> {
        let asked = self.assigning.scope || self.sends_roles();
        self.assigning.application.filter(|_| asked)
    }

    /// The streams to read: those of what is managed, and the groups where a filter or an assignment asks who is in them.
    #[must_use]
    pub fn streams(&self) -> BTreeSet<ObjectKind> {
        let mut streams = self.managed.clone();
        if streams.contains(&ObjectKind::User)
            && (!self.scope.member_of().is_empty() || self.assignments_of().is_some())
        {
            streams.insert(ObjectKind::Group);
        }
        streams
    }

    /// The Graph properties to read: those of the mapping and of the scope, and for a group with members its visibility, without
    /// which members that the app may not see would look like members that left.
    #[must_use]
    pub fn select(&self, kind: ObjectKind) -> Vec<String> {
        let mut select = self.mapping.graph_properties(kind);
        select.extend(self.scope.graph_properties(kind));
        if kind == ObjectKind::User {
            select.extend(self.policy.rehire_by.clone());
        }
        if kind == ObjectKind::Group && self.assignments_of().is_some() {
            select.insert("members".to_owned());
        }
        if select.contains("members") {
            select.insert(VISIBILITY.to_owned());
        }
        select.into_iter().collect()
    }
}

/// A group's Graph property that says whether its members may be seen.
const VISIBILITY: &str = "visibility";

/// What a cycle is to look at, beyond what changed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Extent {
    /// What changed at the source.
    #[default]
    Changes,
    /// Everything, with a listing of the target.
    Full,
    /// Everything, as it is in the snapshot (`resync --all`).
    All,
    /// The source is read from the beginning (`resync --restart`).
    Restart,
    /// These objects, read afresh on both sides (`resync --user`, `--group`): ids or names.
    Objects {
        /// Users: object id, UPN or mail.
        users: Vec<String>,
        /// Groups: object id or display name.
        groups: Vec<String>,
    },
    /// The objects of which a person let withheld operations through.
    Released,
    /// What drifted at the target, which is listed; nothing else is planned.
    Drift {
        /// True: it is put right, whatever the drift policy says. False: it is only found.
        heal: bool,
    },
    /// The way back alone: what goes from the target to the source.
    Back,
    /// One object, over a snapshot that forgets what is written to it: to be explained ([`super::explain`]).
    Explain,
}

/// One cycle that is to be run.
#[derive(Clone)]
pub struct Order {
    /// Its id.
    pub id: CycleId,
    /// What to look at.
    pub extent: Extent,
    /// True for `sync`, in a job that enforces: operations are carried out. Otherwise they are only planned.
    pub apply: bool,
    /// Only operations that are in this saved plan are carried out.
    pub only: Option<Arc<SavedPlan>>,
    /// `--allow-deletions`.
    pub allow_deletions: Option<u64>,
    /// `--allow-creations`.
    pub allow_creations: Option<u64>,
    /// Who asked: `schedule`, or the local user.
    pub actor: String,
    /// Ends the cycle between two requests: what is in flight is finished and recorded.
    pub stop: CancellationToken,
    /// Gets every operation and omission as it is planned, and the phases.
    pub watcher: Arc<dyn Watcher>,
}

/// Somebody who was named, as the source has them now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamedOne {
    /// The name that led there.
    pub asked: String,
    /// User or group.
    pub kind: ObjectKind,
    /// The object.
    pub id: SourceId,
    /// What people know it by.
    pub name: String,
    /// True where the source answered what was known before, and nothing else was to be done either.
    pub unchanged: bool,
}

/// Follows a cycle.
pub trait Watcher: Send + Sync {
    /// An operation is in the plan (and, in a `sync`, was carried out).
    fn operation(&self, _operation: &Operation) {}
    /// Something is left undone. `name` is for showing.
    fn omission(&self, _kind: ObjectKind, _object: SourceId, _name: &str, _omission: &Omission) {}
    /// Something about the target or the mapping that concerns every object.
    fn finding(&self, _text: &str) {}
    /// Somebody who was named was found, and asked for at the source.
    fn named(&self, _named: &NamedOne) {}
    /// A phase began, or went on: its name, how many are done, of how many where known.
    fn progress(&self, _phase: &'static str, _done: u64, _of: Option<u64>) {}
}

/// Follows nothing.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoWatcher;
impl Watcher for NoWatcher {}

impl Extent {
    /// True where the target is listed, and compared with what was left there.
    #[must_use]
    pub const fn lists_target(&self) -> bool {
        matches!(self, Self::Full | Self::Drift { .. })
    }

    /// True where only some objects are looked at.
    #[must_use]
    pub const fn is_partial(&self) -> bool {
        matches!(
            self,
            Self::Objects { .. } | Self::Released | Self::Drift { .. } | Self::Back
        )
    }

    /// The kind of cycle that this makes, unless it is the first one.
    #[must_use]
    pub const fn kind(&self) -> Kind {
        match self {
            Self::Changes => Kind::Incremental,
            Self::Full => Kind::Full,
            Self::All
            | Self::Restart
            | Self::Objects { .. }
            | Self::Released
            | Self::Drift { .. }
            | Self::Back
            | Self::Explain => Kind::OnDemand,
        }
    }
}

/// How a cycle ended, with its error where it could not be carried out to its end.
#[derive(Debug)]
pub struct Report {
    /// What was done.
    pub summary: Summary,
    /// Why it ended early.
    pub error: Option<super::error::CycleError>,
}

/// What is to be undone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UndoRequest {
    /// The cycle.
    pub cycle: CycleId,
    /// Whether what it deleted is made anew.
    pub recreate: bool,
    /// Why, for the history.
    pub comment: Option<String>,
}
