//! What a cycle did, as `-o json` writes it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::model::clock::Timestamp;
use crate::model::id::ObjectKind;
use crate::model::id::SourceId;
use crate::model::verb::Act;
use crate::reconcile::forward::plan::Awaited;
use crate::reconcile::operation::Operation;
use crate::reconcile::operation::Verb;

/// Why a cycle ran.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
#[schema(as = CycleKind)]
pub enum Kind {
    /// The first one: everything was read.
    Initial,
    /// What changed since the last one.
    Incremental,
    /// The target was listed and everything was looked at again.
    Full,
    /// Somebody asked for certain objects, or for all.
    OnDemand,
}

/// How a cycle ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
#[schema(as = CycleOutcome)]
pub enum Outcome {
    /// Every object in scope is at the target as it should be.
    Converged,
    /// Planned only: nothing was written.
    Planned,
    /// Some entries failed or wait; they stay dirty and are tried again.
    Partial,
    /// It ended between two requests because it was told to; what is left is the next cycle's.
    Stopped,
    /// The guard held operations back; the rest was applied.
    Withheld,
    /// Bad credentials or the endpoint gone: nothing goes on until somebody acts.
    Quarantined,
    /// The cycle could not be carried out to its end.
    Failed,
}

impl Kind {
    /// The word for it, as documents have it too.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Initial => "initial",
            Self::Incremental => "incremental",
            Self::Full => "full",
            Self::OnDemand => "on-demand",
        }
    }
}

impl Outcome {
    /// The word for it, as documents have it too.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Converged => "converged",
            Self::Planned => "planned",
            Self::Partial => "partial",
            Self::Stopped => "stopped",
            Self::Withheld => "withheld",
            Self::Quarantined => "quarantined",
            Self::Failed => "failed",
        }
    }
}

/// One entry that failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = FailedObject)]
pub struct Failure {
    /// The object's id.
    pub object: String,
    /// What was tried.
    pub operation: String,
    /// What happened.
    pub error: String,
    /// What to do.
    pub hint: String,
    /// `user` or `group`, where the object is known.
    #[serde(default)]
    pub kind: Option<String>,
    /// Its name, as people know it; empty in what is kept.
    #[serde(default)]
    pub name: String,
    /// The code of the finding; none where a request failed.
    #[serde(default)]
    pub reason: Option<String>,
}

/// One entry in escrow.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct InEscrow {
    /// The object's id.
    pub object: String,
    /// `user` or `group`.
    pub kind: String,
    /// Its name, as people know it.
    pub name: String,
    /// What failed.
    pub operation: String,
    /// The code of the reason: `in_escrow`.
    pub reason: String,
    /// What the target said.
    pub error: String,
    /// What to do.
    pub hint: String,
    /// How often it failed in a row.
    pub failures: u32,
    /// When it failed first.
    pub since: String,
    /// When it is tried again; none: when it changes.
    pub next_try: Option<String>,
}

/// The source's part.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SourceCounts {
    /// User entries on delta pages.
    pub users_read: u64,
    /// Group entries on delta pages.
    pub groups_read: u64,
    /// Requests, token requests and retries included.
    pub requests: u64,
    /// Of them answered 429, or 503 with Retry-After.
    pub throttled: u64,
}

/// The target's part.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TargetCounts {
    /// Requests, retries included.
    pub requests: u64,
    /// Of them answered 429, or 503 with Retry-After.
    pub throttled: u64,
    /// Of them sent again.
    pub retries: u64,
}

/// Objects for which nothing was done, by cause.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Skipped {
    /// Not in scope.
    pub out_of_scope: u64,
    /// As they should be.
    pub unchanged: u64,
    /// Disabled at the source and not at the target.
    pub disabled_at_source: u64,
    /// References to what is not at the target.
    pub reference_out_of_scope: u64,
}

/// Operations held back by the guard.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = WithheldCounts)]
pub struct Withheld {
    /// How many.
    pub count: u64,
    /// How many, by the reason that asks for them.
    pub by_reason: BTreeMap<String, u64>,
}

/// What the next cycle does if nothing changes until then.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = PendingOperation)]
pub struct Pending {
    /// The object's id.
    pub object: String,
    /// Its name, as people know it.
    pub name: String,
    /// The operation.
    pub operation: String,
    /// Why.
    pub because: String,
    /// The code of the reason.
    #[serde(default)]
    pub reason: String,
}

/// A value that was sent, answered well, and is not what the target holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = NotKeptValue)]
pub struct NotKept {
    /// The object's id.
    pub object: String,
    /// Its name, as people know it.
    pub name: String,
    /// Target path; of a member, the path that picks it.
    pub attribute: String,
    /// What was sent.
    pub sent: serde_json::Value,
    /// What the target holds.
    pub holds: serde_json::Value,
}

/// Something that a person should know. It names objects by their ids alone.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
pub struct Finding {
    /// Its code, for programs.
    pub code: String,
    /// What was found.
    pub text: String,
    /// What to do.
    #[serde(rename = "do")]
    pub advice: String,
}

/// Differences found at the target.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = DriftFound)]
pub struct Drift {
    /// Linked, gone at the target.
    pub missing: u64,
    /// Linked, source object gone.
    pub orphaned: u64,
    /// Values differ.
    pub modified: u64,
    /// Members differ.
    pub membership: u64,
    /// Resources that no source object is linked to.
    pub unmanaged: u64,
}

/// The summary of one cycle.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Summary {
    /// The job's name.
    pub job: String,
    /// The cycle's id.
    pub cycle: String,
    /// `observe` or `enforce`.
    pub mode: String,
    /// Why it ran.
    pub kind: Kind,
    /// How it ended.
    pub outcome: Outcome,
    /// When it began, RFC 3339.
    pub started: String,
    /// How long it took, in milliseconds.
    pub duration_ms: u64,
    /// The source's part.
    pub source: SourceCounts,
    /// Operations carried out (`sync`) or planned (`plan`), by name.
    pub operations: BTreeMap<String, u64>,
    /// The target's part.
    pub target: TargetCounts,
    /// What was left alone.
    pub skipped: Skipped,
    /// Entries that failed, at most [`FAILURES_SHOWN`].
    pub failed: Vec<Failure>,
    /// Operations held back.
    pub withheld: Withheld,
    /// What the next cycle does if nothing changes, at most [`FAILURES_SHOWN`]: losses of scope that were seen once, and people whose
    /// absence waits for a second look.
    #[serde(default)]
    pub pending: Vec<Pending>,
    /// What the target did not keep and has not yet, at most [`FAILURES_SHOWN`].
    #[serde(default)]
    pub not_kept: Vec<NotKept>,
    /// What a person should know, and no operation tells.
    #[serde(default)]
    pub findings: Vec<Finding>,
    /// Operations on objects on hold.
    pub held: u64,
    /// Entries in escrow.
    pub escrow: u64,
    /// Who they are, at most [`FAILURES_SHOWN`].
    #[serde(default)]
    pub escrowed: Vec<InEscrow>,
    /// Drift found.
    pub drift: Drift,
}

/// As many failures as a summary lists; all of them are in the log.
pub const FAILURES_SHOWN: usize = 1000;

/// The verbs that each summary names. The end of an adopted group's link is rare, and named where it happens.
fn named() -> impl Iterator<Item = Verb> {
    Verb::ALL.into_iter().filter(|verb| verb.act() != Act::Unlink)
}

impl Summary {
    /// A summary in which nothing has happened yet; every operation is named with its zero.
    #[must_use]
    pub fn new(job: &str, cycle: String, mode: &str, kind: Kind, started: Timestamp) -> Self {
        Self {
            job: job.to_owned(),
            cycle,
            mode: mode.to_owned(),
            kind,
            outcome: Outcome::Failed,
            started: started.to_string(),
            duration_ms: 0,
            source: SourceCounts::default(),
            operations: named().map(|verb| (verb.name().to_owned(), 0)).collect(),
            target: TargetCounts::default(),
            skipped: Skipped::default(),
            failed: Vec::new(),
            withheld: Withheld::default(),
            pending: Vec::new(),
            not_kept: Vec::new(),
            findings: Vec::new(),
            held: 0,
            escrow: 0,
            escrowed: Vec::new(),
            drift: Drift::default(),
        }
    }

    /// The whole of a cycle that gave way and went on: this is its end, and `begun` what was done before.
    #[must_use]
    pub fn after(mut self, begun: &Self) -> Self {
        self.kind = begun.kind;
        self.started.clone_from(&begun.started);
        self.duration_ms += begun.duration_ms;
        for (verb, count) in &begun.operations {
            *self.operations.entry(verb.clone()).or_default() += count;
        }
        self.source.users_read += begun.source.users_read;
        self.source.groups_read += begun.source.groups_read;
        self.source.requests += begun.source.requests;
        self.source.throttled += begun.source.throttled;
        self.target.requests += begun.target.requests;
        self.target.throttled += begun.target.throttled;
        self.target.retries += begun.target.retries;
        let left = FAILURES_SHOWN.saturating_sub(self.failed.len());
        let again: Vec<&str> = self
            .failed
            .iter()
            .map(|failure| failure.object.as_str())
            .collect();
        let before = begun
            .failed
            .iter()
            .filter(|failure| !again.contains(&failure.object.as_str()));
        let mut all: Vec<Failure> = before.take(left).cloned().collect();
        all.append(&mut self.failed);
        self.failed = all;
        self
    }

    /// Counts an operation as carried out or planned.
    pub fn count(&mut self, operation: &Operation) {
        *self
            .operations
            .entry(operation.verb.name().to_owned())
            .or_default() += operation.count();
    }

    /// Takes one back that was counted and turned out to have failed.
    pub fn take_back(&mut self, operation: &Operation) {
        if let Some(count) = self.operations.get_mut(operation.verb.name()) {
            *count = count.saturating_sub(operation.count());
        }
    }

    /// Counts an operation that the guard holds back.
    pub fn withhold(&mut self, operation: &Operation, count: u64) {
        self.withheld.count += count;
        *self
            .withheld
            .by_reason
            .entry(operation.because.label().to_owned())
            .or_default() += count;
    }

    /// Notes what the next cycle does.
    pub fn await_next(&mut self, awaited: &Awaited) {
        let operation = &awaited.operation;
        if self.pending.len() < FAILURES_SHOWN {
            self.pending.push(Pending {
                object: operation.source.to_string(),
                name: operation.name.clone(),
                operation: operation.verb.name().to_owned(),
                because: awaited.because.clone(),
                reason: operation.because.label().to_owned(),
            });
        }
    }

    /// Notes an entry that failed.
    pub fn fail(&mut self, object: SourceId, operation: &str, error: String, hint: String) {
        if self.failed.len() < FAILURES_SHOWN {
            self.failed.push(Failure {
                object: object.to_string(),
                operation: operation.to_owned(),
                error,
                hint,
                kind: None,
                name: String::new(),
                reason: None,
            });
        }
    }

    /// Puts other advice in the place of what was noted with a failure.
    pub fn advise(&mut self, object: SourceId, operation: &str, hint: &str) {
        let id = object.to_string();
        let of = |failure: &&mut Failure| failure.object == id && failure.operation == operation;
        if let Some(failure) = self.failed.iter_mut().find(of) {
            hint.clone_into(&mut failure.hint);
        }
    }

    /// How many operations of a kind there are, by name.
    #[must_use]
    pub fn operation(&self, verb: Verb) -> u64 {
        self.operations.get(verb.name()).copied().unwrap_or(0)
    }

    /// True when something was, or would be, changed; a link alone is a change.
    #[must_use]
    pub fn has_changes(&self) -> bool {
        self.operations.values().any(|count| *count > 0) || self.withheld.count > 0
    }

    /// Counts the entries of a page.
    pub const fn read(&mut self, kind: ObjectKind, entries: u64) {
        match kind {
            ObjectKind::User => self.source.users_read += entries,
            ObjectKind::Group => self.source.groups_read += entries,
        }
    }
}
