//! Looks that wait for a second one, one entry an object, and what a `plan` concluded from its own looks.
//!
//! A `plan` looks as a cycle does and shows what follows, but its look does not count. What it changed in an object's
//! life is stored beside it, and the next cycle of any kind restores it before it begins.

use serde::Deserialize;
use serde::Serialize;

use crate::model::clock::Timestamp;
use crate::model::id::ObjectKind;
use crate::model::id::SourceId;
use crate::model::object::Generation;
use crate::model::object::Life;
use crate::ports::Durability;
use crate::ports::StoreError;
use crate::ports::Table;
use crate::reconcile::look::Look;

use super::keys;
use super::pages::raw_pages;
use super::pages::until_empty;
use super::read::Reads;
use super::record;
use super::record::DirtyCause;
use super::store::Snapshot;
use super::tx::Tx;

/// The prefix of the names of looks.
const WAITING: &str = "look/";

/// The prefix of the names of the times at which pages brought objects whose looks wait.
const PAGED: &str = "look-page/";

/// The prefix of the names of what a plan changed and the next cycle restores.
const LENT: &str = "plan-look/";

/// The time of a look, and whether it counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Looking {
    /// When the source was asked: what it answers is at least as new as its slowest replica was then.
    pub now: Timestamp,
    /// When it had answered, which may be minutes later where it asked to slow down. A second look counts from then.
    pub answered: Timestamp,
    /// False in a cycle that only plans.
    pub counts: bool,
    /// True if a person named the object: they know of a change that the delta query may bring later.
    pub named: bool,
    /// True if that person wants the change carried out at once: a user among the deleted items is disabled.
    pub believed: bool,
}

/// An object as it was before a plan looked at it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Lent {
    pub life: Life,
    pub gone_since: Option<Timestamp>,
    pub generation: Generation,
    pub look: Option<Look>,
    pub unread: bool,
}

fn name(prefix: &str, kind: ObjectKind, id: &SourceId) -> String {
    format!("{prefix}{kind}/{id}")
}

fn parse(key: &[u8], prefix: &str) -> Option<(ObjectKind, SourceId)> {
    let text = std::str::from_utf8(key).ok()?;
    let at = text.find(prefix)?;
    let (kind, id) = text.get(at + prefix.len()..)?.split_once('/')?;
    let kind = [ObjectKind::User, ObjectKind::Group]
        .into_iter()
        .find(|known| known.word() == kind)?;
    Some((kind, id.parse().ok()?))
}

/// Questions about looks.
pub trait LookReads: Reads {
    /// Returns the look at this object that waits for a second one.
    fn look(&self, kind: ObjectKind, id: &SourceId) -> Result<Option<Look>, StoreError> {
        self.decoded(Table::Meta, &keys::meta::free(&name(WAITING, kind, id)))
    }

    /// Returns when a page last brought this object since the look that waits.
    fn paged(&self, kind: ObjectKind, id: &SourceId) -> Result<Option<Timestamp>, StoreError> {
        self.decoded(Table::Meta, &keys::meta::free(&name(PAGED, kind, id)))
    }

    /// Returns true while any look waits for a second one.
    fn looks_wait(&self) -> Result<bool, StoreError> {
        let found = self.raw_scan(Table::Meta, &keys::meta::free(WAITING), None, 1)?;
        Ok(!found.is_empty())
    }
}

impl<R: Reads> LookReads for R {}

impl Tx<'_> {
    pub(super) fn put_look(&mut self, kind: ObjectKind, id: &SourceId, look: Option<&Look>) {
        let key = keys::meta::free(&name(WAITING, kind, id));
        match look {
            Some(look) => self.put(Table::Meta, key, record::encode(look)),
            None => {
                self.delete(Table::Meta, key);
                self.delete(Table::Meta, keys::meta::free(&name(PAGED, kind, id)));
            }
        }
    }

    /// Notes that a page brought an object whose look waits.
    pub(super) fn put_paged(&mut self, kind: ObjectKind, id: &SourceId, at: Timestamp) {
        let key = keys::meta::free(&name(PAGED, kind, id));
        self.put(Table::Meta, key, record::encode(&at));
    }

    /// Notes how an object was before a plan looked at it, if that is not noted yet.
    pub(super) fn lend(&mut self, kind: ObjectKind, id: &SourceId, lent: &Lent) -> Result<(), StoreError> {
        let key = keys::meta::free(&name(LENT, kind, id));
        if self.raw(Table::Meta, &key)?.is_none() {
            self.put(Table::Meta, key, record::encode(lent));
        }
        Ok(())
    }

    fn give_back(&mut self, kind: ObjectKind, id: &SourceId, lent: &Lent) -> Result<(), StoreError> {
        if let Some(before) = self.record(kind, id)? {
            let mut known = before.clone();
            known.object.life = lent.life;
            known.object.gone_since = lent.gone_since;
            known.object.generation = lent.generation;
            self.replace_record(Some(&before), &known)?;
            self.put_look(kind, id, lent.look.as_ref());
            let cause = if lent.unread {
                DirtyCause::LOOK.and(DirtyCause::UNREAD)
            } else {
                DirtyCause::LOOK
            };
            self.mark_dirty(kind, id, cause)?;
            if before.is_gone() != known.is_gone() {
                self.mark_referrers_dirty(id)?;
                self.existence_moved(kind, id)?;
            }
        }
        Ok(())
    }
}

impl Snapshot {
    /// Restores what the last plan concluded from its looks.
    pub fn give_back_looks(&self) -> Result<(), StoreError> {
        let prefix = keys::meta::free(LENT);
        let read = |limit| self.raw_scan(Table::Meta, &prefix, None, limit);
        until_empty(read, |page| {
            let mut tx = self.tx()?;
            for (key, value) in page {
                let (kind, id) = parse(&key, LENT).ok_or_else(|| self.bad_key(Table::Meta))?;
                let lent: Lent = self.decode(Table::Meta, &value)?;
                tx.give_back(kind, &id, &lent)?;
                tx.delete(Table::Meta, key);
            }
            tx.commit(Durability::Lazy)
        })
    }

    /// Checks that an entry decodes as the cycles read it, if it is a waiting look or what a plan changed.
    pub(super) fn check_look(&self, key: &[u8], value: &[u8]) -> Result<(), StoreError> {
        let mut prefixes = [WAITING, PAGED, LENT].into_iter();
        let Some(prefix) = prefixes.find(|prefix| key.starts_with(&keys::meta::free(prefix))) else {
            return Ok(());
        };
        let (kind, id) = parse(key, prefix).ok_or_else(|| self.bad_key(Table::Meta))?;
        let (what, read) = match prefix {
            WAITING => (
                "the look that waits for a second one",
                record::decode::<Look>(value).map(drop),
            ),
            PAGED => (
                "when a page brought what is looked at again",
                record::decode::<Timestamp>(value).map(drop),
            ),
            _ => (
                "what a plan is to give back",
                record::decode::<Lent>(value).map(drop),
            ),
        };
        read.map_err(|error| self.damaged(format_args!("{what}, of {kind} {id}, does not decode: {error}")))
    }

    /// Marks every object that is due for a second look.
    pub fn mark_due_looks(&self, now: Timestamp) -> Result<(), StoreError> {
        let prefix = keys::meta::free(WAITING);
        let mut pages = raw_pages();
        while let Some(page) = pages
            .next_page(|after, limit| self.raw_scan(Table::Meta, &prefix, after.map(Vec::as_slice), limit))?
        {
            let mut tx = self.tx()?;
            for (key, value) in page {
                let (kind, id) = parse(&key, WAITING).ok_or_else(|| self.bad_key(Table::Meta))?;
                let look: Look = self.decode(Table::Meta, &value)?;
                if look.is_due(now) && self.brief(kind, &id)?.is_some() {
                    tx.mark_dirty(kind, &id, DirtyCause::UNREAD)?;
                }
            }
            if !tx.is_empty() {
                tx.commit(Durability::Lazy)?;
            }
        }
        Ok(())
    }
}
