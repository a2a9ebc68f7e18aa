//! An object without a link: adopted, created, or neither, and why.

use std::collections::BTreeMap;

use crate::mapping::Desired;
use crate::mapping::DesiredValue;
use crate::mapping::path::TargetPath;
use crate::mapping::resource::read_path;
use crate::model::id::ObjectKind;
use crate::model::value::Attributes;
use crate::model::value::Value;
use crate::reconcile::explain::omission::Omission;
use crate::reconcile::forward::changes::Base;
use crate::reconcile::forward::changes::all_members;
use crate::reconcile::forward::matching::EXTERNAL_ID;
use crate::reconcile::forward::matching::Key;
use crate::reconcile::forward::matching::Pairing;
use crate::reconcile::forward::matching::beside;
use crate::reconcile::forward::matching::pair;
use crate::reconcile::forward::membership_diff;
use crate::reconcile::forward::plan::ObjectPlan;
use crate::reconcile::forward::plan::Planner;
use crate::reconcile::forward::view::Absence;
use crate::reconcile::forward::view::Candidate;
use crate::reconcile::forward::view::ObjectView;
use crate::reconcile::forward::view::Reference;
use crate::reconcile::forward::view::TargetReading;
use crate::reconcile::operation::Change;
use crate::reconcile::operation::Reason;
use crate::reconcile::operation::Verb;
use crate::reconcile::policy::Adopt;
use crate::reconcile::policy::AdoptGroup;
use crate::reconcile::scope::Standing;
use crate::reconcile::shown_members::members_of;

impl Planner<'_> {
    /// Plans an object that lives and has no link.
    pub(in crate::reconcile) fn unlinked(&self, view: &ObjectView, plan: ObjectPlan) -> ObjectPlan {
        let desired = self.desired(view);
        let keys = match self.keys(view, &desired) {
            Ok(keys) => keys,
            Err(finding) => return plan.omit(finding),
        };
        let TargetReading::Candidates { found, absence } = &view.target else {
            let mut plan = plan;
            plan.need = Some(keys);
            return plan;
        };
        let ours = self.our_external_ids(view, &desired);
        if let Some(candidate) = found.iter().find(|candidate| candidate.rehires.is_some()) {
            return self.rehire(view, &desired, candidate, found, plan);
        }
        let adopt = self.adopts(view.object.kind);
        match pair(&keys, &ours, found, absence, adopt, view.object.id) {
            Pairing::Refused(finding) => plan.omit(finding),
            Pairing::Found { candidate, .. } if self.is_protected_resource(candidate) => {
                plan.omit(Omission::Protected)
            }
            Pairing::Found { candidate, by } => {
                let alike = self.alike(view, candidate, &by);
                let because = alike.map_or(Reason::Matched { by }, Reason::Alike);
                self.adopt(view, &desired, candidate, because, plan)
            }
            Pairing::None(absence) => self.create(view, &desired, absence, plan),
        }
    }

    /// Which resources objects of this kind may take over.
    const fn adopts(&self, kind: ObjectKind) -> Adopt {
        match (kind, self.policy.groups.adopt) {
            (ObjectKind::User, _) | (ObjectKind::Group, AdoptGroup::Review) => self.policy.adopt,
            (ObjectKind::Group, AdoptGroup::Never) => Adopt::Never,
            (ObjectKind::Group, AdoptGroup::Unclaimed) => match self.policy.adopt {
                Adopt::Never => Adopt::Never,
                Adopt::Unclaimed | Adopt::Any => Adopt::Unclaimed,
            },
        }
    }

    /// Takes over the resource of a deleted or disabled object with the same value, unless another resource is this
    /// object's by matching: then it would have two.
    fn rehire(
        &self,
        view: &ObjectView,
        desired: &Desired,
        candidate: &Candidate,
        found: &[Candidate],
        plan: ObjectPlan,
    ) -> ObjectPlan {
        let by = self.policy.rehire_by.clone().unwrap_or_default();
        if self.is_protected_resource(candidate) {
            return plan.omit(Omission::Protected);
        }
        let keys = self.keys(view, desired).unwrap_or_default();
        if let Some((other, key)) = beside(&candidate.id, &keys, found) {
            return plan.omit(Omission::Ambiguous {
                by: format!("{by} or {}", key.path.as_str()),
                targets: vec![candidate.id.clone(), other.id.clone()],
            });
        }
        let from = candidate.rehires.unwrap_or(view.object.id);
        let because = Reason::Rehired { by, from };
        self.adopt(view, desired, candidate, because, plan)
    }

    /// The keys to look the object up by: externalId = objectId, then the matching attributes that have a value.
    ///
    /// # Errors
    /// A finding, when no matching attribute has a value or one was never read.
    fn keys(&self, view: &ObjectView, desired: &Desired) -> Result<Vec<Key>, Omission> {
        let external = TargetPath::external_id().clone();
        let mut keys = vec![Key {
            path: external,
            value: Value::text(view.object.id.to_string()),
        }];
        let rows = self.mapping.rows(view.object.kind);
        let mut first = None;
        for row in self.mapping.matching(view.object.kind) {
            let number = rows.iter().position(|other| other.target == row.target);
            first.get_or_insert_with(|| row.target.as_str().to_owned());
            match number.and_then(|number| desired.row(number)) {
                Some(DesiredValue::Unknown { missing }) => {
                    return Err(Omission::PropertyUnread {
                        property: missing.clone(),
                    });
                }
                Some(DesiredValue::Failed { message }) => {
                    let attribute = row.target.as_str().to_owned();
                    return Err(Omission::ExpressionFailed {
                        attribute,
                        message: message.clone(),
                    });
                }
                Some(value) => {
                    if let Some(value) = value.on_create().filter(|value| !value.is_unassigned()) {
                        keys.push(Key {
                            path: row.target.clone(),
                            value: value.clone(),
                        });
                    }
                }
                None => {}
            }
        }
        match (keys.len(), first) {
            (1, Some(attribute)) => Err(Omission::NoMatchingValue { attribute }),
            _ => Ok(keys),
        }
    }

    /// The keys to look an object up by, for whoever reads the target on the planner's behalf.
    ///
    /// # Errors
    /// A finding, when no matching attribute has a value or one was never read.
    pub fn match_keys(&self, view: &ObjectView) -> Result<Vec<Key>, Omission> {
        // Whoever is not ours claims no resource either.
        match &view.scope {
            Standing::In | Standing::Leaving { .. } => {}
            Standing::Out { because } => {
                return Err(Omission::OutOfScope {
                    why: because.to_string(),
                    then: "not at the target",
                });
            }
            Standing::Unknown { missing } => {
                return Err(Omission::ScopeUnknown {
                    missing: missing.clone(),
                });
            }
        }
        self.keys(view, &self.desired(view))
    }

    /// A resource of a protected name is not taken over, whoever matches it.
    fn is_protected_resource(&self, candidate: &Candidate) -> bool {
        ["userName", "displayName"]
            .iter()
            .filter_map(|name| candidate.body.get(name))
            .any(|name| self.protects(&Value::from_json(name)))
    }

    fn our_external_ids(&self, view: &ObjectView, desired: &Desired) -> Vec<Value> {
        let rows = self.mapping.rows(view.object.kind);
        let mapped = desired
            .with_rows(rows)
            .find(|(row, _)| row.target.is_core(EXTERNAL_ID))
            .and_then(|(_, value)| value.on_create().cloned());
        let mut ours = vec![Value::text(view.object.id.to_string())];
        ours.extend(mapped.filter(|value| !value.is_unassigned()));
        // What Azure's own provisioning writes where its mapping was left as it comes.
        let nickname = view.object.attribute("mailNickname").cloned();
        ours.extend(nickname.filter(|value| !value.is_unassigned()));
        ours
    }

    fn adopt(
        &self,
        view: &ObjectView,
        desired: &Desired,
        candidate: &Candidate,
        because: Reason,
        plan: ObjectPlan,
    ) -> ObjectPlan {
        if self.waits_for_manager(view) {
            return plan.omit(Omission::WaitsForManager);
        }
        let mut plan = plan;
        let nothing = Attributes::new();
        let none_kept = BTreeMap::new();
        let base = Base {
            sent: &nothing,
            kept: &none_kept,
            observed: Some(&candidate.body),
            repair: true,
            enables: false,
            written: &[],
        };
        let mut differences = self.differences(view, desired, &base, &mut plan);
        differences
            .write
            .extend(self.left_behind(view, desired, candidate));
        let link_verb = Verb::link(view.object.kind);
        let mut link = self.operation(view, link_verb, because, differences.record);
        link.target = Some(candidate.id.clone());
        let manages = view.object.kind == ObjectKind::Group && self.manages_members();
        let diff = manages.then(|| {
            let there = members_of(&candidate.body);
            let mut diff = membership_diff::compare(&view.members, Some(&there), &view.member_owners);
            // Whatever it holds, nothing of it was ever ours to drift from.
            diff.not_drift(&Reason::AdoptedDiffers);
            diff
        });
        link.members = diff.as_ref().map(|diff| diff.found.clone()).unwrap_or_default();
        plan.operations.push(link);
        plan = self.update(view, differences.write, Reason::AdoptedDiffers, plan);
        if let Some(diff) = diff {
            plan = self.memberships(view, diff, plan);
        }
        for operation in &mut plan.operations {
            operation.target = Some(candidate.id.clone());
        }
        plan
    }

    /// What the resource holds of the person who had it before, and this one has no value for. At an adoption null leaves the
    /// target's own value; but this one we sent, and it is another person's title and manager.
    fn left_behind(&self, view: &ObjectView, desired: &Desired, candidate: &Candidate) -> Vec<Change> {
        if candidate.sent.is_empty() {
            return Vec::new();
        }
        let rows = self.mapping.rows(view.object.kind);
        let has_none = |value: &DesiredValue| value.on_update().is_some_and(Value::is_unassigned);
        let nulls = desired.with_rows(rows).filter(|(_, value)| has_none(value));
        let refers = matches!(view.manager, Reference::Linked(_) | Reference::Expected(_));
        let manager = self.manager_row(view).filter(|_| !refers);
        let rows = nulls.map(|(row, _)| row).chain(manager);
        rows.filter(|row| {
            candidate.sent.get(row.target.as_str()).is_some() && self.is_supported(view.object.kind, row)
        })
        .filter_map(|row| {
            Some(Change {
                attribute: row.target.name().clone(),
                before: read_path(&candidate.body, &row.target)?,
                after: Value::Null,
            })
        })
        .collect()
    }

    fn create(
        &self,
        view: &ObjectView,
        desired: &Desired,
        absence: &Absence,
        plan: ObjectPlan,
    ) -> ObjectPlan {
        if view.object.kind == ObjectKind::User && !view.object.account_enabled() {
            return plan.omit(Omission::DisabledAtSource);
        }
        if !self.policy.create {
            return plan.omit(Omission::SwitchedOff {
                setting: "provisioning.create",
            });
        }
        let proof = match (absence, view.object.kind) {
            (Absence::Proven(how), _) => how.clone(),
            (Absence::Unproven(why), ObjectKind::User) => {
                format!("unproven ({why}); the target's own uniqueness of userName decides")
            }
            (Absence::Unproven(why), ObjectKind::Group) => {
                return plan.omit(Omission::AbsenceUnproven { why: why.clone() });
            }
        };
        if self.waits_for_manager(view) {
            return plan.omit(Omission::WaitsForManager);
        }
        let because = if view.lost {
            Reason::MissingAtTarget
        } else {
            Reason::New { absence: proof }
        };
        let mut plan = plan;
        let changes = self.initial_attributes(view, desired, &mut plan);
        let create = Verb::create(view.object.kind);
        let mut plan = self.with(plan, view, create, because, changes);
        if view.object.kind == ObjectKind::Group && self.manages_members() {
            let (members, skipped, pending) = all_members(&view.members);
            plan.skipped_references += skipped;
            self.note_pending(pending, &mut plan);
            if !members.is_empty() {
                let mut operation = self.operation(view, Verb::AddMember, Reason::MemberJoined, Vec::new());
                operation.members = members;
                plan.operations.push(operation);
            }
        }
        plan
    }

    /// Everything that a create carries: values that are not empty, and the manager where it is known.
    fn initial_attributes(&self, view: &ObjectView, desired: &Desired, plan: &mut ObjectPlan) -> Vec<Change> {
        let rows = self.mapping.rows(view.object.kind);
        let mut changes = Vec::with_capacity(rows.len());
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
                    if let Some(after) = value.on_create().filter(|value| !value.is_unassigned()) {
                        changes.push(Change {
                            attribute: row.target.name().clone(),
                            before: Value::Null,
                            after: after.clone(),
                        });
                    }
                }
            }
        }
        if let (Some(row), Some(manager)) = (self.manager_row(view), view.object.manager) {
            match view.manager {
                Reference::Linked(_) | Reference::Expected(_) => changes.push(Change {
                    attribute: row.target.name().clone(),
                    before: Value::Null,
                    after: Value::text(manager.to_string()),
                }),
                Reference::Absent => plan.skipped_references += 1,
                Reference::Pending => {
                    plan.skipped_references += 1;
                    plan.pending_references += 1;
                }
                Reference::None | Reference::Gone | Reference::Out => {}
            }
        }
        changes
    }
}

#[cfg(test)]
mod tests;
