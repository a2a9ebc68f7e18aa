//! Drift as the last reading of the target found it: one row for each linked object with drift, and one for each
//! resource that no source object is linked to. Observations: found again by the next reading, so no part of an
//! export.

use serde::{Deserialize, Serialize};

use std::collections::BTreeMap;

use crate::model::clock::Timestamp;
use crate::model::id::ObjectKind;
use crate::model::id::SourceId;
use crate::model::id::TargetId;
use crate::model::name::Name;
use crate::model::value::Value;
use crate::ports::Durability;
use crate::ports::StoreError;
use crate::ports::Table;

use super::{
    keys,
    read::{PAGE, Reads},
    record,
    store::Snapshot,
    tx::Tx,
};

/// Before the keys of linked objects.
const LINKED: u8 = 1;
/// Before the keys of resources without a link.
const UNMANAGED: u8 = 2;
/// Before the keys of linked objects of which the target does not keep something: few, and looked at in each cycle.
const NOT_KEPT: u8 = 3;

/// As many members as a row names; of more only the number is kept.
pub const MEMBERS_NAMED: usize = 100;

/// One attribute as it was found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attribute {
    /// Target path.
    pub attribute: Name,
    /// What the target holds.
    pub held: Value,
    /// What the source wants.
    pub wanted: Value,
    /// The source changed too.
    pub conflict: bool,
}

/// Members of one group as they were found: the first of them, and how many.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Members {
    /// At most [`MEMBERS_NAMED`].
    pub named: Vec<SourceId>,
    /// All of them.
    pub count: u64,
}

impl Members {
    /// These.
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
    /// Its resource.
    pub target: TargetId,
    /// When that was read.
    pub seen: Timestamp,
    /// It was gone.
    pub missing: bool,
    /// The source object is gone.
    pub orphaned: bool,
    /// Values that differ.
    pub attributes: Vec<Attribute>,
    /// Members that the group lacks.
    pub lacking: Members,
    /// Members that it holds in excess.
    pub extra: Members,
    /// A cycle is to put it right, and has not yet.
    pub pending: bool,
    /// Healed, and the target held something else afterwards: no drift, and not healed again until it moves.
    pub not_kept: Vec<Attribute>,
    /// As above, members: whether the target holds them.
    pub not_kept_members: BTreeMap<SourceId, bool>,
}

impl Row {
    /// No drift.
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

    /// Members differ.
    #[must_use]
    pub const fn has_members(&self) -> bool {
        self.lacking.count + self.extra.count > 0
    }

    /// True for drift; what the target does not keep is none.
    #[must_use]
    pub const fn is_drift(&self) -> bool {
        self.missing || self.orphaned || !self.attributes.is_empty() || self.has_members()
    }

    /// True where the target does not keep something of it.
    #[must_use]
    pub fn has_not_kept(&self) -> bool {
        !(self.not_kept.is_empty() && self.not_kept_members.is_empty())
    }

    /// True when nothing is left to remember.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        !self.is_drift() && !self.has_not_kept()
    }
}

/// A resource that no source object is linked to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stranger {
    /// Its userName or displayName, for showing.
    pub name: Option<String>,
    /// When it was listed.
    pub seen: Timestamp,
}

/// How many objects drifted, by class; one may be in two of them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Linked, gone at the target.
    pub missing: u64,
    /// Linked, source object gone.
    pub orphaned: u64,
    /// Values differ.
    pub modified: u64,
    /// Members differ.
    pub membership: u64,
    /// Resources that no source object is linked to.
    pub unmanaged: u64,
}

impl Counts {
    /// Counts a row.
    pub fn add(&mut self, row: &Row) {
        self.missing += u64::from(row.missing);
        self.orphaned += u64::from(row.orphaned);
        self.modified += u64::from(!row.attributes.is_empty());
        self.membership += u64::from(row.has_members());
    }

    /// True for no drift at all.
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

fn unmanaged(kind: ObjectKind, target: &TargetId) -> Vec<u8> {
    [&[UNMANAGED], keys::resource(kind, target).as_slice()].concat()
}

/// True for an entry of this table that reads back.
#[must_use]
pub(super) fn is_sound(key: &[u8], value: &[u8]) -> bool {
    match key.split_first() {
        Some((&LINKED, rest)) => keys::parse_object(rest).is_some() && record::decode::<Row>(value).is_ok(),
        Some((&NOT_KEPT, rest)) => keys::parse_object(rest).is_some(),
        Some((&UNMANAGED, rest)) => {
            keys::parse_resource(rest).is_some() && record::decode::<Stranger>(value).is_ok()
        }
        _ => false,
    }
}

impl Snapshot {
    /// The row of an object.
    ///
    /// # Errors
    /// As [`Reads`].
    pub fn drift(&self, kind: ObjectKind, id: &SourceId) -> Result<Option<Row>, StoreError> {
        self.decoded(Table::Drift, &linked(kind, id))
    }

    /// True once there is a row of a linked object.
    ///
    /// # Errors
    /// As [`Reads`].
    pub fn has_drift(&self) -> Result<bool, StoreError> {
        Ok(!self.raw_scan(Table::Drift, &[LINKED], None, 1)?.is_empty())
    }

    /// Shows every row of a linked object, users first.
    ///
    /// # Errors
    /// As [`Reads`], and what `show` says.
    pub fn each_drift(
        &self,
        mut show: impl FnMut(ObjectKind, SourceId, Row) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        self.each_of(LINKED, |key, value| {
            let (kind, id) = keys::parse_object(key).ok_or_else(|| self.bad_key(Table::Drift))?;
            show(kind, id, self.decode(Table::Drift, value)?)
        })
    }

    /// Shows every row with something that the target does not keep, users first.
    ///
    /// # Errors
    /// As [`Reads`], and what `show` says.
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
    /// As [`Reads`], and what `show` says.
    pub fn each_stranger(
        &self,
        mut show: impl FnMut(ObjectKind, TargetId, Stranger) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        self.each_of(UNMANAGED, |key, value| {
            let (kind, target) = keys::parse_resource(key).ok_or_else(|| self.bad_key(Table::Drift))?;
            show(kind, target, self.decode(Table::Drift, value)?)
        })
    }

    fn each_of(
        &self,
        what: u8,
        mut show: impl FnMut(&[u8], &[u8]) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        let mut after: Option<Vec<u8>> = None;
        loop {
            let page = self.raw_scan(Table::Drift, &[what], after.as_deref(), PAGE)?;
            for (key, value) in &page {
                show(&key[1..], value)?;
            }
            match page.into_iter().next_back() {
                Some((key, _)) => after = Some(key),
                None => return Ok(()),
            }
        }
    }

    /// How many drifted, as the last readings found them.
    ///
    /// # Errors
    /// As [`Reads`].
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

    /// Forgets the resources of a kind that nobody was linked to.
    ///
    /// # Errors
    /// As the engine below.
    pub fn clear_strangers(&self, kind: ObjectKind) -> Result<(), StoreError> {
        loop {
            let page = self.raw_scan(Table::Drift, &[UNMANAGED, keys::kind_byte(kind)], None, PAGE)?;
            if page.is_empty() {
                return Ok(());
            }
            let mut tx = self.tx()?;
            for (key, _) in page {
                tx.delete(Table::Drift, key);
            }
            tx.commit(Durability::Lazy)?;
        }
    }
}

impl Tx<'_> {
    /// Keeps an object's row; an empty one is none.
    pub fn put_drift(&mut self, kind: ObjectKind, id: &SourceId, row: &Row) {
        if row.is_empty() {
            self.delete_drift(kind, id);
        } else {
            self.put(Table::Drift, linked(kind, id), record::encode(row));
            if row.has_not_kept() {
                self.put(Table::Drift, unkept(kind, id), Vec::new());
            } else {
                self.delete(Table::Drift, unkept(kind, id));
            }
        }
    }

    /// Forgets an object's row.
    pub fn delete_drift(&mut self, kind: ObjectKind, id: &SourceId) {
        self.delete(Table::Drift, linked(kind, id));
        self.delete(Table::Drift, unkept(kind, id));
    }

    /// The row of an object, as this transaction leaves it.
    ///
    /// # Errors
    /// As [`Reads`].
    pub fn drift(&self, kind: ObjectKind, id: &SourceId) -> Result<Option<Row>, StoreError> {
        self.decoded(Table::Drift, &linked(kind, id))
    }

    /// Keeps a resource that nobody is linked to.
    pub fn put_stranger(&mut self, kind: ObjectKind, target: &TargetId, stranger: &Stranger) {
        self.put(Table::Drift, unmanaged(kind, target), record::encode(stranger));
    }
}
