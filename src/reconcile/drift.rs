//! Drift: where a linked resource, as it was read, is not what we last left there. Pure.
//!
//! The comparison is the planner's own ([`crate::reconcile::forward::three_way`]): what is called drift here is what the plan heals, or
//! leaves because the policy says report. A change of the source is no drift.

use super::operation::Change;
use super::policy::GroupRemoval;
use super::policy::OnRemoval;
use super::scope::Standing;
use super::shown_members::ShownMembers;
use super::shown_members::members_of;
use crate::mapping::Drift as OnDrift;
use crate::mapping::TargetPath;
use crate::mapping::names;
use crate::model::id::ObjectKind;
use crate::model::id::SourceId;
use crate::model::link::Link;
use crate::model::name::Name;
use crate::model::object::Life;
use crate::model::object::Removed;
use crate::model::value::Value;
use crate::reconcile::forward::membership_diff;
use crate::reconcile::forward::plan::ObjectPlan;
use crate::reconcile::forward::plan::Planner;
use crate::reconcile::forward::view::ObjectView;
use crate::reconcile::forward::view::Reference;
use crate::reconcile::forward::view::TargetReading;

/// One attribute that holds another value than the target kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AttributeDrift {
    /// Target path, as the mapping writes it.
    pub attribute: Name,
    /// What the target holds; `Null` for nothing.
    pub held: Value,
    /// What it kept of what was sent.
    pub kept: Value,
    /// What the source wants; a manager by its source id.
    pub wanted: Value,
    /// The source changed too: its value is written, and what the target holds is lost.
    pub conflict: bool,
    /// It is put right by this cycle.
    pub heals: bool,
}

impl AttributeDrift {
    /// Of a change that would put it right.
    pub(super) fn of(change: &Change, kept: Option<&Value>, conflict: bool, heals: bool) -> Self {
        Self {
            attribute: change.attribute.clone(),
            held: change.before.clone(),
            kept: kept.cloned().unwrap_or_default(),
            wanted: change.after.clone(),
            conflict,
            heals,
        }
    }
}

/// What the reading of one linked resource says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Drift {
    /// Class `modified`.
    pub attributes: Vec<AttributeDrift>,
    /// Class `membership`: members that were sent, and are not there.
    pub lacking: Vec<SourceId>,
    /// Class `membership`: linked users there who are not in the source's group.
    pub extra: Vec<SourceId>,
    /// True when memberships are put right by this cycle.
    pub heals_members: bool,
    /// Class `orphaned`: the source object is gone, and the resource is not as the policy leaves it.
    pub orphaned: bool,
    /// Values that somebody else wrote as our mapping makes them: what the target kept before, and what is there.
    pub foreign: Vec<Change>,
    /// What the target kept, where that was not known: `None` is what was sent.
    pub filled: Vec<(Name, Option<Value>)>,
    /// Of the members that the target did not keep as they were healed, those that it still holds as then.
    pub not_kept: Vec<(SourceId, bool)>,
}

impl Drift {
    /// True when there is nothing to report.
    #[must_use]
    pub const fn is_none(&self) -> bool {
        self.attributes.is_empty() && self.lacking.is_empty() && self.extra.is_empty() && !self.orphaned
    }

    /// True when this cycle is to put something of it right.
    #[must_use]
    pub fn heals(&self) -> bool {
        let members = !(self.lacking.is_empty() && self.extra.is_empty());
        self.attributes
            .iter()
            .any(|attribute| attribute.heals && !attribute.conflict)
            || (self.heals_members && members)
    }
}

impl Planner<'_> {
    /// Compares a linked object with the reading in its view. None where it was not read, or must not be judged.
    #[must_use]
    pub fn drift(&self, view: &ObjectView) -> Drift {
        let (Some(link), TargetReading::Held(_)) = (&view.link, &view.target) else {
            return Drift::default();
        };
        if view.intent_open || self.is_protected(view) {
            return Drift::default();
        }
        match (view.object.life, &view.scope) {
            (Life::Gone(removed), _) => self.drift_of_gone(view, link, removed),
            (Life::Missing | Life::Unknown, _) | (_, Standing::Unknown { .. }) => Drift::default(),
            (Life::Alive, Standing::Out { .. }) => Drift {
                attributes: self.enabled_again(view, link, self.policy.on_out_of_scope),
                ..Drift::default()
            },
            (Life::Alive, Standing::In | Standing::Leaving { .. }) => self.drift_of_ours(view, link),
        }
    }

    fn drift_of_ours(&self, view: &ObjectView, link: &Link) -> Drift {
        let desired = self.desired(view);
        let base = self.base(view, &desired, link);
        // What keeps an attribute from being planned is said by the plan.
        let mut unsaid = ObjectPlan::new(view);
        let differences = self.differences(view, &desired, &base, &mut unsaid);
        let mut drift = Drift {
            attributes: differences.drift,
            foreign: differences.foreign,
            filled: differences.filled,
            ..Drift::default()
        };
        if view.object.kind == ObjectKind::Group && self.manages_members() {
            self.membership_drift(view, &mut drift);
        }
        drift
    }

    fn membership_drift(&self, view: &ObjectView, drift: &mut Drift) {
        let TargetReading::Held(body) = &view.target else {
            return;
        };
        let there = members_of(body);
        let diff = membership_diff::compare(&view.members, Some(&there), &view.member_owners);
        let drifted = |members: &[super::operation::Member]| -> Vec<SourceId> {
            let ids = members.iter().map(|member| member.source);
            ids.filter(|id| diff.drift.contains(id) && !view.since.missing.contains(id))
                .collect()
        };
        let (lacking, extra) = (drifted(&diff.add), drifted(&diff.remove));
        let not_kept = &view.since.not_kept;
        let known = |held: bool| move |id: &SourceId| not_kept.get(id) == Some(&held);
        drift
            .not_kept
            .extend(lacking.iter().copied().filter(known(false)).map(|id| (id, false)));
        drift
            .not_kept
            .extend(extra.iter().copied().filter(known(true)).map(|id| (id, true)));
        drift.lacking = lacking.into_iter().filter(|id| !known(false)(id)).collect();
        drift.extra = extra.into_iter().filter(|id| !known(true)(id)).collect();
        drift.heals_members = self.heals_members();
    }

    /// What was disabled because it left, and is enabled at the target.
    fn enabled_again(&self, view: &ObjectView, link: &Link, policy: OnRemoval) -> Vec<AttributeDrift> {
        let was_disabled = link.sent.get(self.active()).and_then(Value::as_bool) == Some(false);
        let user = view.object.kind == ObjectKind::User;
        if !user || policy != OnRemoval::Disable || !was_disabled || self.is_disabled(view, link) {
            return Vec::new();
        }
        vec![AttributeDrift {
            attribute: self.active().into(),
            held: Value::Bool(true),
            kept: Value::Bool(false),
            wanted: Value::Bool(false),
            conflict: false,
            heals: true,
        }]
    }

    /// The source object is gone. A user who is disabled, or a group that is emptied, as the policy says, is as it
    /// should be.
    fn drift_of_gone(&self, view: &ObjectView, link: &Link, removed: Removed) -> Drift {
        let policy = match removed {
            Removed::SoftDeleted => self.policy.on_soft_delete,
            Removed::HardDeleted => self.policy.on_hard_delete,
        };
        let stays = match view.object.kind {
            ObjectKind::User => policy == OnRemoval::Disable,
            ObjectKind::Group => self.policy.groups.on_delete == GroupRemoval::Empty,
        };
        Drift {
            attributes: self.enabled_again(view, link, policy),
            orphaned: !stays,
            ..Drift::default()
        }
    }

    // ---------------------------------------------------------------------------------------- the plan's part

    /// True when drift of this attribute is put right.
    pub(super) fn heals(&self, target: &TargetPath, own: Option<OnDrift>) -> bool {
        self.policy.update && self.policy.drift.heals(target, own)
    }

    fn heals_members(&self) -> bool {
        let row = self
            .mapping
            .group
            .iter()
            .find(|row| row.reference == Some(names::Reference::Members));
        self.policy.update && self.policy.drift.heals_members(row.and_then(|row| row.drift))
    }

    /// The members at the target that a plan compares with: none where their drift is only reported. What the target
    /// did not keep before counts as kept.
    pub(super) fn members_to_compare(
        &self,
        view: &ObjectView,
        observed: Option<&serde_json::Value>,
    ) -> Option<ShownMembers> {
        if !(self.forced || self.heals_members()) {
            return None;
        }
        let mut shown = members_of(observed?);
        if self.forced {
            return Some(shown);
        }
        let missing = view.since.missing.iter().map(|id| (id, &false));
        for (id, held) in view.since.not_kept.iter().chain(missing) {
            let member = view.members.iter().find(|member| member.id == *id);
            match (held, member.map(|member| (&member.sent, &member.state))) {
                (false, Some((Some(sent), Reference::Linked(_)))) => {
                    shown.there.insert(sent.clone());
                }
                (true, _) => shown
                    .there
                    .retain(|target| view.member_owners.get(target) != Some(id)),
                (false, _) => {}
            }
        }
        Some(shown)
    }
}

#[cfg(test)]
mod tests;
