//! The body of a create, while it is written, and the answer to it. Each is written or read once for every object of an
//! initial cycle and then dropped, so they borrow what they hold.

use std::borrow::Cow;
use std::fmt;

use serde::Deserialize;
use serde::Deserializer;
use serde::Serialize;
use serde::Serializer;
use serde::de::MapAccess;
use serde::de::SeqAccess;
use serde::de::Visitor;

use super::ResourceForm;
use super::tree::Tree;
use super::tree::fits;
use crate::mapping::path::TargetPath;
use crate::model::value::Value;

/// A JSON value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Node<'a> {
    /// Also a number that is not whole, where it was read.
    Null,
    Bool(bool),
    Integer(i64),
    Text(Cow<'a, str>),
    List(Vec<Self>),
    Object(Fields<'a>),
}

/// A JSON object: a list, because few have more than twenty keys.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Fields<'a>(Vec<(Cow<'a, str>, Node<'a>)>);

impl<'a> Node<'a> {
    /// Converts a value unchanged.
    pub(super) fn of(value: &'a Value) -> Self {
        match value {
            Value::Null => Self::Null,
            Value::Bool(truth) => Self::Bool(*truth),
            Value::Integer(number) => Self::Integer(*number),
            Value::String(text) => Self::text(text),
            Value::List(items) => Self::List(items.iter().map(Self::of).collect()),
            Value::Map(map) => {
                let fields = map.iter().map(|(key, value)| (Cow::from(key), Self::of(value)));
                Self::Object(Fields(fields.collect()))
            }
        }
    }

    /// Converts a value to its form at a path.
    pub(super) fn at(form: ResourceForm, path: &TargetPath, value: &'a Value) -> Self {
        match value {
            Value::String(id) if path.is_manager() && form.manager_as_object => Self::reference(id),
            Value::List(ids) if path.is_members() => {
                let member = |id: &'a Value| match id {
                    Value::String(id) => Self::reference(id),
                    other => Self::of(other),
                };
                Self::List(ids.iter().map(member).collect())
            }
            Value::Bool(truth) if !form.json_booleans => Self::text(if *truth { "True" } else { "False" }),
            other => Self::of(other),
        }
    }

    /// Builds `{"value": id}`.
    pub(super) fn reference(id: &'a str) -> Self {
        Self::Object(Fields(vec![("value".into(), Self::text(id))]))
    }

    pub(super) const fn text(text: &'a str) -> Self {
        Self::Text(Cow::Borrowed(text))
    }
}

impl<'a> Fields<'a> {
    /// Creates an object without fields, with room for so many.
    pub(super) fn with_capacity(fields: usize) -> Self {
        Self(Vec::with_capacity(fields))
    }

    /// Sets a field, in place of an existing one.
    pub(super) fn insert(&mut self, key: impl Into<Cow<'a, str>>, value: Node<'a>) {
        *self.entry(key.into()) = value;
    }

    /// Returns the object under this key; creates it if it does not exist (or is something else: the later row wins).
    pub(super) fn object_at(&mut self, key: &'a str) -> &mut Self {
        let entry = self.entry(key.into());
        if !matches!(entry, Node::Object(_)) {
            *entry = Node::Object(Self::default());
        }
        match entry {
            Node::Object(fields) => fields,
            _ => unreachable!("made an object just above"),
        }
    }

    /// Puts a value at the place that its path names.
    pub(super) fn put(&mut self, path: &'a TargetPath, value: Node<'a>) {
        let target = match (path.filter(), path.sub_attribute()) {
            ([], None) => return self.insert(path.attribute(), value),
            ([], Some(_)) => self.object_at(path.attribute()),
            _ => self.element_at(path),
        };
        match (path.sub_attribute(), value) {
            (Some(sub), value) => target.insert(sub, value),
            (None, Node::Object(fields)) => {
                for (key, value) in fields.0 {
                    target.insert(key, value);
                }
            }
            // A filtered path without a sub-attribute takes an object; a bare value is the element's `value`.
            (None, value) => target.insert("value", value),
        }
    }

    fn entry(&mut self, key: Cow<'a, str>) -> &mut Node<'a> {
        let at = self.0.iter().position(|(held, _)| *held == key);
        let at = at.unwrap_or_else(|| {
            self.0.push((key, Node::Null));
            self.0.len() - 1
        });
        &mut self.0[at].1
    }

    /// Returns the element that the path's filter selects; creates it if it does not exist.
    fn element_at(&mut self, path: &'a TargetPath) -> &mut Self {
        let entry = self.entry(path.attribute().into());
        if !matches!(entry, Node::List(_)) {
            *entry = Node::List(Vec::new());
        }
        let Node::List(elements) = entry else {
            unreachable!("made a list just above")
        };
        let at = elements.iter().position(|element| fits(element, path));
        let at = at.unwrap_or_else(|| {
            let fields = path.filter().iter();
            let fields = fields.map(|(name, value)| (Cow::from(name), Node::of(value)));
            elements.push(Node::Object(Fields(fields.collect())));
            elements.len() - 1
        });
        match &mut elements[at] {
            Node::Object(fields) => fields,
            _ => unreachable!("only objects fit a filter"),
        }
    }
}

impl Tree for Node<'_> {
    fn field(&self, key: &str) -> Option<&Self> {
        let Self::Object(fields) = self else { return None };
        let named = |same: fn(&str, &str) -> bool| {
            let mut fields = fields.0.iter().rev(); // of two with one name the later one counts
            fields.find(|(name, _)| same(name, key)).map(|(_, value)| value)
        };
        named(|a, b| a == b)
            .or_else(|| named(str::eq_ignore_ascii_case))
            .filter(|value| **value != Self::Null)
    }

    fn elements(&self) -> Option<&[Self]> {
        match self {
            Self::List(elements) => Some(elements),
            _ => None,
        }
    }

    fn is_object(&self) -> bool {
        matches!(self, Self::Object(_))
    }

    fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    fn truth(&self) -> Option<bool> {
        match self {
            Self::Bool(truth) => Some(*truth),
            _ => None,
        }
    }

    fn number(&self) -> Option<String> {
        match self {
            Self::Integer(number) => Some(number.to_string()),
            _ => None,
        }
    }
}

impl Serialize for Node<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Null => serializer.serialize_unit(),
            Self::Bool(truth) => serializer.serialize_bool(*truth),
            Self::Integer(number) => serializer.serialize_i64(*number),
            Self::Text(text) => serializer.serialize_str(text),
            Self::List(items) => serializer.collect_seq(items),
            Self::Object(fields) => fields.serialize(serializer),
        }
    }
}

impl Serialize for Fields<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(key, value)| (key, value)))
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Node<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(NodeVisitor)
    }
}

struct NodeVisitor;

impl<'de> Visitor<'de> for NodeVisitor {
    type Value = Node<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Node<'de>, E> {
        Ok(Node::Null)
    }

    fn visit_bool<E>(self, truth: bool) -> Result<Node<'de>, E> {
        Ok(Node::Bool(truth))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Node<'de>, E> {
        Ok(Node::Integer(number))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Node<'de>, E> {
        Ok(i64::try_from(number).map_or(Node::Null, Node::Integer))
    }

    fn visit_f64<E>(self, _: f64) -> Result<Node<'de>, E> {
        Ok(Node::Null)
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Node<'de>, E> {
        Ok(Node::text(text))
    }

    fn visit_str<E>(self, text: &str) -> Result<Node<'de>, E> {
        Ok(Node::Text(Cow::Owned(text.to_owned())))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Node<'de>, A::Error> {
        let mut list = Vec::with_capacity(1);
        while let Some(item) = items.next_element()? {
            list.push(item);
        }
        Ok(Node::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Node<'de>, A::Error> {
        let mut fields = Vec::with_capacity(8);
        while let Some((Key(key), value)) = map.next_entry()? {
            fields.push((key, value));
        }
        Ok(Node::Object(Fields(fields)))
    }
}

/// A name, borrowed where it is written without escapes.
#[derive(Deserialize)]
struct Key<'a>(#[serde(borrow)] Cow<'a, str>);
