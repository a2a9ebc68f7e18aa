use super::*;
use crate::model::id::ObjectKind;
use crate::model::value::Value;
use crate::reconcile::fixtures::id;
use crate::reconcile::operation::Reason;

const fn deletions(allowed: Option<u64>) -> Allowed {
    Allowed {
        deletions: allowed,
        creations: None,
    }
}

/// Users asked, sent within the window, linked and alive, allowance: approved or not.
fn users(asked: u64, sent: u64, linked: u64, alive: u64, allowed: Option<u64>) -> Approvals {
    let asked = Asked {
        users: BTreeMap::from([("account_disabled", asked)]),
        groups: BTreeMap::new(),
        ..Asked::default()
    };
    let sent = Sent {
        users: sent,
        ..Sent::default()
    };
    let totals = Totals {
        linked_users: linked,
        alive_users: alive,
        ..Totals::default()
    };
    approve(&asked, &sent, totals, &Policy::default(), deletions(allowed))
}

#[test]
fn removals_of_users_pass_up_to_the_threshold() {
    for (name, asked, sent, linked, alive, allowed, passes) in [
        ("nothing asked", 0, 900, 1_000, 1_000, None, true),
        ("at the share", 50, 0, 1_000, 1_000, None, true),
        ("over the share", 51, 0, 1_000, 1_000, None, false),
        ("at the count", 500, 0, 100_000, 100_000, None, true),
        ("over the count", 501, 0, 100_000, 100_000, None, false),
        ("small directory", 5, 0, 10, 10, None, true),
        ("small directory, over five", 6, 0, 10, 10, None, false),
        (
            "with what was sent in the window",
            30,
            21,
            1_000,
            1_000,
            None,
            false,
        ),
        ("just with the window", 30, 20, 1_000, 1_000, None, true),
        ("empty source", 1, 0, 100, 0, None, false),
        ("half of the source", 1, 0, 100, 50, None, true),
        ("fewer than half", 1, 0, 100, 49, None, false),
        ("nothing linked yet", 1, 0, 0, 0, None, true),
        ("allowed", 60, 900, 1_000, 1_000, Some(60), true),
        ("more than allowed", 61, 0, 1_000, 1_000, Some(60), false),
        (
            "an allowance may be lower than the threshold",
            2,
            0,
            1_000,
            1_000,
            Some(1),
            false,
        ),
        ("allowed from an empty source", 1, 0, 100, 0, Some(1), true),
    ] {
        let word = users(asked, sent, linked, alive, allowed).users;
        assert_eq!(word == Approval::Approved, passes, "{name}: {word:?}");
    }
}

#[test]
fn an_allowance_is_for_users_and_groups_together() {
    let asked = Asked {
        users: BTreeMap::from([("account_disabled", 2)]),
        groups: BTreeMap::from([("soft_deleted", 2)]),
        ..Asked::default()
    };
    let words = |allowed| {
        let words = approve(
            &asked,
            &Sent::default(),
            Totals::default(),
            &Policy::default(),
            deletions(allowed),
        );
        (
            words.users == Approval::Approved,
            words.groups == Approval::Approved,
        )
    };
    assert_eq!(words(Some(4)), (true, true));
    assert_eq!(words(Some(3)), (false, false));
}

#[test]
fn groups_have_a_threshold_of_their_own() {
    let word = |asked, sent| {
        let asked = Asked {
            users: BTreeMap::new(),
            groups: BTreeMap::from([("soft_deleted", asked)]),
            ..Asked::default()
        };
        let sent = Sent {
            groups: sent,
            ..Sent::default()
        };
        let totals = Totals {
            linked_groups: 1_000,
            alive_groups: 1_000,
            ..Totals::default()
        };
        approve(&asked, &sent, totals, &Policy::default(), Allowed::default()).groups == Approval::Approved
    };
    assert!(word(5, 0));
    assert!(!word(6, 0));
    assert!(!word(3, 3));
}

#[test]
fn members_of_a_group_pass_up_to_half_where_it_is_no_small_one() {
    let share = Threshold {
        count: None,
        percent: Some(50.0),
    };
    let pair = Threshold {
        count: Some(3),
        percent: Some(50.0),
    };
    for (name, asked, holds, sent, threshold, allowed, passes) in [
        ("a small group, all of it", 20, 20, 0, share, None, true),
        ("half of twenty-two", 11, 22, 0, share, None, true),
        ("more than half", 12, 22, 0, share, None, false),
        (
            "what went in the window counts as held",
            1,
            15,
            15,
            share,
            None,
            false,
        ),
        ("a count as written", 3, 100, 0, Threshold::count(3), None, true),
        ("over a count", 4, 100, 0, Threshold::count(3), None, false),
        (
            "a count holds in small groups",
            4,
            10,
            0,
            Threshold::count(3),
            None,
            false,
        ),
        (
            "the count of a pair too, but never under five",
            5,
            10,
            0,
            pair,
            None,
            true,
        ),
        ("over the count of a pair", 6, 10, 0, pair, None, false),
        ("allowed", 90, 100, 0, share, Some(90), true),
        ("more than allowed", 91, 100, 0, share, Some(90), false),
        ("nothing asked", 0, 100, 90, share, Some(0), true),
    ] {
        let policy = Policy {
            membership_removal_threshold: threshold,
            ..Policy::default()
        };
        let sent = Sent {
            members: BTreeMap::from([(id(90), sent)]),
            ..Sent::default()
        };
        let word = approve_members(id(90), asked, holds, &sent, &policy, allowed);
        assert_eq!(word == Approval::Approved, passes, "{name}: {word:?}");
    }
}

#[test]
fn the_word_says_how_many_why_and_what_to_do() {
    let why = |words: Approvals| words.users.withheld().unwrap_or("approved").to_owned();
    insta::assert_snapshot!(why(users(51, 0, 1_000, 1_000, None)), @"51 removals of users are due, more than the 50 that deletion_threshold (500 or 5%, whichever is lower, of 1000) lets through: check them with `melonsync plan`, then `melonsync sync --allow-deletions 51`");
    insta::assert_snapshot!(why(users(30, 21, 1_000, 1_000, None)), @"30 removals of users are due and 21 were sent within the guard window, more than the 50 that deletion_threshold (500 or 5%, whichever is lower, of 1000) lets through: check them with `melonsync plan`, then `melonsync sync --allow-deletions 30`");
    insta::assert_snapshot!(why(users(1, 0, 100, 0, None)), @"the source holds 0 users, fewer than half of the 100 that are linked: check the source, then let them through with --allow-deletions 1");
    insta::assert_snapshot!(why(users(61, 0, 1_000, 1_000, Some(60))), @"61 removals are due and --allow-deletions lets at most 60 through; none were sent");
}

#[test]
fn the_advised_allowance_lets_groups_through_as_well() {
    let asked = Asked {
        users: BTreeMap::from([("account_disabled", 60)]),
        groups: BTreeMap::from([("soft_deleted", 2)]),
        ..Asked::default()
    };
    let totals = Totals {
        linked_users: 100,
        linked_groups: 10,
        alive_users: 100,
        alive_groups: 10,
    };
    let words = |allowed| approve(&asked, &Sent::default(), totals, &Policy::default(), allowed);
    let why = words(deletions(None)).users.withheld().unwrap().to_owned();
    assert!(why.contains("--allow-deletions 62"), "{why}");
    assert_eq!(words(deletions(Some(62))).users, Approval::Approved);
}

#[test]
fn an_assignment_list_of_fewer_than_half_withholds() {
    for (now, before, withheld) in [
        (10, 10, false),
        (5, 10, false),
        (4, 10, true),
        (0, 1, true),
        (0, 0, false),
        (100, 10, false),
    ] {
        assert_eq!(short_list(now, before).is_some(), withheld, "{now} of {before}");
    }
    let word = short_list(4, 10).unwrap();
    assert!(word.withheld().unwrap().contains("fewer than half of the 10"));
}

#[test]
fn identity_changes_pass_up_to_their_threshold() {
    for (name, asked, sent, passes) in [
        ("none", 0, 500, true),
        ("at the count", 100, 0, true),
        ("over the count", 101, 0, false),
        ("with the window", 60, 41, false),
    ] {
        let asked = Asked {
            identities: asked,
            ..Asked::default()
        };
        let sent = Sent {
            identities: sent,
            ..Sent::default()
        };
        let words = approve(
            &asked,
            &sent,
            Totals::default(),
            &Policy::default(),
            deletions(Some(0)),
        );
        assert_eq!(
            words.identities == Approval::Approved,
            passes,
            "{name}: {words:?}"
        );
        assert_eq!(
            words.users,
            Approval::Approved,
            "{name}: nothing else is held back"
        );
    }
}

#[test]
fn creates_pass_up_to_their_threshold_where_there_is_one() {
    let share = Some(Threshold {
        count: None,
        percent: Some(10.0),
    });
    for (name, asked, sent, linked, threshold, creations, passes) in [
        ("no threshold", 9_000, 9_000, 10, None, None, true),
        ("at the share", 100, 0, 1_000, share, None, true),
        ("over the share", 101, 0, 1_000, share, None, false),
        ("with the window", 60, 41, 1_000, share, None, false),
        ("nothing linked yet", 6, 0, 0, share, None, false),
        ("allowed", 6, 0, 0, share, Some(6), true),
        (
            "more than allowed, without a threshold",
            7,
            0,
            1_000,
            None,
            Some(6),
            false,
        ),
    ] {
        let asked = Asked {
            creates: asked,
            ..Asked::default()
        };
        let sent = Sent {
            creates: sent,
            ..Sent::default()
        };
        let totals = Totals {
            linked_users: linked,
            ..Totals::default()
        };
        let policy = Policy {
            creation_threshold: threshold,
            ..Policy::default()
        };
        let allowed = Allowed {
            deletions: None,
            creations,
        };
        let words = approve(&asked, &sent, totals, &policy, allowed);
        assert_eq!(words.creates == Approval::Approved, passes, "{name}: {words:?}");
    }
}

#[test]
fn a_small_source_holds_memberships_back_too() {
    for (name, linked, alive, allowed, passes) in [
        ("half", 100, 50, None, true),
        ("fewer than half", 100, 49, None, false),
        ("fewer than half, allowed", 100, 49, Some(3), true),
    ] {
        let totals = Totals {
            linked_users: linked,
            alive_users: alive,
            ..Totals::default()
        };
        let words = approve(
            &Asked::default(),
            &Sent::default(),
            totals,
            &Policy::default(),
            deletions(allowed),
        );
        assert_eq!(words.members == Approval::Approved, passes, "{name}: {words:?}");
    }
}

#[test]
fn an_identity_is_user_name_external_id_and_roles() {
    let (none, text) = (Value::Null, Value::text("x"));
    for (name, verb, attribute, before, expected) in [
        ("a rename", Verb::UpdateUser, "userName", &text, true),
        ("in any case", Verb::UpdateUser, "USERNAME", &text, true),
        ("another externalId", Verb::UpdateGroup, "externalId", &text, true),
        (
            "an empty externalId filled",
            Verb::UpdateUser,
            "externalId",
            &none,
            false,
        ),
        (
            "a role",
            Verb::UpdateUser,
            "roles[primary eq \"True\"].value",
            &none,
            true,
        ),
        (
            "a role by a filter with a colon in it",
            Verb::UpdateUser,
            "roles[type eq \"a:b\"].value",
            &text,
            true,
        ),
        (
            "a filter that names roles",
            Verb::UpdateUser,
            "entitlements[type eq \"x:roles\"].value",
            &text,
            false,
        ),
        ("roles with a disable", Verb::DisableUser, "roles", &text, true),
        ("roles that come back", Verb::EnableUser, "roles", &none, false),
        ("a title", Verb::UpdateUser, "title", &text, false),
        ("a create is none", Verb::CreateUser, "userName", &none, false),
        ("an adoption as found", Verb::LinkUser, "userName", &text, false),
    ] {
        let operation = Operation {
            verb,
            kind: ObjectKind::User,
            source: id(1),
            name: String::new(),
            target: None,
            because: Reason::NotAsSent,
            changes: vec![Change {
                attribute: attribute.into(),
                before: before.clone(),
                after: Value::text("y"),
            }],
            members: Vec::new(),
        };
        assert_eq!(changes_identity(&operation), expected, "{name}");
    }
}

#[test]
fn each_threshold_is_of_its_own_number() {
    // No two are one, so that none can stand for another.
    let totals = Totals {
        linked_users: 400,
        linked_groups: 130,
        alive_users: 1_000,
        alive_groups: 270,
    };
    let share = Threshold {
        count: None,
        percent: Some(10.0),
    };
    let mut policy = Policy {
        deletion_threshold: share,
        identity_change_threshold: share,
        creation_threshold: Some(share),
        ..Policy::default()
    };
    policy.groups.deletion_threshold = share;
    let word = |users, groups, identities, creates| {
        let asked = Asked {
            users: BTreeMap::from([("account_disabled", users)]),
            groups: BTreeMap::from([("hard_deleted", groups)]),
            identities,
            creates,
        };
        let approvals = approve(&asked, &Sent::default(), totals, &policy, Allowed::default());
        [
            approvals.users,
            approvals.groups,
            approvals.identities,
            approvals.creates,
        ]
        .map(|word| word.withheld().map(str::to_owned))
    };
    assert_eq!(word(40, 13, 40, 53), [None, None, None, None]);
    for (at, words, total) in [
        (0, word(41, 13, 40, 53), "of 400)"),
        (1, word(40, 14, 40, 53), "of 130)"),
        (2, word(40, 13, 41, 53), "of 400)"),
        (3, word(40, 13, 40, 54), "of 530)"),
    ] {
        for (n, why) in words.iter().enumerate() {
            assert_eq!(why.is_some(), n == at, "{at}: {words:?}");
        }
        assert!(
            words[at].as_ref().is_some_and(|why| why.contains(total)),
            "{words:?}"
        );
    }
    // A source that lost most of its groups says nothing of users, and the other way round.
    for (alive_users, alive_groups, users, groups) in [(1_000, 64, false, true), (199, 270, true, false)] {
        let few = Totals {
            alive_users,
            alive_groups,
            ..totals
        };
        let asked = Asked {
            users: BTreeMap::from([("account_disabled", 1)]),
            groups: BTreeMap::from([("hard_deleted", 1)]),
            ..Asked::default()
        };
        let approvals = approve(&asked, &Sent::default(), few, &policy, Allowed::default());
        let withheld = [&approvals.users, &approvals.groups].map(|word| word.withheld().is_some());
        assert_eq!(
            withheld,
            [users, groups],
            "{alive_users} and {alive_groups} alive"
        );
    }
}
