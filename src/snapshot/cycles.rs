//! The cycles that are kept, in short: a summary may list thousands of objects, and most questions are about its numbers.

use serde::Deserialize;
use serde::Serialize;
use serde_json::Value as Json;

use super::keys;
use super::pages::raw_pages;
use super::read::Reads;
use super::store::Snapshot;
use crate::ports::StoreError;
use crate::ports::Table;

/// As many summaries are in memory together.
const READ_TOGETHER: usize = 16;

/// A summary without its lists of objects, which are passed over as it is read.
#[derive(Deserialize, Serialize)]
#[serde(default)]
#[derive(Default)]
struct Short {
    actor: Json,
    cycle: Json,
    drift: Json,
    duration_ms: Json,
    kind: Json,
    mode: Json,
    operations: Json,
    outcome: Json,
    started: Json,
}

impl Snapshot {
    /// Returns the last `n` cycles, oldest first, without the lists of objects in their summaries.
    ///
    /// # Errors
    /// As every read.
    pub fn cycles_in_short(&self, n: u64) -> Result<Vec<Json>, StoreError> {
        let numbered = self.cycles_numbered(n)?;
        Ok(numbered.into_iter().map(|(_, short)| short).collect())
    }

    /// Returns the same, each with the number that its whole summary is read by.
    ///
    /// # Errors
    /// As every read.
    pub fn cycles_numbered(&self, n: u64) -> Result<Vec<(u64, Json)>, StoreError> {
        let before = self.next_cycle()?.checked_sub(n.saturating_add(1));
        let mut pages = raw_pages().behind(before.map(keys::number)).of(READ_TOGETHER);
        let mut found = Vec::new();
        while let Some(page) = pages
            .next_page(|after, limit| self.raw_scan(Table::Cycles, &[], after.map(Vec::as_slice), limit))?
        {
            for (key, json) in &page {
                let number = keys::parse_number(key).ok_or_else(|| self.bad_key(Table::Cycles))?;
                let short: Short = serde_json::from_slice(json).map_err(|error| self.damaged(error))?;
                let short = serde_json::to_value(short).map_err(|error| self.damaged(error))?;
                found.push((number, short));
            }
        }
        Ok(found)
    }

    /// Returns the whole summary of a cycle by its number; `None` where it is not kept any more.
    ///
    /// # Errors
    /// As every read.
    pub fn cycle_numbered(&self, number: u64) -> Result<Option<Json>, StoreError> {
        let json = self.raw(Table::Cycles, &keys::number(number))?;
        let read = json.map(|json| serde_json::from_slice(&json).map_err(|error| self.damaged(error)));
        read.transpose()
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::sync::Arc;

    use serde_json::json;

    use super::*;
    use crate::ports::Durability;
    use crate::snapshot::kv::memory::MemoryStore;
    use crate::snapshot::work::CYCLES_KEPT;

    #[test]
    fn the_last_cycles_are_read_in_short_and_each_of_them_whole() {
        let snapshot = Snapshot::open(Arc::new(MemoryStore::new()), Path::new("memory")).unwrap();
        assert_eq!(snapshot.cycles_in_short(9).unwrap(), Vec::<Json>::new());
        assert_eq!(snapshot.cycle_numbered(0).unwrap(), None);
        let of = |at: u64| json!({"cycle": at.to_string(), "operations": {"create_user": at}, "failed": [{"object": "x"}]});
        for at in 0..CYCLES_KEPT + 20 {
            let mut tx = snapshot.tx().unwrap();
            tx.put_cycle(&of(at));
            tx.commit(Durability::Lazy).unwrap();
        }
        let all = snapshot.cycles_in_short(1 << 32).unwrap();
        assert_eq!(all.len() as u64, CYCLES_KEPT);
        let last = snapshot.cycles_in_short(40).unwrap();
        assert_eq!((last.len(), &last[39]), (40, all.last().unwrap()));
        assert_eq!(last[39]["operations"]["create_user"], CYCLES_KEPT + 19);
        assert!(last.iter().all(|cycle| cycle.get("failed").is_none()));
        for (number, short) in snapshot.cycles_numbered(40).unwrap() {
            let whole = snapshot.cycle_numbered(number).unwrap().unwrap();
            assert_eq!(
                (&whole["cycle"], whole["failed"][0]["object"].as_str()),
                (&short["cycle"], Some("x"))
            );
        }
        assert_eq!(snapshot.cycle_numbered(19).unwrap(), None);
    }
}
