//! The schemas of the sample workspace: RFC 7643 sections 4 and 7, and IDmelon's extension.

use serde_json::Value;
use serde_json::json;

use super::WorkspaceOptions;

pub(super) const USER: &str = "urn:ietf:params:scim:schemas:core:2.0:User";
pub(super) const GROUP: &str = "urn:ietf:params:scim:schemas:core:2.0:Group";
pub(super) const ENTERPRISE: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";
pub(super) const IDMELON: &str = "urn:ietf:params:scim:schemas:extension:IDmelon:2.0:User";
/// Entra's groups name it too; it adds no attribute.
pub(super) const ENTRA_GROUP: &str =
    "http://schemas.microsoft.com/2006/11/ResourceManagement/ADSCIM/2.0/Group";

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

    /// Returns a core or common attribute by name.
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

    /// Returns the registered extensions with their attributes.
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

/// Returns the attributes of a schema as `/Schemas` shows them (RFC 7643 section 7).
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
    let lacks = |a: &Value| {
        let name = format!("{}:{}", kind.name(), a["name"].as_str().unwrap_or_default());
        options.odd.schema_lacks.contains(&name)
    };
    all.retain(|a| !lacks(a));
    for one in &mut all {
        let immutable = &options.odd.immutable_attributes;
        let is_among = |paths: &[String]| paths.iter().any(|path| one["name"] == path.as_str());
        let (required, hidden) = (
            is_among(&options.odd.required_attributes),
            is_among(&options.odd.hidden_attributes),
        );
        if is_among(immutable) {
            one["mutability"] = "immutable".into();
        }
        if required {
            one["required"] = true.into();
        }
        if hidden {
            one["returned"] = "never".into();
        }
    }
    all
}
