//! Users who need a userName that another one gives up in this cycle wait for it; where they wait in a circle, one of
//! them gets a temporary name first (docs/design/cycle.md, "Applying"). So do groups with their displayName, once the target
//! answered 409 to one in this cycle: at most services two groups may have one name, and nobody has to wait.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::collections::HashSet;

use crate::engine::standing::Key;
use crate::model::id::ObjectKind;
use crate::model::id::SourceId;
use crate::model::id::TargetId;
use crate::reconcile::forward::plan::ObjectPlan;
use crate::reconcile::forward::unique_values::UniqueValues;
use crate::reconcile::forward::unique_values::gives_up;
use crate::reconcile::forward::unique_values::make_way;
use crate::reconcile::forward::unique_values::unique_name;
use crate::reconcile::operation::Operation;
use crate::reconcile::operation::Reason;

/// Whether a user can have its userName now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::engine) enum Turn {
    /// Nobody has it, or it asks for none.
    Free,
    /// Another one has it, and gives it up.
    Wait,
    /// It takes a temporary one, because they wait for each other.
    MakeWay,
}

/// Names that can be held by one object only, and whose turn it is to have them.
#[derive(Debug, Default)]
pub(in crate::engine) struct UniqueNames {
    /// Who gives a name up in this cycle, and who wants one.
    pub(in crate::engine) wanted: UniqueValues,
    /// Users who have given theirs up.
    freed: HashSet<SourceId>,
    /// The resources that had them.
    pub(in crate::engine) freed_targets: HashSet<TargetId>,
    /// Users and groups that wait for another's name: whose, and their own name for showing.
    waiting: BTreeMap<Key, (SourceId, String)>,
    /// True once the target refused a group's name because another one has it.
    unique_groups: bool,
    /// Users and groups that take a temporary name, so that a circle of them can go on.
    making_way: BTreeSet<SourceId>,
}

impl UniqueNames {
    /// Returns whether a plan of the users' pass can be carried out now, and changes the plan of one that makes way. `renames`:
    /// the guard lets users have other names.
    pub(in crate::engine) fn turn(&mut self, plan: &mut ObjectPlan, renames: bool) -> Turn {
        let (kind, id) = (plan.kind, plan.source);
        let unique = match kind {
            ObjectKind::User => renames,
            // What waits for a name that is given up has no operation yet.
            ObjectKind::Group => self.unique_groups || plan.operations.is_empty(),
        };
        if !unique {
            return Turn::Free;
        }
        let holder = self.wanted.holder(plan);
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
    pub(in crate::engine) fn note_freed(&mut self, operation: &Operation) {
        if gives_up(operation) {
            self.freed.insert(operation.source);
            self.freed_targets.extend(operation.target.clone());
        }
    }

    /// True while an object of this kind waits for another's name.
    pub(in crate::engine) fn waits(&self, kind: ObjectKind) -> bool {
        self.waiting.keys().any(|(of, _)| *of == kind)
    }

    /// A name that is taken: where groups give theirs up in this cycle, they are unique at this target.
    pub(in crate::engine) fn note_taken(&mut self, kind: ObjectKind, run: &[Operation]) {
        let names = |operation: &Operation| {
            let mut changes = operation.changes.iter();
            changes.any(|change| change.attribute.eq_ignore_ascii_case(unique_name(kind)))
        };
        self.unique_groups |= kind == ObjectKind::Group && run.iter().any(names);
    }

    /// Forgets who of a kind waits, before they are looked at again.
    pub(in crate::engine) fn look_again(&mut self, kind: ObjectKind) {
        self.waiting.retain(|(of, _), _| *of != kind);
    }

    /// True while an object waits for another's name.
    pub(in crate::engine) fn any_waits(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// Returns who still waits: for whose name, and their own name for showing.
    pub(in crate::engine) fn take_waiting(&mut self) -> BTreeMap<Key, (SourceId, String)> {
        std::mem::take(&mut self.waiting)
    }

    /// Where objects of a kind wait for each other's names, one of them makes way; true then.
    pub(in crate::engine) fn break_circle(&mut self, kind: ObjectKind) -> bool {
        let of_kind = self.waiting.keys().filter(|(of, _)| *of == kind);
        let waiting = of_kind.map(|(_, id)| *id).collect();
        match self.wanted.circle(&waiting) {
            Some(first) => self.making_way.insert(first),
            None => false,
        }
    }
}
