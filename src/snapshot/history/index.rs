//! Which records of the history may hold something about an object: beside each record a mark of four bytes for each object
//! that its entries are about or move in or out of a group. So what happened to one person is read without the records of
//! all others: a walk over the marks alone, which are a hundredth of the history.
//!
//! A mark may be that of another object too, so each record found is looked at. Marks are derived from the chain: [`build`]
//! makes them of what is there, and `state check` compares the two.

use std::collections::BTreeSet;

use crate::model::id::ObjectKind;
use crate::model::id::SourceId;
use crate::ports::Durability;
use crate::ports::SnapshotStore;
use crate::ports::StoreError;
use crate::ports::Table;
use crate::ports::WriteBatch;
use crate::reconcile::operation::MEMBERS;
use crate::reconcile::undo::ids_of;
use crate::snapshot::keys;
use crate::snapshot::pages::raw_pages;
use crate::snapshot::read::Reads;
use crate::snapshot::record;
use crate::snapshot::store::Snapshot;
use crate::snapshot::tx::Tx;

use super::Batch;
use super::BatchValues;
use super::Entry;
use super::RECORDS;
use super::Values;

const LENGTH: usize = 4;

type Mark = [u8; LENGTH];

/// The mark of an object: all of its id, so that ids that share a beginning differ.
fn mark(id: &SourceId) -> Mark {
    let (parts, _) = id.as_bytes().as_chunks::<LENGTH>();
    let words = parts.iter().map(|part| u32::from_be_bytes(*part));
    words.fold(0, |sum, word| sum ^ word).to_be_bytes()
}

/// The objects that one or the other entry moves in or out of a group.
pub(in crate::snapshot) fn moved(values: &Values) -> impl Iterator<Item = SourceId> {
    let members = values.changes.iter().filter(|change| change.attribute == MEMBERS);
    members
        .flat_map(|change| [&change.before, &change.after])
        .flat_map(ids_of)
}

/// The marks beside a record.
#[derive(Debug, Default)]
pub(in crate::snapshot) struct Marks(BTreeSet<Mark>);

impl Marks {
    /// Those of a record with what is left of its values.
    pub(in crate::snapshot) fn of(batch: &Batch, values: &BatchValues) -> Self {
        let mut marks = Self::default();
        for entry in &batch.entries {
            marks.add(entry.object.as_ref(), None);
        }
        for (_, values) in values.0.iter().flatten() {
            marks.add(None, Some(values));
        }
        marks
    }

    /// Adds those of one entry.
    pub(super) fn add(&mut self, object: Option<&SourceId>, values: Option<&Values>) {
        self.0.extend(object.map(mark));
        self.0
            .extend(values.into_iter().flat_map(moved).map(|id| mark(&id)));
    }

    fn encode(&self) -> Vec<u8> {
        self.0.iter().flatten().copied().collect()
    }

    /// True where one of them stands in a row of the table.
    fn meet(&self, row: &[u8]) -> bool {
        let (row, _) = row.as_chunks::<LENGTH>();
        row.iter().any(|mark| self.0.contains(mark))
    }

    /// True where all of them stand in a row of the table.
    fn are_in(&self, row: &[u8]) -> bool {
        let (row, rest) = row.as_chunks::<LENGTH>();
        rest.is_empty() && self.0.iter().all(|mark| row.contains(mark))
    }
}

impl<'a> FromIterator<&'a SourceId> for Marks {
    fn from_iter<T: IntoIterator<Item = &'a SourceId>>(ids: T) -> Self {
        Self(ids.into_iter().map(mark).collect())
    }
}

impl Tx<'_> {
    /// Puts its marks beside the record that begins with entry `first`.
    pub(in crate::snapshot) fn mark_history(&mut self, first: u64, marks: &Marks) {
        self.put(Table::HistoryMarks, keys::number(first), marks.encode());
    }
}

/// Builds the marks of a store that has none yet.
///
/// # Errors
/// [`StoreError::Damaged`] for a record that does not decode, and whatever the store reports.
pub(in crate::snapshot) fn build(store: &dyn SnapshotStore) -> Result<(), StoreError> {
    let undecoded = |error: record::Undecodable| StoreError::Damaged {
        path: "the history".to_owned(),
        what: error.to_string(),
    };
    let mut pages = raw_pages().of(RECORDS);
    while let Some(page) =
        pages.next_page(|after, limit| store.scan(Table::History, &[], after.map(Vec::as_slice), limit))?
    {
        let mut rows = WriteBatch::default();
        for (key, bytes) in page {
            let batch: Batch = record::decode(&bytes).map_err(undecoded)?;
            let values = store.get(Table::HistoryValues, &key)?;
            let values = values.map(|bytes| BatchValues::decode(&bytes)).transpose();
            let values = values.map_err(undecoded)?.unwrap_or_default();
            rows.put(Table::HistoryMarks, key, Marks::of(&batch, &values).encode());
        }
        store.commit(rows, Durability::Lazy)?;
    }
    Ok(())
}

impl Snapshot {
    /// Returns the last entries about an object, newest first, at most so many, with their values (`None` if erased).
    ///
    /// # Errors
    /// As [`Reads`].
    pub fn last_of(
        &self,
        kind: ObjectKind,
        id: &SourceId,
        most: usize,
    ) -> Result<Vec<(Entry, Option<Values>)>, StoreError> {
        let mut found = Vec::new();
        for key in self.records_of([id], None)?.iter().rev() {
            let (batch, values) = self.history_record(key)?;
            let entries = batch.entries.into_iter().enumerate().rev();
            for (at, entry) in
                entries.filter(|(_, entry)| (entry.kind, entry.object) == (Some(kind), Some(*id)))
            {
                if found.len() == most {
                    return Ok(found);
                }
                let values = values.0.get(at).and_then(Option::as_ref);
                found.push((entry, values.map(|(_, values)| values.clone())));
            }
        }
        Ok(found)
    }

    /// Returns the keys of the records after a key that may hold something about one of these objects, in their order.
    pub(in crate::snapshot) fn records_of<'a>(
        &self,
        ids: impl IntoIterator<Item = &'a SourceId>,
        after: Option<Vec<u8>>,
    ) -> Result<Vec<Vec<u8>>, StoreError> {
        let marks: Marks = ids.into_iter().collect();
        let mut found = Vec::new();
        let mut pages = raw_pages().behind(after);
        while let Some(page) = pages.next_page(|after, limit| {
            self.raw_scan(Table::HistoryMarks, &[], after.map(Vec::as_slice), limit)
        })? {
            let here = page.into_iter().filter(|(_, row)| marks.meet(row));
            found.extend(here.map(|(key, _)| key));
        }
        Ok(found)
    }

    /// Reads one record of the history with the values beside it.
    pub(in crate::snapshot) fn history_record(&self, key: &[u8]) -> Result<(Batch, BatchValues), StoreError> {
        let Some(bytes) = self.raw(Table::History, key)? else {
            return Err(self.damaged("marks stand beside a record of the history that is not there"));
        };
        Ok((
            self.decode(Table::History, &bytes)?,
            BatchValues::beside(self, key)?,
        ))
    }

    /// Compares the marks with the chain, and returns a message for each place where they differ.
    pub(in crate::snapshot) fn verify_marks(&self) -> Result<Vec<String>, StoreError> {
        let mut findings = Vec::new();
        let mut records = 0_usize;
        self.each_history_record(None, |key, bytes| {
            records += 1;
            // What does not decode is a finding of the chain's own check.
            let Ok(batch) = record::decode::<Batch>(bytes) else {
                return Ok(());
            };
            let marks = Marks::of(&batch, &BatchValues::beside(self, key).unwrap_or_default());
            let row = self.raw(Table::HistoryMarks, key)?;
            if !row.is_some_and(|row| marks.are_in(&row)) {
                let first = batch.entries.first().map_or(0, |entry| entry.seq);
                findings.push(format!(
                    "what happened to an object is not found: marks are missing beside history entry {first}"
                ));
            }
            Ok(())
        })?;
        let mut rows = 0_usize;
        self.each_raw(Table::HistoryMarks, &[], |_, _| {
            rows += 1;
            Ok(())
        })?;
        if rows > records {
            findings.push(format!(
                "marks stand beside {} records of the history that are not there",
                rows - records
            ));
        }
        Ok(findings)
    }
}
