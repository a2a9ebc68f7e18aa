//! Who has to do with the enrolled group: the owners of keys, the members, and whoever is remembered.

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use super::evidence::Evidence;
use crate::model::clock::Timestamp;
use crate::model::id::ObjectKind;
use crate::model::id::SourceId;
use crate::model::link::Link;
use crate::model::object::Life;
use crate::model::object::Removed;
use crate::model::object::SourceObject;
use crate::model::value::Value;
use crate::ports::StoreError;
use crate::reconcile::back::enrolled::OwnerStanding;
use crate::reconcile::back::keys;
use crate::reconcile::back::keys::Owner;
use crate::reconcile::back::keys::Owners;
use crate::reconcile::back::keys::SecurityKey;
use crate::reconcile::back::keys::folded;
use crate::snapshot::enrolments::Enrolled;
use crate::snapshot::enrolments::EnrolmentReads;
use crate::snapshot::query::Query;
use crate::snapshot::read::Reads;
use crate::snapshot::record::Record;
use crate::snapshot::store::Snapshot;

/// Somebody who has to do with the group.
#[derive(Debug)]
pub(super) struct Person {
    /// The name that people know them by.
    pub(super) name: String,
    pub(super) owner: OwnerStanding,
    /// True where they have a resource.
    pub(super) linked: bool,
    /// How they were deleted in Entra, where they were.
    pub(super) removed: Option<Removed>,
    /// What is remembered.
    pub(super) before: Option<Enrolled>,
    /// The addresses of their keys.
    pub(super) addresses: BTreeSet<String>,
}

/// Who has to do with the group, and what their keys come to.
#[derive(Debug, Default)]
pub(super) struct People {
    pub(super) all: BTreeMap<SourceId, Person>,
    /// How many users are linked, whether they have to do with the group or not.
    pub(super) linked: u64,
    /// What the keys come to, where their listing is evidence.
    pub(super) keys: Option<keys::Evidence>,
    /// When the last complete reading of everybody's names in Entra began.
    pub(super) names_read: Option<Timestamp>,
}

/// Finds out who has to do with the group.
pub(super) fn find(
    snapshot: &Snapshot,
    read: &Evidence,
    unowned: &BTreeSet<String>,
) -> Result<People, StoreError> {
    let mut remembered = BTreeMap::new();
    snapshot.each_enrolled(|user, enrolled| {
        remembered.insert(user, enrolled);
        Ok(())
    })?;
    let none = Vec::new();
    let listed = read.keys.as_ref().unwrap_or(&none);
    let owners = owners(snapshot, listed, &remembered, unowned)?;
    let mut addresses: BTreeMap<SourceId, BTreeSet<String>> = BTreeMap::new();
    for address in listed.iter().filter_map(|key| key.owner.as_deref()) {
        let users = match owners.owner(address) {
            Owner::Known(user) => BTreeSet::from([user]),
            Owner::Several(users) => users,
            Owner::Stranger => continue,
        };
        for user in users {
            addresses.entry(user).or_default().insert(folded(address));
        }
    }
    let with_passkey = read.report.iter().flatten().filter(|(_, has)| **has);
    let mut ids: BTreeSet<SourceId> = read.members.iter().flatten().copied().collect();
    ids.extend(addresses.keys());
    ids.extend(remembered.keys());
    ids.extend(with_passkey.map(|(user, _)| user));
    let mut people = People {
        keys: read
            .keys
            .as_ref()
            .map(|listed| keys::Evidence::of(listed, &owners)),
        linked: snapshot.counts()?.linked_users,
        names_read: snapshot.stream(ObjectKind::User)?.complete_since,
        ..People::default()
    };
    for id in ids {
        let record = snapshot.record(ObjectKind::User, &id)?;
        let person = Person {
            name: record
                .as_ref()
                .map_or_else(|| id.to_string(), |record| record.object.name()),
            owner: standing(record.as_ref()),
            linked: record.as_ref().is_some_and(|record| record.link.is_some()),
            removed: record.as_ref().and_then(|record| match record.object.life {
                Life::Gone(removed) => Some(removed),
                Life::Alive | Life::Missing | Life::Unknown => None,
            }),
            before: remembered.remove(&id),
            addresses: addresses.remove(&id).unwrap_or_default(),
        };
        people.all.insert(id, person);
    }
    Ok(people)
}

/// How somebody stands at the source. One who left the scope and is linked still counts by the account alone.
fn standing(record: Option<&Record>) -> OwnerStanding {
    match record {
        Some(record) if record.link.is_some() => match record.object.life {
            Life::Alive if record.object.account_enabled() => OwnerStanding::Enabled,
            Life::Alive | Life::Gone(_) => OwnerStanding::Disabled,
            Life::Missing | Life::Unknown => OwnerStanding::Unlinked,
        },
        _ => OwnerStanding::Unlinked,
    }
}

/// The names of linked users, as far as keys name one. A key that fits nobody is looked for among former names too, once.
fn owners(
    snapshot: &Snapshot,
    listed: &[SecurityKey],
    remembered: &BTreeMap<SourceId, Enrolled>,
    unowned: &BTreeSet<String>,
) -> Result<Owners, StoreError> {
    let named = |key: &SecurityKey| key.owner.as_deref().map(folded);
    let wanted: BTreeSet<String> = listed.iter().filter_map(named).collect();
    let mut owners = Owners::default();
    if wanted.is_empty() {
        return Ok(owners);
    }
    snapshot.each_user(|record| {
        let Some(link) = &record.link else { return };
        let former = remembered.get(&record.object.id);
        let names = names_of(&record.object, link).map(folded);
        let former = former
            .into_iter()
            .flat_map(|enrolled| enrolled.addresses.iter().cloned());
        for name in names.chain(former).filter(|name| wanted.contains(name)) {
            owners.add(&name, record.object.id);
        }
    })?;
    let strangers: BTreeSet<String> = listed
        .iter()
        .filter(|key| !unowned.contains(&key.id))
        .filter_map(named)
        .filter(|name| owners.owner(name) == Owner::Stranger)
        .collect();
    if !strangers.is_empty() {
        add_former(snapshot, &strangers, &mut owners)?;
    }
    Ok(owners)
}

/// What the source calls a user, and what the target was sent.
fn names_of<'r>(object: &'r SourceObject, link: &'r Link) -> impl Iterator<Item = &'r str> {
    let of_source = ["userPrincipalName", "mail"]
        .into_iter()
        .filter_map(|name| object.attribute(name));
    let of_target = link
        .sent
        .iter()
        .filter(|(name, _)| is_name(name.as_str()))
        .map(|(_, value)| value);
    of_source.chain(of_target).filter_map(Value::as_str)
}

/// True for a target path that holds a name or a mail address.
fn is_name(path: &str) -> bool {
    path.eq_ignore_ascii_case("userName") || path.to_lowercase().starts_with("emails")
}

/// Adds the users who had one of these names, by the history.
fn add_former(
    snapshot: &Snapshot,
    strangers: &BTreeSet<String>,
    owners: &mut Owners,
) -> Result<(), StoreError> {
    let mut found: BTreeSet<(String, SourceId)> = BTreeSet::new();
    snapshot.search_history(&Query::default(), |entry, values| {
        let (Some(ObjectKind::User), Some(user), Some(values)) = (entry.kind, entry.object, values) else {
            return Ok(());
        };
        for change in values.changes.iter().filter(|change| is_name(&change.attribute)) {
            let held = [&change.before, &change.after]
                .into_iter()
                .filter_map(Value::as_str);
            for name in held.map(folded).filter(|name| strangers.contains(name)) {
                found.insert((name, user));
            }
        }
        Ok(())
    })?;
    for (name, user) in found {
        let record = snapshot.record(ObjectKind::User, &user)?;
        if record.is_some_and(|record| record.link.is_some()) {
            owners.add(&name, user);
        }
    }
    Ok(())
}
