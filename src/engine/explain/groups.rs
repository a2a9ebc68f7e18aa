//! The groups of a user who is explained, on both sides, and the way that leads into the scope or into one group.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::collections::VecDeque;

use crate::engine::error::CycleError;
use crate::engine::run::Run;
use crate::model::id::ObjectKind;
use crate::model::id::SourceId;
use crate::model::object::Life;
use crate::model::value::Value;
use crate::ports::StoreError;
use crate::reconcile::explain::groups::Facts;
use crate::reconcile::explain::groups::InGroup;
use crate::reconcile::explain::groups::Named;
use crate::reconcile::explain::groups::Way;
use crate::reconcile::explain::object::InScope;
use crate::reconcile::forward::view::ObjectView;
use crate::reconcile::scope::assignment::Nesting;
use crate::snapshot::assignments::groups_of;
use crate::snapshot::assignments::own_roles;
use crate::snapshot::pages::Pages;
use crate::snapshot::read::Reads;
use crate::snapshot::scope::ScopeEntry;
use crate::snapshot::scope::ScopeReads;
use crate::snapshot::store::Snapshot;

/// Groups are followed upwards as far as this many: a circle ends, and so does a directory.
const FOLLOWED: usize = 10_000;

/// What is known of the groups of a user.
#[derive(Debug, Default)]
pub(super) struct Groups {
    /// Those that hold the user on a side.
    pub(super) all: Vec<InGroup>,
    /// The one that was asked for.
    pub(super) asked: Option<InGroup>,
    /// The way that leads into the scope, where it leads through a group.
    pub(super) way: Option<Way>,
}

/// Reads the groups of a user; a group has none that count.
pub(super) async fn groups(
    run: &Run<'_>,
    view: &ObjectView,
    scope: &InScope,
    asked: Option<SourceId>,
) -> Result<Groups, CycleError> {
    let (kind, user) = (view.object.kind, view.object.id);
    if kind == ObjectKind::Group {
        return Ok(Groups::default());
    }
    let reading = Reading {
        user,
        user_linked: view.link.is_some(),
        user_out: scope.standing == "out",
        nesting: run.job.assigning.nesting,
        managed: run.job.managed.contains(&ObjectKind::Group),
    };
    let filter: BTreeSet<SourceId> = scope.memberships.iter().map(|(of, _)| of.group).collect();
    let transitive = scope.memberships.iter().filter(|(of, _)| of.transitive);
    let transitive: BTreeSet<SourceId> = transitive.map(|(of, _)| of.group).collect();
    let counts = run.job.assigning.scope;
    let found = run.store(move |snapshot| {
        let above = Above::of(snapshot, user)?;
        let mut all = Vec::new();
        for group in reading.of_user(snapshot)? {
            all.push(reading.group(snapshot, group, &above)?);
        }
        let asked = match asked {
            Some(group) => Some(reading.group(snapshot, group, &above)?),
            None => None,
        };
        let way = above.way_into(snapshot, (&filter, &transitive), (counts, reading.nesting))?;
        Ok(Groups { all, asked, way })
    });
    found.await
}

/// What the facts of each group are read for.
#[derive(Debug, Clone, Copy)]
struct Reading {
    user: SourceId,
    user_linked: bool,
    user_out: bool,
    nesting: Nesting,
    managed: bool,
}

impl Reading {
    /// The groups that hold the user at the source, or at the target still.
    fn of_user(&self, snapshot: &Snapshot) -> Result<Vec<SourceId>, StoreError> {
        let mut groups = Vec::new();
        let mut pages = Pages::fixed(|by: &(ObjectKind, SourceId)| *by);
        while let Some(page) =
            pages.next_page(|after, limit| snapshot.referrers(&self.user, after.copied(), limit))?
        {
            for (_, group) in page.iter().filter(|(kind, _)| *kind == ObjectKind::Group) {
                let edge = snapshot.edge(group, &self.user)?;
                if edge.is_some_and(|edge| edge.present || edge.sent.is_some()) {
                    groups.push(*group);
                }
            }
        }
        Ok(groups)
    }

    fn group(&self, snapshot: &Snapshot, group: SourceId, above: &Above) -> Result<InGroup, StoreError> {
        let edge = snapshot.edge(&group, &self.user)?;
        let record = snapshot.record(ObjectKind::Group, &group)?;
        let visibility = record
            .as_ref()
            .and_then(|record| record.object.attribute("visibility"));
        let direct = edge.as_ref().is_some_and(|edge| edge.present);
        let through = if direct { Vec::new() } else { above.way_to(group) };
        let facts = Facts {
            direct,
            sent: edge.is_some_and(|edge| edge.sent.is_some()),
            group_linked: record.as_ref().is_some_and(|record| record.link.is_some()),
            group_out: matches!(
                snapshot.scope_entry(ObjectKind::Group, &group)?,
                Some(ScopeEntry::Out)
            ),
            group_gone: record
                .as_ref()
                .is_some_and(|record| matches!(record.object.life, Life::Gone(_))),
            hidden: visibility.and_then(Value::as_str) == Some("HiddenMembership"),
            user_linked: self.user_linked,
            user_out: self.user_out,
            flattens: self.nesting.members,
            managed: self.managed,
        };
        Ok(InGroup {
            group: named(snapshot, group)?,
            // The group itself is the end of the way, not a part of it.
            through: names(snapshot, &through[..through.len().saturating_sub(1)])?,
            facts,
        })
    }
}

/// Every group above a user, with the group below it on the shortest way.
#[derive(Debug, Default)]
struct Above {
    /// In the order of their distance.
    nearest_first: Vec<SourceId>,
    /// `None` where the user is a member itself.
    below: BTreeMap<SourceId, Option<SourceId>>,
}

impl Above {
    fn of(snapshot: &Snapshot, user: SourceId) -> Result<Self, StoreError> {
        let mut above = Self::default();
        let mut next = VecDeque::new();
        for group in groups_of(snapshot, &user)? {
            above.reach(group, None, &mut next);
        }
        while let Some(group) = next.pop_front() {
            if above.nearest_first.len() >= FOLLOWED {
                break;
            }
            for higher in groups_of(snapshot, &group)? {
                above.reach(higher, Some(group), &mut next);
            }
        }
        Ok(above)
    }

    fn reach(&mut self, group: SourceId, from: Option<SourceId>, next: &mut VecDeque<SourceId>) {
        if let std::collections::btree_map::Entry::Vacant(place) = self.below.entry(group) {
            place.insert(from);
            self.nearest_first.push(group);
            next.push_back(group);
        }
    }

    /// The groups from the user up to this one, itself last; empty where no way leads there.
    fn way_to(&self, group: SourceId) -> Vec<SourceId> {
        let mut way = Vec::new();
        let mut at = self.below.contains_key(&group).then_some(group);
        while let Some(group) = at {
            way.insert(0, group);
            at = self.below.get(&group).copied().flatten();
        }
        way
    }

    /// The shortest way to a group that brings its members into scope. One that counts goes before one that does not.
    fn way_into(
        &self,
        snapshot: &Snapshot,
        (filter, transitive): (&BTreeSet<SourceId>, &BTreeSet<SourceId>),
        (assigned_count, nesting): (bool, Nesting),
    ) -> Result<Option<Way>, StoreError> {
        let mut without = None;
        for group in &self.nearest_first {
            let way = self.way_to(*group);
            let nested = way.len() > 1;
            let (by, deep) = if filter.contains(group) {
                ("filter", transitive.contains(group))
            } else if assigned_count && own_roles(snapshot, ObjectKind::Group, group)?.is_some() {
                ("assigned", nesting.scope)
            } else {
                continue;
            };
            let counts = !nested || deep;
            if counts || without.is_none() {
                let found = Way {
                    groups: names(snapshot, &way)?,
                    by,
                    counts,
                };
                if counts {
                    return Ok(Some(found));
                }
                without = Some(found);
            }
        }
        Ok(without)
    }
}

fn names(snapshot: &Snapshot, groups: &[SourceId]) -> Result<Vec<Named>, StoreError> {
    groups.iter().map(|group| named(snapshot, *group)).collect()
}

fn named(snapshot: &Snapshot, id: SourceId) -> Result<Named, StoreError> {
    let name = snapshot.name_of(ObjectKind::Group, &id)?;
    Ok(Named {
        id,
        name: name.unwrap_or_else(|| id.to_string()),
    })
}
