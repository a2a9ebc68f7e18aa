//! Users whom an admin named: they may be disabled although the guard is closed, so many within an hour, over all orders. Else ten times
//! ten would be a hundred (docs/design/cycle.md, "The guard").

use std::collections::BTreeSet;
use std::time::Duration;

use serde::Deserialize;
use serde::Serialize;

use crate::model::clock::Timestamp;
use crate::model::id::SourceId;

/// As many users, named in one order or in several within an hour, may be disabled although the guard is closed.
pub const MOST_NAMED_USERS: usize = 10;
/// The time within which they are counted.
const WITHIN: Duration = Duration::from_secs(60 * 60);

/// Somebody who was let through because an admin named them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct NamedAt {
    /// Who.
    pub user: SourceId,
    /// When.
    pub at: Timestamp,
}

/// What becomes of the users whom an order names.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Named {
    /// Who was let through within the hour, and who is now.
    pub counted: Vec<NamedAt>,
    /// Who is not let through any more.
    pub over: BTreeSet<SourceId>,
}

impl Named {
    /// Says why the others are not let through, and when the next may be named.
    #[must_use]
    pub fn why(&self) -> Option<String> {
        let first = self.counted.iter().map(|one| one.at).min()?;
        (!self.over.is_empty()).then(|| {
            format!(
                "{MOST_NAMED_USERS} named users were let through the closed guard within an hour, which is the most: the next can be \
                 named from {} on",
                first.plus(WITHIN)
            )
        })
    }
}

/// Decides who of the users to be disabled goes through because they were named. Whoever did within the hour is not counted again.
#[must_use]
pub fn let_through(due: &BTreeSet<SourceId>, before: &[NamedAt], now: Timestamp) -> Named {
    let since = now.minus(WITHIN);
    let mut counted: Vec<NamedAt> = before.iter().filter(|one| one.at > since).copied().collect();
    let known: BTreeSet<SourceId> = counted.iter().map(|one| one.user).collect();
    let room = MOST_NAMED_USERS.saturating_sub(known.len());
    let fresh: Vec<SourceId> = due.difference(&known).copied().collect();
    let (through, over) = fresh.split_at(room.min(fresh.len()));
    counted.extend(through.iter().map(|user| NamedAt { user: *user, at: now }));
    Named {
        counted,
        over: over.iter().copied().collect(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(minutes: i64) -> Timestamp {
        Timestamp(minutes * 60_000)
    }

    fn users(numbers: impl IntoIterator<Item = u8>) -> BTreeSet<SourceId> {
        numbers
            .into_iter()
            .map(|n| SourceId::from_bytes([n; 16]))
            .collect()
    }

    #[test]
    fn ten_times_ten_is_ten_within_an_hour() {
        let first = let_through(&users(0..7), &[], at(0));
        assert_eq!((first.counted.len(), first.over.len()), (7, 0));
        assert_eq!(first.why(), None);
        let second = let_through(&users(5..14), &first.counted, at(20));
        assert_eq!(second.over, users(10..14), "two of them were let through before");
        let why = second.why().unwrap();
        assert!(why.contains(&at(60).to_string()), "{why}");
        // A retry of those who are counted is none more.
        assert_eq!(
            let_through(&users(0..10), &second.counted, at(40)).over,
            users([])
        );
        // An hour after the first seven there is room again.
        let later = let_through(&users(10..20), &second.counted, at(60));
        assert_eq!((later.counted.len(), later.over.len()), (10, 3));
    }

    #[test]
    fn a_clock_that_was_put_back_makes_no_room() {
        let first = let_through(&users(0..10), &[], at(600));
        assert_eq!(let_through(&users([11]), &first.counted, at(0)).over, users([11]));
    }

    proptest! {
        /// Whatever is ordered when: never more than ten different users within any hour.
        #[test]
        fn never_more_than_ten_within_an_hour(
            orders in proptest::collection::vec((0_i64..30, proptest::collection::btree_set(0_u8..60, 0..12)), 1..20),
        ) {
            let (mut log, mut now, mut all) = (Vec::new(), 0, Vec::new());
            for (minutes, names) in orders {
                now += minutes;
                let named = let_through(&users(names), &log, at(now));
                all.extend(named.counted.iter().filter(|one| one.at == at(now)).copied());
                log = named.counted;
            }
            for end in &all {
                let within = all.iter().filter(|one| one.at <= end.at && one.at > end.at.minus(WITHIN));
                let different: BTreeSet<SourceId> = within.map(|one| one.user).collect();
                prop_assert!(different.len() <= MOST_NAMED_USERS);
            }
        }
    }
}
