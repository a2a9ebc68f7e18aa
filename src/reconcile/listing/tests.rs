//! Services whose listings differ, as functions from what is asked to what is shown; and what is concluded.

use super::*;
use std::collections::BTreeSet;

const KIND: ObjectKind = ObjectKind::User;

/// What a service answers: the entries shown and what `totalResults` says; `Err` for a refusal.
type Answer = Result<(Vec<u64>, Option<u64>), &'static str>;

/// Lists a service to the end: how many were seen, in how many requests, and what was concluded.
fn listed(service: impl Fn(u64, bool) -> Answer) -> (usize, u32, Step) {
    let (mut listing, mut seen, mut requests) = (Listing::new(KIND, 0), BTreeSet::new(), 0);
    let (mut start, mut counted) = (1, true);
    loop {
        requests += 1;
        assert!(requests < 5000, "the listing does not end");
        let step = match service(start, counted) {
            Ok((entries, total)) => {
                let distinct = entries.iter().collect::<BTreeSet<_>>().len() as u64;
                let fresh = entries.iter().filter(|entry| seen.insert(**entry)).count() as u64;
                listing.page(&Page {
                    way: Way::Index(start),
                    entries: entries.len() as u64,
                    unread: 0,
                    fresh,
                    known: distinct - fresh,
                    total,
                })
            }
            Err(why) => listing.refused(Way::Index(start), why),
        };
        match step {
            Step::Index(next) => (start, counted) = (next, true),
            Step::LookAgain(next) => (start, counted) = (next, false),
            end => return (seen.len(), requests, end),
        }
    }
}

/// An honest service of so many resources, that shows at most so many at once.
fn page(all: u64, most: u64, start: u64) -> Vec<u64> {
    (start..=all).take(usize::try_from(most).unwrap()).collect()
}

#[test]
fn a_listing_is_whole_when_it_was_asked_to_its_end_whatever_its_numbers_say() {
    type Total = fn(u64) -> Option<u64>;
    let totals: &[(&str, Total, u32)] = &[
        ("right", |_| Some(7), 0),
        ("too low", |_| Some(2), 0),
        ("of the page", |shown| Some(shown), 0),
        ("zero", |_| Some(0), 0),
        ("missing", |_| None, 0),
        ("one", |_| Some(1), 0),
        // The end is looked at once more.
        ("too high", |_| Some(40), 1),
    ];
    for (name, total, looks) in totals {
        let (seen, requests, step) = listed(|start, _| {
            let shown = page(7, 3, start);
            let total = total(shown.len() as u64);
            Ok((shown, total))
        });
        assert_eq!((seen, step), (7, Step::Whole), "{name}");
        assert_eq!(requests, 4 + looks, "{name}");
        // As it is with nobody there.
        let (seen, requests, step) = listed(|_, _| Ok((Vec::new(), total(0))));
        assert_eq!((seen, step), (0, Step::Whole), "{name}, empty");
        assert!(requests <= 2, "{name}, empty");
    }
}

#[test]
fn pages_may_be_short_in_the_middle_and_overlap() {
    let (seen, _, step) = listed(|start, _| Ok((page(9, 1 + start % 3, start), None)));
    assert_eq!((seen, step), (9, Step::Whole), "short pages");
    let (seen, _, step) = listed(|start, _| Ok((page(9, 4, start.saturating_sub(1).max(1)), Some(9))));
    assert_eq!((seen, step), (9, Step::Whole), "indexes from 0 on");
    let (seen, _, step) = listed(|start, _| Ok((page(9, 4, start.min(6)), Some(12))));
    assert_eq!((seen, step), (9, Step::Whole), "the last page again and again");
}

/// World 3115469: the second page was the first once more, of another size. Whoever counts what it shows skips who stands behind.
#[test]
fn a_page_that_begins_too_early_leads_past_nobody() {
    use std::cell::Cell;
    for total in [Some(14), None] {
        let glitches = Cell::new(1);
        let (seen, _, step) = listed(|start, _| {
            if start == 4 && glitches.replace(0) == 1 {
                return Ok((page(14, 6, 1), total));
            }
            Ok((page(14, if start < 4 { 1 } else { 6 }, start), total))
        });
        assert_eq!((seen, step), (14, Step::Whole), "{total:?}");
    }
    // Rows that were added before the place, while it was read.
    let (seen, _, step) = listed(|start, _| Ok((page(12, 4, if start > 4 { start - 3 } else { 1 }), None)));
    assert_eq!((seen, step), (12, Step::Whole));
    // A service that lists some of them again, further behind, and counts them.
    let again: Vec<u64> = (1..=12)
        .flat_map(|n| if n % 3 == 2 { vec![n, n - 1] } else { vec![n] })
        .collect();
    for size in 2..5 {
        let (seen, _, step) = listed(|start, _| {
            let from = usize::try_from(start).unwrap() - 1;
            Ok((again.iter().skip(from).take(size).copied().collect(), Some(12)))
        });
        assert_eq!((seen, step), (12, Step::Whole), "pages of {size}");
    }
    // Each entry twice on its page is no doubt.
    let twice = |start: u64, _| {
        Ok((
            page(12, 4, start.div_ceil(2))
                .into_iter()
                .flat_map(|n| [n, n])
                .collect(),
            None,
        ))
    };
    let (seen, requests, step) = listed(twice);
    assert_eq!((seen, step), (12, Step::Whole));
    assert!(requests <= 5, "{requests}");
}

#[test]
fn a_service_that_shows_one_page_for_ever_is_believed_only_where_no_number_contradicts() {
    for (total, whole) in [(Some(20), true), (None, true), (Some(3), true), (Some(50), false)] {
        let (seen, requests, step) = listed(|_, _| Ok((page(20, 20, 1), total)));
        assert_eq!(seen, 20);
        assert!(requests <= 3, "{total:?}");
        assert_eq!(step == Step::Whole, whole, "{total:?}: {step:?}");
    }
}

#[test]
fn an_end_that_is_none_is_found_by_the_second_look() {
    use std::cell::Cell;
    // A glitch: the third page is empty once, or the second again.
    for glitch in [Vec::new(), page(40, 10, 11)] {
        let glitches = Cell::new(1);
        let (seen, _, step) = listed(|start, _| {
            if start == 21 && glitches.replace(0) == 1 {
                return Ok((glitch.clone(), Some(40)));
            }
            Ok((page(40, 10, start), Some(40)))
        });
        assert_eq!((seen, step), (40, Step::Whole));
    }
    // `startIndex` taken for the number of a page.
    let (seen, _, step) = listed(|start, _| Ok((page(40, 10, (start - 1) * 10 + 1), Some(40))));
    assert_eq!(seen, 10);
    let Step::Unproven(why) = step else {
        panic!("{step:?}")
    };
    assert!(
        why.contains("10 distinct users where it says that it has 40"),
        "{why}"
    );
}

#[test]
fn a_refusal_behind_the_end_is_an_end_where_the_last_entry_shows_itself_again() {
    let behind = |all: u64| {
        move |start: u64, _: bool| {
            if start > all && start > 1 {
                Err("400 startIndex")
            } else {
                Ok((page(all, 5, start), None))
            }
        }
    };
    assert_eq!(listed(behind(12)).2, Step::Whole);
    assert_eq!(listed(behind(0)).2, Step::Whole);
    // Whose `count` is refused from the second page on is read on without.
    let counts = |start, counted| {
        if counted && start > 1 {
            Err("422 count")
        } else {
            Ok((page(12, 5, start), Some(12)))
        }
    };
    assert_eq!((listed(counts).0, listed(counts).2), (12, Step::Whole));
    let by_index = |start, _| {
        if start > 1 {
            Err("501 startIndex")
        } else {
            Ok((page(12, 5, 1), Some(5)))
        }
    };
    let (_, _, step) = listed(by_index);
    let Step::Unproven(why) = step else {
        panic!("{step:?}")
    };
    assert!(why.contains("501 startIndex"), "{why}");
}

#[test]
fn what_cannot_be_read_is_not_absent() {
    let mut listing = Listing::new(KIND, 0);
    let at = |start, entries, unread, fresh| Page {
        way: Way::Index(start),
        entries,
        unread,
        fresh,
        known: 0,
        total: None,
    };
    assert_eq!(listing.page(&at(1, 3, 1, 2)), Step::Index(4));
    let Step::Unproven(why) = listing.page(&at(4, 0, 0, 0)) else {
        panic!("whole without having read all")
    };
    assert!(why.contains("1 entries") && why.contains("no id"), "{why}");
}

fn by_cursor(next: Option<&str>, fresh: u64) -> Page<'_> {
    Page {
        way: Way::Cursor(next),
        entries: fresh,
        unread: 0,
        fresh,
        known: 0,
        total: Some(99),
    }
}

#[test]
fn a_listing_by_cursor_ends_with_a_page_that_names_none_and_not_where_it_turns_round() {
    let mut listing = Listing::new(KIND, 0);
    assert_eq!(
        listing.page(&by_cursor(Some("a"), 2)),
        Step::Cursor("a".to_owned())
    );
    assert_eq!(
        listing.page(&by_cursor(Some("b"), 0)),
        Step::Cursor("b".to_owned()),
        "empty pages are normal"
    );
    assert_eq!(listing.page(&by_cursor(None, 2)), Step::Whole);

    let mut listing = Listing::new(KIND, 0);
    for next in ["a", "b", "c"] {
        assert_eq!(
            listing.page(&by_cursor(Some(next), 1)),
            Step::Cursor(next.to_owned())
        );
    }
    assert!(matches!(
        listing.page(&by_cursor(Some("a"), 1)),
        Step::Unproven(_)
    ));
    assert!(matches!(
        listing.refused(Way::Cursor(None), "400"),
        Step::Unproven(_)
    ));
}

#[test]
fn a_listing_without_an_end_is_given_up() {
    let mut listing = Listing::new(KIND, 0);
    let mut pages = 0;
    let why = loop {
        pages += 1;
        match listing.page(&by_cursor(Some(&pages.to_string()), 0)) {
            Step::Cursor(_) => {}
            Step::Unproven(why) => break why,
            step => panic!("{step:?}"),
        }
    };
    assert!(pages < 2000 && why.contains("nothing new"), "{pages}: {why}");

    let mut listing = Listing::new(KIND, 3);
    let mut start = 1;
    let why = loop {
        let page = Page {
            way: Way::Index(start),
            entries: 500,
            unread: 0,
            fresh: 500,
            known: 0,
            total: Some(500),
        };
        match listing.page(&page) {
            Step::Index(next) => start = next,
            Step::Unproven(why) => break why,
            step => panic!("{step:?}"),
        }
    };
    assert!(start < 200_000 && why.contains("far more"), "{start}: {why}");
}
