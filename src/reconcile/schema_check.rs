//! What the target's schemas let expect of a mapping, before anything is sent. Pure; the words are the command's.

use super::target_schema::Attribute;
use super::target_schema::Knowledge;
use super::target_schema::Mutability;
use super::target_schema::Schemas;
use super::target_schema::core_of;
use super::target_schema::is_essential;
use super::target_schema::knowledge;
use crate::mapping::Apply;
use crate::mapping::Row;
use crate::model::id::ObjectKind;

/// What is to be said of an attribute.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Remark {
    /// Target path.
    pub path: String,
    /// What.
    pub what: What,
}

/// What the schema says that does not go with the mapping.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum What {
    /// It has no such attribute. `sent`: the row is not left out all the same.
    Unknown {
        /// See there.
        sent: bool,
    },
    /// It may not be written.
    ReadOnly {
        /// As for the unknown.
        sent: bool,
    },
    /// It may be written once, and the row is applied always.
    Immutable,
    /// It must have a value, and the row may make none.
    MayBeEmpty,
    /// It must have a value, and no row makes one.
    NoRow,
    /// It is not shown.
    NotReturned,
}

/// What never is empty at the source: Entra itself requires it, or makes it.
const ALWAYS_THERE: [&str; 7] = [
    "id",
    "userPrincipalName",
    "displayName",
    "accountEnabled",
    "mailNickname",
    "mailEnabled",
    "securityEnabled",
];

/// What every resource has, whatever its schema says of it.
const COMMON: [&str; 4] = ["id", "schemas", "meta", "externalid"];

/// Compares the rows of a kind with the schemas; nothing where no schema of the kind is served.
#[must_use]
pub fn compare(schemas: &Schemas, kind: ObjectKind, rows: &[Row]) -> Vec<Remark> {
    let of_row = |row: &Row| {
        let sent = is_essential(kind, row);
        let whats = match knowledge(schemas, kind, &row.target) {
            Knowledge::Unsaid => Vec::new(),
            Knowledge::Unknown => vec![What::Unknown { sent }],
            Knowledge::Known(said) if said.mutability == Mutability::ReadOnly => {
                vec![What::ReadOnly { sent }]
            }
            Knowledge::Known(said) => of_known(said, row),
        };
        let path = row.target.as_str().to_owned();
        let remark = move |what| Remark {
            path: path.clone(),
            what,
        };
        whats.into_iter().map(remark).collect::<Vec<_>>()
    };
    let mut remarks: Vec<Remark> = rows.iter().flat_map(of_row).collect();
    remarks.extend(without_row(schemas, kind, rows));
    remarks
}

fn of_known(said: Attribute, row: &Row) -> Vec<What> {
    let hidden = !said.returned || said.mutability == Mutability::WriteOnly;
    let cases = [
        (
            said.mutability == Mutability::Immutable && row.apply == Apply::Always,
            What::Immutable,
        ),
        (said.required && may_be_empty(row), What::MayBeEmpty),
        (hidden, What::NotReturned),
    ];
    cases
        .into_iter()
        .filter_map(|(holds, what)| holds.then_some(what))
        .collect()
}

/// Whether a row may make nothing of an object; a default counts, because it stands in for nothing when the resource is made.
fn may_be_empty(row: &Row) -> bool {
    let mut uses = row.source.uses().iter();
    let always = |property: &str| property.is_empty() || ALWAYS_THERE.contains(&property);
    row.default.is_none() && (row.reference.is_some() || !uses.all(|used| always(used.property.as_str())))
}

/// Attributes that must have a value, and that no row writes.
fn without_row(schemas: &Schemas, kind: ObjectKind, rows: &[Row]) -> Vec<Remark> {
    let core = core_of(kind);
    let used = |urn: &str| {
        let names = |row: &Row| row.target.urn().is_some_and(|own| own.eq_ignore_ascii_case(urn));
        urn.eq_ignore_ascii_case(core) || rows.iter().any(names)
    };
    let is_written = |urn: &str, attribute: &str| {
        let own = |row: &Row| row.target.urn().unwrap_or(core).eq_ignore_ascii_case(urn);
        rows.iter()
            .any(|row| own(row) && row.target.attribute().eq_ignore_ascii_case(attribute))
    };
    let mut missing = Vec::new();
    for (urn, attributes) in schemas.iter().filter(|(urn, _)| used(urn)) {
        for (name, said) in attributes {
            let ours = said.required && said.mutability != Mutability::ReadOnly && !name.contains('.');
            if ours && !COMMON.contains(&name.as_str()) && !is_written(urn, name) {
                let path = if urn.eq_ignore_ascii_case(core) {
                    name.clone()
                } else {
                    format!("{urn}:{name}")
                };
                missing.push(Remark {
                    path,
                    what: What::NoRow,
                });
            }
        }
    }
    missing
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mapping::Mapping;
    use crate::mapping::path::CORE_USER;

    const MAPPING: &str = r#"
        [[user]]
        target = "userName"
        source = "[userPrincipalName]"
        matching = 1
        [[user]]
        target = "active"
        source = 'Switch([IsSoftDeleted], , "False", "True", "True", "False")'
        [[user]]
        target = "title"
        source = "[jobTitle]"
        [[user]]
        target = "nickName"
        source = "[mailNickname]"
        apply = "create-only"
        [[user]]
        target = "name.familyName"
        source = "[surname]"
        default = "-"
        [[group]]
        target = "displayName"
        source = "[displayName]"
        matching = 1
    "#;

    fn said(attributes: &[(&str, Attribute)]) -> Vec<(String, What)> {
        let known = attributes.iter().map(|(name, said)| ((*name).to_owned(), *said));
        let schemas = Schemas::from([(CORE_USER.to_owned(), known.collect())]);
        let mapping = Mapping::from_toml("test", MAPPING).unwrap();
        let remarks = compare(&schemas, ObjectKind::User, &mapping.user).into_iter();
        remarks.map(|remark| (remark.path, remark.what)).collect()
    }

    #[test]
    fn each_row_is_compared_with_what_the_schema_says_of_it() {
        let plain = Attribute::default();
        let required = Attribute {
            required: true,
            ..plain
        };
        let mutability = |mutability| Attribute { mutability, ..plain };
        let all = |title, family| {
            [
                ("username", required),
                ("active", required),
                ("nickname", mutability(Mutability::Immutable)),
                ("title", title),
                ("name", plain),
                ("name.familyname", family),
            ]
        };
        let of = |path: &str, what| vec![(path.to_owned(), what)];
        for (name, title, family, expected) in [
            ("nothing against it", plain, required, vec![]),
            (
                "required, and may be empty",
                required,
                plain,
                of("title", What::MayBeEmpty),
            ),
            (
                "immutable, and applied always",
                mutability(Mutability::Immutable),
                plain,
                of("title", What::Immutable),
            ),
            (
                "read-only",
                mutability(Mutability::ReadOnly),
                plain,
                of("title", What::ReadOnly { sent: false }),
            ),
            (
                "not returned",
                Attribute {
                    returned: false,
                    ..plain
                },
                plain,
                of("title", What::NotReturned),
            ),
            (
                "write-only",
                mutability(Mutability::WriteOnly),
                plain,
                of("title", What::NotReturned),
            ),
        ] {
            assert_eq!(said(&all(title, family)), expected, "{name}");
        }
    }

    #[test]
    fn what_is_unknown_is_left_out_or_sent_and_what_is_required_needs_a_row() {
        let required = Attribute {
            required: true,
            ..Attribute::default()
        };
        let found = said(&[
            ("title", Attribute::default()),
            ("nickname", Attribute::default()),
            ("name", Attribute::default()),
            ("costcode", required),
            ("id", required),
        ]);
        let expected = [
            ("userName", What::Unknown { sent: true }),
            ("active", What::Unknown { sent: true }),
            ("costcode", What::NoRow),
        ];
        assert_eq!(found, expected.map(|(path, what)| (path.to_owned(), what)));
        assert_eq!(compare(&Schemas::new(), ObjectKind::User, &[]), []);
    }
}
