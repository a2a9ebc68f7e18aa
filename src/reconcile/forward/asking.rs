//! Which way of looking objects up at the target costs less: a question for each, several in one question, or a listing.
//!
//! Pure: what is known of the target's size comes in, the decision goes out. Whether an answer proves anything is not
//! decided here; only answers that do are compared.

/// What a request costs beside what it carries, in resources: reading so many takes as long as asking once more.
const REQUEST: u64 = 50;

/// Values in one question. More would make URLs that servers refuse (2,000 characters and more).
pub const WIDTH: usize = 20;

/// Objects that are always asked for one by one where that proves anything: below, the ways differ by a few requests.
pub const FEW: usize = 20;

/// As many objects as are gathered to be asked for, however large the target: their ids are in memory at once.
const MOST: u64 = 20_000;

/// How much a type holds at the target, as far as it is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Size {
    /// Resources.
    pub resources: u64,
    /// Resources on a page of a listing.
    pub per_page: u64,
}

impl Size {
    /// What a listing costs: its pages, the empty one at its end, and all that they carry.
    #[must_use]
    pub fn listing(self) -> u64 {
        let pages = self.resources.div_ceil(self.per_page.max(1)) + 1;
        pages.saturating_mul(REQUEST).saturating_add(self.resources)
    }
}

/// Requests for `objects` at paths of which each takes so many new values in a question.
#[must_use]
pub fn questions(objects: usize, widths: &[usize]) -> usize {
    widths.iter().map(|width| objects.div_ceil((*width).max(1))).sum()
}

/// True where asking by so many requests is worth it: they are few, or they cost less than a listing.
#[must_use]
pub fn is_cheaper(objects: usize, requests: usize, size: Size) -> bool {
    objects <= FEW || (requests as u64).saturating_mul(REQUEST) < size.listing()
}

/// The most objects for which questions can be cheaper than a listing, at their best: several in each.
#[must_use]
pub fn most_worth_asking(size: Size, paths: usize) -> usize {
    let affordable = size.listing() / REQUEST / paths.max(1) as u64;
    let most = affordable.saturating_mul(WIDTH as u64 - 1).min(MOST);
    usize::try_from(most).unwrap_or(FEW).max(FEW)
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn size(resources: u64) -> Size {
        Size {
            resources,
            per_page: 500,
        }
    }

    #[test]
    fn the_cheaper_way_is_taken() {
        for (name, objects, widths, resources, asks) in [
            ("a few, in a small target", 3, [1, 1], 30, true),
            ("half of a small target", 50, [1, 1], 100, false),
            ("the same, several in one", 50, [19, 19], 1_000, true),
            ("50 joiners among 100,000, one by one", 50, [1, 1], 100_000, true),
            ("2,000 of them, one by one", 2_000, [1, 1], 100_000, false),
            ("2,000 of them, several in one", 2_000, [19, 19], 100_000, true),
            ("nearly all of them", 90_000, [19, 19], 100_000, false),
            ("nothing is known", 21, [1, 1], 0, false),
        ] {
            let requests = questions(objects, &widths);
            assert_eq!(is_cheaper(objects, requests, size(resources)), asks, "{name}");
        }
    }

    #[test]
    fn no_more_are_gathered_than_could_be_asked_for() {
        assert_eq!(most_worth_asking(size(0), 2), FEW);
        assert_eq!(most_worth_asking(size(u64::MAX), 2), 20_000);
        for resources in [1_000, 10_000, 50_000] {
            let most = most_worth_asking(size(resources), 2);
            let best = |objects| questions(objects, &[WIDTH - 1, WIDTH - 1]);
            assert!(
                !is_cheaper(most + WIDTH, best(most + WIDTH), size(resources)),
                "{resources}"
            );
        }
    }
}
