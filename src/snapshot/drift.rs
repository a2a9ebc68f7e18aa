//! Drift as the last reading of the target found it: one row for each linked object with drift, and one for each
//! resource that no source object is linked to. These are observations: the next reading finds them again, so they are
//! not part of an export.

use serde::{Deserialize, Serialize};

use std::collections::BTreeMap;

use crate::model::clock::Timestamp;
use crate::model::id::ObjectKind;
use crate::model::id::SourceId;
use crate::model::id::TargetId;
use crate::model::name::Name;
use crate::model::value::Value;
use crate::ports::StoreError;
use crate::ports::Table;

use super::{keys, read::Reads, record, store::Snapshot, tx::Tx};

/// The first byte of the keys of linked objects.
const LINKED: u8 = 1;
/// The first byte of the keys of resources without a link.
const UNMANAGED: u8 = 2;
/// The first byte of the keys of linked objects of which the target does not keep some value: few, and looked at in
/// each cycle.
const NOT_KEPT: u8 = 3;
/// The first byte of the keys of linked objects with drift: when it was first found.
const SINCE: u8 = 4;

/// The most members that a row lists; of the rest only the number is stored.
pub const MEMBERS_NAMED: usize = 100;

/// One attribute as it was found at the target.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attribute {
    /// Target path.
    pub attribute: Name,
    /// What the target holds.
    pub held: Value,
    /// What the source wants.
    pub wanted: Value,
    /// True if the source changed too.
    pub conflict: bool,
}

/// Group members as they were found: the first of them, and their number.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Members {
    /// The first members, at most [`MEMBERS_NAMED`].
    pub named: Vec<SourceId>,
    /// The number of all members.
    pub count: u64,
}

impl Members {
    /// Builds the value from all ids.
    #[must_use]
    pub fn of(mut ids: Vec<SourceId>) -> Self {
        let count = ids.len() as u64;
        ids.truncate(MEMBERS_NAMED);
        Self { named: ids, count }
    }
}

/// The drift of one linked object.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Row {
    /// The linked resource.
    pub target: TargetId,
    /// When the resource was read.
    pub seen: Timestamp,
    /// True if the resource was gone.
    pub missing: bool,
    /// True if the source object is gone.
    pub orphaned: bool,
    /// The attributes whose values differ.
    pub attributes: Vec<Attribute>,
    /// The members that the group lacks.
    pub lacking: Members,
    /// The members that the group holds in excess.
    pub extra: Members,
    /// True if a cycle is to repair it and has not yet.
    pub pending: bool,
    /// The attributes that were repaired and that the target changed afterwards: not drift, and not repaired again
    /// until they change.
    pub not_kept: Vec<Attribute>,
    /// The members that the target does not keep in the same way: whether it holds each.
    pub not_kept_members: BTreeMap<SourceId, bool>,
}

impl Row {
    /// Creates a row without drift.
    #[must_use]
    pub fn new(target: TargetId, seen: Timestamp) -> Self {
        Self {
            target,
            seen,
            missing: false,
            orphaned: false,
            attributes: Vec::new(),
            lacking: Members::default(),
            extra: Members::default(),
            pending: false,
            not_kept: Vec::new(),
            not_kept_members: BTreeMap::new(),
        }
    }

    /// Returns true when members differ.
    #[must_use]
    pub const fn has_members(&self) -> bool {
        self.lacking.count + self.extra.count > 0
    }

    /// Returns true for drift; a value that the target does not keep is not drift.
    #[must_use]
    pub const fn is_drift(&self) -> bool {
        self.missing || self.orphaned || !self.attributes.is_empty() || self.has_members()
    }

    /// Returns true where the target does not keep some value or member.
    #[must_use]
    pub fn has_not_kept(&self) -> bool {
        !(self.not_kept.is_empty() && self.not_kept_members.is_empty())
    }

    /// Returns true when the row holds nothing worth storing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        !self.is_drift() && !self.has_not_kept()
    }
}

/// A resource that no source object is linked to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stranger {
    /// Its userName or displayName, for display.
    pub name: Option<String>,
    /// When it was listed.
    pub seen: Timestamp,
}

/// The number of objects with drift, by class; one object may be in two classes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Linked objects whose resource is gone.
    pub missing: u64,
    /// Linked objects whose source object is gone.
    pub orphaned: u64,
    /// Objects whose values differ.
    pub modified: u64,
    /// Groups whose members differ.
    pub membership: u64,
    /// Resources that no source object is linked to.
    pub unmanaged: u64,
}

impl Counts {
    /// Adds a row to the counts.
    pub fn add(&mut self, row: &Row) {
        self.missing += u64::from(row.missing);
        self.orphaned += u64::from(row.orphaned);
        self.modified += u64::from(!row.attributes.is_empty());
        self.membership += u64::from(row.has_members());
    }

    /// Returns true when there is no drift at all.
    #[must_use]
    pub const fn is_none(&self) -> bool {
        self.missing + self.orphaned + self.modified + self.membership + self.unmanaged == 0
    }
}

fn linked(kind: ObjectKind, id: &SourceId) -> Vec<u8> {
    [&[LINKED], keys::object(kind, id).as_slice()].concat()
}

fn unkept(kind: ObjectKind, id: &SourceId) -> Vec<u8> {
    [&[NOT_KEPT], keys::object(kind, id).as_slice()].concat()
}

fn since(kind: ObjectKind, id: &SourceId) -> Vec<u8> {
    [&[SINCE], keys::object(kind, id).as_slice()].concat()
}

fn unmanaged(kind: ObjectKind, target: &TargetId) -> Vec<u8> {
    [&[UNMANAGED], keys::resource(kind, target).as_slice()].concat()
}

/// Returns true for an entry of this table that decodes.
#[must_use]
pub(super) fn is_sound(key: &[u8], value: &[u8]) -> bool {
    match key.split_first() {
        Some((&LINKED, rest)) => keys::parse_object(rest).is_some() && record::decode::<Row>(value).is_ok(),
        Some((&NOT_KEPT, rest)) => keys::parse_object(rest).is_some(),
        Some((&SINCE, rest)) => {
            keys::parse_object(rest).is_some() && record::decode::<Timestamp>(value).is_ok()
        }
        Some((&UNMANAGED, rest)) => {
            keys::parse_resource(rest).is_some() && record::decode::<Stranger>(value).is_ok()
        }
        _ => false,
    }
}

/// Returns true once a linked object has a row.
pub fn has_drift(reads: &impl Reads) -> Result<bool, StoreError> {
    Ok(!reads.raw_scan(Table::Drift, &[LINKED], None, 1)?.is_empty())
}

impl Snapshot {
    /// Returns the row of an object.
    pub fn drift(&self, kind: ObjectKind, id: &SourceId) -> Result<Option<Row>, StoreError> {
        self.decoded(Table::Drift, &linked(kind, id))
    }

    /// Returns when drift of an object was first found, where there is drift since.
    pub fn drift_since(&self, kind: ObjectKind, id: &SourceId) -> Result<Option<Timestamp>, StoreError> {
        self.decoded(Table::Drift, &since(kind, id))
    }

    /// Shows every row of a linked object, users first.
    ///
    /// # Errors
    /// As [`Reads`], and what `show` returns.
    pub fn each_drift(
        &self,
        mut show: impl FnMut(ObjectKind, SourceId, Row) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        self.each_of(LINKED, |key, value| {
            let (kind, id) = keys::parse_object(key).ok_or_else(|| self.bad_key(Table::Drift))?;
            show(kind, id, self.decode(Table::Drift, value)?)
        })
    }

    /// Shows every row with a value or member that the target does not keep, users first.
    ///
    /// # Errors
    /// As [`Reads`], and what `show` returns.
    pub fn each_not_kept(
        &self,
        mut show: impl FnMut(ObjectKind, SourceId, Row) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        self.each_of(NOT_KEPT, |key, _| {
            let (kind, id) = keys::parse_object(key).ok_or_else(|| self.bad_key(Table::Drift))?;
            let row = self.drift(kind, &id)?.filter(Row::has_not_kept);
            row.map_or(Ok(()), |row| show(kind, id, row))
        })
    }

    /// Shows every resource that no source object is linked to.
    ///
    /// # Errors
    /// As [`Reads`], and what `show` returns.
    pub fn each_stranger(
        &self,
        mut show: impl FnMut(ObjectKind, TargetId, Stranger) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        self.each_of(UNMANAGED, |key, value| {
            let (kind, target) = keys::parse_resource(key).ok_or_else(|| self.bad_key(Table::Drift))?;
            show(kind, target, self.decode(Table::Drift, value)?)
        })
    }

    /// Returns resources of a kind that no source object is linked to, by their ids: at most so many, behind this one.
    pub fn scan_strangers(
        &self,
        kind: ObjectKind,
        after: Option<&TargetId>,
        limit: usize,
    ) -> Result<Vec<(TargetId, Stranger)>, StoreError> {
        let after = after.map(|target| unmanaged(kind, target));
        let found = self.raw_scan(
            Table::Drift,
            &[UNMANAGED, keys::kind_byte(kind)],
            after.as_deref(),
            limit,
        )?;
        let each = found.iter().map(|(key, value)| {
            let (_, target) = keys::parse_resource(&key[1..]).ok_or_else(|| self.bad_key(Table::Drift))?;
            Ok((target, self.decode(Table::Drift, value)?))
        });
        each.collect()
    }

    fn each_of(
        &self,
        what: u8,
        mut show: impl FnMut(&[u8], &[u8]) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        self.each_raw(Table::Drift, &[what], |key, value| show(&key[1..], value))
    }

    /// Returns the counts of drift as the last readings found it.
    pub fn drift_counts(&self) -> Result<Counts, StoreError> {
        let mut counts = Counts::default();
        self.each_drift(|_, _, row| {
            counts.add(&row);
            Ok(())
        })?;
        self.each_stranger(|_, _, _| {
            counts.unmanaged += 1;
            Ok(())
        })?;
        Ok(counts)
    }

    /// Deletes the stored resources of a kind that no source object is linked to.
    pub fn clear_strangers(&self, kind: ObjectKind) -> Result<(), StoreError> {
        self.clear(Table::Drift, &[UNMANAGED, keys::kind_byte(kind)])
    }
}

impl Tx<'_> {
    /// Stores an object's row, or deletes it where the row is empty. Keeps when its drift was first found, for as long as there is some.
    ///
    /// # Errors
    /// As [`Reads`].
    pub fn put_drift(&mut self, kind: ObjectKind, id: &SourceId, row: &Row) -> Result<(), StoreError> {
        if row.is_empty() {
            self.delete_drift(kind, id);
            return Ok(());
        }
        self.put(Table::Drift, linked(kind, id), record::encode(row));
        if row.has_not_kept() {
            self.put(Table::Drift, unkept(kind, id), Vec::new());
        } else {
            self.delete(Table::Drift, unkept(kind, id));
        }
        let found: Option<Timestamp> = self.decoded(Table::Drift, &since(kind, id))?;
        match (row.is_drift(), found) {
            (true, None) => self.put(Table::Drift, since(kind, id), record::encode(&row.seen)),
            (false, Some(_)) => self.delete(Table::Drift, since(kind, id)),
            (true, Some(_)) | (false, None) => {}
        }
        Ok(())
    }

    /// Deletes an object's row.
    pub fn delete_drift(&mut self, kind: ObjectKind, id: &SourceId) {
        self.delete(Table::Drift, linked(kind, id));
        self.delete(Table::Drift, unkept(kind, id));
        self.delete(Table::Drift, since(kind, id));
    }

    /// Returns the row of an object as this transaction leaves it.
    pub fn drift(&self, kind: ObjectKind, id: &SourceId) -> Result<Option<Row>, StoreError> {
        self.decoded(Table::Drift, &linked(kind, id))
    }

    /// Stores a resource that no source object is linked to.
    pub fn put_stranger(&mut self, kind: ObjectKind, target: &TargetId, stranger: &Stranger) {
        self.put(Table::Drift, unmanaged(kind, target), record::encode(stranger));
    }
}
