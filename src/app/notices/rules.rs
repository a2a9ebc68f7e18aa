//! What people are told, and when: once when a state begins, again when it gets worse or lasts, once when it ends.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::time::Duration;

use crate::model::clock::Timestamp;
use crate::model::condition::Condition;
use crate::notify::message::Turn;
use crate::snapshot::state::Notice;

/// A state that a job is in.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Fact {
    /// Its numbers, by what is counted.
    pub counts: BTreeMap<String, u64>,
    /// How bad it is: each step further is told at once.
    pub step: u32,
    /// True where only a step further is told again, and not the mere passing of time.
    pub only_by_step: bool,
}

/// The states that a job is in.
pub type Facts = BTreeMap<Condition, Fact>;

/// A state that changed or lasts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Turned {
    /// The state.
    pub condition: Condition,
    /// What became of it.
    pub turn: Turn,
    /// When it began.
    pub since: Timestamp,
    /// Its numbers; none of one that ended.
    pub counts: BTreeMap<String, u64>,
    /// True where it just began, got worse or ended; false where it merely lasts.
    pub news: bool,
    /// True where it is not repeated while it lasts.
    pub only_by_step: bool,
}

/// Compares what people know with what is. Returns what they are to know, and each state with its turn.
#[must_use]
pub fn compare(known: &[Notice], facts: &Facts, now: Timestamp) -> (Vec<Notice>, Vec<Turned>) {
    let mut stand = Vec::new();
    let mut turned = Vec::new();
    for (condition, fact) in facts {
        let before = known.iter().find(|notice| notice.condition == *condition);
        let since = before.map_or(now, |notice| notice.since);
        stand.push(Notice {
            condition: *condition,
            since,
            step: fact.step,
        });
        turned.push(Turned {
            condition: *condition,
            turn: if before.is_some() {
                Turn::Again
            } else {
                Turn::Begin
            },
            since,
            counts: fact.counts.clone(),
            news: before.is_none_or(|notice| fact.step > notice.step),
            only_by_step: fact.only_by_step,
        });
    }
    for notice in known
        .iter()
        .filter(|notice| !facts.contains_key(&notice.condition))
    {
        turned.push(Turned {
            condition: notice.condition,
            turn: Turn::End,
            since: notice.since,
            counts: BTreeMap::new(),
            news: true,
            only_by_step: false,
        });
    }
    (stand, turned)
}

/// What one receiver was told of one job, and when.
#[derive(Debug, Clone, Default)]
pub struct Told(BTreeMap<Condition, Timestamp>);

impl Told {
    /// Returns what this receiver is told now. A state that was not repeated to it since the daemon began counts as told
    /// now: a restart is no reason to ring.
    pub fn due(
        &mut self,
        turned: &[Turned],
        on: &BTreeSet<Condition>,
        repeat: Duration,
        now: Timestamp,
    ) -> Vec<Turned> {
        let mut due = Vec::new();
        for one in turned.iter().filter(|one| on.contains(&one.condition)) {
            if one.turn == Turn::End {
                self.0.remove(&one.condition);
                due.push(one.clone());
                continue;
            }
            let last = *self.0.entry(one.condition).or_insert(now);
            if one.news || (!one.only_by_step && now.since(last) >= repeat) {
                self.0.insert(one.condition, now);
                due.push(one.clone());
            }
        }
        due
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Duration = Duration::from_secs(3600);

    fn at(hours: u32) -> Timestamp {
        Timestamp(0).plus(HOUR * hours)
    }

    fn facts(all: &[(Condition, u32)]) -> Facts {
        let fact = |step| Fact {
            step,
            ..Fact::default()
        };
        all.iter()
            .map(|(condition, step)| (*condition, fact(*step)))
            .collect()
    }

    /// Plays moments with their facts; returns the turns that a receiver is told, by hour.
    fn played(moments: &[(u32, &[(Condition, u32)])]) -> Vec<(u32, Condition, Turn)> {
        let (mut known, mut told, mut heard) = (Vec::new(), Told::default(), Vec::new());
        let on = BTreeSet::from(Condition::ALL);
        for (hour, now) in moments {
            let (stand, turned) = compare(&known, &facts(now), at(*hour));
            known = stand;
            for one in told.due(&turned, &on, HOUR * 4, at(*hour)) {
                heard.push((*hour, one.condition, one.turn));
            }
        }
        heard
    }

    #[test]
    fn once_when_it_begins_repeated_and_once_when_it_ends() {
        let stands: &[(Condition, u32)] = &[(Condition::Withheld, 0)];
        let heard = played(&[
            (0, &[]),
            (1, stands),
            (2, stands),
            (5, stands),
            (6, stands),
            (9, stands),
            (10, &[]),
            (11, &[]),
        ]);
        let withheld = |hour, turn| (hour, Condition::Withheld, turn);
        assert_eq!(
            heard,
            [
                withheld(1, Turn::Begin),
                withheld(5, Turn::Again),
                withheld(9, Turn::Again),
                withheld(10, Turn::End)
            ]
        );
    }

    #[test]
    fn what_gets_worse_is_told_at_once() {
        let heard = played(&[
            (0, &[(Condition::Credential, 1)]),
            (1, &[(Condition::Credential, 2)]),
            (2, &[(Condition::Credential, 2)]),
        ]);
        assert_eq!(
            heard,
            [
                (0, Condition::Credential, Turn::Begin),
                (1, Condition::Credential, Turn::Again)
            ]
        );
    }

    #[test]
    fn a_restart_tells_nobody_twice() {
        let (known, _) = compare(&[], &facts(&[(Condition::Drift, 0)]), at(0));
        let (_, turned) = compare(&known, &facts(&[(Condition::Drift, 0)]), at(1));
        let mut fresh = Told::default();
        let on = BTreeSet::from(Condition::ALL);
        assert!(fresh.due(&turned, &on, HOUR * 4, at(1)).is_empty());
        assert_eq!(fresh.due(&turned, &on, HOUR * 4, at(5)).len(), 1);
    }

    #[test]
    fn a_receiver_hears_of_what_it_asked_for() {
        let (_, turned) = compare(
            &[],
            &facts(&[(Condition::Drift, 0), (Condition::Failed, 0)]),
            at(0),
        );
        let heard = Told::default().due(&turned, &BTreeSet::from([Condition::Failed]), HOUR, at(0));
        assert_eq!(heard.len(), 1);
        assert_eq!(heard[0].condition, Condition::Failed);
    }
}
