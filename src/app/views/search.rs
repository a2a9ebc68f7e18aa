//! What somebody types to find objects: a part of an id or of a name, in any case.
//!
//! A directory is searched while somebody types, so the snapshot remembers what its objects are called, and only those who may be
//! meant are read. Without that memory most records are passed over by a look at their bytes ([`Search::may_be_in`]), and only the
//! others are decoded.

use memchr::memchr2_iter;

use crate::app::error::AppError;
use crate::model::id::ObjectKind;
use crate::model::id::SourceId;
use crate::snapshot::called::Looking;
use crate::snapshot::called::NAMES;
use crate::snapshot::pages::Pages;
use crate::snapshot::read::Reads;
use crate::snapshot::record::Record;
use crate::snapshot::store::Snapshot;

/// As many who may be meant are asked for at a time.
const AT_A_TIME: usize = 200;

/// A text that is looked for.
#[derive(Debug, Clone)]
pub struct Search {
    /// In lower case.
    text: String,
    /// A part of it that stands in the bytes of every text that holds it, but for the case of its ASCII letters.
    sure: Vec<u8>,
}

impl Search {
    /// Prepares the search for a text.
    #[must_use]
    pub fn of(text: &str) -> Self {
        let text = text.to_lowercase();
        let sure = text.split(|c| !stays(c)).max_by_key(|part| part.len());
        let sure = sure.unwrap_or_default().as_bytes().to_vec();
        Self { text, sure }
    }

    /// True where the text stands in another.
    #[must_use]
    pub fn is_in(&self, other: &str) -> bool {
        other.to_lowercase().contains(&self.text)
    }

    /// True where the text stands in the object's id or one of its names.
    #[must_use]
    pub fn finds(&self, record: &Record) -> bool {
        let object = &record.object;
        let mut names = NAMES.iter().filter_map(|name| object.attribute(name)?.as_str());
        self.is_in_id(&object.id) || names.any(|name| self.is_in(name))
    }

    /// False where [`Self::finds`] is certainly false of the record of these bytes: texts stand in a record as they are.
    #[must_use]
    pub fn may_be_in(&self, id: &SourceId, record: &[u8]) -> bool {
        let Some(first) = self.sure.first() else {
            return true;
        };
        let length = self.sure.len();
        let is_here = |at: usize| {
            let part = record.get(at..at + length);
            part.is_some_and(|part| part.eq_ignore_ascii_case(&self.sure))
        };
        memchr2_iter(*first, first.to_ascii_uppercase(), record).any(is_here) || self.is_in_id(id)
    }

    /// Shows the records of a kind that it finds, by their ids and behind one, for as long as `show` returns true.
    pub fn each(
        &self,
        snapshot: &Snapshot,
        kind: ObjectKind,
        after: Option<SourceId>,
        mut show: impl FnMut(Record) -> Result<bool, AppError>,
    ) -> Result<(), AppError> {
        let mut last = after;
        let mut is_remembered = true;
        let mut pages = Pages::growing(|id: &SourceId| *id).behind(after).of(AT_A_TIME);
        while let Some(page) = pages.next_page(|after, limit| {
            let looking = Looking {
                kind,
                text: &self.text,
                after,
                limit,
            };
            let found = snapshot.may_be_called(&looking)?;
            is_remembered = found.is_some();
            Ok(found.unwrap_or_default())
        })? {
            for id in &page {
                let record = snapshot.record(kind, id)?.filter(|record| self.finds(record));
                if let Some(record) = record
                    && !show(record)?
                {
                    return Ok(());
                }
            }
            last = page.last().copied();
        }
        if is_remembered {
            return Ok(());
        }
        let may_be = |id: &SourceId, record: &[u8]| self.may_be_in(id, record);
        let mut pages = Pages::growing(|(id, _): &(SourceId, Option<Record>)| *id).behind(last);
        while let Some(page) =
            pages.next_page(|after, limit| snapshot.scan_records_where(kind, after, limit, may_be))?
        {
            let found = page.into_iter().filter_map(|(_, record)| record);
            for record in found.filter(|record| self.finds(record)) {
                if !show(record)? {
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    fn is_in_id(&self, id: &SourceId) -> bool {
        let is_of_ids = |byte: u8| byte.is_ascii_hexdigit() || byte == b'-';
        self.text.bytes().all(is_of_ids) && id.to_string().contains(&self.text)
    }
}

/// True for a character of a text in lower case that stands in the original as itself or, of ASCII, as its capital. Not so
/// `k` (also of the Kelvin sign), and `i` and the dot above (also of the dotted capital I).
fn stays(c: char) -> bool {
    match c {
        'i' | 'k' | '\u{307}' => false,
        _ if c.is_ascii() => true,
        _ => !c.is_lowercase() && !c.is_uppercase() && c.to_lowercase().eq([c]),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::model::value::Value;

    fn named(name: &str) -> Record {
        let mut record = Record::new(ObjectKind::User, SourceId::from_bytes([0xAB; 16]), 1);
        let attributes = &mut record.object.attributes;
        attributes.insert("displayName".to_owned(), Value::text(name));
        record
    }

    fn may(search: &Search, record: &Record) -> bool {
        search.may_be_in(&record.object.id, &record.encode())
    }

    #[test]
    fn names_are_found_in_any_case() {
        for (text, name, is_found) in [
            ("ada", "Ada Lovelace", true),
            ("A LOVE", "Ada Lovelace", true),
            ("ÖRG", "Jörg", true),
            ("美咲", "山田 美咲", true),
            ("kelvin", "\u{212A}elvin", true),
            ("i\u{307}z", "\u{130}zmir", true),
            ("istanbul", "ISTANBUL", true),
            ("abab-abab", "nobody", true),
            ("", "anybody", true),
            ("bob", "Ada", false),
            ("美美", "山田 美咲", false),
        ] {
            let (search, record) = (Search::of(text), named(name));
            assert_eq!(search.finds(&record), is_found, "{text} in {name}");
            assert!(may(&search, &record) || !is_found, "{text} in {name}");
        }
    }

    #[test]
    fn records_of_others_are_passed_over() {
        for text in ["bob", "nobody has this", "美美", "x"] {
            assert!(!may(&Search::of(text), &named("Ada")), "{text}");
        }
    }

    proptest! {
        #[test]
        fn nobody_who_is_found_is_passed_over(name in "\\PC{1,12}", from in 0_usize..12, length in 1_usize..6, capitals: bool) {
            let part: String = name.chars().skip(from).take(length).collect();
            let part = if capitals { part.to_uppercase() } else { part };
            let (search, record) = (Search::of(&part), named(&name));
            prop_assert!(may(&search, &record) || !search.finds(&record), "{part:?} in {name:?}");
        }
    }
}
