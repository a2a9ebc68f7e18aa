//! Attribute paths as a mapping writes them: parsed once, compared without case, printed for the wire.
//!
//! RFC 7644 section 3.5.2 (figure 1) gives the grammar; `scim_v2` parses it. Only conjunctions of `eq` can select an
//! element here, because only they define what a new element must hold.

use scim_v2::filter::AttrExp;
use scim_v2::filter::AttrPath;
use scim_v2::filter::CompValue;
use scim_v2::filter::CompareOp;
use scim_v2::filter::PatchPath;
use scim_v2::filter::ValFilter;
use serde_json::Map;
use serde_json::Value as Json;

use crate::mapping;
use crate::model::parsed::Parsed;

/// The schema of enterprise users, where `manager` lives (RFC 7643 section 4.3).
pub const ENTERPRISE_USER: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";

static KNOWN: Parsed<TargetPath> = Parsed::new();

/// A path into a resource.
#[derive(Debug, Clone, PartialEq)]
pub struct TargetPath {
    /// Extension URN; `None` for a core attribute.
    pub urn: Option<String>,
    /// Attribute name.
    pub name: String,
    /// The selector of one element of a multi-valued attribute: sub-attributes and values, all of which must hold.
    pub selector: Vec<(String, Json)>,
    /// Sub-attribute.
    pub sub: Option<String>,
}

/// The error for a text that is not a path.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{path}` is not an attribute path that can be written: {why}")]
pub struct PathError {
    /// The path as written.
    pub path: String,
    /// What is wrong with it.
    pub why: String,
}

impl TargetPath {
    /// Parses `name.givenName`, `emails[type eq "work"].value`, `urn:…:User:department` and the like.
    ///
    /// # Errors
    /// When it does not follow the grammar, or selects an element by anything but `eq` and `and`.
    pub fn parse(text: &str) -> Result<Self, PathError> {
        KNOWN.get_or_parse(text, Self::read)
    }

    fn read(text: &str) -> Result<Self, PathError> {
        let fail = |why: String| PathError {
            path: text.to_owned(),
            why,
        };
        let parsed: PatchPath = match text.parse() {
            Ok(parsed) => parsed,
            Err(e) => {
                return Self::as_mapped(text).ok_or_else(|| fail(format!("{e}").replace('\n', " ")));
            }
        };
        match parsed {
            PatchPath::Attr(AttrPath { uri, name, sub_attr }) => Ok(Self {
                urn: uri,
                name,
                selector: Vec::new(),
                sub: sub_attr,
            }),
            PatchPath::Value(value_path) => {
                let mut selector = Vec::new();
                collect(&value_path.filter, &mut selector)
                    .map_err(|()| fail("an element is selected by `eq` and `and` only".to_owned()))?;
                let AttrPath { uri, name, .. } = value_path.attr;
                Ok(Self {
                    urn: uri,
                    name,
                    selector,
                    sub: value_path.sub_attr,
                })
            }
        }
    }

    /// Reads a path that only a mapping takes: an extension whose name is not a URN in the strict sense, as services
    /// use them.
    fn as_mapped(text: &str) -> Option<Self> {
        let path: mapping::TargetPath = text.parse().ok()?;
        path.filter().is_empty().then(|| Self {
            urn: path.urn().map(str::to_owned),
            name: path.attribute().to_owned(),
            selector: Vec::new(),
            sub: path.sub_attribute().map(str::to_owned),
        })
    }

    /// Returns true when the path selects one element of a multi-valued attribute.
    #[must_use]
    pub fn selects_element(&self) -> bool {
        !self.selector.is_empty()
    }

    /// Returns true when both are in the same element of the same attribute.
    #[must_use]
    pub fn same_element(&self, other: &Self) -> bool {
        self.same_attribute(other) && self.selector == other.selector
    }

    /// Returns true when both are in the same attribute.
    #[must_use]
    pub fn same_attribute(&self, other: &Self) -> bool {
        let urn = |path: &Self| path.urn.as_deref().unwrap_or_default().to_ascii_lowercase();
        self.name.eq_ignore_ascii_case(&other.name) && urn(self) == urn(other)
    }

    /// Returns true for the reference to the manager itself (`…:User:manager`, without a sub-attribute).
    #[must_use]
    pub fn is_manager(&self) -> bool {
        self.sub.is_none() && self.selector.is_empty() && self.name.eq_ignore_ascii_case("manager")
    }

    /// Returns the attribute alone: `phoneNumbers`, `urn:…:User:manager`.
    #[must_use]
    pub fn attribute(&self) -> String {
        match &self.urn {
            Some(urn) => format!("{urn}:{}", self.name),
            None => self.name.clone(),
        }
    }

    /// Returns the element that is selected: `phoneNumbers[type eq "mobile"]`; the attribute where none is.
    #[must_use]
    pub fn element(&self) -> String {
        let attribute = self.attribute();
        if self.selector.is_empty() {
            return attribute;
        }
        let terms: Vec<String> = self
            .selector
            .iter()
            .map(|(name, value)| format!("{name} eq {value}"))
            .collect();
        format!("{attribute}[{}]", terms.join(" and "))
    }

    /// Returns the whole path, as sent.
    #[must_use]
    pub fn wire(&self) -> String {
        match &self.sub {
            Some(sub) => format!("{}.{sub}", self.element()),
            None => self.element(),
        }
    }

    /// Returns a new element that this path selects, still without a value: `{"type": "mobile"}`.
    #[must_use]
    pub fn new_element(&self) -> serde_json::Map<String, Json> {
        self.selector.iter().cloned().collect()
    }
}

/// Reads a literal: `primary eq "True"` is how Entra writes a boolean in a path; RFC 7644 section 3.4.2.2 wants `true`.
fn literal(name: &str, value: &CompValue) -> Json {
    match value {
        CompValue::False => Json::Bool(false),
        CompValue::True => Json::Bool(true),
        CompValue::Null => Json::Null,
        CompValue::Number(number) => Json::Number(number.clone()),
        CompValue::Str(text) if name.eq_ignore_ascii_case("primary") && text.eq_ignore_ascii_case("true") => {
            true.into()
        }
        CompValue::Str(text)
            if name.eq_ignore_ascii_case("primary") && text.eq_ignore_ascii_case("false") =>
        {
            false.into()
        }
        CompValue::Str(text) => text.as_str().into(),
    }
}

fn collect(filter: &ValFilter, into: &mut Vec<(String, Json)>) -> Result<(), ()> {
    match filter {
        ValFilter::Attr(AttrExp::Comparison(attr, CompareOp::Eq, value)) if attr.sub_attr.is_none() => {
            into.push((attr.name.clone(), literal(&attr.name, value)));
            Ok(())
        }
        ValFilter::And(items) => items.as_slice().iter().try_for_each(|item| collect(item, into)),
        _ => Err(()),
    }
}

/// Returns the key as the resource spells it.
pub(super) fn key_of(map: &Map<String, Json>, name: &str) -> Option<String> {
    if map.contains_key(name) {
        return Some(name.to_owned());
    }
    map.keys().find(|key| key.eq_ignore_ascii_case(name)).cloned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_of_the_default_mappings_come_back_as_written() {
        for text in [
            "userName",
            "Vendor:attribute",
            "name.givenName",
            "emails[type eq \"work\"].value",
            "addresses[type eq \"work\"].streetAddress",
            "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:employeeNumber",
            "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:manager",
            "urn:ietf:params:scim:schemas:extension:IDmelon:2.0:User:immutable_id",
        ] {
            assert_eq!(TargetPath::parse(text).unwrap().wire(), text);
        }
    }

    #[test]
    fn extension_urn_is_kept_apart_from_the_name() {
        let path = TargetPath::parse("urn:ietf:params:scim:schemas:extension:IDmelon:2.0:User:immutable_id")
            .unwrap();
        assert_eq!(
            path.urn.as_deref(),
            Some("urn:ietf:params:scim:schemas:extension:IDmelon:2.0:User")
        );
        assert_eq!(path.name, "immutable_id");
    }

    #[test]
    fn a_boolean_that_is_written_as_a_text_is_sent_as_a_boolean() {
        let path = TargetPath::parse("roles[primary eq \"True\"].value").unwrap();
        assert_eq!(path.wire(), "roles[primary eq true].value");
        assert_eq!(
            Json::Object(path.new_element()),
            serde_json::json!({"primary": true})
        );
    }

    #[test]
    fn an_element_selected_by_more_than_eq_is_refused() {
        for text in [
            "emails[type ne \"work\"].value",
            "emails[type eq \"a\" or type eq \"b\"].value",
            "emails[",
        ] {
            assert!(TargetPath::parse(text).is_err(), "{text}");
        }
    }
}
