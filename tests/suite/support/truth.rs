//! What the workspace should hold, derived from the tenant alone, row by row: written
//! down a second time on purpose, without a line of the mapping that it checks.

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use melonsync::sandbox::Tenant;
use melonsync::sandbox::Workspace;
use serde_json::Value;

const ENTERPRISE: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";
const IDMELON: &str = "urn:ietf:params:scim:schemas:extension:IDmelon:2.0:User";

/// What a comparison leaves out.
#[derive(Debug, Clone, Default)]
pub struct Allowances {
    /// Resources as they were before the first cycle: where the source is empty, their value may stay.
    pub before: BTreeMap<String, Value>,
    /// Source objects that are not compared, because the test says that they stay behind.
    pub except: BTreeSet<String>,
    /// Target attributes that this workspace does not keep.
    pub without: BTreeSet<String>,
    /// Strings are compared without case and without spaces around them.
    pub loosely: bool,
}

/// Every difference between the tenant and the workspace, in words.
pub fn differences(tenant: &Tenant, workspace: &Workspace, allow: &Allowances) -> Vec<String> {
    let truth = tenant.truth();
    let mut found = Vec::new();
    let users: Vec<&Value> = list(&truth["users"]);
    let groups: Vec<&Value> = list(&truth["groups"]);
    for user in &users {
        if !allow.except.contains(text(&user["id"])) {
            compare_user(workspace, user, allow, &mut found);
        }
    }
    for group in &groups {
        if !allow.except.contains(text(&group["id"])) {
            compare_group(workspace, group, &users, allow, &mut found);
        }
    }
    found
}

fn compare_user(workspace: &Workspace, user: &Value, allow: &Allowances, found: &mut Vec<String>) {
    let id = text(&user["id"]);
    let held = workspace.users_by_external_id(id);
    let enabled = user["accountEnabled"] != Value::Bool(false);
    match (text(&user["life"]), held.as_slice()) {
        (_, [_, _, ..]) => found.push(format!("user {id} has {} resources", held.len())),
        ("live", []) if enabled => found.push(format!("user {id} is not at the target")),
        ("live", [resource]) => {
            let expected = expected_user(workspace, user);
            compare_values("user", id, resource, &expected, allow, found);
        }
        ("soft", [resource]) if resource["active"] != Value::Bool(false) => {
            found.push(format!("user {id} is deleted in Entra and still active"));
        }
        ("hard", [_]) => found.push(format!("user {id} is gone for good and still at the target")),
        _ => {}
    }
}

/// The 23 rows for users: where, and what.
fn expected_user(workspace: &Workspace, user: &Value) -> Vec<(&'static str, Value)> {
    let of = |name: &str| user[name].clone();
    let formatted: Vec<&str> = ["givenName", "surname"]
        .iter()
        .map(|name| text(&user[*name]))
        .filter(|part| !part.is_empty())
        .collect();
    let manager = workspace.users_by_external_id(text(&user["manager"]));
    let manager = manager
        .first()
        .map_or(Value::Null, |manager| manager["id"].clone());
    let enabled = user["accountEnabled"] != Value::Bool(false);
    vec![
        ("userName", user_name(text(&user["userPrincipalName"])).into()),
        ("active", enabled.into()),
        ("displayName", of("displayName")),
        ("title", of("jobTitle")),
        ("emails[work].value", of("mail")),
        ("preferredLanguage", of("preferredLanguage")),
        ("name.givenName", of("givenName")),
        ("name.familyName", of("surname")),
        ("name.formatted", formatted.join(" ").into()),
        ("addresses[work].formatted", of("officeLocation")),
        ("addresses[work].streetAddress", of("streetAddress")),
        ("addresses[work].locality", of("city")),
        ("addresses[work].region", of("state")),
        ("addresses[work].postalCode", of("postalCode")),
        ("addresses[work].country", of("country")),
        ("phoneNumbers[work].value", user["businessPhones"][0].clone()),
        ("phoneNumbers[mobile].value", of("mobilePhone")),
        ("phoneNumbers[fax].value", of("faxNumber")),
        ("externalId", of("id")),
        ("enterprise:employeeNumber", of("employeeId")),
        ("enterprise:department", of("department")),
        ("enterprise:manager.value", manager),
        ("idmelon:immutable_id", of("onPremisesImmutableId")),
    ]
}

/// A guest's UPN is sent in the form of its home address (docs/design/entra.md, "Guests").
fn user_name(upn: &str) -> String {
    let Some((guest, _)) = upn.split_once("#EXT#") else {
        return upn.to_owned();
    };
    let (alias, home) = guest.rsplit_once('_').unwrap();
    format!("{alias}@{home}")
}

fn compare_group(
    workspace: &Workspace,
    group: &Value,
    users: &[&Value],
    allow: &Allowances,
    found: &mut Vec<String>,
) {
    let id = text(&group["id"]);
    let held = workspace.groups_by_external_id(id);
    match (text(&group["life"]), held.as_slice()) {
        (_, [_, _, ..]) => found.push(format!("group {id} has {} resources", held.len())),
        ("live", []) => found.push(format!("group {id} is not at the target")),
        ("live", [resource]) => {
            let expected = vec![
                ("displayName", group["displayName"].clone()),
                ("externalId", group["id"].clone()),
                ("description", group["description"].clone()),
            ];
            compare_values("group", id, resource, &expected, allow, found);
            compare_members(workspace, group, users, resource, found);
        }
        ("soft" | "hard", [_]) => found.push(format!("group {id} is deleted in Entra and still there")),
        _ => {}
    }
}

/// Members of the tenant's people are exactly those of the source; others, who are nobody's, may be there.
fn compare_members(
    workspace: &Workspace,
    group: &Value,
    users: &[&Value],
    resource: &Value,
    found: &mut Vec<String>,
) {
    let id = text(&group["id"]);
    let expected: BTreeSet<String> = list(&group["members"])
        .into_iter()
        .filter(|member| member["kind"] == "user")
        .flat_map(|member| workspace.users_by_external_id(text(&member["id"])))
        .map(|user| text(&user["id"]).to_owned())
        .collect();
    let ours: BTreeSet<&str> = users.iter().map(|user| text(&user["id"])).collect();
    let held = list(&resource["members"]);
    let mut there = BTreeSet::new();
    for member in held {
        let member = text(&member["value"]).to_owned();
        if !there.insert(member.clone()) {
            found.push(format!("group {id} holds member {member} twice"));
        }
    }
    for missing in expected.difference(&there) {
        found.push(format!("group {id} lacks member {missing}"));
    }
    for extra in there.difference(&expected) {
        let owner = workspace
            .user(extra)
            .map(|user| text(&user["externalId"]).to_owned());
        if owner.is_none_or(|owner| ours.contains(owner.as_str())) {
            found.push(format!("group {id} holds member {extra}, who is none"));
        }
    }
}

fn compare_values(
    kind: &str,
    id: &str,
    resource: &Value,
    expected: &[(&'static str, Value)],
    allow: &Allowances,
    found: &mut Vec<String>,
) {
    let before = allow.before.get(text(&resource["id"]));
    for (path, want) in expected {
        if allow.without.contains(*path) {
            continue;
        }
        let held = at(resource, path);
        // Adoption records an equal value and does not write it; userName is compared without case (RFC 7643 4.1.1).
        let loosely = allow.loosely || (*path == "userName" && before.is_some());
        let stays = empty(want) && before.is_some_and(|before| same(&at(before, path), &held, allow.loosely));
        if !same(want, &held, loosely) && !stays {
            found.push(format!("{kind} {id}: {path} is {held}, not {want}"));
        }
    }
}

fn same(a: &Value, b: &Value, loosely: bool) -> bool {
    match (a, b) {
        _ if empty(a) && empty(b) => true,
        (Value::String(a), Value::String(b)) if loosely => a.trim().to_lowercase() == b.trim().to_lowercase(),
        _ => a == b,
    }
}

fn empty(value: &Value) -> bool {
    value.is_null() || value == ""
}

/// `emails[work].value`, `name.givenName`, `enterprise:department`.
fn at(resource: &Value, path: &str) -> Value {
    let (holder, rest) = match path.split_once(':') {
        Some(("enterprise", rest)) => (&resource[ENTERPRISE], rest),
        Some(("idmelon", rest)) => (&resource[IDMELON], rest),
        _ => (resource, path),
    };
    if let Some((attribute, rest)) = rest.split_once('[') {
        let (kind, sub) = rest.split_once("].").unwrap();
        let elements = list(&holder[attribute]);
        let element = elements.into_iter().find(|element| element["type"] == kind);
        return element.map_or(Value::Null, |element| element[sub].clone());
    }
    match rest.split_once('.') {
        Some((attribute, sub)) => holder[attribute][sub].clone(),
        None => holder[rest].clone(),
    }
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

fn list(value: &Value) -> Vec<&Value> {
    value.as_array().into_iter().flatten().collect()
}
