//! Who is in scope: tables.

use std::collections::BTreeMap;

use serde_json::json;

use super::super::fixtures::id;
use super::super::fixtures::object;
use super::Decision;
use super::Guests;
use super::Memberships;
use super::ScopeReason;
use super::ScopeRules;
use super::Standing;
use crate::mapping::Filter;
use crate::mapping::MemberOf;
use crate::model::id::ObjectKind;

fn rules(filter: &str, guests: Guests) -> ScopeRules {
    ScopeRules {
        user_filter: (!filter.is_empty()).then(|| Filter::parse(ObjectKind::User, filter).unwrap()),
        group_filter: None,
        guests,
    }
}

fn shown(decision: &Decision) -> String {
    match decision {
        Decision::InScope => "in".to_owned(),
        Decision::OutOfScope {
            because,
            by_membership,
        } => format!(
            "out{}: {because}",
            if *by_membership { " by membership" } else { "" }
        ),
        Decision::Unknown { missing } => format!("unknown: {missing}"),
    }
}

#[test]
fn guests_are_in_scope_as_the_setting_says() {
    let accepted = json!({"userType": "Guest", "externalUserState": "Accepted"});
    let invited = json!({"userType": "Guest", "externalUserState": "PendingAcceptance"});
    let member = json!({"userType": "Member", "externalUserState": null});
    let old = json!({"userType": null, "externalUserState": null});
    let unread = json!({});
    for (guests, properties, expected) in [
        (Guests::Include, &invited, "in"),
        (Guests::Include, &unread, "in"),
        (Guests::Accepted, &accepted, "in"),
        (
            Guests::Accepted,
            &invited,
            "out: a guest who has not accepted the invitation, and guests = \"accepted\"",
        ),
        (
            Guests::Accepted,
            &json!({"userType": "Guest"}),
            "unknown: the property externalUserState",
        ),
        (Guests::Accepted, &member, "in"),
        (
            Guests::Exclude,
            &accepted,
            "out: a guest, and guests = \"exclude\"",
        ),
        (Guests::Exclude, &member, "in"),
        (Guests::Exclude, &old, "in"),
        (Guests::Exclude, &unread, "unknown: the property userType"),
    ] {
        let user = object(ObjectKind::User, 1, properties.clone());
        let decision = rules("", guests).decide(&user, &Memberships::default());
        assert_eq!(shown(&decision), expected, "{guests:?} {properties}");
    }
}

#[test]
fn out_of_scope_names_the_clause_of_each_group_that_is_false() {
    let rules = rules(
        "(jobTitle EQUALS \"Cook\" AND givenName IS NOT NULL) OR jobTitle Includes \"hef\"",
        Guests::Include,
    );
    for (properties, expected) in [
        (json!({"jobTitle": "Chef"}), "in"),
        (json!({"jobTitle": "Cook", "givenName": "Ada"}), "in"),
        (
            json!({"jobTitle": "Cook"}),
            "out: user_filter: none of `givenName IS NOT NULL`, `jobTitle Includes \"hef\"` holds",
        ),
    ] {
        let user = object(ObjectKind::User, 1, properties);
        assert_eq!(shown(&rules.decide(&user, &Memberships::default())), expected);
    }
}

#[test]
fn a_loss_through_a_membership_waits_for_a_second_cycle_and_any_other_does_not() {
    let filter = format!("memberOf EQUALS \"{}\" AND givenName IS NULL", id(90));
    let rules = rules(&filter, Guests::Include);
    let group = MemberOf {
        group: id(90),
        transitive: false,
    };
    let known = |is| Memberships(BTreeMap::from([(group, is)]));
    let nobody = object(ObjectKind::User, 1, json!({}));
    let named = object(ObjectKind::User, 1, json!({"givenName": "Ada"}));

    assert_eq!(rules.decide(&nobody, &known(true)), Decision::InScope);
    let unknown = rules.decide(&nobody, &Memberships::default());
    assert!(
        matches!(unknown, Decision::Unknown { .. }),
        "a membership never read decides nothing"
    );
    let left = rules.decide(&nobody, &known(false));
    assert!(matches!(
        left.clone().standing(true, false),
        Standing::Leaving { .. }
    ));
    assert!(matches!(left.clone().standing(true, true), Standing::Out { .. }));
    assert!(
        matches!(left.standing(false, false), Standing::Out { .. }),
        "nothing to lose"
    );
    // Its attributes alone leave it out: no second cycle is waited for.
    let out = rules.decide(&named, &known(false));
    assert!(matches!(out.standing(true, false), Standing::Out { .. }));
}

#[test]
fn only_what_the_rules_ask_for_is_selected() {
    let of = |rules: &ScopeRules, kind| {
        rules
            .graph_properties(kind)
            .into_iter()
            .collect::<Vec<_>>()
            .join(",")
    };
    assert_eq!(of(&ScopeRules::default(), ObjectKind::User), "");
    let accepted = rules("id IS NOT NULL AND mobile IS NOT NULL", Guests::Accepted);
    assert_eq!(
        of(&accepted, ObjectKind::User),
        "externalUserState,mobilePhone,userType"
    );
    assert_eq!(of(&accepted, ObjectKind::Group), "");
    let members = rules(&format!("TRANSITIVE_MEMBER_OF \"{}\"", id(90)), Guests::Exclude);
    assert_eq!(of(&members, ObjectKind::User), "userType");
    assert_eq!(of(&members, ObjectKind::Group), "members");
}

#[test]
fn the_assigned_are_those_in_scope() {
    let unassigned = |by_membership| Decision::OutOfScope {
        because: ScopeReason::Unassigned {
            kind: ObjectKind::User,
        },
        by_membership,
    };
    let filtered = |by_membership| Decision::OutOfScope {
        because: ScopeReason::Guest { invited: false },
        by_membership,
    };
    let unread = || Decision::Unknown {
        missing: "the property city".to_owned(),
    };
    let no_word = || Err::<bool, String>("the list".to_owned());
    let no_list = || Decision::Unknown {
        missing: "the list".to_owned(),
    };
    for (name, decision, assigned, expected) in [
        ("assigned", Decision::InScope, Ok(true), Decision::InScope),
        ("not assigned", Decision::InScope, Ok(false), unassigned(true)),
        ("no list was read", Decision::InScope, no_word(), no_list()),
        (
            "assigned and filtered out",
            filtered(false),
            Ok(true),
            filtered(false),
        ),
        ("neither", filtered(false), Ok(false), filtered(false)),
        (
            "filtered out, and no list",
            filtered(false),
            no_word(),
            filtered(false),
        ),
        (
            "out of the filter's group",
            filtered(true),
            Ok(true),
            filtered(true),
        ),
        ("out of both groups", filtered(true), Ok(false), unassigned(true)),
        ("the filter cannot tell", unread(), Ok(true), unread()),
        (
            "the filter cannot tell, and need not",
            unread(),
            Ok(false),
            unassigned(true),
        ),
    ] {
        assert_eq!(
            decision.and_assigned(ObjectKind::User, assigned),
            expected,
            "{name}"
        );
    }
}
