//! The one look-up of objects by object id, UPN, mail or display name, in any case, or by the beginning of an object id where
//! nothing has that name.

use std::collections::BTreeMap;
use std::fmt;

use crate::model::id::ObjectKind;
use crate::model::id::SourceId;
use crate::model::id::TargetId;
use crate::model::shown::shown;
use crate::model::value::Value;
use crate::ports::StoreError;

use super::{read::Reads, record::Record, store::Snapshot};

/// An object that was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Named {
    /// User or group.
    pub kind: ObjectKind,
    /// Its id at the source.
    pub id: SourceId,
    /// Its name for display: its UPN, else its display name, else its id.
    pub name: String,
    /// Its resource, once there is one.
    pub target: Option<TargetId>,
}

/// The reason why a name does not lead to exactly one object.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotOne {
    /// No object has that name.
    #[error("no {what} `{}` among the objects read from the source", shown(.name))]
    Nothing {
        /// The kind looked for: `user`, `group`, or either.
        what: &'static str,
        /// The name as given.
        name: String,
    },
    /// Several objects have it.
    #[error("{} objects are called `{}`: {}", .found.len(), shown(.name), listed(.found))]
    Several {
        /// The name as given.
        name: String,
        /// All of those objects.
        found: Vec<Named>,
    },
}

impl NotOne {
    /// Returns what to do about it.
    #[must_use]
    pub const fn hint(&self) -> &'static str {
        match self {
            Self::Nothing { .. } => {
                "give its object id, or its UPN, mail or display name as Entra has it; `melonsync plan` reads what is new"
            }
            Self::Several { .. } => "give the object id of the one that you mean",
        }
    }
}

fn listed(all: &[Named]) -> String {
    all.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

impl fmt::Display for Named {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let id = self.id.to_string();
        if self.name == id {
            write!(f, "{} {id}", self.kind)
        } else {
            write!(f, "{} {} ({id})", self.kind, shown(&self.name))
        }
    }
}

impl Named {
    fn of(record: &Record) -> Self {
        Self {
            kind: record.object.kind,
            id: record.object.id,
            name: record.object.name(),
            target: record.link.as_ref().map(|link| link.target.clone()),
        }
    }
}

impl Snapshot {
    /// Returns the one object of these kinds that each name leads to. The error is of the first name that does not.
    pub fn one_named(
        &self,
        kinds: &[ObjectKind],
        names: &[String],
    ) -> Result<Result<Vec<Named>, NotOne>, StoreError> {
        let what = match kinds {
            [kind] => kind.word(),
            _ => "user or group",
        };
        let each = names.iter().zip(self.named(kinds, names)?);
        Ok(each
            .map(|(name, mut found)| match found.len() {
                1 => Ok(found.remove(0)),
                0 => Err(NotOne::Nothing {
                    what,
                    name: name.clone(),
                }),
                _ => Err(NotOne::Several {
                    name: name.clone(),
                    found,
                }),
            })
            .collect())
    }

    /// Returns all objects of these kinds that each name leads to. Records are scanned once for all names, and not at
    /// all where each name is an object id.
    pub fn named(&self, kinds: &[ObjectKind], names: &[String]) -> Result<Vec<Vec<Named>>, StoreError> {
        let mut by_name: BTreeMap<String, Vec<Named>> = BTreeMap::new();
        let mut by_beginning: BTreeMap<String, Vec<Named>> = BTreeMap::new();
        for name in names {
            let found = by_name.entry(name.to_lowercase()).or_default();
            let Ok(id) = name.parse() else {
                if begins_an_id(name) {
                    by_beginning.entry(name.to_lowercase()).or_default();
                }
                continue;
            };
            found.clear();
            for kind in kinds {
                found.extend(self.record(*kind, &id)?.as_ref().map(Named::of));
            }
        }
        if names.iter().any(|name| name.parse::<SourceId>().is_err()) {
            for kind in kinds {
                self.add_called(*kind, &mut by_name, &mut by_beginning)?;
            }
        }
        let found = names.iter().map(|name| {
            let name = name.to_lowercase();
            let called = &by_name[&name];
            match by_beginning.get(&name).filter(|_| called.is_empty()) {
                Some(begun) => begun.clone(),
                None => called.clone(),
            }
        });
        Ok(found.collect())
    }

    fn add_called(
        &self,
        kind: ObjectKind,
        by_name: &mut BTreeMap<String, Vec<Named>>,
        by_beginning: &mut BTreeMap<String, Vec<Named>>,
    ) -> Result<(), StoreError> {
        self.each_record(kind, |record| {
            for called in names_of(record) {
                if let Some(found) = by_name.get_mut(&called) {
                    found.push(Named::of(record));
                }
            }
            if by_beginning.is_empty() {
                return;
            }
            let id = record.object.id.to_string();
            let begun = by_beginning
                .iter_mut()
                .filter(|(begun, _)| id.starts_with(*begun));
            for (_, found) in begun {
                found.push(Named::of(record));
            }
        })
    }
}

/// Fewer signs than these begin too many ids to mean one.
const SHORTEST_BEGINNING: usize = 4;

/// True for what an object id may begin with.
fn begins_an_id(name: &str) -> bool {
    name.len() >= SHORTEST_BEGINNING && name.chars().all(|c| c.is_ascii_hexdigit() || c == '-')
}

/// Returns the names of an object in lower case, each name once.
fn names_of(record: &Record) -> Vec<String> {
    let names = ["userPrincipalName", "mail", "displayName"].iter();
    let mut names: Vec<String> = names
        .filter_map(|name| record.object.attribute(name).and_then(Value::as_str))
        .map(str::to_lowercase)
        .collect();
    names.sort();
    names.dedup();
    names
}
