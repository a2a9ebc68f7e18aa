//! The results of expressions, and how they are refused.

use crate::mapping::names::resolve;
use crate::mapping::{Expression, Names, Stop};
use crate::model::id::ObjectKind;
use crate::model::value::Value;

fn evaluate(text: &str, attributes: &[(&str, Value)]) -> Result<Value, Stop> {
    let expression = Expression::parse(Names::Any, text).unwrap_or_else(|error| panic!("{error}"));
    expression.evaluate(&|name| {
        Some(
            attributes
                .iter()
                .find(|(known, _)| *known == name)
                .map(|(_, value)| value.clone())
                .unwrap_or_default(),
        )
    })
}

fn refused(text: &str) -> String {
    Expression::parse(Names::Of(ObjectKind::User), text)
        .expect_err(text)
        .to_string()
}

/// What the presets use, and rules of the documentation's text beyond its examples (those are in documented.rs).
#[test]
fn expressions_give_what_their_rules_say() {
    type Row = (
        &'static str,
        &'static str,
        &'static [(&'static str, &'static str)],
        &'static str,
    );
    let table: &[Row] = &[
        (
            "join, one missing",
            r#"Join(" ", [givenName], [surname])"#,
            &[("givenName", "Ada")],
            "Ada",
        ),
        ("mid", "Mid([a], 2, 3)", &[("a", "abcdef")], "bcd"),
        ("mid beyond", "Mid([a], 5, 30)", &[("a", "abcdef")], "ef"),
        ("left, negative", "Left([a], -1)", &[("a", "abc")], "abc"),
        ("coalesce", r#"Coalesce([a], [b], "none")"#, &[("b", "B")], "B"),
        ("coalesce, default", r#"Coalesce([a], [b], "none")"#, &[], "none"),
        ("upper", "ToUpper([a])", &[("a", "straße")], "STRAßE"),
        (
            "upper, turkish",
            r#"ToUpper([a], "tr-TR")"#,
            &[("a", "istanbul")],
            "İSTANBUL",
        ),
        ("strip", "StripSpaces([a])", &[("a", " 12 34 ")], "1234"),
        (
            "template",
            r#"Replace([a], "%", , , , , "+1 %")"#,
            &[("a", "555")],
            "+1 555",
        ),
        (
            "group of another attribute, not needed",
            r#"Replace([a], , "(?<d>@.*)", "d", , [mail], )"#,
            &[("a", "x"), ("mail", "a@corp.example")],
            "x",
        ),
        (
            "greater",
            r#"IIF([n] > 5, "many", "few")"#,
            &[("n", "10")],
            "many",
        ),
        (
            "case counts in =",
            r#"IIF([a] = "X", "same", "other")"#,
            &[("a", "x")],
            "other",
        ),
        ("escapes", r#"Append([a], "\"\\")"#, &[("a", "x")], "x\"\\"),
        (
            "nested over lines",
            "Append(\n\tToUpper( [a] ),\n\t\"!\"\n)",
            &[("a", "x")],
            "X!",
        ),
    ];
    for (id, expression, attributes, expected) in table {
        let attributes: Vec<_> = attributes
            .iter()
            .map(|(name, text)| (*name, Value::from(*text)))
            .collect();
        let value = evaluate(expression, &attributes).unwrap_or_else(|stop| panic!("{id}: {stop:?}"));
        let expected = if expected.is_empty() {
            Value::Null
        } else {
            Value::from(*expected)
        };
        let printed = crate::mapping::text_of(&value).unwrap().into_owned();
        assert_eq!(
            if printed.is_empty() {
                Value::Null
            } else {
                Value::text(printed)
            },
            expected,
            "{id}"
        );
    }
}

#[test]
fn a_branch_that_is_not_taken_needs_nothing() {
    let expression = Expression::parse(Names::Any, r#"IIF([a] = "x", "yes", [unread])"#).unwrap();
    let value =
        |text: &'static str| expression.evaluate(&move |name| (name == "a").then(|| Value::from(text)));
    assert_eq!(value("x"), Ok("yes".into()));
    assert_eq!(value("y"), Err(Stop::Unknown("unread".into())));
}

#[test]
fn null_stays_null_through_text_functions() {
    for text in [
        r#"Append([a], ".x")"#,
        "ToLower([a])",
        r#"Replace([a], "x", , , "y", , )"#,
        "Mid([a], 1, 3)",
    ] {
        assert_eq!(evaluate(text, &[]), Ok(Value::Null), "{text}");
    }
}

#[test]
fn a_list_of_several_is_no_text_and_says_so() {
    let list = Value::List(vec!["a".into(), "b".into()]);
    assert!(matches!(
        evaluate("ToLower([l])", &[("l", list.clone())]),
        Err(Stop::Failed(_))
    ));
    assert_eq!(
        evaluate(r#"Join(";", [l])"#, &[("l", list.clone())]),
        Ok("a;b".into())
    );
    assert_eq!(evaluate("[l]", &[("l", list.clone())]), Ok(list));
}

#[test]
fn errors_show_text_caret_and_suggestion() {
    insta::assert_snapshot!(refused(r#"ToUpper(Joinn(" ", [givenName], [surname]))"#), @r#"
    no function `Joinn`
      | ToUpper(Joinn(" ", [givenName], [surname]))
      |         ^^^^^ did you mean `Join`?
    "#);
    insta::assert_snapshot!(refused(r#"Join(" ", [givenname], [sirname])"#), @r#"
    no source attribute `givenname`
      | Join(" ", [givenname], [sirname])
      |           ^^^^^^^^^^^ did you mean [givenName]?
    no source attribute `sirname`
      | Join(" ", [givenname], [sirname])
      |                        ^^^^^^^^^ did you mean [surname]?
    "#);
    insta::assert_snapshot!(refused("mail"), @r"
    `mail` is neither an attribute nor a text nor a function
      | mail
      | ^^^^ did you mean [mail]?
    ");
    insta::assert_snapshot!(refused(r#"Join(" ", [givenName], [surname]"#), @r#"
    this bracket is never closed
      | Join(" ", [givenName], [surname]
      |     ^ add the missing `)`
    "#);
    insta::assert_snapshot!(refused(r#"Append([mail])"#), @r"
    `Append` needs its argument suffix
      | Append([mail])
      | ^^^^^^ `Append` takes (source, suffix)
    ");
}

#[test]
fn what_is_no_expression_is_refused() {
    let table = [
        ("", "empty"),
        ("  \n ", "empty"),
        (r#""open"#, "no closing quote"),
        ("[open", "no closing bracket"),
        ("[]", "no attribute name"),
        (r#""\d""#, "backslash"),
        ("[mail] [mail]", "ends before this"),
        ("Join(,)", "needs its argument separator"),
        ("Not([mail]", "never closed"),
        (r#"Switch([mail], "a", "b")"#, "key without a value"),
        (r#"Switch([mail], "a", "b", "c", "d")"#, "has no value"),
        ("Not([mail], [mail])", "too many"),
        (r#"[mail] = "x""#, "only where a condition"),
        (r#"IIF([a1] = "x" = "y", "", "")"#, "one comparison"),
        (r#"Not("maybe")"#, "condition"),
        (r#"Left([mail], "three")"#, "whole number"),
        (r#"Replace([mail], , "(", , "", , )"#, "not a regular expression"),
        (
            r#"Replace([mail], , [city], , "", , )"#,
            "has to be a text constant",
        ),
        ("ToLower([manager])", "refers to other objects"),
        ("tolower([mail])", "did you mean `ToLower`?"),
        ("‘x’", "straight double quotes"),
        ("1.5", "not a whole number"),
        ("[mail] & [city]", "Join"),
        ("99999999999999999999", "not a whole number"),
    ];
    for (text, expected) in table {
        let shown = refused(text);
        assert!(shown.contains(expected), "{text}: {shown}");
    }
}

#[test]
fn deep_nesting_is_refused_and_does_not_overflow() {
    for deep in [
        "Not(".repeat(2_400),
        "(".repeat(9_000),
        "[".repeat(9_999),
        "Not(".repeat(2_000) + &")".repeat(1_900),
    ] {
        refused(&deep);
    }
    assert!(refused(&"Not(".repeat(2_400)).contains("nested more than"));
    assert!(refused(&"x".repeat(10_001)).contains("at most 10000 characters"));
}

/// A chain of conditions that fills the 10,000 characters is deep, and no person would write it.
#[test]
fn what_is_as_deep_as_allowed_is_read_printed_and_evaluated() {
    let depth = crate::mapping::parse::MAX_DEPTH;
    let chain = r#"IIF([c]=1,"A","#.repeat(depth) + r#""B""# + &")".repeat(depth);
    let nots = "Not(".repeat(depth) + "[c]" + &")".repeat(depth);
    let inside = r#"IIF([c]=Left("12", 1), [c], [c])"#;
    let conditions = "Not(".repeat(depth - 2) + inside + &")".repeat(depth - 2);
    let left = "Append(".repeat(depth) + "[c]" + &r#","x")"#.repeat(depth);
    for (text, c, expected) in [
        (&chain, "2", "B"),
        (&nots, "True", "True"),
        (&conditions, "0", "False"),
        (&left, "2", &("2".to_owned() + &"x".repeat(depth))),
    ] {
        let expression = Expression::parse(Names::Any, text).unwrap();
        let again = Expression::parse(Names::Any, &expression.canonical()).unwrap();
        assert_eq!(again, expression.clone());
        let value = expression.evaluate(&|_| Some(c.into())).unwrap();
        assert_eq!(crate::mapping::text_of(&value).unwrap(), expected, "{text:.40}");
    }
}

#[test]
fn engine_names_and_graph_names_mean_the_same() {
    let table = [
        ("mobile", "mobilePhone"),
        ("telephoneNumber", "businessPhones"),
        ("immutableId", "onPremisesImmutableId"),
        ("physicalDeliveryOfficeName", "officeLocation"),
        ("facsimileTelephoneNumber", "faxNumber"),
        ("objectId", "id"),
    ];
    for (engine, graph) in table {
        let find = |name| resolve(Names::Of(ObjectKind::User), name).unwrap();
        assert_eq!(
            (find(engine).property, find(engine).access),
            (find(graph).property, find(graph).access),
            "{engine}"
        );
    }
    let number = resolve(Names::Of(ObjectKind::User), "extensionAttribute7").unwrap();
    assert_eq!(number.property, "onPremisesExtensionAttributes");
    let own = "extension_0123456789abcdef0123456789abcdef_badge";
    assert_eq!(resolve(Names::Of(ObjectKind::Group), own).unwrap().property, own);
    assert!(resolve(Names::Of(ObjectKind::User), "extensionAttribute16").is_err());
    assert!(resolve(Names::Of(ObjectKind::Group), "userPrincipalName").is_err());
}
