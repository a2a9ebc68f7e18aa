//! Attributes and members that the target refused while it took the rest of their object: each waits alone, and nothing else
//! waits for it.

use std::collections::BTreeMap;

use super::operation::Change;
use super::operation::Member;
use crate::model::id::SourceId;
use crate::model::id::TargetId;
use crate::model::refusal::Refusal;
use crate::reconcile::explain::omission::Omission;
use crate::reconcile::forward::changes::Differences;
use crate::reconcile::forward::membership_diff::MembershipDiff;
use crate::reconcile::forward::plan::ObjectPlan;
use crate::reconcile::forward::plan::Planner;
use crate::reconcile::forward::view::ObjectView;
use crate::reconcile::forward::view::Reference;

impl Planner<'_> {
    /// Takes out what was refused and whose next try has not come; another value, or an admin who names the object, tries at
    /// once.
    pub(super) fn leave_refused(
        &self,
        view: &ObjectView,
        differences: &mut Differences,
        plan: &mut ObjectPlan,
    ) {
        if view.refused.is_empty() || self.forced {
            return;
        }
        let waits = |change: &Change| -> Option<&Refusal> {
            let mut rows = view.refused.iter();
            rows.find(|row| row.attribute == change.attribute.as_str() && row.waits(&change.after, self.now))
        };
        for change in std::mem::take(&mut differences.write) {
            let Some(row) = waits(&change) else {
                differences.write.push(change);
                continue;
            };
            plan.waiting.insert(row.attribute.clone());
            plan.omissions.push(Omission::AttributeRefused {
                attribute: row.attribute.clone(),
                until: row.next_try.map(|at| at.to_string()),
            });
        }
        for drift in &mut differences.drift {
            drift.heals &= !plan.waiting.contains(drift.attribute.as_str());
        }
    }

    /// The same for members: who was refused and whose next try has not come is neither put in nor taken out.
    pub(super) fn leave_refused_members(
        &self,
        view: &ObjectView,
        diff: &mut MembershipDiff,
        plan: &mut ObjectPlan,
    ) {
        if self.forced {
            return;
        }
        let rows: BTreeMap<SourceId, &Refusal> = view
            .refused
            .iter()
            .filter_map(|row| Some((row.member()?, row)))
            .collect();
        if rows.is_empty() {
            return;
        }
        let linked: BTreeMap<SourceId, &TargetId> = view
            .members
            .iter()
            .filter(|member| rows.contains_key(&member.id))
            .filter_map(|member| match &member.state {
                Reference::Linked(target) | Reference::Expected(Some(target)) => Some((member.id, target)),
                _ => None,
            })
            .collect();
        for (members, comes) in [(&mut diff.add, true), (&mut diff.remove, false)] {
            members.retain(|member: &Member| {
                let row = rows.get(&member.source);
                let target = member
                    .target
                    .as_ref()
                    .or_else(|| linked.get(&member.source).copied());
                let waits = |row: &&&Refusal| {
                    target.is_some_and(|target| row.waits(&Refusal::membership(target, comes), self.now))
                };
                let Some(row) = row.filter(waits) else {
                    return true;
                };
                plan.waiting.insert(row.attribute.clone());
                plan.omissions.push(Omission::MemberRefused {
                    member: member.source,
                    why: row.error.clone(),
                    until: row.next_try.map(|at| at.to_string()),
                });
                false
            });
        }
    }
}

/// What to do about a refused attribute, where its refusal says enough; `None` where the error's own hint is better.
#[must_use]
pub fn hint(attribute: &str, clears: bool, said: &str) -> Option<String> {
    let says = |word: &str| crate::model::refusal::names(said, word);
    if clears {
        return Some(format!(
            "the target does not let `{attribute}` be emptied: give it a value in Entra, or a `default` in its mapping row"
        ));
    }
    if says("mutability") || says("immutable") {
        return Some(format!(
            "the target does not let `{attribute}` be changed: change it there by hand, or set apply = \"create-only\" in its \
             mapping row"
        ));
    }
    (says("invalidPath") || says("noTarget")).then(|| {
        format!(
            "the target does not know `{attribute}`: have it added there, or take its row out of the mapping"
        )
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::model::clock::Timestamp;
    use crate::model::value::Value;
    use crate::reconcile::fixtures::Desk;
    use crate::reconcile::fixtures::linked;
    use crate::reconcile::fixtures::user;

    fn refused(value: &str, next_try: Option<i64>) -> Refusal {
        Refusal {
            attribute: "title".to_owned(),
            wanted: Refusal::digest(&Value::text(value)),
            operation: "update_user".to_owned(),
            error: String::new(),
            hint: String::new(),
            failures: 1,
            since: Timestamp(0),
            next_try: next_try.map(Timestamp),
        }
    }

    #[test]
    fn a_refused_attribute_waits_alone_until_its_time_or_another_value() {
        let desk = Desk::new();
        let later = desk.now.0 + 1;
        for (name, row, line) in [
            (
                "it waits",
                refused("Dr", Some(later)),
                "update_user(source_changed) nickName=\"Ada\" | attribute_refused",
            ),
            (
                "it was dropped",
                refused("Dr", None),
                "update_user(source_changed) nickName=\"Ada\" | attribute_refused",
            ),
            (
                "its time has come",
                refused("Dr", Some(later - 1)),
                "update_user(source_changed) title=\"Dr\", nickName=\"Ada\"",
            ),
            (
                "another value was refused",
                refused("Prof", Some(later)),
                "update_user(source_changed) title=\"Dr\", nickName=\"Ada\"",
            ),
        ] {
            let mut view = linked(user(json!({"jobTitle": "Dr", "givenName": "Ada"})), json!({}));
            view.refused = vec![row.clone()];
            assert_eq!(desk.line(&view), line, "{name}");
            let plan = desk.plan(&view);
            assert!(
                plan.settles(),
                "{name}: the object waits in escrow, and not as dirty"
            );
            assert!(
                Desk::forced().line(&view).contains("title"),
                "{name}: an admin asks"
            );
        }
    }

    #[test]
    fn an_attribute_that_nothing_wants_any_more_does_not_wait() {
        let mut view = linked(user(json!({"jobTitle": "Dr"})), json!({"title": "Dr"}));
        view.refused = vec![refused("Prof", None)];
        let plan = Desk::new().plan(&view);
        assert!(plan.waiting.is_empty());
    }
}
