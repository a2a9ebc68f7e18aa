//! Every question to a snapshot, and the same inside a transaction, which sees its own writes.

use std::collections::HashMap;

use serde::de::DeserializeOwned;

use crate::model::cursor::Stream;
use crate::model::id::ObjectKind;
use crate::model::id::SourceId;
use crate::model::id::TargetId;
use crate::model::link::Intent;
use crate::model::object::Membership;
use crate::ports::KeyValue;
use crate::ports::StoreError;
use crate::ports::Table;

pub use super::pages::PAGE;
use super::pages::Pages;
use super::pages::raw_pages;
use super::{
    keys,
    record::{self, Binding, Brief, DirtyCause, Finishing, Mark, Record},
};

/// One open create-intent with the object that it is for.
pub type ObjectIntent = (ObjectKind, SourceId, Intent);

/// The most memberships of a group that are looked up one by one; for more, a page of the group's is read.
const FEW: usize = 4;

/// Questions to a snapshot. Scans return at most `limit` entries in key order, those after `after`.
///
/// Every method returns [`StoreError::Damaged`] where a record does not decode, and whatever the engine below
/// reports.
pub trait Reads {
    /// Returns one value, undecoded.
    fn raw(&self, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError>;

    /// Returns entries, undecoded.
    fn raw_scan(
        &self,
        table: Table,
        prefix: &[u8],
        after: Option<&[u8]>,
        limit: usize,
    ) -> Result<Vec<KeyValue>, StoreError>;

    /// Shows every entry whose key begins with `prefix`, undecoded. Entries may be added meanwhile.
    fn each_raw(
        &self,
        table: Table,
        prefix: &[u8],
        mut show: impl FnMut(&[u8], &[u8]) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        let mut pages = raw_pages();
        while let Some(page) =
            pages.next_page(|after, limit| self.raw_scan(table, prefix, after.map(Vec::as_slice), limit))?
        {
            for (key, value) in &page {
                show(key, value)?;
            }
        }
        Ok(())
    }

    /// Returns the folder, for messages.
    fn path(&self) -> &str;

    /// Builds the error that names the folder from a record that does not decode.
    fn damaged(&self, what: impl std::fmt::Display) -> StoreError {
        StoreError::Damaged {
            path: self.path().to_owned(),
            what: what.to_string(),
        }
    }

    /// Returns one value, decoded.
    fn decoded<T: DeserializeOwned>(&self, table: Table, key: &[u8]) -> Result<Option<T>, StoreError> {
        let bytes = self.raw(table, key)?;
        bytes.map(|bytes| self.decode(table, &bytes)).transpose()
    }

    /// Decodes a value of this table.
    fn decode<T: DeserializeOwned>(&self, table: Table, bytes: &[u8]) -> Result<T, StoreError> {
        record::decode(bytes).map_err(|error| self.damaged(format_args!("{error}, in table {table:?}")))
    }

    /// Builds the error for a key that does not belong to this table.
    fn bad_key(&self, table: Table) -> StoreError {
        self.damaged(format_args!("a key that does not decode, in table {table:?}"))
    }

    // ------------------------------------------------------------------------------------------ objects

    /// Returns one object.
    fn record(&self, kind: ObjectKind, id: &SourceId) -> Result<Option<Record>, StoreError> {
        let bytes = self.raw(Table::Objects, &keys::object(kind, id))?;
        bytes
            .map(|bytes| self.decode_record(kind, *id, &bytes))
            .transpose()
    }

    /// Decodes an object's record.
    fn decode_record(&self, kind: ObjectKind, id: SourceId, bytes: &[u8]) -> Result<Record, StoreError> {
        Record::decode(kind, id, bytes).map_err(|error| self.damaged(format_args!("{kind} {id}: {error}")))
    }

    /// Decodes the beginning of an object's record.
    fn decode_brief(&self, kind: ObjectKind, id: SourceId, bytes: &[u8]) -> Result<Brief, StoreError> {
        Brief::decode(bytes).map_err(|error| self.damaged(format_args!("{kind} {id}: {error}")))
    }

    /// Returns the beginning of one object's record: cheaper than all of it.
    fn brief(&self, kind: ObjectKind, id: &SourceId) -> Result<Option<Brief>, StoreError> {
        self.read_brief(kind, id)
    }

    /// Reads [`Self::brief`] from the table, where nothing is remembered.
    fn read_brief(&self, kind: ObjectKind, id: &SourceId) -> Result<Option<Brief>, StoreError> {
        let bytes = self.raw(Table::Objects, &keys::object(kind, id))?;
        bytes
            .map(|bytes| self.decode_brief(kind, *id, &bytes))
            .transpose()
    }

    /// Returns several objects, with `None` in the place of an unknown one.
    fn records(&self, wanted: &[(ObjectKind, SourceId)]) -> Result<Vec<Option<Record>>, StoreError> {
        wanted.iter().map(|(kind, id)| self.record(*kind, id)).collect()
    }

    /// Returns several objects of a kind, undecoded, with `None` in the place of an unknown one. They are read
    /// together: sorted ids that lie close cost a fraction of as many single reads.
    fn raw_objects(&self, kind: ObjectKind, ids: &[SourceId]) -> Result<Vec<Option<Vec<u8>>>, StoreError> {
        let keys: Vec<Vec<u8>> = ids.iter().map(|id| keys::object(kind, id)).collect();
        let Some((first, rest)) = keys.split_first() else {
            return Ok(Vec::new());
        };
        let mut found = vec![self.raw(Table::Objects, first)?];
        let prefix = [keys::kind_byte(kind)];
        let page = if rest.len() < FEW || !keys.is_sorted() {
            Vec::new()
        } else {
            self.raw_scan(Table::Objects, &prefix, Some(first), rest.len())?
        };
        let last = page.last().map(|(key, _)| key.clone());
        let mut page = page.into_iter().peekable();
        for key in rest {
            if last.as_ref().is_none_or(|last| last < key) {
                found.push(self.raw(Table::Objects, key)?);
                continue;
            }
            while page.next_if(|(other, _)| other < key).is_some() {}
            found.push(page.next_if(|(other, _)| other == key).map(|(_, value)| value));
        }
        Ok(found)
    }

    /// Returns the objects of a kind.
    fn scan_records(
        &self,
        kind: ObjectKind,
        after: Option<&SourceId>,
        limit: usize,
    ) -> Result<Vec<Record>, StoreError> {
        self.scan_objects(kind, after, limit, |id, value| {
            self.decode_record(kind, id, value)
        })
    }

    /// Returns what `make` makes of the objects of a kind.
    fn scan_objects<T>(
        &self,
        kind: ObjectKind,
        after: Option<&SourceId>,
        limit: usize,
        make: impl Fn(SourceId, &[u8]) -> Result<T, StoreError>,
    ) -> Result<Vec<T>, StoreError> {
        let after = after.map(|id| keys::object(kind, id));
        let found = self.raw_scan(Table::Objects, &[keys::kind_byte(kind)], after.as_deref(), limit)?;
        let made = found.iter().map(|(key, value)| {
            let (_, id) = keys::parse_object(key).ok_or_else(|| self.bad_key(Table::Objects))?;
            make(id, value)
        });
        made.collect()
    }

    /// Returns the beginnings of the objects of a kind.
    fn scan_briefs(
        &self,
        kind: ObjectKind,
        after: Option<&SourceId>,
        limit: usize,
    ) -> Result<Vec<(SourceId, Brief)>, StoreError> {
        self.scan_objects(kind, after, limit, |id, value| {
            Ok((id, self.decode_brief(kind, id, value)?))
        })
    }

    /// Returns the stream of a kind, which is a fresh one before the first round.
    fn stream(&self, kind: ObjectKind) -> Result<Stream, StoreError> {
        Ok(self
            .decoded(Table::Meta, keys::meta::stream(kind))?
            .unwrap_or_default())
    }

    /// Returns how far the end of a full round has come, while [`super::store::Snapshot::finish_round`] is due.
    fn finishing(&self, kind: ObjectKind) -> Result<Option<Finishing>, StoreError> {
        self.decoded(Table::Meta, keys::meta::finishing(kind))
    }

    /// Returns the source object that a resource is linked to.
    fn owner(&self, kind: ObjectKind, target: &TargetId) -> Result<Option<SourceId>, StoreError> {
        let Some(bytes) = self.raw(Table::Owners, &keys::resource(kind, target))? else {
            return Ok(None);
        };
        keys::parse_id(&bytes)
            .map(Some)
            .ok_or_else(|| self.bad_key(Table::Owners))
    }

    // --------------------------------------------------------------------------------------- references

    /// Returns one membership.
    fn edge(&self, group: &SourceId, member: &SourceId) -> Result<Option<Membership>, StoreError> {
        self.decoded(Table::Edges, &keys::edge(group, member))
    }

    /// Returns the memberships of a group, including those that only the target still holds.
    fn edges(
        &self,
        group: &SourceId,
        after: Option<&SourceId>,
        limit: usize,
    ) -> Result<Vec<(SourceId, Membership)>, StoreError> {
        let after = after.map(|member| keys::edge(group, member));
        self.raw_scan(Table::Edges, group.as_bytes(), after.as_deref(), limit)?
            .iter()
            .map(|(key, value)| {
                let (_, member) = keys::parse_edge(key).ok_or_else(|| self.bad_key(Table::Edges))?;
                Ok((member, self.decode(Table::Edges, value)?))
            })
            .collect()
    }

    /// Returns those of these members that are known in a group: read together where that is one page, else one by one.
    fn edges_of(
        &self,
        group: &SourceId,
        members: &[SourceId],
    ) -> Result<HashMap<SourceId, Membership>, StoreError> {
        if members.len() > FEW {
            let page = self.edges(group, None, PAGE)?;
            if page.len() < PAGE {
                return Ok(page.into_iter().collect());
            }
        }
        let mut known = HashMap::with_capacity(members.len());
        for member in members {
            known.extend(self.edge(group, member)?.map(|edge| (*member, edge)));
        }
        Ok(known)
    }

    /// Returns the objects that refer to an object: groups that have it as a member, users that have it as their
    /// manager.
    fn referrers(
        &self,
        referred: &SourceId,
        after: Option<(ObjectKind, SourceId)>,
        limit: usize,
    ) -> Result<Vec<(ObjectKind, SourceId)>, StoreError> {
        let after = after.map(|(kind, by)| keys::referrer(referred, kind, &by));
        self.raw_scan(Table::Referrers, referred.as_bytes(), after.as_deref(), limit)?
            .iter()
            .map(|(key, _)| {
                let (_, kind, by) =
                    keys::parse_referrer(key).ok_or_else(|| self.bad_key(Table::Referrers))?;
                Ok((kind, by))
            })
            .collect()
    }

    // --------------------------------------------------------------------------------------------- work

    /// Returns the objects that are still to be planned or carried out.
    fn dirty(
        &self,
        kind: ObjectKind,
        after: Option<&SourceId>,
        limit: usize,
    ) -> Result<Vec<(SourceId, DirtyCause)>, StoreError> {
        let after = after.map(|id| keys::object(kind, id));
        self.raw_scan(Table::Dirty, &[keys::kind_byte(kind)], after.as_deref(), limit)?
            .iter()
            .map(|(key, value)| match (keys::parse_object(key), value.is_empty()) {
                (Some((_, id)), false) => Ok((id, DirtyCause::decode(value))),
                _ => Err(self.bad_key(Table::Dirty)),
            })
            .collect()
    }

    /// Returns the mark of one object with the properties that changed, or `None` when it is not dirty.
    fn dirty_mark(&self, kind: ObjectKind, id: &SourceId) -> Result<Option<Mark>, StoreError> {
        match self.raw(Table::Dirty, &keys::object(kind, id))? {
            None => Ok(None),
            Some(bytes) => Mark::decode(&bytes)
                .map(Some)
                .ok_or_else(|| self.bad_key(Table::Dirty)),
        }
    }

    /// Returns why one object is dirty, or `None` when it is not.
    fn dirty_cause(&self, kind: ObjectKind, id: &SourceId) -> Result<Option<DirtyCause>, StoreError> {
        self.read_dirty_cause(kind, id)
    }

    /// Reads [`Self::dirty_cause`] from the table, where nothing is remembered.
    fn read_dirty_cause(&self, kind: ObjectKind, id: &SourceId) -> Result<Option<DirtyCause>, StoreError> {
        let bits = self.raw(Table::Dirty, &keys::object(kind, id))?;
        Ok(bits.map(|bits| DirtyCause::decode(&bits)))
    }

    /// Returns the open create-intents: the number of each batch with the intents still open in it. Few: those of one
    /// crash.
    fn intents(&self) -> Result<Vec<(u64, Vec<ObjectIntent>)>, StoreError> {
        self.raw_scan(Table::Intents, &[], None, usize::MAX)?
            .iter()
            .map(|(key, value)| {
                let batch = keys::parse_number(key).ok_or_else(|| self.bad_key(Table::Intents))?;
                Ok((batch, self.decode(Table::Intents, value)?))
            })
            .collect()
    }

    // ----------------------------------------------------------------------------------------- readings

    /// Returns what a listing of the target brought for one resource, as [`super::tx::Tx::put_reading`] stored it.
    fn reading<T: DeserializeOwned>(
        &self,
        kind: ObjectKind,
        target: &TargetId,
    ) -> Result<Option<T>, StoreError> {
        self.decoded(Table::Readings, &keys::resource(kind, target))
    }

    /// Returns the readings whose value at `path` folds to `value`.
    fn readings_by(&self, kind: ObjectKind, path: &str, value: &str) -> Result<Vec<TargetId>, StoreError> {
        let prefix = keys::reading_index(kind, path, value);
        self.raw_scan(Table::ReadingIndex, &prefix, None, usize::MAX)?
            .iter()
            .map(|(key, _)| {
                let target = std::str::from_utf8(&key[prefix.len()..])
                    .ok()
                    .and_then(TargetId::new);
                target.ok_or_else(|| self.bad_key(Table::ReadingIndex))
            })
            .collect()
    }

    /// Returns the readings of a kind.
    fn scan_readings<T: DeserializeOwned>(
        &self,
        kind: ObjectKind,
        after: Option<&TargetId>,
        limit: usize,
    ) -> Result<Vec<(TargetId, T)>, StoreError> {
        let after = after.map(|target| keys::resource(kind, target));
        self.raw_scan(Table::Readings, &[keys::kind_byte(kind)], after.as_deref(), limit)?
            .iter()
            .map(|(key, value)| {
                let (_, target) = keys::parse_resource(key).ok_or_else(|| self.bad_key(Table::Readings))?;
                Ok((target, self.decode(Table::Readings, value)?))
            })
            .collect()
    }

    // ------------------------------------------------------------------------------- forecast, removals

    /// Returns what the current cycle expects of its own operation on an object.
    fn forecast<T: DeserializeOwned>(
        &self,
        kind: ObjectKind,
        id: &SourceId,
    ) -> Result<Option<T>, StoreError> {
        self.decoded(Table::Forecast, &keys::object(kind, id))
    }

    /// Returns the forecasts for objects of a kind, of which there are few. `ids` are in order.
    fn forecasts_of<T: DeserializeOwned>(
        &self,
        kind: ObjectKind,
        ids: &[SourceId],
    ) -> Result<HashMap<SourceId, T>, StoreError> {
        let mut found = HashMap::new();
        let (Some(first), Some(last)) = (ids.first(), ids.last()) else {
            return Ok(found);
        };
        found.extend(self.forecast(kind, first)?.map(|forecast| (*first, forecast)));
        let (first, last) = (keys::object(kind, first), keys::object(kind, last));
        let mut pages = Pages::fixed(|(key, _): &KeyValue| key.clone())
            .behind(Some(first))
            .of(ids.len());
        let prefix = [keys::kind_byte(kind)];
        while let Some(page) = pages.next_page(|after, limit| {
            self.raw_scan(Table::Forecast, &prefix, after.map(Vec::as_slice), limit)
        })? {
            for (key, value) in page {
                if key > last {
                    return Ok(found);
                }
                let (_, id) = keys::parse_object(&key).ok_or_else(|| self.bad_key(Table::Forecast))?;
                found.insert(id, self.decode(Table::Forecast, &value)?);
            }
        }
        Ok(found)
    }

    /// Returns the removals planned in the first pass, users before groups.
    fn removals<T: DeserializeOwned>(
        &self,
        after: Option<(ObjectKind, SourceId)>,
        limit: usize,
    ) -> Result<Vec<(ObjectKind, SourceId, T)>, StoreError> {
        let after = after.map(|(kind, id)| keys::object(kind, &id));
        self.raw_scan(Table::Removals, &[], after.as_deref(), limit)?
            .iter()
            .map(|(key, value)| {
                let (kind, id) = keys::parse_object(key).ok_or_else(|| self.bad_key(Table::Removals))?;
                Ok((kind, id, self.decode(Table::Removals, value)?))
            })
            .collect()
    }

    /// Returns the removal planned for one object.
    fn removal<T: DeserializeOwned>(&self, kind: ObjectKind, id: &SourceId) -> Result<Option<T>, StoreError> {
        self.decoded(Table::Removals, &keys::object(kind, id))
    }

    // --------------------------------------------------------------------------------------------- rest

    /// Returns the bytes that the engine keeps under a name: `dialect`, `fingerprint`, `preset_pin` and so on.
    fn meta(&self, name: &str) -> Result<Option<Vec<u8>>, StoreError> {
        self.raw(Table::Meta, &keys::meta::free(name))
    }

    /// Returns what the store is bound to, or `None` before the first use.
    fn binding(&self) -> Result<Option<Binding>, StoreError> {
        self.decoded(Table::Meta, keys::meta::BINDING)
    }
}
