//! `[jobs.NAME.provisioning]`: the mapping, and the policy that planner and guard follow.

use std::time::Duration;

use crate::mapping::Names;
use crate::mapping::names;
use crate::mapping::names::Access;
use crate::model::id::ObjectKind;
use crate::reconcile::policy::GroupPolicy;
use crate::reconcile::policy::Policy;

use super::drift;
use super::section::{Field, Section};

/// The mapping and the rules of a job.
#[derive(Debug, Clone, PartialEq)]
pub struct Provisioning {
    /// The mapping's name, as written: a preset (`idmelon`, `idmelon@1`) or a file `config/mappings/NAME.toml`.
    pub mapping: String,
    /// The first gap of an entry in escrow; it doubles up to 24 hours.
    pub escrow_first_retry: Duration,
    /// The rules.
    pub policy: Policy,
}

impl Provisioning {
    /// The default first gap.
    pub const ESCROW_FIRST_RETRY: Duration = Duration::from_secs(5 * 60);

    pub(super) fn read(mut section: Section<'_>, default_mapping: &str) -> Self {
        let standard = Policy::default();
        let mapping = section
            .get("mapping")
            .and_then(|field| match field.text(default_mapping)?.trim() {
                "" => field.bad(
                    "is empty",
                    "name a preset, such as \"idmelon\", or a file under config/mappings",
                ),
                name => Some(name.to_owned()),
            });
        let policy = Policy {
            create: section.flag("create", standard.create),
            update: section.flag("update", standard.update),
            on_soft_delete: section.word("on_soft_delete", standard.on_soft_delete),
            on_hard_delete: section.word("on_hard_delete", standard.on_hard_delete),
            on_out_of_scope: section.word("on_out_of_scope", standard.on_out_of_scope),
            adopt: section.word("adopt", standard.adopt),
            rehire_by: section.get("rehire_by").and_then(|field| property(&field)),
            deletion_threshold: section.threshold("deletion_threshold", standard.deletion_threshold),
            membership_removal_threshold: section.threshold(
                "membership_removal_threshold",
                standard.membership_removal_threshold,
            ),
            identity_change_threshold: section
                .threshold("identity_change_threshold", standard.identity_change_threshold),
            creation_threshold: section.threshold_or_none("creation_threshold"),
            guard_window: section.duration("guard_window", standard.guard_window),
            unmanaged: section.word("unmanaged", standard.unmanaged),
            drift: section
                .get("drift")
                .and_then(|field| drift::read(&field))
                .unwrap_or_default(),
            refresh_within: section.duration("refresh_within", standard.refresh_within),
            protect: section.texts("protect", "[\"breakglass@corp.example\"]"),
            groups: groups(section.child("groups"), &standard.groups),
        };
        let escrow_first_retry = section.duration("escrow_first_retry", Self::ESCROW_FIRST_RETRY);
        section.finish();
        Self {
            mapping: mapping.unwrap_or_else(|| default_mapping.to_owned()),
            escrow_first_retry,
            policy,
        }
    }
}

/// Reads a user's property that holds one value of its own.
fn property(field: &Field<'_>) -> Option<String> {
    let name = field.text("employeeId")?;
    match names::resolve(Names::Of(ObjectKind::User), name) {
        Ok(attribute) if attribute.access == Access::Whole => Some(attribute.property.into()),
        Ok(_) => field.bad(
            &format!("= \"{name}\" has no value of its own"),
            "name a property that is one person's, such as \"employeeId\"",
        ),
        Err(near) => field.bad(
            &format!("= \"{name}\" is no property of a user"),
            near.map_or_else(
                || "name a property that is one person's, such as \"employeeId\"".to_owned(),
                |near| format!("did you mean \"{near}\"?"),
            ),
        ),
    }
}

fn groups(mut section: Section<'_>, standard: &GroupPolicy) -> GroupPolicy {
    let policy = GroupPolicy {
        on_out_of_scope: section.word("on_out_of_scope", standard.on_out_of_scope),
        adopt: section.word("adopt", standard.adopt),
        on_delete: section.word("on_delete", standard.on_delete),
        delete_after: section.duration("delete_after", standard.delete_after),
        deletion_threshold: section.threshold("deletion_threshold", standard.deletion_threshold),
    };
    section.finish();
    policy
}
