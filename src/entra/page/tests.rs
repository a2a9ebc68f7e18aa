//! Pages as text: what is read, and what is refused.

use super::*;
use crate::model::object::MemberKind;
use crate::model::object::Removed;
use crate::model::value::Value;

const A: &str = "6f1c8d1e-0000-4000-8000-000000000001";
const B: &str = "6f1c8d1e-0000-4000-8000-000000000002";

fn page(objects: &str) -> Result<DeltaPage, String> {
    read(
        ObjectKind::Group,
        format!(r#"{{"value":[{objects}],"@odata.deltaLink":"https://g/d"}}"#).as_bytes(),
    )
}

#[test]
fn members_keep_their_order_their_kind_and_their_removals() {
    let object = format!(
        r##"{{"id":"{A}","displayName":"Badge \u00fcsers","members":[{{"id":"x"}}],"members@odata.context":"c","members@delta":[
          {{"@odata.type":"#microsoft.graph.user","id":"{B}"}},
          {{"@odata.type":"#microsoft.graph.device","id":"{A}"}},
          {{"id":"{B}","@odata.type":"#microsoft.graph.user","@removed":{{"reason":"deleted"}},"new":[1]}}]}}"##
    );
    let group = page(&object).unwrap().objects.remove(0);
    let members: Vec<_> = group
        .members
        .iter()
        .map(|m| (m.id.to_string(), m.kind, m.removed))
        .collect();
    assert_eq!(
        members,
        [
            (B.to_owned(), MemberKind::User, false),
            (A.to_owned(), MemberKind::Other, false),
            (B.to_owned(), MemberKind::User, true),
        ]
    );
    assert_eq!(
        group.attributes,
        [("displayName".to_owned(), Value::text("Badge üsers"))].into()
    );
    assert_eq!(
        (group.kind, group.removed, group.manager.len()),
        (ObjectKind::Group, None, 0)
    );
}

#[test]
fn the_manager_comes_as_a_list_too() {
    let object = format!(
        r##"{{"id":"{A}","manager@delta":[{{"@removed":{{}},"id":"{A}"}},{{"@odata.type":"#microsoft.graph.user","id":"{B}"}}]}}"##
    );
    let manager = page(&object).unwrap().objects.remove(0).manager;
    assert_eq!(
        manager.iter().map(|m| m.removed).collect::<Vec<_>>(),
        [true, false]
    );
}

#[test]
fn a_removed_object_keeps_its_reason() {
    for (annotation, expected) in [
        (r#"{"reason":"changed"}"#, Some(Removed::SoftDeleted)),
        (r#"{"reason":"deleted"}"#, Some(Removed::HardDeleted)),
        ("{}", Some(Removed::SoftDeleted)),
        ("null", None),
    ] {
        let objects = page(&format!(r#"{{"id":"{A}","@removed":{annotation}}}"#))
            .unwrap()
            .objects;
        assert_eq!(objects[0].removed, expected, "{annotation}");
    }
}

#[test]
fn absent_and_null_are_told_apart() {
    let object = page(&format!(
        r#"{{"id":"{A}","mail":null,"city":"","members@delta":null}}"#
    ))
    .unwrap()
    .objects
    .remove(0);
    assert_eq!(object.attributes.get("mail"), Some(&Value::Null));
    assert_eq!(object.attributes.get("city"), Some(&Value::text("")));
    assert_eq!(object.attributes.get("department"), None);
    assert!(object.members.is_empty() && !object.attributes.contains_key("id"));
}

#[test]
fn a_refused_page_says_what_is_wrong_and_quotes_no_value() {
    for (name, body, expected) in [
        ("not JSON", "<html>Ada", "not JSON"),
        ("cut off", r#"{"value":[{"id":"#, "ends in the middle"),
        (
            "more behind",
            r#"{"value":[],"@odata.deltaLink":"l"} Ada"#,
            "not JSON",
        ),
        ("a list", "[]", "unexpected type"),
        ("value is an object", r#"{"value":{"Ada":1}}"#, "unexpected type"),
        ("two values", r#"{"value":[],"value":[]}"#, "`value` occurs twice"),
        (
            "no id",
            r#"{"value":[{"displayName":"Ada"}]}"#,
            "an object has no `id`",
        ),
        (
            "not a GUID",
            r#"{"value":[{"id":"Ada"}]}"#,
            "an `id` is not a GUID",
        ),
        (
            "member without id",
            &format!(r#"{{"value":[{{"id":"{A}","members@delta":[{{}}]}}]}}"#),
            "missing field `id`",
        ),
        (
            "link is a number",
            r#"{"value":[],"@odata.nextLink":7}"#,
            "unexpected type",
        ),
        ("no link", r#"{"value":[]}"#, "neither"),
        ("null link", r#"{"value":[],"@odata.nextLink":null}"#, "neither"),
        (
            "both",
            r#"{"value":[],"@odata.nextLink":"l","@odata.deltaLink":"l"}"#,
            "both",
        ),
        ("no value", r#"{"@odata.nextLink":"l"}"#, "no `value`"),
        ("an error with 200", r#"{"error":{"code":"x"}}"#, "no `value`"),
    ] {
        let wrong = read(ObjectKind::User, body.as_bytes()).unwrap_err();
        assert!(
            wrong.contains(expected) && !wrong.contains("Ada"),
            "{name}: {wrong}"
        );
    }
}

#[test]
fn a_page_too_deep_is_refused_not_a_crash() {
    let deep = format!(
        r#"{{"id":"{A}","x":{}{}}}"#,
        "[".repeat(100_000),
        "]".repeat(100_000)
    );
    assert!(page(&deep).is_err());
}

#[test]
fn a_page_of_the_other_stream_is_no_page_of_this_one() {
    let whole = |kind, context: &str, odata_type: &str| {
        let text = format!(
            r##"{{"@odata.context":"https://graph.microsoft.com/v1.0/$metadata#{context}","value":[{{"@odata.type":"{odata_type}",
              "id":"{A}"}}],"@odata.deltaLink":"https://g/d"}}"##
        );
        read(kind, text.as_bytes()).is_ok()
    };
    let (user, group) = ("#microsoft.graph.user", "#microsoft.graph.group");
    for (context, odata_type, of_users, of_groups) in [
        ("users", user, true, false),
        ("users(displayName,id)/$delta", user, true, false),
        ("groups(displayName)", group, false, true),
        ("users", group, false, false),
        ("directoryObjects", user, true, false),
        ("directoryObjects", "#microsoft.graph.contact", true, true),
    ] {
        assert_eq!(
            whole(ObjectKind::User, context, odata_type),
            of_users,
            "{context}, {odata_type}"
        );
        assert_eq!(
            whole(ObjectKind::Group, context, odata_type),
            of_groups,
            "{context}, {odata_type}"
        );
    }
}
