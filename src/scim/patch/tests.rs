use super::*;
use crate::reconcile::operation::Change;

const MANAGER: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:manager";
const MOBILE: &str = "phoneNumbers[type eq \"mobile\"].value";

/// Target paths with values.
type Values = Vec<(&'static str, Value)>;

fn id(text: &str) -> TargetId {
    TargetId::new(text).unwrap()
}

fn patch(held: &[(&str, Value)], changes: &[(&str, Value)]) -> Patch {
    let held: crate::model::value::Attributes =
        held.iter().map(|(k, v)| ((*k).to_owned(), v.clone())).collect();
    let changes = changes
        .iter()
        .map(|(path, after)| Change {
            attribute: (*path).into(),
            before: held.get(path).cloned().unwrap_or_default(),
            after: after.clone(),
        })
        .collect();
    Patch {
        changes,
        held,
        add_members: vec![],
        remove_members: vec![],
        members_before: Default::default(),
    }
}

fn operations(patch: &Patch, dialect: &Dialect) -> Json {
    let bodies = compile(patch, dialect).unwrap();
    assert!(bodies.len() <= 1, "{bodies:?}");
    bodies.first().map_or(json!([]), |body| {
        serde_json::to_value(body).unwrap()["Operations"].clone()
    })
}

#[test]
fn attributes_are_written_in_the_form_of_the_rfc() {
    let street = "addresses[type eq \"work\"].streetAddress";
    let city = "addresses[type eq \"work\"].locality";
    let employee = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:employeeNumber";
    let null = || Value::Null;
    #[rustfmt::skip]
    let table: Vec<(&str, Values, Values, Json)> = vec![
        ("a text", vec![], vec![("displayName", "Ada".into())],
            json!([{"op": "replace", "path": "displayName", "value": "Ada"}])),
        ("a boolean", vec![("active", true.into())], vec![("active", false.into())],
            json!([{"op": "replace", "path": "active", "value": false}])),
        ("a sub-attribute", vec![], vec![("name.givenName", "Ada".into())],
            json!([{"op": "replace", "path": "name.givenName", "value": "Ada"}])),
        ("null removes", vec![("title", "x".into())], vec![("title", null())],
            json!([{"op": "remove", "path": "title"}])),
        ("an empty text removes", vec![("title", "x".into())], vec![("title", "".into())],
            json!([{"op": "remove", "path": "title"}])),
        ("an extension value", vec![], vec![(employee, "1042".into())],
            json!([{"op": "replace", "path": employee, "value": "1042"}])),
        ("a manager", vec![], vec![(MANAGER, "m-1".into())],
            json!([{"op": "replace", "path": MANAGER, "value": {"value": "m-1"}}])),
        ("no manager", vec![(MANAGER, "m-1".into())], vec![(MANAGER, null())],
            json!([{"op": "remove", "path": MANAGER}])),
        ("an absent element is added whole", vec![], vec![(MOBILE, "1".into())],
            json!([{"op": "add", "path": "phoneNumbers", "value": [{"type": "mobile", "value": "1"}]}])),
        ("a present element is changed by path", vec![(MOBILE, "1".into())], vec![(MOBILE, "2".into())],
            json!([{"op": "replace", "path": MOBILE, "value": "2"}])),
        ("a present element gets another sub-attribute", vec![(street, "S".into())], vec![(city, "C".into())],
            json!([{"op": "replace", "path": city, "value": "C"}])),
        ("the sub-attributes of an absent element go together", vec![], vec![(street, "S".into()), (city, "C".into())],
            json!([{"op": "add", "path": "addresses", "value": [{"type": "work", "streetAddress": "S", "locality": "C"}]}])),
        ("absent elements of one attribute share an add", vec![],
            vec![(MOBILE, "1".into()), ("phoneNumbers[type eq \"fax\"].value", "2".into())],
            json!([{"op": "add", "path": "phoneNumbers",
                "value": [{"type": "mobile", "value": "1"}, {"type": "fax", "value": "2"}]}])),
        ("the last value takes the element with it", vec![(MOBILE, "1".into())], vec![(MOBILE, null())],
            json!([{"op": "remove", "path": "phoneNumbers[type eq \"mobile\"]"}])),
        ("all values together take it once", vec![(street, "S".into()), (city, "C".into())],
            vec![(street, null()), (city, null())],
            json!([{"op": "remove", "path": "addresses[type eq \"work\"]"}])),
        ("one of two values goes alone", vec![(street, "S".into()), (city, "C".into())], vec![(city, null())],
            json!([{"op": "remove", "path": city}])),
        ("null in an absent element is nothing", vec![], vec![(MOBILE, null())], json!([])),
        ("an element in a list that is held whole exists",
            vec![("phoneNumbers", Value::from_json(&json!([{"type": "mobile", "value": "1"}])))], vec![(MOBILE, "2".into())],
            json!([{"op": "replace", "path": MOBILE, "value": "2"}])),
        ("a new primary role", vec![], vec![("roles[primary eq \"True\"].value", "Admin".into())],
            json!([{"op": "add", "path": "roles", "value": [{"primary": true, "value": "Admin"}]}])),
    ];
    for (name, held, changes, expected) in table {
        assert_eq!(
            operations(&patch(&held, &changes), &Dialect::default()),
            expected,
            "{name}"
        );
    }
}

#[test]
fn a_dialect_changes_the_form_and_not_the_meaning() {
    let dialect = Dialect {
        op_case: OpCase::Capital,
        booleans: Booleans::String,
        manager: ManagerForm::String,
        member_removal: MemberRemoval::ValueArray,
        ..Dialect::default()
    };
    let mut patch = patch(
        &[(MANAGER, "m".into())],
        &[("active", false.into()), (MANAGER, Value::Null)],
    );
    patch.remove_members = vec![id("a"), id("b")];
    assert_eq!(
        operations(&patch, &dialect),
        json!([{"op": "Replace", "path": "active", "value": "False"}, {"op": "Replace", "path": MANAGER, "value": ""},
            {"op": "Remove", "path": "members", "value": [{"value": "a"}, {"value": "b"}]}])
    );
}

#[test]
fn members_are_named_once_removed_first_and_sent_in_chunks() {
    let mut patch = patch(&[], &[("displayName", "G".into())]);
    patch.add_members = vec![id("a"), id("b"), id("a"), id("c")];
    patch.remove_members = vec![id("x\"y"), id("z"), id("z")];
    let dialect = Dialect {
        members_per_patch: 3,
        ..Dialect::default()
    };
    let bodies: Vec<Json> = compile(&patch, &dialect)
        .unwrap()
        .iter()
        .map(|body| serde_json::to_value(body).unwrap())
        .collect();
    let schemas = json!(["urn:ietf:params:scim:api:messages:2.0:PatchOp"]);
    assert_eq!(
        bodies,
        [
            json!({"schemas": schemas, "Operations": [
                {"op": "replace", "path": "displayName", "value": "G"},
                {"op": "remove", "path": "members[value eq \"x\\\"y\"]"},
                {"op": "remove", "path": "members[value eq \"z\"]"},
                {"op": "add", "path": "members", "value": [{"value": "a"}]}]}),
            json!({"schemas": schemas, "Operations": [
                {"op": "add", "path": "members", "value": [{"value": "b"}, {"value": "c"}]}]}),
        ]
    );
}

#[test]
fn a_patch_without_a_change_needs_no_request() {
    assert_eq!(compile(&patch(&[], &[]), &Dialect::default()).unwrap(), vec![]);
}

#[test]
fn a_path_that_cannot_be_written_is_named() {
    let error = compile(
        &patch(&[], &[("emails[type ne \"x\"].value", "1".into())]),
        &Dialect::default(),
    )
    .unwrap_err();
    assert!(error.to_string().contains("emails[type ne"), "{error}");
}
