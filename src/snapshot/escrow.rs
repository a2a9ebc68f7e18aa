//! Entries in escrow: objects whose operation the target refused, and when it is tried again.
//!
//! An entry waits while its object's dirty mark holds no cause but [`DirtyCause::ESCROW`]. Any other mark (a change at
//! the source, of a reference or of the config, or a request by hand) makes it due at once, without knowing of escrow.

use serde::{Deserialize, Serialize};

use super::keys;
use super::read::Reads;
use super::record::{self, DirtyCause};
use super::tx::Tx;
use crate::model::clock::Timestamp;
use crate::model::id::ObjectKind;
use crate::model::id::SourceId;
use crate::ports::StoreError;
use crate::ports::Table;

/// The causes that a mark may hold beside [`DirtyCause::ESCROW`] without making its entry due.
const NOT_DUE: DirtyCause = DirtyCause::UNREAD.and(DirtyCause::LOOK).and(DirtyCause::FACTS);

/// Why an object is in escrow, and until when.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Escrowed {
    /// The operation that failed, by its name.
    pub operation: String,
    /// The target's answer.
    pub error: String,
    /// What to do about it.
    pub hint: String,
    /// How often it failed in succession.
    pub failures: u32,
    /// When it first failed.
    pub since: Timestamp,
    /// When it is tried again; `None` if it is dropped, and not tried before something changes.
    pub next_try: Option<Timestamp>,
}

/// An entry with its object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// User or group.
    pub kind: ObjectKind,
    /// The object.
    pub id: SourceId,
    /// Why it is set aside, and until when.
    pub escrowed: Escrowed,
    /// True while it waits for nothing but its next try.
    pub waits: bool,
}

impl Entry {
    /// Returns true when a cycle at this time tries the entry again.
    #[must_use]
    pub fn is_due(&self, now: Timestamp) -> bool {
        !self.waits || self.escrowed.next_try.is_some_and(|at| at <= now)
    }
}

/// Returns every entry, by kind and id, except entries of objects that were settled otherwise.
pub fn entries(reads: &impl Reads) -> Result<Vec<Entry>, StoreError> {
    let mut found = Vec::new();
    reads.each_raw(Table::Escrow, &[], |key, value| {
        let (kind, id) = keys::parse_object(key).ok_or_else(|| reads.bad_key(Table::Escrow))?;
        let Some(cause) = reads.dirty_cause(kind, &id)? else {
            return Ok(());
        };
        found.push(Entry {
            kind,
            id,
            escrowed: reads.decode(Table::Escrow, value)?,
            waits: cause.without(NOT_DUE) == DirtyCause::ESCROW,
        });
        Ok(())
    })?;
    Ok(found)
}

impl Tx<'_> {
    /// Sets an object aside: it stays dirty and waits.
    pub fn put_escrow(
        &mut self,
        kind: ObjectKind,
        id: &SourceId,
        escrowed: &Escrowed,
    ) -> Result<(), StoreError> {
        let unread = self
            .dirty_cause(kind, id)?
            .is_some_and(|cause| cause.has(DirtyCause::UNREAD));
        // The causes so far are dropped: only a later one makes the entry due. What changed remains the reason when it
        // is tried again.
        let cause = if unread {
            DirtyCause::ESCROW.and(DirtyCause::UNREAD)
        } else {
            DirtyCause::ESCROW
        };
        self.remark(kind, id, cause)?;
        self.put(Table::Escrow, keys::object(kind, id), record::encode(escrowed));
        Ok(())
    }

    /// Deletes an object's entry, and leaves its dirty mark as it is.
    pub fn delete_escrow(&mut self, kind: ObjectKind, id: &SourceId) {
        self.delete(Table::Escrow, keys::object(kind, id));
    }
}
