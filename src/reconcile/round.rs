//! When a round of the source's stream is one without an end. Pure.
//!
//! Only a page that says so ends a round, and empty pages are normal: Graph sends them. So nothing here says that a round is
//! whole; what is decided is that it will never be. A link that was followed before leads there again; pages that bring only
//! what the round brought before, for long, bring nothing else later; and a stream far beyond what is known of the directory
//! fills the disk for nothing.

use std::collections::HashSet;
use std::time::Duration;

use super::listing::digest;
use crate::model::clock::Timestamp;

/// What pages without news may weigh in a row: an empty one weighs 1.
const MOST_IDLE: u64 = 10_000;

/// What a page weighs that brought something, and all of it again. A thousand in a row are no replay.
const REPEATED: u64 = 10;

/// So long nothing new, over at least [`LEAST_IDLE`] pages: a stream that drips is one without an end too.
const LONGEST_IDLE: Duration = Duration::from_secs(1800);

/// Fewer pages are what a service in trouble answers late, not a stream that drips.
const LEAST_IDLE: u64 = 20;

/// What a round may bring beyond ten times of what is known: a first round knows nothing, and the largest directories have
/// some millions.
const MOST_BEYOND: u64 = 10_000_000;

/// What a page brought.
#[derive(Debug, Clone, Copy)]
pub struct Brought<'a> {
    /// The link that it was asked for by; none for the first page of a full round.
    pub by: Option<&'a str>,
    /// The link to the page behind it; none at the end.
    pub next: Option<&'a str>,
    /// Entries on it.
    pub entries: u64,
    /// What no page of the round brought before: objects, and members of groups.
    pub fresh: u64,
    /// True where it named what is known, and all of it was brought before.
    pub repeats: bool,
}

/// Why a round will not end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Endless {
    /// A link leads back.
    #[error("a link leads back to a page that was read before")]
    Circle,
    /// Nothing new for long.
    #[error("{pages} pages in a row brought nothing new")]
    Idle {
        /// So many pages.
        pages: u64,
    },
    /// Far more than there can be.
    #[error("{read} entries were read, far more than are known of the directory")]
    Beyond {
        /// So many.
        read: u64,
    },
}

/// A round under way.
#[derive(Debug)]
pub struct Round {
    read: u64,
    most: u64,
    /// Pages since the last news, what they weigh, and when that came.
    idle: u64,
    weight: u64,
    news: Timestamp,
    /// Digests of the links that were followed: 8 bytes a page.
    followed: HashSet<u64>,
}

impl Round {
    /// Begins one, or goes on with one. `known`: how many objects the snapshot holds.
    #[must_use]
    pub fn new(known: u64, now: Timestamp) -> Self {
        Self {
            read: 0,
            most: known.saturating_mul(10).saturating_add(MOST_BEYOND),
            idle: 0,
            weight: 0,
            news: now,
            followed: HashSet::new(),
        }
    }

    /// Takes a page in that was stored.
    ///
    /// # Errors
    /// Why the round will never end.
    pub fn page(&mut self, brought: &Brought<'_>, now: Timestamp) -> Result<(), Endless> {
        self.read += brought.entries;
        self.followed.extend(brought.by.map(digest));
        let Some(next) = brought.next else {
            return Ok(());
        };
        if self.followed.contains(&digest(next)) {
            return Err(Endless::Circle);
        }
        if brought.fresh > 0 {
            (self.idle, self.weight, self.news) = (0, 0, now);
        } else {
            self.idle += 1;
            self.weight += if brought.repeats { REPEATED } else { 1 };
        }
        let drips = self.idle >= LEAST_IDLE && now.since(self.news) >= LONGEST_IDLE;
        if self.weight >= MOST_IDLE || drips {
            return Err(Endless::Idle { pages: self.idle });
        }
        if self.read > self.most {
            return Err(Endless::Beyond { read: self.read });
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp(0);

    fn links(n: u64) -> (String, String) {
        (format!("https://graph/{n}"), format!("https://graph/{}", n + 1))
    }

    /// Reads pages that all bring the same, one every so often; the number of the one that ends it.
    fn ends_at(known: u64, gap: Duration, entries: u64, fresh: u64, repeats: bool) -> (u64, Endless) {
        let (mut round, mut now) = (Round::new(known, NOW), NOW);
        for n in 1.. {
            let (by, next) = links(n);
            let page = Brought {
                by: Some(&by),
                next: Some(&next),
                entries,
                fresh,
                repeats,
            };
            now = now.plus(gap);
            if let Err(endless) = round.page(&page, now) {
                return (n, endless);
            }
        }
        unreachable!("every stream of these ends")
    }

    #[test]
    fn pages_that_bring_nothing_new_are_borne_for_long_and_not_for_ever() {
        let second = Duration::from_secs(1);
        let (hundredth, minute) = (Duration::from_millis(10), second * 60);
        for (name, gap, entries, repeats, pages) in [
            ("empty ones", hundredth, 0, false, 10_000),
            ("repeated ones", hundredth, 200, true, 1_000),
            ("removals of what was never known", hundredth, 200, false, 10_000),
            ("a drip", minute, 0, false, 30),
            (
                "a slow drip is given its pages",
                minute * 60,
                0,
                false,
                LEAST_IDLE,
            ),
        ] {
            let (at, endless) = ends_at(0, gap, entries, 0, repeats);
            assert_eq!((at, endless), (pages, Endless::Idle { pages }), "{name}");
        }
    }

    #[test]
    fn news_far_beyond_what_is_known_are_no_directory() {
        let (at, endless) = ends_at(1_000_000, Duration::ZERO, 1_000_000, 1, false);
        assert_eq!((at, endless), (21, Endless::Beyond { read: 21_000_000 }));
    }

    #[test]
    fn a_link_that_leads_back_is_a_circle_and_the_last_page_leads_nowhere() {
        let mut round = Round::new(0, NOW);
        let page = |by, next| Brought {
            by,
            next,
            entries: 1,
            fresh: 1,
            repeats: false,
        };
        assert_eq!(round.page(&page(None, Some("a")), NOW), Ok(()));
        assert_eq!(round.page(&page(Some("a"), Some("b")), NOW), Ok(()));
        for next in ["a", "b"] {
            assert_eq!(
                round.page(&page(Some("b"), Some(next)), NOW),
                Err(Endless::Circle),
                "{next}"
            );
        }
        assert_eq!(round.page(&page(Some("b"), None), NOW), Ok(()));
    }

    #[test]
    fn a_new_object_after_many_empty_pages_begins_the_count_anew() {
        let mut round = Round::new(0, NOW);
        for n in 0..40_000 {
            let (by, next) = links(n);
            let page = Brought {
                by: Some(&by),
                next: Some(&next),
                entries: u64::from(n % 9_000 == 0),
                fresh: u64::from(n % 9_000 == 0),
                repeats: false,
            };
            assert_eq!(round.page(&page, NOW), Ok(()), "{n}");
        }
    }
}
