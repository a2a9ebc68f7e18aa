//! The odd behaviours of servers in the field that are not an option: see [`crate::sandbox::Oddities`].

use serde_json::Map;
use serde_json::Value;
use serde_json::json;

use super::Core;
use super::WorkspaceOptions;
use super::error::ScimError;
use super::odd_writes;
use super::resources::member_ids;
use super::schema::ENTERPRISE;
use super::schema::Type;
use crate::sandbox::oddities::ErrorShape;
use crate::sandbox::oddities::MemberShape;
use crate::sandbox::server::Answer;

/// Returns a part of a path, percent-decoded once.
pub(super) fn decoded(part: &str) -> String {
    let bytes = part.as_bytes();
    let (mut out, mut at) = (Vec::with_capacity(bytes.len()), 0);
    while at < bytes.len() {
        let hex = (bytes[at] == b'%').then(|| part.get(at + 1..at + 3)).flatten();
        match hex.and_then(|hex| u8::from_str_radix(hex, 16).ok()) {
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

/// Returns the id that a user of this name has where ids are made of names.
fn encoded(name: &str) -> String {
    name.bytes()
        .map(|byte| match byte {
            b'-' | b'.' | b'_' | b'~' => char::from(byte).to_string(),
            byte if byte.is_ascii_alphanumeric() => char::from(byte).to_string(),
            byte => format!("%{byte:02X}"),
        })
        .collect()
}

/// Writes a refusal in the form of this server: `status` as a text, a number or an object, in whatever shape.
pub(super) fn worded(options: &WorkspaceOptions, refusal: &ScimError) -> Answer {
    let (code, words) = (refusal.status, &refusal.detail);
    let shaped = match options.odd.error_shape {
        ErrorShape::Scim => None,
        ErrorShape::Nested => Some(json!({"error": {"code": code, "message": words}})),
        ErrorShape::Listed => Some(json!({"errors": [{"message": words}]})),
        ErrorShape::ByField => Some(json!({"Errors": {"request": [words]}})),
        ErrorShape::Array => Some(json!([words])),
        ErrorShape::Plain => return Answer::raw(code, "text/plain", words.clone().into_bytes()),
        ErrorShape::Html => {
            let page = format!("<html><body><h1>{code}</h1><p>{words}</p></body></html>");
            return Answer::raw(code, "text/html", page.into_bytes());
        }
    };
    if let Some(body) = shaped {
        return Answer::json(code, "application/json", &body);
    }
    let mut answer = refusal.answer();
    let status = match (options.odd.status_object, options.odd.status_number) {
        (true, _) => json!({"code": refusal.status.to_string()}),
        (_, true) => json!(refusal.status),
        _ => return answer,
    };
    if let Ok(mut body) = serde_json::from_slice::<Value>(&answer.body) {
        body["status"] = status;
        answer.body = body.to_string().into_bytes();
    }
    answer
}

/// Converts a body that this server accepts to the form in which the rest of the workspace works with it, or refuses
/// it.
pub(super) fn taken(kind: Type, mut body: Value, options: &WorkspaceOptions) -> Result<Value, ScimError> {
    let odd = &options.odd;
    if odd.extension_urn_refused {
        let urns = body.get("schemas").and_then(Value::as_array);
        let own = |urn: &Value| {
            urn.as_str()
                .is_some_and(|urn| urn.contains(":extension:") && urn != ENTERPRISE)
        };
        if urns.is_some_and(|urns| urns.iter().any(own)) {
            return Err(ScimError::value(
                "`schemas` names an extension that this service does not list",
            ));
        }
    }
    if odd.booleans_only_as_strings {
        booleans(&mut body, "")?;
    }
    if odd.manager_only_as_string && kind == Type::User {
        managers(&mut body, "")?;
    }
    if odd.member_shape != MemberShape::Value
        && let Some(Value::Array(members)) = body.get_mut("members")
    {
        unshaped(members);
    }
    Ok(body)
}

/// Refuses creates as this server does.
pub(super) fn create_refused(body: &Value, options: &WorkspaceOptions) -> Option<ScimError> {
    let given = |name: &&String| body.get(name.as_str()).is_some_and(|value| !value.is_null());
    let name = options.odd.refused_in_create.iter().find(given)?;
    Some(ScimError::value(&format!("{name} is not welcome here")))
}

/// Refuses a change of members as this server does, by the names of the members.
pub(super) fn members_refused(
    before: Option<&Value>,
    after: &Value,
    name: &dyn Fn(&str) -> Option<String>,
    options: &WorkspaceOptions,
) -> Option<ScimError> {
    let odd = &options.odd;
    if odd.refused_members.is_empty() && odd.kept_members.is_empty() {
        return None;
    }
    let (before, after) = (before.map(member_ids).unwrap_or_default(), member_ids(after));
    let among = |id: &String, names: &[String]| name(id).is_some_and(|name| names.contains(&name));
    let refused = after
        .difference(&before)
        .any(|id| among(id, &odd.refused_members))
        || before.difference(&after).any(|id| among(id, &odd.kept_members));
    let status = odd.members_refused_with.unwrap_or(400);
    refused.then(|| ScimError::new(status, "", "somebody here is not welcome"))
}

/// Answers for a user that the asked replica does not know yet.
pub(super) fn unseen(resource: &Value, options: &WorkspaceOptions) -> Option<ScimError> {
    let (odd, name) = (&options.odd, resource["userName"].as_str()?);
    let unseen = odd.unseen_users.iter().any(|unseen| unseen == name);
    unseen.then(|| ScimError::new(odd.unseen_with.unwrap_or(404), "", "nothing is seen here"))
}

/// Converts members in whatever shape they are shown to the RFC's.
fn unshaped(members: &mut Vec<Value>) {
    for member in members.iter_mut() {
        let id = match &*member {
            Value::String(id) => Some(id.as_str()),
            one => one["value"].as_str().or_else(|| one["id"].as_str()),
        };
        let referred = || member["$ref"].as_str()?.rsplit('/').next();
        if let Some(id) = id.or_else(referred) {
            *member = json!({"value": id});
        }
    }
    let mut seen = std::collections::HashSet::new();
    members.retain(|member| seen.insert(member.to_string()));
}

/// Converts texts at the places of booleans to booleans, and refuses booleans.
fn booleans(value: &mut Value, name: &str) -> Result<(), ScimError> {
    match value {
        Value::Bool(_) => return Err(ScimError::value(&format!("{name} must be a string"))),
        Value::String(text) if name == "active" || name == "primary" => {
            *value = text.eq_ignore_ascii_case("true").into();
        }
        Value::Array(items) => items.iter_mut().try_for_each(|item| booleans(item, name))?,
        Value::Object(map) => {
            let path = map.get("path").and_then(Value::as_str).map(str::to_owned);
            for (key, value) in map.iter_mut() {
                let name = match (&path, key.as_str()) {
                    (Some(path), "value") => path.rsplit('.').next().unwrap_or_default(),
                    (_, key) => key,
                };
                booleans(value, name)?;
            }
        }
        _ => {}
    }
    Ok(())
}

/// Converts a bare id at the place of a manager to the RFC's object, and refuses the object.
fn managers(value: &mut Value, name: &str) -> Result<(), ScimError> {
    let is_manager = name == "manager" || name.ends_with(":manager");
    match value {
        Value::Object(_) if is_manager => return Err(ScimError::value("manager must be a string")),
        Value::String(id) if is_manager && id.is_empty() => *value = Value::Null,
        Value::String(id) if is_manager => *value = json!({"value": id}),
        Value::Array(items) => items.iter_mut().try_for_each(|item| managers(item, ""))?,
        Value::Object(map) => {
            let path = map.get("path").and_then(Value::as_str).map(str::to_owned);
            for (key, value) in map.iter_mut() {
                let name = match (&path, key.as_str()) {
                    (Some(path), "value") => path,
                    (_, key) => key,
                };
                managers(value, name)?;
            }
        }
        _ => {}
    }
    Ok(())
}

/// Refuses a PATCH as a whole as this server does.
pub(super) fn patch_refused(operations: &[Value], options: &WorkspaceOptions) -> Option<ScimError> {
    let odd = &options.odd;
    let of_members = |operation: &&Value| {
        operation["path"]
            .as_str()
            .is_some_and(|path| path.starts_with("members"))
    };
    let members: usize = operations
        .iter()
        .filter(of_members)
        .map(|operation| operation["value"].as_array().map_or(1, |list| list.len().max(1)))
        .sum();
    if odd.most_members_in_patch.is_some_and(|most| members > most) {
        return Some(ScimError::new(413, "tooLarge", "too many members"));
    }
    operations
        .iter()
        .find_map(|operation| operation_refused(operation, options))
}

fn operation_refused(operation: &Value, options: &WorkspaceOptions) -> Option<ScimError> {
    let odd = &options.odd;
    let (op, path) = (
        operation["op"].as_str().unwrap_or_default(),
        operation["path"].as_str(),
    );
    if odd.capital_ops_only && !op.starts_with(|first: char| first.is_ascii_uppercase()) {
        return Some(ScimError::syntax("`op` must be Add, Replace or Remove"));
    }
    if odd.pathless_refused && path.is_none() {
        return Some(ScimError::new(400, "noTarget", "an operation needs a path"));
    }
    let of_members = path.is_some_and(|path| path.starts_with("members"));
    if odd.remove_refused && op.eq_ignore_ascii_case("remove") && !of_members {
        return Some(ScimError::value("remove is not supported"));
    }
    if odd.null_refused && op.eq_ignore_ascii_case("replace") && operation["value"].is_null() {
        return Some(ScimError::value("null is no value"));
    }
    let immutable = |path: &str| {
        let mut paths = odd.immutable_attributes.iter();
        paths.any(|known| known.eq_ignore_ascii_case(path))
    };
    if let Some(path) = path.filter(|path| immutable(path)) {
        return Some(if odd.unnamed_refusals {
            ScimError::syntax("the request cannot be carried out")
        } else {
            ScimError::new(400, "mutability", &format!("{path} is immutable"))
        });
    }
    if path.is_some_and(|path| odd_writes::breaks(path, options)) {
        return Some(ScimError::new(500, "", "something broke"));
    }
    let whole =
        op.eq_ignore_ascii_case("add") && path.is_some_and(|path| path != "members" && !path.contains('['));
    if odd.whole_element_refused && whole && operation["value"].is_array() {
        return Some(ScimError::value("one value at a time"));
    }
    None
}

/// Handles an operation that this server treats in a way of its own. Returns true where it did.
pub(super) fn swallowed(
    copy: &mut Value,
    verb: &str,
    path: &str,
    value: Option<&Value>,
    options: &WorkspaceOptions,
) -> bool {
    let odd = &options.odd;
    let removes = verb == "remove";
    let by_filter = removes && path.starts_with("members[");
    if by_filter && odd.path_removal_removes_all {
        copy.as_object_mut()
            .into_iter()
            .for_each(|map| drop(map.remove("members")));
        return true;
    }
    if verb == "add" && path == "members" && odd.add_replaces_members {
        copy["members"] = value.cloned().unwrap_or_default();
        return true;
    }
    let of_extension = path.contains(":extension:") && !path.starts_with(ENTERPRISE);
    let silent = (of_extension && odd.extension_dropped)
        || (by_filter && odd.silent_path_removal)
        || (by_filter && path.contains(" or ") && odd.silent_or_removal)
        || (removes && path == "members" && value.is_none() && odd.silent_removal_of_all)
        || (path == "active" && odd.silent_active)
        || odd_writes::is_silent(path, options);
    let sub = !path.contains(['[', ':']) && path.contains('.');
    if (sub && odd.literal_sub_attribute) || (of_extension && odd.literal_extension) {
        match value {
            Some(value) => copy[path] = value.clone(),
            None => copy
                .as_object_mut()
                .into_iter()
                .for_each(|map| drop(map.remove(path))),
        }
        return true;
    }
    silent
}

/// Returns a new element at a path that selects it, where this server creates one: `phoneNumbers[type eq
/// "mobile"].value`.
pub(super) fn made_element(
    attribute: &str,
    path: &str,
    value: Option<&Value>,
    options: &WorkspaceOptions,
) -> Option<(String, Value)> {
    if !options.odd.whole_element_refused {
        return None;
    }
    let (_, rest) = path.split_once('[')?;
    let (selector, sub) = rest.split_once("].")?;
    let (name, wanted) = selector.split_once(" eq ")?;
    let wanted: Value = serde_json::from_str(wanted).ok()?;
    Some((attribute.to_owned(), json!({name: wanted, sub: value?})))
}

/// Reduces the members of a group to those that this server shows, which may be fewer than it holds.
pub(super) fn show_members(
    group: &mut Map<String, Value>,
    by_name: bool,
    listed: bool,
    options: &WorkspaceOptions,
) {
    let odd = &options.odd;
    if odd.members_shown_empty {
        group.insert("members".to_owned(), json!([]));
    }
    let unasked = odd.members_by_name_only && !by_name;
    if odd.members_omitted || unasked || (odd.members_not_listed && listed) {
        group.remove("members");
    }
    let Some(Value::Array(members)) = group.get_mut("members") else {
        return;
    };
    members.truncate(odd.most_members_shown.unwrap_or(usize::MAX));
    let shape = |member: &Value| match odd.member_shape {
        MemberShape::Value | MemberShape::Twice => member.clone(),
        MemberShape::Bare => member["value"].clone(),
        MemberShape::Id => json!({"id": member["value"]}),
        MemberShape::Reference => {
            let id = member["value"].as_str().unwrap_or_default();
            json!({"$ref": format!("https://workspace.example/Users/{id}")})
        }
    };
    let times = if odd.member_shape == MemberShape::Twice {
        2
    } else {
        1
    };
    *members = members
        .iter()
        .flat_map(|member| std::iter::repeat_n(shape(member), times))
        .collect();
}

/// Returns the id under which a user of this name is stored, where ids are made of names.
pub(super) fn id_of(core: &Core, kind: Type, resource: &Value) -> Option<String> {
    if core.options.odd.ids_of_dots && kind == Type::User {
        return Some("..".to_owned());
    }
    let named = core.options.odd.ids_from_names && kind == Type::User;
    named.then(|| encoded(resource["userName"].as_str().unwrap_or_default()))
}

/// Moves a user whose name changed, where ids are made of names; the references to it follow. Returns its id
/// afterwards.
pub(super) fn moved(core: &mut Core, kind: Type, id: &str) -> String {
    let Some(now) = core
        .shelf(kind)
        .get(id)
        .cloned()
        .and_then(|user| id_of(core, kind, &user))
    else {
        return id.to_owned();
    };
    if now == id {
        return now;
    }
    core.users.rename(id, &now);
    let (users, groups) = (core.users.ids(), core.groups.ids());
    for user in users {
        if core
            .users
            .get(&user)
            .is_some_and(|user| user[ENTERPRISE]["manager"]["value"] == id)
        {
            let mut changed = core.users.get(&user).cloned().unwrap_or_default();
            changed[ENTERPRISE]["manager"]["value"] = now.clone().into();
            core.users.replace(&user, changed);
        }
    }
    for group in groups {
        let mut changed = core.groups.get(&group).cloned().unwrap_or_default();
        let members = changed.get_mut("members").and_then(Value::as_array_mut);
        let mut hit = false;
        for member in members
            .into_iter()
            .flatten()
            .filter(|member| member["value"] == id)
        {
            member["value"] = now.clone().into();
            hit = true;
        }
        if hit {
            core.groups.replace(&group, changed);
        }
    }
    now
}
