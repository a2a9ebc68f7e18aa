//! Target paths: the place of a value in a SCIM resource.
//!
//! `userName` · `name.givenName` · `emails[type eq "work"].value` · `roles[primary eq "True"].value` ·
//! `urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department`. The grammar is that of PATCH paths (RFC
//! 7644 section 3.5.2), read by the `scim_v2` crate; in addition, extension names that are not a URN in the strict
//! sense are accepted, since services use them.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;
use std::sync::LazyLock;

use scim_v2::filter::{AttrExp, AttrPath, CompValue, CompareOp, PatchPath, ValFilter};

use crate::model::name::Name;
use crate::model::parsed::Parsed;
use crate::model::value::Value;

/// The enterprise extension of users (RFC 7643 section 4.3).
pub const ENTERPRISE_USER: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";
/// The core schema of users.
pub const CORE_USER: &str = "urn:ietf:params:scim:schemas:core:2.0:User";
/// The core schema of groups.
pub const CORE_GROUP: &str = "urn:ietf:params:scim:schemas:core:2.0:Group";

/// A parsed target path. Equal paths have the same text.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TargetPath {
    text: Name,
    urn: Option<Arc<str>>,
    attribute: Arc<str>,
    /// Conditions on the element of a multi-valued attribute; all must hold. Empty without a filter.
    filter: Vec<(String, Value)>,
    sub_attribute: Option<Arc<str>>,
}

/// Why a text is not a target path.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PathError {
    /// It does not follow the grammar.
    #[error(
        "`{0}` is no SCIM path such as userName, name.givenName, emails[type eq \"work\"].value or URN:attribute"
    )]
    Grammar(String),
    /// It filters by something from which no element could be built.
    #[error(
        "`{0}` filters by more than `attribute eq \"value\"`, joined by `and`: no element can be built from that"
    )]
    Filter(String),
    /// It names an attribute that only the service writes.
    #[error("`{0}` is written by the service alone (RFC 7643 section 3.1)")]
    ReadOnly(String),
}

static EXTERNAL_ID: LazyLock<TargetPath> =
    LazyLock::new(|| "externalId".parse().expect("externalId is a target path"));
static ACTIVE: LazyLock<TargetPath> = LazyLock::new(|| "active".parse().expect("active is a target path"));

impl TargetPath {
    /// Returns `externalId`, common to all resources (RFC 7643 section 3.1).
    #[must_use]
    pub fn external_id() -> &'static Self {
        &EXTERNAL_ID
    }

    /// Returns `active`, which takes access away (RFC 7643 section 4.1.1).
    #[must_use]
    pub fn active() -> &'static Self {
        &ACTIVE
    }

    /// Returns the path as it was written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Returns the path as it was written, as the name under which its value is stored.
    #[must_use]
    pub const fn name(&self) -> &Name {
        &self.text
    }

    /// Returns its extension, or `None` for the core schemas, whose URN may be written out or left out.
    #[must_use]
    pub fn urn(&self) -> Option<&str> {
        self.urn.as_deref()
    }

    /// Returns the attribute, without URN, filter and sub-attribute.
    #[must_use]
    pub fn attribute(&self) -> &str {
        &self.attribute
    }

    /// Returns the conditions that select an element of a multi-valued attribute: sub-attribute and value.
    #[must_use]
    pub fn filter(&self) -> &[(String, Value)] {
        &self.filter
    }

    /// Returns the sub-attribute.
    #[must_use]
    pub fn sub_attribute(&self) -> Option<&str> {
        self.sub_attribute.as_deref()
    }

    /// Returns the attribute with its URN, without filter and sub-attribute: what a PATCH adds a whole element to.
    #[must_use]
    pub fn whole_attribute(&self) -> String {
        match &self.urn {
            Some(urn) => format!("{urn}:{}", self.attribute),
            None => self.attribute.as_ref().to_owned(),
        }
    }

    /// Returns whether it names this core attribute as a whole, in any case.
    #[must_use]
    pub fn is_core(&self, attribute: &str) -> bool {
        self.urn.is_none()
            && self.filter.is_empty()
            && self.sub_attribute.is_none()
            && self.attribute.eq_ignore_ascii_case(attribute)
    }

    /// Returns whether the value there is a JSON boolean: `active`, and `primary` of any element (RFC 7643 sections
    /// 4.1.1 and 2.4). Attributes of other extensions are texts, as in Entra unless declared.
    #[must_use]
    pub fn is_boolean(&self) -> bool {
        self.is_core("active")
            || self
                .sub_attribute
                .as_deref()
                .is_some_and(|sub| sub.eq_ignore_ascii_case("primary"))
    }

    /// Returns whether it holds the id of another user in a complex value: `manager` of the enterprise extension.
    #[must_use]
    pub fn is_manager(&self) -> bool {
        self.attribute.eq_ignore_ascii_case("manager")
            && self.sub_attribute.is_none()
            && self
                .urn
                .as_deref()
                .is_none_or(|urn| urn.eq_ignore_ascii_case(ENTERPRISE_USER))
    }

    /// Returns whether it holds, as a whole, elements with a `value`: the complex multi-valued attributes of a user
    /// (RFC 7643 section 4.1.2), except addresses, whose elements have none.
    #[must_use]
    pub fn holds_elements(&self) -> bool {
        const WITH_VALUES: [&str; 7] = [
            "emails",
            "phoneNumbers",
            "ims",
            "photos",
            "entitlements",
            "roles",
            "x509Certificates",
        ];
        WITH_VALUES.iter().any(|attribute| self.is_core(attribute))
    }

    /// Returns whether it holds a group's members.
    #[must_use]
    pub fn is_members(&self) -> bool {
        self.is_core("members")
    }

    /// Returns whether a change of case is a change of value. False only for attributes by which a service looks users
    /// up, or which it may fold unnoticed: `userName` and `emails.value` (RFC 7643 section 4.1: caseExact false). The
    /// RFC lets names, titles and addresses be folded too; people read those, so `ada` for `Ada` is a difference. Ids,
    /// `externalId`, role values and extensions are exact.
    #[must_use]
    pub fn is_case_exact(&self) -> bool {
        let sub = self.sub_attribute.as_deref();
        let is_email = self.urn.is_none()
            && self.attribute.eq_ignore_ascii_case("emails")
            && sub.is_none_or(|sub| sub.eq_ignore_ascii_case("value"));
        !(self.is_core("userName") || is_email)
    }

    /// Returns whether both name the same place: attribute names have no case (RFC 7643 section 2.1).
    #[must_use]
    pub fn same_place(&self, other: &Self) -> bool {
        fn same(a: Option<&str>, b: Option<&str>) -> bool {
            match (a, b) {
                (Some(a), Some(b)) => a.eq_ignore_ascii_case(b),
                (None, None) => true,
                _ => false,
            }
        }
        same(self.urn(), other.urn())
            && self.attribute.eq_ignore_ascii_case(&other.attribute)
            && same(self.sub_attribute(), other.sub_attribute())
            && self.filter.len() == other.filter.len()
            && self
                .filter
                .iter()
                .zip(&other.filter)
                .all(|((a, x), (b, y))| a.eq_ignore_ascii_case(b) && x == y)
    }

    fn from_parts(text: &str, path: AttrPath, filter: Vec<(String, Value)>, sub: Option<String>) -> Self {
        let core =
            |urn: &String| !urn.eq_ignore_ascii_case(CORE_USER) && !urn.eq_ignore_ascii_case(CORE_GROUP);
        Self {
            text: text.into(),
            urn: path.uri.filter(core).map(Into::into),
            attribute: path.name.into(),
            filter,
            sub_attribute: sub.or(path.sub_attr).map(Into::into),
        }
    }
}

static KNOWN: Parsed<TargetPath> = Parsed::new();

impl FromStr for TargetPath {
    type Err = PathError;

    fn from_str(text: &str) -> Result<Self, PathError> {
        KNOWN.get_or_parse(text, |text| Self::read(text.trim()))
    }
}

impl TargetPath {
    fn read(text: &str) -> Result<Self, PathError> {
        let path = match PatchPath::from_str(text) {
            Ok(PatchPath::Attr(path)) => Self::from_parts(text, path, Vec::new(), None),
            Ok(PatchPath::Value(path)) => {
                let mut filter = Vec::new();
                if path.attr.sub_attr.is_some() || !conditions(&path.filter, &mut filter) {
                    return Err(PathError::Filter(text.to_owned()));
                }
                Self::from_parts(text, path.attr, filter, path.sub_attr)
            }
            Err(_) => tolerant(text).ok_or_else(|| PathError::Grammar(text.to_owned()))?,
        };
        let read_only = ["id", "meta", "schemas", "groups"];
        if path.urn.is_none()
            && read_only
                .iter()
                .any(|name| path.attribute.eq_ignore_ascii_case(name))
        {
            return Err(PathError::ReadOnly(text.to_owned()));
        }
        Ok(path)
    }
}

/// Parses an extension whose name is not a URI (`Vendor:attribute`, with blanks or umlauts) or whose attribute has
/// characters that the RFC's grammar does not know (`$`).
fn tolerant(text: &str) -> Option<TargetPath> {
    if text.contains(['[', ']', '"', '(', ')']) || text.chars().any(char::is_control) {
        return None;
    }
    let (urn, rest) = match text.rsplit_once(':') {
        Some((urn, rest)) if !urn.is_empty() => (Some(urn.to_owned()), rest),
        Some(_) => return None,
        None => (None, text),
    };
    let (name, sub) = rest
        .split_once('.')
        .map_or((rest, None), |(name, sub)| (name, Some(sub)));
    let is_name = |name: &str| {
        !name.is_empty()
            && name
                .chars()
                .all(|c| c.is_alphanumeric() || matches!(c, '_' | '-' | '$'))
    };
    (is_name(name) && sub.is_none_or(is_name)).then(|| {
        let path = AttrPath {
            uri: urn,
            name: name.to_owned(),
            sub_attr: sub.map(str::to_owned),
        };
        TargetPath::from_parts(text, path, Vec::new(), None)
    })
}

/// Collects the conditions of a filter of `eq` and `and`. Returns false for any other filter.
fn conditions(filter: &ValFilter, found: &mut Vec<(String, Value)>) -> bool {
    match filter {
        ValFilter::Attr(AttrExp::Comparison(
            AttrPath {
                uri: None,
                name,
                sub_attr: None,
            },
            CompareOp::Eq,
            value,
        )) => {
            let value = match value {
                CompValue::True => Value::Bool(true),
                CompValue::False => Value::Bool(false),
                CompValue::Str(text) => Value::text(text.as_str()),
                CompValue::Number(number) => Value::text(number.to_string()),
                CompValue::Null => return false,
            };
            // Entra writes `primary eq "True"`, where the attribute is a boolean.
            let value = match value.as_bool() {
                Some(truth) if name.eq_ignore_ascii_case("primary") => Value::Bool(truth),
                _ => value,
            };
            found.push((name.clone(), value));
            true
        }
        ValFilter::And(filters) => filters.as_slice().iter().all(|filter| conditions(filter, found)),
        _ => false,
    }
}

impl fmt::Display for TargetPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Debug for TargetPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}
