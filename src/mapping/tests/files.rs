//! Mapping files and presets.

use crate::mapping::{Apply, Authority, Drift, Mapping, Reference, presets};
use crate::model::id::ObjectKind;
use crate::model::value::Value;

const USER: &str = "[[user]]\ntarget = \"userName\"\nsource = \"[mail]\"\nmatching = 1\n";

fn refused(text: &str) -> String {
    Mapping::from_toml("acme.toml", text).expect_err(text).to_string()
}

fn places(rows: &[crate::mapping::Row]) -> Vec<(String, String)> {
    rows.iter()
        .map(|row| (row.target.to_string(), row.source.text().to_owned()))
        .collect()
}

#[test]
fn presets_have_the_rows_that_idmelon_and_entra_document() {
    for (name, users, groups) in [
        ("idmelon", 23, 4),
        ("idmelon@1", 23, 4),
        ("scim", 22, 3),
        ("scim@1", 22, 3),
    ] {
        let preset = Mapping::preset(name).unwrap();
        assert_eq!((preset.user.len(), preset.group.len()), (users, groups), "{name}");
        assert!(
            preset.name.ends_with("@1"),
            "a bare name means the newest version: {}",
            preset.name
        );
        for (kind, target) in [(ObjectKind::User, "userName"), (ObjectKind::Group, "displayName")] {
            let matching: Vec<_> = preset
                .matching(kind)
                .iter()
                .map(|row| row.target.to_string())
                .collect();
            assert_eq!(matching, [target], "{name}");
        }
        assert_eq!(
            preset.reference_row(ObjectKind::User).unwrap().1.reference,
            Some(Reference::Manager)
        );
        assert_eq!(
            preset.reference_row(ObjectKind::Group).unwrap().1.reference,
            Some(Reference::Members)
        );
    }
    for unknown in ["idmelon@2", "idmelon@", "acme", "", "@1", "idmelon@1.0"] {
        assert!(Mapping::preset(unknown).is_none(), "{unknown}");
    }
    assert_eq!(presets::names().collect::<Vec<_>>(), ["idmelon", "scim"]);
}

#[test]
fn idmelon_differs_from_the_default_where_its_documentation_says() {
    let (idmelon, scim) = (
        Mapping::preset("idmelon").unwrap(),
        Mapping::preset("scim").unwrap(),
    );
    let new = |of: Vec<(String, String)>, from: Vec<(String, String)>| -> Vec<_> {
        of.into_iter().filter(|row| !from.contains(row)).collect()
    };
    let immutable_id = "urn:ietf:params:scim:schemas:extension:IDmelon:2.0:User:immutable_id";
    assert_eq!(
        new(places(&idmelon.user), places(&scim.user)),
        [
            ("externalId".into(), "[objectId]".into()),
            (immutable_id.into(), "[immutableId]".into())
        ]
    );
    assert_eq!(
        new(places(&scim.user), places(&idmelon.user)),
        [("externalId".into(), "[mailNickname]".into())]
    );
    assert_eq!(
        new(places(&idmelon.group), places(&scim.group)),
        [("description".into(), "[description]".into())]
    );
}

#[test]
fn the_select_list_is_exactly_what_the_rows_read() {
    let select = |name, kind| -> String {
        Mapping::preset(name)
            .unwrap()
            .graph_properties(kind)
            .into_iter()
            .collect::<Vec<_>>()
            .join(",")
    };
    assert_eq!(
        select("idmelon", ObjectKind::User),
        "accountEnabled,businessPhones,city,country,department,displayName,employeeId,faxNumber,givenName,jobTitle,\
         mail,manager,mobilePhone,officeLocation,onPremisesImmutableId,postalCode,preferredLanguage,state,\
         streetAddress,surname,userPrincipalName"
    );
    assert_eq!(
        select("scim", ObjectKind::User),
        "accountEnabled,businessPhones,city,country,department,displayName,employeeId,faxNumber,givenName,jobTitle,\
         mail,mailNickname,manager,mobilePhone,officeLocation,postalCode,preferredLanguage,state,streetAddress,\
         surname,userPrincipalName"
    );
    assert_eq!(
        select("idmelon", ObjectKind::Group),
        "description,displayName,members"
    );
    assert_eq!(select("scim", ObjectKind::Group), "displayName,members");
}

#[test]
fn every_key_of_a_row_is_read() {
    let text = format!(
        "{USER}[[user]]\ntarget = 'phoneNumbers[type eq \"mobile\"].value'\nsource = \"[mobilePhone]\"\n\
         apply = \"create-only\"\ndefault = \"none\"\nauthority = \"target\"\ndrift = \"heal\"\n"
    );
    let mapping = Mapping::from_toml("acme.toml", &text).unwrap();
    let row = &mapping.user[1];
    assert_eq!(
        (row.apply, row.authority, row.drift),
        (Apply::CreateOnly, Authority::Target, Some(Drift::Heal))
    );
    assert_eq!(row.default, Some(Value::from("none")));
    assert!(mapping.group.is_empty());
    let empty = Mapping::from_toml("x", &format!("{USER}default = \"\"\n")).unwrap();
    assert_eq!(empty.user[0].default, None, "an empty default is none");
}

#[test]
fn all_problems_of_a_file_come_at_once() {
    let text = r#"
[[user]]
target = "userName"
source = '[userPrincipalNam]'
matching = 1

[[user]]
target   = "displayName"
source   = 'ToUpper(Joinn(" ", [givenName], [surname]))'
aply     = "always"

[[user]]
source = "[mail]"
apply = "create-onyl"

[[group]]
target = "emails[type sw \"w\"].value"
source = 7

[[grop]]
target = "displayName"
"#;
    insta::assert_snapshot!(refused(text));
}

#[test]
fn rows_are_checked_against_each_other() {
    let table = [
        ("", "the mapping has no rows"),
        (
            "[[user]]\ntarget = \"title\"\nsource = \"[jobTitle]\"\n",
            "no row for `userName`",
        ),
        (
            "[[user]]\ntarget = \"userName\"\nsource = \"[mail]\"\n",
            "no row is a matching attribute",
        ),
        (&format!("{USER}{USER}"), "two rows for one target"),
        (
            &format!("{USER}{}", USER.replace("userName", "title")),
            "two rows with one precedence",
        ),
        (
            &format!("{USER}[[user]]\ntarget = \"USERNAME\"\nsource = \"[mail]\"\n"),
            "line 2 has it already",
        ),
        (
            &format!("{USER}[[user]]\ntarget = \"active\"\nsource = '\"maybe\"'\n"),
            "takes True or False",
        ),
        (
            &format!("{USER}[[user]]\ntarget = \"title\"\nsource = \"[manager]\"\n"),
            "does not take this source",
        ),
        (
            &format!("{USER}[[user]]\ntarget = \"id\"\nsource = \"[mail]\"\n"),
            "written by the service alone",
        ),
        (&USER.replace("= 1", "= 0"), "number from 1"),
        (&USER.replace("= 1", "= \"1\""), "number from 1"),
        ("[user]\ntarget = \"userName\"\n", "two brackets"),
        ("[[user]\ntarget = \"userName\"\n", "not TOML"),
        ("user = [1]", "a row is a table"),
    ];
    for (text, expected) in table {
        let shown = refused(text);
        assert!(shown.contains(expected), "{text}: {shown}");
    }
}

#[test]
fn types_that_can_never_fit_are_found_before_any_object_is() {
    let rows = [
        ("active", "[department]"),
        ("active", "42"),
        ("title", "[proxyAddresses]"),
        ("emails[type eq \\\"other\\\"].value", "[otherMails]"),
        ("emails[type eq \\\"work\\\"].primary", "[mail]"),
        ("displayName", "[manager]"),
        ("members", "[mail]"),
    ];
    let mut text = USER.to_owned();
    for (target, source) in rows {
        text += &format!("\n[[user]]\ntarget = \"{target}\"\nsource = \"{source}\"\n");
    }
    insta::assert_snapshot!(refused(&text));
    for (target, source) in [
        ("active", "[accountEnabled]"),
        ("active", "[IsSoftDeleted]"),
        ("active", "[extensionAttribute3]"),
        ("active", "[extension_0123456789abcdef0123456789abcdef_on]"),
        ("active", "Not([IsSoftDeleted])"),
        ("title", "[accountEnabled]"),
        ("title", "42"),
        ("emails", "[otherMails]"),
        ("urn:acme:User:mails", "[proxyAddresses]"),
    ] {
        let text = format!("{USER}[[user]]\ntarget = \"{target}\"\nsource = \"{source}\"\n");
        Mapping::from_toml("acme.toml", &text).unwrap_or_else(|problems| panic!("{problems}"));
    }
}

#[test]
fn fingerprint_moves_with_meaning_only() {
    let print = |text: &str| Mapping::from_toml("a", text).unwrap().fingerprint();
    let base = print(USER);
    assert_eq!(
        base,
        print(&format!(
            "# a comment\n{}",
            USER.replace("\"[mail]\"", "\" [mail] \"")
        ))
    );
    assert_eq!(
        base,
        print(&format!("{USER}drift = \"heal\"\n")),
        "a drift policy changes no desired state"
    );
    let changed = [
        USER.replace("[mail]", "[userPrincipalName]"),
        USER.replace("= 1", "= 2"),
        format!("{USER}apply = \"create-only\"\n"),
        format!("{USER}default = \"x\"\n"),
        format!("{USER}authority = \"target\"\n"),
        format!("{USER}[[user]]\ntarget = \"title\"\nsource = \"[jobTitle]\"\n"),
    ];
    for text in changed {
        assert_ne!(base, print(&text), "{text}");
    }
}
