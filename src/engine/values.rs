//! Users who need a userName that another one gives up in this cycle wait for it; where they wait in a circle, one of
//! them gets a temporary name first (docs/design/cycle.md, "Applying"). So do groups with their displayName, once the target
//! answered 409 to one in this cycle: at most services two groups may have one name, and nobody has to wait.

use super::cycle::Cycle;
use super::error::CycleError;
use crate::model::id::ObjectKind;
use crate::reconcile::omission::Omission;
use crate::reconcile::operation::Operation;
use crate::reconcile::operation::Reason;
use crate::reconcile::plan::ObjectPlan;
use crate::reconcile::unique_values::gives_up;
use crate::reconcile::unique_values::make_way;
use crate::reconcile::unique_values::unique_name;

/// Whether a user can have its userName now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Turn {
    /// Nobody has it, or it asks for none.
    Free,
    /// Another one has it, and gives it up.
    Wait,
    /// It takes a temporary one, because they wait for each other.
    MakeWay,
}

impl Cycle<'_> {
    /// Whether a plan of the users' pass can be carried out now. One that makes way is changed here.
    pub(super) fn turn(&mut self, plan: &mut ObjectPlan) -> Turn {
        let (kind, id) = (plan.kind, plan.source);
        let approvals = self.approvals.as_ref();
        let renames = approvals.is_some_and(|approvals| approvals.identities.withheld().is_none());
        let unique = match kind {
            ObjectKind::User => renames,
            // What waits for a name that is given up has no operation yet.
            ObjectKind::Group => self.unique_group_names || plan.operations.is_empty(),
        };
        if !unique || self.kept_back.whole(kind, id).is_some() {
            return Turn::Free;
        }
        let holder = self.values.holder(plan);
        let Some(holder) = holder.filter(|holder| !self.freed.contains(holder)) else {
            return Turn::Free;
        };
        if self.making_way.remove(&id) {
            for operation in &mut plan.operations {
                if operation.verb.updates() {
                    make_way(operation);
                    operation.because = Reason::MakesWay;
                }
            }
            return Turn::MakeWay;
        }
        self.waiting.insert((kind, id), (holder, plan.name.clone()));
        Turn::Wait
    }

    /// Notes that a userName is free again.
    pub(super) fn note_freed(&mut self, operation: &Operation) {
        if gives_up(operation) {
            self.freed.insert(operation.source);
            self.freed_targets.extend(operation.target.clone());
        }
    }

    /// True while an object of this kind waits for another's name.
    pub(super) fn waits(&self, kind: ObjectKind) -> bool {
        self.waiting.keys().any(|(of, _)| *of == kind)
    }

    /// A name that is taken: where groups give theirs up in this cycle, they are unique at this target.
    pub(super) fn note_taken_name(&mut self, kind: ObjectKind, run: &[Operation]) {
        let names = |operation: &Operation| {
            let mut changes = operation.changes.iter();
            changes.any(|change| change.attribute.eq_ignore_ascii_case(unique_name(kind)))
        };
        self.unique_group_names |= kind == ObjectKind::Group && run.iter().any(names);
    }

    /// Where objects of a kind wait for each other's names, one of them makes way; true then.
    pub(super) fn break_circle(&mut self, kind: ObjectKind) -> bool {
        let of_kind = self.waiting.keys().filter(|(of, _)| *of == kind);
        let waiting = of_kind.map(|(_, id)| *id).collect();
        match self.values.circle(&waiting) {
            Some(first) => self.making_way.insert(first),
            None => false,
        }
    }

    /// Once the deletes are done, names may be free that users waited for. Whoever waits on waits for the next cycle.
    pub(super) async fn late_values(&mut self) -> Result<(), CycleError> {
        if self.waiting.is_empty() {
            return Ok(());
        }
        self.users().await?;
        self.groups().await?;
        for ((kind, id), (holder, name)) in std::mem::take(&mut self.waiting) {
            let omission = Omission::WaitsForValue {
                attribute: unique_name(kind),
                holder,
            };
            self.run.omit(kind, id, &name, &omission);
        }
        Ok(())
    }
}
