//! A cycle as every phase of it knows it: the job, what was asked for, the time, the store; and what each of them reports to.

use tracing::warn;

use super::error::CycleError;
use super::job::Extent;
use super::job::Job;
use super::job::Order;
use super::standing::Standing;
use super::summary::Finding;
use super::summary::Summary;
use super::warnings::Warnings;
use super::warnings::nothing_written;
use crate::mapping::Context;
use crate::mapping::TargetPath;
use crate::model::clock::Timestamp;
use crate::model::id::ObjectKind;
use crate::model::id::SourceId;
use crate::ports::StoreError;
use crate::reconcile::drift_policy::DriftPolicy;
use crate::reconcile::explain::omission::Omission;
use crate::snapshot::look::Looking;
use crate::snapshot::record::DirtyCause;
use crate::snapshot::store::Snapshot;

/// Runs a store call on a thread that may block (docs/design/stores.md, rule 3: the API blocks).
pub(super) async fn blocking<T, F>(snapshot: &Snapshot, work: F) -> Result<T, CycleError>
where
    T: Send + 'static,
    F: FnOnce(&Snapshot) -> Result<T, StoreError> + Send + 'static,
{
    if !snapshot.store().blocks() {
        return work(snapshot).map_err(CycleError::Store);
    }
    let snapshot = snapshot.clone();
    match tokio::task::spawn_blocking(move || work(&snapshot)).await {
        Ok(result) => result.map_err(CycleError::Store),
        Err(broken) => Err(CycleError::Broken(broken)),
    }
}

/// A cycle under way, as far as every phase needs it.
pub(super) struct Run<'j> {
    pub(super) job: &'j Job,
    pub(super) order: &'j Order,
    /// When the cycle began.
    pub(super) now: Timestamp,
    /// What mapping expressions draw on beside the object.
    pub(super) context: Context,
    /// True while a person keeps the whole job from writing.
    pub(super) paused: bool,
    /// True in an undo: it plans once, and has no second sweep.
    pub(super) undoes: bool,
    /// True while users are disabled who lost access in the middle of the cycle.
    pub(super) overtaking: bool,
    /// True once it was seen, or could not be, that Azure's own job does not write to the target.
    pub(super) writes_alone: bool,
    pub(super) summary: Summary,
    /// What the cycle warns of.
    pub(super) warnings: Warnings,
    pub(super) left: Left,
    /// How the objects stand.
    pub(super) standing: Standing,
}

/// What a cycle left undone, where the summary has no list of it.
#[derive(Debug, Default)]
pub(super) struct Left {
    /// Objects that somebody should look at.
    pub(super) findings: u64,
    /// Objects whose loss of scope waits for a second cycle.
    pub(super) leaving: u64,
    /// Operations that are not in the saved plan that is carried out.
    pub(super) unplanned: u64,
    /// Operations whose kind is stopped.
    pub(super) by_kind: u64,
}

impl Left {
    /// True where nothing that the source asks for was left.
    pub(super) const fn is_none(&self) -> bool {
        self.findings == 0 && self.unplanned == 0 && self.by_kind == 0
    }
}

impl<'j> Run<'j> {
    /// A cycle that begins now.
    pub(super) fn new(job: &'j Job, order: &'j Order, now: Timestamp) -> Self {
        let mode = if job.enforce { "enforce" } else { "observe" };
        Self {
            job,
            order,
            now,
            context: Context::default().at(now),
            paused: false,
            undoes: false,
            overtaking: false,
            writes_alone: false,
            summary: Summary::new(&job.name, order.id.to_string(), mode, order.extent.kind(), now),
            warnings: Warnings::default(),
            left: Left::default(),
            standing: Standing::default(),
        }
    }

    /// Runs a store call where it may block.
    pub(super) async fn store<T, F>(&self, work: F) -> Result<T, CycleError>
    where
        T: Send + 'static,
        F: FnOnce(&Snapshot) -> Result<T, StoreError> + Send + 'static,
    {
        blocking(&self.job.snapshot, work).await
    }

    /// Runs a store call that keeps what later cycles go by. One that only looks leaves it, and gets nothing.
    pub(super) async fn keep<T, F>(&self, work: F) -> Result<T, CycleError>
    where
        T: Default + Send + 'static,
        F: FnOnce(&Snapshot) -> Result<T, StoreError> + Send + 'static,
    {
        if self.applies() {
            self.store(work).await
        } else {
            Ok(T::default())
        }
    }

    /// Ends the cycle where it was asked to stop.
    pub(super) fn check_stop(&self) -> Result<(), CycleError> {
        if self.order.stop.is_cancelled() {
            Err(CycleError::Stopped)
        } else {
            Ok(())
        }
    }

    /// True when operations are sent rather than only planned.
    pub(super) const fn applies(&self) -> bool {
        self.order.apply && self.job.enforce && !self.paused
    }

    /// Reports that something is left undone, and counts it.
    pub(super) fn omit(&mut self, kind: ObjectKind, object: SourceId, name: &str, omission: &Omission) {
        match omission {
            Omission::Unchanged => self.summary.skipped.unchanged += 1,
            Omission::OutOfScope { .. } => self.summary.skipped.out_of_scope += 1,
            Omission::ScopeLossUnconfirmed { .. } => self.left.leaving += 1,
            Omission::HeldByUndo { count } => self.summary.held += count,
            Omission::DisabledAtSource => self.summary.skipped.disabled_at_source += 1,
            _ => {}
        }
        self.left.findings += u64::from(omission.is_finding());
        if omission.is_finding() {
            let words = (omission.to_string(), omission.hint().into_owned());
            self.summary.fail(object, omission.label(), words.0, words.1);
            if let Some(failure) = self.summary.failed.last_mut() {
                failure.reason = Some(omission.label().to_owned());
            }
            let text = nothing_written(kind, object, omission.label());
            if self.warnings.is_news(&text) {
                warn!(object = %object, kind = kind.word(), finding = omission.label(), "{text}");
            }
        }
        self.order.watcher.omission(kind, object, name, omission);
    }

    /// Reports something that a person should know. `stops`: it keeps something from being done.
    pub(super) fn find(&mut self, finding: Finding, stops: bool) {
        let Finding { code, text, advice } = &finding;
        self.left.findings += u64::from(stops);
        if self.warnings.is_news(text) {
            warn!(finding = code, "{text}; {advice}");
        }
        self.order.watcher.finding(&format!("{text}; {advice}"));
        self.summary.findings.push(finding);
    }

    /// The drift policy of this cycle.
    pub(super) fn drift_policy(&self) -> DriftPolicy {
        match self.order.extent {
            Extent::Drift { heal: true } => DriftPolicy::everything(),
            _ => self.job.policy.drift.clone(),
        }
    }

    /// The paths that a type is looked up by: externalId, then the matching attributes.
    pub(super) fn key_paths(&self, kind: ObjectKind) -> Vec<TargetPath> {
        let external = TargetPath::external_id().clone();
        let matching = self.job.mapping.matching(kind);
        std::iter::once(external)
            .chain(matching.into_iter().map(|row| row.target.clone()))
            .collect()
    }

    /// The target path under which a manager is sent.
    pub(super) fn manager_path(&self) -> Option<String> {
        let row = self.job.mapping.reference_row(ObjectKind::User);
        row.map(|(_, row)| row.target.as_str().to_owned())
    }

    /// The mark of an object of which the target was read to hold something else: one of a cycle that only looks makes no
    /// later cycle do more than it would have done without it.
    pub(super) const fn found_at_target(&self) -> DirtyCause {
        if self.applies() {
            DirtyCause::TARGET
        } else {
            DirtyCause::LOOK
        }
    }

    /// The application beside whose own provisioning job this cycle observes: one of a job that only observes, which is no plan.
    pub(super) const fn observes(&self) -> Option<SourceId> {
        if self.order.apply && !self.job.enforce && !self.undoes {
            self.job.assigning.application
        } else {
            None
        }
    }

    /// A look of this cycle: a plan's counts for nothing.
    pub(super) fn looking(&self, asked: Timestamp) -> Looking {
        Looking {
            now: asked,
            answered: self.job.clock.now(),
            counts: self.order.apply,
            named: false,
            believed: false,
        }
    }
}
