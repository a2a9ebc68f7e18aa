//! Escrow: an entry that the target refuses waits with growing gaps, and the cycle goes on without it (docs/design/failures.md).
//!
//! A failure of the target as a whole puts nobody here: [`crate::ports::TargetError::disposition`] says which is which.

use std::collections::HashMap;
use std::collections::HashSet;
use std::time::Duration;

use super::cycle::Cycle;
use super::cycle::CycleError;
use super::summary::FAILURES_SHOWN;
use super::summary::InEscrow;
use crate::model::clock::Timestamp;
use crate::model::id::ObjectKind;
use crate::model::id::SourceId;
use crate::ports::Durability;
use crate::reconcile::omission::IN_ESCROW;
use crate::reconcile::omission::Omission;
use crate::reconcile::operation::Operation;
use crate::snapshot::escrow;
use crate::snapshot::escrow::Entry;
use crate::snapshot::escrow::Escrowed;

/// The longest gap between two tries.
const LONGEST: Duration = Duration::from_secs(24 * 60 * 60);

/// Entries in escrow, as a cycle sees them.
#[derive(Debug, Default)]
pub(super) struct Escrow {
    /// Not tried in this cycle.
    pub(super) waiting: HashSet<(ObjectKind, SourceId)>,
    /// Tried in this cycle, with what was set aside before.
    due: HashMap<(ObjectKind, SourceId), Due>,
    /// Set aside, or set aside again, in this cycle.
    failed: HashSet<(ObjectKind, SourceId)>,
    /// Those of which a part was set aside in this cycle, while the rest was carried out.
    pub(super) in_part: HashSet<(ObjectKind, SourceId)>,
}

/// What is known of an entry that is tried.
#[derive(Debug)]
struct Due {
    /// How often it failed before.
    failures: u32,
    /// When it failed first.
    since: Timestamp,
    /// The operation that failed, by its name.
    operation: String,
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

    /// Notes an object of which a part waits, while the rest was carried out.
    pub(super) fn wait_in_part(&mut self, key: (ObjectKind, SourceId)) {
        self.failed.insert(key);
        self.in_part.insert(key);
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

    /// How many entries there are when the cycle ends.
    pub(super) fn count(&self) -> u64 {
        let tried = self.due.keys().filter(|key| !self.failed.contains(*key)).count();
        (self.waiting.len() + self.failed.len() + tried) as u64
    }
}

impl Cycle<'_> {
    /// Reads who waits. Entries of objects that were settled since go when this cycle writes.
    pub(super) async fn read_escrow(&mut self) -> Result<(), CycleError> {
        let (entries, refused) = self
            .store(|snapshot| {
                Ok((
                    escrow::entries(snapshot)?,
                    crate::snapshot::refused::any(snapshot)?,
                ))
            })
            .await?;
        self.refused |= refused;
        let names = self.names_of(entries.iter().map(|entry| (entry.kind, entry.id)).collect());
        let names = names.await?;
        for entry in entries {
            let key = (entry.kind, entry.id);
            if entry.is_due(self.now) || self.retries {
                let Escrowed {
                    failures,
                    since,
                    operation,
                    ..
                } = entry.escrowed;
                let due = Due {
                    failures,
                    since,
                    operation,
                };
                self.escrow.due.insert(key, due);
                continue;
            }
            self.escrow.waiting.insert(key);
            let omission = Omission::InEscrow {
                operation: entry.escrowed.operation,
                error: entry.escrowed.error,
                hint: entry.escrowed.hint,
                until: entry.escrowed.next_try.map(|at| at.to_string()),
            };
            let name = names.get(&key).map_or("", String::as_str);
            self.omit(entry.kind, entry.id, name, &omission);
        }
        Ok(())
    }

    /// The names of objects, as people know them.
    pub(super) async fn names_of(
        &self,
        objects: Vec<(ObjectKind, SourceId)>,
    ) -> Result<HashMap<(ObjectKind, SourceId), String>, CycleError> {
        self.store(move |snapshot| {
            let mut names = HashMap::new();
            for (kind, id) in objects {
                if let Some(name) = snapshot.name_of(kind, &id)? {
                    names.insert((kind, id), name);
                }
            }
            Ok(names)
        })
        .await
    }

    /// Gives names to what the summary lists, and lists who is in escrow.
    pub(super) async fn name_what_is_left(&mut self) -> Result<(), CycleError> {
        let entries = self.store(escrow::entries).await?;
        let entries: Vec<_> = entries.into_iter().take(FAILURES_SHOWN).collect();
        let failed = self
            .summary
            .failed
            .iter()
            .filter_map(|failure| failure.object.parse().ok());
        let both = |id| [(ObjectKind::User, id), (ObjectKind::Group, id)];
        let mut objects: Vec<_> = failed.flat_map(both).collect();
        objects.extend(entries.iter().map(|entry| (entry.kind, entry.id)));
        let names = self.names_of(objects).await?;
        for failure in &mut self.summary.failed {
            let id = failure.object.parse().ok();
            let known = id.into_iter().flat_map(both).find(|key| names.contains_key(key));
            if let Some(key) = known {
                failure.kind = Some(key.0.word().to_owned());
                failure.name.clone_from(&names[&key]);
            }
        }
        self.summary.escrowed = entries
            .into_iter()
            .map(|entry| {
                let name = names.get(&(entry.kind, entry.id)).cloned();
                in_escrow(entry, name.unwrap_or_default())
            })
            .collect();
        Ok(())
    }

    /// Takes away the entries of objects that have nothing left to do.
    pub(super) async fn settle_escrow(&mut self) -> Result<(), CycleError> {
        if !self.applies() || self.escrow.due.is_empty() {
            return Ok(());
        }
        let due: Vec<_> = self.escrow.due.keys().copied().collect();
        let gone = self
            .store(move |snapshot| {
                let (mut tx, mut gone) = (snapshot.tx()?, Vec::new());
                for (kind, id) in due {
                    if crate::snapshot::read::Reads::dirty_cause(&tx, kind, &id)?.is_none() {
                        tx.delete_escrow(kind, &id);
                        tx.put_refusals(kind, &id, &[]);
                        gone.push((kind, id));
                    }
                }
                tx.commit(Durability::Lazy)?;
                Ok(gone)
            })
            .await?;
        for key in gone {
            self.escrow.due.remove(&key);
        }
        Ok(())
    }
}

fn in_escrow(entry: Entry, name: String) -> InEscrow {
    let Escrowed {
        operation,
        error,
        hint,
        failures,
        since,
        next_try,
    } = entry.escrowed;
    InEscrow {
        object: entry.id.to_string(),
        kind: entry.kind.word().to_owned(),
        name,
        operation,
        reason: IN_ESCROW.to_owned(),
        error,
        hint,
        failures,
        since: since.to_string(),
        next_try: next_try.map(|at| at.to_string()),
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
