//! The body of a create in the making. It is written once and thrown away, for everybody of an initial cycle, so it borrows
//! what it holds.

use serde::ser::Serialize;
use serde::ser::Serializer;

use super::ResourceForm;
use crate::mapping::path::TargetPath;
use crate::model::value::Value;

/// A JSON value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Node<'a> {
    Null,
    Bool(bool),
    Integer(i64),
    Text(&'a str),
    List(Vec<Self>),
    Object(Fields<'a>),
}

/// A JSON object: a list, because few have more than twenty keys.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Fields<'a>(Vec<(&'a str, Node<'a>)>);

impl<'a> Node<'a> {
    /// A value as it is.
    pub(super) fn of(value: &'a Value) -> Self {
        match value {
            Value::Null => Self::Null,
            Value::Bool(truth) => Self::Bool(*truth),
            Value::Integer(number) => Self::Integer(*number),
            Value::String(text) => Self::Text(text),
            Value::List(items) => Self::List(items.iter().map(Self::of).collect()),
            Value::Map(map) => {
                let fields = map.iter().map(|(key, value)| (key.as_str(), Self::of(value)));
                Self::Object(Fields(fields.collect()))
            }
        }
    }

    /// A value as it is written at a path.
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
            Value::Bool(truth) if !form.json_booleans => Self::Text(if *truth { "True" } else { "False" }),
            other => Self::of(other),
        }
    }

    /// `{"value": id}`.
    pub(super) fn reference(id: &'a str) -> Self {
        Self::Object(Fields(vec![("value", Self::Text(id))]))
    }
}

impl<'a> Fields<'a> {
    /// Sets a field, in the place of one that is there.
    pub(super) fn insert(&mut self, key: &'a str, value: Node<'a>) {
        *self.entry(key) = value;
    }

    /// The object under this key, made if it is not there (or is something else: the later row wins).
    pub(super) fn object_at(&mut self, key: &'a str) -> &mut Self {
        let entry = self.entry(key);
        if !matches!(entry, Node::Object(_)) {
            *entry = Node::Object(Self::default());
        }
        match entry {
            Node::Object(fields) => fields,
            _ => unreachable!("made an object just above"),
        }
    }

    /// Puts a value where its path says.
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

    fn entry(&mut self, key: &'a str) -> &mut Node<'a> {
        let at = self.0.iter().position(|(held, _)| *held == key);
        let at = at.unwrap_or_else(|| {
            self.0.push((key, Node::Null));
            self.0.len() - 1
        });
        &mut self.0[at].1
    }

    /// The element that the path's filter picks, made if it is not there.
    fn element_at(&mut self, path: &'a TargetPath) -> &mut Self {
        let entry = self.entry(path.attribute());
        if !matches!(entry, Node::List(_)) {
            *entry = Node::List(Vec::new());
        }
        let Node::List(elements) = entry else {
            unreachable!("made a list just above")
        };
        let at = elements.iter().position(|element| element.fits(path));
        let at = at.unwrap_or_else(|| {
            let fields = path.filter().iter();
            let fields = fields.map(|(name, value)| (name.as_str(), Node::of(value)));
            elements.push(Node::Object(Fields(fields.collect())));
            elements.len() - 1
        });
        match &mut elements[at] {
            Node::Object(fields) => fields,
            _ => unreachable!("only objects fit a filter"),
        }
    }
}

impl Node<'_> {
    /// True for an element that the path's filter picks.
    fn fits(&self, path: &TargetPath) -> bool {
        let Self::Object(fields) = self else { return false };
        let held = |name: &str| {
            let mut fields = fields.0.iter();
            fields
                .find(|(key, _)| key.eq_ignore_ascii_case(name))
                .map(|(_, node)| node)
        };
        path.filter()
            .iter()
            .all(|(name, wanted)| match (wanted, held(name)) {
                (Value::Bool(wanted), Some(Node::Bool(held))) => held == wanted,
                (Value::Bool(wanted), Some(Node::Text(held))) => {
                    held.eq_ignore_ascii_case(if *wanted { "true" } else { "false" })
                }
                (Value::String(wanted), Some(Node::Text(held))) => held.eq_ignore_ascii_case(wanted),
                (Value::String(wanted), Some(Node::Integer(held))) => held.to_string() == *wanted,
                _ => false,
            })
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
