//! What an undo holds: taken out of every plan while the source still asks for it, and let go of when it does not.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::operation::Change;
use super::operation::Verb;
use super::plan::ObjectPlan;
use super::undo::equal;
use super::undo::verb_of;
use crate::model::id::ObjectKind;
use crate::model::id::SourceId;
use crate::model::name::Name;
use crate::model::value::Value;

/// What an undo wants left alone until the source says something else.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct UndoHold {
    /// Attributes, with the value that the source asks for and does not get.
    pub attributes: BTreeMap<Name, Value>,
    /// Members of the group, with whether the source has them in it.
    pub members: BTreeMap<SourceId, bool>,
    /// The resource was deleted: it is not created again.
    pub absent: bool,
    /// The resource was made anew: it is not disabled or deleted again.
    pub present: bool,
}

impl UndoHold {
    /// True when nothing is held any more.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Takes out of a plan what is held; how many operations that are. What the plan does not ask for any more, because
    /// the source says something else by now, is released: the hold as it is then.
    #[must_use]
    pub fn keep(&self, plan: &mut ObjectPlan) -> (u64, Self) {
        let (mut held, mut left) = (
            0,
            Self {
                absent: self.absent,
                present: self.present,
                ..Self::default()
            },
        );
        for mut operation in std::mem::take(&mut plan.operations) {
            let before = operation.count();
            let whole = self.holds_whole(operation.verb);
            if whole {
                held += before;
                continue;
            }
            match operation.verb {
                Verb::AddMember | Verb::RemoveMember => {
                    let is_in = operation.verb == Verb::AddMember;
                    operation.members.retain(|member| {
                        let holds = self.members.get(&member.source) == Some(&is_in);
                        if holds {
                            left.members.insert(member.source, is_in);
                        }
                        !holds
                    });
                    held += before - operation.count();
                    if !operation.members.is_empty() {
                        plan.operations.push(operation);
                    }
                }
                _ => {
                    let asked = operation.changes.len();
                    operation.changes.retain(|change| {
                        let wanted = self.attributes.get(&change.attribute);
                        let holds = wanted.is_some_and(|wanted| equal(wanted, &change.after));
                        if holds {
                            left.attributes
                                .insert(change.attribute.clone(), change.after.clone());
                        }
                        !holds
                    });
                    if operation.changes.len() < asked {
                        held += 1;
                        operation.verb = renamed(operation.verb, operation.kind, &operation.changes);
                    }
                    if asked == 0 || !operation.changes.is_empty() {
                        plan.operations.push(operation);
                    }
                }
            }
        }
        (held, left)
    }

    const fn holds_whole(&self, verb: Verb) -> bool {
        match verb {
            Verb::CreateUser | Verb::CreateGroup | Verb::LinkUser | Verb::LinkGroup => self.absent,
            Verb::DeleteUser | Verb::DeleteGroup | Verb::DisableUser => self.present,
            _ => false,
        }
    }
}

/// What an update is called once changes were taken out of it.
fn renamed(verb: Verb, kind: ObjectKind, changes: &[Change]) -> Verb {
    match verb {
        Verb::DisableUser | Verb::EnableUser => verb_of(kind, changes),
        other => other,
    }
}
