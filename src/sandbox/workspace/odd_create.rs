//! Creates that meet an existing resource: see [`crate::sandbox::Oddities::create_meets`].

use serde_json::Value;

use super::Core;
use super::schema::Type;

/// Returns the resource that a create meets, with the values that were sent.
pub(super) fn met(core: &mut Core, kind: Type, sent: &Value) -> Option<Value> {
    if !core.options.odd.create_meets {
        return None;
    }
    let name = if kind == Type::User {
        "userName"
    } else {
        "displayName"
    };
    let letters = |value: &Value| -> String {
        let text = value[name].as_str().unwrap_or_default().to_lowercase();
        text.chars().filter(|char| char.is_alphanumeric()).collect()
    };
    let wanted = letters(sent);
    let mut held = core
        .shelf(kind)
        .all()
        .find(|held| letters(held) == wanted)?
        .clone();
    let id = held["id"].as_str()?.to_owned();
    let mut members = held["members"].as_array().cloned().unwrap_or_default();
    members.extend(sent["members"].as_array().cloned().unwrap_or_default());
    for (key, value) in sent.as_object()? {
        if key != name && key != "id" {
            held[key] = value.clone();
        }
    }
    if !members.is_empty() {
        held["members"] = Value::Array(members);
    }
    core.shelf(kind).replace(&id, held.clone());
    Some(held)
}
