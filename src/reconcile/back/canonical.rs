//! Equality of a value at Entra and at the target: another spelling of the same value is no change.

use serde::Deserialize;
use serde::Serialize;
use unicode_normalization::UnicodeNormalization;

use crate::model::value::Value;

/// How two values are compared. What is written is the target's value, untouched.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Compare {
    /// Without surrounding white space, in Unicode's composed form.
    #[default]
    Text,
    /// As texts, and without spaces, hyphens, parentheses and dots.
    Phone,
}

impl Compare {
    /// Returns how the values of a Graph property are compared.
    #[must_use]
    pub fn of_property(property: &str) -> Self {
        if ["mobilePhone", "businessPhones", "faxNumber"].contains(&property) {
            Self::Phone
        } else {
            Self::Text
        }
    }

    /// Returns true where both are the same value in whatever spelling.
    #[must_use]
    pub fn alike(self, one: &Value, other: &Value) -> bool {
        one == other || self.canonical(one) == self.canonical(other)
    }

    /// Returns the one spelling of a value. A list of one is its element: a Graph collection may have room for one. What is
    /// empty, in whatever form, is `Null`.
    #[must_use]
    pub fn canonical(self, value: &Value) -> Value {
        match value {
            Value::String(text) => {
                let composed: String = text.trim().nfc().filter(|c| self.keeps(*c)).collect();
                if composed.is_empty() {
                    Value::Null
                } else {
                    Value::String(composed)
                }
            }
            Value::List(items) => {
                let mut items: Vec<Value> = items.iter().map(|item| self.canonical(item)).collect();
                items.retain(|item| !item.is_null());
                match items.len() {
                    0 => Value::Null,
                    1 => items.swap_remove(0),
                    _ => Value::List(items),
                }
            }
            Value::Map(map) if map.is_empty() => Value::Null,
            Value::Map(_) | Value::Null | Value::Bool(_) | Value::Integer(_) => value.clone(),
        }
    }

    /// Returns true where nothing is left of the value in its one spelling.
    #[must_use]
    pub fn is_empty(self, value: &Value) -> bool {
        self.canonical(value).is_null()
    }

    fn keeps(self, c: char) -> bool {
        match self {
            Self::Text => true,
            Self::Phone => !c.is_whitespace() && !['-', '(', ')', '.', '\u{2010}', '\u{2011}'].contains(&c),
        }
    }
}

/// The Graph properties that hold a list, of which one value is written back.
const LISTS: [&str; 2] = ["businessPhones", "otherMails"];

/// Returns a value as Graph takes it for a property: some hold a list, also of one value or none.
#[must_use]
pub fn as_property(property: &str, value: &Value) -> Value {
    match value {
        _ if !LISTS.contains(&property) => value.clone(),
        Value::Null => Value::List(Vec::new()),
        Value::List(_) => value.clone(),
        one => Value::List(vec![one.clone()]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_spelling_is_the_same_value() {
        let list = |items: &[&str]| Value::List(items.iter().map(|item| Value::text(*item)).collect());
        let text = |text: &str| Value::text(text);
        for (name, compare, one, other, expected) in [
            ("white space", Compare::Text, text(" a "), text("a"), true),
            ("another value", Compare::Text, text("a"), text("b"), false),
            ("case counts", Compare::Text, text("a"), text("A"), false),
            ("composed", Compare::Text, text("e\u{301}"), text("\u{e9}"), true),
            (
                "a phone",
                Compare::Phone,
                text("+49 (30) 12-34.5"),
                text("+493012345"),
                true,
            ),
            (
                "a phone is no text",
                Compare::Text,
                text("+49 30"),
                text("+4930"),
                false,
            ),
            (
                "a plus counts",
                Compare::Phone,
                text("+4930"),
                text("4930"),
                false,
            ),
            (
                "a list of one",
                Compare::Phone,
                list(&["+49 30"]),
                text("+4930"),
                true,
            ),
            (
                "a list of two",
                Compare::Text,
                list(&["a", "b"]),
                text("a"),
                false,
            ),
            (
                "nothing in any form",
                Compare::Text,
                list(&[" "]),
                Value::Null,
                true,
            ),
            (
                "a phone of spaces",
                Compare::Phone,
                text("( )"),
                Value::Null,
                true,
            ),
        ] {
            assert_eq!(compare.alike(&one, &other), expected, "{name}");
            assert_eq!(
                compare.alike(&other, &one),
                expected,
                "{name}, the other way round"
            );
        }
        assert_eq!(Compare::of_property("mobilePhone"), Compare::Phone);
        assert_eq!(Compare::of_property("jobTitle"), Compare::Text);
    }

    #[test]
    fn a_property_that_holds_a_list_gets_one() {
        let (one, none) = (Value::text("+49 30"), Value::List(Vec::new()));
        let list = Value::List(vec![one.clone()]);
        for (property, value, expected) in [
            ("mobilePhone", &one, &one),
            ("mobilePhone", &Value::Null, &Value::Null),
            ("businessPhones", &one, &list),
            ("businessPhones", &list, &list),
            ("businessPhones", &Value::Null, &none),
        ] {
            assert_eq!(as_property(property, value), *expected, "{property} {value}");
        }
    }
}
