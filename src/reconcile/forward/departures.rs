//! What happens to a linked object that is gone at the source, on positive evidence.

use std::time::Duration;

use crate::mapping::TargetPath;
use crate::mapping::read_path;
use crate::model::link::Link;
use crate::model::link::LinkOrigin;
use crate::model::object::Removed;
use crate::model::value::Value;
use crate::reconcile::explain::omission::Omission;
use crate::reconcile::forward::plan::ObjectPlan;
use crate::reconcile::forward::plan::Planner;
use crate::reconcile::forward::view::ObjectView;
use crate::reconcile::forward::view::TargetReading;
use crate::reconcile::operation::Change;
use crate::reconcile::operation::Member;
use crate::reconcile::operation::Operation;
use crate::reconcile::operation::Reason;
use crate::reconcile::operation::Verb;
use crate::reconcile::policy::GroupRemoval;
use crate::reconcile::policy::OnRemoval;

/// The SCIM attribute that takes access away (RFC 7643 section 4.1.1).
pub const ACTIVE: &str = "active";

impl Planner<'_> {
    /// A linked user was deleted at the source.
    pub(in crate::reconcile) fn user_leaves(
        &self,
        view: &ObjectView,
        link: &Link,
        removed: Removed,
        plan: ObjectPlan,
    ) -> ObjectPlan {
        let (policy, setting, because) = match removed {
            Removed::SoftDeleted => (self.policy.on_soft_delete, "on_soft_delete", Reason::SoftDeleted),
            Removed::HardDeleted => (self.policy.on_hard_delete, "on_hard_delete", Reason::HardDeleted),
        };
        match policy {
            OnRemoval::Keep => plan.omit(Omission::KeptByPolicy { setting }),
            OnRemoval::Disable if self.is_disabled(view, link) => plan.omit(Omission::AlreadyDisabled),
            OnRemoval::Disable => {
                let change = Change {
                    attribute: self.active().into(),
                    before: Value::Bool(true),
                    after: Value::Bool(false),
                };
                let because = self.disabled_because(link, because);
                self.with(plan, view, Verb::DisableUser, because, vec![change])
            }
            OnRemoval::Delete => self.with(plan, view, Verb::DeleteUser, because, Vec::new()),
        }
    }

    /// True when the target is disabled as far as we know: it was sent, and nothing read says otherwise.
    pub(in crate::reconcile) fn is_disabled(&self, view: &ObjectView, link: &Link) -> bool {
        let sent = link.sent.get(self.active()).and_then(Value::as_bool) == Some(false);
        let enabled_there = match &view.target {
            TargetReading::Held(body) if !view.since.written.iter().any(|name| self.is_active(name)) => {
                read_path(body, TargetPath::active()).is_some_and(|now| now.as_bool() == Some(true))
            }
            _ => false,
        };
        sent && !enabled_there
    }

    /// Why somebody is disabled, who was disabled before: the target enabled them again.
    pub(in crate::reconcile) fn disabled_because(&self, link: &Link, because: Reason) -> Reason {
        match link.sent.get(self.active()).and_then(Value::as_bool) {
            Some(false) => Reason::ReenabledAtTarget,
            _ => because,
        }
    }

    /// A linked group was deleted at the source: deleted, emptied or kept, as the policy says. With a delay
    /// it is emptied at once and deleted later, so that a restored group gets its members back.
    /// One that was adopted is never deleted: our members leave, and the link ends.
    pub(in crate::reconcile) fn group_leaves(
        &self,
        view: &ObjectView,
        link: &Link,
        removed: Removed,
        plan: ObjectPlan,
    ) -> ObjectPlan {
        let because = Reason::of_removal(removed);
        let due = self.policy.groups.delete_after == Duration::ZERO
            || view
                .object
                .gone_since
                .is_some_and(|since| self.now.since(since) >= self.policy.groups.delete_after);
        match self.policy.groups.on_delete {
            GroupRemoval::Keep => plan.omit(Omission::KeptByPolicy {
                setting: "groups.on_delete",
            }),
            GroupRemoval::Delete if due && is_adopted(link) => self.let_go(plan, view, because),
            GroupRemoval::Delete if due => self.with(plan, view, Verb::DeleteGroup, because, Vec::new()),
            policy => {
                let plan = self.emptied(plan, view, because);
                match policy {
                    GroupRemoval::Delete => plan.omit(Omission::WaitsForDelay),
                    _ => plan.omit(Omission::KeptByPolicy {
                        setting: "groups.on_delete",
                    }),
                }
            }
        }
    }

    /// The plan with every member taken out that we put in, and then the end of the link.
    pub(in crate::reconcile) fn let_go(
        &self,
        plan: ObjectPlan,
        view: &ObjectView,
        because: Reason,
    ) -> ObjectPlan {
        let why = because.to_string();
        let plan = self.emptied(plan, view, because);
        self.with(plan, view, Verb::UnlinkGroup, Reason::LetGo { why }, Vec::new())
    }

    /// The plan with every member taken out that we put in.
    pub(in crate::reconcile) fn emptied(
        &self,
        mut plan: ObjectPlan,
        view: &ObjectView,
        because: Reason,
    ) -> ObjectPlan {
        let members: Vec<Member> = view
            .members
            .iter()
            .filter(|member| member.sent.is_some() && !member.found)
            .map(|member| Member {
                source: member.id,
                target: member.sent.clone(),
                with_user: false,
                because: because.clone(),
            })
            .collect();
        if !members.is_empty() {
            let mut operation = self.operation(view, Verb::RemoveMember, because, Vec::new());
            operation.members = members;
            plan.operations.push(operation);
        }
        plan
    }

    /// The plan with one operation more.
    pub(in crate::reconcile) fn with(
        &self,
        mut plan: ObjectPlan,
        view: &ObjectView,
        verb: Verb,
        because: Reason,
        changes: Vec<Change>,
    ) -> ObjectPlan {
        plan.operations.push(self.operation(view, verb, because, changes));
        plan
    }

    /// An operation on this object.
    #[expect(clippy::unused_self, reason = "reads like its siblings")]
    pub(in crate::reconcile) fn operation(
        &self,
        view: &ObjectView,
        verb: Verb,
        because: Reason,
        changes: Vec<Change>,
    ) -> Operation {
        Operation {
            verb,
            kind: view.object.kind,
            source: view.object.id,
            name: view.object.name(),
            target: view.link.as_ref().map(|link| link.target.clone()),
            because,
            changes,
            members: Vec::new(),
        }
    }
}

/// True for a resource that was there before it was linked.
pub(in crate::reconcile) const fn is_adopted(link: &Link) -> bool {
    matches!(link.origin, LinkOrigin::Adopted(_))
}

#[cfg(test)]
mod tests;
