//! Single reads: one object, one deleted object, members, manager, organization, and the app's permissions.

use serde_json::Value;
use serde_json::json;

use super::Core;
use super::assignments;
use super::directory::Kind;
use super::directory::Life;
use super::graph::READ_APPLICATIONS;
use super::graph::READ_DELETED_GROUPS;
use super::graph::READ_GROUPS;
use super::graph::READ_HIDDEN;
use super::graph::READ_USERS;
use super::page;
use crate::sandbox::server::Answer;
use crate::sandbox::server::Call;

/// The object id of the app's own service principal.
const SERVICE_PRINCIPAL: &str = "5a3d0b0c-7e57-4000-8000-0000000000aa";
/// Microsoft Graph's service principal in the sample tenant.
const GRAPH_PRINCIPAL: &str = "5a3d0b0c-7e57-4000-8000-0000000000ab";
const GRAPH_APP_ID: &str = "00000003-0000-0000-c000-000000000000";

pub(super) fn answer(core: &Core, call: &Call, resource: &str) -> Answer {
    let parts: Vec<&str> = resource.split('/').collect();
    match parts.as_slice() {
        ["users"] => collection(core, call, Kind::User),
        ["groups"] => collection(core, call, Kind::Group),
        ["users", id] => user(core, call, id),
        ["users", id, "manager"] => manager(core, id),
        ["groups", id] => group(core, call, id),
        ["groups", id, "members"] => members(core, call, id),
        ["groups", id, "onPremisesSyncBehavior"] if core.may(READ_GROUPS) => behavior(core, id),
        ["groups", id, "owners"] if core.may(READ_GROUPS) => page::ok(&core.owners(id)),
        ["directory", "deletedItems", id] => deleted(core, call, id),
        ["organization"] => organization(core),
        ["servicePrincipals", id, "appRoleAssignments"] if *id == SERVICE_PRINCIPAL => assignments(core),
        ["servicePrincipals", id, "appRoleAssignedTo"] if core.may(READ_APPLICATIONS) => page::not_found(id),
        [principal] if principal.starts_with("servicePrincipals") => service_principal(core, call, principal),
        ["servicePrincipals", id] => service_principal(core, call, id),
        _ => page::error(400, "BadRequest", "Resource not found for the segment."),
    }
}

fn select(call: &Call, kind: Kind) -> Result<Vec<String>, Answer> {
    match call.option("select") {
        Some(text) => page::parse_select(&text),
        None => Ok(page::default_select(kind)),
    }
}

fn user(core: &Core, call: &Call, key: &str) -> Answer {
    if !core.may(READ_USERS) {
        return page::denied();
    }
    let key = decode(key);
    let directory = &core.directory;
    let found = directory
        .find_user(&key)
        .filter(|at| directory.told_life(*at) == Life::Live && directory.objects[*at].kind == Kind::User);
    let Some(at) = found else {
        return page::not_found(&key);
    };
    let select = match select(call, Kind::User) {
        Ok(select) => select,
        Err(refusal) => return refusal,
    };
    let mut body = page::single(directory, at, &select);
    if call
        .option("expand")
        .is_some_and(|expand| expand.starts_with("manager"))
    {
        let manager = directory
            .effective_manager(at)
            .map(|manager| page::reference(directory, manager, false));
        if let Some(manager) = manager {
            body.insert("manager".into(), manager);
        }
    }
    page::ok(&Value::Object(body))
}

fn manager(core: &Core, key: &str) -> Answer {
    if !core.may(READ_USERS) {
        return page::denied();
    }
    let directory = &core.directory;
    let found = directory
        .find_user(&decode(key))
        .filter(|at| directory.is_live(*at));
    match found.and_then(|at| directory.effective_manager(at)) {
        Some(manager) => page::ok(&page::reference(directory, manager, false)),
        None => page::not_found("manager"),
    }
}

fn group(core: &Core, call: &Call, id: &str) -> Answer {
    if !core.may(READ_GROUPS) {
        return page::denied();
    }
    let directory = &core.directory;
    let found = directory
        .find(id)
        .filter(|at| directory.told_life(*at) == Life::Live && directory.objects[*at].kind == Kind::Group);
    match (found, select(call, Kind::Group)) {
        (None, _) => page::not_found(id),
        (_, Err(refusal)) => refusal,
        (Some(at), Ok(select)) => page::ok(&Value::Object(page::single(directory, at, &select))),
    }
}

/// Answers whether the source of authority of a synchronised group was moved to the cloud.
fn behavior(core: &Core, id: &str) -> Answer {
    let found = core.directory.find(id);
    let moved = found.and_then(|at| core.directory.objects[at].props.get("isCloudManaged"));
    page::ok(&json!({"id": id, "isCloudManaged": moved.and_then(Value::as_bool).unwrap_or(false)}))
}

fn members(core: &Core, call: &Call, id: &str) -> Answer {
    if !core.may(READ_GROUPS) {
        return page::denied();
    }
    let directory = &core.directory;
    let Some(at) = directory.find(id).filter(|at| directory.is_live(*at)) else {
        return page::not_found(id);
    };
    if hides_members(core, at) {
        return page::denied();
    }
    let entries: Vec<Value> = directory
        .effective_members(at)
        .map(|member| page::reference(directory, member, false))
        .collect();
    paged(call, entries)
}

/// Returns whether the group's members are hidden from this app (Member.Read.Hidden).
pub(super) fn hides_members(core: &Core, at: usize) -> bool {
    let object = &core.directory.objects[at];
    let visibility = object.props.get("visibility").and_then(Value::as_str);
    let hidden = visibility == Some("HiddenMembership") || core.faults.hidden_groups.contains(&object.id);
    hidden && !core.may(READ_HIDDEN)
}

fn deleted(core: &Core, call: &Call, id: &str) -> Answer {
    let directory = &core.directory;
    let found = directory
        .find(id)
        .filter(|at| directory.told_life(*at) == Life::Soft);
    let Some(at) = found else {
        return if core.may(READ_USERS) || core.may(READ_GROUPS) {
            page::not_found(id)
        } else {
            page::denied()
        };
    };
    let kind = directory.objects[at].kind;
    if !core.may(if kind == Kind::Group {
        READ_DELETED_GROUPS
    } else {
        READ_USERS
    }) {
        return page::denied();
    }
    match select(call, kind) {
        Err(refusal) => refusal,
        Ok(select) => {
            let mut body = page::single(directory, at, &select);
            body.insert("@odata.type".into(), kind.odata_type().into());
            body.insert("deletedDateTime".into(), "2026-01-01T00:00:00Z".into());
            page::ok(&Value::Object(body))
        }
    }
}

/// Answers `GET /users` and `GET /groups`, whole or with `$filter=PROPERTY eq 'VALUE'`.
fn collection(core: &Core, call: &Call, kind: Kind) -> Answer {
    if !core.may(if kind == Kind::Group {
        READ_GROUPS
    } else {
        READ_USERS
    }) {
        return page::denied();
    }
    let select = match select(call, kind) {
        Ok(select) => select,
        Err(refusal) => return refusal,
    };
    let wanted = match call.option("filter") {
        None => None,
        Some(text) => match equality(&text) {
            Some(pair) => Some(pair),
            None => {
                return page::error(
                    400,
                    "Request_UnsupportedQuery",
                    "Unsupported or invalid query filter clause.",
                );
            }
        },
    };
    let directory = &core.directory;
    let matches = |at: &usize| match &wanted {
        None => true,
        Some((name, value)) if name == "id" => directory.objects[*at].id == *value,
        Some((name, value)) => {
            let held = directory.objects[*at].props.get(name).and_then(Value::as_str);
            held.is_some_and(|held| held.to_lowercase() == value.to_lowercase())
        }
    };
    let rows = directory
        .live(kind)
        .filter(matches)
        .map(|at| Value::Object(page::single(directory, at, &select)));
    paged(call, rows.collect())
}

/// Reads `name eq 'value'`, with `''` for a quote inside.
fn equality(text: &str) -> Option<(String, String)> {
    let (name, value) = text.trim().split_once(" eq ")?;
    let value = value.trim().strip_prefix('\'')?.strip_suffix('\'')?;
    Some((name.trim().to_owned(), value.replace("''", "'")))
}

pub(super) fn paged(call: &Call, rows: Vec<Value>) -> Answer {
    let size = call
        .option("top")
        .and_then(|top| top.parse().ok())
        .unwrap_or(100)
        .clamp(1, 999);
    let from: usize = call
        .option("skiptoken")
        .and_then(|token| token.parse().ok())
        .unwrap_or(0);
    let mut body = json!({"value": rows.iter().skip(from).take(size).collect::<Vec<_>>()});
    if from + size < rows.len() {
        let keep: Vec<(String, String)> = url::form_urlencoded::parse(call.query.as_bytes())
            .filter(|(name, _)| name != "$skiptoken")
            .map(|(name, value)| (name.into_owned(), value.into_owned()))
            .collect();
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        query
            .extend_pairs(keep)
            .append_pair("$skiptoken", &(from + size).to_string());
        body["@odata.nextLink"] = format!("{}{}?{}", call.origin(), call.path, query.finish()).into();
    }
    page::ok(&body)
}

fn organization(core: &Core) -> Answer {
    page::ok(
        &json!({"value": [{"id": core.auth.tenant_id, "displayName": "Corp Example",
        "verifiedDomains": [{"name": "corp.example", "isDefault": true, "isInitial": false}]}]}),
    )
}

fn service_principal(core: &Core, call: &Call, which: &str) -> Answer {
    if !core.may(READ_APPLICATIONS) {
        return page::denied();
    }
    let asked = format!("{} {}", decode(which), call.option("filter").unwrap_or_default());
    let own = json!({"id": SERVICE_PRINCIPAL, "appId": core.auth.client_id, "displayName": "melonsync", "appRoles": []});
    let roles: Vec<Value> = core
        .auth
        .granted()
        .map(|name| json!({"id": role_id(name), "value": name, "isEnabled": true}))
        .collect();
    let graph = json!({"id": GRAPH_PRINCIPAL, "appId": GRAPH_APP_ID, "displayName": "Microsoft Graph", "appRoles": roles});
    let found = if asked.contains(&core.auth.client_id) || asked.contains(SERVICE_PRINCIPAL) {
        own
    } else if asked.contains(GRAPH_APP_ID) || asked.contains(GRAPH_PRINCIPAL) {
        graph
    } else if asked.contains(assignments::ENTERPRISE_APP) || asked.contains(assignments::ENTERPRISE_PRINCIPAL)
    {
        core.enterprise.shown()
    } else {
        return page::not_found(which);
    };
    let found = chosen(found, call.option("select").as_deref());
    if call.option("filter").is_some() {
        page::ok(&json!({"value": [found]}))
    } else {
        page::ok(&found)
    }
}

/// Returns the properties that `$select` names, and the id.
fn chosen(mut found: Value, select: Option<&str>) -> Value {
    if let (Some(select), Some(map)) = (select, found.as_object_mut()) {
        let names: Vec<&str> = select.split(',').map(str::trim).collect();
        map.retain(|name, _| name == "id" || names.contains(&name.as_str()));
    }
    found
}

/// Answers with the app's permissions on Microsoft Graph: one item a permission
/// (serviceprincipal-list-approleassignments.md).
fn assignments(core: &Core) -> Answer {
    if !core.may(READ_APPLICATIONS) {
        return page::denied();
    }
    let items: Vec<Value> = core
        .auth
        .granted()
        .map(|name| {
            json!({"id": format!("assignment-{name}"), "appRoleId": role_id(name), "principalId": SERVICE_PRINCIPAL,
                "principalType": "ServicePrincipal", "resourceId": GRAPH_PRINCIPAL, "resourceDisplayName": "Microsoft Graph"})
        })
        .collect();
    page::ok(&json!({"value": items}))
}

/// Returns a stable id for a permission of the sample tenant (not the real one's).
fn role_id(permission: &str) -> String {
    let sum = permission.bytes().fold(0u64, |sum, byte| {
        sum.wrapping_mul(131).wrapping_add(u64::from(byte))
    });
    crate::sandbox::sample::object_id(sum, 0)
}

fn decode(segment: &str) -> String {
    let bytes = segment.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let hex = bytes
            .get(at + 1..at + 3)
            .and_then(|pair| std::str::from_utf8(pair).ok());
        match hex
            .filter(|_| bytes[at] == b'%')
            .and_then(|pair| u8::from_str_radix(pair, 16).ok())
        {
            Some(byte) => {
                out.push(byte);
                at += 3;
            }
            None => {
                out.push(bytes[at]);
                at += 1;
            }
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}
