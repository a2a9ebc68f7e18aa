//! An explanation as programs read it.

use serde_json::Value as Json;
use serde_json::json;

use super::enrolled::InEnrolled;
use super::entry_named;
use super::groups::InGroup;
use super::groups::Way;
use super::object::Attribute;
use super::object::Explanation;
use super::object::Past;
use super::object::Shown;
use super::reason::code_of;
use super::verdict::Verdict;
use crate::mapping::MemberOf;
use crate::model::id::SourceId;
use crate::model::value::Value;
use crate::reconcile::operation::Change;

impl Shown {
    fn to_json(&self) -> Json {
        match self {
            Self::Value(value) => json!({"value": value.to_json()}),
            Self::Words(words) => json!({"none": words}),
        }
    }
}

impl Attribute {
    /// As it stands in the document.
    pub(super) fn to_json(&self) -> Json {
        let list = |pairs: &[(String, Shown)]| -> Json {
            let one = |(expression, shown): &(String, Shown)| {
                let mut object = shown.to_json();
                object["expression"] = expression.as_str().into();
                object
            };
            pairs.iter().map(one).collect()
        };
        json!({
            "attribute": self.target,
            "expression": self.expression,
            "matching": self.matching,
            "inputs": list(&self.inputs),
            "steps": list(&self.steps),
            "desired": self.desired.to_json(),
            "remark": self.remark,
            "sent": self.sent.as_ref().map(Value::to_json),
            "kept": self.kept.as_ref().map(Shown::to_json),
            "actual": self.actual.as_ref().map(Value::to_json),
            "state": self.state,
        })
    }
}

impl Explanation {
    /// As one JSON document.
    #[must_use]
    pub fn to_json(&self) -> Json {
        let verdict = Verdict::of(self);
        let (source, scope, matching) = (&self.source, &self.scope, &self.matching);
        let clause = |(clause, said): &(String, String)| json!({"clauses": clause, "result": said});
        let name_of = |id: SourceId| self.names.get(&id).cloned();
        let membership = |(of, is): &(MemberOf, Option<bool>)| {
            json!({
                "group": of.group.to_string(), "name": name_of(of.group), "transitive": of.transitive, "member": is,
            })
        };
        let key =
            |(attribute, value): &(String, Value)| json!({"attribute": attribute, "value": value.to_json()});
        let omission = |(label, because, hint): &(String, String, String)| json!({"reason": label, "because": because, "do": hint});
        json!({
            "job": self.job,
            "kind": self.kind.word(),
            "object": self.id.to_string(),
            "name": self.name,
            "notes": self.notes,
            "source": {
                "life": source.life, "enabled": source.enabled, "complete_since": source.read, "asked": source.asked,
            },
            "verdict": {
                "standing": verdict.standing, "now": verdict.now, "next": verdict.next, "kept_back": verdict.kept_back,
            },
            "groups": self.groups.iter().map(InGroup::to_json).collect::<Vec<_>>(),
            "enrolled": self.enrolled.as_ref().map(InEnrolled::to_json),
            "in_group": self.in_group.as_ref().map(InGroup::to_json),
            "scope": {
                "way": scope.way.as_ref().map(Way::to_json),
                "standing": scope.standing,
                "because": scope.because,
                "clauses": scope.clauses.iter().map(clause).collect::<Vec<_>>(),
                "memberships": scope.memberships.iter().map(membership).collect::<Vec<_>>(),
                "assigned": scope.assigned,
            },
            "matching": {
                "state": matching.state,
                "because": matching.because,
                "since": matching.since,
                "target": matching.target.as_ref().map(ToString::to_string),
                "keys": matching.keys.iter().map(key).collect::<Vec<_>>(),
                "candidates": matching.candidates.iter().map(ToString::to_string).collect::<Vec<_>>(),
            },
            "attributes": self.attributes.iter().map(Attribute::to_json).collect::<Vec<_>>(),
            "plan": self.operations.iter().map(|one| entry_named(one, name_of)).collect::<Vec<_>>(),
            "omitted": self.omissions.iter().map(omission).collect::<Vec<_>>(),
            "history": self.history.iter().map(Past::to_json).collect::<Vec<_>>(),
        })
    }
}

impl Past {
    fn to_json(&self) -> Json {
        let change = |change: &Change| {
            json!({
                "attribute": change.attribute,
                "before": change.before.to_json(),
                "after": change.after.to_json(),
            })
        };
        json!({
            "time": self.time,
            "cycle": self.cycle,
            "actor": self.actor,
            "operation": self.operation,
            "result": self.result,
            "because": self.because,
            "reason": code_of(&self.because),
            "target": self.target,
            "changes": self.changes.iter().map(change).collect::<Vec<_>>(),
            "detail": self.detail,
        })
    }
}
