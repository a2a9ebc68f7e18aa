//! Attributes and members that the target refused, object by object: see [`Refusal`].
//!
//! All rows of an object lie in one value. An object that has some is in escrow as well, which records when the first
//! of them is tried again.

use super::keys;
use super::pages::raw_pages;
use super::read::Reads;
use super::record;
use super::tx::Tx;
use crate::model::clock::Timestamp;
use crate::model::id::ObjectKind;
use crate::model::id::SourceId;
use crate::model::refusal::Refusal;
use crate::ports::StoreError;
use crate::ports::Table;

/// Returns the refused attributes of an object.
pub fn refusals(reads: &impl Reads, kind: ObjectKind, id: &SourceId) -> Result<Vec<Refusal>, StoreError> {
    let rows = reads.decoded(Table::Refused, &keys::object(kind, id))?;
    Ok(rows.unwrap_or_default())
}

/// Returns true when there are any.
pub fn any(reads: &impl Reads) -> Result<bool, StoreError> {
    Ok(!reads.raw_scan(Table::Refused, &[], None, 1)?.is_empty())
}

/// Returns the groups that have this user among their refused members, with each refusal.
pub fn refused_memberships(
    reads: &impl Reads,
    user: &SourceId,
) -> Result<Vec<(SourceId, Refusal)>, StoreError> {
    let mut found = Vec::new();
    reads.each_raw(Table::Refused, &[], |key, value| {
        let (kind, group) = keys::parse_object(key).ok_or_else(|| reads.bad_key(Table::Refused))?;
        if kind == ObjectKind::Group {
            let rows: Vec<Refusal> = reads.decode(Table::Refused, value)?;
            let rows = rows.into_iter().filter(|row| row.member() == Some(*user));
            found.extend(rows.map(|row| (group, row)));
        }
        Ok(())
    })?;
    Ok(found)
}

impl Tx<'_> {
    /// Replaces the rows of an object.
    pub fn put_refusals(&mut self, kind: ObjectKind, id: &SourceId, refusals: &[Refusal]) {
        let key = keys::object(kind, id);
        if refusals.is_empty() {
            return self.delete(Table::Refused, key);
        }
        self.put(Table::Refused, key, record::encode(refusals));
    }

    /// Sets when the refused attributes of an object are tried again.
    pub fn reschedule_refusals(
        &mut self,
        kind: ObjectKind,
        id: &SourceId,
        next_try: Option<Timestamp>,
    ) -> Result<(), StoreError> {
        let mut rows = refusals(self, kind, id)?;
        rows.iter_mut().for_each(|row| row.next_try = next_try);
        if !rows.is_empty() {
            self.put_refusals(kind, id, &rows);
        }
        Ok(())
    }

    /// Makes all refusals due: under another configuration everything is tried at once.
    pub fn hasten_refusals(&mut self) -> Result<(), StoreError> {
        let mut pages = raw_pages();
        while let Some(page) = pages
            .next_page(|after, limit| self.raw_scan(Table::Refused, &[], after.map(Vec::as_slice), limit))?
        {
            for (key, _) in &page {
                let (kind, id) = keys::parse_object(key).ok_or_else(|| self.bad_key(Table::Refused))?;
                self.reschedule_refusals(kind, &id, Some(Timestamp(0)))?;
            }
        }
        Ok(())
    }
}
