//! What is kept of scopes: who of the linked is out, and who is a member of the groups that decide it.
//!
//! Derived from objects and edges, but kept, because a *change* of scope is what makes work: whoever refers to an
//! object looks again when it leaves or comes back, and a loss through a membership counts when two cycles agree.

use serde::{Deserialize, Serialize};

use crate::mapping::MemberOf;
use crate::model::id::CycleId;
use crate::model::id::ObjectKind;
use crate::model::id::SourceId;
use crate::ports::StoreError;
use crate::ports::Table;

use super::{keys, read::Reads, record, store::Snapshot, tx::Tx};

/// A linked object that is out of scope, or about to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum ScopeEntry {
    /// Out of scope.
    Out,
    /// Lost through a membership, as this cycle saw first: in scope until the next complete one agrees.
    Leaving(CycleId),
}

/// The four sorts of keys in the table, by their first byte.
const STANDING: u8 = b's';
const GROUPS: u8 = b'g';
const MEMBER: u8 = b'm';
/// What a cycle that may not write makes of an object's scope: beside what is kept, and forgotten when the next one begins.
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
    /// What is kept of an object's scope; nothing for one that is in scope or not linked.
    ///
    /// # Errors
    /// As [`Reads`].
    fn scope_entry(&self, kind: ObjectKind, id: &SourceId) -> Result<Option<ScopeEntry>, StoreError> {
        self.decoded(Table::Scope, &standing_key(kind, id))
    }

    /// As [`Self::scope_entry`]; in a cycle that may not write (`looks`), what that cycle itself came to goes before.
    ///
    /// # Errors
    /// As [`Reads`].
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

    /// True while nobody is out of scope, or about to be.
    ///
    /// # Errors
    /// As [`Reads`].
    fn no_scope_entries(&self) -> Result<bool, StoreError> {
        Ok(self.raw_scan(Table::Scope, &[STANDING], None, 1)?.is_empty())
    }

    /// The groups that were looked into for the members of one, itself included; `None` before the first time.
    ///
    /// # Errors
    /// As [`Reads`].
    fn scope_groups(&self, of: &MemberOf) -> Result<Option<Vec<SourceId>>, StoreError> {
        self.decoded(Table::Scope, &group_key(GROUPS, of))
    }

    /// Whether an object is a member, as last looked into; `None` where nobody looked.
    ///
    /// # Errors
    /// As [`Reads`].
    fn scope_member(&self, of: &MemberOf, member: &SourceId) -> Result<Option<bool>, StoreError> {
        if self.raw(Table::Scope, &member_key(of, member))?.is_some() {
            return Ok(Some(true));
        }
        Ok(self.raw(Table::Scope, &group_key(GROUPS, of))?.map(|_| false))
    }

    /// The members, as last looked into, in order of their ids.
    ///
    /// # Errors
    /// As [`Reads`].
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

    /// Every group that was looked into.
    ///
    /// # Errors
    /// As [`Reads`].
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
    /// Forgets what the last cycle that may not write made of scopes.
    ///
    /// # Errors
    /// As the engine below.
    pub fn clear_scope_seen(&self) -> Result<(), StoreError> {
        self.clear(Table::Scope, &[SEEN])
    }
}

impl Tx<'_> {
    /// Keeps, or forgets, what is known of an object's scope.
    pub fn put_scope_entry(&mut self, kind: ObjectKind, id: &SourceId, entry: Option<ScopeEntry>) {
        let key = standing_key(kind, id);
        match entry {
            Some(entry) => self.put(Table::Scope, key, record::encode(&entry)),
            None => self.delete(Table::Scope, key),
        }
    }

    /// Notes what a cycle that may not write makes of an object's scope.
    pub fn put_scope_seen(&mut self, kind: ObjectKind, id: &SourceId, entry: Option<ScopeEntry>) {
        self.put(Table::Scope, seen_key(kind, id), record::encode(&entry));
    }

    /// Notes that an object is a member, or no longer.
    pub fn put_scope_member(&mut self, of: &MemberOf, member: &SourceId, is: bool) {
        let key = member_key(of, member);
        if is {
            self.put(Table::Scope, key, Vec::new());
        } else {
            self.delete(Table::Scope, key);
        }
    }

    /// Notes which groups were looked into; `None` forgets that anybody did.
    pub fn put_scope_groups(&mut self, of: &MemberOf, groups: Option<&[SourceId]>) {
        let key = group_key(GROUPS, of);
        match groups {
            Some(groups) => self.put(Table::Scope, key, record::encode(groups)),
            None => self.delete(Table::Scope, key),
        }
    }
}
