//! The stored state of scopes: which linked objects are out, and which objects are members of the groups that decide
//! it.
//!
//! It follows from objects and edges, but is stored, because a *change* of scope is what makes work: objects that refer
//! to an object are looked at again when it leaves or comes back, and a loss through a membership counts only when two
//! cycles agree.

use serde::{Deserialize, Serialize};

use crate::mapping::MemberOf;
use crate::model::id::CycleId;
use crate::model::id::ObjectKind;
use crate::model::id::SourceId;
use crate::ports::StoreError;
use crate::ports::Table;

use super::{keys, read::Reads, record, store::Snapshot, tx::Tx};

/// The entry of a linked object that is out of scope, or about to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum ScopeEntry {
    /// The object is out of scope.
    Out,
    /// The object lost its scope through a membership, first seen in this cycle: it is in scope until the next complete
    /// cycle agrees.
    Leaving(CycleId),
}

/// The four sorts of keys in the table, by their first byte.
const STANDING: u8 = b's';
const GROUPS: u8 = b'g';
const MEMBER: u8 = b'm';
/// The result of a cycle that may not write: stored apart, and dropped when the next one begins.
const SEEN: u8 = b'p';

fn standing_key(kind: ObjectKind, id: &SourceId) -> Vec<u8> {
    [[STANDING].as_slice(), &keys::object(kind, id)].concat()
}

fn seen_key(kind: ObjectKind, id: &SourceId) -> Vec<u8> {
    [[SEEN].as_slice(), &keys::object(kind, id)].concat()
}

fn group_key(first: u8, of: &MemberOf) -> Vec<u8> {
    [
        [first].as_slice(),
        of.group.as_bytes(),
        &[u8::from(of.transitive)],
    ]
    .concat()
}

fn member_key(of: &MemberOf, member: &SourceId) -> Vec<u8> {
    [group_key(MEMBER, of).as_slice(), member.as_bytes()].concat()
}

/// Questions about scopes, to a snapshot and inside a transaction alike.
pub trait ScopeReads: Reads {
    /// Returns the scope entry of an object; `None` for one that is in scope or not linked.
    fn scope_entry(&self, kind: ObjectKind, id: &SourceId) -> Result<Option<ScopeEntry>, StoreError> {
        self.decoded(Table::Scope, &standing_key(kind, id))
    }

    /// Returns [`Self::scope_entry`], but in a cycle that may not write (`looks`) prefers that cycle's own result.
    fn scope_entry_in(
        &self,
        looks: bool,
        kind: ObjectKind,
        id: &SourceId,
    ) -> Result<Option<ScopeEntry>, StoreError> {
        let seen: Option<Option<ScopeEntry>> = if looks {
            self.decoded(Table::Scope, &seen_key(kind, id))?
        } else {
            None
        };
        seen.map_or_else(|| self.scope_entry(kind, id), Ok)
    }

    /// Returns true while no object is out of scope, or about to be.
    fn no_scope_entries(&self) -> Result<bool, StoreError> {
        Ok(self.raw_scan(Table::Scope, &[STANDING], None, 1)?.is_empty())
    }

    /// Returns the groups that were expanded for the members of one, itself included, or `None` before the first time.
    fn scope_groups(&self, of: &MemberOf) -> Result<Option<Vec<SourceId>>, StoreError> {
        self.decoded(Table::Scope, &group_key(GROUPS, of))
    }

    /// Returns whether an object is a member, as of the last expansion, or `None` where there was none.
    fn scope_member(&self, of: &MemberOf, member: &SourceId) -> Result<Option<bool>, StoreError> {
        if self.raw(Table::Scope, &member_key(of, member))?.is_some() {
            return Ok(Some(true));
        }
        Ok(self.raw(Table::Scope, &group_key(GROUPS, of))?.map(|_| false))
    }

    /// Returns the members as of the last expansion, in order of their ids.
    fn scope_members(
        &self,
        of: &MemberOf,
        after: Option<&SourceId>,
        limit: usize,
    ) -> Result<Vec<SourceId>, StoreError> {
        let after = after.map(|member| member_key(of, member));
        self.raw_scan(Table::Scope, &group_key(MEMBER, of), after.as_deref(), limit)?
            .iter()
            .map(|(key, _)| {
                let id = key.get(18..).and_then(keys::parse_id);
                id.ok_or_else(|| self.bad_key(Table::Scope))
            })
            .collect()
    }

    /// Returns every group that was expanded.
    fn scope_asked(&self) -> Result<Vec<MemberOf>, StoreError> {
        self.raw_scan(Table::Scope, &[GROUPS], None, usize::MAX)?
            .iter()
            .map(
                |(key, _)| match (key.get(1..17).and_then(keys::parse_id), key.get(17)) {
                    (Some(group), Some(flag)) => Ok(MemberOf {
                        group,
                        transitive: *flag == 1,
                    }),
                    _ => Err(self.bad_key(Table::Scope)),
                },
            )
            .collect()
    }
}

impl<R: Reads> ScopeReads for R {}

impl Snapshot {
    /// Deletes the scope results of the last cycle that may not write.
    pub fn clear_scope_seen(&self) -> Result<(), StoreError> {
        self.clear(Table::Scope, &[SEEN])
    }
}

impl Tx<'_> {
    /// Stores the scope entry of an object, or deletes it.
    pub fn put_scope_entry(&mut self, kind: ObjectKind, id: &SourceId, entry: Option<ScopeEntry>) {
        let key = standing_key(kind, id);
        match entry {
            Some(entry) => self.put(Table::Scope, key, record::encode(&entry)),
            None => self.delete(Table::Scope, key),
        }
    }

    /// Stores the scope result of a cycle that may not write.
    pub fn put_scope_seen(&mut self, kind: ObjectKind, id: &SourceId, entry: Option<ScopeEntry>) {
        self.put(Table::Scope, seen_key(kind, id), record::encode(&entry));
    }

    /// Stores that an object is a member, or no longer is.
    pub fn put_scope_member(&mut self, of: &MemberOf, member: &SourceId, is: bool) {
        let key = member_key(of, member);
        if is {
            self.put(Table::Scope, key, Vec::new());
        } else {
            self.delete(Table::Scope, key);
        }
    }

    /// Stores which groups were expanded; `None` deletes that.
    pub fn put_scope_groups(&mut self, of: &MemberOf, groups: Option<&[SourceId]>) {
        let key = group_key(GROUPS, of);
        match groups {
            Some(groups) => self.put(Table::Scope, key, record::encode(groups)),
            None => self.delete(Table::Scope, key),
        }
    }
}
