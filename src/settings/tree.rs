//! The settings as they were written: a tree in which each value knows its origin.
//!
//! Overrides from the environment are laid over the file here, before anything is interpreted, so that a bad override
//! is reported like a bad line, under the variable's name.

use std::{collections::BTreeMap, ops::Range};

use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// The prefix of an overriding variable's name; the rest is the path, joined by `__`.
const PREFIX: &str = "MELONSYNC__";

/// Where a key or value was written.
#[derive(Clone)]
pub(super) enum Origin {
    /// Bytes of the file.
    File(Range<usize>),
    /// A variable, with its value as it is. No `Debug`: the value may be a secret.
    Env { name: String, raw: String },
}

/// A value as written.
pub(super) enum Raw {
    Text(String),
    Integer(i64),
    Float(f64),
    Bool(bool),
    Date(String),
    List,
    Table(Table),
}

impl Raw {
    /// Returns the type's name for people.
    pub(super) const fn kind(&self) -> &'static str {
        match self {
            Self::Text(_) => "a text",
            Self::Integer(_) => "a whole number",
            Self::Float(_) => "a decimal number",
            Self::Bool(_) => "a boolean",
            Self::Date(_) => "a date or time",
            Self::List => "a list",
            Self::Table(_) => "a table",
        }
    }
}

/// A value with its place.
pub(super) struct Node {
    pub(super) raw: Raw,
    pub(super) origin: Origin,
    /// The elements, where `raw` is a list; their key is their position, `[0]` and so on.
    pub(super) items: Vec<Entry>,
}

/// A key, its place and its value.
pub(super) struct Entry {
    pub(super) key: String,
    pub(super) at: Origin,
    pub(super) node: Node,
}

impl Entry {
    fn of_item((at, item): (usize, &Spanned<DeValue<'_>>), origin: &dyn Fn(Range<usize>) -> Origin) -> Self {
        Self {
            key: format!("[{at}]"),
            at: origin(item.span()),
            node: Node::convert(item, origin),
        }
    }
}

/// Keys in the order written.
#[derive(Default)]
pub(super) struct Table(pub(super) Vec<Entry>);

impl Table {
    pub(super) fn get(&self, key: &str) -> Option<&Entry> {
        self.0.iter().find(|entry| entry.key == key)
    }

    /// Builds the tree of a parsed file.
    pub(super) fn of_file(table: &DeTable<'_>) -> Self {
        Self::convert(table, &Origin::File)
    }

    fn convert(table: &DeTable<'_>, origin: &dyn Fn(Range<usize>) -> Origin) -> Self {
        let entry = |(key, value): (&Spanned<_>, &Spanned<DeValue<'_>>)| {
            let key: &Spanned<std::borrow::Cow<'_, str>> = key;
            Entry {
                key: key.get_ref().to_string(),
                at: origin(key.span()),
                node: Node::convert(value, origin),
            }
        };
        Self(table.iter().map(entry).collect())
    }

    /// Lays every `MELONSYNC__…` variable over the tree. Returns the names that lead nowhere.
    pub(super) fn overlay(&mut self, env: &BTreeMap<String, String>) -> Vec<String> {
        let mut bad = Vec::new();
        for (name, raw) in env {
            let Some(path) = name.strip_prefix(PREFIX) else {
                continue;
            };
            let keys: Vec<&str> = path.split("__").collect();
            if keys.iter().any(|key| key.is_empty()) {
                bad.push(name.clone());
            } else {
                self.set(
                    &keys,
                    &Origin::Env {
                        name: name.clone(),
                        raw: raw.clone(),
                    },
                    raw,
                );
            }
        }
        bad
    }

    fn set(&mut self, keys: &[&str], origin: &Origin, raw: &str) {
        let [first, rest @ ..] = keys else { return };
        let at = self.position_or_insert(first, origin);
        let entry = &mut self.0[at];
        if rest.is_empty() {
            entry.node = Node::of_variable(raw, origin);
            entry.at = origin.clone();
            return;
        }
        if !matches!(entry.node.raw, Raw::Table(_)) {
            entry.node = Node {
                raw: Raw::Table(Self::default()),
                origin: origin.clone(),
                items: Vec::new(),
            };
        }
        if let Raw::Table(table) = &mut entry.node.raw {
            table.set(rest, origin, raw);
        }
    }

    /// Finds the key or adds it. Variables are written in capitals and without hyphens, so `NORTH_SIDE` also means a
    /// key `north-side`.
    fn position_or_insert(&mut self, key: &str, origin: &Origin) -> usize {
        let same = |entry: &Entry| entry.key.replace('-', "_").eq_ignore_ascii_case(key);
        self.0.iter().position(same).unwrap_or_else(|| {
            let raw = Raw::Table(Self::default());
            let node = Node {
                raw,
                origin: origin.clone(),
                items: Vec::new(),
            };
            self.0.push(Entry {
                key: key.to_ascii_lowercase(),
                at: origin.clone(),
                node,
            });
            self.0.len() - 1
        })
    }
}

impl Node {
    fn convert(value: &Spanned<DeValue<'_>>, origin: &dyn Fn(Range<usize>) -> Origin) -> Self {
        let mut items = Vec::new();
        let raw = match value.get_ref() {
            DeValue::String(text) => Raw::Text(text.to_string()),
            DeValue::Integer(n) => i64::from_str_radix(n.as_str(), n.radix())
                .map_or_else(|_| Raw::Text(n.to_string()), Raw::Integer),
            DeValue::Float(n) => n
                .as_str()
                .parse()
                .map_or_else(|_| Raw::Text(n.to_string()), Raw::Float),
            DeValue::Boolean(b) => Raw::Bool(*b),
            DeValue::Datetime(date) => Raw::Date(date.to_string()),
            DeValue::Array(list) => {
                items = list
                    .iter()
                    .enumerate()
                    .map(|item| Entry::of_item(item, origin))
                    .collect();
                Raw::List
            }
            DeValue::Table(table) => Raw::Table(Table::convert(table, origin)),
        };
        Self {
            raw,
            origin: origin(value.span()),
            items,
        }
    }

    /// Reads a variable's value: TOML where it parses as such, else the text itself.
    fn of_variable(raw: &str, origin: &Origin) -> Self {
        DeValue::parse(raw).map_or_else(
            |_| Self {
                raw: Raw::Text(raw.to_owned()),
                origin: origin.clone(),
                items: Vec::new(),
            },
            |value| Self::convert(&value, &|_| origin.clone()),
        )
    }
}
