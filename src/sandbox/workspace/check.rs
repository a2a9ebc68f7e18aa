//! Checking values against the schemas.
//!
//! Attribute names are compared without case and stored in the schema's spelling; null means unassigned (RFC 7643 section
//! 2.5); read-only values that a client sends are ignored in a resource (RFC 7644 section 3.3).

use serde_json::Map;
use serde_json::Value;
use serde_json::json;

use super::UnknownExtension;
use super::WorkspaceOptions;
use super::error::ScimError;
use super::schema::Attribute;
use super::schema::ENTRA_GROUP;
use super::schema::Kind;
use super::schema::Type;

/// Returns a resource as it will be stored: known names in their spelling, right types, without nulls and read-only
/// values.
pub(super) fn check_resource(
    kind: Type,
    body: &Value,
    options: &WorkspaceOptions,
) -> Result<Map<String, Value>, ScimError> {
    let Some(body) = body.as_object() else {
        return Err(ScimError::syntax("the body is not a JSON object"));
    };
    let mut out = Map::new();
    let mut urns = vec![kind.core().to_owned()];
    let named = body
        .get("schemas")
        .and_then(Value::as_array)
        .cloned()
        .unwrap_or_default();
    if !named.iter().any(|urn| {
        urn.as_str()
            .is_some_and(|urn| urn.eq_ignore_ascii_case(kind.core()))
    }) {
        return Err(ScimError::syntax(&format!(
            "`schemas` does not name {}",
            kind.core()
        )));
    }
    for urn in named.iter().filter_map(Value::as_str) {
        let known = urn.eq_ignore_ascii_case(kind.core())
            || urn == ENTRA_GROUP
            || kind.extension(urn, options).is_some();
        if !known && options.unknown_extension == UnknownExtension::Refuse {
            return Err(ScimError::value(&format!("schema {urn} is not registered")));
        }
    }
    for (name, value) in body.iter().filter(|(_, value)| !value.is_null()) {
        if let Some((urn, attributes)) = kind.extension(name, options) {
            let inner = check_object(attributes, value, name)?;
            if !inner.is_empty() {
                urns.push(urn.to_owned());
                out.insert(urn.to_owned(), inner.into());
            }
        } else if name.contains(':') {
            unknown_extension(name, value, &mut urns, &mut out, options)?;
        } else if let Some(attribute) = kind.attribute(name, options) {
            if !attribute.read_only && attribute.name != "schemas" {
                let checked = check_value(attribute, value, name)?;
                out.insert(attribute.name.to_owned(), checked);
            }
        } else if !options.ignore_unknown {
            return Err(ScimError::value(&format!(
                "attribute {name} is not in the schema"
            )));
        }
    }
    out.retain(|_, value| !is_empty(value));
    out.insert("schemas".into(), json!(urns));
    require(kind, &out)?;
    Ok(out)
}

fn unknown_extension(
    urn: &str,
    value: &Value,
    urns: &mut Vec<String>,
    out: &mut Map<String, Value>,
    options: &WorkspaceOptions,
) -> Result<(), ScimError> {
    match options.unknown_extension {
        UnknownExtension::Refuse => Err(ScimError::value(&format!("schema {urn} is not registered"))),
        UnknownExtension::Drop => Ok(()),
        UnknownExtension::Keep => {
            urns.push(urn.to_owned());
            out.insert(urn.to_owned(), value.clone());
            Ok(())
        }
    }
}

/// Requires the attributes without which a resource cannot exist: `userName`, and a group's `displayName`.
pub(super) fn require(kind: Type, resource: &Map<String, Value>) -> Result<(), ScimError> {
    let name = if kind == Type::User {
        "userName"
    } else {
        "displayName"
    };
    match resource.get(name).and_then(Value::as_str) {
        Some(text) if !text.trim().is_empty() => Ok(()),
        _ => Err(ScimError::value(&format!("{name} is required"))),
    }
}

fn is_empty(value: &Value) -> bool {
    value.as_array().is_some_and(Vec::is_empty) || value.as_object().is_some_and(Map::is_empty)
}

/// Returns one value of an attribute, checked and spelled as in the schema.
pub(super) fn check_value(
    attribute: &'static Attribute,
    value: &Value,
    path: &str,
) -> Result<Value, ScimError> {
    if !attribute.many {
        return check_one(attribute, value, path);
    }
    let Some(items) = value.as_array() else {
        return Err(ScimError::value(&format!("{path} must be an array")));
    };
    let mut primaries = 0;
    let mut out = Vec::with_capacity(items.len());
    for item in items {
        let item = check_one(attribute, item, path)?;
        primaries += usize::from(item.get("primary") == Some(&Value::Bool(true)));
        out.push(item);
    }
    if primaries > 1 {
        return Err(ScimError::value(&format!(
            "{path} has more than one primary value"
        )));
    }
    Ok(out.into())
}

/// Returns one element of a multi-valued attribute, or the value of a single-valued one.
pub(super) fn check_one(
    attribute: &'static Attribute,
    value: &Value,
    path: &str,
) -> Result<Value, ScimError> {
    let wrong = |wanted: &str| Err(ScimError::value(&format!("{path} must be a {wanted}")));
    match attribute.kind {
        Kind::Text | Kind::Reference if value.is_string() => Ok(value.clone()),
        Kind::Text | Kind::Reference => wrong("string"),
        Kind::Boolean if value.is_boolean() => Ok(value.clone()),
        Kind::Boolean => wrong("boolean"),
        Kind::Complex if value.is_object() => Ok(check_object(attribute.sub, value, path)?.into()),
        Kind::Complex => wrong("complex value"),
    }
}

/// Returns the attributes of a complex value or an extension.
pub(super) fn check_object(
    known: &'static [Attribute],
    value: &Value,
    path: &str,
) -> Result<Map<String, Value>, ScimError> {
    let Some(value) = value.as_object() else {
        return Err(ScimError::value(&format!("{path} must be a complex value")));
    };
    let mut out = Map::new();
    for (name, value) in value.iter().filter(|(_, value)| !value.is_null()) {
        let Some(attribute) = known.iter().find(|a| a.name.eq_ignore_ascii_case(name)) else {
            return Err(ScimError::value(&format!("{path}.{name} is not in the schema")));
        };
        if !attribute.read_only {
            out.insert(
                attribute.name.to_owned(),
                check_value(attribute, value, &format!("{path}.{name}"))?,
            );
        }
    }
    Ok(out)
}
