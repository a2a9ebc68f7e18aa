//! From objects of the source to the values that the target should hold.

use super::object;
use crate::mapping::{Desired, DesiredValue, Expression, Facts, Mapping, Names, desired};
use crate::model::id::ObjectKind;
use crate::model::object::SourceObject;
use crate::model::value::Value;

const ACTIVE: Facts = Facts { soft_deleted: false };

fn say<'d>(mapping: &Mapping, kind: ObjectKind, desired: &'d Desired, target: &str) -> &'d DesiredValue {
    let row = mapping
        .rows(kind)
        .iter()
        .position(|row| row.target.as_str() == target)
        .expect(target);
    desired.row(row).expect(target)
}

fn ada() -> SourceObject {
    let mut ada = object(
        ObjectKind::User,
        &[
            ("userPrincipalName", "ada@corp.example".into()),
            ("accountEnabled", true.into()),
            ("displayName", "Ada King".into()),
            ("givenName", "Ada".into()),
            ("surname", "King".into()),
            ("mail", "".into()),
            ("businessPhones", Value::List(vec!["+1 555".into()])),
            ("onPremisesImmutableId", "AbC=".into()),
        ],
    );
    for property in Mapping::preset("idmelon")
        .unwrap()
        .graph_properties(ObjectKind::User)
    {
        if !ada.attributes.contains_key(&property) {
            ada.attributes.insert(property, Value::Null);
        }
    }
    ada
}

/// Builds a mapping of one row, with `userName` beside it.
fn with_row(row: &str) -> Mapping {
    let name = "[[user]]\ntarget = \"userName\"\nsource = \"[userPrincipalName]\"\nmatching = 1\n";
    Mapping::from_toml("t", &format!("{name}[[user]]\n{row}")).unwrap()
}

#[test]
fn the_preset_maps_a_user() {
    let mapping = Mapping::preset("idmelon").unwrap();
    let desired = desired(&mapping, &ada(), &ACTIVE);
    assert_eq!(desired.attributes.len(), 22, "the manager is the planner's");
    let table = [
        ("userName", "ada@corp.example".into()),
        ("active", Value::Bool(true)),
        ("name.formatted", "Ada King".into()),
        ("emails[type eq \"work\"].value", Value::Null),
        ("phoneNumbers[type eq \"work\"].value", "+1 555".into()),
        ("externalId", "6f1c8d1e-0000-4000-8000-000000000001".into()),
        (
            "urn:ietf:params:scim:schemas:extension:IDmelon:2.0:User:immutable_id",
            "AbC=".into(),
        ),
        ("title", Value::Null),
    ];
    for (target, value) in table {
        assert_eq!(
            *say(&mapping, ObjectKind::User, &desired, target),
            DesiredValue::Value(value),
            "{target}"
        );
    }
}

#[test]
fn a_soft_deleted_user_is_inactive_as_a_json_boolean() {
    let mapping = Mapping::preset("idmelon").unwrap();
    let desired = desired(&mapping, &ada(), &Facts { soft_deleted: true });
    assert_eq!(
        *say(&mapping, ObjectKind::User, &desired, "active"),
        DesiredValue::Value(Value::Bool(false))
    );
}

#[test]
fn a_property_that_was_never_read_gives_no_opinion() {
    let mapping = Mapping::preset("idmelon").unwrap();
    let mut ada = ada();
    ada.attributes.remove("surname");
    let desired = desired(&mapping, &ada, &ACTIVE);
    for target in ["name.familyName", "name.formatted"] {
        let unknown = DesiredValue::Unknown {
            missing: "surname".into(),
        };
        let say = say(&mapping, ObjectKind::User, &desired, target);
        assert_eq!(*say, unknown, "{target}");
        assert_eq!((say.on_create(), say.on_update()), (None, None));
    }
}

#[test]
fn guests_go_by_their_own_address() {
    let table = [
        ("ada_corp.example#EXT#@tenant.onmicrosoft.com", "ada@corp.example"),
        (
            "ada_king_corp.example#EXT#@tenant.onmicrosoft.com",
            "ada_king@corp.example",
        ),
        ("ada_corp.example#ext#@tenant.onmicrosoft.com", "ada@corp.example"),
        ("#1_corp.example#EXT#@tenant.onmicrosoft.com", "#1@corp.example"),
        ("ada#EXT#@tenant.onmicrosoft.com", "ada"),
        ("ada_king@corp.example", "ada_king@corp.example"),
    ];
    let mapping = with_row("target = \"nickName\"\nsource = \"[originalUserPrincipalName]\"\n");
    for (name, expected) in table {
        let guest = object(ObjectKind::User, &[("userPrincipalName", name.into())]);
        let desired = desired(&mapping, &guest, &ACTIVE);
        assert_eq!(
            *say(&mapping, ObjectKind::User, &desired, "userName"),
            DesiredValue::Value(expected.into())
        );
        assert_eq!(
            *say(&mapping, ObjectKind::User, &desired, "nickName"),
            DesiredValue::Value(name.into())
        );
    }
}

#[test]
fn apply_default_and_authority_decide_who_has_an_opinion_when() {
    let value = |source: &str, keys: &str, department: Value| {
        let mapping = with_row(&format!("target = \"title\"\nsource = '{source}'\n{keys}\n"));
        let user = object(
            ObjectKind::User,
            &[("userPrincipalName", "a@b".into()), ("department", department)],
        );
        desired(&mapping, &user, &ACTIVE).row(1).unwrap().clone()
    };
    let it = || Value::from("IT");
    let table = [
        ("always", value("[department]", "", it()), Some(it()), Some(it())),
        (
            "null clears",
            value("[department]", "", Value::Null),
            Some(Value::Null),
            Some(Value::Null),
        ),
        (
            "create-only",
            value("[department]", "apply = \"create-only\"", it()),
            Some(it()),
            None,
        ),
        (
            "default",
            value("[department]", "default = \"none\"", Value::Null),
            Some("none".into()),
            None,
        ),
        (
            "default, not needed",
            value("[department]", "default = \"none\"", it()),
            Some(it()),
            Some(it()),
        ),
        (
            "target's",
            value("[department]", "authority = \"target\"", it()),
            Some(it()),
            None,
        ),
        (
            "no flow",
            value("IgnoreFlowIfNullOrEmpty([department])", "", Value::Null),
            None,
            None,
        ),
        ("failed", value("Mid([department], 0, 1)", "", it()), None, None),
        (
            "boolean as text",
            value("[department]", "", true.into()),
            Some("True".into()),
            Some("True".into()),
        ),
    ];
    for (name, say, create, update) in table {
        assert_eq!(
            (say.on_create(), say.on_update()),
            (create.as_ref(), update.as_ref()),
            "{name}"
        );
    }
}

#[test]
fn a_boolean_place_takes_a_boolean_or_fails() {
    // Only the tenant knows whether an extension is a boolean.
    let on = "extension_0123456789abcdef0123456789abcdef_on";
    let mapping = with_row(&format!("target = \"active\"\nsource = \"[{on}]\"\n"));
    for (held, expected) in [
        ("True", Some(Value::Bool(true))),
        ("FALSE", Some(Value::Bool(false))),
        ("on", None),
    ] {
        let user = object(
            ObjectKind::User,
            &[("userPrincipalName", "a".into()), (on, held.into())],
        );
        let desired = desired(&mapping, &user, &ACTIVE);
        assert_eq!(desired.row(1).unwrap().on_update(), expected.as_ref(), "{held}");
    }
}

#[test]
fn app_roles_come_with_the_object_and_not_from_graph() {
    let row = |target: &str, function: &str| {
        with_row(&format!(
            "target = '{target}'\nsource = \"{function}([appRoleAssignments])\"\n"
        ))
    };
    let role = |value: Value, name: &str| {
        Value::Map(
            [
                ("id".to_owned(), "06b07648-ecfe-589f-9d2f-6325724a46ee".into()),
                ("value".to_owned(), value),
                ("displayName".to_owned(), name.into()),
            ]
            .into(),
        )
    };
    let held = |roles: Vec<Value>| {
        object(
            ObjectKind::User,
            &[
                ("userPrincipalName", "a@b".into()),
                ("appRoleAssignments", Value::List(roles)),
            ],
        )
    };
    let two = || {
        held(vec![
            role("GlobalAdministrator".into(), "Global"),
            role(Value::Null, "Default Access"),
            role("BillingAdministrator".into(), "Billing"),
            role("GlobalAdministrator".into(), "Global, through a group"),
        ])
    };
    let single = row("roles[primary eq \"True\"].value", "SingleAppRoleAssignment");
    assert!(single.uses_app_roles(ObjectKind::User) && !single.uses_app_roles(ObjectKind::Group));
    let selected = single.graph_properties(ObjectKind::User);
    assert_eq!(selected, ["userPrincipalName".to_owned()].into());
    let say =
        |mapping: &Mapping, object: &SourceObject| desired(mapping, object, &ACTIVE).row(1).unwrap().clone();
    let value = DesiredValue::Value;
    assert_eq!(say(&single, &two()), value("BillingAdministrator".into()));
    let revoked = held(vec![role(Value::Null, "Default Access")]);
    assert_eq!(
        say(&single, &revoked),
        value(Value::Null),
        "back to Default Access"
    );
    let unread = object(ObjectKind::User, &[("userPrincipalName", "a@b".into())]);
    let missing = "appRoleAssignments".to_owned();
    assert_eq!(say(&single, &unread), DesiredValue::Unknown { missing });

    let json = |mapping: &Mapping| say(mapping, &two()).on_create().unwrap().to_json();
    let kind = "WindowsAzureActiveDirectoryRole";
    for function in ["AppRoleAssignmentsComplex", "AssertiveAppRoleAssignmentsComplex"] {
        let expected = serde_json::json!([
            {"primary": false, "type": kind, "value": "BillingAdministrator", "display": "Billing"},
            {"primary": false, "type": kind, "value": "GlobalAdministrator", "display": "Global"},
        ]);
        assert_eq!(json(&row("roles", function)), expected, "{function}");
        assert_eq!(say(&row("roles", function), &revoked), value(Value::Null));
    }
    let values = serde_json::json!([{"value": "BillingAdministrator"}, {"value": "GlobalAdministrator"}]);
    assert_eq!(json(&row("roles", "AppRoleAssignments")), values);

    for (wrong, expected) in [
        ("[appRoleAssignments]", "SingleAppRoleAssignment"),
        (
            "SingleAppRoleAssignment([mail])",
            "[appRoleAssignments] is expected",
        ),
        (
            "SingleAppRoleAssignment(\"x\")",
            "[appRoleAssignments] is expected",
        ),
    ] {
        let error = Expression::parse(Names::Of(ObjectKind::User), wrong).unwrap_err();
        assert!(error.to_string().contains(expected), "{error}");
    }
    assert!(Expression::parse(Names::Of(ObjectKind::User), "Count([appRoleAssignments])").is_ok());
    assert!(Expression::parse(Names::Of(ObjectKind::Group), "Count([appRoleAssignments])").is_err());
}

#[test]
fn texts_become_elements_where_the_target_has_elements() {
    let mapping = with_row("target = \"entitlements\"\nsource = 'Split([department], \",\")'\n");
    let user = object(
        ObjectKind::User,
        &[
            ("userPrincipalName", "a@b".into()),
            ("department", "read, write".into()),
        ],
    );
    let desired = desired(&mapping, &user, &ACTIVE);
    let json = desired.row(1).unwrap().on_update().unwrap().to_json();
    assert_eq!(json, serde_json::json!([{"value": "read"}, {"value": "write"}]));
}
