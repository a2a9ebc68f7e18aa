//! Retention: drops old history, a prefix of the chain at a time.
//!
//! Guarantee: what stays still verifies. The first record that stays contains the hash of the last one dropped: that is
//! the anchor, and so the newest record always stays.

use crate::model::clock::Timestamp;
use crate::ports::Durability;
use crate::ports::StoreError;
use crate::ports::Table;

use crate::snapshot::history::Batch;
use crate::snapshot::history::RECORDS;
use crate::snapshot::read::Reads;
use crate::snapshot::store::Snapshot;

impl Snapshot {
    /// Drops the history records all of whose entries are older than `before`. Returns the number of dropped entries.
    pub fn prune_history(&self, before: Timestamp) -> Result<u64, StoreError> {
        let mut dropped = 0;
        // Usually nothing is old: the oldest record shows that, and the one after it shows whether the oldest may go.
        let mut limit = 2;
        loop {
            let page = self.raw_scan(Table::History, &[], None, limit)?;
            let (mut tx, mut gone) = (self.tx()?, 0);
            // The newest record of all is the last of a page that is not full, or lies on a later page.
            let most = page.len().saturating_sub(1);
            for (key, bytes) in page.iter().take(most) {
                let batch: Batch = self.decode(Table::History, bytes)?;
                if batch.entries.last().is_some_and(|last| last.time >= before) {
                    break;
                }
                dropped += batch.entries.len() as u64;
                gone += 1;
                tx.delete(Table::HistoryMarks, key.clone());
                tx.delete(Table::History, key.clone());
                tx.delete(Table::HistoryValues, key.clone());
            }
            if gone == 0 {
                return Ok(dropped);
            }
            tx.commit(Durability::Lazy)?;
            if gone < most || page.len() < limit {
                return Ok(dropped);
            }
            limit = RECORDS;
        }
    }
}
