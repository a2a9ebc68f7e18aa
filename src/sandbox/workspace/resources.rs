//! Users and groups over HTTP: list, read, create, replace, patch, delete (RFC 7644 sections 3.3 to 3.6).

use std::collections::HashSet;

use serde_json::Map;
use serde_json::Value;
use serde_json::json;

use super::Core;
use super::WorkspaceOptions;
use super::check;
use super::error::SCIM_JSON;
use super::error::ScimError;
use super::http::location;
use super::odd;
use super::odd_create;
use super::odd_writes;
use super::patch as patch_form;
use super::place;
use super::schema::Type;
use crate::sandbox::server::Answer;
use crate::sandbox::server::Call;

/// Returns the resource as it is sent: with its location, and only the attributes that were asked for.
pub(super) fn shown(core: &Core, call: &Call, kind: Type, mut resource: Value) -> Value {
    let id = resource["id"].as_str().unwrap_or_default().to_owned();
    if let Some(location) = location(core, call, kind, &id) {
        resource["meta"]["location"] = location.into();
    }
    if core.options.odd.token_in_answers {
        resource["meta"]["debug"] = call.header("authorization").unwrap_or_default().into();
    }
    let names = |text: String| {
        text.split(',')
            .map(|name| name.trim().to_owned())
            .collect::<Vec<_>>()
    };
    let by_name = call
        .option("attributes")
        .is_some_and(|text| text.contains("members"));
    let Value::Object(map) = &mut resource else {
        return resource;
    };
    if kind == Type::Group {
        let listed = !call.is_write() && !call.path.trim_end_matches('/').ends_with(&id);
        odd::show_members(map, by_name, listed, &core.options);
    }
    if let Some(wanted) = call.option("attributes").map(names) {
        let mut out = Map::new();
        for always in ["schemas", "id"] {
            out.extend(map.get(always).map(|value| (always.to_owned(), value.clone())));
        }
        wanted
            .iter()
            .for_each(|path| copy_path(kind, path, map, &mut out, &core.options));
        *map = out;
    }
    for path in call.option("excludedAttributes").map(names).unwrap_or_default() {
        remove_path(kind, &path, map, &core.options);
    }
    resource
}

fn copy_path(
    kind: Type,
    path: &str,
    from: &Map<String, Value>,
    to: &mut Map<String, Value>,
    options: &WorkspaceOptions,
) {
    let Ok(place) = place::place(kind, path, options) else {
        return;
    };
    let Some(attribute) = place.attribute else {
        to.extend(
            place
                .urn
                .and_then(|urn| Some((urn.to_owned(), from.get(urn)?.clone()))),
        );
        return;
    };
    let holder = match place.urn {
        None => Some(from),
        Some(urn) => from.get(urn).and_then(Value::as_object),
    };
    let Some(value) = holder.and_then(|holder| holder.get(attribute.name)) else {
        return;
    };
    let value = match (place.sub, value) {
        (Some(sub), Value::Object(held)) => {
            let mut inner = to
                .get(attribute.name)
                .and_then(Value::as_object)
                .cloned()
                .unwrap_or_default();
            inner.extend(
                held.get(sub.name)
                    .map(|value| (sub.name.to_owned(), value.clone())),
            );
            inner.into()
        }
        (Some(sub), Value::Array(items)) => items
            .iter()
            .map(|item| json!({sub.name: item.get(sub.name)}))
            .collect(),
        _ => value.clone(),
    };
    match place.urn {
        None => drop(to.insert(attribute.name.to_owned(), value)),
        Some(urn) => {
            if let Value::Object(inner) = to.entry(urn).or_insert_with(|| Map::new().into()) {
                inner.insert(attribute.name.to_owned(), value);
            }
        }
    }
}

fn remove_path(kind: Type, path: &str, map: &mut Map<String, Value>, options: &WorkspaceOptions) {
    let Ok(place) = place::place(kind, path, options) else {
        return;
    };
    match (place.urn, place.attribute) {
        (Some(urn), None) => drop(map.remove(urn)),
        // `id` is always returned (RFC 7643 section 3.1).
        (None, Some(attribute)) if place.sub.is_none() && attribute.name != "id" => {
            drop(map.remove(attribute.name))
        }
        (Some(urn), Some(attribute)) => {
            map.get_mut(urn)
                .and_then(Value::as_object_mut)
                .into_iter()
                .for_each(|inner| drop(inner.remove(attribute.name)));
        }
        _ => {}
    }
}

pub(super) fn read(core: &Core, call: &Call, kind: Type, id: &str) -> Result<Answer, ScimError> {
    let shelf = if kind == Type::User {
        &core.users
    } else {
        &core.groups
    };
    let resource = shelf.get(id).cloned().ok_or_else(|| ScimError::not_found(id))?;
    if let Some(refusal) = odd::unseen(&resource, &core.options) {
        return Err(refusal);
    }
    Ok(Answer::json(200, SCIM_JSON, &shown(core, call, kind, resource)))
}

fn body(call: &Call, options: &WorkspaceOptions) -> Result<Value, ScimError> {
    let kind = call.header("content-type").unwrap_or_default();
    let scim = kind.starts_with("application/scim+json") && !options.odd.plain_json_only;
    let plain = kind.starts_with("application/json") && !options.odd.scim_json_only;
    if !scim && !plain {
        return Err(ScimError::new(415, "", &format!("no reader for {kind}")));
    }
    serde_json::from_slice(&call.body).map_err(|_| ScimError::syntax("the body is not JSON"))
}

pub(super) fn create(core: &mut Core, call: &Call, kind: Type) -> Result<Answer, ScimError> {
    let body = odd::taken(kind, body(call, &core.options)?, &core.options)?;
    if let Some(refusal) = odd::create_refused(&body, &core.options) {
        return Err(refusal);
    }
    if core.options.odd.nameless_create && kind == Type::User && body.get("userName").is_none() {
        return Ok(Answer::raw(201, SCIM_JSON, b"{}".to_vec()));
    }
    let mut resource = Value::Object(check::check_resource(kind, &body, &core.options)?);
    odd_writes::of_create(&mut resource, &core.options);
    accept(core, kind, None, &mut resource)?;
    if let Some(held) = odd_create::met(core, kind, &resource) {
        return Ok(Answer::json(200, SCIM_JSON, &shown(core, call, kind, held)));
    }
    let ignored = core.faults.ignore_write.strikes_on("POST");
    let id = odd::id_of(core, kind, &resource).unwrap_or_else(|| core.shelf(kind).next_id());
    let stored = if ignored {
        resource["id"] = id.clone().into();
        resource
    } else {
        core.shelf(kind).insert(id.clone(), resource).clone()
    };
    let mut shown = shown(core, call, kind, stored);
    if core.options.odd.create_answered_short
        && let Some(map) = shown.as_object_mut()
    {
        let names = ["schemas", "id", "externalId", "userName", "displayName", "meta"];
        map.retain(|name, _| names.contains(&name.as_str()));
    }
    let answer = if core.options.odd.create_without_body {
        Answer::empty(201)
    } else {
        Answer::json(201, SCIM_JSON, &shown)
    };
    Ok(match location(core, call, kind, &id) {
        Some(location) => answer.with("location", location),
        None => answer,
    })
}

pub(super) fn replace(core: &mut Core, call: &Call, kind: Type, id: &str) -> Result<Answer, ScimError> {
    let before = core
        .shelf(kind)
        .get(id)
        .cloned()
        .ok_or_else(|| ScimError::not_found(id))?;
    let body = odd::taken(kind, body(call, &core.options)?, &core.options)?;
    if body.get("id").is_some_and(|given| given != id) {
        return Err(ScimError::mutability("id is read-only"));
    }
    let mut resource = Value::Object(check::check_resource(kind, &body, &core.options)?);
    accept(core, kind, Some(&before), &mut resource)?;
    if !core.faults.ignore_write.strikes_on("PUT") {
        core.shelf(kind).replace(id, resource);
    }
    let id = odd::moved(core, kind, id);
    read(core, call, kind, &id)
}

pub(super) fn patch(core: &mut Core, call: &Call, kind: Type, id: &str) -> Result<Answer, ScimError> {
    if !core.options.patch_supported {
        return Err(ScimError::new(501, "", "PATCH is not supported"));
    }
    let before = core
        .shelf(kind)
        .get(id)
        .cloned()
        .ok_or_else(|| ScimError::not_found(id))?;
    let body = odd::taken(kind, body(call, &core.options)?, &core.options)?;
    let mut resource = patch_form::apply(kind, &before, &body, &core.options)?;
    accept(core, kind, Some(&before), &mut resource)?;
    if !core.faults.ignore_write.strikes_on("PATCH") {
        core.shelf(kind).replace(id, resource);
    }
    let id = odd::moved(core, kind, id);
    if core.options.patch_answers_body {
        read(core, call, kind, &id)
    } else {
        Ok(Answer::empty(204))
    }
}

pub(super) fn delete(core: &mut Core, kind: Type, id: &str) -> Result<Answer, ScimError> {
    if core.shelf(kind).get(id).is_none() {
        if core.options.odd.second_delete_500 {
            return Err(ScimError::new(500, "", "something broke"));
        }
        return Err(ScimError::not_found(id));
    }
    if !core.faults.ignore_write.strikes_on("DELETE") {
        remove(core, kind, id);
    }
    Ok(Answer::empty(204))
}

/// Deletes a resource, and removes it from all groups unless members may dangle.
pub(super) fn remove(core: &mut Core, kind: Type, id: &str) -> bool {
    let removed = core.shelf(kind).remove(id);
    if removed && !core.options.dangling_members {
        core.groups.remove_member_everywhere(id);
    }
    removed
}

/// Refuses what breaks a rule between resources, and applies the workspace's own changes to values.
fn accept(core: &Core, kind: Type, before: Option<&Value>, resource: &mut Value) -> Result<(), ScimError> {
    let options = &core.options;
    tidy(options, resource);
    if let Some(before) = before {
        odd_writes::of_change(before, resource, options);
    }
    odd_writes::join(before, resource, options);
    let id = before.and_then(|before| before["id"].as_str());
    let (shelf, naming) = match kind {
        Type::User => (&core.users, "userName"),
        Type::Group => (&core.groups, "displayName"),
    };
    let name = resource[naming].as_str().unwrap_or_default();
    let unique = kind == Type::User || options.unique_group_names;
    let taken = |other: &&Value| {
        let cased = options.odd.case_sensitive_names && kind == Type::User && other[naming] != name;
        other["id"].as_str() != id && !cased
    };
    if unique && shelf.named(name).iter().any(taken) {
        return Err(ScimError::uniqueness(&format!("{naming} is taken")));
    }
    let refused = &core.faults.refuse_user_names;
    if kind == Type::User
        && refused
            .iter()
            .any(|refused| refused.to_lowercase() == name.to_lowercase())
    {
        return Err(ScimError::value("userName is not acceptable"));
    }
    if kind == Type::Group {
        if !options.accept_unknown_members {
            members_exist(core, before, resource)?;
        }
        let name = |id: &str| Some(core.users.get(id)?["userName"].as_str()?.to_owned());
        return odd::members_refused(before, resource, &name, options).map_or(Ok(()), Err);
    }
    let was_active = before.is_some_and(|before| before["active"] != false);
    if options.deactivation_clears_roles && was_active && resource["active"] == false {
        resource
            .as_object_mut()
            .into_iter()
            .for_each(|map| drop(map.remove("roles")));
    }
    Ok(())
}

pub(super) fn member_ids(resource: &Value) -> HashSet<String> {
    let list = resource.get("members").and_then(Value::as_array);
    list.into_iter()
        .flatten()
        .filter_map(|member| Some(member.get("value")?.as_str()?.to_owned()))
        .collect()
}

fn members_exist(core: &Core, before: Option<&Value>, resource: &Value) -> Result<(), ScimError> {
    let held = before.map(member_ids).unwrap_or_default();
    for id in member_ids(resource).iter().filter(|id| !held.contains(*id)) {
        if core.users.get(id).is_none() && core.groups.get(id).is_none() {
            return Err(ScimError::value(&format!("member {id} does not exist")));
        }
    }
    Ok(())
}

/// Applies the options `trim`, `lower_case` and `drop_attributes`.
fn tidy(options: &WorkspaceOptions, resource: &mut Value) {
    if options.trim {
        trim(resource);
    }
    let Some(map) = resource.as_object_mut() else {
        return;
    };
    map.retain(|name, _| {
        !options
            .drop_attributes
            .iter()
            .any(|dropped| dropped.eq_ignore_ascii_case(name))
    });
    if options.lower_case {
        if let Some(Value::String(name)) = map.get_mut("userName") {
            *name = name.to_lowercase();
        }
        for email in map
            .get_mut("emails")
            .and_then(Value::as_array_mut)
            .into_iter()
            .flatten()
        {
            if let Some(Value::String(value)) = email.get_mut("value") {
                *value = value.to_lowercase();
            }
        }
    }
}

fn trim(value: &mut Value) {
    match value {
        Value::String(text) => *text = text.trim().to_owned(),
        Value::Array(items) => items.iter_mut().for_each(trim),
        Value::Object(map) => map.values_mut().for_each(trim),
        _ => {}
    }
}
