//! Values that only one resource may have (userName, and a group's displayName where the target says so): who gives one up in this cycle, who wants one, and who has to
//! make way where they want each other's.

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use crate::model::id::ObjectKind;
use crate::model::id::SourceId;
use crate::model::link::Link;
use crate::model::value::Value;
use crate::reconcile::explain::omission::Omission;
use crate::reconcile::forward::matching::fold;
use crate::reconcile::forward::plan::ObjectPlan;
use crate::reconcile::operation::Change;
use crate::reconcile::operation::Operation;

/// The name that is unique for a kind: that of users at every SCIM service (RFC 7643 section 4.1.1), that of groups at some.
#[must_use]
pub const fn unique_name(kind: ObjectKind) -> &'static str {
    match kind {
        ObjectKind::User => "userName",
        ObjectKind::Group => "displayName",
    }
}

/// What the users and groups of a cycle give up and want.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct UniqueValues {
    /// Folded value to the object whose resource has it until its operation is done.
    frees: BTreeMap<(ObjectKind, String), SourceId>,
    /// Objects that get another value, with the folded value.
    wants: BTreeMap<SourceId, (ObjectKind, String)>,
}

impl UniqueValues {
    /// Notes what a plan gives up and wants. `link` is the object's link before it.
    pub fn note(&mut self, plan: &ObjectPlan, link: Option<&Link>) {
        for operation in &plan.operations {
            if operation.verb.deletes() {
                let sent = link.and_then(|link| link.sent.get(unique_name(plan.kind)));
                self.frees
                    .extend(sent.map(|value| ((plan.kind, fold(value)), plan.source)));
            }
            let Some(change) = renames(operation) else {
                continue;
            };
            let (before, after) = (fold(&change.before), fold(&change.after));
            if before != after {
                if !change.before.is_unassigned() {
                    self.frees.insert((plan.kind, before), plan.source);
                }
                self.wants.insert(plan.source, (plan.kind, after));
            }
        }
    }

    /// Adds what objects of another kind give up and want.
    pub fn extend(&mut self, other: Self) {
        self.frees.extend(other.frees);
        self.wants.extend(other.wants);
    }

    /// The other object that has what this plan needs, and gives it up in this cycle.
    #[must_use]
    pub fn holder(&self, plan: &ObjectPlan) -> Option<SourceId> {
        let wanted = plan.operations.iter().find_map(|operation| {
            let creates = operation.verb.creates();
            let change = if creates {
                named(operation)
            } else {
                renames(operation)
            };
            self.frees.get(&(plan.kind, fold(&change?.after))).copied()
        });
        let owned = || {
            plan.omissions.iter().find_map(|omission| match omission {
                Omission::OwnedByAnother { by, owner, .. }
                    if by.eq_ignore_ascii_case(unique_name(plan.kind)) =>
                {
                    Some(*owner)
                }
                _ => None,
            })
        };
        let gives = |owner: &SourceId| self.frees.values().any(|holder| holder == owner);
        wanted
            .or_else(|| owned().filter(gives))
            .filter(|holder| *holder != plan.source)
    }

    /// One of those who wait in a circle, each for the value of the next: it has to make way. `None` where nobody
    /// waits in a circle.
    #[must_use]
    pub fn circle(&self, waiting: &BTreeSet<SourceId>) -> Option<SourceId> {
        let next = |id: &SourceId| {
            let holder = self.frees.get(self.wants.get(id)?)?;
            waiting.contains(holder).then_some(*holder)
        };
        waiting.iter().copied().find(|first| {
            let mut seen = BTreeSet::new();
            let mut at = *first;
            while let Some(holder) = next(&at) {
                if holder == *first {
                    return true;
                }
                if !seen.insert(holder) {
                    return false;
                }
                at = holder;
            }
            false
        })
    }
}

/// True for an operation after which the resource has its name no longer.
#[must_use]
pub fn gives_up(operation: &Operation) -> bool {
    operation.verb.deletes()
        || renames(operation).is_some_and(|change| fold(&change.before) != fold(&change.after))
}

/// The change of the unique name in an update.
fn renames(operation: &Operation) -> Option<&Change> {
    operation.verb.updates().then(|| named(operation)).flatten()
}

fn named(operation: &Operation) -> Option<&Change> {
    operation
        .changes
        .iter()
        .find(|change| change.attribute.eq_ignore_ascii_case(unique_name(operation.kind)))
}

/// Gives an update a name in place of the wanted one that nobody else has, in the form of the wanted one: servers
/// ask for an address where they got addresses.
pub fn make_way(operation: &mut Operation) {
    let (source, name) = (operation.source, unique_name(operation.kind));
    for change in &mut operation.changes {
        if change.attribute.eq_ignore_ascii_case(name) {
            let domain = change.after.as_str().and_then(|name| name.split_once('@'));
            let name = match domain {
                Some((_, domain)) => format!("moving-{source}@{domain}"),
                None => format!("moving-{source}"),
            };
            change.after = Value::text(name);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::verb::Verb;
    use crate::reconcile::fixtures::id;
    use crate::reconcile::operation::Reason;

    fn plan(n: u32, verb: Verb, before: Option<&str>, after: &str) -> ObjectPlan {
        let operation = Operation {
            verb,
            kind: ObjectKind::User,
            source: id(n),
            name: String::new(),
            target: None,
            because: Reason::NotAsSent,
            changes: vec![Change {
                attribute: "userName".into(),
                before: before.map_or(Value::Null, Value::text),
                after: Value::text(after),
            }],
            members: Vec::new(),
        };
        ObjectPlan {
            operations: vec![operation],
            ..ObjectPlan::of(ObjectKind::User, id(n), String::new())
        }
    }

    fn values(plans: &[ObjectPlan]) -> UniqueValues {
        let mut values = UniqueValues::default();
        plans.iter().for_each(|plan| values.note(plan, None));
        values
    }

    #[test]
    fn whoever_needs_a_value_that_is_given_up_waits_for_its_holder() {
        let rename = plan(1, Verb::UpdateUser, Some("A@x"), "b@x");
        let held = values(std::slice::from_ref(&rename));
        for (name, plan, expected) in [
            (
                "a create of it",
                plan(2, Verb::CreateUser, None, "a@X"),
                Some(id(1)),
            ),
            (
                "a rename to it",
                plan(2, Verb::UpdateUser, Some("c@x"), "a@x"),
                Some(id(1)),
            ),
            ("another name", plan(2, Verb::CreateUser, None, "d@x"), None),
            ("itself", rename, None),
            (
                "a change of case",
                plan(1, Verb::UpdateUser, Some("a@x"), "A@x"),
                None,
            ),
        ] {
            assert_eq!(held.holder(&plan), expected, "{name}");
        }
        let case = values(&[plan(1, Verb::UpdateUser, Some("a@x"), "A@x")]);
        assert_eq!(case, UniqueValues::default(), "a change of case gives nothing up");
    }

    #[test]
    fn a_circle_is_found_whatever_its_length_and_a_chain_is_none() {
        let names = ["a@x", "b@x", "c@x", "d@x"];
        for length in 2..=4 {
            let circle: Vec<ObjectPlan> = (0..length)
                .map(|n| {
                    let next = names[(n + 1) % length];
                    plan(
                        u32::try_from(n).unwrap() + 1,
                        Verb::UpdateUser,
                        Some(names[n]),
                        next,
                    )
                })
                .collect();
            let waiting: BTreeSet<SourceId> = circle.iter().map(|plan| plan.source).collect();
            assert!(values(&circle).circle(&waiting).is_some(), "{length}");
            let chain: BTreeSet<SourceId> = waiting.iter().copied().skip(1).collect();
            assert_eq!(
                values(&circle).circle(&chain),
                None,
                "one of {length} has gone already"
            );
        }
    }

    #[test]
    fn a_temporary_name_has_the_form_of_the_wanted_one() {
        for (wanted, expected) in [("b@corp.example", "@corp.example"), ("plain", "")] {
            let mut plan = plan(1, Verb::UpdateUser, Some("a"), wanted);
            make_way(&mut plan.operations[0]);
            let name = format!("moving-{}{expected}", id(1));
            assert_eq!(plan.operations[0].changes[0].after, Value::text(name));
        }
    }
}
