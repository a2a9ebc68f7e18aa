//! When a listing of the target is whole. Pure.
//!
//! A listing is whole when it was asked to its end: a page that brings nothing, or only what was there before; by cursor, a page
//! that names no next one. No number proves that. `totalResults` counts a page in some services, all in others, is too high, too
//! low or missing; pages are shorter than asked for in the middle. A number only raises doubt: where it announces more than was
//! shown, the end is looked at once more before it is believed.

use std::collections::HashSet;
use std::collections::hash_map::DefaultHasher;
use std::hash::Hash;
use std::hash::Hasher;

use crate::model::id::ObjectKind;

/// Pages in a row without anything new. Empty ones are allowed by RFC 9865; so many are no listing.
const MOST_IDLE: u32 = 1000;

/// What a listing may bring beyond ten times of what is expected, before it is held for one without an end.
const MOST_BEYOND: u64 = 100_000;

/// How a page was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way<'a> {
    /// By index, and the index of its first entry.
    Index(u64),
    /// By cursor, and the one that the page names as the next.
    Cursor(Option<&'a str>),
}

/// What a page brought.
#[derive(Debug, Clone, Copy)]
pub struct Page<'a> {
    /// How it was asked for.
    pub way: Way<'a>,
    /// Entries on it.
    pub entries: u64,
    /// Entries that cannot be read, because they have no id.
    pub unread: u64,
    /// Resources that no page before it brought.
    pub fresh: u64,
    /// Resources that a page before it brought.
    pub known: u64,
    /// `totalResults`, where said.
    pub total: Option<u64>,
}

/// What comes next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// The page from this index on.
    Index(u64),
    /// The page from this index on, asked for in another way: the answer decides whether this is the end.
    LookAgain(u64),
    /// The page behind this cursor.
    Cursor(String),
    /// Nothing: everything was shown.
    Whole,
    /// Nothing, and what was not shown may be there all the same. Says why.
    Unproven(String),
}

/// Why a place is looked at once more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Doubt {
    /// Nothing came, or a refusal: the entry before it must still show itself.
    BeforeTheEnd,
    /// What came was known.
    AtTheEnd,
    /// A page before it brought what was known beside what was new.
    Gap,
}

/// A listing under way.
#[derive(Debug)]
pub struct Listing {
    kind: ObjectKind,
    /// Resources, each once.
    pub distinct: u64,
    /// The largest `totalResults` so far.
    pub total: Option<u64>,
    unread: u64,
    /// Pages that brought something new.
    brought: u64,
    idle: u32,
    most: u64,
    doubt: Option<Doubt>,
    /// Indexes from which on entries may stand that were led past.
    gaps: Vec<u64>,
    /// Digests of the cursors that were followed: 8 bytes a page.
    followed: HashSet<u64>,
}

impl Listing {
    /// Begins one. `known`: how many resources may be expected, by what the source holds.
    #[must_use]
    pub fn new(kind: ObjectKind, known: u64) -> Self {
        Self {
            kind,
            distinct: 0,
            total: None,
            unread: 0,
            brought: 0,
            idle: 0,
            most: known.saturating_mul(10).saturating_add(MOST_BEYOND),
            doubt: None,
            gaps: Vec::new(),
            followed: HashSet::new(),
        }
    }

    /// Takes a page in.
    pub fn page(&mut self, page: &Page<'_>) -> Step {
        let doubt = self.doubt.take();
        self.distinct += page.fresh;
        self.unread += page.unread;
        self.total = self.total.max(page.total);
        let is_news = page.fresh + page.unread > 0;
        if is_news {
            self.brought += 1;
            self.idle = 0;
        } else {
            self.idle += 1;
        }
        let kind = self.kind;
        let announced = self.total.unwrap_or(0).saturating_mul(10);
        if self.distinct + self.unread > self.most.max(announced) {
            return Step::Unproven(format!(
                "the target's listing of {kind}s does not end: {} were read, far more than it announced or the source holds",
                self.distinct
            ));
        }
        if self.idle > MOST_IDLE {
            return Step::Unproven(format!(
                "the target's listing of {kind}s does not end: {MOST_IDLE} pages in a row brought nothing new"
            ));
        }
        match page.way {
            Way::Index(start) if is_news => {
                // What is known may stand there again, or the page began too early, as where rows moved or the first page came once
                // more: then those who stand behind it were not shown.
                if page.known > 0 {
                    self.gaps
                        .push(start + page.entries.saturating_sub(page.known).max(1));
                }
                Step::Index(start + page.entries.max(1))
            }
            Way::Index(start) => self.nothing_new(start, page.entries, doubt),
            Way::Cursor(None) => self.end(),
            Way::Cursor(Some(cursor)) => {
                if self.followed.insert(digest(cursor)) {
                    Step::Cursor(cursor.to_owned())
                } else {
                    Step::Unproven(format!(
                        "the target's listing of {kind}s leads back to a page that was read before"
                    ))
                }
            }
        }
    }

    /// A page after the first one was refused: that is no end yet. `why` are the target's words.
    pub fn refused(&mut self, way: Way<'_>, why: &str) -> Step {
        match (way, self.doubt.take()) {
            (Way::Index(start), None) => self.look(start.saturating_sub(1).max(1), Doubt::BeforeTheEnd),
            (Way::Index(_), Some(_)) | (Way::Cursor(_), _) => Step::Unproven(format!(
                "the target refused a page of its listing of {}s: {why}",
                self.kind
            )),
        }
    }

    fn nothing_new(&mut self, start: u64, entries: u64, doubt: Option<Doubt>) -> Step {
        let (kind, distinct) = (self.kind, self.distinct);
        let total = self.total.unwrap_or(0);
        match doubt {
            None if total <= distinct + self.unread => self.end_by_index(),
            None if entries == 0 => self.look(start.saturating_sub(1).max(1), Doubt::BeforeTheEnd),
            None => self.look(start, Doubt::AtTheEnd),
            // The last entry stands where it stood, and nothing behind it: the number is wrong.
            Some(Doubt::BeforeTheEnd) if entries > 0 || distinct + self.unread == 0 => self.end_by_index(),
            Some(Doubt::AtTheEnd) if entries > 0 && self.brought > 1 => self.end_by_index(),
            Some(Doubt::Gap) => self.end_by_index(),
            Some(Doubt::AtTheEnd) if entries > 0 => Step::Unproven(format!(
                "the target lists {distinct} distinct {kind}s where it says that it has {total}: it shows its first page again \
                 and again"
            )),
            Some(_) => Step::Unproven(format!(
                "the target lists {distinct} distinct {kind}s where it says that it has {total}: it shows nothing from index \
                 {start} on, where an entry was before"
            )),
        }
    }

    fn look(&mut self, start: u64, doubt: Doubt) -> Step {
        self.doubt = Some(doubt);
        Step::LookAgain(start)
    }

    /// The end, once nobody stands where somebody may have been led past.
    fn end_by_index(&mut self) -> Step {
        match self.gaps.pop() {
            Some(gap) => self.look(gap, Doubt::Gap),
            None => self.end(),
        }
    }

    fn end(&self) -> Step {
        match self.unread {
            0 => Step::Whole,
            unread => Step::Unproven(format!(
                "{unread} entries of the target's listing of {}s have no id",
                self.kind
            )),
        }
    }
}

pub(super) fn digest(link: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    link.hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests;
