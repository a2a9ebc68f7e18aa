//! A memory of what objects are called: a search while somebody types looks here, and reads only the records that may be meant.
//!
//! The first search makes it, of every record; from then on it follows each commit, so that nobody is missed whom the store has.
//! Who is found here and is called otherwise by now is read, and passed over by whoever searches. Where more is written than is
//! followed, or a directory is too large, there is no memory, and the records are read as without it.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;

use memchr::memmem::Finder;

use super::keys;
use super::pages::Pages;
use super::read::Reads;
use super::record::Record;
use crate::model::id::ObjectKind;
use crate::model::id::SourceId;
use crate::ports::StoreError;
use crate::ports::Table;
use crate::ports::WriteBatch;

/// The attributes that name an object.
pub const NAMES: [&str; 3] = ["userPrincipalName", "displayName", "mail"];

/// As many bytes of names are kept of a kind: some 600,000 people.
const MOST_BYTES: usize = 32 << 20;

/// As many objects may be written between two searches and still be followed.
const MOST_UNREAD: usize = 4096;

/// As many may be called otherwise than in the large text, before that is made anew.
const MOST_LATER: usize = 16_384;

/// What ends the names of an object: no text that is looked for goes over it.
const END: u8 = 0;

/// The memory of a snapshot: of users and of groups.
#[derive(Debug, Default)]
pub(super) struct CalledMemory {
    users: Mutex<Called>,
    groups: Mutex<Called>,
}

/// What the objects of a kind are called.
#[derive(Debug, Default)]
struct Called {
    /// Every one of them, as it was when this was made.
    all: Option<Text>,
    /// What those are called who were written and read since.
    later: BTreeMap<SourceId, String>,
    /// Who was written, and not read since.
    unread: BTreeSet<SourceId>,
    /// True from the moment when the text begins to be made.
    follows: bool,
    /// True where there is too much of it.
    is_too_much: bool,
    /// Another one whenever all of it is forgotten.
    generation: u64,
}

impl Called {
    fn forget(&mut self) {
        *self = Self {
            generation: self.generation + 1,
            is_too_much: self.is_too_much,
            ..Self::default()
        };
    }
}

/// The folded names of many objects, by their ids.
#[derive(Debug, Default)]
struct Text {
    names: Vec<u8>,
    /// Each object with where its names end.
    ends: Vec<(SourceId, u32)>,
}

/// The names of an object as they are searched: in lower case, each once.
fn folded(record: &Record) -> String {
    let mut all: Vec<String> = Vec::new();
    for name in NAMES {
        let name = record.object.attribute(name).and_then(|name| name.as_str());
        if let Some(name) = name.map(str::to_lowercase).filter(|name| !all.contains(name)) {
            all.push(name);
        }
    }
    all.join("\0")
}

impl Text {
    /// Adds the object that comes next.
    fn push(&mut self, record: &Record) {
        self.names.extend(folded(record).bytes());
        self.names.push(END);
        let end = u32::try_from(self.names.len()).unwrap_or(u32::MAX);
        self.ends.push((record.object.id, end));
    }

    /// The first of those behind one in whose names a text stands.
    fn find(&self, text: &str, after: Option<&SourceId>, limit: usize, found: &mut BTreeSet<SourceId>) {
        let first = after.map_or(0, |after| self.ends.partition_point(|(id, _)| id <= after));
        let mut from = match first.checked_sub(1) {
            Some(before) => self.ends[before].1 as usize,
            None => 0,
        };
        let finder = Finder::new(text);
        for _ in 0..limit {
            let Some(at) = self.names.get(from..).and_then(|names| finder.find(names)) else {
                break;
            };
            let one = self.ends.partition_point(|(_, end)| *end as usize <= from + at);
            let Some((id, end)) = self.ends.get(one) else {
                break;
            };
            found.insert(*id);
            from = *end as usize;
        }
    }

    /// The first of those behind one in whose id a text stands.
    fn find_ids(&self, text: &str, after: Option<&SourceId>, limit: usize, found: &mut BTreeSet<SourceId>) {
        let is_of_ids = |byte: u8| byte.is_ascii_hexdigit() || byte == b'-';
        if text.bytes().all(is_of_ids) {
            let first = after.map_or(0, |after| self.ends.partition_point(|(id, _)| id <= after));
            let ids = self.ends[first..].iter().map(|(id, _)| *id);
            found.extend(ids.filter(|id| id.to_string().contains(text)).take(limit));
        }
    }
}

impl CalledMemory {
    fn of(&self, kind: ObjectKind) -> MutexGuard<'_, Called> {
        let of_kind = match kind {
            ObjectKind::User => &self.users,
            ObjectKind::Group => &self.groups,
        };
        of_kind.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Follows a batch that is about to be carried out.
    pub(super) fn note(&self, batch: &WriteBatch) {
        for kind in [ObjectKind::User, ObjectKind::Group] {
            let mut called = self.of(kind);
            if !called.follows {
                continue;
            }
            let objects = batch
                .writes
                .iter()
                .filter(|(table, _, _)| *table == Table::Objects);
            let written = objects.filter_map(|(_, key, _)| keys::parse_object(key));
            called
                .unread
                .extend(written.filter(|(of, _)| *of == kind).map(|(_, id)| id));
            if called.unread.len() > MOST_UNREAD {
                called.forget();
            }
        }
    }
}

/// Who is looked for: a page of a kind.
#[derive(Debug, Clone, Copy)]
pub struct Looking<'l> {
    /// Users or groups.
    pub kind: ObjectKind,
    /// A text in lower case, which stands in a name or an id.
    pub text: &'l str,
    /// The last one of the page before.
    pub after: Option<&'l SourceId>,
    /// At most so many.
    pub limit: usize,
}

impl CalledMemory {
    /// Returns the ids of all who may be looked for; others may be among them. `None` where that is not remembered: the records
    /// say it.
    pub(super) fn find(
        &self,
        reads: &impl Reads,
        looking: &Looking<'_>,
    ) -> Result<Option<Vec<SourceId>>, StoreError> {
        let Looking {
            kind,
            text,
            after,
            limit,
        } = *looking;
        if text.is_empty() {
            return Ok(None);
        }
        let (is_new, generation) = {
            let mut called = self.of(kind);
            if called.is_too_much {
                return Ok(None);
            }
            // Whatever is written from here on is read again.
            let is_new = !std::mem::replace(&mut called.follows, true);
            (is_new, called.generation)
        };
        if is_new {
            self.remember(reads, kind, generation)?;
        }
        let mut called = self.of(kind);
        catch_up(reads, kind, &mut called)?;
        // It is made for another search just now.
        let Some(all) = &called.all else { return Ok(None) };
        let mut found = BTreeSet::new();
        all.find(text, after, limit, &mut found);
        all.find_ids(text, after, limit, &mut found);
        let behind = |id: &SourceId| after.is_none_or(|after| id > after);
        let has = |(id, names): &(&SourceId, &String)| names.contains(text) || id.to_string().contains(text);
        let later = called.later.iter().filter(|(id, _)| behind(id)).filter(has);
        found.extend(later.map(|(id, _)| *id).take(limit));
        let found = found.into_iter().take(limit).collect();
        if called.later.len() > MOST_LATER {
            called.forget();
        }
        Ok(Some(found))
    }

    /// Makes the text of a kind, whose followers are of this generation.
    fn remember(&self, reads: &impl Reads, kind: ObjectKind, generation: u64) -> Result<(), StoreError> {
        let made = text_of(reads, kind);
        let mut called = self.of(kind);
        // Otherwise more was written meanwhile than is followed.
        if called.generation != generation {
            return made.map(drop);
        }
        match made {
            Ok(Some(text)) => called.all = Some(text),
            Ok(None) => {
                called.forget();
                called.is_too_much = true;
            }
            Err(error) => {
                called.forget();
                return Err(error);
            }
        }
        Ok(())
    }
}

/// Reads those who were written since. Nobody writes meanwhile: whoever is about to waits to say so.
fn catch_up(reads: &impl Reads, kind: ObjectKind, called: &mut Called) -> Result<(), StoreError> {
    if called.all.is_none() {
        return Ok(());
    }
    while let Some(id) = called.unread.first().copied() {
        match reads.record(kind, &id)? {
            Some(record) => called.later.insert(id, folded(&record)),
            None => called.later.remove(&id),
        };
        called.unread.remove(&id);
    }
    Ok(())
}

/// What all of a kind are called; `None` where that is too much.
fn text_of(reads: &impl Reads, kind: ObjectKind) -> Result<Option<Text>, StoreError> {
    let mut text = Text::default();
    let mut pages = Pages::growing(|record: &Record| record.object.id);
    while let Some(page) = pages.next_page(|after, limit| reads.scan_records(kind, after, limit))? {
        page.iter().for_each(|record| text.push(record));
        if text.names.len() > MOST_BYTES {
            return Ok(None);
        }
    }
    text.names.shrink_to_fit();
    text.ends.shrink_to_fit();
    Ok(Some(text))
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::sync::Arc;

    use proptest::prelude::*;

    use super::*;
    use crate::model::value::Value;
    use crate::ports::Durability;
    use crate::snapshot::kv::memory::MemoryStore;
    use crate::snapshot::store::Snapshot;

    const USER: ObjectKind = ObjectKind::User;

    fn opened() -> Snapshot {
        Snapshot::open(Arc::new(MemoryStore::new()), Path::new("memory")).unwrap()
    }

    fn write(snapshot: &Snapshot, n: u8, name: Option<&str>) {
        let id = SourceId::from_bytes([n; 16]);
        let mut tx = snapshot.tx().unwrap();
        match name {
            Some(name) => {
                let mut record = Record::new(USER, id, 1);
                record
                    .object
                    .attributes
                    .insert("displayName".to_owned(), Value::text(name));
                tx.put_record(&record).unwrap();
            }
            None => tx.delete_record(USER, &id).unwrap(),
        }
        tx.commit(Durability::Lazy).unwrap();
    }

    fn page(
        snapshot: &Snapshot,
        text: &str,
        after: Option<&SourceId>,
        limit: usize,
    ) -> Option<Vec<SourceId>> {
        let kind = USER;
        snapshot
            .may_be_called(&Looking {
                kind,
                text,
                after,
                limit,
            })
            .unwrap()
    }

    /// Who is called so, by what is remembered and by the records.
    fn found(snapshot: &Snapshot, text: &str, after: Option<u8>, limit: usize) -> Vec<u8> {
        let after = after.map(|n| SourceId::from_bytes([n; 16]));
        let found = page(snapshot, text, after.as_ref(), limit).unwrap();
        assert!(found.len() <= limit && found.is_sorted(), "{found:?}");
        let is_called = |id: &SourceId| {
            let record = snapshot.record(USER, id).unwrap();
            record.is_some_and(|record| folded(&record).contains(text) || id.to_string().contains(text))
        };
        found
            .iter()
            .filter(|id| is_called(id))
            .map(|id| id.as_bytes()[0])
            .collect()
    }

    #[test]
    fn a_name_is_found_as_it_is_by_now() {
        let snapshot = opened();
        write(&snapshot, 1, Some("Ada"));
        write(&snapshot, 2, Some("Bob\0Ada"));
        assert_eq!(found(&snapshot, "ada", None, 9), [1, 2]);
        assert_eq!(found(&snapshot, "ada", Some(1), 9), [2]);
        assert_eq!(found(&snapshot, "ada", None, 1), [1]);
        assert_eq!(found(&snapshot, "0101", None, 9), [1]);
        write(&snapshot, 1, Some("Eve"));
        write(&snapshot, 3, Some("ADA"));
        write(&snapshot, 2, None);
        assert_eq!(found(&snapshot, "ada", None, 9), [3]);
        assert_eq!(found(&snapshot, "eve", None, 9), [1]);
        assert_eq!(page(&snapshot, "", None, 9), None);
    }

    #[test]
    fn more_than_is_followed_is_read_anew() {
        let snapshot = opened();
        // No id has a v.
        write(&snapshot, 1, Some("Eve"));
        assert_eq!(found(&snapshot, "eve", None, 9), [1]);
        let ids = (0..=MOST_UNREAD as u128).map(|n| SourceId::from_bytes((n << 8).to_be_bytes()));
        let mut tx = snapshot.tx().unwrap();
        ids.for_each(|id| tx.put_record(&Record::new(USER, id, 1)).unwrap());
        tx.commit(Durability::Lazy).unwrap();
        assert!(!snapshot.called().of(USER).follows);
        assert_eq!(found(&snapshot, "eve", None, 9), [1]);
    }

    proptest! {
        #[test]
        fn nobody_is_missed_whatever_is_written_between_searches(
            steps in proptest::collection::vec((1_u8..9, proptest::option::of("[abAB]{0,3}"), "[ab]{1,2}", 1_usize..4), 1..24)
        ) {
            let snapshot = opened();
            let mut names: BTreeMap<u8, String> = BTreeMap::new();
            for (n, name, text, limit) in steps {
                write(&snapshot, n, name.as_deref());
                match name {
                    Some(name) => names.insert(n, name.to_lowercase()),
                    None => names.remove(&n),
                };
                let mut all = Vec::new();
                let mut after = None;
                loop {
                    let behind = after.map(|n| SourceId::from_bytes([n; 16]));
                    let page = page(&snapshot, &text, behind.as_ref(), limit).unwrap();
                    let Some(last) = page.last() else { break };
                    after = Some(last.as_bytes()[0]);
                    all.extend(page.iter().map(|id| id.as_bytes()[0]));
                }
                let missed = names.iter().find(|(n, name)| name.contains(&text) && !all.contains(n));
                prop_assert!(missed.is_none(), "{missed:?} of {names:?} for {text} in {all:?}");
            }
        }
    }
}
