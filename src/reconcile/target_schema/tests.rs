use super::*;
use crate::mapping::Mapping;

fn schemas() -> Schemas {
    let read = |names: &[&str]| -> BTreeMap<String, Attribute> {
        let named = names
            .iter()
            .map(|name| ((*name).to_owned(), Attribute::default()));
        named.collect()
    };
    let mut user = read(&[
        "username",
        "title",
        "name",
        "name.givenname",
        "emails",
        "emails.value",
    ]);
    user.insert(
        "nickname".to_owned(),
        Attribute {
            mutability: Mutability::ReadOnly,
            ..Attribute::default()
        },
    );
    BTreeMap::from([
        (CORE_USER.to_owned(), user),
        (CORE_GROUP.to_owned(), read(&["displayname"])),
    ])
}

fn left_out(schemas: &Schemas, kind: ObjectKind, rows: &str) -> Vec<(String, &'static str)> {
    let mapping = Mapping::from_toml("tests.toml", rows).unwrap();
    let rows = mapping.rows(kind).iter();
    rows.filter_map(|row| Some((row.target.as_str().to_owned(), judged(schemas, kind, row)?)))
        .collect()
}

const ROWS: &str = r#"
user = [
    { target = "userName", source = "[userPrincipalName]", matching = 1 },
    { target = "active", source = "[accountEnabled]" },
    { target = "displayName", source = "[displayName]" },
    { target = "nickName", source = "[givenName]" },
    { target = "externalId", source = "[objectId]" },
    { target = "name.familyName", source = "[surname]" },
    { target = 'emails[type eq "work"].value', source = "[mail]", matching = 2 },
]
group = [
    { target = "displayName", source = "[displayName]", matching = 1 },
    { target = "externalId", source = "[objectId]" },
    { target = "members", source = "[members]" },
]
"#;

#[test]
fn what_is_left_out_is_decided_by_the_schema_of_its_own_kind() {
    let found = left_out(&schemas(), ObjectKind::User, ROWS);
    let expected = [
        ("displayName", "has no"),
        ("nickName", "calls read-only the"),
        ("name.familyName", "has no"),
    ];
    assert_eq!(found, expected.map(|(path, why)| (path.to_owned(), why)));
    assert!(left_out(&schemas(), ObjectKind::Group, ROWS).is_empty());
}

#[test]
fn what_a_resource_cannot_be_made_matched_or_disabled_without_is_never_left_out() {
    let mut bare = schemas();
    for attributes in bare.values_mut() {
        attributes.clear();
    }
    let paths = |kind| {
        let found = left_out(&bare, kind, ROWS);
        found.into_iter().map(|(path, _)| path).collect::<Vec<_>>()
    };
    assert_eq!(
        paths(ObjectKind::User),
        ["displayName", "nickName", "name.familyName"]
    );
    assert_eq!(paths(ObjectKind::Group), Vec::<String>::new());
}

#[test]
fn without_a_schema_of_its_kind_nothing_is_known_against_a_row() {
    let mut users_only = schemas();
    users_only.remove(CORE_USER);
    assert!(left_out(&users_only, ObjectKind::User, ROWS).is_empty());
}
