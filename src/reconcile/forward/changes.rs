//! A linked object that lives: which attributes and memberships differ, and which verb that makes.

mod differences;

use std::collections::BTreeMap;

use crate::mapping::Desired;
use crate::mapping::DesiredValue;
use crate::mapping::Facts;
use crate::mapping::Row;
use crate::mapping::TargetPath;
use crate::mapping::desired_in;
use crate::mapping::names;
use crate::model::id::ObjectKind;
use crate::model::link::Link;
use crate::model::value::Attributes;
use crate::model::value::Value;
use crate::reconcile::explain::omission::Omission;
use crate::reconcile::forward::departures::ACTIVE;
use crate::reconcile::forward::membership_diff;
use crate::reconcile::forward::membership_diff::MembershipDiff;
use crate::reconcile::forward::plan::ObjectPlan;
use crate::reconcile::forward::plan::Planner;
use crate::reconcile::forward::view::MemberView;
use crate::reconcile::forward::view::ObjectView;
use crate::reconcile::forward::view::Reference;
use crate::reconcile::forward::view::TargetReading;
use crate::reconcile::operation::Change;
use crate::reconcile::operation::Member;
use crate::reconcile::operation::Reason;
use crate::reconcile::operation::Verb;
use crate::reconcile::policy::OnRemoval;
use crate::reconcile::scope::Standing;

pub(in crate::reconcile) use differences::Base;
pub(in crate::reconcile) use differences::Cause;
pub(in crate::reconcile) use differences::Differences;

impl Planner<'_> {
    /// Plans a linked object that lives.
    pub(in crate::reconcile) fn linked(
        &self,
        view: &ObjectView,
        link: &Link,
        mut plan: ObjectPlan,
    ) -> ObjectPlan {
        let desired = self.desired(view);
        if self.waits_for_manager(view) {
            return plan.omit(Omission::WaitsForManager);
        }
        let observed = match &view.target {
            TargetReading::Held(body) => Some(body),
            _ => None,
        };
        let base = self.base(view, &desired, link);
        let differences = self.differences(view, &desired, &base, &mut plan);
        let because = self.why(view, link, &differences);
        plan.record = differences.record;
        plan = self.update(view, differences.write, because, plan);
        if view.object.kind == ObjectKind::Group && self.manages_members() {
            let there = self.members_to_compare(view, observed);
            let mut diff = membership_diff::compare(&view.members, there.as_ref(), &view.member_owners);
            if self.forced {
                // Asked for: not drift that a policy decides on.
                diff.not_drift(&Reason::TargetDiffers);
            }
            plan = self.memberships(view, diff, plan);
        }
        if view.references_kept > 0 {
            plan = plan.omit(Omission::ReferencesStay {
                count: view.references_kept,
            });
        }
        if plan.operations.is_empty() && plan.omissions.is_empty() {
            plan = plan.omit(Omission::Unchanged);
        }
        plan
    }

    /// What a linked object is compared with.
    pub(in crate::reconcile) fn base<'v>(
        &self,
        view: &'v ObjectView,
        desired: &Desired,
        link: &'v Link,
    ) -> Base<'v> {
        let observed = match &view.target {
            TargetReading::Held(body) => Some(body),
            _ => None,
        };
        Base {
            sent: &link.sent,
            kept: &link.kept,
            observed,
            repair: self.forced,
            enables: self.enables(view, desired, link),
            written: &view.since.written,
        }
    }

    /// The mapping's say on this object.
    pub(in crate::reconcile) fn desired(&self, view: &ObjectView) -> Desired {
        desired_in(self.context, self.mapping, &view.object, &facts(view))
    }

    /// True when the mapping has a row for a group's members.
    pub(in crate::reconcile) fn manages_members(&self) -> bool {
        self.mapping
            .group
            .iter()
            .any(|row| row.reference == Some(names::Reference::Members))
    }

    /// True while the manager is still to be created in this cycle, so that it can ride in the request.
    pub(in crate::reconcile) fn waits_for_manager(&self, view: &ObjectView) -> bool {
        !self.settle_references && view.manager == Reference::Pending && self.manager_row(view).is_some()
    }

    /// True when managers are sent at all.
    #[must_use]
    pub fn sends_managers(&self) -> bool {
        self.mapping
            .reference_row(ObjectKind::User)
            .is_some_and(|(_, row)| self.is_supported(ObjectKind::User, row))
    }

    /// The row of references of a user: its manager.
    pub(in crate::reconcile) fn manager_row(&self, view: &ObjectView) -> Option<&Row> {
        self.mapping
            .rows(view.object.kind)
            .iter()
            .find(|row| row.reference == Some(names::Reference::Manager))
            .filter(|row| self.is_supported(view.object.kind, row))
    }

    /// False for a row whose target attribute the target's schema does not take.
    pub(in crate::reconcile) fn is_supported(&self, kind: ObjectKind, row: &Row) -> bool {
        !self.unsupported.contains(kind, row.target.as_str())
    }

    /// Every attribute that differs from the base.
    pub(in crate::reconcile) fn differences(
        &self,
        view: &ObjectView,
        desired: &Desired,
        base: &Base<'_>,
        plan: &mut ObjectPlan,
    ) -> Differences {
        let rows = self.mapping.rows(view.object.kind);
        let mut differences = Differences::default();
        for (row, value) in desired
            .with_rows(rows)
            .filter(|(row, _)| self.is_supported(view.object.kind, row))
        {
            match value {
                DesiredValue::Unknown { missing } => {
                    plan.omissions.push(Omission::PropertyUnread {
                        property: missing.clone(),
                    });
                }
                DesiredValue::Failed { message } => plan.omissions.push(Omission::ExpressionFailed {
                    attribute: row.target.as_str().to_owned(),
                    message: message.clone(),
                }),
                _ => {
                    if let Some(want) = value.on_update() {
                        let heals = self.heals(&row.target, row.drift);
                        differences.attribute(&row.target, want, want.clone(), base, heals);
                    }
                }
            }
        }
        self.mappingless_active(view, base, &mut differences);
        self.manager(view, base, &mut differences, plan);
        self.leave_refused(view, &mut differences, plan);
        differences
    }

    /// Without an `active` row in the mapping, an account disabled at the source is disabled all the same,
    /// and enabled again when it was we who disabled it (docs/design/matching.md).
    fn mappingless_active(&self, view: &ObjectView, base: &Base<'_>, differences: &mut Differences) {
        if view.object.kind != ObjectKind::User || self.active_row().is_some() {
            return;
        }
        let Some(enabled) = known_enabled(view) else {
            return;
        };
        if !enabled || sent_active(base.sent, ACTIVE) == Some(false) {
            let path = TargetPath::active();
            let want = Value::Bool(enabled);
            let heals = self.heals(path, None);
            differences.attribute(path, &want, want.clone(), base, heals);
        }
    }

    fn manager(
        &self,
        view: &ObjectView,
        base: &Base<'_>,
        differences: &mut Differences,
        plan: &mut ObjectPlan,
    ) {
        let Some(row) = self.manager_row(view) else { return };
        let shown = view
            .object
            .manager
            .map_or(Value::Null, |id| Value::text(id.to_string()));
        let want = match &view.manager {
            Reference::Linked(target) | Reference::Expected(Some(target)) => Value::text(target.as_str()),
            // Its resource is made by this cycle; whatever its id will be, it is none that was sent before.
            Reference::Expected(None) => Value::text(""),
            Reference::None | Reference::Gone | Reference::Out => Value::Null,
            Reference::Absent => {
                plan.skipped_references += 1;
                Value::Null
            }
            Reference::Pending => {
                plan.skipped_references += 1;
                plan.pending_references += 1;
                // Whether it gets the same resource again, or another, is not known before its turn came.
                if !self.settle_references && base.sent.get(row.target.as_str()).is_some() {
                    return;
                }
                Value::Null
            }
        };
        if view.manager == Reference::Expected(None) {
            let before = base.sent.get(row.target.as_str()).cloned().unwrap_or_default();
            differences.write.push(Change {
                attribute: row.target.name().clone(),
                before,
                after: shown,
            });
        } else {
            let after = if want.is_null() { Value::Null } else { shown };
            let heals = self.heals(&row.target, row.drift);
            differences.attribute(&row.target, &want, after, base, heals);
        }
    }

    /// The attribute part of a plan: one PATCH, named by what it does to `active`.
    pub(in crate::reconcile) fn update(
        &self,
        view: &ObjectView,
        mut changes: Vec<Change>,
        because: Reason,
        mut plan: ObjectPlan,
    ) -> ObjectPlan {
        if changes.is_empty() {
            return plan;
        }
        let (verb, because) = self.verb_of(view, &changes, because);
        if !self.policy.update {
            plan = plan.omit(Omission::SwitchedOff {
                setting: "provisioning.update",
            });
            changes.retain(|change| self.is_active(&change.attribute) && verb == Verb::DisableUser);
            if changes.is_empty() {
                return plan;
            }
        }
        self.with(plan, view, verb, because, changes)
    }

    /// `active` as the mapping writes it: the name under which what was sent is remembered.
    pub(in crate::reconcile) fn active(&self) -> &str {
        self.active_row().map_or(ACTIVE, |row| row.target.as_str())
    }

    pub(in crate::reconcile) fn is_active(&self, attribute: &str) -> bool {
        attribute.eq_ignore_ascii_case(ACTIVE) || attribute == self.active()
    }

    fn active_row(&self) -> Option<&Row> {
        self.mapping.user.iter().find(|row| row.target.is_core(ACTIVE))
    }

    /// True when this plan sets `active` of a user whom we had disabled.
    fn enables(&self, view: &ObjectView, desired: &Desired, link: &Link) -> bool {
        if view.object.kind != ObjectKind::User || sent_active(&link.sent, self.active()) != Some(false) {
            return false;
        }
        match self.mapping.core_row(ObjectKind::User, ACTIVE) {
            Some((number, _)) => desired
                .row(number)
                .and_then(DesiredValue::on_update)
                .is_some_and(|want| want.as_bool() == Some(true)),
            None => known_enabled(view) == Some(true),
        }
    }

    /// Members whose turn was to come: once nothing is waited for any more, they are left out like the others
    /// that are not at the target.
    pub(in crate::reconcile) const fn note_pending(&self, pending: u64, plan: &mut ObjectPlan) {
        if self.settle_references {
            plan.skipped_references += pending;
        } else {
            plan.pending_references += pending;
        }
    }

    /// The membership part of a plan: removals, then additions.
    pub(in crate::reconcile) fn memberships(
        &self,
        view: &ObjectView,
        mut diff: MembershipDiff,
        mut plan: ObjectPlan,
    ) -> ObjectPlan {
        let policies = [
            self.policy.on_soft_delete,
            self.policy.on_hard_delete,
            self.policy.on_out_of_scope,
        ];
        if policies.contains(&OnRemoval::Keep) {
            // Users who are kept are not counted themselves, so their memberships must be.
            diff.remove.iter_mut().for_each(|member| member.with_user = false);
        }
        self.leave_refused_members(view, &mut diff, &mut plan);
        plan.members_held = diff.sent + diff.found.len() as u64;
        plan.skipped_references += diff.skipped;
        self.note_pending(diff.pending, &mut plan);
        let moves = !(diff.add.is_empty() && diff.remove.is_empty());
        if moves && !self.policy.update {
            return plan.omit(Omission::SwitchedOff {
                setting: "provisioning.update",
            });
        }
        for (verb, members) in [(Verb::RemoveMember, diff.remove), (Verb::AddMember, diff.add)] {
            if !members.is_empty() {
                let because = Reason::of_members(&members);
                let mut operation = self.operation(view, verb, because, Vec::new());
                operation.members = members;
                plan.operations.push(operation);
            }
        }
        plan
    }
}

/// What the mapping's expressions are told beside the object's own attributes.
pub(in crate::reconcile) fn facts(view: &ObjectView) -> Facts {
    let out = matches!(view.scope, Standing::Out { .. });
    let soft_deleted = view.object.kind == ObjectKind::User && (out || !view.object.account_enabled());
    Facts { soft_deleted }
}

fn sent_active(sent: &Attributes, name: &str) -> Option<bool> {
    sent.get(name).and_then(Value::as_bool)
}

/// Whether the account is enabled; `None` when that was never read.
fn known_enabled(view: &ObjectView) -> Option<bool> {
    let read = view.object.attribute("accountEnabled")?;
    Some(read.as_bool().unwrap_or(true))
}

/// The members of a view that can go into a create, for a group that has no resource yet.
#[must_use]
pub(in crate::reconcile) fn all_members(members: &[MemberView]) -> (Vec<Member>, u64, u64) {
    let diff = membership_diff::compare(members, None, &BTreeMap::new());
    (diff.add, diff.skipped, diff.pending)
}

#[cfg(test)]
mod tests;
