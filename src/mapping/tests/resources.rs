//! Paths, resources built and read, values compared.

use serde_json::json;

use crate::mapping::path::PathError;
use crate::mapping::{
    BorrowedResource, ResourceForm, TargetPath, plainly_holds, read_path, same, whole_element, write_resource,
};
use crate::model::id::ObjectKind;
use crate::model::id::TargetId;
use crate::model::value::Value;

const IMMUTABLE: &str = "urn:ietf:params:scim:schemas:extension:IDmelon:2.0:User:immutable_id";
const MANAGER: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:manager";

fn path(text: &str) -> TargetPath {
    text.parse().unwrap_or_else(|error| panic!("{error}"))
}

/// Builds what is sent for these values.
fn build_resource(kind: ObjectKind, form: ResourceForm, values: &[(TargetPath, Value)]) -> serde_json::Value {
    serde_json::from_slice(&write_resource(kind, form, values, &[])).unwrap()
}

fn sample() -> Vec<(TargetPath, Value)> {
    [
        ("userName", Value::from("ada@corp.example")),
        ("active", true.into()),
        ("title", Value::Null),
        ("name.givenName", "Ada".into()),
        ("name.familyName", "King".into()),
        ("emails[type eq \"work\"].value", "ada@corp.example".into()),
        ("addresses[type eq \"work\"].locality", "London".into()),
        ("addresses[type eq \"work\"].country", "UK".into()),
        ("phoneNumbers[type eq \"work\"].value", "1".into()),
        ("phoneNumbers[type eq \"mobile\"].value", "2".into()),
        ("roles[primary eq \"True\"].value", "BillingAdministrator".into()),
        (IMMUTABLE, "AbC=".into()),
        (MANAGER, "m-1".into()),
    ]
    .map(|(text, value)| (path(text), value))
    .to_vec()
}

#[test]
fn paths_are_taken_apart() {
    let department = path("urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department");
    assert_eq!(
        department.urn(),
        Some("urn:ietf:params:scim:schemas:extension:enterprise:2.0:User")
    );
    assert_eq!(department.attribute(), "department");
    let role = path("roles[primary eq \"True\"].value");
    assert_eq!(role.filter(), [("primary".to_owned(), Value::Bool(true))]);
    assert_eq!((role.attribute(), role.sub_attribute()), ("roles", Some("value")));
    let name = path("urn:ietf:params:scim:schemas:core:2.0:User:name.familyName");
    assert_eq!(
        (name.urn(), name.attribute(), name.sub_attribute()),
        (None, "name", Some("familyName"))
    );
    assert!(path("emails[TYPE eq \"work\"].value").same_place(&path("Emails[type eq \"work\"].VALUE")));
    assert_eq!(path("Vendor Schema 1:bädge").urn(), Some("Vendor Schema 1"));
}

#[test]
fn what_is_no_path_is_refused() {
    for text in [
        "",
        "a..b",
        "emails[",
        "emails[type eq \"work\"",
        "a b",
        ":x",
        "emails[type]",
        "a.b.c",
    ] {
        assert!(
            matches!(text.parse::<TargetPath>(), Err(PathError::Grammar(_))),
            "{text}"
        );
    }
    for text in [
        "emails[type sw \"w\"].value",
        "emails[type eq \"a\" or type eq \"b\"].value",
        "emails[type pr].value",
    ] {
        assert!(
            matches!(text.parse::<TargetPath>(), Err(PathError::Filter(_))),
            "{text}"
        );
    }
    for text in ["id", "meta.created", "schemas"] {
        assert!(
            matches!(text.parse::<TargetPath>(), Err(PathError::ReadOnly(_))),
            "{text}"
        );
    }
}

#[test]
fn a_resource_is_built_as_scim_wants_it() {
    let built = build_resource(ObjectKind::User, ResourceForm::default(), &sample());
    assert_eq!(
        built,
        json!({
            "schemas": [
                "urn:ietf:params:scim:schemas:core:2.0:User",
                "urn:ietf:params:scim:schemas:extension:IDmelon:2.0:User",
                "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"
            ],
            "userName": "ada@corp.example",
            "active": true,
            "name": {"givenName": "Ada", "familyName": "King"},
            "emails": [{"type": "work", "value": "ada@corp.example"}],
            "addresses": [{"type": "work", "locality": "London", "country": "UK"}],
            "phoneNumbers": [{"type": "work", "value": "1"}, {"type": "mobile", "value": "2"}],
            "roles": [{"primary": true, "value": "BillingAdministrator"}],
            "urn:ietf:params:scim:schemas:extension:IDmelon:2.0:User": {"immutable_id": "AbC="},
            "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User": {"manager": {"value": "m-1"}}
        })
    );
    let entra = ResourceForm {
        extension_urns_in_schemas: false,
        manager_as_object: false,
        json_booleans: false,
    };
    let built = build_resource(ObjectKind::User, entra, &sample());
    assert_eq!(
        built["schemas"].as_array().unwrap().len(),
        2,
        "only the enterprise extension is listed, as Entra does"
    );
    assert_eq!(built["active"], "True");
    assert_eq!(
        built["urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"]["manager"],
        "m-1"
    );
}

#[test]
fn a_group_takes_its_members_along() {
    let members = Value::List(vec!["u-1".into(), "u-2".into()]);
    let values = [
        (path("displayName"), Value::from("Badge")),
        (path("members"), members.clone()),
    ];
    let built = build_resource(ObjectKind::Group, ResourceForm::default(), &values);
    assert_eq!(
        built,
        json!({"schemas": ["urn:ietf:params:scim:schemas:core:2.0:Group"], "displayName": "Badge",
               "members": [{"value": "u-1"}, {"value": "u-2"}]})
    );
    assert_eq!(read_path(&built, &path("members")), Some(members));
}

#[test]
fn what_goes_out_is_what_was_built() {
    let form = ResourceForm::default();
    let mut built = build_resource(ObjectKind::User, form, &sample());
    let text = write_resource(ObjectKind::User, form, &sample(), &[]);
    assert_eq!(serde_json::from_slice::<serde_json::Value>(&text).unwrap(), built);
    let members = ["u-1", "u \"2\""].map(|id| TargetId::new(id).unwrap());
    let text = write_resource(ObjectKind::User, form, &sample(), &members);
    built["members"] = json!([{"value": "u-1"}, {"value": "u \"2\""}]);
    assert_eq!(serde_json::from_slice::<serde_json::Value>(&text).unwrap(), built);
}

#[test]
fn a_borrowed_resource_reads_escapes_and_refuses_what_is_no_json() {
    let text =
        br#"{"user\u004eame": "Zo\u00eb", "title": "a\"b", "count": 7.5, "active": true, "active": false}"#;
    let resource = BorrowedResource::read(text).unwrap();
    assert!(resource.plainly_holds(&path("userName"), &"Zo\u{eb}".into()));
    assert!(resource.plainly_holds(&path("title"), &"a\"b".into()));
    assert!(
        resource.plainly_holds(&path("active"), &false.into()),
        "the later one counts"
    );
    assert!(!resource.plainly_holds(&path("count"), &"7.5".into()));
    for text in [&b""[..], b"<html>", b"{\"a\": \"\xff\"}", b"{} x"] {
        assert!(BorrowedResource::read(text).is_none());
    }
}

#[test]
fn of_two_values_for_one_place_the_later_one_is_written() {
    let values = [
        ("name", "Ada King"),
        ("name.givenName", "Ada"),
        ("emails", "a@x"),
        ("emails[type eq \"work\"].value", "b@x"),
        ("emails[type eq \"WORK\"].value", "c@x"),
        ("title", "Countess"),
        ("title", "Programmer"),
    ]
    .map(|(text, value)| (path(text), Value::from(value)));
    let built = build_resource(ObjectKind::User, ResourceForm::default(), &values);
    let mut expected = json!({"name": {"givenName": "Ada"}, "title": "Programmer",
                              "emails": [{"type": "work", "value": "c@x"}]});
    expected["schemas"] = json!(["urn:ietf:params:scim:schemas:core:2.0:User"]);
    assert_eq!(built, expected);
}

#[test]
fn what_was_built_reads_back_the_same() {
    for form in [
        ResourceForm::default(),
        ResourceForm {
            extension_urns_in_schemas: false,
            manager_as_object: false,
            json_booleans: false,
        },
    ] {
        let built = build_resource(ObjectKind::User, form, &sample());
        for (path, value) in sample() {
            let read = read_path(&built, &path).unwrap_or_default();
            assert!(same(&path, &read, &value), "{path}: {read} for {value}");
            let plain = plainly_holds(&built, &path, &value);
            let text = built.to_string();
            let borrowed = BorrowedResource::read(text.as_bytes()).unwrap();
            assert_eq!(borrowed.plainly_holds(&path, &value), plain, "{path}");
            let written_otherwise =
                value.is_null() || (matches!(value, Value::Bool(_)) && !form.json_booleans);
            assert_eq!(plain, !written_otherwise, "{path}: {value}");
            assert!(!plainly_holds(&built, &path, &"something else".into()), "{path}");
        }
    }
}

#[test]
fn reading_bears_whatever_a_service_answers() {
    let enterprise = "URN:ietf:params:scim:schemas:extension:ENTERPRISE:2.0:user";
    let resource = json!({
        "USERNAME": "ada", "name": "not an object", "emails": "not a list",
        "addresses": {"type": "Work", "locality": "London"},
        "phoneNumbers": [null, "x", {"type": 7, "value": "no"}, {"type": "WORK"}, {"type": "work", "value": "1"}],
        "roles": [{"primary": "True", "value": "A"}],
        "title": null, "externalId": "",
        enterprise: {"manager": [{"value": "m-1", "$ref": "…"}], "department": 7},
        "members": [{"value": "u-1"}, "u-2", null, {}],
    });
    let table = [
        ("userName", Some(Value::from("ada"))),
        ("name.givenName", None),
        ("emails[type eq \"work\"].value", None),
        ("addresses[type eq \"work\"].locality", Some("London".into())),
        ("phoneNumbers[type eq \"work\"].value", Some("1".into())),
        ("phoneNumbers[type eq \"mobile\"].value", None),
        ("roles[primary eq \"True\"].value", Some("A".into())),
        ("title", None),
        ("externalId", None),
        (MANAGER, Some("m-1".into())),
        (
            "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department",
            Some(Value::Integer(7)),
        ),
        (IMMUTABLE, None),
        ("members", Some(Value::List(vec!["u-1".into(), "u-2".into()]))),
    ];
    let written = resource.to_string();
    let borrowed = BorrowedResource::read(written.as_bytes()).unwrap();
    for (text, expected) in table {
        assert_eq!(read_path(&resource, &path(text)), expected, "{text}");
        for value in [
            "",
            "ada",
            "x",
            "no",
            "1",
            "London",
            "A",
            "m-1",
            "u-1",
            "not a list",
        ] {
            let value = Value::from(value);
            let found = plainly_holds(&resource, &path(text), &value);
            assert_eq!(
                borrowed.plainly_holds(&path(text), &value),
                found,
                "{text}: {value}"
            );
            // An empty text counts as no value, on either side.
            assert!(
                !found || value.is_unassigned() || expected == Some(value.clone()),
                "{text}: {value}"
            );
        }
    }
    for hostile in [
        json!(null),
        json!([]),
        json!("text"),
        json!(7),
        json!({"members": {"value": "x"}}),
    ] {
        for (text, _) in sample() {
            assert_eq!(read_path(&hostile, &text), None);
        }
    }
}

#[test]
fn sameness_follows_the_schema() {
    let list = |items: &[&str]| Value::List(items.iter().map(|item| Value::from(*item)).collect());
    let id = Value::from_json(&json!({"value": "m-1", "$ref": "../Users/m-1", "display": "M"}));
    let table = [
        ("userName", Value::from("Ada@X"), Value::from("ada@x"), true),
        (
            "emails[type eq \"work\"].value",
            "Ada@X".into(),
            "ada@x".into(),
            true,
        ),
        ("displayName", "Ada".into(), "ada".into(), false),
        ("externalId", "ABC".into(), "abc".into(), false),
        (IMMUTABLE, "AbC=".into(), "abc=".into(), false),
        (
            "roles[primary eq \"True\"].value",
            "Admin".into(),
            "admin".into(),
            false,
        ),
        ("active", true.into(), "True".into(), true),
        ("active", true.into(), "False".into(), false),
        ("active", Value::Null, false.into(), false),
        ("title", Value::Null, "".into(), true),
        ("title", Value::Null, list(&[]), true),
        ("title", Value::Null, "x".into(), false),
        ("title", Value::Integer(5), "5".into(), true),
        ("members", list(&["a", "b"]), list(&["b", "a"]), true),
        ("members", list(&["a", "b"]), list(&["a"]), false),
        (MANAGER, id, "m-1".into(), true),
    ];
    for (text, a, b, expected) in table {
        assert_eq!(same(&path(text), &a, &b), expected, "{text}: {a} and {b}");
    }
}

#[test]
fn a_missing_element_is_added_whole() {
    let form = ResourceForm::default();
    let mobile = path("phoneNumbers[type eq \"mobile\"].value");
    assert_eq!(
        whole_element(form, &mobile, &"2".into()),
        Some(json!({"type": "mobile", "value": "2"}))
    );
    assert_eq!(mobile.whole_attribute(), "phoneNumbers");
    assert_eq!(whole_element(form, &path("title"), &"2".into()), None);
}
