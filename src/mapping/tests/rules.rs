//! Functions by their rules: the documentation's text beyond its examples.

use crate::mapping::{Context, Expression, Names, Seed, Stop, text_of};
use crate::model::clock::Timestamp;
use crate::model::value::Value;

fn evaluate(text: &str, attributes: &[(&str, Value)]) -> Result<Value, Stop> {
    let expression = Expression::parse(Names::Any, text).unwrap_or_else(|error| panic!("{text}: {error}"));
    expression.evaluate_in(&Context::default().at(Timestamp(0)), &|name| {
        let found = attributes.iter().find(|(known, _)| *known == name);
        Some(found.map(|(_, value)| value.clone()).unwrap_or_default())
    })
}

/// Checks that each expression, with `[a]` as its only attribute, yields the text.
fn all(table: &[(&str, &str, &str)]) {
    for (text, a, expected) in table {
        let value =
            evaluate(text, &[("a", Value::from(*a))]).unwrap_or_else(|stop| panic!("{text}: {stop:?}"));
        assert_eq!(text_of(&value).unwrap(), *expected, "{text} of {a:?}");
    }
}

fn refused(text: &str) -> String {
    Expression::parse(Names::Any, text).expect_err(text).to_string()
}

fn list(texts: &[&str]) -> Value {
    Value::List(texts.iter().copied().map(Value::from).collect())
}

#[test]
fn numbers_are_read_in_every_spelling() {
    all(&[
        ("BitAnd([a], 2)", "514", "2"),
        ("BitAnd(&H202, -1)", "", "514"),
        ("BitAnd(&hff, &H0F)", "", "15"),
        ("CBool([a])", "2", "True"),
        ("CBool([a])", "0", "False"),
        ("CBool(BitAnd([a], 2))", "512", "False"),
        ("IIF(BitAnd([a], 2), \"off\", \"on\")", "514", "off"),
        ("IIF([a] >= 10, \"many\", \"few\")", "9", "few"),
        ("IIF([a] <> 9, \"other\", \"nine\")", "9", "nine"),
    ]);
    assert!(refused("BitAnd(1, \"x\")").contains("whole number"));
    all(&[
        ("Not([a])", "True", "False"),
        ("Not([a])", "1", "False"),
        ("Not([a])", "", "True"),
        ("Not([a])", "leaver", "True"),
        (
            "IIF(CDate([a]) > CDate(\"2021-09-30\"), \"after\", \"before\")",
            "2021-10-01",
            "after",
        ),
        ("IIF([a] < \"b\", \"first\", \"second\")", "a", "first"),
    ]);
    for text in [
        "IIF([none] > 5, \"a\", \"b\")",
        "IIF(DateDiff(\"d\", Now(), CDate([none])) <= 5, \"a\", \"b\")",
    ] {
        let compared = evaluate(text, &[]);
        assert!(matches!(compared, Err(Stop::Failed(_))), "{text}: {compared:?}");
    }
}

#[test]
fn words_and_cases_follow_dot_net() {
    all(&[
        ("PCase([a])", "o'BRIEN-smith jr.", "O'brien-Smith Jr."),
        ("PCase([a])", "1st class_room", "1St Class_Room"),
        (
            "PCase([a], \" \")",
            "jean-PAUL de la CRUZ",
            "Jean-paul De La Cruz",
        ),
        ("PCase([a])", "élodie ÅNGSTRÖM", "Élodie Ångström"),
        ("PCase([a])", "", ""),
        ("Word([a], 2, \",;\")", "a,,b;c", "b"),
        ("Word([a], 0, \",\")", "a,b", ""),
        ("Word([a], 9, \",\")", "a,b", ""),
        ("InStr([a], \"E\", 1, vbTextCompare)", "repEated", "2"),
        ("InStr([a], \"E\", , vbBinaryCompare)", "repEated", "4"),
        ("InStr([a], \"x\")", "repEated", "0"),
        ("InStr([a], \"\", 3)", "abc", "3"),
        ("InStr([a], \"a\", 9)", "abc", "0"),
        ("InStr([a], \"a\")", "", "0"),
        ("ToLower([a], \"en-US\")", "ÀÉI", "àéi"),
        ("ToLower([a], \"tr-TR\")", "I", "ı"),
        ("Prepend(\"x-\", [a])", "1", "x-1"),
        ("Prepend(\"x-\", [a])", "", ""),
    ]);
    assert!(refused("InStr(\"a\", \"b\", 1, \"vbTextCompare\")").contains("vbBinaryCompare"));
    assert!(refused("InStr(\"a\", \"b\", 1, vbOther)").contains("vbBinaryCompare"));
    assert!(refused("InStr(\"a\", \"b\", 0)").contains("counts from 1"));
    assert!(refused("ToLower(vbTextCompare)").contains("neither an attribute"));
}

/// The table of entra-docs, a line for each of its results, and letters that are not in it.
#[test]
fn diacritics_become_the_letters_of_the_table() {
    let table = [
        ("äàâãåáąăāā́ā̀ā̂ā̃ǟā̈ǡa̱å̄", "a"),
        ("ÄÀÂÃÅÁĄĂĀĀ́Ā̀Ā̂Ā̃ǞĀ̈ǠA̱Å̄", "A"),
        ("æǣ", "ae"),
        ("ÆǢ", "AE"),
        ("çčćc̄c̱", "c"),
        ("ÇČĆC̄C̱", "C"),
        ("ďd̄ḏ", "d"),
        ("ëèéêęěėēḗḕē̂ē̃ê̄e̱ë̄e̊̄", "e"),
        ("ËÈÉÊĘĚĖĒḖḔĒ̂Ē̃Ê̄E̱Ë̄E̊̄", "E"),
        ("ğḡg̱", "g"),
        ("ïîìíıīī́ī̀ī̂ī̃i̱", "i"),
        ("ÏÎÌÍİĪĪ́Ī̀Ī̂Ī̃I̱", "I"),
        ("ľłl̄ḹḻ", "l"),
        ("ŁĽL̄ḸḺ", "L"),
        ("ñńňn̄ṉ", "n"),
        ("öòőõôóōṓṑō̂ō̃ȫō̈ǭȭȱo̱", "o"),
        ("ÖÒŐÕÔÓŌṒṐŌ̂Ō̃ȪŌ̈ǬȬȰO̱", "O"),
        ("øø̄œ̄", "oe"),
        ("ØØ̄Œ̄", "OE"),
        ("řr̄ṟṝ", "r"),
        ("ß", "ss"),
        ("šśșşs̄s̱", "s"),
        ("ťțt̄ṯ", "t"),
        ("üùûúůűūū́ū̀ū̂ū̃u̇̄ǖṻṳ̄u̱", "u"),
        ("ÿýȳȳ́ȳ̀ȳ̃y̱", "y"),
        ("źžżz̄ẕ", "z"),
    ];
    for (marked, plain) in table {
        let given = evaluate("NormalizeDiacritics([a])", &[("a", marked.into())]).unwrap();
        let given = given.as_str().unwrap();
        assert_eq!(given.replace(plain, ""), "", "{marked} -> {given}");
        assert!(
            given.len() >= 2 * plain.len() || marked == "ß",
            "{marked} -> {given}"
        );
    }
    all(&[
        (
            "NormalizeDiacritics([a])",
            "Łukasz Žižka-Æsir",
            "Lukasz Zizka-AEsir",
        ),
        (
            "NormalizeDiacritics([a])",
            "œuvre Œ đ þ ð й ά が 1",
            "œuvre Œ đ þ ð й ά が 1",
        ),
    ]);
}

#[test]
fn dates_are_read_and_written_as_dot_net_does() {
    all(&[
        ("CDate([a])", "2021-06-30T01:45:30.123Z", "6/30/2021 1:45:30 AM"),
        ("CDate([a])", "2021-06-30 14:45+02", "6/30/2021 12:45:00 PM"),
        ("CDate([a])", "6/30/2021 12:05 AM", "6/30/2021 12:05:00 AM"),
        ("CDate([a])", "30 Jun 2021", "6/30/2021 12:00:00 AM"),
        ("CDate([a])", "30-Jun-2021", "6/30/2021 12:00:00 AM"),
        (
            "CDate([a])",
            "Wed, 30 Jun 2021 23:00:00 GMT",
            "6/30/2021 11:00:00 PM",
        ),
        ("CDate([a])", "June 30, 2021", "6/30/2021 12:00:00 AM"),
        ("CDate(CDate([a]))", "2021-06-30", "6/30/2021 12:00:00 AM"),
        ("CDate([a])", "", ""),
        ("Now()", "", "1/1/1970 12:00:00 AM"),
        ("DateAdd(\"m\", 1, [a])", "2020-01-31", "2/29/2020 12:00:00 AM"),
        (
            "DateAdd(\"yyyy\", -1, [a])",
            "2020-02-29",
            "2/28/2019 12:00:00 AM",
        ),
        ("DateAdd(\"h\", -1, [a])", "2020-01-01", "12/31/2019 11:00:00 PM"),
        ("DateAdd(\"n\", 90, [a])", "2020-01-01", "1/1/2020 1:30:00 AM"),
        ("DateAdd(\"s\", 61, [a])", "2020-01-01", "1/1/2020 12:01:01 AM"),
        (
            "DateDiff(\"d\", [a], \"2021-01-01\")",
            "2020-12-30T01:00:00Z",
            "1",
        ),
        (
            "DateDiff(\"d\", [a], \"2020-12-30\")",
            "2020-12-31T23:00:00Z",
            "-1",
        ),
        ("DateDiff(\"yyyy\", [a], \"2021-01-01\")", "2020-12-31", "1"),
        ("DateDiff(\"ww\", [a], \"2021-01-03\")", "2021-01-02", "1"),
        (
            "DateFromNum(NumFromDate([a]))",
            "2021-06-30T01:45:30Z",
            "6/30/2021 1:45:30 AM",
        ),
        ("NumFromDate([a])", "1601-01-01", "0"),
        (
            "FormatDateTime([a], , \"yyyy-MM-ddTHH:mm:ssZ\", \"dd.MM.yy H:m\")",
            "2021-06-30T01:05:30Z",
            "30.06.21 1:5",
        ),
        (
            "FormatDateTime([a], , \"M/d/yyyy h:mm:ss tt\", \"s\")",
            "6/3/2021 4:00:00 PM",
            "2021-06-03T16:00:00",
        ),
        (
            "FormatDateTime([a], , \"yyyyMMdd\", \"dddd, d MMMM yyyy\")",
            "20210630",
            "Wednesday, 30 June 2021",
        ),
        (
            "FormatDateTime([a], , \"yyyyMMdd\", \"ddd dd-MMM-yyyy g\")",
            "20210630",
            "Wed 30-Jun-2021 A.D.",
        ),
        (
            "FormatDateTime([a], , \"yyyy-MM-ddzzz\", \"yyyy-MM-dd HH:mm zzz\")",
            "2021-06-30+08:00",
            "2021-06-29 16:00 +00:00",
        ),
        (
            "FormatDateTime([a], , \"o\", \"o\")",
            "2021-06-30T01:45:30.1234567Z",
            "2021-06-30T01:45:30.1234567Z",
        ),
        (
            "FormatDateTime([a], , \"yyyy-MM-dd HH:mm:ss.FFF\", \"ss.FFF|ss.fff\")",
            "2021-06-30 01:45:30",
            "30|30.000",
        ),
        (
            "FormatDateTime([a], , \"yyyy-MM-dd HH:mm:ss.FFF\", \"ss.FFF\")",
            "2021-06-30 01:45:30.5",
            "30.5",
        ),
        (
            "FormatDateTime([a], , \"MMM d yyyy\", \"'day' d\\\\d %d\")",
            "jun 3 2021",
            "day 3d 3",
        ),
        (
            "FormatDateTime([a], , \"HH:mm\", \"h:mm tt\")",
            "16:05",
            "4:05 PM",
        ),
        ("FormatDateTime([a], , \"hh:mm\", \"HH\")", "12:05", "00"),
        ("FormatDateTime([a], , \"yy-M-d\", \"yyyy\")", "29-1-1", "2029"),
        ("FormatDateTime([a], , \"yy-M-d\", \"yyyy\")", "30-1-1", "1930"),
        (
            "FormatDateTime([a], \"AllowWhiteSpaces, AdjustToUniversal\", \"yyyy-MM-ddK\", \"yyyyK\")",
            " 2021-01-01 +00:00 ",
            "2021Z",
        ),
        (
            "FormatDateTime([a], , \"d\", \"D\")",
            "6/30/2021",
            "Wednesday, June 30, 2021",
        ),
        (
            "FormatDateTime([a], , \"yyyy\", \"M/d/yyyy\")",
            "2021",
            "1/1/2021",
        ),
    ]);
    for (text, a) in [
        ("CDate([a])", "30/06/2021"),
        ("CDate([a])", "6/30/21"),
        ("CDate([a])", "2021-02-29"),
        ("CDate([a])", "Thursday, June 30, 2021"),
        ("CDate([a])", "2021-06-30 25:00"),
        ("CDate([a])", "2021-06-30T10:00 or so"),
        ("CDate([a])", "0001-01-01+14:00"),
        ("DateAdd(\"yyyy\", 9999, [a])", "2021-06-30"),
        ("DateAdd(\"d\", 9223372036854775807, [a])", "2021-06-30"),
        ("DateFromNum([a])", "-1"),
        ("DateFromNum([a])", "9223372036854775807"),
        ("NumFromDate([a])", "1600-01-01"),
        ("FormatDateTime([a], , \"yyyy-MM-dd\", \"yyyy\")", "2021-6-30"),
        ("FormatDateTime([a], , \"yyyy-MM-dd\", \"yyyy\")", "2021-06-30x"),
        ("FormatDateTime([a], , \"MM-dd\", \"MM\")", "06-30"),
        ("FormatDateTime([a], \"None\", \"yyyy\", \"yyyy\")", " 2021"),
    ] {
        let failed = evaluate(text, &[("a", a.into())]);
        assert!(
            matches!(failed, Err(Stop::Failed(_))),
            "{text} of {a}: {failed:?}"
        );
    }
}

/// The documentation states of these that they return an empty text, and of no other that it turns null into one. At a
/// target both are null: SCIM knows no difference (RFC 7643 section 2.5).
#[test]
fn an_empty_text_is_one_until_it_goes_to_a_target() {
    for text in [
        "Left([a], 0)",
        "Left([none], 2)",
        "Word([none], 1, \" \")",
        "Word([a], 0, \" \")",
        "Switch([a], \"\", \"k\", \"v\")",
    ] {
        assert_eq!(evaluate(text, &[("a", "abc".into())]), Ok("".into()), "{text}");
        let expression = Expression::parse(Names::Any, text).unwrap();
        let user = super::object(
            crate::model::id::ObjectKind::User,
            &[("a", "abc".into()), ("none", Value::Null)],
        );
        let facts = crate::mapping::Facts::default();
        assert_eq!(
            expression.evaluate_object(&user, &facts),
            Ok(Value::Null),
            "{text}"
        );
    }
}

#[test]
fn lists_are_counted_taken_apart_and_put_together() {
    let held = [("l", list(&["x", "y", "x", "X"])), ("one", "z".into())];
    let table = [
        ("Count([l])", Value::Integer(4)),
        ("Count([one])", Value::Integer(1)),
        ("Count([none])", Value::Integer(0)),
        ("RemoveDuplicates([l])", list(&["x", "y", "X"])),
        ("Count(RemoveDuplicates([l]))", Value::Integer(3)),
        ("RemoveDuplicates([one])", "z".into()),
        ("Item([l], 2)", "y".into()),
        ("Item([l], 9)", Value::Null),
        ("Item([one], 1)", "z".into()),
        ("Join(\";\", [l], [one])", "x;y;x;X;z".into()),
        ("Join(\";\", Split(\"a, b,,c\", \",\"))", "a;b;c".into()),
        ("Item(Split(\"a--b\", \"--\"), 2)", "b".into()),
        ("Split([none], \",\")", list(&[])),
        ("IIF(Count([l]) > 3, \"many\", \"few\")", "many".into()),
    ];
    for (text, expected) in table {
        assert_eq!(evaluate(text, &held), Ok(expected), "{text}");
    }
    assert!(matches!(evaluate("Item([l], 0)", &held), Err(Stop::Failed(_))));
    assert!(refused("Split([a], \"\")").contains("delimiter"));
}

#[test]
fn presence_tells_null_empty_and_text_apart() {
    let held = [
        ("empty", "".into()),
        ("text", "x".into()),
        ("flag", true.into()),
        ("none", list(&[])),
    ];
    let table = [
        ("IsNull([absent])", true),
        ("IsNothing([absent])", true),
        ("IsNull([empty])", false),
        ("IsNull([none])", true),
        ("IsNullOrEmpty([empty])", true),
        ("IsPresent([empty])", false),
        ("IsPresent([flag])", true),
        ("IsString([text])", true),
        ("IsString([absent])", false),
        ("IsString([flag])", false),
    ];
    for (text, expected) in table {
        assert_eq!(evaluate(text, &held), Ok(Value::Bool(expected)), "{text}");
    }
}

#[test]
fn what_is_random_is_drawn_once_for_an_object_and_row() {
    let context = |seed| Context {
        seed: Seed([seed; 32]),
        ..Context::default()
    };
    let object = |id: &str| crate::model::object::SourceObject {
        id: id.parse().unwrap(),
        ..super::object(crate::model::id::ObjectKind::User, &[])
    };
    let (ada, bob) = (
        object("6f1c8d1e-0000-4000-8000-000000000001"),
        object("6f1c8d1e-0000-4000-8000-000000000002"),
    );
    for text in ["Guid()", "RandomString(20, 2, 2, 2, 2)"] {
        let expression = Expression::parse(Names::Any, text).unwrap();
        let draw = |seed, row, object| {
            expression
                .evaluate_object_in(&context(seed), row, object, &crate::mapping::Facts::default())
                .unwrap()
        };
        assert_eq!(draw(1, "title", &ada), draw(1, "title", &ada), "kept");
        for (what, other) in [
            ("seed", draw(2, "title", &ada)),
            ("row", draw(1, "nickName", &ada)),
            ("object", draw(1, "title", &bob)),
        ] {
            assert_ne!(draw(1, "title", &ada), other, "{text}: another {what}");
        }
    }
    let two = evaluate("Join(\",\", Guid(), Guid())", &[]).unwrap();
    let (first, second) = two.as_str().unwrap().split_once(',').unwrap();
    assert_ne!(first, second, "two calls of one row are two draws");
    assert_eq!(uuid::Uuid::parse_str(first).unwrap().get_version_num(), 4);
}

#[test]
fn random_texts_hold_what_was_asked_for() {
    let count = |text: &str, fits: fn(char) -> bool| text.chars().filter(|c| fits(*c)).count();
    for seed in 0..50 {
        let context = Context {
            seed: Seed([seed; 32]),
            ..Context::default()
        };
        let draw = |text: &str| {
            let expression = Expression::parse(Names::Any, text).unwrap();
            let value = expression.evaluate_in(&context, &|_| None).unwrap();
            value.as_str().unwrap().to_owned()
        };
        let six = draw("RandomString(6,3,0,0,3)");
        assert_eq!(six.len(), 6);
        assert_eq!(count(&six, |c| c.is_ascii_digit()), 3, "{six}");
        assert_eq!(count(&six, |c| c.is_ascii_lowercase()), 3, "{six}");
        let ten = draw("RandomString(10,2,2,2,1,\"?,\")");
        assert_eq!(ten.len(), 10);
        assert!(count(&ten, |c| c.is_ascii_digit()) >= 2, "{ten}");
        assert!(count(&ten, |c| c.is_ascii_punctuation()) >= 2, "{ten}");
        assert!(count(&ten, |c| c.is_ascii_uppercase()) >= 2, "{ten}");
        assert!(count(&ten, |c| c.is_ascii_lowercase()) >= 1, "{ten}");
        assert!(!ten.contains(['?', ',']), "{ten}");
        assert_eq!(
            count(&draw("RandomString(256,0,0,0,0)"), |c| c.is_ascii_alphanumeric()),
            256
        );
    }
    for wrong in [
        "RandomString(2,3,0,0,0)",
        "RandomString(0,0,0,0,0)",
        "RandomString(257,0,0,0,0)",
        "RandomString(5,1,0,0,0,\"0123456789\")",
        "RandomString(5,-1,0,0,0)",
    ] {
        let failed = evaluate(wrong, &[]);
        assert!(matches!(failed, Err(Stop::Failed(_))), "{wrong}: {failed:?}");
    }
}

#[test]
fn facts_that_are_not_known_are_said_to_be_missing() {
    let Err(Stop::Failed(why)) = evaluate("Append(\"ada@\", DefaultDomain())", &[]) else {
        panic!("half an address")
    };
    assert!(why.contains("default domain"), "{why}");
    let context = Context {
        default_domain: Some("corp.example".into()),
        ..Context::default()
    };
    let expression = Expression::parse(Names::Any, "Append(\"ada@\", DefaultDomain())").unwrap();
    assert_eq!(
        expression.evaluate_in(&context, &|_| None),
        Ok("ada@corp.example".into())
    );
    let now = Expression::parse(Names::Any, "Now()").unwrap();
    assert!(matches!(now.evaluate(&|_| None), Err(Stop::Failed(_))));
    assert!(now.uses_now() && !expression.uses_now());
}

#[test]
fn constants_are_computed_when_the_expression_is_read() {
    for (text, expected) in [
        ("CDate(\"yesterday\")", "not a date"),
        ("DateAdd(\"w\", 1, [a])", "an interval is"),
        ("Mid(\"abc\", 0, 1)", "counts from 1"),
        ("FormatDateTime([a], , \"q\", \"yyyy\")", "standard date formats"),
        (
            "FormatDateTime([a], \"Sometimes\", \"yyyy\", \"yyyy\")",
            "DateTimeStyles",
        ),
        ("FormatDateTime([a], , \"yyyy\")", "needs an input format"),
        ("Replace(\"a\", , \"(?<x>a)\", \"y\", \"b\", , )", "no group `y`"),
        ("SelectUniqueValue(\"a\", \"b\")", "Active Directory"),
    ] {
        let shown = refused(text);
        assert!(shown.contains(expected), "{text}: {shown}");
    }
}

#[test]
fn texts_do_not_grow_without_end() {
    let many = |call: &str, tail: &str, depth: usize| call.repeat(depth) + "[a]" + &tail.repeat(depth);
    for text in [
        many("ConvertToUTF8Hex(", ")", 60),
        many("ConvertToBase64(", ")", 60),
        many("Replace(", ",\"a\",,,\"aaaaaaaa\",,)", 60),
        many("Join(\"a\",[a],", ")", 60),
    ] {
        let ended = evaluate(&text, &[("a", Value::String("a".repeat(60_000)))]);
        assert!(matches!(ended, Err(Stop::Failed(_)) | Ok(_)), "{text}");
    }
}
