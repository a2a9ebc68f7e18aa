use serde_json::json;

use super::*;
use crate::reconcile::fixtures::Desk;
use crate::reconcile::fixtures::candidate;
use crate::reconcile::fixtures::found;
use crate::reconcile::fixtures::group;
use crate::reconcile::fixtures::id;
use crate::reconcile::fixtures::proven;
use crate::reconcile::fixtures::tid;
use crate::reconcile::policy::GroupPolicy;
use crate::reconcile::policy::Policy;

fn mapping(rows: &str) -> Mapping {
    Mapping::from_toml("test", rows).unwrap_or_else(|problems| panic!("{rows}: {problems:?}"))
}

#[test]
fn only_what_its_owner_cannot_choose_says_whose_a_resource_is() {
    use ObjectKind::{Group, User};
    for (kind, target, source, chosen) in [
        (User, "userName", "[userPrincipalName]", false),
        (User, "userName", "[mail]", false),
        (User, "userName", "[displayName]", true),
        (User, "userName", r#"Append([mailNickname], "@x")"#, true),
        (User, "externalId", "[objectId]", false),
        (User, "externalId", "[employeeId]", false),
        (User, "externalId", "[mailNickname]", true),
        (User, "displayName", "[displayName]", true),
        (User, "nickName", "[mailNickname]", true),
        (User, r#"emails[type eq "work"].value"#, "[mail]", true),
        (User, r#"phoneNumbers[type eq "mobile"].value"#, "[mobile]", true),
        (Group, "displayName", "[displayName]", true),
        (Group, "externalId", "[objectId]", false),
        (Group, "externalId", "[mailNickname]", true),
        (Group, "displayName", "[objectId]", true),
    ] {
        let (name, needed, from) = match kind {
            User => ("user", "userName", "[userPrincipalName]"),
            Group => ("group", "displayName", "[displayName]"),
        };
        let mut rows = format!("[[{name}]]\ntarget = '{target}'\nsource = '{source}'\nmatching = 1\n");
        if target != needed {
            rows += &format!("[[{name}]]\ntarget = '{needed}'\nsource = '{from}'\n");
        }
        assert_eq!(is_chosen(&mapping(&rows), kind, target), chosen, "{rows}");
    }
    let rows = "[[group]]\ntarget = 'displayName'\nsource = '[displayName]'\nmatching = 1\n";
    assert!(
        !is_chosen(&mapping(rows), Group, "externalId"),
        "externalId = objectId needs no row"
    );
}

#[test]
fn a_group_of_the_same_name_is_adopted_as_the_setting_says() {
    use Adopt::{Any, Unclaimed};
    let by_name = || candidate("t1", json!({"displayName": "Group 90"}));
    let by_id = || {
        let own = id(90).to_string();
        candidate("t1", json!({"displayName": "else", "externalId": own}))
    };
    let foreign = || candidate("t1", json!({"displayName": "group 90", "externalId": "theirs"}));
    for (name, adopt, groups, resource, expected) in [
        (
            "review",
            Unclaimed,
            AdoptGroup::Review,
            by_name(),
            "link_group(adopt_group)",
        ),
        (
            "review, by its id",
            Unclaimed,
            AdoptGroup::Review,
            by_id(),
            "link_group(matched)",
        ),
        (
            "review, somebody else's",
            Unclaimed,
            AdoptGroup::Review,
            foreign(),
            "foreign_external_id",
        ),
        (
            "review, any",
            Any,
            AdoptGroup::Review,
            foreign(),
            "link_group(adopt_group)",
        ),
        (
            "unclaimed",
            Unclaimed,
            AdoptGroup::Unclaimed,
            by_name(),
            "link_group(matched)",
        ),
        (
            "unclaimed, any",
            Any,
            AdoptGroup::Unclaimed,
            foreign(),
            "foreign_external_id",
        ),
        ("never", Any, AdoptGroup::Never, by_name(), "adopt_never"),
        (
            "never, not even by its id",
            Any,
            AdoptGroup::Never,
            by_id(),
            "adopt_never",
        ),
        (
            "users never",
            Adopt::Never,
            AdoptGroup::Unclaimed,
            by_name(),
            "adopt_never",
        ),
    ] {
        let desk = Desk::with(Policy {
            adopt,
            groups: GroupPolicy {
                adopt: groups,
                ..GroupPolicy::default()
            },
            ..Policy::default()
        });
        let line = desk.line(&found(group(json!({})), vec![resource], proven()));
        assert!(line.contains(expected), "{name}: {line}");
    }
}

#[test]
fn a_review_names_the_members_and_its_reason_does_not() {
    let desk = Desk::new();
    let body = json!({"displayName": "group 90", "members": [
        {"value": "u1", "display": "Ada"}, {"value": "u2"}, {"value": "x", "display": "Root"},
    ]});
    let mut view = found(group(json!({})), vec![candidate("t1", body)], proven());
    view.member_owners.insert(tid("u1"), id(1));
    let plan = desk.plan(&view);
    let alike = plan.operations[0].alike().expect("a review");
    assert_eq!((alike.count, alike.strangers, alike.whole), (3, 2, true));
    assert_eq!(
        alike.names(),
        "u2, Root (x), Ada (u1)",
        "those who are nobody's first"
    );
    assert!(alike.words().contains("Root (x)"), "{}", alike.words());
    assert_eq!(
        alike.to_string(),
        "an existing group has the same displayName, which its owner can choose; it has 3 members, 2 of them linked to no user"
    );
}
