//! Escrow: an entry that the target refuses waits with growing gaps, and the cycle goes on without it (docs/design/failures.md).
//!
//! A failure of the target as a whole puts nobody here: [`crate::ports::TargetError::disposition`] says which is which.

use std::collections::HashMap;
use std::collections::HashSet;
use std::time::Duration;

use crate::model::clock::Timestamp;
use crate::model::id::ObjectKind;
use crate::model::id::SourceId;
use crate::reconcile::operation::Operation;
use crate::snapshot::escrow::Escrowed;

/// The longest gap between two tries.
const LONGEST: Duration = Duration::from_secs(24 * 60 * 60);

/// Entries in escrow, as a cycle sees them.
#[derive(Debug, Default)]
pub(super) struct Escrow {
    /// True in a cycle that only looks, where one that writes would try every entry again.
    pub(super) retries: bool,
    /// Tried in this cycle, with what was set aside before.
    pub(super) due: HashMap<(ObjectKind, SourceId), Due>,
    /// Set aside, or set aside again, in this cycle.
    pub(super) failed: HashSet<(ObjectKind, SourceId)>,
}

/// What is known of an entry that is tried.
#[derive(Debug)]
pub(super) struct Due {
    /// How often it failed before.
    pub(super) failures: u32,
    /// When it failed first.
    pub(super) since: Timestamp,
    /// The operation that failed, by its name.
    pub(super) operation: String,
}

/// The gap after so many failures in a row: doubles, up to 24 hours.
#[must_use]
pub fn gap(first: Duration, failures: u32) -> Duration {
    let doubled = 2_u32.checked_pow(failures.saturating_sub(1));
    doubled
        .and_then(|times| first.checked_mul(times))
        .map_or(LONGEST, |gap| gap.min(LONGEST))
}

impl Escrow {
    /// What becomes of an object whose operation failed now.
    pub(super) fn set_aside(
        &mut self,
        key: (ObjectKind, SourceId),
        now: Timestamp,
        first_retry: Duration,
        words: (&str, String, String),
    ) -> Escrowed {
        let due = self.due.get(&key);
        let (before, since) = due.map_or((0, now), |due| (due.failures, due.since));
        self.failed.insert(key);
        let failures = before.saturating_add(1);
        Escrowed {
            operation: words.0.to_owned(),
            error: words.1,
            hint: words.2,
            failures,
            since,
            next_try: Some(now.plus(gap(first_retry, failures))),
        }
    }

    /// How often an entry that is tried in this cycle failed before.
    pub(super) fn failures(&self, key: (ObjectKind, SourceId)) -> u32 {
        self.due.get(&key).map_or(0, |due| due.failures)
    }

    /// True for an entry that is tried in this cycle.
    pub(super) fn is_due(&self, key: (ObjectKind, SourceId)) -> bool {
        self.due.contains_key(&key)
    }

    /// An object that was set aside in this cycle is not: its whole kind of operation stopped. True where it was.
    pub(super) fn excuse(&mut self, key: (ObjectKind, SourceId)) -> bool {
        !self.is_due(key) && self.failed.remove(&key)
    }

    /// True where one of these operations is the one for which the object was set aside: another one that goes through
    /// says nothing of it, and the gap goes on growing.
    pub(super) fn is_for(&self, key: (ObjectKind, SourceId), run: &[Operation]) -> bool {
        let due = self.due.get(&key);
        due.is_some_and(|due| run.iter().any(|operation| operation.verb.name() == due.operation))
    }

    /// An object was carried out. True when it has an entry that is to go.
    pub(super) fn settled(&mut self, key: (ObjectKind, SourceId)) -> bool {
        self.due.remove(&key).is_some()
    }

    /// How many entries there are when the cycle ends, beside those that were not tried.
    pub(super) fn count(&self) -> u64 {
        let tried = self.due.keys().filter(|key| !self.failed.contains(*key)).count();
        (self.failed.len() + tried) as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gaps_double_up_to_a_day() {
        let minutes = |minutes: u64| Duration::from_secs(minutes * 60);
        for (failures, expected) in [
            (0, 5),
            (1, 5),
            (2, 10),
            (3, 20),
            (9, 1280),
            (10, 1440),
            (u32::MAX, 1440),
        ] {
            assert_eq!(gap(minutes(5), failures), minutes(expected), "{failures}");
        }
        assert_eq!(gap(minutes(9999), 1), LONGEST);
    }

    #[test]
    fn a_failure_again_waits_longer_and_remembers_the_first() {
        let key = (ObjectKind::User, SourceId::from_bytes([1; 16]));
        let mut escrow = Escrow::default();
        let due = Due {
            failures: 2,
            since: Timestamp(7),
            operation: "create_user".to_owned(),
        };
        escrow.due.insert(key, due);
        let words = ("create_user", "refused".to_owned(), "look".to_owned());
        let set = escrow.set_aside(key, Timestamp(1000), Duration::from_secs(60), words);
        assert_eq!((set.failures, set.since), (3, Timestamp(7)));
        assert_eq!(set.next_try, Some(Timestamp(241_000)));
        assert_eq!(escrow.count(), 1, "once, though it was there before");
    }
}
