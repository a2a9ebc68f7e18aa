use serde_json::json;

use super::*;
use crate::reconcile::fixtures::Desk;
use crate::reconcile::fixtures::candidate;
use crate::reconcile::fixtures::found;
use crate::reconcile::fixtures::group;
use crate::reconcile::fixtures::id;
use crate::reconcile::fixtures::line;
use crate::reconcile::fixtures::member;
use crate::reconcile::fixtures::proven;
use crate::reconcile::fixtures::tid;
use crate::reconcile::fixtures::unproven;
use crate::reconcile::fixtures::user;
use crate::reconcile::policy::Policy;

const ME: &str = "00000000-0000-4000-8000-000000000001";

#[test]
fn the_target_is_asked_first() {
    let plan = Desk::new().plan(&user(json!({})));
    let keys: Vec<_> = plan
        .need
        .unwrap()
        .iter()
        .map(|key| key.path.as_str().to_owned())
        .collect();
    assert_eq!(keys, ["externalId", "userName"]);
    assert!(plan.operations.is_empty());
}

#[test]
fn a_new_user_is_created_where_nothing_matches() {
    let off = || {
        Desk::with(Policy {
            create: false,
            ..Policy::default()
        })
    };
    let create = format!(
        "create_user(new) userName=\"u1@corp\", active=true, nickName=\"friend\", externalId=\"{ME}\""
    );
    let full = format!(
        "create_user(new) userName=\"u1@corp\", active=true, title=\"Dr\", nickName=\"Al\", locale=\"de\", externalId=\"{ME}\""
    );
    let rich = json!({"jobTitle": "Dr", "givenName": "Al", "preferredLanguage": "de"});
    for (name, desk, source, absence, expected) in [
        ("new", Desk::new(), json!({}), proven(), create.as_str()),
        ("with all values", Desk::new(), rich, proven(), full.as_str()),
        (
            "absence unproven: its uniqueness decides",
            Desk::new(),
            json!({}),
            unproven(),
            create.as_str(),
        ),
        (
            "disabled",
            Desk::new(),
            json!({"accountEnabled": false}),
            proven(),
            "| disabled_at_source",
        ),
        ("switched off", off(), json!({}), proven(), "| switched_off"),
        (
            "no userName",
            Desk::new(),
            json!({"userPrincipalName": null}),
            proven(),
            "| no_matching_value",
        ),
    ] {
        assert_eq!(
            desk.line(&found(user(source), vec![], absence)),
            expected,
            "{name}"
        );
    }
}

#[test]
fn a_lost_resource_is_made_again_and_says_so() {
    let mut view = found(user(json!({})), vec![], proven());
    view.lost = true;
    assert!(
        Desk::new()
            .line(&view)
            .starts_with("create_user(missing_at_target)")
    );
}

#[test]
fn a_matching_property_that_was_never_read_stops_the_pairing() {
    let mut view = found(user(json!({})), vec![], proven());
    view.object.attributes.remove("userPrincipalName");
    assert_eq!(Desk::new().line(&view), "| property_unread");
}

#[test]
fn a_group_is_not_created_on_an_unproven_absence() {
    let with_members = |absence| {
        let mut view = found(group(json!({})), vec![], absence);
        view.members = vec![
            member(1, None, Reference::Linked(tid("u1"))),
            member(2, None, Reference::Absent),
            member(3, None, Reference::Expected(None)),
        ];
        view
    };
    let created = format!(
        "create_group(new) displayName=\"group 90\", externalId=\"{}\"; add_member(member_joined) #1, #3",
        id(90)
    );
    let plan = Desk::new().plan(&with_members(proven()));
    assert_eq!(line(&plan), created);
    assert_eq!(plan.skipped_references, 1);
    assert_eq!(Desk::new().line(&with_members(unproven())), "| absence_unproven");
}

#[test]
fn an_adopted_resource_is_linked_and_only_differences_are_written() {
    let equal = json!({"userName": "U1@corp", "active": true, "externalId": ME});
    let no_id = json!({"userName": "u1@corp", "active": true, "title": "theirs"});
    let inactive = json!({"userName": "u1@corp", "active": false, "externalId": ME});
    let record = format!("userName=\"u1@corp\", active=true, externalId=\"{ME}\"");
    let write_id = format!(
        "link_user(matched) userName=\"u1@corp\", active=true; update_user(adopted_differs) externalId=\"{ME}\""
    );
    let enable = format!(
        "link_user(matched) userName=\"u1@corp\", externalId=\"{ME}\"; enable_user(account_enabled) active=true"
    );
    let disable = format!(
        "link_user(matched) userName=\"u1@corp\", externalId=\"{ME}\"; disable_user(account_disabled) active=false"
    );
    for (name, source, body, expected) in [
        (
            "equal",
            json!({}),
            equal.clone(),
            format!("link_user(matched) {record}"),
        ),
        (
            "null leaves the target's value",
            json!({"jobTitle": null}),
            no_id,
            write_id,
        ),
        ("inactive there", json!({}), inactive.clone(), enable),
        (
            "disabled at the source",
            json!({"accountEnabled": false}),
            equal,
            disable,
        ),
        (
            "disabled on both sides",
            json!({"accountEnabled": false}),
            inactive,
            format!("link_user(matched) userName=\"u1@corp\", active=false, externalId=\"{ME}\""),
        ),
    ] {
        let view = found(user(source), vec![candidate("t5", body)], proven());
        let plan = Desk::new().plan(&view);
        assert_eq!(line(&plan), expected, "{name}");
        assert!(
            plan.operations
                .iter()
                .all(|operation| operation.target == Some(tid("t5"))),
            "{name}"
        );
    }
}

#[test]
fn a_resource_of_a_protected_name_is_not_adopted() {
    let desk = Desk::with(Policy {
        protect: vec!["BreakGlass@corp".to_owned()],
        ..Policy::default()
    });
    let body = json!({"userName": "breakglass@corp", "externalId": ME});
    let view = found(user(json!({})), vec![candidate("t5", body)], proven());
    assert_eq!(desk.line(&view), "| protected");
}

#[test]
fn an_adopted_group_keeps_strangers_and_loses_known_users_who_are_no_members() {
    let body = json!({
        "displayName": "group 90", "externalId": id(90).to_string(),
        "members": [{"value": "u1"}, {"value": "u3"}, {"value": "stranger"}],
    });
    let mut view = found(group(json!({})), vec![candidate("g", body)], unproven());
    view.members = vec![
        member(1, None, Reference::Linked(tid("u1"))),
        member(2, None, Reference::Linked(tid("u2"))),
    ];
    view.member_owners = BTreeMap::from([(tid("u1"), id(1)), (tid("u3"), id(3))]);
    let plan = Desk::new().plan(&view);
    let expected = format!(
        "link_group(matched) displayName=\"group 90\", externalId=\"{}\", #1; \
         remove_member(adopted_differs) #3; add_member(member_joined) #2",
        id(90)
    );
    assert_eq!(line(&plan), expected);
    assert_eq!(plan.members_held, 1);
}

#[test]
fn a_new_user_waits_for_a_manager_whose_turn_comes() {
    let mut view = found(user(json!({})), vec![], proven());
    view.object.manager = Some(id(7));
    view.manager = Reference::Pending;
    let mut desk = Desk::new();
    desk.settle = false;
    assert_eq!(desk.line(&view), "| waits_for_manager");
    desk.settle = true;
    let plan = desk.plan(&view);
    assert_eq!((plan.skipped_references, plan.pending_references), (1, 1));
    view.manager = Reference::Expected(None);
    assert!(desk.line(&view).ends_with(&format!("manager=\"{}\"", id(7))));
}
