//! The same [`Patch`] carried out on a resource's JSON, for targets that are changed by PUT. Pure.
//!
//! Everything that the patch does not name stays, unknown extensions and server attributes included: a PUT clears what
//! it omits (RFC 7644 section 3.5.1). Names are compared without case (RFC 7643 section 2.1).

use std::collections::BTreeSet;

use serde_json::Map;
use serde_json::Value as Json;
use serde_json::json;

use super::dialect::Dialect;
use super::patch::put_into_element;
use super::path::key_of;
use super::path::{PathError, TargetPath};
use crate::model::id::TargetId;
use crate::ports::Patch;
use crate::ports::Resource;
use crate::reconcile::operation::MEMBERS;
use crate::reconcile::shown_members::Member;
use crate::reconcile::shown_members::member_in;

/// The outcome of a PUT.
pub(super) enum Put {
    /// It was sent, and answered well.
    Sent(Option<Resource>),
    /// It was not sent: the group's members were not read whole.
    NotWhole,
}

/// Changes a resource into what it must be after the patch.
///
/// # Errors
/// When a path cannot be written.
pub fn apply_to_resource(body: &mut Json, patch: &Patch, dialect: &Dialect) -> Result<(), PathError> {
    let Json::Object(resource) = body else {
        return Ok(());
    };
    for change in &patch.changes {
        let path = TargetPath::parse(&change.attribute)?;
        let value = (!change.after.is_unassigned()).then(|| dialect.value_at(&path, &change.after));
        apply(resource, &path, value);
        if let (Some(urn), true) = (&path.urn, dialect.extension_urn_in_schemas) {
            list_schema(resource, urn);
        }
    }
    if !patch.add_members.is_empty() || !patch.remove_members.is_empty() {
        change_members(resource, patch);
    }
    Ok(())
}

fn apply(resource: &mut Map<String, Json>, path: &TargetPath, value: Option<Json>) {
    let holder = match &path.urn {
        // The URN of the core schema may stand before a core attribute (RFC 7644 section 3.10).
        Some(urn) if !urn.to_ascii_lowercase().contains(":schemas:core:") => {
            if value.is_none() && key_of(resource, urn).is_none() {
                return;
            }
            object_at(resource, urn)
        }
        _ => resource,
    };
    if path.selects_element() {
        apply_to_element(holder, path, value);
    } else if let Some(sub) = &path.sub {
        if value.is_some() || key_of(holder, &path.name).is_some() {
            set_within(holder, &path.name, sub, value);
        }
    } else {
        set(holder, &path.name, value);
    }
}

/// Sets a sub-attribute: in every element of a list (RFC 7644 section 3.5.2.3), and beside a bare value.
fn set_within(holder: &mut Map<String, Json>, name: &str, sub: &str, value: Option<Json>) {
    let key = key_of(holder, name).unwrap_or_else(|| name.to_owned());
    let Some(Json::Array(elements)) = holder.get_mut(&key).filter(|held| is_filled_list(held)) else {
        return set(object_at(holder, name), sub, value);
    };
    for element in elements.iter_mut().filter_map(Json::as_object_mut) {
        set(element, sub, value.clone());
    }
}

fn is_filled_list(held: &Json) -> bool {
    held.as_array()
        .is_some_and(|elements| elements.iter().any(Json::is_object))
}

fn apply_to_element(holder: &mut Map<String, Json>, path: &TargetPath, value: Option<Json>) {
    let key = key_of(holder, &path.name).unwrap_or_else(|| path.name.clone());
    // A single element may stand without its list. It is kept, and written back in the same form while it is the only
    // one.
    let (mut elements, single) = match holder.remove(&key) {
        Some(Json::Array(elements)) => (elements, false),
        None | Some(Json::Null) => (Vec::new(), false),
        Some(one) => (vec![one], true),
    };
    change_element(&mut elements, path, value);
    if !single || elements.len() > 1 {
        holder.insert(key, Json::Array(elements));
    } else if let Some(one) = elements.pop() {
        holder.insert(key, one);
    }
}

fn change_element(elements: &mut Vec<Json>, path: &TargetPath, value: Option<Json>) {
    let place = elements.iter().position(|element| selected(element, path));
    match (place, value) {
        (Some(place), Some(value)) => {
            if let Json::Object(element) = &mut elements[place] {
                let sub = path.sub.as_deref().and_then(|sub| key_of(element, sub));
                put_into_element(
                    element,
                    &TargetPath {
                        sub: sub.or_else(|| path.sub.clone()),
                        ..path.clone()
                    },
                    value,
                );
            }
        }
        (None, Some(value)) => {
            let mut element = path.new_element();
            put_into_element(&mut element, path, value);
            elements.push(Json::Object(element));
        }
        (Some(place), None) => {
            if let (Json::Object(element), Some(sub)) = (&mut elements[place], &path.sub) {
                set(element, sub, None);
            }
            if path.sub.is_none() || is_bare(&elements[place], path) {
                elements.remove(place);
            }
        }
        (None, None) => {}
    }
}

/// Returns true when nothing is left but what selects the element (and `primary`, which means nothing alone).
fn is_bare(element: &Json, path: &TargetPath) -> bool {
    element.as_object().is_some_and(|fields| {
        fields.keys().all(|key| {
            key.eq_ignore_ascii_case("primary")
                || path
                    .selector
                    .iter()
                    .any(|(name, _)| name.eq_ignore_ascii_case(key))
        })
    })
}

fn selected(element: &Json, path: &TargetPath) -> bool {
    let Json::Object(fields) = element else {
        return false;
    };
    path.selector.iter().all(|(name, wanted)| {
        let found = key_of(fields, name).and_then(|key| fields.get(&key));
        match (found, wanted) {
            (Some(Json::String(a)), Json::String(b)) => a.eq_ignore_ascii_case(b),
            (Some(Json::String(a)), Json::Bool(b)) => {
                a.eq_ignore_ascii_case(if *b { "true" } else { "false" })
            }
            (Some(a), b) => a == b,
            (None, _) => false,
        }
    })
}

/// Changes members in whatever shape they come; new members are written in the shape of the existing ones.
fn change_members(resource: &mut Map<String, Json>, patch: &Patch) {
    let gone: BTreeSet<&TargetId> = patch.remove_members.iter().collect();
    let key = key_of(resource, MEMBERS).unwrap_or_else(|| MEMBERS.to_owned());
    let mut members = match resource.remove(&key) {
        Some(Json::Array(members)) => members,
        None | Some(Json::Null) => Vec::new(),
        Some(one) => vec![one],
    };
    let id_of = |member: &Json| match member_in(member) {
        Some(Member::User(id)) => Some(id),
        Some(Member::Group) | None => None,
    };
    let shape = members.iter().find(|member| id_of(member).is_some()).cloned();
    members.retain(|member| id_of(member).is_none_or(|id| !gone.contains(&id)));
    let mut present: BTreeSet<TargetId> = members.iter().filter_map(id_of).collect();
    for id in &patch.add_members {
        if present.insert(id.clone()) {
            members.push(like(shape.as_ref(), id));
        }
    }
    resource.insert(key, Json::Array(members));
}

/// Builds a member in the shape of another one.
fn like(shape: Option<&Json>, id: &TargetId) -> Json {
    let number = |shape: &Json| {
        shape
            .is_number()
            .then(|| serde_json::from_str(id.as_str()).ok())
            .flatten()
    };
    let plain = |shape: &Json| number(shape).unwrap_or_else(|| id.as_str().into());
    match shape {
        Some(Json::Object(other)) => match ["value", "id"].iter().find_map(|name| key_of(other, name)) {
            Some(key) => {
                let value = plain(&other[&key]);
                json!({key: value})
            }
            None => json!({"value": id.as_str()}),
        },
        Some(other) => plain(other),
        None => json!({"value": id.as_str()}),
    }
}

fn list_schema(resource: &mut Map<String, Json>, urn: &str) {
    if key_of(resource, urn).is_none() {
        return;
    }
    if let Some(Json::Array(schemas)) = resource.get_mut("schemas") {
        let listed = schemas
            .iter()
            .filter_map(Json::as_str)
            .any(|schema| schema.eq_ignore_ascii_case(urn));
        if !listed {
            schemas.push(urn.into());
        }
    }
}

fn object_at<'a>(map: &'a mut Map<String, Json>, name: &str) -> &'a mut Map<String, Json> {
    let key = key_of(map, name).unwrap_or_else(|| name.to_owned());
    let slot = map.entry(key).or_insert_with(|| Json::Object(Map::new()));
    if !slot.is_object() {
        // A bare value is the `value` of what it becomes (RFC 7643 section 2.4).
        *slot = match slot.take() {
            Json::Null | Json::Array(_) | Json::Object(_) => json!({}),
            bare => json!({"value": bare}),
        };
    }
    slot.as_object_mut().expect("it was made an object just above")
}

fn set(map: &mut Map<String, Json>, name: &str, value: Option<Json>) {
    let key = key_of(map, name).unwrap_or_else(|| name.to_owned());
    match value {
        Some(value) => {
            map.insert(key, value);
        }
        None => {
            map.remove(&key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::value::Value;
    use crate::reconcile::operation::Change;

    const ENTERPRISE: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";

    fn applied(before: Json, changes: &[(&str, Value)]) -> Json {
        let changes = changes
            .iter()
            .map(|(path, after)| Change {
                attribute: (*path).into(),
                before: Value::Null,
                after: after.clone(),
            })
            .collect();
        let patch = Patch {
            changes,
            held: Default::default(),
            add_members: vec![],
            remove_members: vec![],
            members_before: Default::default(),
        };
        let mut body = before;
        apply_to_resource(&mut body, &patch, &Dialect::default()).unwrap();
        body
    }

    #[test]
    fn what_the_patch_does_not_name_stays() {
        let before = json!({"id": "1", "schemas": ["urn:core"], "meta": {"version": "x"}, "UserName": "a",
            "name": {"givenName": "A", "familyName": "B"}, "urn:other:2.0:User": {"x": 1},
            "emails": [{"type": "Work", "value": "a@x", "primary": true}, {"type": "home", "value": "h@x"}]});
        let after = applied(
            before,
            &[
                ("userName", "b".into()),
                ("name.givenName", Value::Null),
                ("emails[type eq \"work\"].value", "b@x".into()),
                ("phoneNumbers[type eq \"fax\"].value", "1".into()),
                (&format!("{ENTERPRISE}:manager"), "m-1".into()),
            ],
        );
        assert_eq!(
            after,
            json!({"id": "1", "schemas": ["urn:core", ENTERPRISE], "meta": {"version": "x"}, "UserName": "b",
                "name": {"familyName": "B"}, "urn:other:2.0:User": {"x": 1},
                "emails": [{"type": "Work", "value": "b@x", "primary": true}, {"type": "home", "value": "h@x"}],
                "phoneNumbers": [{"type": "fax", "value": "1"}], ENTERPRISE: {"manager": {"value": "m-1"}}})
        );
    }

    #[test]
    fn the_last_value_of_an_element_takes_the_element_with_it() {
        let before = json!({"addresses": [{"type": "work", "locality": "X", "region": "Y"}]});
        let path = |sub: &str| format!("addresses[type eq \"work\"].{sub}");
        let one = applied(before.clone(), &[(&path("locality"), Value::Null)]);
        assert_eq!(one, json!({"addresses": [{"type": "work", "region": "Y"}]}));
        let both = applied(
            before,
            &[(&path("locality"), Value::Null), (&path("region"), Value::Null)],
        );
        assert_eq!(both, json!({"addresses": []}));
    }

    #[test]
    fn what_stands_without_its_list_is_kept() {
        let work = "emails[type eq \"work\"].value";
        let home = json!({"type": "home", "value": "h@x"});
        let set = |value: &str| Value::text(value);
        for (name, before, path, value, after) in [
            (
                "another element joins it",
                json!({"emails": home}),
                work,
                set("w@x"),
                json!({"emails": [home, {"type": "work", "value": "w@x"}]}),
            ),
            (
                "it is changed where it stands",
                json!({"Emails": {"type": "work", "value": "old", "display": "W"}}),
                work,
                set("w@x"),
                json!({"Emails": {"type": "work", "value": "w@x", "display": "W"}}),
            ),
            (
                "another one goes",
                json!({"emails": home}),
                work,
                Value::Null,
                json!({"emails": home}),
            ),
            (
                "it goes",
                json!({"emails": {"type": "work", "value": "w@x"}}),
                work,
                Value::Null,
                json!({}),
            ),
            (
                "a bare value",
                json!({"emails": "h@x"}),
                work,
                set("w@x"),
                json!({"emails": ["h@x", {"type": "work", "value": "w@x"}]}),
            ),
            (
                "each element of a list",
                json!({"addresses": [{"type": "work", "region": "Y"}, {"type": "home"}]}),
                "addresses.region",
                set("Z"),
                json!({"addresses": [{"type": "work", "region": "Z"}, {"type": "home", "region": "Z"}]}),
            ),
            (
                "a value that stands bare",
                json!({"name": "Ada"}),
                "name.givenName",
                set("Ada"),
                json!({"name": {"value": "Ada", "givenName": "Ada"}}),
            ),
        ] {
            assert_eq!(applied(before, &[(path, value)]), after, "{name}");
        }
    }

    #[test]
    fn members_are_a_set() {
        let id = |text: &str| TargetId::new(text).unwrap();
        let patch = Patch {
            changes: vec![],
            held: Default::default(),
            add_members: vec![id("a"), id("c"), id("c")],
            remove_members: vec![id("b")],
            members_before: Default::default(),
        };
        let mut body = json!({"members": [{"value": "a", "display": "A"}, {"value": "b"}]});
        apply_to_resource(&mut body, &patch, &Dialect::default()).unwrap();
        assert_eq!(
            body,
            json!({"members": [{"value": "a", "display": "A"}, {"value": "c"}]})
        );
    }
    #[test]
    fn who_joins_is_written_in_the_shape_of_those_that_are_there() {
        let id = |text: &str| TargetId::new(text).unwrap();
        for (before, after) in [
            (json!(["1", "2"]), json!(["1", "3"])),
            (json!([1, 2]), json!([1, 3])),
            (
                json!([{"value": 1}, {"value": 2}]),
                json!([{"value": 1}, {"value": 3}]),
            ),
            (
                json!([{"id": "1", "display": "A"}, {"id": "2"}]),
                json!([{"id": "1", "display": "A"}, {"id": "3"}]),
            ),
            (
                json!([{"type": "Group", "value": "2"}]),
                json!([{"type": "Group", "value": "2"}, {"value": "3"}]),
            ),
            (json!({"value": "1"}), json!([{"value": "1"}, {"value": "3"}])),
            (Json::Null, json!([{"value": "3"}])),
        ] {
            let patch = Patch {
                changes: vec![],
                held: Default::default(),
                add_members: vec![id("3")],
                remove_members: vec![id("2")],
                members_before: Default::default(),
            };
            let mut body = json!({"members": before});
            apply_to_resource(&mut body, &patch, &Dialect::default()).unwrap();
            assert_eq!(body, json!({"members": after}));
        }
    }
}
