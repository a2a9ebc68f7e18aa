//! Regular expressions as .NET reads them.

use std::time::Duration;

use crate::mapping::{Expression, Names, Pattern, Stop};
use crate::model::clock::Stopwatch;
use crate::model::value::Value;

/// Returns `text` with every match replaced, as `Regex.Replace` of .NET returns it.
fn replaced(pattern: &str, text: &str, with: &str) -> String {
    let quoted = |text: &str| text.replace('\\', "\\\\").replace('"', "\\\"");
    let expression = format!(
        "Replace([a], , \"{}\", , \"{}\", , )",
        quoted(pattern),
        quoted(with)
    );
    let expression = Expression::parse(Names::Any, &expression).unwrap_or_else(|error| panic!("{error}"));
    match expression.evaluate(&|_| Some(text.into())) {
        Ok(Value::Null) => String::new(),
        Ok(Value::String(text)) => text,
        other => panic!("{pattern}: {other:?}"),
    }
}

#[test]
fn patterns_mean_what_they_mean_in_dot_net() {
    let table = [
        // Anchors: `$` and `\Z` stand before a last line feed too.
        ("b$", "ab\n", "x", "ax\n"),
        (r"b\Z", "ab\n", "x", "ax\n"),
        (r"b\z", "ab\n", "x", "ab\n"),
        ("^b", "a\nb", "x", "a\nb"),
        ("(?m)^b$", "a\nb\n", "x", "a\nx\n"),
        // An empty match may follow a match at once.
        ("a*", "baac", "-", "-b--c-"),
        ("x*", "abc", "-", "-a-b-c-"),
        // Classes: brackets and doubled signs are characters, subtraction is `-[…]`.
        ("[[a]", "[ab", "x", "xxb"),
        ("[a-z-[aeiou]]+", "house", "x", "xouxe"),
        ("[^a-z-[0-9]]", "a1-B", "x", "a1xx"),
        ("[&&~~]", "&~a", "x", "xxa"),
        ("[]a]", "]ab", "x", "xxb"),
        ("[a-]", "a-b", "x", "xxb"),
        (r"[\w-]+", "a-b c", "x", "x x"),
        (r"[\]\\]", r"]\a", "x", "xxa"),
        (r"[\x41-\u0043]", "ABCD", "x", "xxxD"),
        (r"[\W]", "a b_c", "x", "axb_c"),
        ("[ #]", "a b#", "x", "axbx"),
        (r"\p{IsCyrillic}+", "aйb", "x", "axb"),
        (r"\P{Lu}", "aB", "x", "xB"),
        // Escapes.
        (r"\e|\cA|\0|\x20|\t|\060", "\u{1b}\u{1}\0 \t0", "x", "xxxxxx"),
        (r"\<\>\-\@\ \#\/", "<>-@ #/", "x", "x"),
        ("a{,2}", "a{,2}", "x", "x"),
        ("a{2}", "aaa", "x", "xa"),
        ("{}]", "{}]", "x", "x"),
        // Groups: unnamed ones are numbered first.
        ("(?<n>a)(b)", "ab", "$1$2", "ba"),
        ("(?'n'a)(?:b)", "ab", "${n}!$0", "a!ab"),
        (r"(?<n>.)\k<n>", "aab", "x", "xb"),
        (r"(.)(?<n>.)\2\1", "abba", "x", "x"),
        (r"(.)\1{2}", "aaab", "x", "xb"),
        ("(?<n>a)|(?<n>b)", "ab", "[${n}]", "[a][b]"),
        ("(?n)(a)(?<n>b)", "ab", "$1", "b"),
        ("(a)?(?(1)b|c)", "abc", "x", "xx"),
        ("(?<n>a)?(?(n)b|c)", "abc", "x", "xx"),
        ("(?>a+)b", "aab", "x", "x"),
        // Options.
        ("(?i)A", "aA", "x", "xx"),
        ("(?i:A)a", "Aaaa", "x", "xx"),
        ("(?s).", "\n", "x", "x"),
        (".", "\n", "x", "\n"),
        ("(?x) a # comment\n b", "ab", "x", "x"),
        ("(?x)a[ ]b", "a b", "x", "x"),
        ("a(?#comment)b", "ab", "x", "x"),
        ("(?i)a(?-i)B", "AB", "x", "x"),
        // Look around.
        ("(?<=a)b(?!c)", "abc ab", "x", "abc ax"),
        (r"(?<!\d)\d{2}(?!\d)", "12 345", "x", "x 345"),
        // Substitutions.
        ("b", "abc", "[$&|$`|$'|$_|$$]", "a[b|a|c|abc|$]c"),
        ("(a)(b)?", "a", "$+|$2|$3|${x}|$", "||$3|${x}|$"),
        ("(b)", "abc", "$10", "a$10c"),
        // Unicode.
        (r"\d", "٣", "x", "x"),
        (r"\bé\b", "é ée", "x", "x ée"),
    ];
    for (pattern, text, with, expected) in table {
        assert_eq!(replaced(pattern, text, with), expected, "{pattern} in {text:?}");
    }
}

#[test]
fn what_dot_net_does_not_know_or_cannot_be_had_is_refused_with_the_reason() {
    let table = [
        ("(", "never closed"),
        (")", "no opening"),
        ("[a", "no closing"),
        ("*a", "nothing before it"),
        ("a|*", "nothing before it"),
        ("a**", "another quantifier"),
        ("a++", "another quantifier"),
        ("a{2}{3}", "another quantifier"),
        (r"\y", "does not know"),
        (r"\_", "does not know"),
        (r"a\", "at the end"),
        (r"\p{Greek}", "Unicode category"),
        (r"\uD83D", "surrogate"),
        (r"\x4", "digits"),
        ("[b-a]", "reverse order"),
        (r"[a-\d]", "one character"),
        ("(?<a-b>x)", "balancing"),
        ("(?<1>x)", "cannot be called"),
        ("(?P<n>x)", "(?<name>…)"),
        (r"\k<n>", "does not exist"),
        (r"\1", "does not exist"),
        (r"(?<n>a)(?<n>b)\k<n>", "several"),
        ("(?(a*)b)", "name or number"),
        (r"\Ga", "last match"),
        ("(?z)a", "not known"),
        ("(?", "never closed"),
    ];
    for (pattern, expected) in table {
        let error = Pattern::new(pattern).expect_err(pattern).to_string();
        assert!(error.contains(expected), "{pattern}: {error}");
    }
}

#[test]
fn patterns_are_bounded_in_size_and_time() {
    let watch = Stopwatch::start();
    for huge in [
        "(?:(?:(?:a{999}){999}){999})".to_owned(),
        "(?=a{999}){999}".to_owned(),
        "(?:(?=a)b{99}){99999}".to_owned(),
        r"\w{9999}".to_owned(),
        "(".repeat(4_000) + &")".repeat(4_000),
        "[a-[b-[c-[d-[e-[f-[g-[h-[i-[j-[k]]]]]]]]]]]".to_owned(),
        "a|".repeat(4_000),
        "(?i)".repeat(2_000),
        format!("[{}]", r"\p{L}".repeat(1_000)),
    ] {
        let _ = Pattern::new(&huge);
    }
    let text = "a".repeat(5_000) + "!";
    for hard in [
        r"^(?=(a+)+$)b",
        r"(a|a)*\1$",
        r"(?:(a*)*\1)*b",
        "(?<=a)(?:a+)+(?=b)",
    ] {
        let pattern = Pattern::new(hard).unwrap();
        let found = pattern.is_match(&text);
        assert!(
            matches!(found, Ok(false | true) | Err(Stop::Failed(_))),
            "{hard}: {found:?}"
        );
    }
    let looks_ahead = Pattern::new("(?=[^!]*!)").unwrap();
    let ended = looks_ahead.found(&("a".repeat(20_000) + "!"), |_| Ok(()));
    assert!(matches!(ended, Err(Stop::Failed(_))), "{ended:?}");
    // Generous: the machine may be busy. Unbounded, any of these would take years.
    assert!(watch.elapsed() < Duration::from_secs(60), "{:?}", watch.elapsed());
}

#[test]
fn a_pattern_that_gives_up_is_a_finding_on_that_value() {
    let expression =
        Expression::parse(Names::Any, r#"Replace([a], , "^(\\w+\\s?)*(?=x)$", , "", , )"#).unwrap();
    let hard = expression.evaluate(&|_| Some(Value::String("a".repeat(60) + "!")));
    let Err(Stop::Failed(why)) = hard else {
        panic!("{hard:?}")
    };
    assert!(why.contains("gave up"), "{why}");
    assert_eq!(expression.evaluate(&|_| Some("-".into())), Ok("-".into()));
}
