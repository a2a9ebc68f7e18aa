//! The schemas of the sample workspace (RFC 7643 sections 4 and 7, and IDmelon's extension), and checking values against them.
//!
//! Attribute names are compared without case and stored in the schema's spelling; null means unassigned (RFC 7643 section
//! 2.5); read-only values that a client sends are ignored in a resource (RFC 7644 section 3.3).

use serde_json::Map;
use serde_json::Value;
use serde_json::json;

use super::UnknownExtension;
use super::WorkspaceOptions;
use super::error::ScimError;

pub(super) const USER: &str = "urn:ietf:params:scim:schemas:core:2.0:User";
pub(super) const GROUP: &str = "urn:ietf:params:scim:schemas:core:2.0:Group";
pub(super) const ENTERPRISE: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";
pub(super) const IDMELON: &str = "urn:ietf:params:scim:schemas:extension:IDmelon:2.0:User";
/// Entra's groups name it too; it adds no attribute.
const ENTRA_GROUP: &str = "http://schemas.microsoft.com/2006/11/ResourceManagement/ADSCIM/2.0/Group";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Text,
    Boolean,
    Complex,
    Reference,
}

#[derive(Debug)]
pub(super) struct Attribute {
    pub name: &'static str,
    pub kind: Kind,
    pub many: bool,
    pub case_exact: bool,
    pub read_only: bool,
    pub required: bool,
    pub sub: &'static [Attribute],
}

const fn text(name: &'static str) -> Attribute {
    Attribute {
        name,
        kind: Kind::Text,
        many: false,
        case_exact: false,
        read_only: false,
        required: false,
        sub: &[],
    }
}

const fn exact(name: &'static str) -> Attribute {
    Attribute {
        case_exact: true,
        ..text(name)
    }
}

const fn flag(name: &'static str) -> Attribute {
    Attribute {
        kind: Kind::Boolean,
        ..text(name)
    }
}

const fn complex(name: &'static str, sub: &'static [Attribute]) -> Attribute {
    Attribute {
        kind: Kind::Complex,
        sub,
        ..text(name)
    }
}

const fn many(name: &'static str, sub: &'static [Attribute]) -> Attribute {
    Attribute {
        many: true,
        ..complex(name, sub)
    }
}

const VALUE: &[Attribute] = &[text("value"), text("display"), text("type"), flag("primary")];
const ADDRESS: &[Attribute] = &[
    text("formatted"),
    text("streetAddress"),
    text("locality"),
    text("region"),
    text("postalCode"),
    text("country"),
    text("type"),
    flag("primary"),
];
const NAME: &[Attribute] = &[
    text("formatted"),
    text("familyName"),
    text("givenName"),
    text("middleName"),
    text("honorificPrefix"),
    text("honorificSuffix"),
];
const REFERENCE: &[Attribute] = &[
    exact("value"),
    Attribute {
        kind: Kind::Reference,
        ..exact("$ref")
    },
    text("display"),
    text("type"),
];
const MANAGER: &[Attribute] = &[
    exact("value"),
    Attribute {
        kind: Kind::Reference,
        ..exact("$ref")
    },
    Attribute {
        read_only: true,
        ..text("displayName")
    },
];

/// `id`, `meta`, `schemas` and `externalId` (RFC 7643 section 3.1).
pub(super) const COMMON: &[Attribute] = &[
    Attribute {
        read_only: true,
        ..exact("id")
    },
    Attribute {
        read_only: true,
        ..complex(
            "meta",
            &[exact("resourceType"), exact("created"), exact("lastModified")],
        )
    },
    Attribute {
        many: true,
        ..exact("schemas")
    },
    exact("externalId"),
];

const USER_ATTRIBUTES: &[Attribute] = &[
    Attribute {
        required: true,
        ..text("userName")
    },
    complex("name", NAME),
    text("displayName"),
    text("nickName"),
    Attribute {
        kind: Kind::Reference,
        ..exact("profileUrl")
    },
    text("title"),
    text("userType"),
    text("preferredLanguage"),
    text("locale"),
    text("timezone"),
    flag("active"),
    many("emails", VALUE),
    many("phoneNumbers", VALUE),
    many("ims", VALUE),
    many("photos", VALUE),
    many("addresses", ADDRESS),
    many("entitlements", VALUE),
    many("roles", VALUE),
    Attribute {
        read_only: true,
        ..many("groups", REFERENCE)
    },
];
const ENTERPRISE_ATTRIBUTES: &[Attribute] = &[
    text("employeeNumber"),
    text("costCenter"),
    text("organization"),
    text("division"),
    text("department"),
    complex("manager", MANAGER),
];
const IDMELON_ATTRIBUTES: &[Attribute] = &[
    exact("immutable_id"),
    text("extraAttribute1"),
    text("extraAttribute2"),
    text("extraAttribute3"),
    text("extraAttribute4"),
    text("extraAttribute5"),
];
const GROUP_ATTRIBUTES: &[Attribute] = &[
    Attribute {
        required: true,
        ..text("displayName")
    },
    text("description"),
    many("members", REFERENCE),
];

/// Users or groups.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Type {
    User,
    Group,
}

impl Type {
    pub fn name(self) -> &'static str {
        if self == Type::User { "User" } else { "Group" }
    }

    pub fn endpoint(self) -> &'static str {
        if self == Type::User { "Users" } else { "Groups" }
    }

    pub fn core(self) -> &'static str {
        if self == Type::User { USER } else { GROUP }
    }

    /// A core or common attribute by name.
    pub fn attribute(self, name: &str, options: &WorkspaceOptions) -> Option<&'static Attribute> {
        let own = if self == Type::User {
            USER_ATTRIBUTES
        } else {
            GROUP_ATTRIBUTES
        };
        let hidden =
            self == Type::Group && !options.group_description && name.eq_ignore_ascii_case("description");
        own.iter()
            .chain(COMMON)
            .find(|a| a.name.eq_ignore_ascii_case(name))
            .filter(|_| !hidden)
    }

    /// The registered extensions with their attributes.
    pub fn extensions(self, options: &WorkspaceOptions) -> Vec<(&'static str, &'static [Attribute])> {
        match self {
            Type::Group => vec![],
            Type::User if options.idmelon_extension => {
                vec![(ENTERPRISE, ENTERPRISE_ATTRIBUTES), (IDMELON, IDMELON_ATTRIBUTES)]
            }
            Type::User => vec![(ENTERPRISE, ENTERPRISE_ATTRIBUTES)],
        }
    }

    pub fn extension(
        self,
        urn: &str,
        options: &WorkspaceOptions,
    ) -> Option<(&'static str, &'static [Attribute])> {
        self.extensions(options)
            .into_iter()
            .find(|(known, _)| known.eq_ignore_ascii_case(urn))
    }
}

pub(super) fn find_sub(attribute: &'static Attribute, name: &str) -> Option<&'static Attribute> {
    attribute
        .sub
        .iter()
        .find(|sub| sub.name.eq_ignore_ascii_case(name))
}

/// A resource as it will be stored: known names in their spelling, right types, without nulls and read-only values.
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

/// The attributes without which a resource cannot be: `userName`, and a group's `displayName`.
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

/// One value of an attribute, checked and spelled as the schema has it.
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

/// One element of a multi-valued attribute, or the value of a single-valued one.
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

/// The attributes of a complex value or an extension.
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

/// The attributes of a schema as `/Schemas` shows them (RFC 7643 section 7).
pub(super) fn described(attributes: &[Attribute]) -> Vec<Value> {
    let kind_name = |kind: Kind| match kind {
        Kind::Text => "string",
        Kind::Boolean => "boolean",
        Kind::Complex => "complex",
        Kind::Reference => "reference",
    };
    let one = |a: &Attribute| {
        let unique = if a.name == "userName" { "server" } else { "none" };
        let mut shown = json!({"name": a.name, "type": kind_name(a.kind), "multiValued": a.many, "required": a.required,
            "caseExact": a.case_exact, "mutability": if a.read_only { "readOnly" } else { "readWrite" },
            "returned": "default", "uniqueness": unique, "description": a.name});
        if !a.sub.is_empty() {
            shown["subAttributes"] = described(a.sub).into();
        }
        shown
    };
    attributes.iter().map(one).collect()
}

pub(super) fn core_attributes(kind: Type, options: &WorkspaceOptions) -> Vec<Value> {
    let own = if kind == Type::User {
        USER_ATTRIBUTES
    } else {
        GROUP_ATTRIBUTES
    };
    let mut all = described(own);
    if kind == Type::Group && !options.group_description {
        all.retain(|a| a["name"] != "description");
    }
    all
}
