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
use crate::reconcile::view::ObjectView;
use crate::reconcile::view::Reference;

fn shown(view: &ObjectView) -> String {
    Desk::new().plan(view).operations.iter().map(text).collect()
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
    insta::assert_snapshot!(shown(&found(user(json!({})), vec![], proven())), @"NEW1");
    insta::assert_snapshot!(shown(&promoted()), @"NEW2");
    insta::assert_snapshot!(shown(&adopted()), @"NEW3");
}

#[test]
fn many_members_are_cut_short_in_text() {
    let text = shown(&regrouped());
    let lines: Vec<&str> = text.lines().collect();
    insta::assert_snapshot!([&lines[..9], &lines[lines.len() - 3..]].concat().join("\n"), @"NEW4");
}

#[test]
fn json_has_every_change_and_every_member() {
    insta::assert_snapshot!(serde_json::to_string_pretty(&json_of(&promoted())).unwrap(), @"NEW5");
    insta::assert_snapshot!(json_of(&adopted()), @"NEW6");
    let members = json_of(&regrouped());
    assert_eq!(members[2]["changes"].as_array().unwrap().len(), 22);
    insta::assert_snapshot!(members[1]["changes"], @"NEW7");
}
