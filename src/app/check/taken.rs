//! `check`: groups of the target that a first cycle would touch because a group in Entra has their name, although somebody is in
//! them whom nobody is linked to: administrators, most of the time.

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use super::Level;
use super::Lines;
use super::Subject;
use crate::mapping::Facts;
use crate::mapping::Mapping;
use crate::mapping::TargetPath;
use crate::mapping::read_path;
use crate::model::id::ObjectKind;
use crate::model::id::TargetId;
use crate::model::object::SourceObject;
use crate::model::value::Value;
use crate::ports::ListPosition;
use crate::ports::Paged;
use crate::ports::Resource;
use crate::ports::TargetDirectory;
use crate::ports::TargetError;
use crate::reconcile::forward::matching::fold;
use crate::reconcile::guard::review::is_chosen;
use crate::reconcile::listing::Listing;
use crate::reconcile::listing::Page;
use crate::reconcile::listing::Step;
use crate::reconcile::listing::Way;
use crate::reconcile::members_of;
use crate::reconcile::policy::Adopt;
use crate::reconcile::policy::AdoptGroup;
use crate::reconcile::shown_members::asks_for_members;
use crate::snapshot::read::Reads;
use crate::snapshot::store::Snapshot;

const KIND: ObjectKind = ObjectKind::Group;

/// As many pages as are read of the target's groups.
const MOST_PAGES: usize = 50;

/// As many groups as are named.
const MOST_NAMED: usize = 20;

/// A line for each of them. `groups`: those of the source that are known.
pub(super) async fn groups(
    subject: &Subject<'_>,
    mapping: &Mapping,
    groups: &[SourceObject],
    target: &impl TargetDirectory,
    lines: &mut Lines,
) {
    let policy = &subject.job.provisioning.policy;
    if policy.adopt == Adopt::Never || policy.groups.adopt == AdoptGroup::Never || groups.is_empty() {
        return;
    }
    // Who is linked is known by the snapshot alone; a running daemon has it, and its `plan` says the same.
    let Ok((snapshot, _folder)) = subject.snapshot() else {
        return;
    };
    match alike(&snapshot, mapping, groups, target).await {
        Ok(found) => say(&found, policy.groups.adopt, lines),
        Err(error) => lines.error("adoption", &error, error.hint()),
    }
}

/// A group of the target with somebody in it whom nobody is linked to, and the name of the group in Entra.
struct Alike {
    name: String,
    target: TargetId,
    members: usize,
    strangers: usize,
}

fn say(found: &[Alike], adopt: AdoptGroup, lines: &mut Lines) {
    let then = match adopt {
        AdoptGroup::Review => "a cycle withholds its adoption (`adopt_group`) until a person lets it through",
        AdoptGroup::Unclaimed | AdoptGroup::Never => {
            "a cycle adopts it and puts the members of the group in Entra into it"
        }
    };
    for one in found.iter().take(MOST_NAMED) {
        let Alike {
            name,
            target,
            members,
            strangers,
        } = one;
        lines.add(
            Level::Warn,
            "adoption",
            format!(
                "group `{name}` in Entra has the name of resource {target} at the target, which has {members} members, {strangers} of \
                 them linked to no user: {then}"
            ),
            "look at who may create groups in Entra, and give one of the two another name if they are not the same group",
        );
    }
    if found.len() > MOST_NAMED {
        let more = found.len() - MOST_NAMED;
        lines.add(Level::Warn, "adoption", format!("so do {more} other groups"), "");
    }
}

async fn alike(
    snapshot: &Snapshot,
    mapping: &Mapping,
    groups: &[SourceObject],
    target: &impl TargetDirectory,
) -> Result<Vec<Alike>, TargetError> {
    let named = names(mapping, groups);
    let mut found = Vec::new();
    for resource in listed(target).await? {
        let name = named.iter().find_map(|(path, names)| {
            let held = read_path(&resource.body, path)?;
            names.get(&fold(&held))
        });
        let is_linked = snapshot.owner(KIND, &resource.id).ok().flatten().is_some();
        let Some(name) = name.filter(|_| !is_linked) else {
            continue;
        };
        let body = if asks_for_members(&resource.body) {
            target.read(KIND, &resource.id).await?.map(|read| read.body)
        } else {
            Some(resource.body)
        };
        let shown = body.as_ref().map(members_of).unwrap_or_default();
        let is_stranger = |member: &&TargetId| matches!(snapshot.owner(ObjectKind::User, member), Ok(None));
        let strangers = shown.there.iter().filter(is_stranger).count();
        if strangers > 0 {
            found.push(Alike {
                name: name.clone(),
                target: resource.id,
                members: shown.there.len(),
                strangers,
            });
        }
    }
    Ok(found)
}

/// For each matching attribute whose value its owner can choose, the values that groups in Entra have, with the groups' names.
fn names(mapping: &Mapping, groups: &[SourceObject]) -> Vec<(TargetPath, BTreeMap<String, String>)> {
    let facts = Facts::default();
    let value = |group: &SourceObject, row: &crate::mapping::Row| {
        let value = row.source.evaluate_object(group, &facts).ok();
        value.filter(|value| !Value::is_unassigned(value))
    };
    let mut all = Vec::new();
    for row in mapping.matching(KIND) {
        if is_chosen(mapping, KIND, row.target.as_str()) {
            let names = groups
                .iter()
                .filter_map(|group| Some((fold(&value(group, row)?), group.name())));
            all.push((row.target.clone(), names.collect()));
        }
    }
    all
}

/// The groups at the target, as far as so many pages show them.
async fn listed(target: &impl TargetDirectory) -> Result<Vec<Resource>, TargetError> {
    let mut listing = Listing::new(KIND, 0);
    let (mut known, mut all, mut from) = (BTreeSet::new(), Vec::new(), None);
    for _ in 0..MOST_PAGES {
        let page = target.list(KIND, from).await?;
        let unread = page.entries.saturating_sub(page.resources.len() as u64);
        let (before, shown) = (known.len(), page.distinct());
        for resource in page.resources {
            if known.insert(resource.id.clone()) {
                all.push(resource);
            }
        }
        let fresh = (known.len() - before) as u64;
        let way = match &page.paged {
            Paged::Index(start) => Way::Index(*start),
            Paged::Cursor(next) => Way::Cursor(next.as_deref()),
        };
        let step = listing.page(&Page {
            way,
            entries: page.entries,
            unread,
            fresh,
            known: shown.saturating_sub(fresh),
            total: page.total,
        });
        from = Some(match step {
            Step::Index(start) => ListPosition::Index(start),
            Step::LookAgain(start) => ListPosition::Uncounted(start),
            Step::Cursor(cursor) => ListPosition::Cursor(cursor),
            Step::Whole | Step::Unproven(_) => return Ok(all),
        });
    }
    Ok(all)
}
