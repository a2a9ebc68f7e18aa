use std::collections::BTreeMap;

use serde_json::Value as Json;
use serde_json::json;

use super::*;
use crate::model::link::Kept;
use crate::reconcile::drift_policy::DriftPolicy;
use crate::reconcile::fixtures::Desk;
use crate::reconcile::fixtures::group;
use crate::reconcile::fixtures::id;
use crate::reconcile::fixtures::linked;
use crate::reconcile::fixtures::member;
use crate::reconcile::fixtures::tid;
use crate::reconcile::fixtures::user;
use crate::reconcile::policy::GroupPolicy;
use crate::reconcile::policy::Policy;

/// A body as the user's resource is without drift, with this in place of it.
fn body(other: Json) -> Json {
    let mut body = json!({"id": "t1", "userName": "u1@corp", "active": true, "title": "Dr", "externalId": id(1).to_string()});
    for (name, value) in other.as_object().unwrap() {
        body[name] = value.clone();
    }
    body
}

/// User 1, a doctor, whose resource holds this.
fn held(source: Json, sent: Json, other: Json) -> ObjectView {
    let mut properties = json!({"jobTitle": "Dr"});
    let mut all = json!({"title": "Dr"});
    for (into, from) in [(&mut properties, source), (&mut all, sent)] {
        for (name, value) in from.as_object().unwrap() {
            into[name] = value.clone();
        }
    }
    let mut view = linked(user(properties), all);
    view.target = TargetReading::Held(body(other));
    view
}

fn heal() -> Desk {
    with(DriftPolicy::all(OnDrift::Heal))
}

fn with(drift: DriftPolicy) -> Desk {
    Desk::with(Policy {
        drift,
        ..Policy::default()
    })
}

/// `attribute: "held" for "wanted"`, `!` where it is a conflict, `+` where it is healed.
fn shown(drift: &Drift) -> String {
    let attributes = drift.attributes.iter().map(|found| {
        let marks = format!(
            "{}{}",
            if found.conflict { "!" } else { "" },
            if found.heals { "+" } else { "" }
        );
        format!("{}: {} for {}{marks}", found.attribute, found.held, found.wanted)
    });
    let mut words: Vec<String> = attributes.collect();
    let members = |what: &str, ids: &[SourceId]| (!ids.is_empty()).then(|| format!("{what} {}", ids.len()));
    words.extend(members("lacks", &drift.lacking));
    words.extend(members("extra", &drift.extra));
    words.extend(drift.orphaned.then(|| "orphaned".to_owned()));
    words.extend(
        drift
            .foreign
            .iter()
            .map(|change| format!("foreign {}", change.attribute)),
    );
    words.extend(drift.filled.iter().map(|(name, kept)| match kept {
        None => format!("kept {name}"),
        Some(value) => format!("kept {name} as {value}"),
    }));
    words.join(", ")
}

fn drift(desk: &Desk, view: &ObjectView) -> String {
    shown(&desk.with_planner(|planner| planner.drift(view)))
}

#[test]
fn attributes_are_classified_and_planned_as_the_policy_says() {
    let nothing = || json!({});
    for (name, source, sent, other, found, reported, healed) in [
        (
            "as it was",
            nothing(),
            nothing(),
            nothing(),
            "",
            "| unchanged",
            "| unchanged",
        ),
        (
            "another value",
            nothing(),
            nothing(),
            json!({"title": "Pirate"}),
            "title: \"Pirate\" for \"Dr\"",
            "| unchanged",
            "update_user(drifted) title=\"Dr\"",
        ),
        (
            "emptied",
            nothing(),
            nothing(),
            json!({"title": null}),
            "title: null for \"Dr\"",
            "| unchanged",
            "update_user(drifted) title=\"Dr\"",
        ),
        (
            "another case, where case does not count",
            nothing(),
            nothing(),
            json!({"userName": "U1@CORP"}),
            "",
            "| unchanged",
            "| unchanged",
        ),
        (
            "create-only: no opinion",
            json!({"preferredLanguage": "de"}),
            json!({"locale": "de"}),
            json!({"locale": "fr"}),
            "",
            "| unchanged",
            "| unchanged",
        ),
        (
            "the source moved, the target did not: no drift",
            json!({"jobTitle": "Prof"}),
            nothing(),
            nothing(),
            "",
            "update_user(source_changed) title=\"Prof\"",
            "update_user(source_changed) title=\"Prof\"",
        ),
        (
            "both moved: the source wins, whatever the policy",
            json!({"jobTitle": "Prof"}),
            nothing(),
            json!({"title": "Pirate"}),
            "title: \"Pirate\" for \"Prof\"!+",
            "update_user(conflict) title=\"Prof\"",
            "update_user(conflict) title=\"Prof\"",
        ),
        (
            "somebody wrote what the source wants now",
            json!({"jobTitle": "Prof"}),
            nothing(),
            json!({"title": "Prof"}),
            "foreign title",
            "| unchanged",
            "| unchanged",
        ),
        (
            "disabled at the target",
            nothing(),
            nothing(),
            json!({"active": false}),
            "active: false for true",
            "| unchanged",
            "enable_user(drifted) active=true",
        ),
        (
            "enabled at the target though disabled: healed first, whatever the policy",
            json!({"accountEnabled": false}),
            json!({"active": false}),
            json!({"active": true}),
            "active: true for false+",
            "disable_user(reenabled_at_target) active=false",
            "disable_user(reenabled_at_target) active=false",
        ),
        (
            "and the rest of it by the policy",
            json!({"accountEnabled": false}),
            json!({"active": false}),
            json!({"active": true, "title": "Pirate"}),
            "active: true for false+, title: \"Pirate\" for \"Dr\"",
            "disable_user(reenabled_at_target) active=false",
            "disable_user(reenabled_at_target) active=false, title=\"Dr\"",
        ),
        (
            "disabled at the source now, with drift",
            json!({"accountEnabled": false}),
            nothing(),
            json!({"title": "Pirate"}),
            "title: \"Pirate\" for \"Dr\"",
            "disable_user(account_disabled) active=false",
            "disable_user(account_disabled) active=false, title=\"Dr\"",
        ),
    ] {
        let view = held(source, sent, other);
        let report = Desk::new();
        assert_eq!(drift(&report, &view), found, "{name}");
        assert_eq!(report.line(&view), reported, "{name}, report");
        assert_eq!(heal().line(&view), healed, "{name}, heal");
    }
}

#[test]
fn what_the_target_keeps_of_a_value_is_no_drift() {
    let unknown = Some(Kept::Unknown);
    let other = |text: &str| Some(Kept::Other(Value::text(text)));
    for (name, sent, kept, now, found) in [
        ("unknown, as sent", "Dr", unknown.clone(), "Dr", "kept title"),
        (
            "unknown, in another case, which counts here",
            "Dr",
            unknown.clone(),
            "DR",
            "title: \"DR\" for \"Dr\"",
        ),
        (
            "unknown, trimmed",
            " Dr ",
            unknown.clone(),
            "Dr",
            "kept title as \"Dr\"",
        ),
        (
            "unknown, something else",
            "Dr",
            unknown.clone(),
            "Mr",
            "title: \"Mr\" for \"Dr\"",
        ),
        ("unknown, nothing", "Dr", unknown, "", "title: null for \"Dr\""),
        ("its own form", " Dr ", other("Dr"), "Dr", ""),
        (
            "neither form",
            " Dr ",
            other("Dr"),
            "Mr",
            "title: \"Mr\" for \" Dr \"",
        ),
        ("not kept as healed, and still so", "Dr", other("Mr"), "Mr", ""),
        (
            "not kept, and moved",
            "Dr",
            other("Mr"),
            "Pirate",
            "title: \"Pirate\" for \"Dr\"",
        ),
    ] {
        let mut view = held(
            json!({"jobTitle": sent}),
            json!({"title": sent}),
            json!({"title": now}),
        );
        let link = view.link.as_mut().unwrap();
        link.kept.extend(kept.map(|kept| ("title".into(), kept)));
        assert_eq!(drift(&Desk::new(), &view), found, "{name}");
    }
}

#[test]
fn a_disable_that_the_target_did_not_take_is_tried_again() {
    let mut view = held(
        json!({"accountEnabled": false}),
        json!({"active": false}),
        json!({"active": true}),
    );
    let link = view.link.as_mut().unwrap();
    link.kept.insert("active".into(), Kept::Other(Value::Bool(true)));
    assert_eq!(drift(&Desk::new(), &view), "active: true for false+");
    assert_eq!(
        Desk::new().line(&view),
        "disable_user(reenabled_at_target) active=false"
    );
}

#[test]
fn what_was_written_since_the_reading_is_not_compared() {
    let mut view = held(json!({}), json!({}), json!({"title": "Pirate", "active": false}));
    view.since.written = vec!["title".into()];
    assert_eq!(heal().line(&view), "enable_user(drifted) active=true");
}

#[test]
fn the_policy_is_by_class_and_attribute() {
    let view = || {
        held(
            json!({}),
            json!({}),
            json!({"title": "Pirate", "userName": "x@corp"}),
        )
    };
    let of = |names: &[(&str, OnDrift)]| DriftPolicy {
        attributes: names
            .iter()
            .map(|(name, word)| ((*name).to_owned(), *word))
            .collect(),
        ..DriftPolicy::default()
    };
    for (name, policy, expected) in [
        (
            "one",
            of(&[("title", OnDrift::Heal)]),
            "update_user(drifted) title=\"Dr\"",
        ),
        (
            "all but one",
            DriftPolicy {
                default: OnDrift::Heal,
                ..of(&[("title", OnDrift::Report)])
            },
            "update_user(drifted) userName=\"u1@corp\"",
        ),
        ("none", of(&[]), "| unchanged"),
    ] {
        assert_eq!(with(policy).line(&view()), expected, "{name}");
    }
}

#[test]
fn of_those_who_left_only_access_counts() {
    use OnRemoval::{Delete, Disable, Keep};
    const SOFT: Life = Life::Gone(Removed::SoftDeleted);
    let out = Standing::Out {
        because: crate::reconcile::scope::ScopeReason::Unassigned {
            kind: ObjectKind::User,
        },
    };
    for (name, life, scope, policy, sent, now, found) in [
        ("gone, disabled", SOFT, Standing::In, Disable, false, false, ""),
        (
            "gone, enabled again",
            SOFT,
            Standing::In,
            Disable,
            false,
            true,
            "active: true for false+",
        ),
        (
            "gone, not disabled yet: the source moved",
            SOFT,
            Standing::In,
            Disable,
            true,
            true,
            "",
        ),
        ("gone, kept", SOFT, Standing::In, Keep, true, true, "orphaned"),
        (
            "gone, to be deleted",
            SOFT,
            Standing::In,
            Delete,
            true,
            true,
            "orphaned",
        ),
        (
            "out of scope, disabled",
            Life::Alive,
            out.clone(),
            Disable,
            false,
            false,
            "",
        ),
        (
            "out of scope, enabled again",
            Life::Alive,
            out.clone(),
            Disable,
            false,
            true,
            "active: true for false+",
        ),
        ("out of scope, kept", Life::Alive, out, Keep, true, true, ""),
        (
            "missing: nothing is proven",
            Life::Missing,
            Standing::In,
            Disable,
            true,
            true,
            "",
        ),
    ] {
        let desk = Desk::with(Policy {
            on_soft_delete: policy,
            on_out_of_scope: policy,
            ..Policy::default()
        });
        let mut view = held(
            json!({}),
            json!({"active": sent}),
            json!({"active": now, "title": "Pirate"}),
        );
        (view.object.life, view.scope) = (life, scope);
        assert_eq!(drift(&desk, &view), found, "{name}");
        if found.contains('+') {
            assert_eq!(
                desk.line(&view),
                "disable_user(reenabled_at_target) active=false",
                "{name}"
            );
        }
    }
}

#[test]
fn members_that_the_target_lost_or_took_are_drift_and_strangers_are_left_alone() {
    let view = |there: &[&str], not_kept: &[(u32, bool)]| {
        let mut view = linked(group(json!({})), json!({}));
        view.members = vec![
            member(1, Some("u1"), Reference::Linked(tid("u1"))),
            member(2, Some("u2"), Reference::Linked(tid("u2"))),
            member(3, None, Reference::Linked(tid("u3"))),
        ];
        view.member_owners = [
            (tid("u1"), id(1)),
            (tid("u2"), id(2)),
            (tid("u3"), id(3)),
            (tid("u9"), id(9)),
        ]
        .into();
        let members: Vec<Json> = there.iter().map(|id| json!({"value": id})).collect();
        view.target = TargetReading::Held(
            json!({"id": "t1", "displayName": "group 90", "externalId": id(90).to_string(), "members": members}),
        );
        view.since.not_kept = not_kept
            .iter()
            .map(|(n, held)| (id(*n), *held))
            .collect::<BTreeMap<_, _>>();
        view
    };
    let joins = "add_member(member_joined) #3";
    for (name, there, not_kept, found, reported, healed) in [
        ("as sent", vec!["u1", "u2"], vec![], "", joins, joins),
        (
            "one lost",
            vec!["u1"],
            vec![],
            "lacks 1",
            joins,
            "add_member(member_joined) #2, #3",
        ),
        (
            "one too many",
            vec!["u1", "u2", "u9"],
            vec![],
            "extra 1",
            joins,
            "remove_member(drifted) #9; add_member(member_joined) #3",
        ),
        ("a stranger", vec!["u1", "u2", "local"], vec![], "", joins, joins),
        (
            "here already",
            vec!["u1", "u2", "u3"],
            vec![],
            "",
            joins,
            "| unchanged",
        ),
        (
            "lost again after a heal",
            vec!["u1"],
            vec![(2, false)],
            "",
            joins,
            joins,
        ),
        (
            "stays after a heal",
            vec!["u1", "u2", "u9"],
            vec![(9, true)],
            "",
            joins,
            joins,
        ),
        (
            "healed once, and lost since",
            vec!["u1"],
            vec![(2, true)],
            "lacks 1",
            joins,
            "add_member(member_joined) #2, #3",
        ),
    ] {
        let view = view(&there, &not_kept);
        assert_eq!(drift(&Desk::new(), &view), found, "{name}");
        assert_eq!(Desk::new().line(&view), reported, "{name}, report");
        assert_eq!(heal().line(&view), healed, "{name}, heal");
    }
    let mut lost = view(&["u1"], &[]);
    lost.members.pop();
    assert_eq!(heal().line(&lost), "add_member(drifted) #2");
}

#[test]
fn gone_groups_are_orphaned_unless_they_are_left_empty_on_purpose() {
    for (on_delete, expected) in [
        (GroupRemoval::Keep, "orphaned"),
        (GroupRemoval::Delete, "orphaned"),
        (GroupRemoval::Empty, ""),
    ] {
        let mut view = linked(group(json!({})), json!({}));
        view.object.life = Life::Gone(Removed::HardDeleted);
        view.target = TargetReading::Held(json!({"id": "t1"}));
        let desk = Desk::with(Policy {
            groups: GroupPolicy {
                on_delete,
                ..GroupPolicy::default()
            },
            ..Policy::default()
        });
        assert_eq!(drift(&desk, &view), expected, "{on_delete:?}");
    }
}

#[test]
fn nothing_is_judged_without_a_reading_or_behind_an_open_create_or_where_protected() {
    let drifted = || held(json!({}), json!({}), json!({"title": "Pirate"}));
    let mut unread = drifted();
    unread.target = TargetReading::NotAsked;
    let mut open = drifted();
    open.intent_open = true;
    assert_eq!(
        (drift(&heal(), &unread), drift(&heal(), &open)),
        (String::new(), String::new())
    );
    let protecting = Desk::with(Policy {
        protect: vec!["u1@corp".to_owned()],
        ..Policy::default()
    });
    assert_eq!(drift(&protecting, &drifted()), "");
}
