//! How each object stands in a cycle: one row for each object of which something is known beyond its dirty mark.

use std::collections::HashMap;
use std::sync::Arc;

use crate::model::id::ObjectKind;
use crate::model::id::SourceId;

/// An object.
pub(super) type Key = (ObjectKind, SourceId);

/// How often what apply learned lets an object be planned again in one cycle (docs/design/cycle.md, "Planning").
const MOST_ATTEMPTS: u8 = 2;

/// What can be known of how an object stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fact {
    /// It failed in this cycle: it is not tried again in it, and not waited for.
    Failed,
    /// A finding keeps it from being written: it is not waited for, though it stays dirty.
    HeldUp,
    /// It has a create whose outcome is open.
    CreateOpen,
    /// Its omissions were reported and its withheld operations were counted: sweeps come back to it.
    Reported,
    /// A user met in the middle of the cycle: but for a disable it is the next cycle's.
    Late,
    /// A user whose disable the target did not answer.
    Unreached,
    /// A group whose membership removals were held back, and counted, before the groups' own pass.
    MembersJudged,
    /// A group whose membership removals were carried out, or foreseen, before the groups' own pass.
    MembersGone,
    /// It waits in escrow, and is not tried in this cycle.
    InEscrow,
    /// A part of it was set aside in this cycle, while the rest was carried out.
    InPart,
}

/// The number of facts.
const FACTS: usize = Fact::InPart as usize + 1;

impl Fact {
    const fn bit(self) -> u16 {
        1 << self as u16
    }
}

#[derive(Debug, Clone, Copy, Default)]
struct Row {
    facts: u16,
    /// How often it was planned again because of what apply learned.
    attempts: u8,
}

/// How the objects of a cycle stand. Clones share the rows until one of them is changed.
#[derive(Debug, Clone, Default)]
pub(super) struct Standing {
    rows: Arc<HashMap<Key, Row>>,
    counts: [usize; FACTS],
}

impl Standing {
    /// Notes a fact of an object.
    pub(super) fn note(&mut self, key: Key, fact: Fact) {
        let row = Arc::make_mut(&mut self.rows).entry(key).or_default();
        if row.facts & fact.bit() == 0 {
            row.facts |= fact.bit();
            self.counts[fact as usize] += 1;
        }
    }

    /// Takes a fact of an object back.
    pub(super) fn take_back(&mut self, key: Key, fact: Fact) {
        if !self.is(key, fact) {
            return;
        }
        if let Some(row) = Arc::make_mut(&mut self.rows).get_mut(&key) {
            row.facts &= !fact.bit();
            self.counts[fact as usize] -= 1;
        }
    }

    /// True where the fact was noted of the object.
    pub(super) fn is(&self, key: Key, fact: Fact) -> bool {
        self.counts[fact as usize] > 0 && self.rows.get(&key).is_some_and(|row| row.facts & fact.bit() != 0)
    }

    /// True for an object that nobody waits for: it failed, or is held up.
    pub(super) fn is_given_up(&self, key: Key) -> bool {
        self.is(key, Fact::Failed) || self.is(key, Fact::HeldUp)
    }

    /// Returns the number of objects of which the fact was noted.
    pub(super) const fn count(&self, fact: Fact) -> usize {
        self.counts[fact as usize]
    }

    /// Returns the number of objects of a kind of which the fact was noted.
    pub(super) fn count_of(&self, kind: ObjectKind, fact: Fact) -> usize {
        self.all(fact).filter(|(of, _)| *of == kind).count()
    }

    /// Returns the objects of which the fact was noted, in no order.
    pub(super) fn all(&self, fact: Fact) -> impl Iterator<Item = Key> {
        let rows = (self.count(fact) > 0).then_some(&self.rows);
        let with = move |(key, row): (&Key, &Row)| (row.facts & fact.bit() != 0).then_some(*key);
        rows.into_iter().flat_map(|rows| rows.iter()).filter_map(with)
    }

    /// Returns the objects of which the fact was noted, in order, and takes it back from all of them.
    pub(super) fn drain(&mut self, fact: Fact) -> Vec<Key> {
        let mut all: Vec<Key> = self.all(fact).collect();
        all.sort_unstable();
        for key in &all {
            self.take_back(*key, fact);
        }
        all
    }

    /// True where the object may be planned anew because of what apply learned.
    pub(super) fn may_try_again(&self, key: Key) -> bool {
        self.rows.get(&key).is_none_or(|row| row.attempts < MOST_ATTEMPTS)
    }

    /// Counts that an object is planned anew because of what apply learned.
    pub(super) fn tries_again(&mut self, key: Key) {
        let row = Arc::make_mut(&mut self.rows).entry(key).or_default();
        row.attempts = row.attempts.saturating_add(1);
    }

    /// What the target answers for an object is not planned anew in this cycle.
    pub(super) fn tries_once(&mut self, key: Key) {
        Arc::make_mut(&mut self.rows).entry(key).or_default().attempts = u8::MAX;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fact_is_counted_once_and_clones_keep_what_they_were_taken_with() {
        let user = |n| (ObjectKind::User, SourceId::from_bytes([n; 16]));
        let mut standing = Standing::default();
        standing.note(user(2), Fact::Failed);
        standing.note(user(2), Fact::Failed);
        standing.note(user(1), Fact::Failed);
        standing.note(user(1), Fact::Reported);
        assert_eq!((standing.count(Fact::Failed), standing.count(Fact::Late)), (2, 0));
        let before = standing.clone();
        assert_eq!(standing.drain(Fact::Failed), [user(1), user(2)]);
        assert_eq!(standing.count(Fact::Failed), 0);
        assert!(standing.is(user(1), Fact::Reported) && !standing.is_given_up(user(1)));
        assert!(before.is_given_up(user(1)));
    }

    #[test]
    fn what_apply_learned_is_tried_twice() {
        let key = (ObjectKind::Group, SourceId::from_bytes([1; 16]));
        let mut standing = Standing::default();
        for _ in 0..MOST_ATTEMPTS {
            assert!(standing.may_try_again(key));
            standing.tries_again(key);
        }
        assert!(!standing.may_try_again(key));
        let mut undo = Standing::default();
        undo.tries_once(key);
        assert!(!undo.may_try_again(key));
    }
}
