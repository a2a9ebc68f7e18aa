//! What happens to an object that lives and is not ours: the scope leaves it out.
//!
//! Without a link it is never matched and never touched. With one only `active` is ours: the rest of the resource
//! freezes, and the link stays, so that it comes back, or is deleted when its source object is (docs/design/matching.md).

use crate::model::id::ObjectKind;
use crate::model::link::Link;
use crate::model::value::Value;
use crate::reconcile::explain::omission::Omission;
use crate::reconcile::forward::departures::is_adopted;
use crate::reconcile::forward::plan::ObjectPlan;
use crate::reconcile::forward::plan::Planner;
use crate::reconcile::forward::view::ObjectView;
use crate::reconcile::operation::Change;
use crate::reconcile::operation::Reason;
use crate::reconcile::operation::Verb;
use crate::reconcile::policy::GroupRemoval;
use crate::reconcile::policy::OnRemoval;
use crate::reconcile::scope::ScopeReason;

impl Planner<'_> {
    /// Plans an object that is out of scope.
    pub(in crate::reconcile) fn out_of_scope(
        &self,
        view: &ObjectView,
        because: &ScopeReason,
        plan: ObjectPlan,
    ) -> ObjectPlan {
        let why = because.to_string();
        match (&view.link, view.object.kind) {
            (None, _) => left_alone(plan, why, "not at the target"),
            (Some(link), ObjectKind::User) => self.user_out_of_scope(view, link, why, plan),
            (Some(link), ObjectKind::Group) => self.group_out_of_scope(view, link, why, plan),
        }
    }

    fn user_out_of_scope(&self, view: &ObjectView, link: &Link, why: String, plan: ObjectPlan) -> ObjectPlan {
        match self.policy.on_out_of_scope {
            OnRemoval::Keep => left_alone(
                plan,
                why,
                "kept at the target, as on_out_of_scope = \"keep\" says",
            ),
            OnRemoval::Disable if self.is_disabled(view, link) => {
                left_alone(plan, why, "disabled at the target already")
            }
            OnRemoval::Disable => {
                let change = Change {
                    attribute: self.active().into(),
                    before: Value::Bool(true),
                    after: Value::Bool(false),
                };
                let because = self.disabled_because(link, Reason::OutOfScope { why });
                self.with(plan, view, Verb::DisableUser, because, vec![change])
            }
            OnRemoval::Delete => self.with(
                plan,
                view,
                Verb::DeleteUser,
                Reason::OutOfScope { why },
                Vec::new(),
            ),
        }
    }

    fn group_out_of_scope(
        &self,
        view: &ObjectView,
        link: &Link,
        why: String,
        plan: ObjectPlan,
    ) -> ObjectPlan {
        let because = || Reason::OutOfScope { why: why.clone() };
        match self.policy.groups.on_out_of_scope {
            GroupRemoval::Keep => left_alone(
                plan,
                why,
                "kept at the target, as groups.on_out_of_scope = \"keep\" says",
            ),
            GroupRemoval::Delete if is_adopted(link) => self.let_go(plan, view, because()),
            GroupRemoval::Delete => self.with(plan, view, Verb::DeleteGroup, because(), Vec::new()),
            GroupRemoval::Empty => {
                let plan = self.emptied(plan, view, because());
                left_alone(
                    plan,
                    why,
                    "kept without members, as groups.on_out_of_scope = \"empty\" says",
                )
            }
        }
    }
}

fn left_alone(plan: ObjectPlan, why: String, then: &'static str) -> ObjectPlan {
    plan.omit(Omission::OutOfScope { why, then })
}

#[cfg(test)]
mod tests;
