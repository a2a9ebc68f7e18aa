//! Plans as a person reads them.

use std::io::Read;
use std::io::Seek;
use std::io::Write;

use serde_json::Value as Json;
use serde_json::json;

use super::*;
use crate::app::plans::Only;
use crate::engine::summary::Kind;
use crate::engine::summary::Pending;
use crate::model::clock::Timestamp;

fn part(entries: &[Json]) -> Part {
    let mut file = tempfile::tempfile().unwrap();
    let lines: Vec<String> = entries.iter().map(Json::to_string).collect();
    file.write_all(lines.join(",\n").as_bytes()).unwrap();
    file.rewind().unwrap();
    Part::of(file)
}

fn user(number: u32) -> String {
    format!("{number:08}-0000-4000-8000-000000000000")
}

fn create(number: u32) -> Json {
    json!({"operation": "create_user", "object": user(number), "kind": "user", "name": format!("u{number}@corp.example"),
        "target": null, "because": "in scope, and not at the target", "reason": "new",
        "changes": [{"attribute": "userName", "before": null, "after": format!("u{number}@corp.example")}]})
}

fn operations() -> Vec<Json> {
    vec![
        create(1),
        json!({"operation": "disable_user", "object": user(2), "kind": "user", "name": "leaver@corp.example",
            "target": "4411", "because": "accountEnabled is false", "reason": "account_disabled",
            "changes": [{"attribute": "active", "before": true, "after": false}]}),
        json!({"operation": "update_user", "object": user(3), "kind": "user", "name": "both@corp.example",
            "target": "4412", "because": "title changed on both sides", "reason": "several",
            "reasons": [{"reason": "conflict"}],
            "changes": [{"attribute": "title", "before": "Mate", "after": "Captain"}]}),
        json!({"operation": "add_member", "object": user(4), "kind": "group", "name": "Staff", "target": "77",
            "because": "they joined it", "reason": "member_joined",
            "changes": (1..=7).map(|n| json!({"attribute": "members", "before": null, "after": user(n),
                "name": format!("u{n}@corp.example")})).collect::<Vec<_>>()}),
        json!({"operation": "update_user", "object": user(5), "kind": "user", "name": "chief@corp.example",
            "target": "4413", "because": "manager changed in Entra", "reason": "source_changed",
            "changes": [{"attribute": "manager", "before": user(1), "after": user(2), "name": "leaver@corp.example"}]}),
    ]
}

fn omitted() -> Vec<Json> {
    let outside = |number: u32| {
        json!({"object": user(number), "kind": "user", "name": format!("o{number}@corp.example"),
            "because": "out of scope: department is Sales", "reason": "out_of_scope", "do": null})
    };
    let mut all: Vec<Json> = (20..32).map(outside).collect();
    all.push(
        json!({"object": user(40), "kind": "user", "name": "kept@corp.example", "operation": "disable_user",
        "because": "disable_user is withheld: 12 of at most 5", "reason": "withheld", "do": null}),
    );
    all.push(
        json!({"object": user(41), "kind": "user", "name": "wait@corp.example",
        "because": "treated as in scope", "reason": "scope_loss_unconfirmed", "do": null}),
    );
    all.push(
        json!({"object": user(42), "kind": "user", "name": "same@corp.example", "because": "nothing to do",
        "reason": "unchanged", "do": null}),
    );
    all.push(
        json!({"object": user(43), "kind": "user", "name": "two@corp.example", "because": "two resources match",
        "reason": "ambiguous", "do": "remove one"}),
    );
    all.push(
        json!({"object": null, "because": "the target's schema lacks `nickName`", "reason": null, "do": null}),
    );
    all
}

fn text(shape: &Shape) -> String {
    let mut summary = Summary::new(
        "idmelon",
        "c".to_owned(),
        "enforce",
        Kind::Incremental,
        Timestamp(0),
    );
    summary.pending = vec![Pending {
        object: user(41),
        name: "wait@corp.example".to_owned(),
        operation: "disable_user".to_owned(),
        because: "it left the group".to_owned(),
        reason: String::new(),
    }];
    let mut text = String::new();
    let found = sections(part(&operations()), part(&omitted()), &summary, shape).unwrap();
    if let Some(mut sections) = found {
        sections.read_to_string(&mut text).unwrap();
    }
    text
}

#[test]
fn the_gravest_stands_first_and_equal_ones_are_folded() {
    insta::assert_snapshot!("a_plan_in_sections", text(&Shape::default()).trim_start());
}

#[test]
fn details_show_everything_of_an_entry() {
    let shape = Shape {
        details: true,
        only: vec![Only::Creates, Only::Memberships],
        ..Shape::default()
    };
    insta::assert_snapshot!("a_plan_in_detail", text(&shape).trim_start());
}

#[test]
fn a_limit_says_what_it_leaves_out_and_omissions_are_listed_where_asked_for() {
    let shape = Shape {
        limit: Some(1),
        ..Shape::default()
    };
    let limited = text(&shape);
    assert!(limited.contains("Changes: 1 entry\n"), "{limited}");
    assert!(limited.contains("Adds: 2 entries\n+ create user  u1@corp.example  (00000001)\n  … and 1 more, which --limit leaves out\n"), "{limited}");
    let all = text(&Shape {
        omitted: true,
        ..Shape::default()
    });
    assert!(
        all.contains("  user o31@corp.example  (00000031): out of scope"),
        "{all}"
    );
    assert!(all.contains("same@corp.example"), "{all}");
}

#[test]
fn one_user_is_found_wherever_the_plan_names_them() {
    let shape = Shape {
        only: vec![Only::User("u1@corp.example".to_owned())],
        ..Shape::default()
    };
    let found = text(&shape);
    assert!(
        found.contains("+ create user  u1@corp.example") && found.contains("Staff"),
        "{found}"
    );
    assert!(!found.contains("leaver@corp.example  (00000002)\n"), "{found}");
    let json = only(part(&operations()), &shape).unwrap();
    let mut document = String::new();
    { json }.read_to_string(&mut document).unwrap();
    let document: Vec<Json> = serde_json::from_str(&format!("[{document}]")).unwrap();
    assert_eq!(document, [operations()[0].clone(), operations()[3].clone()]);
    let nobody = Shape {
        only: vec![Only::User("nobody".to_owned())],
        ..Shape::default()
    };
    assert_eq!(text(&nobody), "");
}
