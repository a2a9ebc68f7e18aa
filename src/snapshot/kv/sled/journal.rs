//! The journal: changes to tables of small entries that are in no block yet.
//!
//! Ids are random, so a hundred changes touch a hundred blocks, and each block is written whole, by sled more than
//! once. So a commit writes its small changes beside the blocks, few bytes in few values, and they are folded into the
//! blocks together when there are many: a block then takes in everything since the last fold. Unfolded changes are also
//! held in memory, and a reader sees them first.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::collections::btree_map::Range;
use std::iter::Peekable;
use std::ops::Bound;

use crate::ports::KeyValue;
use crate::ports::Table;

use super::prefixed;
use crate::snapshot::kv::blocks;

/// The table number of the journal in sled: no table has it, with or without [`super::small`]'s mark of a block.
const JOURNAL: u8 = 0x7f;

/// The size in memory, in bytes, above which the journal is folded: at 100,000 users a block then takes in several
/// changes at once. Bounds memory too.
pub(super) const FOLDED_AT: usize = 8 * 1024 * 1024;

/// The memory that one change takes beside its bytes, roughly: two vectors and its place in the map.
const OVERHEAD: usize = 96;

/// A key and its value, or `None` where it was removed.
pub(super) type Change = (Vec<u8>, Option<Vec<u8>>);

/// Changes to one table: each key with its value, or `None` where it was removed.
pub(super) type Changes = BTreeMap<Vec<u8>, Option<Vec<u8>>>;

/// Changes of a commit, by table.
pub(super) type SmallChanges = BTreeMap<Table, Changes>;

/// The changes that are in no block yet.
#[derive(Debug)]
pub(super) struct Journal {
    changes: SmallChanges,
    bytes: usize,
    /// The keys of the values that store the journal, in the order of their commits.
    values: Vec<Vec<u8>>,
    next: u64,
    folded_at: usize,
}

/// The effect of a commit on the journal, once the engine below has carried it out.
#[derive(Debug)]
pub(super) enum Step {
    /// Its small changes are in the journal, in values with these keys.
    Noted(SmallChanges, Vec<Vec<u8>>),
    /// Its small changes and the whole journal are in the blocks.
    Folded,
}

impl Journal {
    /// Creates an empty journal. `folded_at`: [`FOLDED_AT`].
    pub(super) const fn new(folded_at: usize) -> Self {
        Self {
            changes: BTreeMap::new(),
            bytes: 0,
            values: Vec::new(),
            next: 0,
            folded_at,
        }
    }

    /// Reads the journal from the store.
    ///
    /// # Errors
    /// sled's, and [`blocks::Undecodable`].
    pub(super) fn read(
        db: &::sled::Db,
        folded_at: usize,
    ) -> ::sled::Result<Result<Self, blocks::Undecodable>> {
        let mut journal = Self::new(folded_at);
        for entry in db.scan_prefix([JOURNAL]) {
            let (key, value) = entry?;
            if let Err(error) = journal.take_in(&key, &value) {
                return Ok(Err(error));
            }
        }
        Ok(Ok(journal))
    }

    fn take_in(&mut self, key: &[u8], value: &[u8]) -> Result<(), blocks::Undecodable> {
        let (commit, table, removed) = parse(key).ok_or(blocks::Undecodable)?;
        let changes = self.changes.entry(table).or_default();
        let mut reader = blocks::Reader::new(value);
        while let Some((key, value)) = reader.next_entry()? {
            let value = (!removed).then(|| value.to_vec());
            self.bytes += size_of(key, value.as_ref());
            changes.insert(key.to_vec(), value);
        }
        self.values.push(key.to_vec());
        self.next = commit + 1;
        Ok(())
    }

    /// Returns the journal's change to a key, or `None` where the blocks decide.
    pub(super) fn newer(&self, table: Table, key: &[u8]) -> Option<&Option<Vec<u8>>> {
        self.changes.get(&table)?.get(key)
    }

    /// Returns the journal's changes to the keys with this prefix after this one.
    pub(super) fn newer_in(&self, table: Table, prefix: &[u8], after: Option<&[u8]>) -> Newer<'_> {
        let from = match after {
            Some(after) if after >= prefix => Bound::Excluded(after),
            _ => Bound::Included(prefix),
        };
        let range = self
            .changes
            .get(&table)
            .map(|changes| changes.range::<[u8], _>((from, Bound::Unbounded)));
        Newer {
            range: range.map(Iterator::peekable),
            prefix: prefix.to_vec(),
        }
    }

    /// Returns true when a commit of this size is folded at once rather than noted. A large commit is: its changes lie
    /// close together, and its values in the journal would be too large for sled's log.
    pub(super) fn folds(&self, changes: &SmallChanges) -> bool {
        let bytes = bytes_of(changes);
        bytes > self.folded_at / 16 || self.bytes + bytes > self.folded_at
    }

    /// Adds to `writes` a note of these changes.
    pub(super) fn note(&self, changes: SmallChanges, writes: &mut ::sled::Batch) -> Step {
        let mut keys = Vec::new();
        for (table, changes) in &changes {
            let (puts, removals): (Vec<_>, Vec<_>) = changes.iter().partition(|(_, value)| value.is_some());
            for (removed, part) in [(false, puts), (true, removals)] {
                let entries: Vec<blocks::Write<'_>> = part
                    .into_iter()
                    .map(|(key, value)| (key.as_slice(), Some(value.as_deref().unwrap_or_default())))
                    .collect();
                for (piece, (_, value)) in blocks::pack(&entries).into_iter().enumerate() {
                    let key = key_of(self.next, *table, removed, piece);
                    writes.insert(key.as_slice(), value);
                    keys.push(key);
                }
            }
        }
        Step::Noted(changes, keys)
    }

    /// Returns all changes, these over those of the journal, by table and in order; and adds to `writes` that the
    /// journal is empty.
    pub(super) fn fold<'c>(
        &'c self,
        changes: &'c SmallChanges,
        writes: &mut ::sled::Batch,
    ) -> BTreeMap<Table, Vec<blocks::Write<'c>>> {
        for key in &self.values {
            writes.remove(key.as_slice());
        }
        let tables: BTreeSet<Table> = self.changes.keys().chain(changes.keys()).copied().collect();
        let of = |all: &'c SmallChanges, table| all.get(&table).map(Changes::iter).into_iter().flatten();
        let both = |table| newest(of(&self.changes, table), of(changes, table));
        tables.into_iter().map(|table| (table, both(table))).collect()
    }

    /// Updates the journal after the commit is carried out.
    pub(super) fn follow(&mut self, step: Step) {
        match step {
            Step::Noted(changes, keys) => {
                self.bytes += bytes_of(&changes);
                for (table, changes) in changes {
                    self.changes.entry(table).or_default().extend(changes);
                }
                self.next += u64::from(!keys.is_empty());
                self.values.extend(keys);
            }
            Step::Folded => *self = Self::new(self.folded_at),
        }
    }
}

/// Merges two lists of changes, each in order; of two changes to one key the later one wins.
fn newest<'c>(
    earlier: impl Iterator<Item = (&'c Vec<u8>, &'c Option<Vec<u8>>)>,
    later: impl Iterator<Item = (&'c Vec<u8>, &'c Option<Vec<u8>>)>,
) -> Vec<blocks::Write<'c>> {
    let mut all = Vec::new();
    let mut earlier = earlier.peekable();
    for (key, value) in later {
        while let Some((before, value)) = earlier.next_if(|(before, _)| *before <= key) {
            if before < key {
                all.push((before.as_slice(), value.as_deref()));
            }
        }
        all.push((key.as_slice(), value.as_deref()));
    }
    all.extend(earlier.map(|(key, value)| (key.as_slice(), value.as_deref())));
    all
}

fn bytes_of(changes: &SmallChanges) -> usize {
    let all = changes.values().flatten();
    all.map(|(key, value)| size_of(key, value.as_ref())).sum()
}

/// Returns the size of one change in memory.
fn size_of(key: &[u8], value: Option<&Vec<u8>>) -> usize {
    OVERHEAD + key.len() + value.map_or(0, Vec::len)
}

/// Encodes the key of a journal value: the number of the commit, the table, whether these keys were removed, and the
/// number of the piece. In this order, because a later commit overrides an earlier one.
fn key_of(commit: u64, table: Table, removed: bool, piece: usize) -> Vec<u8> {
    let mut key = prefixed(JOURNAL, &commit.to_be_bytes());
    key.extend([table as u8, u8::from(removed)]);
    key.extend(u32::try_from(piece).unwrap_or(u32::MAX).to_be_bytes());
    key
}

fn parse(key: &[u8]) -> Option<(u64, Table, bool)> {
    let (commit, rest) = key.get(1..)?.split_first_chunk()?;
    let [table, removed, _, _, _, _] = rest else {
        return None;
    };
    let table = super::BLOCKED.iter().find(|known| **known as u8 == *table)?;
    Some((u64::from_be_bytes(*commit), *table, *removed != 0))
}

/// Changes of a table from some key on.
type Ahead<'j> = Peekable<Range<'j, Vec<u8>, Option<Vec<u8>>>>;

/// The journal's changes to a range of keys, in order.
pub(super) struct Newer<'j> {
    range: Option<Ahead<'j>>,
    prefix: Vec<u8>,
}

impl Newer<'_> {
    /// Adds the changes before `key` (at the end: all that are left), up to `limit` in all.
    pub(super) fn go_to(&mut self, key: Option<&[u8]>, found: &mut Vec<KeyValue>, limit: usize) {
        let Some(range) = &mut self.range else {
            return;
        };
        while found.len() < limit {
            let before = |(newer, _): &(&Vec<u8>, &Option<Vec<u8>>)| {
                newer.starts_with(&self.prefix) && key.is_none_or(|key| newer.as_slice() < key)
            };
            match range.next_if(before) {
                Some((key, Some(value))) => found.push((key.clone(), value.clone())),
                Some((_, None)) => {}
                None => return,
            }
        }
    }

    /// Returns the change to exactly this key, after [`Self::go_to`] it.
    pub(super) fn at(&mut self, key: &[u8]) -> Option<Option<Vec<u8>>> {
        let (_, value) = self
            .range
            .as_mut()?
            .next_if(|(newer, _)| newer.as_slice() == key)?;
        Some(value.clone())
    }
}
