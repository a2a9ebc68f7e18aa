//! The audit log (docs/design/failures.md): append-only, one record a batch, each with the hash of the one before.
//!
//! The personal values and the salt lie in a table of their own under the same key: they can be erased without breaking
//! the chain, and the salted digest in the chain then reveals nothing about them.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::model::clock::Timestamp;
use crate::model::id::CycleId;
use crate::model::id::ObjectKind;
use crate::model::id::SourceId;
use crate::model::id::TargetId;
use crate::ports::KeyValue;
use crate::ports::StoreError;
use crate::ports::Table;

use super::{
    keys,
    pages::{PAGE, raw_pages},
    read::Reads,
    record,
    store::Snapshot,
    tx::Tx,
    work::SMALL,
};

pub(super) mod index;
mod values;

pub use super::record::{Hash, Head};
use index::Marks;
pub(super) use values::BatchValues;
pub use values::Values;
use values::Written;
use values::digest_of;

/// How many records are read together; each may hold hundreds of entries.
pub(super) const RECORDS: usize = 32;

/// So long is a batch of requests under way at most: an entry may follow one that is so much younger.
const LONGEST_BATCH: Duration = Duration::from_secs(60 * 60);

/// One operation that was done, tried or decided. It holds no personal value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Its number, from 0 without a gap.
    pub seq: u64,
    /// When it happened: when its own requests were answered, or its cycle began where there are none.
    pub time: Timestamp,
    /// The cycle; `None` for what is done between cycles.
    pub cycle: Option<CycleId>,
    /// The actor: `schedule`, a token's name or a local user.
    pub actor: String,
    /// The operation: a verb of `reconcile::operation`, or another name.
    pub operation: String,
    /// The kind of the object.
    pub kind: Option<ObjectKind>,
    /// The source object.
    pub object: Option<SourceId>,
    /// The target resource.
    pub target: Option<TargetId>,
    /// The reason.
    pub reason: String,
    /// The outcome: `done`, `failed` and so on.
    pub result: String,
    /// The fingerprint of mapping, scope and thresholds.
    pub config: String,
    /// SHA-256 over the salt and the values.
    pub digest: Hash,
}

/// An entry to be appended; appending gives it its number and digest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewEntry {
    /// See [`Entry::time`].
    pub time: Timestamp,
    /// See [`Entry::cycle`].
    pub cycle: Option<CycleId>,
    /// See [`Entry::actor`].
    pub actor: String,
    /// See [`Entry::operation`].
    pub operation: String,
    /// See [`Entry::kind`].
    pub kind: Option<ObjectKind>,
    /// See [`Entry::object`].
    pub object: Option<SourceId>,
    /// See [`Entry::target`].
    pub target: Option<TargetId>,
    /// See [`Entry::reason`].
    pub reason: String,
    /// See [`Entry::result`].
    pub result: String,
    /// See [`Entry::config`].
    pub config: String,
    /// The values stored beside the chain.
    pub values: Values,
    /// Random bytes, new for each entry, so that a digest cannot be guessed back.
    pub salt: [u8; 16],
}

/// A record of the chain, stored under its first entry's number.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Batch {
    pub(super) previous: Hash,
    pub(super) entries: Vec<Entry>,
}

/// A batch being built.
#[derive(Default)]
struct Making {
    entries: Vec<Entry>,
    marks: Marks,
    values: Written,
    size: usize,
}

impl Making {
    fn add(&mut self, new: NewEntry, seq: u64, values: &[u8]) {
        self.values.add(&new.salt, values);
        self.marks.add(new.object.as_ref(), Some(&new.values));
        self.entries.push(numbered(new, seq, values));
    }
}

impl Tx<'_> {
    /// Appends entries and returns the number of the first.
    pub fn append_history(&mut self, entries: Vec<NewEntry>) -> u64 {
        let first = self.heads.next_history;
        let mut making = Making::default();
        for new in entries {
            let values = new.values.encode();
            let length = values.len() + new.reason.len() + new.config.len() + 160;
            if making.size + length > SMALL {
                self.append_batch(std::mem::take(&mut making));
            }
            making.size += length;
            let seq = self.heads.next_history + making.entries.len() as u64;
            making.add(new, seq, &values);
        }
        self.append_batch(making);
        first
    }

    fn append_batch(&mut self, batch: Making) {
        if batch.entries.is_empty() {
            return;
        }
        let first = self.heads.next_history;
        let key = keys::number(first);
        self.heads.next_history += batch.entries.len() as u64;
        let values = batch.values.end();
        let bytes = record::encode(&Batch {
            previous: self.heads.history_hash,
            entries: batch.entries,
        });
        self.mark_history(first, &batch.marks);
        self.heads.history_hash = Sha256::digest(&bytes).into();
        self.put(Table::History, key.clone(), bytes);
        self.put(Table::HistoryValues, key, values);
    }
}

fn numbered(new: NewEntry, seq: u64, values: &[u8]) -> Entry {
    Entry {
        seq,
        time: new.time,
        cycle: new.cycle,
        actor: new.actor,
        operation: new.operation,
        kind: new.kind,
        object: new.object,
        target: new.target,
        reason: new.reason,
        result: new.result,
        config: new.config,
        digest: digest_of(&new.salt, values),
    }
}

impl Snapshot {
    /// Returns the entries from number `from` on with their values (`None` if erased), in whole records, until there
    /// are at least `limit`.
    pub fn history(&self, from: u64, limit: usize) -> Result<Vec<(Entry, Option<Values>)>, StoreError> {
        let mut found = Vec::new();
        self.records_until(from, |key, batch| {
            let mut values = BatchValues::beside(self, key)?.0.into_iter();
            for entry in batch.entries {
                let value = values.next().flatten().map(|(_, values)| values);
                if entry.seq >= from {
                    found.push((entry, value));
                }
            }
            Ok(found.len() < limit)
        })?;
        Ok(found)
    }

    /// Returns the entries from number `from` on, without values, in whole records, until there are at least `limit`.
    pub fn entries(&self, from: u64, limit: usize) -> Result<Vec<Entry>, StoreError> {
        let mut found = Vec::new();
        self.records_until(from, |_, batch| {
            found.extend(batch.entries.into_iter().filter(|entry| entry.seq >= from));
            Ok(found.len() < limit)
        })?;
        Ok(found)
    }

    /// Shows the records from the one on that holds entry `from`, for as long as `show` returns true.
    fn records_until(
        &self,
        from: u64,
        mut show: impl FnMut(&[u8], Batch) -> Result<bool, StoreError>,
    ) -> Result<(), StoreError> {
        let before = self.record_before(from)?.map(keys::number);
        let mut records = raw_pages().behind(before).of(1);
        while let Some(record) = records
            .next_page(|after, limit| self.raw_scan(Table::History, &[], after.map(Vec::as_slice), limit))?
        {
            for (key, bytes) in record {
                if !show(&key, self.decode(Table::History, &bytes)?)? {
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    /// Shows every entry since a moment, without values: what the guard counts (`guard_window`). Times are assumed to
    /// grow along the chain; where a clock jumped, too many entries may be shown.
    pub fn history_since(&self, since: Timestamp, mut show: impl FnMut(&Entry)) -> Result<(), StoreError> {
        let after = self.first_after(since)?;
        self.each_history_record(after, |_, bytes| {
            let batch: Batch = self.decode(Table::History, bytes)?;
            batch
                .entries
                .iter()
                .filter(|entry| entry.time >= since)
                .for_each(&mut show);
            Ok(())
        })
    }

    /// Shows every record of the history behind this key, undecoded.
    pub(super) fn each_history_record(
        &self,
        after: Option<Vec<u8>>,
        mut show: impl FnMut(&[u8], &[u8]) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        let mut pages = raw_pages().behind(after).of(RECORDS);
        while let Some(page) = pages
            .next_page(|after, limit| self.raw_scan(Table::History, &[], after.map(Vec::as_slice), limit))?
        {
            for (key, bytes) in &page {
                show(key, bytes)?;
            }
        }
        Ok(())
    }

    /// Returns the first number of the record before the one that holds `seq`, or `None` when that is the first record.
    fn record_before(&self, seq: u64) -> Result<Option<u64>, StoreError> {
        // Records hold few entries, so a short walk back finds the start of the right one.
        let mut back = 64;
        loop {
            let start = seq.saturating_sub(back);
            let firsts = self.firsts_from(start)?;
            let holder = firsts.iter().rposition(|first| *first <= seq);
            match holder {
                Some(at) if at > 0 => return Ok(Some(firsts[at - 1])),
                _ if start == 0 => return Ok(None),
                _ => back = back.saturating_mul(4),
            }
        }
    }

    /// Returns the first numbers of a page of records, from the one that begins with entry `first` or a later one.
    fn firsts_from(&self, first: u64) -> Result<Vec<u64>, StoreError> {
        let records = self.records_from(first, PAGE)?;
        Ok(records
            .iter()
            .filter_map(|(key, _)| keys::parse_number(key))
            .collect())
    }

    /// Returns the records that begin with entry `first` or a later one, at most so many.
    fn records_from(&self, first: u64, most: usize) -> Result<Vec<KeyValue>, StoreError> {
        let after = first.checked_sub(1).map(keys::number);
        self.raw_scan(Table::History, &[], after.as_deref(), most)
    }

    /// Returns the key after which every entry since `since` lies, by binary search over the entries' numbers. Entries of one
    /// batch are recorded together, so that their times may go back by as long as a batch takes.
    pub(super) fn first_after(&self, since: Timestamp) -> Result<Option<Vec<u8>>, StoreError> {
        let since = since.minus(LONGEST_BATCH);
        let (mut low, mut high) = (0, self.history_head()?.next);
        let mut last_older = None;
        while low < high {
            let middle = low + (high - low) / 2;
            let Some((key, bytes)) = self.records_from(middle, 1)?.into_iter().next() else {
                high = middle;
                continue;
            };
            let batch: Batch = self.decode(Table::History, &bytes)?;
            if batch.entries.last().is_some_and(|last| last.time < since) {
                low = keys::parse_number(&key).unwrap_or(middle).max(middle) + 1;
                last_older = Some(key);
            } else {
                high = middle;
            }
        }
        Ok(last_older)
    }

    /// Checks the whole chain: numbers without a gap, each hash of the record before, digests of values that are not
    /// erased, the head. Returns a message for each fault.
    ///
    /// # Errors
    /// As the engine below; a record that does not decode is a finding.
    pub fn verify_chain(&self) -> Result<Vec<String>, StoreError> {
        let mut findings = Vec::new();
        let (mut next, mut hash): (Option<u64>, Option<Hash>) = (None, None);
        self.each_history_record(None, |key, bytes| {
            self.verify_record(key, bytes, &mut next, &mut hash, &mut findings)
        })?;
        let head = self.history_head()?;
        if next.unwrap_or(head.next) != head.next || hash.unwrap_or(head.hash) != head.hash {
            findings.push(format!(
                "the history does not end where its head says (entry {})",
                head.next
            ));
        }
        if next.is_none() && head.next > 0 {
            findings.push(format!("the history is empty; {} entries are missing", head.next));
        }
        Ok(findings)
    }

    fn verify_record(
        &self,
        key: &[u8],
        bytes: &[u8],
        next: &mut Option<u64>,
        hash: &mut Option<Hash>,
        findings: &mut Vec<String>,
    ) -> Result<(), StoreError> {
        let first = keys::parse_number(key);
        let Ok(batch) = record::decode::<Batch>(bytes) else {
            findings.push(format!("history record {first:?} does not decode"));
            return Ok(());
        };
        // The first record present is the anchor: retention drops a prefix of the chain.
        if hash.is_some_and(|hash| hash != batch.previous) || next.is_some_and(|next| Some(next) != first) {
            findings.push(format!(
                "the history is broken before entry {}",
                first.unwrap_or_default()
            ));
        }
        let values = self.raw(Table::HistoryValues, key)?;
        let values = values.and_then(|bytes| BatchValues::decode(&bytes).ok());
        for (at, entry) in batch.entries.iter().enumerate() {
            if Some(entry.seq) != first.map(|first| first + at as u64) {
                findings.push(format!("history entry {} lies in the wrong place", entry.seq));
            }
            let kept = values.as_ref().and_then(|BatchValues(all)| all.get(at)?.as_ref());
            if kept.is_some_and(|(salt, values)| !values.are_those_of(&entry.digest, salt)) {
                findings.push(format!("the values of history entry {} were altered", entry.seq));
            }
        }
        *next = first.map(|first| first + batch.entries.len() as u64);
        *hash = Some(Sha256::digest(bytes).into());
        Ok(())
    }
}
