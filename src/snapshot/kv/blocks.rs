//! Blocks: many small entries of a table in one value of the engine below, like a leaf of a B-tree.
//!
//! sled copies a whole node for every key that it writes, so a table of many small entries costs far more than the same
//! bytes in few values. The tables of marks, owners and references hold 36 bytes an entry, and thirty to sixty entries
//! a block (docs/performance.md). This module is pure: the engine decides which blocks a commit reads and writes.
//!
//! A block holds the entries from its own key up to the next block's, in order. Each entry is the number of bytes that
//! its key shares with the one before, the rest of the key, and the value, with lengths as LEB128 varints. Part of the
//! format: a change here needs a migration.

/// The size in bytes above which a block is cut. Larger blocks cost more bytes an update, smaller ones more keys;
/// measured between 1 and 8 KiB at 10,000 and 100,000 users.
pub const LARGEST: usize = 2048;

/// The error for bytes that are not a block.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a block of small entries does not decode")]
pub struct Undecodable;

/// One change to a table: its key, and its value, or `None` to remove it.
pub type Write<'a> = (&'a [u8], Option<&'a [u8]>);

/// An entry as read: its key, valid until the next one is read, and its value.
pub type Entry<'k, 'b> = (&'k [u8], &'b [u8]);

/// What a block became: the key of its first entry, and its bytes.
pub type Part = (Vec<u8>, Vec<u8>);

/// Reads a block from its beginning.
#[derive(Debug)]
pub struct Reader<'b> {
    rest: &'b [u8],
    key: Vec<u8>,
}

impl<'b> Reader<'b> {
    /// Starts before the first entry.
    #[must_use]
    pub const fn new(block: &'b [u8]) -> Self {
        Self {
            rest: block,
            key: Vec::new(),
        }
    }

    /// Returns the next entry, or `None` at the end. Its key is valid until the next call.
    pub fn next_entry(&mut self) -> Result<Option<Entry<'_, 'b>>, Undecodable> {
        if self.rest.is_empty() {
            return Ok(None);
        }
        let shared = self.number()?;
        let suffix = self.bytes()?;
        let value = self.bytes()?;
        if shared > self.key.len() {
            return Err(Undecodable);
        }
        self.key.truncate(shared);
        self.key.extend_from_slice(suffix);
        Ok(Some((&self.key, value)))
    }

    fn bytes(&mut self) -> Result<&'b [u8], Undecodable> {
        let length = self.number()?;
        let (bytes, rest) = self.rest.split_at_checked(length).ok_or(Undecodable)?;
        self.rest = rest;
        Ok(bytes)
    }

    fn number(&mut self) -> Result<usize, Undecodable> {
        let mut number = 0usize;
        for shift in (0..28).step_by(7) {
            let (&byte, rest) = self.rest.split_first().ok_or(Undecodable)?;
            self.rest = rest;
            number |= usize::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Ok(number);
            }
        }
        Err(Undecodable)
    }
}

/// Returns the value of a key in a block.
pub fn find<'b>(block: &'b [u8], wanted: &[u8]) -> Result<Option<&'b [u8]>, Undecodable> {
    let mut reader = Reader::new(block);
    while let Some((key, value)) = reader.next_entry()? {
        match key.cmp(wanted) {
            std::cmp::Ordering::Less => {}
            std::cmp::Ordering::Equal => return Ok(Some(value)),
            std::cmp::Ordering::Greater => return Ok(None),
        }
    }
    Ok(None)
}

/// Applies these changes (sorted by key, each key once) to a block. Returns no block, one, or several where it grew too
/// large, each with the key of its first entry.
pub fn merge(block: &[u8], writes: &[Write<'_>]) -> Result<Vec<Part>, Undecodable> {
    let mut entries = Entries::default();
    let mut reader = Reader::new(block);
    let mut writes = writes.iter().peekable();
    while let Some((key, value)) = reader.next_entry()? {
        let mut replaced = false;
        while let Some((new, content)) = writes.next_if(|(new, _)| *new <= key) {
            replaced |= *new == key;
            entries.extend(new, *content);
        }
        if !replaced {
            entries.push(key, value);
        }
    }
    for (new, content) in writes {
        entries.extend(new, *content);
    }
    Ok(entries.cut())
}

/// Writes entries in order as new blocks: none, one or several.
#[must_use]
pub fn pack(entries: &[Write<'_>]) -> Vec<Part> {
    let mut all = Entries::default();
    for (key, value) in entries {
        all.extend(key, *value);
    }
    all.cut()
}

/// Entries in order: keys in one buffer, values borrowed.
#[derive(Default)]
struct Entries<'v> {
    keys: Vec<u8>,
    /// The end of each key in the buffer, and its value.
    items: Vec<(usize, &'v [u8])>,
    bytes: usize,
}

impl<'v> Entries<'v> {
    fn extend(&mut self, key: &[u8], value: Option<&'v [u8]>) {
        if let Some(value) = value {
            self.push(key, value);
        }
    }

    fn push(&mut self, key: &[u8], value: &'v [u8]) {
        self.keys.extend_from_slice(key);
        self.items.push((self.keys.len(), value));
        self.bytes += key.len() + value.len() + 3;
    }

    /// Writes the entries as one block, or as parts of equal size where one would be too large.
    fn cut(&self) -> Vec<Part> {
        let Some(whole) = self.write(0..self.items.len()) else {
            return Vec::new();
        };
        if whole.1.len() <= LARGEST {
            return vec![whole];
        }
        // Three quarters full, so that the next change does not cut them again.
        let parts = whole.1.len().div_ceil(LARGEST * 3 / 4).min(self.items.len());
        (0..parts)
            .filter_map(|part| {
                let share = |n: usize| n * self.items.len() / parts;
                self.write(share(part)..share(part + 1))
            })
            .collect()
    }

    fn write(&self, range: std::ops::Range<usize>) -> Option<Part> {
        let key_of = |at: usize| {
            let from = if at == 0 { 0 } else { self.items[at - 1].0 };
            &self.keys[from..self.items[at].0]
        };
        let first = (!range.is_empty()).then(|| key_of(range.start).to_vec())?;
        let mut out = Vec::with_capacity(self.bytes.min(2 * LARGEST));
        let mut before: &[u8] = &[];
        for at in range {
            let (key, value) = (key_of(at), self.items[at].1);
            let shared = key.iter().zip(before).take_while(|(a, b)| a == b).count();
            put_number(&mut out, shared);
            put_number(&mut out, key.len() - shared);
            out.extend_from_slice(&key[shared..]);
            put_number(&mut out, value.len());
            out.extend_from_slice(value);
            before = key;
        }
        Some((first, out))
    }
}

fn put_number(out: &mut Vec<u8>, mut number: usize) {
    loop {
        let seven = u8::try_from(number & 0x7f).expect("seven bits fit into a byte");
        number >>= 7;
        if number == 0 {
            return out.push(seven);
        }
        out.push(seven | 0x80);
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    type Changes = BTreeMap<Vec<u8>, Option<Vec<u8>>>;

    fn entries(block: &[u8]) -> Vec<(Vec<u8>, Vec<u8>)> {
        let (mut reader, mut all) = (Reader::new(block), Vec::new());
        while let Some((key, value)) = reader.next_entry().unwrap() {
            all.push((key.to_vec(), value.to_vec()));
        }
        all
    }

    fn changes() -> impl Strategy<Value = Changes> {
        let key = prop::collection::vec(prop_oneof![Just(0u8), Just(1), Just(255)], 0..6);
        let value = prop::option::weighted(0.8, prop::collection::vec(any::<u8>(), 0..200));
        prop::collection::btree_map(key, value, 0..60)
    }

    proptest! {
        #[test]
        fn blocks_hold_what_a_map_holds(rounds in prop::collection::vec(changes(), 1..6)) {
            let mut map: BTreeMap<Vec<u8>, Vec<u8>> = BTreeMap::new();
            let mut block = Vec::new();
            for round in rounds {
                let writes: Vec<Write<'_>> = round.iter().map(|(k, v)| (k.as_slice(), v.as_deref())).collect();
                let parts = merge(&block, &writes).unwrap();
                for (key, value) in &round {
                    match value {
                        Some(value) => map.insert(key.clone(), value.clone()),
                        None => map.remove(key),
                    };
                }
                let held: Vec<_> = parts.iter().flat_map(|(_, part)| entries(part)).collect();
                prop_assert_eq!(&held, &map.clone().into_iter().collect::<Vec<_>>());
                for (first, part) in &parts {
                    prop_assert_eq!(first, &entries(part)[0].0);
                    prop_assert!(part.len() <= LARGEST || entries(part).len() == 1 || part.len() < LARGEST + 250);
                }
                for key in round.keys() {
                    let found = parts.iter().find_map(|(_, part)| find(part, key).unwrap());
                    prop_assert_eq!(found, map.get(key).map(Vec::as_slice));
                }
                block = merge(&[], &held.iter().map(|(k, v)| (k.as_slice(), Some(v.as_slice()))).collect::<Vec<_>>())
                    .unwrap()
                    .into_iter()
                    .next()
                    .map_or_else(Vec::new, |(_, first)| first);
                map = entries(&block).into_iter().collect();
            }
        }

        #[test]
        fn rubbish_is_an_error_or_entries_and_never_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..80)) {
            let mut reader = Reader::new(&bytes);
            while let Ok(Some(_)) = reader.next_entry() {}
            let _ = find(&bytes, b"key");
            let _ = merge(&bytes, &[(b"key".as_slice(), Some(b"value".as_slice()))]);
        }
    }
}
