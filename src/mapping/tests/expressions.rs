//! What expressions give, and how they are refused.

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

const STATE: &str = r#"Switch([state], "Australia/Sydney", "NSW", "Australia/Sydney","QLD", "Australia/Brisbane", "SA", "Australia/Adelaide")"#;
const PREFIX: &str =
    r#"IgnoreFlowIfNullOrEmpty(Switch([prefix], "", "3443", "Dr.", "3444", "Prof.", "3445", "Prof. Dr."))"#;
const SOFT: &str = r#"Switch([IsSoftDeleted], , "False", "True", "True", "False")"#;

/// Every documented example (reference/expressions.json, by its id) of a function that is here.
#[test]
fn documented_examples_give_what_the_documentation_says() {
    type Row = (
        &'static str,
        &'static str,
        &'static [(&'static str, &'static str)],
        &'static str,
    );
    let table: &[Row] = &[
        (
            "append-1",
            r#"Append([userPrincipalName], ".test")"#,
            &[("userPrincipalName", "John.Doe@contoso.com")],
            "John.Doe@contoso.com.test",
        ),
        (
            "cbool-1",
            "CBool([attribute1] = [attribute2])",
            &[("attribute1", "a"), ("attribute2", "a")],
            "True",
        ),
        (
            "cstr-1",
            "CStr([dn])",
            &[("dn", "cn=Joe,dc=contoso,dc=com")],
            "cn=Joe,dc=contoso,dc=com",
        ),
        (
            "ignoreflowifnullorempty-3",
            PREFIX,
            &[("prefix", "3444")],
            "Prof.",
        ),
        (
            "iif-2",
            r#"IIF([country]="USA",[country],[department])"#,
            &[("country", "CA"), ("department", "Sales")],
            "Sales",
        ),
        (
            "iif-4",
            r#"IIF([country]="USA","True",IIF([state]="CA","True","False"))"#,
            &[("country", "MX"), ("state", "CA")],
            "True",
        ),
        (
            "iif-5, where Entra gives up",
            r#"IIF([country]="","Other",[country])"#,
            &[],
            "Other",
        ),
        (
            "iif-6, where Entra gives up",
            r#"IIF(IsNullOrEmpty([country]),"Other",[country])"#,
            &[],
            "Other",
        ),
        (
            "iif-7, where Entra gives up",
            r#"IIF(IsPresent([country]),[country],"Other")"#,
            &[],
            "Other",
        ),
        ("isnull-1", "IsNull([displayName])", &[], "True"),
        ("left-1", r#"Left("John Doe", 3)"#, &[], "Joh"),
        ("left-2", r#"Left("John Doe", 0)"#, &[], ""),
        ("left-4", r#"Left("ab", 5)"#, &[], "ab"),
        (
            "not-1",
            "Not([IsSoftDeleted])",
            &[("IsSoftDeleted", "False")],
            "True",
        ),
        (
            "replace-1",
            r#"Replace([BusinessTitle],"Product Developer", , , "Software Engineer", , )"#,
            &[("BusinessTitle", "Product Developer")],
            "Software Engineer",
        ),
        (
            "replace-3",
            r#"Replace([telephoneNumber], , "\\+(?<isdCode>\\d* )(?<phoneNumber>\\d{10})", , "${phoneNumber}", , )"#,
            &[("telephoneNumber", "+91 9998887777")],
            "9998887777",
        ),
        (
            "replace-4, as a regex engine reads it",
            r#"Replace([mobile], , "[()\\s-]+", , "", , )"#,
            &[("mobile", "+1 (999) 888-7777")],
            "+19998887777",
        ),
        (
            "replace-6",
            r#"Replace([userPrincipalName], , "(?<Suffix>@(.)*)", "Suffix", "", , )"#,
            &[("userPrincipalName", "jsmith@contoso.com")],
            "jsmith",
        ),
        (
            "replace-8",
            r#"Replace([mailNickname], , "[a-zA-Z_]*", , "", , )"#,
            &[("mailNickname", "john_doe72")],
            "72",
        ),
        (
            "replace-9",
            r#"Replace([mail], "@contoso.com", , ,"", ,)"#,
            &[("mail", "john.doe@contoso.com")],
            "john.doe",
        ),
        ("switch-1", STATE, &[("state", "QLD")], "Australia/Brisbane"),
        ("switch-1, default", STATE, &[("state", "XX")], "Australia/Sydney"),
        (
            "switch-3",
            r#"Switch(ToLower([statusFlag]), "0", "true", "1", "false", "0")"#,
            &[("statusFlag", "TRUE")],
            "1",
        ),
        (
            "switch-4",
            r#"Switch([country],[country],"","Other")"#,
            &[],
            "Other",
        ),
        ("switch-6", SOFT, &[("IsSoftDeleted", "True")], "False"),
        (
            "join-1",
            r#"Join(", ", "", [surname], [givenName])"#,
            &[("givenName", "John"), ("surname", "Doe")],
            "Doe, John",
        ),
        // The presets' own, and rules of the text.
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
            "group of another attribute",
            r#"Replace([a], , "(?<d>@.*)", "d", , [mail], )"#,
            &[("a", "x"), ("mail", "a@corp.example")],
            "@corp.example",
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
    // ispresent-1 is documented for its syntax only.
    let odd = "Switch(IsPresent([directManager]),[directManager], IsPresent([skiplevelManager]),[skiplevelManager], IsPresent([director]),[director])";
    Expression::parse(Names::Any, odd).unwrap();
}

#[test]
fn nothing_flows_where_the_expression_says_so() {
    assert_eq!(
        evaluate("IgnoreFlowIfNullOrEmpty([department])", &[]),
        Err(Stop::NoFlow)
    );
    assert_eq!(evaluate(PREFIX, &[("prefix", "9999".into())]), Err(Stop::NoFlow));
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
        "Left([a], 3)",
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
