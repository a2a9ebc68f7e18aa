//! A write transaction: collects one batch, sees its own writes, and happens whole or not at all.
//!
//! It writes together what belongs together: owners with links, referrers with edges and managers, counters with
//! everything. If it is dropped without [`Tx::commit`], nothing has happened.

use std::{collections::BTreeMap, ops::Bound, sync::MutexGuard};

use crate::model::cursor::Stream;
use crate::model::id::ObjectKind;
use crate::model::id::SourceId;
use crate::model::id::TargetId;
use crate::model::object::Membership;
use crate::ports::Durability;
use crate::ports::KeyValue;
use crate::ports::StoreError;
use crate::ports::Table;
use crate::ports::WriteBatch;

use super::{
    counts::{Counts, Facts, Heads},
    keys,
    look::LookReads,
    read::Reads,
    record::{self, Brief, DirtyCause, Finishing, Record},
    referrers::ReferrerReads,
    store::Snapshot,
};

/// A write transaction. Holds the snapshot's writer lock.
#[derive(Debug)]
pub struct Tx<'s> {
    snapshot: &'s Snapshot,
    writer: MutexGuard<'s, ()>,
    written: BTreeMap<(Table, Vec<u8>), Option<Vec<u8>>>,
    before: Heads,
    pub(super) heads: Heads,
}

impl Reads for Tx<'_> {
    fn raw(&self, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        match self.written.get(&(table, key.to_vec())) {
            Some(written) => Ok(written.clone()),
            None => self.snapshot.raw(table, key),
        }
    }

    fn raw_scan(
        &self,
        table: Table,
        prefix: &[u8],
        after: Option<&[u8]>,
        limit: usize,
    ) -> Result<Vec<KeyValue>, StoreError> {
        let from = match after {
            Some(after) if after >= prefix => Bound::Excluded((table, after.to_vec())),
            _ => Bound::Included((table, prefix.to_vec())),
        };
        let mut mine = self
            .written
            .range((from, Bound::Unbounded))
            .take_while(|((t, key), _)| *t == table && key.starts_with(prefix))
            .peekable();
        if mine.peek().is_none() {
            return self.snapshot.raw_scan(table, prefix, after, limit);
        }
        // Every key that this transaction deleted may use up one place of what is read below.
        let below = limit.saturating_add(mine.clone().count());
        let mut merged: BTreeMap<_, _> = self
            .snapshot
            .raw_scan(table, prefix, after, below)?
            .into_iter()
            .collect();
        for ((_, key), value) in mine {
            match value {
                Some(value) => merged.insert(key.clone(), value.clone()),
                None => merged.remove(key),
            };
        }
        Ok(merged.into_iter().take(limit).collect())
    }

    fn path(&self) -> &str {
        self.snapshot.path()
    }

    fn brief(&self, kind: ObjectKind, id: &SourceId) -> Result<Option<Brief>, StoreError> {
        match self.written.get(&(Table::Objects, keys::object(kind, id))) {
            Some(_) => self.read_brief(kind, id),
            None => self.snapshot.brief(kind, id),
        }
    }

    fn dirty_cause(&self, kind: ObjectKind, id: &SourceId) -> Result<Option<DirtyCause>, StoreError> {
        match self.written.get(&(Table::Dirty, keys::object(kind, id))) {
            Some(written) => Ok(written.as_deref().map(DirtyCause::decode)),
            None => self.snapshot.dirty_cause(kind, id),
        }
    }
}

impl<'s> Tx<'s> {
    pub(super) fn new(snapshot: &'s Snapshot, writer: MutexGuard<'s, ()>, heads: Heads) -> Self {
        Self {
            snapshot,
            writer,
            written: BTreeMap::new(),
            before: heads.clone(),
            heads,
        }
    }

    /// Writes everything or nothing.
    ///
    /// # Errors
    /// As the engine below. The commit may then have been carried out all the same.
    pub fn commit(mut self, durability: Durability) -> Result<(), StoreError> {
        if self.heads != self.before {
            let heads = record::encode(&self.heads);
            self.put(Table::Meta, keys::meta::HEADS.to_vec(), heads);
        }
        if self.written.is_empty() && durability == Durability::Lazy {
            return Ok(());
        }
        let writes = self
            .written
            .into_iter()
            .map(|((table, key), value)| (table, key, value))
            .collect();
        self.snapshot
            .carry_out(WriteBatch { writes }, self.heads, durability, &self.writer)
    }

    /// Returns the counters with this transaction's writes.
    #[must_use]
    pub const fn counts(&self) -> Counts {
        self.heads.counts
    }

    /// Returns the number of keys that this transaction writes so far.
    #[must_use]
    pub fn len(&self) -> usize {
        self.written.len()
    }

    /// Returns true while nothing is written.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.written.is_empty()
    }

    pub(super) fn put(&mut self, table: Table, key: Vec<u8>, value: Vec<u8>) {
        self.written.insert((table, key), Some(value));
    }

    pub(super) fn delete(&mut self, table: Table, key: Vec<u8>) {
        self.written.insert((table, key), None);
    }

    // ------------------------------------------------------------------------------------------ objects

    /// Stores an object, and updates owners, the manager's referrers and the counters.
    ///
    /// # Errors
    /// [`StoreError::Claimed`] where its resource belongs to another object.
    pub fn put_record(&mut self, record: &Record) -> Result<(), StoreError> {
        let before = self.record(record.object.kind, &record.object.id)?;
        self.replace_record(before.as_ref(), record)
    }

    /// Stores an object as [`Self::put_record`] does, for a caller that has just read the stored record.
    pub fn replace_record(&mut self, before: Option<&Record>, after: &Record) -> Result<(), StoreError> {
        if before == Some(after) {
            return Ok(());
        }
        self.write_record(before.map(Facts::of), after)
    }

    /// Stores an object as [`Self::put_record`] does, for a caller that changed the record which it read in this cycle.
    pub fn write_record(&mut self, before: Option<Facts>, after: &Record) -> Result<(), StoreError> {
        let (kind, id) = (after.object.kind, after.object.id);
        let facts = Facts::of(after);
        if before.as_ref() != Some(&facts) {
            let counts = &mut self.heads.counts;
            if let Some(before) = &before {
                counts.count_record(kind, before, false);
            }
            counts.count_record(kind, &facts, true);
            let before = before.unwrap_or(Facts::NONE);
            self.move_owner(kind, id, before.target, facts.target)?;
            self.move_manager(id, before.manager, facts.manager);
        }
        self.put(Table::Objects, keys::object(kind, &id), after.encode());
        Ok(())
    }

    /// Deletes an object with its link, its manager reference and its dirty mark. Its edges are the caller's.
    pub fn delete_record(&mut self, kind: ObjectKind, id: &SourceId) -> Result<(), StoreError> {
        let Some(before) = self.record(kind, id)? else {
            return Ok(());
        };
        self.move_owner(
            kind,
            *id,
            before.link.as_ref().map(|link| link.target.clone()),
            None,
        )?;
        self.move_manager(*id, before.object.manager, None);
        self.heads.counts.count_record(kind, &Facts::of(&before), false);
        self.delete(Table::Objects, keys::object(kind, id));
        self.delete_drift(kind, id);
        self.put_refusals(kind, id, &[]);
        if kind == ObjectKind::User {
            self.delete_cells(id);
        }
        if self.look(kind, id)?.is_some() {
            self.put_look(kind, id, None);
        }
        self.clear_dirty(kind, id)
    }

    fn move_owner(
        &mut self,
        kind: ObjectKind,
        id: SourceId,
        before: Option<TargetId>,
        after: Option<TargetId>,
    ) -> Result<(), StoreError> {
        if before == after {
            return Ok(());
        }
        if before.is_some() {
            self.delete_drift(kind, &id); // it was found at the resource before
        }
        if let Some(after) = after {
            if let Some(owner) = self.owner(kind, &after)?.filter(|owner| *owner != id) {
                let (target, owner, claimant) = (after.to_string(), owner.to_string(), id.to_string());
                return Err(StoreError::Claimed {
                    path: self.path().to_owned(),
                    target,
                    owner,
                    claimant,
                });
            }
            self.put(
                Table::Owners,
                keys::resource(kind, &after),
                id.as_bytes().to_vec(),
            );
        }
        if let Some(before) = before {
            self.delete(Table::Owners, keys::resource(kind, &before));
        }
        Ok(())
    }

    fn move_manager(&mut self, id: SourceId, before: Option<SourceId>, after: Option<SourceId>) {
        if before == after {
            return;
        }
        if let Some(before) = before {
            self.delete(Table::Referrers, keys::referrer(&before, ObjectKind::User, &id));
        }
        if let Some(after) = after {
            self.put(
                Table::Referrers,
                keys::referrer(&after, ObjectKind::User, &id),
                Vec::new(),
            );
        }
    }

    /// Stores a stream's position.
    pub fn put_stream(&mut self, kind: ObjectKind, stream: &Stream) {
        self.put(
            Table::Meta,
            keys::meta::stream(kind).to_vec(),
            record::encode(stream),
        );
    }

    pub(super) fn put_finishing(&mut self, kind: ObjectKind, finishing: Option<&Finishing>) {
        let key = keys::meta::finishing(kind).to_vec();
        match finishing {
            Some(finishing) => self.put(Table::Meta, key, record::encode(finishing)),
            None => self.delete(Table::Meta, key),
        }
    }

    // --------------------------------------------------------------------------------------- references

    /// Stores a membership, and that the group refers to the member.
    pub fn put_edge(
        &mut self,
        group: &SourceId,
        member: &SourceId,
        edge: &Membership,
    ) -> Result<(), StoreError> {
        let known = self.raw(Table::Edges, &keys::edge(group, member))?.is_some();
        self.replace_edge(known, group, member, edge);
        Ok(())
    }

    /// Stores a membership as [`Self::put_edge`] does, for a caller that has just looked whether it is known.
    pub fn replace_edge(&mut self, known: bool, group: &SourceId, member: &SourceId, edge: &Membership) {
        if !known {
            self.heads.counts.count_edge(true);
            self.put(
                Table::Referrers,
                keys::referrer(member, ObjectKind::Group, group),
                Vec::new(),
            );
        }
        self.put(Table::Edges, keys::edge(group, member), record::encode(edge));
    }

    /// Returns this transaction's change to a membership, or `None` where there is none.
    pub(super) fn written_edge(
        &self,
        group: &SourceId,
        member: &SourceId,
    ) -> Result<Option<Option<Membership>>, StoreError> {
        let written = self.written.get(&(Table::Edges, keys::edge(group, member)));
        written
            .map(|edge| {
                edge.as_deref()
                    .map(|edge| self.decode(Table::Edges, edge))
                    .transpose()
            })
            .transpose()
    }

    /// Deletes a membership.
    pub fn delete_edge(&mut self, group: &SourceId, member: &SourceId) -> Result<(), StoreError> {
        if self.raw(Table::Edges, &keys::edge(group, member))?.is_some() {
            self.heads.counts.count_edge(false);
            self.delete(Table::Referrers, keys::referrer(member, ObjectKind::Group, group));
            self.delete(Table::Edges, keys::edge(group, member));
        }
        Ok(())
    }

    /// Marks every object dirty that refers to an object which was linked, relinked or deleted, or comes or leaves.
    /// Returns the marked objects.
    pub fn mark_referrers_dirty(
        &mut self,
        referred: &SourceId,
    ) -> Result<Vec<(ObjectKind, SourceId)>, StoreError> {
        self.mark_referrers_of(std::slice::from_ref(referred))
    }

    /// Marks the referrers of several objects, as [`Self::mark_referrers_dirty`] does for one.
    pub fn mark_referrers_of(
        &mut self,
        referred: &[SourceId],
    ) -> Result<Vec<(ObjectKind, SourceId)>, StoreError> {
        let mut referrers = self.referrers_of(referred)?;
        referrers.sort_unstable();
        referrers.dedup();
        let mut marked = Vec::with_capacity(referrers.len());
        for (kind, by) in referrers {
            if self.mark_referrer(kind, &by)? {
                marked.push((kind, by));
            }
        }
        Ok(marked)
    }

    /// Marks referrers as [`Self::mark_referrers_dirty`] does, for a cycle that only shows what one that writes will
    /// do. Returns the objects that were not marked before.
    pub fn show_referrers(&mut self, referred: &SourceId) -> Result<Vec<(ObjectKind, SourceId)>, StoreError> {
        let mut marked = Vec::new();
        for (kind, by) in self.referrers_of(std::slice::from_ref(referred))? {
            let waits = self.dirty_cause(kind, &by)?.is_some();
            if !waits && self.brief(kind, &by)?.is_some_and(|brief| brief.target.is_some()) {
                self.mark_over(kind, &keys::object(kind, &by), None, DirtyCause::LOOK);
                marked.push((kind, by));
            }
        }
        Ok(marked)
    }

    /// Marks an object dirty that refers to one that changed. Returns false where nothing is to be repaired.
    pub fn mark_referrer(&mut self, kind: ObjectKind, by: &SourceId) -> Result<bool, StoreError> {
        // An object that is neither linked nor dirty has no reference at the target: when it comes, it is planned with
        // all of them.
        let before = self.dirty_cause(kind, by)?;
        let there = before.is_some() || self.brief(kind, by)?.is_some_and(|brief| brief.target.is_some());
        if there {
            self.mark_over(kind, &keys::object(kind, by), before, DirtyCause::REFERENCE);
        }
        Ok(there)
    }
}
