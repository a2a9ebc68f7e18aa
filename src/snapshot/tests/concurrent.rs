//! Scans beside commits: each is of one moment, however a commit changes the blocks of the entries.

use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;

use crate::ports::Durability;
use crate::ports::Table;
use crate::ports::WriteBatch;

use super::engines::Tried;

/// The entries kept from beginning to end; the commits put others between them and remove them again.
const KEPT: u32 = 400;

#[test]
fn a_scan_beside_commits_meets_every_entry_once_and_in_order() {
    for engine in Tried::ALL {
        let folder = tempfile::tempdir().unwrap();
        let store = engine.open(&folder.path().join("store")).unwrap();
        let key = |n: u32| n.to_be_bytes().to_vec();
        let mut batch = WriteBatch::default();
        for n in 0..KEPT {
            batch.put(Table::Edges, key(n * 100), [7; 40]);
        }
        store.commit(batch, Durability::Lazy).unwrap();
        let ended = AtomicBool::new(false);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                for round in 0..60_u32 {
                    let mut batch = WriteBatch::default();
                    for n in (0..KEPT).step_by(3) {
                        let between = key(n * 100 + 1 + round / 2 % 7);
                        if round % 2 == 0 {
                            batch.put(Table::Edges, between, [9; 300]);
                        } else {
                            batch.delete(Table::Edges, between);
                        }
                    }
                    store.commit(batch, Durability::Lazy).unwrap();
                }
                ended.store(true, Ordering::Release);
            });
            while !ended.load(Ordering::Acquire) {
                let found = store.scan(Table::Edges, &[], None, usize::MAX).unwrap();
                assert!(
                    found.is_sorted_by(|(a, _), (b, _)| a < b),
                    "{}: an entry twice, or out of order",
                    engine.name()
                );
                let kept = found.iter().filter(|(_, value)| value == &[7; 40]).count();
                assert_eq!(kept, KEPT as usize, "{}", engine.name());
                let others = found.len() - kept;
                assert!(
                    others == 0 || others == KEPT.div_ceil(3) as usize,
                    "{}: {others} of a commit",
                    engine.name()
                );
            }
        });
    }
}
