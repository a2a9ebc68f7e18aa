//! The table of both sides.

use super::*;

const MINUTE: i64 = 60_000;
const SALT: Salt<'static> = Salt(b"salt");

fn effects(all: &[(&str, &str)]) -> Effects {
    all.iter()
        .map(|(name, value)| ((*name).to_owned(), (*value != "?").then(|| SALT.digest(value))))
        .collect()
}

fn wanted(first: i64, last: i64, all: &[(&str, &str)]) -> Wanted {
    Wanted {
        first: Timestamp(first * MINUTE),
        last: Timestamp(last * MINUTE),
        effects: effects(all),
    }
}

fn deed(at: i64, all: &[(&str, &str)], agreed: Option<bool>) -> Deed {
    Deed {
        id: Uuid::from_u128(u128::try_from(at).unwrap()),
        at: Timestamp(at * MINUTE),
        done: true,
        effects: effects(all),
        target: Some("r1".to_owned()),
        agreed,
    }
}

fn failed(at: i64) -> Deed {
    Deed {
        done: false,
        ..deed(at, &[("title", "b")], None)
    }
}

/// Everything is looked at ten hours in, by a cycle that began a minute before.
fn classes(ours: Vec<Wanted>, theirs: Vec<Deed>) -> Vec<(Class, Vec<String>)> {
    let watched = Watched {
        wanted: ours,
        deeds: theirs,
    };
    let seen = Seen {
        now: Timestamp(600 * MINUTE),
        cycle: Timestamp(599 * MINUTE),
        since: Timestamp(0),
    };
    compare(&watched, seen, SALT)
        .into_iter()
        .map(|one| (one.class, one.differing))
        .collect()
}

#[test]
fn each_change_is_the_same_or_one_sides_or_another() {
    let title = &[("title", "b")][..];
    let other = &[("title", "c")][..];
    for (name, ours, theirs, expected) in [
        (
            "both, Azure later",
            vec![wanted(10, 40, title)],
            vec![deed(41, title, None)],
            vec![(Class::Same, "")],
        ),
        (
            "both, Azure first and seen late",
            vec![wanted(60, 65, title)],
            vec![deed(30, title, None)],
            vec![(Class::Same, "")],
        ),
        (
            "another value",
            vec![wanted(10, 40, title)],
            vec![deed(41, other, None)],
            vec![(Class::Differently, "title")],
        ),
        (
            "a value that the log does not show",
            vec![wanted(10, 40, title)],
            vec![deed(41, &[("title", "?")], None)],
            vec![(Class::Same, "")],
        ),
        (
            "an attribute more",
            vec![wanted(10, 40, &[("title", "b"), ("mail", "m")])],
            vec![deed(41, title, None)],
            vec![(Class::Differently, "mail")],
        ),
        (
            "a reference of which only we tell",
            vec![wanted(10, 40, &[("active", "false"), ("manager", "?")])],
            vec![deed(41, &[("active", "false")], None)],
            vec![(Class::Same, "")],
        ),
        (
            "nothing but a reference",
            vec![wanted(10, 599, &[("manager", "?")])],
            vec![],
            vec![],
        ),
        (
            "a member of whom only we tell",
            vec![wanted(10, 40, &[("title", "b"), ("(members added)", "?")])],
            vec![deed(41, title, None)],
            vec![(Class::Differently, "(members added)")],
        ),
        (
            "in two entries",
            vec![wanted(10, 40, &[("title", "b"), ("mail", "m")])],
            vec![deed(41, title, None), deed(42, &[("mail", "m")], None)],
            vec![(Class::Same, "")],
        ),
        (
            "only we, and still",
            vec![wanted(10, 599, title)],
            vec![],
            vec![(Class::OnlyWe, "title")],
        ),
        (
            "wanted for a while",
            vec![wanted(10, 40, title)],
            vec![],
            vec![(Class::Gone, "title")],
        ),
        (
            "too fresh",
            vec![wanted(590, 599, title)],
            vec![],
            vec![(Class::Pending, "title")],
        ),
        (
            "Azure tried in vain",
            vec![wanted(10, 599, title)],
            vec![failed(41)],
            vec![(Class::Differently, "title")],
        ),
        (
            "only they, not asked",
            vec![],
            vec![deed(41, title, None)],
            vec![(Class::OnlyThey, "")],
        ),
        (
            "only they, and our planner leaves it so",
            vec![],
            vec![deed(41, title, Some(true))],
            vec![(Class::Same, "")],
        ),
        (
            "only they, and our planner would not",
            vec![],
            vec![deed(41, title, Some(false))],
            vec![(Class::Differently, "title")],
        ),
        (
            "only they, an hour ago",
            vec![],
            vec![deed(560, title, None)],
            vec![(Class::Pending, "")],
        ),
        ("only they, in vain", vec![], vec![failed(41)], vec![]),
        (
            "far apart",
            vec![wanted(10, 15, title)],
            vec![deed(200, title, None)],
            vec![(Class::Gone, "title"), (Class::OnlyThey, "")],
        ),
        (
            "a create that says active",
            vec![wanted(
                10,
                40,
                &[("(exists)", "true"), ("active", "true"), ("username", "a")],
            )],
            vec![deed(41, &[("(exists)", "true"), ("username", "a")], None)],
            vec![(Class::Same, "")],
        ),
        (
            "we disable, Azure deletes",
            vec![wanted(10, 40, &[("active", "false")])],
            vec![deed(41, &[("(exists)", "false")], None)],
            vec![(Class::Differently, "(exists) active")],
        ),
    ] {
        let found: Vec<(Class, String)> = classes(ours, theirs)
            .into_iter()
            .map(|(class, names)| (class, names.join(" ")))
            .collect();
        let expected: Vec<(Class, String)> = expected
            .into_iter()
            .map(|(class, names)| (class, names.to_owned()))
            .collect();
        assert_eq!(found, expected, "{name}");
    }
}

#[test]
fn what_we_clear_and_entra_keeps_is_explained() {
    let watched = Watched {
        wanted: vec![wanted(10, 40, &[("title", "b"), ("mail", "")])],
        deeds: vec![deed(41, &[("title", "b")], None)],
    };
    let seen = Seen {
        now: Timestamp(600 * MINUTE),
        cycle: Timestamp(599 * MINUTE),
        since: Timestamp(0),
    };
    let found = compare(&watched, seen, SALT).remove(0);
    assert!(found.clears && found.class == Class::Differently, "{found:?}");
}

#[test]
fn passes_of_a_cycle_add_up_and_the_next_cycle_says_it_anew() {
    let mut watched = Watched::default();
    let at = |minute: i64| Timestamp(minute * MINUTE);
    watched.want(effects(&[("title", "b")]), at(10));
    watched.want(effects(&[("mail", "m")]), at(10));
    watched.want(effects(&[("title", "c")]), at(15));
    assert_eq!(watched.wanted, [wanted(10, 15, &[("title", "c")])]);
    watched.want(effects(&[("title", "d")]), at(600));
    assert_eq!(watched.wanted.len(), 2, "another change");
    let one = deed(20, &[("title", "c")], None);
    watched.note(one.clone(), at(30));
    watched.note(one, at(31));
    assert_eq!(watched.deeds.len(), 1, "an entry that comes twice counts once");
    watched.want(effects(&[("title", "e")]), at(60 * 24 * 60));
    assert!(
        watched.deeds.is_empty() && watched.wanted.len() == 1,
        "what is old is forgotten"
    );
}
