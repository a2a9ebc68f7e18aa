use serde_json::Value as Json;
use serde_json::json;

use super::*;
use crate::reconcile::explain::rows::Held;
use crate::reconcile::explain::verdict::Verdict;
use crate::reconcile::fixtures::Desk;
use crate::reconcile::fixtures::MAPPING;
use crate::reconcile::fixtures::found;
use crate::reconcile::fixtures::group;
use crate::reconcile::fixtures::id;
use crate::reconcile::fixtures::linked;
use crate::reconcile::fixtures::mapping;
use crate::reconcile::fixtures::member;
use crate::reconcile::fixtures::proven;
use crate::reconcile::fixtures::tid;
use crate::reconcile::fixtures::user;
use crate::reconcile::forward::view::Reference;
use crate::reconcile::scope::ScopeReason;

fn explained(desk: &Desk, view: &ObjectView, actual: Option<&Json>) -> Explanation {
    let plan = desk.plan(view);
    let held = Held {
        link: view.link.as_ref(),
        actual,
    };
    let keys = desk
        .with_planner(|planner| planner.match_keys(view))
        .unwrap_or_default();
    let keys = keys
        .into_iter()
        .map(|key| (key.path.as_str().to_owned(), key.value))
        .collect();
    let omissions = plan.omissions.iter().map(|omission| {
        (
            omission.label().to_owned(),
            omission.to_string(),
            omission.hint().into_owned(),
        )
    });
    Explanation {
        job: "idmelon".to_owned(),
        kind: view.object.kind,
        id: view.object.id,
        name: view.object.name(),
        notes: vec!["the mapping changed since the last cycle".to_owned()],
        source: Found {
            read: Some("2026-01-01T00:00:00Z".to_owned()),
            asked: "as the last cycle read it".to_owned(),
            ..Found::of(&view.object)
        },
        scope: InScope::of(view, None, Vec::new(), None, true),
        matching: Matching::of(view, view.link.as_ref(), keys),
        attributes: desk.with_planner(|planner| planner.attributes(view, held, &plan.operations)),
        omissions: omissions.collect(),
        operations: plan.operations,
        history: vec![Past {
            time: "2026-01-01T00:00:01Z".to_owned(),
            actor: "schedule".to_owned(),
            operation: "update_user".to_owned(),
            result: "failed".to_owned(),
            because: "jobTitle changed in Entra".to_owned(),
            changes: vec![Change {
                attribute: "title".into(),
                before: "Ms".into(),
                after: Value::Null,
            }],
            detail: Some("PATCH /Users/t1 -> 400".to_owned()),
            ..Past::default()
        }],
        names: std::collections::BTreeMap::new(),
        groups: Vec::new(),
        in_group: None,
        enrolled: None,
        paused: None,
    }
}

fn text(explained: &Explanation) -> String {
    explained.to_text(|_| None, true)
}

#[test]
fn a_linked_user_reads_step_by_step() {
    let source =
        json!({"accountEnabled": false, "jobTitle": null, "givenName": "Ada", "preferredLanguage": "en"});
    let mut view = linked(user(source), json!({"title": "Dr", "nickName": "Ada"}));
    view.object.manager = Some(id(7));
    view.manager = Reference::Absent;
    let actual = json!({"userName": "u1@corp", "active": true, "title": "Dr", "nickName": "Countess",
        "externalId": view.object.id.to_string()});
    let explained = explained(&Desk::new(), &view, Some(&actual));
    insta::assert_snapshot!("a_linked_user_in_text", text(&explained));
    insta::assert_snapshot!(
        "a_linked_user_in_json",
        serde_json::to_string_pretty(&explained.to_json()).unwrap()
    );
}

#[test]
fn one_who_is_out_of_scope_and_one_who_is_new_read_step_by_step() {
    let mut view = found(user(json!({})), vec![], proven());
    let new = text(&explained(&Desk::new(), &view, None));
    view.scope = Standing::Out {
        because: ScopeReason::Guest { invited: false },
    };
    let out = text(&explained(&Desk::new(), &view, None));
    insta::assert_snapshot!(
        "a_new_user_and_one_out_of_scope",
        format!("{new}\n--------\n\n{out}")
    );
}

/// Nobody's values follow the source once they left: that they differ is no difference.
#[test]
fn a_leaver_who_is_disabled_is_left_as_they_are() {
    let mut view = linked(
        user(json!({"accountEnabled": true, "jobTitle": "New"})),
        json!({"active": false, "title": "Dr"}),
    );
    view.scope = Standing::Out {
        because: ScopeReason::Guest { invited: false },
    };
    let verdict = Verdict::of(&explained(&Desk::new(), &view, None));
    assert_eq!(verdict.standing, "disabled", "{verdict:?}");
    assert!(
        verdict.now.contains("left as it is: out of scope, "),
        "{verdict:?}"
    );
}

#[test]
fn a_group_tells_its_members_in_numbers() {
    let mut view = linked(group(json!({"displayName": "Sales"})), json!({}));
    view.members = vec![
        member(1, Some("u1"), Reference::Linked(tid("u1"))),
        member(2, None, Reference::Pending),
        member(3, None, Reference::Gone),
    ];
    let actual = json!({"displayName": "group 90", "members": [{"value": "u1"}]});
    insta::assert_snapshot!("a_group", text(&explained(&Desk::new(), &view, Some(&actual))));
}

#[test]
fn values_of_rows_that_redact_are_hidden_on_every_side() {
    let mut desk = Desk::new();
    desk.mapping = mapping(&MAPPING.replace("\"[jobTitle]\"", "'Redact(Append([jobTitle], \"x\"))'"));
    let view = linked(user(json!({"jobTitle": "Spy"})), json!({"title": "Mole"}));
    let explained = explained(&desk, &view, Some(&json!({"title": "Double"})));
    let title = explained
        .attributes
        .iter()
        .find(|attribute| attribute.target == "title")
        .unwrap();
    assert_eq!(title.state, "write");
    let said = format!("{title:?}{}", title.to_json());
    for value in ["Spy", "Mole", "Double"] {
        assert!(!said.contains(value), "{value} in {said}");
    }
}
