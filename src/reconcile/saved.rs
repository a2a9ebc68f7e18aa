//! A plan that was saved: which of the operations that are wanted now are in it, with the same values.
//!
//! Operations are compared by a digest of what they do: verb, object, and each attribute with its new value; for an
//! adoption or a delete also the resource. A membership counts by itself, so that a group that moved on in the meantime
//! still gets and loses those members that were in the plan. Reasons, and what the target held before, may differ.
//! Values that `Redact` hides are hidden here too, and are not compared.

use std::collections::HashSet;

use serde_json::Value as Json;
use sha2::{Digest as _, Sha256};

use super::explain;
use super::operation::Operation;
use super::operation::Verb;

/// What stands for one operation, or for one membership of it.
pub type Digest = [u8; 16];

/// The digests of an entry of `plan -o json`.
#[must_use]
pub fn digests(entry: &Json) -> Vec<Digest> {
    let text = |name: &str| entry[name].as_str().unwrap_or_default();
    let (verb, object) = (text("operation"), text("object"));
    let none = Vec::new();
    let changes = entry["changes"].as_array().unwrap_or(&none);
    let value = |change: &Json| {
        let attribute = change["attribute"].as_str().unwrap_or_default();
        format!("{attribute}\u{1}{}", change["after"])
    };
    if Verb::named(verb).is_some_and(Verb::moves_members) {
        let member = |change: &Json| {
            [&change["before"], &change["after"]]
                .into_iter()
                .find_map(|id| id.as_str().map(str::to_owned))
        };
        return changes
            .iter()
            .filter_map(member)
            .map(|member| digest(&[verb, object, &member]))
            .collect();
    }
    let mut parts = vec![verb.to_owned(), object.to_owned()];
    if Verb::named(verb).is_some_and(|verb| verb.deletes() || !verb.has_request()) {
        parts.push(text("target").to_owned());
    }
    let mut values: Vec<String> = changes.iter().map(value).collect();
    values.sort();
    parts.extend(values);
    let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
    vec![digest(&parts)]
}

fn digest(parts: &[&str]) -> Digest {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update(part.len().to_be_bytes());
        hash.update(part.as_bytes());
    }
    let whole: [u8; 32] = hash.finalize().into();
    whole[..16].try_into().expect("sixteen of thirty-two bytes")
}

/// The operations of a saved plan, by their digests: sixteen bytes each, whatever the plan's size.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SavedPlan(HashSet<Digest>);

impl Extend<Digest> for SavedPlan {
    fn extend<I: IntoIterator<Item = Digest>>(&mut self, digests: I) {
        self.0.extend(digests);
    }
}

impl SavedPlan {
    /// Every digest in it.
    pub fn iter(&self) -> impl Iterator<Item = &Digest> {
        self.0.iter()
    }

    /// What is in it, and not in another one.
    #[must_use]
    pub fn without(&self, other: &Self) -> Self {
        Self(self.0.difference(&other.0).copied().collect())
    }

    /// True where a part of an entry is in it.
    #[must_use]
    pub fn touches(&self, entry: &Json) -> bool {
        digests(entry).iter().any(|digest| self.0.contains(digest))
    }

    /// True where nothing is in it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// True where every part of an entry is in it.
    #[must_use]
    pub fn has(&self, entry: &Json) -> bool {
        digests(entry).iter().all(|digest| self.0.contains(digest))
    }

    /// What of an operation is in the plan: all, some of its memberships, or nothing. `shown` is the operation as it
    /// may be shown ([`explain::redacted`]).
    #[must_use]
    pub fn admit(&self, mut operation: Operation, shown: &Operation) -> (Option<Operation>, u64) {
        if !operation.verb.moves_members() {
            return if self.has(&explain::entry(shown)) {
                (Some(operation), 0)
            } else {
                (None, operation.count())
            };
        }
        let (verb, object) = (operation.verb.name(), operation.source.to_string());
        let all = operation.count();
        operation.members.retain(|member| {
            self.0
                .contains(&digest(&[verb, &object, &member.source.to_string()]))
        });
        let left = all - operation.count();
        operation.narrow_reason();
        ((!operation.members.is_empty()).then_some(operation), left)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::model::id::ObjectKind;
    use crate::model::id::SourceId;
    use crate::model::id::TargetId;
    use crate::model::value::Value;
    use crate::reconcile::operation::Change;
    use crate::reconcile::operation::Member;
    use crate::reconcile::operation::Reason;

    fn id(n: u8) -> SourceId {
        SourceId::from_bytes([n; 16])
    }

    fn operation(verb: Verb, title: &str) -> Operation {
        Operation {
            verb,
            kind: ObjectKind::User,
            source: id(1),
            name: "ada".to_owned(),
            target: TargetId::new("t1"),
            because: Reason::NotAsSent,
            changes: vec![Change {
                attribute: "title".into(),
                before: Value::Null,
                after: Value::text(title),
            }],
            members: Vec::new(),
        }
    }

    fn saved(operation: &Operation) -> SavedPlan {
        let mut plan = SavedPlan::default();
        plan.extend(digests(&explain::entry(operation)));
        plan
    }

    #[test]
    fn only_the_same_operation_with_the_same_values_is_in_the_plan() {
        let fresh = || operation(Verb::UpdateUser, "Dr");
        let planned = fresh();
        let plan = saved(&planned);
        let mut reason = fresh();
        reason.because = Reason::TargetDiffers;
        reason.changes[0].before = Value::text("Mr");
        let mut more = fresh();
        more.changes.push(Change {
            attribute: "nickName".into(),
            before: Value::Null,
            after: Value::text("Al"),
        });
        let mut other = fresh();
        other.source = id(2);
        for (name, now, expected) in [
            ("the same", fresh(), true),
            ("another reason and base", reason, true),
            ("another value", operation(Verb::UpdateUser, "Prof"), false),
            ("another verb", operation(Verb::DisableUser, "Dr"), false),
            ("one attribute more", more, false),
            ("another object", other, false),
        ] {
            let (run, left) = plan.admit(now.clone(), &now);
            assert_eq!((run.is_some(), left), (expected, u64::from(!expected)), "{name}");
        }
    }

    #[test]
    fn each_membership_counts_by_itself() {
        let members = |ids: &[u8]| {
            let mut operation = operation(Verb::AddMember, "");
            operation.changes.clear();
            operation.members = ids
                .iter()
                .map(|n| Member {
                    source: id(*n),
                    target: None,
                    with_user: false,
                    because: Reason::MemberJoined,
                })
                .collect();
            operation
        };
        let plan = saved(&members(&[3, 4, 5]));
        let now = members(&[4, 5, 6]);
        let (run, left) = plan.admit(now.clone(), &now);
        assert_eq!(run.map(|run| run.members), Some(members(&[4, 5]).members));
        assert_eq!(left, 1);
        let now = members(&[7]);
        assert_eq!(plan.admit(now.clone(), &now), (None, 1));
    }

    #[test]
    fn an_adoption_is_of_this_resource() {
        let link = operation(Verb::LinkUser, "");
        let mut other = link.clone();
        other.target = TargetId::new("t2");
        assert!(saved(&link).has(&explain::entry(&link)));
        assert!(!saved(&link).has(&explain::entry(&other)));
        assert_eq!(
            digests(&json!({"operation": "add_member", "object": "x"})),
            Vec::<Digest>::new()
        );
    }
}
