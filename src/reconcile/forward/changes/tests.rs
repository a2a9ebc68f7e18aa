use serde_json::json;

use super::*;
use crate::model::link::Kept;
use crate::reconcile::fixtures::Desk;
use crate::reconcile::fixtures::MANAGER;
use crate::reconcile::fixtures::MAPPING;
use crate::reconcile::fixtures::group;
use crate::reconcile::fixtures::id;
use crate::reconcile::fixtures::linked;
use crate::reconcile::fixtures::mapping;
use crate::reconcile::fixtures::member;
use crate::reconcile::fixtures::tid;
use crate::reconcile::fixtures::user;
use crate::reconcile::policy::Policy;

const NO_UPDATE: fn() -> Desk = || {
    Desk::with(Policy {
        update: false,
        ..Policy::default()
    })
};

fn held(mut view: ObjectView, body: serde_json::Value) -> ObjectView {
    view.target = TargetReading::Held(body);
    view
}

#[test]
fn a_change_is_named_by_what_it_does_to_active() {
    for (name, source, sent, expected) in [
        ("nothing", json!({}), json!({}), "| unchanged"),
        (
            "title",
            json!({"jobTitle": "Dr"}),
            json!({}),
            "update_user(source_changed) title=\"Dr\"",
        ),
        (
            "disabled",
            json!({"accountEnabled": false}),
            json!({}),
            "disable_user(account_disabled) active=false",
        ),
        (
            "disabled, with more",
            json!({"accountEnabled": false, "jobTitle": "Dr"}),
            json!({}),
            "disable_user(account_disabled) active=false, title=\"Dr\"",
        ),
        (
            "disabled already",
            json!({"accountEnabled": false}),
            json!({"active": false}),
            "| unchanged",
        ),
        (
            "enabled",
            json!({}),
            json!({"active": false}),
            "enable_user(account_enabled) active=true",
        ),
        (
            "active never sent",
            json!({}),
            json!({"active": null}),
            "update_user(source_changed) active=true",
        ),
        (
            "disabled, active never sent",
            json!({"accountEnabled": false}),
            json!({"active": null}),
            "disable_user(account_disabled) active=false",
        ),
        (
            "renamed",
            json!({"userPrincipalName": "v@corp"}),
            json!({}),
            "update_user(source_changed) userName=\"v@corp\"",
        ),
        (
            "renamed in case only",
            json!({"userPrincipalName": "U1@corp"}),
            json!({}),
            "update_user(source_changed) userName=\"U1@corp\"",
        ),
    ] {
        let view = linked(user(source), sent);
        assert_eq!(Desk::new().line(&view), expected, "{name}");
    }
}

#[test]
fn the_mapping_may_disable_by_itself() {
    let mut desk = Desk::new();
    desk.mapping = mapping(&MAPPING.replace(
        r#"'Switch([IsSoftDeleted], , "False", "True", "True", "False")'"#,
        r#"'Switch([jobTitle], "True", "left", "False")'"#,
    ));
    let view = linked(user(json!({"jobTitle": "left"})), json!({"title": "left"}));
    assert_eq!(desk.line(&view), "disable_user(mapped_active) active=false");
}

#[test]
fn null_clears_only_what_was_sent_and_defaults_have_no_opinion_later() {
    for (name, source, sent, expected) in [
        (
            "cleared",
            json!({}),
            json!({"title": "Dr"}),
            "update_user(source_changed) title=null",
        ),
        ("never sent", json!({"jobTitle": null}), json!({}), "| unchanged"),
        (
            "default stands",
            json!({"givenName": null}),
            json!({"nickName": "friend"}),
            "| unchanged",
        ),
        (
            "default stands against a value",
            json!({"givenName": null}),
            json!({"nickName": "Al"}),
            "| unchanged",
        ),
        (
            "value after a default",
            json!({"givenName": "Al"}),
            json!({"nickName": "friend"}),
            "update_user(source_changed) nickName=\"Al\"",
        ),
        (
            "create-only",
            json!({"preferredLanguage": "de"}),
            json!({"locale": "en"}),
            "| unchanged",
        ),
        (
            "create-only, cleared",
            json!({"preferredLanguage": null}),
            json!({"locale": "en"}),
            "| unchanged",
        ),
    ] {
        let view = linked(user(source), sent);
        assert_eq!(Desk::new().line(&view), expected, "{name}");
    }
}

#[test]
fn a_property_that_was_never_read_changes_nothing_and_is_said() {
    for (property, sent) in [
        ("jobTitle", json!({"title": "Dr"})),
        ("accountEnabled", json!({"active": false})),
    ] {
        let mut view = linked(user(json!({})), sent);
        view.object.attributes.remove(property);
        assert_eq!(Desk::new().line(&view), "| property_unread", "{property}");
    }
}

#[test]
fn update_false_leaves_everything_but_a_disable() {
    let desk = NO_UPDATE();
    for (name, source, sent, expected) in [
        ("title", json!({"jobTitle": "Dr"}), json!({}), "| switched_off"),
        ("enable", json!({}), json!({"active": false}), "| switched_off"),
        (
            "disable",
            json!({"accountEnabled": false, "jobTitle": "Dr"}),
            json!({}),
            "disable_user(account_disabled) active=false | switched_off",
        ),
    ] {
        assert_eq!(desk.line(&linked(user(source), sent)), expected, "{name}");
    }
    let mut view = linked(group(json!({})), json!({}));
    view.members = vec![member(1, None, Reference::Linked(tid("u1")))];
    assert_eq!(desk.line(&view), "| switched_off");
}

#[test]
fn without_an_active_row_disabling_still_takes_access_away() {
    let mut desk = Desk::new();
    let line = MAPPING.lines().find(|line| line.contains("\"active\"")).unwrap();
    desk.mapping = mapping(&MAPPING.replace(line, ""));
    let none = json!({"active": null});
    for (name, source, sent, expected) in [
        ("enabled: no opinion", json!({}), &none, "| unchanged"),
        (
            "disabled",
            json!({"accountEnabled": false}),
            &none,
            "disable_user(account_disabled) active=false",
        ),
        (
            "disabled by us",
            json!({"accountEnabled": false}),
            &json!({"active": false}),
            "| unchanged",
        ),
        (
            "back",
            json!({}),
            &json!({"active": false}),
            "enable_user(account_enabled) active=true",
        ),
        ("back before", json!({}), &json!({"active": true}), "| unchanged"),
    ] {
        assert_eq!(desk.line(&linked(user(source), sent.clone())), expected, "{name}");
    }
    let mut unread = linked(user(json!({})), json!({"active": false}));
    unread.object.attributes.remove("accountEnabled");
    assert_eq!(desk.line(&unread), "| unchanged");
}

#[test]
fn a_manager_is_referred_to_while_it_is_there() {
    let boss = id(7).to_string();
    for (name, state, sent, expected, skipped) in [
        ("none", Reference::None, None, "| unchanged".to_owned(), 0),
        (
            "appears",
            Reference::Linked(tid("b")),
            None,
            format!("update_user(source_changed) manager=\"{boss}\""),
            0,
        ),
        (
            "same",
            Reference::Linked(tid("b")),
            Some("b"),
            "| unchanged".to_owned(),
            0,
        ),
        (
            "relinked",
            Reference::Linked(tid("c")),
            Some("b"),
            format!("update_user(source_changed) manager=\"{boss}\""),
            0,
        ),
        (
            "will be made",
            Reference::Expected(None),
            None,
            format!("update_user(source_changed) manager=\"{boss}\""),
            0,
        ),
        (
            "will be adopted",
            Reference::Expected(Some(tid("b"))),
            Some("b"),
            "| unchanged".to_owned(),
            0,
        ),
        (
            "pending, last sweep",
            Reference::Pending,
            None,
            "| unchanged".to_owned(),
            1,
        ),
        ("absent", Reference::Absent, None, "| unchanged".to_owned(), 1),
        (
            "link lost",
            Reference::Absent,
            Some("b"),
            "update_user(source_changed) manager=null".to_owned(),
            1,
        ),
        (
            "gone",
            Reference::Gone,
            Some("b"),
            "update_user(source_changed) manager=null".to_owned(),
            0,
        ),
        (
            "taken away",
            Reference::None,
            Some("b"),
            "update_user(source_changed) manager=null".to_owned(),
            0,
        ),
    ] {
        let mut view = linked(user(json!({})), json!({ MANAGER: sent }));
        view.object.manager = (state != Reference::None).then(|| id(7));
        view.manager = state;
        let plan = Desk::new().plan(&view);
        assert_eq!(crate::reconcile::fixtures::line(&plan), expected, "{name}");
        assert_eq!(plan.skipped_references, skipped, "{name}");
    }
}

#[test]
fn a_report_waits_for_its_manager_until_the_last_sweep() {
    let mut view = linked(user(json!({"jobTitle": "Dr"})), json!({}));
    view.object.manager = Some(id(7));
    view.manager = Reference::Pending;
    let mut desk = Desk::new();
    desk.settle = false;
    let plan = desk.plan(&view);
    assert_eq!(crate::reconcile::fixtures::line(&plan), "| waits_for_manager");
    assert!(!plan.settles());
    desk.unsupported.insert(ObjectKind::User, MANAGER);
    assert_eq!(desk.line(&view), "update_user(source_changed) title=\"Dr\"");
}

#[test]
fn a_forced_resync_repairs_what_the_target_changed() {
    let body = |active: bool, title: &str| json!({"id": "t1", "userName": "u1@corp", "active": active, "title": title, "externalId": id(1).to_string()});
    let enabled = || linked(user(json!({"jobTitle": "Dr"})), json!({"title": "Dr"}));
    let disabled = || {
        let source = json!({"accountEnabled": false, "jobTitle": "Dr"});
        linked(user(source), json!({"title": "Dr", "active": false}))
    };
    for (name, forced, view, body, expected) in [
        ("as it was", true, enabled(), body(true, "Dr"), "| unchanged"),
        (
            "drift, not asked for",
            false,
            enabled(),
            body(true, "Mr"),
            "| unchanged",
        ),
        (
            "drift",
            true,
            enabled(),
            body(true, "Mr"),
            "update_user(target_differs) title=\"Dr\"",
        ),
        (
            "disabled there",
            true,
            enabled(),
            body(false, "Dr"),
            "enable_user(account_enabled) active=true",
        ),
        (
            "enabled there",
            true,
            disabled(),
            body(true, "Dr"),
            "disable_user(reenabled_at_target) active=false",
        ),
    ] {
        let desk = if forced { Desk::forced() } else { Desk::new() };
        assert_eq!(desk.line(&held(view, body)), expected, "{name}");
    }
}

#[test]
fn a_forced_resync_repairs_memberships_and_leaves_strangers() {
    let mut view = linked(group(json!({})), json!({}));
    view.members = vec![
        member(1, Some("u1"), Reference::Linked(tid("u1"))),
        member(2, Some("u2"), Reference::Linked(tid("u2"))),
    ];
    view.member_owners.insert(tid("u3"), id(3));
    let body = json!({
        "id": "t1", "displayName": "group 90", "externalId": id(90).to_string(),
        "members": [{"value": "u1"}, {"value": "u3"}, {"value": "stranger"}],
    });
    let view = held(view, body);
    assert_eq!(
        Desk::forced().line(&view),
        "remove_member(target_differs) #3; add_member(target_differs) #2"
    );
    assert_eq!(Desk::new().line(&view), "| unchanged");
}

#[test]
fn what_the_target_cleared_while_disabled_returns_with_the_user() {
    let mut view = linked(
        user(json!({"jobTitle": "Dr"})),
        json!({"title": "Dr", "active": false}),
    );
    let link = view.link.as_mut().unwrap();
    link.kept.insert("title".into(), Kept::Other(Value::Null));
    assert_eq!(
        Desk::new().line(&view),
        "enable_user(account_enabled) active=true, title=\"Dr\""
    );
    view.object
        .attributes
        .insert("accountEnabled".to_owned(), Value::Bool(false));
    assert_eq!(Desk::new().line(&view), "| unchanged");
}

#[test]
fn members_that_go_with_their_user_count_with_the_user_unless_users_are_kept() {
    let mut view = linked(group(json!({})), json!({}));
    view.members = vec![member(1, Some("u1"), Reference::Gone)];
    let with_user = |desk: Desk| desk.plan(&view).operations[0].members[0].with_user;
    assert!(with_user(Desk::new()));
    assert!(!with_user(Desk::with(Policy {
        on_soft_delete: OnRemoval::Keep,
        ..Policy::default()
    })));
}

#[test]
fn an_attribute_that_the_target_does_not_know_is_left_out() {
    let mut desk = Desk::new();
    desk.unsupported.insert(ObjectKind::User, "title");
    let view = linked(user(json!({"jobTitle": "Dr"})), json!({}));
    assert_eq!(desk.line(&view), "| unchanged");
}
