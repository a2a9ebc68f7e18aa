use serde_json::json;

use super::*;
use crate::model::clock::Timestamp;
use crate::model::object::Life;
use crate::reconcile::fixtures::Desk;
use crate::reconcile::fixtures::group;
use crate::reconcile::fixtures::linked;
use crate::reconcile::fixtures::mapping;
use crate::reconcile::fixtures::member;
use crate::reconcile::fixtures::user;
use crate::reconcile::forward::view::Reference;
use crate::reconcile::policy::GroupPolicy;
use crate::reconcile::policy::Policy;

const SOFT: Life = Life::Gone(Removed::SoftDeleted);
const HARD: Life = Life::Gone(Removed::HardDeleted);

fn gone(mut view: ObjectView, life: Life) -> ObjectView {
    view.object.life = life;
    view
}

#[test]
fn a_user_who_is_gone_is_treated_as_the_policy_says() {
    use OnRemoval::{Delete, Disable, Keep};
    let enabled = json!({});
    let disabled = json!({"active": false});
    let no_active = json!({"active": null});
    for (name, soft, hard, life, sent, expected) in [
        (
            "soft, disable",
            Disable,
            Delete,
            SOFT,
            &enabled,
            "disable_user(soft_deleted) active=false",
        ),
        (
            "soft, delete",
            Delete,
            Keep,
            SOFT,
            &enabled,
            "delete_user(soft_deleted)",
        ),
        ("soft, keep", Keep, Delete, SOFT, &enabled, "| kept_by_policy"),
        (
            "hard, delete",
            Disable,
            Delete,
            HARD,
            &enabled,
            "delete_user(hard_deleted)",
        ),
        (
            "hard, disable",
            Keep,
            Disable,
            HARD,
            &enabled,
            "disable_user(hard_deleted) active=false",
        ),
        ("hard, keep", Disable, Keep, HARD, &enabled, "| kept_by_policy"),
        (
            "disabled already",
            Disable,
            Delete,
            SOFT,
            &disabled,
            "| already_disabled",
        ),
        (
            "disabled already, hard",
            Disable,
            Disable,
            HARD,
            &disabled,
            "| already_disabled",
        ),
        (
            "disabled, delete",
            Disable,
            Delete,
            HARD,
            &disabled,
            "delete_user(hard_deleted)",
        ),
        (
            "active never sent",
            Disable,
            Delete,
            SOFT,
            &no_active,
            "disable_user(soft_deleted) active=false",
        ),
    ] {
        let desk = Desk::with(Policy {
            on_soft_delete: soft,
            on_hard_delete: hard,
            ..Policy::default()
        });
        let view = gone(linked(user(json!({})), sent.clone()), life);
        assert_eq!(desk.line(&view), expected, "{name}");
    }
}

#[test]
fn a_disabled_leaver_who_is_active_at_the_target_again_is_disabled_again() {
    let mut view = gone(linked(user(json!({})), json!({"active": false})), SOFT);
    view.target = TargetReading::Held(json!({"id": "t1", "active": true}));
    assert_eq!(
        Desk::forced().line(&view),
        "disable_user(reenabled_at_target) active=false"
    );
}

#[test]
fn the_mappings_own_spelling_of_active_is_what_is_sent_and_remembered() {
    let mut desk = Desk::new();
    let text = crate::reconcile::fixtures::MAPPING.replace("\"active\"", "\"Active\"");
    desk.mapping = mapping(&text);
    let sent = json!({"active": null, "Active": true});
    let view = gone(linked(user(json!({})), sent), SOFT);
    assert_eq!(desk.line(&view), "disable_user(soft_deleted) Active=false");
}

#[test]
fn nothing_less_than_proof_removes_anybody() {
    for life in [Life::Missing, Life::Unknown] {
        for view in [user(json!({})), group(json!({}))] {
            let view = gone(linked(view, json!({})), life);
            assert_eq!(Desk::new().line(&view), "| not_proven_gone");
        }
    }
}

#[test]
fn gone_without_a_link_is_forgotten() {
    let plan = Desk::new().plan(&gone(user(json!({})), HARD));
    assert!(plan.forget && plan.operations.is_empty());
    let mut lost = gone(user(json!({})), SOFT);
    lost.lost = true;
    assert!(Desk::new().plan(&lost).forget);
}

#[test]
fn nobody_is_touched_while_a_create_is_open_or_a_name_protected() {
    let mut open = gone(linked(user(json!({})), json!({})), HARD);
    open.intent_open = true;
    assert_eq!(Desk::new().line(&open), "| intent_open");
    for protected in [
        "U1@corp",
        "Boss@Mail",
        "00000000-0000-4000-8000-000000000001",
        "was@corp",
    ] {
        let desk = Desk::with(Policy {
            protect: vec![protected.to_owned()],
            ..Policy::default()
        });
        let sent = json!({"userName": "was@corp"});
        let view = gone(linked(user(json!({"mail": "boss@mail"})), sent), HARD);
        assert_eq!(desk.line(&view), "| protected", "{protected}");
    }
}

#[test]
fn a_group_that_is_gone_is_treated_as_the_policy_says() {
    use GroupRemoval::{Delete, Empty, Keep};
    const HOUR: Duration = Duration::from_secs(3600);
    let now = Timestamp(10 * 3_600_000);
    let ago = |hours: i64| Some(Timestamp(now.0 - hours * 3_600_000));
    for (name, on_delete, delete_after, since, expected) in [
        (
            "delete",
            Delete,
            Duration::ZERO,
            ago(0),
            "delete_group(soft_deleted)",
        ),
        (
            "delete, time unknown",
            Delete,
            Duration::ZERO,
            None,
            "delete_group(soft_deleted)",
        ),
        (
            "delete later",
            Delete,
            HOUR,
            ago(0),
            "remove_member(soft_deleted) #1 | waits_for_delay",
        ),
        (
            "delete later, time unknown",
            Delete,
            HOUR,
            None,
            "remove_member(soft_deleted) #1 | waits_for_delay",
        ),
        (
            "later has come",
            Delete,
            HOUR,
            ago(1),
            "delete_group(soft_deleted)",
        ),
        (
            "empty",
            Empty,
            Duration::ZERO,
            ago(0),
            "remove_member(soft_deleted) #1 | kept_by_policy",
        ),
        ("keep", Keep, Duration::ZERO, ago(0), "| kept_by_policy"),
    ] {
        let mut desk = Desk::with(Policy {
            groups: GroupPolicy {
                on_delete,
                delete_after,
                ..GroupPolicy::default()
            },
            ..Policy::default()
        });
        desk.now = now;
        let mut view = gone(linked(group(json!({})), json!({})), SOFT);
        view.object.gone_since = since;
        view.members = vec![
            member(1, Some("u1"), Reference::Gone),
            member(2, None, Reference::Absent),
        ];
        assert_eq!(desk.line(&view), expected, "{name}");
    }
}

#[test]
fn an_adopted_group_is_let_go_and_who_was_there_before_stays() {
    use GroupRemoval::{Delete, Empty, Keep};
    for (name, on_delete, delete_after, expected) in [
        (
            "delete",
            Delete,
            0,
            "remove_member(hard_deleted) 2; unlink_group(let_go)",
        ),
        ("delete later", Delete, 60, "remove_member(hard_deleted) 2"),
        ("empty", Empty, 0, "remove_member(hard_deleted) 2"),
        ("keep", Keep, 0, ""),
    ] {
        let desk = Desk::with(Policy {
            groups: GroupPolicy {
                on_delete,
                delete_after: Duration::from_secs(delete_after),
                ..GroupPolicy::default()
            },
            ..Policy::default()
        });
        let mut view = gone(linked(group(json!({})), json!({})), HARD);
        let link = view.link.as_mut().expect("linked");
        link.origin = LinkOrigin::Adopted("displayName".to_owned());
        let mut there = member(1, Some("u1"), Reference::Gone);
        there.found = true;
        view.members = vec![
            there,
            member(2, Some("u2"), Reference::Gone),
            member(3, None, Reference::Gone),
        ];
        let plan = desk.plan(&view);
        let said: Vec<String> = plan
            .operations
            .iter()
            .map(|operation| {
                let ids = operation.members.iter().map(|member| member.target.as_ref());
                let ids: String = ids
                    .flatten()
                    .map(|id| format!(" {}", &id.as_str()[1..]))
                    .collect();
                format!("{}({}){ids}", operation.verb, operation.because.label())
            })
            .collect();
        assert_eq!(said.join("; "), expected, "{name}");
    }
}
