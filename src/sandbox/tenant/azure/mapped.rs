//! The attributes that Azure's job sends, from the properties of the directory, and the SCIM forms in which it sends them
//! (the mapping that IDmelon's page describes; form of `aadOptscim062020`).

use std::collections::BTreeMap;

use serde_json::Map;
use serde_json::Value;
use serde_json::json;

use super::AzureMistakes;
use crate::sandbox::tenant::directory::Object;

pub(super) const ENTERPRISE: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";
const IDMELON: &str = "urn:ietf:params:scim:schemas:extension:IDmelon:2.0:User";
const CORE_USER: &str = "urn:ietf:params:scim:schemas:core:2.0:User";
const CORE_GROUP: &str = "urn:ietf:params:scim:schemas:core:2.0:Group";
const PATCH: &str = "urn:ietf:params:scim:api:messages:2.0:PatchOp";

/// Paths whose values are a property as it is.
const USER: [(&str, &str); 18] = [
    ("displayName", "displayName"),
    ("title", "jobTitle"),
    (r#"emails[type eq "work"].value"#, "mail"),
    ("preferredLanguage", "preferredLanguage"),
    ("name.givenName", "givenName"),
    ("name.familyName", "surname"),
    (r#"addresses[type eq "work"].formatted"#, "officeLocation"),
    (r#"addresses[type eq "work"].streetAddress"#, "streetAddress"),
    (r#"addresses[type eq "work"].locality"#, "city"),
    (r#"addresses[type eq "work"].region"#, "state"),
    (r#"addresses[type eq "work"].postalCode"#, "postalCode"),
    (r#"addresses[type eq "work"].country"#, "country"),
    (r#"phoneNumbers[type eq "mobile"].value"#, "mobilePhone"),
    (r#"phoneNumbers[type eq "fax"].value"#, "faxNumber"),
    (
        "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:employeeNumber",
        "employeeId",
    ),
    (
        "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department",
        "department",
    ),
    (
        "urn:ietf:params:scim:schemas:extension:IDmelon:2.0:User:immutable_id",
        "onPremisesImmutableId",
    ),
    ("externalId", "id"),
];
const WORK_PHONE: &str = r#"phoneNumbers[type eq "work"].value"#;
const FORMATTED: &str = "name.formatted";
const USER_NAME: &str = "userName";
const GROUP: [(&str, &str); 3] = [
    ("displayName", "displayName"),
    ("description", "description"),
    ("externalId", "id"),
];

pub(super) type Values = BTreeMap<&'static str, String>;

fn text(object: &Object, property: &str) -> Option<String> {
    let held = object.props.get(property)?.as_str()?;
    (!held.is_empty()).then(|| held.to_owned())
}

/// Returns what a user's attributes are to be; what the source has no value for is left out.
pub(super) fn of_user(object: &Object, mistakes: &AzureMistakes) -> Values {
    let mut values = Values::new();
    for (path, property) in USER {
        values.extend(text(object, property).map(|value| (path, value)));
    }
    let external = match text(object, "mailNickname") {
        Some(nickname) if mistakes.nickname_as_external_id => nickname,
        _ => object.id.clone(),
    };
    values.insert("externalId", external);
    let phone = object
        .props
        .get("businessPhones")
        .and_then(|phones| phones[0].as_str());
    values.extend(phone.map(|phone| (WORK_PHONE, phone.to_owned())));
    let parts = ["givenName", "surname"].map(|name| text(object, name).unwrap_or_default());
    let formatted = parts.join(" ").trim().to_owned();
    values.extend((!formatted.is_empty()).then_some((FORMATTED, formatted)));
    values.extend(text(object, "userPrincipalName").map(|name| (USER_NAME, user_name(&name))));
    values
}

/// A guest's name is sent in the form of its home address.
fn user_name(upn: &str) -> String {
    let home = upn
        .split_once("#EXT#")
        .and_then(|(guest, _)| guest.rsplit_once('_'));
    home.map_or_else(|| upn.to_owned(), |(alias, home)| format!("{alias}@{home}"))
}

/// Returns what a group's attributes are to be.
pub(super) fn of_group(object: &Object) -> Values {
    let mut values = Values::new();
    for (path, property) in GROUP {
        values.extend(text(object, property).map(|value| (path, value)));
    }
    values.insert("externalId", object.id.clone());
    values
}

/// Returns what a resource holds of the paths that are sent.
pub(super) fn held(resource: &Value, group: bool) -> Values {
    let users = USER
        .map(|(path, _)| path)
        .into_iter()
        .chain([WORK_PHONE, FORMATTED, USER_NAME]);
    let groups = GROUP.map(|(path, _)| path);
    let paths: Vec<&'static str> = if group { groups.to_vec() } else { users.collect() };
    let mut values = Values::new();
    for path in paths {
        values.extend(value_at(resource, path).map(|value| (path, value)));
    }
    values
}

fn value_at(resource: &Value, path: &str) -> Option<String> {
    let value = match Place::of(path) {
        Place::Plain(name) => &resource[name],
        Place::Part(name, part) => &resource[name][part],
        Place::Extension(urn, name) => &resource[urn][name],
        Place::Element(list, kind, part) => {
            let elements = resource[list].as_array()?;
            &elements.iter().find(|element| element["type"] == kind)?[part]
        }
    };
    value.as_str().map(str::to_owned)
}

/// Where a path leads.
#[derive(Clone, Copy)]
enum Place<'p> {
    Plain(&'p str),
    Part(&'p str, &'p str),
    Element(&'p str, &'p str, &'p str),
    Extension(&'p str, &'p str),
}

impl<'p> Place<'p> {
    fn of(path: &'p str) -> Self {
        for urn in [ENTERPRISE, IDMELON] {
            if let Some(name) = path.strip_prefix(urn) {
                return Place::Extension(&path[..urn.len()], name.trim_start_matches(':'));
            }
        }
        if let Some((list, rest)) = path.split_once("[type eq \"")
            && let Some((kind, part)) = rest.split_once("\"].")
        {
            return Place::Element(list, kind, part);
        }
        match path.split_once('.') {
            Some((name, part)) => Place::Part(name, part),
            None => Place::Plain(path),
        }
    }
}

/// Returns the body of a create.
pub(super) fn body(values: &Values, group: bool) -> Value {
    let mut body =
        json!({"schemas": if group { vec![CORE_GROUP] } else { vec![CORE_USER, ENTERPRISE, IDMELON] }});
    if !group {
        body["active"] = true.into();
    }
    for (path, value) in values {
        match Place::of(path) {
            Place::Plain(name) => body[name] = value.as_str().into(),
            Place::Part(name, part) => body[name][part] = value.as_str().into(),
            Place::Extension(urn, name) => body[urn][name] = value.as_str().into(),
            Place::Element(list, kind, part) => into_element(&mut body, (list, kind), part, value),
        }
    }
    body
}

fn into_element(body: &mut Value, (list, kind): (&str, &str), part: &str, value: &str) {
    if !body[list].is_array() {
        body[list] = json!([]);
    }
    let elements = body[list].as_array_mut().into_iter().flatten();
    let mut held = elements.filter(|element| element["type"] == kind);
    if let Some(element) = held.next() {
        element[part] = value.into();
        return;
    }
    if let Some(elements) = body[list].as_array_mut() {
        elements.push(json!({"type": kind, part: value}));
    }
}

/// Returns the body of a PATCH that leads from one set of values to the other, and of `active` where that changes.
pub(super) fn patch(
    before: &Values,
    changes: &BTreeMap<&'static str, Option<String>>,
    active: Option<bool>,
) -> Value {
    let mut there: Vec<(String, String)> = before
        .keys()
        .filter_map(|path| match Place::of(path) {
            Place::Element(list, kind, _) => Some((list.to_owned(), kind.to_owned())),
            _ => None,
        })
        .collect();
    let mut operations: Vec<Value> = active
        .map(|active| json!({"op": "replace", "path": "active", "value": active}))
        .into_iter()
        .collect();
    for (path, value) in changes {
        operations.push(match (value, Place::of(path)) {
            (None, _) => json!({"op": "remove", "path": path}),
            (Some(value), Place::Element(list, kind, part)) => {
                let element = (list.to_owned(), kind.to_owned());
                if there.contains(&element) {
                    json!({"op": "replace", "path": path, "value": value})
                } else {
                    there.push(element);
                    json!({"op": "add", "path": list, "value": [{"type": kind, part: value}]})
                }
            }
            (Some(value), _) => json!({"op": "replace", "path": path, "value": value}),
        });
    }
    operations_of(operations)
}

/// Returns the body of a PATCH with these operations.
pub(super) fn operations_of(operations: Vec<Value>) -> Value {
    Value::Object(Map::from_iter([
        ("schemas".to_owned(), json!([PATCH])),
        ("Operations".to_owned(), operations.into()),
    ]))
}
