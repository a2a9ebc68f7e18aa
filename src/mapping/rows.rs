//! A mapping: its rows for users and for groups, and what follows from them.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::sync::OnceLock;

use sha2::{Digest, Sha256};

use crate::model::id::ObjectKind;
use crate::model::name::Name;
use crate::model::value::Value;

use super::{
    expression::Expression,
    names::{Access, Reference},
    path::TargetPath,
};

/// Raised whenever evaluation changes its meaning, so that a new release looks at every object again.
const SEMANTICS: u8 = 2;

/// When a row is applied.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Apply {
    /// Applied in creates and updates.
    #[default]
    Always,
    /// Applied in creates (Entra: "only during object creation").
    CreateOnly,
}

/// The side whose value counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Authority {
    /// The source's.
    #[default]
    Source,
    /// The target's: set on create, never pushed again, and open to write-back.
    Target,
}

/// A row's own drift policy, where it has one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Drift {
    /// Reported only.
    Report,
    /// Written back to the source's value.
    Heal,
}

/// One row: a place at the target and its value.
#[derive(Debug, Clone)]
pub struct Row {
    /// The place at the target.
    pub target: TargetPath,
    /// The expression of its value.
    pub source: Expression,
    /// The matching precedence, 1 first; `None` for an attribute that does not match.
    pub matching: Option<u8>,
    /// When it is applied.
    pub apply: Apply,
    /// The value of a create where the result is null, as Entra's "default value if null". Never null or empty.
    pub default: Option<Value>,
    /// The side whose value counts.
    pub authority: Authority,
    /// Set for `[manager]` and `[members]`: the value is other objects, which the planner resolves.
    pub reference: Option<Reference>,
    /// The row's own drift policy.
    pub drift: Option<Drift>,
}

/// A checked mapping.
#[derive(Debug, Clone)]
pub struct Mapping {
    /// A preset with its version (`idmelon@1`), or the path of the file.
    pub name: String,
    /// Rows for users.
    pub user: Vec<Row>,
    /// Rows for groups.
    pub group: Vec<Row>,
    /// The rows of known names, by kind; built when first asked for.
    pub(super) places: [OnceLock<Places>; 2],
}

/// The row of each known name, by the name's number.
type Places = Vec<Option<u16>>;

impl Mapping {
    /// Returns the rows for this kind of object.
    #[must_use]
    pub fn rows(&self, kind: ObjectKind) -> &[Row] {
        match kind {
            ObjectKind::User => &self.user,
            ObjectKind::Group => &self.group,
        }
    }

    /// Returns the mapping with the rows of users for these places belonging to the target.
    #[must_use]
    pub fn belonging_to_target(mut self, places: &[&TargetPath]) -> Self {
        let is_named = |row: &&mut Row| places.iter().any(|place| row.target.same_place(place));
        for row in self.user.iter_mut().filter(is_named) {
            row.authority = Authority::Target;
        }
        self
    }

    /// Returns exactly the Graph properties that the rows need in `$select`, `manager` and `members` included, but not
    /// `id` (which always comes) and app roles (which are not a property).
    #[must_use]
    pub fn graph_properties(&self, kind: ObjectKind) -> BTreeSet<String> {
        self.rows(kind)
            .iter()
            .flat_map(|row| row.source.uses())
            .filter(|attribute| !matches!(attribute.access, Access::ObjectId | Access::AppRoles))
            .map(|attribute| attribute.property.to_string())
            .collect()
    }

    /// Returns whether a row reads `[appRoleAssignments]`: the assignments of the application must be read, and put
    /// into the objects (see [`names`](super::names)).
    #[must_use]
    pub fn uses_app_roles(&self, kind: ObjectKind) -> bool {
        self.rows(kind)
            .iter()
            .flat_map(|row| row.source.uses())
            .any(|attribute| attribute.access == Access::AppRoles)
    }

    /// Returns whether a row's result changes with the time: all objects must be evaluated again once a day.
    #[must_use]
    pub fn uses_now(&self, kind: ObjectKind) -> bool {
        self.rows(kind).iter().any(|row| row.source.uses_now())
    }

    /// Returns whether a row draws at random: the seed must be one that is kept.
    #[must_use]
    pub fn uses_chance(&self) -> bool {
        let mut rows = self.user.iter().chain(&self.group);
        rows.any(|row| row.source.uses_chance())
    }

    /// Returns whether the values at this target path must not be shown in plans and logs (`Redact`).
    #[must_use]
    pub fn is_redacted(&self, kind: ObjectKind, target: &Name) -> bool {
        self.rows(kind)
            .iter()
            .any(|row| row.source.is_redacted() && row.target.name() == target)
    }

    /// Returns whether any value of this kind must not be shown.
    #[must_use]
    pub fn redacts(&self, kind: ObjectKind) -> bool {
        self.rows(kind).iter().any(|row| row.source.is_redacted())
    }

    /// Returns the matching rows, first precedence first.
    #[must_use]
    pub fn matching(&self, kind: ObjectKind) -> Vec<&Row> {
        let mut rows: Vec<_> = self
            .rows(kind)
            .iter()
            .filter(|row| row.matching.is_some())
            .collect();
        rows.sort_by_key(|row| row.matching);
        rows
    }

    /// Returns the row for a whole core attribute such as `active`, `userName`, `externalId`.
    #[must_use]
    pub fn core_row(&self, kind: ObjectKind, attribute: &str) -> Option<(usize, &Row)> {
        self.rows(kind)
            .iter()
            .enumerate()
            .find(|(_, row)| row.target.is_core(attribute))
    }

    /// Returns the path of this name: a row's own, else parsed anew. Parsing a path costs more than comparing a whole
    /// request, so callers with a mapping ask it. Returns `None` for a name that is not a path.
    #[must_use]
    pub fn target_path(&self, kind: ObjectKind, name: &Name) -> Option<Cow<'_, TargetPath>> {
        let rows = self.rows(kind);
        let there = |row: &&Row| row.target.name() == name;
        let row = self.place(kind, name).and_then(|at| rows.get(at)).filter(there);
        row.or_else(|| rows.iter().find(there)).map_or_else(
            || name.parse().ok().map(Cow::Owned),
            |row| Some(Cow::Borrowed(&row.target)),
        )
    }

    /// Returns the place that the row of a known name had when this was first asked.
    fn place(&self, kind: ObjectKind, name: &Name) -> Option<usize> {
        let code = usize::from(name.code()?);
        let places = self.places[kind as usize].get_or_init(|| {
            let mut places = Places::new();
            for (at, row) in (0..).zip(self.rows(kind)) {
                if let Some(code) = row.target.name().code().map(usize::from) {
                    places.resize(places.len().max(code + 1), None);
                    places[code] = places[code].or(Some(at));
                }
            }
            places
        });
        places.get(code).copied().flatten().map(usize::from)
    }

    /// Returns the row of references of this kind: manager or members.
    #[must_use]
    pub fn reference_row(&self, kind: ObjectKind) -> Option<(usize, &Row)> {
        self.rows(kind)
            .iter()
            .enumerate()
            .find(|(_, row)| row.reference.is_some())
    }

    /// Computes a hash that changes whenever what an object should hold, or how it is matched, could change. Spaces,
    /// comments, the name and drift policies do not count.
    #[must_use]
    pub fn fingerprint(&self) -> [u8; 32] {
        let mut hash = Sha256::new();
        hash.update([SEMANTICS]);
        for kind in [ObjectKind::User, ObjectKind::Group] {
            hash.update(kind.word());
            for row in self.rows(kind) {
                let matching = row
                    .matching
                    .map_or(String::new(), |precedence| precedence.to_string());
                let apply = if row.apply == Apply::CreateOnly {
                    "create-only"
                } else {
                    "always"
                };
                let authority = if row.authority == Authority::Target {
                    "target"
                } else {
                    "source"
                };
                let default = row.default.as_ref().map_or(String::new(), Value::to_string);
                let source = row.source.canonical();
                for part in [
                    row.target.as_str(),
                    &source,
                    &matching,
                    apply,
                    authority,
                    &default,
                ] {
                    // Length first: no two rows may yield the same bytes.
                    hash.update((part.len() as u64).to_be_bytes());
                    hash.update(part);
                }
            }
        }
        hash.finalize().into()
    }
}
