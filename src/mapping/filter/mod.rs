//! Scoping filters: who is ours to provision, in Entra's own terms.
//!
//! ```text
//! text ─ token ─ parse ─ groups of clauses ─ check (names, types, patterns) ─ Filter ─ evaluate(object) ─▶ Verdict
//! ```
//! Clauses of a group are joined by AND, groups by OR. A null or empty value makes every clause false, `NOT REGEX
//! MATCH` and `NOT EQUALS` too; `IS NULL` is the exception (docs/design/entra.md, "Scope"). A property that was never
//! read is neither: it makes the verdict unknown, unless the rest decides without it.
//! Beyond Entra: `memberOf EQUALS "<id>"`, `memberOf TRANSITIVE_MEMBER_OF "<id>"` and `id`.
//!
//! Promises: a filter that was read is decided in bounded time for every object; printing and reading it again is
//! the same filter.

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

/// A group that a filter asks about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MemberOf {
    /// The group.
    pub group: SourceId,
    /// Members of groups in it count too.
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
    /// The filter of a text, for objects of this kind.
    ///
    /// # Errors
    /// Everything that is wrong with it, with places and suggestions.
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

    /// As it was written.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// What it is about.
    #[must_use]
    pub const fn kind(&self) -> ObjectKind {
        self.kind
    }

    /// The clauses as written, a list a group.
    #[must_use]
    pub fn groups(&self) -> &[Vec<parse::Clause>] {
        &self.groups
    }

    /// The Graph properties that it needs in `$select`; the id and memberships need none.
    #[must_use]
    pub fn graph_properties(&self) -> BTreeSet<String> {
        let tests = self.tests.iter().flatten();
        tests
            .filter_map(|test| test.attribute())
            .filter(|attribute| attribute.access != Access::ObjectId)
            .map(|attribute| attribute.property.to_string())
            .collect()
    }

    /// True where it asks about memberships at all.
    #[must_use]
    pub fn asks_about_members(&self) -> bool {
        self.tests.iter().flatten().any(|test| test.member_of().is_some())
    }

    /// The groups whose members it asks about.
    #[must_use]
    pub fn member_of(&self) -> BTreeSet<MemberOf> {
        self.tests.iter().flatten().filter_map(Test::member_of).collect()
    }
}

/// The canonical text: two filters that print alike mean the same.
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
