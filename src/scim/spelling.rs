//! The spelling of values in a dialect.

use serde_json::Value as Json;

use super::dialect::Booleans;
use super::dialect::Dialect;
use super::dialect::ManagerForm;
use super::path::ENTERPRISE_USER;
use super::path::key_of;
use super::resource::field;

/// Writes the values of a body in a dialect.
pub(super) fn in_values(body: &mut Json, dialect: &Dialect) {
    if dialect.booleans == Booleans::String {
        write_booleans(body);
    }
    if dialect.manager == ManagerForm::String {
        let extension = body.as_object_mut().and_then(|map| {
            let key = key_of(map, ENTERPRISE_USER)?;
            map.get_mut(&key)?.as_object_mut()
        });
        if let Some(extension) = extension
            && let Some(key) = key_of(extension, "manager")
            && let Some(id) = extension[&key]
                .as_object()
                .and_then(|manager| field(manager, "value"))
                .cloned()
        {
            extension.insert(key, id);
        }
    }
}

/// Writes every boolean as a text.
pub(super) fn write_booleans(value: &mut Json) {
    match value {
        Json::Bool(truth) => *value = if *truth { "True" } else { "False" }.into(),
        Json::Array(items) => items.iter_mut().for_each(write_booleans),
        Json::Object(map) => map.values_mut().for_each(write_booleans),
        _ => {}
    }
}
