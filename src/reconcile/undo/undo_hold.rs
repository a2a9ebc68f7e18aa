//! What an undo holds: taken out of every plan while the source still asks for it, and let go of when it does not.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::model::id::ObjectKind;
use crate::model::id::SourceId;
use crate::model::name::Name;
use crate::model::value::Value;
use crate::model::verb::Act;
use crate::reconcile::forward::plan::ObjectPlan;
use crate::reconcile::operation::Change;
use crate::reconcile::operation::Verb;

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

    /// This hold with that of a later undo of the same object: for what both speak of, the later one speaks.
    #[must_use]
    pub fn followed_by(mut self, later: Self) -> Self {
        if later.absent {
            // Nothing of the resource is left that anything else could be held of.
            return later;
        }
        self.attributes.extend(later.attributes);
        self.members.extend(later.members);
        self.present |= later.present;
        self.absent &= !later.present;
        self
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
            if operation.verb.moves_members() {
                let is_in = operation.verb.act() == Act::AddMembers;
                operation.members.retain(|member| {
                    let holds = self.members.get(&member.source) == Some(&is_in);
                    if holds {
                        left.members.insert(member.source, is_in);
                    }
                    !holds
                });
                held += before - operation.count();
                if !operation.members.is_empty() {
                    operation.narrow_reason();
                    plan.operations.push(operation);
                }
            } else {
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
                    operation.narrow_reason();
                }
                if asked == 0 || !operation.changes.is_empty() {
                    plan.operations.push(operation);
                }
            }
        }
        (held, left)
    }

    const fn holds_whole(&self, verb: Verb) -> bool {
        match verb.act() {
            Act::Create | Act::Link => self.absent,
            Act::Delete | Act::Unlink | Act::Disable => self.present,
            Act::Update | Act::Enable | Act::AddMembers | Act::RemoveMembers | Act::Join | Act::Leave => {
                false
            }
        }
    }
}

/// What an update is called once changes were taken out of it.
fn renamed(verb: Verb, kind: ObjectKind, changes: &[Change]) -> Verb {
    if verb.switches() {
        verb_of(kind, changes)
    } else {
        verb
    }
}

/// Nothing, an empty text and an empty list are one (RFC 7643 section 2.5).
pub(in crate::reconcile) fn equal(a: &Value, b: &Value) -> bool {
    a == b || a.is_unassigned() && b.is_unassigned()
}

/// What an update is called that makes these changes.
pub(in crate::reconcile) fn verb_of(kind: ObjectKind, changes: &[Change]) -> Verb {
    let active = changes
        .iter()
        .find(|change| change.attribute.eq_ignore_ascii_case("active"));
    Verb::update_to(kind, active.and_then(|change| change.after.as_bool()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hold(attributes: &[(&str, &str)], members: &[(u8, bool)], absent: bool, present: bool) -> UndoHold {
        UndoHold {
            attributes: attributes
                .iter()
                .map(|(name, value)| (Name::from(*name), Value::text(*value)))
                .collect(),
            members: members
                .iter()
                .map(|(id, is)| (SourceId::from_bytes([*id; 16]), *is))
                .collect(),
            absent,
            present,
        }
    }

    #[test]
    fn a_later_undo_adds_to_what_an_earlier_one_holds() {
        let title = [("title", "Captain")];
        let both = [("department", "Sea"), ("title", "Captain")];
        for (name, earlier, later, expected) in [
            (
                "other attributes",
                hold(&title, &[], false, false),
                hold(&[("department", "Sea")], &[], false, false),
                hold(&both, &[], false, false),
            ),
            (
                "the same one: the later value",
                hold(&title, &[(1, true)], false, false),
                hold(&[("title", "Mate")], &[(1, false), (2, true)], false, false),
                hold(&[("title", "Mate")], &[(1, false), (2, true)], false, false),
            ),
            (
                "made anew after it was deleted",
                hold(&[], &[], true, false),
                hold(&[], &[], false, true),
                hold(&[], &[], false, true),
            ),
            (
                "deleted after it was held",
                hold(&title, &[(1, true)], false, true),
                hold(&[], &[], true, false),
                hold(&[], &[], true, false),
            ),
            (
                "made anew, then a value",
                hold(&[], &[], false, true),
                hold(&title, &[], false, false),
                hold(&title, &[], false, true),
            ),
        ] {
            assert_eq!(earlier.followed_by(later), expected, "{name}");
        }
    }
}
