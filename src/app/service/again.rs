//! Who is looked at again, and when: a change takes Entra minutes to be answered everywhere, so whoever was named and came back
//! unchanged is asked for some times more. Pure: the time comes in.

use std::time::Duration;

use crate::engine::job::NamedOne;
use crate::model::clock::Timestamp;
use crate::model::id::CycleId;
use crate::model::id::ObjectKind;
use crate::model::id::SourceId;

/// So long after the first answer each is asked for again.
const AFTER: [Duration; 4] = [
    Duration::from_secs(30),
    Duration::from_secs(2 * 60),
    Duration::from_secs(5 * 60),
    Duration::from_secs(15 * 60),
];

/// As many as are waited for.
const MOST: usize = 1000;

/// The moments at which somebody is looked at again who came back unchanged now.
#[must_use]
pub(super) fn moments(now: Timestamp) -> Vec<Timestamp> {
    AFTER.iter().map(|after| now.plus(*after)).collect()
}

/// Those who are looked at again.
#[derive(Debug, Default)]
pub(super) struct Again {
    waiting: Vec<Waiting>,
    /// The orders that were given for it.
    orders: Vec<CycleId>,
}

#[derive(Debug)]
struct Waiting {
    kind: ObjectKind,
    id: SourceId,
    /// Who asked first.
    actor: String,
    first: Timestamp,
    /// How often it was looked at again.
    times: usize,
}

impl Waiting {
    fn due(&self) -> Timestamp {
        self.first.plus(AFTER[self.times.min(AFTER.len() - 1)])
    }
}

/// Those who are due, in the name of one who asked.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Due {
    pub(super) actor: String,
    pub(super) users: Vec<String>,
    pub(super) groups: Vec<String>,
}

impl Again {
    /// When the next one is due.
    pub(super) fn next(&self) -> Option<Timestamp> {
        self.waiting.iter().map(Waiting::due).min()
    }

    /// Takes those who are due, by who asked.
    pub(super) fn take(&mut self, now: Timestamp) -> Vec<Due> {
        let mut due: Vec<Due> = Vec::new();
        for one in self.waiting.iter_mut().filter(|one| one.due() <= now) {
            // Of moments that passed unseen, one look is enough.
            while one.times < AFTER.len() && one.first.plus(AFTER[one.times]) <= now {
                one.times += 1;
            }
            let at = due.iter().position(|due| due.actor == one.actor);
            let at = at.unwrap_or_else(|| {
                due.push(Due {
                    actor: one.actor.clone(),
                    ..Due::default()
                });
                due.len() - 1
            });
            let names = match one.kind {
                ObjectKind::User => &mut due[at].users,
                ObjectKind::Group => &mut due[at].groups,
            };
            names.push(one.id.to_string());
        }
        self.waiting.retain(|one| one.times < AFTER.len());
        due
    }

    /// Notes the order that looks at them again.
    pub(super) fn ordered(&mut self, cycle: CycleId) {
        self.orders.push(cycle);
    }

    /// Notes what became of an order: who came back unchanged is waited for, from now on where a person asked; who did not, is
    /// not waited for any more.
    pub(super) fn ended(&mut self, cycle: CycleId, actor: &str, named: &[NamedOne], now: Timestamp) {
        let ours = self.orders.iter().position(|order| *order == cycle);
        let ours = ours.map(|at| self.orders.swap_remove(at)).is_some();
        for one in named {
            let is_it = |waiting: &Waiting| (waiting.kind, waiting.id) == (one.kind, one.id);
            if one.unchanged && ours {
                continue;
            }
            self.waiting.retain(|waiting| !is_it(waiting));
            if one.unchanged && self.waiting.len() < MOST {
                self.waiting.push(Waiting {
                    kind: one.kind,
                    id: one.id,
                    actor: actor.to_owned(),
                    first: now,
                    times: 0,
                });
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    fn named(id: u8, unchanged: bool) -> NamedOne {
        NamedOne {
            asked: "ada".to_owned(),
            kind: ObjectKind::User,
            id: SourceId::from_bytes([id; 16]),
            name: "Ada".to_owned(),
            unchanged,
        }
    }

    fn cycle(number: u128) -> CycleId {
        CycleId(Uuid::from_u128(number))
    }

    #[test]
    fn who_came_back_unchanged_is_looked_at_four_times_more() {
        let start = Timestamp(1_000_000);
        let mut again = Again::default();
        again.ended(cycle(1), "bob", &[named(1, true), named(2, false)], start);
        let mut looked = Vec::new();
        while let Some(due) = again.next() {
            let taken = again.take(due);
            assert_eq!((taken.len(), taken[0].users.len()), (1, 1));
            assert_eq!(taken[0].actor, "bob");
            looked.push(due);
            again.ordered(cycle(9));
            again.ended(cycle(9), "bob", &[named(1, true)], due);
        }
        assert_eq!(looked, moments(start));
    }

    #[test]
    fn who_changed_is_let_go_and_who_is_named_anew_begins_anew() {
        let start = Timestamp(1_000_000);
        let mut again = Again::default();
        again.ended(cycle(1), "bob", &[named(1, true), named(2, true)], start);
        let later = start.plus(MINUTE);
        assert_eq!(again.take(later).remove(0).users.len(), 2);
        again.ordered(cycle(2));
        again.ended(cycle(2), "bob", &[named(1, false), named(2, true)], later);
        assert_eq!(again.next(), Some(start.plus(2 * MINUTE)));
        again.ended(cycle(3), "eve", &[named(2, true)], later);
        assert_eq!(again.next(), Some(later.plus(Duration::from_secs(30))));
        // After a long sleep, once.
        let morning = start.plus(600 * MINUTE);
        assert_eq!(again.take(morning).len(), 1);
        assert_eq!((again.take(morning), again.next()), (Vec::new(), None));
    }
}
