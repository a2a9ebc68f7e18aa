//! The users and groups assigned to the enterprise application, as last read in full, and which objects are looked at
//! again when that list, or a membership that counts for it, changes.
//!
//! A list is stored as its difference from the one before. Each object concerned is marked before its entry is written,
//! so a crash in between marks it twice and forgets none.

use std::collections::BTreeSet;
use std::collections::HashSet;
use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use crate::model::assignment::AppRole;
use crate::model::assignment::AssignmentList;
use crate::model::assignment::RoleId;
use crate::model::id::ObjectKind;
use crate::model::id::SourceId;
use crate::model::object::Life;
use crate::model::object::MemberKind;
use crate::model::object::Membership;
use crate::model::value::Value;
use crate::ports::Durability;
use crate::ports::StoreError;
use crate::ports::Table;
use crate::reconcile::scope::assignment::Nesting;
use crate::reconcile::scope::assignment::reachable;

use super::{
    keys,
    pages::{Pages, raw_pages},
    read::Reads,
    record::{self, DirtyCause},
    state::{StateKey, StateReads},
    store::Snapshot,
    tx::Tx,
};

/// What is known of the assignment list beside its entries.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Listed {
    /// The service principal that the list belongs to.
    pub application: SourceId,
    /// How many users and groups are assigned.
    pub principals: u64,
    /// The app roles that the application defines; empty where they were not asked for.
    pub roles: Vec<AppRole>,
}

/// Which memberships count for more than their own group.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Watch {
    /// If true, members of assigned groups are looked at again when they come or go.
    pub assigned: bool,
    /// What nested groups count for.
    pub nesting: Nesting,
}

/// The head of the assignment list.
pub(super) const ASSIGNMENTS: StateKey<Listed> =
    StateKey::record("assignments", "the head of the assignment list");
/// Which memberships count.
pub(super) const WATCH: StateKey<Watch> = StateKey::record("assignments_watch", "which memberships count");

/// Returns the roles of a user's or group's own assignments, or `None` for an object that is not assigned itself.
pub fn own_roles(
    reads: &impl Reads,
    kind: ObjectKind,
    id: &SourceId,
) -> Result<Option<Vec<RoleId>>, StoreError> {
    reads.decoded(Table::Assignments, &keys::object(kind, id))
}

/// Returns what is known of the last whole list, or `None` before the first.
pub fn listed(reads: &impl Reads) -> Result<Option<Listed>, StoreError> {
    reads.state(&ASSIGNMENTS)
}

/// Returns the groups that hold this user or group as a member at the source, except deleted groups.
pub fn groups_of(reads: &impl Reads, member: &SourceId) -> Result<Vec<SourceId>, StoreError> {
    let mut groups = Vec::new();
    let mut pages = Pages::fixed(|one: &(ObjectKind, SourceId)| *one);
    while let Some(page) = pages.next_page(|after, limit| reads.referrers(member, after.copied(), limit))? {
        for (_, group) in page.iter().filter(|(kind, _)| *kind == ObjectKind::Group) {
            let present = reads.edge(group, member)?.is_some_and(|edge| edge.present);
            if present && !is_gone(reads, group)? {
                groups.push(*group);
            }
        }
    }
    Ok(groups)
}

/// Returns whether a group was deleted in Entra. An unknown group counts as not deleted.
pub fn is_gone(reads: &impl Reads, group: &SourceId) -> Result<bool, StoreError> {
    let brief = reads.brief(ObjectKind::Group, group)?;
    Ok(brief.is_some_and(|brief| matches!(brief.head.life, Life::Gone(_))))
}

/// Returns an assigned group (or, where nested groups count, a group within one) whose members are all hidden: its
/// members are unknown, not none.
pub fn hidden_group(reads: &impl Reads, nesting: Nesting) -> Result<Option<SourceId>, StoreError> {
    let prefix = [keys::kind_byte(ObjectKind::Group)];
    let mut pages = raw_pages();
    while let Some(page) = pages.next_page(|after, limit| {
        reads.raw_scan(Table::Assignments, &prefix, after.map(Vec::as_slice), limit)
    })? {
        for (key, _) in &page {
            let (_, group) = keys::parse_object(key).ok_or_else(|| reads.bad_key(Table::Assignments))?;
            let hidden = hidden_among(reads, group, nesting)?;
            if hidden.is_some() {
                return Ok(hidden);
            }
        }
    }
    Ok(None)
}

/// Returns this group, or, where nested groups count, a group within it, whose members are all hidden.
fn hidden_among(
    reads: &impl Reads,
    group: SourceId,
    nesting: Nesting,
) -> Result<Option<SourceId>, StoreError> {
    let counted = if nesting.scope {
        nested_groups(reads, group)?
    } else {
        vec![group]
    };
    for group in counted {
        if hides_members(reads, &group)? {
            return Ok(Some(group));
        }
    }
    Ok(None)
}

fn hides_members(reads: &impl Reads, group: &SourceId) -> Result<bool, StoreError> {
    let Some(record) = reads.record(ObjectKind::Group, group)? else {
        return Ok(false);
    };
    let visibility = record.object.attribute("visibility").and_then(Value::as_str);
    Ok(
        !record.is_gone()
            && visibility == Some("HiddenMembership")
            && reads.edges(group, None, 1)?.is_empty(),
    )
}

/// Shows every member of a group at the source, a page at a time.
///
/// # Errors
/// As [`Reads`], and what `show` returns.
pub fn each_member<R: Reads>(
    reads: &R,
    group: &SourceId,
    show: &mut dyn FnMut(SourceId, MemberKind) -> Result<(), StoreError>,
) -> Result<(), StoreError> {
    let mut pages = Pages::fixed(|(member, _): &(SourceId, Membership)| *member);
    while let Some(page) = pages.next_page(|after, limit| reads.edges(group, after, limit))? {
        for (member, edge) in page.iter().filter(|(_, edge)| edge.present) {
            show(*member, edge.kind)?;
        }
    }
    Ok(())
}

/// Returns the groups within a group at any depth, itself first. Deleted groups contribute no members.
pub fn nested_groups(reads: &impl Reads, group: SourceId) -> Result<Vec<SourceId>, StoreError> {
    reachable(group, |group| {
        let mut nested = Vec::new();
        each_member(reads, &group, &mut |member, kind| {
            if kind == MemberKind::Group {
                nested.push(member);
            }
            Ok(())
        })?;
        let mut living = Vec::with_capacity(nested.len());
        for member in nested {
            if !is_gone(reads, &member)? {
                living.push(member);
            }
        }
        Ok(living)
    })
}

impl Tx<'_> {
    /// Stores which memberships count, so that pages mark the objects concerned. Returns true when that changed: then
    /// everything must be looked at again.
    pub fn put_watch(&mut self, watch: Watch) -> Result<bool, StoreError> {
        let changed = self.watch()? != watch;
        if changed {
            self.put_state(&WATCH, &watch);
        }
        Ok(changed)
    }

    /// Returns which memberships count.
    pub(super) fn watch(&self) -> Result<Watch, StoreError> {
        Ok(self.state(&WATCH)?.unwrap_or_default())
    }

    /// Marks the objects that are in scope, have roles, or hold members through a membership that came or went at the
    /// source.
    pub(super) fn membership_moved(
        &mut self,
        watch: Watch,
        group: &SourceId,
        member: &SourceId,
        kind: MemberKind,
    ) -> Result<(), StoreError> {
        if watch == Watch::default() || kind == MemberKind::Other {
            return Ok(());
        }
        let above = reachable(*group, |group| groups_of(self, &group))?;
        if watch.nesting.members {
            for holder in &above[1..] {
                self.mark_holder(holder)?;
            }
        }
        let counted = if watch.nesting.scope {
            &above[..]
        } else {
            &above[..1]
        };
        if !watch.assigned || !self.any_assigned(counted)? {
            return Ok(());
        }
        match kind {
            MemberKind::User => self.mark_known(ObjectKind::User, member),
            MemberKind::Group if watch.nesting.scope => mark_members(self, *member, true),
            MemberKind::Group | MemberKind::Other => Ok(()),
        }
    }

    /// Marks the groups that hold a user indirectly, through its own groups, when the user was linked, deleted or
    /// restored.
    pub fn mark_holders(&mut self, user: &SourceId) -> Result<(), StoreError> {
        if !self.watch()?.nesting.members {
            return Ok(());
        }
        let direct: HashSet<SourceId> = groups_of(self, user)?.into_iter().collect();
        for holder in reachable(*user, |id| groups_of(self, &id))?.iter().skip(1) {
            if !direct.contains(holder) {
                self.mark_holder(holder)?;
            }
        }
        Ok(())
    }

    /// Marks the objects that hold a deleted or restored user or group indirectly, and those that are in scope or have
    /// roles through it.
    pub(super) fn existence_moved(&mut self, kind: ObjectKind, id: &SourceId) -> Result<(), StoreError> {
        self.mark_holders(id)?;
        let watch = self.watch()?;
        if kind == ObjectKind::User || !watch.assigned {
            return Ok(());
        }
        let above = reachable(*id, |group| groups_of(self, &group))?;
        if self.any_assigned(if watch.nesting.scope { &above } else { &above[..1] })? {
            mark_members(self, *id, watch.nesting.scope)?;
        }
        Ok(())
    }

    fn any_assigned(&self, groups: &[SourceId]) -> Result<bool, StoreError> {
        for group in groups {
            if own_roles(self, ObjectKind::Group, group)?.is_some() {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Marks a group whose members at the target may have changed, if it is linked or already dirty.
    fn mark_holder(&mut self, group: &SourceId) -> Result<(), StoreError> {
        let linked = self
            .brief(ObjectKind::Group, group)?
            .is_some_and(|brief| brief.target.is_some());
        if linked || self.dirty_cause(ObjectKind::Group, group)?.is_some() {
            self.mark_dirty(ObjectKind::Group, group, DirtyCause::REFERENCE)?;
        }
        Ok(())
    }

    /// Marks an object that is known; one that comes later is dirty by itself.
    fn mark_known(&mut self, kind: ObjectKind, id: &SourceId) -> Result<(), StoreError> {
        if self.brief(kind, id)?.is_some() {
            self.mark_dirty(kind, id, DirtyCause::SOURCE.and(DirtyCause::ROLES))?;
        }
        Ok(())
    }
}

/// Marks the users in a group, and in the groups in it where those count.
fn mark_members(tx: &mut Tx<'_>, group: SourceId, transitive: bool) -> Result<(), StoreError> {
    let mut seen = HashSet::from([group]);
    let mut open = VecDeque::from([group]);
    while let Some(group) = open.pop_front() {
        let mut pages = Pages::fixed(|(member, _): &(SourceId, Membership)| *member);
        while let Some(page) = pages.next_page(|after, limit| tx.edges(&group, after, limit))? {
            for (member, edge) in page.iter().filter(|(_, edge)| edge.present) {
                match edge.kind {
                    MemberKind::User => tx.mark_known(ObjectKind::User, member)?,
                    MemberKind::Group if transitive && seen.insert(*member) => open.push_back(*member),
                    MemberKind::Group | MemberKind::Other => {}
                }
            }
        }
    }
    Ok(())
}

/// A principal whose assignment changed, with its new roles.
type Moved = (ObjectKind, SourceId, Option<Vec<RoleId>>);

impl Snapshot {
    /// Stores a whole list and marks the objects that it concerns. Returns the number of users and groups whose
    /// assignment changed. The same list again writes nothing.
    pub fn store_assignments(
        &self,
        application: SourceId,
        list: &AssignmentList,
        roles: Vec<AppRole>,
        nesting: Nesting,
    ) -> Result<u64, StoreError> {
        let before = listed(self)?;
        let known = before.as_ref().map_or(&[][..], |listed| &listed.roles);
        let redefined = differing(known, &roles);
        let moved = self.moved(list, &redefined)?;
        for (kind, id, roles) in &moved {
            let mut tx = self.tx()?;
            tx.mark_known(*kind, id)?;
            if *kind == ObjectKind::Group {
                mark_members(&mut tx, *id, nesting.scope)?;
            }
            let key = keys::object(*kind, id);
            match roles {
                Some(roles) => tx.put(Table::Assignments, key, record::encode(roles)),
                None => tx.delete(Table::Assignments, key),
            }
            tx.commit(Durability::Lazy)?;
        }
        let after = Listed {
            application,
            principals: list.by_principal().count() as u64,
            roles,
        };
        if before.as_ref() != Some(&after) {
            let mut tx = self.tx()?;
            tx.put_state(&ASSIGNMENTS, &after);
            tx.commit(Durability::Lazy)?;
        }
        Ok(moved.len() as u64)
    }

    /// Returns every object whose entries differ from the stored ones, or that has a role whose meaning changed.
    fn moved(&self, list: &AssignmentList, redefined: &BTreeSet<RoleId>) -> Result<Vec<Moved>, StoreError> {
        let mut moved = Vec::new();
        let mut listed = list
            .by_principal()
            .map(|(kind, id, entries)| {
                (
                    kind,
                    id,
                    entries.iter().map(|entry| entry.role).collect::<Vec<_>>(),
                )
            })
            .peekable();
        self.each_raw(Table::Assignments, &[], |key, value| {
            let (kind, id) = keys::parse_object(key).ok_or_else(|| self.bad_key(Table::Assignments))?;
            let held: Vec<RoleId> = self.decode(Table::Assignments, value)?;
            while let Some((kind, id, roles)) = listed.next_if(|(k, i, _)| (*k, *i) < (kind, id)) {
                moved.push((kind, id, Some(roles)));
            }
            match listed.next_if(|(k, i, _)| (*k, *i) == (kind, id)) {
                Some((_, _, roles))
                    if roles == held && !roles.iter().any(|role| redefined.contains(role)) => {}
                Some((_, _, roles)) => moved.push((kind, id, Some(roles))),
                None => moved.push((kind, id, None)),
            }
            Ok(())
        })?;
        moved.extend(listed.map(|(kind, id, roles)| (kind, id, Some(roles))));
        Ok(moved)
    }
}

/// Returns the roles that are not the same in both.
fn differing(before: &[AppRole], after: &[AppRole]) -> BTreeSet<RoleId> {
    let (before, after): (BTreeSet<&AppRole>, BTreeSet<&AppRole>) =
        (before.iter().collect(), after.iter().collect());
    before.symmetric_difference(&after).map(|role| role.id).collect()
}
