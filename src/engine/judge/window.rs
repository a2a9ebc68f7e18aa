//! The guard's window: what was sent within it, whatever cycle sent it.

use std::time::Duration;

use crate::model::clock::Timestamp;
use crate::ports::StoreError;
use crate::reconcile::guard::Sent;
use crate::snapshot::read::Reads;
use crate::snapshot::state::SENT_REMOVALS;
use crate::snapshot::state::SentAt;
use crate::snapshot::state::StateReads;
use crate::snapshot::store::Snapshot;
use crate::snapshot::tx::Tx;

fn sent_log(reads: &impl Reads) -> Result<Vec<SentAt>, StoreError> {
    Ok(reads.state(&SENT_REMOVALS)?.unwrap_or_default())
}

/// What was sent within the window before `now`.
pub(in crate::engine) fn sent_within(
    snapshot: &Snapshot,
    now: Timestamp,
    window: Duration,
) -> Result<Sent, StoreError> {
    let since = now.minus(window);
    let mut sum = Sent::default();
    for entry in sent_log(snapshot)?.into_iter().filter(|entry| entry.at >= since) {
        sum.add(entry.sent);
    }
    Ok(sum)
}

/// Adds what was sent to the log that the window is counted from, in the transaction that records it; what
/// is older than the window goes. What one cycle sends is one entry: it is written with every part of every batch.
pub(in crate::engine) fn remember_sent(
    tx: &mut Tx<'_>,
    at: Timestamp,
    window: Duration,
    sent: Sent,
) -> Result<(), StoreError> {
    if sent == Sent::default() {
        return Ok(());
    }
    let since = at.minus(window);
    let mut log: Vec<SentAt> = sent_log(tx)?
        .into_iter()
        .filter(|entry| entry.at >= since)
        .collect();
    match log.last_mut().filter(|last| last.at == at) {
        Some(last) => last.sent.add(sent),
        None => log.push(SentAt { at, sent }),
    }
    tx.put_state(&SENT_REMOVALS, &log);
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::sync::Arc;

    use super::*;
    use crate::model::id::SourceId;
    use crate::ports::Durability;
    use crate::snapshot::kv::memory::MemoryStore;

    #[test]
    fn what_a_cycle_sent_in_parts_counts_whole_and_is_one_entry() {
        let snapshot = Snapshot::open(Arc::new(MemoryStore::new()), Path::new("memory")).unwrap();
        let minutes = |n: i64| Timestamp(n * 60_000);
        let window = Duration::from_secs(3600);
        let group = SourceId::from_bytes([7; 16]);
        let one = Sent {
            users: 1,
            groups: 2,
            members: [(group, 3)].into(),
            identities: 4,
            creates: 5,
            leaves: 6,
            ..Sent::default()
        };
        for (at, parts) in [(0, 1), (30, 3), (61, 2)] {
            for _ in 0..parts {
                let mut tx = snapshot.tx().unwrap();
                remember_sent(&mut tx, minutes(at), window, one.clone()).unwrap();
                tx.commit(Durability::Lazy).unwrap();
            }
        }
        assert_eq!(
            sent_log(&snapshot).unwrap().len(),
            2,
            "the first is too old, and each cycle is one"
        );
        let sum = sent_within(&snapshot, minutes(61), window).unwrap();
        let expected = Sent {
            users: 5,
            groups: 10,
            members: [(group, 15)].into(),
            identities: 20,
            creates: 25,
            leaves: 30,
            ..Sent::default()
        };
        assert_eq!(sum, expected);
        assert_eq!(sent_within(&snapshot, minutes(91), window).unwrap().users, 2);
    }

    #[test]
    fn a_window_log_that_does_not_decode_is_damage_and_not_an_empty_window() {
        let snapshot = Snapshot::open(Arc::new(MemoryStore::new()), Path::new("memory")).unwrap();
        let mut tx = snapshot.tx().unwrap();
        tx.put_meta("sent_removals", &b"[{\"at\":"[..]);
        tx.commit(Durability::Lazy).unwrap();
        let error = sent_within(&snapshot, Timestamp(0), Duration::from_secs(3600)).unwrap_err();
        assert!(matches!(error, StoreError::Damaged { .. }), "{error}");
        assert!(
            error
                .to_string()
                .contains("what was sent within the guard window")
        );
        // Nor is it written over by what is sent.
        let mut tx = snapshot.tx().unwrap();
        let sent = Sent {
            users: 1,
            ..Sent::default()
        };
        remember_sent(&mut tx, Timestamp(0), Duration::from_secs(3600), sent).unwrap_err();
    }
}
