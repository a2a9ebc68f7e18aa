//! What the target's schemas say of the mapping's rows, kind by kind. Pure.
//!
//! A row whose attribute the schema of its own kind does not know, or calls read-only, is left out. What a resource cannot
//! be made, matched or disabled without is never left out, whatever a schema says: the target's answer to it decides.

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use serde::Deserialize;
use serde::Serialize;

use crate::mapping::Row;
use crate::mapping::path::CORE_GROUP;
use crate::mapping::path::CORE_USER;
use crate::mapping::path::TargetPath;
use crate::model::id::ObjectKind;

/// Schema URN to its attributes, by path in lower case (`name.givenname`); empty where no schema is served.
pub type Schemas = BTreeMap<String, BTreeMap<String, Attribute>>;

/// When an attribute may be written (RFC 7643 section 2.2).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Mutability {
    /// At any time.
    #[default]
    ReadWrite,
    /// Never.
    ReadOnly,
    /// When the resource is made, and not again.
    Immutable,
    /// At any time, and it is never shown.
    WriteOnly,
}

/// What a schema says of one attribute; what it does not say has the RFC's default.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attribute {
    /// When it may be written.
    pub mutability: Mutability,
    /// A resource cannot be without it.
    pub required: bool,
    /// An ordinary answer shows it.
    pub returned: bool,
}

impl Default for Attribute {
    fn default() -> Self {
        Self {
            mutability: Mutability::ReadWrite,
            required: false,
            returned: true,
        }
    }
}

/// What the schemas say of a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Knowledge {
    /// No schema of its kind is served, or it is in no schema by its nature: nothing is known against it.
    Unsaid,
    /// The schema of its kind does not have it.
    Unknown,
    /// The schema says this.
    Known(Attribute),
}

/// The target paths that are left out, by kind.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Unsupported(BTreeSet<(ObjectKind, String)>);

impl Unsupported {
    /// Leaves one out.
    pub fn insert(&mut self, kind: ObjectKind, path: &str) {
        self.0.insert((kind, path.to_owned()));
    }

    /// True for one that is left out.
    #[must_use]
    pub fn contains(&self, kind: ObjectKind, path: &str) -> bool {
        !self.0.is_empty() && self.0.contains(&(kind, path.to_owned()))
    }
}

/// Why a row is left out, as the verb of "the target's schema … attribute"; `None` where it is not.
#[must_use]
pub fn judged(schemas: &Schemas, kind: ObjectKind, row: &Row) -> Option<&'static str> {
    let why = match knowledge(schemas, kind, &row.target) {
        Knowledge::Unknown => "has no",
        Knowledge::Known(attribute) if attribute.mutability == Mutability::ReadOnly => "calls read-only the",
        Knowledge::Known(_) | Knowledge::Unsaid => return None,
    };
    (!is_essential(kind, row)).then_some(why)
}

/// True for what a resource cannot be made, found again or disabled without: the name that SCIM asks for, what it is
/// matched by, `active`, and a group's members.
#[must_use]
pub fn is_essential(kind: ObjectKind, row: &Row) -> bool {
    let own: &[&str] = match kind {
        ObjectKind::User => &["userName", "active"],
        ObjectKind::Group => &["displayName", "members"],
    };
    row.matching.is_some() || own.iter().any(|name| row.target.is_core(name))
}

/// The schema that every resource of a kind has.
#[must_use]
pub const fn core_of(kind: ObjectKind) -> &'static str {
    match kind {
        ObjectKind::User => CORE_USER,
        ObjectKind::Group => CORE_GROUP,
    }
}

/// What the schemas say of a path of this kind.
#[must_use]
pub fn knowledge(schemas: &Schemas, kind: ObjectKind, path: &TargetPath) -> Knowledge {
    let core = core_of(kind);
    let find = |urn: &str| {
        let mut schemas = schemas.iter();
        schemas.find(|(known, _)| known.eq_ignore_ascii_case(urn))
    };
    let Some((_, core_attributes)) = find(core) else {
        return Knowledge::Unsaid;
    };
    let attributes = match path.urn() {
        None => core_attributes,
        Some(urn) => match find(urn) {
            Some((_, attributes)) => attributes,
            None => return Knowledge::Unknown,
        },
    };
    // externalId is common to all resources and in no schema (RFC 7643 section 3.1).
    let attribute = path.attribute().to_lowercase();
    if attribute == "externalid" {
        return attributes
            .get(&attribute)
            .map_or(Knowledge::Unsaid, |said| Knowledge::Known(*said));
    }
    let Some(whole) = attributes.get(&attribute) else {
        return Knowledge::Unknown;
    };
    let subs = format!("{attribute}.");
    let Some(sub) = path
        .sub_attribute()
        .filter(|_| attributes.keys().any(|known| known.starts_with(&subs)))
    else {
        return Knowledge::Known(*whole);
    };
    let Some(said) = attributes.get(&format!("{subs}{}", sub.to_lowercase())) else {
        return Knowledge::Unknown;
    };
    // The stricter of the two: a sub-attribute of what is read-only is not written either.
    let mutability = match whole.mutability {
        Mutability::ReadOnly | Mutability::Immutable => whole.mutability,
        Mutability::ReadWrite | Mutability::WriteOnly => said.mutability,
    };
    Knowledge::Known(Attribute {
        mutability,
        required: said.required && (whole.required || path.filter().is_empty()),
        returned: whole.returned && said.returned,
    })
}

#[cfg(test)]
mod tests;
