//! Scoping filters: which objects are ours to provision, in Entra's own terms.
//!
//! ```text
//! text ─ token ─ parse ─ groups of clauses ─ check (names, types, patterns) ─ Filter ─ evaluate(object) ─▶ Verdict
//! ```
//! Clauses of a group are joined by AND, groups by OR. A null or empty value makes every clause false, `NOT REGEX
//! MATCH` and `NOT EQUALS` too; `IS NULL` is the exception (docs/design/entra.md, "Scope"). A property that was never
//! read is neither: it makes the verdict unknown, unless the rest decides without it. Beyond Entra: `memberOf EQUALS
//! "<id>"`, `memberOf TRANSITIVE_MEMBER_OF "<id>"` and `id`.
//!
//! Promises: a filter that parses is decided in bounded time for every object; printing and parsing it again yields the
//! same filter.

mod check;
mod evaluate;
pub mod operator;
pub mod parse;
mod token;

use std::{collections::BTreeSet, fmt, sync::Arc};

use crate::model::id::ObjectKind;
use crate::model::id::SourceId;

use super::{diagnostic::ExpressionError, names::Access};
use check::Test;

pub use evaluate::Verdict;
pub use operator::Operator;

/// A group whose members a filter tests.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MemberOf {
    /// The group.
    pub group: SourceId,
    /// If true, members of groups within it count too.
    pub transitive: bool,
}

/// A scoping filter that passed every check.
#[derive(Debug, Clone)]
pub struct Filter {
    kind: ObjectKind,
    text: Arc<str>,
    groups: parse::Groups,
    tests: Vec<Vec<Test>>,
}

impl Filter {
    /// Parses the text of a filter, for objects of this kind.
    ///
    /// # Errors
    /// Every problem in it, with places and suggestions.
    pub fn parse(kind: ObjectKind, text: &str) -> Result<Self, ExpressionError> {
        let failed = |diagnostics| ExpressionError {
            text: text.into(),
            diagnostics,
        };
        let groups = parse::parse(text).map_err(|problem| failed(vec![problem]))?;
        let tests = check::check(kind, &groups).map_err(failed)?;
        Ok(Self {
            kind,
            text: text.into(),
            groups,
            tests,
        })
    }

    /// Returns the text as it was written.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Returns the kind of its objects.
    #[must_use]
    pub const fn kind(&self) -> ObjectKind {
        self.kind
    }

    /// Returns the clauses as written, one list a group.
    #[must_use]
    pub fn groups(&self) -> &[Vec<parse::Clause>] {
        &self.groups
    }

    /// Returns the Graph properties that it needs in `$select`; the id and memberships need none.
    #[must_use]
    pub fn graph_properties(&self) -> BTreeSet<String> {
        let tests = self.tests.iter().flatten();
        tests
            .filter_map(|test| test.attribute())
            .filter(|attribute| attribute.access != Access::ObjectId)
            .map(|attribute| attribute.property.to_string())
            .collect()
    }

    /// Returns true where it tests memberships at all.
    #[must_use]
    pub fn asks_about_members(&self) -> bool {
        self.tests.iter().flatten().any(|test| test.member_of().is_some())
    }

    /// Returns the groups whose members it tests.
    #[must_use]
    pub fn member_of(&self) -> BTreeSet<MemberOf> {
        self.tests.iter().flatten().filter_map(Test::member_of).collect()
    }
}

/// Writes the canonical text: two filters that print alike mean the same.
impl fmt::Display for Filter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        parse::print(&self.groups, f)
    }
}

impl PartialEq for Filter {
    fn eq(&self, other: &Self) -> bool {
        self.kind == other.kind && self.groups == other.groups
    }
}

impl Eq for Filter {}
