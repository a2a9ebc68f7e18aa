//! The story's look at the target: what each phase before gives to the readings.

use std::collections::HashSet;

use super::context::Context;
use super::cycle::Cycle;
use super::error::CycleError;
use super::job::Extent;
use super::leaving::Leaving;
use super::readings::Given;
use super::standing::Fact;
use crate::model::id::ObjectKind;
use crate::model::id::SourceId;
use crate::reconcile::policy::Policy;

impl Cycle<'_> {
    /// Finds out what is due to be read again.
    pub(super) async fn find_due(&mut self) -> Result<(), CycleError> {
        let given = Given {
            intake: &self.intake,
            kept_back: &self.judge.kept_back,
            leaving: None,
        };
        self.readings.find_due(&self.run, &given).await
    }

    /// Reads what matching needs, and in a full cycle everything.
    pub(super) async fn read_target(&mut self) -> Result<(), CycleError> {
        let given = Given {
            intake: &self.intake,
            kept_back: &self.judge.kept_back,
            leaving: None,
        };
        self.readings.read_target(&mut self.run, &given).await
    }

    /// Compares everything that was read with what was left there.
    pub(super) async fn find_drift(&mut self) -> Result<(), CycleError> {
        // Users may have been disabled already, while requests without an answer were waited for.
        let leaving = self.leaving();
        let given = Given {
            intake: &self.intake,
            kept_back: &self.judge.kept_back,
            leaving: leaving.as_ref(),
        };
        self.readings.find_drift(&mut self.run, &given).await
    }

    /// Goes on with what is to be put right alone. False where there is nothing more to do.
    pub(super) fn go_on_with_drift(&mut self) -> bool {
        let Extent::Drift { heal } = self.run.order.extent else {
            return true;
        };
        self.intake.focus = Some(self.readings.drift.heals.clone());
        heal && !self.readings.drift.heals.is_empty()
    }

    /// Looks for an object of which apply learned something.
    pub(super) async fn look_again(&mut self, kind: ObjectKind, id: SourceId) -> Result<(), CycleError> {
        let given = Given {
            intake: &self.intake,
            kept_back: &self.judge.kept_back,
            leaving: None,
        };
        self.readings.look_again(&self.run, &given, kind, &[id]).await
    }

    /// What the views of a batch have in common.
    pub(super) async fn context(&self, kind: ObjectKind, references: bool) -> Result<Context, CycleError> {
        let leaving = self.leaving();
        let given = Given {
            intake: &self.intake,
            kept_back: &self.judge.kept_back,
            leaving: leaving.as_ref(),
        };
        let known = self.readings.context(&self.run, &given, kind, references).await?;
        Ok(Context {
            freed: self.names.freed_targets.clone(),
            ..known
        })
    }

    /// Known once the guard was asked; before that, nothing is decided about anybody.
    pub(super) fn leaving(&self) -> Option<Leaving> {
        self.judge.approvals.as_ref()?;
        let Policy {
            on_soft_delete,
            on_hard_delete,
            on_out_of_scope,
            ..
        } = self.run.job.policy;
        Some(Leaving {
            on_soft_delete,
            on_hard_delete,
            on_out_of_scope,
            closed: self.judge.approval(ObjectKind::User).withheld().is_some(),
            kept_back: self.judge.kept_back.clone(),
            // What is only explained is so by what a whole cycle does.
            focus: self
                .intake
                .focus
                .clone()
                .filter(|_| self.run.order.extent != Extent::Explain),
            left_out: self.left_out(),
            manager: self.run.manager_path(),
        })
    }

    /// Users who are not planned in this cycle, whoever is chosen.
    fn left_out(&self) -> HashSet<SourceId> {
        let kind = ObjectKind::User;
        let facts = [Fact::Failed, Fact::Late, Fact::InEscrow, Fact::InPart];
        let all = facts.into_iter().flat_map(|fact| self.run.standing.all(fact));
        all.filter(|(of, id)| *of == kind && !self.intake.is_free(&self.run, kind, *id))
            .map(|(_, id)| id)
            .collect()
    }
}
