//! Loops, refused when the configuration is loaded: a property that is written back must decide nothing else.
//!
//! A written-back property, its row and its way back are one edge there and one back. Any other use of the property would let what is
//! written change who is in scope, who is matched, or another value, and with that what is written next.

use std::collections::BTreeSet;
use std::fmt;

use crate::mapping::Mapping;
use crate::mapping::Row;
use crate::mapping::TargetPath;
use crate::mapping::names::Access;
use crate::model::id::ObjectKind;
use crate::model::id::SourceId;

/// A way back: the value at this path goes to this Graph property.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WayBack {
    /// The place at the target.
    pub path: TargetPath,
    /// The Graph property.
    pub property: String,
}

/// What else decides by properties and groups.
#[derive(Debug, Clone, Default)]
pub struct Deciders {
    /// The Graph properties that scoping filters read.
    pub scope: BTreeSet<String>,
    /// `rehire_by`.
    pub rehire_by: Option<String>,
    /// The groups that scoping filters ask about.
    pub scope_groups: BTreeSet<SourceId>,
    /// The group that is kept equal to the holders of keys.
    pub enrolled_group: Option<SourceId>,
}

/// A loop, or a way back that is none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Loop {
    /// No row of the mapping has this target.
    NoRow {
        /// The path of the way back.
        path: String,
    },
    /// The row is not the bare attribute.
    NotBare {
        /// The path of the way back.
        path: String,
        /// The row's expression.
        expression: String,
        /// The Graph property of the way back.
        property: String,
    },
    /// The row is a matching attribute.
    Matches {
        /// The path of the way back.
        path: String,
    },
    /// Two ways back lead to one property.
    Twice {
        /// The property.
        property: String,
        /// Their paths.
        paths: [String; 2],
    },
    /// Another row reads the property.
    OtherRow {
        /// The property.
        property: String,
        /// The path of the way back.
        path: String,
        /// The target of the other row.
        other: String,
    },
    /// A scoping filter reads the property.
    Scope {
        /// The property.
        property: String,
    },
    /// `rehire_by` reads the property.
    Rehire {
        /// The property.
        property: String,
    },
    /// A scoping filter asks about the enrolled group.
    GroupInScope {
        /// The group.
        group: SourceId,
    },
}

/// Returns every loop that these ways back would make.
#[must_use]
pub fn loops(mapping: &Mapping, ways: &[WayBack], deciders: &Deciders) -> Vec<Loop> {
    let rows = mapping.rows(ObjectKind::User);
    let mut found = Vec::new();
    for (at, way) in ways.iter().enumerate() {
        let same = |earlier: &&WayBack| earlier.property.eq_ignore_ascii_case(&way.property);
        if let Some(earlier) = ways[..at].iter().find(same) {
            found.push(Loop::Twice {
                property: way.property.clone(),
                paths: [earlier.path.as_str().to_owned(), way.path.as_str().to_owned()],
            });
        }
        of_rows(rows, way, &mut found);
        let reads = |name: &String| name.eq_ignore_ascii_case(&way.property);
        if deciders.scope.iter().any(reads) {
            found.push(Loop::Scope {
                property: way.property.clone(),
            });
        }
        if deciders.rehire_by.as_ref().is_some_and(reads) {
            found.push(Loop::Rehire {
                property: way.property.clone(),
            });
        }
    }
    let in_scope = deciders
        .enrolled_group
        .filter(|group| deciders.scope_groups.contains(group));
    found.extend(in_scope.map(|group| Loop::GroupInScope { group }));
    found
}

/// Looks at the row of a way back, and at every other one.
fn of_rows(rows: &[Row], way: &WayBack, found: &mut Vec<Loop>) {
    let path = || way.path.as_str().to_owned();
    let own = rows.iter().position(|row| row.target.same_place(&way.path));
    match own.map(|at| &rows[at]) {
        None => found.push(Loop::NoRow { path: path() }),
        Some(row) if !is_bare(row, &way.property) => found.push(Loop::NotBare {
            path: path(),
            expression: row.source.text().to_owned(),
            property: way.property.clone(),
        }),
        Some(row) if row.matching.is_some() => found.push(Loop::Matches { path: path() }),
        Some(_) => {}
    }
    let others = rows.iter().enumerate().filter(|(at, _)| Some(*at) != own);
    for (_, other) in others {
        let mut uses = other.source.uses().iter();
        if uses.any(|used| used.property.eq_ignore_ascii_case(&way.property)) {
            found.push(Loop::OtherRow {
                property: way.property.clone(),
                path: path(),
                other: other.target.as_str().to_owned(),
            });
        }
    }
}

/// Returns true where the row's value is the property itself, or the one element of a list that has room for one.
fn is_bare(row: &Row, property: &str) -> bool {
    row.source.bare().is_some_and(|attribute| {
        attribute.property.eq_ignore_ascii_case(property)
            && matches!(attribute.access, Access::Whole | Access::First)
    })
}

/// Writes what is wrong, naming both sides.
impl fmt::Display for Loop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoRow { path } => write!(
                f,
                "the mapping has no row for `{path}`, so nothing says what it holds"
            ),
            Self::NotBare {
                path,
                expression,
                property,
            } => write!(
                f,
                "the row for `{path}` is `{expression}`, not the bare attribute `{property}`: what comes back would not be what went out"
            ),
            Self::Matches { path } => write!(
                f,
                "the row for `{path}` is a matching attribute: writing it back could match a user to another resource"
            ),
            Self::Twice { property, paths } => write!(
                f,
                "`{}` and `{}` are both written back to `{property}`",
                paths[0], paths[1]
            ),
            Self::OtherRow {
                property,
                path,
                other,
            } => write!(
                f,
                "`{property}` is written back from `{path}`, and the row for `{other}` reads it: one would change the other for ever"
            ),
            Self::Scope { property } => write!(
                f,
                "`{property}` is written back, and a scoping filter reads it: what is written could decide who is in scope"
            ),
            Self::Rehire { property } => write!(
                f,
                "`{property}` is written back, and `rehire_by` reads it: what is written could give one person another's resource"
            ),
            Self::GroupInScope { group } => write!(
                f,
                "the group {group} is the enrolled group, and a scoping filter asks about it: who holds a key would decide who is in scope"
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROWS: &str = r#"
        [[user]]
        target = "userName"
        source = "[userPrincipalName]"
        matching = 1
        [[user]]
        target = "externalId"
        source = "[mailNickname]"
        matching = 2
        [[user]]
        target = "title"
        source = "[jobTitle]"
        [[user]]
        target = "displayName"
        source = 'Join(" ", [givenName], [surname])'
        [[user]]
        target = 'phoneNumbers[type eq "mobile"].value'
        source = "[mobile]"
        [[user]]
        target = 'phoneNumbers[type eq "work"].value'
        source = "[telephoneNumber]"
        [[user]]
        target = "nickName"
        source = "ToUpper([department])"
        [[user]]
        target = "profileUrl"
        source = "[department]"
    "#;

    fn found(ways: &[(&str, &str)], deciders: &Deciders) -> Vec<String> {
        let mapping = Mapping::from_toml("a mapping", ROWS).unwrap();
        let way = |(path, property): &(&str, &str)| WayBack {
            path: path.parse().unwrap(),
            property: (*property).to_owned(),
        };
        let ways: Vec<WayBack> = ways.iter().map(way).collect();
        let loops = loops(&mapping, &ways, deciders);
        loops.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_bare_attribute_that_decides_nothing_else_is_no_loop() {
        let none: Vec<String> = Vec::new();
        for ways in [
            vec![(r#"phoneNumbers[type eq "mobile"].value"#, "mobilePhone")],
            vec![(r#"phoneNumbers[type eq "work"].value"#, "businessPhones")],
            vec![
                ("title", "jobTitle"),
                (r#"phoneNumbers[type eq "mobile"].value"#, "mobilePhone"),
            ],
            vec![],
        ] {
            assert_eq!(found(&ways, &Deciders::default()), none, "{ways:?}");
        }
    }

    #[test]
    fn each_loop_is_named_with_both_its_sides() {
        let group = SourceId::from_bytes([7; 16]);
        let deciders = Deciders {
            scope: BTreeSet::from(["jobTitle".to_owned()]),
            rehire_by: Some("mobilePhone".to_owned()),
            scope_groups: BTreeSet::from([group]),
            enrolled_group: None,
        };
        let none = Deciders::default();
        for (name, ways, deciders, expected) in [
            ("no row", vec![("locale", "city")], &none, "no row for `locale`"),
            (
                "an expression",
                vec![("nickName", "department")],
                &none,
                "`ToUpper([department])`",
            ),
            (
                "another property",
                vec![("title", "department")],
                &none,
                "not the bare attribute `department`",
            ),
            (
                "matching",
                vec![("externalId", "mailNickname")],
                &none,
                "matching attribute",
            ),
            (
                "another row",
                vec![("profileUrl", "department")],
                &none,
                "the row for `nickName` reads it",
            ),
            (
                "twice",
                vec![("title", "jobTitle"), ("title", "JobTitle")],
                &none,
                "`title` and `title` are both written back",
            ),
            (
                "scope",
                vec![("title", "jobTitle")],
                &deciders,
                "scoping filter reads it",
            ),
            (
                "rehire",
                vec![(r#"phoneNumbers[type eq "mobile"].value"#, "mobilePhone")],
                &deciders,
                "`rehire_by` reads it",
            ),
        ] {
            let found = found(&ways, deciders);
            assert!(
                found.iter().any(|text| text.contains(expected)),
                "{name}: {found:?}"
            );
        }
        let of_group = Deciders {
            enrolled_group: Some(group),
            ..deciders
        };
        assert!(found(&[], &of_group)[0].contains("is the enrolled group"));
    }
}
