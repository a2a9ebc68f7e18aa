//! Scoping filters: operators and null rules as tables, shown errors, and the law of print and parse.

use proptest::prelude::*;

use super::object;
use crate::mapping::diagnostic::Span;
use crate::mapping::filter::operator::Operator;
use crate::mapping::filter::parse::{Clause, Groups, parse, print};
use crate::mapping::{Filter, Verdict};
use crate::model::id::ObjectKind;
use crate::model::value::Value;

fn filter(text: &str) -> Filter {
    Filter::parse(ObjectKind::User, text).unwrap_or_else(|error| panic!("{error}"))
}

fn verdict(text: &str, properties: &[(&str, Value)]) -> &'static str {
    match filter(text).evaluate(&object(ObjectKind::User, properties), &|_| None) {
        Verdict::Holds => "holds",
        Verdict::Fails { .. } => "fails",
        Verdict::Unknown { .. } => "unknown",
    }
}

#[test]
fn every_operator_says_what_entra_says() {
    let table = [
        ("department EQUALS \"Sales\"", "Sales", true),
        ("department EQUALS \"sales\"", "Sales", false),
        ("department NOT EQUALS \"Sales\"", "IT", true),
        ("department NOT EQUALS \"Sales\"", "Sales", false),
        ("department REGEX MATCH \"^(IT|HR)$\"", "IT", true),
        ("department REGEX MATCH \"^(IT|HR)$\"", "IT West", false),
        ("department REGEX MATCH \"al\"", "Sales", true),
        ("department REGEX MATCH \"(?i)^sales$\"", "SALES", true),
        ("department REGEX MATCH \"^(?!Sales)\"", "IT", true),
        ("department REGEX MATCH \"^\\d{2}\\.\"", "12.a", true),
        ("department REGEX MATCH \"^\\\\d{2}\\\\.\"", "12.a", true),
        // As .NET reads it: a class without the vowels, and an end before the last line feed.
        ("department REGEX MATCH \"^[a-z-[aeiou]]+$\"", "xyz", true),
        ("department REGEX MATCH \"^[a-z-[aeiou]]+$\"", "xya", false),
        ("department REGEX MATCH \"IT$\"", "IT\n", true),
        ("department NOT REGEX MATCH \"^S\"", "IT", true),
        ("department NOT REGEX MATCH \"^S\"", "Sales", false),
        ("department Includes \"ale\"", "Sales", true),
        ("department includes \"ALE\"", "Sales", false),
        ("department ENDS_WITH \"les\"", "Sales", true),
        ("department ENDS_WITH \"Les\"", "Sales", false),
        ("department IS NULL", "Sales", false),
        ("department IS NOT NULL", "Sales", true),
        ("department Greater_Than \"9\"", "10", true),
        ("department Greater_Than 10", "10", false),
        ("department Greater_Than_OR_EQUALS \"10\"", "10", true),
        ("department Greater_Than \"9\"", "many", false),
        ("department & \"2\"", "6", true),
        ("department & \"8\"", "6", false),
        ("department !& \"8\"", "6", true),
        ("department !& \"2\"", "6", false),
        ("department & \"2\"", "x", false),
        ("department !& \"2\"", "x", false),
    ];
    for (text, value, expected) in table {
        let expected = if expected { "holds" } else { "fails" };
        assert_eq!(
            verdict(text, &[("department", Value::from(value))]),
            expected,
            "{text} of {value}"
        );
    }
    for (text, truth, expected) in [
        ("accountEnabled IS TRUE", true, "holds"),
        ("accountEnabled IS FALSE", true, "fails"),
        ("accountEnabled IS FALSE", false, "holds"),
        ("accountEnabled EQUALS \"True\"", true, "holds"),
        ("accountEnabled EQUALS \"true\"", true, "holds"),
        ("accountEnabled NOT EQUALS \"True\"", false, "holds"),
        ("accountEnabled REGEX MATCH \"^T\"", true, "holds"),
    ] {
        assert_eq!(
            verdict(text, &[("accountEnabled", truth.into())]),
            expected,
            "{text} of {truth}"
        );
    }
}

#[test]
fn a_null_or_empty_value_makes_every_clause_false_but_is_null() {
    for operator in Operator::ALL {
        let value = if operator.takes_value() { " \"1\"" } else { "" };
        if operator == Operator::TransitiveMemberOf {
            continue;
        }
        let name = match operator {
            Operator::IsTrue | Operator::IsFalse => "accountEnabled",
            _ => "department",
        };
        let expected = if operator == Operator::IsNull {
            "holds"
        } else {
            "fails"
        };
        let text = format!("{name} {operator}{value}");
        for empty in [Value::Null, Value::from(""), Value::List(vec![])] {
            assert_eq!(
                verdict(&text, &[(name, empty.clone())]),
                expected,
                "{text} of {empty}"
            );
        }
        assert_eq!(verdict(&text, &[]), "unknown", "{text} of a property never read");
    }
}

#[test]
fn what_was_never_read_counts_only_where_nothing_else_decides() {
    let sales = [("department", Value::from("Sales"))];
    for (text, expected) in [
        ("department EQUALS \"Sales\" AND city EQUALS \"Oslo\"", "unknown"),
        ("department EQUALS \"IT\" AND city EQUALS \"Oslo\"", "fails"),
        ("city EQUALS \"Oslo\" AND department EQUALS \"IT\"", "fails"),
        ("city EQUALS \"Oslo\" OR department EQUALS \"Sales\"", "holds"),
        ("city EQUALS \"Oslo\" OR department EQUALS \"IT\"", "unknown"),
    ] {
        assert_eq!(verdict(text, &sales), expected, "{text}");
    }
}

#[test]
fn names_are_those_of_mapping_expressions() {
    for (text, property, value) in [
        ("mobile EQUALS \"1\"", "mobilePhone", Value::from("1")),
        ("[mobilePhone] EQUALS \"1\"", "mobilePhone", Value::from("1")),
        (
            "telephoneNumber EQUALS \"1\"",
            "businessPhones",
            Value::List(vec!["1".into(), "2".into()]),
        ),
        (
            "extensionAttribute7 EQUALS \"1\"",
            "onPremisesExtensionAttributes",
            Value::from_json(&serde_json::json!({"extensionAttribute7": "1"})),
        ),
        (
            "extension_0123456789abcdef0123456789abcdef_site EQUALS \"1\"",
            "extension_0123456789abcdef0123456789abcdef_site",
            Value::Integer(1),
        ),
        (
            "userPrincipalName EQUALS \"ada@home.example\"",
            "userPrincipalName",
            Value::from("ada_home.example#EXT#@corp.example"),
        ),
    ] {
        assert_eq!(verdict(text, &[(property, value)]), "holds", "{text}");
    }
    let me = "6f1c8d1e-0000-4000-8000-000000000001";
    assert_eq!(
        verdict(&format!("id EQUALS \"{}\"", me.to_uppercase()), &[]),
        "holds"
    );
    assert_eq!(verdict(&format!("objectId NOT EQUALS \"{me}\""), &[]), "fails");
}

#[test]
fn what_is_wrong_with_a_filter_is_shown_where_it_stands() {
    let id = "6f1c8d1e-0000-4000-8000-000000000001";
    let bad = [
        "",
        "departement EQUALS \"IT\"",
        "department EQUAL \"IT\"",
        "department = \"IT\"",
        "department contains \"IT\"",
        "department EQUALS",
        "department EQUALS 'IT'",
        "department EQUALS \"IT",
        "department IS NULL \"IT\"",
        "department EQUALS \"IT\" city EQUALS \"Oslo\"",
        "department EQUALS \"IT\" & city EQUALS \"Oslo\"",
        "department EQUALS \"IT\" AND",
        "department EQUALS \"IT\" AND (city EQUALS \"Oslo\" OR city EQUALS \"Bergen\")",
        "(department EQUALS \"IT\" OR city EQUALS \"Oslo\")",
        "(department EQUALS \"IT\"",
        "department EQUALS \"IT\")",
        "department EQUALS \"\"",
        "department Includes \"\"",
        "department REGEX MATCH \"(\"",
        "department Greater_Than \"many\"",
        "department IS TRUE",
        "accountEnabled EQUALS \"yes\"",
        "accountEnabled Includes \"T\"",
        "IsSoftDeleted IS FALSE",
        "manager IS NOT NULL",
        "proxyAddresses Includes \"x\"",
        "memberOf EQUALS \"Sales\"",
        "memberOf REGEX MATCH \"x\"",
        "department TRANSITIVE_MEMBER_OF \"x\"",
        "id EQUALS \"ada\"",
        "cityy IS NULL AND deprtment IS NULL OR AND",
        "cityy IS NULL AND deprtment IS NULL",
    ];
    let shown: Vec<String> = bad
        .iter()
        .map(|text| Filter::parse(ObjectKind::User, text).expect_err(text).to_string())
        .collect();
    insta::assert_snapshot!(shown.join("\n\n"));
    assert!(Filter::parse(ObjectKind::Group, &format!("memberOf EQUALS \"{id}\"")).is_err());
    assert!(
        Filter::parse(
            ObjectKind::Group,
            &format!("displayName REGEX MATCH \"^IDM-\" OR id EQUALS \"{id}\"")
        )
        .is_ok()
    );
}

#[test]
fn a_pattern_that_would_not_end_is_given_up_and_decides_nothing() {
    let text = "department REGEX MATCH \"^((a+)|\\2b)+$\"";
    let value = format!("{}!", "a".repeat(60));
    let began = crate::model::clock::Stopwatch::start();
    assert_eq!(verdict(text, &[("department", value.as_str().into())]), "unknown");
    assert!(began.elapsed().as_secs() < 5, "{:?}", began.elapsed());
}

fn clause() -> impl Strategy<Value = Clause> {
    let name = "[a-zA-Z_][a-zA-Z0-9_.]{0,10}".prop_filter("a joint or an operator", |name| {
        !["and", "or", "transitive_member_of"].contains(&name.to_lowercase().as_str())
    });
    (
        name,
        prop::sample::select(Operator::ALL.to_vec()),
        any::<String>(),
    )
        .prop_map(|(name, operator, value)| Clause {
            name,
            operator,
            value: operator.takes_value().then_some(value),
            name_span: Span::default(),
            operator_span: Span::default(),
            value_span: Span::default(),
        })
}

fn groups() -> impl Strategy<Value = Groups> {
    prop::collection::vec(prop::collection::vec(clause(), 1..4), 1..4)
}

proptest! {
    #[test]
    fn print_then_parse_is_the_same_filter(groups in groups()) {
        let mut text = String::new();
        print(&groups, &mut text).unwrap();
        prop_assert_eq!(parse(&text).unwrap(), groups, "{}", text);
    }

    #[test]
    fn any_text_is_read_or_refused_without_panic(text in any::<String>()) {
        let _ = Filter::parse(ObjectKind::User, &text);
    }

    #[test]
    fn any_pieces_of_filters_are_read_or_refused_without_panic(pieces in prop::collection::vec(prop::sample::select(vec![
        "department", "city", "memberOf", "id", "EQUALS", "NOT", "IS", "NULL", "REGEX", "MATCH", "&", "!&", "AND", "OR", "(", ")",
        "\"x\"", "\"", "[", "]", "42", "=", "TRANSITIVE_MEMBER_OF", "\\", "é",
    ]), 0..14)) {
        if let Ok(filter) = Filter::parse(ObjectKind::User, &pieces.join(" ")) {
            let again = Filter::parse(ObjectKind::User, &filter.to_string());
            prop_assert_eq!(again.unwrap(), filter);
        }
    }
}
