//! The rest of a transaction's writes: dirty marks, create-intents, readings, forecast, removals, cycles, names.

use std::collections::BTreeSet;

use serde::Serialize;

use crate::model::id::ObjectKind;
use crate::model::id::SourceId;
use crate::model::id::TargetId;
use crate::model::name::Name;
use crate::ports::StoreError;
use crate::ports::Table;

use super::{
    keys,
    read::{ObjectIntent, Reads},
    record::{self, DirtyCause, Mark},
    tx::Tx,
};

/// How many summaries of past cycles are kept.
pub const CYCLES_KEPT: u64 = 1000;

/// The size in bytes above which a value makes sled write whole pages beside its log; intents and history are cut below
/// it.
pub(super) const SMALL: usize = 6 * 1024;

impl Tx<'_> {
    /// Adds a cause to an object's dirty mark.
    pub fn mark_dirty(
        &mut self,
        kind: ObjectKind,
        id: &SourceId,
        cause: DirtyCause,
    ) -> Result<(), StoreError> {
        let before = self.dirty_cause(kind, id)?;
        self.mark_over(kind, &keys::object(kind, id), before, cause);
        Ok(())
    }

    /// Adds a cause as [`Self::mark_dirty`] does, to an object whose mark is known already.
    pub(super) fn mark_over(
        &mut self,
        kind: ObjectKind,
        key: &[u8],
        before: Option<DirtyCause>,
        cause: DirtyCause,
    ) {
        let after = before.unwrap_or_default().and(cause);
        if before.is_none() {
            self.heads.counts.count_dirty(kind, true);
        }
        if before != Some(after) {
            let moved = match before {
                Some(held) if held.has(DirtyCause::PROPERTIES) => self.moved_beside(key),
                _ => BTreeSet::new(),
            };
            self.put(Table::Dirty, key.to_vec(), Mark { cause: after, moved }.encode());
        }
    }

    /// Returns the properties beside a mark that has facts. Ones that cannot be read count as none; `state verify`
    /// reports them.
    fn moved_beside(&self, key: &[u8]) -> BTreeSet<Name> {
        let held = self.raw(Table::Dirty, key).ok().flatten();
        held.and_then(|bytes| Mark::decode(&bytes))
            .map_or_else(BTreeSet::new, |mark| mark.moved)
    }

    /// Adds a cause, and the properties of the source that changed.
    pub(super) fn mark_moved(
        &mut self,
        kind: ObjectKind,
        id: &SourceId,
        cause: DirtyCause,
        moved: Vec<Name>,
    ) -> Result<(), StoreError> {
        if moved.is_empty() {
            return self.mark_dirty(kind, id, cause);
        }
        let mut mark = self.dirty_mark(kind, id)?.unwrap_or_default();
        let known = mark.moved.len();
        mark.moved.extend(moved);
        let cause = cause.and(DirtyCause::PROPERTIES);
        if mark.moved.len() == known && mark.cause.has(cause) {
            return Ok(());
        }
        if self.dirty_cause(kind, id)?.is_none() {
            self.heads.counts.count_dirty(kind, true);
        }
        mark.cause = mark.cause.and(cause);
        self.put(Table::Dirty, keys::object(kind, id), mark.encode());
        Ok(())
    }

    /// Gives a mark other causes; its facts and changed properties stay.
    pub(super) fn remark(
        &mut self,
        kind: ObjectKind,
        id: &SourceId,
        cause: DirtyCause,
    ) -> Result<(), StoreError> {
        let before = self.dirty_mark(kind, id)?;
        if before.is_none() {
            self.heads.counts.count_dirty(kind, true);
        }
        let before = before.unwrap_or_default();
        let mark = Mark {
            cause: cause.and(before.cause.facts()),
            moved: before.moved,
        };
        self.put(Table::Dirty, keys::object(kind, id), mark.encode());
        Ok(())
    }

    /// Deletes an object's dirty mark.
    pub fn clear_dirty(&mut self, kind: ObjectKind, id: &SourceId) -> Result<(), StoreError> {
        if self.dirty_cause(kind, id)?.is_some() {
            self.heads.counts.count_dirty(kind, false);
            self.delete(Table::Dirty, keys::object(kind, id));
        }
        Ok(())
    }

    /// Stores create-intents, and returns them in their batches, each with its number: several where one would be too
    /// large. They protect nothing before they are committed with [`crate::ports::Durability::Synced`].
    #[must_use = "the numbers say what to settle later"]
    pub fn put_intents(&mut self, intents: Vec<ObjectIntent>) -> Vec<(u64, Vec<ObjectIntent>)> {
        let sizes: Vec<usize> = in_small_pieces(&intents).into_iter().map(<[_]>::len).collect();
        let mut rest = intents.into_iter();
        let mut batches = Vec::with_capacity(sizes.len());
        for size in sizes {
            let batch: Vec<ObjectIntent> = rest.by_ref().take(size).collect();
            let number = self.heads.next_intents;
            self.heads.next_intents += 1;
            self.put(Table::Intents, keys::number(number), record::encode(&batch));
            batches.push((number, batch));
        }
        batches
    }

    /// Leaves only these intents open in a batch; with none, the batch is settled.
    pub fn replace_intents(&mut self, batch: u64, open: &[&ObjectIntent]) {
        if open.is_empty() {
            self.delete(Table::Intents, keys::number(batch));
        } else {
            self.put(Table::Intents, keys::number(batch), record::encode(open));
        }
    }

    // --------------------------------------------------------------------- readings, forecast, removals

    /// Stores what a listing of the target brought, findable by these paths and folded values.
    ///
    /// A reading of the same resource is replaced; its index entries must be the same or cleared before.
    pub fn put_reading<T: Serialize>(
        &mut self,
        kind: ObjectKind,
        target: &TargetId,
        reading: &T,
        index: &[(&str, &str)],
    ) {
        self.put(
            Table::Readings,
            keys::resource(kind, target),
            record::encode(reading),
        );
        for (path, value) in index {
            let mut key = keys::reading_index(kind, path, value);
            key.extend_from_slice(target.as_str().as_bytes());
            self.put(Table::ReadingIndex, key, Vec::new());
        }
    }

    /// Stores what the current cycle expects of its own operation on an object.
    pub fn put_forecast<T: Serialize>(&mut self, kind: ObjectKind, id: &SourceId, forecast: &T) {
        self.put(Table::Forecast, keys::object(kind, id), record::encode(forecast));
    }

    /// Stores a removal of the first pass.
    pub fn put_removal<T: Serialize>(&mut self, kind: ObjectKind, id: &SourceId, removal: &T) {
        self.put(Table::Removals, keys::object(kind, id), record::encode(removal));
    }

    // --------------------------------------------------------------------------------------------- rest

    /// Appends a cycle's summary and drops the oldest one beyond [`CYCLES_KEPT`].
    pub fn put_cycle(&mut self, summary: &serde_json::Value) {
        let number = self.heads.next_cycle;
        self.heads.next_cycle += 1;
        self.put(
            Table::Cycles,
            keys::number(number),
            summary.to_string().into_bytes(),
        );
        if let Some(old) = number.checked_sub(CYCLES_KEPT) {
            self.delete(Table::Cycles, keys::number(old));
        }
    }

    /// Stores bytes under a name.
    pub fn put_meta(&mut self, name: &str, value: impl Into<Vec<u8>>) {
        self.put(Table::Meta, keys::meta::free(name), value.into());
    }

    /// Deletes what is stored under a name.
    pub fn delete_meta(&mut self, name: &str) {
        self.delete(Table::Meta, keys::meta::free(name));
    }
}

/// Cuts a list into pieces none of which, unless it is a single item, is larger than [`SMALL`] when written.
pub(super) fn in_small_pieces<T: Serialize>(items: &[T]) -> Vec<&[T]> {
    let mut pieces = Vec::new();
    let (mut from, mut size) = (0, 0);
    for (at, item) in items.iter().enumerate() {
        let length = record::encode(item).len();
        if at > from && size + length > SMALL {
            pieces.push(&items[from..at]);
            (from, size) = (at, 0);
        }
        size += length;
    }
    if from < items.len() {
        pieces.push(&items[from..]);
    }
    pieces
}
