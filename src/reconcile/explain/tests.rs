use serde_json::json;

use super::*;
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

fn shown(view: &ObjectView) -> String {
    Desk::new()
        .plan(view)
        .operations
        .iter()
        .map(|operation| text(operation, |_| None))
        .collect()
}

fn json_of(view: &ObjectView) -> serde_json::Value {
    Desk::new().plan(view).operations.iter().map(entry).collect()
}

fn promoted() -> ObjectView {
    let sent = json!({"title": "Dr", "nickName": "Al"});
    let source = json!({"accountEnabled": false, "jobTitle": null, "givenName": "Ada"});
    linked(user(source), sent)
}

fn adopted() -> ObjectView {
    let body = json!({"userName": "U1@CORP", "active": true});
    found(user(json!({})), vec![candidate("t5", body)], proven())
}

fn regrouped() -> ObjectView {
    let mut view = linked(group(json!({"displayName": "Sales"})), json!({}));
    let state = |number: u32| Reference::Linked(tid(&format!("u{number}")));
    view.members = (1..=22)
        .map(|number| member(number, None, state(number)))
        .collect();
    let mut left = member(30, Some("u30"), state(30));
    left.present = false;
    view.members.push(left);
    view
}

#[test]
fn text_reads_like_a_diff() {
    insta::assert_snapshot!(shown(&found(user(json!({})), vec![], proven())), @r##"
+ create user  u1@corp  (00000000-0000-4000-8000-000000000001)
    because in scope, and not at the target: listed
    userName: "u1@corp"
    active: true
    nickName: "friend"
    externalId: "00000000-0000-4000-8000-000000000001"
"##);
    insta::assert_snapshot!(shown(&promoted()), @r##"
- disable user  u1@corp  (00000000-0000-4000-8000-000000000001)  → t1
    because active: the account is disabled in Entra (accountEnabled is false); title, nickName: givenName, jobTitle changed in Entra
    active: true → false
    title: "Dr" → (removed)
    nickName: "Al" → "Ada"
"##);
    insta::assert_snapshot!(shown(&adopted()), @r##"
= link user  u1@corp  (00000000-0000-4000-8000-000000000001)  → t5
    because an existing resource has the same userName
~ update user  u1@corp  (00000000-0000-4000-8000-000000000001)  → t5
    because the adopted resource differs from the source
    externalId: "00000000-0000-4000-8000-000000000001"
"##);
}

#[test]
fn many_members_are_cut_short_in_text() {
    let text = shown(&regrouped());
    let lines: Vec<&str> = text.lines().collect();
    insta::assert_snapshot!([&lines[..9], &lines[lines.len() - 3..]].concat().join("\n"), @r##"
~ update group  Sales  (00000000-0000-4000-8000-000000000090)  → t1
    because displayName changed in Entra
    displayName: "group 90" → "Sales"
- remove member × 1  Sales  (00000000-0000-4000-8000-000000000090)  → t1
    because not a member of the group in Entra any more
    - 00000000-0000-4000-8000-000000000030
+ add member × 22  Sales  (00000000-0000-4000-8000-000000000090)  → t1
    because members of the group in Entra
    + 00000000-0000-4000-8000-000000000001
    + 00000000-0000-4000-8000-000000000019
    + 00000000-0000-4000-8000-000000000020
    … and 2 more (all of them with -o json)
"##);
}

#[test]
fn json_has_every_change_and_every_member() {
    insta::assert_snapshot!(serde_json::to_string_pretty(&json_of(&promoted())).unwrap(), @r##"
[
  {
    "because": "active: the account is disabled in Entra (accountEnabled is false); title, nickName: givenName, jobTitle changed in Entra",
    "changes": [
      {
        "after": false,
        "attribute": "active",
        "before": true,
        "reason": "account_disabled"
      },
      {
        "after": null,
        "attribute": "title",
        "before": "Dr",
        "reason": "source_changed"
      },
      {
        "after": "Ada",
        "attribute": "nickName",
        "before": "Al",
        "reason": "source_changed"
      }
    ],
    "kind": "user",
    "name": "u1@corp",
    "object": "00000000-0000-4000-8000-000000000001",
    "operation": "disable_user",
    "reason": "account_disabled",
    "reasons": [
      {
        "attributes": [
          "active"
        ],
        "because": "the account is disabled in Entra (accountEnabled is false)",
        "reason": "account_disabled"
      },
      {
        "attributes": [
          "title",
          "nickName"
        ],
        "because": "givenName, jobTitle changed in Entra",
        "reason": "source_changed"
      }
    ],
    "target": "t1"
  }
]
"##);
    insta::assert_snapshot!(json_of(&adopted()), @r##"[{"because":"an existing resource has the same userName","changes":[],"kind":"user","name":"u1@corp","object":"00000000-0000-4000-8000-000000000001","operation":"link_user","reason":"matched","reasons":[{"attributes":[],"because":"an existing resource has the same userName","reason":"matched"}],"target":"t5"},{"because":"the adopted resource differs from the source","changes":[{"after":"00000000-0000-4000-8000-000000000001","attribute":"externalId","before":null,"reason":"adopted_differs"}],"kind":"user","name":"u1@corp","object":"00000000-0000-4000-8000-000000000001","operation":"update_user","reason":"adopted_differs","reasons":[{"attributes":[],"because":"the adopted resource differs from the source","reason":"adopted_differs"}],"target":"t5"}]"##);
    let members = json_of(&regrouped());
    assert_eq!(members[2]["changes"].as_array().unwrap().len(), 22);
    insta::assert_snapshot!(members[1]["changes"], @r##"[{"after":null,"attribute":"members","before":"00000000-0000-4000-8000-000000000030","name":null,"reason":"member_left"}]"##);
}

/// Whatever a hidden value is: a number, a truth or a list says as much as a text.
#[test]
fn values_of_every_type_are_hidden_before_and_after() {
    let preset = include_str!("../../../config/mappings/idmelon.toml");
    let hiding = preset.replace("\"[jobTitle]\"", "\"Redact([jobTitle])\"");
    assert_ne!(hiding, preset);
    let mapping = Mapping::from_toml("hiding.toml", &hiding).unwrap_or_else(|problems| panic!("{problems}"));
    for value in [
        json!("Spy"),
        json!(90017),
        json!(true),
        json!(["Spy"]),
        json!({"value": "Spy"}),
    ] {
        let change = |attribute: &str| Change {
            attribute: attribute.into(),
            before: Value::from_json(&value),
            after: Value::from_json(&value),
        };
        let changes = vec![change("title"), change("displayName")];
        let shown = redacted_changes(&mapping, ObjectKind::User, changes.clone());
        assert_eq!(shown[0].before, Value::text(REDACTED), "{value}");
        assert_eq!(shown[0].after, Value::text(REDACTED), "{value}");
        assert_eq!(shown[1], changes[1], "{value}");
    }
}
