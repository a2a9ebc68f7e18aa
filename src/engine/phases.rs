//! The phases of a cycle, each with its own state, and what each is given of the others.
//!
//! A story (`forward.rs`, `undo.rs`, `explain.rs`) owns them beside its run. No phase knows this file: one that needs what another
//! found gets it as a value.

use std::collections::HashSet;

use super::context::Context;
use super::error::CycleError;
use super::failures::Failures;
use super::intake::Intake;
use super::job::Extent;
use super::judge::Judge;
use super::leaving::Leaving;
use super::notes::Overtaking;
use super::plan::unique_names::UniqueNames;
use super::readings::Given;
use super::readings::Readings;
use super::record::Recorder;
use super::run::Run;
use super::standing::Fact;
use crate::model::clock::Timestamp;
use crate::model::id::ObjectKind;
use crate::model::id::SourceId;
use crate::reconcile::policy::Policy;

/// What each phase holds while a cycle is under way.
pub(super) struct Phases {
    pub(super) intake: Intake,
    pub(super) readings: Readings,
    /// What is sent and what is kept back.
    pub(super) judge: Judge,
    /// Whose turn it is to have a name.
    pub(super) names: UniqueNames,
    pub(super) failures: Failures,
    pub(super) overtaking: Overtaking,
}

impl Phases {
    /// Those of a cycle that begins now.
    pub(super) fn new(now: Timestamp) -> Self {
        Self {
            intake: Intake::default(),
            readings: Readings::default(),
            judge: Judge::default(),
            names: UniqueNames::default(),
            failures: Failures::default(),
            overtaking: Overtaking::new(now),
        }
    }

    /// What recording adds to.
    pub(super) const fn recorder<'c, 'j>(&'c mut self, run: &'c mut Run<'j>) -> Recorder<'c, 'j> {
        Recorder {
            run,
            failures: &mut self.failures,
            names: &mut self.names,
            kept_back: &self.judge.kept_back,
        }
    }

    /// Finds out what is due to be read again.
    pub(super) async fn find_due(&mut self, run: &Run<'_>) -> Result<(), CycleError> {
        let given = given(&self.intake, &self.judge, None);
        self.readings.find_due(run, &given).await
    }

    /// Reads what matching needs, and in a full cycle everything.
    pub(super) async fn read_target(&mut self, run: &mut Run<'_>) -> Result<(), CycleError> {
        let given = given(&self.intake, &self.judge, None);
        self.readings.read_target(run, &given).await
    }

    /// Compares everything that was read with what was left there.
    pub(super) async fn find_drift(&mut self, run: &mut Run<'_>) -> Result<(), CycleError> {
        // Users may have been disabled already, while requests without an answer were waited for.
        let leaving = self.leaving(run);
        let given = given(&self.intake, &self.judge, leaving.as_ref());
        self.readings.find_drift(run, &given).await
    }

    /// Looks for an object of which apply learned something.
    pub(super) async fn look_again(
        &mut self,
        run: &Run<'_>,
        kind: ObjectKind,
        id: SourceId,
    ) -> Result<(), CycleError> {
        let given = given(&self.intake, &self.judge, None);
        self.readings.look_again(run, &given, kind, &[id]).await
    }

    /// What the views of a batch have in common.
    pub(super) async fn context(
        &self,
        run: &Run<'_>,
        kind: ObjectKind,
        references: bool,
    ) -> Result<Context, CycleError> {
        let leaving = self.leaving(run);
        let given = given(&self.intake, &self.judge, leaving.as_ref());
        let known = self.readings.context(run, &given, kind, references).await?;
        Ok(Context {
            freed: self.names.freed_targets.clone(),
            ..known
        })
    }

    /// Known once the guard was asked; before that, nothing is decided about anybody.
    fn leaving(&self, run: &Run<'_>) -> Option<Leaving> {
        self.judge.approvals.as_ref()?;
        let Policy {
            on_soft_delete,
            on_hard_delete,
            on_out_of_scope,
            ..
        } = run.job.policy;
        // What is only explained is so by what a whole cycle does.
        let focus = self.intake.focus.clone();
        Some(Leaving {
            on_soft_delete,
            on_hard_delete,
            on_out_of_scope,
            closed: self.judge.approval(ObjectKind::User).withheld().is_some(),
            kept_back: self.judge.kept_back.clone(),
            focus: focus.filter(|_| run.order.extent != Extent::Explain),
            left_out: self.left_out(run),
            manager: run.manager_path(),
        })
    }

    /// Users who are not planned in this cycle, whoever is chosen.
    fn left_out(&self, run: &Run<'_>) -> HashSet<SourceId> {
        let kind = ObjectKind::User;
        let facts = [Fact::Failed, Fact::Late, Fact::InEscrow, Fact::InPart];
        let all = facts.into_iter().flat_map(|fact| run.standing.all(fact));
        all.filter(|(of, id)| *of == kind && !self.intake.is_free(run, kind, *id))
            .map(|(_, id)| id)
            .collect()
    }
}

/// What the readings are given of the phases before them.
const fn given<'a>(intake: &'a Intake, judge: &'a Judge, leaving: Option<&'a Leaving>) -> Given<'a> {
    Given {
        intake,
        kept_back: &judge.kept_back,
        leaving,
    }
}
