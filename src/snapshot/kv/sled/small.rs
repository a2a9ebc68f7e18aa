//! Tables of small entries in [`blocks`]: which block holds a key, and how a commit changes the blocks that it touches.

use std::ops::Bound;
use std::sync::atomic::Ordering;

use crate::ports::KeyValue;
use crate::ports::StoreError;
use crate::ports::Table;

use super::journal::Newer;
use super::{SledStore, damaged, prefixed};
use crate::snapshot::kv::blocks;

/// The tables of small entries.
pub(super) const BLOCKED: &[Table] = &[
    Table::Edges,
    Table::Referrers,
    Table::Dirty,
    Table::Owners,
    Table::ReadingIndex,
    Table::Forecast,
    Table::Removals,
    Table::Scope,
    Table::Assignments,
];

/// The mark of a block's key, added to the table's number: format 1 has single entries under the number itself.
const BLOCK: u8 = 0x80;

pub(super) fn in_blocks(table: Table) -> bool {
    BLOCKED.contains(&table)
}

impl SledStore {
    pub(super) fn is_scattered(&self) -> bool {
        self.scattered.load(Ordering::Acquire)
    }

    pub(super) fn undecodable(&self, error: blocks::Undecodable) -> StoreError {
        damaged(&self.folder, &error.to_string())
    }

    /// Returns the entries of the blocks, overridden by the journal.
    pub(super) fn scan_blocks(
        &self,
        table: Table,
        prefix: &[u8],
        after: Option<&[u8]>,
        limit: usize,
        newer: Newer<'_>,
    ) -> Result<Vec<KeyValue>, StoreError> {
        let from = after.filter(|after| *after >= prefix);
        let mut scan = Scan {
            prefix,
            after: from,
            limit,
            newer,
            found: Vec::with_capacity(limit.min(64)),
        };
        let read = self.call("a scan", |db| {
            // Most scans end in the block that they begin in.
            let first = block_of(db, table, from.unwrap_or(prefix))?;
            let next = match &first {
                Some((low, block)) => match scan.collect(block) {
                    Ok(true) => (Bound::Excluded(low.clone()), Bound::Unbounded),
                    done => return Ok(done.map(|_| ())),
                },
                None => (
                    Bound::Included(prefixed(block_byte(table), &[])),
                    Bound::Unbounded,
                ),
            };
            for entry in db.range::<Vec<u8>, _>(next) {
                let (low, block) = entry?;
                if low[0] != block_byte(table) {
                    break;
                }
                match scan.collect(&block) {
                    Ok(true) => {}
                    done => return Ok(done.map(|_| ())),
                }
            }
            Ok(Ok(()))
        })?;
        read.map_err(|error| self.undecodable(error))?;
        Ok(scan.end())
    }

    /// Adds to `writes` these changes to a table of small entries.
    pub(super) fn change_blocks(
        &self,
        table: Table,
        changes: &[blocks::Write<'_>],
        writes: &mut ::sled::Batch,
    ) -> Result<(), StoreError> {
        let mut rest = changes;
        while let Some((key, _)) = rest.first() {
            let (low, block, end) = self.call("a read", |db| {
                let held = match block_of(db, table, key)? {
                    // Before the first block of all: that one takes it in, under a new key.
                    None => first_from(db, &[block_byte(table)])?,
                    held => held,
                };
                let (low, block) = held.unwrap_or_default();
                let from = low.clone().max(prefixed(block_byte(table), key));
                let end = db
                    .range((Bound::Excluded(from), Bound::Unbounded))
                    .next()
                    .transpose()?;
                let end = end.map(|(key, _)| key).filter(|key| key[0] == block_byte(table));
                Ok((low, block, end))
            })?;
            let mine = rest.partition_point(|(key, _)| end.as_ref().is_none_or(|end| *key < &end[1..]));
            let parts = blocks::merge(&block, &rest[..mine]).map_err(|error| self.undecodable(error))?;
            rest = &rest[mine..];
            replace_block(table, low, &block, parts, writes);
        }
        Ok(())
    }
}

/// Writes the parts that a block became. Its key stays where it can: everything from there on is its own.
fn replace_block(
    table: Table,
    low: Vec<u8>,
    before: &[u8],
    parts: Vec<blocks::Part>,
    writes: &mut ::sled::Batch,
) {
    // True once something is written under the block's own key, or left there.
    let mut kept = low.is_empty();
    for (at, (key, block)) in parts.into_iter().enumerate() {
        let mut key = prefixed(block_byte(table), &key);
        if at == 0 && !low.is_empty() && low <= key {
            kept = true;
            key.clone_from(&low);
            if block == before {
                continue;
            }
        }
        kept |= key == low;
        writes.insert(key, block);
    }
    if !kept {
        writes.remove(low);
    }
}

/// A scan under way.
struct Scan<'s, 'j> {
    prefix: &'s [u8],
    after: Option<&'s [u8]>,
    limit: usize,
    newer: Newer<'j>,
    found: Vec<KeyValue>,
}

impl Scan<'_, '_> {
    /// Takes the wanted entries out of one block. Returns false when nothing that follows can be wanted.
    fn collect(&mut self, block: &[u8]) -> Result<bool, blocks::Undecodable> {
        let mut reader = blocks::Reader::new(block);
        loop {
            if self.found.len() >= self.limit {
                return Ok(false);
            }
            let Some((key, value)) = reader.next_entry()? else {
                return Ok(true);
            };
            if key.starts_with(self.prefix) {
                if self.after.is_none_or(|after| key > after) {
                    self.meet(key, value);
                }
            } else if key > self.prefix {
                return Ok(false);
            }
        }
    }

    /// Takes the next entry of the blocks: the journal's changes before it come first, and the journal's change to it
    /// is newer.
    fn meet(&mut self, key: &[u8], value: &[u8]) {
        self.newer.go_to(Some(key), &mut self.found, self.limit);
        if self.found.len() >= self.limit {
            return;
        }
        match self.newer.at(key) {
            Some(Some(newer)) => self.found.push((key.to_vec(), newer)),
            Some(None) => {}
            None => self.found.push((key.to_vec(), value.to_vec())),
        }
    }

    fn end(mut self) -> Vec<KeyValue> {
        self.newer.go_to(None, &mut self.found, self.limit);
        self.found
    }
}

/// Returns the block that would hold a key: the last one that begins at or before it.
pub(super) fn block_of(
    db: &::sled::Db,
    table: Table,
    key: &[u8],
) -> ::sled::Result<Option<(Vec<u8>, ::sled::IVec)>> {
    let (from, to) = (prefixed(block_byte(table), &[]), prefixed(block_byte(table), key));
    let held = db.range(from..=to).next_back().transpose()?;
    Ok(held.map(|(low, block)| (low.to_vec(), block)))
}

/// Returns the first key with this prefix.
pub(super) fn first_from(db: &::sled::Db, prefix: &[u8]) -> ::sled::Result<Option<(Vec<u8>, ::sled::IVec)>> {
    let first = db.scan_prefix(prefix).next().transpose()?;
    Ok(first.map(|(key, value)| (key.to_vec(), value)))
}

const fn block_byte(table: Table) -> u8 {
    BLOCK | table as u8
}
