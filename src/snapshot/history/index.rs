//! Where the entries of an object lie: its id and the number of the record that holds some of them, so that what happened to
//! one person is read without the history of all others.
//!
//! It is derived from the chain: [`build`] makes it of what is there, and `state check` compares the two.

use std::collections::BTreeSet;

use crate::model::id::ObjectKind;
use crate::model::id::SourceId;
use crate::ports::Durability;
use crate::ports::SnapshotStore;
use crate::ports::StoreError;
use crate::ports::Table;
use crate::ports::WriteBatch;
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

impl Batch {
    /// The objects that its entries are about.
    fn objects(&self) -> BTreeSet<SourceId> {
        self.entries.iter().filter_map(|entry| entry.object).collect()
    }
}

impl Tx<'_> {
    /// Notes where the entries of a record lie that begins with entry `first`.
    pub(in crate::snapshot) fn index_history(&mut self, first: u64, batch: &Batch) {
        for id in batch.objects() {
            self.put(Table::HistoryOf, keys::history_of(&id, first), Vec::new());
        }
    }

    /// Forgets where the entries of a record lay.
    pub(in crate::snapshot) fn unindex_history(&mut self, first: u64, batch: &Batch) {
        for id in batch.objects() {
            self.delete(Table::HistoryOf, keys::history_of(&id, first));
        }
    }
}

/// Builds the index of a store that has none yet.
///
/// # Errors
/// [`StoreError::Damaged`] for a record that does not decode, and whatever the store reports.
pub(in crate::snapshot) fn build(store: &dyn SnapshotStore) -> Result<(), StoreError> {
    let undecoded = |what: String| StoreError::Damaged {
        path: "the history".to_owned(),
        what,
    };
    let mut pages = raw_pages().of(RECORDS);
    while let Some(page) =
        pages.next_page(|after, limit| store.scan(Table::History, &[], after.map(Vec::as_slice), limit))?
    {
        let mut rows = WriteBatch::default();
        for (key, bytes) in page {
            let first = keys::parse_number(&key)
                .ok_or_else(|| undecoded("a key of the history does not decode".to_owned()))?;
            let batch: Batch = record::decode(&bytes)
                .map_err(|error| undecoded(format!("{error}, in the record of entry {first}")))?;
            for id in batch.objects() {
                rows.put(Table::HistoryOf, keys::history_of(&id, first), Vec::new());
            }
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
        for first in self.records_of(id)?.into_iter().rev() {
            let key = keys::number(first);
            let Some(bytes) = self.raw(Table::History, &key)? else {
                return Err(self.damaged(format_args!(
                    "the history of {kind} {id} leads to entry {first}, which is not there"
                )));
            };
            let batch: Batch = self.decode(Table::History, &bytes)?;
            let values = BatchValues::beside(self, &key)?.0;
            let entries = batch.entries.into_iter().enumerate().rev();
            for (at, entry) in
                entries.filter(|(_, entry)| (entry.kind, entry.object) == (Some(kind), Some(*id)))
            {
                if found.len() == most {
                    return Ok(found);
                }
                let values = values.get(at).and_then(Option::as_ref);
                found.push((entry, values.map(|(_, values)| values.clone())));
            }
        }
        Ok(found)
    }

    /// The numbers of the records that hold entries about an object, in their order.
    fn records_of(&self, id: &SourceId) -> Result<Vec<u64>, StoreError> {
        let mut records = Vec::new();
        self.each_raw(Table::HistoryOf, id.as_bytes(), |key, _| {
            let (_, first) = keys::parse_history_of(key).ok_or_else(|| self.bad_key(Table::HistoryOf))?;
            records.push(first);
            Ok(())
        })?;
        Ok(records)
    }

    /// Compares the index with the chain, and returns a message for each place where they differ.
    pub(in crate::snapshot) fn verify_index(&self) -> Result<Vec<String>, StoreError> {
        let mut findings = Vec::new();
        let mut expected = 0_u64;
        self.each_history_record(None, |key, bytes| {
            // What does not decode is a finding of the chain's own check.
            let (Some(first), Ok(batch)) = (keys::parse_number(key), record::decode::<Batch>(bytes)) else {
                return Ok(());
            };
            for id in batch.objects() {
                expected += 1;
                if self
                    .raw(Table::HistoryOf, &keys::history_of(&id, first))?
                    .is_none()
                {
                    findings.push(format!(
                        "the history of object {id} does not lead to entry {first}"
                    ));
                }
            }
            Ok(())
        })?;
        let mut there = 0_u64;
        self.each_raw(Table::HistoryOf, &[], |_, _| {
            there += 1;
            Ok(())
        })?;
        let missing = findings.len() as u64;
        if there + missing > expected {
            findings.push(format!(
                "{} places in the history of objects lead nowhere",
                there + missing - expected
            ));
        }
        Ok(findings)
    }
}
