//! Objects that the scope leaves out: tables.

use serde_json::json;

use crate::reconcile::fixtures::Desk;
use crate::reconcile::fixtures::candidate;
use crate::reconcile::fixtures::found;
use crate::reconcile::fixtures::group;
use crate::reconcile::fixtures::linked;
use crate::reconcile::fixtures::member;
use crate::reconcile::fixtures::proven;
use crate::reconcile::fixtures::tid;
use crate::reconcile::fixtures::user;
use crate::reconcile::forward::view::ObjectView;
use crate::reconcile::forward::view::Reference;
use crate::reconcile::forward::view::TargetReading;
use crate::reconcile::policy::GroupPolicy;
use crate::reconcile::policy::GroupRemoval;
use crate::reconcile::policy::OnRemoval;
use crate::reconcile::policy::Policy;
use crate::reconcile::scope::ScopeReason;
use crate::reconcile::scope::Standing;

fn because() -> ScopeReason {
    ScopeReason::Filter {
        setting: "user_filter",
        clauses: vec!["department EQUALS \"IT\"".to_owned()],
    }
}

fn out(mut view: ObjectView) -> ObjectView {
    view.scope = Standing::Out { because: because() };
    view
}

#[test]
fn a_linked_user_out_of_scope_is_disabled_deleted_or_kept_and_the_rest_freezes() {
    let changed = || user(json!({"jobTitle": "Boss", "givenName": "Ada"}));
    for (name, policy, sent, expected) in [
        (
            "disabled",
            OnRemoval::Disable,
            json!({}),
            "disable_user(out_of_scope) active=false",
        ),
        (
            "already",
            OnRemoval::Disable,
            json!({"active": false}),
            "| out_of_scope",
        ),
        (
            "deleted",
            OnRemoval::Delete,
            json!({}),
            "delete_user(out_of_scope)",
        ),
        ("kept", OnRemoval::Keep, json!({}), "| out_of_scope"),
    ] {
        let desk = Desk::with(Policy {
            on_out_of_scope: policy,
            ..Policy::default()
        });
        let view = out(linked(changed(), sent));
        assert_eq!(desk.line(&view), expected, "{name}");
        assert!(desk.plan(&view).settles(), "{name}");
    }
    let plan = Desk::new().plan(&out(linked(changed(), json!({}))));
    assert_eq!(
        plan.operations[0].because.to_string(),
        "out of scope: user_filter: `department EQUALS \"IT\"` does not hold"
    );
}

#[test]
fn somebody_who_was_enabled_at_the_target_meanwhile_is_disabled_again() {
    let mut view = out(linked(user(json!({})), json!({"active": false})));
    view.target = TargetReading::Held(json!({"active": true}));
    assert_eq!(
        Desk::forced().line(&view),
        "disable_user(reenabled_at_target) active=false"
    );
}

#[test]
fn an_unlinked_object_out_of_scope_is_never_matched() {
    let body = json!({"userName": "u1@corp", "active": true});
    for view in [
        user(json!({})),
        found(user(json!({})), vec![candidate("t9", body)], proven()),
    ] {
        let view = out(view);
        assert_eq!(Desk::new().line(&view), "| out_of_scope");
        assert!(
            Desk::new().plan(&view).need.is_none(),
            "nothing is looked up for it"
        );
    }
    assert_eq!(Desk::new().line(&out(group(json!({})))), "| out_of_scope");
}

#[test]
fn who_comes_back_is_enabled_again_with_what_changed_meanwhile() {
    let view = linked(user(json!({"jobTitle": "Boss"})), json!({"active": false}));
    assert_eq!(
        Desk::new().line(&view),
        "enable_user(account_enabled) active=true, title=\"Boss\""
    );
}

#[test]
fn a_loss_that_is_not_confirmed_yet_changes_nothing_and_is_looked_at_again() {
    let mut view = linked(user(json!({"jobTitle": "Boss"})), json!({}));
    view.scope = Standing::Leaving { because: because() };
    assert_eq!(
        Desk::new().line(&view),
        "update_user(source_changed) title=\"Boss\" | scope_loss_unconfirmed"
    );
    assert!(!Desk::new().plan(&view).settles());
}

#[test]
fn nothing_is_done_on_a_scope_that_is_not_known() {
    for view in [
        user(json!({})),
        linked(user(json!({"jobTitle": "Boss"})), json!({})),
    ] {
        let mut view = view;
        view.scope = Standing::Unknown {
            missing: "the property department".to_owned(),
        };
        assert_eq!(Desk::new().line(&view), "| scope_unknown");
    }
}

#[test]
fn a_group_out_of_scope_is_kept_emptied_or_deleted() {
    let mut full = linked(group(json!({"displayName": "new name"})), json!({}));
    full.members = vec![
        member(1, Some("t1"), Reference::Linked(tid("t1"))),
        member(2, None, Reference::Absent),
    ];
    let full = out(full);
    for (policy, expected) in [
        (GroupRemoval::Keep, "| out_of_scope"),
        (
            GroupRemoval::Empty,
            "remove_member(out_of_scope) #1 | out_of_scope",
        ),
        (GroupRemoval::Delete, "delete_group(out_of_scope)"),
    ] {
        let desk = Desk::with(Policy {
            groups: GroupPolicy {
                on_out_of_scope: policy,
                ..GroupPolicy::default()
            },
            ..Policy::default()
        });
        assert_eq!(desk.line(&full), expected, "{policy:?}");
    }
}
