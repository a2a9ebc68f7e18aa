//! Whether Azure's job and ours are about the same objects, and do the same with whoever leaves: filters, kinds that are switched off,
//! who is assigned, and deletions of those who are out of scope. What Azure does not show is named as unseen, and is never the same.

use crate::mapping::Filter;
use crate::mapping::entra_schema::Setting;
use crate::model::azure_job::AzureJob;
use crate::model::id::ObjectKind;
use crate::reconcile::policy::OnRemoval;
use crate::reconcile::scope::Guests;
use crate::settings::job::Job;
use crate::settings::source::Scope;

/// The setting of Azure's job by which nothing is done to whoever leaves the scope.
const SKIP: &str = "SkipOutOfScopeDeletions";
/// The setting by which everybody is provisioned, assigned or not.
const ALL: &str = "SyncAll";

/// How the scopes compare.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ScopeCompared {
    /// What is other here than in Azure's job, in words.
    pub differs: Vec<String>,
    /// What Azure does not show.
    pub unseen: Vec<&'static str>,
}

/// Compares the scope of a job with that of Azure's, whose schema came to these settings.
#[must_use]
pub fn compared(imported: &[Setting], azure: &AzureJob, ours: &Job) -> ScopeCompared {
    let mut found = ScopeCompared::default();
    let says = |key: &str, value: &str| imported.iter().any(|one| one.key == key && one.value == value);
    let (source, policy) = (&ours.source, &ours.provisioning.policy);
    let filters = [
        (ObjectKind::User, "user_filter", &source.rules.user_filter),
        (ObjectKind::Group, "group_filter", &source.rules.group_filter),
    ];
    for (kind, key, held) in filters {
        let theirs = imported.iter().find(|one| one.key == key);
        let same = match (theirs, held) {
            (None, None) => true,
            (Some(theirs), Some(held)) => filter(kind, &theirs.value).is_some_and(|filter| filter == *held),
            _ => false,
        };
        if !same {
            let theirs = theirs.map_or("none", |one| one.value.as_str());
            found.differs.push(format!("`{key}`, which is {theirs} at Azure"));
        }
    }
    for (key, ours) in [
        ("users", source.users),
        ("groups", source.groups),
        ("create", policy.create),
        ("update", policy.update),
    ] {
        let theirs = !says(key, "false");
        if theirs != ours {
            found.differs.push(format!("`{key}`, which is {theirs} at Azure"));
        }
    }
    if source.rules.guests != Guests::Include {
        found
            .differs
            .push("`guests`, whom Azure does not leave out".to_owned());
    }
    leavers(&mut found, imported, azure, ours);
    match flag(azure, ALL) {
        None => found.unseen.push("whether everybody or only who is assigned"),
        Some(all) if all != (source.scope == Scope::All) => {
            let theirs = if all { "all" } else { "assigned" };
            found
                .differs
                .push(format!("`scope`, which is \"{theirs}\" at Azure"));
        }
        Some(_) => {}
    }
    found
}

/// Compares what is done with users who leave.
fn leavers(found: &mut ScopeCompared, imported: &[Setting], azure: &AzureJob, ours: &Job) {
    let policy = &ours.provisioning.policy;
    let flows_without = |key: &str| {
        imported
            .iter()
            .any(|one| one.section == "provisioning" && one.key == key)
    };
    let skips = if flows_without("on_out_of_scope") {
        Some(true)
    } else {
        flag(azure, SKIP)
    };
    if skips.is_none() {
        found.unseen.push(SKIP);
    }
    for (key, theirs, ours) in [
        (
            "on_soft_delete",
            Some(flows_without("on_soft_delete")),
            policy.on_soft_delete,
        ),
        (
            "on_hard_delete",
            Some(flows_without("on_hard_delete")),
            policy.on_hard_delete,
        ),
        ("on_out_of_scope", skips, policy.on_out_of_scope),
    ] {
        let ours = ours == OnRemoval::Keep;
        if theirs.is_some_and(|theirs| theirs != ours) {
            let theirs = if ours { "takes them away" } else { "leaves them" };
            found.differs.push(format!("`{key}`, where Azure {theirs}"));
        }
    }
}

fn filter(kind: ObjectKind, value: &str) -> Option<Filter> {
    let table: toml::Table = toml::from_str(&format!("value = {value}")).ok()?;
    Filter::parse(kind, table.get("value")?.as_str()?).ok()
}

/// Returns a setting of Azure's job; `None` where it is not shown, or is neither true nor false.
fn flag(azure: &AzureJob, name: &str) -> Option<bool> {
    let held = azure.settings.get(name)?;
    match held.to_ascii_lowercase().as_str() {
        "true" => Some(true),
        "false" => Some(false),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
